// SPDX-License-Identifier: GPL-2.0-only

//! What the modem says it is.
//!
//! The interfaces, alternate settings and endpoints are those that owners of a
//! SpeedTouch USB (revision 0.00) have published; the names and the revision are
//! those of the later SpeedTouch 330 (4.00), whose firmware names a driver has to
//! find first. The firmware endpoints take packets of 64 bytes here, where
//! revision 0.00 has 8. In the third alternate setting of the data interface cells
//! come by isochronous transfers, as many bytes a frame as a full-speed bus allows.

use wire::speedtch::{
    ALTSETTING_ISOC, DATA_IN, DATA_OUT, FIRMWARE_IN, FIRMWARE_OUT, INTERFACE_CONTROL,
    INTERFACE_DATA, INTERFACE_FIRMWARE, INTERRUPT_IN, VENDOR_ID,
};

use crate::lies;
use crate::options::Options;

const DEVICE: u8 = 1;
const CONFIGURATION: u8 = 2;
const STRING: u8 = 3;
pub(crate) const INTERFACE: u8 = 4;
pub(crate) const ENDPOINT: u8 = 5;

pub(crate) const VENDOR_CLASS: u8 = 0xff;
const ISOCHRONOUS: u8 = 1;
const BULK: u8 = 2;
const INTERRUPT: u8 = 3;

/// English (United States), the one language that the strings are in.
const LANGUAGE: u16 = 0x0409;

/// The one configuration's number.
pub(crate) const THE_CONFIGURATION: u8 = 1;

/// A second way out in the data interface, of which nobody knows the use.
pub(crate) const OTHER_OUT: u8 = 0x06;

pub(crate) struct Endpoint {
    pub(crate) address: u8,
    /// As in `bmAttributes`.
    pub(crate) kind: u8,
    /// The largest packet, in bytes.
    pub(crate) packet: u16,
    /// Milliseconds between two interrupt transfers; for an isochronous endpoint, whose
    /// unit is another, 1 is every millisecond.
    pub(crate) interval: u8,
}

/// An isochronous endpoint: one packet in each frame of the bus.
const fn isochronous(address: u8) -> Endpoint {
    Endpoint {
        address,
        kind: ISOCHRONOUS,
        packet: 1023,
        interval: 1,
    }
}

const fn bulk(address: u8, packet: u16) -> Endpoint {
    Endpoint {
        address,
        kind: BULK,
        packet,
        interval: 0,
    }
}

struct Setting {
    interface: u8,
    number: u8,
    endpoints: &'static [Endpoint],
}

const SETTINGS: &[Setting] = &[
    Setting {
        interface: INTERFACE_CONTROL,
        number: 0,
        endpoints: &[Endpoint {
            address: INTERRUPT_IN,
            kind: INTERRUPT,
            packet: 16,
            interval: 50,
        }],
    },
    data(0, &[]),
    data(
        1,
        &[bulk(OTHER_OUT, 64), bulk(DATA_OUT, 64), bulk(DATA_IN, 64)],
    ),
    data(
        2,
        &[bulk(OTHER_OUT, 32), bulk(DATA_OUT, 32), bulk(DATA_IN, 64)],
    ),
    data(
        ALTSETTING_ISOC,
        &[
            bulk(OTHER_OUT, 16),
            bulk(DATA_OUT, 16),
            isochronous(DATA_IN),
        ],
    ),
    Setting {
        interface: INTERFACE_FIRMWARE,
        number: 0,
        endpoints: &[bulk(FIRMWARE_OUT, 64), bulk(FIRMWARE_IN, 64)],
    },
];

const fn data(number: u8, endpoints: &'static [Endpoint]) -> Setting {
    Setting {
        interface: INTERFACE_DATA,
        number,
        endpoints,
    }
}

/// How many interfaces there are, numbered from 0.
pub(crate) const INTERFACES: usize = 3;

/// Whether `interface` has the alternate setting `number`.
pub(crate) fn has_setting(interface: u8, number: u8) -> bool {
    setting(interface, number).is_some()
}

/// Whether the endpoint is there while each interface has its setting in
/// `settings`.
pub(crate) fn has_endpoint(settings: [u8; INTERFACES], address: u8) -> bool {
    endpoint(settings, address).is_some()
}

/// Whether it is there and isochronous.
pub(crate) fn is_isochronous(settings: [u8; INTERFACES], address: u8) -> bool {
    endpoint(settings, address).is_some_and(|ep| ep.kind == ISOCHRONOUS)
}

fn endpoint(settings: [u8; INTERFACES], address: u8) -> Option<&'static Endpoint> {
    let mut endpoints = endpoints(settings).map(|(_, ep)| ep);
    endpoints.find(|ep| ep.address == address)
}

/// The endpoints that are there then, each with its interface.
pub(crate) fn endpoints(
    settings: [u8; INTERFACES],
) -> impl Iterator<Item = (u8, &'static Endpoint)> {
    let selected = (0..).zip(settings);
    selected.flat_map(|(interface, number)| {
        let setting = setting(interface, number).into_iter();
        setting.flat_map(move |setting| setting.endpoints.iter().map(move |ep| (interface, ep)))
    })
}

/// The addresses of the interface's endpoints, in any setting.
pub(crate) fn endpoints_of(interface: u8) -> impl Iterator<Item = u8> {
    SETTINGS
        .iter()
        .filter(move |setting| setting.interface == interface)
        .flat_map(|setting| setting.endpoints)
        .map(|ep| ep.address)
}

