//! The scenarios: each shows one property of the drivers, with a modem that is
//! really plugged in, in the stock kernel.
//!
//! A scenario fails when it returns an error, and also when the kernel reports
//! anything at all meanwhile (the host sees to that). None asserts a time: the
//! limits here only guard against hanging.

use std::collections::BTreeSet;
use std::fs;
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use modem::{Fault, Stage, What};
use wire::speedtch::FIRMWARE_OUT;

use super::atmpvc::Pvc;
use super::plugged::{self, LIMIT, Plugged, followed, options};
use super::removal::{Means, nothing_is_left, remove};
use super::sysfs::{self, AtmDevice};
use super::{
    Host, asleep, callbacks, clients, firmware, hostile, interrupts, kexample, kill, life, line,
    modules, nodes, power, removal, stops, surface, transfers, words,
};
use crate::protocol::{Driver, Took};

/// A scenario.
pub type Scenario = fn(&Host) -> Result<()>;

/// The scenarios that stand alone.
const ALONE: &[(&str, Scenario)] = &[
    ("modules_load_alone", |_| modules_load_alone()),
    ("modem_comes_up", |_| comes_up(Driver::Ours)),
    ("c_driver_comes_up", |_| comes_up(Driver::C)),
    ("alive_modem_needs_no_firmware", |_| {
        alive_modem_needs_no_firmware()
    }),
    (
        "two_modems_upload_in_parallel",
        two_modems_upload_in_parallel,
    ),
    ("line_state_is_followed", |_| line_state_is_followed()),
    ("aal5_there_and_back", |_| aal5_there_and_back(Driver::Ours)),
    ("c_driver_aal5_there_and_back", |_| {
        aal5_there_and_back(Driver::C)
    }),
    ("several_vccs_at_once", |_| several_vccs_at_once()),
    ("unplug_with_open_vcc_and_traffic", |_| {
        unplug_with_open_vcc_and_traffic()
    }),
    ("unplug_at_fifty_bytes", unplug_at_fifty_bytes),
    ("missing_firmware_is_said", |_| missing_firmware_is_said()),
    ("first_thread_counts_and_goes", |_| {
        first_thread_counts_and_goes()
    }),
    ("detached_thread_keeps_its_module", |_| {
        detached_thread_keeps_its_module()
    }),
];

/// All scenarios that have a name of their own.
fn alone() -> impl Iterator<Item = &'static (&'static str, Scenario)> {
    ALONE
        .iter()
        .chain(kexample::SCENARIOS)
        .chain(asleep::SCENARIOS)
        .chain(callbacks::SCENARIOS)
        .chain(hostile::SCENARIOS)
        .chain(removal::SCENARIOS)
        .chain(interrupts::SCENARIOS)
        .chain(surface::SCENARIOS)
        .chain(surface::isochronous::SCENARIOS)
        .chain(kill::SCENARIOS)
        .chain(life::SCENARIOS)
        .chain(life::recovery::SCENARIOS)
        .chain(line::SCENARIOS)
        .chain(nodes::SCENARIOS)
        .chain(power::SCENARIOS)
        .chain(transfers::SCENARIOS)
        .chain(words::SCENARIOS)
        .chain(stops::SCENARIOS)
}

/// The names of the scenarios that need Debian's clients of a modem in the guest.
pub fn names_with_clients() -> impl Iterator<Item = &'static str> {
    clients::SCENARIOS.iter().map(|(name, _)| *name)
}

/// The names of the scenarios that need a host controller of the machine's own.
pub fn names_with_outside() -> impl Iterator<Item = &'static str> {
    power::outside::SCENARIOS.iter().map(|(name, _)| *name)
}

/// The names of all other scenarios.
pub fn names() -> Result<Vec<String>> {
    let alone = alone().map(|(name, _)| (*name).to_owned());
    let mix = std::iter::once(hostile::mix::with_seed()?);
    Ok(alone.chain(stops::names()).chain(mix).collect())
}

/// Plays the scenario of this name.
pub fn run(name: &str, host: &Host) -> Result<()> {
    let result = play(name, host);
    // Whatever it was about, it leaves the guest as it found it. If it failed, that is why the
    // modules may be in use.
    let unloaded = modules::unload();
    result.and(unloaded)
}

