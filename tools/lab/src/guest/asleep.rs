//! The machine goes to sleep, as far as the freezer, or says that it will.

use std::fs;

use anyhow::{Context, Result, ensure};

use super::plugged::{Plugged, options};
use super::scenarios::Scenario;
use super::{firmware, modules};
use crate::protocol::Driver;

/// Scenarios of threads that are to stand still meanwhile, or are not to be there.
pub const SCENARIOS: &[(&str, Scenario)] = &[
    ("asleep::broken_wait_keeps_nobody_awake", |_| {
        broken_wait_keeps_nobody_awake()
    }),
    ("asleep::modem_that_comes_late_waits", |_| {
        modem_that_comes_late_waits()
    }),
    ("asleep::end_of_an_unknown_sleep_starts_nothing", |_| {
        end_of_an_unknown_sleep_starts_nothing()
    }),
];

/// The kernel goes to sleep as far as the freezer, stays there for so many seconds,
/// and wakes up. Fails if a thread does not let it.
pub fn sleep(seconds: u64) -> Result<()> {
    fs::write(
        "/sys/module/suspend/parameters/pm_test_delay",
        seconds.to_string(),
    )?;
    fs::write("/sys/power/pm_test", "freezer")?;
    let slept = fs::write("/sys/power/state", "mem");
    fs::write("/sys/power/pm_test", "none")?;
    slept.context("the machine does not go to sleep")
}

/// A wait of a freezable thread is broken while the freezer waits for it. Time and again,
/// as it may have been frozen before that.
fn broken_wait_keeps_nobody_awake() -> Result<()> {
    const TIMES: usize = 3;
    modules::insmod(Driver::Ours, "kthread_test", "case=0 linger=1")?;
    for _ in 0..TIMES {
        sleep(0)?;
    }
    modules::rmmod("kthread_test")
}

/// Says that the machine goes to sleep, and when it is dropped, that it does not after all.
fn announce() -> Result<fs::File> {
    fs::File::open("/dev/snapshot").context("the machine can't hibernate")
}

/// A modem that is plugged in after a sleep has been announced is left alone until that is over.
fn modem_that_comes_late_waits() -> Result<()> {
    firmware::install()?;
    modules::load(Driver::Ours)?;
    let announced = announce()?;
    let modem = Plugged::new(options(1))?;
    // The file is there when all that the driver does with a new modem is done.
    modem.await_file("phase", "waiting for its thread")?;
    let threads = modem.threads();
    ensure!(threads.is_empty(), "it has {} threads", threads.len());
    drop(announced);
    modem.await_up()?;
    Ok(())
}

/// A driver that was loaded after a sleep had been announced hears of its end only. A modem has its
/// thread already then.
fn end_of_an_unknown_sleep_starts_nothing() -> Result<()> {
    firmware::remove()?;
    let announced = announce()?;
    modules::load(Driver::Ours)?;
    let modem = Plugged::new(options(1))?;
    modem.await_file("phase", "waiting to try again")?;
    drop(announced);
    let threads = modem.threads();
    ensure!(threads.len() == 1, "it has {} threads", threads.len());
    firmware::install()?;
    modem.retry()?;
    modem.await_up()?;
    Ok(())
}
