// SPDX-License-Identifier: GPL-2.0

//! The one block of memory that a thread, or a work item, and its owners share.
//!
//! It holds the closure until the thread takes it, and the result until the owner takes it, both
//! in a [`Slot`] under a lock.

use crate::{
    anystop::AnyStop,
    branch::Branch,
    builder::Builder,
    chore::Again,
    clock,
    error::{
        Error,
        Result, //
    },
    host::Host,
    item::{
        Entry as ItemEntry,
        Item, //
    },
    life::{
        Milestone,
        NotGone,
        Protocol, //
    },
    member::{
        Entry,
        Member, //
    },
    net::Waits,
    rounds::{
        Queued,
        Rounds, //
    },
    scope::Scope,
    slot::Slot,
    stop::Stop,
    task::Kthread,
    thread::Outcome, //
};
use kernel::{
    bindings,
    container_of,
    fmt,
    new_mutex,
    prelude::*,
    sync::{
        Arc,
        Mutex, //
    },
    time::Jiffies, //
};

/// What runs a body, its closure of type `F`, and its result.
#[pin_data]
pub(crate) struct Block<H, F, T> {
    #[pin]
    host: H,
    entry: Entry,
    #[pin]
    hold: Mutex<Slot<F, T, Error>>,
}

/// A body whose result is a `T`, as its handle knows it.
pub(crate) trait Joinable<H: Host, T>: Member {
    /// What runs it.
    fn host(&self) -> &H;

    /// Waits until it has said that it is ready, or has left a value. If it ended without, this is
    /// why. [`EINTR`] if the caller was killed, [`EDEADLK`] if it is the body, and not ready.
    fn wait_ready(&self) -> Result;

    /// Notes that the caller waits for its end until what is returned is dropped, or it is asked to
    /// stop itself. See [`Net::begin_wait`](crate::net::Net::begin_wait).
    fn begin_wait(&self) -> core::result::Result<Option<Waits<'_>>, NotGone>;

    /// Whether the caller may wait for its end, for a time.
    fn check_wait(&self) -> core::result::Result<(), NotGone>;

    /// [`Member::join`], but gives up when the [clock](crate::clock) shows the time.
    fn join_until(&self, deadline: i64) -> core::result::Result<(), NotGone>;

    /// Takes the result, if it is there and has not been taken.
    fn take(&self) -> Option<Result<T>>;

    /// Why the thread ended without a value, if it did. To be called when it has ended.
    fn failure(&self) -> Option<Error>;

    /// Waits until it is gone; how it ended.
    fn finish(&self) -> Outcome<T> {
        self.join().map_or(Outcome::Itself, |()| self.outcome())
    }

    /// Asks it to stop, and waits until it is gone; how it ended.
    fn stop_and_finish(&self) -> Outcome<T> {
        self.stop().map_or(Outcome::Itself, |()| self.outcome())
    }

    /// How it ended, when it is gone.
    fn outcome(&self) -> Outcome<T> {
        self.take().map_or(Outcome::Taken, Outcome::from)
    }

    /// Nobody has a handle any more: stops it. If it is the caller, or waits for the caller, its
    /// scope waits for it.
    fn give_up(&self) {
        if self.host().life().is_gone() {
            return;
        }
        if self.stop().is_err() {
            self.entry().leave();
        }
    }
}

