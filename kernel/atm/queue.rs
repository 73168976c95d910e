// SPDX-License-Identifier: GPL-2.0

//! Packets that wait.

use core::{
    marker::PhantomData,
    ptr::NonNull, //
};

use kernel::bindings::sk_buff;

use crate::skb::Packet;

/// A queue of [`OutgoingSkb`](crate::OutgoingSkb)s, for example: first in, first out.
///
/// It allocates nothing, because each packet points to the next. It locks
/// nothing, either: put it into a lock, and where packets must be dropped outside
/// of that, [take](core::mem::take) the queue out of it whole.
///
/// # Invariants
///
/// `first` and `last` are both null, and `len` is 0; or there are `len` packets,
/// each made by `Packet::into_raw` and ours, from `first` to `last`, along their
/// `next` fields. That of `last` has any value.
pub struct Queue<T: Packet> {
    first: *mut sk_buff,
    last: *mut sk_buff,
    len: usize,
    _packets: PhantomData<T>,
}

// SAFETY: We own the packets, and nothing else.
unsafe impl<T: Packet + Send> Send for Queue<T> {}

impl<T: Packet> Queue<T> {
    /// An empty queue.
    pub const fn new() -> Self {
        // INVARIANT: It is empty.
        Self {
            first: core::ptr::null_mut(),
            last: core::ptr::null_mut(),
            len: 0,
            _packets: PhantomData,
        }
    }

    /// How many packets wait.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds a packet as the last.
    pub fn push(&mut self, packet: T) {
        let skb = packet.into_raw().as_ptr();
        if self.first.is_null() {
            self.first = skb;
        } else {
            // SAFETY: By the type's invariants, `last` is ours and valid.
            unsafe { *next(self.last) = skb };
        }
        // INVARIANT: The packet is the last now; the one before it points to it.
        self.last = skb;
        self.len += 1;
    }

    /// Takes out the first packet.
    pub fn pop(&mut self) -> Option<T> {
        let skb = NonNull::new(self.first)?;
        self.len -= 1;
        // INVARIANT: If it was the last, both are null, and else the rest remains.
        if self.len == 0 {
            self.first = core::ptr::null_mut();
            self.last = core::ptr::null_mut();
        } else {
            // SAFETY: By the type's invariants, it is ours and valid.
            self.first = unsafe { *next(skb.as_ptr()) };
        }
        // SAFETY: By the type's invariants, and who gets it expects it in no list.
        unsafe { *next(skb.as_ptr()) = core::ptr::null_mut() };
        // SAFETY: By the type's invariants, and it is not in the queue any more.
        Some(unsafe { T::from_raw(skb) })
    }

    /// Takes out the packets that `which` names, and leaves the others in order.
    pub fn take_if(&mut self, mut which: impl FnMut(&T) -> bool) -> Self {
        let mut taken = Self::new();
        for packet in core::mem::take(self) {
            if which(&packet) {
                taken.push(packet);
            } else {
                self.push(packet);
            }
        }
        taken
    }
}

/// Where a packet says which is the next.
///
/// # Safety
///
/// `skb` must be valid.
unsafe fn next(skb: *mut sk_buff) -> *mut *mut sk_buff {
    // SAFETY: The caller promises it. The union has pointers only, here.
    unsafe { &raw mut (*skb).__bindgen_anon_1.__bindgen_anon_1.next }
}

impl<T: Packet> Default for Queue<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Packet> Iterator for Queue<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.pop()
    }
}

impl<T: Packet> Drop for Queue<T> {
    fn drop(&mut self) {
        self.for_each(drop);
    }
}
