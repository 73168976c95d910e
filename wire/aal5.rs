// SPDX-License-Identifier: GPL-2.0-only

//! ATM adaptation layer 5: packets over cells (ITU-T I.363.5).
//!
//! A packet (SDU) of 1 to 65,535 bytes is followed by zeros and a trailer of 8
//! bytes, so that all of it (the PDU) fills whole cells; the last cell says in
//! its header that it is the last. The trailer's four fields are a byte for the
//! user, a byte that is 0, the SDU's length, and a CRC-32 over all before it.
//!
//! [`Segmenter`] writes a packet's cells into whatever buffers come along, and
//! [`Reassembler`] gathers the cells of one channel in a buffer until a packet
//! is whole. Both own the buffer that they work on, which is anything that
//! derefs to bytes: a slice, a vector, a socket buffer.
//!
//! # Examples
//!
//! ```
//! use wire::aal5::{Reassembler, Segmenter};
//! use wire::cell::{Splitter, Stride, Vc};
//!
//! let vc = Vc { vpi: 0, vci: 38 };
//! let packet = [0x5a; 100];
//! let mut segmenter = Segmenter::new(vc, &packet[..]).unwrap();
//! let mut buffer = [0; 64];
//! let mut splitter = Splitter::new(Stride::PLAIN);
//! let mut reassembler = Reassembler::new(vec![0; 192]);
//! let mut packets = 0;
//!
//! // Only one cell fits into the buffer at a time.
//! while !segmenter.is_done() {
//!     let written = segmenter.fill(&mut buffer, Stride::PLAIN);
//!     splitter.push(&buffer[..written], |cell| {
//!         let pti = cell.header().pti;
//!         if let Some(pdu) = reassembler.push(pti, cell.payload()).unwrap() {
//!             assert_eq!(pdu.sdu, packet);
//!             packets += 1;
//!         }
//!     });
//! }
//! assert_eq!(packets, 1);
//! ```

mod crc;
mod reassembler;
mod segmenter;

pub use crc::Crc;
pub use reassembler::{Error, Pdu, Reassembler};
pub use segmenter::{fill_single, BadLength, Segmenter};

use crate::cell::PAYLOAD_LEN;

/// Bytes in a PDU's trailer.
pub const TRAILER_LEN: usize = 8;

/// The longest packet, in bytes: its length is a `u16`.
pub const MAX_SDU_LEN: u16 = u16::MAX;

/// The number of cells that a packet of `sdu_len` bytes takes.
#[inline]
pub const fn cells(sdu_len: u16) -> usize {
    (sdu_len as usize + TRAILER_LEN).div_ceil(PAYLOAD_LEN)
}

/// The length of the PDU that carries a packet of `sdu_len` bytes: with its
/// padding and trailer, a multiple of 48 bytes.
#[inline]
pub const fn pdu_len(sdu_len: u16) -> usize {
    cells(sdu_len) * PAYLOAD_LEN
}

/// What stands at the end of each PDU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trailer {
    /// A byte from user to user, passed on as it is.
    pub uu: u8,
    /// Common part indicator: 0, the others are not assigned.
    pub cpi: u8,
    /// The SDU's length in bytes; 0 says that the sender gave it up.
    pub len: u16,
    /// The CRC-32 of the PDU up to this field.
    pub crc: u32,
}

impl Trailer {
    /// Packs the trailer, in network byte order.
    #[inline]
    pub const fn to_bytes(self) -> [u8; TRAILER_LEN] {
        let [l0, l1] = self.len.to_be_bytes();
        let [c0, c1, c2, c3] = self.crc.to_be_bytes();
        [self.uu, self.cpi, l0, l1, c0, c1, c2, c3]
    }

    /// Reads a trailer; any eight bytes are one.
    #[inline]
    pub const fn from_bytes(bytes: [u8; TRAILER_LEN]) -> Self {
        let [uu, cpi, l0, l1, c0, c1, c2, c3] = bytes;
        Self {
            uu,
            cpi,
            len: u16::from_be_bytes([l0, l1]),
            crc: u32::from_be_bytes([c0, c1, c2, c3]),
        }
    }
}

#[cfg(test)]
mod tests;