impl<H, F, T> Block<H, F, T>
where
    H: Host,
    F: FnOnce(&H::Stop) -> Result<T> + Send + 'static,
    T: Send + 'static,
{
    pub(crate) fn new(
        host: impl PinInit<H>,
        scope: Arc<Branch>,
        body: F,
    ) -> kernel::error::Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Self {
                host <- host,
                entry: Entry::new(scope),
                hold <- new_mutex!(Slot::Waiting(body), "kthread::Block::hold"),
            }),
            GFP_KERNEL,
        )
    }

    /// Runs the body and puts its result down. The closure is dropped on the way.
    fn work(&self) {
        let Some(body) = self.hold.lock().begin() else {
            return;
        };
        // SAFETY: Only a host's own function calls this, in the task that the host is; `stop` is
        // gone before the host is.
        let stop = unsafe { self.host.stop() };
        let result = body(&stop);
        self.hold.lock().end(result);
    }

    /// Has it watched whether the stop takes too long that was asked for.
    fn watch_stop(&self) {
        if !self.is_ended() {
            self.host.watch().begin(self.entry.net().lookout());
        }
    }

    /// What is left to do when the host is gone. What is returned comes last.
    fn settle(&self) -> impl FnOnce() {
        let unrun = self.hold.lock().settle(Error::Stopped);
        self.entry.net().remove(&self.entry);
        // The closure may hold the last reference to its own scope, whose drop comes back here: it
        // must find the host gone.
        move || drop(unrun)
    }
}

impl<F, T> Block<Kthread, F, T>
where
    F: FnOnce(&Stop) -> Result<T> + Send + 'static,
    T: Send + 'static,
{
    /// Makes the task, which does not run yet.
    ///
    /// # Safety
    ///
    /// The block must live until the thread is gone.
    pub(crate) unsafe fn create(self: &Arc<Self>, builder: &Builder<'_>) -> kernel::error::Result {
        let block = Arc::as_ptr(self);
        // SAFETY: The caller keeps the block alive.
        unsafe { builder.make(&raw const (*block).host) }
    }

    /// What the thread runs.
    ///
    /// # Safety
    ///
    /// `kthread` must be that in a block of this type, which lives until the thread is gone.
    pub(crate) unsafe fn run(kthread: *const Kthread) {
        // SAFETY: By the safety requirements, and no longer than this function.
        let block = unsafe { &*container_of!(kthread, Self, host) };

        block.host.run(|| block.work());
    }
}

impl<F, T> Block<Item, F, T>
where
    F: FnOnce(&AnyStop) -> Result<T> + Send + 'static,
    T: Send + 'static,
{
    /// Queues a work item of the given scope, which runs in so many ticks. Its `entry` is called in
    /// each round, and there may be others after the first if it `recurs`.
    ///
    /// # Safety
    ///
    /// `entry` must accept the item in a block of this type.
    pub(crate) unsafe fn queue(
        scope: &Scope,
        entry: ItemEntry,
        recurs: bool,
        ticks: Jiffies,
        body: F,
    ) -> kernel::error::Result<Arc<Self>> {
        let net = scope.branch().net();
        net.sweep();

        // SAFETY: `entry` may be called for the item in a block. Until `add` this function holds
        // the block, and if that fails, it buries the item. After that the net keeps the block
        // until somebody has buried it.
        let host = unsafe { Item::new(entry, recurs) };
        let block = Self::new(host, scope.branch().clone(), body)?;
        if let Err(error) = net.add(block.clone()) {
            let _ = block.stop();
            return Err(error);
        }
        block.host.queue(ticks);
        Ok(block)
    }

    /// The work item's function.
    ///
    /// # Safety
    ///
    /// `work` must be that of the item in a block of this type, which lives until the item is gone.
    pub(crate) unsafe extern "C" fn run_item(work: *mut bindings::work_struct) {
        // SAFETY: By the safety requirements, and no longer than this function.
        let block = unsafe { &*container_of!(Item::from_work(work), Self, host) };

        block.host.round(|| {
            block.work();
            None
        });
    }
}

