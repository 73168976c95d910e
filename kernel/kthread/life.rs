// SPDX-License-Identifier: GPL-2.0

//! The protocol of a thread's life: who may ask, who may wait, who buries.
//!
//! A thread passes three milestones, each at most once, in this order and never back:
//!
//! 1. *ready*: its body has said so, or has ended without a word;
//! 2. *ended*: its body has returned, and none of its code will run any more, but for the way
//!    out of the library's own thread function;
//! 3. *gone*: the task has left all code that a module could take away.
//!
//! Beside that there are two flags. *asked*: the owner wants it to stop; once set it stays.
//! *claimed*: somebody has taken on to bury the thread, which must be done exactly once, because
//! a second `kthread_stop()` on one task sleeps for ever. Whoever sets the flag does it; all
//! others wait until it is done.
//!
//! A stop can overtake the start: the C side then never calls the thread function, so a thread
//! may be gone without having been ready or ended. That is why a milestone is announced for all
//! before it, and why what the thread would have run is settled after burying (see `slot.rs`).
//!
//! Nothing here calls the kernel: what the protocol needs from the world is in [`World`], and the
//! flags come from `platform`. So the same file is compiled for the host, where `tools/model` tries
//! its interleavings.

use super::platform::{
    Acquire,
    AtomicFlag,
    Full,
    Release, //
};

/// A point in a thread's life that others can wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Milestone {
    Ready,
    Ended,
    Gone,
}

/// What the protocol needs from the kernel, about one thread.
pub(crate) trait World {
    /// A point in time at which a wait is given up.
    type Deadline: Copy;

    /// The state of the thread's life.
    fn life(&self) -> &Life;

    /// Breaks the thread's waits, this one and those to come: interruptible ones, and killable ones
    /// where it has said so (see `reach.rs`).
    fn interrupt(&self);

    /// Forgets all that has interrupted the thread. Called by the thread.
    fn forget_interrupts(&self);

    /// Whether the caller is the thread.
    fn is_current(&self) -> bool;

    /// Tells the thread to go, which breaks its waits as [`Self::interrupt`] does, and waits until
    /// it has left all module code. Called once.
    fn bury(&self);

    /// Lets those go on, now and later, who wait for the milestone or for one before it.
    fn announce(&self, milestone: Milestone);

    /// Waits for the milestone.
    fn wait_for(&self, milestone: Milestone);

    /// Waits for the milestone, but not beyond the deadline: `false` if it was not reached then.
    fn wait_until(&self, milestone: Milestone, deadline: Self::Deadline) -> bool;
}

/// Why the end of a thread was not awaited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotGone {
    /// A wait by a thread for its own end would never be over. Nor would one by threads that wait
    /// for each other (see `net.rs`).
    OwnEnd,
    /// The time was over first. The thread is as it was.
    TooEarly,
}

/// The state of one thread's life.
pub(crate) struct Life {
    asked: AtomicFlag,
    claimed: AtomicFlag,
    ready: AtomicFlag,
    ended: AtomicFlag,
    gone: AtomicFlag,
}

impl Life {
    #[inline]
    pub(crate) fn new() -> Self {
        Self {
            asked: AtomicFlag::new(false),
            claimed: AtomicFlag::new(false),
            ready: AtomicFlag::new(false),
            ended: AtomicFlag::new(false),
            gone: AtomicFlag::new(false),
        }
    }

    /// Takes on to bury the thread: `true` for the first who asks.
    #[inline]
    fn claim(&self) -> bool {
        // Full, since who buries the thread looks next how it can be reached, and need not be the
        // one who has asked. What it does the others see by the milestone.
        !self.claimed.xchg(true, Full)
    }

    /// Notes that the body has ended, or can no longer run.
    #[inline]
    fn end(&self) {
        self.ended.store(true, Release);
    }

    /// Whether a stop has been asked for.
    #[inline]
    pub(crate) fn is_asked(&self) -> bool {
        self.asked.load(Acquire)
    }

    /// Whether the body has said that it is ready.
    #[inline]
    pub(crate) fn is_ready(&self) -> bool {
        self.ready.load(Acquire)
    }

    /// Whether the body has ended, or can no longer run.
    #[inline]
    pub(crate) fn is_ended(&self) -> bool {
        self.ended.load(Acquire)
    }

