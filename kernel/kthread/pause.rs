// SPDX-License-Identifier: GPL-2.0

//! How a thread is made to hold still for a while, and goes on.
//!
//! A thread holds still in a wait of this library and nowhere else, since there its body expects
//! time to pass. One that sleeps in such a wait is nudged out of its sleep. One that does not is
//! left alone, lest something be broken that can't go on: it holds still when it comes to its next
//! wait. In either case it holds before its sleep, never after what it awaited has come: so it does
//! not get a lock and hold still with it. Nor does it keep a place among others who wait for the
//! same: what would wake it first, and no other, would be lost on it.
//!
//! The two sides meet without a lock as long as nobody pauses: the thread says that it dozes, and
//! then looks whether it should hold; who pauses says so, and then looks whether it dozes. One of
//! them sees the other. It is the same at the end of the sleep, for the nudge, and at the end of
//! the thread.

use crate::{
    anystop::AnyStop,
    clock::NEVER,
    completion::Completion,
    life::World,
    sys,
    thread::Thread, //
};
use kernel::{
    new_spinlock,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            AtomicFlag,
            Full,
            Relaxed, //
        },
        SpinLock, //
    },
    task::Task, //
};

/// Who wants a thread to hold still, and whether it does.
///
/// # Invariants
///
/// `still` is complete while the thread is in [`Self::hold`] and has found that it should be, and
/// once it has `ended`, if `used` was seen then. `go` is complete if `pausers` is zero and has ever
/// been more. `still`, `go` and `pausers` are only changed with `lock` held.
#[pin_data]
pub(crate) struct Pause {
    pausers: Atomic<i32>,
    /// Somebody has ever begun to pause the thread.
    used: AtomicFlag,
    /// Somebody has done so since it last looked.
    called: AtomicFlag,
    /// The thread sleeps in a wait of this library, or is about to, or was until now.
    dozing: AtomicFlag,
    /// It has ended.
    ended: AtomicFlag,
    #[pin]
    lock: SpinLock<()>,
    #[pin]
    still: Completion,
    #[pin]
    go: Completion,
}

impl Pause {
    pub(crate) fn new() -> impl PinInit<Self> {
        // INVARIANT: The thread has not begun, and nobody has paused it.
        pin_init!(Self {
            pausers: Atomic::new(0),
            used: AtomicFlag::new(false),
            called: AtomicFlag::new(false),
            dozing: AtomicFlag::new(false),
            ended: AtomicFlag::new(false),
            lock <- new_spinlock!((), "kthread::Pause::lock"),
            still <- Completion::new(),
            go <- Completion::new(),
        })
    }

    /// Calls `sleep`, which a pause breaks as a signal does, and returns what that returns; `None`
    /// if the thread should [hold still](Self::hold) instead.
    ///
    /// To be called by the thread.
    #[inline(never)]
    pub(crate) fn doze(&self, stop: &AnyStop, sleep: impl FnOnce() -> bool) -> Option<bool> {
        // Full, as is the flag that a pauser sets: either that sees this, or what comes next sees
        // it.
        self.dozing.xchg(true, Full);
        let result = if self.wants_hold(stop) {
            None
        } else {
            Some(sleep())
        };
        self.dozing.xchg(false, Full);
        if self.called.load(Relaxed) {
            self.forget_call(stop);
        }
        result
    }

    /// Whether the thread should hold still. A stop counts for more, also where a shield hides it:
    /// who stops a thread does not wait for those who have paused it.
    fn wants_hold(&self, stop: &AnyStop) -> bool {
        self.pausers.load(Relaxed) > 0 && !stop.is_asked()
    }

    /// Forgets a nudge. Of those who call, any that has seen the thread doze has nudged it when the
    /// lock is free, and none will see it after that.
    fn forget_call(&self, stop: &AnyStop) {
        let lock = self.lock.lock();
        self.called.store(false, Relaxed);
        drop(lock);
        stop.broken();
    }

    /// Holds still until it may go on, or a stop has been asked for. To be called by the thread.
    #[inline(never)]
    pub(crate) fn hold(&self, stop: &AnyStop) {
        loop {
            let lock = self.lock.lock();
            // INVARIANT: It stays if it should hold, and leaves if not.
            if !self.wants_hold(stop) {
                self.still.reinit();
                return;
            }
            self.still.complete_all();
            drop(lock);
            self.go.wait_until(NEVER);
            stop.broken();
        }
    }

