// SPDX-License-Identifier: GPL-2.0-only

//! The device against a host and a clock of the test's own.

mod chaos;
mod faults;
mod isochronous;
mod packets;
mod upload;

use std::collections::VecDeque;

use wire::cell::CELL_LEN;
use wire::cell::{Header, Pti, Vc};
use wire::setup::Setup;
use wire::speedtch::{
    ALTSETTING_BULK, INTERFACE_DATA, LineState, START_SYNCHRO, STATUS, STATUS_7, STATUS_B, StartUp,
};

use super::*;
use crate::bus::Bus;
use crate::firmware::Image;
use crate::transfer::Transfer;

const STAGE_1: &[u8] = &[1; 935];
const STAGE_2: &[u8] = &[2; 10_000];

/// What the host got.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Got {
    Transfer(u32, i32, Vec<u8>),
    /// With the length and the status of each packet.
    Packets(u32, Vec<(u32, i32)>, Vec<u8>),
    Unlink(u32, i32),
}

struct Host {
    device: Device,
    t0: Instant,
    now: Instant,
    seqnum: u32,
    got: VecDeque<Got>,
}

fn options() -> Options {
    Options::new().firmware(Image::of(STAGE_1), Image::of(STAGE_2))
}

fn micros(count: u64) -> Duration {
    Duration::from_micros(count)
}

impl Host {
    /// A host that has configured the modem as a driver would find it.
    fn new(options: Options) -> Self {
        let mut host = Self::unconfigured(options);
        host.control(&[0x00, 9, 1, 0, 0, 0, 0, 0], &[]).unwrap();
        host
    }

    fn unconfigured(options: Options) -> Self {
        let t0 = Instant::now();
        Self {
            device: Device::new(options),
            t0,
            now: t0,
            seqnum: 0,
            got: VecDeque::new(),
        }
    }

    /// A host whose modem has its firmware, on a bus without limit.
    fn running(options: Options) -> Self {
        let mut host = Self::new(options.running().bus(Bus::unlimited()));
        host.select(ALTSETTING_BULK);
        host
    }

    fn select(&mut self, setting: u8) {
        let setup = [0x01, 11, setting, 0, INTERFACE_DATA, 0, 0, 0];
        self.control(&setup, &[]).unwrap();
    }

    /// Starts the line and waits until it is up.
    fn line_up(&mut self) {
        self.control(&START_SYNCHRO.to_bytes(), &[]).unwrap();
        self.sleep(Duration::from_secs(1));
    }

    fn submit(&mut self, endpoint: u8, length: usize, setup: &[u8; 8], data: &[u8]) -> u32 {
        let transfer = Transfer {
            endpoint,
            length,
            setup: Setup::from_bytes(*setup),
        };
        self.submit_packets(transfer, data, Vec::new())
    }

    fn submit_packets(&mut self, transfer: Transfer, data: &[u8], packets: Vec<Packet>) -> u32 {
        self.seqnum += 1;
        let submit = Submit {
            seqnum: self.seqnum,
            transfer,
            data: data.into(),
            packets,
        };
        self.device.command(self.now, Command::Submit(submit));
        self.collect();
        self.seqnum
    }

    fn send(&mut self, endpoint: u8, data: &[u8]) -> u32 {
        self.submit(endpoint, data.len(), &[0; 8], data)
    }

    fn receive(&mut self, endpoint: u8, length: usize) -> u32 {
        self.submit(endpoint, length, &[0; 8], &[])
    }

    fn unlink(&mut self, victim: u32) -> u32 {
        self.seqnum += 1;
        let seqnum = self.seqnum;
        self.device
            .command(self.now, Command::Unlink { seqnum, victim });
        self.collect();
        seqnum
    }

    /// A control transfer that is answered at once.
    fn control(&mut self, setup: &[u8; 8], data: &[u8]) -> Result<Vec<u8>, i32> {
        let length = usize::from(Setup::from_bytes(*setup).length);
        let endpoint = setup[0] & 0x80;
        let seqnum = self.submit(endpoint, length, setup, data);
        match self.got.pop_back() {
            Some(Got::Transfer(number, 0, data)) if number == seqnum => Ok(data),
            Some(Got::Transfer(number, status, _)) if number == seqnum => Err(status),
            other => panic!("not answered at once, but {other:?}"),
        }
    }

