// SPDX-License-Identifier: GPL-2.0

//! Waits for the end of others, which a stop breaks.

use crate::{
    anystop::AnyStop,
    clock::{
        self,
        NEVER, //
    },
    error::Stopped,
    handle::Handle,
    host::Host,
    life::Milestone,
    thread::{
        Outcome,
        Thread, //
    },
    work::Work, //
};
use kernel::time::Delta;

impl AnyStop {
    /// Waits until the thread has ended and is gone.
    ///
    /// A thread that waits for itself gets [`Outcome::Itself`], and so does one that waits for a
    /// thread which waits for it, unless that has been asked to stop.
    #[track_caller]
    pub fn join<T: Send>(&self, thread: &Thread<T>) -> Result<Outcome<T>, Stopped> {
        self.join_any(thread.handle())
    }

    /// Waits as [`Self::join`] does, but for the given time at most: `None` if the thread has not
    /// ended by then, which goes on as it was. See [`Thread::join_within`].
    #[track_caller]
    pub fn join_within<T: Send>(
        &self,
        thread: &Thread<T>,
        time: Delta,
    ) -> Result<Option<Outcome<T>>, Stopped> {
        self.join_any_within(thread.handle(), time)
    }

    /// Waits until the work has ended and is gone; as [`Self::join`].
    #[track_caller]
    pub fn join_work<T: Send>(&self, work: &Work<T>) -> Result<Outcome<T>, Stopped> {
        self.join_any(work.handle())
    }

    /// Waits for work as [`Self::join_within`] does for a thread.
    #[track_caller]
    pub fn join_work_within<T: Send>(
        &self,
        work: &Work<T>,
        time: Delta,
    ) -> Result<Option<Outcome<T>>, Stopped> {
        self.join_any_within(work.handle(), time)
    }

    #[track_caller]
    fn join_any<H: Host, T: Send>(&self, other: &Handle<H, T>) -> Result<Outcome<T>, Stopped> {
        let Ok(waits) = other.block().begin_wait() else {
            return Ok(Outcome::Itself);
        };
        let events = other.host().events();
        self.wait_by(NEVER, |until| {
            events.wait_breakable(Milestone::Ended, until)
        })?;
        drop(waits);
        Ok(other.join())
    }

    #[track_caller]
    fn join_any_within<H: Host, T: Send>(
        &self,
        other: &Handle<H, T>,
        time: Delta,
    ) -> Result<Option<Outcome<T>>, Stopped> {
        if other.block().check_wait().is_err() {
            return Ok(Some(Outcome::Itself));
        }
        let events = other.host().events();
        let sleep = |until| events.wait_breakable(Milestone::Ended, until);
        if !self.wait_by(clock::after(time), sleep)? {
            return Ok(None);
        }
        Ok(Some(other.join()))
    }
}
