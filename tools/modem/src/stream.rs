// SPDX-License-Identifier: GPL-2.0-only

//! Reading what a host sends, whatever its protocol.

use std::io::{self, Read};

use crate::transfer::MAX_LENGTH;

/// The host said what no host may say.
pub(crate) fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the host sent {what}"))
}

/// The length of a transfer, if that can be.
pub(crate) fn length(bytes: u32) -> io::Result<usize> {
    match usize::try_from(bytes) {
        Ok(length @ 0..=MAX_LENGTH) => Ok(length),
        _ => Err(invalid("a transfer that is too long")),
    }
}

/// Fills `buffer`, or returns false where the stream ends before its first byte.
pub(crate) fn read_or_end(from: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    let mut filled = 0;
    while filled < buffer.len() {
        match from.read(&mut buffer[filled..]) {
            Ok(0) if filled == 0 => return Ok(false),
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(bytes) => filled += bytes,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}
