// SPDX-License-Identifier: GPL-2.0-only

//! The state of the ADSL line, as the modem tells it.

use crate::cell::CELL_LEN;

/// What the line does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LineState {
    /// Not synchronised.
    Down,
    /// Blocked, it seems; nobody is sure.
    Blocked,
    /// About to synchronise.
    Synchronising,
    /// Up.
    Up,
    /// A number that nobody has seen before.
    Unknown(u8),
}

impl LineState {
    /// Reads the answer to [`STATUS_7`](super::STATUS_7); any byte is one.
    pub const fn from_byte(byte: u8) -> Self {
        match byte {
            0x00 => Self::Down,
            0x08 => Self::Blocked,
            0x10 => Self::Synchronising,
            0x20 => Self::Up,
            other => Self::Unknown(other),
        }
    }

    /// The byte that the modem answers.
    pub const fn to_byte(self) -> u8 {
        match self {
            Self::Down => 0x00,
            Self::Blocked => 0x08,
            Self::Synchronising => 0x10,
            Self::Up => 0x20,
            Self::Unknown(other) => other,
        }
    }
}

/// The line's speeds in kilobits (1,000 bits) a second, as the modem counts
/// them. They come from the modem, so they may be any number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Rates {
    /// To the user.
    pub down: u32,
    /// From the user.
    pub up: u32,
}

impl Rates {
    /// Reads the answer to [`STATUS_B`](super::STATUS_B): two numbers of 32
    /// bits, little-endian. Some firmware puts both into the upper halves.
    pub const fn from_bytes(bytes: [u8; 8]) -> Self {
        let [d0, d1, d2, d3, u0, u1, u2, u3] = bytes;
        let down = u32::from_le_bytes([d0, d1, d2, d3]);
        let up = u32::from_le_bytes([u0, u1, u2, u3]);
        if down & 0xffff == 0 && up & 0xffff == 0 {
            return Self {
                down: down >> 16,
                up: up >> 16,
            };
        }
        Self { down, up }
    }

    /// The bytes that the modem answers.
    pub const fn to_bytes(self) -> [u8; 8] {
        let [d0, d1, d2, d3] = self.down.to_le_bytes();
        let [u0, u1, u2, u3] = self.up.to_le_bytes();
        [d0, d1, d2, d3, u0, u1, u2, u3]
    }

    /// The speed to the user in cells a second, which is how the ATM layer
    /// wants it.
    pub const fn cells_down(self) -> u32 {
        let cells = self.down as u64 * 1000 / (CELL_LEN as u64 * 8);
        if cells > u32::MAX as u64 {
            return u32::MAX;
        }
        cells as u32
    }
}

/// What a poll of the line learned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Status {
    /// What the line does.
    pub line: LineState,
    /// How fast it is; means something only while it is up.
    pub rates: Rates,
}

impl Status {
    /// Reads the answers to [`STATUS_7`](super::STATUS_7) and
    /// [`STATUS_B`](super::STATUS_B).
    pub const fn from_bytes(state: u8, rates: [u8; 8]) -> Self {
        Self {
            line: LineState::from_byte(state),
            rates: Rates::from_bytes(rates),
        }
    }
}

/// What the modem tells by itself, on the interrupt endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LineEvent {
    /// The line goes up.
    GoesUp,
    /// The line goes down.
    GoesDown,
}

impl LineEvent {
    /// The length of either packet, in bytes.
    pub const LEN: usize = 6;

    /// Reads a packet; `None` says that it is neither of the two known ones.
    pub const fn from_packet(packet: &[u8]) -> Option<Self> {
        match packet {
            [0xa1, 0, 1, 0, 0, 0] => Some(Self::GoesUp),
            [0xa1, 0, 0, 0, 0, 0] => Some(Self::GoesDown),
            _ => None,
        }
    }

    /// The packet that the modem sends.
    pub const fn to_packet(self) -> [u8; Self::LEN] {
        let up = matches!(self, Self::GoesUp) as u8;
        [0xa1, 0, up, 0, 0, 0]
    }
}
