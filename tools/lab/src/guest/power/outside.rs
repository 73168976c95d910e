//! The machine goes to sleep, all of it, and wakes up. Its host controller is one of QEMU's, and
//! the modems are outside of it.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::comes_up_late;
use crate::guest::atmpvc::Pvc;
use crate::guest::plugged::{LIMIT, wait_until};
use crate::guest::removal::nothing_is_left;
use crate::guest::scenarios::{Scenario, echo};
use crate::guest::sysfs::AtmDevice;
use crate::guest::uevents::Uevents;
use crate::guest::{Host, firmware, modules};
use crate::protocol::{Driver, FromGuest, Outside, OutsideModem, Place};

/// The scenarios of this file.
pub const SCENARIOS: &[(&str, Scenario)] = &[
    ("power::comes_up_at_a_controller", |host| {
        comes_up(host, Place::Controller)
    }),
    ("power::comes_up_at_a_hub", |host| {
        comes_up(host, Place::Hub)
    }),
    ("power::comes_up_at_ehci", |host| {
        comes_up(host, Place::Ehci)
    }),
    ("power::sleep_of_a_running_modem", |host| {
        is_survived(sleep, host, Place::Controller, false)
    }),
    ("power::sleep_of_one_that_loses_its_firmware", |host| {
        is_survived(sleep, host, Place::Controller, true)
    }),
    ("power::sleep_of_a_hub", |host| {
        is_survived(sleep, host, Place::Hub, true)
    }),
    ("power::sleep_at_ehci", |host| {
        is_survived(sleep, host, Place::Ehci, true)
    }),
    ("power::hibernation_up_to_the_image", |host| {
        is_survived(hibernate, host, Place::Controller, true)
    }),
    ("power::sleep_in_the_upload", sleep_in_the_upload),
    (
        "power::sleep_while_firmware_is_awaited",
        sleep_while_firmware_is_awaited,
    ),
    (
        "power::port_is_switched_off_and_on",
        port_is_switched_off_and_on,
    ),
    ("power::hub_goes_with_a_running_modem", |host| {
        hub_goes(host, |modem| {
            let atm = modem.await_up()?;
            Ok(Some(Pvc::open(atm.number, 8, 35, 1500)?))
        })
    }),
    ("power::hub_goes_in_the_upload", |host| {
        hub_goes(host, |modem| modem.await_third().map(|()| None))
    }),
];

/// A modem outside of the machine.
struct Distant<'a> {
    host: &'a Host,
    device: String,
}

impl Drop for Distant<'_> {
    /// Pulls it out, and lets the kernel notice.
    fn drop(&mut self) {
        self.host.say(&FromGuest::Outside(Outside::Pull));
        let deadline = Instant::now() + LIMIT;
        while self.is_there() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(2));
        }
    }
}

impl<'a> Distant<'a> {
    /// Plugs it in, and waits until the kernel has found it.
    fn plug(host: &'a Host, place: Place, forgets: bool) -> Result<Self> {
        const NUMBER: u8 = 1;
        for module in controllers(place) {
            modules::modprobe(module)?;
        }
        let modem = OutsideModem {
            place,
            number: NUMBER,
            forgets,
        };
        host.say(&FromGuest::Outside(Outside::Plug(modem)));
        let mut device = None;
        wait_until("the kernel finds the modem", || {
            device = find(&format!("0090D00001{NUMBER:02X}"));
            device.is_some()
        })?;
        let device = device.context("it went away")?;
        Ok(Self { host, device })
    }

    fn is_there(&self) -> bool {
        fs::exists(format!("/sys/bus/usb/devices/{}", self.device)).unwrap_or(false)
    }

    /// What one of the driver's files holds; nothing where there is none.
    fn file(&self, name: &str) -> String {
        let file = format!("/sys/bus/usb/devices/{}:1.0/{name}", self.device);
        let text = fs::read_to_string(file).unwrap_or_default();
        text.trim_end_matches('\n').to_owned()
    }

    fn await_file(&self, name: &str, value: &str) -> Result<()> {
        wait_until(&format!("the file {name} says {value:?}"), || {
            self.file(name) == value
        })
        .with_context(|| format!("it says {:?}", self.file(name)))
    }

    fn await_third(&self) -> Result<()> {
        wait_until("a third is uploaded", || {
            self.file("firmware_sent").parse().unwrap_or(0) > firmware::TOTAL / 3
        })
    }

    fn await_up(&self) -> Result<AtmDevice> {
        self.await_file("line", "up")?;
        AtmDevice::of(&self.device).context("it has no ATM device")
    }
}

/// The drivers of the place's host controller.
fn controllers(place: Place) -> &'static [&'static str] {
    match place {
        Place::Controller | Place::Hub => &["xhci-pci"],
        Place::Ehci => &["ehci-pci", "uhci-hcd"],
    }
}

/// The USB device with this serial number.
fn find(serial: &str) -> Option<String> {
    let devices = fs::read_dir("/sys/bus/usb/devices").ok()?;
    let mut names = devices.filter_map(|entry| Some(entry.ok()?.file_name().to_str()?.to_owned()));
    names.find(|name| {
        let said = fs::read_to_string(format!("/sys/bus/usb/devices/{name}/serial"));
        said.is_ok_and(|said| said.trim() == serial)
    })
}

/// The machine goes to sleep, all of it, and is woken up from outside.
fn sleep() -> Result<()> {
    fs::write("/sys/power/state", "mem").context("the machine does not go to sleep")
}

