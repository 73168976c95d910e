// SPDX-License-Identifier: GPL-2.0-only

//! Cells in isochronous packets.

use wire::speedtch::ALTSETTING_ISOC;

use super::*;
use crate::lies::{Failure, Said};

/// How much came in each packet, and the status of each.
pub(super) fn results(packets: &[Packet]) -> Vec<(u32, i32)> {
    let packets = packets.iter();
    packets
        .map(|packet| (packet.actual, packet.status.0))
        .collect()
}

/// As many whole cells as fit into a packet of 1,023 bytes.
const FULL: u32 = 19 * CELL_LEN as u32;

impl Host {
    fn receive_packets(&mut self, count: u32) -> u32 {
        let transfer = Transfer {
            endpoint: DATA_IN,
            length: 1023 * count as usize,
            setup: Setup::from_bytes([0; 8]),
        };
        let packets = (0..count).map(|number| Packet {
            offset: 1023 * number,
            length: 1023,
            actual: 0,
            status: Status::OK,
        });
        self.submit_packets(transfer, &[], packets.collect())
    }

    /// A host whose modem has its line up, and receives by isochronous transfers.
    fn isochronous(options: Options) -> Self {
        let mut host = Self::running(options);
        host.select(ALTSETTING_ISOC);
        host.line_up();
        host.t0 = host.now;
        host
    }

    fn send_cells(&mut self, count: usize) {
        let seqnum = self.send(DATA_OUT, &cells(count));
        self.wait_for(seqnum).unwrap();
    }
}

#[test]
fn packets_come_one_in_each_frame_whether_there_are_cells_or_not() {
    let mut host = Host::isochronous(options());
    let (first, second) = (host.receive_packets(3), host.receive_packets(2));
    host.send_cells(19 + 19 + 1);
    let (after, got) = host.wait();
    let sizes = vec![(FULL, 0), (FULL, 0), (CELL_LEN as u32, 0)];
    assert_eq!(after, Duration::from_millis(3));
    assert_eq!(got, Got::Packets(first, sizes, cells(39)));
    // The next one began when that one ended.
    let (after, got) = host.wait();
    assert_eq!(after, Duration::from_millis(5));
    assert_eq!(got, Got::Packets(second, vec![(0, 0); 2], vec![]));
    assert_eq!(host.device.counters.packets, 5);
}

#[test]
fn a_lost_packet_takes_its_cells_with_it() {
    let mut host = Host::isochronous(options().fault(Fault::LosePackets(2)));
    let seqnum = host.receive_packets(3);
    host.send_cells(19 * 3);
    let expected = cells(19 * 3);
    let full = FULL as usize;
    let arrived = [&expected[..full], &expected[2 * full..]].concat();
    let packets = vec![(FULL, 0), (0, -84), (FULL, 0)];
    assert_eq!(host.wait().1, Got::Packets(seqnum, packets, arrived));
}

#[test]
fn an_endpoint_is_of_one_kind() {
    let mut host = Host::isochronous(options());
    let bulk = host.receive(DATA_IN, 64);
    assert_eq!(host.wait_for(bulk), Err(-71));
    host.select(ALTSETTING_BULK);
    let isochronous = host.receive_packets(1);
    let lost = Got::Packets(isochronous, vec![(0, -71)], vec![]);
    assert_eq!(host.wait().1, lost);
}

#[test]
fn a_transfer_in_flight_is_cancelled() {
    let mut host = Host::isochronous(options());
    let (first, second) = (host.receive_packets(1), host.receive_packets(1));
    let unlink = host.unlink(first);
    assert_eq!(host.wait().1, Got::Unlink(unlink, -104));
    assert_eq!(host.wait().1, Got::Packets(second, vec![(0, 0)], vec![]));
}

#[test]
fn what_is_said_comes_in_packets() {
    let mut host = Host::isochronous(options());
    let said = [
        Said::Bytes(vec![1; 30]),
        Said::Fail(Failure::Checksum),
        Said::Bytes(vec![2; 2000]),
        Said::Silence,
    ];
    host.device.say(host.now, DATA_IN, said.into());
    let seqnum = host.receive_packets(5);
    host.send_cells(1);
    let packets = vec![(30, 0), (0, -84), (1023, 0), (0, 0), (CELL_LEN as u32, 0)];
    let arrived = [vec![1; 30], vec![2; 1023], cells(1)].concat();
    assert_eq!(host.wait().1, Got::Packets(seqnum, packets, arrived));
}