fn play(name: &str, host: &Host) -> Result<()> {
    let mut named = alone()
        .chain(clients::SCENARIOS)
        .chain(power::outside::SCENARIOS);
    if let Some((_, scenario)) = named.find(|(alone, _)| *alone == name) {
        return scenario(host);
    }
    if let Some(seed) = hostile::mix::seed(name) {
        return hostile::mix::play(seed, host);
    }
    stops::play(name).unwrap_or_else(|| bail!("there is no scenario {name}"))
}

/// Each module is loadable by insmod after `usbcore` and `atm`, and goes again.
fn modules_load_alone() -> Result<()> {
    for module in ["usbatm", "speedtch", "kexample"] {
        modules::insmod(Driver::Ours, module, "")?;
    }
    for module in ["kexample", "speedtch", "usbatm"] {
        modules::rmmod(module)?;
    }
    Ok(())
}

/// A modem gets its firmware, right to the last byte and from us in several transfers at once, its
/// ATM device and its line.
fn comes_up(driver: Driver) -> Result<()> {
    modules::load(driver)?;
    firmware::install()?;
    let modem = Plugged::new(options(7))?;
    let atm = modem.await_up()?;
    modem.await_no_init_thread()?;
    if driver == Driver::Ours {
        let at_once = modem.modem().peak(FIRMWARE_OUT).transfers;
        ensure!(at_once > 1, "its firmware came in one transfer at a time");
    }
    ensure!(
        atm.attribute("type") == "speedtch",
        "the ATM device's type is {:?}",
        atm.attribute("type")
    );
    ensure!(
        atm.attribute("address") == "00:90:d0:00:00:07",
        "its MAC is {:?}",
        atm.attribute("address")
    );
    // 8,128 kbit/s, rounded down to whole cells of 424 bits. The modem says that its
    // line is up before the driver asks it for the rate.
    plugged::wait_until("its rate is that of the line", || {
        atm.attribute("link_rate") == "8127656"
    })?;
    let devices = fs::read_to_string("/proc/net/atm/devices")?;
    ensure!(
        devices.contains("speedtch"),
        "/proc/net/atm/devices says {devices:?}"
    );
    drop(modem);
    plugged::wait_until("the ATM device is gone", || AtmDevice::all().is_empty())
}

/// A modem that runs already, as after a reboot of the host, is used as it is.
fn alive_modem_needs_no_firmware() -> Result<()> {
    modules::load(Driver::Ours)?;
    firmware::install()?;
    let modem = Plugged::new(options(1).running())?;
    modem.await_up()?;
    let sent = modem.modem().progress().total();
    ensure!(sent == 0, "{sent} bytes of firmware were sent to it");
    Ok(())
}

/// Each modem has a thread of its own: neither waits for the other's upload.
fn two_modems_upload_in_parallel(host: &Host) -> Result<()> {
    firmware::install()?;
    let epoch = Instant::now();
    // Slow enough that one after the other could not be mistaken for both at once.
    let slow = |number| Plugged::new(options(number).epoch(epoch).fault(Fault::Slow(250_000)));
    let modems = [slow(1)?, slow(2)?];
    for modem in &modems {
        modem.await_configured()?;
    }
    modules::load(Driver::Ours)?;
    let [first, second] = &modems;
    followed(host, &[("first", first), ("second", second)], || {
        for modem in &modems {
            modem.await_bytes(firmware::TOTAL / 4)?;
        }
        let during: BTreeSet<_> = modems
            .iter()
            .flat_map(Plugged::threads)
            .map(|thread| thread.name)
            .collect();
        ensure!(
            during.len() == 2,
            "the threads during the upload are {during:?}"
        );
        for modem in &modems {
            modem.await_up()?;
            modem.await_no_init_thread()?;
        }
        let began = |modem: &Plugged| {
            modem.await_event("begin", |what| matches!(what, What::StageStarted { .. }))
        };
        let ended = |modem: &Plugged| {
            modem.await_event("end", |what| {
                matches!(
                    what,
                    What::StageDone {
                        stage: Stage::Two,
                        ..
                    }
                )
            })
        };
        ensure!(
            began(second)? < ended(first)? && began(first)? < ended(second)?,
            "one modem waited for the other"
        );
        Ok(())
    })
}

