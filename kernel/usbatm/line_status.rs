// SPDX-License-Identifier: GPL-2.0

//! How a line is.

use kernel::fmt;

/// How a modem's line is, as the modem tells it.
///
/// [`Display`](fmt::Display) gives what the log says of it, in the words that owners of these
/// modems have always searched it for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineStatus {
    /// Nobody knows: the modem has not been asked yet, or can't be.
    Unknown,
    /// Not synchronised.
    Down,
    /// About to synchronise.
    Synchronising,
    /// Up.
    Up {
        /// Kilobits a second towards us.
        down: u32,
        /// Kilobits a second from us.
        up: u32,
    },
    /// In a state that has a name, but that nobody is sure of.
    Odd(&'static str),
    /// In a state that nobody has heard of: the modem's number for it.
    Unheard(u8),
}

impl LineStatus {
    /// What the file `line` says.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Synchronising => "synchronising",
            Self::Up { .. } => "up",
            Self::Unknown | Self::Odd(_) | Self::Unheard(_) => "unknown",
        }
    }

    /// What the ATM layer is told.
    pub(crate) fn signal(self) -> atm::Signal {
        match self {
            Self::Down | Self::Synchronising => atm::Signal::Lost,
            Self::Up { .. } => atm::Signal::Found,
            Self::Unknown | Self::Odd(_) | Self::Unheard(_) => atm::Signal::Unknown,
        }
    }

    pub(crate) fn is_up(self) -> bool {
        matches!(self, Self::Up { .. })
    }

    /// Whether it is no news after `before`: at whatever rates, an open line is one.
    pub(crate) fn is_like(self, before: Self) -> bool {
        self == before || self.is_up() && before.is_up()
    }
}

impl fmt::Display for LineStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Unknown => f.write_str("nothing is known of the ADSL line"),
            Self::Down | Self::Synchronising => write!(f, "ADSL line is {}", self.word()),
            Self::Up { down, up } => {
                write!(f, "ADSL line is up ({down} kb/s down | {up} kb/s up)")
            }
            Self::Odd(name) => write!(f, "ADSL line is {name}"),
            Self::Unheard(state) => write!(f, "unknown line state {state:02x}"),
        }
    }
}