fn setting(interface: u8, number: u8) -> Option<&'static Setting> {
    SETTINGS
        .iter()
        .find(|setting| setting.interface == interface && setting.number == number)
}

/// The answer to `GET_DESCRIPTOR`, or none to one that we don't have.
pub(crate) fn get(options: &Options, value: u16, language: u16) -> Option<Vec<u8>> {
    let [kind, index] = value.to_be_bytes();
    match (kind, index) {
        (DEVICE, 0) => Some(lies::device(options, device(options))),
        (CONFIGURATION, 0) => Some(lies::configuration(options, configuration())),
        (STRING, 0) => Some([&[4, STRING][..], &LANGUAGE.to_le_bytes()].concat()),
        (STRING, _) if language == LANGUAGE => {
            lies::string(options, index).or_else(|| string(options, index))
        }
        _ => None,
    }
}

fn device(options: &Options) -> Vec<u8> {
    let mut bytes = vec![18, DEVICE];
    bytes.extend(0x0110u16.to_le_bytes()); // USB 1.1
    bytes.extend([VENDOR_CLASS, 0, 0, 8]); // 8: packets of endpoint 0
    bytes.extend(VENDOR_ID.to_le_bytes());
    bytes.extend(options.product.to_le_bytes());
    bytes.extend(options.revision.to_le_bytes());
    bytes.extend([1, 2, 3, 1]); // three strings, one configuration
    bytes
}

fn configuration() -> Vec<u8> {
    let mut body = Vec::new();
    for setting in SETTINGS {
        let endpoints = u8::try_from(setting.endpoints.len()).expect("a handful");
        body.extend([9, INTERFACE, setting.interface, setting.number, endpoints]);
        body.extend([VENDOR_CLASS, 0, 0, 0]);
        for ep in setting.endpoints {
            let [p0, p1] = ep.packet.to_le_bytes();
            body.extend([7, ENDPOINT, ep.address, ep.kind, p0, p1, ep.interval]);
        }
    }
    let total = u16::try_from(9 + body.len()).expect("a few hundred bytes");
    let [t0, t1] = total.to_le_bytes();
    // Powered by the bus, 500 mA in units of 2 mA.
    let mut bytes = vec![9, CONFIGURATION, t0, t1, INTERFACES as u8];
    bytes.extend([THE_CONFIGURATION, 0, 0x80, 250]);
    bytes.extend(body);
    bytes
}

fn string(options: &Options, index: u8) -> Option<Vec<u8>> {
    let text = match index {
        1 => "THOMSON",
        2 => "Speed Touch 330",
        3 => &options.serial,
        _ => return None,
    };
    // A descriptor's length is one byte.
    let units: Vec<u8> = text
        .encode_utf16()
        .take(126)
        .flat_map(u16::to_le_bytes)
        .collect();
    let length = u8::try_from(2 + units.len()).expect("126 units at most");
    Some([&[length, STRING][..], &units].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_is_as_long_as_it_says() {
        let bytes = configuration();
        assert_eq!(
            usize::from(u16::from_le_bytes([bytes[2], bytes[3]])),
            bytes.len()
        );
        // Its parts, one after the other, fill it.
        let (mut at, mut interfaces, mut endpoints) = (0, 0, 0);
        while at < bytes.len() {
            match bytes[at + 1] {
                INTERFACE => interfaces += 1,
                ENDPOINT => endpoints += 1,
                kind => assert_eq!(kind, CONFIGURATION),
            }
            at += usize::from(bytes[at]);
        }
        assert_eq!((at, interfaces, endpoints), (bytes.len(), 6, 12));
    }

    #[test]
    fn the_device_is_the_one_that_drivers_look_for() {
        let bytes = get(&Options::new(), 0x0100, 0).unwrap();
        assert_eq!(bytes.len(), 18);
        assert_eq!(bytes[4], 0xff);
        assert_eq!(bytes[8..14], [0xb9, 0x06, 0x61, 0x40, 0x00, 0x04]);
        let bytes = get(&Options::new().product(0x1234), 0x0100, 0).unwrap();
        assert_eq!(bytes[8..12], [0xb9, 0x06, 0x34, 0x12]);
    }

    #[test]
    fn strings() {
        let options = Options::new().mac([0, 0x90, 0xd0, 1, 2, 0xab]);
        assert_eq!(get(&options, 0x0300, 0).unwrap(), [4, 3, 9, 4]);
        let serial = get(&options, 0x0303, 0x0409).unwrap();
        let text: Vec<u8> = serial[2..].iter().copied().step_by(2).collect();
        assert_eq!(text, b"0090D00102AB");
        assert_eq!(get(&options, 0x0304, 0x0409), None);
        assert_eq!(get(&options, 0x0303, 0x0407), None);
        assert_eq!(get(&options, 0x0600, 0), None);
    }

    #[test]
    fn endpoints_come_with_their_setting() {
        assert!(has_endpoint([0, 0, 0], FIRMWARE_OUT));
        assert!(has_endpoint([0, 0, 0], INTERRUPT_IN));
        assert!(!has_endpoint([0, 0, 0], DATA_IN));
        assert!(has_endpoint([0, 1, 0], DATA_IN));
        assert!(!is_isochronous([0, 1, 0], DATA_IN));
        assert!(is_isochronous([0, 3, 0], DATA_IN));
        assert!(!has_setting(INTERFACE_DATA, 4));
        assert!(!has_setting(3, 0));
    }
}
