//! Emulated modems as the jobs use them: with firmware that the driver can
//! find, and with what sysfs says of the device, its driver and its threads.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use modem::{Bus, Fault, Image, Modem, Options, Port, What};

use super::Host;
use crate::protocol::FromGuest;

/// A guard against hanging, nothing more: under emulation on a busy machine
/// everything here ends within a tenth of it.
pub const LIMIT: Duration = Duration::from_secs(60);

/// The sizes of the firmware's stages in bytes, as those of a modem of
/// revision 4.00.
const STAGES: [usize; 2] = [935, 775_545];

/// The firmware files that the driver finds when all is well.
const FILES: [&str; 2] = [
    "/lib/firmware/speedtch-1.bin",
    "/lib/firmware/speedtch-2.bin",
];

/// Firmware in all, in bytes.
pub const FIRMWARE_TOTAL: usize = STAGES[0] + STAGES[1];

/// Firmware that was made up: its content is as good as any to the emulated
/// modem, which compares it with what it was told to expect.
fn stage(number: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64 ^ number as u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..STAGES[number]).map(|_| next()).collect()
}

/// Puts the firmware where the kernel looks for it.
pub fn install_firmware() -> Result<()> {
    force_fallback(false)?;
    for (number, file) in FILES.iter().enumerate() {
        fs::write(file, stage(number)).with_context(|| format!("cannot write {file}"))?;
    }
    Ok(())
}

/// Takes the firmware away, and has the kernel ask user space for it, which
/// never answers here: the driver waits for as long as the kernel lets it.
pub fn withhold_firmware() -> Result<()> {
    for file in FILES {
        let _ = fs::remove_file(file);
    }
    force_fallback(true)
}

fn force_fallback(on: bool) -> Result<()> {
    let file = "/proc/sys/kernel/firmware_config/force_sysfs_fallback";
    fs::write(file, if on { "1" } else { "0" }).with_context(|| format!("cannot write {file}"))
}

/// Whether some driver waits for user space to deliver its firmware.
pub fn firmware_is_awaited() -> bool {
    awaited_firmware().next().is_some()
}

/// Answers every wait for firmware with "there is none".
pub fn refuse_firmware() {
    for request in awaited_firmware() {
        let _ = fs::write(request.join("loading"), "-1");
    }
}

fn awaited_firmware() -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir("/sys/class/firmware")
        .into_iter()
        .flatten()
        .flatten();
    entries
        .map(|entry| entry.path())
        .filter(|path| path.join("loading").exists())
}

/// What most jobs plug: a modem on a full-speed bus of its own that wants the
/// installed firmware. `number` makes its MAC address.
pub fn options(number: u8) -> Options {
    Options::new()
        .mac([0x00, 0x90, 0xd0, 0x00, 0x00, number])
        .firmware(Image::of(&stage(0)), Image::of(&stage(1)))
}

/// A modem that is plugged in.
pub struct Plugged {
    modem: Modem,
    port: Port,
}

impl Plugged {
    /// Plugs it in. The kernel takes a moment to find it.
    pub fn new(options: Options) -> Result<Self> {
        let modem = Modem::plug(options)?;
        let port = modem.port().context("the modem has no port")?.clone();
        Ok(Self { modem, port })
    }

    /// The emulation itself.
    pub fn modem(&self) -> &Modem {
        &self.modem
    }

    /// The device's name in sysfs, such as `9-1`.
    pub fn device(&self) -> &str {
        self.port.device()
    }

    /// The device's folder in sysfs, which goes when the device is gone and its
    /// driver has let go of it.
    pub fn folder(&self) -> PathBuf {
        self.port.folder()
    }

    /// Waits for something to happen to the modem.
    pub fn await_event(&self, to: &str, what: impl Fn(&What) -> bool) -> Result<Duration> {
        match self.modem.wait_for(LIMIT, what) {
            Some(event) => Ok(event.at),
            None => bail!("the modem did not {to} within {} s", LIMIT.as_secs()),
        }
    }

