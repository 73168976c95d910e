//! Cells and transfers that are not what they should be.

use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use anyhow::{Context, Result, bail, ensure};
use modem::{Failure, Said, What};
use wire::aal5::Segmenter;
use wire::cell::{CELL_LEN, Header, PAYLOAD_LEN, Pti, Stride, Vc};
use wire::speedtch::{DATA_IN, DATA_OUT};

use super::{Ground, unplug_all};
use crate::guest::atmpvc::Pvc;
use crate::guest::plugged::{Plugged, options, wait_until};
use crate::guest::scenarios::echo;
use crate::guest::sysfs::{AtmDevice, Traffic};
use crate::guest::uevents::Uevents;

/// The connection that is open.
const OURS: Vc = Vc { vpi: 8, vci: 35 };
/// One that nobody has opened.
const NOBODYS: Vc = Vc { vpi: 9, vci: 99 };

/// The longest packet that the receiver wants.
const MAX_SDU: i32 = 1500;

/// One cell.
pub type Cell = [u8; CELL_LEN];

/// What the modem says, and what is counted for it.
struct Attack {
    name: &'static str,
    said: Vec<Said>,
    packets: u32,
    errors: RangeInclusive<u32>,
}

impl Attack {
    fn new(name: &'static str, said: Vec<Said>) -> Self {
        Self {
            name,
            said,
            packets: 0,
            errors: 0..=0,
        }
    }

    fn packets(mut self, count: u32) -> Self {
        self.packets = count;
        self
    }

    fn errors(mut self, count: RangeInclusive<u32>) -> Self {
        self.errors = count;
        self
    }
}

/// The cells that carry a packet.
pub fn packet(vc: Vc, length: usize) -> Vec<Cell> {
    let sdu = vec![0x5a; length];
    let Ok(mut segmenter) = Segmenter::new(vc, &sdu[..]) else {
        return Vec::new();
    };
    let mut bytes = vec![0; segmenter.cells_left() * CELL_LEN];
    segmenter.fill(&mut bytes, Stride::PLAIN);
    bytes
        .chunks_exact(CELL_LEN)
        .map(|cell| cell.try_into().expect("a cell"))
        .collect()
}

/// A cell with nothing in it.
fn empty(vc: Vc, pti: Pti) -> Cell {
    let mut cell = [0; CELL_LEN];
    cell[..CELL_LEN - PAYLOAD_LEN].copy_from_slice(&Header::new(vc, pti).to_bytes());
    cell
}

/// Whole cells, in transfers that the driver has room for.
fn whole(cells: &[Cell]) -> Vec<Said> {
    cells
        .chunks(40)
        .map(|some| Said::Bytes(some.concat()))
        .collect()
}

fn each(count: usize, cells: &[Cell]) -> Vec<Said> {
    (0..count).flat_map(|_| whole(cells)).collect()
}

/// The same bytes in transfers of any length, none at all among them.
fn cut(cells: &[Cell]) -> Vec<Said> {
    let bytes = cells.concat();
    let (mut rest, mut lengths) = (
        &bytes[..],
        [1, 0, 52, 53, 54, 7, 106, 200, 63, 64].iter().cycle(),
    );
    let mut said = Vec::new();
    while !rest.is_empty() {
        let length = lengths.next().map_or(0, |&length| rest.len().min(length));
        said.push(Said::Bytes(rest[..length].to_vec()));
        rest = &rest[length..];
    }
    said
}

/// The cells of a packet, after `change`.
fn changed(length: usize, change: impl Fn(&mut Vec<Cell>)) -> Vec<Cell> {
    let mut cells = packet(OURS, length);
    change(&mut cells);
    cells
}

/// Every bit of the header that is not about the connection, in all combinations.
fn odd_headers() -> Vec<Cell> {
    let with = |gfc: u8| {
        changed(100, |cells| {
            for cell in cells {
                cell[0] |= gfc << 4;
                cell[3] |= gfc & 1;
                cell[4] = gfc;
            }
        })
    };
    (0..16).flat_map(with).collect()
}

