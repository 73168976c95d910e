// SPDX-License-Identifier: GPL-2.0-only

//! A device under the hands of a usbredir host.
//!
//! The host numbers its transfers, and the device those that it is asked for; the session knows
//! which is which. An interrupt endpoint is asked for all the time, as a host controller does, from
//! when the host wants to receive there until it does not any more.

use std::collections::BTreeMap;
use std::time::Instant;

use wire::setup::{DIRECTION_IN, SETUP_LEN, Setup};

use super::{
    ALT_SETTING_STATUS, BULK_PACKET, CONFIGURATION_STATUS, CONTROL_PACKET, Control,
    INTERRUPT_PACKET, INTERRUPT_RECEIVING_STATUS, ISO_STREAM_STATUS, Message, code, put,
    put_endpoints,
};
use crate::descriptors;
use crate::device::Device;
use crate::transfer::{Command, Reply, Status, Submit, Transfer};

/// What the host knows of a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Control(u64, Control, Setup),
    /// To this endpoint.
    Bulk(u64, u8),
    /// To this one. It did not ask for the transfer, but for all that comes.
    Interrupt(u8),
}

/// What is under way between a host and a device.
#[derive(Debug, Default)]
pub(crate) struct Session {
    /// By the numbers that the device knows.
    pending: BTreeMap<u32, Kind>,
    /// The interrupt endpoints that the host receives on, with the transfer that waits there.
    receiving: BTreeMap<u8, u32>,
    last: u32,
}

impl Session {
    /// Does what the host wants, but for what [`Self::tell`] answers.
    pub(crate) fn take(
        &mut self,
        now: Instant,
        device: &mut Device,
        message: Message,
        to: &mut Vec<u8>,
    ) {
        match message {
            Message::Reset => device.reset(now),
            Message::Control(id, control, setup, data) => {
                let transfer = Transfer {
                    endpoint: setup.request_type & DIRECTION_IN,
                    length: usize::from(setup.length),
                    setup,
                };
                self.submit(
                    now,
                    device,
                    Kind::Control(id, control, setup),
                    transfer,
                    data,
                );
            }
            Message::Bulk(id, transfer, data) => {
                let kind = Kind::Bulk(id, transfer.endpoint);
                self.submit(now, device, kind, transfer, data);
            }
            Message::StartInterrupts(endpoint) => {
                self.receive(now, device, endpoint);
                put_receiving(to, Status::OK, endpoint);
            }
            Message::StopInterrupts(endpoint) => {
                if let Some(number) = self.receiving.remove(&endpoint) {
                    cancel(now, device, number);
                }
                put_receiving(to, Status::OK, endpoint);
            }
            // Packets would have to be sent at the right moments, which no test of ours needs.
            Message::StartIsochronous(endpoint) => {
                put(
                    to,
                    ISO_STREAM_STATUS,
                    0,
                    &[code(Status::STALL), endpoint],
                    &[],
                );
            }
            Message::StopIsochronous(endpoint) => {
                put(to, ISO_STREAM_STATUS, 0, &[code(Status::OK), endpoint], &[]);
            }
            Message::Cancel(id) => {
                let is_it = |kind: &Kind| match *kind {
                    Kind::Control(known, ..) | Kind::Bulk(known, _) => known == id,
                    Kind::Interrupt(_) => false,
                };
                let found = self.pending.iter().find(|(_, kind)| is_it(kind));
                // Else it has ended, and the host is about to hear of it.
                if let Some((&number, _)) = found {
                    cancel(now, device, number);
                }
            }
        }
    }

    /// Writes down what the device has done.
    pub(crate) fn tell(&mut self, now: Instant, device: &mut Device, to: &mut Vec<u8>) {
        // An interrupt endpoint may have more to say when it has been heard.
        while !device.replies.is_empty() {
            for reply in std::mem::take(&mut device.replies) {
                self.tell_one(now, device, reply, to);
            }
        }
    }

