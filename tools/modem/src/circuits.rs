// SPDX-License-Identifier: GPL-2.0-only

//! Channels that end in somebody's hands: packets for him, and packets from him.

use std::collections::{BTreeMap, VecDeque};

use wire::aal5::{MAX_SDU_LEN, Reassembler, Segmenter, pdu_len};
use wire::cell::{CELL_LEN, Cell, Stride, Vc};

/// How many packets of a channel wait to be taken. Then the modem has no room for
/// more cells, and the host has to wait.
const MAX_PACKETS: usize = 64;

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Circuits(BTreeMap<Vc, Circuit>);

impl Circuits {
    /// Adds the channel `vc`, if it is not there.
    pub(crate) fn add(&mut self, vc: Vc) {
        self.0.entry(vc).or_insert_with(Circuit::new);
    }

    pub(crate) fn get(&mut self, vc: Vc) -> Option<&mut Circuit> {
        self.0.get_mut(&vc)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether some channel has no room for more.
    pub(crate) fn is_full(&self) -> bool {
        let mut circuits = self.0.values();
        circuits.any(|circuit| circuit.came.len() >= MAX_PACKETS)
    }

    /// Loses what came only in part.
    pub(crate) fn reset(&mut self) {
        for circuit in self.0.values_mut() {
            circuit.reassembler.reset();
        }
    }
}

/// The far end of one channel.
pub(crate) struct Circuit {
    reassembler: Reassembler<Vec<u8>>,
    /// Whole packets, the oldest first.
    came: VecDeque<Vec<u8>>,
}

impl Circuit {
    fn new() -> Self {
        Self {
            reassembler: Reassembler::new(vec![0; pdu_len(MAX_SDU_LEN)]),
            came: VecDeque::new(),
        }
    }

    /// Takes a cell from the host. A packet that is not whole is lost.
    pub(crate) fn push(&mut self, cell: Cell<'_>) {
        let pti = cell.header().pti;
        if let Ok(Some(pdu)) = self.reassembler.push(pti, cell.payload()) {
            self.came.push_back(pdu.sdu.into());
        }
    }

    /// The next packet.
    pub(crate) fn take(&mut self) -> Option<Vec<u8>> {
        self.came.pop_front()
    }
}

impl std::fmt::Debug for Circuit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut debug = f.debug_struct("Circuit");
        debug
            .field("came", &self.came.len())
            .finish_non_exhaustive()
    }
}

/// The cells of a packet; none of one that AAL5 can't carry.
pub(crate) fn cells_of(vc: Vc, packet: &[u8]) -> impl Iterator<Item = [u8; CELL_LEN]> {
    let mut segmenter = Segmenter::new(vc, packet).ok();
    std::iter::from_fn(move || {
        let mut cell = [0; CELL_LEN];
        let filled = segmenter.as_mut()?.fill(&mut cell, Stride::PLAIN);
        (filled == CELL_LEN).then_some(cell)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const VC: Vc = Vc { vpi: 8, vci: 35 };

    fn push(circuits: &mut Circuits, packet: &[u8]) {
        for cell in cells_of(VC, packet) {
            circuits.get(VC).unwrap().push(Cell::new(&cell));
        }
    }

    #[test]
    fn packets_come_out_as_they_went_in() {
        let mut circuits = Circuits::default();
        circuits.add(VC);
        for length in [1, 40, 41, 1500, 65535] {
            let packet = vec![length as u8; length];
            push(&mut circuits, &packet);
            assert_eq!(circuits.get(VC).unwrap().take(), Some(packet));
        }
        assert_eq!(circuits.get(VC).unwrap().take(), None);
        assert_eq!(cells_of(VC, &[]).count(), 0);
    }

    #[test]
    fn a_packet_that_lost_a_cell_is_lost() {
        let mut circuits = Circuits::default();
        circuits.add(VC);
        for cell in cells_of(VC, &[1; 500]).skip(1) {
            circuits.get(VC).unwrap().push(Cell::new(&cell));
        }
        assert_eq!(circuits.get(VC).unwrap().take(), None);
        // So is one that was under way when the modem was reset.
        for cell in cells_of(VC, &[2; 500]).take(3) {
            circuits.get(VC).unwrap().push(Cell::new(&cell));
        }
        circuits.reset();
        push(&mut circuits, &[3; 20]);
        assert_eq!(circuits.get(VC).unwrap().take(), Some(vec![3; 20]));
    }

    #[test]
    fn a_channel_that_nobody_reads_is_full() {
        let mut circuits = Circuits::default();
        circuits.add(VC);
        for _ in 0..MAX_PACKETS {
            assert!(!circuits.is_full());
            push(&mut circuits, &[0; 9]);
        }
        assert!(circuits.is_full());
        circuits.get(VC).unwrap().take();
        assert!(!circuits.is_full());
    }
}
