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
//! # How many transfers
//!
//! Few senders need more than two: one is on the bus, the next waits its turn. So a connection finds
//! [`Tx::FIRST`] of them. Once packets have waited for one for a moment, and still do, there is one
//! more, and so on, up to what the module's parameter says.
//!
//! # When a transfer fails
//!
//! Then its cells are lost, and the packets that wait, wait a moment longer: nobody submits another
//! one, so that an endpoint that fails at once can't keep a processor busy, and many packets at once
//! are not many failures.

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
use core::{
    mem::take,
    ptr, //
};
use kernel::{
    new_spinlock,
    new_spinlock_irq,
    prelude::*,
    sync::{
        Arc,
        SpinLock,
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
    /// Held by who gives packets back for others. Taken before the other one, and in bottom halves
    /// only.
    #[pin]
    returning: SpinLock<()>,
    #[pin]
    state: SpinLockIrq<State>,
}

struct State {
    /// Whose side this is, while it runs.
    traffic: Option<Arc<Traffic>>,
    /// Whether transfers are to be under way.
    flowing: bool,
    waiting: Queue<OutgoingSkb>,
    /// Whether packets wait for somebody else: no transfer was idle when one was looked for, or one
    /// failed, and none has ended since.
    busy: bool,
    /// Whether that was so while there were not all transfers yet that there may be, and somebody is
    /// to see whether it still is.
    short: bool,
    /// The packet that is being sent.
    current: Option<Segmenter<OutgoingSkb>>,
    /// Packets for the bottom half.
    done: Queue<OutgoingSkb>,
    complaint: Rare,
}

impl Tx {
    /// How many transfers there are from the first connection on.
    pub(crate) const FIRST: usize = 2;

    /// A sender of cells at this distance from each other.
    pub(crate) fn new(stride: Stride) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            stride,
            returning <- new_spinlock!(()),
            state <- new_spinlock_irq!(State {
                traffic: None,
                flowing: false,
                waiting: Queue::new(),
                busy: false,
                short: false,
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
        state.busy = false;
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
        if state.busy {
            // The first transfer that ends takes it along, or the revival does.
            return Ok(());
        }
        self.pump(stream, &mut state);
        // Its own packets may go back now: a connection doesn't close while it sends.
        let own = state.done.take_if(|skb| ptr::eq(skb.vcc(), sender));
        state.hand_over();
        drop(state);
        own.give_back_all();
        Ok(())
    }

    /// Goes on after transfers have failed, or were too few. Sleeps.
    pub(crate) fn resume(&self, stream: &Stream<Self>) {
        let mut state = self.state.lock();
        let was_short = take(&mut state.short);
        if state.flowing && was_short && state.busy {
            drop(state);
            // Without memory, those that there are have to do.
            let _ = stream.grow();
            state = self.state.lock();
        }
        state.busy = false;
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

    /// Gives back what is done. Called in a bottom half.
    pub(crate) fn return_all(&self) {
        let _alone = self.returning.lock();
        let done = take(&mut self.state.lock().done);
        done.give_back_all();
    }

    /// Fills and submits transfers as long as there are packets and idle ones.
    fn pump(&self, stream: &Stream<Self>, state: &mut State) {
        while state.has_cells() {
            let Some(mut transfer) = stream.take() else {
                state.busy = true;
                if !state.short && !stream.is_complete() {
                    state.fall_short();
                }
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
        let result = transfer.result();
        // It is idle now, for the pump to take.
        drop(transfer);
        state.busy = false;
        if let Err(error) = result {
            return state.failed(error);
        }
        if let Some(traffic) = &state.traffic {
            traffic.tx_health.good();
        }
        if state.has_cells() {
            self.pump(stream, &mut state);
        }
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
        let mut len = match self.current {
            Some(_) => self.go_on(buffer, stride),
            None => 0,
        };
        while self.current.is_none() {
            let Some(skb) = self.waiting.pop() else { break };
            let room = buffer.get_mut(len..).unwrap_or_default();
            len += self.begin(skb, room, stride);
        }
        len
    }

    /// Writes cells of the packet that is being sent, if there is one.
    fn go_on(&mut self, room: &mut [u8], stride: Stride) -> usize {
        let Some(mut segmenter) = self.current.take() else {
            return 0;
        };
        let len = segmenter.fill(room, stride);
        if segmenter.is_done() {
            self.sent(segmenter.into_sdu());
        } else {
            self.current = Some(segmenter);
        }
        len
    }

    /// Writes cells of the next packet.
    fn begin(&mut self, skb: OutgoingSkb, room: &mut [u8], stride: Stride) -> usize {
        let Ok(vc) = vc_of(skb.vcc()) else {
            // Not reached: the address was looked at when the connection was opened.
            self.done.push(skb);
            return 0;
        };
        // An acknowledgement of TCP, for example.
        if let Some(len) = aal5::fill_single(vc, &skb, room, stride) {
            self.sent(skb);
            return len;
        }
        match Segmenter::new(vc, skb) {
            Ok(segmenter) => {
                self.current = Some(segmenter);
                self.go_on(room, stride)
            }
            Err(aal5::BadLength(skb)) => {
                // Not reached: the length was looked at when the packet was sent.
                self.done.push(skb);
                0
            }
        }
    }

    /// All cells of this packet have been written.
    fn sent(&mut self, mut skb: OutgoingSkb) {
        skb.mark_sent();
        self.done.push(skb);
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
        self.busy = true;
        traffic.queue_revival();
    }

    /// There may be too few transfers. If there still are in a moment, there is one more.
    #[cold]
    fn fall_short(&mut self) {
        self.short = true;
        if let Some(traffic) = &self.traffic {
            traffic.queue_revival();
        }
    }

    /// Has the bottom half give back what is done.
    fn hand_over(&self) {
        if let (Some(traffic), false) = (&self.traffic, self.done.is_empty()) {
            traffic.queue_return();
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
