//! Much over TCP, there and back, compared by hash.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use sha2::{Digest, Sha256};

use super::network::Network;
use crate::guest::plugged::{self, LIMIT};

/// A service at the provider's that takes what it is sent, and then sends as much of its
/// own.
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

/// The hash of all that went one way.
type Hash = [u8; 32];

/// What one side has seen of an exchange.
struct Seen {
    up: Hash,
    down: Hash,
}

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

    /// Sends `length` bytes there and as many back; each side has to see the same hashes.
    pub fn exchange(&self, length: usize) -> Result<()> {
        self.exchange_followed(length, &|_| {})
    }

    /// As [`Self::exchange`], while `moved` is told of each piece how long it is.
    pub fn exchange_followed(&self, length: usize, moved: &dyn Fn(usize)) -> Result<()> {
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            let served = scope.spawn(|| self.serve(length, &over));
            let exchanged = exchange(self.address, length, moved);
            over.store(true, Ordering::Relaxed);
            let here = exchanged?;
            let there = served.join().map_err(|_| anyhow!("a thread panicked"))??;
            let there = there.context("somebody else has answered")?;
            ensure!(here.up == there.up, "it was not the same on the way up");
            ensure!(
                here.down == there.down,
                "it was not the same on the way down"
            );
            Ok(())
        })
    }

    fn serve(&self, length: usize, over: &AtomicBool) -> Result<Option<Seen>> {
        let Some(mut peer) = self.accept(over)? else {
            return Ok(None);
        };
        peer.set_read_timeout(Some(PATIENCE))?;
        peer.set_write_timeout(Some(PATIENCE))?;
        let up = receive(&mut peer, length, &|_| {}).context("on the way up")?;
        let down = send(&mut peer, Content::new(DOWN, length), &|_| {}).context("cannot answer")?;
        Ok(Some(Seen { up, down }))
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
fn exchange(address: SocketAddr, length: usize, moved: &dyn Fn(usize)) -> Result<Seen> {
    let mut peer = connect(address)?;
    peer.set_read_timeout(Some(PATIENCE))?;
    peer.set_write_timeout(Some(PATIENCE))?;
    let up = send(&mut peer, Content::new(UP, length), moved).context("cannot send")?;
    peer.shutdown(Shutdown::Write)?;
    let down = receive(&mut peer, length, moved).context("on the way down")?;
    Ok(Seen { up, down })
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

/// Sends all of it, and returns its hash.
fn send(peer: &mut TcpStream, mut content: Content, moved: &dyn Fn(usize)) -> Result<Hash> {
    let (mut hash, mut piece) = (Sha256::new(), vec![0; PIECE]);
    loop {
        match content.next(&mut piece) {
            0 => return Ok(hash.finalize().into()),
            length => {
                hash.update(&piece[..length]);
                peer.write_all(&piece[..length])?;
                moved(length);
            }
        }
    }
}

/// Takes so many bytes, and returns their hash. No more may come.
fn receive(peer: &mut TcpStream, length: usize, moved: &dyn Fn(usize)) -> Result<Hash> {
    let (mut hash, mut piece, mut came) = (Sha256::new(), vec![0; PIECE], 0);
    loop {
        match peer.read(&mut piece)? {
            0 => break,
            length => {
                hash.update(&piece[..length]);
                came += length;
                moved(length);
            }
        }
    }
    ensure!(came == length, "{came} bytes came of {length}");
    Ok(hash.finalize().into())
}
