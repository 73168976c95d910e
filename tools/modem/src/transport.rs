// SPDX-License-Identifier: GPL-2.0-only

//! How a device and its host speak with each other.

use std::io::{self, Read};
use std::time::Instant;

use crate::device::Device;
use crate::transfer::Command;
use crate::usbredir::{self, Session};

/// What the host's words mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// Those of the virtual host controller, `vhci_hcd`.
    UsbIp,
    /// Those of QEMU's `usb-redir`.
    UsbRedir,
}

/// Something that the host said.
#[derive(Debug)]
pub(crate) enum Message {
    UsbIp(Command),
    UsbRedir(usbredir::Message),
}

/// A conversation, and where it stands.
#[derive(Debug)]
pub(crate) struct Transport {
    protocol: Protocol,
    /// What is under way, where the protocol numbers transfers in another way than the device.
    session: Session,
}

impl Protocol {
    /// Reads what the host says next. `None` is the end of the connection.
    pub(crate) fn read(self, from: &mut impl Read) -> io::Result<Option<Message>> {
        Ok(match self {
            Self::UsbIp => Command::read(from)?.map(Message::UsbIp),
            Self::UsbRedir => usbredir::Message::read(from)?.map(Message::UsbRedir),
        })
    }
}

impl Transport {
    pub(crate) fn new(protocol: Protocol) -> Self {
        Self {
            protocol,
            session: Session::default(),
        }
    }

    /// Has the device do what the host wants; what is to be said at once is appended to `to`.
    pub(crate) fn take(
        &mut self,
        now: Instant,
        device: &mut Device,
        message: Message,
        to: &mut Vec<u8>,
    ) {
        match message {
            Message::UsbIp(command) => device.command(now, command),
            Message::UsbRedir(message) => self.session.take(now, device, message, to),
        }
    }

    /// Appends what the host is to be told of what the device has done.
    pub(crate) fn tell(&mut self, now: Instant, device: &mut Device, to: &mut Vec<u8>) {
        match self.protocol {
            Protocol::UsbIp => device.replies.drain(..).for_each(|reply| reply.write(to)),
            Protocol::UsbRedir => self.session.tell(now, device, to),
        }
    }
}
