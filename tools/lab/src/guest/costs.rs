//! What the modem drivers cost, ours and the stock C ones alike: the rows of
//! `./lab bench usbatm`, but for the stops. Each call measures one driver once.

mod packets;

pub use self::packets::BENCH;

use std::fs;
use std::io;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use modem::{BULK_BYTES_PER_FRAME, Event, Stage, What};

use super::atmpvc::Pvc;
use super::plugged::{LIMIT, Plugged, options, wait_until};
use super::sysfs::AtmDevice;
use super::{Host, firmware, modules};
use crate::protocol::{Driver, FromGuest};

/// A group of rows that are measured together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// How long the hub thread is held by a probe.
    Probe,
    /// How long one, two and eight modems take to their lines, and what of the bus
    /// their uploads use.
    Start,
    /// What the processor does for a cell.
    Cpu,
    /// How long a packet takes there and back.
    Latency,
    /// What the kernel keeps for a modem.
    Memory,
    /// The modules themselves.
    Size,
}

impl Part {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Probe,
        Self::Start,
        Self::Cpu,
        Self::Latency,
        Self::Memory,
        Self::Size,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Probe => "probe",
            Self::Start => "start",
            Self::Cpu => "cpu",
            Self::Latency => "latency",
            Self::Memory => "memory",
            Self::Size => "size",
        }
    }
}

/// Measures `part` of `driver`, with so many packets where packets are measured, and
/// tells the host each row.
pub fn measure(part: &str, driver: Driver, packets: usize, host: &Host) -> Result<()> {
    let part = Part::ALL
        .into_iter()
        .find(|known| known.name() == part)
        .context("no such part")?;
    firmware::install()?;
    let say = |row: String, values: Vec<f64>| {
        host.say(&FromGuest::Figures {
            row,
            driver,
            values,
        });
    };
    let result = match part {
        Part::Probe => probe(driver, say),
        Part::Start => [1, 2, 8]
            .into_iter()
            .try_for_each(|count| start(driver, count, say))
            .and_then(|()| plug_in(driver, 8, say)),
        Part::Cpu => packets::cpu(driver, packets, say),
        Part::Latency => packets::latency(driver, packets, say),
        Part::Memory => memory(driver, say),
        Part::Size => size(driver, say),
    };
    // However it went: the next driver has to find nothing.
    modules::unload()?;
    if modules::is_loaded(BENCH) {
        modules::rmmod(BENCH)?;
    }
    result
}

/// A modem that is alive already, and whose line comes up soon.
pub fn alive(number: u8) -> modem::Options {
    options(number)
        .running()
        .training(Duration::from_millis(20))
}

/// Pulls modems out, and waits until the kernel has forgotten them: whoever takes the
/// place of one too soon is taken for it.
fn pull(modems: Vec<Plugged>) -> Result<()> {
    for modem in &modems {
        modem.modem().unplug();
    }
    for modem in &modems {
        let is_forgotten = modem.modem().wait_forgotten(LIMIT);
        ensure!(is_forgotten, "{} is not forgotten", modem.device());
    }
    Ok(())
}

/// The time that a write to `bind` takes, in which the driver's probe is called for a
/// modem that was just plugged in.
fn probe(driver: Driver, say: impl Fn(String, Vec<f64>)) -> Result<()> {
    modules::load(driver)?;
    // No driver gets the modem's interfaces before we say so.
    authorize_interfaces("0")?;
    let modem = Plugged::new(options(1));
    let configured = modem.as_ref().map_or(Ok(()), Plugged::await_configured);
    authorize_interfaces("1")?;
    let modem = modem?;
    configured?;
    let interface = format!("{}:1.0", modem.device());
    for number in 0..3 {
        let file = format!(
            "{0}/{1}:1.{number}/authorized",
            modem.folder().display(),
            modem.device()
        );
        // A device says that it is configured before it has interfaces.
        wait_until("there is an interface", || Path::new(&file).exists())?;
        fs::write(&file, "1").with_context(|| format!("cannot write {file}"))?;
    }
    let began = Instant::now();
    fs::write("/sys/bus/usb/drivers/speedtch/bind", &interface)
        .with_context(|| format!("cannot bind {interface}"))?;
    say("probe (ms)".into(), vec![ms(began.elapsed())]);
    modem.await_up()?;
    pull(vec![modem])
}

