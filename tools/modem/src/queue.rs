// SPDX-License-Identifier: GPL-2.0-only

//! The transfers that an endpoint has to do, in order.

use std::collections::VecDeque;
use std::time::Instant;

use crate::transfer::{Submit, Transfer};

/// What becomes of a transfer when its bytes are over the bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// The host is told.
    Complete,
    /// Nothing, for ever.
    Stick,
    /// The modem is unplugged.
    Unplug,
}

/// A transfer that is on the bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Flight {
    pub(crate) starts: Instant,
    pub(crate) ends: Instant,
    /// How many bytes will have been transferred then.
    pub(crate) bytes: usize,
    pub(crate) then: Then,
}

impl Flight {
    /// How many bytes have been transferred at `now`.
    pub(crate) fn bytes_at(&self, now: Instant) -> usize {
        let all = self.ends.duration_since(self.starts).as_nanos();
        let part = now.saturating_duration_since(self.starts).as_nanos();
        if part >= all {
            return self.bytes;
        }
        usize::try_from(self.bytes as u128 * part / all).unwrap_or(self.bytes)
    }
}

/// An endpoint's transfers. Only the first is ever on the bus; what is on the bus
/// or stuck stays the first until it has ended.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    pending: VecDeque<(Instant, Submit)>,
    flight: Option<Flight>,
    stuck: bool,
    /// What the first transfer is to end with when the host gives it up.
    kept: Option<Vec<u8>>,
    /// The endpoint refuses everything until the host clears this.
    pub(crate) halted: bool,
}

impl Queue {
    pub(crate) fn push(&mut self, now: Instant, submit: Submit) {
        self.pending.push_back((now, submit));
    }

    pub(crate) fn len(&self) -> usize {
        self.pending.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// The transfer to begin with now, and when it came; none while one is on the
    /// bus or stuck.
    pub(crate) fn next(&self) -> Option<(Instant, Transfer)> {
        match self.flight {
            None if !self.stuck => self.pending.front().map(|(came, s)| (*came, s.transfer)),
            _ => None,
        }
    }

    /// How many packets the first transfer has; none if it is not isochronous.
    pub(crate) fn packets(&self) -> usize {
        let first = self.pending.front();
        first.map_or(0, |(_, submit)| submit.packets.len())
    }

    /// Takes what the host sends with the first transfer.
    pub(crate) fn take_data(&mut self) -> Vec<u8> {
        let first = self.pending.front_mut();
        first.map_or(Vec::new(), |(_, submit)| std::mem::take(&mut submit.data))
    }

    /// Puts the first transfer on the bus.
    pub(crate) fn fly(&mut self, flight: Flight) {
        self.flight = Some(flight);
    }

    /// When the transfer on the bus ends.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.flight.map(|flight| flight.ends)
    }

    /// Takes the transfer off the bus; it stays the first.
    pub(crate) fn land(&mut self) -> Option<Flight> {
        self.flight.take()
    }

    /// Lets the first transfer stay what it is for ever.
    pub(crate) fn stick(&mut self) {
        self.stuck = true;
    }

    /// Lets the first transfer wait, and keeps the answer to it.
    pub(crate) fn keep(&mut self, answer: Vec<u8>) {
        self.stuck = true;
        self.kept = Some(answer);
    }

    /// Takes the answer that is kept for the transfer `seqnum`, which is the first and goes on.
    pub(crate) fn take_kept(&mut self, seqnum: u32) -> Option<(Transfer, Vec<u8>)> {
        let (_, first) = self.pending.front().filter(|(_, s)| s.seqnum == seqnum)?;
        let answer = self.kept.take()?;
        self.stuck = false;
        Some((first.transfer, answer))
    }

    /// Removes the first transfer.
    pub(crate) fn pop(&mut self) -> Option<Submit> {
        self.pending.pop_front().map(|(_, submit)| submit)
    }

    /// Whether the transfer `seqnum` waits here.
    pub(crate) fn has(&self, seqnum: u32) -> bool {
        self.pending.iter().any(|(_, s)| s.seqnum == seqnum)
    }

    /// Removes the transfer `seqnum`; with it goes its flight.
    pub(crate) fn cancel(&mut self, seqnum: u32) -> Option<(Submit, Option<Flight>)> {
        let at = self.pending.iter().position(|(_, s)| s.seqnum == seqnum)?;
        let mut flight = None;
        if at == 0 {
            flight = self.flight.take();
            self.stuck = false;
        }
        self.pending.remove(at).map(|(_, submit)| (submit, flight))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use wire::setup::Setup;

    fn submit(seqnum: u32) -> Submit {
        Submit {
            seqnum,
            transfer: Transfer {
                endpoint: 5,
                length: seqnum as usize,
                setup: Setup::from_bytes([0; 8]),
            },
            data: vec![0; seqnum as usize],
            packets: Vec::new(),
        }
    }

    #[test]
    fn only_the_first_is_on_the_bus() {
        let t0 = Instant::now();
        let mut queue = Queue::default();
        queue.push(t0, submit(1));
        queue.push(t0, submit(2));
        assert_eq!(queue.next().unwrap().1.length, 1);
        let flight = Flight {
            starts: t0,
            ends: t0 + Duration::from_millis(4),
            bytes: 100,
            then: Then::Complete,
        };
        queue.fly(flight);
        assert!(queue.next().is_none());
        assert_eq!(flight.bytes_at(t0 + Duration::from_millis(1)), 25);
        assert_eq!(flight.bytes_at(t0 + Duration::from_millis(9)), 100);
        // Cancelling another one leaves the flight alone.
        assert_eq!(queue.cancel(2).unwrap(), (submit(2), None));
        assert!(queue.deadline().is_some());
        assert_eq!(queue.cancel(1).unwrap(), (submit(1), Some(flight)));
        assert!(queue.is_empty() && queue.deadline().is_none());
        assert!(queue.cancel(1).is_none());
    }

    #[test]
    fn what_is_stuck_holds_the_others_up_until_it_is_cancelled() {
        let t0 = Instant::now();
        let mut queue = Queue::default();
        queue.push(t0, submit(1));
        queue.push(t0, submit(2));
        queue.stick();
        assert!(queue.next().is_none());
        queue.cancel(1);
        assert_eq!(queue.next().unwrap().1.length, 2);
        assert_eq!(queue.take_data().len(), 2);
        assert!(queue.pop().unwrap().data.is_empty());
    }
}
