// SPDX-License-Identifier: GPL-2.0-only

//! How a modem fails that has been up.

use std::time::Instant;

use wire::speedtch::DATA_IN;

use crate::device::Device;
use crate::firmware::Loader;
use crate::log::What;

/// A way to fail in service. The modem stays plugged in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// The firmware ends, and the loader waits for it again. What only the firmware knows is
    /// refused.
    Reboot,
    /// Only what every USB device is asked is answered any more, until the port is reset; then it
    /// goes on as after [`Crash::Reboot`].
    Freeze,
    /// The endpoint that cells come from is halted; all else works.
    Stall,
    /// Nothing at all is answered any more.
    Die,
}

impl Device {
    /// Fails now.
    pub(crate) fn crash(&mut self, now: Instant, crash: Crash) {
        self.note(now, What::Crashed);
        match crash {
            Crash::Reboot => self.forget(),
            Crash::Freeze => self.frozen = true,
            Crash::Die => (self.frozen, self.dead) = (true, true),
            Crash::Stall => {
                self.set_halt(DATA_IN, true);
                self.kick(DATA_IN, now);
            }
        }
    }

    /// What the port's reset does to one that is frozen.
    pub(crate) fn thaw(&mut self) {
        if std::mem::take(&mut self.frozen) {
            self.forget();
        }
    }

    /// Has no firmware any more, and so no line.
    pub(crate) fn forget(&mut self) {
        self.loader = Loader::new(self.options.firmware.clone());
        self.line = Self::line(&self.options);
        self.loop_back.reset();
    }
}
