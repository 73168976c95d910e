// SPDX-License-Identifier: GPL-2.0

//! A condition variable that a stop-aware wait can wait for.

use crate::{
    anystop::AnyStop,
    clock::{
        self,
        NEVER, //
    },
    error::Stopped,
    sys, //
};
use kernel::{
    bindings,
    prelude::*,
    static_lock_class,
    sync::lock::{
        Backend,
        Guard, //
    },
    time::Delta,
    types::Opaque, //
};

/// Something to be told when data behind a lock have changed.
///
/// Unlike the kernel crate's `CondVar` it is waited for through an [`AnyStop`], so that a stop
/// breaks the wait. The lock may be any of the kernel crate, or an [`RtMutex`](crate::RtMutex).
///
/// A wait takes the guard and releases the lock; when it is over it takes the lock again, and
/// returns a new guard. Where a stop broke it, it does not: there is no guard then, and the stop
/// need not wait for whoever has the lock.
///
/// No change is lost. A waiter is in the queue before it releases the lock; so whoever takes the
/// lock after that, changes the data and notifies, finds it there. And what it finds is noted in
/// the waiter's entry in that queue: the waiter sees it however often it was woken before, for
/// whatever other reason.
///
/// C header: [`include/linux/wait.h`](srctree/include/linux/wait.h)
///
/// # Examples
///
/// ```
/// # use kernel::{prelude::*, sync::Mutex};
/// # use kthread::{Condition, Stop};
/// # struct Job;
/// #[pin_data]
/// struct Line {
///     #[pin]
///     jobs: Mutex<KVec<Job>>,
///     #[pin]
///     changed: Condition,
/// }
///
/// fn body(stop: &Stop, line: &Line) -> kthread::Result {
///     loop {
///         // `Stopped` at once when the owner asks for it.
///         let mut jobs = line.changed.wait_while(stop, line.jobs.lock(), |jobs| jobs.is_empty())?;
///         let job = jobs.pop();
///         drop(jobs);
///         // ...
///     }
/// }
///
/// fn add(line: &Line, job: Job) -> Result {
///     line.jobs.lock().push(job, GFP_KERNEL)?;
///     line.changed.notify_one();
///     Ok(())
/// }
/// ```
#[pin_data]
pub struct Condition {
    #[pin]
    queue: Opaque<bindings::wait_queue_head>,
}

// SAFETY: A `struct wait_queue_head` belongs to no task: it may be used and freed by any.
unsafe impl Send for Condition {}

// SAFETY: The C functions that are called through `&Condition` lock `wait_queue_head::lock`.
unsafe impl Sync for Condition {}

