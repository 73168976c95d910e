// SPDX-License-Identifier: GPL-2.0

//! One URB and the memory that it moves.

use crate::{
    device::Device,
    endpoint::Endpoint,
    sys, //
};
use core::{
    ops::Range,
    ptr::{
        self,
        NonNull, //
    }, //
};
use kernel::{
    bindings,
    error::to_result,
    ffi::{
        c_int,
        c_void, //
    },
    prelude::*,
    sync::aref::ARef, //
};

/// What the USB core calls when an URB ends, in atomic context.
pub(crate) type Complete = unsafe extern "C" fn(*mut bindings::urb);

/// A `struct urb` with a buffer of a fixed size.
///
/// The URB owns its buffer (`URB_FREE_BUFFER`), so the memory stays for as long as anybody in the
/// USB core still holds the URB. Dropping it poisons the URB first: its handler has returned when
/// the drop returns, and does not run again.
///
/// # Invariants
///
/// - `raw` is a valid URB of which we own a reference; its fields are changed only by the USB
///   core while it is in flight, and only through `self` while it is not.
/// - `transfer_buffer` is an initialised allocation of `size` bytes, or null if `size` is 0.
/// - `iso_frame_desc` has `packets` elements.
pub(crate) struct Urb {
    raw: NonNull<bindings::urb>,
    size: u32,
    packets: u32,
    device: ARef<Device>,
}

// SAFETY: An URB is not bound to the thread that made it: it is completed, killed and freed from
// any. `Device` is `Send` and `Sync`.
unsafe impl Send for Urb {}

// SAFETY: `&Urb` gives only pointers and calls that the USB core serialises itself (submit, kill,
// poison); access to fields and buffer is behind unsafe functions with their own rules.
unsafe impl Sync for Urb {}

impl Urb {
    /// Allocates an URB with a zeroed buffer of `size` bytes, for transfers that the host
    /// controller cuts into packets. May sleep.
    pub(crate) fn new(device: &Device, size: usize) -> Result<Self> {
        Self::with_packets(device, size, 0)
    }

    /// Allocates an URB for so many packets, if it is isochronous. May sleep.
    pub(crate) fn with_packets(device: &Device, size: usize, packets: usize) -> Result<Self> {
        // Both are an `int` in half of the USB core.
        let length = u32::try_from(i32::try_from(size)?)?;
        let count = i32::try_from(packets)?;
        // SAFETY: No condition; the result is an URB that is ours, or null.
        let raw = unsafe { bindings::usb_alloc_urb(count, bindings::GFP_KERNEL) };
        // INVARIANT: Its buffer is null, as `size` says, until the buffer exists; it was allocated
        // with so many packets.
        let mut urb = Self {
            raw: NonNull::new(raw).ok_or(ENOMEM)?,
            size: 0,
            packets: count.try_into()?,
            device: device.into(),
        };
        if size > 0 {
            let (buffer, ..) = KVec::from_elem(0u8, size, GFP_KERNEL)?.into_raw_parts();
            // SAFETY: `raw` is valid, and not in flight. The buffer comes from `kmalloc()`, which
            // is what `URB_FREE_BUFFER` and DMA ask for, and the URB owns it from here.
            unsafe {
                (*raw).transfer_buffer = buffer.cast();
                (*raw).transfer_flags = bindings::URB_FREE_BUFFER;
            }
            // INVARIANT: All of the `size` bytes were written above.
            urb.size = length;
        }
        Ok(urb)
    }

    /// Says where the URB goes, and what is called when it ends.
    ///
    /// # Safety
    ///
    /// - The URB is not in flight.
    /// - `complete` may be called with this URB, whose `context` is the one given here, whenever
    ///   it is submitted and until it is dropped.
    #[inline(never)] // The helper is not exported to other modules.
    pub(crate) unsafe fn fill(
        &self,
        endpoint: &Endpoint,
        complete: Complete,
        context: *const c_void, //
    ) {
        let (raw, dev) = (self.raw.as_ptr(), self.device.as_raw());
        // SAFETY: `raw` is valid by the type invariants and not in flight by the caller's word;
        // `dev` is valid because we own a reference.
        unsafe {
            (*raw).dev = dev;
            (*raw).pipe = sys::threadline_usb_pipe(dev, endpoint.pipe_type(), endpoint.address());
            (*raw).interval = endpoint.interval(self.device.speed());
            (*raw).complete = Some(complete);
            (*raw).context = context.cast_mut();
            self.set_length(self.size());
        }
    }

    /// Sets how many bytes of the buffer the next transfer moves, at most.
    ///
    /// # Safety
    ///
    /// The URB is not in flight; `length` is not larger than [`Urb::size`], and not smaller either
    /// if the URB is isochronous.
    #[inline]
    pub(crate) unsafe fn set_length(&self, length: usize) {
        // SAFETY: The caller's word.
        unsafe {
            (*self.raw.as_ptr()).transfer_buffer_length = length as u32;
            if self.packets > 0 {
                self.lay_out_packets();
            }
        }
    }

