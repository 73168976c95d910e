// SPDX-License-Identifier: GPL-2.0

//! The reset of a device.
//!
//! Nothing breaks off a reset, and it has the lock of the device, for which everybody waits who
//! takes the device away. The USB core resets one device of a bus at a time. If several were reset
//! at once, all but one of them would wait there with their locks held, for as long as it takes to
//! reset the others. So there is one reset at a time here, and who waits for it has no lock, and
//! stops when told.
//!
//! C header: [`include/linux/usb.h`](srctree/include/linux/usb.h)

use crate::device::Device;
use kernel::{
    bindings,
    error::to_result,
    prelude::*,
    sync::atomic::{
        Acquire,
        AtomicFlag,
        Release, //
    },
    time::Delta, //
};
use kthread::{
    AnyStop,
    Stopped, //
};

/// Whether a device is being reset, or about to be.
static IS_TAKEN: AtomicFlag = AtomicFlag::new(false);

/// The right to reset a device.
///
/// # Invariants
///
/// There is one of these at most, and [`IS_TAKEN`] is set while there is.
struct Turn(());

impl Turn {
    /// Waits until nobody else resets a device. Sleeps.
    #[track_caller]
    fn take(stop: &AnyStop) -> Result<Self, Stopped> {
        const PAUSE: Delta = Delta::from_millis(5);
        while IS_TAKEN.xchg(true, Acquire) {
            stop.sleep(PAUSE)?;
        }
        // INVARIANT: The flag was not set before, so there was none; it is now.
        Ok(Self(()))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        // INVARIANT: This one goes, and it was the only one.
        IS_TAKEN.store(false, Release);
    }
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
    #[inline(never)] // There is one flag, in this module.
    #[track_caller]
    pub fn reset(&self, stop: &AnyStop) -> kthread::Result {
        stop.check()?;
        let _turn = Turn::take(stop)?;
        let _locked = self.lock(stop)?;
        let reset = stop.uninterruptible(|| {
            // SAFETY: The device is valid, and we hold its lock.
            to_result(unsafe { bindings::usb_reset_device(self.as_raw()) })
        })?;
        Ok(reset?)
    }
}
