// SPDX-License-Identifier: GPL-2.0

//! The line, as a minidriver tells of it.

/// A modem's line, and the ATM device that stands for it.
///
/// Only the core makes one, when the modem has been brought up, and lends it to the minidriver:
/// that is why there is nothing to say about a line before.
pub struct Line<'a> {
    device: &'a atm::Device,
}

impl<'a> Line<'a> {
    /// What is assumed of a line that has not come up yet, in cells a second: 128 kbit/s, a cell
    /// having 53 bytes.
    pub(crate) const DEFAULT_RATE: u32 = 128 * 1000 / (53 * 8);

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

    /// The line is up, with so many cells a second towards us.
    pub fn up(&self, rate: u32) {
        self.device.set_link_rate(rate);
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
