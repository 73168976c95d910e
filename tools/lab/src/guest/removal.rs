//! Taking modems away: by which means, and how long it takes.

use std::fs;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::costs::alive;
use super::phases::Phase;
use super::plugged::{LIMIT, Plugged, wait_until};
use super::scenarios::Scenario;
use super::sysfs::{self, AtmDevice};
use super::{Host, firmware, modules};
use crate::protocol::{Driver, FromGuest, Measurement, Took};

/// The scenarios of this file.
pub const SCENARIOS: &[(&str, Scenario)] =
    &[("removal::unplug_in_an_unbind", |_| unplug_in_an_unbind())];

/// How a modem is taken from its driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Means {
    /// The plug is pulled.
    Unplug,
    /// The driver is unbound through sysfs.
    Unbind,
    /// The driver's module is removed.
    Rmmod,
}

impl Means {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Unplug, Self::Unbind, Self::Rmmod];

    /// Its name in the names of scenarios.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unplug => "unplug",
            Self::Unbind => "unbind",
            Self::Rmmod => "rmmod",
        }
    }

    /// The one with this name.
    pub fn parse(name: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|means| means.name() == name);
        found.with_context(|| format!("the means are {:?}", Self::ALL.map(Self::name)))
    }
}

/// Takes these modems away by `means`, and measures how long it takes until their
/// driver has let go of all of them; gives up after `limit`.
pub fn remove<'a>(
    modems: impl IntoIterator<Item = &'a Plugged>,
    means: Means,
    limit: Duration,
) -> Result<Took> {
    let modems: Vec<_> = modems.into_iter().collect();
    let folders: Vec<_> = modems.iter().map(|modem| modem.folder()).collect();
    let interfaces: Vec<_> = modems.iter().map(|modem| modem.interface()).collect();
    let (sender, done) = channel();
    let started = Instant::now();
    if means == Means::Unplug {
        for modem in modems {
            modem.modem().unplug();
        }
    }
    // The call may not come back before the limit: it blocks in the kernel.
    thread::spawn(move || {
        let result = match means {
            Means::Unplug => {
                await_gone(&folders);
                Ok(())
            }
            Means::Unbind => interfaces.iter().try_for_each(unbind),
            Means::Rmmod => modules::rmmod("speedtch"),
        };
        let _ = sender.send((result, started.elapsed()));
    });
    match done.recv_timeout(limit) {
        Ok((result, took)) => result.map(|()| Took::Ms(took.as_secs_f64() * 1000.0)),
        Err(_) => Ok(Took::MoreThanMs(limit.as_secs_f64() * 1000.0)),
    }
}

/// Waits until none of these folders is there any more.
fn await_gone(folders: &[PathBuf]) {
    for folder in folders {
        while folder.exists() {
            thread::sleep(Duration::from_micros(500));
        }
    }
}

/// Takes the driver off the interface with this name.
fn unbind(interface: &String) -> Result<()> {
    fs::write("/sys/bus/usb/drivers/speedtch/unbind", interface)
        .with_context(|| format!("cannot unbind {interface}"))
}

/// The plugs of some modems are pulled while the driver is taken off them, at one moment after the
/// other, with isochronous transfers that end and are submitted again all the time.
fn unplug_in_an_unbind() -> Result<()> {
    const ROUNDS: u32 = 8;
    const MODEMS: u8 = 4;
    // The stock one loses transfers then.
    let taint = fs::read_to_string("/sys/module/vhci_hcd/taint")?;
    ensure!(taint.contains('O'), "the host controller is the stock one");
    let mut unbound = 0;
    modules::insmod(Driver::Ours, "usbatm", "")?;
    modules::insmod(Driver::Ours, "speedtch", "enable_isoc=1")?;
    for round in 0..ROUNDS {
        let modems: Vec<_> = (1..=MODEMS)
            .map(|number| Plugged::new(alive(number)))
            .collect::<Result<_>>()?;
        for modem in &modems {
            modem.await_up()?;
        }
        let (sender, done) = channel();
        for modem in &modems {
            let (interface, sender) = (modem.interface(), sender.clone());
            thread::spawn(move || {
                let _ = sender.send(unbind(&interface));
            });
        }
        for modem in &modems {
            thread::sleep(round * Duration::from_millis(2) / ROUNDS);
            modem.modem().unplug();
        }
        for _ in &modems {
            let result = done.recv_timeout(LIMIT);
            let result = result.with_context(|| format!("the driver is held, in round {round}"))?;
            // It is gone already where the plug was faster.
            unbound += usize::from(result.is_ok());
        }
    }
    ensure!(unbound > 0, "the plug was always faster");
    modules::unload()?;
    nothing_is_left()
}

/// How long a measurement waits for a driver that blocks.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Takes so many modems away at once, and tells the host how long it took.
pub fn measure(driver: Driver, phase: &str, means: &str, modems: u8, host: &Host) -> Result<()> {
    let (phase, means) = (Phase::parse(phase)?, Means::parse(means)?);
    let modems = phase.reach_all(driver, modems)?;
    let took = remove(modems.iter().map(Deref::deref), means, PATIENCE)?;
    host.say(&FromGuest::Measured(Measurement {
        what: format!("{}, {}", phase.name(), means.name()),
        driver,
        took,
    }));
    if let Took::Ms(_) = took {
        drop(modems);
        wait_until("nothing is left", || nothing_is_left().is_ok())?;
        modules::unload()?;
    }
    Ok(())
}

/// Makes sure that the driver left nothing of its modems behind: no thread, no
/// ATM device, no wait for firmware.
pub fn nothing_is_left() -> Result<()> {
    let threads = sysfs::driver_threads();
    ensure!(threads.is_empty(), "threads are left: {threads:?}");
    let devices = AtmDevice::all();
    ensure!(devices.is_empty(), "ATM devices are left: {devices:?}");
    ensure!(!firmware::is_awaited(), "a request for firmware is left");
    Ok(())
}
