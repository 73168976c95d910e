// SPDX-License-Identifier: GPL-2.0

//! The protocol of a work item's life: its rounds, and which of them is the last.
//!
//! A thread is there for its body alone. A work item borrows a worker, which calls the body in a
//! *round* and turns to something else after it. A [`Chore`](crate::Chore) has many rounds, one at
//! a time: each names the delay after which the next is due, and a [`Bell`](crate::Bell) has it run
//! earlier. Between two of them there is nobody whom a stop could interrupt.
//!
//! So a stop does two things. It interrupts the round that runs, if one does; and it has another
//! one run at once, which finds the flag set, does not call the body, and ends the item. The round
//! that runs may have missed the flag, and ask for a next one after a long delay: it does so before
//! the stop has put that forward, or where it is due already. Who buries the item needs no other
//! round, and interrupts the one that runs.
//!
//! What the queue must answer for is in [`Queued`]. As `life.rs`, this file calls no kernel, and
//! `tools/model` tries its interleavings.

use super::life::{
    Protocol,
    World, //
};

/// What the protocol needs from the kernel, about one work item.
///
/// Its rounds run one at a time. A round sees all that was done before the [`Self::hurry`] or
/// [`Self::queue`] that it is due to.
pub(crate) trait Queued: World {
    /// How long a round may be off.
    type Delay;

    /// Whether there may be rounds after the first.
    fn recurs(&self) -> bool;

    /// Has a round run after the delay. Does nothing where one is due anyway, then or at another
    /// time, or where the item is buried.
    fn queue(&self, delay: Self::Delay);

    /// Has a round run as soon as can be: the one that is due, if any. Where one runs now, it is
    /// another, after that. Does nothing where the item is buried. A round that waits for a worker
    /// already queues anew, behind what others have queued meanwhile.
    fn hurry(&self);

    /// Lets [`Self::nudge`] have its effect from now on. Called by the worker.
    fn listen(&self);

    /// Breaks the waits of the round that runs and [listens](Self::listen), this one and those to
    /// come, and nobody else's.
    fn nudge(&self);

    /// Ends the effect of [`Self::nudge`] for this round, and forgets what it has had. Called by
    /// the worker.
    fn leave(&self);
}

/// What a work item and its owners do.
pub(crate) trait Rounds: Queued + Sized {
    /// What [`World::interrupt`] does to a work item.
    fn reach(&self) {
        self.nudge();
        // One that has a single round has been queued for it, is about to be, or never will be.
        if self.recurs() {
            self.hurry();
        }
    }

    /// What a worker does in a round. `work` runs the body, and returns when it is to be run again,
    /// if it is.
    fn round(&self, work: impl FnOnce() -> Option<Self::Delay>) {
        self.listen();
        // Asked before it began: what is left of the body is left to those who bury the item.
        let next = if self.life().is_asked() { None } else { work() };
        // Before the worker turns to something else.
        self.leave();
        match next {
            Some(delay) => self.queue(delay),
            // A hurry may yet lead to a round, which comes here too, and changes nothing.
            None => self.end(),
        }
    }
}

impl<Q: Queued> Rounds for Q {}
