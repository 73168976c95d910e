// SPDX-License-Identifier: GPL-2.0-only

//! ATM cells: a header of 5 bytes and a payload of 48.
//!
//! The layout is that of the user-network interface in ITU-T I.361, section 2.2.
//! A modem hands cells over in bulk transfers, one after the other, some of them
//! with padding behind each cell; the distance from one cell to the next is a
//! [`Stride`]. A transfer may end in the middle of a cell: [`Splitter`] keeps
//! the first half until the other one comes.
//!
//! # Examples
//!
//! ```
//! use wire::cell::{Header, Pti, Vc, CELL_LEN, PAYLOAD_LEN, Splitter, Stride};
//!
//! let header = Header::new(Vc { vpi: 8, vci: 35 }, Pti::UserEnd);
//! let mut cell = [0; CELL_LEN];
//! cell[..5].copy_from_slice(&header.to_bytes());
//!
//! // The cell comes in two pieces.
//! let mut splitter = Splitter::new(Stride::PLAIN);
//! let mut seen = 0;
//! for piece in cell.chunks(50) {
//!     splitter.push(piece, |cell| {
//!         assert_eq!(cell.header(), header);
//!         assert_eq!(cell.payload(), &[0; PAYLOAD_LEN]);
//!         seen += 1;
//!     });
//! }
//! assert_eq!(seen, 1);
//! ```

use core::num::NonZeroUsize;

/// Bytes in a cell.
pub const CELL_LEN: usize = HEADER_LEN + PAYLOAD_LEN;
/// Bytes in a cell's header.
pub const HEADER_LEN: usize = 5;
/// Bytes in a cell's payload.
pub const PAYLOAD_LEN: usize = 48;

/// What the host puts into the header error control field.
///
/// The modem computes the real one ([`Header::hec`]) when it sends the cell down
/// the line, so the C drivers have always sent this fixed value.
pub const USB_HEC: u8 = 0xec;

/// A virtual channel: which connection a cell belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Vc {
    /// Virtual path identifier.
    pub vpi: u8,
    /// Virtual channel identifier.
    pub vci: u16,
}

/// The payload type indicator, three bits (ITU-T I.361, table 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Pti {
    /// User data.
    User = 0,
    /// User data, the last cell of an AAL5 PDU.
    UserEnd = 1,
    /// User data that met congestion.
    UserCongested = 2,
    /// User data that met congestion, the last cell of an AAL5 PDU.
    UserCongestedEnd = 3,
    /// Operation and maintenance of one segment of the channel.
    OamSegment = 4,
    /// Operation and maintenance of the channel from end to end.
    OamEndToEnd = 5,
    /// Resource management.
    ResourceManagement = 6,
    /// Not assigned.
    Reserved = 7,
}

impl Pti {
    /// Reads the low three bits of `bits`.
    #[inline]
    pub const fn from_bits(bits: u8) -> Self {
        match bits & 7 {
            0 => Self::User,
            1 => Self::UserEnd,
            2 => Self::UserCongested,
            3 => Self::UserCongestedEnd,
            4 => Self::OamSegment,
            5 => Self::OamEndToEnd,
            6 => Self::ResourceManagement,
            _ => Self::Reserved,
        }
    }

    /// Whether the cell carries user data.
    #[inline]
    pub const fn is_user(self) -> bool {
        (self as u8) & 4 == 0
    }

    /// Whether the cell carries the end of an AAL5 PDU.
    #[inline]
    pub const fn is_end(self) -> bool {
        self.is_user() && (self as u8) & 1 != 0
    }
}

/// A cell's header, but for its error control byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Header {
    /// Generic flow control, four bits; nobody uses it, so it is 0.
    gfc: u8,
    /// The connection.
    pub vc: Vc,
    /// The payload's type.
    pub pti: Pti,
    /// Cell loss priority: this cell may be dropped before others.
    pub clp: bool,
}

