// SPDX-License-Identifier: GPL-2.0

//! The milestones of a life, for those who wait for them.

use crate::{
    completion::Completion,
    life::Milestone, //
};
use kernel::{
    bindings,
    prelude::*, //
};

/// An event for each [`Milestone`].
#[pin_data]
pub(crate) struct Events {
    #[pin]
    ready: Completion,
    #[pin]
    ended: Completion,
    #[pin]
    gone: Completion,
}

impl Events {
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            ready <- Completion::new(),
            ended <- Completion::new(),
            gone <- Completion::new(),
        })
    }

    /// That of a milestone.
    pub(crate) fn of(&self, milestone: Milestone) -> &Completion {
        match milestone {
            Milestone::Ready => &self.ready,
            Milestone::Ended => &self.ended,
            Milestone::Gone => &self.gone,
        }
    }

    /// See [`World::announce`](crate::life::World::announce).
    pub(crate) fn announce(&self, milestone: Milestone) {
        self.of(milestone).complete_all();
    }

    /// See [`World::wait_for`](crate::life::World::wait_for). Not counted as load, and not
    /// reported as hung: a body may run as long as it likes.
    pub(crate) fn wait_for(&self, milestone: Milestone) {
        self.of(milestone).wait_state(bindings::TASK_IDLE);
    }

    /// See [`World::wait_until`](crate::life::World::wait_until). The deadline is what
    /// `CLOCK_MONOTONIC` shows then, in nanoseconds.
    pub(crate) fn wait_until(&self, milestone: Milestone, deadline: i64) -> bool {
        self.of(milestone).wait_idle_until(deadline)
    }

    /// Waits for the milestone; [`EINTR`] if the caller was killed before that.
    #[inline(never)]
    pub(crate) fn wait_killable(&self, milestone: Milestone) -> Result {
        if self.of(milestone).wait_state(bindings::TASK_KILLABLE) {
            Ok(())
        } else {
            Err(EINTR)
        }
    }
}