fn attacks() -> Vec<Attack> {
    let wrong_crc = changed(100, |cells| cells[1][20] ^= 1);
    let too_short = changed(200, |cells| {
        cells.drain(..3);
    });
    let no_length = [empty(OURS, Pti::UserEnd)];
    // Its end is no good either, or the next packet would be part of it.
    let mut endless = vec![empty(OURS, Pti::User); 3000];
    endless.push(empty(OURS, Pti::UserEnd));
    let not_user = [
        Pti::OamSegment,
        Pti::OamEndToEnd,
        Pti::ResourceManagement,
        Pti::Reserved,
    ];
    let not_user = not_user.map(|pti| empty(OURS, pti));
    let half = Said::Bytes(packet(OURS, 100)[0][..30].to_vec());
    let noise =
        (1..60_usize).map(|n| Said::Bytes((0..n * 7).map(|i| (i * n * 89) as u8).collect()));
    let failures = || Failure::ALL.into_iter().cycle().take(20).map(Said::Fail);
    vec![
        Attack::new(
            "cells for nobody",
            whole(&vec![empty(NOBODYS, Pti::User); 20_000]),
        ),
        Attack::new("headers with odd bits", whole(&odd_headers())).packets(16),
        Attack::new("cells that are no user's", each(10, &not_user)).errors(0..=40),
        Attack::new("wrong checksums", each(5, &wrong_crc)).errors(5..=5),
        Attack::new("packets longer than their cells", each(5, &too_short)).errors(5..=5),
        Attack::new("packets without length", each(5, &no_length)).errors(5..=5),
        Attack::new(
            "packets that nobody wants to be so long",
            each(5, &packet(OURS, 1520)),
        )
        .errors(5..=5),
        Attack::new(
            "packets that are far too long",
            each(2, &packet(OURS, 60_000)),
        )
        .errors(2..=2),
        Attack::new("a packet without end", whole(&endless)).errors(1..=1),
        Attack::new("transfers cut anywhere", cut(&packet(OURS, 300).repeat(20))).packets(20),
        Attack::new(
            "half a cell, and a failure",
            vec![half, Said::Fail(Failure::NoAnswer)],
        ),
        Attack::new("failures", failures().collect()),
        Attack::new("babble", vec![Said::Bytes(vec![0x55; 70_000]); 20]),
        Attack::new("noise", noise.chain(failures()).collect()),
    ]
}

/// Whatever comes, it is counted, and the next good packet gets through; the
/// connection of a modem beside it goes on meanwhile.
pub fn cells_of_any_kind() -> Result<()> {
    let ground = Ground::new()?;
    let uevents = Uevents::from_now()?;
    let modem = Plugged::new(options(2).running())?;
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let beside = scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                ground.good_one_works()?;
            }
            Ok(())
        });
        let attacked = attack(&modem, &uevents);
        over.store(true, Ordering::Relaxed);
        let beside = beside.join().unwrap_or_else(|_| bail!("a thread panicked"));
        attacked.and(beside)
    })?;
    complaints_are_rare(&ground, &modem, "receiving cells failed")?;
    ground.end(vec![modem])
}

/// Of failures, one in five seconds is worth a line in the log.
fn complaints_are_rare(ground: &Ground, modem: &Plugged, of: &str) -> Result<()> {
    let complaints = ground.lines(modem, of);
    let most = 2 + ground.began.elapsed().as_secs() as usize / 5;
    ensure!(complaints <= most, "{complaints} complaints in the log");
    ensure!(complaints > 0, "no complaint in the log");
    Ok(())
}

fn attack(modem: &Plugged, uevents: &Uevents) -> Result<()> {
    let atm = modem.await_up()?;
    let mut pvc = Pvc::open(atm.number, OURS.vpi.into(), OURS.vci.into(), MAX_SDU)?;
    for attack in attacks() {
        let name = attack.name;
        withstand(modem, &atm, &mut pvc, attack).with_context(|| name)?;
    }
    let flows = || echo(&atm, 8, 36, 1500, 3);
    let before = modem.times_told(uevents, "usable");
    let Err(lost) = flows() else {
        return Ok(());
    };
    // Only a halt among the last of the failures, after which it is brought back, excuses that.
    wait_until("the modem is brought back", || {
        modem.times_told(uevents, "usable") > before
    })
    .with_context(|| format!("after the attacks, {lost:#}"))?;
    flows()?;
    Ok(())
}

fn withstand(modem: &Plugged, atm: &AtmDevice, pvc: &mut Pvc, attack: Attack) -> Result<()> {
    let before = atm.traffic()?;
    modem.modem().say(DATA_IN, attack.said);
    modem.modem().say(DATA_IN, whole(&packet(OURS, 777)));
    // Only then: how long that takes is the machine's business.
    wait_until("all was heard", || modem.modem().unheard() == 0)?;
    let mut received = vec![0; 65535];
    for number in 0..=attack.packets {
        let length = pvc
            .receive(&mut received)
            .with_context(|| format!("packet {number} did not come"))?;
        let is_last = number == attack.packets;
        ensure!(
            (length == 777) == is_last,
            "packet {number} has {length} bytes"
        );
    }
    let counted = |now: &Traffic| {
        let errors = now.rx_errors - before.rx_errors;
        now.rx == before.rx + attack.packets + 1 && attack.errors.contains(&errors)
    };
    // A packet is counted after it was given to its receiver.
    let mut now = before;
    wait_until("all is counted", || {
        now = atm.traffic().unwrap_or(before);
        counted(&now)
    })
    .with_context(|| format!("{before:?} became {now:?}"))
}

