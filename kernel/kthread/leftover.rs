// SPDX-License-Identifier: GPL-2.0

//! What has to end before a module's code goes, and is no thread.
//!
//! A transfer that is under way calls its handler some day. Whoever started it ends it, as a rule,
//! by dropping what stands for it; but safe code may leak that. So it is known here too, and the
//! [`ModuleScope`](crate::ModuleScope) ends what is left, as it does with threads.

use crate::net::Net;
use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        Arc,
        Mutex, //
    }, //
};

/// Something that may call a module's code until it is ended.
pub trait Leftover: Send + Sync {
    /// Ends it. When this returns, no code of the module runs in it any more, and none will.
    ///
    /// Called where one may sleep, possibly while its owner ends it as well.
    fn end(&self);
}

/// All leftovers of one module, or `None` once they have been ended: there may be no more.
#[pin_data]
pub(crate) struct Leftovers {
    #[pin]
    list: Mutex<Option<KVec<Arc<dyn Leftover>>>>,
}

impl Leftovers {
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            list <- new_mutex!(Some(KVec::new()), "kthread::Leftovers::list"),
        })
    }

    /// [`ENODEV`] once [`Self::end`] was called.
    #[inline(never)]
    fn add(&self, leftover: Arc<dyn Leftover>) -> Result {
        match &mut *self.list.lock() {
            Some(list) => Ok(list.push(leftover, GFP_KERNEL)?),
            None => Err(ENODEV),
        }
    }

    #[inline(never)]
    fn remove(&self, leftover: &Arc<dyn Leftover>) {
        let is_it = |other: &Arc<dyn Leftover>| {
            // Two pointers to one object may name two copies of its vtable.
            core::ptr::addr_eq(Arc::as_ptr(other), Arc::as_ptr(leftover))
        };
        if let Some(list) = &mut *self.list.lock() {
            // One: it may have been added twice.
            if let Some(place) = list.iter().position(is_it) {
                // It is not dropped under the lock: the caller has a reference, too.
                let _ = list.remove(place);
            }
        }
    }

    /// Ends all that are left, and lets no more in. Sleeps.
    #[inline(never)]
    pub(crate) fn end(&self) {
        // Not under the lock: their owners may be about to drop them.
        let left = self.list.lock().take();
        for leftover in left.iter().flatten() {
            leftover.end();
        }
    }
}

/// Keeps a [`Leftover`] known to its module until it is dropped, see
/// [`Scope::look_after`](crate::Scope::look_after).
pub struct LookedAfter {
    net: Arc<Net>,
    leftover: Arc<dyn Leftover>,
}

impl LookedAfter {
    pub(crate) fn new(net: &Arc<Net>, leftover: Arc<dyn Leftover>) -> Result<Self> {
        net.leftovers().add(leftover.clone())?;
        let net = net.clone();
        Ok(Self { net, leftover })
    }
}

impl Drop for LookedAfter {
    fn drop(&mut self) {
        self.net.leftovers().remove(&self.leftover);
    }
}
