// SPDX-License-Identifier: GPL-2.0

//! Virtual channel connections.

use core::ptr::NonNull;

use kernel::{
    bindings::sk_buff,
    prelude::*,
    revocable::Revocable,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        rcu, //
    }, //
};

use crate::bindings;

/// How a connection's packets are adapted to cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aal {
    /// Not at all: packets are cells.
    Aal0,
    /// As AAL5 does, with a trailer and a CRC.
    Aal5,
}

/// A driver's handle of a connection.
///
/// It never dangles. When the connection closes, every way from here to the C
/// object is cut off, once those who are just using one have ended; that is what
/// RCU and [`Revocable`] are for. What remains are the numbers.
///
/// C header: [`include/linux/atmdev.h`](srctree/include/linux/atmdev.h), `struct
/// atm_vcc`
#[pin_data]
pub struct Vcc {
    #[pin]
    raw: Revocable<Raw>,
    vpi: u16,
    vci: u16,
    aal: Aal,
    max_rx_sdu: usize,
}

impl Vcc {
    /// Makes a handle for `vcc`.
    ///
    /// # Errors
    ///
    /// [`EINVAL`] if the connection has no definite VPI and VCI, or if it is of a
    /// kind that is not known here.
    ///
    /// # Safety
    ///
    /// `vcc` must be valid, with its device and its parameters set, and must stay
    /// valid until [`revoke`](Self::revoke) has returned.
    pub(crate) unsafe fn new(vcc: NonNull<bindings::atm_vcc>) -> Result<impl PinInit<Self>> {
        // SAFETY: The caller vouches for `vcc`. Its parameters don't change any
        // more once it opens.
        let (vpi, vci, qos) = unsafe {
            let vcc = vcc.as_ptr();
            ((*vcc).vpi, (*vcc).vci, &(*vcc).qos)
        };
        let (vpi, vci) = (vpi.try_into()?, vci.try_into()?);
        let max_rx_sdu = qos.rxtp.max_sdu.try_into()?;
        let aal = match u32::from(qos.aal) {
            bindings::ATM_AAL0 => Aal::Aal0,
            bindings::ATM_AAL5 => Aal::Aal5,
            _ => return Err(EINVAL),
        };
        Ok(pin_init!(Self {
            // INVARIANT: The caller promises it.
            raw <- Revocable::new(Raw(vcc)),
            vpi,
            vci,
            aal,
            max_rx_sdu,
        }))
    }

    /// Cuts the handle off from the connection, and waits for those who are just
    /// using it.
    ///
    /// Sleeps.
    pub(crate) fn revoke(&self) {
        self.raw.revoke();
    }

    /// The virtual path identifier.
    pub fn vpi(&self) -> u16 {
        self.vpi
    }

    /// The virtual channel identifier.
    pub fn vci(&self) -> u16 {
        self.vci
    }

    /// The adaptation layer.
    pub fn aal(&self) -> Aal {
        self.aal
    }

    /// The longest packet that the receiver wants to see, in bytes; 0 if it wants
    /// to receive none.
    pub fn max_rx_sdu(&self) -> usize {
        self.max_rx_sdu
    }

    /// Counts something that came in and was no packet.
    pub fn count_rx_error(&self) {
        self.count(Counter::RxError);
    }

    /// Counts a packet that came in well, but was thrown away for lack of memory.
    pub fn count_rx_drop(&self) {
        self.count(Counter::RxDrop);
    }

    /// Counts a packet that could not be sent. As with the other counters, any context is fine.
    pub fn count_tx_error(&self) {
        self.count(Counter::TxError);
    }

    /// Tells the connection's owner to close it, because of `reason`. It does so
    /// in its own time.
    ///
    /// Does not sleep.
    pub fn release_async(&self, reason: Error) {
        self.raw.try_access_with(|raw| {
            // SAFETY: By the invariants of `Raw`, the VCC is valid.
            unsafe { bindings::vcc_release_async(raw.0.as_ptr(), reason.to_errno()) };
        });
    }

