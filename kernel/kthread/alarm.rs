// SPDX-License-Identifier: GPL-2.0

//! An end to a wait of the kernel's that has no time limit of its own.
//!
//! It comes as a signal, and so does much else. A wait of this library that a signal has broken
//! forgets what is pending, which may have been meant for a wait of the kernel's to come. So a
//! thread knows how many of its alarms have rung and are not over, and raises the signal again for
//! them when such a wait is over.

use crate::{
    reach::Reached,
    task::Kthread, //
};
use core::ptr::NonNull;
use kernel::{
    impl_has_hr_timer,
    prelude::*,
    sync::atomic::{
        Acquire,
        Atomic,
        AtomicFlag,
        Full,
        Relaxed,
        Release, //
    },
    time::{
        hrtimer::{
            HrTimer,
            HrTimerCallback,
            HrTimerCallbackContext,
            HrTimerRestart,
            RelativeMode,
            ScopedHrTimerPointer, //
        },
        Delta,
        Monotonic, //
    }, //
};

/// How many alarms of a thread have rung and are not over.
pub(crate) struct Rung(Atomic<i32>);

impl Rung {
    #[inline]
    pub(crate) fn new() -> Self {
        Self(Atomic::new(0))
    }
}

/// A time in which a thread may forget the signal of an alarm: at its end the signal is raised
/// again, if it is due.
#[must_use = "it is over when this is dropped"]
pub(crate) struct Limits<'a>(&'a Kthread);

impl Drop for Limits<'_> {
    fn drop(&mut self) {
        // Whoever forgot the signal sees that it is due: that was noted before it was sent.
        if self.0.rung.0.load(Relaxed) > 0 {
            self.0.kill();
        }
    }
}

impl Kthread {
    /// Keeps the signal of an alarm from being forgotten for good. Called by the thread.
    #[inline]
    pub(crate) fn keep_limits(&self) -> Limits<'_> {
        Limits(self)
    }
}

/// Breaks the killable wait of a thread, as a stop does, when its time is over.
///
/// # Invariants
///
/// `kthread` lives for as long as this value.
#[pin_data]
pub(crate) struct Alarm {
    #[pin]
    timer: HrTimer<Self>,
    kthread: NonNull<Kthread>,
    rang: AtomicFlag,
}

// SAFETY: The pointer alone is not `Send` by itself, and it stands for a reference to a `Kthread`,
// which is `Sync`.
unsafe impl Send for Alarm {}

// SAFETY: As above.
unsafe impl Sync for Alarm {}

impl Alarm {
    /// An alarm for the calling thread.
    ///
    /// # Safety
    ///
    /// The thread must outlive the alarm.
    pub(crate) unsafe fn new(kthread: &Kthread) -> Result<Pin<KBox<Self>>> {
        // INVARIANT: By the safety requirements.
        //
        // Not on the stack, where timers want to be announced as such.
        KBox::pin_init(
            pin_init!(Self {
                timer <- HrTimer::new(),
                kthread: NonNull::from(kthread),
                rang: AtomicFlag::new(false),
            }),
            GFP_KERNEL,
        )
    }

    /// Calls `call`, whose wait is broken when the given time is over. Says whether it was, in
    /// which case what broke it is left to be forgotten.
    pub(crate) fn limit<R>(self: Pin<&Self>, time: Delta, call: impl FnOnce() -> R) -> (R, bool) {
        // Of a negative time the kernel would make one that never comes.
        let time = time.max(Delta::ZERO);
        // The timer does not outlive this line.
        let result = self.start_scoped(time, call);
        let rang = self.rang.load(Acquire);
        if rang {
            self.kthread().rung.0.fetch_sub(1, Full);
        }
        (result, rang)
    }

    fn kthread(&self) -> &Kthread {
        // SAFETY: By the type invariants.
        unsafe { self.kthread.as_ref() }
    }
}

impl HrTimerCallback for Alarm {
    type Pointer<'a> = Pin<&'a Self>;

    fn run(this: Pin<&Self>, _context: HrTimerCallbackContext<'_, Self>) -> HrTimerRestart {
        this.kthread().rung.0.fetch_add(1, Full);
        this.rang.store(true, Release);
        this.kthread().kill();
        HrTimerRestart::NoRestart
    }
}

impl_has_hr_timer! {
    impl HasHrTimer<Self> for Alarm {
        mode: RelativeMode<Monotonic>, field: self.timer
    }
}
