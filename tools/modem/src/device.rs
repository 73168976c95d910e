// SPDX-License-Identifier: GPL-2.0-only

//! The modem itself: what becomes of each transfer, and when.
//!
//! Commands go in and replies come out, in the order in which the host has to see
//! them. Nothing in here waits: [`Device::deadline`] says when [`Device::poll`]
//! has something to do next.
//!
//! The host counts on three rules. A transfer is answered at most once. One that
//! is cancelled before its end is answered by the cancellation only, for the host
//! drops the whole device when it gets a reply to a transfer that it has given up.
//! And where the end came first, the transfer's reply comes before the
//! cancellation's. All three hold because a transfer leaves its queue at the
//! moment when its one reply is written.
//!
//! A cancellation can overtake its transfer: `vhci_hcd` sends both from lists of
//! their own. One that is answered as too late would be forgotten, and the
//! transfer wait for ever; so it waits for the transfer instead, and both end.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use wire::cell::Vc;
use wire::setup::DIRECTION_IN;
use wire::speedtch::{DATA_IN, DATA_OUT, FIRMWARE_IN, FIRMWARE_OUT, INTERRUPT_IN};

use crate::cells::LoopBack;
use crate::descriptors::{self, INTERFACES};
use crate::firmware::Loader;
use crate::lies::{Fate, Said};
use crate::line::Line;
use crate::log::{Counters, Peak, Progress, What, Why};
use crate::options::{Fault, Options};
use crate::queue::{Flight, Queue, Then};
use crate::transfer::{Command, Packet, Reply, Status, Submit, Transfer};

/// A frame of the bus.
const FRAME: Duration = Duration::from_millis(1);

/// The queue of the control endpoint, both ways.
const CONTROL: u8 = 0;

/// The queue of transfers that are never answered; there is no such endpoint.
const NOWHERE: u8 = 0xff;

/// What to do with a transfer whose turn it is.
#[derive(Debug)]
pub(crate) enum Start {
    /// Let it wait, until something else happens.
    Wait,
    /// Let it wait until the host cancels it.
    Stick,
    /// The same; and then it has ended well just before, with the data for the host.
    Late(Vec<u8>),
    /// Refuse it, and all that follow until the host clears the halt.
    Halt,
    /// It has ended, with the data for the host.
    Done(Status, Vec<u8>),
    /// Put so many bytes on the bus.
    Fly(usize, Then),
    /// Put its isochronous packets on the bus, one in each frame.
    FlyFrames,
}

#[derive(Debug)]
pub(crate) struct Device {
    pub(crate) options: Options,
    queues: BTreeMap<u8, Queue>,
    /// The newest transfer; their numbers only grow.
    newest: u32,
    /// Cancellations that have overtaken their transfers, by the transfers' numbers.
    overtaking: BTreeMap<u32, u32>,
    /// The selected configuration, 0 if none.
    pub(crate) configuration: u8,
    /// Each interface's alternate setting.
    pub(crate) settings: [u8; INTERFACES],
    pub(crate) loader: Loader,
    pub(crate) line: Line,
    pub(crate) loop_back: LoopBack,
    /// What it says besides what a modem should, by endpoint.
    says: BTreeMap<u8, VecDeque<Said>>,
    /// Whether it answers nothing of its own any more.
    pub(crate) frozen: bool,
    /// Whether it answers nothing at all.
    pub(crate) dead: bool,
    gone: bool,
    /// How busy each endpoint has been.
    pub(crate) peaks: BTreeMap<u8, Peak>,
    /// What the host has to be sent.
    pub(crate) replies: Vec<Reply>,
    /// What the log has to be told.
    pub(crate) notes: Vec<(Instant, What)>,
    pub(crate) counters: Counters,
}

impl Device {
    pub(crate) fn new(options: Options) -> Self {
        let loader = if options.running {
            Loader::running()
        } else {
            Loader::new(options.firmware.clone())
        };
        Self {
            queues: BTreeMap::new(),
            newest: 0,
            overtaking: BTreeMap::new(),
            configuration: 0,
            settings: [0; INTERFACES],
            loader,
            line: Self::line(&options),
            loop_back: LoopBack::new(options.vcs.clone()),
            says: BTreeMap::new(),
            frozen: false,
            dead: false,
            gone: false,
            peaks: BTreeMap::new(),
            replies: Vec::new(),
            notes: Vec::new(),
            counters: Counters::default(),
            options,
        }
    }

    /// Its line, before it is started.
    pub(crate) fn line(options: &Options) -> Line {
        let training = (!options.has(Fault::NoLine)).then_some(options.training);
        Line::new(options.rates, training)
    }

