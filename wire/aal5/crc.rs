// SPDX-License-Identifier: GPL-2.0-only

//! The CRC-32 of AAL5, eight bytes at a time.

/// The generator of ITU-T I.363.5, section 9.2.1.2, but for its highest term;
/// the same as Ethernet's, with the highest bit first.
const POLYNOMIAL: u32 = 0x04c1_1db7;

/// What is left when a CRC has run over its own complement.
const RESIDUE: u32 = 0xc704_dd7b;

/// `TABLES[n][b]` is what the byte `b` adds when `n` more bytes follow it, so
/// that eight look-ups, which do not wait for each other, take in eight bytes.
///
/// The CRC's bytes stand in the order in which they are sent, first the one with
/// the highest bits: eight bytes can then be taken in as one little-endian word,
/// and nothing is turned round until the end.
static TABLES: [[u32; 256]; 8] = tables();

const fn tables() -> [[u32; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = (byte as u32) << 24;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc >> 31 != 0 {
                (crc << 1) ^ POLYNOMIAL
            } else {
                crc << 1
            };
            bit += 1;
        }
        tables[0][byte] = crc.swap_bytes();
        byte += 1;
    }
    let mut n = 1;
    while n < 8 {
        byte = 0;
        while byte < 256 {
            let before: u32 = tables[n - 1][byte];
            tables[n][byte] = (before >> 8) ^ tables[0][(before & 0xff) as usize];
            byte += 1;
        }
        n += 1;
    }
    tables
}

/// A CRC-32 under way.
///
/// # Examples
///
/// ```
/// use wire::aal5::Crc;
///
/// let mut crc = Crc::new();
/// crc.update(b"12345");
/// crc.update(b"6789");
/// assert_eq!(crc.value(), 0xfc89_1918);
///
/// crc.update(&crc.value().to_be_bytes());
/// assert!(crc.is_good());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crc(
    /// With its bytes in the order of [`TABLES`].
    u32,
);

impl Crc {
    /// The CRC of nothing.
    #[inline]
    pub const fn new() -> Self {
        Self(!0)
    }

    /// Takes in more bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0 = take(self.0, bytes);
    }

    /// As [`Crc::update`], for a length that is known: nothing has to be asked about it, which is
    /// a fifth of the cost for a cell.
    pub fn update_array<const N: usize>(&mut self, bytes: &[u8; N]) {
        self.0 = take(self.0, bytes);
    }

    /// What goes into the trailer.
    #[inline]
    pub const fn value(self) -> u32 {
        !self.0.swap_bytes()
    }

    /// Whether the bytes so far end in their own CRC.
    #[inline]
    pub const fn is_good(self) -> bool {
        self.0 == RESIDUE.swap_bytes()
    }
}

impl Default for Crc {
    fn default() -> Self {
        Self::new()
    }
}

/// Takes in any number of bytes.
#[inline(always)]
fn take(mut crc: u32, bytes: &[u8]) -> u32 {
    // Two steps a turn: the loop itself is a sixth of the cost of one.
    let mut pairs = bytes.chunks_exact(16);
    for pair in &mut pairs {
        let (first, second) = pair.split_at(8);
        crc = take_eight(take_eight(crc, first), second);
    }
    let mut eights = pairs.remainder().chunks_exact(8);
    crc = eights.by_ref().fold(crc, take_eight);
    let mut rest = eights.remainder();
    if let Some((four, last)) = rest.split_first_chunk() {
        // Before each CRC of a PDU: its last eight lack it.
        crc = take_four(crc, *four);
        rest = last;
    }
    for &byte in rest {
        crc = (crc >> 8) ^ look_up(0, crc as u8 ^ byte);
    }
    crc
}

/// Takes in eight bytes.
#[inline(always)]
fn take_eight(crc: u32, eight: &[u8]) -> u32 {
    let &[a, b, c, d, e, f, g, h] = eight else {
        return crc;
    };
    let [a, b, c, d] = (u32::from_le_bytes([a, b, c, d]) ^ crc).to_le_bytes();
    let first = look_up(7, a) ^ look_up(6, b) ^ look_up(5, c) ^ look_up(4, d);
    first ^ look_up(3, e) ^ look_up(2, f) ^ look_up(1, g) ^ look_up(0, h)
}

/// Takes in four bytes.
#[inline(always)]
fn take_four(crc: u32, four: [u8; 4]) -> u32 {
    let [a, b, c, d] = (u32::from_le_bytes(four) ^ crc).to_le_bytes();
    look_up(3, a) ^ look_up(2, b) ^ look_up(1, c) ^ look_up(0, d)
}

#[inline(always)]
fn look_up(following: usize, byte: u8) -> u32 {
    TABLES[following][usize::from(byte)]
}
