// SPDX-License-Identifier: GPL-2.0

//! Being told that the machine goes to sleep, while it is still awake.
//!
//! A [driver](crate::Driver) is asked to pause its devices when the processes of user space are
//! frozen already. That is too late for whoever waits for user space, such as for firmware that it
//! delivers: the freezer waits for them, and those who ask it later are refused with a warning.
//!
//! C header: [`include/linux/suspend.h`](srctree/include/linux/suspend.h)

use core::mem::offset_of;
use kernel::{
    bindings,
    error::to_result,
    ffi::{
        c_int,
        c_ulong,
        c_void, //
    },
    new_mutex,
    prelude::*,
    sync::{
        Arc,
        Mutex, //
    },
    types::Opaque, //
};
use kthread::{
    Leftover,
    LookedAfter,
    Scope, //
};

/// Who wants to be told.
///
/// Both may sleep, but not for long: the machine waits. Neither may drop the [`SleepWatch`] that it
/// is called by.
pub trait Sleeper: Send + Sync + 'static {
    /// The machine is about to sleep. User space runs still.
    fn falls_asleep(&self);

    /// The machine is awake, and user space runs again; or it could not sleep.
    fn wakes_up(&self);
}

/// Has a [`Sleeper`] be told, until it is dropped, which sleeps.
pub struct SleepWatch {
    // Dropped first: what is gone needs nobody to look after it.
    _looked_after: LookedAfter,
    notifier: Arc<Notifier>,
}

impl SleepWatch {
    /// Has `sleeper` be told of all that comes. Sleeps.
    ///
    /// It ends before the module of `scope` goes, whatever has become of it. That is to be the
    /// module with the sleeper's code, or one that depends on it.
    ///
    /// # Errors
    ///
    /// `ENODEV` if the module is on its way out; `ENOMEM`.
    #[inline(never)] // One place for the lock's class, whose name is known by its address.
    pub fn new(scope: &Scope, sleeper: Arc<dyn Sleeper>) -> Result<Self> {
        let notifier = Arc::pin_init(Notifier::new(sleeper), GFP_KERNEL)?;
        notifier.begin()?;
        let looked_after = scope
            .look_after(notifier.clone())
            .inspect_err(|_| notifier.end())?;
        Ok(Self {
            _looked_after: looked_after,
            notifier,
        })
    }
}

impl Drop for SleepWatch {
    fn drop(&mut self) {
        self.notifier.end();
    }
}

/// # Invariants
///
/// `block` is on the list of those who are told if and only if `is_listed`, when that is not locked.
#[pin_data]
struct Notifier {
    #[pin]
    block: Opaque<bindings::notifier_block>,
    #[pin]
    is_listed: Mutex<bool>,
    sleeper: Arc<dyn Sleeper>,
}

// SAFETY: The block is used by the kernel alone, which has a lock for its list.
unsafe impl Send for Notifier {}

// SAFETY: As above; the sleeper is `Sync`.
unsafe impl Sync for Notifier {}

impl Notifier {
    fn new(sleeper: Arc<dyn Sleeper>) -> impl PinInit<Self> {
        let block = bindings::notifier_block {
            notifier_call: Some(Self::call),
            ..Default::default()
        };
        // INVARIANT: On no list yet.
        pin_init!(Self {
            block: Opaque::new(block),
            is_listed <- new_mutex!(false, "usb::Notifier::is_listed"),
            sleeper,
        })
    }

    /// To be called once.
    fn begin(&self) -> Result {
        let mut is_listed = self.is_listed.lock();
        // SAFETY: The block is on no list, and stays where it is and valid until it is off this
        // one: whoever has begun ends, or the module does.
        to_result(unsafe { bindings::register_pm_notifier(self.block.get()) })?;
        // INVARIANT: Now it is.
        *is_listed = true;
        Ok(())
    }

    /// # Safety
    ///
    /// Called by the kernel alone, with the block of a `Notifier` that is on its list.
    unsafe extern "C" fn call(
        block: *mut bindings::notifier_block,
        event: c_ulong,
        _: *mut c_void,
    ) -> c_int {
        // SAFETY: By the caller's word the block is part of a notifier, which stays at least until
        // it is off the list, and the kernel waits for us before it takes it off.
        let this = unsafe { &*block.byte_sub(offset_of!(Self, block)).cast::<Self>() };
        match event as u32 {
            bindings::PM_SUSPEND_PREPARE
            | bindings::PM_HIBERNATION_PREPARE
            | bindings::PM_RESTORE_PREPARE => this.sleeper.falls_asleep(),
            bindings::PM_POST_SUSPEND
            | bindings::PM_POST_HIBERNATION
            | bindings::PM_POST_RESTORE => this.sleeper.wakes_up(),
            _ => {}
        }
        bindings::NOTIFY_DONE as c_int
    }
}

impl Leftover for Notifier {
    fn end(&self) {
        // Another one who ends it waits here until it has ended.
        let mut is_listed = self.is_listed.lock();
        if *is_listed {
            // SAFETY: The block is on the list. This waits for a call that is under way, and fails
            // only for one that is not listed.
            unsafe { bindings::unregister_pm_notifier(self.block.get()) };
            // INVARIANT: It is not any more.
            *is_listed = false;
        }
    }
}
