//! Much over TCP, there and back, compared byte for byte.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};

use super::network::Network;
use crate::guest::plugged::{self, LIMIT};

/// A service at the provider's that takes what it is sent and compares it with what
/// was to come, and then sends as much of its own.
pub struct Service {
    address: SocketAddr,
    listener: TcpListener,
}

/// What goes over the line: bytes that repeat nowhere near.
struct Content {
    state: u64,
    left: usize,
}

impl Content {
    fn new(seed: u64, length: usize) -> Self {
        Self {
            state: seed,
            left: length,
        }
    }

    /// The next piece; none at its end.
    fn next(&mut self, buffer: &mut [u8]) -> usize {
        let length = buffer.len().min(self.left);
        for word in buffer[..length].chunks_mut(8) {
            self.state ^= self.state << 13;
            self.state ^= self.state >> 7;
            self.state ^= self.state << 17;
            word.copy_from_slice(&self.state.to_le_bytes()[..word.len()]);
        }
        self.left -= length;
        length
    }
}

const UP: u64 = 0x9e37_79b9_7f4a_7c15;
const DOWN: u64 = 0xd1b5_4a32_d192_ed03;
/// A guard against hanging: a connection may be away for a while.
const PATIENCE: Duration = Duration::from_secs(200);
const PIECE: usize = 64 << 10;

impl Service {
    /// One at this address of the provider's, which need not be there yet.
    pub fn new(network: &Network, address: Ipv4Addr) -> Result<Self> {
        let anywhere = (Ipv4Addr::UNSPECIFIED, 0);
        let listener = network.inside(|| Ok(TcpListener::bind(anywhere)?))?;
        listener.set_nonblocking(true)?;
        Ok(Self {
            address: (address, listener.local_addr()?.port()).into(),
            listener,
        })
    }

    /// Sends `length` bytes there and as many back, each compared with what was sent.
    pub fn exchange(&self, length: usize) -> Result<()> {
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            let served = scope.spawn(|| self.serve(length, &over));
            let exchanged = exchange(self.address, length);
            over.store(true, Ordering::Relaxed);
            exchanged?;
            served.join().map_err(|_| anyhow!("a thread panicked"))?
        })
    }

    fn serve(&self, length: usize, over: &AtomicBool) -> Result<()> {
        let Some(mut peer) = self.accept(over)? else {
            return Ok(());
        };
        peer.set_read_timeout(Some(PATIENCE))?;
        peer.set_write_timeout(Some(PATIENCE))?;
        compare(&mut peer, Content::new(UP, length)).context("on the way up")?;
        send(&mut peer, Content::new(DOWN, length)).context("cannot answer")
    }

    /// Waits for somebody, until it is over.
    fn accept(&self, over: &AtomicBool) -> Result<Option<TcpStream>> {
        while !over.load(Ordering::Relaxed) {
            match self.listener.accept() {
                Ok((peer, _)) => {
                    peer.set_nonblocking(false)?;
                    return Ok(Some(peer));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    thread::sleep(Duration::from_millis(2));
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(None)
    }
}

/// The other side of [`Service::serve`].
fn exchange(address: SocketAddr, length: usize) -> Result<()> {
    let mut peer = connect(address)?;
    peer.set_read_timeout(Some(PATIENCE))?;
    peer.set_write_timeout(Some(PATIENCE))?;
    send(&mut peer, Content::new(UP, length)).context("cannot send")?;
    peer.shutdown(Shutdown::Write)?;
    compare(&mut peer, Content::new(DOWN, length)).context("on the way down")
}

/// Connects as soon as there is a way.
fn connect(address: SocketAddr) -> Result<TcpStream> {
    let mut connected = None;
    plugged::wait_until("the provider can be reached", || {
        connected = TcpStream::connect_timeout(&address, LIMIT).ok();
        connected.is_some()
    })?;
    connected.context("it went away")
}

fn send(peer: &mut TcpStream, mut content: Content) -> std::io::Result<()> {
    let mut piece = vec![0; PIECE];
    loop {
        match content.next(&mut piece) {
            0 => return Ok(()),
            length => peer.write_all(&piece[..length])?,
        }
    }
}

/// Compares all that comes with what was sent.
fn compare(peer: &mut TcpStream, mut content: Content) -> Result<()> {
    let (mut expected, mut piece) = (vec![0; PIECE], vec![0; PIECE]);
    loop {
        let length = content.next(&mut expected);
        if length == 0 {
            ensure!(peer.read(&mut piece[..1])? == 0, "more came than was sent");
            return Ok(());
        }
        peer.read_exact(&mut piece[..length])?;
        let left = content.left;
        ensure!(
            piece[..length] == expected[..length],
            "something came different, {left} bytes before the end"
        );
    }
}