/// Whether the interfaces of devices to come are given to drivers.
fn authorize_interfaces(value: &str) -> Result<()> {
    for entry in fs::read_dir("/sys/bus/usb/devices")? {
        let file = entry?.path().join("interface_authorized_default");
        if file.exists() {
            fs::write(&file, value).with_context(|| format!("cannot write {}", file.display()))?;
        }
    }
    Ok(())
}

/// `count` modems are there when the driver is loaded.
///
/// Each has a full-speed bus to itself, as behind a hub with a transaction translator for
/// every port: what keeps one modem waiting for another is the driver, or the hub thread.
fn start(driver: Driver, count: u8, say: impl Fn(String, Vec<f64>)) -> Result<()> {
    let modems = new_modems(count)?;
    for modem in &modems {
        modem.await_configured()?;
    }
    let began = Instant::now();
    modules::load(driver)?;
    for modem in &modems {
        modem.await_up()?;
    }
    say(
        format!("{count} from insmod to line up (ms)"),
        vec![ms(began.elapsed())],
    );
    let used = modems
        .iter()
        .map(share_of_bus)
        .collect::<Result<Vec<f64>>>()?;
    say(
        format!("upload beside {} others (% of the bus)", count - 1),
        used,
    );
    modules::unload()?;
    pull(modems)
}

/// `count` modems are plugged in at once where the driver is loaded: they are found one after the
/// other, by the one thread that serves their hub.
fn plug_in(driver: Driver, count: u8, say: impl Fn(String, Vec<f64>)) -> Result<()> {
    modules::load(driver)?;
    let began = Instant::now();
    let modems = new_modems(count)?;
    for modem in &modems {
        modem.await_up()?;
    }
    say(
        format!("{count} from plug to line up (ms)"),
        vec![ms(began.elapsed())],
    );
    modules::unload()?;
    pull(modems)
}

/// Modems without firmware, whose lines come up soon after they have it.
fn new_modems(count: u8) -> Result<Vec<Plugged>> {
    (1..=count)
        .map(|number| Plugged::new(options(number).training(Duration::from_millis(500))))
        .collect()
}

/// What part of its bus a modem's upload of its second stage has used, in percent.
fn share_of_bus(modem: &Plugged) -> Result<f64> {
    let events = modem.modem().events();
    let at = |what: fn(&What) -> bool| {
        let event = events.iter().find(|event: &&Event| what(&event.what));
        event.map(|event| event.at).context("no second stage")
    };
    let began = at(|what| {
        matches!(
            what,
            What::StageStarted {
                stage: Stage::Two,
                ..
            }
        )
    })?;
    let ended = at(|what| {
        matches!(
            what,
            What::StageDone {
                stage: Stage::Two,
                ..
            }
        )
    })?;
    let could = BULK_BYTES_PER_FRAME as f64 * ms(ended - began);
    Ok(100.0 * firmware::STAGES[1] as f64 / could)
}

/// How many modems the memory of one is measured with.
const MODEMS: u8 = 8;

/// What the kernel has less when idle modems with their lines up are unbound, and what it has more
/// while each has a connection, before and after it was busy: KiB for each.
fn memory(driver: Driver, say: impl Fn(String, Vec<f64>)) -> Result<()> {
    let modems = (1..=MODEMS)
        .map(|number| Plugged::new(alive(number)))
        .collect::<Result<Vec<_>>>()?;
    modules::load(driver)?;
    let mut devices = Vec::new();
    for modem in &modems {
        devices.push(modem.await_up()?.number);
        modem.await_no_init_thread()?;
    }
    let before = Memory::now()?;
    let mut connections = devices
        .into_iter()
        .map(|device| Pvc::open(device, 8, 35, 1500))
        .collect::<io::Result<Vec<_>>>()?;
    let connected = Memory::now()?;
    connections.iter_mut().try_for_each(burst)?;
    // A driver may take a moment over what it allocates for that.
    thread::sleep(Duration::from_secs(1));
    let busy = Memory::now()?;
    drop(connections);
    for modem in &modems {
        fs::write(
            "/sys/bus/usb/drivers/speedtch/unbind",
            format!("{}:1.0", modem.device()),
        )?;
    }
    wait_until("the ATM devices are gone", || AtmDevice::all().is_empty())?;
    let after = Memory::now()?;
    let each = |kib: f64| vec![kib / f64::from(MODEMS)];
    let (slabs, stacks) = (before.slabs - after.slabs, before.stacks - after.stacks);
    say(
        "a modem with its line up (KiB)".into(),
        each(slabs + stacks),
    );
    say("of it stacks of threads (KiB)".into(), each(stacks));
    say(
        "a modem with a connection and its socket (KiB)".into(),
        each(connected.slabs + connected.stacks - after.slabs - after.stacks),
    );
    say(
        "a modem with a connection that was busy (KiB)".into(),
        each(busy.slabs + busy.stacks - after.slabs - after.stacks),
    );
    pull(modems)
}

