// SPDX-License-Identifier: GPL-2.0

//! Packets on their way out.

use core::{
    mem::ManuallyDrop,
    ops::Deref,
    ptr::NonNull, //
};

use kernel::{
    bindings::sk_buff,
    error::to_result,
    pr_warn_once,
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
        Packet,
        Tagged, //
    },
    vcc::Vcc, //
};

/// A packet that somebody wants to send on a [`Vcc`].
///
/// Dropping it, or a [whole queue](Queue::give_back_all) of them, gives it back to the sender, who then has room for another one in
/// its send buffer; so drop it as soon as its last byte is in a cell. The bytes,
/// all in one piece, are what it derefs to.
///
/// It may be dropped with interrupts on only; and before its VCC
/// [closes](crate::Operations::close). One that is dropped later is freed, but the
/// socket that waits for it never is.
///
/// C header: [`include/linux/skbuff.h`](srctree/include/linux/skbuff.h)
pub struct OutgoingSkb(Tagged);

// SAFETY: A `Tagged` is a valid socket buffer that is ours, and so is its `next` field as long as
// nobody else has it in a list.
unsafe impl Packet for OutgoingSkb {
    fn into_raw(self) -> NonNull<sk_buff> {
        ManuallyDrop::new(self).0.as_raw()
    }

    unsafe fn from_raw(skb: NonNull<sk_buff>) -> Self {
        // SAFETY: The caller promises that it was made of such a value.
        Self(unsafe { Tagged::from_raw(skb) })
    }
}

impl OutgoingSkb {
    /// Takes over a packet from the ATM layer, and sees to it that it is in one
    /// piece.
    ///
    /// # Errors
    ///
    /// There may be no memory for that. The packet is given back.
    ///
    /// # Safety
    ///
    /// `skb` must be valid and the caller's, who gives it up; it must have been
    /// sent on `vcc`.
    #[inline]
    pub(crate) unsafe fn new(skb: NonNull<sk_buff>, vcc: Arc<Vcc>) -> Result<Self> {
        // SAFETY: The caller gives it up.
        let this = Self(unsafe { Tagged::new(skb, vcc) });
        // SAFETY: The packet is ours.
        if unsafe { (*skb.as_ptr()).data_len } != 0 {
            // SAFETY: As above.
            to_result(unsafe { bindings::skb_linearize(skb.as_ptr()) })?;
        }
        Ok(this)
    }

    /// Notes that the packet has been sent: it counts as such when it goes back.
    #[inline]
    pub fn mark_sent(&mut self) {
        self.0.mark_sent();
    }

    /// The VCC that the packet was sent on.
    #[inline]
    pub fn vcc(&self) -> &Vcc {
        self.0.vcc()
    }
}

impl Deref for OutgoingSkb {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        self.0.bytes()
    }
}

impl OutgoingSkb {
    fn give_back(self, guard: &rcu::Guard) {
        let mut this = ManuallyDrop::new(self);
        // SAFETY: It is not dropped, and not used any more.
        unsafe { this.give_back_in_place(guard) };
    }

    /// Gives the packet back to its sender.
    ///
    /// # Safety
    ///
    /// `self` must not be used again.
    #[inline]
    unsafe fn give_back_in_place(&mut self, guard: &rcu::Guard) {
        let is_sent = self.0.is_sent();
        // SAFETY: The caller promises that nobody uses it after this.
        let (skb, vcc) = unsafe { self.0.untag() };
        // SAFETY: The packet is ours to give, and was sent on this VCC.
        if unsafe { vcc.pop(skb, is_sent, guard) }.is_err() {
            pr_warn_once!("a packet outlived its connection, whose memory is lost\n");
            // SAFETY: The packet is ours still. Any context is fine.
            unsafe { bindings::dev_kfree_skb_any(skb.as_ptr()) };
        }
    }
}

impl Queue<OutgoingSkb> {
    /// Gives all packets back, as dropping each of them does.
    pub fn give_back_all(self) {
        if self.is_empty() {
            return;
        }
        let guard = rcu::read_lock();
        for skb in self {
            skb.give_back(&guard);
        }
    }
}

impl Drop for OutgoingSkb {
    fn drop(&mut self) {
        // SAFETY: Nobody can use it after this.
        unsafe { self.give_back_in_place(&rcu::read_lock()) };
    }
}
