// SPDX-License-Identifier: GPL-2.0-only

use wire::speedtch::{DATA_IN, DATA_OUT, FIRMWARE_OUT, INTERRUPT_IN, START_SYNCHRO};

use super::super::EP_INFO;
use super::*;
use crate::bus::Bus;
use crate::log::What;
use crate::options::{Fault, Options};

/// What a host is told: the kind of message, its number, and the rest.
type Told = (u32, u64, Vec<u8>);

struct Host {
    session: Session,
    device: Device,
    now: Instant,
}

impl Host {
    /// A host whose modem runs, on a bus without limit, and is configured.
    fn new(options: Options) -> Self {
        let mut host = Self {
            session: Session::default(),
            device: Device::new(options.running().bus(Bus::unlimited())),
            now: Instant::now(),
        };
        host.control(Control::Configuration, [0x00, 9, 1, 0, 0, 0, 0, 0]);
        host
    }

    fn say(&mut self, message: Message) -> Vec<Told> {
        let mut said = Vec::new();
        self.session
            .take(self.now, &mut self.device, message, &mut said);
        self.session.tell(self.now, &mut self.device, &mut said);
        told(&said)
    }

    fn control(&mut self, control: Control, setup: [u8; 8]) -> Vec<Told> {
        let setup = Setup::from_bytes(setup);
        self.say(Message::Control(1, control, setup, Vec::new()))
    }

    fn receive(&mut self, id: u64, endpoint: u8) -> Vec<Told> {
        let transfer = Transfer {
            endpoint,
            length: 512,
            setup: Setup::from_bytes([0; 8]),
        };
        self.say(Message::Bulk(id, transfer, Vec::new()))
    }

    /// Lets the device do all that is due at any time; what it has done before is told as well.
    fn later(&mut self) -> Vec<Told> {
        let mut said = Vec::new();
        while let Some(due) = self.device.deadline() {
            self.now = due;
            self.device.poll(due);
            self.session.tell(due, &mut self.device, &mut said);
        }
        self.session.tell(self.now, &mut self.device, &mut said);
        told(&said)
    }
}

fn told(mut said: &[u8]) -> Vec<Told> {
    let mut messages = Vec::new();
    while !said.is_empty() {
        let word = |at: usize| u32::from_le_bytes(said[at..at + 4].try_into().unwrap());
        let (kind, size) = (word(0), word(4) as usize);
        let id = u64::from_le_bytes(said[8..16].try_into().unwrap());
        messages.push((kind, id, said[16..16 + size].to_vec()));
        said = &said[16 + size..];
    }
    messages
}

#[test]
fn endpoints_come_before_the_setting_that_has_them() {
    let mut host = Host::new(Options::new());
    let place = |endpoint: u8| usize::from(endpoint & 0x0f | (endpoint & 0x80) >> 3);
    let selected = host.control(Control::AltSetting, [0x01, 11, 1, 0, 1, 0, 0, 0]);
    let [(EP_INFO, 0, endpoints), (ALT_SETTING_STATUS, 1, status)] = &selected[..] else {
        panic!("{selected:?}");
    };
    assert_eq!(status, &[0, 1, 1]);
    for (endpoint, kind) in [(DATA_IN, 2), (DATA_OUT, 2), (INTERRUPT_IN, 3), (0x81, 3)] {
        assert_eq!(endpoints[place(endpoint)], kind, "{endpoint:#x}");
    }
    // One that it does not have is refused, and nothing changes.
    let refused = host.control(Control::AltSetting, [0x01, 11, 9, 0, 1, 0, 0, 0]);
    assert_eq!(refused[1], (ALT_SETTING_STATUS, 1, vec![4, 1, 1]));
}

#[test]
fn a_request_is_answered_under_its_number() {
    let mut host = Host::new(Options::new());
    let setup = Setup::from_bytes([0x80, 6, 0, 1, 0, 0, 18, 0]);
    let answer = host.say(Message::Control(77, Control::Plain, setup, Vec::new()));
    let [(CONTROL_PACKET, 77, body)] = &answer[..] else {
        panic!("{answer:?}");
    };
    assert_eq!(body[..10], [0x80, 6, 0x80, 0, 0, 1, 0, 0, 18, 0]);
    assert_eq!(body.len(), 10 + 18);
}

