// SPDX-License-Identifier: GPL-2.0

//! An end to a wait of the kernel's that has no time limit of its own.

use crate::task::Kthread;
use kernel::{
    impl_has_hr_timer,
    prelude::*,
    sync::{
        aref::ARef,
        atomic::{
            Acquire,
            AtomicFlag,
            Release, //
        }, //
    },
    task::Task,
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

/// Breaks the killable wait of a thread, as a stop does, when its time is over.
#[pin_data]
pub(crate) struct Alarm {
    #[pin]
    timer: HrTimer<Self>,
    task: ARef<Task>,
    rang: AtomicFlag,
}

impl Alarm {
    /// An alarm for the calling thread.
    pub(crate) fn new() -> Result<Pin<KBox<Self>>> {
        // Not on the stack, where timers want to be announced as such.
        KBox::pin_init(
            pin_init!(Self {
                timer <- HrTimer::new(),
                task: ARef::from(&**current!()),
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
        (result, self.rang.load(Acquire))
    }
}

impl HrTimerCallback for Alarm {
    type Pointer<'a> = Pin<&'a Self>;

    fn run(this: Pin<&Self>, _context: HrTimerCallbackContext<'_, Self>) -> HrTimerRestart {
        this.rang.store(true, Release);
        Kthread::kill_task(&this.task);
        HrTimerRestart::NoRestart
    }
}

impl_has_hr_timer! {
    impl HasHrTimer<Self> for Alarm {
        mode: RelativeMode<Monotonic>, field: self.timer
    }
}
