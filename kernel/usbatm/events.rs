// SPDX-License-Identifier: GPL-2.0

//! What a modem says without being asked.
//!
//! A transfer waits for a packet on the modem's interrupt endpoint. When one has come, a bell is
//! rung for whoever is to hear it; the modem keeps the next until it is [listened](Events::listen)
//! to again. So it can't keep anybody busier than they like, and nothing is lost.

use kernel::{
    new_spinlock_irq,
    prelude::*,
    sync::{
        Arc,
        SpinLockIrq, //
    }, //
};
use kthread::{
    Bell,
    Scope, //
};
use usb::{
    Stream,
    Transfer, //
};

/// The longest packet that may make sense, in bytes. A longer one is an error.
const PACKET_LEN: usize = 16;

/// Listens to a modem until it is dropped, which sleeps.
#[derive(Clone)]
pub(crate) struct Events(Arc<Stream<Ear>>);

/// What is called when a packet has come.
#[pin_data]
struct Ear {
    #[pin]
    state: SpinLockIrq<State>,
}

/// Who is to hear a packet, and the last one.
struct State {
    bell: Option<Bell>,
    packet: Option<Packet>,
}

/// A packet.
pub(crate) struct Packet {
    bytes: [u8; PACKET_LEN],
    length: usize,
}

impl Packet {
    /// What is in it.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

impl Events {
    /// Does not listen yet. Sleeps.
    pub(crate) fn new(scope: &Scope, device: &usb::Device, pipe: usb::InterruptIn) -> Result<Self> {
        let ear = try_pin_init!(Ear {
            state <- new_spinlock_irq!(State {
                bell: None,
                packet: None,
            }),
        });
        let stream = Stream::new(scope, device, pipe, 1, PACKET_LEN, ear);
        Ok(Self(Arc::pin_init(stream, GFP_KERNEL)?))
    }

    /// Has the bell rung for each packet from now on, and listens. Sleeps.
    pub(crate) fn ring(&self, bell: Bell) {
        let before = self.0.handler().state.lock().bell.replace(bell);
        drop(before);
        self.listen();
    }

    /// Waits for the next packet, unless it is waited for already. Does not sleep.
    pub(crate) fn listen(&self) {
        // Where that fails it may do the next time: a modem is not only listened to.
        let _ = self.0.start();
    }

    /// Takes the packet that has come.
    pub(crate) fn take(&self) -> Option<Packet> {
        self.0.handler().state.lock().packet.take()
    }
}

impl usb::Handler for Ear {
    fn completed(&self, _stream: &Stream<Self>, transfer: Transfer<'_, Self>) {
        // Whoever tells nothing is not listened to until the next time.
        if transfer.result().is_err() {
            return;
        }
        let mut packet = Packet {
            bytes: [0; PACKET_LEN],
            length: 0,
        };
        for (to, from) in packet.bytes.iter_mut().zip(transfer.received()) {
            *to = *from;
            packet.length += 1;
        }
        // Who hears the bell listens again.
        drop(transfer);
        let mut state = self.state.lock();
        state.packet = Some(packet);
        if let Some(bell) = &state.bell {
            bell.ring();
        }
    }
}
