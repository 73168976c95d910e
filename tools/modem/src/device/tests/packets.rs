// SPDX-License-Identifier: GPL-2.0-only

//! Channels that end in somebody's hands.

use super::*;
use crate::circuits::cells_of;

const VC: Vc = Vc { vpi: 8, vci: 35 };
const OTHER: Vc = Vc { vpi: 0, vci: 32 };

fn cells(vc: Vc, packet: &[u8]) -> Vec<u8> {
    cells_of(vc, packet).flatten().collect()
}

/// A modem whose line is up, and of which somebody has the far end of a channel.
fn host() -> Host {
    let mut host = Host::running(options());
    host.line_up();
    host.device.terminate(VC);
    host
}

#[test]
fn packets_go_both_ways_and_other_channels_come_back() {
    let mut host = host();
    let sent = host.send(
        DATA_OUT,
        &[cells(VC, &[7; 99]), cells(OTHER, b"x")].concat(),
    );
    host.wait_for(sent).unwrap();
    let now = host.now;
    assert_eq!(host.device.take_packet(now, VC), Some(vec![7; 99]));
    assert_eq!(host.device.take_packet(now, VC), None);
    assert!(host.device.give_packet(now, VC, &[8; 50]));
    let received = host.receive(DATA_IN, 3392);
    let expected = [cells(OTHER, b"x"), cells(VC, &[8; 50])].concat();
    assert_eq!(host.wait_for(received), Ok(expected));
}

#[test]
fn a_packet_ends_the_wait_of_the_host() {
    let mut host = host();
    let waiting = host.receive(DATA_IN, 3392);
    let now = host.now;
    assert!(host.device.give_packet(now, VC, &[1; 10]));
    host.collect();
    assert_eq!(host.wait_for(waiting), Ok(cells(VC, &[1; 10])));
}

#[test]
fn the_host_waits_until_its_packets_are_taken() {
    let mut host = host();
    let full = host.send(DATA_OUT, &cells(VC, &[1; 10]).repeat(64));
    host.wait_for(full).unwrap();
    let late = host.send(DATA_OUT, &cells(VC, &[2; 10]));
    assert_eq!(host.got, []);
    let now = host.now;
    assert!(host.device.take_packet(now, VC).is_some());
    host.collect();
    host.wait_for(late).unwrap();
}

#[test]
fn no_more_packets_are_taken_for_a_host_than_it_reads() {
    let mut host = host();
    let now = host.now;
    let taken = (0..10_000).take_while(|_| host.device.give_packet(now, VC, &[0; 1500]));
    let taken = taken.count();
    assert!((10..1000).contains(&taken), "{taken} packets were taken");
    let received = host.receive(DATA_IN, 64 * CELL_LEN);
    host.wait_for(received).unwrap();
    assert!(host.device.give_packet(now, VC, &[0; 1500]));
    // A line that is down takes any number, and loses them.
    host.device.drop_line(now);
    assert!((0..10_000).all(|_| host.device.give_packet(now, VC, &[0; 1500])));
}
