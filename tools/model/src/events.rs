// SPDX-License-Identifier: GPL-2.0-only

//! `kernel/kthread/events.rs`: how many milestones have been reached, and who waits for more.

use super::life::Milestone;
use super::platform::{Condvar, Mutex};

pub struct Events {
    reached: Mutex<usize>,
    changed: Condvar,
}

impl Events {
    pub fn new() -> Self {
        Self {
            reached: Mutex::new(0),
            changed: Condvar::new(),
        }
    }

    fn number(milestone: Milestone) -> usize {
        match milestone {
            Milestone::Ready => 1,
            Milestone::Ended => 2,
            Milestone::Gone => 3,
        }
    }

    pub fn announce(&self, milestone: Milestone) {
        let mut reached = self.reached.lock().unwrap();
        assert!(*reached <= Self::number(milestone), "a way back");
        *reached = Self::number(milestone);
        self.changed.notify_all();
    }

    pub fn wait(&self, milestone: Milestone) {
        let mut reached = self.reached.lock().unwrap();
        while *reached < Self::number(milestone) {
            reached = self.changed.wait(reached).unwrap();
        }
    }

    /// A wait with a limit is one look, some time: the engine tries all times.
    pub fn is_reached(&self, milestone: Milestone) -> bool {
        *self.reached.lock().unwrap() >= Self::number(milestone)
    }
}
