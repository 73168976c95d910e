// SPDX-License-Identifier: GPL-2.0-only

//! The ADSL line: down, training, up, and what the modem tells of it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use wire::setup::Setup;
use wire::speedtch::{
    LineEvent, LineState, Rates, START_SYNCHRO, STATUS_7, STATUS_B, STATUS_D, STATUS_E, STATUS_F,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Down,
    /// Until that moment, or for ever.
    Training(Option<Instant>),
    Up,
}

#[derive(Debug)]
pub(crate) struct Line {
    state: State,
    rates: Rates,
    /// How long it trains; for ever, if not at all.
    training: Option<Duration>,
    /// What the host has not been told yet.
    events: VecDeque<LineEvent>,
}

impl Line {
    pub(crate) fn new(rates: Rates, training: Option<Duration>) -> Self {
        Self {
            state: State::Down,
            rates,
            training,
            events: VecDeque::new(),
        }
    }

    /// Starts to synchronise, if the line is down; says whether it was.
    pub(crate) fn start(&mut self, now: Instant) -> bool {
        let down = self.state == State::Down;
        if down {
            self.state = State::Training(self.training.map(|time| now + time));
        }
        down
    }

    /// The line goes down; says whether it was up.
    pub(crate) fn drop(&mut self) -> bool {
        let up = self.is_up();
        self.state = State::Down;
        if up {
            self.events.push_back(LineEvent::GoesDown);
        }
        up
    }

    pub(crate) fn is_up(&self) -> bool {
        self.state == State::Up
    }

    pub(crate) fn rates(&self) -> Rates {
        self.rates
    }

    /// When the line will be up.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Training(until) => until,
            _ => None,
        }
    }

    /// Returns true once, when the line has come up.
    pub(crate) fn poll(&mut self, now: Instant) -> bool {
        let up = self.deadline().is_some_and(|until| until <= now);
        if up {
            self.state = State::Up;
            self.events.push_back(LineEvent::GoesUp);
        }
        up
    }

    /// What the host is told next on the interrupt endpoint.
    pub(crate) fn next_event(&self) -> Option<LineEvent> {
        self.events.front().copied()
    }

    /// The host has been told.
    pub(crate) fn told(&mut self) {
        self.events.pop_front();
    }

    /// What a request that reads something of the line is answered.
    pub(crate) fn answer(&self, setup: Setup) -> Option<Vec<u8>> {
        let state = match self.state {
            State::Down => LineState::Down,
            State::Training(_) => LineState::Synchronising,
            State::Up => LineState::Up,
        };
        let rates = if self.is_up() {
            self.rates
        } else {
            Rates::default()
        };
        match (setup.request, setup.value) {
            _ if same(setup, STATUS_7) => Some(vec![state.to_byte()]),
            _ if same(setup, STATUS_B) => Some(rates.to_bytes().into()),
            _ if same(setup, START_SYNCHRO) => Some(vec![0; 2]),
            _ => [STATUS_D, STATUS_E, STATUS_F]
                .into_iter()
                .find(|&known| same(setup, known))
                .map(|known| vec![0; usize::from(known.length)]),
        }
    }
}

/// Whether `setup` asks what `known` asks; it may ask for less or more of it.
pub(crate) fn same(setup: Setup, known: Setup) -> bool {
    let length = known.length;
    Setup { length, ..setup } == known
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_trains_once() {
        let rates = Rates { down: 2, up: 1 };
        let mut line = Line::new(rates, Some(Duration::from_secs(1)));
        let t0 = Instant::now();
        assert_eq!(line.answer(STATUS_7), Some(vec![0]));
        assert!(line.start(t0));
        assert!(!line.start(t0 + Duration::from_millis(500)));
        assert_eq!(line.answer(STATUS_7), Some(vec![0x10]));
        assert_eq!(line.answer(STATUS_B), Some(vec![0; 8]));
        assert!(!line.poll(t0));
        assert!(line.poll(t0 + Duration::from_secs(1)));
        assert_eq!(line.answer(STATUS_7), Some(vec![0x20]));
        assert_eq!(line.answer(STATUS_B), Some(vec![2, 0, 0, 0, 1, 0, 0, 0]));
        assert_eq!(line.next_event(), Some(LineEvent::GoesUp));
        line.told();
        assert!(line.drop() && !line.drop());
        assert_eq!(line.next_event(), Some(LineEvent::GoesDown));
        assert_eq!(line.deadline(), None);
    }

    #[test]
    fn a_line_may_train_for_ever() {
        let mut line = Line::new(Rates::default(), None);
        assert!(line.start(Instant::now()));
        assert_eq!(line.deadline(), None);
        assert!(!line.drop());
    }
}
