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
//! may be gone without having been ready or ended. That is why the burier announces all that is
//! left, and why what the thread would have run is settled after burying (see `block.rs`).
//!
//! Nothing here calls the kernel: what the protocol needs from the world is in [`World`].

use kernel::sync::atomic::{
    Acquire,
    AtomicFlag,
    Full,
    Release, //
};

/// A point in a thread's life that others can wait for.
#[derive(Clone, Copy)]
pub(crate) enum Milestone {
    Ready,
    Ended,
    Gone,
}

/// What the protocol needs from the kernel, about one thread.
pub(crate) trait World {
    /// Breaks the thread's interruptible and killable waits, this one and those to come.
    ///
    /// Has no effect on a thread that does not listen yet, or no longer.
    fn interrupt(&self);

    /// Whether the caller is the thread.
    fn is_current(&self) -> bool;

    /// Tells the thread to go, and waits until it has left all module code. Called once.
    fn bury(&self);

    /// Lets those who wait for the milestone go on, now and later.
    fn announce(&self, milestone: Milestone);

    /// Waits for the milestone.
    fn wait_for(&self, milestone: Milestone);
}

/// A wait by a thread for its own end, refused because it would never be over. Threads that wait
/// for each other would do that too (see `net.rs`).
pub(crate) struct OwnEnd;

/// The state of one thread's life.
#[pin_init::pin_data]
pub(crate) struct Life<W> {
    asked: AtomicFlag,
    claimed: AtomicFlag,
    ready: AtomicFlag,
    ended: AtomicFlag,
    #[pin]
    world: W,
}

impl<W: World> Life<W> {
    pub(crate) fn new<E>(world: impl pin_init::PinInit<W, E>) -> impl pin_init::PinInit<Self, E> {
        pin_init::pin_init!(Self {
            asked: AtomicFlag::new(false),
            claimed: AtomicFlag::new(false),
            ready: AtomicFlag::new(false),
            ended: AtomicFlag::new(false),
            world <- world,
        }? E)
    }

    pub(crate) fn world(&self) -> &W {
        &self.world
    }

    /// Asks the thread to stop. Does not wait; may be repeated.
    pub(crate) fn ask(&self) {
        // The flag comes first: a thread that begins to listen only now looks at it after that,
        // so either it hears the interrupt or it sees the flag.
        if !self.asked.xchg(true, Full) {
            self.world.interrupt();
        }
    }

    pub(crate) fn is_asked(&self) -> bool {
        self.asked.load(Acquire)
    }

    /// Whether the body has ended, or can no longer run.
    pub(crate) fn is_ended(&self) -> bool {
        self.ended.load(Acquire)
    }

    /// Whether the body has said that it is ready.
    pub(crate) fn is_ready(&self) -> bool {
        self.ready.load(Acquire)
    }

    /// The body is ready for its owner.
    pub(crate) fn ready(&self) {
        self.ready.store(true, Release);
        self.world.announce(Milestone::Ready);
    }

    /// The body has ended, and its result is where the owner looks for it.
    pub(crate) fn end(&self) {
        self.ended.store(true, Release);
        self.world.announce(Milestone::Ready);
        self.world.announce(Milestone::Ended);
    }

    /// Waits until the thread is gone, without asking it to go.
    ///
    /// The one caller that buries the thread runs `settle` when it is gone, before anybody who
    /// waits goes on, and then what `settle` returned: the place for drops that may call back.
    pub(crate) fn join<F: FnOnce()>(&self, settle: impl FnOnce() -> F) -> Result<(), OwnEnd> {
        if self.world.is_current() {
            return Err(OwnEnd);
        }
        if !self.is_asked() {
            self.world.wait_for(Milestone::Ended);
        }
        if self.claimed.xchg(true, Full) {
            self.world.wait_for(Milestone::Gone);
            return Ok(());
        }
        self.world.bury();
        let last = settle();
        self.end();
        self.world.announce(Milestone::Gone);
        last();
        Ok(())
    }
}