    /// Whether the thread is gone, and has been cleaned up after.
    #[inline]
    pub(crate) fn is_gone(&self) -> bool {
        self.gone.load(Acquire)
    }
}

/// What a thread and its owners do.
pub(crate) trait Protocol: World + Sized {
    /// Asks the thread to stop: `true` if nobody did before. Does not wait; may be repeated.
    fn ask(&self) -> bool {
        let first = self.mark();
        if first {
            self.interrupt();
        }
        first
    }

    /// Notes that the thread should stop: `true` if nobody did before.
    fn mark(&self) -> bool {
        // The flag comes first: a thread that begins only now, or forgets what has interrupted it,
        // looks at the flag after that. So it hears the interrupt or it sees the flag. Full, as the
        // world may look first how the thread can be reached.
        !self.life().asked.xchg(true, Full)
    }

    /// Asks the thread to stop, and waits until it is gone by `join`, which comes to
    /// [`Self::join`], and is told whether nobody asked before.
    fn stop_by(&self, join: impl FnOnce(bool) -> Result<(), NotGone>) -> Result<(), NotGone> {
        let first = self.mark();
        let result = join(first);
        // Else somebody has buried it, who broke its waits.
        if first && result.is_err() {
            self.interrupt();
        }
        result
    }

    /// What the thread does, from beginning to end. `work` runs the body.
    fn run(&self, work: impl FnOnce()) {
        // Asked before it began: the body is left to those who bury the thread.
        if !self.life().is_asked() {
            work();
        }
        self.end();
    }

    /// A wait of the thread's was broken, by a stop or by anything else. What was no stop is
    /// forgotten.
    ///
    /// `is_stopped` says whether a stop is to be seen: it may keep one back that has been asked
    /// for, but never makes one up.
    fn broken(&self, is_stopped: impl Fn() -> bool) {
        if is_stopped() {
            return;
        }
        self.forget_interrupts();
        // A stop that came just now may have lost its interrupt. Its flag was set before.
        if is_stopped() {
            self.interrupt();
        }
    }

    /// The body is ready for its owner.
    fn ready(&self) {
        self.life().ready.store(true, Release);
        self.announce(Milestone::Ready);
    }

    /// The body has ended, and its result is where the owner looks for it.
    fn end(&self) {
        self.life().end();
        self.announce(Milestone::Ended);
    }

    /// Waits until the thread is gone, without asking it to go.
    ///
    /// The one caller that buries the thread runs `settle` when it is gone, before anybody who
    /// waits goes on, and then what `settle` returned: the place for drops that may call back.
    fn join<F: FnOnce()>(&self, settle: impl FnOnce() -> F) -> Result<(), NotGone> {
        if self.is_current() {
            return Err(NotGone::OwnEnd);
        }
        if !self.life().is_asked() {
            self.wait_for(Milestone::Ended);
        }
        if !self.life().claim() {
            self.wait_for(Milestone::Gone);
            return Ok(());
        }
        clean_up(self, settle);
        Ok(())
    }

    /// [`Self::join`], but gives up at the deadline.
    fn join_until<F: FnOnce()>(
        &self,
        deadline: Self::Deadline,
        settle: impl FnOnce() -> F,
    ) -> Result<(), NotGone> {
        if self.is_current() {
            return Err(NotGone::OwnEnd);
        }
        // Also where a stop has been asked for: to bury a thread that has not ended takes as long
        // as the thread likes.
        if !self.wait_until(Milestone::Ended, deadline) {
            return Err(NotGone::TooEarly);
        }
        if !self.life().claim() {
            return match self.wait_until(Milestone::Gone, deadline) {
                true => Ok(()),
                false => Err(NotGone::TooEarly),
            };
        }
        clean_up(self, settle);
        Ok(())
    }
}

impl<W: World> Protocol for W {}

/// What the one does who has the claim.
fn clean_up<F: FnOnce()>(world: &impl World, settle: impl FnOnce() -> F) {
    world.bury();
    let last = settle();
    // Also where it was gone before it began.
    world.life().end();
    world.life().gone.store(true, Release);
    world.announce(Milestone::Gone);
    last();
}
