//! Power comes and goes: the machine sleeps, a port is switched off, a modem wakes up reset.
//!
//! The virtual host controller has no part in the machine's sleep. So those here are about what
//! the USB core does with a modem alone; the others, in [`outside`], have a host controller of
//! QEMU's. For three of those the debug kernel has no place: `tests/debug.rs` says which, and why.

pub mod outside;

use std::fs;

use anyhow::{Context, Result, bail, ensure};
use modem::{Crash, Fault, What};

use super::kept::Kept;
use super::kmsg::Kmsg;
use super::life::gone;
use super::plugged::{Plugged, options, wait_until};
use super::removal::{Means, nothing_is_left};
use super::scenarios::Scenario;
use super::uevents::Uevents;
use super::{asleep, firmware, modules};
use crate::protocol::Driver;

/// The scenarios of this file.
pub const SCENARIOS: &[(&str, Scenario)] = &[
    ("power::reset_resume_of_a_running_modem", |_| {
        reset_resume(false)
    }),
    ("power::reset_resume_of_one_without_firmware", |_| {
        reset_resume(true)
    }),
    ("power::reset_resume_and_unbind", |_| {
        goes_when_it_wakes_up(Means::Unbind)
    }),
    ("power::reset_resume_and_rmmod", |_| {
        goes_when_it_wakes_up(Means::Rmmod)
    }),
    ("power::reset_resume_of_a_silent_modem", |_| {
        silent_when_it_wakes_up()
    }),
    ("power::killed_task_wakes_a_modem_up", |_| {
        killed_task_wakes_a_modem_up()
    }),
    ("power::freezer_while_firmware_is_awaited", |_| {
        freezer_while_firmware_is_awaited()
    }),
    ("power::freezer_leaves_a_modem_alone", |_| {
        freezer_leaves_a_modem_alone()
    }),
];

/// Has the kernel reset a modem of this kind when it wakes up, as one that is known to be lost
/// after it has slept.
struct ResetAtResume;

impl ResetAtResume {
    const QUIRKS: &str = "/sys/module/usbcore/parameters/quirks";

    fn new() -> Result<Self> {
        fs::write(Self::QUIRKS, "06b9:4061:b").context("no quirks")?;
        Ok(Self)
    }
}

impl Drop for ResetAtResume {
    fn drop(&mut self) {
        let _ = fs::write(Self::QUIRKS, "");
    }
}

/// Sends the modems to sleep and wakes them, without the machine.
fn doze() -> Result<()> {
    modules::insmod(Driver::Ours, "usb_sleep", "")?;
    modules::rmmod("usb_sleep")
}

/// A modem wakes up and is reset, with its firmware or without: it is used again, with its
/// connections.
fn reset_resume(forgets: bool) -> Result<()> {
    let _quirk = ResetAtResume::new()?;
    let uevents = Uevents::from_now()?;
    let modem = options(1);
    let mut kept = Kept::of(if forgets {
        modem.fault(Fault::ForgetsAtReset)
    } else {
        modem
    })?;
    let resets = |kept: &Kept| {
        let events = kept.modem.modem().events();
        let is_reset = events.iter().filter(|event| event.what == What::Reset);
        is_reset.count()
    };
    let before = resets(&kept);
    doze()?;
    ensure!(resets(&kept) > before, "it was not reset");
    kept.modem.await_told(&uevents, "usable", 2)?;
    kept.works()?;
    gone(&kept.modem, Means::Unbind)
}

/// A modem goes that has just woken up without its firmware, and takes it again.
fn goes_when_it_wakes_up(means: Means) -> Result<()> {
    let _quirk = ResetAtResume::new()?;
    let kept = Kept::of(options(1).fault(Fault::ForgetsAtReset))?;
    doze()?;
    let taken = |modem: &Plugged| modem.modem().progress().total();
    wait_until("it takes its firmware again", || taken(&kept.modem) > 0)?;
    gone(&kept.modem, means)
}

