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

/// A scope, as its threads and the scopes within it know it: it stays as long as one of those.
///
/// The root is the module. Whatever is done to a branch is done to all that is on it.
pub(crate) struct Branch {
    net: Arc<Net>,
    parent: Option<Arc<Branch>>,
    closed: LockedBy<bool, Threads>,
}

impl Branch {
    /// The root of a tree of its own, under the given net.
    pub(crate) fn root(net: Arc<Net>) -> Result<Arc<Self>> {
        Self::new(net, None)
    }

    /// A new branch on this one.
    #[inline(never)]
    pub(crate) fn fork(self: &Arc<Self>) -> Result<Arc<Self>> {
        Self::new(self.net.clone(), Some(self.clone()))
    }

    fn new(net: Arc<Net>, parent: Option<Arc<Self>>) -> Result<Arc<Self>> {
        let closed = LockedBy::new(net.threads(), false);
        let branch = Self {
            net,
            parent,
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
