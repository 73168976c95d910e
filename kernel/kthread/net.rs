// SPDX-License-Identifier: GPL-2.0

//! The net under a module: every thread that has been started for it and is not gone.
//!
//! A scope stops its threads when it is dropped, but safe code may leak a scope. So each thread
//! is also known here, and [`ModuleScope`](crate::ModuleScope), which lives in the module's own
//! memory and therefore can't be leaked, empties the net before the module's code goes.

use crate::{
    block::Member,
    life::{
        NotGone,
        Protocol,
        World, //
    },
    task::Kthread, //
};
use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        Arc,
        Mutex, //
    }, //
};

/// Names a scope within its net.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct ScopeId(u64);

/// Names a thread: its address, never followed.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Name(usize);

impl Name {
    fn of(kthread: &Kthread) -> Self {
        Self(core::ptr::from_ref(kthread).addr())
    }
}

/// A thread in the net.
struct Entry {
    scope: ScopeId,
    /// No handle is left: it is cleaned up in passing, once it has ended.
    left: bool,
    /// Whose end it waits for. That one's block is alive meanwhile, so the name is its own.
    awaits: Option<Name>,
    member: Arc<dyn Member>,
}

impl Entry {
    fn is_current(&self) -> bool {
        self.member.kthread().is_current()
    }
}

/// What a net holds.
///
/// # Invariants
///
/// Who follows [`Entry::awaits`] from thread to thread never comes to the same one twice.
struct Threads {
    open: bool,
    scopes: u64,
    entries: KVec<Entry>,
}

impl Threads {
    fn find(&self, name: Name) -> Option<&Entry> {
        self.entries
            .iter()
            .find(|entry| Name::of(entry.member.kthread()) == name)
    }

    /// Whether the thread is the caller, or waits for the caller's end, be it by way of others.
    fn awaits_caller<'a>(&'a self, mut entry: &'a Entry) -> bool {
        // Comes to an end by the type invariants.
        while !entry.is_current() {
            match entry.awaits.and_then(|name| self.find(name)) {
                Some(next) => entry = next,
                None => return false,
            }
        }
        true
    }
}

/// All threads of one module.
///
/// # Invariants
///
/// A thread that has been woken and is not gone has an entry, which keeps its block alive.
#[pin_data]
pub(crate) struct Net {
    module: usize,
    #[pin]
    threads: Mutex<Threads>,
}