/// How long the kernel waits for the first descriptor, each of a score of times.
struct Patience(String);

impl Patience {
    const FILE: &str = "/sys/module/usbcore/parameters/initial_descriptor_timeout";

    fn of_msecs(msecs: u32) -> Result<Self> {
        let before = fs::read_to_string(Self::FILE)?;
        fs::write(Self::FILE, msecs.to_string()).context("no patience")?;
        Ok(Self(before))
    }
}

impl Drop for Patience {
    fn drop(&mut self) {
        let _ = fs::write(Self::FILE, &self.0);
    }
}

/// A modem answers nothing at all when it wakes up. The USB core gives it up, and so does the
/// driver: its connections are told.
fn silent_when_it_wakes_up() -> Result<()> {
    let _quirk = ResetAtResume::new()?;
    let _patience = Patience::of_msecs(100)?;
    let mut kept = Kept::of(options(1))?;
    kept.modem.modem().crash(Crash::Die);
    doze()?;
    let device = format!("/sys/bus/usb/devices/{}", kept.modem.device());
    wait_until("the kernel gives it up", || {
        !fs::exists(&device).unwrap_or(true)
    })?;
    wait_until("nothing is left", || nothing_is_left().is_ok())?;
    ensure!(kept.is_lost(), "its connection lives on");
    Ok(())
}

/// The task that wakes a modem up is killed, and gets no thread for it: there is one later. The
/// kernel may be quicker with the thread than the task is with its death: then it is tried again.
/// Until it has one, the modem says so, and that nothing is known of its line.
fn killed_task_wakes_a_modem_up() -> Result<()> {
    const TRIES: usize = 50;
    let uevents = Uevents::from_now()?;
    let mut kept = Kept::of(options(1))?;
    let log = Kmsg::from_now();
    for sleeps in 1..=TRIES {
        modules::insmod_by_another("usb_sleep", "die=1")?;
        modules::rmmod("usb_sleep")?;
        let files = ["line", "phase"].map(|name| kept.modem.file(name));
        let has_carrier = kept.atm.has_carrier();
        let is_alone =
            kept.modem.threads().is_empty() && kept.modem.times_told(&uevents, "usable") == sleeps;
        ensure!(
            !is_alone || (files == ["unknown", "waiting for its thread"] && !has_carrier),
            "without a thread its line and its phase are {files:?}, the carrier {has_carrier}"
        );
        kept.modem.await_told(&uevents, "usable", sleeps + 1)?;
        if log.has("no thread yet") {
            return kept.works();
        }
    }
    bail!("it had a thread all the same")
}

/// The machine goes to sleep as far as the freezer, while a driver waits for firmware that nobody
/// delivers: it does not keep the machine awake, and asks again afterwards.
fn freezer_while_firmware_is_awaited() -> Result<()> {
    modules::load(Driver::Ours)?;
    firmware::withhold()?;
    let modem = Plugged::new(options(1))?;
    wait_until("firmware is awaited", firmware::is_awaited)?;
    asleep::sleep(0)?;
    comes_up_late(|| modem.file("line"))
}

/// It is awaited again now. The files come late, and are taken.
fn comes_up_late(line: impl Fn() -> String) -> Result<()> {
    wait_until("firmware is awaited again", firmware::is_awaited)?;
    firmware::install()?;
    wait_until("the line is up", || {
        // What is asked for was asked for when there were no files.
        firmware::refuse();
        line() == "up"
    })
}

/// A machine that goes no further to sleep than to the freezer does not disturb a modem that is up.
fn freezer_leaves_a_modem_alone() -> Result<()> {
    let uevents = Uevents::from_now()?;
    let mut kept = Kept::of(options(1))?;
    asleep::sleep(0)?;
    kept.works()?;
    let told = kept.modem.told(&uevents);
    ensure!(
        told == ["usable", "line-up"],
        "user space was told {told:?}"
    );
    gone(&kept.modem, Means::Unbind)
}
