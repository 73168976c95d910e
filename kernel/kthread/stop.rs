// SPDX-License-Identifier: GPL-2.0

//! The inside of a thread: what a body can wait for there and nowhere else.

use crate::{
    alarm::Alarm,
    anystop::AnyStop,
    error::{
        Error,
        Result,
        Stopped, //
    },
    reach::Reach,
    task::Kthread, //
};
use core::{
    ops::Deref,
    ptr::NonNull, //
};
use kernel::{
    prelude::*,
    time::Delta, //
};

/// What the body of a thread knows of the wish that it should stop.
///
/// It is an [`AnyStop`], which has the waits that work everywhere. Those here need a thread of
/// one's own: what they wait for goes on in the kernel's *killable* waits, which only a fatal
/// signal breaks, and such a signal can't be sent to a thread that others use too.
///
/// # Invariants
///
/// `kthread` is the current thread, and valid for as long as this value.
pub struct Stop {
    any: AnyStop,
    kthread: NonNull<Kthread>,
}

impl Stop {
    /// # Safety
    ///
    /// `kthread` must be the current thread, and outlive the returned value.
    pub(crate) unsafe fn new(kthread: &Kthread) -> Self {
        // INVARIANT: By the safety requirements.
        Self {
            // SAFETY: By the safety requirements.
            any: unsafe { AnyStop::new(kthread) },
            kthread: NonNull::from(kthread),
        }
    }

    /// Calls `call`, a function that sleeps in the kernel's *killable* waits, which a stop breaks
    /// too: the thread then has a fatal signal pending, as far as they can see.
    ///
    /// An error that it returns after a stop has been asked for counts as [`Error::Stopped`]. It
    /// is not called at all if one was asked for before.
    ///
    /// The signal of a stop that came meanwhile stays pending: what the body calls on its way out
    /// and waits killably fails then, as it would in a process that is being killed.
    ///
    /// # Examples
    ///
    /// ```
    /// # use kernel::prelude::*;
    /// # use kthread::Stop;
    /// # struct Bus;
    /// # impl Bus {
    /// #     fn lock_table_killable(&self) -> Result<u32> {
    /// #         Err(EINTR)
    /// #     }
    /// # }
    /// # fn body(stop: &Stop, bus: &Bus) -> kthread::Result {
    /// // A driver's own wrapper of `mutex_lock_killable()`.
    /// let table = stop.killable(|| bus.lock_table_killable())?;
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn killable<T>(&self, call: impl FnOnce() -> kernel::error::Result<T>) -> Result<T> {
        let _waiting = self.enter();
        // SAFETY: By the type invariants.
        let kthread = unsafe { self.kthread.as_ref() };
        let result = kthread.killable(call).ok_or_else(Stopped::new)?;
        result.map_err(|error| match self.check() {
            Err(stopped) => stopped.into(),
            Ok(()) => Error::Failed(error),
        })
    }

    /// As [`Self::killable`], but the wait is also broken when the given time is over: an error
    /// that `call` returns after that counts as [`ETIMEDOUT`].
    ///
    /// It breaks no wait of [`AnyStop`] in `call`, but what waits killably, then or after that. Calls
    /// nest: each has its own time.
    ///
    /// Fails with [`ENOMEM`] too.
    #[track_caller]
    pub fn killable_within<T>(
        &self,
        time: Delta,
        call: impl FnOnce() -> kernel::error::Result<T>,
    ) -> Result<T> {
        // SAFETY: By the type invariants.
        let kthread = unsafe { self.kthread.as_ref() };
        // SAFETY: This is that thread, and the alarm is dropped here.
        let alarm = unsafe { Alarm::new(kthread)? };
        self.killable(|| {
            let (result, rang) = alarm.as_ref().limit(time, call);
            if rang {
                let _limits = kthread.keep_limits();
                self.broken();
            }
            result.map_err(|error| if rang { ETIMEDOUT } else { error })
        })
    }
}

impl Deref for Stop {
    type Target = AnyStop;

    fn deref(&self) -> &AnyStop {
        &self.any
    }
}