/// A receiver that does not read has only so much kept for it; the rest is counted.
pub fn packets_that_nobody_reads() -> Result<()> {
    const PACKETS: usize = 1000;
    let ground = Ground::new()?;
    let modem = Plugged::new(options(2).running())?;
    let atm = modem.await_up()?;
    let mut pvc = Pvc::open(atm.number, OURS.vpi.into(), OURS.vci.into(), MAX_SDU)?;
    modem
        .modem()
        .say(DATA_IN, each(PACKETS, &packet(OURS, 1400)));
    let mut now = atm.traffic()?;
    wait_until("all packets are accounted for", || {
        now = atm.traffic().unwrap_or(now);
        now.rx + now.rx_drops >= PACKETS as u32
    })?;
    ensure!(now.rx_errors == 0, "{now:?}");
    ensure!(now.rx_drops > 0, "all of them were kept: {now:?}");
    let mut received = vec![0; 65535];
    for _ in 0..now.rx {
        pvc.receive(&mut received)
            .context("a packet that was kept")?;
    }
    // There is room again.
    modem.modem().say(DATA_IN, whole(&packet(OURS, 777)));
    ensure!(pvc.receive(&mut received)? == 777, "another packet came");
    drop(pvc);
    ground.end(vec![modem])
}

/// Transfers to the modem fail: packets are lost, and others get through.
pub fn sending_that_fails() -> Result<()> {
    let ground = Ground::new()?;
    let modem = Plugged::new(options(2).running())?;
    let atm = modem.await_up()?;
    // One more kind would halt the endpoint, and have the modem brought back.
    let kinds = [Failure::NoAnswer, Failure::Checksum, Failure::Babble];
    let failures = kinds.into_iter().cycle().take(20).map(Said::Fail);
    modem.modem().say(DATA_OUT, failures);
    let mut pvc = Pvc::open(atm.number, OURS.vpi.into(), OURS.vci.into(), MAX_SDU)?;
    while modem.modem().unheard() > 0 {
        pvc.send(&[1; 100])?;
    }
    drop(pvc);
    echo(&atm, 8, 36, 1500, 3).context("after the failures")?;
    complaints_are_rare(&ground, &modem, "sending cells failed")?;
    ground.end(vec![modem])
}

/// Cells of a connection that nobody has open are counted, and told of when the modem goes: whoever
/// has the wrong numbers finds the right ones there.
pub fn cells_for_nobody_are_told_of() -> Result<()> {
    let ground = Ground::new()?;
    let modem = Plugged::new(options(2).running())?;
    modem.await_up()?;
    let cells = vec![empty(NOBODYS, Pti::User); 100];
    modem.modem().say(DATA_IN, whole(&cells));
    // The last transfer has ended, and its handler with it, before the next one comes to the modem.
    let said = whole(&[empty(OURS, Pti::User)]);
    modem.modem().say(DATA_IN, said);
    wait_until("all was heard", || modem.modem().unheard() == 0)?;
    unplug_all([modem])?;
    let told = "101 cells came for connections that nobody had open, the last for 8.35";
    wait_until("the log tells of them", || ground.log.has(told))?;
    ground.end(Vec::new())
}

/// An endpoint halts: the driver brings the modem back, and its connections stay.
pub fn halted_endpoints_are_cleared() -> Result<()> {
    let ground = Ground::new()?;
    let modem = Plugged::new(options(2).running())?;
    let atm = modem.await_up()?;
    for endpoint in [DATA_IN, DATA_OUT] {
        modem.modem().say(endpoint, [Said::Halt]);
        // It halts when a packet comes its way.
        let lost = echo(&atm, 8, 36, 100, 1);
        ensure!(lost.is_err(), "a packet went through {endpoint:#x}");
        let halted = |what: &What| *what == What::Stalled { endpoint };
        modem.await_event("halt", halted)?;
        let flows = || echo(&atm, 8, 36, 100, 1).is_ok();
        wait_until("packets come and go again", flows)?;
    }
    ground.end(vec![modem])
}
