// SPDX-License-Identifier: GPL-2.0

//! A parameter that is a number.

use crate::value::Value;
use kernel::{
    fmt,
    str::{
        parse_int::ParseInt,
        BStr, //
    }, //
};

/// A whole number from `MIN` to `MAX`.
///
/// A user may write it with `0x`, `0o` or `0b` before it. Types of the language, [`u8`] and
/// [`u32`], do where every number makes sense.
///
/// # Invariants
///
/// It is none other.
#[derive(Clone, Copy, Debug)]
pub struct Number<const MIN: i64, const MAX: i64>(i64);

impl<const MIN: i64, const MAX: i64> Number<MIN, MAX> {
    /// Makes a number that is known when the module is compiled: one that is out of bounds does
    /// not compile.
    pub const fn new<const NUMBER: i64>() -> Self {
        const { assert!(MIN <= NUMBER && NUMBER <= MAX) };
        // INVARIANT: The bounds were checked.
        Self(NUMBER)
    }

    /// The number.
    pub fn get(self) -> i64 {
        self.0
    }
}

impl<const MIN: i64, const MAX: i64> Value for Number<MIN, MAX> {
    const TYPE: &'static str = if MIN >= 0 && MAX <= u32::MAX as i64 {
        "uint"
    } else if MIN >= i32::MIN as i64 && MAX <= i32::MAX as i64 {
        "int"
    } else {
        "long"
    };

    fn parse(text: &str) -> Option<Self> {
        let number = i64::from_str(BStr::from_bytes(text.as_bytes())).ok()?;
        // INVARIANT: The bounds are checked.
        (MIN..=MAX).contains(&number).then_some(Self(number))
    }

    fn expected(f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a whole number from {MIN} to {MAX}")
    }
}

impl<const MIN: i64, const MAX: i64> fmt::Display for Number<MIN, MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

macro_rules! whole_numbers {
    ($($type:ty: $name:literal;)*) => {$(
        impl Value for $type {
            const TYPE: &'static str = $name;

            fn parse(text: &str) -> Option<Self> {
                <$type>::from_str(BStr::from_bytes(text.as_bytes())).ok()
            }

            fn expected(f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a whole number from {} to {}", <$type>::MIN, <$type>::MAX)
            }
        }
    )*};
}

whole_numbers! {
    u8: "byte";
    u32: "uint";
}
