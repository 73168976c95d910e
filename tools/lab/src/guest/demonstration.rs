//! The demonstration: everything that the drivers are about, shown once with
//! ours and once, on the same modems in the same machine, with the stock C ones.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::kexample::newest_line;
use super::kmsg::Kmsg;
use super::phases::Phase;
use super::plugged::{self, LIMIT, Plugged, followed, options};
use super::removal::{Means, nothing_is_left, remove};
use super::scenarios::echo;
use super::sysfs::{self, AtmDevice, driver_threads};
use super::{Host, firmware, modules};
use crate::protocol::{Driver, FromGuest, Measurement, Took};

/// How long the demonstration waits where the C driver blocks.
const PATIENCE: Duration = Duration::from_secs(10);
/// The packets that go there and back over each modem, in each direction.
const PACKETS: usize = 40;

/// Shows everything.
pub fn run(host: &Host) -> Result<()> {
    for driver in [Driver::Ours, Driver::C] {
        let show = Show { host, driver };
        show.two_modems()?;
        show.removals()?;
    }
    kexample(host)
}

/// One driver's part.
struct Show<'a> {
    host: &'a Host,
    driver: Driver,
}

impl Show<'_> {
    fn heading(&self, text: &str) {
        let driver = match self.driver {
            Driver::Ours => "ours",
            Driver::C => "stock C",
        };
        self.host.heading(format!("[{driver}] {text}"));
    }

    fn measured(&self, what: &str, took: Took) {
        self.host.say(&FromGuest::Measured(Measurement {
            what: what.to_owned(),
            driver: self.driver,
            took,
        }));
    }

    /// Two modems at once: threads, uploads, ATM devices, lines, packets.
    fn two_modems(&self) -> Result<()> {
        self.heading("two modems plugged in at once");
        firmware::install()?;
        let (first, second) = (Plugged::new(options(1))?, Plugged::new(options(2))?);
        first.await_configured()?;
        second.await_configured()?;
        // The driver comes when the devices are there, as udev would have it.
        let log = Kmsg::from_now();
        let started = Instant::now();
        modules::load(self.driver)?;
        let devices = followed(
            self.host,
            &[("modem 1", &first), ("modem 2", &second)],
            || {
                first.await_bytes(firmware::TOTAL / 4)?;
                second.await_bytes(firmware::TOTAL / 4)?;
                self.threads_at_work()?;
                Ok::<_, anyhow::Error>([first.await_up()?, second.await_up()?])
            },
        )?;
        self.measured(
            "two modems, from insmod to line up",
            Took::Ms(started.elapsed().as_secs_f64() * 1000.0),
        );
        first.await_no_init_thread()?;
        second.await_no_init_thread()?;
        self.host
            .note("both threads that brought them up have ended by themselves");
        for device in &devices {
            self.device_up(device, &log)?;
        }
        let lines =
            fs::read_to_string("/proc/net/atm/devices").context("no /proc/net/atm/devices")?;
        for line in lines.lines() {
            self.host.note(format!("  {}", line.replace('\t', " ")));
        }
        self.packets(&devices)?;
        self.removal_of(1, first, "unplug an idle modem, line up", Means::Unplug)?;
        self.removal_of(2, second, "rmmod with an idle modem, line up", Means::Rmmod)?;
        modules::unload()
    }

    /// The threads in the middle of both uploads, as `ps` shows them.
    fn threads_at_work(&self) -> Result<()> {
        let threads = driver_threads();
        ensure!(
            threads.len() >= 2,
            "two uploads, but the threads are {threads:?}"
        );
        let mut ps = Command::new("/bin/ps");
        ps.args(["-o", "pid,cls,rtprio,stat,comm", "-p"]);
        ps.arg(
            threads
                .iter()
                .map(|thread| thread.pid.to_string())
                .collect::<Vec<_>>()
                .join(","),
        );
        let output = ps.output().context("cannot start ps")?;
        self.host
            .note("both upload at once; ps shows their threads:");
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            self.host.note(format!("  {line}"));
        }
        Ok(())
    }

    /// What sysfs and the log say of a modem that is up.
    fn device_up(&self, device: &AtmDevice, log: &Kmsg) -> Result<()> {
        let rate = device.attribute("link_rate");
        let whose = format!("ATM dev {}: ", device.number);
        let said = log
            .lines()
            .into_iter()
            .find(|line| line.contains(&whose) && line.contains("is up"));
        let said = said.with_context(|| {
            format!(
                "the log does not say that the line of {} is up",
                device.name
            )
        })?;
        let said = said.split(&whose).nth(1).unwrap_or_default();
        let (name, mac) = (&device.name, device.attribute("address"));
        self.host
            .note(format!("{name}: MAC {mac}, {rate} bit/s; {said}"));
        Ok(())
    }

    /// AAL5 packets there and back over both modems at once, compared byte for byte.
    fn packets(&self, devices: &[AtmDevice; 2]) -> Result<()> {
        let started = Instant::now();
        let echoed = thread::scope(|scope| {
            let threads = devices
                .each_ref()
                .map(|device| scope.spawn(|| echo(device, 8, 35, 1500, PACKETS)));
            threads.map(|thread| thread.join().unwrap_or_else(|_| bail!("a thread panicked")))
        });
        let mut bytes = 0;
        for echoed in echoed {
            bytes += echoed?;
        }
        let took = started.elapsed().as_secs_f64() * 1000.0;
        self.host.note(format!(
            "{} AAL5 packets of 1500 bytes went there and came back, {bytes} bytes compared, none lost or changed",
            devices.len() * PACKETS
        ));
        self.measured("80 packets of 1500 bytes, there and back", Took::Ms(took));
        Ok(())
    }

    /// The modems that are taken away before they are up.
    fn removals(&self) -> Result<()> {
        self.heading("modems taken away at bad moments");
        modules::load(self.driver)?;
        let third = self.reach(3, Phase::Upload)?;
        self.removal_of(3, third, "unplug in mid-upload", Means::Unplug)?;
        // What blocks the C driver comes last: the hub thread is stuck then.
        let parts: [fn(&Self) -> Result<()>; 2] = match self.driver {
            Driver::Ours => [
                Self::firmware_that_never_comes,
                Self::modules_go_in_mid_upload,
            ],
            Driver::C => [
                Self::modules_go_in_mid_upload,
                Self::firmware_that_never_comes,
            ],
        };
        parts.iter().try_for_each(|part| part(self))?;
        modules::unload()
    }

    fn firmware_that_never_comes(&self) -> Result<()> {
        let fourth = self.reach(4, Phase::FirmwareWait)?;
        self.removal_of(4, fourth, "unplug while firmware is awaited", Means::Unplug)
    }

    fn modules_go_in_mid_upload(&self) -> Result<()> {
        let fifth = self.reach(5, Phase::Upload)?;
        self.removal_of(5, fifth, "rmmod in mid-upload", Means::Rmmod)?;
        modules::rmmod("usbatm")?;
        self.host.note("rmmod usbatm: gone too");
        modules::load(self.driver)
    }

    fn reach(&self, number: u8, phase: Phase) -> Result<Plugged> {
        let modem = phase.reach(number)?.into_modem();
        self.progress(number, &modem);
        Ok(modem)
    }

    /// Moves the modem's bar to where it is.
    fn progress(&self, number: u8, modem: &Plugged) {
        followed(self.host, &[(&format!("modem {number}"), modem)], || {});
    }

    /// Takes a modem away and tells how long it took. Ours has to let go of it;
    /// the C driver is given up after a while.
    fn removal_of(&self, number: u8, modem: Plugged, what: &str, means: Means) -> Result<()> {
        let limit = match self.driver {
            Driver::Ours => LIMIT,
            Driver::C => PATIENCE,
        };
        let took = remove([&modem], means, limit)?;
        self.measured(what, took);
        match (took, self.driver) {
            (Took::Ms(ms), _) => self.host.note(format!("{what}: done after {ms:.0} ms")),
            (Took::MoreThanMs(_), Driver::Ours) => {
                bail!("{what}: not done after {} s", limit.as_secs())
            }
            (Took::MoreThanMs(_), Driver::C) => {
                self.host.note(format!(
                    "{what}: gave up after {} s, the driver still waits",
                    limit.as_secs()
                ));
                release(&modem.folder())?;
            }
        }
        self.progress(number, &modem);
        drop(modem);
        plugged::wait_until("the modem's ATM device is gone", || {
            AtmDevice::all().len() <= 1
        })?;
        if driver_threads().is_empty() && AtmDevice::all().is_empty() {
            nothing_is_left()
        } else {
            Ok(())
        }
    }
}

