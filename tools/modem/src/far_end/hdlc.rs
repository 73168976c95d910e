// SPDX-License-Identifier: GPL-2.0-only

//! PPP frames on a serial line: HDLC-like framing with bytes stuffed (RFC 1662).
//!
//! A frame stands between flags, behind an address and a control byte, with a checksum
//! at its end. Bytes that would mean something on the line are escaped.

use crc::{CRC_16_IBM_SDLC, Crc};

/// Begins and ends a frame.
const FLAG: u8 = 0x7e;
/// The next byte is escaped: it has this bit inverted.
const ESCAPE: u8 = 0x7d;
const ESCAPED: u8 = 0x20;
/// All stations, and unnumbered information: what PPP has there always.
const ADDRESS_AND_CONTROL: [u8; 2] = [0xff, 0x03];
/// A frame's checksum, in bytes.
const CHECKSUM_LEN: usize = 2;
/// The longest frame that is taken, in bytes; PPP's frames have 1,502 as a rule.
const MAX_LEN: usize = 65_535;

/// PPP's 16-bit checksum.
const CHECKSUM: Crc<u16> = Crc::<u16>::new(&CRC_16_IBM_SDLC);

/// Writes a PPP frame (protocol and content) as it goes over a serial line.
///
/// All control characters are escaped, as before the two ends have agreed on less.
pub fn encode(frame: &[u8]) -> Vec<u8> {
    let mut digest = CHECKSUM.digest();
    digest.update(&ADDRESS_AND_CONTROL);
    digest.update(frame);
    let checksum = digest.finalize().to_le_bytes();
    let mut line = Vec::with_capacity(frame.len() * 5 / 4 + 12);
    line.push(FLAG);
    for &byte in ADDRESS_AND_CONTROL.iter().chain(frame).chain(&checksum) {
        if byte < 0x20 || byte == FLAG || byte == ESCAPE {
            line.extend([ESCAPE, byte ^ ESCAPED]);
        } else {
            line.push(byte);
        }
    }
    line.push(FLAG);
    line
}

/// Finds the frames in what comes over a serial line.
#[derive(Debug, Default)]
pub struct Decoder {
    frame: Vec<u8>,
    is_escaped: bool,
}

impl Decoder {
    /// Takes the next piece, and hands each PPP frame that is whole to `each`, without
    /// address, control and checksum. Others are lost.
    pub fn push(&mut self, piece: &[u8], mut each: impl FnMut(&[u8])) {
        for &byte in piece {
            match byte {
                // An escaped flag gives the frame up.
                FLAG if !self.is_escaped => self.finish(&mut each),
                FLAG => self.reset(),
                ESCAPE => self.is_escaped = true,
                _ if self.frame.len() == MAX_LEN => {}
                _ if self.is_escaped => {
                    self.is_escaped = false;
                    self.frame.push(byte ^ ESCAPED);
                }
                _ => self.frame.push(byte),
            }
        }
    }

    fn finish(&mut self, each: &mut impl FnMut(&[u8])) {
        if let Some((body, checksum)) = self.frame.split_last_chunk::<CHECKSUM_LEN>() {
            let is_whole = CHECKSUM.checksum(body) == u16::from_le_bytes(*checksum);
            // The two ends may have agreed to leave these out.
            let frame = body.strip_prefix(&ADDRESS_AND_CONTROL).unwrap_or(body);
            if is_whole && !frame.is_empty() {
                each(frame);
            }
        }
        self.reset();
    }

    fn reset(&mut self) {
        self.frame.clear();
        self.is_escaped = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A Configure-Request of LCP without options.
    const REQUEST: [u8; 6] = [0xc0, 0x21, 1, 1, 0, 4];

    fn decode(line: &[u8]) -> Vec<Vec<u8>> {
        let (mut decoder, mut frames) = (Decoder::default(), Vec::new());
        // However it is cut.
        for piece in line.chunks(3) {
            decoder.push(piece, |frame| frames.push(frame.to_vec()));
        }
        frames
    }

    #[test]
    fn a_frame_goes_over_the_line_as_the_standard_says() {
        let line = encode(&REQUEST);
        let start = [0x7e, 0xff, 0x7d, 0x23, 0xc0, 0x21, 0x7d, 0x21, 0x7d, 0x21];
        assert!(line.starts_with(&start));
        assert_eq!(decode(&line), [REQUEST]);
    }

    #[test]
    fn every_byte_survives() {
        let frame: Vec<u8> = (0..=255).collect();
        let line = encode(&frame);
        let inner = &line[1..line.len() - 1];
        assert!(inner.iter().all(|&byte| byte >= 0x20 && byte != FLAG));
        assert_eq!(decode(&[line.clone(), line].concat()), [&frame[..], &frame]);
    }

    #[test]
    fn frames_that_are_not_whole_are_lost() {
        let good = encode(&REQUEST);
        let mut bad = good.clone();
        bad[5] ^= 1;
        assert!(decode(&bad).is_empty());
        let aborted = [&good[..4], &[ESCAPE, FLAG], &good].concat();
        assert_eq!(decode(&aborted), [REQUEST]);
        assert!(decode(&[FLAG, 1, FLAG, FLAG, 1, 2, FLAG]).is_empty());
        // Too long, and the one behind it.
        let long = [&encode(&vec![b'x'; MAX_LEN])[..], &good].concat();
        assert_eq!(decode(&long), [REQUEST]);
    }

    #[test]
    fn address_and_control_may_be_left_out() {
        let body = &REQUEST[..];
        let checksum = CHECKSUM.checksum(body).to_le_bytes();
        let line = [&[FLAG], body, &checksum, &[FLAG]].concat();
        assert_eq!(decode(&line), [REQUEST]);
    }
}
