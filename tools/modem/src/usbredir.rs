// SPDX-License-Identifier: GPL-2.0-only

//! The usbredir protocol, as far as a device needs it.
//!
//! QEMU's `usb-redir` speaks it over a socket, and is a device at one of the virtual machine's own
//! host controllers. Each message is a header of 16 bytes in little-endian order, behind which a
//! part stands that depends on the kind of message, and data for some. The layout is that of
//! version 0.7, `usbredirproto.h`, with 64-bit numbers and 32-bit lengths: two of the capabilities
//! without which QEMU takes no device for an xHCI controller, and we no host.
//!
//! Nothing that comes is trusted: lengths are compared with what they have to be before there is
//! room made for anything.

mod session;

pub(crate) use session::Session;

use std::io::{self, Read, Write};

use wire::setup::{DIRECTION_IN, SETUP_LEN, Setup};
use wire::speedtch::{PRODUCT_ID, VENDOR_ID};

use crate::descriptors::{self, INTERFACES, VENDOR_CLASS};
use crate::stream::{invalid, length, read_or_end};
use crate::transfer::{Status, Transfer};

/// Bytes in a header once both sides have said hello, and before.
const HEADER_LEN: usize = 16;
const FIRST_HEADER_LEN: usize = 12;

/// Bytes in a hello, before the capabilities.
const VERSION_LEN: usize = 64;
/// The most capabilities that a host may have, in bytes.
const MAX_CAPABILITIES: usize = 64;

/// Device releases, sizes of packets, 64-bit numbers and 32-bit lengths: what we and our hosts have.
const CAPABILITIES: u32 = 1 << 1 | 1 << 4 | 1 << 5 | 1 << 6;

/// How many places for endpoints there are in a message, those towards the host behind the others.
const ENDPOINTS: usize = 32;
/// How many places for interfaces there are.
const INTERFACE_PLACES: usize = 32;

/// `usb_redir_type_invalid`: there is no such endpoint.
const NO_ENDPOINT: u8 = 255;

/// `usb_redir_speed_full`.
const SPEED_FULL: u8 = 1;

const HELLO: u32 = 0;
const DEVICE_CONNECT: u32 = 1;
const RESET: u32 = 3;
const INTERFACE_INFO: u32 = 4;
const EP_INFO: u32 = 5;
const SET_CONFIGURATION: u32 = 6;
const GET_CONFIGURATION: u32 = 7;
const CONFIGURATION_STATUS: u32 = 8;
const SET_ALT_SETTING: u32 = 9;
const GET_ALT_SETTING: u32 = 10;
const ALT_SETTING_STATUS: u32 = 11;
const START_ISO_STREAM: u32 = 12;
const STOP_ISO_STREAM: u32 = 13;
const ISO_STREAM_STATUS: u32 = 14;
const START_INTERRUPT_RECEIVING: u32 = 15;
const STOP_INTERRUPT_RECEIVING: u32 = 16;
const INTERRUPT_RECEIVING_STATUS: u32 = 17;
const CANCEL_DATA_PACKET: u32 = 21;
const CONTROL_PACKET: u32 = 100;
const BULK_PACKET: u32 = 101;
const INTERRUPT_PACKET: u32 = 103;

/// Bytes in the part of a control or bulk packet before its data.
const PACKET_LEN: usize = 10;

/// What the host wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Message {
    /// Reset the port.
    Reset,
    /// Make a control transfer, which may be one that has a message of its own.
    Control(u64, Control, Setup, Vec<u8>),
    /// Make a bulk transfer.
    Bulk(u64, Transfer, Vec<u8>),
    /// Receive on this interrupt endpoint, until that is to stop.
    StartInterrupts(u8),
    StopInterrupts(u8),
    /// The same on an isochronous endpoint.
    StartIsochronous(u8),
    StopIsochronous(u8),
    /// Cancel a transfer.
    Cancel(u64),
}

/// How the end of a control transfer is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Control {
    Plain,
    /// The host asks for the configuration, or selects it.
    Configuration,
    /// The same with the alternate setting of an interface.
    AltSetting,
}

impl Message {
    /// Reads the next message. `None` is the end of the connection.
    pub(crate) fn read(from: &mut impl Read) -> io::Result<Option<Self>> {
        let mut header = [0; HEADER_LEN];
        if !read_or_end(from, &mut header)? {
            return Ok(None);
        }
        let [kind, size] = [0, 4].map(|at| u32::from_le_bytes(array(&header[at..at + 4])));
        let id = u64::from_le_bytes(array(&header[8..]));
        let mut body = vec![0; length(size)?];
        from.read_exact(&mut body)?;
        Self::parse(kind, id, &body).map(Some)
    }