/// The line goes down and comes back; the ATM device's carrier follows.
fn line_state_is_followed() -> Result<()> {
    modules::load(Driver::Ours)?;
    firmware::install()?;
    let modem = Plugged::new(options(1))?;
    let atm = modem.await_up()?;
    modem.modem().drop_line();
    plugged::wait_until("the carrier is lost", || !atm.has_carrier())?;
    plugged::wait_until("the carrier is back", || atm.has_carrier())
}

/// Packets of many lengths come back as they went, in order.
fn aal5_there_and_back(driver: Driver) -> Result<()> {
    modules::load(driver)?;
    firmware::install()?;
    let modem = Plugged::new(options(1))?;
    let atm = modem.await_up()?;
    // One cell with room to spare, just full, just too full for its trailer, …
    let lengths = [
        1, 39, 40, 41, 47, 48, 49, 88, 89, 576, 1500, 1501, 9180, 65535,
    ];
    for length in lengths {
        echo(&atm, 8, 35, length, 3).with_context(|| format!("packets of {length} bytes"))?;
    }
    Ok(())
}

/// VCCs do not see each other's packets.
fn several_vccs_at_once() -> Result<()> {
    modules::load(Driver::Ours)?;
    firmware::install()?;
    let modem = Plugged::new(options(1))?;
    let atm = modem.await_up()?;
    thread::scope(|scope| {
        let atm = &atm;
        let echoes = [(0, 32), (8, 35), (8, 48), (255, 65535)].map(|(vpi, vci)| {
            scope.spawn(move || {
                echo(atm, vpi, vci, 1500, 50).with_context(|| format!("VCC {vpi}.{vci}"))
            })
        });
        for echo in echoes {
            echo.join().unwrap_or_else(|_| bail!("a thread panicked"))?;
        }
        Ok(())
    })
}

/// Sends packets and compares what comes back byte for byte; returns how many bytes did.
pub fn echo(atm: &AtmDevice, vpi: i16, vci: i32, length: usize, count: usize) -> Result<usize> {
    let mut pvc = Pvc::open(atm.number, vpi, vci, 65535)
        .with_context(|| format!("cannot open VCC {vpi}.{vci}"))?;
    let mut received = vec![0; 65535];
    for number in 0..count {
        let sent: Vec<u8> = (0..length)
            .map(|i| (i.wrapping_mul(31) ^ number ^ vci as usize) as u8)
            .collect();
        pvc.send(&sent).context("cannot send")?;
        let got = pvc
            .receive(&mut received)
            .with_context(|| format!("packet {number} did not come back"))?;
        ensure!(
            received[..got] == sent[..],
            "packet {number} came back different ({got} bytes)"
        );
    }
    Ok(count * length)
}

/// A modem goes while packets are under way; the socket's user is told.
fn unplug_with_open_vcc_and_traffic() -> Result<()> {
    modules::load(Driver::Ours)?;
    firmware::install()?;
    let modem = Plugged::new(options(1))?;
    let atm = modem.await_up()?;
    let mut pvc = Pvc::open(atm.number, 8, 35, 1500)?;
    let sender = thread::spawn(move || {
        // Until the socket says that the modem is gone.
        for number in 0_u64.. {
            if let Err(error) = pvc.send(&[number as u8; 1500]) {
                return error;
            }
        }
        unreachable!()
    });
    let busy = modem
        .modem()
        .wait_until(LIMIT, |view| (view.counters.cells_in > 1000).then_some(()));
    busy.context("no traffic flows")?;
    if let Took::MoreThanMs(limit) = remove([&modem], Means::Unplug, LIMIT)? {
        bail!("not gone after {limit} ms");
    }
    sender
        .join()
        .map_err(|_| anyhow::anyhow!("the sender panicked"))?;
    plugged::wait_until("the ATM device is gone", || AtmDevice::all().is_empty())?;
    nothing_is_left()
}

