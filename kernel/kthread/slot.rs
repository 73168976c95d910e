// SPDX-License-Identifier: GPL-2.0

//! Where closure and result of a thread are.
//!
//! A thread and its owners share one slot, under a lock. First it holds the closure, until the
//! thread takes it, then the result, until the owner takes it. What is moved out is moved out
//! once, so neither can be run, dropped or handed over twice, whoever comes first.
//!
//! Nothing that is taken out is dropped here: a closure may hold whatever its author likes, and
//! its drop must not run under the lock. As `life.rs`, this file knows nothing of the kernel.

use core::mem;

/// The place for a closure of type `F`, then for its result, a `T` or an `E`.
pub(crate) enum Slot<F, T, E> {
    /// The closure is here: the thread has not begun, or is to call it again.
    Waiting(F),
    /// The thread has the closure, and has not ended.
    Running,
    /// The result is here, for the first who takes it.
    Ended(Result<T, E>),
    /// The result is with the owner. What is left is why there was no value, if so.
    Taken(Option<E>),
}

// What is in a slot is moved in and out, and never pinned where it lies.
impl<F, T, E> Unpin for Slot<F, T, E> {}

impl<F, T, E: Copy> Slot<F, T, E> {
    /// Takes the closure, to run it.
    pub(crate) fn begin(&mut self) -> Option<F> {
        self.replace_waiting(Slot::Running)
    }

    /// Puts the closure back, which [`Self::begin`] gave away, to be run again.
    pub(crate) fn wait(&mut self, closure: F) {
        *self = Slot::Waiting(closure);
    }

    /// Puts the result of the closure down, which [`Self::begin`] gave away.
    pub(crate) fn end(&mut self, result: Result<T, E>) {
        *self = Slot::Ended(result);
    }

    /// Takes back a closure that never ran; the result is `error` then.
    pub(crate) fn settle(&mut self, error: E) -> Option<F> {
        self.replace_waiting(Slot::Ended(Err(error)))
    }

    /// Takes the result, if it is there and has not been taken.
    pub(crate) fn take(&mut self) -> Option<Result<T, E>> {
        match mem::replace(self, Slot::Taken(None)) {
            Slot::Ended(result) => {
                *self = Slot::Taken(result.as_ref().err().copied());
                Some(result)
            }
            other => {
                *self = other;
                None
            }
        }
    }

    fn replace_waiting(&mut self, next: Self) -> Option<F> {
        match mem::replace(self, next) {
            Slot::Waiting(closure) => Some(closure),
            other => {
                *self = other;
                None
            }
        }
    }
}