    fn parse(kind: u32, id: u64, body: &[u8]) -> io::Result<Self> {
        Ok(match kind {
            RESET => exactly(body).map(|[]| Self::Reset)?,
            SET_CONFIGURATION => {
                let [configuration] = exactly(body)?;
                let setup = [0x00, 9, configuration, 0, 0, 0, 0, 0];
                Self::control(id, Control::Configuration, setup)
            }
            GET_CONFIGURATION => {
                let [] = exactly(body)?;
                let setup = [DIRECTION_IN, 8, 0, 0, 0, 0, 1, 0];
                Self::control(id, Control::Configuration, setup)
            }
            SET_ALT_SETTING => {
                let [interface, setting] = exactly(body)?;
                let setup = [0x01, 11, setting, 0, interface, 0, 0, 0];
                Self::control(id, Control::AltSetting, setup)
            }
            GET_ALT_SETTING => {
                let [interface] = exactly(body)?;
                let setup = [DIRECTION_IN | 0x01, 10, 0, 0, interface, 0, 1, 0];
                Self::control(id, Control::AltSetting, setup)
            }
            START_ISO_STREAM => exactly(body).map(|[ep, _, _]| Self::StartIsochronous(ep))?,
            STOP_ISO_STREAM => exactly(body).map(|[ep]| Self::StopIsochronous(ep))?,
            START_INTERRUPT_RECEIVING => exactly(body).map(|[ep]| Self::StartInterrupts(ep))?,
            STOP_INTERRUPT_RECEIVING => exactly(body).map(|[ep]| Self::StopInterrupts(ep))?,
            CANCEL_DATA_PACKET => exactly(body).map(|[]| Self::Cancel(id))?,
            CONTROL_PACKET => {
                let (packet, data) = split(body)?;
                let [_, request, request_type, _, v0, v1, i0, i1, l0, l1] = packet;
                let bytes = [request_type, request, v0, v1, i0, i1, l0, l1];
                let setup = Setup::from_bytes(bytes);
                has(data, setup.is_in(), usize::from(setup.length))?;
                Self::Control(id, Control::Plain, setup, data.into())
            }
            BULK_PACKET => {
                let (packet, data) = split(body)?;
                let [endpoint, _, l0, l1, _, _, _, _, h0, h1] = packet;
                let transfer = Transfer {
                    endpoint,
                    length: length(u32::from_le_bytes([l0, l1, h0, h1]))?,
                    setup: Setup::from_bytes([0; SETUP_LEN]),
                };
                if endpoint & !DIRECTION_IN == 0 || endpoint & 0x70 != 0 {
                    return Err(invalid("a bulk transfer to an endpoint that cannot be"));
                }
                has(data, transfer.is_in(), transfer.length)?;
                Self::Bulk(id, transfer, data.into())
            }
            _ => return Err(invalid("an unknown message")),
        })
    }

    fn control(id: u64, control: Control, setup: [u8; SETUP_LEN]) -> Self {
        Self::Control(id, control, Setup::from_bytes(setup), Vec::new())
    }
}

/// Says hello, and who we are, when the host has said hello as well.
pub(crate) fn greet(mut socket: impl Read + Write, release: u16) -> io::Result<()> {
    let mut hello = Vec::new();
    let size = (VERSION_LEN + 4) as u32;
    for word in [HELLO, size, 0] {
        hello.extend(word.to_le_bytes());
    }
    let mut version = [0; VERSION_LEN];
    let name = b"emulated modem";
    version[..name.len()].copy_from_slice(name);
    hello.extend(version);
    hello.extend(CAPABILITIES.to_le_bytes());
    socket.write_all(&hello)?;
    hear_hello(&mut socket)?;

    let mut device = Vec::new();
    put_endpoints(&mut device, 0, [0; INTERFACES]);
    put_interfaces(&mut device);
    let mut body = vec![SPEED_FULL, VENDOR_CLASS, 0, 0];
    for word in [VENDOR_ID, PRODUCT_ID, release] {
        body.extend(word.to_le_bytes());
    }
    put(&mut device, DEVICE_CONNECT, 0, &body, &[]);
    socket.write_all(&device)
}

