// SPDX-License-Identifier: GPL-2.0-only

use proptest::prelude::*;
use wire::speedtch::{DATA_IN, FIRMWARE_OUT, INTERFACE_CONTROL, INTERFACE_DATA, INTERRUPT_IN};

use super::*;
use crate::descriptors;
use crate::options::Fault;

fn told(lie: Option<Lie>) -> Vec<u8> {
    let faults = lie.into_iter().map(Fault::Descriptors);
    let options = faults.fold(Options::new(), Options::fault);
    descriptors::get(&options, 0x0200, 0).unwrap()
}

fn parts(lie: Lie) -> Parts {
    Parts::of(&told(Some(lie)))
}

/// The endpoints with this address: their attributes and the size of their packets.
fn endpoints(parts: &Parts, address: u8) -> Vec<(u8, u16)> {
    let endpoints = parts.settings.iter().flat_map(|s| &s.endpoints);
    endpoints
        .filter(|ep| ep[2] == address)
        .map(|ep| (ep[3], u16::from_le_bytes([ep[4], ep[5]])))
        .collect()
}

fn settings(parts: &Parts, interface: u8) -> usize {
    let of = |s: &&Setting| s.interface() == interface;
    parts.settings.iter().filter(of).count()
}

#[test]
fn what_is_taken_apart_is_put_together() {
    let honest = told(None);
    assert_eq!(Parts::of(&honest).bytes(), honest);
}

#[test]
fn interfaces_come_and_go() {
    let honest = Parts::of(&told(None));
    let data = settings(&honest, INTERFACE_DATA);
    assert!(data > 1);
    let without = parts(Lie::NoInterface(INTERFACE_DATA));
    assert_eq!(settings(&without, INTERFACE_DATA), 0);
    assert_eq!(without.header[4], honest.header[4] - 1);
    let twice = parts(Lie::InterfaceTwice(INTERFACE_DATA));
    assert_eq!(settings(&twice, INTERFACE_DATA), 2 * data);
    assert_eq!(
        settings(&parts(Lie::OneSetting(INTERFACE_DATA)), INTERFACE_DATA),
        1
    );
    assert_eq!(
        settings(
            &parts(Lie::NoInterface(INTERFACE_CONTROL)),
            INTERFACE_CONTROL
        ),
        0
    );
}

#[test]
fn endpoints_change() {
    assert!(endpoints(&parts(Lie::NoEndpoint(DATA_IN)), DATA_IN).is_empty());
    let turned = parts(Lie::Address(FIRMWARE_OUT, 0x8f));
    assert!(endpoints(&turned, FIRMWARE_OUT).is_empty());
    assert_eq!(endpoints(&turned, 0x8f), [(2, 64)]);
    let other = parts(Lie::Attributes(INTERRUPT_IN, 2));
    assert_eq!(endpoints(&other, INTERRUPT_IN), [(2, 16)]);
    let sizes = endpoints(&parts(Lie::MaxPacket(DATA_IN, 0xffff)), DATA_IN);
    assert!(sizes.iter().all(|&(_, size)| size == 0xffff));
}

#[test]
fn bytes_are_cut_and_changed() {
    let honest = told(None);
    assert_eq!(told(Some(Lie::Cut(20))), honest[..20]);
    assert_eq!(told(Some(Lie::Total(0xffff)))[2..4], [0xff; 2]);
    let noise = told(Some(Lie::Noise(1)));
    assert_eq!(noise[..9], honest[..9]);
    assert_ne!(noise[9..], honest[9..]);
    assert_eq!(noise, told(Some(Lie::Noise(1))));
    assert_ne!(noise, told(Some(Lie::Noise(2))));
    let options = Options::new().fault(Fault::Descriptors(Lie::Class(9)));
    assert_eq!(descriptors::get(&options, 0x0100, 0).unwrap()[4], 9);
}

#[test]
fn strings_are_what_one_likes() {
    let options = Options::new().string(3, [2, 3]).string(2, []);
    assert_eq!(descriptors::get(&options, 0x0303, 0x0409).unwrap(), [2, 3]);
    let product = descriptors::get(&options, 0x0302, 0x0409);
    assert_eq!(product.map(|bytes| bytes.len()), Some(0));
    assert!(descriptors::get(&options, 0x0301, 0x0409).unwrap().len() > 2);
}

#[test]
fn too_much_is_babble() {
    let said = |length| Said::Bytes(vec![7; 20]).start(length);
    assert!(matches!(said(20), Start::Done(Status::OK, bytes) if bytes.len() == 20));
    assert!(matches!(said(19), Start::Done(Status::BABBLE, bytes) if bytes.len() == 19));
}

proptest! {
    #[test]
    fn lies_add_up(addresses in prop::collection::vec(any::<u8>(), 0..20), interface in 0..4u8) {
        let mut options = Options::new().fault(Fault::Descriptors(Lie::InterfaceTwice(interface)));
        for pair in addresses.chunks(2) {
            let lie = match *pair {
                [old, new] => Lie::Address(old, new),
                _ => Lie::NoInterface(interface),
            };
            options = options.fault(Fault::Descriptors(lie));
        }
        let bytes = descriptors::get(&options, 0x0200, 0).unwrap();
        prop_assert_eq!(usize::from(u16::from_le_bytes([bytes[2], bytes[3]])), bytes.len());
        prop_assert_eq!(Parts::of(&bytes).bytes(), bytes);
    }
}
