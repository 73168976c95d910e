//! What the provider has behind its terminations.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Write};
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use modem::{Equipment, hdlc};
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::openpty;
use nix::sys::termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr};
use nix::unistd::ttyname;

use super::network::ip;
use super::tun::{self, Kind};

/// How long a serial line may take no more; then whoever has it does not read.
const PATIENCE: Duration = Duration::from_secs(10);

/// A network device in the network of the thread that makes it.
pub struct NetworkDevice(File);

impl NetworkDevice {
    /// A device of this kind and name, with an address in a network of 24 bits.
    pub fn new(kind: Kind, name: &str, address: Ipv4Addr) -> Result<Self> {
        let file = tun::create(kind, name).context("no network device")?;
        ip(&["address", "add", &format!("{address}/24"), "dev", name])?;
        ip(&["link", "set", name, "up"])?;
        Ok(Self(file))
    }
}

impl Equipment for NetworkDevice {
    fn take(&self, packet: &[u8]) -> io::Result<()> {
        (&self.0).write_all(packet)
    }

    fn give(&self, limit: Duration) -> io::Result<Option<Vec<u8>>> {
        if !is_ready(&self.0, PollFlags::POLLIN, limit)? {
            return Ok(None);
        }
        // A frame of 1,500 bytes with its header, and room for a tag.
        let mut packet = vec![0; 1600];
        let length = (&self.0).read(&mut packet)?;
        packet.truncate(length);
        Ok(Some(packet))
    }
}

/// Waits until the file can be read, or written.
fn is_ready(file: &File, to: PollFlags, limit: Duration) -> io::Result<bool> {
    let timeout = PollTimeout::try_from(limit).unwrap_or(PollTimeout::MAX);
    let mut fds = [PollFd::new(file.as_fd(), to)];
    Ok(poll(&mut fds, timeout)? > 0)
}

/// A serial line with PPP on it.
pub struct SerialLine {
    ours: File,
    /// Held open: a line that nobody has open is hung up.
    _theirs: OwnedFd,
    came: Mutex<Came>,
}

/// What has come over the serial line.
#[derive(Default)]
struct Came {
    decoder: hdlc::Decoder,
    frames: VecDeque<Vec<u8>>,
}

impl SerialLine {
    /// A new one, and the name of the terminal at its other end, for a `pppd`.
    pub fn new() -> Result<(Self, PathBuf)> {
        let pair = openpty(None, None).context("no pseudo terminal")?;
        // What comes before the server has the line is not to be echoed.
        let mut settings = tcgetattr(&pair.slave)?;
        cfmakeraw(&mut settings);
        tcsetattr(&pair.slave, SetArg::TCSANOW, &settings)?;
        let name = ttyname(&pair.slave)?;
        fcntl(&pair.master, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        let line = Self {
            ours: pair.master.into(),
            _theirs: pair.slave,
            came: Mutex::default(),
        };
        Ok((line, name))
    }

    /// Reads what has come, after waiting for it for `limit` at most.
    fn read(&self, limit: Duration, came: &mut Came) -> io::Result<()> {
        if is_ready(&self.ours, PollFlags::POLLIN, limit)? {
            let mut piece = [0; 8192];
            let length = (&self.ours).read(&mut piece)?;
            let Came { decoder, frames } = came;
            decoder.push(&piece[..length], |frame| frames.push_back(frame.into()));
        }
        Ok(())
    }
}

impl Equipment for SerialLine {
    fn take(&self, packet: &[u8]) -> io::Result<()> {
        let line = hdlc::encode(packet);
        let mut left = &line[..];
        while !left.is_empty() {
            if !is_ready(&self.ours, PollFlags::POLLOUT, PATIENCE)? {
                return Err(io::ErrorKind::TimedOut.into());
            }
            match (&self.ours).write(left) {
                Ok(written) => left = &left[written..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn give(&self, limit: Duration) -> io::Result<Option<Vec<u8>>> {
        let mut came = self.came.lock().unwrap_or_else(PoisonError::into_inner);
        if came.frames.is_empty() {
            self.read(limit, &mut came)?;
        }
        Ok(came.frames.pop_front())
    }
}
