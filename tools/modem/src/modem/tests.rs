// SPDX-License-Identifier: GPL-2.0-only

//! A whole modem, with its threads, against a host at the other end of a socket.

use std::io::Read;

use wire::speedtch::{INTERRUPT_IN, START_SYNCHRO};

use super::*;
use crate::bus::{BULK_BYTES_PER_FRAME, Bus};
use crate::options::Fault;

const LIMIT: Duration = Duration::from_secs(20);

fn plug(options: Options) -> (Modem, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    theirs.set_read_timeout(Some(LIMIT)).unwrap();
    (
        Modem::on_socket(options, ours, Protocol::UsbIp).unwrap(),
        theirs,
    )
}

/// Sends a command: its number, endpoint, direction, length or victim, and setup.
fn send(host: &mut UnixStream, words: [u32; 10], setup: [u8; 8], data: &[u8]) {
    let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
    bytes.extend(setup);
    bytes.extend(data);
    host.write_all(&bytes).unwrap();
}

fn control(host: &mut UnixStream, seqnum: u32, setup: [u8; 8]) -> i32 {
    let direction = u32::from(setup[0] >> 7);
    let length = u32::from(setup[6]);
    let words = [1, seqnum, 1, direction, 0, 0, length, 0, 0, 0];
    send(host, words, setup, &[]);
    reply(host).1
}

/// The next reply's number and status; its data is dropped.
fn reply(host: &mut UnixStream) -> (u32, i32) {
    let mut header = [0; 48];
    host.read_exact(&mut header).unwrap();
    let word = |at: usize| u32::from_be_bytes(header[at..at + 4].try_into().unwrap());
    let length = if word(12) == 1 { word(24) } else { 0 };
    host.read_exact(&mut vec![0; length as usize]).unwrap();
    (word(4), word(20) as i32)
}

fn configure(host: &mut UnixStream) {
    assert_eq!(control(host, 1, [0x00, 9, 1, 0, 0, 0, 0, 0]), 0);
}

#[test]
fn an_interrupt_comes_when_it_is_due_and_not_when_it_is_asked_for() {
    let options = Options::new().running().training(Duration::from_millis(30));
    let (modem, mut host) = plug(options);
    configure(&mut host);
    let endpoint = u32::from(INTERRUPT_IN & 0x0f);
    send(
        &mut host,
        [1, 2, 1, 1, endpoint, 0, 16, 0, 0, 0],
        [0; 8],
        &[],
    );
    assert_eq!(control(&mut host, 3, START_SYNCHRO.to_bytes()), 0);
    assert_eq!(reply(&mut host), (2, 0));
    let up = modem.wait_for(LIMIT, |what| matches!(what, What::LineUp { .. }));
    let trained = modem.wait_for(LIMIT, |what| *what == What::Training);
    assert_eq!(
        up.unwrap().at - trained.unwrap().at,
        Duration::from_millis(30)
    );
}

#[test]
fn a_waiting_transfer_is_cancelled() {
    let (modem, mut host) = plug(Options::new());
    configure(&mut host);
    send(&mut host, [1, 2, 1, 1, 1, 0, 16, 0, 0, 0], [0; 8], &[]);
    send(&mut host, [2, 3, 1, 0, 0, 2, 0, 0, 0, 0], [0; 8], &[]);
    assert_eq!(reply(&mut host), (3, -104));
    let unlinked = |what: &What| {
        matches!(
            what,
            What::Unlinked {
                endpoint: 0x81,
                bytes: 0
            }
        )
    };
    assert!(modem.wait_for(LIMIT, unlinked).is_some());
    assert_eq!(modem.counters().unlinked, 1);
}

#[test]
fn transfers_take_their_time() {
    let (modem, mut host) = plug(Options::new());
    configure(&mut host);
    let length = 20 * BULK_BYTES_PER_FRAME;
    let began = Instant::now();
    let words = [1, 2, 1, 0, 5, 0, length as u32, 0, 0, 0];
    send(&mut host, words, [0; 8], &vec![0; length]);
    assert_eq!(reply(&mut host), (2, 0));
    assert!(began.elapsed() >= Duration::from_millis(20));
    modem.wait_until(LIMIT, |view| {
        (view.progress.stage_1 == length).then_some(())
    });
    assert_eq!(modem.progress().total(), length);
}