impl Net {
    /// A net without threads, for the given module.
    pub(crate) fn new(module: usize) -> Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Self {
                module,
                threads <- new_mutex!(
                    Threads { open: true, scopes: 0, entries: KVec::new() },
                    "kthread::Net::threads"
                ),
            }),
            GFP_KERNEL,
        )
    }

    /// The address of the module's `struct module`: a name only, never followed.
    pub(crate) fn module(&self) -> usize {
        self.module
    }

    /// Stops and joins all threads, and lets no new ones in. To be called by none of the threads.
    #[inline(never)]
    pub(crate) fn close(&self) {
        self.threads.lock().open = false;
        self.clear(|_| true);
    }

    /// A name for one more scope.
    #[inline(never)]
    pub(crate) fn new_scope(&self) -> ScopeId {
        let mut threads = self.threads.lock();
        threads.scopes += 1;
        ScopeId(threads.scopes)
    }

    /// Takes a thread in, before it is woken. [`ENODEV`] once the net is closed.
    #[inline(never)]
    pub(crate) fn add(&self, scope: ScopeId, member: Arc<dyn Member>) -> Result {
        let mut threads = self.threads.lock();
        if !threads.open {
            return Err(ENODEV);
        }
        // INVARIANT: It waits for nobody yet.
        let entry = Entry {
            scope,
            left: false,
            awaits: None,
            member,
        };
        Ok(threads.entries.push(entry, GFP_KERNEL)?)
    }

    /// Lets a thread go that is gone.
    #[inline(never)]
    pub(crate) fn remove(&self, kthread: &Kthread) {
        // The caller got `kthread` from the block and still has that: none of these is the last
        // reference to it, so nothing of the body's is dropped under the lock.
        self.threads
            .lock()
            .entries
            .retain(|entry| !core::ptr::eq(entry.member.kthread(), kthread));
    }

    /// Notes that the caller waits for the end of the thread, until [`Self::end_wait`].
    ///
    /// Refused where that thread is the caller or waits for the caller, or for one that does.
    /// Threads of other modules are not looked at.
    #[inline(never)]
    pub(crate) fn begin_wait(&self, kthread: &Kthread) -> core::result::Result<(), NotGone> {
        let mut threads = self.threads.lock();
        let name = Name::of(kthread);
        if threads
            .find(name)
            .is_some_and(|entry| threads.awaits_caller(entry))
        {
            return Err(NotGone::OwnEnd);
        }
        if let Some(own) = threads.entries.iter_mut().find(|entry| entry.is_current()) {
            // INVARIANT: Nothing leads from the other thread to this one, as was checked.
            own.awaits = Some(name);
        }
        Ok(())
    }

    /// The caller waits no more.
    #[inline(never)]
    pub(crate) fn end_wait(&self) {
        let mut threads = self.threads.lock();
        if let Some(own) = threads.entries.iter_mut().find(|entry| entry.is_current()) {
            own.awaits = None;
        }
    }

    /// Notes that no handle to the thread is left.
    #[inline(never)]
    pub(crate) fn leave(&self, kthread: &Kthread) {
        for entry in &mut self.threads.lock().entries {
            if core::ptr::eq(entry.member.kthread(), kthread) {
                entry.left = true;
            }
        }
    }

    /// How many threads of the scopes in question are not gone.
    #[inline(never)]
    pub(crate) fn count(&self, which: impl Fn(ScopeId) -> bool) -> usize {
        let threads = self.threads.lock();
        threads.entries.iter().filter(|e| which(e.scope)).count()
    }

    /// Asks all threads of a scope to stop. Does not wait for them.
    #[inline(never)]
    pub(crate) fn ask_scope(&self, scope: ScopeId) {
        self.ask(|entry| entry.scope == scope);
    }

    /// Stops and joins all threads of a scope: asks all, then waits for each.
    ///
    /// Of a caller that is one of them, and of those who wait for the caller, the end is not
    /// awaited: they are asked to stop too, and left to the module.
    #[inline(never)]
    pub(crate) fn clear_scope(&self, scope: ScopeId) {
        self.clear(|entry| entry.scope == scope);
    }

    /// Cleans up after threads that have ended and have no handle.
    #[inline(never)]
    pub(crate) fn sweep(&self) {
        let over = |entry: &Entry| entry.left && entry.member.kthread().life().is_ended();
        while let Some(member) = self.find_other(over) {
            let _ = member.join();
        }
    }

    fn ask(&self, which: impl Fn(&Entry) -> bool) {
        let threads = self.threads.lock();
        for entry in threads.entries.iter().filter(|entry| which(entry)) {
            entry.member.kthread().ask();
        }
    }

    fn clear(&self, which: impl Fn(&Entry) -> bool) {
        self.ask(&which);
        while let Some(member) = self.find_other(&which) {
            // It may have been started since, by one of the others.
            member.kthread().ask();
            // When this returns its entry is gone, or it waits for the caller and is not found
            // again, so the loop comes to an end.
            let _ = member.join();
        }
        for entry in &mut self.threads.lock().entries {
            if which(entry) {
                entry.left = true;
            }
        }
    }

    /// The first thread in question whose end the caller can wait for.
    fn find_other(&self, which: impl Fn(&Entry) -> bool) -> Option<Arc<dyn Member>> {
        let threads = self.threads.lock();
        let found = threads
            .entries
            .iter()
            .find(|entry| which(entry) && !threads.awaits_caller(entry));
        found.map(|entry| entry.member.clone())
    }
}