impl Condition {
    /// Makes a condition that nobody waits for.
    pub fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            queue <- Opaque::ffi_init(|slot: *mut bindings::wait_queue_head| {
                let class = static_lock_class!();
                // SAFETY: `slot` is valid for writes and stays where it is, as it is pinned; name
                // and class are static.
                unsafe {
                    bindings::__init_waitqueue_head(
                        slot,
                        c"kthread::Condition".as_char_ptr(),
                        class.as_ptr(),
                    )
                };
            }),
        })
    }

    /// Lets one waiter go on, if there is any: that which has waited longest.
    ///
    /// To be called when the data have changed, with the lock or after it was released. All waiters
    /// should wait for the same then, else it may be the wrong one. Never sleeps, and may be called
    /// from any context, interrupts included.
    pub fn notify_one(&self) {
        self.notify(1);
    }

    /// Lets all who wait now go on. Otherwise as [`Self::notify_one`].
    pub fn notify_all(&self) {
        self.notify(0);
    }

    #[inline(never)]
    fn notify(&self, how_many: i32) {
        // SAFETY: `queue` is initialised; `__wake_up()` may be called in any context.
        unsafe {
            bindings::__wake_up(
                self.queue.get(),
                bindings::TASK_NORMAL,
                how_many,
                core::ptr::null_mut(),
            )
        };
    }

    /// Waits to be notified.
    ///
    /// The data may have changed again before the caller has the lock, and a thread that was
    /// [paused](crate::Thread::pause) meanwhile comes back unasked. So the caller has to look:
    /// [`Self::wait_while`] does that.
    #[track_caller]
    pub fn wait<'a, T: ?Sized, B: Backend>(
        &self,
        stop: &AnyStop,
        guard: Guard<'a, T, B>,
    ) -> Result<Guard<'a, T, B>, Stopped> {
        let (guard, _) = self.wait_by(stop, guard, NEVER)?;
        Ok(guard)
    }

    /// Waits as long as the data are like this: returns at once if they are not.
    #[track_caller]
    pub fn wait_while<'a, T: ?Sized, B: Backend>(
        &self,
        stop: &AnyStop,
        guard: Guard<'a, T, B>,
        like_this: impl FnMut(&T) -> bool,
    ) -> Result<Guard<'a, T, B>, Stopped> {
        let (guard, _) = self.wait_while_by(stop, guard, NEVER, like_this)?;
        Ok(guard)
    }

    /// Waits as [`Self::wait_while`] does, but for the given time at most: `false` if the data are
    /// like this even then.
    #[track_caller]
    pub fn wait_timeout_while<'a, T: ?Sized, B: Backend>(
        &self,
        stop: &AnyStop,
        guard: Guard<'a, T, B>,
        time: Delta,
        like_this: impl FnMut(&T) -> bool,
    ) -> Result<(Guard<'a, T, B>, bool), Stopped> {
        self.wait_while_by(stop, guard, clock::after(time), like_this)
    }

    #[track_caller]
    fn wait_while_by<'a, T: ?Sized, B: Backend>(
        &self,
        stop: &AnyStop,
        mut guard: Guard<'a, T, B>,
        until: i64,
        mut like_this: impl FnMut(&T) -> bool,
    ) -> Result<(Guard<'a, T, B>, bool), Stopped> {
        stop.check()?;
        let mut in_time = true;
        while like_this(&guard) {
            if !in_time {
                return Ok((guard, false));
            }
            (guard, in_time) = self.wait_by(stop, guard, until)?;
        }
        Ok((guard, true))
    }

    /// Waits to be notified until the clock shows `until`: `false` if it was not. May return `true`
    /// for no reason.
    #[track_caller]
    pub(crate) fn wait_by<'a, T: ?Sized, B: Backend>(
        &self,
        stop: &AnyStop,
        guard: Guard<'a, T, B>,
        until: i64,
    ) -> Result<(Guard<'a, T, B>, bool), Stopped> {
        let lock = guard.lock_ref();
        // In the queue before the lock is released.
        let waiter = Opaque::uninit();
        self.begin_wait(&waiter);
        drop(guard);
        let notified = self.end_wait(stop, &waiter, until)?;
        Ok((lock.lock(), notified))
    }

    /// Puts a waiter into the queue, which [`Self::end_wait`] must take out before it goes.
    #[inline(never)]
    fn begin_wait(&self, waiter: &Opaque<bindings::wait_queue_entry>) {
        // SAFETY: `queue` is initialised, and `waiter` is valid for writes.
        unsafe { sys::threadline_wait_begin(self.queue.get(), waiter.get()) };
    }

    /// Waits, and takes the waiter out of the queue.
    #[inline(never)]
    #[track_caller]
    fn end_wait(
        &self,
        stop: &AnyStop,
        waiter: &Opaque<bindings::wait_queue_entry>,
        until: i64,
    ) -> Result<bool, Stopped> {
        let mut has_left = false;
        let sleep = |until| {
            // SAFETY: The waiter was put into the queue by the current task, which may sleep.
            unsafe { sys::threadline_wait_woken(waiter.get(), until) }
        };
        let waited = stop.wait_or_leave_by(until, sleep, || {
            // SAFETY: It is in this queue, and this is called once: it ends the wait.
            unsafe { self.leave(waiter, true) };
            has_left = true;
            true
        });
        if has_left {
            return waited;
        }
        // SAFETY: It is still in this queue.
        let notified = unsafe { self.leave(waiter, waited.is_err()) };
        waited.map(|_| notified)
    }

    /// Takes the waiter out of the queue; whether it was notified. If it does not go on to work,
    /// that may have been meant for somebody who does: it is handed on.
    ///
    /// # Safety
    ///
    /// The waiter must be in this queue.
    unsafe fn leave(&self, waiter: &Opaque<bindings::wait_queue_entry>, gives_up: bool) -> bool {
        // SAFETY: By the safety requirements.
        let notified = unsafe { sys::threadline_wait_end(self.queue.get(), waiter.get()) };
        if notified && gives_up {
            self.notify_one();
        }
        notified
    }
}
