//! An owner's system: `udev` with the rule that this project has for owners, and the
//! peer that it dials.

use std::fs;
use std::process::{Command, Stdio};

use anyhow::Result;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::program::Program;
use crate::guest::plugged;

/// A `udev` that runs.
pub struct Udev(Program);

impl Udev {
    /// Starts it, and waits until it listens.
    pub fn start() -> Result<Self> {
        // What an earlier one may have left.
        let _ = fs::remove_dir_all("/run/udev");
        let daemon = Program::start("/usr/lib/systemd/systemd-udevd", &[])?;
        let listens = || {
            let mut ping = Command::new("/usr/bin/udevadm");
            ping.args(["control", "--ping", "--timeout=5"]);
            let pinged = ping.stdout(Stdio::null()).stderr(Stdio::null()).status();
            pinged.is_ok_and(|status| status.success())
        };
        daemon.explain(plugged::wait_until("udev listens", listens))?;
        Ok(Self(daemon))
    }

    /// `result`, with what `udev` said where it is an error.
    pub fn explain<T>(&self, result: Result<T>) -> Result<T> {
        self.0.explain(result)
    }
}

/// Ends the `pppd` that the rule has started, and waits until it is gone.
pub fn give_up() -> Result<()> {
    let file = fs::read_to_string("/run/ppp-dsl.pid").unwrap_or_default();
    let Some(pid) = file.lines().next().and_then(|pid| pid.trim().parse().ok()) else {
        return Ok(());
    };
    let pid = Pid::from_raw(pid);
    let _ = kill(pid, Signal::SIGTERM);
    plugged::wait_until("pppd has ended", || {
        // An orphan, so a child of ours.
        !matches!(
            waitpid(pid, Some(WaitPidFlag::WNOHANG)),
            Ok(WaitStatus::StillAlive)
        )
    })
}