    /// Lets time pass, and the device do what is due when it is.
    fn sleep(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(due) = self.device.deadline().filter(|&due| due <= end) {
            self.now = due.max(self.now);
            self.device.poll(self.now);
            self.collect();
        }
        self.now = end;
    }

    /// Waits for the next reply, and returns it with the time since the start.
    fn wait(&mut self) -> (Duration, Got) {
        while self.got.is_empty() {
            let due = self.device.deadline().expect("no reply, and none to come");
            self.now = due.max(self.now);
            self.device.poll(self.now);
            self.collect();
        }
        (self.now - self.t0, self.got.pop_front().unwrap())
    }

    fn wait_for(&mut self, seqnum: u32) -> Result<Vec<u8>, i32> {
        match self.wait().1 {
            Got::Transfer(number, 0, data) if number == seqnum => Ok(data),
            Got::Transfer(number, status, _) if number == seqnum => Err(status),
            other => panic!("{other:?} instead of {seqnum}"),
        }
    }

    fn collect(&mut self) {
        for reply in std::mem::take(&mut self.device.replies) {
            self.got.push_back(match reply {
                Reply::Unlink { seqnum, status } => Got::Unlink(seqnum, status.0),
                Reply::Submit {
                    seqnum,
                    endpoint,
                    status,
                    actual,
                    data,
                    packets,
                } => {
                    let is_in = endpoint & DIRECTION_IN != 0;
                    assert!(data.len() == if is_in { actual } else { 0 });
                    match packets[..] {
                        [] => Got::Transfer(seqnum, status.0, data),
                        _ => Got::Packets(seqnum, isochronous::results(&packets), data),
                    }
                }
            });
        }
    }

    /// Uploads both stages as the C driver does.
    fn upload(&mut self) {
        for stage in [STAGE_1, STAGE_2] {
            for chunk in stage.chunks(4096) {
                let seqnum = self.send(FIRMWARE_OUT, chunk);
                self.wait_for(seqnum).unwrap();
            }
            let seqnum = self.receive(FIRMWARE_IN, 512);
            assert_eq!(self.wait_for(seqnum).unwrap().len(), 512);
        }
    }

    fn noted(&self, what: impl Fn(&What) -> bool) -> bool {
        self.device.notes.iter().any(|(_, noted)| what(noted))
    }
}

fn cells(count: usize) -> Vec<u8> {
    let header = Header::new(Vc { vpi: 8, vci: 35 }, Pti::User).to_bytes();
    let one = |number| [&header[..], &[number as u8; 48]].concat();
    (0..count).flat_map(one).collect()
}

#[test]
fn descriptors_are_cut_to_what_the_host_wants() {
    let mut host = Host::unconfigured(options());
    let device = host.control(&[0x80, 6, 0, 1, 0, 0, 18, 0], &[]).unwrap();
    assert_eq!(device.len(), 18);
    let head = host.control(&[0x80, 6, 0, 1, 0, 0, 8, 0], &[]).unwrap();
    assert_eq!(head, device[..8]);
    let config = host.control(&[0x80, 6, 0, 2, 0, 0, 255, 0], &[]).unwrap();
    assert_eq!(usize::from(config[2]), config.len());
    // No device qualifier: there is no other speed.
    assert_eq!(host.control(&[0x80, 6, 0, 6, 0, 0, 10, 0], &[]), Err(-32));
}

#[test]
fn standard_requests() {
    let mut host = Host::unconfigured(options());
    let get_configuration = [0x80, 8, 0, 0, 0, 0, 1, 0];
    let get_interface = [0x81, 10, 0, 0, INTERFACE_DATA, 0, 1, 0];
    assert_eq!(host.control(&get_configuration, &[]), Ok(vec![0]));
    assert_eq!(host.control(&get_interface, &[]), Err(-32));
    assert_eq!(host.control(&[0x00, 9, 2, 0, 0, 0, 0, 0], &[]), Err(-32));
    assert_eq!(host.control(&[0x00, 9, 1, 0, 0, 0, 0, 0], &[]), Ok(vec![]));
    assert_eq!(host.control(&get_configuration, &[]), Ok(vec![1]));
    host.select(3);
    assert_eq!(host.control(&get_interface, &[]), Ok(vec![3]));
    assert_eq!(host.control(&[0x01, 11, 4, 0, 1, 0, 0, 0], &[]), Err(-32));
    assert_eq!(host.control(&[0x01, 11, 0, 0, 3, 0, 0, 0], &[]), Err(-32));
    assert_eq!(
        host.control(&[0x80, 0, 0, 0, 0, 0, 2, 0], &[]),
        Ok(vec![0, 0])
    );
    assert_eq!(
        host.control(&[0x81, 0, 0, 0, 2, 0, 2, 0], &[]),
        Ok(vec![0, 0])
    );
    assert_eq!(host.control(&[0x82, 0, 0, 0, 0x08, 0, 2, 0], &[]), Err(-32));
    assert_eq!(host.control(&[0x21, 9, 0, 0, 0, 0, 0, 0], &[]), Err(-32));
}

