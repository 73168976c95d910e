// SPDX-License-Identifier: GPL-2.0

//! The protocol of a pause: how a thread is made to hold still for a while, and goes on.
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
//! them sees the other. It is the same at the end of the sleep, for the nudge.
//!
//! What the task must answer for is in [`Pausable`]. As `life.rs`, this file calls no kernel, and
//! `tools/model` tries its interleavings.

use super::{
    platform::{
        Acquire,
        AtomicFlag,
        Full,
        Relaxed,
        Release, //
    },
    reach::Reached, //
};

/// Who wants a thread to hold still, and whether it does.
///
/// # Invariants
///
/// `wanted` is set while there are pausers. `still` is set while the thread is in
/// [`Pausable::hold`] and has found that it should be. Both are only changed with the lock of the
/// pausers held.
pub(crate) struct Pause {
    wanted: AtomicFlag,
    still: AtomicFlag,
    /// Somebody has begun to pause the thread since it last looked.
    called: AtomicFlag,
    /// The thread sleeps in a wait of this library, or is about to, or was until now.
    dozing: AtomicFlag,
}

impl Pause {
    #[inline]
    pub(crate) fn new() -> Self {
        // INVARIANT: The thread has not begun, and nobody has paused it.
        Self {
            wanted: AtomicFlag::new(false),
            still: AtomicFlag::new(false),
            called: AtomicFlag::new(false),
            dozing: AtomicFlag::new(false),
        }
    }
}

/// Why a thread was not made to hold still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotStill {
    /// It has ended.
    Ended,
    /// The wait for it was broken.
    GaveUp,
}

/// What the protocol needs from the kernel, about one thread, and what thread and pausers do.
pub(crate) trait Pausable: Reached + Sized {
    /// Who wants it to hold still, and whether it does.
    fn pause(&self) -> &Pause;

    /// Calls `change` on the number of pausers, under a lock. It does not sleep.
    fn with_pausers<R>(&self, change: impl FnOnce(&mut usize) -> R) -> R;

    /// Has those look again who wait here, as every milestone does.
    fn stir(&self);

    /// Waits until the thread [is still](Self::is_still), for a pauser. `false` if the pauser was
    /// interrupted before.
    fn wait_still(&self) -> bool;

    /// Sleeps until the thread [need not hold](Self::should_hold), or is interrupted.
    fn wait_to_go(&self);

    /// Whether it should hold still. A stop counts for more, also where a shield hides it: who stops
    /// a thread does not wait for those who have paused it.
    fn should_hold(&self) -> bool {
        self.pause().wanted.load(Relaxed) && !self.life().is_asked()
    }

    /// Whether there is no need to wait for it any more: it holds still, or has ended.
    fn is_still(&self) -> bool {
        self.pause().still.load(Acquire) || self.life().is_ended()
    }

    /// Calls `sleep`, which a pause breaks as a signal does, and returns what that returns; `None`
    /// if the thread should [hold still](Self::hold) instead. Where it was called, `broken` forgets
    /// the nudge.
    ///
    /// To be called by the thread.
    #[inline(never)]
    fn doze(&self, sleep: impl FnOnce() -> bool, broken: impl FnOnce()) -> Option<bool> {
        let pause = self.pause();
        // Full, as is the flag that a pauser sets: either that sees this, or what comes next sees
        // it.
        pause.dozing.xchg(true, Full);
        let result = if self.should_hold() {
            None
        } else {
            Some(sleep())
        };
        pause.dozing.xchg(false, Full);
        if pause.called.load(Relaxed) {
            // Of those who call, any that has seen the thread doze has nudged it when the lock is
            // free, and none will see it after that.
            self.with_pausers(|_| pause.called.store(false, Relaxed));
            broken();
        }
        result
    }

    /// Holds still until it may go on, or a stop has been asked for. To be called by the thread.
    #[inline(never)]
    fn hold(&self, broken: impl Fn()) {
        // INVARIANT: It stays if it should hold, and leaves if not.
        let stays = || {
            self.with_pausers(|_| {
                let holds = self.should_hold();
                self.pause().still.store(holds, Release);
                holds
            })
        };
        while stays() {
            self.stir();
            self.wait_to_go();
            broken();
        }
    }

    /// Makes the thread hold still, and waits until it does.
    #[inline(never)]
    fn begin_pause(&self) -> Result<(), NotStill> {
        self.with_pausers(|pausers| {
            *pausers += 1;
            // INVARIANT: There is a pauser.
            self.pause().wanted.store(true, Relaxed);
            self.pause().called.xchg(true, Full);
            if self.pause().dozing.load(Relaxed) {
                self.nudge();
            }
        });
        if !self.wait_still() {
            self.end_pause();
            return Err(NotStill::GaveUp);
        }
        if self.life().is_ended() {
            return Err(NotStill::Ended);
        }
        Ok(())
    }

    /// Takes a pauser away, if there is one; with the last the thread goes on.
    #[inline(never)]
    fn end_pause(&self) {
        self.with_pausers(|pausers| {
            *pausers = pausers.saturating_sub(1);
            // INVARIANT: Where it is zero, there is none.
            self.pause().wanted.store(*pausers > 0, Relaxed);
        });
        self.stir();
    }
}
