// SPDX-License-Identifier: GPL-2.0-only

//! What each endpoint does with a transfer, when its turn comes and when it has ended.

use std::time::{Duration, Instant};

use wire::cell::CELL_LEN;
use wire::speedtch::{DATA_IN, DATA_OUT, FIRMWARE_IN, FIRMWARE_OUT, INTERRUPT_IN, LineEvent};

use super::{CONTROL, Device, NOWHERE, Start};
use crate::descriptors::OTHER_OUT;
use crate::firmware::{Block, Loader};
use crate::lies::Said;
use crate::log::{Progress, What};
use crate::options::Fault;
use crate::queue::{Queue, Then};
use crate::transfer::{Reply, Status, Transfer};

impl Device {
    /// Decides what becomes of a transfer whose turn it is.
    pub(super) fn start(&mut self, endpoint: u8, transfer: Transfer, at: Instant) -> Start {
        let length = transfer.length;
        // Those of an isochronous endpoint are its packets.
        if !self.is_isochronous(endpoint) {
            if let Some(said) = self.next_said(endpoint) {
                return said.start(length);
            }
        }
        match endpoint {
            NOWHERE => Start::Wait,
            CONTROL => {
                let sent = self.queues.get_mut(&CONTROL).map(Queue::take_data);
                self.control(at, transfer, &sent.unwrap_or_default())
            }
            other if self.frozen && other != CONTROL => Start::Stick,
            INTERRUPT_IN if self.line.next_event().is_none() => Start::Wait,
            INTERRUPT_IN if length < LineEvent::LEN => Start::Done(Status::BABBLE, Vec::new()),
            INTERRUPT_IN => Start::Fly(LineEvent::LEN, Then::Complete),
            FIRMWARE_OUT => self.start_firmware(length, at),
            FIRMWARE_IN => self.start_block(length, at),
            DATA_OUT if !self.loader.is_running() => Start::Halt,
            DATA_OUT if self.loop_back.circuits.is_full() => Start::Wait,
            DATA_OUT | OTHER_OUT => Start::Fly(length, Then::Complete),
            _ if self.is_isochronous(endpoint) => Start::FlyFrames,
            DATA_IN if length < CELL_LEN => Start::Done(Status::BABBLE, Vec::new()),
            DATA_IN => match self.loop_back.ready(length) {
                0 => Start::Wait,
                bytes => Start::Fly(bytes, Then::Complete),
            },
            _ => Start::Done(Status::NO_ANSWER, Vec::new()),
        }
    }

    /// What it was told to say next there.
    fn next_said(&mut self, endpoint: u8) -> Option<Said> {
        self.says.get_mut(&endpoint)?.pop_front()
    }

    /// A piece of the firmware is about to come.
    fn start_firmware(&mut self, length: usize, at: Instant) -> Start {
        let is_early = self.options.has(Fault::WantsRead) && !self.loader.was_read();
        if is_early || !self.loader.wants() {
            return Start::Halt;
        }
        let Progress { stage_1, stage_2 } = self.progress();
        let stage = self.loader.stage();
        if length > 0 && [stage_1, stage_2][stage as usize] == 0 {
            self.note(at, What::StageStarted { stage });
        }
        let done = stage_1 + stage_2;
        let mut start = (length, Then::Complete);
        for fault in &self.options.faults {
            let (limit, then) = match *fault {
                Fault::UnplugAt(limit) => (limit, Then::Unplug),
                // All of a transfer may come before the next one sticks.
                Fault::StopTakingAt(limit) if limit < done + length => (limit, Then::Stick),
                _ => continue,
            };
            if (done..=done + start.0).contains(&limit) {
                start = (limit - done, then);
            }
        }
        Start::Fly(start.0, start.1)
    }

    /// The host wants to read a block. It has to wait for the firmware that is
    /// still on its way.
    fn start_block(&mut self, length: usize, at: Instant) -> Start {
        let coming = self.queues.get(&FIRMWARE_OUT);
        if coming.is_some_and(|queue| !queue.is_empty()) {
            return Start::Wait;
        }
        if self.options.has(Fault::SilentBlock(self.loader.stage())) {
            return Start::Stick;
        }
        let block = Loader::block_bytes().len().min(length);
        match self.loader.block() {
            Block::Ready => Start::Fly(block, Then::Complete),
            Block::Refused => Start::Halt,
            Block::Judged(verdict) => {
                let good = verdict.good;
                self.note(at, verdict.into());
                if good {
                    Start::Fly(block, Then::Complete)
                } else {
                    Start::Halt
                }
            }
        }
    }

    /// How long a slow modem takes for so many bytes of firmware. The bus is free
    /// for others meanwhile.
    pub(super) fn slow(&self, bytes: usize) -> Duration {
        let rate = self.options.faults.iter().find_map(|fault| match *fault {
            Fault::Slow(rate) => Some(rate.max(1)),
            _ => None,
        });
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        rate.map_or(Duration::ZERO, |rate| Duration::from_secs(1) * bytes / rate)
    }

    /// Does what the bytes are for, and returns those for the host.
    pub(super) fn finish(
        &mut self,
        endpoint: u8,
        data: &[u8],
        bytes: usize,
        at: Instant,
    ) -> Vec<u8> {
        match endpoint {
            INTERRUPT_IN => {
                let event = self.line.next_event();
                self.line.told();
                event.map_or(Vec::new(), |event| event.to_packet().into())
            }
            FIRMWARE_OUT => {
                self.loader.take(&data[..bytes]);
                Vec::new()
            }
            FIRMWARE_IN => {
                self.note(at, What::BlockRead);
                self.loader.block_read(at + self.options.boot);
                Loader::block_bytes()[..bytes].into()
            }
            DATA_OUT => {
                let tally = self.loop_back.send(data, self.line.is_up());
                self.counters.cells_in += tally.came;
                self.counters.cells_ignored += tally.ignored;
                self.counters.cells_dropped += tally.dropped;
                Vec::new()
            }
            DATA_IN => {
                let data = self.loop_back.receive(bytes);
                self.counters.cells_out += (data.len() / CELL_LEN) as u64;
                data
            }
            _ => Vec::new(),
        }
    }

    /// Ends the endpoint's first transfer, which is isochronous: each packet takes the whole
    /// cells that wait and fit, and may be lost with them.
    pub(super) fn end_frames(&mut self, endpoint: u8) {
        let queue = self.queues.get_mut(&endpoint);
        let Some(mut submit) = queue.and_then(Queue::pop) else {
            return;
        };
        let mut data = Vec::new();
        for packet in &mut submit.packets {
            let room = usize::try_from(packet.length).unwrap_or(0);
            self.counters.packets += 1;
            if let Some(said) = self.next_said(endpoint) {
                let bytes = said.packet(room);
                packet.status = bytes.as_ref().err().copied().unwrap_or(packet.status);
                let bytes = bytes.unwrap_or_default();
                packet.actual = u32::try_from(bytes.len()).expect("no more than its length");
                data.extend(bytes);
                continue;
            }
            let cells = self.loop_back.receive(room);
            self.counters.cells_out += (cells.len() / CELL_LEN) as u64;
            if self.options.loses_packet(self.counters.packets) {
                packet.status = Status::CHECKSUM;
                continue;
            }
            packet.actual = u32::try_from(cells.len()).expect("less than its length");
            data.extend(cells);
        }
        let reply = Reply::Submit {
            seqnum: submit.seqnum,
            endpoint,
            status: Status::OK,
            actual: data.len(),
            data,
            packets: submit.packets,
        };
        self.replies.push(reply);
    }
}