fn hear_hello(from: &mut impl Read) -> io::Result<()> {
    let mut header = [0; FIRST_HEADER_LEN];
    from.read_exact(&mut header)?;
    let [kind, size] = [0, 4].map(|at| u32::from_le_bytes(array(&header[at..at + 4])));
    let capabilities = length(size)?.checked_sub(VERSION_LEN);
    let capabilities = capabilities.filter(|&bytes| (4..=MAX_CAPABILITIES).contains(&bytes));
    let (HELLO, Some(capabilities)) = (kind, capabilities) else {
        return Err(invalid("no hello"));
    };
    let mut body = vec![0; VERSION_LEN + capabilities];
    from.read_exact(&mut body)?;
    let first = u32::from_le_bytes(array(&body[VERSION_LEN..VERSION_LEN + 4]));
    if first & CAPABILITIES != CAPABILITIES {
        return Err(invalid("a hello without the capabilities that we need"));
    }
    Ok(())
}

/// Tells which endpoints there are now. None of a device that is not configured, but for the
/// control endpoint.
fn put_endpoints(to: &mut Vec<u8>, configuration: u8, settings: [u8; INTERFACES]) {
    let mut kinds = [NO_ENDPOINT; ENDPOINTS];
    let mut intervals = [0; ENDPOINTS];
    let mut interfaces = [0; ENDPOINTS];
    let mut packets = [0; ENDPOINTS];
    for control in [0, ENDPOINTS / 2] {
        (kinds[control], packets[control]) = (0, 8);
    }
    let there = descriptors::endpoints(settings);
    for (interface, ep) in there.filter(|_| configuration != 0) {
        let place = usize::from(ep.address & 0x0f | (ep.address & DIRECTION_IN) >> 3);
        (kinds[place], intervals[place]) = (ep.kind, ep.interval);
        (interfaces[place], packets[place]) = (interface, ep.packet);
    }
    let packets = packets.map(u16::to_le_bytes).concat();
    let body = [&kinds[..], &intervals, &interfaces, &packets].concat();
    put(to, EP_INFO, 0, &body, &[]);
}

/// Tells which interfaces there are.
fn put_interfaces(to: &mut Vec<u8>) {
    let mut body = Vec::from((INTERFACES as u32).to_le_bytes());
    let mut places = |value: fn(usize) -> u8| {
        body.extend((0..INTERFACE_PLACES).map(|at| if at < INTERFACES { value(at) } else { 0 }));
    };
    places(|at| at as u8);
    places(|_| VENDOR_CLASS);
    places(|_| 0);
    places(|_| 0);
    put(to, INTERFACE_INFO, 0, &body, &[]);
}

/// Appends a message: its own part, and its data.
fn put(to: &mut Vec<u8>, kind: u32, id: u64, part: &[u8], data: &[u8]) {
    let size = u32::try_from(part.len() + data.len()).expect("a transfer and a few bytes");
    to.extend(kind.to_le_bytes());
    to.extend(size.to_le_bytes());
    to.extend(id.to_le_bytes());
    to.extend(part);
    to.extend(data);
}

/// The protocol's word for how a transfer ended.
fn code(status: Status) -> u8 {
    const CANCELLED: u8 = 1;
    const IO_ERROR: u8 = 3;
    const STALL: u8 = 4;
    const BABBLE: u8 = 6;
    match status {
        Status::OK => 0,
        Status::UNLINKED => CANCELLED,
        Status::STALL => STALL,
        Status::BABBLE => BABBLE,
        _ => IO_ERROR,
    }
}

fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.try_into().expect("so many bytes")
}

/// A body that has no data.
fn exactly<const N: usize>(body: &[u8]) -> io::Result<[u8; N]> {
    body.try_into()
        .map_err(|_| invalid("a message of the wrong length"))
}

/// The part of a packet before its data, and that.
fn split(body: &[u8]) -> io::Result<([u8; PACKET_LEN], &[u8])> {
    match body.split_first_chunk() {
        Some((packet, data)) => Ok((*packet, data)),
        None => Err(invalid("a packet that is too short")),
    }
}

/// The data of a transfer comes with its packet if the host sends it.
fn has(data: &[u8], is_in: bool, length: usize) -> io::Result<()> {
    let expected = if is_in { 0 } else { length };
    if data.len() == expected {
        return Ok(());
    }
    Err(invalid("data that is not as long as it says"))
}

#[cfg(test)]
mod tests;