/// Lets a driver go that waits for firmware, so that the demonstration can end.
fn release(folder: &Path) -> Result<()> {
    plugged::wait_until("the C driver has been let go", || {
        firmware::refuse();
        !folder.exists()
    })
}

/// The article's driver.
fn kexample(host: &Host) -> Result<()> {
    host.heading("kexample: a periodic job in a kernel thread");
    modules::insmod(Driver::Ours, "kexample", "")?;
    let threads = sysfs::kernel_threads();
    let thread = threads
        .iter()
        .find(|thread| thread.name.starts_with("kexample"))
        .context("kexample has no thread")?;
    let ps = Command::new("/bin/ps")
        .args([
            "-o",
            "pid,cls,rtprio,stat,comm",
            "-p",
            &thread.pid.to_string(),
        ])
        .output()?;
    for line in String::from_utf8_lossy(&ps.stdout).lines() {
        host.note(format!("  {line}"));
    }
    let first = newest_line()?;
    plugged::wait_until("kexample ticks", || {
        newest_line().is_ok_and(|now| now != first)
    })?;
    thread::sleep(Duration::from_millis(250));
    host.note(format!("/dev/kexample: {}", first.trim()));
    host.note(format!("/dev/kexample: {}", newest_line()?.trim()));
    modules::rmmod("kexample")?;
    ensure!(!fs::exists("/dev/kexample")?, "/dev/kexample is left");
    host.note("rmmod kexample: its thread and its device are gone");
    Ok(())
}
