// SPDX-License-Identifier: GPL-2.0-only

//! The CRC-32 of AAL5, sixteen bytes at a time.

use crate::cell::PAYLOAD_LEN;

/// The generator of ITU-T I.363.5, section 9.2.1.2, but for its highest term;
/// the same as Ethernet's, with the highest bit first.
const POLYNOMIAL: u32 = 0x04c1_1db7;

/// What is left when a CRC has run over its own complement.
const RESIDUE: u32 = 0xc704_dd7b;

/// `TABLES[n][b]` is what the byte `b` adds when `n` more bytes follow it, so
/// that sixteen look-ups, which do not wait for each other, take in sixteen bytes. Only
/// four of them need the CRC so far: the others cost less.
///
/// The CRC's bytes stand in the order in which they are sent, first the one with
/// the highest bits: four bytes can then be taken in as one little-endian word,
/// and nothing is turned round until the end.
static TABLES: [[u32; 256]; 16] = tables();

const fn tables() -> [[u32; 256]; 16] {
    let mut tables = [[0; 256]; 16];
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
    while n < 16 {
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
fn take(mut crc: u32, mut bytes: &[u8]) -> u32 {
    // Three steps a turn, which is a cell: the loop itself costs as much as three bytes.
    while let Some((cell, rest)) = bytes.split_first_chunk::<PAYLOAD_LEN>() {
        crc = cell.chunks_exact(16).fold(crc, take_sixteen);
        bytes = rest;
    }
    let mut sixteens = bytes.chunks_exact(16);
    crc = sixteens.by_ref().fold(crc, take_sixteen);
    bytes = sixteens.remainder();
    // Twelve are left before each CRC of a PDU.
    while let Some((four, rest)) = bytes.split_first_chunk() {
        crc = look_up_four(0, with(crc, *four));
        bytes = rest;
    }
    for &byte in bytes {
        crc = (crc >> 8) ^ look_up(0, crc as u8 ^ byte);
    }
    crc
}

/// Takes in sixteen bytes.
#[inline(always)]
fn take_sixteen(crc: u32, sixteen: &[u8]) -> u32 {
    let &[a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = sixteen else {
        return crc;
    };
    look_up_four(12, with(crc, [a, b, c, d]))
        ^ look_up_four(8, [e, f, g, h])
        ^ look_up_four(4, [i, j, k, l])
        ^ look_up_four(0, [m, n, o, p])
}

/// The next four bytes, and the CRC so far, which is all that it adds to those to come.
#[inline(always)]
fn with(crc: u32, four: [u8; 4]) -> [u8; 4] {
    (u32::from_le_bytes(four) ^ crc).to_le_bytes()
}

/// What four bytes add when so many follow them.
#[inline(always)]
fn look_up_four(following: usize, [a, b, c, d]: [u8; 4]) -> u32 {
    look_up(following + 3, a)
        ^ look_up(following + 2, b)
        ^ look_up(following + 1, c)
        ^ look_up(following, d)
}

#[inline(always)]
fn look_up(following: usize, byte: u8) -> u32 {
    TABLES[following][usize::from(byte)]
}
