// SPDX-License-Identifier: GPL-2.0

//! The one block of memory that a thread and its owners share.
//!
//! It holds the closure until the thread takes it, and the result until the owner takes it, both
//! in a [`Slot`] under a lock.

use crate::{
    affinity::Affinity,
    branch::Branch,
    error::{
        Error,
        Result, //
    },
    life::{
        NotGone,
        Protocol,
        World, //
    },
    member::{
        Entry,
        Member, //
    },
    slot::Slot,
    stop::Stop,
    task::Kthread, //
};
use kernel::{
    ffi::{
        c_int,
        c_void, //
    },
    fmt,
    new_mutex,
    prelude::*,
    sync::{
        Arc,
        Mutex, //
    }, //
};

/// A thread, its closure of type `F`, and its result.
#[pin_data]
pub(crate) struct Block<F, T> {
    #[pin]
    kthread: Kthread,
    entry: Entry,
    #[pin]
    hold: Mutex<Slot<F, T, Error>>,
}

/// A thread whose result is a `T`, as its handle knows it.
pub(crate) trait Joinable<T>: Member {
    /// The thread itself.
    fn kthread(&self) -> &Kthread;

    /// [`Member::join`], but gives up when the [clock](crate::clock) shows the time.
    fn join_until(&self, deadline: i64) -> core::result::Result<(), NotGone>;

    /// Takes the result, if it is there and has not been taken.
    fn take(&self) -> Option<Result<T>>;

    /// Why the thread ended without a value, if it did. To be called when it has ended.
    fn failure(&self) -> Option<Error>;
}

impl<F, T> Block<F, T>
where
    F: FnOnce(&Stop) -> Result<T> + Send + 'static,
    T: Send + 'static,
{
    pub(crate) fn new(scope: Arc<Branch>, body: F) -> kernel::error::Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Self {
                kthread <- Kthread::new(),
                entry: Entry::new(scope),
                hold <- new_mutex!(Slot::Waiting(body), "kthread::Block::hold"),
            }),
            GFP_KERNEL,
        )
    }

    /// Makes the task, which does not run yet.
    ///
    /// # Safety
    ///
    /// The block must live until the thread is gone.
    pub(crate) unsafe fn create(
        self: &Arc<Self>,
        name: fmt::Arguments<'_>,
        affinity: Affinity<'_>,
    ) -> kernel::error::Result {
        let data = Arc::as_ptr(self).cast::<c_void>();
        // SAFETY: `run` takes a pointer to this type, and the caller keeps the block alive.
        unsafe { self.kthread.create(name, affinity, Self::run, data) }
    }

    /// The thread function.
    ///
    /// # Safety
    ///
    /// `data` must point to a block of this type that lives until the thread is gone.
    unsafe extern "C" fn run(data: *mut c_void) -> c_int {
        // SAFETY: By the safety requirements, and no longer than this function.
        let block = unsafe { &*data.cast::<Self>() };

        block.kthread.run(|| block.work());
        // The result travels in the slot: this number tells nothing to anybody.
        0
    }

    /// Runs the body and puts its result down. The closure is dropped on the way.
    fn work(&self) {
        let Some(body) = self.hold.lock().begin() else {
            return;
        };
        // SAFETY: The current thread is this one, and `stop` is gone before it is.
        let stop = unsafe { Stop::new(&self.kthread) };
        let result = body(&stop);
        self.hold.lock().end(result);
    }

    /// What is left to do for a thread that is gone. What is returned comes last.
    fn settle(&self) -> impl FnOnce() {
        let unrun = self.hold.lock().settle(Error::Stopped);
        self.entry.net().remove(&self.entry);
        // The closure may hold the last reference to its own scope, whose drop comes back here: it
        // must find the thread gone.
        move || drop(unrun)
    }
}

impl<F, T> Member for Block<F, T>
where
    F: FnOnce(&Stop) -> Result<T> + Send + 'static,
    T: Send + 'static,
{
    fn entry(&self) -> &Entry {
        &self.entry
    }

    fn ask(&self) {
        self.kthread.ask();
    }

    fn is_ended(&self) -> bool {
        self.kthread.life().is_ended()
    }

    fn is_current(&self) -> bool {
        self.kthread.is_current()
    }

    fn join(&self) -> core::result::Result<(), NotGone> {
        let _waits = self.entry.net().begin_wait(self)?;
        self.kthread.join(|| self.settle())
    }
}

impl<F, T> Joinable<T> for Block<F, T>
where
    F: FnOnce(&Stop) -> Result<T> + Send + 'static,
    T: Send + 'static,
{
    fn kthread(&self) -> &Kthread {
        &self.kthread
    }

    fn join_until(&self, deadline: i64) -> core::result::Result<(), NotGone> {
        self.entry.net().check_wait(self)?;
        self.kthread.join_until(deadline, || self.settle())
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
