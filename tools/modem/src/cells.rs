// SPDX-License-Identifier: GPL-2.0-only

//! The far end of the line, which sends every cell back, but for those of channels
//! that end in somebody's hands.

use std::collections::VecDeque;

use wire::cell::{CELL_LEN, Splitter, Stride, Vc};

use crate::circuits::{Circuits, cells_of};

/// How many cells wait for the host at most: a second of a full-speed bus.
const MAX_WAITING: usize = 22_943;

/// With so many cells on their way to the host no more packets are taken for it:
/// a tenth of a second of a full-speed bus.
const CONGESTED: usize = MAX_WAITING / 10;

#[derive(Debug)]
pub(crate) struct LoopBack {
    /// The channels that are sent back; all of them, if not given.
    vcs: Option<Vec<Vc>>,
    /// The channels that are not: packets are taken from them, and given to them.
    pub(crate) circuits: Circuits,
    splitter: Splitter,
    waiting: VecDeque<[u8; CELL_LEN]>,
}

/// What became of the cells in one transfer.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) came: u64,
    pub(crate) ignored: u64,
    pub(crate) dropped: u64,
}

impl LoopBack {
    pub(crate) fn new(vcs: Option<Vec<Vc>>) -> Self {
        Self {
            vcs,
            circuits: Circuits::default(),
            splitter: Splitter::new(Stride::PLAIN),
            waiting: VecDeque::new(),
        }
    }

    /// Takes what the host sent.
    pub(crate) fn send(&mut self, bytes: &[u8], line_up: bool) -> Tally {
        let mut tally = Tally::default();
        let Self {
            vcs,
            circuits,
            splitter,
            waiting,
        } = self;
        splitter.push(bytes, |cell| {
            tally.came += 1;
            let vc = cell.header().vc;
            let known = vcs.as_ref().is_none_or(|vcs| vcs.contains(&vc));
            if !line_up {
                tally.ignored += 1;
            } else if let Some(circuit) = circuits.get(vc) {
                circuit.push(cell);
            } else if !known {
                tally.ignored += 1;
            } else if waiting.len() == MAX_WAITING {
                tally.dropped += 1;
            } else {
                waiting.push_back(*cell.bytes());
            }
        });
        tally
    }

    /// Sends a packet to the host.
    pub(crate) fn give(&mut self, vc: Vc, packet: &[u8]) {
        self.waiting.extend(cells_of(vc, packet));
    }

    /// Whether the host has to take cells before it is given more packets.
    pub(crate) fn is_congested(&self) -> bool {
        self.waiting.len() >= CONGESTED
    }

    /// How many bytes a transfer of `length` bytes would bring: whole cells.
    pub(crate) fn ready(&self, length: usize) -> usize {
        self.waiting.len().min(length / CELL_LEN) * CELL_LEN
    }

    /// Whether cells wait for the host.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Takes out `bytes`, as [`Self::ready`] said.
    pub(crate) fn receive(&mut self, bytes: usize) -> Vec<u8> {
        let cells = (bytes / CELL_LEN).min(self.waiting.len());
        self.waiting.drain(..cells).flatten().collect()
    }

    /// Loses what waits.
    pub(crate) fn reset(&mut self) {
        self.splitter.reset();
        self.waiting.clear();
        self.circuits.reset();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::cell::{Header, Pti};

    const VC: Vc = Vc { vpi: 0, vci: 32 };

    fn cells(vci: u16, count: usize) -> Vec<u8> {
        let mut cell = [7; CELL_LEN];
        cell[..5].copy_from_slice(&Header::new(Vc { vci, ..VC }, Pti::User).to_bytes());
        cell.repeat(count)
    }

    #[test]
    fn whole_cells_come_back_however_they_were_cut() {
        let mut line = LoopBack::new(None);
        let sent = cells(32, 3);
        line.send(&sent[..60], true);
        assert_eq!(line.ready(1000), CELL_LEN);
        line.send(&sent[60..], true);
        assert_eq!(line.ready(1000), 3 * CELL_LEN);
        assert_eq!(line.ready(2 * CELL_LEN + 1), 2 * CELL_LEN);
        assert_eq!(line.ready(CELL_LEN - 1), 0);
        assert_eq!(line.receive(2 * CELL_LEN), sent[..2 * CELL_LEN]);
        assert_eq!(line.receive(1000), sent[..CELL_LEN]);
        assert!(!line.is_waiting());
    }

    #[test]
    fn other_channels_and_dead_lines_swallow_cells() {
        let mut line = LoopBack::new(Some(vec![VC]));
        let tally = line.send(&cells(33, 2), true);
        assert_eq!((tally.came, tally.ignored), (2, 2));
        assert_eq!(line.send(&cells(32, 2), false).ignored, 2);
        assert!(!line.is_waiting());
    }

    #[test]
    fn a_host_that_does_not_listen_fills_no_memory() {
        let mut line = LoopBack::new(None);
        let tally = line.send(&cells(32, MAX_WAITING + 5), true);
        assert_eq!(tally.dropped, 5);
        line.reset();
        assert_eq!(line.ready(usize::MAX), 0);
    }
}
