// SPDX-License-Identifier: GPL-2.0

//! Bodies that run on a workqueue.

use crate::{
    anystop::AnyStop,
    block::Block,
    error::Result,
    handle::Handle,
    item::Item,
    life::World,
    scope::Scope,
    thread::Outcome, //
};
use core::panic::Location;
use kernel::time::Delta;

/// A work item whose body returns a `T`.
///
/// It is to a workqueue what a [`Thread`](crate::Thread) is to a task of its own: the body ends by
/// itself, or its owner stops it, and then the wait that it is in returns
/// [`Stopped`](crate::Stopped), though it sleeps in a worker that the kernel shares among all.
/// Work that is stopped before a worker has got to it is taken out of the queue, and its body
/// dropped. Everything that a thread's handle promises holds here too, and a work item belongs to a
/// [`Scope`] in the same way.
///
/// # Which of the two
///
/// A worker is there already: to queue an item costs a fraction of what it costs to start a thread.
/// So it is for work that is done soon, and comes often. On the other hand:
///
/// - A worker has no name of one's own in `ps`, no priority and no CPU.
/// - The body gets an [`AnyStop`], not a [`Stop`](crate::Stop). What a stop can't break in a worker
///   is not to be had: requests for firmware, and all else that the kernel waits for *killably*.
///   A signal that breaks such a wait can't be sent to a worker, since it would be left there for
///   the next in line.
/// - The kernel starts a worker for each item that sleeps, and keeps it for minutes. Bodies that
///   sleep for long, or for ever, are better off in a thread, or are a [`Chore`](crate::Chore),
///   which has no worker while there is nothing to do.
/// - Memory may be so short that there is no worker to be had: nothing that frees memory may wait
///   for such work.
///
/// # Examples
///
/// ```
/// # use kernel::{prelude::*, sync::Arc};
/// # use kthread::{AnyStop, Scope, Work};
/// # struct Modem;
/// # impl Modem {
/// #     fn query_speed(&self, stop: &AnyStop) -> kthread::Result<u32> {
/// #         stop.check()?;
/// #         Ok(8064)
/// #     }
/// # }
/// # fn example(scope: &Scope, modem: Arc<Modem>) -> Result {
/// // A modem says in an interrupt that its line has changed: ask it for the speed.
/// let query = Work::queue(scope, move |stop| modem.query_speed(stop))?;
/// // … on disconnect, or by drop:
/// query.stop();
/// # Ok(())
/// # }
/// ```
#[must_use = "the work is stopped when its handle is dropped; see `Work::leave`"]
pub struct Work<T: Send + 'static>(Handle<Item, T>);

impl<T: Send + 'static> Work<T> {
    /// Queues `body` on the kernel's workqueue for work of any kind on any CPU, `system_dfl_wq`.
    /// It is called once, unless it is stopped before, in which case it is dropped by whoever waits
    /// for it.
    ///
    /// It belongs to `scope`, whose end is its end at the latest.
    ///
    /// Sleeps. Fails with `ENOMEM`, or with `ENODEV` if the scope has been dropped or the module is
    /// on its way out. `body` is dropped then.
    pub fn queue<F>(scope: &Scope, body: F) -> kernel::error::Result<Self>
    where
        F: FnOnce(&AnyStop) -> Result<T> + Send + 'static,
    {
        let entry = Block::<Item, F, T>::run_item;
        // SAFETY: The function is that of this type of block.
        let block = unsafe { Block::queue(scope, entry, false, 0, body)? };
        Ok(Self(Handle::new(block)))
    }

    pub(crate) fn handle(&self) -> &Handle<Item, T> {
        &self.0
    }

    fn item(&self) -> &Item {
        self.0.host()
    }

    /// Asks the body to stop, and does not wait for it.
    ///
    /// All its waits return [`Stopped`](crate::Stopped) from now on. Never sleeps, so it may be
    /// called in atomic context.
    pub fn ask_stop(&self) {
        self.0.ask();
    }

    /// Asks the body to stop, waits until it is gone, and returns how it ended.
    ///
    /// Where it was on its way to return a value anyway, that is the outcome.
    pub fn stop(&self) -> Outcome<T> {
        self.0.stop()
    }

    /// Waits until the body has ended by itself, and is gone; returns how it ended.
    ///
    /// It is no wait that a stop breaks: a body uses [`AnyStop::join_work`].
    pub fn join(&self) -> Outcome<T> {
        self.0.join()
    }

    /// Waits as [`Self::join`] does, but for the given time at most: `None` if the body has not
    /// ended by then. It goes on as it was, and may be joined or stopped later.
    pub fn join_within(&self, time: Delta) -> Option<Outcome<T>> {
        self.0.join_within(time)
    }

    /// Whether the body has ended. A [`Self::join`] is short then.
    pub fn is_finished(&self) -> bool {
        self.item().life().is_ended()
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

    /// Waits until the body has called [`AnyStop::ready`] or has returned a value, as
    /// [`Thread::wait_ready`](crate::Thread::wait_ready) does. A body uses
    /// [`AnyStop::wait_work_ready`].
    pub fn wait_ready(&self) -> Result {
        self.0.block().wait_ready()
    }

    /// Lets the work go on without a handle, until its body returns or its scope ends.
    ///
    /// Its result is dropped by whoever next starts a thread or queues work of the module, by the
    /// next call of a chore of it, or else by whoever ends the scope.
    pub fn leave(self) {
        self.0.leave();
    }
}
