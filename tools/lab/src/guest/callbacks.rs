//! Modems that go while user space is in the middle of what it asks of them: it opens, closes,
//! sends and receives, makes requests, reads and writes the files of the modem and of its ATM
//! device.
//!
//! Whatever it was at, it ends, with an error that says what happened; and the modules can go.

mod callers;
mod held;
mod userfault;

use anyhow::{Result, bail, ensure};

use self::callers::{Caller, Device};
use super::atmpvc::Pvc;
use super::kmsg::Kmsg;
use super::plugged::{LIMIT, Plugged, options, wait_until};
use super::removal::{Means, nothing_is_left, remove};
use super::scenarios::Scenario;
use super::surface::fill;
use super::sysfs::AtmDevice;
use super::{firmware, modules};
use crate::protocol::{Driver, Took};

/// The scenarios of this file.
pub const SCENARIOS: &[(&str, Scenario)] = &[
    ("callbacks::in_loops::unplug", |_| in_loops(Means::Unplug)),
    ("callbacks::in_loops::unbind", |_| in_loops(Means::Unbind)),
    ("callbacks::in_loops::rmmod", |_| in_loops(Means::Rmmod)),
    ("callbacks::waiting::unplug", |_| waiting(Means::Unplug)),
    ("callbacks::waiting::unbind", |_| waiting(Means::Unbind)),
    ("callbacks::waiting::rmmod", |_| waiting(Means::Rmmod)),
    ("callbacks::held::unplug", |_| held::in_calls(Means::Unplug)),
    ("callbacks::held::unbind", |_| held::in_calls(Means::Unbind)),
    ("callbacks::held::rmmod", |_| held::in_calls(Means::Rmmod)),
    ("callbacks::held::reader_of_proc", |_| {
        held::reader_of_proc()
    }),
];

/// How often a modem goes under its callers.
const ROUNDS: usize = 6;

/// What the log says if a connection does not get its packets back.
const LOST_PACKET: &str = "outlived its connection";

/// A modem whose line is up.
fn running() -> Result<(Plugged, AtmDevice)> {
    firmware::install()?;
    modules::load(Driver::Ours)?;
    let modem = Plugged::new(options(1).running())?;
    let atm = modem.await_up()?;
    modem.await_file("line", "up")?;
    Ok((modem, atm))
}

/// Takes the modem away, and the driver's module.
fn take_away(modem: &Plugged, means: Means) -> Result<()> {
    if let Took::MoreThanMs(limit) = remove([modem], means, LIMIT)? {
        bail!("not gone after {limit} ms");
    }
    nothing_is_left()?;
    if means != Means::Rmmod {
        modules::rmmod("speedtch")?;
    }
    Ok(())
}

/// Many call at once, over and over. A modem goes in the middle of that, just as its line changes,
/// and the modules as soon as they can.
fn in_loops(means: Means) -> Result<()> {
    let log = Kmsg::from_now();
    for _ in 0..ROUNDS {
        let (modem, atm) = running()?;
        let callers = callers::all(&Device::new(&modem, &atm)?);
        for caller in &callers {
            caller.await_busy()?;
        }
        // User space is told of that, too.
        modem.modem().drop_line();
        take_away(&modem, means)?;
        // The core is in use as long as one of them has a connection, or is in a request.
        wait_until("the core goes", || modules::rmmod("usbatm").is_ok())?;
        callers.into_iter().try_for_each(Caller::end)?;
    }
    ensure!(!log.has(LOST_PACKET), "a packet was not given back");
    Ok(())
}

/// One sends more than there is room for, and one receives what does not come: both are told.
fn waiting(means: Means) -> Result<()> {
    firmware::install()?;
    modules::insmod(Driver::Ours, "usbatm", "num_snd_urbs=0")?;
    modules::insmod(Driver::Ours, "speedtch", "")?;
    let modem = Plugged::new(options(1).running())?;
    let atm = modem.await_up()?;
    let mut full = Pvc::open(atm.number, 8, 35, 1500)?;
    full.never_wait()?;
    fill(&mut full)?;
    full.wait_again()?;
    let mut empty = Pvc::open(atm.number, 8, 36, 1500)?;
    let sender = Caller::start("a sender", callers::GOES, move || full.send(&[0x5a; 1500]));
    let receiver = Caller::start("a receiver", callers::GOES, move || {
        empty.receive(&mut [0; 1500]).map(drop)
    });
    // One that begins to receive when the modem is gone is told of the end, not of an error.
    sender.await_asleep()?;
    receiver.await_asleep()?;
    take_away(&modem, means)?;
    sender.end()?;
    receiver.end()?;
    wait_until("the core goes", || modules::rmmod("usbatm").is_ok())
}
