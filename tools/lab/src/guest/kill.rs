//! What comes of it when user space kills a modem's thread: nothing.

use std::fs;

use anyhow::{Context, Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::kmsg::Kmsg;
use super::phases::Phase;
use super::plugged::{Plugged, wait_until};
use super::scenarios::Scenario;
use super::sysfs::Thread;
use super::{firmware, modules};
use crate::protocol::Driver;

/// The scenarios of this file.
pub const SCENARIOS: &[(&str, Scenario)] =
    &[("kill::firmware_wait_goes_on", |_| firmware_wait_goes_on())];

/// What the driver asks for first, for each stage.
const NAMES: [&str; 2] = ["speedtch-1.bin.4.00", "speedtch-2.bin.4.00"];

/// A thread waits for firmware in a wait of the kernel's, which a fatal signal breaks: that is how
/// a stop breaks it. User space sends the same signal, there and in all that the thread waits for
/// after that, and the very request that was awaited before is answered afterwards.
fn firmware_wait_goes_on() -> Result<()> {
    const KILLS: usize = 100;

    let log = Kmsg::from_now();
    firmware::wait_long()?;
    modules::load(Driver::Ours)?;
    let modem = Phase::FirmwareWait.reach(1)?;
    let before = Seen::of(&modem);
    ensure!(
        before.threads.len() == 1 && before.awaited == NAMES[..1],
        "while firmware is awaited there is {before:?}"
    );
    for _ in 0..KILLS {
        for thread in &before.threads {
            kill_in_vain(thread)?;
        }
    }
    let after = Seen::of(&modem);
    ensure!(after == before, "of {before:?}, there is {after:?}");
    for name in NAMES {
        wait_until(&format!("{name} is awaited"), || {
            firmware::awaited_names() == [name]
        })?;
        firmware::deliver_short(name)?;
    }
    // From its first wait of this kind on the thread lets the signal in, if the kernel sends it.
    while let [thread] = &modem.threads()[..] {
        // It ends by itself.
        let _ = send_kill(thread);
    }
    modem.await_up()?;
    let reason = modem.file("last_error");
    ensure!(
        reason == before.last_error,
        "a wait was broken off: {reason}"
    );
    for name in NAMES {
        ensure!(log.has(&format!("firmware {name}")), "{name} was not found");
    }
    Ok(())
}

/// What there is to see of a modem that waits for its firmware.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    threads: Vec<Thread>,
    awaited: Vec<String>,
    phase: String,
    last_error: String,
}

impl Seen {
    fn of(modem: &Plugged) -> Self {
        Self {
            threads: modem.threads(),
            awaited: firmware::awaited_names(),
            phase: modem.file("phase"),
            last_error: modem.file("last_error"),
        }
    }
}

/// Sends SIGKILL to a thread, which is not even told.
fn kill_in_vain(thread: &Thread) -> Result<()> {
    let pid = send_kill(thread)?;
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let pending: Vec<_> = status
        .lines()
        .filter(|line| line.starts_with("SigPnd:") || line.starts_with("ShdPnd:"))
        .collect();
    ensure!(
        pending
            .iter()
            .all(|line| line.ends_with("\t0000000000000000")),
        "a signal got through to {thread:?}: {pending:?}"
    );
    Ok(())
}

fn send_kill(thread: &Thread) -> Result<Pid> {
    let pid = Pid::from_raw(thread.pid.try_into()?);
    kill(pid, Signal::SIGKILL).with_context(|| format!("cannot send to {thread:?}"))?;
    Ok(pid)
}
