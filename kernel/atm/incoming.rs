// SPDX-License-Identifier: GPL-2.0

//! Packets on their way in.

use core::{
    mem::ManuallyDrop,
    ptr::NonNull, //
};

use kernel::{
    alloc::AllocError,
    prelude::*,
    sync::{
        rcu,
        Arc, //
    }, //
};

use crate::{
    bindings,
    queue::Queue,
    skb::{
        impl_packet,
        Tagged, //
    },
    vcc::Vcc,
    BottomHalf, //
};

/// Why a packet that came in was not passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PushError {
    /// The connection has closed.
    Closed,
    /// The receiver does not keep up: its buffer is full. It is counted.
    Full,
}

/// A packet that came in on a [`Vcc`], and that nobody has seen yet.
///
/// Dropping it frees it; that may be done in any context.
///
/// C header: [`include/linux/skbuff.h`](srctree/include/linux/skbuff.h)
pub struct IncomingSkb(Tagged);

impl_packet!(IncomingSkb);

impl IncomingSkb {
    /// Allocates a packet for `vcc`, with the room in front that protocols like,
    /// and copies `bytes` into it.
    ///
    /// Does not sleep, and may be called in any context.
    ///
    /// # Errors
    ///
    /// There may be no memory. Count it with [`Vcc::count_rx_drop`].
    #[inline]
    pub fn new(vcc: &Arc<Vcc>, bytes: &[u8]) -> Result<Self, AllocError> {
        let len = u32::try_from(bytes.len()).map_err(|_| AllocError)?;
        // SAFETY: This function may be called in any context, and there are so many bytes.
        let skb = unsafe { bindings::skb_of(bytes.as_ptr().cast(), len) };
        let skb = NonNull::new(skb).ok_or(AllocError)?;
        // SAFETY: It was just allocated, by us.
        Ok(Self(unsafe { Tagged::new(skb, vcc.clone()) }))
    }

    /// Passes the packet on to whoever listens on its VCC, and counts it.
    ///
    /// Does not sleep. To be called with interrupts on.
    ///
    /// # Errors
    ///
    /// See [`PushError`]. The packet is freed.
    pub fn push(self, _bottom_half: &BottomHalf) -> Result<(), PushError> {
        self.push_guarded(&rcu::read_lock())
    }

    #[inline]
    fn push_guarded(self, guard: &rcu::Guard) -> Result<(), PushError> {
        let this = ManuallyDrop::new(self);
        // SAFETY: It is not dropped, and not used any more.
        let (skb, vcc) = unsafe { this.0.untag() };
        // SAFETY: The packet is ours to give.
        unsafe { vcc.push(skb, guard) }.inspect_err(|_| {
            // SAFETY: The packet is ours still. Any context is fine.
            unsafe { bindings::dev_kfree_skb_any(skb.as_ptr()) };
        })
    }
}

impl Queue<IncomingSkb> {
    /// Passes all packets on, as [`IncomingSkb::push`] does. Those that nobody wants any more are
    /// freed, and have been counted.
    pub fn push_all(self, _bottom_half: &BottomHalf) {
        if self.is_empty() {
            return;
        }
        let guard = rcu::read_lock();
        for skb in self {
            let _ = skb.push_guarded(&guard);
        }
    }
}

impl Drop for IncomingSkb {
    fn drop(&mut self) {
        // SAFETY: Nobody can use it after this.
        let (skb, _vcc) = unsafe { self.0.untag() };
        // SAFETY: The packet is ours. Any context is fine.
        unsafe { bindings::dev_kfree_skb_any(skb.as_ptr()) };
    }
}