    /// Does what the host wants.
    pub(crate) fn command(&mut self, now: Instant, command: Command) {
        // What has ended by now has ended before this command came.
        self.poll(now);
        if self.gone {
            return;
        }
        match command {
            Command::Submit(submit) => self.submit(now, submit),
            Command::Unlink { seqnum, victim } => self.unlink(now, seqnum, victim),
        }
        self.poll(now);
    }

    /// Does what is due.
    pub(crate) fn poll(&mut self, now: Instant) {
        while let Some(due) = self.deadline().filter(|&due| due <= now) {
            if self.loader.poll(due) {
                self.note(due, What::Booted);
            }
            if self.line.poll(due) {
                let rates = self.line.rates();
                let (down_kbps, up_kbps) = (rates.down, rates.up);
                self.note(due, What::LineUp { down_kbps, up_kbps });
                self.kick(INTERRUPT_IN, due);
            }
            let landed = |queue: &Queue| queue.deadline().is_some_and(|ends| ends <= due);
            let endpoint = self.queues.iter().find(|(_, queue)| landed(queue));
            if let Some((&endpoint, _)) = endpoint {
                self.land(endpoint, due);
            }
        }
    }

    /// When something is due next.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        if self.gone {
            return None;
        }
        let queues = self.queues.values().filter_map(Queue::deadline);
        let parts = [self.loader.deadline(), self.line.deadline()];
        queues.chain(parts.into_iter().flatten()).min()
    }

    /// Whether it has been unplugged.
    pub(crate) fn is_gone(&self) -> bool {
        self.gone
    }

    /// Is unplugged: the host is told nothing any more.
    pub(crate) fn unplug(&mut self, now: Instant, why: Why, error: Option<String>) {
        if !self.gone {
            self.gone = true;
            self.note(now, What::Unplugged { why, error });
        }
    }

    /// The line goes down by itself, as lines do.
    pub(crate) fn drop_line(&mut self, now: Instant) {
        if self.line.drop() {
            self.note(now, What::LineDown);
            self.kick(INTERRUPT_IN, now);
            self.poll(now);
        }
    }

    /// From now on the channel `vc` ends in somebody's hands.
    pub(crate) fn terminate(&mut self, vc: Vc) {
        self.loop_back.circuits.add(vc);
    }

    /// Takes the next packet that came on `vc`; a host that had to wait for that goes on.
    pub(crate) fn take_packet(&mut self, now: Instant, vc: Vc) -> Option<Vec<u8>> {
        let had_to_wait = self.loop_back.circuits.is_full();
        let packet = self.loop_back.circuits.get(vc)?.take();
        if had_to_wait {
            self.kick(DATA_OUT, now);
            self.poll(now);
        }
        packet
    }

    /// Sends the host a packet on `vc`, unless too many cells are on their way already:
    /// then it returns false. A line that is down loses it.
    pub(crate) fn give_packet(&mut self, now: Instant, vc: Vc, packet: &[u8]) -> bool {
        if !self.line.is_up() {
            return true;
        }
        if self.loop_back.is_congested() {
            return false;
        }
        self.loop_back.give(vc, packet);
        self.kick(DATA_IN, now);
        self.poll(now);
        true
    }

    /// Says something else, on an endpoint towards the host, before anything that
    /// a modem should say there.
    pub(crate) fn say(&mut self, now: Instant, endpoint: u8, said: Vec<Said>) {
        self.says.entry(endpoint).or_default().extend(said);
        self.kick(endpoint, now);
        self.poll(now);
    }

    /// Has this fault too, from now on.
    pub(crate) fn add_fault(&mut self, fault: Fault) {
        self.options.faults.push(fault);
    }

    /// Has no faults any more.
    pub(crate) fn cure(&mut self) {
        self.options.faults.clear();
    }

    /// How much of what it was to say has not been heard.
    pub(crate) fn unheard(&self) -> usize {
        self.says.values().map(VecDeque::len).sum()
    }

    pub(crate) fn progress(&self) -> Progress {
        let [stage_1, stage_2] = self.loader.received();
        Progress { stage_1, stage_2 }
    }

    pub(crate) fn note(&mut self, at: Instant, what: What) {
        self.notes.push((at, what));
    }

    pub(crate) fn is_halted(&self, endpoint: u8) -> bool {
        self.queues.get(&endpoint).is_some_and(|queue| queue.halted)
    }

    pub(crate) fn set_halt(&mut self, endpoint: u8, halted: bool) {
        self.queues.entry(endpoint).or_default().halted = halted;
    }

    /// The host has reset the port. Firmware that runs goes on running.
    pub(crate) fn reset(&mut self, now: Instant) {
        self.note(now, What::Reset);
        if self.options.has(Fault::OtherAfterReset) {
            self.options.revision = self.options.revision.wrapping_add(0x0100);
        }
        self.configuration = 0;
        self.settings = [0; INTERFACES];
        self.thaw();
        if self.options.has(Fault::ForgetsAtReset) {
            self.forget();
        }
        self.loader.reset();
        self.loop_back.reset();
        for queue in self.queues.values_mut() {
            queue.halted = false;
        }
    }

    /// Whether the endpoint is there now.
    pub(crate) fn has_endpoint(&self, endpoint: u8) -> bool {
        self.configuration != 0 && descriptors::has_endpoint(self.settings, endpoint)
    }

    fn is_isochronous(&self, endpoint: u8) -> bool {
        self.configuration != 0 && descriptors::is_isochronous(self.settings, endpoint)
    }

    fn submit(&mut self, now: Instant, submit: Submit) {
        self.counters.submitted += 1;
        self.newest = submit.seqnum;
        if let Some(seqnum) = self.overtaking.remove(&submit.seqnum) {
            return self.cancelled(now, seqnum, &submit, 0);
        }
        let fate = self.options.fate(self.counters.submitted);
        let endpoint = match submit.transfer.endpoint {
            0x80 => CONTROL,
            other => other,
        };
        match fate {
            Some(Fate::Unplug) => return self.unplug(now, Why::Fault, None),
            Some(Fate::Fail(failure)) => {
                return self.reply(&submit, failure.status(), 0, Vec::new());
            }
            Some(Fate::Silence) => {
                return self.queues.entry(NOWHERE).or_default().push(now, submit);
            }
            None => {}
        }
        // No more than a host that takes an endpoint for one of another kind finds one that
        // is not there.
        let is_there = self.has_endpoint(endpoint)
            && self.is_isochronous(endpoint) != submit.packets.is_empty();
        if endpoint != CONTROL && !is_there {
            self.reply(&submit, Status::NO_ANSWER, 0, Vec::new());
            return;
        }
        let length = submit.transfer.length;
        let queue = self.queues.entry(endpoint).or_default();
        queue.push(now, submit);
        let peak = self.peaks.entry(endpoint).or_default();
        peak.transfers = peak.transfers.max(queue.len());
        peak.bytes = peak.bytes.max(length);
        self.kick(endpoint, now);
    }

    fn unlink(&mut self, now: Instant, seqnum: u32, victim: u32) {
        // A host that has not wanted anything yet means the modem that was in this port before.
        if self.newest != 0 && victim > self.newest {
            self.overtaking.insert(victim, seqnum);
            return;
        }
        self.answer_late(victim);
        let found = self.queues.iter_mut().find(|(_, queue)| queue.has(victim));
        let cancelled = found.and_then(|(&at, queue)| Some((at, queue.cancel(victim)?)));
        let Some((endpoint, (submit, flight))) = cancelled else {
            self.note(now, What::UnlinkedTooLate);
            let status = Status::OK;
            self.replies.push(Reply::Unlink { seqnum, status });
            // Another may have waited behind an answer that was late.
            return self.kick(CONTROL, now);
        };
        let bytes = flight.map_or(0, |flight| flight.bytes_at(now));
        if let Some(flight) = flight {
            self.options.bus.give_back(now, flight.ends);
        }
        if endpoint == FIRMWARE_OUT {
            self.loader.take(&submit.data[..bytes]);
        }
        self.cancelled(now, seqnum, &submit, bytes);
        self.kick(endpoint, now);
    }

    /// The cancellation `seqnum` has ended a transfer after so many bytes.
    fn cancelled(&mut self, now: Instant, seqnum: u32, submit: &Submit, bytes: usize) {
        self.counters.unlinked += 1;
        let endpoint = submit.transfer.endpoint;
        self.note(now, What::Unlinked { endpoint, bytes });
        let status = Status::UNLINKED;
        self.replies.push(Reply::Unlink { seqnum, status });
    }

    /// Begins with the endpoint's next transfer, if it can, and with those that
    /// waited for this endpoint.
    pub(crate) fn kick(&mut self, endpoint: u8, at: Instant) {
        self.begin(endpoint, at);
        match endpoint {
            FIRMWARE_OUT => self.begin(FIRMWARE_IN, at),
            DATA_OUT if self.loop_back.is_waiting() => self.begin(DATA_IN, at),
            _ => {}
        }
    }

    fn begin(&mut self, endpoint: u8, at: Instant) {
        while let Some((came, transfer)) = self.queues.get(&endpoint).and_then(Queue::next) {
            let ready = at.max(came);
            if self.is_halted(endpoint) {
                self.end(endpoint, Status::STALL, 0, Vec::new());
                continue;
            }
            match self.start(endpoint, transfer, ready) {
                Start::Wait => return,
                Start::Stick => return self.stick(endpoint, ready),
                Start::Late(data) => {
                    return self.queues.entry(endpoint).or_default().keep(data);
                }
                Start::Halt => {
                    self.note(ready, What::Stalled { endpoint });
                    self.set_halt(endpoint, true);
                }
                Start::Done(status, data) => self.done(endpoint, transfer, status, data),
                Start::Fly(bytes, then) => return self.fly(endpoint, bytes, then, ready),
                Start::FlyFrames => return self.fly_frames(endpoint, ready),
            }
        }
    }

    /// Ends the endpoint's first transfer, which is this one, all of it or none.
    fn done(&mut self, endpoint: u8, transfer: Transfer, status: Status, data: Vec<u8>) {
        let sent = !transfer.is_in() && status == Status::OK;
        let actual = if sent { transfer.length } else { data.len() };
        self.end(endpoint, status, actual, data);
    }

    /// The host is about to cancel a transfer: if its answer has been kept back, it comes now.
    fn answer_late(&mut self, victim: u32) {
        let kept = |(&at, queue): (&u8, &mut Queue)| Some((at, queue.take_kept(victim)?));
        if let Some((endpoint, (transfer, data))) = self.queues.iter_mut().find_map(kept) {
            self.done(endpoint, transfer, Status::OK, data);
        }
    }

    /// Puts the endpoint's first transfer on the bus.
    fn fly(&mut self, endpoint: u8, bytes: usize, then: Then, ready: Instant) {
        let (starts, mut ends) = match endpoint {
            INTERRUPT_IN => (ready, ready),
            _ => self.options.bus.reserve(ready, bytes),
        };
        if endpoint == FIRMWARE_OUT {
            ends = ends.max(starts + self.slow(bytes));
        }
        let queue = self.queues.entry(endpoint).or_default();
        queue.fly(Flight {
            starts,
            ends,
            bytes,
            then,
        });
    }

    /// Puts the packets of the endpoint's first transfer on the bus, one in each frame,
    /// of which they have a part to themselves.
    fn fly_frames(&mut self, endpoint: u8, starts: Instant) {
        let queue = self.queues.entry(endpoint).or_default();
        let frames = u32::try_from(queue.packets()).unwrap_or(u32::MAX);
        queue.fly(Flight {
            starts,
            ends: starts + FRAME * frames,
            bytes: 0,
            then: Then::Complete,
        });
    }

    /// The endpoint's first transfer is over the bus.
    fn land(&mut self, endpoint: u8, at: Instant) {
        let Some(queue) = self.queues.get_mut(&endpoint) else {
            return;
        };
        let Some(flight) = queue.land() else {
            return;
        };
        if queue.packets() > 0 {
            self.end_frames(endpoint);
            return self.kick(endpoint, at);
        }
        let sent = queue.take_data();
        let data = self.finish(endpoint, &sent, flight.bytes, at);
        match flight.then {
            Then::Complete => {
                // A reset may have lost what was on its way to the host.
                let is_in = endpoint & DIRECTION_IN != 0;
                let actual = if is_in { data.len() } else { flight.bytes };
                self.end(endpoint, Status::OK, actual, data);
                self.kick(endpoint, at);
            }
            Then::Stick => self.stick(endpoint, at),
            Then::Unplug => self.unplug(at, Why::Fault, None),
        }
    }

    fn stick(&mut self, endpoint: u8, at: Instant) {
        self.note(at, What::Stuck { endpoint });
        self.queues.entry(endpoint).or_default().stick();
    }

    /// Ends the endpoint's first transfer: it leaves the queue as it is answered.
    fn end(&mut self, endpoint: u8, status: Status, actual: usize, data: Vec<u8>) {
        let queue = self.queues.get_mut(&endpoint);
        if let Some(submit) = queue.and_then(Queue::pop) {
            self.reply(&submit, status, actual, data);
        }
    }

    fn reply(&mut self, submit: &Submit, status: Status, actual: usize, data: Vec<u8>) {
        // Isochronous packets that are not on the bus are lost, each for the same reason.
        let packets = submit.packets.iter();
        let reply = Reply::Submit {
            seqnum: submit.seqnum,
            endpoint: submit.transfer.endpoint,
            status,
            actual,
            data,
            packets: packets.map(|&packet| Packet { status, ..packet }).collect(),
        };
        self.replies.push(reply);
    }
}

mod endpoints;
#[cfg(test)]
mod tests;