    /// Hands a packet to whoever listens on the connection, and counts it.
    ///
    /// # Errors
    ///
    /// `ENOTCONN` if the connection has closed; `ENOBUFS`, which is counted, if the receiver does
    /// not keep up: its buffer is full. The packet is still the caller's then.
    ///
    /// # Safety
    ///
    /// `skb` must be a valid packet that is the caller's, who gives it up. The
    /// context must be one that may call network protocols.
    #[inline]
    pub(crate) unsafe fn push(&self, skb: NonNull<sk_buff>, guard: &rcu::Guard) -> Result {
        let raw = self.raw.try_access_with_guard(guard).ok_or(ENOTCONN)?;
        let vcc = raw.0.as_ptr();
        // SAFETY: By the invariants of `Raw`, the VCC is valid. The field may be
        // changed meanwhile, from one value to another, both of them valid.
        let push = unsafe { (&raw const (*vcc).push).read_volatile() };
        let push = push.ok_or(ENOTCONN)?;
        // SAFETY: The caller vouches for the packet.
        let cost = unsafe { (*skb.as_ptr()).truesize };
        // SAFETY: By the invariants of `Raw`. What is charged is given back by
        // whoever takes the packet from the VCC. A packet costs far below 2 GiB.
        if unsafe { bindings::atm_charge(vcc, cost as i32) } == 0 {
            return Err(ENOBUFS);
        }
        // Whoever gets the packet finds it counted.
        raw.count(Counter::Rx);
        // SAFETY: The VCC is valid and open, and the packet is ours to give.
        unsafe { push(vcc, skb.as_ptr()) };
        Ok(())
    }

    /// Gives a packet back to whoever sent it, and counts it if it has been sent.
    ///
    /// # Errors
    ///
    /// Nobody is there any more. The packet is still the caller's then.
    ///
    /// # Safety
    ///
    /// `skb` must be a valid packet that was sent on this VCC and is the caller's,
    /// who gives it up.
    #[inline]
    pub(crate) unsafe fn pop(
        &self,
        skb: NonNull<sk_buff>,
        is_sent: bool,
        guard: &rcu::Guard,
    ) -> Result {
        let raw = self.raw.try_access_with_guard(guard).ok_or(ENOTCONN)?;
        if is_sent {
            raw.count(Counter::Tx);
        }
        let vcc = raw.0.as_ptr();
        // SAFETY: By the invariants of `Raw`, the VCC is valid. The field may be
        // changed meanwhile, from one value to another, both of them valid.
        match unsafe { (&raw const (*vcc).pop).read_volatile() } {
            // SAFETY: The VCC is valid, and the packet is ours to give.
            Some(pop) => unsafe { pop(vcc, skb.as_ptr()) },
            // SAFETY: The packet is ours to give.
            None => unsafe { bindings::dev_kfree_skb_any(skb.as_ptr()) },
        }
        Ok(())
    }

    fn count(&self, which: Counter) {
        self.raw.try_access_with(|raw| raw.count(which));
    }
}

/// What is counted.
enum Counter {
    Tx,
    TxError,
    Rx,
    RxError,
    RxDrop,
}

/// The C object behind a handle.
///
/// # Invariants
///
/// The VCC is valid as long as this value can be reached, and its device and its
/// statistics are set.
struct Raw(NonNull<bindings::atm_vcc>);

// SAFETY: All that is done here with a VCC may be done by any thread.
unsafe impl Send for Raw {}
// SAFETY: As before, and by several threads at once.
unsafe impl Sync for Raw {}

impl Raw {
    #[inline]
    fn count(&self, which: Counter) {
        // SAFETY: By the type's invariants, the VCC is valid, and has counters.
        let counter = unsafe {
            let stats = (*self.0.as_ptr()).stats;
            match which {
                Counter::Tx => &raw mut (*stats).tx,
                Counter::TxError => &raw mut (*stats).tx_err,
                Counter::Rx => &raw mut (*stats).rx,
                Counter::RxError => &raw mut (*stats).rx_err,
                Counter::RxDrop => &raw mut (*stats).rx_drop,
            }
        };
        // CAST: An `atomic_t` is an `i32` that is used atomically.
        // SAFETY: By the type's invariants, and all who use it do so atomically.
        unsafe { Atomic::from_ptr(counter.cast::<i32>()) }.add(1, Relaxed);
    }
}
