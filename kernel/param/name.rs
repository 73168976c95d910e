// SPDX-License-Identifier: GPL-2.0

//! A parameter that names something.

use crate::value::Value;
use kernel::fmt;

/// The most bytes that a [`Name`] can have: as many as `/proc` shows of a thread's name.
const CAPACITY: usize = 63;

/// A name for a thread or a device: 1 to 63 visible ASCII characters, without a slash.
///
/// # Invariants
///
/// The first `length` of `bytes` are such a name.
#[derive(Clone, Copy, Debug)]
pub struct Name {
    bytes: [u8; CAPACITY],
    length: usize,
}

impl Name {
    /// Makes a name that is known when the module is compiled: one that is none does not compile.
    #[inline]
    pub const fn new(name: &'static str) -> Self {
        match Self::of(name) {
            Some(name) => name,
            None => panic!("no name"),
        }
    }

    const fn of(name: &str) -> Option<Self> {
        let name = name.as_bytes();
        if name.is_empty() || name.len() > CAPACITY {
            return None;
        }
        let mut bytes = [0; CAPACITY];
        let mut i = 0;
        while i < name.len() {
            if !name[i].is_ascii_graphic() || name[i] == b'/' {
                return None;
            }
            bytes[i] = name[i];
            i += 1;
        }
        // INVARIANT: Each byte was checked, and their number.
        Some(Self {
            bytes,
            length: name.len(),
        })
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        // All there and ASCII by the invariants, so it is never empty.
        let name = self.bytes.get(..self.length).unwrap_or_default();
        core::str::from_utf8(name).unwrap_or_default()
    }
}

impl Value for Name {
    const TYPE: &'static str = "charp";

    fn parse(text: &str) -> Option<Self> {
        Self::of(text)
    }

    fn expected(f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "1 to {CAPACITY} visible ASCII characters without a slash"
        )
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