impl<F> Block<Item, F, Again>
where
    F: FnMut(&AnyStop) -> Result<Again> + Send + 'static,
{
    /// The function of a work item that recurs.
    ///
    /// # Safety
    ///
    /// `work` must be that of the item in a block of this type, which lives until the item is gone.
    pub(crate) unsafe extern "C" fn run_round(work: *mut bindings::work_struct) {
        // SAFETY: By the safety requirements, and no longer than this function.
        let block = unsafe { &*container_of!(Item::from_work(work), Self, host) };

        block.host.round(|| block.round());
    }

    /// Runs the body once more. Returns in how many ticks it is to be run again; if it is not, its
    /// result has been put down, and the closure dropped on the way.
    fn round(&self) -> Option<Jiffies> {
        let mut body = self.hold.lock().begin()?;
        // A chore may be all that a module still has, beside a thread that started it and ended.
        self.entry.net().sweep();
        // SAFETY: Only the item's own function calls this, in the task that runs it; `stop` is gone
        // before the item is.
        let stop = unsafe { self.host.stop() };
        match body(&stop) {
            Ok(Again::After(time)) => {
                self.hold.lock().wait(body);
                Some(clock::ticks(time))
            }
            last => {
                drop(body);
                self.hold.lock().end(last);
                None
            }
        }
    }
}

impl<H, F, T> Member for Block<H, F, T>
where
    H: Host,
    F: FnOnce(&H::Stop) -> Result<T> + Send + 'static,
    T: Send + 'static,
{
    fn entry(&self) -> &Entry {
        &self.entry
    }

    fn ask(&self) {
        if self.host.ask() {
            self.watch_stop();
        }
    }

    fn is_asked(&self) -> bool {
        self.host.life().is_asked()
    }

    fn is_ended(&self) -> bool {
        self.host.life().is_ended()
    }

    fn is_current(&self) -> bool {
        self.host.is_current()
    }

    fn look(&self) -> Option<Jiffies> {
        if self.is_ended() {
            return None;
        }
        let name = Name {
            host: &self.host,
            body: core::any::type_name::<F>(),
        };
        self.host
            .watch()
            .look(name, self.host.site(), || self.host.show_stack())
    }

    fn join(&self) -> core::result::Result<(), NotGone> {
        if self.host.life().is_gone() {
            return Ok(());
        }
        let _waits = self.entry.net().begin_wait(self, false)?;
        self.host.join(|| self.settle())
    }

    fn stop(&self) -> core::result::Result<(), NotGone> {
        self.host.stop_by(|first| {
            if first {
                self.watch_stop();
            }
            self.join()
        })
    }
}

impl<H, F, T> Joinable<H, T> for Block<H, F, T>
where
    H: Host,
    F: FnOnce(&H::Stop) -> Result<T> + Send + 'static,
    T: Send + 'static,
{
    fn host(&self) -> &H {
        &self.host
    }

    fn wait_ready(&self) -> Result {
        let life = self.host.life();
        if !life.is_ready() {
            if self.host.is_current() {
                return Err(EDEADLK.into());
            }
            self.host.events().wait_killable(Milestone::Ready)?;
        }
        if life.is_ready() {
            return Ok(());
        }
        // It has ended without a word: that is all right if it left a value.
        self.failure().map_or(Ok(()), Err)
    }

    fn begin_wait(&self) -> core::result::Result<Option<Waits<'_>>, NotGone> {
        self.entry.net().begin_wait(self, true)
    }

    fn check_wait(&self) -> core::result::Result<(), NotGone> {
        self.entry.net().check_wait(self)
    }

    fn join_until(&self, deadline: i64) -> core::result::Result<(), NotGone> {
        self.check_wait()?;
        self.host.join_until(deadline, || self.settle())
    }

    fn take(&self) -> Option<Result<T>> {
        self.hold.lock().take()
    }

    fn failure(&self) -> Option<Error> {
        match &*self.hold.lock() {
            Slot::Ended(Err(error)) | Slot::Taken(Some(error)) => Some(*error),
            // Asked to stop before it ran, and not yet cleaned up.
            Slot::Waiting(_) => Some(Error::Stopped),
            _ => None,
        }
    }
}

/// By what name the log calls the host.
struct Name<'a, H> {
    host: &'a H,
    body: &'static str,
}

impl<H: Host> fmt::Display for Name<'_, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.host.name(self.body, f)
    }
}