#[test]
fn halts_are_set_and_cleared() {
    let mut host = Host::running(options());
    let status = [0x82, 0, 0, 0, DATA_OUT, 0, 2, 0];
    host.control(&[0x02, 3, 0, 0, DATA_OUT, 0, 0, 0], &[])
        .unwrap();
    assert_eq!(host.control(&status, &[]), Ok(vec![1, 0]));
    let seqnum = host.send(DATA_OUT, &cells(1));
    assert_eq!(host.wait_for(seqnum), Err(-32));
    host.control(&[0x02, 1, 0, 0, DATA_OUT, 0, 0, 0], &[])
        .unwrap();
    assert_eq!(host.control(&status, &[]), Ok(vec![0, 0]));
    let seqnum = host.send(DATA_OUT, &cells(1));
    assert_eq!(host.wait_for(seqnum), Ok(vec![]));
}

#[test]
fn endpoints_are_there_in_their_setting_only() {
    let mut host = Host::running(options());
    host.select(0);
    let seqnum = host.receive(DATA_IN, 1000);
    assert_eq!(host.wait_for(seqnum), Err(-71));
    let mut host = Host::unconfigured(options());
    let seqnum = host.receive(INTERRUPT_IN, 16);
    assert_eq!(host.wait_for(seqnum), Err(-71));
}

#[test]
fn the_line_comes_up_and_goes_down() {
    let mut host = Host::running(options());
    for step in StartUp::DEFAULT.steps() {
        host.control(&step.setup.to_bytes(), step.data()).unwrap();
    }
    let first = host.receive(INTERRUPT_IN, 16);
    assert_eq!(host.control(&STATUS_7.to_bytes(), &[]), Ok(vec![0]));
    host.control(&START_SYNCHRO.to_bytes(), &[]).unwrap();
    let training = LineState::Synchronising.to_byte();
    assert_eq!(host.control(&STATUS_7.to_bytes(), &[]), Ok(vec![training]));
    assert_eq!(host.wait_for(first), Ok(vec![0xa1, 0, 1, 0, 0, 0]));
    assert_eq!(host.now - host.t0, Duration::from_millis(500));
    let answers = STATUS.map(|setup| host.control(&setup.to_bytes(), &[]).unwrap());
    assert_eq!(answers[0], [LineState::Up.to_byte()]);
    assert_eq!(answers[1], [0xc0, 0x1f, 0, 0, 0x60, 0x03, 0, 0]);
    assert_eq!(answers.map(|data| data.len()), [1, 8, 4, 1, 1]);

    let second = host.receive(INTERRUPT_IN, 16);
    host.device.drop_line(host.now);
    host.collect();
    assert_eq!(host.wait_for(second), Ok(vec![0xa1, 0, 0, 0, 0, 0]));
    assert_eq!(host.control(&STATUS_7.to_bytes(), &[]), Ok(vec![0]));
}

#[test]
fn an_interrupt_waits_for_the_host_to_ask() {
    let mut host = Host::running(options());
    host.line_up();
    let seqnum = host.receive(INTERRUPT_IN, 5);
    assert_eq!(host.wait_for(seqnum), Err(-75));
    let seqnum = host.receive(INTERRUPT_IN, 6);
    assert_eq!(host.wait_for(seqnum).unwrap().len(), 6);
}

#[test]
fn cells_come_back_in_whole_and_in_order() {
    let mut host = Host::running(options());
    let lost = host.send(DATA_OUT, &cells(2));
    host.wait_for(lost).unwrap();
    host.line_up();
    // The first transfer waits for cells, the second takes what is left.
    let first = host.receive(DATA_IN, 3392);
    let second = host.receive(DATA_IN, 3392);
    let sent = host.send(DATA_OUT, &cells(100));
    let got = [(); 3].map(|()| host.wait().1);
    let half = 64 * CELL_LEN;
    assert_eq!(got[0], Got::Transfer(sent, 0, vec![]));
    assert_eq!(got[1], Got::Transfer(first, 0, cells(100)[..half].into()));
    assert_eq!(got[2], Got::Transfer(second, 0, cells(100)[half..].into()));
    let seqnum = host.receive(DATA_IN, 52);
    assert_eq!(host.wait_for(seqnum), Err(-75));
    let Counters {
        cells_in,
        cells_out,
        cells_ignored,
        ..
    } = host.device.counters;
    assert_eq!((cells_in, cells_out, cells_ignored), (102, 100, 2));
}

