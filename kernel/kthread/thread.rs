// SPDX-License-Identifier: GPL-2.0

//! The handle of a thread.

use crate::{
    block::Joinable,
    error::{
        Error,
        Result, //
    },
    handle::Handle,
    life::World,
    task::{
        Kthread,
        COMM_LEN, //
    }, //
};
use core::panic::Location;
use kernel::{
    sync::Arc,
    time::Delta, //
};

/// How a thread ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome<T> {
    /// Its body returned this value.
    Ended(T),
    /// It was stopped, perhaps before its body began to run.
    Stopped,
    /// Its body returned this error.
    Failed(kernel::error::Error),
    /// The thread is gone, and an earlier call took what it left.
    Taken,
    /// The wait would never have been over, and was not begun: the caller is the thread itself, or
    /// the thread waits for the end of the caller, be it by way of others. If a stop was part of
    /// the call, it has been asked for.
    Itself,
}

impl<T> From<Result<T>> for Outcome<T> {
    fn from(result: Result<T>) -> Self {
        match result {
            Ok(value) => Outcome::Ended(value),
            Err(Error::Stopped) => Outcome::Stopped,
            Err(Error::Failed(error)) => Outcome::Failed(error),
        }
    }
}

/// A thread whose body returns a `T`.
///
/// All methods may be called at any time, in any order, more than once and from several places at
/// once, whether the thread has not begun, runs, or has ended. They may sleep, as dropping it may,
/// unless they say otherwise or only look.
///
/// Dropping it stops and joins the thread. Leaking it leaves that to the [`Scope`](crate::Scope),
/// as [`Self::leave`] does.
///
/// Threads of one module may join each other in any way: of those that would wait in a ring, the
/// last is not let in, see [`Outcome::Itself`]. Over several modules nobody looks after that, and
/// nobody does where a [pause](Self::pause) or a wait until another [is ready](Self::wait_ready) is
/// part of the ring.
#[must_use = "the thread is stopped when its handle is dropped; see `Thread::leave`"]
pub struct Thread<T: Send + 'static>(Handle<Kthread, T>);

