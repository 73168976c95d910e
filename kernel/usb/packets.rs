// SPDX-License-Identifier: GPL-2.0

//! The packets of an isochronous transfer.
//!
//! An isochronous endpoint moves one packet in each of its intervals, whether it is full, short or
//! empty, and whether it gets through or not. So a transfer has many packets, each with a length
//! and a fate of its own, and its place in the buffer is that of its interval.

use crate::urb::Urb;
use core::ops::Range;
use kernel::{
    bindings,
    error::to_result,
    prelude::*, //
};

impl Urb {
    /// Gives each packet of an isochronous URB its part of the buffer, and lets its transfer begin
    /// as soon as there is time on the bus.
    ///
    /// Some host controller drivers write what they like into the descriptors, so this is done
    /// before each transfer.
    ///
    /// # Safety
    ///
    /// The URB is not in flight.
    pub(crate) unsafe fn lay_out_packets(&self) {
        let raw = self.as_raw();
        // SAFETY: The URB is valid, and not in flight by the caller's word.
        unsafe {
            (*raw).transfer_flags |= bindings::URB_ISO_ASAP;
            (*raw).number_of_packets = self.packets() as i32;
        }
        for index in 0..self.packets() {
            let place = self.place(index);
            let packet = bindings::usb_iso_packet_descriptor {
                offset: place.start as u32,
                length: place.len() as u32,
                actual_length: 0,
                status: 0,
            };
            // SAFETY: The descriptor is one of the URB's, which is not in flight.
            unsafe { self.packet(index).write(packet) };
        }
    }

    /// What became of a packet: where in the buffer its bytes are, or why it was lost.
    ///
    /// # Safety
    ///
    /// The URB is not in flight, [`Urb::fill`] was called, and `index` is less than
    /// [`Urb::packets`].
    pub(crate) unsafe fn packet_result(&self, index: usize) -> Result<Range<usize>> {
        // SAFETY: The descriptor is one of the URB's, written when the packets were laid out, and
        // nobody writes to it now.
        let bindings::usb_iso_packet_descriptor {
            actual_length,
            status,
            ..
        } = unsafe { *self.packet(index) };
        if status != 0 {
            return Err(to_result(status).err().unwrap_or(EIO));
        }
        let mut place = self.place(index);
        // A host controller never reports more than it was given; this is for the day it does.
        place.end = place.end.min(place.start + actual_length as usize);
        Ok(place)
    }

    /// A packet's descriptor: one of the URB's as long as `index` is less than [`Urb::packets`].
    fn packet(&self, index: usize) -> *mut bindings::usb_iso_packet_descriptor {
        // SAFETY: The URB is valid, and nothing is read.
        let first = unsafe { &raw mut (*self.as_raw()).iso_frame_desc };
        first
            .cast::<bindings::usb_iso_packet_descriptor>()
            .wrapping_add(index)
    }
}