/// Wherever in the upload the plug is pulled, nothing is left, and the driver
/// can be removed and loaded again.
fn unplug_at_fifty_bytes(host: &Host) -> Result<()> {
    firmware::install()?;
    for pull in 0..50 {
        // The first byte, the last, and between them ever another place in its transfer.
        let bytes = pull * firmware::TOTAL / 49;
        modules::load(Driver::Ours)?;
        let modem = Plugged::new(options(1).fault(Fault::UnplugAt(bytes)))?;
        let place = || format!("pulled after {bytes} bytes");
        modem
            .await_event("be unplugged", |what| {
                matches!(what, What::Unplugged { .. })
            })
            .with_context(place)?;
        plugged::wait_until("the device is gone", || !modem.folder().exists())
            .with_context(place)?;
        nothing_is_left().with_context(place)?;
        modules::unload().with_context(place)?;
        host.note(format!("{}, nothing left", place()));
    }
    Ok(())
}

/// The log tells which file is missing; the device stays, and can be removed.
fn missing_firmware_is_said() -> Result<()> {
    let log = super::kmsg::Kmsg::from_now();
    modules::load(Driver::Ours)?;
    firmware::withhold()?;
    firmware::install()?;
    fs::remove_file("/lib/firmware/speedtch-2.bin")?;
    let modem = Plugged::new(options(1))?;
    // The kernel names the file too. What to do about it is said in one line, of this modem.
    let interface = modem.interface();
    let words = [
        &*format!(" {interface}: "),
        "Put it into /lib/firmware as speedtch-2.bin",
        &*format!("writes to 'retry' in /sys/bus/usb/devices/{interface}"),
    ];
    plugged::wait_until("the log says what to put where", || {
        let says_all = |line: &String| words.iter().all(|text| line.contains(text));
        log.lines().iter().any(says_all)
    })?;
    ensure!(modem.folder().exists(), "the device is gone");
    ensure!(
        AtmDevice::all().is_empty(),
        "a modem without firmware has an ATM device"
    );
    if let Took::MoreThanMs(limit) = remove([&modem], Means::Unbind, LIMIT)? {
        bail!("not unbound after {limit} ms");
    }
    nothing_is_left()
}

/// The module of the book's first chapter: removed while its thread sleeps, and
/// after its thread has ended by itself.
fn first_thread_counts_and_goes() -> Result<()> {
    let thread_is_there = || {
        let threads = sysfs::kernel_threads();
        threads.iter().any(|thread| thread.name == "first_thread")
    };
    for last in ["first_thread: 1", "first_thread: 10"] {
        let log = super::kmsg::Kmsg::from_now();
        modules::insmod(Driver::Ours, "first_thread", "")?;
        ensure!(thread_is_there(), "it has no thread");
        plugged::wait_until("it has counted", || {
            log.lines().iter().any(|line| line.ends_with(last))
        })?;
        if last.ends_with("10") {
            plugged::wait_until("its thread has ended", || !thread_is_there())?;
        } else {
            ensure!(thread_is_there(), "its thread has ended too early");
        }
        modules::rmmod("first_thread")?;
        ensure!(!thread_is_there(), "its thread is left");
        let counted = log
            .lines()
            .iter()
            .filter(|line| line.contains("first_thread: "))
            .count();
        ensure!(
            last.ends_with("10") == (counted == 10),
            "it has counted {counted} times"
        );
    }
    Ok(())
}

/// `kthread_test` starts a detached thread when its device is opened, and lets
/// it end when that is opened again.
fn detached_thread_keeps_its_module() -> Result<()> {
    let thread_is_there = || {
        let threads = sysfs::kernel_threads();
        threads.iter().any(|thread| thread.name == "left-behind")
    };
    let open = || fs::File::open("/dev/kthread_test").context("a check of detached threads failed");

    modules::insmod(Driver::Ours, "kthread_test", "case=0")?;
    drop(open()?);
    ensure!(thread_is_there(), "the thread is not there");
    ensure!(
        modules::rmmod("kthread_test").is_err(),
        "the module went under its thread"
    );
    ensure!(thread_is_there(), "the thread did not outlive its owner");
    drop(open()?);
    plugged::wait_until("the thread has let its module go", || {
        modules::rmmod("kthread_test").is_ok()
    })?;
    ensure!(!thread_is_there(), "the thread outlives its module");
    Ok(())
}