    /// Makes the thread hold still, and waits until it does. For the errors see [`Thread::pause`].
    #[inline(never)]
    fn begin(&self, task: &Task) -> Result {
        self.call(task);
        // If it has not ended by now, its end lets this go on.
        if !self.ended.load(Relaxed) && !self.still.wait_killable() {
            self.end();
            return Err(EINTR);
        }
        if self.ended.load(Relaxed) {
            return Err(ESRCH);
        }
        Ok(())
    }

    /// Adds a pauser, and lets the thread know.
    fn call(&self, task: &Task) {
        let _lock = self.lock.lock();
        // INVARIANT: There is a pauser, so `go` is not complete.
        self.go.reinit();
        self.pausers.fetch_add(1, Relaxed);
        self.used.store(true, Relaxed);
        self.called.xchg(true, Full);
        if self.dozing.load(Relaxed) {
            // SAFETY: The reference keeps the task valid.
            unsafe { sys::threadline_nudge(task.as_ptr().cast()) };
        }
    }

    /// Takes a pauser away, if there is one; with the last the thread goes on.
    #[inline(never)]
    fn end(&self) {
        let _lock = self.lock.lock();
        let pausers = self.pausers.load(Relaxed);
        if pausers > 0 {
            self.pausers.store(pausers - 1, Relaxed);
        }
        if pausers == 1 {
            // INVARIANT: That was the last.
            self.go.complete_all();
        }
    }

    /// The thread has ended: lets go all who wait for it to hold still, and those to come.
    #[inline]
    pub(crate) fn release(&self) {
        // Full, as is the flag that a pauser sets: either this sees that it is used, or the pauser
        // sees that it has ended.
        self.ended.xchg(true, Full);
        if self.used.load(Relaxed) {
            let _lock = self.lock.lock();
            // INVARIANT: It has ended.
            self.still.complete_all();
        }
    }
}

impl<T: Send + 'static> Thread<T> {
    /// Makes the thread hold still until [`Self::resume`], and waits until it does.
    ///
    /// It holds still in a wait of its [`AnyStop`](crate::AnyStop), and until it comes to one it
    /// goes on: a call of the kernel's, such as a request for firmware, is not broken, and this
    /// waits until it is over. The body notices nothing but that time has passed: its deadlines
    /// stay where they are, a [`Ticker`](crate::Ticker) counts the ticks that it has missed, and
    /// what is sent to the thread waits for it. What locks it holds it keeps. In a
    /// [shield](crate::AnyStop::shield) it holds still as well.
    ///
    /// A thread that was paused several times goes on when it was resumed as often. A stop does not
    /// wait for that: the thread goes on at once, and no pause after it has an effect.
    ///
    /// Sleeps. If it fails there is nothing to resume. Fails with
    ///
    /// - [`ESRCH`](kernel::error::code::ESRCH) if the thread has ended, or does so instead;
    /// - [`EINTR`](kernel::error::code::EINTR) if the caller is killed while it waits, or is a body
    ///   that is stopped, in a shield too;
    /// - [`EDEADLK`](kernel::error::code::EDEADLK) if the caller is the thread.
    ///
    /// While it waits, a calling thread can't be paused itself: of two that pause each other,
    /// neither goes on before one is stopped.
    ///
    /// # Examples
    ///
    /// ```
    /// # use kernel::prelude::*;
    /// # use kthread::Thread;
    /// # struct Settings;
    /// # struct Device;
    /// # impl Device {
    /// #     fn configure(&self, settings: Settings) -> Result {
    /// #         Ok(())
    /// #     }
    /// # }
    /// # fn example(poller: Thread<()>, device: &Device, settings: Settings) -> Result {
    /// // Nobody else talks to the device while it gets its new settings.
    /// poller.pause()?;
    /// let result = device.configure(settings);
    /// poller.resume();
    /// result
    /// # }
    /// ```
    pub fn pause(&self) -> Result {
        if self.kthread().is_current() {
            return Err(EDEADLK);
        }
        // One whose task is not known has not begun, and nobody has its handle.
        let task = self.kthread().task().ok_or(ESRCH)?;
        self.kthread().pause().begin(task)
    }

    /// Lets the thread go on, if this is for the last [`Self::pause`]. Has no effect if it has not
    /// been paused, or has ended.
    ///
    /// Does not wait, but must not be called from an interrupt.
    pub fn resume(&self) {
        self.kthread().pause().end();
    }
}
