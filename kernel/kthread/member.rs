// SPDX-License-Identifier: GPL-2.0

//! A thread as its net knows it, and how the net keeps hold of it without memory of its own.

use crate::{
    branch::Branch,
    life::NotGone,
    net::Net, //
};
use kernel::{
    prelude::*,
    sync::{
        atomic::{
            AtomicFlag,
            Relaxed, //
        },
        Arc,
        LockedBy, //
    },
    time::Jiffies, //
};

/// A thread of any type.
pub(crate) trait Member: Send + Sync {
    /// Its place in the net.
    fn entry(&self) -> &Entry;

    /// Asks it to stop.
    fn ask(&self);

    /// Whether it has been asked to stop.
    fn is_asked(&self) -> bool;

    /// Whether its body has ended.
    fn is_ended(&self) -> bool;

    /// Whether the caller is the thread.
    fn is_current(&self) -> bool;

    /// Reports it in the log if it was asked to stop too long ago and has not ended; after how many
    /// ticks it is time to look again, if it is ever.
    fn look(&self) -> Option<Jiffies>;

    /// Waits until it is gone, but not where it waits for the caller. Whoever comes first cleans
    /// up.
    fn join(&self) -> Result<(), NotGone>;

    /// Asks it to stop, and waits as [`Self::join`] does.
    fn stop(&self) -> Result<(), NotGone>;
}

/// Names a thread: the address of its entry, never followed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Name(usize);

/// Whose end a thread waits for, for as long as it takes.
#[derive(Clone, Copy)]
pub(crate) struct Awaited {
    pub(crate) name: Name,
    /// Whether a stop of the one who waits breaks the wait: once it is asked, this leads nowhere.
    pub(crate) breakable: bool,
}

/// The place of a thread in its net, part of the thread's own block.
pub(crate) struct Entry {
    branch: Arc<Branch>,
    left: AtomicFlag,
    notes: LockedBy<Notes, Threads>,
}

/// What the net notes about a thread.
#[derive(Default)]
struct Notes {
    next: Option<Arc<dyn Member>>,
    awaits: Option<Awaited>,
}

impl Entry {
    /// A place for a thread of the given scope, which is not in the net yet.
    #[inline]
    pub(crate) fn new(branch: Arc<Branch>) -> Self {
        let notes = LockedBy::new(branch.net().threads(), Notes::default());
        Self {
            branch,
            left: AtomicFlag::new(false),
            notes,
        }
    }

    pub(crate) fn branch(&self) -> &Branch {
        &self.branch
    }

    pub(crate) fn net(&self) -> &Net {
        self.branch.net()
    }

    pub(crate) fn name(&self) -> Name {
        Name(core::ptr::from_ref(self).addr())
    }

    /// Notes that nobody holds a handle to it any more.
    pub(crate) fn leave(&self) {
        self.left.store(true, Relaxed);
        self.net().note_left();
    }

    /// Whether it is to be cleaned up in passing, once it has ended.
    pub(crate) fn is_left(&self) -> bool {
        self.left.load(Relaxed)
    }

    /// Whose end it waits for, for as long as it takes. That one's block is alive meanwhile, so the
    /// name is its own.
    pub(crate) fn awaits(&self, threads: &Threads) -> Option<Awaited> {
        self.notes.access(threads).awaits
    }

    pub(crate) fn set_awaits(&self, threads: &mut Threads, awaited: Option<Awaited>) {
        self.notes.access_mut(threads).awaits = awaited;
    }
}

/// The threads of a net: a list whose links are in the [`Entry`] of each.
///
/// A thread that goes is looked for from the front, where the newest are: a module has few threads,
/// and the last one to come is often the first one to go.
///
/// # Invariants
///
/// Who follows [`Entry::awaits`] from thread to thread, but not that of a wait which a stop has
/// broken or is about to, never comes to the same one twice.
#[derive(Default)]
pub(crate) struct Threads {
    first: Option<Arc<dyn Member>>,
}

impl Threads {
    /// All threads, the newest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<dyn Member>> {
        core::iter::successors(self.first.as_ref(), |member| self.after(member))
    }

    /// Puts a thread in front, unless its scope is closed: [`ENODEV`] then.
    pub(crate) fn push(&mut self, member: Arc<dyn Member>) -> kernel::error::Result {
        let entry = member.entry();
        if entry.branch.is_closed(self) {
            return Err(ENODEV);
        }
        // INVARIANT: It waits for nobody yet.
        let second = self.first.take();
        entry.notes.access_mut(self).next = second;
        self.first = Some(member);
        Ok(())
    }

    /// Takes a thread out, if it is there.
    ///
    /// Returns the list's own reference to it, to be dropped where the lock is not held.
    pub(crate) fn unlink(&mut self, entry: &Entry) -> Option<Arc<dyn Member>> {
        let is_it = |member: &Arc<dyn Member>| member.entry().name() == entry.name();
        if self.first.as_ref().is_some_and(is_it) {
            let next = entry.notes.access_mut(self).next.take();
            return core::mem::replace(&mut self.first, next);
        }
        let before = self
            .iter()
            .find(|member| self.after(member).is_some_and(is_it))?;
        let before = before.clone();
        let next = entry.notes.access_mut(self).next.take();
        core::mem::replace(&mut before.entry().notes.access_mut(self).next, next)
    }

    /// The one that comes after it.
    fn after<'a>(&'a self, member: &'a Arc<dyn Member>) -> Option<&'a Arc<dyn Member>> {
        member.entry().notes.access(self).next.as_ref()
    }

    /// A thread in question whose end the caller can wait for.
    pub(crate) fn find_other(
        &self,
        which: impl Fn(&&Arc<dyn Member>) -> bool,
    ) -> Option<&Arc<dyn Member>> {
        self.iter()
            .find(|member| which(member) && !self.awaits_caller(&***member))
    }

    fn find(&self, name: Name) -> Option<&dyn Member> {
        self.iter()
            .map(|member| &**member)
            .find(|member| member.entry().name() == name)
    }

    /// Whether the caller may wait for the end of the thread.
    pub(crate) fn check_wait(&self, member: &dyn Member) -> Result<(), NotGone> {
        if self.awaits_caller(member) {
            Err(NotGone::OwnEnd)
        } else {
            Ok(())
        }
    }

    /// Whether the thread is the caller, or waits for the caller's end, be it by way of others.
    pub(crate) fn awaits_caller(&self, member: &dyn Member) -> bool {
        // Comes to an end by the type invariants.
        member.is_current()
            || core::iter::successors(self.awaited(member), |other| self.awaited(*other))
                .any(|other| other.is_current())
    }

    /// The thread whose end this one waits for.
    fn awaited(&self, member: &dyn Member) -> Option<&dyn Member> {
        let Awaited { name, breakable } = member.entry().awaits(self)?;
        if breakable && member.is_asked() {
            return None;
        }
        self.find(name)
    }
}