#[test]
fn unplugging_ends_the_connection_for_the_host() {
    for fault in [false, true] {
        let mut options = Options::new().bus(Bus::unlimited());
        if fault {
            options = options.fault(Fault::UnplugAt(1));
        }
        let (modem, mut host) = plug(options);
        configure(&mut host);
        if fault {
            send(&mut host, [1, 2, 1, 0, 5, 0, 2, 0, 0, 0], [0; 8], &[1, 2]);
        } else {
            modem.unplug();
            modem.unplug();
        }
        let mut rest = Vec::new();
        assert_eq!(host.read_to_end(&mut rest).unwrap(), 0);
        let expected = if fault { Why::Fault } else { Why::Asked };
        let gone = |what: &What| matches!(what, What::Unplugged { why, .. } if *why == expected);
        assert!(modem.wait_for(LIMIT, gone).is_some());
        assert!(modem.wait_forgotten(LIMIT));
    }
}

#[test]
fn a_host_that_goes_away_is_noticed() {
    let (modem, host) = plug(Options::new());
    drop(host);
    let gone = |what: &What| matches!(what, What::Unplugged { why: Why::Host, .. });
    assert!(modem.wait_for(LIMIT, gone).is_some());
}

#[test]
fn a_host_that_talks_nonsense_is_cut_off() {
    let (modem, mut host) = plug(Options::new());
    host.write_all(&[0xff; 48]).unwrap();
    let cut = |what: &What| {
        matches!(
            what,
            What::Unplugged {
                why: Why::Protocol,
                error: Some(_)
            }
        )
    };
    assert!(modem.wait_for(LIMIT, cut).is_some());
}

#[test]
fn dropping_unplugs() {
    let (modem, mut host) = plug(Options::new());
    drop(modem);
    assert_eq!(host.read(&mut [0]).unwrap(), 0);
}

#[test]
fn waiting_has_a_limit() {
    let (modem, _host) = plug(Options::new());
    let limit = Duration::from_millis(20);
    let began = Instant::now();
    assert_eq!(modem.wait_for(limit, |what| *what == What::Booted), None);
    assert!(began.elapsed() >= limit);
}

/// What a test puts at the far end: packets come back with a byte more.
#[derive(Default)]
struct Repeater(Mutex<std::collections::VecDeque<Vec<u8>>>);

impl crate::Equipment for Repeater {
    fn take(&self, packet: &[u8]) -> io::Result<()> {
        let answer = [packet, &[0xff]].concat();
        self.0.lock().unwrap().push_back(answer);
        Ok(())
    }

    fn give(&self, _limit: Duration) -> io::Result<Option<Vec<u8>>> {
        thread::yield_now();
        Ok(self.0.lock().unwrap().pop_front())
    }
}

#[test]
fn a_termination_outlives_the_modems_at_its_line() {
    use crate::circuits::cells_of;
    use crate::{Encapsulation, Termination};
    use wire::speedtch::{ALTSETTING_BULK, DATA_IN, DATA_OUT, INTERFACE_DATA};

    let vc = Vc { vpi: 8, vci: 35 };
    let kind = Encapsulation::PppLlc;
    let mut termination = Termination::new(kind, Repeater::default()).unwrap();
    for number in 0..2 {
        let options = Options::new().running().training(Duration::ZERO);
        let (modem, mut host) = plug(options.bus(Bus::unlimited()));
        termination.connect(modem.far_end(vc)).unwrap();
        configure(&mut host);
        let select = [0x01, 11, ALTSETTING_BULK, 0, INTERFACE_DATA, 0, 0, 0];
        assert_eq!(control(&mut host, 2, select), 0);
        assert_eq!(control(&mut host, 3, START_SYNCHRO.to_bytes()), 0);
        let up = modem.wait_for(LIMIT, |what| matches!(what, What::LineUp { .. }));
        assert!(up.is_some());

        let cells: Vec<u8> = cells_of(vc, &kind.wrap(&[number])).flatten().collect();
        let (out, length) = (u32::from(DATA_OUT), cells.len() as u32);
        let words = [1, 4, 1, 0, out, 0, length, 0, 0, 0];
        send(&mut host, words, [0; 8], &cells);
        assert_eq!(reply(&mut host), (4, 0));
        let words = [1, 5, 1, 1, u32::from(DATA_IN & 0x0f), 0, 53, 0, 0, 0];
        send(&mut host, words, [0; 8], &[]);
        let mut answer = [0; 48 + 53];
        host.read_exact(&mut answer).unwrap();
        let expected = kind.wrap(&[number, 0xff]);
        assert!(answer[48 + 5..].starts_with(&expected), "{answer:?}");
    }
}

#[test]
fn unplugged_it_listens_until_the_host_has_hung_up() {
    let (modem, mut host) = plug(Options::new());
    modem.unplug();
    assert_eq!(host.read(&mut [0]).unwrap(), 0);
    // Far more than fits into a socket.
    for seqnum in 0..50_000 {
        send(&mut host, [1, seqnum, 1, 0, 0, 0, 0, 0, 0, 0], [0; 8], &[]);
    }
    drop(host);
    drop(modem);
}
