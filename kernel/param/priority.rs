// SPDX-License-Identifier: GPL-2.0

//! A parameter that says how urgent a thread is.

use crate::value::Value;
use kernel::fmt;
use kthread::Priority;

impl Value for Priority {
    const TYPE: &'static str = "charp";

    fn parse(text: &str) -> Option<Self> {
        Self::parse(text)
    }

    fn expected(f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("fifo, fifo-low or a nice level from -20 to 19")
    }
}
