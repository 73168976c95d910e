//! Modems are taken away in every phase of their life and by every means, one or
//! eight; and whatever they are at, other devices are served.

use std::ops::Deref;
use std::time::Instant;

use anyhow::{Result, bail, ensure};
use modem::What;

use super::costs::ms;
use super::hub;
use super::phases::{Phase, Reached};
use super::plugged::{LIMIT, Plugged, options, wait_until};
use super::removal::{Means, PATIENCE, nothing_is_left, remove};
use super::scenarios::Scenario;
use super::{Host, firmware, modules};
use crate::protocol::{Driver, FromGuest, Measurement, Took};

/// The scenarios here that are not one of many.
pub const SCENARIOS: &[(&str, Scenario)] = &[
    ("c_driver_holds_the_hub", |_| c_driver_holds_the_hub()),
    ("probe_asks_nothing", |_| probe_asks_nothing()),
];

/// What all names here begin with.
const STOP: &str = "stop::";

/// How many modems are many: a virtual host controller has eight ports in the debug kernel.
const MANY: u8 = 8;

/// The product of no driver.
const UNKNOWN: u16 = 0x0bad;

/// A scenario of which there is one for each phase.
#[derive(Clone, Copy)]
enum Kind {
    /// One modem goes.
    One(Means),
    /// Eight modems go at once.
    Eight(Means),
    /// Other devices come.
    Others,
}

impl Kind {
    fn all() -> impl Iterator<Item = Self> {
        let one = Means::ALL.into_iter().map(Self::One);
        let eight = Means::ALL.into_iter().map(Self::Eight);
        one.chain(eight).chain([Self::Others])
    }

    fn name(self, phase: Phase) -> String {
        let phase = phase.name();
        match self {
            Self::One(means) => format!("{STOP}{phase}::{}", means.name()),
            Self::Eight(means) => format!("{STOP}eight::{phase}::{}", means.name()),
            Self::Others => format!("{STOP}others::{phase}"),
        }
    }

    fn play(self, phase: Phase) -> Result<()> {
        match self {
            Self::One(means) => stop(phase, means, 1),
            Self::Eight(means) => stop(phase, means, MANY),
            Self::Others => others_come(phase),
        }
    }
}

/// All kinds in all phases.
fn all() -> impl Iterator<Item = (Kind, Phase)> {
    Kind::all().flat_map(|kind| Phase::ALL.map(|phase| (kind, phase)))
}

/// The names of the scenarios of which there is one for each phase.
pub fn names() -> impl Iterator<Item = String> {
    all().map(|(kind, phase)| kind.name(phase))
}

/// Plays the one of them with this name, if there is one.
pub fn play(name: &str) -> Option<Result<()>> {
    let (kind, phase) = all().find(|(kind, phase)| kind.name(*phase) == name)?;
    Some(kind.play(phase))
}

/// So many modems are taken away in some phase by some means: the driver lets go of them,
/// and nothing is left.
fn stop(phase: Phase, means: Means, count: u8) -> Result<()> {
    // Not even between two names does the kernel give up by itself.
    firmware::wait_long()?;
    let mut modems = phase.reach_all(Driver::Ours, count)?;
    if let Took::MoreThanMs(limit) = remove(modems.iter().map(Deref::deref), means, LIMIT)? {
        bail!("not done after {limit} ms");
    }
    modems.iter_mut().for_each(Reached::close);
    nothing_is_left()?;
    drop(modems);
    modules::unload()
}

/// A device that has nothing to do with modems.
fn other(number: u8) -> Result<Plugged> {
    Plugged::new(options(number).product(UNKNOWN))
}

impl Plugged {
    /// Whether the kernel has found it and selected its configuration.
    fn is_configured(&self) -> bool {
        let events = self.modem().events();
        events.iter().any(|event| is_configured(&event.what))
    }
}

/// Whether the kernel has found a device and selects its configuration.
fn is_configured(what: &What) -> bool {
    matches!(what, What::Configured { .. })
}

/// A device is plugged in beside a modem in some phase, and another one in the moment in which
/// the modem is pulled out. Both are found while nothing has been done for the modem.
fn others_come(phase: Phase) -> Result<()> {
    modules::load(Driver::Ours)?;
    let mut modem = phase.reach(1)?;
    let beside = other(2)?;
    hub::served_until("a device beside the modem is found", || {
        beside.is_configured()
    })?;
    modem.modem().unplug();
    let behind = other(3)?;
    behind.await_configured()?;
    // The other may be where it was.
    wait_until("the driver has let go of the modem", || !modem.is_bound())?;
    modem.close();
    wait_until("nothing is left", || nothing_is_left().is_ok())
}

/// Pulls out a modem that is in some phase, if there is to be one, plugs in another device at once,
/// and tells the host how long that takes to be found.
pub fn measure_other(driver: Driver, phase: Option<&str>, host: &Host) -> Result<()> {
    let phase = phase.map(Phase::parse).transpose()?;
    firmware::wait_long()?;
    let modems = match phase {
        Some(phase) => phase.reach_all(driver, 1)?,
        None => modules::load(driver).map(|()| Vec::new())?,
    };
    let began = Instant::now();
    for modem in &modems {
        modem.modem().unplug();
    }
    let behind = other(2)?;
    let found = behind.modem().wait_for(PATIENCE, is_configured);
    let took = found.map_or(Took::MoreThanMs(ms(PATIENCE)), |_| {
        Took::Ms(ms(began.elapsed()))
    });
    host.say(&FromGuest::Measured(Measurement {
        what: "another device".to_owned(),
        driver,
        took,
    }));
    if let Took::Ms(_) = took {
        drop((behind, modems));
        wait_until("nothing is left", || nothing_is_left().is_ok())?;
        modules::unload()?;
    }
    Ok(())
}

/// What the scenarios of other devices would notice: the C driver waits for firmware on the
/// thread that serves all devices, and what is plugged in then is found when it has it.
fn c_driver_holds_the_hub() -> Result<()> {
    modules::load(Driver::C)?;
    let modem = Phase::FirmwareWait.reach(1)?;
    modem.modem().unplug();
    let behind = other(2)?;
    wait_until("the hub is held", hub::is_in_modem_driver)?;
    let was_found = behind.is_configured();
    wait_until("the C driver has been let go", || {
        firmware::refuse();
        !modem.folder().exists()
    })?;
    behind.await_configured()?;
    ensure!(!was_found, "it was found while the hub was held");
    Ok(())
}

/// Probe has returned while the modem is asked whether it is alive.
fn probe_asks_nothing() -> Result<()> {
    /// On a slow machine a modem has been given up before we look. A driver that asks in its probe
    /// is never found not to.
    const ATTEMPTS: usize = 20;
    modules::load(Driver::Ours)?;
    for _ in 0..ATTEMPTS {
        let modem = Phase::AliveCheck.reach(1)?;
        if is_asked_after_probe(&modem)? {
            return Ok(());
        }
    }
    bail!("of {ATTEMPTS} modems, none was asked anything after its probe")
}

/// Whether a modem, which keeps its answers to itself, is still asked the first thing when its
/// probe has returned: the driver core makes the files of a modem then, and not before.
fn is_asked_after_probe(modem: &Plugged) -> Result<bool> {
    let is_over = || {
        let events = modem.modem().events();
        let is_it = |what: &What| matches!(what, What::Unlinked { .. });
        events.iter().any(|event| is_it(&event.what))
    };
    let is_probed = || !modem.file("phase").is_empty();
    wait_until("probe or question is over", || is_probed() || is_over())?;
    Ok(is_probed() && !is_over())
}
