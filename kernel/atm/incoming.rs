// SPDX-License-Identifier: GPL-2.0

//! Packets on their way in.

use core::{
    mem::ManuallyDrop,
    ptr::{
        self,
        NonNull, //
    }, //
};

use kernel::{
    alloc::AllocError,
    bindings::sk_buff,
    prelude::*,
    sync::{
        rcu,
        Arc, //
    }, //
};

use crate::{
    bindings,
    queue::Queue,
    skb::Packet,
    vcc::Vcc,
    BottomHalf, //
};

/// Packets that came in, each on a [`Vcc`], and that nobody has seen yet: first in, first out.
///
/// It locks nothing: put it into a lock, and [take](core::mem::take) it out of that whole to pass
/// the packets on. Dropping it frees them; that may be done in any context.
///
/// Packets that follow each other on one VCC share a reference to it: as a rule there is one for
/// all, which costs nothing beside one for each.
///
/// # Invariants
///
/// - The first packet has its VCC, and so has each that came in on another one than the packet
///   before.
/// - `last` is the VCC that the last packet came in on; null if there is none.
pub struct Arrivals {
    packets: Queue<IncomingSkb>,
    last: *const Vcc,
}

// SAFETY: The packets may be sent, and the pointer is only compared.
unsafe impl Send for Arrivals {}

impl Arrivals {
    /// No packet.
    pub const fn new() -> Self {
        // INVARIANT: There is none.
        Self {
            packets: Queue::new(),
            last: ptr::null(),
        }
    }

    /// How many packets there are.
    pub fn len(&self) -> usize {
        self.packets.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }

    /// Adds a packet that came in on `vcc` as the last: allocates it, with the room in front that
    /// protocols like, and copies `bytes` into it.
    ///
    /// Does not sleep, and may be called in any context.
    ///
    /// # Errors
    ///
    /// There may be no memory. Count it with [`Vcc::count_rx_drop`].
    #[inline]
    pub fn push(&mut self, vcc: &Arc<Vcc>, bytes: &[u8]) -> Result<(), AllocError> {
        let is_another = !ptr::eq(self.last, &**vcc);
        let packet = IncomingSkb::new(bytes, is_another.then(|| vcc.clone()))?;
        // INVARIANT: It has its VCC unless that is the last one's, whose place it takes. No other
        // VCC is at that address, as there is a reference to it among the packets.
        self.packets.push(packet);
        self.last = &**vcc;
        Ok(())
    }

    /// Passes all packets on to whoever listens on their VCCs, and counts them. Those that nobody
    /// wants any more are freed, and so are those, which are counted too, whose receivers don't
    /// keep up.
    ///
    /// Does not sleep.
    pub fn push_all(self, _bottom_half: &BottomHalf) {
        if self.is_empty() {
            return;
        }
        let guard = rcu::read_lock();
        let mut current = None;
        for mut packet in self.packets {
            current = packet.take_vcc().or(current);
            if let Some(vcc) = &current {
                packet.push(vcc, &guard);
            }
        }
    }
}

impl Default for Arrivals {
    fn default() -> Self {
        Self::new()
    }
}

/// A packet that came in.
///
/// # Invariants
///
/// The pointer is that of a valid `struct sk_buff` that is ours, with a [`Control`] in its control
/// buffer.
struct IncomingSkb(NonNull<sk_buff>);

/// What lies in the control buffer.
struct Control {
    /// The VCC, unless the packet before came in on the same one.
    vcc: Option<Arc<Vcc>>,
}

// The control buffer is aligned to 8 bytes and has 48.
static_assert!(align_of::<Control>() <= 8);
static_assert!(size_of::<Control>() <= 48);

// SAFETY: A socket buffer is tied to no thread, we own ours, and a reference to a VCC may be sent.
unsafe impl Send for IncomingSkb {}

// SAFETY: It is a valid socket buffer that is ours, and so is its `next` field as long as nobody
// else has it in a list.
unsafe impl Packet for IncomingSkb {
    fn into_raw(self) -> NonNull<sk_buff> {
        ManuallyDrop::new(self).0
    }

    unsafe fn from_raw(skb: NonNull<sk_buff>) -> Self {
        // INVARIANT: The caller promises that it was one before.
        Self(skb)
    }
}

impl IncomingSkb {
    #[inline]
    fn new(bytes: &[u8], vcc: Option<Arc<Vcc>>) -> Result<Self, AllocError> {
        let len = u32::try_from(bytes.len()).map_err(|_| AllocError)?;
        // SAFETY: This function may be called in any context, and there are so many bytes.
        let skb = unsafe { bindings::skb_of(bytes.as_ptr().cast(), len) };
        // INVARIANT: It was just allocated, by us, and what belongs there is put there next.
        let this = Self(NonNull::new(skb).ok_or(AllocError)?);
        // SAFETY: By the type's invariants, the control buffer is ours, long enough and aligned;
        // nothing is there yet that could be dropped.
        unsafe { this.control().write(Control { vcc }) };
        Ok(this)
    }

    #[inline]
    fn control(&self) -> *mut Control {
        // SAFETY: By the type's invariants, the buffer is valid.
        unsafe { (&raw mut (*self.0.as_ptr()).cb).cast() }
    }

    /// Takes its VCC out of it, if it has one.
    #[inline]
    fn take_vcc(&mut self) -> Option<Arc<Vcc>> {
        // SAFETY: By the type's invariants, and nobody else uses it meanwhile.
        unsafe { (*self.control()).vcc.take() }
    }

    /// Passes the packet on, which has no VCC in it any more, to whoever listens on `vcc`.
    #[inline]
    fn push(self, vcc: &Vcc, guard: &rcu::Guard) {
        let skb = self.into_raw();
        // SAFETY: The packet is ours to give, and the context is that of the caller's bottom half.
        if unsafe { vcc.push(skb, guard) }.is_err() {
            // SAFETY: The packet is ours still. Any context is fine.
            unsafe { bindings::dev_kfree_skb_any(skb.as_ptr()) };
        }
    }
}

impl Drop for IncomingSkb {
    fn drop(&mut self) {
        drop(self.take_vcc());
        // SAFETY: The packet is ours, and nobody can use it after this. Any context is fine.
        unsafe { bindings::dev_kfree_skb_any(self.0.as_ptr()) };
    }
}
