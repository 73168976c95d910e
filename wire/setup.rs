// SPDX-License-Identifier: GPL-2.0-only

//! The setup packet that starts a control transfer (USB 2.0, section 9.3).

/// Bytes in a setup packet.
pub const SETUP_LEN: usize = 8;

/// Bit 7 of [`Setup::request_type`]: the data goes from the device to the host.
pub const DIRECTION_IN: u8 = 0x80;

/// A setup packet. Its 16-bit fields travel in little-endian order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Setup {
    /// `bmRequestType`: direction, type and recipient.
    pub request_type: u8,
    /// `bRequest`: which request.
    pub request: u8,
    /// `wValue`: a parameter.
    pub value: u16,
    /// `wIndex`: another one, often an interface or endpoint.
    pub index: u16,
    /// `wLength`: the data stage's length in bytes, the most that is wanted
    /// where the data comes from the device.
    pub length: u16,
}

impl Setup {
    /// Packs the packet as it goes over the bus.
    pub const fn to_bytes(self) -> [u8; SETUP_LEN] {
        let [v0, v1] = self.value.to_le_bytes();
        let [i0, i1] = self.index.to_le_bytes();
        let [l0, l1] = self.length.to_le_bytes();
        [self.request_type, self.request, v0, v1, i0, i1, l0, l1]
    }

    /// Reads a packet; any eight bytes are one.
    pub const fn from_bytes(bytes: [u8; SETUP_LEN]) -> Self {
        let [request_type, request, v0, v1, i0, i1, l0, l1] = bytes;
        Self {
            request_type,
            request,
            value: u16::from_le_bytes([v0, v1]),
            index: u16::from_le_bytes([i0, i1]),
            length: u16::from_le_bytes([l0, l1]),
        }
    }

    /// Whether the data goes from the device to the host.
    pub const fn is_in(self) -> bool {
        self.request_type & DIRECTION_IN != 0
    }
}
