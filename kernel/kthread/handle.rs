// SPDX-License-Identifier: GPL-2.0

//! What the handles of threads and of work items have in common.

use crate::{
    block::Joinable,
    clock,
    host::Host,
    life::NotGone,
    thread::Outcome, //
};
use core::panic::Location;
use kernel::{
    sync::Arc,
    time::Delta, //
};

/// The handle of a body that runs in an `H` and returns a `T`.
///
/// Dropping it stops and joins the host, unless it has been left.
pub(crate) struct Handle<H: Host, T: Send + 'static> {
    block: Arc<dyn Joinable<H, T>>,
    left: bool,
}

impl<H: Host, T: Send + 'static> Handle<H, T> {
    pub(crate) fn new(block: Arc<dyn Joinable<H, T>>) -> Self {
        Self { block, left: false }
    }

    pub(crate) fn block(&self) -> &dyn Joinable<H, T> {
        &*self.block
    }

    pub(crate) fn shared(&self) -> Arc<dyn Joinable<H, T>> {
        self.block.clone()
    }

    pub(crate) fn host(&self) -> &H {
        self.block.host()
    }

    pub(crate) fn ask(&self) {
        self.block.ask();
    }

    pub(crate) fn join(&self) -> Outcome<T> {
        self.block.finish()
    }

    pub(crate) fn stop(&self) -> Outcome<T> {
        self.block.stop_and_finish()
    }

    /// [`Self::join`], but `None` if it has not ended in the given time.
    pub(crate) fn join_within(&self, time: Delta) -> Option<Outcome<T>> {
        match self.block.join_until(clock::after(time)) {
            Ok(()) => Some(self.block.outcome()),
            Err(NotGone::OwnEnd) => Some(Outcome::Itself),
            Err(NotGone::TooEarly) => None,
        }
    }

    /// The line that the body waits in, if it does.
    pub(crate) fn waits_in(&self) -> Option<&'static Location<'static>> {
        self.host().site().line()
    }

    /// How often its stop was reported as slow.
    pub(crate) fn stop_reports(&self) -> u32 {
        self.host().watch().reports()
    }

    /// Leaves it to its scope.
    pub(crate) fn leave(mut self) {
        self.left = true;
        self.block.entry().leave();
    }
}

impl<H: Host, T: Send + 'static> Drop for Handle<H, T> {
    fn drop(&mut self) {
        if !self.left {
            self.block.give_up();
        }
    }
}
