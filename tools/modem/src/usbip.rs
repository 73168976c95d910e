// SPDX-License-Identifier: GPL-2.0-only

//! The USB/IP protocol, as far as a device needs it.
//!
//! The host sends commands and the device sends replies, each a header of 48
//! bytes in network byte order, some with data behind it; the layout is that of
//! `drivers/usb/usbip/usbip_common.h` and `Documentation/usb/usbip_protocol.rst`.
//! The host is the kernel that we test, so nothing that it sends is trusted.

use std::io::{self, Read};

use wire::setup::{DIRECTION_IN, SETUP_LEN, Setup};

use crate::stream::{invalid, length, read_or_end};
use crate::transfer::{Command, Packet, Reply, Status, Submit, Transfer};

/// Bytes in a header.
pub(crate) const HEADER_LEN: usize = 48;

/// Bytes in what is said of an isochronous packet.
const PACKET_LEN: usize = 16;

/// The most packets that the kernel puts into a transfer.
const MAX_PACKETS: u32 = 1024;

const CMD_SUBMIT: u32 = 1;
const CMD_UNLINK: u32 = 2;
const RET_SUBMIT: u32 = 3;
const RET_UNLINK: u32 = 4;

const DIR_IN: u32 = 1;

impl Status {
    fn word(self) -> u32 {
        u32::from_ne_bytes(self.0.to_ne_bytes())
    }
}

impl Packet {
    fn read(from: &mut impl Read) -> io::Result<Self> {
        let mut bytes = [0; PACKET_LEN];
        from.read_exact(&mut bytes)?;
        Ok(Self {
            offset: word(&bytes, 0),
            length: word(&bytes, 4),
            actual: 0,
            status: Status::OK,
        })
    }

    fn words(&self) -> [u32; 4] {
        [self.offset, self.length, self.actual, self.status.word()]
    }
}

impl Command {
    /// Reads the next command. `None` is the end of the connection.
    pub(crate) fn read(from: &mut impl Read) -> io::Result<Option<Self>> {
        let mut header = [0; HEADER_LEN];
        if !read_or_end(from, &mut header)? {
            return Ok(None);
        }
        let word = |at| word(&header, at);
        let seqnum = word(4);
        match word(0) {
            CMD_SUBMIT => {
                let packets = match word(32) {
                    // Only isochronous transfers have packets; some hosts say -1 for the others.
                    u32::MAX => 0,
                    count @ 0..=MAX_PACKETS => count,
                    _ => return Err(invalid("a transfer of too many packets")),
                };
                let setup: [u8; SETUP_LEN] = header[40..].try_into().expect("eight bytes");
                let transfer = Transfer {
                    endpoint: endpoint(word(16), word(12))?,
                    length: length(word(24))?,
                    setup: Setup::from_bytes(setup),
                };
                let mut data = Vec::new();
                if !transfer.is_in() {
                    data.resize(transfer.length, 0);
                    from.read_exact(&mut data)?;
                }
                let packets = (0..packets).map(|_| Packet::read(from));
                Ok(Some(Self::Submit(Submit {
                    seqnum,
                    transfer,
                    data,
                    packets: packets.collect::<io::Result<_>>()?,
                })))
            }
            CMD_UNLINK => Ok(Some(Self::Unlink {
                seqnum,
                victim: word(20),
            })),
            _ => Err(invalid("an unknown command")),
        }
    }
}

impl Reply {
    /// Appends the reply as it goes over the socket.
    pub(crate) fn write(&self, to: &mut Vec<u8>) {
        let start = to.len();
        match self {
            Self::Submit {
                seqnum,
                endpoint,
                status,
                actual,
                data,
                packets,
            } => {
                let actual = u32::try_from(*actual).expect("at most MAX_LENGTH");
                put(to, &[RET_SUBMIT, *seqnum, 0]);
                put(to, &[u32::from(endpoint >> 7), u32::from(endpoint & 0x0f)]);
                put(to, &[status.word(), actual]);
                let count = u32::try_from(packets.len()).expect("at most MAX_PACKETS");
                let failed = packets.iter().filter(|packet| packet.status != Status::OK);
                let failed = u32::try_from(failed.count()).expect("at most MAX_PACKETS");
                // It began in some frame or other.
                put(to, &[0, count, failed]);
                to.resize(start + HEADER_LEN, 0);
                to.extend(data);
                for packet in packets {
                    put(to, &packet.words());
                }
            }
            Self::Unlink { seqnum, status } => {
                put(to, &[RET_UNLINK, *seqnum, 0, 0, 0]);
                put(to, &[status.word()]);
                to.resize(start + HEADER_LEN, 0);
            }
        }
    }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn put(to: &mut Vec<u8>, words: &[u32]) {
    to.extend(words.iter().flat_map(|word| word.to_be_bytes()));
}

fn endpoint(number: u32, direction: u32) -> io::Result<u8> {
    match u8::try_from(number) {
        Ok(number @ 0..=15) if direction <= DIR_IN => {
            Ok(number | if direction == DIR_IN { DIRECTION_IN } else { 0 })
        }
        _ => Err(invalid("an endpoint that cannot be")),
    }
}

#[cfg(test)]
mod tests;
