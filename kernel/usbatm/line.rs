// SPDX-License-Identifier: GPL-2.0

//! The line, and the ATM device that stands for it.

use crate::{
    line_status::LineStatus,
    modem::{
        Event,
        Modem, //
    },
    traffic::Traffic, //
};
use kernel::prelude::*;
use kthread::AnyStop;

/// A modem's line, and the ATM device that stands for it.
///
/// Only the core makes one, when the modem has been brought up, and lends it to the minidriver:
/// that is why there is nothing to say about a line before.
pub struct Line<'a> {
    device: &'a atm::Device,
    modem: &'a Modem,
    traffic: &'a Traffic,
    /// Whose body may wait until user space has been told.
    stop: Option<&'a AnyStop>,
}

impl<'a> Line<'a> {
    /// What is assumed of a line that has not come up yet, in cells a second: 128 kbit/s.
    pub(crate) const DEFAULT_RATE: u64 = cells(128);

    /// A line of which user space is told, in the body that has the `stop`.
    pub(crate) fn new(
        device: &'a atm::Device,
        modem: &'a Modem,
        traffic: &'a Traffic,
        stop: &'a AnyStop,
    ) -> Self {
        Self {
            device,
            modem,
            traffic,
            stop: Some(stop),
        }
    }

    /// A line of which user space is not told.
    pub(crate) fn silent(device: &'a atm::Device, modem: &'a Modem, traffic: &'a Traffic) -> Self {
        Self {
            device,
            modem,
            traffic,
            stop: None,
        }
    }

    /// Whether cells get through, as far as is known.
    ///
    /// # Errors
    ///
    /// That of the transfers in one direction, if all of them have failed for a while. `EPIPE` is
    /// an endpoint that is stalled; it will do again when the modem has been brought back.
    pub(crate) fn check(&self) -> Result {
        self.traffic.check()
    }

    /// How many transfers have come from the modem with something in them: one that sends is alive,
    /// whatever it says otherwise.
    pub(crate) fn received(&self) -> usize {
        self.traffic.received()
    }

    /// The number of the ATM device.
    pub fn number(&self) -> i32 {
        self.device.number()
    }

    /// Sets the device's hardware address.
    pub fn set_mac(&self, mac: [u8; 6]) {
        self.device.set_esi(mac);
    }

    /// Says how the line is: to the ATM device, to the files `line`, `rate_down` and `rate_up` of
    /// the modem, and to user space as an [event](crate#events) where the line has come up or gone
    /// down. May sleep.
    pub(crate) fn set(&self, status: LineStatus) {
        if let LineStatus::Up { down, .. } = status {
            self.device.set_link_rate(cells(down));
        }
        self.note(status, status.signal());
    }

    /// Says that nobody knows how the line is, of a modem that is not up: as [`Line::set`] does, but
    /// there is no carrier then, which an unknown line has, because nothing gets through. May sleep.
    pub(crate) fn lose(&self) {
        self.note(LineStatus::Unknown, atm::Signal::Lost);
    }

    fn note(&self, status: LineStatus, signal: atm::Signal) {
        self.device.set_signal(signal);
        let known = self.modem.status();
        let event = match (known.set_line(status), status.is_up()) {
            (false, true) => Event::LineUp,
            (true, false) => Event::LineDown,
            _ => return,
        };
        let Some(stop) = self.stop else { return };
        // Where it is not told, it will be the next time.
        if self
            .modem
            .announce(stop, event, Some(self.number()))
            .is_ok()
        {
            known.line_is_told(status.is_up());
        }
    }
}

/// How many cells a second a line carries, whole ones only: a cell has 53 bytes.
const fn cells(kilobits: u32) -> u64 {
    kilobits as u64 * 1000 / (53 * 8)
}
