//! An owner's system: `udev` with the rule that this project has for owners, and the
//! peer that it dials.

use std::fs;
use std::process::{Command, Stdio};
use std::thread;

use anyhow::{Result, anyhow};
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::program::Program;
use crate::guest::plugged;

/// `systemd` as the first program of a machine of its own: in its own space of process
/// numbers, with its own view of the file system, but with our devices and network.
const SYSTEMD: &str = "
mount -t proc proc /proc
mount --bind /run /run
mount -t cgroup2 cgroup2 /sys/fs/cgroup
export container=lab
exec /usr/lib/systemd/systemd --unit=systemd-udevd.service --log-target=console
";

/// The unit of `systemd` that the rule asks for.
const UNIT: &str = "ppp@dsl.service";

/// The peer that the rule dials.
const PEER: &str = "/etc/ppp/peers/dsl";

/// The provider is not asked whether it is still there: only by the rule does `pppd` hear that
/// a modem has gone.
const NO_QUESTIONS: &str = "lcp-echo-interval 0\n";

/// Where the `pppd` for the peer `dsl` names its process.
const PID_FILE: &str = "/run/ppp-dsl.pid";

/// A `udev` that runs.
pub struct Udev {
    daemon: Program,
    by_systemd: bool,
}

impl Udev {
    /// Starts it alone.
    pub fn start() -> Result<Self> {
        prepare()?;
        let daemon = Program::start("/usr/lib/systemd/systemd-udevd", &[])?;
        Self::await_ready(daemon, false)
    }

    /// Has `systemd` start it, as on most of Debian's machines.
    pub fn start_by_systemd() -> Result<Self> {
        prepare()?;
        let started = thread::scope(|scope| {
            let started = scope.spawn(|| {
                unshare(CloneFlags::CLONE_NEWPID | CloneFlags::CLONE_NEWNS)?;
                Program::start("/bin/sh", &["-euc", SYSTEMD])
            });
            started.join()
        });
        let daemon = started.map_err(|_| anyhow!("a thread panicked"))??;
        Self::await_ready(daemon, true)
    }

    /// Waits until it listens.
    fn await_ready(daemon: Program, by_systemd: bool) -> Result<Self> {
        let listens = || {
            let mut ping = Command::new("/usr/bin/udevadm");
            ping.args(["control", "--ping", "--timeout=5"]);
            let pinged = ping.stdout(Stdio::null()).stderr(Stdio::null()).status();
            pinged.is_ok_and(|status| status.success())
        };
        daemon.explain(plugged::wait_until("udev listens", listens))?;
        Ok(Self { daemon, by_systemd })
    }

    /// `result`, with what `udev` said where it is an error.
    pub fn explain<T>(&self, result: Result<T>) -> Result<T> {
        self.daemon.explain(result)
    }

    /// Whether a `pppd` runs as the rule wants it: by itself, or as a unit of `systemd`.
    pub fn has_dialled(&self) -> bool {
        if self.by_systemd {
            cgroups().any(|cgroup| cgroup.contains(UNIT))
        } else {
            process().is_some() && !cgroups().any(|cgroup| cgroup.contains(UNIT))
        }
    }

    /// Ends the `pppd` that was started without `systemd`, and waits until it is gone.
    pub fn hang_up(&self) -> Result<()> {
        let Some(pid) = process() else {
            return Ok(());
        };
        let _ = kill(pid, Signal::SIGTERM);
        plugged::wait_until("pppd has ended", || {
            // An orphan, so a child of ours.
            let waited = waitpid(pid, Some(WaitPidFlag::WNOHANG));
            !matches!(waited, Ok(WaitStatus::StillAlive))
        })
    }

    /// Ends what the rule has started.
    pub fn end(self) -> Result<()> {
        if !self.by_systemd {
            return self.hang_up();
        }
        // All that is in the machine goes with its first program.
        drop(self.daemon);
        plugged::wait_until("nothing is left of systemd's", || {
            !cgroups().any(|cgroup| cgroup.contains(UNIT))
        })
    }
}

/// The control group of each process.
fn cgroups() -> impl Iterator<Item = String> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes.filter_map(|process| fs::read_to_string(process.path().join("cgroup")).ok())
}

/// The process that `pppd` has told, in its own numbers.
fn process() -> Option<Pid> {
    let file = fs::read_to_string(PID_FILE).ok()?;
    let pid = file.lines().next()?.trim().parse().ok()?;
    Some(Pid::from_raw(pid))
}

/// Removes what an earlier one has left, and has the peer ask no questions.
fn prepare() -> Result<()> {
    // They need not be there.
    for folder in ["/run/udev", "/run/systemd"] {
        let _ = fs::remove_dir_all(folder);
    }
    let _ = fs::remove_file(PID_FILE);
    let peer = fs::read_to_string(PEER)?;
    if !peer.ends_with(NO_QUESTIONS) {
        fs::write(PEER, peer + NO_QUESTIONS)?;
    }
    Ok(())
}
