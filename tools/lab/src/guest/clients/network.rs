//! The provider's own network: a namespace of its own, so that what goes there has
//! no other way than the line.

use std::fs::File;
use std::process::Command;
use std::thread;

use anyhow::{Context, Result, anyhow, ensure};
use nix::sched::{CloneFlags, setns, unshare};

/// A network namespace, which goes with all that is in it.
pub struct Network(File);

impl Network {
    /// An empty one, but for its loop-back device.
    pub fn new() -> Result<Self> {
        let made = thread::scope(|scope| {
            let made = scope.spawn(|| -> Result<File> {
                unshare(CloneFlags::CLONE_NEWNET).context("no network namespace")?;
                ip(&["link", "set", "lo", "up"])?;
                Ok(File::open("/proc/thread-self/ns/net")?)
            });
            made.join()
        });
        made.map_err(|_| anyhow!("a thread panicked"))?.map(Self)
    }

    /// Does `work` on a thread that is in it; what is opened or started there stays in it.
    pub fn inside<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        thread::scope(|scope| {
            let inside = scope.spawn(|| {
                setns(&self.0, CloneFlags::CLONE_NEWNET).context("cannot enter a network")?;
                work()
            });
            inside.join().map_err(|_| anyhow!("a thread panicked"))?
        })
    }
}

/// Sets something of the network that this thread is in, by Debian's `ip`.
pub fn ip(arguments: &[&str]) -> Result<()> {
    let output = Command::new("/usr/bin/ip").args(arguments).output()?;
    ensure!(
        output.status.success(),
        "ip {}: {}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}
