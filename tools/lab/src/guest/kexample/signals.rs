//! Signals from user space, which the thread takes as values.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::Signal;

use super::{
    DEVICE, Status, await_ticks, lateness_is_told, modules, newest, send, thread_named, wait_until,
};
use crate::protocol::Driver;

/// The signals that `kexample` counts; at a SIGTERM it ends.
const COUNTED: [Signal; 3] = [Signal::SIGHUP, Signal::SIGUSR1, Signal::SIGUSR2];

/// Signals that it asked for arrive, each one; all others have no effect at all.
pub fn each_signal_is_counted() -> Result<()> {
    modules::insmod(Driver::Ours, "kexample", "period_ms=2")?;
    let thread = thread_named("kexample")?;
    let mut sent = 0;
    for signal in COUNTED.into_iter().cycle().take(150) {
        send(&thread, signal)?;
        sent += 1;
        wait_until("the signal is counted", || {
            newest().is_ok_and(|now| now.signals == sent)
        })?;
    }
    let others =
        Signal::iterator().filter(|signal| !COUNTED.contains(signal) && *signal != Signal::SIGTERM);
    for signal in others {
        for _ in 0..10 {
            send(&thread, signal)?;
        }
    }
    await_ticks(20)?;
    let now = newest()?;
    ensure!(
        now.signals == sent && now.state == "running",
        "it says {now:?}"
    );
    modules::rmmod("kexample")
}

/// Two processes' worth of signals, as fast as they can be sent: the ticks are as
/// many as the time that has gone by has periods.
pub fn flood_of_signals_moves_no_tick() -> Result<()> {
    const EACH: u64 = 50_000;
    const PERIOD: u64 = 3;
    let earliest = Instant::now();
    modules::insmod(Driver::Ours, "kexample", &format!("period_ms={PERIOD}"))?;
    let latest = Instant::now();
    let target = thread_named("kexample")?;
    let mut lines = Vec::new();
    thread::scope(|scope| {
        let senders = [Signal::SIGUSR1, Signal::SIGUSR2].map(|signal| {
            let target = &target;
            scope.spawn(move || (0..EACH).try_for_each(|_| send(target, signal)))
        });
        let mut file = BufReader::new(File::open(DEVICE)?);
        while senders.iter().any(|sender| !sender.is_finished()) || lines.is_empty() {
            lines.push(String::new());
            file.read_line(lines.last_mut().context("no line")?)?;
        }
        for sender in senders {
            sender
                .join()
                .unwrap_or_else(|_| bail!("a sender panicked"))?;
        }
        // What a tick says that the thread woke up for after this moment is the third
        // line: the first was there, and the second may be of a tick before it.
        let before = Instant::now();
        let mut file = BufReader::new(File::open(DEVICE)?);
        for _ in 0..3 {
            lines.push(String::new());
            file.read_line(lines.last_mut().context("no line")?)?;
        }
        let last = Status::parse(lines.last().context("no line")?)?;
        let at_least = (before - latest).as_millis() / u128::from(PERIOD);
        let at_most = earliest.elapsed().as_millis() / u128::from(PERIOD);
        let number = u128::from(last.ticks + last.missed);
        ensure!(
            (at_least..=at_most).contains(&number),
            "{number} ticks in {at_least} to {at_most} periods"
        );
        ensure!((1..=2 * EACH).contains(&last.signals), "it says {last:?}");
        Ok::<_, anyhow::Error>(())
    })?;
    let lines: Vec<_> = lines
        .iter()
        .map(|line| Status::parse(line))
        .collect::<Result<_>>()?;
    for line in &lines {
        ensure!(line.state == "running", "it says {line:?}");
    }
    lateness_is_told(&lines, PERIOD)?;
    modules::rmmod("kexample")
}
