// SPDX-License-Identifier: GPL-2.0

//! The inside of a thread: its waits, which a stop breaks.

use crate::{
    completion::Completion,
    error::{
        Error,
        Result,
        Stopped, //
    },
    life::{
        Protocol,
        World, //
    },
    sys,
    task::Kthread,
    thread::{
        Outcome,
        Thread, //
    }, //
};
use core::ptr::NonNull;
use kernel::{
    bindings,
    time::{
        msecs_to_jiffies,
        Delta, //
    },
    types::NotThreadSafe, //
};

/// What a body knows of the wish that it should stop.
///
/// A body gets a `&Stop`, which exists nowhere else and can't be sent away. Every wait goes
/// through it, and returns [`Stopped`] as soon as a stop is asked for, at once if it has been
/// asked for before. That never changes back: all later waits, in clean-up code too, return
/// `Stopped` as well.
///
/// All methods but [`Self::check`], [`Self::is_stopped`] and [`Self::ready`] sleep.
///
/// # Invariants
///
/// `kthread` is the current thread, and valid for as long as this value.
pub struct Stop {
    kthread: NonNull<Kthread>,
    _not_send: NotThreadSafe,
}

impl Stop {
    /// # Safety
    ///
    /// `kthread` must be the current thread, and outlive the returned value.
    pub(crate) unsafe fn new(kthread: &Kthread) -> Self {
        // INVARIANT: By the safety requirements.
        Self {
            kthread: NonNull::from(kthread),
            _not_send: NotThreadSafe,
        }
    }

    fn kthread(&self) -> &Kthread {
        // SAFETY: Valid by the type invariants.
        unsafe { self.kthread.as_ref() }
    }

    /// Whether a stop has been asked for.
    #[inline(never)]
    pub fn is_stopped(&self) -> bool {
        self.kthread().life().is_asked()
    }

    /// [`Stopped`] if a stop has been asked for. For long work between waits.
    #[inline(never)]
    pub fn check(&self) -> core::result::Result<(), Stopped> {
        if self.is_stopped() {
            Err(Stopped::new())
        } else {
            Ok(())
        }
    }

    /// Tells those who wait in [`Thread::wait_ready`] or
    /// [`Builder::spawn_ready`](crate::Builder::spawn_ready) that the thread is up.
    #[inline(never)]
    pub fn ready(&self) {
        self.kthread().ready();
    }

    /// A signal broke a wait: was it a stop? If it wasn't, it is forgotten, and the wait goes on.
    fn broken(&self) -> core::result::Result<(), Stopped> {
        self.check()?;
        Kthread::discard_signals();
        // A stop that came just now may have lost its signal. Its flag was set before.
        self.check()
    }

    /// Sleeps for the given time, by a high-resolution timer; not at all if it is negative.
    #[inline(never)]
    pub fn sleep(&self, time: Delta) -> core::result::Result<(), Stopped> {
        self.sleep_until(now().saturating_add(time.as_nanos()))
    }

    /// Sleeps until `CLOCK_MONOTONIC` shows `ns`.
    #[inline(never)]
    pub(crate) fn sleep_until(&self, ns: i64) -> core::result::Result<(), Stopped> {
        self.check()?;
        // A time before the clock began is over too, but the timers would take it for the future.
        let ns = ns.max(0);
        // SAFETY: Any time will do; the caller is a thread that may sleep.
        while !unsafe { sys::threadline_sleep_until(ns) } {
            self.broken()?;
        }
        self.check()
    }

    /// Waits for a [`Completion::complete`] and takes it, or for a `complete_all`.
    #[inline(never)]
    pub fn wait(&self, completion: &Completion) -> core::result::Result<(), Stopped> {
        self.check()?;
        while !completion.wait_state(bindings::TASK_INTERRUPTIBLE) {
            self.broken()?;
        }
        Ok(())
    }

    /// Waits as [`Self::wait`] does, but gives up after the given time: `false` then.
    ///
    /// That may take a few of the kernel's timer ticks longer, and is never shorter.
    #[inline(never)]
    pub fn wait_timeout(
        &self,
        completion: &Completion,
        time: Delta,
    ) -> core::result::Result<bool, Stopped> {
        let deadline = now().saturating_add(time.as_nanos());
        self.check()?;
        loop {
            let left = Delta::from_nanos(deadline.saturating_sub(now()).max(0));
            let ticks = msecs_to_jiffies(left.as_millis_ceil().try_into().unwrap_or(u32::MAX));
            match completion.wait_interruptible_timeout(ticks) {
                // Counted from the last timer tick: that may be early by a part of one.
                0 if now() < deadline => (),
                0 => return Ok(false),
                1.. => return Ok(true),
                _ => self.broken()?,
            }
        }
    }

    /// Waits until the thread has ended and is gone.
    ///
    /// A thread that waits for itself gets [`Outcome::Itself`].
    pub fn join<T: Send>(&self, thread: &Thread<T>) -> core::result::Result<Outcome<T>, Stopped> {
        if !thread.kthread().is_current() {
            self.wait(thread.kthread().ended())?;
        }
        Ok(thread.join())
    }

    /// Calls `call`, a function that sleeps in the kernel's *killable* waits, which a stop breaks
    /// too: the thread then has a fatal signal pending, as far as they can see.
    ///
    /// An error that it returns after a stop has been asked for counts as [`Error::Stopped`]. It
    /// is not called at all if one was asked for before.
    pub fn killable<T>(&self, call: impl FnOnce() -> kernel::error::Result<T>) -> Result<T> {
        self.check()?;
        call().map_err(|error| match self.check() {
            Err(stopped) => stopped.into(),
            Ok(()) => Error::Failed(error),
        })
    }
}

/// What `CLOCK_MONOTONIC` shows, in nanoseconds.
#[inline(never)]
pub(crate) fn now() -> i64 {
    // SAFETY: May be called from anywhere but an NMI.
    unsafe { bindings::ktime_get() }
}