/// Sends more at once than all transfers take, and receives what comes back.
pub fn burst(pvc: &mut Pvc) -> Result<()> {
    const PACKETS: usize = 20;

    let packet = [0x5a; 1500];
    for _ in 0..PACKETS {
        pvc.send(&packet)?;
    }
    for _ in 0..PACKETS {
        pvc.receive(&mut [0; 1500])?;
    }
    Ok(())
}

/// What the kernel has taken for itself, in KiB.
struct Memory {
    slabs: f64,
    stacks: f64,
}

impl Memory {
    /// How often to look. A transfer in the middle of a look, be it to ask a modem how its line is,
    /// leaves tens of KiB for packets to come.
    const LOOKS: usize = 6;

    /// What it is once nothing is kept that nobody has: the least that is seen.
    fn now() -> Result<Self> {
        // What is freed after a grace period comes later.
        thread::sleep(Duration::from_secs(2));
        let looks: Vec<Self> = (0..Self::LOOKS)
            .map(|_| Self::look())
            .collect::<Result<_>>()?;
        let least = |of: fn(&Self) -> f64| looks.iter().map(of).fold(f64::INFINITY, f64::min);
        Ok(Self {
            slabs: least(|look| look.slabs),
            stacks: least(|look| look.stacks),
        })
    }

    fn look() -> Result<Self> {
        thread::sleep(Duration::from_millis(700));
        for cache in fs::read_dir("/sys/kernel/slab")? {
            // Some are the same as others, and some can't be shrunk.
            let _ = fs::write(cache?.path().join("shrink"), "1");
        }
        let meminfo = meminfo()?;
        Ok(Self {
            slabs: number_after(&meminfo, "SUnreclaim:")?,
            stacks: number_after(&meminfo, "KernelStack:")?,
        })
    }
}

/// What the kernel has taken for itself without a chance to get it back at once, in KiB. What is
/// free in between counts too.
pub fn taken() -> Result<f64> {
    number_after(&meminfo()?, "SUnreclaim:")
}

/// What the kernel says of its memory.
fn meminfo() -> Result<String> {
    // Otherwise each processor's part of the numbers is up to a second late.
    fs::write("/proc/sys/vm/stat_refresh", "1")?;
    Ok(fs::read_to_string("/proc/meminfo")?)
}

/// The number in the line that begins with `name`.
fn number_after(text: &str, name: &str) -> Result<f64> {
    text.lines()
        .find_map(|line| {
            line.strip_prefix(name)?
                .split_whitespace()
                .next()?
                .parse()
                .ok()
        })
        .with_context(|| format!("no {name}"))
}

/// What the modules take when they are loaded: KiB.
fn size(driver: Driver, say: impl Fn(String, Vec<f64>)) -> Result<()> {
    modules::load(driver)?;
    for module in ["usbatm", "speedtch"] {
        let file = format!("/sys/module/{module}/coresize");
        let bytes: f64 = fs::read_to_string(&file)
            .with_context(|| format!("no {file}"))?
            .trim()
            .parse()?;
        say(format!("{module}.ko in memory (KiB)"), vec![bytes / 1024.0]);
    }
    Ok(())
}

/// In milliseconds.
pub fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