#[test]
fn a_transfer_that_is_cancelled_ends_once() {
    let mut host = Host::new(Options::new());
    host.control(Control::AltSetting, [0x01, 11, 1, 0, 1, 0, 0, 0]);
    assert_eq!(host.receive(5, DATA_IN), []);
    let body = vec![DATA_IN, 1, 0, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(host.say(Message::Cancel(5)), [(BULK_PACKET, 5, body)]);
    assert_eq!(host.say(Message::Cancel(5)), []);
    assert_eq!(host.say(Message::Cancel(6)), []);
}

#[test]
fn an_endpoint_that_is_not_there_is_an_error() {
    let mut host = Host::new(Options::new());
    let answer = host.receive(5, DATA_IN);
    assert_eq!(
        answer,
        [(BULK_PACKET, 5, vec![DATA_IN, 3, 0, 0, 0, 0, 0, 0, 0, 0])]
    );
}

#[test]
fn interrupts_come_until_they_are_not_wanted() {
    let mut host = Host::new(Options::new());
    let status = |code| (INTERRUPT_RECEIVING_STATUS, 0, vec![code, INTERRUPT_IN]);
    let start = || Message::StartInterrupts(INTERRUPT_IN);
    assert_eq!(host.say(start()), [status(0)]);
    assert_eq!(host.say(start()), [status(0)]);
    host.control(Control::Plain, START_SYNCHRO.to_bytes());
    // It says that its line is up, and later that it is down.
    let packets = host.later();
    assert_eq!(packets.len(), 1, "{packets:?}");
    assert_eq!(packets[0].0, INTERRUPT_PACKET);
    host.device.drop_line(host.now);
    assert_eq!(host.later().len(), 1);
    assert_eq!(host.say(Message::StopInterrupts(INTERRUPT_IN)), [status(0)]);
    assert!(host.session.receiving.is_empty() && host.session.pending.is_empty());
    host.control(Control::Plain, START_SYNCHRO.to_bytes());
    assert_eq!(host.later(), []);
}

#[test]
fn an_interrupt_endpoint_that_fails_is_told_of_once() {
    let mut host = Host::new(Options::new());
    host.device.set_halt(INTERRUPT_IN, true);
    let answer = host.say(Message::StartInterrupts(INTERRUPT_IN));
    let codes: Vec<_> = answer.iter().map(|(_, _, body)| body[0]).collect();
    assert_eq!(codes, [0, 4]);
    assert!(host.session.receiving.is_empty());
}

#[test]
fn a_reset_takes_the_firmware_of_some() {
    for (options, is_left) in [
        (Options::new(), true),
        (Options::new().fault(Fault::ForgetsAtReset), false),
    ] {
        let mut host = Host::new(options);
        assert_eq!(host.say(Message::Reset), []);
        assert_eq!(host.device.configuration, 0);
        assert!(
            host.device
                .notes
                .iter()
                .any(|(_, what)| *what == What::Reset)
        );
        assert_eq!(host.device.loader.is_running(), is_left);
    }
}

#[test]
fn firmware_is_taken() {
    let mut host = Host::new(Options::new().fault(Fault::ForgetsAtReset));
    host.say(Message::Reset);
    host.control(Control::Configuration, [0x00, 9, 1, 0, 0, 0, 0, 0]);
    let transfer = Transfer {
        endpoint: FIRMWARE_OUT,
        length: 3,
        setup: Setup::from_bytes([0; 8]),
    };
    let mut answer = host.say(Message::Bulk(3, transfer, b"abc".into()));
    answer.extend(host.later());
    let body = vec![FIRMWARE_OUT, 0, 3, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(answer, [(BULK_PACKET, 3, body)]);
    assert_eq!(host.device.progress().total(), 3);
}
