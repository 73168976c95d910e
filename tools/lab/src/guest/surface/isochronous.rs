//! Isochronous transfers, which a parameter asks for.

use anyhow::{Context, Result, ensure};
use modem::{Failure, Fault, Peak, Said};
use wire::speedtch::{ALTSETTING_BULK, ALTSETTING_ISOC, DATA_IN};

use super::super::atmpvc::Pvc;
use super::super::hostile::cells::packet;
use super::super::plugged::{LIMIT, Plugged, options, wait_until};
use super::super::scenarios::{Scenario, echo};
use super::super::sysfs::AtmDevice;
use super::super::uevents::Uevents;
use super::super::{firmware, kmsg::Kmsg, modules, usbfs};
use super::{VC, load, running, setting};
use crate::protocol::Driver;

/// The scenarios of this page.
pub const SCENARIOS: &[(&str, Scenario)] = &[
    ("isochronous::there_and_back", |_| {
        isochronous_there_and_back(Driver::Ours)
    }),
    ("c_driver_isochronous::there_and_back", |_| {
        isochronous_there_and_back(Driver::C)
    }),
    ("isochronous::bus_without_time_for_it", |_| {
        isochronous_on_a_full_bus()
    }),
    ("isochronous::lost_packet_ends_its_cell", |_| {
        lost_packet_ends_its_cell()
    }),
    ("isochronous::lost_packets_cost_what_was_in_them", |_| {
        lost_packets_cost_what_was_in_them(Driver::Ours)
    }),
    (
        "c_driver_isochronous::lost_packets_cost_what_was_in_them",
        |_| lost_packets_cost_what_was_in_them(Driver::C),
    ),
];

/// Packets of many lengths come back in isochronous packets.
fn isochronous_there_and_back(driver: Driver) -> Result<()> {
    load(driver, "", "enable_isoc=1")?;
    let modem = Plugged::new(running())?;
    let atm = modem.await_up()?;
    ensure!(
        setting(&modem) == Some(ALTSETTING_ISOC),
        "the setting is {:?}",
        setting(&modem)
    );
    for length in [1, 40, 41, 900, 1500, 9180, 65535] {
        echo(&atm, 8, 35, length, 3).with_context(|| format!("packets of {length} bytes"))?;
    }
    let counters = modem.modem().counters();
    ensure!(counters.packets > 0, "there were no isochronous packets");
    // 3,392 bytes are three packets and a bit.
    let Peak { transfers, bytes } = modem.modem().peak(DATA_IN);
    ensure!(
        (transfers, bytes) == (4, 3 * 1023),
        "{transfers} transfers of {bytes} bytes"
    );
    drop(modem);
    modules::unload()?;

    // A modem's other settings have no isochronous endpoint.
    let log = Kmsg::from_now();
    load(driver, "", "enable_isoc=1 altsetting=2")?;
    let modem = Plugged::new(running())?;
    let atm = modem.await_up()?;
    ensure!(setting(&modem) == Some(2));
    ensure!(log.has("isochronous transfer not supported - using bulk"));
    echo(&atm, 8, 35, 1500, 2).map(drop)
}

/// A modem has an isochronous endpoint, and selects it, but the bus has no time left for that: its
/// cells come in bulk. It keeps to that when it is brought back, and so its connections.
fn isochronous_on_a_full_bus() -> Result<()> {
    let log = Kmsg::from_now();
    let uevents = Uevents::from_now()?;
    firmware::install()?;
    let modem = Plugged::new(running())?;
    modem.await_configured()?;
    let refuse = format!("isochronous=1 error={}", libc::ENOSPC);
    modules::insmod(Driver::Ours, "usb_refuse", &refuse)?;
    load(Driver::Ours, "", "enable_isoc=1")?;
    let atm = modem.await_up()?;
    ensure!(
        setting(&modem) == Some(ALTSETTING_BULK),
        "the setting is {:?}",
        setting(&modem)
    );
    ensure!(log.has("no time left on the bus for isochronous transfers - using bulk"));
    let mut pvc = Pvc::open(atm.number, 8, 35, 1500)?;
    usbfs::reset(modem.device())?;
    modem.await_told(&uevents, "usable", 2)?;
    pvc.send(&[0x5a; 1500])
        .context("it is another ATM device")?;
    ensure!(pvc.receive(&mut [0; 1500])? == 1500);
    drop((pvc, modem));
    modules::unload()?;
    modules::rmmod("usb_refuse")
}

