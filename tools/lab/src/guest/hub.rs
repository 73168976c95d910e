//! The threads that serve hubs, and with them all devices that come and go.

use std::fs;

use anyhow::{Result, ensure};

use super::plugged::wait_until;
use super::sysfs::kernel_threads;

/// Whether such a thread is in the modem driver's code, or waits there.
///
/// A worker that has something to do for a hub bears the name of their workqueue, and
/// `/proc` shows the functions that a thread sleeps in, with their modules.
pub fn is_in_modem_driver() -> bool {
    let threads = kernel_threads();
    let serves = threads
        .iter()
        .filter(|thread| thread.name.contains("usb_hub_wq"));
    serves.into_iter().any(|thread| {
        let stack = fs::read_to_string(format!("/proc/{}/stack", thread.pid)).unwrap_or_default();
        stack.contains("[usbatm]") || stack.contains("[speedtch]")
    })
}

/// Waits until `held` holds; once a probe that is under way has ended, the hubs are served all
/// the time.
pub fn served_until(what: &str, mut held: impl FnMut() -> bool) -> Result<()> {
    wait_until("the hubs are served", || !is_in_modem_driver())?;
    let mut is_served = true;
    wait_until(what, || {
        is_served &= !is_in_modem_driver();
        !is_served || held()
    })?;
    ensure!(
        is_served,
        "the modem driver holds a thread that serves hubs"
    );
    Ok(())
}
