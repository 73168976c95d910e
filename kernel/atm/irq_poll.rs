// SPDX-License-Identifier: GPL-2.0

//! From an interrupt to a bottom half.
//!
//! Network protocols are called with interrupts on, and best in bottom halves. A driver that comes
//! by packets elsewhere puts them aside, and has an [`IrqPoll`] called in a bottom half on the same
//! CPU: as soon as the interrupt ends, or by `ksoftirqd` if there was no interrupt or there is too
//! much to do.
//!
//! It is the cheapest way there: some 460 instructions on x86 for a driver that has one packet,
//! where a work item on [`system_bh`](kernel::workqueue::system_bh) takes 1,280. It was made after
//! NAPI, but needs no network device.
//!
//! The kernel has it if `CONFIG_IRQ_POLL` is set, which drivers for SCSI and RDMA select.
//!
//! C header: [`include/linux/irq_poll.h`](srctree/include/linux/irq_poll.h)

use core::ops::Deref;

use kernel::{
    container_of,
    ffi::c_int,
    prelude::*,
    sync::atomic::{
        Acquire,
        Atomic,
        Relaxed,
        Release, //
    },
    task::might_sleep,
    time::{
        delay::fsleep,
        Delta, //
    },
    types::Opaque, //
};

use crate::{
    bindings,
    BottomHalf, //
};

/// What an [`IrqPoll`] calls.
///
/// It is `'static`, because a leaked [`IrqPoll`] is called all the same.
pub trait Poll: Send + Sync + 'static {
    /// Does what there is to do now.
    ///
    /// Called in that bottom half: it must not sleep. While it runs on one CPU, it may be called on
    /// another, so what has to stay in order needs a lock around it. It must not drop its own
    /// [`IrqPoll`], which would wait for itself.
    fn poll(&self, bottom_half: &BottomHalf);
}

/// A [`Poll`], and the way to have it called in a bottom half.
///
/// Dropping it waits as [`quiesce`](Self::quiesce) does. Who leaks it has to do that, before the
/// module goes that `T` is of.
///
/// # Invariants
///
/// - `raw` is initialised, and calls `Self::call` with itself as the argument.
/// - `running` counts the calls that may have let go of `raw`, so that it may be scheduled again,
///   but not yet of `self`.
#[pin_data(PinnedDrop)]
pub struct IrqPoll<T: Poll> {
    #[pin]
    raw: Opaque<bindings::irq_poll>,
    running: Atomic<i32>,
    #[pin]
    inner: T,
}

// SAFETY: All that is done with `raw` may be done by any thread, and `T` is `Send`.
unsafe impl<T: Poll> Send for IrqPoll<T> {}
// SAFETY: As before, and by several threads at once; `T` is `Sync`.
unsafe impl<T: Poll> Sync for IrqPoll<T> {}

impl<T: Poll> IrqPoll<T> {
    /// What a call is worth, and what would be too much for one: less than this says that `raw` was
    /// let go of. A bottom half calls for 256 in all, or until the next tick; then others get their
    /// turn.
    const CALL: c_int = 1;
    const WEIGHT: c_int = Self::CALL + 1;

    /// Makes one that is not scheduled.
    ///
    /// # Errors
    ///
    /// Those of `inner`.
    pub fn new(inner: impl PinInit<T, Error>) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            // INVARIANT: Initialised here, and never moved: it is pinned.
            raw <- Opaque::ffi_init(|raw| {
                // SAFETY: `raw` is valid for a write.
                unsafe { bindings::irq_poll_init(raw, Self::WEIGHT, Some(Self::call)) }
            }),
            // INVARIANT: There was no call.
            running: Atomic::new(0),
            inner <- inner,
        })
    }

    /// Has [`Poll::poll`] called, once, in a bottom half that begins after this, and on this CPU
    /// unless it was to be called already. Callable from any context but an NMI.
    ///
    /// It sees what was done before, if that was done under a lock that is still held, and that it
    /// takes, or if it looks at a flag with a full barrier.
    #[inline]
    pub fn schedule(&self) {
        // SAFETY: By the type invariants, it is initialised.
        unsafe { bindings::irq_poll_sched(self.raw.get()) };
    }

    /// Waits until it has been called if it is to be, and until no call is under way. What is
    /// [scheduled](Self::schedule) meanwhile may be forgotten. Sleeps.
    ///
    /// The last instructions of a call, which use nothing of `self`, may still be to come; the
    /// module that they are of is kept by the RCU grace period that its removal waits for
    /// (`free_module()`), as a bottom half is a reader.
    pub fn quiesce(&self) {
        might_sleep();
        // A call that is to come has come and let go of `raw` when this returns, a full barrier,
        // after which its count is seen.
        // SAFETY: By the type invariants, it is initialised. Of several callers, each waits until
        // the one before has enabled it.
        unsafe { bindings::irq_poll_disable(self.raw.get()) };
        // ACQUIRE: Pairs with the RELEASE at the end of a call.
        while self.running.load(Acquire) != 0 {
            fsleep(Delta::from_micros(20));
        }
        // SAFETY: As before; it was disabled just now.
        unsafe { bindings::irq_poll_enable(self.raw.get()) };
    }

    /// The function that bottom halves call.
    ///
    /// # Safety
    ///
    /// `raw` is that of an `IrqPoll<T>`, which was scheduled, and whose turn it is.
    unsafe extern "C" fn call(raw: *mut bindings::irq_poll, _weight: c_int) -> c_int {
        // SAFETY: By the caller's word. It is there: `quiesce` waits for this function, and so does
        // who drops it.
        let this = unsafe { &*container_of!(Opaque::cast_from(raw).cast_mut(), Self, raw) };
        // INVARIANT: Counted first, and let go of next.
        this.running.add(1, Relaxed);
        // Not after the call: what came in between would wait for what comes next.
        // SAFETY: It is its turn, and less than its weight is returned below.
        unsafe { bindings::irq_poll_complete(raw) };
        // SAFETY: This is called in one, and what stands for it is left to itself at the end.
        let bottom_half = unsafe { BottomHalf::current() };
        this.inner.poll(&bottom_half);
        // INVARIANT: `self` is not used after this.
        // RELEASE: Pairs with the ACQUIRE of `quiesce`, which returns after this.
        this.running.fetch_sub(1, Release);
        Self::CALL
    }
}

impl<T: Poll> Deref for IrqPoll<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.inner
    }
}

#[pinned_drop]
impl<T: Poll> PinnedDrop for IrqPoll<T> {
    fn drop(self: Pin<&mut Self>) {
        // Nobody can schedule it any more.
        self.quiesce();
    }
}
