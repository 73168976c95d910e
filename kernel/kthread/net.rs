// SPDX-License-Identifier: GPL-2.0

//! The net under a module: every thread that has been started for it and is not gone.
//!
//! A scope stops its threads when it is dropped, but safe code may leak a scope. So each thread
//! is also known here, and [`ModuleScope`](crate::ModuleScope), which lives in the module's own
//! memory and therefore can't be leaked, empties the net before the module's code goes.

use crate::{
    branch::Branch,
    leftover::Leftovers,
    life::NotGone,
    lookout::Lookout,
    member::{
        Awaited,
        Entry,
        Member,
        Threads, //
    },
    task, //
};
use kernel::{
    bindings,
    container_of,
    new_mutex,
    prelude::*,
    sync::{
        atomic::{
            Acquire,
            AtomicFlag,
            Release, //
        },
        Arc,
        Mutex, //
    }, //
};

/// All threads of one module.
///
/// # Invariants
///
/// A thread that has been woken and is not gone is in `threads`, which keeps its block alive.
#[pin_data]
pub(crate) struct Net {
    module: usize,
    #[pin]
    threads: Mutex<Threads>,
    /// Whether a thread was ever left: else there are none to be swept up.
    left: AtomicFlag,
    #[pin]
    lookout: Lookout,
    #[pin]
    leftovers: Leftovers,
}

