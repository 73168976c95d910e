// SPDX-License-Identifier: GPL-2.0

//! The name of a thread, on its way to C.

use kernel::{
    ffi::c_char,
    fmt, //
};

/// The longest name that is taken, and a NUL.
const SIZE: usize = 32;

/// A name in which there is nothing to format, as a C string that is its own format.
///
/// The kernel formats a name twice, the first time for its length. To call back each time for
/// [`fmt::Arguments`] is dearer than to look through a short one.
///
/// # Invariants
///
/// It ends with a NUL, and there is no `%` in it.
pub(crate) struct Plain([u8; SIZE]);

impl Plain {
    /// `None` if there is something to format, if it would mean something to C, or if it is long.
    #[inline]
    pub(crate) fn new(name: &fmt::Arguments<'_>) -> Option<Self> {
        let text = name.as_str()?.as_bytes();
        if text.len() >= SIZE || text.contains(&b'%') {
            return None;
        }
        let mut plain = [0; SIZE];
        plain[..text.len()].copy_from_slice(text);
        // INVARIANT: There is none in `text`, and at least the last byte is still NUL.
        Some(Self(plain))
    }

    /// The format.
    #[inline]
    pub(crate) fn as_char_ptr(&self) -> *const c_char {
        self.0.as_ptr().cast()
    }
}
