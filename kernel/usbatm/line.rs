// SPDX-License-Identifier: GPL-2.0

//! The line, as a minidriver tells of it.

/// A modem's line, and the ATM device that stands for it.
///
/// Only the core makes one, when the modem has been brought up, and lends it to the minidriver:
/// that is why there is nothing to say about a line before.
pub struct Line<'a> {
    device: &'a atm::Device,
}

/// Cells a second that a line of so many kbit/s carries: a cell has 53 bytes, 424 bits.
const fn cells_per_second(kbit: u32) -> u32 {
    (kbit as u64 * 1000 / 424) as u32
}

impl<'a> Line<'a> {
    /// What is assumed of a line that has not come up yet: 128 kbit/s, in cells a second.
    pub(crate) const DEFAULT_RATE: u32 = cells_per_second(128);

    pub(crate) fn new(device: &'a atm::Device) -> Self {
        Self { device }
    }

    /// The number of the ATM device.
    pub fn number(&self) -> i32 {
        self.device.number()
    }

    /// Sets the device's hardware address.
    pub fn set_mac(&self, mac: [u8; 6]) {
        self.device.set_esi(mac);
    }

    /// The line is up, with so many kbit/s towards us.
    pub fn up(&self, kbit: u32) {
        self.device.set_link_rate(cells_per_second(kbit));
        self.device.set_signal(atm::Signal::Found);
    }

    /// The line is down, or not up yet.
    pub fn down(&self) {
        self.device.set_signal(atm::Signal::Lost);
    }

    /// The modem says something that nobody understands.
    pub fn unknown(&self) {
        self.device.set_signal(atm::Signal::Unknown);
    }
}
