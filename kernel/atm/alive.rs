// SPDX-License-Identifier: GPL-2.0

//! Waiting for devices before their module goes.
//!
//! An open VCC holds the module that its device's operations are in. Somebody who is in the middle
//! of an `ioctl` holds the device only, also after it was deregistered, and lets go of it by a call
//! into that module. So the module waits in its exit function until all devices are gone.

use core::marker::PhantomPinned;

use kernel::{
    prelude::*,
    sync::atomic::{
        Acquire,
        Atomic,
        Full,
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

/// The address of the module that waits for them; 0 if there is none.
static MODULE: Atomic<usize> = Atomic::new(0);

/// One of them. To be dropped last when a device goes.
pub(crate) struct Alive(());

impl Alive {
    /// One whose operations are in `module`.
    ///
    /// # Errors
    ///
    /// `ENODEV` if that does not wait for it.
    pub(crate) fn new(module: *mut kernel::bindings::module) -> Result<Self> {
        // FULL: Either this finds the module waiting no more, or it is waited for.
        ALIVE.fetch_add(1, Full);
        let this = Self(());
        // What is built in never goes.
        if module.is_null() || MODULE.load(Relaxed) == module.addr() {
            return Ok(this);
        }
        Err(ENODEV)
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        // RELEASE: Whoever sees the device gone must not see it used any more.
        ALIVE.fetch_sub(1, Release);
    }
}

/// What a module with [operations](crate::Operations) has: its devices, none of which outlives it.
///
/// It is a field of the type that `module!` is given. When it is dropped, it waits until nobody calls
/// the operations of a device any more, and from then on there are no devices to be had. All must
/// have been deregistered. No VCC is open then, or the module would not be unloaded, so that it
/// takes only as long as a system call: a moment, unless the caller's memory is served by a program
/// that keeps it waiting.
///
/// That it is dropped is left to the module's author: don't wrap it in
/// [`MaybeUninit`](core::mem::MaybeUninit), which drops nothing. The same is true of all
/// registrations of the kernel crate.
///
/// # Invariants
///
/// It lies in the memory of the module whose address is in [`MODULE`], in that part which stays as
/// long as the code does: nobody can leak or free it.
#[pin_data(PinnedDrop)]
pub struct Devices {
    #[pin]
    _pin: PhantomPinned,
}

impl Devices {
    /// Has the module wait for its devices.
    ///
    /// # Errors
    ///
    /// `EINVAL` where the place is not in the module's own memory: `module!` provides that for the
    /// module's type and its fields. `EBUSY` if there is one already in this copy of the crate.
    pub fn new(module: &'static ThisModule) -> impl PinInit<Self, Error> {
        // INVARIANT: The address was checked, and noted.
        try_pin_init!(&this in Self {
            _pin: Self::begin_at(module, this.as_ptr()).map(|()| PhantomPinned)?,
        })
    }

    fn begin_at(module: &'static ThisModule, place: *const Self) -> Result {
        let module = module.as_ptr();
        // SAFETY: A module that is not null is loaded, as the caller is part of it, or stands on
        // it. The address is only compared.
        if !module.is_null() && !unsafe { bindings::is_within(module, place.cast()) } {
            return Err(EINVAL);
        }
        match MODULE.cmpxchg(0, module.addr(), Full) {
            Ok(_) => Ok(()),
            Err(_) => Err(EBUSY),
        }
    }
}

#[pinned_drop]
impl PinnedDrop for Devices {
    fn drop(self: Pin<&mut Self>) {
        // FULL: Pairs with that of a device that is being made.
        MODULE.xchg(0, Full);
        // ACQUIRE: Pairs with the release when a device goes.
        while ALIVE.load(Acquire) != 0 {
            fsleep(Delta::from_millis(10));
        }
        // Whoever dropped the last one has yet to return from this module.
        // SAFETY: This function may be called wherever one may sleep.
        unsafe { bindings::synchronize_rcu_tasks() };
    }
}
