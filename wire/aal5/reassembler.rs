// SPDX-License-Identifier: GPL-2.0-only

//! From cells to packets.

use core::ops::{Deref, DerefMut};

use super::{pdu_len, Crc, Trailer, TRAILER_LEN};
use crate::cell::{Pti, PAYLOAD_LEN};

/// Why there is no packet, although cells came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The PDU grew beyond the buffer. What was gathered is thrown away, and
    /// reassembly goes on with this cell. That is said once for each PDU, and
    /// nothing of what else is wrong with it.
    Overrun,
    /// The sender gave the packet up: its length is 0.
    Aborted,
    /// The length in the trailer takes more cells than have come.
    Length,
    /// The CRC is wrong.
    Crc,
    /// Not user data: the cell is no part of any packet, and is left out.
    NotUser(Pti),
}

/// A packet that arrived whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pdu<'a> {
    /// The packet.
    pub sdu: &'a [u8],
    /// The trailer that it came with.
    pub trailer: Trailer,
    /// Bytes that came before the packet and belong to none: an earlier PDU
    /// whose last cell was lost. Not 0 means that a packet was lost.
    pub stray: usize,
}

/// Gathers the cells of one channel in a buffer of the caller's.
///
/// A PDU may be as long as the buffer, so its length bounds what a hostile
/// peer can make us keep: [`pdu_len`] of the longest packet wanted.
///
/// The CRC is computed over a PDU in one go when its last cell is there, and
/// backwards from that: a lost last cell costs its own packet only, not the one
/// that follows as well.
///
/// # Invariants
///
/// `filled` is a multiple of 48, and so many bytes at the start of `buffer`
/// came from cells.
pub struct Reassembler<B> {
    buffer: B,
    filled: usize,
    /// Bytes thrown away since the last packet.
    stray: usize,
}

impl<B: DerefMut<Target = [u8]>> Reassembler<B> {
    /// Gathers cells in `buffer`. A buffer that can't hold a cell answers each
    /// with [`Error::Overrun`].
    pub const fn new(buffer: B) -> Self {
        // INVARIANT: 0 bytes came so far.
        Self {
            buffer,
            filled: 0,
            stray: 0,
        }
    }

    /// Takes a cell's payload. Returns a packet if this was its last cell and
    /// all of it is right.
    ///
    /// # Errors
    ///
    /// See [`Error`]. Whatever it is, the next cell can be pushed.
    #[inline]
    pub fn push<'a>(
        &'a mut self,
        pti: Pti,
        payload: &'a [u8; PAYLOAD_LEN],
    ) -> Result<Option<Pdu<'a>>, Error> {
        if !pti.is_user() {
            return Err(Error::NotUser(pti));
        }
        if pti.is_end() && self.filled == 0 && free(&mut self.buffer, 0).is_some() {
            // All of it is here, and need not be gathered anywhere.
            return check_cell(payload, core::mem::take(&mut self.stray)).map(Some);
        }
        let appended = self.append(payload);
        if !pti.is_end() {
            return appended.map(|()| None);
        }
        let is_told = self.stray > 0 && appended.is_ok();
        match self.finish() {
            Err(_) if is_told => Ok(None),
            finished => finished.map(Some),
        }
    }

    /// Forgets what has been gathered.
    pub fn reset(&mut self) {
        // INVARIANT: 0 bytes count as gathered.
        self.filled = 0;
        self.stray = 0;
    }

    /// Bytes gathered so far.
    pub const fn filled(&self) -> usize {
        self.filled
    }

    #[inline]
    fn append(&mut self, payload: &[u8; PAYLOAD_LEN]) -> Result<(), Error> {
        match free(&mut self.buffer, self.filled) {
            Some(place) => *place = *payload,
            None => return self.overrun(payload),
        }
        // INVARIANT: a cell's payload was added behind what was there.
        self.filled = self.filled.saturating_add(PAYLOAD_LEN);
        Ok(())
    }

    /// There is no room for this cell: throws away what is there, and begins with it.
    #[cold]
    fn overrun(&mut self, payload: &[u8; PAYLOAD_LEN]) -> Result<(), Error> {
        let is_told = self.stray > 0;
        self.stray = self.stray.saturating_add(self.filled);
        // INVARIANT: 0 bytes count as gathered, or those of this cell.
        self.filled = 0;
        if let Some(place) = free(&mut self.buffer, 0) {
            *place = *payload;
            self.filled = PAYLOAD_LEN;
        }
        if is_told {
            Ok(())
        } else {
            Err(Error::Overrun)
        }
    }

    /// Looks for the packet at the end of what has been gathered.
    fn finish(&mut self) -> Result<Pdu<'_>, Error> {
        let filled = core::mem::take(&mut self.filled);
        let stray = core::mem::take(&mut self.stray);
        // Only a buffer that can't hold a cell leaves this empty.
        let gathered = self.buffer.get(..filled).ok_or(Error::Overrun)?;
        check(gathered, stray)
    }
}

/// Looks for a packet at the end of `gathered`, behind as many `stray` bytes that are gone.
fn check(gathered: &[u8], stray: usize) -> Result<Pdu<'_>, Error> {
    let trailer = trailer_of(gathered)?;
    let start = gathered.len().checked_sub(pdu_len(trailer.len));
    let start = start.ok_or(Error::Length)?;
    let pdu = gathered.get(start..).ok_or(Error::Length)?;
    let mut crc = Crc::new();
    crc.update(pdu);
    if !crc.is_good() {
        return Err(Error::Crc);
    }
    Ok(Pdu {
        sdu: pdu.get(..trailer.len.into()).ok_or(Error::Length)?,
        trailer,
        stray: stray.saturating_add(start),
    })
}

/// As [`check`], where all that was gathered is one cell.
#[inline]
fn check_cell(payload: &[u8; PAYLOAD_LEN], stray: usize) -> Result<Pdu<'_>, Error> {
    let trailer = trailer_of(payload)?;
    let (room, _) = payload.split_at(PAYLOAD_LEN - TRAILER_LEN);
    let sdu = room.get(..trailer.len.into()).ok_or(Error::Length)?;
    let mut crc = Crc::new();
    crc.update_array(payload);
    if !crc.is_good() {
        return Err(Error::Crc);
    }
    Ok(Pdu {
        sdu,
        trailer,
        stray,
    })
}

/// The trailer at the end of a PDU, unless the sender gave the packet up.
#[inline]
fn trailer_of(pdu: &[u8]) -> Result<Trailer, Error> {
    let (_, trailer) = pdu
        .split_last_chunk::<TRAILER_LEN>()
        .ok_or(Error::Overrun)?;
    let trailer = Trailer::from_bytes(*trailer);
    if trailer.len == 0 {
        return Err(Error::Aborted);
    }
    Ok(trailer)
}

/// Where the next cell goes, if there is room for it.
#[inline]
fn free(buffer: &mut [u8], filled: usize) -> Option<&mut [u8; PAYLOAD_LEN]> {
    buffer.get_mut(filled..)?.first_chunk_mut()
}

impl<B: Deref<Target = [u8]>> Reassembler<B> {
    /// Gives the buffer back.
    pub fn into_buffer(self) -> B {
        self.buffer
    }
}
