// SPDX-License-Identifier: GPL-2.0-only

//! From a packet to its cells.

use core::ops::Deref;

use super::{cells, Crc, Trailer, TRAILER_LEN};
use crate::cell::{Header, Pti, Stride, Vc, CELL_LEN, HEADER_LEN, PAYLOAD_LEN};

/// A packet that AAL5 can't carry, because it is empty or longer than
/// [`MAX_SDU_LEN`](super::MAX_SDU_LEN).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadLength<B>(pub B);

/// A packet on its way into cells.
///
/// It may stop after any cell, and go on in the next buffer.
///
/// # Invariants
///
/// - `left` cells of the PDU are not written yet, `sent` bytes are.
/// - `crc` is that of these bytes.
pub struct Segmenter<B> {
    vc: Vc,
    sdu: B,
    /// The packet's length as it was when it was handed in.
    len: u16,
    sent: usize,
    left: usize,
    crc: Crc,
}

impl<B: Deref<Target = [u8]>> Segmenter<B> {
    /// Prepares to send `sdu` on `vc`.
    ///
    /// # Errors
    ///
    /// [`BadLength`], which has `sdu` in it.
    pub fn new(vc: Vc, sdu: B) -> Result<Self, BadLength<B>> {
        let len = match u16::try_from(sdu.len()) {
            Ok(len) if len != 0 => len,
            _ => return Err(BadLength(sdu)),
        };
        // INVARIANT: nothing is sent yet, and the CRC is that of nothing.
        Ok(Self {
            vc,
            sdu,
            len,
            sent: 0,
            left: cells(len),
            crc: Crc::new(),
        })
    }

    /// Writes the next cells into `buffer`, as many as are left and fit, and
    /// returns the length that they fill, padding included: a multiple of
    /// `stride`. The padding is zeroed, so that nothing leaks to the modem.
    pub fn fill(&mut self, buffer: &mut [u8], stride: Stride) -> usize {
        let mut written = 0usize;
        for slot in buffer.chunks_exact_mut(stride.get()) {
            let Some(left) = self.left.checked_sub(1) else {
                break;
            };
            let (cell, padding) = slot.split_at_mut(CELL_LEN);
            let (header, payload) = cell.split_at_mut(HEADER_LEN);
            let pti = if left == 0 {
                self.last_payload(payload);
                Pti::UserEnd
            } else {
                self.payload(payload);
                self.crc.update(payload);
                Pti::User
            };
            // INVARIANT: one more cell was written, and its CRC taken in.
            self.left = left;
            self.sent = self.sent.saturating_add(PAYLOAD_LEN);
            header.copy_from_slice(&Header::new(self.vc, pti).to_bytes());
            padding.fill(0);
            written = written.saturating_add(stride.get());
        }
        written
    }

    /// Writes the next cell's payload: what is left of the packet, and zeros.
    fn payload(&self, to: &mut [u8]) {
        let sdu = self.sdu.get(..usize::from(self.len)).unwrap_or(&[]);
        let left = sdu.get(self.sent..).unwrap_or(&[]);
        let data = left.get(..to.len()).unwrap_or(left);
        let (head, zeros) = to.split_at_mut(data.len());
        head.copy_from_slice(data);
        zeros.fill(0);
    }

    /// Writes the last cell's payload. Its number of cells leaves the packet
    /// room for the trailer.
    fn last_payload(&mut self, to: &mut [u8]) {
        self.payload(to);
        if let Some((body, trailer)) = to.split_last_chunk_mut() {
            self.crc.update(body);
            *trailer = self.trailer();
        }
    }

    /// The trailer, once the CRC has run over all before it.
    fn trailer(&mut self) -> [u8; TRAILER_LEN] {
        let mut trailer = Trailer {
            uu: 0,
            cpi: 0,
            len: self.len,
            crc: 0,
        };
        let [uu, cpi, l0, l1, ..] = trailer.to_bytes();
        self.crc.update(&[uu, cpi, l0, l1]);
        trailer.crc = self.crc.value();
        trailer.to_bytes()
    }
}

impl<B> Segmenter<B> {
    /// Whether all cells are written.
    pub fn is_done(&self) -> bool {
        self.left == 0
    }

    /// How many cells are left to write.
    pub fn cells_left(&self) -> usize {
        self.left
    }

    /// The channel that the cells go to.
    pub fn vc(&self) -> Vc {
        self.vc
    }

    /// The packet.
    pub fn sdu(&self) -> &B {
        &self.sdu
    }

    /// Gives the packet back, sent or not.
    pub fn into_sdu(self) -> B {
        self.sdu
    }
}
