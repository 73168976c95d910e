// SPDX-License-Identifier: GPL-2.0

//! ATM devices.

use core::ptr::{
    addr_of,
    addr_of_mut, //
};

use kernel::{
    ffi::c_char,
    sync::atomic::{
        Atomic,
        Relaxed, //
    },
    types::Opaque, //
};

use crate::bindings;

/// What is known about a device's line: `ATM_PHY_SIG_*` in C.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Signal {
    /// There is no carrier.
    Lost = bindings::ATM_PHY_SIG_LOST as u8,
    /// Nobody knows yet.
    Unknown = bindings::ATM_PHY_SIG_UNKNOWN as u8,
    /// The line is up.
    Found = bindings::ATM_PHY_SIG_FOUND as u8,
}

/// Packets counted on one adaptation layer of a device.
///
/// The ATM layer can reset its counters, at any moment, by taking away what it
/// has read; so they are signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AalStats {
    /// Sent.
    pub tx: i32,
    /// Not sent because of an error.
    pub tx_err: i32,
    /// Received and passed on.
    pub rx: i32,
    /// Received with an error.
    pub rx_err: i32,
    /// Received well, but there was no memory or no room at the receiver's.
    pub rx_drop: i32,
}

/// An ATM device.
///
/// Only ever seen by reference, while it is registered or its operations run.
///
/// C header: [`include/linux/atmdev.h`](srctree/include/linux/atmdev.h)
///
/// # Invariants
///
/// The reference is that of a valid `struct atm_dev`.
#[repr(transparent)]
pub struct Device(Opaque<bindings::atm_dev>);

// SAFETY: All that can be done with a reference may be done by several threads
// at once: fields are read and written in one access each, and the function
// that is called is meant for any thread.
unsafe impl Sync for Device {}

impl Device {
    /// Looks at a C device.
    ///
    /// # Safety
    ///
    /// `dev` must point to a valid `struct atm_dev`, which stays valid for `'a`.
    pub(crate) unsafe fn from_raw<'a>(dev: *mut bindings::atm_dev) -> &'a Self {
        // SAFETY: `Device` is transparent to an `Opaque`, which is transparent to
        // the C type; the caller vouches for the rest.
        unsafe { &*dev.cast() }
    }

    fn as_ptr(&self) -> *mut bindings::atm_dev {
        self.0.get()
    }

    /// The device's number, by which sockets name it; counted from 0.
    pub fn number(&self) -> i32 {
        // SAFETY: By the type's invariants; nobody writes this field after the
        // device was registered.
        unsafe { (*self.as_ptr()).number }
    }

    /// Sets how many bits of a cell's VPI and VCI the device looks at: what
    /// numbers sockets may ask for. None until set.
    pub fn set_address_bits(&self, vpi: u8, vci: u8) {
        // CAST: Nobody has more than 127 bits, and the C type is a signed byte.
        let range = bindings::atm_cirange {
            vpi_bits: vpi as i8,
            vci_bits: vci as i8,
        };
        // SAFETY: By the type's invariants. Whoever reads this meanwhile, in C,
        // finds the old range or the new one in each of the two fields.
        unsafe { addr_of_mut!((*self.as_ptr()).ci_range).write_volatile(range) };
    }

    /// The highest rate that a link may have, in cells of 53 bytes a second: the ATM layer tells
    /// user space of it in bits, as a C `int`.
    const MAX_LINK_RATE: i32 = i32::MAX / (53 * 8);

    /// Sets the link's rate, in cells a second; to the highest that can be told, if it is higher.
    pub fn set_link_rate(&self, cells: u64) {
        let cells = i32::try_from(cells).unwrap_or(i32::MAX);
        let cells = cells.min(Self::MAX_LINK_RATE);
        // SAFETY: By the type's invariants. Readers in C find the old rate or the
        // new one.
        unsafe { addr_of_mut!((*self.as_ptr()).link_rate).write_volatile(cells) };
    }

    /// Sets the end system identifier, which is the device's hardware address.
    pub fn set_esi(&self, esi: [u8; bindings::ESI_LEN as usize]) {
        // SAFETY: By the type's invariants. A reader in C may find a part of each
        // address, as with the ATM layer's own call that changes it.
        unsafe { addr_of_mut!((*self.as_ptr()).esi).write_volatile(esi) };
    }

    /// The end system identifier; zeros if nobody has set it.
    pub fn esi(&self) -> [u8; bindings::ESI_LEN as usize] {
        // SAFETY: By the type's invariants; see `set_esi`.
        unsafe { addr_of!((*self.as_ptr()).esi).read_volatile() }
    }

    /// What was last said about the line.
    pub fn signal(&self) -> Signal {
        // SAFETY: By the type's invariants; it is one byte.
        match u32::from(unsafe { addr_of!((*self.as_ptr()).signal).read_volatile() }) {
            bindings::ATM_PHY_SIG_LOST => Signal::Lost,
            bindings::ATM_PHY_SIG_FOUND => Signal::Found,
            _ => Signal::Unknown,
        }
    }

    /// Says how the line is, to the protocols above, too, if that is news.
    ///
    /// Does not sleep.
    pub fn set_signal(&self, signal: Signal) {
        // SAFETY: By the type's invariants, and `signal` is one that C knows. The
        // chain of listeners that is called is an atomic one.
        unsafe { bindings::atm_dev_signal_change(self.as_ptr(), signal as c_char) };
    }

    /// What was counted on AAL5.
    pub fn aal5_stats(&self) -> AalStats {
        // SAFETY: By the type's invariants; no reference to a counter is made.
        let stats = unsafe { addr_of_mut!((*self.as_ptr()).stats.aal5) };
        let read = |counter: *mut i32| {
            // SAFETY: The counter is part of a valid device, and all others that
            // use it do so atomically.
            unsafe { Atomic::from_ptr(counter) }.load(Relaxed)
        };
        // SAFETY: The five counters are within the device.
        let [tx, tx_err, rx, rx_err, rx_drop] = unsafe {
            [
                addr_of_mut!((*stats).tx.counter),
                addr_of_mut!((*stats).tx_err.counter),
                addr_of_mut!((*stats).rx.counter),
                addr_of_mut!((*stats).rx_err.counter),
                addr_of_mut!((*stats).rx_drop.counter),
            ]
        };
        AalStats {
            tx: read(tx),
            tx_err: read(tx_err),
            rx: read(rx),
            rx_err: read(rx_err),
            rx_drop: read(rx_drop),
        }
    }
}
