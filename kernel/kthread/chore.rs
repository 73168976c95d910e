// SPDX-License-Identifier: GPL-2.0

//! Bodies that a workqueue calls again and again.

use crate::{
    anystop::AnyStop,
    block::{
        Block,
        Joinable, //
    },
    clock,
    error::Result,
    handle::Handle,
    item::Item,
    life::World,
    rounds::Queued,
    scope::Scope,
    thread::Outcome, //
};
use core::panic::Location;
use kernel::{
    sync::Arc,
    time::Delta, //
};

/// When the body of a [`Chore`] wants to be called again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// After the given time, or when somebody rings the [`Bell`].
    After(Delta),
    /// Not any more: the chore has ended.
    Never,
}

/// A work item that comes up again and again: when the time has come that its body named the last
/// time, and whenever somebody [rings](Bell::ring) for it.
///
/// It is for a device that is to be looked at every few seconds, and when it says so. Between two
/// calls there is no worker and no stack, so that it takes far less memory than a thread that
/// sleeps; a call may take its time, and wait, as that of a [`Work`](crate::Work) may. There is one
/// call at a time. What the body keeps from one to the next, its closure holds.
///
/// A stop breaks the waits of a call, and lets no other begin. A body that returns an error, or
/// [`Again::Never`], has ended. A chore belongs to a [`Scope`], and to drop the handle is to stop
/// it, which sleeps.
///
/// Times are counted in the kernel's timer ticks, rounded up, and are a million seconds (some
/// twelve days) at most. Where ticks come late and then in a row, as in a virtual machine that was
/// not given a CPU, one can be shorter by as much.
///
/// # Examples
///
/// ```
/// # use kernel::{prelude::*, sync::Arc, time::Delta};
/// # use kthread::{Again, AnyStop, Chore, Scope};
/// # struct Modem;
/// # impl Modem {
/// #     fn ask_and_tell(&self, stop: &AnyStop, seen: u32) -> kthread::Result<u32> {
/// #         stop.check()?;
/// #         Ok(seen)
/// #     }
/// # }
/// # fn example(scope: &Scope, modem: Arc<Modem>) -> Result {
/// let mut seen = 0;
/// let watch = Chore::start(scope, Delta::ZERO, move |stop| {
///     seen = modem.ask_and_tell(stop, seen)?;
///     Ok(Again::After(Delta::from_secs(5)))
/// })?;
/// let bell = watch.bell();
/// // In the handler of its interrupt: ask now.
/// bell.ring();
/// // … on disconnect, or by drop:
/// watch.stop();
/// # Ok(())
/// # }
/// ```
#[must_use = "the chore is stopped when its handle is dropped; see `Chore::leave`"]
pub struct Chore(Handle<Item, Again>);

impl Chore {
    pub(crate) fn handle(&self) -> &Handle<Item, Again> {
        &self.0
    }

    /// Has `body` called for the first time after the time `first`. It runs on `system_dfl_wq`, on
    /// any CPU. For each call it is moved to the worker's stack: what is large in it should be
    /// boxed.
    ///
    /// It belongs to `scope`, whose end is its end at the latest.
    ///
    /// Sleeps. Fails with `ENOMEM`, or with `ENODEV` if the scope has been dropped or the module is
    /// on its way out. `body` is dropped then.
    pub fn start<F>(scope: &Scope, first: Delta, body: F) -> kernel::error::Result<Self>
    where
        F: FnMut(&AnyStop) -> Result<Again> + Send + 'static,
    {
        let entry = Block::<Item, F, Again>::run_round;
        // SAFETY: The function is that of this type of block.
        let block = unsafe { Block::queue(scope, entry, true, clock::ticks(first), body)? };
        Ok(Self(Handle::new(block)))
    }

    /// The bell that has the body called before its time. Never sleeps.
    pub fn bell(&self) -> Bell {
        Bell(self.0.shared())
    }

    /// Asks the body to stop, and does not wait for it. Never sleeps.
    pub fn ask_stop(&self) {
        self.0.ask();
    }

    /// Asks the body to stop, waits until it is gone, and returns how it ended: with
    /// [`Again::Never`] if it had ended by itself. Sleeps, but not until the next call is due.
    pub fn stop(&self) -> Outcome<Again> {
        self.0.stop()
    }

    /// Waits until the body has ended by itself, and is gone; returns how it ended. Sleeps.
    ///
    /// It is no wait that a stop breaks: a body uses [`AnyStop::join_chore`].
    pub fn join(&self) -> Outcome<Again> {
        self.0.join()
    }

    /// Whether the body has ended. Only looks; a [`Self::join`] is short then.
    pub fn is_finished(&self) -> bool {
        self.0.host().life().is_ended()
    }

    /// In which line of its code the body waits in this library, if it does. It may have gone on
    /// since.
    pub fn waits_in(&self) -> Option<&'static Location<'static>> {
        self.0.waits_in()
    }

    /// How often the log has reported that the body was asked to stop and has not ended: that is
    /// so each time that ten seconds have passed.
    pub fn stop_reports(&self) -> u32 {
        self.0.stop_reports()
    }

    /// Lets it go on without a handle, until its body ends or its scope does. May sleep.
    pub fn leave(self) {
        self.0.leave();
    }
}

/// Has the body of a [`Chore`] called at once.
///
/// It may outlive the chore, and does nothing then. It is to be dropped where one may sleep.
#[derive(Clone)]
pub struct Bell(Arc<dyn Joinable<Item, Again>>);

impl Bell {
    /// Has the body called as soon as can be, and once more if it is being called now: what was
    /// done before the ring is seen by a call after it. Never sleeps; any context will do.
    ///
    /// A call that waits for a worker already queues anew: who rings without end while all workers
    /// are busy puts it off for as long.
    pub fn ring(&self) {
        self.0.host().hurry();
    }
}
