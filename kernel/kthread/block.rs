// SPDX-License-Identifier: GPL-2.0

//! The one block of memory that a thread and its owners share.
//!
//! It holds the closure until the thread takes it, and the result until the owner takes it. Both
//! sit in a [`Slot`] under a lock: what is moved out of it is moved out once, so neither can be
//! run, dropped or handed over twice, whoever comes first.

use crate::{
    error::{
        Error,
        Result, //
    },
    life::{
        Life,
        OwnEnd, //
    },
    net::Net,
    stop::Stop,
    task::Kthread, //
};
use core::mem;
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

/// Where closure and result of a thread are.
enum Slot<F, T> {
    /// The thread has not begun: the closure is still here.
    Waiting(F),
    /// The thread has the closure, and has not ended.
    Running,
    /// The result is here, for the first who takes it.
    Ended(Result<T>),
    /// The result is with the owner. What is left is why there was no value, if so.
    Taken(Option<Error>),
}

// What is in a slot is moved in and out, and never pinned where it lies.
impl<F, T> Unpin for Slot<F, T> {}

/// A thread's life, its closure of type `F`, and its result.
#[pin_data]
pub(crate) struct Block<F, T> {
    #[pin]
    life: Life<Kthread>,
    net: Arc<Net>,
    #[pin]
    hold: Mutex<Slot<F, T>>,
}

/// A thread of any type, as the net knows it.
pub(crate) trait Member: Send + Sync {
    /// Its life.
    fn life(&self) -> &Life<Kthread>;

    /// Waits until it is gone, but not where it waits for the caller. Whoever comes first cleans
    /// up.
    fn join(&self) -> core::result::Result<(), OwnEnd>;

    /// Leaves it to its net: nobody holds a handle to it any more.
    fn leave(&self);
}

/// A thread whose result is a `T`, as its handle knows it.
pub(crate) trait Joinable<T>: Member {
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
    pub(crate) fn new(net: Arc<Net>, body: F) -> kernel::error::Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Self {
                life <- Life::new(Kthread::new()),
                net,
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
    ) -> kernel::error::Result {
        let data = Arc::as_ptr(self).cast::<c_void>();
        // SAFETY: `run` takes a pointer to this type, and the caller keeps the block alive.
        unsafe { self.life.world().create(name, Self::run, data) }
    }

    /// The thread function.
    ///
    /// # Safety
    ///
    /// `data` must point to a block of this type that lives until the thread is gone.
    unsafe extern "C" fn run(data: *mut c_void) -> c_int {
        // SAFETY: By the safety requirements, and no longer than this function.
        let block = unsafe { &*data.cast::<Self>() };

        Kthread::listen();
        // Asked before it began: the closure stays where it is, for those who bury the thread.
        if !block.life.is_asked() {
            block.work();
        }
        block.life.end();
        // The result travels in the slot: this number tells nothing to anybody.
        0
    }

    /// Runs the body and puts its result down. The closure is dropped on the way.
    fn work(&self) {
        let Slot::Waiting(body) = mem::replace(&mut *self.hold.lock(), Slot::Running) else {
            return;
        };
        // SAFETY: The current thread is the one whose life this is, and `stop` is gone before
        // the thread is.
        let stop = unsafe { Stop::new(&self.life) };
        let result = body(&stop);
        *self.hold.lock() = Slot::Ended(result);
    }

    /// Takes back a closure that never ran.
    fn settle(&self) -> Option<F> {
        let mut slot = self.hold.lock();
        match mem::replace(&mut *slot, Slot::Ended(Err(Error::Stopped))) {
            Slot::Waiting(body) => Some(body),
            other => {
                *slot = other;
                None
            }
        }
    }
}

impl<F, T> Member for Block<F, T>
where
    F: FnOnce(&Stop) -> Result<T> + Send + 'static,
    T: Send + 'static,
{
    fn life(&self) -> &Life<Kthread> {
        &self.life
    }

    fn join(&self) -> core::result::Result<(), OwnEnd> {
        self.net.begin_wait(&self.life)?;
        let joined = self.life.join(|| {
            let unrun = self.settle();
            self.net.remove(&self.life);
            // The closure may hold the last reference to its own scope, whose drop comes back
            // here: it must find the thread gone.
            move || drop(unrun)
        });
        self.net.end_wait();
        joined
    }

    fn leave(&self) {
        self.net.leave(&self.life);
    }
}

impl<F, T> Joinable<T> for Block<F, T>
where
    F: FnOnce(&Stop) -> Result<T> + Send + 'static,
    T: Send + 'static,
{
    fn take(&self) -> Option<Result<T>> {
        let mut slot = self.hold.lock();
        match mem::replace(&mut *slot, Slot::Taken(None)) {
            Slot::Ended(result) => {
                *slot = Slot::Taken(result.as_ref().err().copied());
                Some(result)
            }
            other => {
                *slot = other;
                None
            }
        }
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
