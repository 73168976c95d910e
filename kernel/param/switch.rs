// SPDX-License-Identifier: GPL-2.0

//! A parameter that switches something on or off.

use crate::value::Value;
use kernel::{
    fmt,
    str::kstrtobool_bytes, //
};

/// What an option does that has two states.
///
/// C type: `bool` of `module_param()`, whose texts it takes, and `Y` or `N` is what it shows. The
/// name alone means yes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Switch(pub bool);

impl Value for Switch {
    const TYPE: &'static str = "bool";
    const ALONE: Option<Self> = Some(Self(true));

    fn parse(text: &str) -> Option<Self> {
        kstrtobool_bytes(text.as_bytes()).ok().map(Self)
    }

    fn expected(f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("y or n")
    }
}

impl fmt::Display for Switch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0 { "Y" } else { "N" })
    }
}