impl<T: Send + 'static> Thread<T> {
    pub(crate) fn new(block: Arc<dyn Joinable<Kthread, T>>) -> Self {
        Self(Handle::new(block))
    }

    pub(crate) fn handle(&self) -> &Handle<Kthread, T> {
        &self.0
    }

    pub(crate) fn kthread(&self) -> &Kthread {
        self.0.host()
    }

    /// Asks the thread to stop, and does not wait for it.
    ///
    /// All its waits return [`Stopped`](crate::Stopped) from now on; where somebody else is at
    /// stopping it, from when that one has got to it. Never sleeps, so it may be called in atomic
    /// context.
    ///
    /// # Examples
    ///
    /// ```
    /// # use kthread::{Outcome, Thread};
    /// # fn end(ports: &[Thread<u64>]) -> u64 {
    /// // All of them end side by side: that takes as long as the slowest does.
    /// ports.iter().for_each(Thread::ask_stop);
    /// let mut packets = 0;
    /// for port in ports {
    ///     if let Outcome::Ended(count) = port.join() {
    ///         packets += count;
    ///     }
    /// }
    /// # packets
    /// # }
    /// ```
    pub fn ask_stop(&self) {
        self.0.ask();
    }

    /// Asks the thread to stop, waits until it is gone, and returns how it ended.
    ///
    /// Where the body was on its way to return a value anyway, that is the outcome.
    ///
    /// # Examples
    ///
    /// ```
    /// # use kthread::{Outcome, Thread};
    /// # fn cancel(upload: &Thread<usize>) -> usize {
    /// // Whatever it is at: from here on it is no more, and neither is what it had.
    /// match upload.stop() {
    ///     Outcome::Ended(bytes) => bytes,
    ///     _ => 0,
    /// }
    /// # }
    /// ```
    pub fn stop(&self) -> Outcome<T> {
        self.0.stop()
    }

    /// Waits until the thread has ended by itself, and is gone; returns how it ended.
    ///
    /// It is no wait that a stop breaks: a body uses [`AnyStop::join`](crate::AnyStop::join).
    pub fn join(&self) -> Outcome<T> {
        self.0.join()
    }

    /// Waits as [`Self::join`] does, but for the given time at most: `None` if the thread has not
    /// ended by then. It goes on as it was, and may be joined or stopped later.
    ///
    /// It may take a few of the kernel's timer ticks longer, and is never shorter. Where the time
    /// is zero it only looks.
    ///
    /// # Examples
    ///
    /// ```
    /// # use kernel::time::Delta;
    /// # use kthread::{Outcome, Thread};
    /// # fn end(flush: Thread<u32>) -> Outcome<u32> {
    /// // A second to finish by itself, then it has to.
    /// let outcome = match flush.join_within(Delta::from_secs(1)) {
    ///     Some(outcome) => outcome,
    ///     None => flush.stop(),
    /// };
    /// # outcome
    /// # }
    /// ```
    pub fn join_within(&self, time: Delta) -> Option<Outcome<T>> {
        self.0.join_within(time)
    }

    /// Whether the body has ended. A [`Self::join`] is short then. Never sleeps.
    ///
    /// # Examples
    ///
    /// ```
    /// # use kthread::Thread;
    /// # fn show(upload: &Thread<()>) -> &'static str {
    /// // For a file in sysfs, say: whoever reads it does not want to wait.
    /// if upload.is_finished() { "done" } else { "uploading" }
    /// # }
    /// ```
    pub fn is_finished(&self) -> bool {
        self.kthread().life().is_ended()
    }

    /// Waits until the body has called [`ready`](crate::AnyStop::ready) or has returned a
    /// value.
    ///
    /// It is a killable wait. A stop breaks it where the caller is a body, too, but the log can't
    /// tell its line then: a body uses [`AnyStop::wait_ready`](crate::AnyStop::wait_ready). A
    /// [shield](crate::AnyStop::shield) does not hide the stop from it.
    ///
    /// If it ended before that without a value, this is its error, which [`Self::join`] gives as
    /// well. If the caller is killed or stopped while it waits:
    /// [`EINTR`](kernel::error::code::EINTR), and the thread is not affected. If the caller is the
    /// thread, and has not called `ready`: [`EDEADLK`](kernel::error::code::EDEADLK).
    ///
    /// # Examples
    ///
    /// ```
    /// # use kernel::prelude::*;
    /// # use kthread::{Builder, Scope, Stop};
    /// # fn open(scope: &Scope, calibrate: fn(&Stop) -> kthread::Result) -> kthread::Result {
    /// // Both calibrate side by side, and whoever opens the device waits for both.
    /// let left = Builder::new(fmt!("left")).spawn(scope, calibrate)?;
    /// let right = Builder::new(fmt!("right")).spawn(scope, calibrate)?;
    /// left.wait_ready()?;
    /// right.wait_ready()?;
    /// # left.leave();
    /// # right.leave();
    /// # Ok(())
    /// # }
    /// ```
    pub fn wait_ready(&self) -> Result {
        self.0.block().wait_ready()
    }

    /// In which line of its code the body waits in this library, if it does. It may have gone on
    /// since.
    pub fn waits_in(&self) -> Option<&'static Location<'static>> {
        self.0.waits_in()
    }

    /// How often the log has reported that the thread was asked to stop and has not ended. See
    /// [`Builder::report_after`](crate::Builder::report_after).
    pub fn stop_reports(&self) -> u32 {
        self.0.stop_reports()
    }

    /// The thread's process number, as `ps` shows it.
    pub fn pid(&self) -> i32 {
        self.kthread().pid()
    }

    /// The thread's name, as `ps` shows it: the first 15 bytes at most, then NULs.
    pub fn comm(&self) -> [u8; COMM_LEN] {
        self.kthread().comm()
    }

    /// Lets the thread run on without a handle, until its body returns or its scope ends.
    ///
    /// Its result is dropped by whoever next starts a thread of the module, or else by whoever
    /// ends the scope.
    ///
    /// # Examples
    ///
    /// ```
    /// # use kernel::prelude::*;
    /// # use kthread::{Builder, Scope, Stop};
    /// # struct Modem;
    /// # impl Modem {
    /// #     fn bring_up(&self, stop: &Stop) -> kthread::Result {
    /// #         Ok(stop.check()?)
    /// #     }
    /// # }
    /// # fn probe(scope: &Scope, modem: Modem) -> Result {
    /// // Ends when the modem is up; if that goes before, its scope does.
    /// Builder::new(fmt!("modem"))
    ///     .spawn(scope, move |stop| modem.bring_up(stop))?
    ///     .leave();
    /// # Ok(())
    /// # }
    /// ```
    pub fn leave(self) {
        self.0.leave();
    }
}
