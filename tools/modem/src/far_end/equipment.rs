// SPDX-License-Identifier: GPL-2.0-only

//! What stands behind a termination.

use std::io;
use std::time::Duration;

/// Something that takes packets from the line, and has packets for it: a network
/// device, a serial line with a server on it.
pub trait Equipment: Send + Sync + 'static {
    /// Takes a packet that came over the line.
    ///
    /// # Errors
    ///
    /// The packet is lost, and nothing else.
    fn take(&self, packet: &[u8]) -> io::Result<()>;

    /// Waits for a packet that is to go over the line, for `limit` at most.
    ///
    /// # Errors
    ///
    /// There will be no more packets.
    fn give(&self, limit: Duration) -> io::Result<Option<Vec<u8>>>;
}