    fn tell_one(&mut self, now: Instant, device: &mut Device, reply: Reply, to: &mut Vec<u8>) {
        let (number, status, actual, data) = match reply {
            Reply::Submit {
                seqnum,
                status,
                actual,
                data,
                ..
            } => (seqnum, status, actual, data),
            Reply::Unlink { seqnum, status } => (seqnum, status, 0, Vec::new()),
        };
        match self.pending.remove(&number) {
            Some(Kind::Control(id, Control::Plain, setup)) => {
                let part = control_part(setup, status, actual);
                put(to, CONTROL_PACKET, id, &part, &data);
            }
            Some(Kind::Control(id, Control::Configuration, _)) => {
                put_endpoints(to, device.configuration, device.settings);
                let part = [code(status), device.configuration];
                put(to, CONFIGURATION_STATUS, id, &part, &[]);
            }
            Some(Kind::Control(id, Control::AltSetting, setup)) => {
                put_endpoints(to, device.configuration, device.settings);
                let [interface, _] = setup.index.to_le_bytes();
                let setting = device.settings.get(usize::from(interface));
                let part = [code(status), interface, setting.copied().unwrap_or(0)];
                put(to, ALT_SETTING_STATUS, id, &part, &[]);
            }
            Some(Kind::Bulk(id, endpoint)) => {
                let part = bulk_part(endpoint, status, actual);
                put(to, BULK_PACKET, id, &part, &data);
            }
            Some(Kind::Interrupt(endpoint)) if self.receiving.get(&endpoint) == Some(&number) => {
                self.receiving.remove(&endpoint);
                self.interrupt(now, device, endpoint, status, &data, to);
            }
            // Nobody wants the interrupt any more, or a cancellation came too late and the
            // transfer's end has been told.
            Some(Kind::Interrupt(_)) | None => {}
        }
    }

    /// Tells of an interrupt and waits for the next; or tells that none will come.
    fn interrupt(
        &mut self,
        now: Instant,
        device: &mut Device,
        endpoint: u8,
        status: Status,
        data: &[u8],
        to: &mut Vec<u8>,
    ) {
        if status != Status::OK {
            return put_receiving(to, Status::STALL, endpoint);
        }
        let [l0, l1] = u16::try_from(data.len()).unwrap_or(u16::MAX).to_le_bytes();
        let part = [endpoint, code(status), l0, l1];
        put(to, INTERRUPT_PACKET, 0, &part, data);
        self.receive(now, device, endpoint);
    }

    /// Waits for the next interrupt, if there is such an endpoint.
    fn receive(&mut self, now: Instant, device: &mut Device, endpoint: u8) {
        if self.receiving.contains_key(&endpoint) {
            return;
        }
        let mut endpoints = descriptors::endpoints(device.settings);
        let Some((_, found)) = endpoints.find(|(_, ep)| ep.address == endpoint) else {
            return;
        };
        let transfer = Transfer {
            endpoint,
            length: usize::from(found.packet),
            setup: Setup::from_bytes([0; SETUP_LEN]),
        };
        self.receiving.insert(endpoint, self.last.wrapping_add(1));
        self.submit(now, device, Kind::Interrupt(endpoint), transfer, Vec::new());
    }

    fn submit(
        &mut self,
        now: Instant,
        device: &mut Device,
        kind: Kind,
        transfer: Transfer,
        data: Vec<u8>,
    ) {
        self.last = self.last.wrapping_add(1);
        self.pending.insert(self.last, kind);
        let submit = Submit {
            seqnum: self.last,
            transfer,
            data,
            packets: Vec::new(),
        };
        device.command(now, Command::Submit(submit));
    }
}

/// Cancels a transfer. The cancellation has its number: there is no answer to it but that the
/// transfer has ended.
fn cancel(now: Instant, device: &mut Device, number: u32) {
    let unlink = Command::Unlink {
        seqnum: number,
        victim: number,
    };
    device.command(now, unlink);
}

fn put_receiving(to: &mut Vec<u8>, status: Status, endpoint: u8) {
    let part = [code(status), endpoint];
    put(to, INTERRUPT_RECEIVING_STATUS, 0, &part, &[]);
}

fn control_part(setup: Setup, status: Status, actual: usize) -> [u8; 10] {
    let [request_type, request, v0, v1, i0, i1, ..] = setup.to_bytes();
    let [l0, l1] = u16::try_from(actual).unwrap_or(u16::MAX).to_le_bytes();
    let endpoint = request_type & DIRECTION_IN;
    let status = code(status);
    [
        endpoint,
        request,
        request_type,
        status,
        v0,
        v1,
        i0,
        i1,
        l0,
        l1,
    ]
}

fn bulk_part(endpoint: u8, status: Status, actual: usize) -> [u8; 10] {
    let actual = u32::try_from(actual).expect("at most MAX_LENGTH");
    let [l0, l1, h0, h1] = actual.to_le_bytes();
    [endpoint, code(status), l0, l1, 0, 0, 0, 0, h0, h1]
}

#[cfg(test)]
mod tests;
