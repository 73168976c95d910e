// SPDX-License-Identifier: GPL-2.0-only

//! From a packet to its cells.

use core::ops::Deref;

use super::{cells, Crc, Trailer, TRAILER_LEN};
use crate::cell::{Header, Pti, Stride, Vc, CELL_LEN, HEADER_LEN, PAYLOAD_LEN};

/// Bytes of a CRC.
const CRC_LEN: usize = 4;

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
        let before = self.left;
        let mut slots = buffer.chunks_exact_mut(stride.get());
        if self.left > 1 {
            self.fill_whole(&mut slots);
        }
        // What is left once no cell is full of data, if there is room for it still.
        while self.left != 0 {
            let Some(slot) = slots.next() else { break };
            self.fill_tail(slot);
        }
        before.saturating_sub(self.left) * stride.get()
    }

    /// Writes cells that hold nothing but the packet's bytes: all but the last
    /// one or two.
    fn fill_whole<'a>(&mut self, slots: &mut impl Iterator<Item = &'a mut [u8]>) {
        let header = Header::new(self.vc, Pti::User).to_bytes();
        let data = rest(&self.sdu, self.len, self.sent);
        let mut written = 0usize;
        // A slot is taken only where there is a payload for it.
        for (payload, slot) in data.chunks_exact(PAYLOAD_LEN).zip(slots) {
            if let (Some(place), Some(payload)) = (begin_cell(slot, header), payload.first_chunk())
            {
                *place = *payload;
            }
            written = written.saturating_add(1);
        }
        let bytes = written.saturating_mul(PAYLOAD_LEN);
        // All of them in one go costs less than each alone.
        self.crc.update(data.get(..bytes).unwrap_or(&[]));
        // INVARIANT: so many cells were written, and their CRC taken in.
        self.left = self.left.saturating_sub(written);
        self.sent = self.sent.saturating_add(bytes);
    }

    /// Writes the next cell, which has room for more than is left of the packet:
    /// that, zeros, and in the last one the trailer.
    fn fill_tail(&mut self, slot: &mut [u8]) {
        let is_last = self.left == 1;
        let pti = if is_last { Pti::UserEnd } else { Pti::User };
        let Some(payload) = begin_cell(slot, Header::new(self.vc, pti).to_bytes()) else {
            return;
        };
        *payload = [0; PAYLOAD_LEN];
        let data = rest(&self.sdu, self.len, self.sent);
        if let Some(place) = payload.get_mut(..data.len()) {
            place.copy_from_slice(data);
        }
        if is_last {
            // Its number of cells leaves the packet room for that.
            add_trailer(payload, self.len, &mut self.crc);
        } else {
            self.crc.update_array(payload);
        }
        // INVARIANT: one more cell was written, and its CRC taken in.
        self.left = self.left.saturating_sub(1);
        self.sent = self.sent.saturating_add(PAYLOAD_LEN);
    }
}

/// Writes the cell of a packet that needs but one to the beginning of `buffer`, as a
/// [`Segmenter`] would, at less than its cost: there is nothing to remember. Returns the length
/// that it fills.
///
/// Returns `None`, and has written nothing, if the packet is empty or longer than 40 bytes, or if
/// there is no room.
#[inline]
pub fn fill_single(vc: Vc, sdu: &[u8], buffer: &mut [u8], stride: Stride) -> Option<usize> {
    let slot = buffer.get_mut(..stride.get())?;
    let len = u16::try_from(sdu.len()).ok().filter(|len| *len != 0)?;
    if sdu.len() > PAYLOAD_LEN - TRAILER_LEN {
        return None;
    }
    let payload = begin_cell(slot, Header::new(vc, Pti::UserEnd).to_bytes())?;
    *payload = [0; PAYLOAD_LEN];
    payload.get_mut(..sdu.len())?.copy_from_slice(sdu);
    add_trailer(payload, len, &mut Crc::new());
    Some(stride.get())
}

/// Writes the trailer to the end of a PDU's last payload. `crc` is that of all before.
#[inline]
fn add_trailer(payload: &mut [u8; PAYLOAD_LEN], len: u16, crc: &mut Crc) {
    let trailer = Trailer {
        uu: 0,
        cpi: 0,
        len,
        crc: 0,
    };
    if let Some(place) = payload.last_chunk_mut::<TRAILER_LEN>() {
        *place = trailer.to_bytes();
    }
    // The CRC comes last, and is of all before it.
    let (covered, place) = payload.split_at_mut(PAYLOAD_LEN - CRC_LEN);
    if let Some(covered) = covered.first_chunk::<{ PAYLOAD_LEN - CRC_LEN }>() {
        crc.update_array(covered);
    }
    place.copy_from_slice(&crc.value().to_be_bytes());
}

/// What is left of a packet of `len` bytes after `sent` of them. That its owner
/// does not shorten it meanwhile is not relied upon.
fn rest(sdu: &[u8], len: u16, sent: usize) -> &[u8] {
    sdu.get(..usize::from(len))
        .and_then(|sdu| sdu.get(sent..))
        .unwrap_or(&[])
}

/// Writes the header of a cell to the beginning of `slot`, and zeros behind the cell. Returns the
/// place for its payload.
#[inline]
fn begin_cell(slot: &mut [u8], header: [u8; HEADER_LEN]) -> Option<&mut [u8; PAYLOAD_LEN]> {
    let (cell, padding) = slot.split_first_chunk_mut::<CELL_LEN>()?;
    // As a rule there is none, and nobody has to be called to clear it.
    if !padding.is_empty() {
        padding.fill(0);
    }
    let (place, payload) = cell.split_first_chunk_mut()?;
    *place = header;
    payload.first_chunk_mut()
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
