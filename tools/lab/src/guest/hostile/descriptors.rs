//! Descriptors that are not those of a SpeedTouch, nor of anything else.

use anyhow::{Context, Result, ensure};
use modem::{Fault, Lie, Options};
use wire::speedtch::{
    DATA_IN, DATA_OUT, FIRMWARE_IN, FIRMWARE_OUT, INTERFACE_CONTROL, INTERFACE_DATA,
    INTERFACE_FIRMWARE, INTERRUPT_IN,
};

use super::Ground;
use crate::guest::plugged::{Plugged, options};
use crate::guest::sysfs::AtmDevice;

// Attributes of endpoints, by their kind.
const CONTROL: u8 = 0;
const ISOCHRONOUS: u8 = 1;
const BULK: u8 = 2;
const INTERRUPT: u8 = 3;

/// Descriptors of something that the driver can do nothing with.
const USELESS: [Lie; 13] = [
    Lie::Class(0),
    Lie::NoInterface(INTERFACE_DATA),
    Lie::NoInterface(INTERFACE_FIRMWARE),
    Lie::OneSetting(INTERFACE_DATA),
    Lie::NoEndpoint(DATA_IN),
    Lie::NoEndpoint(DATA_OUT),
    Lie::NoEndpoint(FIRMWARE_IN),
    Lie::NoEndpoint(FIRMWARE_OUT),
    Lie::Address(DATA_IN, 0x0a),
    Lie::Attributes(DATA_IN, INTERRUPT),
    Lie::Attributes(DATA_OUT, ISOCHRONOUS),
    Lie::Attributes(FIRMWARE_OUT, CONTROL),
    Lie::Attributes(FIRMWARE_IN, INTERRUPT),
];

/// Descriptors that a modem can be used with, or not; who knows.
const ODD: [Lie; 12] = [
    Lie::NoInterface(INTERFACE_CONTROL),
    Lie::InterfaceTwice(INTERFACE_CONTROL),
    Lie::InterfaceTwice(INTERFACE_DATA),
    Lie::InterfaceTwice(INTERFACE_FIRMWARE),
    Lie::NoEndpoint(INTERRUPT_IN),
    Lie::Attributes(INTERRUPT_IN, BULK),
    Lie::Address(INTERRUPT_IN, 0x01),
    Lie::MaxPacket(INTERRUPT_IN, 0),
    Lie::MaxPacket(DATA_IN, 0),
    Lie::MaxPacket(DATA_IN, 0xffff),
    Lie::MaxPacket(DATA_OUT, 1),
    Lie::MaxPacket(FIRMWARE_OUT, 0xffff),
];

fn liar(lie: Lie) -> Options {
    options(10).running().fault(Fault::Descriptors(lie))
}

/// Interfaces and endpoints that are missing, doubled or of the wrong kind: the
/// driver leaves a modem alone that it can do nothing with.
pub fn descriptors_that_lie() -> Result<()> {
    let mut ground = Ground::new()?;
    ground.try_each(&USELESS, liar, |modem, lie| {
        let threads = modem.threads();
        ensure!(threads.is_empty(), "{lie:?}: the driver works on it");
        let atm = AtmDevice::of(modem.device());
        ensure!(atm.is_none(), "{lie:?}: it has an ATM device");
        Ok(())
    })?;
    ground.try_each(&ODD, liar, |modem, lie| {
        if lie == Lie::NoEndpoint(INTERRUPT_IN) {
            modem.await_up().context("a modem without interrupts")?;
        }
        Ok(())
    })?;
    ground.end(Vec::new())
}

/// Configurations that are cut short, or mean nothing at all.
pub fn descriptors_of_noise() -> Result<()> {
    let lies = [
        Lie::Total(0),
        Lie::Total(9),
        Lie::Total(0xffff),
        Lie::Cut(0),
        Lie::Cut(8),
        Lie::Cut(40),
    ];
    let noise = (1..=6).map(Lie::Noise);
    let lies: Vec<_> = lies.into_iter().chain(noise).collect();
    let mut ground = Ground::new()?;
    ground.try_each(&lies, liar, |_, _| Ok(()))?;
    ground.end(Vec::new())
}

/// Serial numbers that are no MAC addresses, names with everything in them, and
/// descriptors that are no strings: the modem works, and its lines in `/proc` are four. It has an
/// address if its serial number begins with one.
pub fn strings_of_any_kind() -> Result<()> {
    let long = "F".repeat(126);
    let serials = [
        ("", NO_ADDRESS),
        ("0090D000000", NO_ADDRESS),
        ("0090D0000001FF", "00:90:d0:00:00:01"),
        ("0090D000000G", NO_ADDRESS),
        ("%s%n%p%d\n%s%s", NO_ADDRESS),
        (&long, "ff:ff:ff:ff:ff:ff"),
    ];
    let lone_surrogates = [&[60, 3][..], &[0x00, 0xd8].repeat(29)].concat();
    let line_breaks = [&[26, 3][..], &[b'\n', 0].repeat(12)].concat();
    let strings: [(u8, &[u8]); 7] = [
        (2, &[]),
        (2, &[2, 3]),
        (2, &[255, 3, b'A', 0]),
        (2, &lone_surrogates),
        (3, &[4, 9, b'A', 0]),
        (3, &[0xff; 255]),
        (3, &line_breaks),
    ];
    let mut ground = Ground::new()?;
    let with_serial = |(serial, _)| options(20).running().serial(serial);
    ground.try_each(&serials, with_serial, |modem, (_, address)| {
        is_told_of(modem, address)
    })?;
    let with_string = |(index, bytes)| options(21).running().string(index, bytes);
    ground.try_each(&strings, with_string, |modem, (index, _)| {
        let has_serial = index != 3;
        is_told_of(modem, if has_serial { ADDRESS } else { NO_ADDRESS })
    })?;
    ground.end(Vec::new())
}

/// What the ATM device has for an address if the serial number is none.
const NO_ADDRESS: &str = "00:00:00:00:00:00";

/// And what it has if nothing is wrong with that.
const ADDRESS: &str = "00:90:d0:00:00:15";

fn is_told_of(modem: &Plugged, address: &str) -> Result<()> {
    let atm = modem.await_up()?;
    let lines = atm.proc_lines()?;
    ensure!(lines.len() == 4, "it is told of so: {lines:?}");
    let found = atm.attribute("address");
    ensure!(found == address, "its address is {found:?}");
    Ok(())
}