/// When the bus loses isochronous packets, what was in them is missing, and nothing
/// else: the rest comes through unharmed.
fn lost_packets_cost_what_was_in_them(driver: Driver) -> Result<()> {
    const EVERY: u64 = 20;
    const SENT: u64 = 60;
    const LENGTH: usize = 1500;
    const CELLS: u64 = 32;
    let log = Kmsg::from_now();
    load(driver, "", "enable_isoc=1")?;
    let modem = Plugged::new(running().fault(Fault::LosePackets(EVERY)))?;
    let atm = modem.await_up()?;
    let mut pvc = Pvc::open(atm.number, 8, 35, LENGTH as i32)?;
    let before = modem.modem().counters().packets / EVERY;
    for number in 0..SENT {
        pvc.send(&[number as u8; LENGTH])?;
    }
    let counters = modem.modem().wait_until(LIMIT, |view| {
        (view.counters.cells_out == SENT * CELLS).then_some(view.counters)
    });
    let counters = counters.context("not all cells were sent back")?;
    // One has room for 19 cells, which are of two packets at most.
    let most = 2 * (counters.packets / EVERY - before);
    let came = wait_until("the other packets came", || {
        received(&atm).is_ok_and(|count| count + most >= SENT)
    });
    came.with_context(|| {
        format!(
            "{:?} of {SENT} came, {most} may be lost: {counters:?}",
            received(&atm)
        )
    })?;
    let count = received(&atm)?;
    ensure!(count < SENT, "nothing was lost");
    let mut next = 0;
    for _ in 0..count {
        let mut got = [0; LENGTH];
        let length = pvc.receive(&mut got)?;
        let number = got[0];
        ensure!(
            length == LENGTH && got == [number; LENGTH],
            "packet {number} came changed"
        );
        ensure!(number >= next, "packet {number} came after {next}");
        next = number + 1;
    }
    drop(pvc);
    drop(modem);
    modules::unload()?;
    ensure!(
        driver == Driver::C || log.has("isochronous packets were lost"),
        "nobody tells of the loss"
    );
    Ok(())
}

/// How many AAL5 packets the ATM device has received.
fn received(atm: &AtmDevice) -> Result<u64> {
    let text = atm.proc_lines()?.concat();
    let (_, counts) = text.split_once("), rx ").context("no counts")?;
    let (count, _) = counts.split_once(' ').context("no count")?;
    Ok(count.parse()?)
}

/// An isochronous packet is lost in which a cell ends that began in the one before: the next one
/// begins with a cell, and nobody waits for the end of the other.
fn lost_packet_ends_its_cell() -> Result<()> {
    firmware::install()?;
    modules::insmod(Driver::Ours, "usbatm", "")?;
    modules::insmod(Driver::Ours, "speedtch", "enable_isoc=1")?;
    let modem = Plugged::new(options(1).running())?;
    let atm = modem.await_up()?;
    let mut pvc = Pvc::open(atm.number, VC.vpi.into(), VC.vci.into(), 1500)?;
    let begun = packet(VC, 100)[0][..30].to_vec();
    modem.modem().say(
        DATA_IN,
        [
            Said::Bytes(begun),
            Said::Fail(Failure::Checksum),
            Said::Bytes(packet(VC, 200).concat()),
        ],
    );
    let mut received = [0; 1500];
    let length = pvc
        .receive(&mut received)
        .context("the packet behind it did not come")?;
    ensure!(length == 200, "a packet of {length} bytes came");
    Ok(())
}