    /// Waits until the kernel has found the device and selected its configuration.
    pub fn await_configured(&self) -> Result<()> {
        self.await_event("be configured", |what| {
            matches!(what, What::Configured { .. })
        })
        .map(drop)
    }

    /// Waits until so much firmware has come.
    pub fn await_bytes(&self, bytes: usize) -> Result<()> {
        let reached = self
            .modem
            .wait_until(LIMIT, |view| (view.progress.total() >= bytes).then_some(()));
        reached.with_context(|| {
            format!(
                "the upload did not reach {bytes} bytes within {} s",
                LIMIT.as_secs()
            )
        })
    }

    /// Waits until the modem can be used: its firmware was right, the line is
    /// up, and the driver knows that it is. Returns the ATM device.
    pub fn await_up(&self) -> Result<AtmDevice> {
        self.await_event("bring its line up", |what| {
            matches!(what, What::LineUp { .. })
        })?;
        for event in self.modem.events() {
            if let What::StageDone {
                stage, bytes, good, ..
            } = event.what
            {
                ensure!(
                    good,
                    "the firmware of {stage:?} arrived wrong ({bytes} bytes)"
                );
            }
        }
        let mut found = None;
        wait_until("the ATM device has a carrier", || {
            found = AtmDevice::of(self.device()).filter(AtmDevice::has_carrier);
            found.is_some()
        })?;
        found.context("the ATM device went away")
    }

    /// The kernel threads that work for this modem. (The C driver does not say
    /// in a thread's name whose it is, so all of its threads count.)
    pub fn threads(&self) -> Vec<Thread> {
        let own = format!("speedtch/{}", self.device());
        let is_ours = |thread: &Thread| thread.name == "speedtch" || thread.name.starts_with(&own);
        driver_threads().into_iter().filter(is_ours).collect()
    }

    /// Waits until no kernel thread works for this modem.
    pub fn await_no_thread(&self) -> Result<()> {
        wait_until("the modem's threads are gone", || self.threads().is_empty())
    }

    /// What the modem is doing, in words, from its own log.
    fn phase(&self) -> &'static str {
        let view = self.modem.events();
        let last = view.iter().rev().find_map(|event| match &event.what {
            What::Unplugged { .. } => Some("unplugged"),
            What::LineUp { .. } => Some("line up"),
            What::Training => Some("line synchronising"),
            What::Booted => Some("firmware running"),
            What::StageDone {
                stage: modem::Stage::Two,
                ..
            } => Some("starting its firmware"),
            What::StageStarted { .. } => Some("taking firmware"),
            What::Configured { .. } => Some("configured"),
            _ => None,
        });
        last.unwrap_or("plugged in")
    }
}

/// A kernel thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thread {
    /// Its process id.
    pub pid: u32,
    /// Its name in full.
    pub name: String,
}

/// The kernel threads of the modem drivers, ours or the stock ones.
pub fn driver_threads() -> Vec<Thread> {
    kernel_threads()
        .into_iter()
        .filter(|thread| thread.name.starts_with("speedtch"))
        .collect()
}

/// All kernel threads.
pub fn kernel_threads() -> Vec<Thread> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter_map(|pid| {
        // Only a kernel thread has an empty command line (zombies do not stay here).
        let is_kernel = fs::read(format!("/proc/{pid}/cmdline")).ok()?.is_empty();
        let name = fs::read_to_string(format!("/proc/{pid}/comm"))
            .ok()?
            .trim()
            .to_owned();
        is_kernel.then_some(Thread { pid, name })
    })
    .collect()
}

/// An ATM device of one of the modems.
#[derive(Debug, Clone)]
pub struct AtmDevice {
    /// Its name in sysfs, such as `speedtch0`.
    pub name: String,
    /// Its number, by which sockets name it.
    pub number: i16,
}

impl AtmDevice {
    const CLASS: &'static str = "/sys/class/atm";