    /// Points a control transfer at its setup packet.
    ///
    /// # Safety
    ///
    /// The URB is not in flight, and `setup` stays valid for as long as it is.
    pub(crate) unsafe fn set_setup(&self, setup: *mut bindings::usb_ctrlrequest) {
        // SAFETY: The caller's word.
        unsafe { (*self.raw.as_ptr()).setup_packet = setup.cast() };
    }

    /// Hands the URB to the USB core. Does not sleep with `GFP_ATOMIC`.
    ///
    /// # Safety
    ///
    /// [`Urb::fill`] was called, the URB is not in flight, and until it ends nobody uses the
    /// buffer.
    #[inline]
    pub(crate) unsafe fn submit(&self, flags: bindings::gfp_t) -> Result {
        // SAFETY: By the invariants and the caller's word the URB is complete and idle; the
        // device outlives the transfer because dropping `self` ends the transfer first.
        to_result(unsafe { bindings::usb_submit_urb(self.raw.as_ptr(), flags) })
    }

    /// Cancels the URB and waits until its handler has returned. It can be submitted again.
    /// Sleeps.
    pub(crate) fn kill(&self) {
        // SAFETY: `raw` is valid by the type invariants, in flight or not.
        unsafe { bindings::usb_kill_urb(self.raw.as_ptr()) };
    }

    /// Starts to cancel the URB without waiting for it. It can be submitted again once it has
    /// ended.
    pub(crate) fn unlink(&self) {
        // SAFETY: `raw` is valid by the type invariants, in flight or not, and not freed before
        // `self` is dropped. An error only says that there was nothing to cancel.
        unsafe { bindings::usb_unlink_urb(self.raw.as_ptr()) };
    }

    /// Lets every later submission fail, and starts to cancel the URB without waiting for it.
    pub(crate) fn cancel(&self) {
        // SAFETY: `raw` is valid by the type invariants, in flight or not, and not freed before
        // `self` is dropped. An error only says that there was nothing to cancel.
        unsafe {
            bindings::usb_block_urb(self.raw.as_ptr());
            bindings::usb_unlink_urb(self.raw.as_ptr());
        }
    }

    /// Like [`Urb::kill`], but every later submission fails. May be called again. Sleeps.
    pub(crate) fn poison(&self) {
        // SAFETY: `raw` is valid by the type invariants, in flight or not.
        unsafe { bindings::usb_poison_urb(self.raw.as_ptr()) };
    }

    /// The URB itself.
    pub(crate) fn as_raw(&self) -> *mut bindings::urb {
        self.raw.as_ptr()
    }

    /// How many packets it has; none if it is not isochronous.
    #[inline]
    pub(crate) fn packets(&self) -> usize {
        self.packets as usize
    }

    /// The part of the buffer that a packet has. It is within the buffer.
    pub(crate) fn place(&self, packet: usize) -> Range<usize> {
        let size = self.size();
        let length = size.checked_div(self.packets()).unwrap_or(0);
        let start = length.saturating_mul(packet).min(size);
        start..start.saturating_add(length).min(size)
    }

    /// The size of the buffer in bytes.
    #[inline]
    pub(crate) fn size(&self) -> usize {
        self.size as usize
    }

    /// The buffer.
    #[inline]
    pub(crate) fn buffer(&self) -> *mut u8 {
        if self.size == 0 {
            return ptr::dangling_mut();
        }
        // SAFETY: `raw` is valid; the pointer is never changed after [`Urb::new`].
        unsafe { (*self.raw.as_ptr()).transfer_buffer.cast() }
    }

    /// How the transfer ended: the number of bytes moved, or the reason why it failed, as listed
    /// in `Documentation/driver-api/usb/error-codes.rst`.
    ///
    /// # Safety
    ///
    /// The URB is not in flight.
    #[inline]
    pub(crate) unsafe fn result(&self) -> Result<usize> {
        // SAFETY: `raw` is valid, and nobody writes to it now by the caller's word.
        let (status, actual): (c_int, u32) = unsafe {
            (
                (*self.raw.as_ptr()).status,
                (*self.raw.as_ptr()).actual_length,
            )
        };
        to_result(status)?;
        // A host controller never reports more than it was given; this is for the day it does.
        Ok(actual.min(self.size) as usize)
    }
}

impl Drop for Urb {
    fn drop(&mut self) {
        self.poison();
        // SAFETY: The reference is ours by the type invariants, and the URB is not in flight.
        unsafe { bindings::usb_free_urb(self.raw.as_ptr()) };
    }
}
