// SPDX-License-Identifier: GPL-2.0

//! From packets to bulk transfers.
//!
//! Packets of all connections wait in one queue. Whenever there is one and a transfer is idle,
//! the transfer is filled with cells and submitted, by whoever finds that out: the sender, or the
//! handler of the transfer that has just ended. One lock is held from taking the transfer until
//! it is submitted, so that cells leave in the order in which they were made.
//!
//! A packet whose last cell has been written goes back to its sender at once if that is who wrote
//! it. Else it does so from a [bottom half](Traffic): with interrupts on, and at one place, so that
//! somebody who closes a connection can wait until it has got all its packets back.
//!
//! # When a transfer fails
//!
//! Then its cells are lost, and the packets that wait, wait a moment longer: the handler does not
//! submit another one, so that an endpoint that fails at once can't keep a processor busy.

use crate::{
    traffic::{
        was_cancelled,
        Rare,
        Traffic, //
    },
    vcc::vc_of, //
};
use atm::{
    OutgoingSkb,
    Queue, //
};
use core::ptr;
use kernel::{
    new_spinlock_irq,
    prelude::*,
    sync::{
        Arc,
        SpinLockIrq, //
    }, //
};
use usb::{
    Stream,
    Transfer, //
};
use wire::{
    aal5::{
        self,
        Segmenter, //
    },
    cell::Stride, //
};

/// The sending side of a modem.
#[pin_data]
pub(crate) struct Tx {
    stride: Stride,
    #[pin]
    state: SpinLockIrq<State>,
}

struct State {
    /// Whose side this is, while it runs.
    traffic: Option<Arc<Traffic>>,
    /// Whether transfers are to be under way.
    flowing: bool,
    waiting: Queue<OutgoingSkb>,
    /// The packet that is being sent.
    current: Option<Segmenter<OutgoingSkb>>,
    /// Packets for the bottom half.
    done: Queue<OutgoingSkb>,
    complaint: Rare,
}

impl Tx {
    /// A sender of cells at this distance from each other.
    pub(crate) fn new(stride: Stride) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            stride,
            state <- new_spinlock_irq!(State {
                traffic: None,
                flowing: false,
                waiting: Queue::new(),
                current: None,
                done: Queue::new(),
                complaint: Rare::new(),
            }),
        })
    }

    /// From now on, packets are sent.
    pub(crate) fn start(&self, traffic: &Arc<Traffic>) {
        let mut state = self.state.lock();
        let before = state.traffic.replace(traffic.clone());
        state.flowing = true;
        drop(state);
        drop(before);
    }

    /// From now on, none is, and those that wait are given up: they would be stale when the modem
    /// is back.
    pub(crate) fn pause(&self) {
        self.state.lock().pause();
    }

    /// As [`Tx::pause`], and for good.
    pub(crate) fn stop(&self) {
        let mut state = self.state.lock();
        state.pause();
        let traffic = state.traffic.take();
        drop(state);
        // Not with the lock held, although somebody else has another reference.
        drop(traffic);
    }

    /// Sends a packet, or lets it wait until it can be.
    ///
    /// # Errors
    ///
    /// `ENODEV` if the modem is gone, `ENETDOWN` if it is being brought back, `EINVAL` if AAL5 can't
    /// carry the packet. It is given back.
    pub(crate) fn send(&self, stream: &Stream<Self>, skb: OutgoingSkb) -> Result {
        if skb.is_empty() || skb.len() > usize::from(aal5::MAX_SDU_LEN) {
            return Err(EINVAL);
        }
        let mut state = self.state.lock();
        let refusal = match &state.traffic {
            None => Some(ENODEV),
            Some(_) if !state.flowing => Some(ENETDOWN),
            Some(_) => None,
        };
        if let Some(error) = refusal {
            // The packet goes back without the lock.
            drop(state);
            return Err(error);
        }
        let sender = ptr::from_ref(skb.vcc());
        state.waiting.push(skb);
        self.pump(stream, &mut state);
        // Its own packets may go back now: a connection doesn't close while it sends.
        let own = state.done.take_if(|skb| ptr::eq(skb.vcc(), sender));
        state.hand_over();
        drop(state);
        drop(own);
        Ok(())
    }

    /// Goes on after transfers have failed.
    pub(crate) fn resume(&self, stream: &Stream<Self>) {
        let mut state = self.state.lock();
        self.pump(stream, &mut state);
        state.hand_over();
    }

    /// Gives back all packets of a connection that closes, without sending them. Sleeps.
    ///
    /// The bottom half may be giving back others; wait for it afterwards.
    pub(crate) fn close(&self, vcc: &Arc<atm::Vcc>) {
        let is_its = |skb: &OutgoingSkb| ptr::eq(skb.vcc(), &**vcc);
        let mut state = self.state.lock();
        let waiting = state.waiting.take_if(is_its);
        let current = state.current.take_if(|current| is_its(current.sdu()));
        drop(state);
        drop((waiting, current));
    }

    /// Takes the packets that are to be given back.
    pub(crate) fn take_done(&self) -> Queue<OutgoingSkb> {
        core::mem::take(&mut self.state.lock().done)
    }

    /// Fills and submits transfers as long as there are packets and idle ones.
    fn pump(&self, stream: &Stream<Self>, state: &mut State) {
        while state.has_cells() {
            let Some(mut transfer) = stream.take() else {
                break;
            };
            let len = state.fill(transfer.buffer(), self.stride);
            if let Err(error) = transfer.submit(len) {
                return state.failed(error);
            }
        }
    }
}

