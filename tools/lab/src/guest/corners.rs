//! What seldom happens: a wish in the middle of a try, a cell that ends in a lost packet,
//! transfers that are as large as they may be.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use modem::{Failure, Said, What};
use wire::cell::{CELL_LEN, Vc};
use wire::speedtch::DATA_IN;

use super::atmpvc::Pvc;
use super::hostile::cells::packet;
use super::plugged::{Plugged, options, wait_until};
use super::scenarios::Scenario;
use super::{firmware, modules};
use crate::protocol::Driver;

/// The scenarios of this file.
pub const SCENARIOS: &[(&str, Scenario)] = &[
    ("life::retry_in_a_try_is_one_more", |_| {
        retry_in_a_try_is_one_more()
    }),
    ("isochronous::lost_packet_ends_its_cell", |_| {
        lost_packet_ends_its_cell()
    }),
    ("parameters::largest_transfers_lose_nothing", |_| {
        largest_transfers_lose_nothing()
    }),
];

/// The connection that is open.
const VC: Vc = Vc { vpi: 8, vci: 35 };

impl Plugged {
    /// How often it has been tried: each time, it is asked once whether it is alive.
    fn tries(&self) -> usize {
        let events = self.modem().events();
        let is_asked = |what: &What| matches!(what, What::Vendor { .. });
        events.iter().filter(|event| is_asked(&event.what)).count()
    }
}

/// Who wants a modem to be tried again while it is being tried, wants one more try; not one that is
/// put off for longer and longer, and not any number of them.
fn retry_in_a_try_is_one_more() -> Result<()> {
    /// By itself, it would take longer than anything here is waited for.
    const TRIES: usize = 7;
    /// In which it would be tried several times if it were tried without end.
    const REST: Duration = Duration::from_secs(6);

    firmware::wait_long()?;
    firmware::withhold()?;
    modules::load(Driver::Ours)?;
    let modem = Plugged::new(options(1))?;
    wait_until("it was tried so often", || {
        if firmware::is_awaited() {
            // In the middle of a try, which then fails.
            let _ = modem.retry();
            firmware::refuse();
        }
        modem.tries() >= TRIES
    })?;
    let began = Instant::now();
    while began.elapsed() < REST {
        firmware::refuse();
        thread::sleep(Duration::from_millis(10));
    }
    // The last wish may not have been fulfilled before; the next try by itself is a minute away.
    let more = modem.tries() - TRIES;
    ensure!(more <= 1, "it was tried {more} times more");
    Ok(())
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

/// However many packets a transfer brings, all of them are passed on.
fn largest_transfers_lose_nothing() -> Result<()> {
    const LENGTH: usize = 65_536;

    firmware::install()?;
    modules::insmod(Driver::Ours, "usbatm", &format!("rcv_buf_bytes={LENGTH}"))?;
    modules::insmod(Driver::Ours, "speedtch", "")?;
    let modem = Plugged::new(options(1).running())?;
    let atm = modem.await_up()?;
    let mut pvc = Pvc::open(atm.number, VC.vpi.into(), VC.vci.into(), 1500)?;
    pvc.make_room(16 << 20)?;
    // As small as they can be: each in a cell of its own.
    let count = LENGTH / CELL_LEN;
    let cells = packet(VC, 1).concat().repeat(count);
    modem.modem().say(DATA_IN, [Said::Bytes(cells)]);
    let mut received = [0; 1500];
    for number in 0..count {
        pvc.receive(&mut received)
            .with_context(|| format!("packet {number} of {count} did not come"))?;
    }
    let counted = atm.traffic()?;
    ensure!(
        (counted.rx_errors, counted.rx_drops) == (0, 0),
        "{counted:?}"
    );
    Ok(())
}
