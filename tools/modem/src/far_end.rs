// SPDX-License-Identifier: GPL-2.0-only

//! The far end of the line: what a provider has there.
//!
//! A modem sends back the cells that it is sent. For a channel of which somebody
//! has asked for the [`FarEnd`] it does not: there the packets of AAL5 come out, and
//! others go in. A [`Termination`] stands there in place of a provider's concentrator.
//! It puts the packets of some network protocol into those of AAL5, in one of
//! the usual ways ([`Encapsulation`]), and passes them between the line and
//! some [`Equipment`].

mod encapsulation;
mod equipment;
pub mod hdlc;
mod termination;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use wire::cell::Vc;

use crate::modem::Shared;

pub use encapsulation::Encapsulation;
pub use equipment::Equipment;
pub use termination::Termination;

/// The far end of a channel of a modem's line, for as long as the modem is plugged in.
#[derive(Clone)]
pub struct FarEnd {
    modem: Arc<Shared>,
    vc: Vc,
}

impl FarEnd {
    pub(crate) fn new(modem: Arc<Shared>, vc: Vc) -> Self {
        Self { modem, vc }
    }

    /// Waits for the next packet from the modem's host; for `limit` at most, and no
    /// longer than the modem is there. Who does not take them lets the host wait.
    pub fn receive(&self, limit: Duration) -> Option<Vec<u8>> {
        self.modem
            .exchange(limit, |device, now| device.take_packet(now, self.vc))
    }

    /// Sends a packet to the modem's host, of 1 to 65,535 bytes, as soon as there is
    /// room for it. Returns false if there was none within `limit`, or the modem is gone.
    pub fn send(&self, packet: &[u8], limit: Duration) -> bool {
        let sent = self.modem.exchange(limit, |device, now| {
            device.give_packet(now, self.vc, packet).then_some(())
        });
        sent.is_some()
    }

    /// Whether the modem has been unplugged.
    pub fn is_gone(&self) -> bool {
        self.modem.is_gone()
    }
}

impl fmt::Debug for FarEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FarEnd").field("vc", &self.vc).finish()
    }
}
