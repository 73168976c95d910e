// SPDX-License-Identifier: GPL-2.0

//! Where a modem's cells come from and go to.

/// The endpoints that cells travel through, and how they are laid out there.
///
/// A minidriver's [`bind`](crate::Minidriver::bind) finds them in the modem's descriptors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Channels {
    /// The number of the interface that has the endpoints.
    pub interface: u8,
    /// The alternate setting of it in which they exist.
    pub alternate: u8,
    /// Cells from the line.
    pub rx: usb::DataIn,
    /// Cells to the line.
    pub tx: usb::BulkOut,
    /// Bytes after each cell that comes in.
    pub rx_padding: usize,
    /// Bytes of zero after each cell that goes out.
    pub tx_padding: usize,
}
