// SPDX-License-Identifier: GPL-2.0

//! The reset of a device.
//!
//! Nothing breaks off a reset, and it has the lock of the device, for which everybody waits who
//! takes the device away. The USB core resets one device of a bus at a time
//! (`usb_hcd::address0_mutex`). If several were reset at once, all but one of them would wait there
//! with their locks held, for as long as it takes to reset the others; and a device that answers
//! nothing takes half a minute. So there is one reset at a time here, and who waits for it has no
//! lock, and stops when told.
//!
//! C header: [`include/linux/usb.h`](srctree/include/linux/usb.h)

use crate::{
    device::Device,
    sys, //
};
use kernel::{
    bindings,
    error::to_result, //
};
use kthread::{
    AnyStop,
    RtMutex, //
};

/// What somebody holds who resets a device.
#[inline(never)] // The helper is not exported to other modules.
fn turn() -> &'static RtMutex<()> {
    // SAFETY: It is a static of this module, initialised where it is defined, and the module stays
    // for as long as code of it runs.
    unsafe { RtMutex::from_raw(sys::threadline_usb_reset_turn()) }
}

impl Device {
    /// Resets the device at its port and configures it as it was before. Sleeps.
    ///
    /// A stop breaks the wait for other resets and for the device lock, but not the reset itself:
    /// the hub driver takes a few tenths of a second for it.
    ///
    /// # Errors
    ///
    /// [`Stopped`](kthread::Error::Stopped) if a stop is asked for before the reset has begun;
    /// `ENODEV` if the device came back as another one, or did not come back; `EINVAL` if it is
    /// gone already.
    #[track_caller]
    pub fn reset(&self, stop: &AnyStop) -> kthread::Result {
        let _turn = stop.lock(turn())?;
        let _locked = self.lock(stop)?;
        let reset = stop.uninterruptible(|| {
            // SAFETY: The device is valid, and we hold its lock.
            to_result(unsafe { bindings::usb_reset_device(self.as_raw()) })
        })?;
        Ok(reset?)
    }
}
