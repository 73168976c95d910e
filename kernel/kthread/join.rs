// SPDX-License-Identifier: GPL-2.0

//! Waits for others, for their end or until they are ready, which a stop breaks.

use crate::{
    anystop::AnyStop,
    chore::{
        Again,
        Chore, //
    },
    clock::{
        self,
        NEVER, //
    },
    error::{
        Result as BodyResult,
        Stopped, //
    },
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
    ///
    /// # Examples
    ///
    /// ```
    /// # use kernel::prelude::*;
    /// # use kthread::{Outcome, Stop, Thread};
    /// # fn body(stop: &Stop, scan: Thread<KVec<u8>>) -> kthread::Result {
    /// // A second body needs what the first one finds.
    /// let Outcome::Ended(table) = stop.join(&scan)? else {
    ///     return Err(ENODEV.into());
    /// };
    /// # Ok(())
    /// # }
    /// ```
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

    /// Waits until the chore has ended by itself and is gone; as [`Self::join`].
    #[track_caller]
    pub fn join_chore(&self, chore: &Chore) -> Result<Outcome<Again>, Stopped> {
        self.join_any(chore.handle())
    }

    /// Waits as [`Thread::wait_ready`] does, but a stop breaks it:
    /// [`Error::Stopped`](crate::Error::Stopped), which is also the error of a thread that was
    /// stopped itself before it was ready.
    ///
    /// Two bodies that wait in this way for each other wait until one is stopped.
    #[track_caller]
    pub fn wait_ready<T: Send>(&self, thread: &Thread<T>) -> BodyResult {
        self.wait_any_ready(thread.handle())
    }

    /// Waits for work as [`Self::wait_ready`] does for a thread.
    #[track_caller]
    pub fn wait_work_ready<T: Send>(&self, work: &Work<T>) -> BodyResult {
        self.wait_any_ready(work.handle())
    }

    #[track_caller]
    fn wait_any_ready<H: Host, T: Send>(&self, other: &Handle<H, T>) -> BodyResult {
        if !other.host().is_current() {
            let events = other.host().events();
            self.wait_by(NEVER, |until| {
                events.wait_breakable(Milestone::Ready, until)
            })?;
        }
        other.block().wait_ready()
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