impl Net {
    /// A net without threads, for the given module.
    pub(crate) fn new(module: usize) -> Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Self {
                module,
                left: AtomicFlag::new(false),
                threads <- new_mutex!(Threads::default(), "kthread::Net::threads"),
                // SAFETY: The function takes the lookout of a net, as this one is.
                lookout <- unsafe { Lookout::new(Self::look) },
                leftovers <- Leftovers::new(),
            }),
            GFP_KERNEL,
        )
    }

    /// The address of the module's `struct module`: a name only, never followed.
    pub(crate) fn module(&self) -> usize {
        self.module
    }

    /// What guards the notes about each thread.
    pub(crate) fn threads(&self) -> &Mutex<Threads> {
        &self.threads
    }

    /// What is told when a thread is asked to stop.
    pub(crate) fn lookout(&self) -> &Lookout {
        &self.lookout
    }

    /// What is no thread and has to end too.
    pub(crate) fn leftovers(&self) -> &Leftovers {
        &self.leftovers
    }

    /// Looks for threads that should have ended by now.
    ///
    /// # Safety
    ///
    /// `work` must be what the lookout of a net calls its function with. The net must live, which
    /// it does until the lookout has been dropped with it.
    unsafe extern "C" fn look(work: *mut bindings::work_struct) {
        // SAFETY: By the safety requirements.
        let net = unsafe { &*container_of!(Lookout::of_work(work), Self, lookout) };
        let next = net
            .threads
            .lock()
            .iter()
            .filter_map(|member| member.look())
            .min();
        if let Some(next) = next {
            net.lookout.look_within(next);
        }
    }

    /// Takes a thread in, before it is woken. [`ENODEV`] once its scope is closed.
    #[inline(never)]
    pub(crate) fn add(&self, member: Arc<dyn Member>) -> Result {
        self.threads.lock().push(member)
    }

    /// Lets a thread go that is gone.
    #[inline(never)]
    pub(crate) fn remove(&self, entry: &Entry) {
        let member = self.threads.lock().unlink(entry);
        // Dropped without the lock, though the caller has a reference too.
        drop(member);
    }

    /// Notes that the caller waits for the end of the thread, until what is returned is dropped: is
    /// it no thread of the net, there is nothing to note.
    ///
    /// Where a stop of the caller breaks the wait, it is `breakable`. Refused as by
    /// [`Self::check_wait`].
    #[inline]
    pub(crate) fn begin_wait(
        &self,
        member: &dyn Member,
        breakable: bool,
    ) -> core::result::Result<Option<Waits<'_>>, NotGone> {
        if task::is_of_kernel() {
            self.note_wait(member, breakable)
        } else {
            Ok(None)
        }
    }

    /// Notes it for a caller that is a task of the kernel's.
    #[inline(never)]
    fn note_wait(
        &self,
        member: &dyn Member,
        breakable: bool,
    ) -> core::result::Result<Option<Waits<'_>>, NotGone> {
        let mut threads = self.threads.lock();
        threads.check_wait(member)?;
        let caller = threads.iter().find(|member| member.is_current()).cloned();
        if let Some(caller) = &caller {
            // INVARIANT: Nothing leads from the other thread to this one, as was checked.
            let name = member.entry().name();
            let awaited = Awaited { name, breakable };
            caller.entry().set_awaits(&mut threads, Some(awaited));
        }
        Ok(caller.map(|caller| Waits { net: self, caller }))
    }

    /// Whether the caller may wait for the end of the thread, for a time.
    ///
    /// Refused where that thread is the caller or waits for the caller, or for one that does.
    /// Threads of other modules are not looked at.
    #[inline(never)]
    pub(crate) fn check_wait(&self, member: &dyn Member) -> core::result::Result<(), NotGone> {
        if !task::is_of_kernel() {
            return Ok(());
        }
        self.threads.lock().check_wait(member)
    }

    /// How many threads on the branch are not gone.
    #[inline(never)]
    pub(crate) fn count(&self, branch: &Branch) -> usize {
        self.threads.lock().iter().filter(on(branch)).count()
    }

    /// Asks all threads on the branch to stop. Does not wait for them.
    #[inline(never)]
    pub(crate) fn ask(&self, branch: &Branch) {
        let threads = self.threads.lock();
        threads
            .iter()
            .filter(on(branch))
            .for_each(|member| member.ask());
    }

    /// Lets no new threads on the branch, then stops and joins all that are there.
    #[inline(never)]
    pub(crate) fn close(&self, branch: &Branch) {
        branch.close(&mut self.threads.lock());
        self.clear(branch);
    }

    /// Stops and joins all threads on the branch: asks all, then waits for each.
    ///
    /// Of a caller that is one of them, and of those who wait for the caller, the end is not
    /// awaited: they are asked to stop too, and left to the module.
    #[inline(never)]
    pub(crate) fn clear(&self, branch: &Branch) {
        self.ask(branch);
        while let Some(member) = self.find_other_or_leave(branch) {
            // It may have been started since, by one of the others.
            //
            // When this returns it is out of the net, or it waits for the caller and is not found
            // again, so the loop comes to an end.
            let _ = member.stop();
        }
    }

    /// A thread on the branch whose end the caller can wait for. Where there is none any more, the
    /// others are asked to stop and left.
    fn find_other_or_leave(&self, branch: &Branch) -> Option<Arc<dyn Member>> {
        let threads = self.threads.lock();
        let found = threads.find_other(on(branch));
        if found.is_none() {
            for member in threads.iter().filter(on(branch)) {
                // It too may have been started since.
                member.ask();
                member.entry().leave();
            }
        }
        found.cloned()
    }

    /// Notes that [`Self::sweep`] has something to look for.
    pub(crate) fn note_left(&self) {
        self.left.store(true, Release);
    }

    /// Cleans up after threads that have ended and have no handle.
    #[inline]
    pub(crate) fn sweep(&self) {
        if self.left.load(Acquire) {
            self.sweep_up();
        }
    }

    #[inline(never)]
    fn sweep_up(&self) {
        let over = |member: &&Arc<dyn Member>| member.entry().is_left() && member.is_ended();
        let find = || self.threads.lock().find_other(over).cloned();
        while let Some(member) = find() {
            let _ = member.join();
        }
    }
}

/// A wait of a thread of the net that goes on.
pub(crate) struct Waits<'a> {
    net: &'a Net,
    caller: Arc<dyn Member>,
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.caller
            .entry()
            .set_awaits(&mut self.net.threads.lock(), None);
    }
}

/// Whether a thread is on the branch.
fn on(branch: &Branch) -> impl Fn(&&Arc<dyn Member>) -> bool + '_ {
    |member| member.entry().branch().is_on(branch)
}
