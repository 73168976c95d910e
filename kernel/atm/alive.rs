// SPDX-License-Identifier: GPL-2.0

//! Waiting for devices before their module goes.
//!
//! An open VCC holds the module that its device's operations are in. Somebody who is in the middle
//! of an `ioctl` holds the device only, also after it was deregistered, and lets go of it by a call
//! into that module. So the module waits in its exit function until all devices are gone.

use kernel::{
    sync::atomic::{
        Acquire,
        Atomic,
        Relaxed,
        Release, //
    },
    time::{
        delay::fsleep,
        Delta, //
    }, //
};

use crate::bindings;

/// How many devices there are whose operations may be called.
static ALIVE: Atomic<i32> = Atomic::new(0);

/// One of them. To be dropped last when a device goes.
pub(crate) struct Alive(());

impl Alive {
    pub(crate) fn new() -> Self {
        ALIVE.fetch_add(1, Relaxed);
        Self(())
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        // RELEASE: Whoever sees the device gone must not see it used any more.
        ALIVE.fetch_sub(1, Release);
    }
}

/// Waits until nobody calls the [operations](crate::Operations) of a device any more.
///
/// For the exit function of the module that they are in. All devices must have been deregistered.
/// No VCC is open then, or the module would not be unloaded, so that it takes only as long as a
/// system call: a moment, unless the caller's memory is served by a program that keeps it waiting.
///
/// Sleeps.
pub fn wait_for_devices() {
    // ACQUIRE: Pairs with the release when a device goes.
    while ALIVE.load(Acquire) != 0 {
        fsleep(Delta::from_millis(10));
    }
    // Whoever dropped the last one has yet to return from this module.
    // SAFETY: This function may be called wherever one may sleep.
    unsafe { bindings::synchronize_rcu_tasks() };
}
