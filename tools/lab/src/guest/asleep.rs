//! The machine goes to sleep, as far as the freezer.

use std::fs;

use anyhow::{Context, Result};

use super::modules;
use super::scenarios::Scenario;
use crate::protocol::Driver;

/// Scenarios of threads that are to stand still meanwhile.
pub const SCENARIOS: &[(&str, Scenario)] = &[("asleep::broken_wait_keeps_nobody_awake", |_| {
    broken_wait_keeps_nobody_awake()
})];

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
