// SPDX-License-Identifier: GPL-2.0

//! The protocol of an interrupt: what it takes to reach a thread where it waits.
//!
//! The kernel's *interruptible* waits end for a *nudge*, a flag of the task and a wake-up. Its
//! *killable* ones end for a fatal signal only, and that costs more than all else that a stop does:
//! to let it in, to send it, and to take it back. So a thread gets the signal where it needs it,
//! and is nudged elsewhere.
//!
//! The thread says that it is about to wait killably, and then looks whether it should stop; who
//! stops it says so, and then looks where the thread is. One of them sees the other: the wait is
//! not begun, or the signal is sent.
//!
//! What the task must answer for is in [`Reached`]. As `life.rs`, this file calls no kernel, and
//! `tools/model` tries its interleavings.

use super::{
    life::World,
    platform::{
        AtomicFlag,
        Full,
        Relaxed, //
    }, //
};

/// Whether a thread waits killably, or is about to. It says so itself, and those look who interrupt
/// it.
pub(crate) struct Ear(AtomicFlag);

impl Ear {
    /// Of a thread that does not.
    #[inline]
    pub(crate) fn new() -> Self {
        Self(AtomicFlag::new(false))
    }

    fn is_killable(&self) -> bool {
        self.0.load(Relaxed)
    }
}

/// What the protocol needs from the kernel, about one thread.
pub(crate) trait Reached: World {
    /// How the thread can be reached.
    fn ear(&self) -> &Ear;

    /// Breaks the thread's interruptible waits, this one and those to come. Does not wake a thread
    /// up that has not begun yet.
    fn nudge(&self);

    /// Lets [`Self::kill`] have its effect from now on. Called by the thread; may be repeated.
    fn let_in(&self);

    /// Breaks the thread's killable waits too.
    fn kill(&self);
}

/// What a thread and those do who interrupt it.
pub(crate) trait Reach: Reached + Sized {
    /// What [`World::interrupt`] does to a thread.
    fn reach(&self) {
        if self.ear().is_killable() {
            self.kill();
        } else {
            self.nudge();
        }
    }

    /// What is left to do for who stops the thread as the kernel does, which nudges it.
    fn reach_beside_nudge(&self) {
        if self.ear().is_killable() {
            self.kill();
        }
    }

    /// Calls `call`, which may wait killably and is interrupted there too; not if the thread has
    /// been asked to stop. Called by the thread.
    fn killable<R>(&self, call: impl FnOnce() -> R) -> Option<R> {
        self.let_in();
        // Full, as is the flag that is set before an interrupt: either that sees this, or what
        // comes next sees the flag.
        let outer = self.ear().0.xchg(true, Full);
        let result = if self.life().is_asked() {
            None
        } else {
            Some(call())
        };
        // Calls nest. A signal that is sent to where the thread was breaks its next wait as well.
        self.ear().0.store(outer, Relaxed);
        result
    }
}

impl<R: Reached> Reach for R {}
