// SPDX-License-Identifier: GPL-2.0

//! A parameter of several bytes.

use crate::value::Value;
use kernel::fmt;

/// Up to `N` bytes, separated by commas; at least one, if a user gives any.
///
/// C type: the array of bytes of `module_param_array()`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bytes<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> Bytes<N> {
    /// None at all.
    pub const NONE: Self = Self {
        bytes: [0; N],
        len: 0,
    };

    /// These bytes, and where there are less than `N`, the rest of `usual`.
    pub fn or(&self, mut usual: [u8; N]) -> [u8; N] {
        for (usual, given) in usual.iter_mut().zip(self.get()) {
            *usual = *given;
        }
        usual
    }

    /// The bytes that there are.
    pub fn get(&self) -> &[u8] {
        // `len` is never more than `N`.
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl<const N: usize> Value for Bytes<N> {
    const TYPE: &'static str = "array of byte";

    fn parse(text: &str) -> Option<Self> {
        let mut value = Self::NONE;
        for byte in text.split(',') {
            *value.bytes.get_mut(value.len)? = u8::parse(byte)?;
            value.len += 1;
        }
        Some(value)
    }

    fn expected(f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "1 to {N} whole numbers from 0 to 255, separated by commas"
        )
    }
}

impl<const N: usize> fmt::Display for Bytes<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, byte) in self.get().iter().enumerate() {
            let comma = if number > 0 { "," } else { "" };
            write!(f, "{comma}{byte}")?;
        }
        Ok(())
    }
}