/// The machine does all that comes before it writes down its memory and switches itself off, and
/// all that comes after it has not: it has nothing to write its memory to.
fn hibernate() -> Result<()> {
    fs::write("/sys/power/pm_test", "platform")?;
    let slept = fs::write("/sys/power/state", "disk");
    fs::write("/sys/power/pm_test", "none")?;
    slept.context("the machine does not hibernate")
}

/// A modem comes up at a host controller that is no program, carries packets, and goes.
fn comes_up(host: &Host, place: Place) -> Result<()> {
    modules::load(Driver::Ours)?;
    firmware::install()?;
    let modem = Distant::plug(host, place, false)?;
    let atm = modem.await_up()?;
    for length in [1, 40, 41, 1500, 9180, 65535] {
        echo(&atm, 8, 35, length, 3).with_context(|| format!("packets of {length} bytes"))?;
    }
    drop(modem);
    wait_until("the ATM device is gone", || AtmDevice::all().is_empty())?;
    nothing_is_left()
}

/// The machine falls asleep, and everything on its USB loses its power. The modem is brought back,
/// with its connections.
fn is_survived(sleep: fn() -> Result<()>, host: &Host, place: Place, forgets: bool) -> Result<()> {
    let uevents = Uevents::from_now()?;
    modules::load(Driver::Ours)?;
    firmware::install()?;
    let modem = Distant::plug(host, place, forgets)?;
    let atm = modem.await_up()?;
    let mut pvc = Pvc::open(atm.number, 8, 35, 1500)?;
    there_and_back(&mut pvc).context("before the machine sleeps")?;
    sleep()?;
    wait_until("user space is told that the modem is back", || {
        let told = uevents.values(&format!("{}:1.0", modem.device), "USBATM_EVENT");
        told.iter().filter(|event| *event == "usable").count() == 2
    })?;
    let after = modem.await_up()?;
    ensure!(
        after.number == atm.number && AtmDevice::all().len() == 1,
        "it has another ATM device"
    );
    there_and_back(&mut pvc).context("on the connection that was kept")?;
    drop(modem);
    drop(pvc);
    wait_until("the ATM device is gone", || AtmDevice::all().is_empty())?;
    nothing_is_left()
}

fn there_and_back(pvc: &mut Pvc) -> Result<()> {
    let mut back = [0; 1500];
    pvc.send(&[0x5a; 1500]).context("cannot send")?;
    let length = pvc.receive(&mut back).context("nothing came back")?;
    ensure!(
        back[..length] == [0x5a; 1500],
        "what came back is different"
    );
    Ok(())
}

/// The machine sleeps while a modem takes its firmware. It begins anew.
fn sleep_in_the_upload(host: &Host) -> Result<()> {
    modules::load(Driver::Ours)?;
    firmware::install()?;
    let modem = Distant::plug(host, Place::Controller, false)?;
    modem.await_third()?;
    sleep()?;
    modem.await_up().map(drop)
}

/// The machine sleeps while a driver waits for firmware that nobody delivers: it does not keep the
/// machine awake, and asks again afterwards.
fn sleep_while_firmware_is_awaited(host: &Host) -> Result<()> {
    modules::load(Driver::Ours)?;
    firmware::withhold()?;
    let modem = Distant::plug(host, Place::Controller, false)?;
    wait_until("firmware is awaited", firmware::is_awaited)?;
    sleep()?;
    comes_up_late(|| modem.file("line"))
}

/// The port of a modem loses its power and gets it back. That is a new modem to the kernel, which
/// comes up like one; the connections of the old one are told that it is gone.
fn port_is_switched_off_and_on(host: &Host) -> Result<()> {
    modules::load(Driver::Ours)?;
    firmware::install()?;
    let modem = Distant::plug(host, Place::Hub, true)?;
    let atm = modem.await_up()?;
    let mut pvc = Pvc::open(atm.number, 8, 35, 1500)?;
    there_and_back(&mut pvc)?;
    let port = fs::canonicalize(format!("/sys/bus/usb/devices/{}/port", modem.device))?;
    fs::write(port.join("disable"), "1").context("the port is not switched off")?;
    ensure!(!modem.is_there(), "the modem has power without its port");
    nothing_is_left()?;
    ensure!(there_and_back(&mut pvc).is_err(), "its connection lives on");
    fs::write(port.join("disable"), "0").context("the port is not switched on")?;
    let atm = modem.await_up()?;
    echo(&atm, 8, 35, 1500, 1).map(drop)
}

/// A hub is pulled out with a modem in it that has come so far, and plugged in again, with the
/// modem. That is a new modem to the kernel; nothing is left of the old one, and the connection
/// that it may have had is told.
fn hub_goes(host: &Host, comes: fn(&Distant<'_>) -> Result<Option<Pvc>>) -> Result<()> {
    modules::load(Driver::Ours)?;
    firmware::install()?;
    let modem = Distant::plug(host, Place::Hub, true)?;
    let pvc = comes(&modem)?;
    host.say(&FromGuest::Outside(Outside::PullHub));
    wait_until("the modem is gone", || !modem.is_there())?;
    wait_until("nothing is left", || nothing_is_left().is_ok())?;
    if let Some(mut pvc) = pvc {
        ensure!(there_and_back(&mut pvc).is_err(), "its connection lives on");
    }
    drop(modem);
    host.say(&FromGuest::Outside(Outside::PlugHub));
    let modem = Distant::plug(host, Place::Hub, true)?;
    let atm = modem.await_up()?;
    echo(&atm, 8, 35, 1500, 1).map(drop)
}
