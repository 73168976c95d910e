// SPDX-License-Identifier: GPL-2.0-only

//! `kernel/kthread/block.rs`, the owners' side of it: what thread and work item have in common.

use super::events::Events;
use super::life::{Milestone, NotGone, Protocol};
use super::platform::{AtomicFlag, Mutex, Relaxed};
use super::slot::Slot;

/// A stop was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped;

/// How a body ended, as its owner gets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Ended(u32),
    Stopped,
    Taken,
    Itself,
}

/// What runs a body of type `B`, and its owners share.
pub struct Block<B> {
    pub events: Events,
    /// Whoever runs the body is in code of the module.
    pub inside: AtomicFlag,
    pub hold: Mutex<Slot<B, u32, Stopped>>,
}

impl<B> Block<B> {
    pub fn new(body: B) -> Self {
        Self {
            events: Events::new(),
            inside: AtomicFlag::new(false),
            hold: Mutex::new(Slot::Waiting(body)),
        }
    }
}

/// What owners do.
pub trait Owned: Protocol {
    type Body;

    fn block(&self) -> &Block<Self::Body>;

    /// Waits until it has ended, without burying it.
    fn wait_ended(&self) {
        self.block().events.wait(Milestone::Ended);
        assert!(self.life().is_ended(), "told so");
    }

    /// `Thread::join()`, `Chore::join()`.
    fn join_outcome(&self) -> Outcome {
        match self.join_block() {
            Ok(()) => self.outcome(),
            Err(_) => Outcome::Itself,
        }
    }

    /// `Block::join()`.
    fn join_block(&self) -> Result<(), NotGone> {
        if self.life().is_gone() {
            return Ok(());
        }
        self.join(|| self.settle())
    }

    /// `Thread::stop()`, `Chore::stop()`.
    fn stop(&self) -> Outcome {
        match self.stop_by(|_| self.join_block()) {
            Ok(()) => self.outcome(),
            Err(_) => Outcome::Itself,
        }
    }

    /// The drop of a handle by others than its own thread: nobody asks for the result.
    fn give_up(&self) {
        if self.life().is_gone() {
            return;
        }
        let stopped = self.stop_by(|_| self.join_block());
        assert!(stopped.is_ok(), "it is another's end");
    }

    /// It leaves its net, and gives a closure up that never ran.
    fn settle(&self) -> impl FnOnce() {
        let block = self.block();
        assert!(!block.inside.load(Relaxed), "nobody waits for it any more");
        let unrun = block.hold.lock().unwrap().settle(Stopped);
        move || drop(unrun)
    }

    fn outcome(&self) -> Outcome {
        let block = self.block();
        assert!(!block.inside.load(Relaxed), "its code may be taken away");
        assert!(self.life().is_ended(), "it is gone");
        let mut slot = block.hold.lock().unwrap();
        let settled = matches!(*slot, Slot::Ended(_) | Slot::Taken(_));
        assert!(settled, "it is gone");
        match slot.take() {
            Some(Ok(value)) => Outcome::Ended(value),
            Some(Err(Stopped)) => Outcome::Stopped,
            None => Outcome::Taken,
        }
    }
}