impl Header {
    /// A header for a cell of `vc`, not to be dropped before others.
    #[inline]
    pub const fn new(vc: Vc, pti: Pti) -> Self {
        Self {
            gfc: 0,
            vc,
            pti,
            clp: false,
        }
    }

    /// Generic flow control, 0 to 15.
    pub const fn gfc(self) -> u8 {
        self.gfc
    }

    /// Packs the four bytes that the error control byte is computed from.
    #[inline]
    const fn pack(self) -> [u8; 4] {
        let Vc { vpi, vci } = self.vc;
        let word = ((self.gfc as u32) << 28)
            | ((vpi as u32) << 20)
            | ((vci as u32) << 4)
            | ((self.pti as u32) << 1)
            | self.clp as u32;
        word.to_be_bytes()
    }

    /// The header as it goes to the modem, with [`USB_HEC`] as its last byte.
    #[inline]
    pub const fn to_bytes(self) -> [u8; HEADER_LEN] {
        let [a, b, c, d] = self.pack();
        [a, b, c, d, USB_HEC]
    }

    /// Reads a header; any five bytes are one. The error control byte is not
    /// looked at: see [`Header::hec`].
    #[inline]
    pub const fn from_bytes(bytes: [u8; HEADER_LEN]) -> Self {
        let [a, b, c, d, _] = bytes;
        Self::from_word(u32::from_be_bytes([a, b, c, d]))
    }

    /// Reads all of a header but its error control byte.
    #[inline]
    const fn from_word(word: u32) -> Self {
        Self {
            gfc: (word >> 28) as u8,
            vc: Vc {
                vpi: (word >> 20) as u8,
                vci: (word >> 4) as u16,
            },
            pti: Pti::from_bits((word >> 1) as u8),
            clp: word & 1 != 0,
        }
    }

    /// The header error control byte as ITU-T I.432.1, section 4.3.2, has it:
    /// CRC-8 with x⁸ + x² + x + 1 over the first four bytes, plus 0x55.
    pub const fn hec(self) -> u8 {
        let mut word = u32::from_be_bytes(self.pack());
        let mut bit = 0;
        // Divides the header, with eight zero bits behind it, bit by bit.
        let mut rest: u8 = 0;
        while bit < 32 {
            let carry = ((rest >> 7) as u32) ^ (word >> 31);
            rest <<= 1;
            if carry != 0 {
                rest ^= 0x07;
            }
            word <<= 1;
            bit += 1;
        }
        rest ^ 0x55
    }
}

/// One cell within somebody's buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell<'a>(&'a [u8; CELL_LEN]);

impl<'a> Cell<'a> {
    /// Looks at 53 bytes as a cell.
    #[inline]
    pub const fn new(bytes: &'a [u8; CELL_LEN]) -> Self {
        Self(bytes)
    }

    /// The cell's header.
    #[inline]
    pub fn header(self) -> Header {
        // The length is a constant that fits, so there is no other case. It is one load.
        Header::from_word(u32::from_be_bytes(*self.0.first_chunk().unwrap_or(&[0; 4])))
    }

    /// The cell's payload.
    #[inline]
    pub fn payload(self) -> &'a [u8; PAYLOAD_LEN] {
        // The lengths are constants that fit, so there is no other case.
        self.0.last_chunk().unwrap_or(&[0; PAYLOAD_LEN])
    }

    /// All of the cell.
    pub const fn bytes(self) -> &'a [u8; CELL_LEN] {
        self.0
    }
}

/// The distance from the start of one cell to the start of the next, in bytes:
/// a cell and the modem's padding behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stride(NonZeroUsize);

/// [`CELL_LEN`], of a type that can be divided by.
const CELL: NonZeroUsize = match NonZeroUsize::new(CELL_LEN) {
    Some(len) => len,
    None => unreachable!(),
};

impl Stride {
    /// Cells without padding, as the SpeedTouch has them.
    pub const PLAIN: Self = Self::new(0);

    /// Cells with `padding` bytes behind each.
    pub const fn new(padding: u8) -> Self {
        Self(CELL.saturating_add(padding as usize))
    }

