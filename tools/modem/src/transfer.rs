// SPDX-License-Identifier: GPL-2.0-only

//! What a host wants from a device, and what it is answered, in whatever protocol.

use wire::setup::{DIRECTION_IN, Setup};

/// The longest transfer that we take, in bytes; no driver comes near it.
pub(crate) const MAX_LENGTH: usize = 1 << 20;

/// How a transfer ended: 0 or one of the kernel's error numbers, negated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Status(pub(crate) i32);

impl Status {
    pub(crate) const OK: Self = Self(0);
    /// The endpoint is halted, or a control request refused (`EPIPE`).
    pub(crate) const STALL: Self = Self(-32);
    /// There is no such endpoint: nobody answers on the bus (`EPROTO`).
    pub(crate) const NO_ANSWER: Self = Self(-71);
    /// What came had a wrong checksum (`EILSEQ`).
    pub(crate) const CHECKSUM: Self = Self(-84);
    /// The device sent more than the host has room for (`EOVERFLOW`).
    pub(crate) const BABBLE: Self = Self(-75);
    /// Cancelled before its end (`ECONNRESET`).
    pub(crate) const UNLINKED: Self = Self(-104);
}

/// What is to be transferred.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Transfer {
    /// The endpoint's address, with the direction in bit 7.
    pub(crate) endpoint: u8,
    /// How much may be transferred, in bytes.
    pub(crate) length: usize,
    /// The setup packet, for a control transfer.
    pub(crate) setup: Setup,
}

impl Transfer {
    /// Whether the device sends.
    pub(crate) fn is_in(&self) -> bool {
        self.endpoint & DIRECTION_IN != 0
    }
}

/// A packet of an isochronous transfer. The host says where in its buffer it wants it,
/// and the device what became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Packet {
    pub(crate) offset: u32,
    pub(crate) length: u32,
    /// How much was transferred, in bytes.
    pub(crate) actual: u32,
    pub(crate) status: Status,
}

/// A transfer that the host asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Submit {
    /// What the reply refers to.
    pub(crate) seqnum: u32,
    pub(crate) transfer: Transfer,
    /// What the host sends; empty where the device does.
    pub(crate) data: Vec<u8>,
    /// The packets of an isochronous transfer; none where the bus is free to cut it.
    pub(crate) packets: Vec<Packet>,
}

/// What the host wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Start a transfer.
    Submit(Submit),
    /// Cancel the transfer `victim`.
    Unlink { seqnum: u32, victim: u32 },
}

/// What the device answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// A transfer has ended.
    Submit {
        seqnum: u32,
        endpoint: u8,
        status: Status,
        /// How much was transferred, in bytes.
        actual: usize,
        /// What the device sends; empty where the host does.
        data: Vec<u8>,
        /// What became of each packet of an isochronous transfer. Only what was
        /// transferred is in `data`, without the room that a packet leaves.
        packets: Vec<Packet>,
    },
    /// A transfer was cancelled, or had ended before it could be.
    Unlink { seqnum: u32, status: Status },
}
