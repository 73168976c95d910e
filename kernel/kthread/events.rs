// SPDX-License-Identifier: GPL-2.0

//! The milestones of a life, for those who wait for them.
//!
//! As milestones come in one order, one number says which have been reached, and one queue will do
//! for all who wait: a milestone for which nobody waits costs a look at that. Those wait there too
//! who have to do with a pause.
//!
//! C header: [`include/linux/wait.h`](srctree/include/linux/wait.h)

use crate::{
    life::Milestone,
    sys,
    task, //
};
use kernel::{
    bindings,
    ffi::{
        c_int,
        c_void, //
    },
    prelude::*,
    sync::atomic::{
        Acquire,
        Atomic,
        Release, //
    },
    types::Opaque, //
};

/// What a wait looks at: whether it is over. It does not sleep.
pub(crate) type IsOver = unsafe extern "C" fn(*const c_void) -> bool;

/// Which [`Milestone`] was reached last, and who waits for the next.
///
/// # Invariants
///
/// `queue` is initialised.
#[pin_data]
pub(crate) struct Events {
    reached: Atomic<c_int>,
    #[pin]
    queue: Opaque<bindings::wait_queue_head>,
}

// SAFETY: A `struct wait_queue_head` belongs to no task: it may be used and freed by any.
unsafe impl Send for Events {}

// SAFETY: The C functions that are called through `&Events` lock `wait_queue_head::lock`, and touch
// `reached` atomically.
unsafe impl Sync for Events {}

impl Events {
    pub(crate) fn new() -> impl PinInit<Self> {
        // INVARIANT: It is initialised.
        pin_init!(Self {
            reached: Atomic::new(0),
            queue <- Opaque::ffi_init(Self::init_queue),
        })
    }

    #[inline(never)]
    fn init_queue(slot: *mut bindings::wait_queue_head) {
        // SAFETY: `new` passes a slot that is valid for writes and stays where it is, as it is
        // pinned.
        unsafe { sys::threadline_init_queue(slot) };
    }

    fn number(milestone: Milestone) -> c_int {
        match milestone {
            Milestone::Ready => 1,
            Milestone::Ended => 2,
            Milestone::Gone => 3,
        }
    }

    /// See [`World::announce`](crate::life::World::announce). May be called in any context.
    #[inline(never)]
    pub(crate) fn announce(&self, milestone: Milestone) {
        self.reached.store(Self::number(milestone), Release);
        self.stir();
    }

    /// Has all who wait look again. May be called in any context.
    #[inline]
    pub(crate) fn stir(&self) {
        // SAFETY: `queue` is initialised by the type invariants. After a full barrier this looks
        // for waiters, who look at what they wait for after they have queued up.
        unsafe { sys::threadline_wake_queue(self.queue.get()) };
    }

    /// See [`World::wait_for`](crate::life::World::wait_for). Not counted as load, and not
    /// reported as hung: a body may run as long as it likes.
    #[inline(never)]
    pub(crate) fn wait_for(&self, milestone: Milestone) {
        let (reached, number) = (self.reached.as_ptr(), Self::number(milestone));
        // SAFETY: `queue` is initialised by the type invariants; callers may sleep.
        unsafe { sys::threadline_wait_reached(self.queue.get(), reached, number) };
    }

    /// See [`World::wait_until`](crate::life::World::wait_until). The deadline is what
    /// `CLOCK_MONOTONIC` shows then, in nanoseconds.
    #[inline(never)]
    pub(crate) fn wait_until(&self, milestone: Milestone, deadline: i64) -> bool {
        let (reached, number) = (self.reached.as_ptr(), Self::number(milestone));
        // SAFETY: `queue` is initialised by the type invariants; callers may sleep.
        unsafe { sys::threadline_wait_reached_until(self.queue.get(), reached, number, deadline) }
    }

    /// Sleeps interruptibly until the milestone is reached, `true`, or else until the clock shows
    /// `until` (or a little later), or a signal comes.
    #[inline(never)]
    pub(crate) fn wait_breakable(&self, milestone: Milestone, until: i64) -> bool {
        let (reached, number) = (self.reached.as_ptr(), Self::number(milestone));
        // SAFETY: `queue` is initialised by the type invariants; callers may sleep.
        unsafe { sys::threadline_wait_reached_breakable(self.queue.get(), reached, number, until) }
    }

    /// Waits for the milestone; [`EINTR`] if the caller is killed before that, or is a body that is
    /// asked to stop.
    #[inline(never)]
    pub(crate) fn wait_killable(&self, milestone: Milestone) -> Result {
        let (reached, number) = (self.reached.as_ptr(), Self::number(milestone));
        if self.reached.load(Acquire) >= number {
            return Ok(());
        }
        // SAFETY: `queue` is initialised by the type invariants; callers may sleep.
        let was_reached = task::killable(|| unsafe {
            sys::threadline_wait_reached_killable(self.queue.get(), reached, number)
        })?;
        was_reached.then_some(()).ok_or(EINTR)
    }

    /// Waits until `over`; `false` if the caller is killed before that, or is a body that is asked
    /// to stop. Whoever changes what it looks at [stirs](Self::stir) after that.
    pub(crate) fn wait_killable_for<F: Fn() -> bool>(&self, over: F) -> bool {
        if over() {
            return true;
        }
        let (queue, what) = (self.queue.get(), (&raw const over).cast());
        task::killable(|| {
            // SAFETY: `queue` is initialised by the type invariants; callers may sleep. `over` is
            // what the function takes, and outlives the call.
            unsafe { sys::threadline_wait_killable_for(queue, is_over::<F>, what) }
        }) == Ok(true)
    }

    /// Sleeps interruptibly until `over`, or a signal comes; see [`Self::wait_killable_for`].
    pub(crate) fn sleep_for<F: Fn() -> bool>(&self, over: F) {
        let what = (&raw const over).cast();
        // SAFETY: The queue is initialised, and `is_over` is the function for `what`, which outlives
        // the call.
        unsafe { sys::threadline_sleep_for(self.queue.get(), is_over::<F>, what) };
    }
}

/// Calls what a wait looks at.
///
/// # Safety
///
/// `what` must point to an `F`.
unsafe extern "C" fn is_over<F: Fn() -> bool>(what: *const c_void) -> bool {
    // SAFETY: By the safety requirements.
    let over = unsafe { &*what.cast::<F>() };
    over()
}
