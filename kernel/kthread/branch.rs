// SPDX-License-Identifier: GPL-2.0

//! The tree of a module's scopes.

use crate::{
    member::Threads,
    net::Net, //
};
use kernel::{
    prelude::*,
    sync::{
        Arc,
        LockedBy, //
    }, //
};

/// How many branches may be on each other, without the root. The last reference to one may be the
/// last to all that it is on: they are dropped within each other, on one kernel stack.
const DEEPEST: usize = 16;

/// A scope, as its threads and the scopes within it know it: it stays as long as one of those.
///
/// The root is the module. Whatever is done to a branch is done to all that is on it.
pub(crate) struct Branch {
    net: Arc<Net>,
    parent: Option<Arc<Branch>>,
    /// How many others it is on.
    depth: usize,
    closed: LockedBy<bool, Threads>,
}

impl Branch {
    /// The root of a tree of its own, under the given net.
    pub(crate) fn root(net: Arc<Net>) -> Result<Arc<Self>> {
        Self::new(net, None, 0)
    }

    /// A new branch on this one. [`EINVAL`] if that would be too many on each other.
    #[inline(never)]
    pub(crate) fn fork(self: &Arc<Self>) -> Result<Arc<Self>> {
        if self.depth == DEEPEST {
            return Err(EINVAL);
        }
        Self::new(self.net.clone(), Some(self.clone()), self.depth + 1)
    }

    fn new(net: Arc<Net>, parent: Option<Arc<Self>>, depth: usize) -> Result<Arc<Self>> {
        let closed = LockedBy::new(net.threads(), false);
        let branch = Self {
            net,
            parent,
            depth,
            closed,
        };
        Ok(Arc::new(branch, GFP_KERNEL)?)
    }

    pub(crate) fn net(&self) -> &Arc<Net> {
        &self.net
    }

    /// This branch, that which it is on, and so on down to the root.
    fn down(&self) -> impl Iterator<Item = &Self> {
        core::iter::successors(Some(self), |branch| branch.parent.as_deref())
    }

    /// Whether it is the other one or is on it.
    pub(crate) fn is_on(&self, other: &Self) -> bool {
        self.down().any(|branch| core::ptr::eq(branch, other))
    }

    /// Lets nothing more on it.
    pub(crate) fn close(&self, threads: &mut Threads) {
        *self.closed.access_mut(threads) = true;
    }

    /// Whether it, or one that it is on, has been closed.
    pub(crate) fn is_closed(&self, threads: &Threads) -> bool {
        self.down().any(|branch| *branch.closed.access(threads))
    }
}
