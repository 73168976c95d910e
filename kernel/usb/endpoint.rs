// SPDX-License-Identifier: GPL-2.0

//! Endpoints, as types.
//!
//! A type here stands for an endpoint that was found in a device's descriptors with the right
//! direction and the right kind of transfer. [`Interface`](crate::Interface) makes them.

use core::num::NonZero;
use kernel::{
    bindings,
    ffi::{
        c_int,
        c_uint, //
    }, //
};

/// What a descriptor says about an endpoint: a copy, checked when it was made.
///
/// C type: `struct usb_endpoint_descriptor` in
/// [`include/uapi/linux/usb/ch9.h`](srctree/include/uapi/linux/usb/ch9.h)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Endpoint {
    address: u8,
    kind: Kind,
    max_packet: NonZero<u16>,
    interval: u8,
}

/// The kinds of transfer that this crate makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Control,
    Isochronous,
    Bulk,
    Interrupt,
}

impl Kind {
    /// The kind that the attributes of a descriptor name, if it is one of ours.
    fn from_attributes(attributes: u8) -> Option<Self> {
        match u32::from(attributes) & bindings::USB_ENDPOINT_XFERTYPE_MASK {
            bindings::USB_ENDPOINT_XFER_CONTROL => Some(Self::Control),
            bindings::USB_ENDPOINT_XFER_ISOC => Some(Self::Isochronous),
            bindings::USB_ENDPOINT_XFER_BULK => Some(Self::Bulk),
            bindings::USB_ENDPOINT_XFER_INT => Some(Self::Interrupt),
            _ => None,
        }
    }
}

impl Endpoint {
    /// The bit of an address that says "towards the host".
    const IN: u8 = bindings::USB_DIR_IN as u8;

    /// The control endpoint that every device has, in the direction of a request.
    pub(crate) const fn control(request_type: u8) -> Self {
        Self {
            address: request_type & Self::IN,
            kind: Kind::Control,
            max_packet: const { NonZero::new(8).unwrap() },
            interval: 0,
        }
    }

    /// Copies a descriptor; `None` if it is of a kind that we make no transfers of, or can't move
    /// a byte.
    pub(crate) fn from_descriptor(desc: &bindings::usb_endpoint_descriptor) -> Option<Self> {
        let max_packet =
            u16::from_le(desc.wMaxPacketSize) & bindings::USB_ENDPOINT_MAXP_MASK as u16;
        Some(Self {
            address: desc.bEndpointAddress,
            kind: Kind::from_attributes(desc.bmAttributes)?,
            max_packet: NonZero::new(max_packet)?,
            interval: desc.bInterval,
        })
    }

    /// The address with the direction in bit 7, as in a descriptor.
    pub(crate) fn address(&self) -> u8 {
        self.address
    }

    /// Whether data moves towards the host.
    pub(crate) fn is_in(&self) -> bool {
        self.address & Self::IN != 0
    }

    /// The kind of transfer.
    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// The `PIPE_*` constant of the kind.
    pub(crate) fn pipe_type(&self) -> c_uint {
        match self.kind {
            Kind::Control => bindings::PIPE_CONTROL,
            Kind::Isochronous => bindings::PIPE_ISOCHRONOUS,
            Kind::Bulk => bindings::PIPE_BULK,
            Kind::Interrupt => bindings::PIPE_INTERRUPT,
        }
    }

    /// How many packets a transfer of `size` bytes has: 0 if it is not isochronous, for the host
    /// controller cuts any other as it likes.
    pub(crate) fn packets(&self, size: usize) -> usize {
        match self.kind {
            Kind::Isochronous => size / NonZero::<usize>::from(self.max_packet),
            Kind::Control | Kind::Bulk | Kind::Interrupt => 0,
        }
    }

    /// Whether a transfer may have a buffer of `size` bytes: whole packets if it is isochronous.
    pub(crate) fn fits(&self, size: usize) -> bool {
        self.kind != Kind::Isochronous || size % NonZero::<usize>::from(self.max_packet) == 0
    }

    /// The largest packet, in bytes; at least 1.
    pub(crate) fn max_packet(&self) -> usize {
        usize::from(self.max_packet.get())
    }

    /// The time from one packet of a periodic endpoint to the next in the units of `struct urb`:
    /// frames of 1 ms up to full speed, microframes of 125 us above. The descriptor holds an
    /// exponent there, and for isochronous endpoints everywhere.
    pub(crate) fn interval(&self, speed: bindings::usb_device_speed) -> c_int {
        match self.kind {
            Kind::Isochronous => 1 << (self.interval.clamp(1, 16) - 1),
            Kind::Interrupt if speed >= bindings::usb_device_speed_USB_SPEED_HIGH => {
                1 << (self.interval.clamp(1, 16) - 1)
            }
            Kind::Interrupt => c_int::from(self.interval.max(1)),
            Kind::Control | Kind::Bulk => 0,
        }
    }
}

mod sealed {
    pub trait Sealed {}
}

/// An endpoint that a [`Stream`](crate::Stream) can run on.
pub trait Pipe: sealed::Sealed + Copy {
    #[doc(hidden)]
    fn endpoint(&self) -> Endpoint;

    /// The largest packet of the endpoint, in bytes; at least 1.
    fn max_packet(&self) -> usize {
        self.endpoint().max_packet()
    }
}

macro_rules! pipes {
    ($($(#[$doc:meta])* $name:ident: $kind:ident, $is_in:literal;)*) => {$(
        $(#[$doc])*
        ///
        /// # Invariants
        ///
        /// The endpoint has the kind and the direction that the name says.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name(Endpoint);

        impl $name {
            /// The bit of the direction in an address.
            pub(crate) const DIRECTION: u8 = if $is_in { Endpoint::IN } else { 0 };

            /// Takes an endpoint if it is of this type.
            pub(crate) fn new(endpoint: Endpoint) -> Option<Self> {
                let fits = endpoint.kind() == Kind::$kind && endpoint.is_in() == $is_in;
                // INVARIANT: Just checked.
                fits.then_some(Self(endpoint))
            }
        }

        impl sealed::Sealed for $name {}

        impl Pipe for $name {
            fn endpoint(&self) -> Endpoint {
                self.0
            }
        }
    )*};
}

pipes! {
    /// A bulk endpoint towards the host.
    BulkIn: Bulk, true;
    /// A bulk endpoint towards the device.
    BulkOut: Bulk, false;
    /// An interrupt endpoint towards the host.
    InterruptIn: Interrupt, true;
    /// An isochronous endpoint towards the host: one packet in each of its intervals, which is
    /// lost if something goes wrong.
    IsochronousIn: Isochronous, true;
}

/// An endpoint towards the host that brings much data, in one way or the other.
///
/// # Invariants
///
/// It is a bulk or an isochronous endpoint towards the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataIn(Endpoint);

impl From<BulkIn> for DataIn {
    fn from(BulkIn(endpoint): BulkIn) -> Self {
        // INVARIANT: By that of `BulkIn`.
        Self(endpoint)
    }
}

impl From<IsochronousIn> for DataIn {
    fn from(IsochronousIn(endpoint): IsochronousIn) -> Self {
        // INVARIANT: By that of `IsochronousIn`.
        Self(endpoint)
    }
}

impl DataIn {
    /// Whether it is isochronous.
    pub fn is_isochronous(&self) -> bool {
        self.0.kind() == Kind::Isochronous
    }
}

impl sealed::Sealed for DataIn {}

impl Pipe for DataIn {
    fn endpoint(&self) -> Endpoint {
        self.0
    }
}