impl usb::Handler for Tx {
    fn completed(&self, stream: &Stream<Self>, transfer: Transfer<'_, Self>) {
        let mut state = self.state.lock();
        if let Err(error) = transfer.result() {
            return state.failed(error);
        }
        if let Some(traffic) = &state.traffic {
            traffic.tx_health.good();
        }
        // It is idle now, for the pump to take.
        drop(transfer);
        self.pump(stream, &mut state);
        state.hand_over();
    }
}

impl State {
    /// Whether there is something to send, and it may be.
    fn has_cells(&self) -> bool {
        self.flowing && (self.current.is_some() || !self.waiting.is_empty())
    }

    /// Writes as many cells as there are and as fit; returns the length that they fill.
    fn fill(&mut self, buffer: &mut [u8], stride: Stride) -> usize {
        let mut len = 0;
        while let Some(mut segmenter) = self.next_packet() {
            let room = buffer.get_mut(len..).unwrap_or_default();
            len += segmenter.fill(room, stride);
            if !segmenter.is_done() {
                // No room is left.
                self.current = Some(segmenter);
                break;
            }
            let skb = segmenter.into_sdu();
            skb.vcc().count_tx();
            self.done.push(skb);
        }
        len
    }

    /// Goes on with the packet that is being sent, or begins with the next.
    fn next_packet(&mut self) -> Option<Segmenter<OutgoingSkb>> {
        if let Some(current) = self.current.take() {
            return Some(current);
        }
        while let Some(skb) = self.waiting.pop() {
            let Ok(vc) = vc_of(skb.vcc()) else {
                // Not reached: the address was looked at when the connection was opened.
                self.done.push(skb);
                continue;
            };
            match Segmenter::new(vc, skb) {
                Ok(segmenter) => return Some(segmenter),
                // Not reached: the length was looked at when the packet was sent.
                Err(aal5::BadLength(skb)) => self.done.push(skb),
            }
        }
        None
    }

    /// A transfer failed: another one is tried later, if there is a chance.
    fn failed(&mut self, error: Error) {
        let Some(traffic) = &self.traffic else {
            return;
        };
        if was_cancelled(error) || !self.flowing {
            return;
        }
        traffic.tx_health.failed(error);
        if self.complaint.is_due() {
            traffic.complain("sending", error);
        }
        traffic.queue_revival();
    }

    /// Has the bottom half give back what is done.
    fn hand_over(&self) {
        if let (Some(traffic), false) = (&self.traffic, self.done.is_empty()) {
            traffic.queue_bottom_half();
        }
    }

    /// Lets no packet wait, and none be sent.
    fn pause(&mut self) {
        self.flowing = false;
        self.give_up();
        self.hand_over();
    }

    /// Is done with all packets that wait.
    fn give_up(&mut self) {
        let current = self.current.take().map(Segmenter::into_sdu);
        let mut next = current.or_else(|| self.waiting.pop());
        while let Some(skb) = next {
            skb.vcc().count_tx_error();
            self.done.push(skb);
            next = self.waiting.pop();
        }
    }
}