    /// The ATM device that belongs to the USB device of this name.
    pub fn of(device: &str) -> Option<Self> {
        Self::all().into_iter().find(|atm| {
            let path = fs::canonicalize(Path::new(Self::CLASS).join(&atm.name)).unwrap_or_default();
            path.components().any(|part| {
                let part = part.as_os_str().to_string_lossy();
                part == device || part.starts_with(&format!("{device}:"))
            })
        })
    }

    /// All ATM devices.
    pub fn all() -> Vec<Self> {
        let entries = fs::read_dir(Self::CLASS).into_iter().flatten().flatten();
        let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
        names
            .filter_map(|name| {
                let number = fs::read_to_string(format!("{}/{name}/atmindex", Self::CLASS)).ok()?;
                Some(Self {
                    number: number.trim().parse().ok()?,
                    name,
                })
            })
            .collect()
    }

    /// One of the device's attributes.
    pub fn attribute(&self, name: &str) -> String {
        let text = fs::read_to_string(format!("{}/{}/{name}", Self::CLASS, self.name));
        text.map(|text| text.trim().to_owned()).unwrap_or_default()
    }

    /// Whether the driver knows that the line is up.
    pub fn has_carrier(&self) -> bool {
        self.attribute("carrier") == "1"
    }
}

/// Waits until `held` holds.
pub fn wait_until(what: &str, mut held: impl FnMut() -> bool) -> Result<()> {
    let deadline = Instant::now() + LIMIT;
    while !held() {
        ensure!(
            Instant::now() < deadline,
            "waited {} s in vain until {what}",
            LIMIT.as_secs()
        );
        thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}

/// Does `work` while the host is shown how far `modems` are.
pub fn followed<T>(host: &Host, modems: &[(&str, &Plugged)], work: impl FnOnce() -> T) -> T {
    let over = AtomicBool::new(false);
    let show = || {
        for (name, plugged) in modems {
            host.say(&FromGuest::Modem {
                name: (*name).to_owned(),
                phase: plugged.phase().to_owned(),
                bytes: plugged.modem.progress().total() as u64,
                total: FIRMWARE_TOTAL as u64,
            });
        }
    };
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                show();
                thread::sleep(Duration::from_millis(100));
            }
            show();
        });
        let result = work();
        over.store(true, Ordering::Relaxed);
        result
    })
}

/// `lab modem`, for a person in the guest.
#[derive(Args)]
pub struct Arguments {
    /// The last byte of its MAC address, which makes its serial number
    #[arg(long, default_value_t = 1)]
    number: u8,
    /// A bus without limit, in place of full speed
    #[arg(long)]
    unlimited: bool,
    /// Pull it after so many bytes of firmware
    #[arg(long, value_name = "BYTES")]
    unplug_at: Option<usize>,
    /// Never deliver its firmware
    #[arg(long)]
    no_firmware: bool,
}

/// Plugs a modem and prints what happens to it, until it is gone or this
/// program is ended.
pub fn run(arguments: &Arguments) -> Result<()> {
    ensure!(
        Path::new("/sys/devices/platform/vhci_hcd.0").exists(),
        "there is no vhci_hcd here: use it in ./lab shell"
    );
    if arguments.no_firmware {
        withhold_firmware()?
    } else {
        install_firmware()?
    }
    let mut options = options(arguments.number);
    if arguments.unlimited {
        options = options.bus(Bus::unlimited());
    }
    if let Some(bytes) = arguments.unplug_at {
        options = options.fault(Fault::UnplugAt(bytes));
    }
    let modem = Modem::plug(options)?;
    let mut shown = 0;
    loop {
        let next = modem.wait_until(Duration::from_secs(3600), |view| {
            view.events.get(shown).cloned()
        });
        let Some(event) = next else { continue };
        println!(
            "modem {}: {:9.3} s {:?}",
            arguments.number,
            event.at.as_secs_f64(),
            event.what
        );
        shown += 1;
        if matches!(event.what, What::Unplugged { .. }) {
            return Ok(());
        }
    }
}
