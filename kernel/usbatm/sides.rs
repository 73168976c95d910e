// SPDX-License-Identifier: GPL-2.0

//! The two sides of a modem, and what the ATM layer gets of them.

use crate::{
    channels::Channels,
    parameters,
    rx::Rx,
    tx::Tx,
    MAX_BUFFER, //
};
use atm::{
    BottomHalf,
    Poll, //
};
use core::cmp::max;
use kernel::{
    prelude::*,
    sync::atomic::{
        AtomicFlag,
        Full,
        Relaxed, //
    }, //
};
use kthread::Scope;
use usb::{
    Pipe,
    Stream, //
};
use wire::cell::Stride;

/// Receiver and sender, and what waits there for a bottom half.
#[pin_data]
pub(crate) struct Sides {
    #[pin]
    pub(crate) rx: Stream<Rx>,
    #[pin]
    pub(crate) tx: Stream<Tx>,
    /// Whether packets that have been received wait.
    has_arrived: AtomicFlag,
    /// Whether packets that have been sent do.
    has_done: AtomicFlag,
}

impl Sides {
    /// Allocates the receiver's transfers and their buffers, by the module's parameters. Those of
    /// the sender are [prepared](Stream::prepare) later.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, or `EINVAL` for an impossible padding.
    pub(crate) fn new<'a>(
        scope: &'a Scope,
        device: &'a usb::Device,
        channels: &'a Channels,
    ) -> Result<impl PinInit<Self, Error> + 'a> {
        let rx_stride = Stride::new(channels.rx_padding.try_into()?);
        let tx_stride = Stride::new(channels.tx_padding.try_into()?);
        let rx_count = parameters::num_rcv_urbs.value().get().try_into()?;
        let tx_count = parameters::num_snd_urbs.value().get().try_into()?;
        let rx_bytes = parameters::rcv_buf_bytes.value().get().try_into()?;
        let tx_bytes = parameters::snd_buf_bytes.value().get().try_into()?;
        let rx_size = whole_packets(rx_bytes, channels.rx.max_packet());
        let tx_size = max(tx_stride.get(), tx_stride.fit(tx_bytes));
        let (rx, tx) = (channels.rx, channels.tx);
        Ok(try_pin_init!(Self {
            rx <- Stream::new(scope, device, rx, rx_count, rx_size, Rx::new(rx_stride)),
            // Prepared with the first connection, and as it is needed.
            tx <- Stream::unprepared(scope, device, tx, tx_count, tx_size, Tx::new(tx_stride)),
            has_arrived: AtomicFlag::new(false),
            has_done: AtomicFlag::new(false),
        }))
    }

    /// Packets wait that have been received. To be followed by a call of [`Poll::poll`].
    pub(crate) fn note_arrived(&self) {
        self.has_arrived.store(true, Relaxed);
    }

    /// Packets wait that have been sent. To be followed by a call of [`Poll::poll`].
    pub(crate) fn note_done(&self) {
        self.has_done.store(true, Relaxed);
    }

    /// Does what the bottom half would do, and waits until it has done what it is just doing: what
    /// was put aside before has been moved when this returns. To be called with interrupts on.
    pub(crate) fn flush(&self) {
        let bottom_half = BottomHalf::begin();
        self.rx.handler().deliver_all(&bottom_half);
        self.tx.handler().return_all();
    }
}

impl Poll for Sides {
    // FULL: Who set a flag before it scheduled this one, left it to this call or to one that comes.
    fn poll(&self, bottom_half: &BottomHalf) {
        if self.has_arrived.xchg(false, Full) {
            self.rx.handler().deliver_all(bottom_half);
        }
        if self.has_done.xchg(false, Full) {
            self.tx.handler().return_all();
        }
    }
}

/// The length of a transfer from the modem: about `len`, rounded to whole packets, so that the
/// modem can't send more than we have room for; at least one, and no more than fit into the
/// largest buffer.
fn whole_packets(len: usize, packet: usize) -> usize {
    let packet = max(1, packet);
    let most = MAX_BUFFER / packet;
    ((len + packet / 2) / packet).min(most).max(1) * packet
}
