// SPDX-License-Identifier: GPL-2.0-only

//! What a booted modem is told before its line is started.

use super::write;
use crate::setup::Setup;

/// The bytes of the modem option, see [`StartUp::option`].
pub const OPTION_LEN: usize = 16;

/// One write of the start-up sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The request.
    pub setup: Setup,
    data: [u8; OPTION_LEN],
}

impl Step {
    const fn new<const N: usize>(value: u16, bytes: [u8; N]) -> Self {
        let mut data = [0; OPTION_LEN];
        let mut i = 0;
        while i < N {
            data[i] = bytes[i];
            i += 1;
        }
        Self {
            setup: write(0x01, value, N as u16),
            data,
        }
    }

    /// The bytes to write.
    pub fn data(&self) -> &[u8] {
        self.data
            .get(..usize::from(self.setup.length))
            .unwrap_or(&[])
    }
}

/// The start-up sequence and what can be chosen in it.
///
/// The first four writes were seen on the bus of another system, the last three
/// allow higher speeds with newer firmware. A modem that refuses one of them
/// may work all the same, so the host goes on after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StartUp {
    /// The parameter `ModemMode` of the C driver.
    pub mode: u8,
    /// The parameter `ModemOption` of the C driver.
    pub option: [u8; OPTION_LEN],
    /// The parameter `BMaxDSL` of the C driver, of which 16 bits are sent.
    pub max_dsl: u16,
}

impl StartUp {
    /// What is sent if nobody chooses anything else.
    pub const DEFAULT: Self = Self {
        mode: 11,
        option: [0x10, 0, 0, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        max_dsl: 8128,
    };

    /// The writes, in order.
    pub const fn steps(&self) -> [Step; 7] {
        [
            Step::new(0x0b, [0x1c, 0x50]),
            Step::new(0x02, [0x32, 0x00]),
            Step::new(0x03, [0x01, 0x00, 0x01]),
            Step::new(0x04, [0x01, 0x00, 0x01]),
            Step::new(0x11, [self.mode]),
            Step::new(0x14, self.option),
            Step::new(0x12, self.max_dsl.to_le_bytes()),
        ]
    }
}

impl Default for StartUp {
    fn default() -> Self {
        Self::DEFAULT
    }
}