    /// The distance in bytes, 53 at least.
    pub const fn get(self) -> usize {
        self.0.get()
    }

    /// How much of a buffer of `len` bytes whole cells fill.
    pub fn fit(self, len: usize) -> usize {
        len - len % self.0
    }
}

/// Cuts a stream of bytes into cells, wherever its pieces begin and end.
///
/// # Invariants
///
/// `at` is less than `stride`, and so many bytes of the cell under way came;
/// those of them that are not padding are at the start of `cell`.
#[derive(Clone, Debug)]
pub struct Splitter {
    stride: Stride,
    /// Where we are between the start of a cell and the start of the next.
    at: usize,
    cell: [u8; CELL_LEN],
}

impl Splitter {
    /// A splitter that has seen nothing yet.
    pub const fn new(stride: Stride) -> Self {
        // INVARIANT: nothing came so far.
        Self {
            stride,
            at: 0,
            cell: [0; CELL_LEN],
        }
    }

    /// Takes the next piece of the stream, and hands each cell that is complete
    /// to `each`, in order.
    #[inline]
    pub fn push(&mut self, mut piece: &[u8], mut each: impl FnMut(Cell<'_>)) {
        while let Some(cell) = self.next(&mut piece) {
            each(cell);
        }
    }

    /// The next cell that is complete. All of `piece` has been taken where there
    /// is none.
    #[inline]
    fn next<'s, 'p: 's>(&'s mut self, piece: &mut &'p [u8]) -> Option<Cell<'s>> {
        if self.at == 0 {
            if let Some(cell) = self.whole(piece) {
                return Some(cell);
            }
            if piece.is_empty() {
                return None;
            }
        }
        self.next_in_parts(piece)
    }

    /// The next cell, if all of it is in `piece`. It is not copied.
    #[inline]
    fn whole<'p>(&self, piece: &mut &'p [u8]) -> Option<Cell<'p>> {
        let (whole, rest) = piece.split_at_checked(self.stride.get())?;
        *piece = rest;
        whole.first_chunk().map(Cell::new)
    }

    /// Forgets a partial cell, as after an error on the pipe.
    pub fn reset(&mut self) {
        // INVARIANT: nothing of the next cell came so far.
        self.at = 0;
    }

    /// How many bytes wait for the rest of their cell.
    pub const fn pending(&self) -> usize {
        self.at
    }

    /// The next cell where a piece has ended within the one before, or ends within
    /// this one.
    fn next_in_parts<'s, 'p: 's>(&'s mut self, piece: &mut &'p [u8]) -> Option<Cell<'s>> {
        if self.at >= CELL_LEN {
            self.skip_padding(piece);
            if let Some(cell) = self.whole(piece) {
                return Some(cell);
            }
        }
        self.complete(piece)
    }

    /// Skips what comes behind a cell that was cut.
    fn skip_padding(&mut self, piece: &mut &[u8]) {
        let missing = self.stride.get().saturating_sub(self.at);
        let (skipped, rest) = piece.split_at(missing.min(piece.len()));
        *piece = rest;
        self.advance(skipped.len());
    }

    /// Adds to a cell that is cut where a piece ends. It need not wait for its
    /// padding.
    fn complete(&mut self, piece: &mut &[u8]) -> Option<Cell<'_>> {
        let free = self.cell.get_mut(self.at..)?;
        let (now, rest) = piece.split_at(free.len().min(piece.len()));
        *piece = rest;
        for (to, from) in free.iter_mut().zip(now) {
            *to = *from;
        }
        let is_complete = !now.is_empty() && now.len() == free.len();
        self.advance(now.len());
        is_complete.then_some(Cell::new(&self.cell))
    }

    /// So many bytes came, not beyond the start of the next cell.
    fn advance(&mut self, bytes: usize) {
        let after = self.at.saturating_add(bytes);
        // INVARIANT: less than `stride`, and 0 where the next cell begins.
        self.at = if after < self.stride.get() { after } else { 0 };
    }
}

#[cfg(test)]
mod tests;