#[test]
fn both_directions_share_the_bus() {
    let mut host = Host::new(options().running());
    host.select(ALTSETTING_BULK);
    host.line_up();
    let began = host.now;
    let sent = [(); 4].map(|()| host.send(DATA_OUT, &cells(1216)));
    let back = [(); 4].map(|()| host.receive(DATA_IN, 1216 * CELL_LEN));
    let mut got: Vec<u32> = Vec::new();
    while got.len() < 8 {
        match host.wait().1 {
            Got::Transfer(seqnum, 0, _) => got.push(seqnum),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(host.now - began, Duration::from_millis(8 * 53));
    got.sort();
    assert_eq!(got, [sent, back].concat());
}

#[test]
fn a_pending_transfer_is_cancelled_and_never_answered() {
    let mut host = Host::running(options());
    let pending = host.receive(INTERRUPT_IN, 16);
    let behind = host.receive(INTERRUPT_IN, 16);
    let unlink = host.unlink(pending);
    assert_eq!(host.wait().1, Got::Unlink(unlink, -104));
    host.line_up();
    // Only the other one is answered.
    assert!(matches!(host.wait().1, Got::Transfer(number, 0, _) if number == behind));
    assert!(host.got.is_empty());
    let again = host.unlink(pending);
    assert_eq!(host.wait().1, Got::Unlink(again, 0));
}

#[test]
fn a_cancellation_that_overtook_its_transfer_waits_for_it() {
    let mut host = Host::running(options());
    let behind = host.receive(INTERRUPT_IN, 16);
    let victim = behind + 2;
    let unlink = host.unlink(victim);
    assert!(host.got.is_empty());
    assert_eq!(host.receive(INTERRUPT_IN, 16), victim);
    assert_eq!(host.wait().1, Got::Unlink(unlink, -104));
    host.line_up();
    // Nothing is said of the other one any more.
    assert!(matches!(host.wait().1, Got::Transfer(number, 0, _) if number == behind));
    assert!(host.got.is_empty());
}

#[test]
fn a_cancellation_meant_for_the_modem_before_is_too_late() {
    let mut host = Host::unconfigured(options());
    let unlink = host.unlink(1000);
    assert_eq!(host.wait().1, Got::Unlink(unlink, 0));
}

#[test]
fn an_answer_comes_before_the_late_cancellation() {
    let mut host = Host::new(options());
    let sent = host.send(FIRMWARE_OUT, &[1; 935]);
    // Its end is past, but nobody has looked at the clock since.
    host.now += Duration::from_secs(1);
    let unlink = host.unlink(sent);
    assert_eq!(host.wait().1, Got::Transfer(sent, 0, vec![]));
    assert_eq!(host.wait().1, Got::Unlink(unlink, 0));
    assert!(host.noted(|what| *what == What::UnlinkedTooLate));
}

#[test]
fn cancelling_frees_the_bus_and_counts_what_came() {
    let mut host = Host::new(options());
    let first = host.send(FIRMWARE_OUT, &[1; 1216]);
    let second = host.send(FIRMWARE_OUT, &[1; 608]);
    host.sleep(micros(250));
    let unlink = host.unlink(first);
    assert_eq!(host.wait().1, Got::Unlink(unlink, -104));
    assert_eq!(host.device.progress().stage_1, 304);
    let (at, got) = host.wait();
    assert_eq!((at, got), (micros(750), Got::Transfer(second, 0, vec![])));
    assert_eq!(host.device.progress().stage_1, 304 + 608);
}

#[test]
fn nothing_is_answered_after_the_plug_is_pulled() {
    let mut host = Host::new(options());
    let sent = host.send(FIRMWARE_OUT, &[1; 935]);
    host.device.unplug(host.now, Why::Asked, None);
    host.unlink(sent);
    host.sleep(Duration::from_secs(1));
    assert!(host.got.is_empty() && host.device.is_gone());
    assert_eq!(host.device.deadline(), None);
}
