// SPDX-License-Identifier: GPL-2.0

//! Packets that wait, and those that know their VCC.

use core::ptr::NonNull;

use kernel::{
    bindings::sk_buff,
    prelude::*,
    sync::Arc, //
};

use crate::{
    bindings,
    vcc::Vcc, //
};

/// What lies in the control buffer of a packet of ours.
#[repr(C)]
struct Control {
    /// What the ATM layer put there, and wants to find when it gets the packet
    /// back.
    atm: bindings::atm_skb_data,
    /// The VCC, as [`Arc::into_raw`] has it.
    vcc: *const Vcc,
    /// Whether the packet has been sent, if it goes out.
    is_sent: bool,
}

// The control buffer is aligned to 8 bytes and has 48.
static_assert!(align_of::<Control>() <= 8);
static_assert!(size_of::<Control>() <= 48);

/// A socket buffer that knows its VCC.
///
/// As raw as a pointer: whoever owns one must see to it that it is
/// [taken apart](Self::untag) in the end.
///
/// # Invariants
///
/// The pointer is that of a valid `struct sk_buff` that is ours, with a
/// [`Control`] in its control buffer that has a reference to the VCC.
pub(crate) struct Tagged(NonNull<sk_buff>);

// SAFETY: A socket buffer is tied to no thread, and we own ours.
unsafe impl Send for Tagged {}
// SAFETY: Nothing can be changed through a shared reference.
unsafe impl Sync for Tagged {}

impl Tagged {
    /// Ties a socket buffer to its VCC. It was not sent yet.
    ///
    /// # Safety
    ///
    /// `skb` must be valid and the caller's, who gives it up.
    #[inline]
    pub(crate) unsafe fn new(skb: NonNull<sk_buff>, vcc: Arc<Vcc>) -> Self {
        // INVARIANT: The caller gives us the buffer, and the rest is set.
        let this = Self(skb);
        let control = this.control();
        // SAFETY: The buffer is ours, and with it the control buffer, which is
        // long enough and aligned. The ATM layer's part is left alone.
        unsafe {
            (*control).vcc = Arc::into_raw(vcc);
            (*control).is_sent = false;
        }
        this
    }

    /// Makes one of what [`as_raw`](Self::as_raw) returned.
    ///
    /// # Safety
    ///
    /// The value that `skb` was had from must not be used any more.
    pub(crate) unsafe fn from_raw(skb: NonNull<sk_buff>) -> Self {
        // INVARIANT: The caller promises that it was one before.
        Self(skb)
    }

    #[inline]
    fn control(&self) -> *mut Control {
        // SAFETY: By the type's invariants, the buffer is valid.
        unsafe { (&raw mut (*self.0.as_ptr()).cb).cast() }
    }

    /// The socket buffer. Still ours.
    pub(crate) fn as_raw(&self) -> NonNull<sk_buff> {
        self.0
    }

    /// The VCC.
    #[inline]
    pub(crate) fn vcc(&self) -> &Vcc {
        // SAFETY: By the type's invariants, this is a reference that we have for
        // as long as `self` exists.
        unsafe { &*(*self.control()).vcc }
    }

    /// Notes that it has been sent.
    #[inline]
    pub(crate) fn mark_sent(&mut self) {
        // SAFETY: By the type's invariants, and nobody else uses it meanwhile.
        unsafe { (*self.control()).is_sent = true };
    }

    /// Whether it has been sent.
    #[inline]
    pub(crate) fn is_sent(&self) -> bool {
        // SAFETY: By the type's invariants; it was set when the packet was tied to its VCC.
        unsafe { (*self.control()).is_sent }
    }

    /// The bytes of the packet; if they are in several pieces, those of the first.
    #[inline]
    pub(crate) fn bytes(&self) -> &[u8] {
        let skb = self.0.as_ptr();
        // SAFETY: By the type's invariants, the buffer is valid.
        let (data, len, further) = unsafe { ((*skb).data, (*skb).len, (*skb).data_len) };
        // SAFETY: A socket buffer has `len` bytes, `data_len` of them elsewhere
        // and the rest at `data`. They don't change as long as it is ours.
        unsafe { core::slice::from_raw_parts(data, (len - further) as usize) }
    }

    /// Takes the packet apart.
    ///
    /// # Safety
    ///
    /// `self` must not be used again.
    #[inline]
    pub(crate) unsafe fn untag(&self) -> (NonNull<sk_buff>, Arc<Vcc>) {
        // SAFETY: By the type's invariants, this is what `Arc::into_raw` returned.
        // The caller promises that it is taken but once.
        (self.0, unsafe { Arc::from_raw((*self.control()).vcc) })
    }
}

/// A packet that can wait in a [`Queue`](crate::Queue).
///
/// # Safety
///
/// What `into_raw` returns must be a valid socket buffer, whose owner may use its
/// `next` field.
pub unsafe trait Packet: Sized {
    /// Turns the packet into a pointer, which owns it from now on.
    fn into_raw(self) -> NonNull<sk_buff>;

    /// Turns it back.
    ///
    /// # Safety
    ///
    /// `skb` must come from [`into_raw`](Self::into_raw), and each may be turned
    /// back once.
    unsafe fn from_raw(skb: NonNull<sk_buff>) -> Self;
}
