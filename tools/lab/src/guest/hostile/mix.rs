//! A random mix of all that can happen to several modems, from a seed.

use std::fs;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use modem::{Answer, Failure, Fate, Fault, Image, Lie, Said, Stage};
use wire::speedtch::{DATA_IN, DATA_OUT, INTERRUPT_IN, STATUS_7};

use crate::fail;
use crate::guest::atmpvc::Pvc;
use crate::guest::plugged::{Plugged, options, wait_until};
use crate::guest::removal::nothing_is_left;
use crate::guest::scenarios::echo;
use crate::guest::sysfs::AtmDevice;
use crate::guest::{Host, firmware, modules};
use crate::protocol::Driver;

/// The name of the scenario, behind which its seed stands.
pub const NAME: &str = "hostile::random_mix";

/// What decides about the seed.
const SEED: &str = "LAB_SEED";

const STEPS: usize = 60;
const MODEMS: usize = 4;

/// The scenario with a seed: the one that the user wants, or a new one.
pub fn with_seed() -> Result<String> {
    let wanted = std::env::var_os(SEED);
    let seed = wanted.map_or_else(|| Ok(new_seed()), |wanted| parse(&wanted.to_string_lossy()))?;
    Ok(format!("{NAME} {seed}"))
}

fn new_seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(1, |now| u64::from(now.subsec_nanos()))
}

/// The seed that a user wants.
fn parse(wanted: &str) -> Result<u64> {
    let todo = "give it the one that the run has printed, or leave it away";
    wanted
        .parse()
        .map_err(|_| fail::Failure::new(format!("{SEED} is no number: {wanted:?}"), todo).into())
}

/// The seed in such a name.
pub fn seed(name: &str) -> Option<u64> {
    name.strip_prefix(NAME)?.trim().parse().ok()
}

/// Does it.
pub fn play(seed: u64, host: &Host) -> Result<()> {
    host.note(format!("{SEED}={seed} ./lab test {NAME} repeats it"));
    let mut mix = Mix::new(seed)?;
    let mut done = Vec::new();
    for _ in 0..STEPS {
        let step = mix.random.step();
        host.note(format!("now {step:?}"));
        done.push(step);
        mix.make(step)
            .with_context(|| format!("{SEED}={seed}: {done:?}"))?;
    }
    mix.end()
        .with_context(|| format!("{SEED}={seed}: {done:?}"))
}

/// What can happen. A number says to which modem, and how.
#[derive(Clone, Copy, Debug)]
enum Step {
    Plug(u64),
    Unplug(usize),
    Unbind(usize),
    Bind(usize),
    Reload,
    DropLine(usize),
    OpenAndSend(usize, u8),
    CloseAll,
    Say(usize, u64),
    FirmwareGoes,
    FirmwareComes,
    Wait(u64),
}

/// Numbers that look random, always the same ones for the same seed (xorshift).
struct Random(u64);

impl Random {
    fn next(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) % below
    }

    fn step(&mut self) -> Step {
        let which = self.next(100);
        let (number, at) = (self.next(1 << 20), self.next(MODEMS as u64) as usize);
        match which {
            0..=24 => Step::Plug(number),
            25..=34 => Step::Unplug(at),
            35..=39 => Step::Unbind(at),
            40..=44 => Step::Bind(at),
            45..=49 => Step::Reload,
            50..=54 => Step::DropLine(at),
            55..=69 => Step::OpenAndSend(at, number as u8),
            70..=72 => Step::CloseAll,
            73..=79 => Step::Say(at, number),
            80..=82 => Step::FirmwareGoes,
            83..=87 => Step::FirmwareComes,
            _ => Step::Wait(number % 400),
        }
    }
}

/// How the modem misbehaves that `number` stands for; most do not.
fn fault(number: u64) -> Option<Fault> {
    let fate = [
        Fate::Unplug,
        Fate::Silence,
        Fate::Fail(Failure::Stall),
        Fate::Fail(Failure::NoAnswer),
    ][(number / 16 % 4) as usize];
    match number % 16 {
        0 => Some(Fault::UnplugAt((number % 11_000) as usize)),
        1 => Some(Fault::StopTakingAt((number % 11_000) as usize)),
        2 => Some(Fault::SilentBlock(Stage::Two)),
        3 => Some(Fault::SilentStartUp),
        4 => Some(Fault::SilentStatus),
        5 => Some(Fault::Descriptors(Lie::Noise(number))),
        6 => Some(Fault::Answers(STATUS_7, Answer::Bytes(1, number as u8))),
        7 => Some(Fault::OtherAfterReset),
        8..=10 => Some(Fault::AtUrb(15 + number % 60, fate)),
        _ => None,
    }
}

/// What is there at a moment.
struct Mix {
    random: Random,
    images: (Image, Image),
    modems: [Option<Plugged>; MODEMS],
    sockets: Vec<Pvc>,
}

impl Mix {
    fn new(seed: u64) -> Result<Self> {
        let images = firmware::install_short()?;
        modules::load(Driver::Ours)?;
        Ok(Self {
            // It must not be 0, and small seeds are to differ.
            random: Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1),
            images,
            modems: Default::default(),
            sockets: Vec::new(),
        })
    }

    fn make(&mut self, step: Step) -> Result<()> {
        match step {
            Step::Plug(number) => self.plug(number)?,
            Step::Unplug(at) => drop(self.modems[at].take()),
            // Whether it is bound or not, and whether it would work, nobody knows.
            Step::Unbind(at) => self.tell_driver(at, "unbind"),
            Step::Bind(at) => self.tell_driver(at, "bind"),
            Step::Reload => {
                modules::rmmod("speedtch")?;
                modules::insmod(Driver::Ours, "speedtch", "")?;
            }
            Step::DropLine(at) => self.with(at, |modem| modem.modem().drop_line()),
            Step::OpenAndSend(at, count) => self.open_and_send(at, count),
            Step::CloseAll => self.sockets.clear(),
            Step::Say(at, number) => self.with(at, |modem| say(modem, number)),
            Step::FirmwareGoes => firmware::withhold()?,
            Step::FirmwareComes => firmware::install_short().map(|_| ())?,
            Step::Wait(msecs) => thread::sleep(Duration::from_millis(msecs)),
        }
        Ok(())
    }

    /// Plugs one in where there is none.
    fn plug(&mut self, number: u64) -> Result<()> {
        let Some(free) = self.modems.iter().position(Option::is_none) else {
            return Ok(());
        };
        let (stage_1, stage_2) = self.images.clone();
        let mut options = options(free as u8).firmware(stage_1, stage_2);
        if number % 3 == 0 {
            options = options.running();
        }
        if let Some(fault) = fault(number / 3) {
            options = options.fault(fault);
        }
        self.modems[free] = Some(Plugged::new(options)?);
        Ok(())
    }

    fn with(&self, at: usize, act: impl FnOnce(&Plugged)) {
        if let Some(modem) = &self.modems[at] {
            act(modem);
        }
    }

    fn tell_driver(&self, at: usize, what: &str) {
        self.with(at, |modem| {
            let interface = format!("{}:1.0", modem.device());
            let _ = fs::write(format!("/sys/bus/usb/drivers/speedtch/{what}"), interface);
        });
    }

    /// Opens another connection, and sends no more than its socket has room for.
    fn open_and_send(&mut self, at: usize, count: u8) {
        let device = self.modems[at]
            .as_ref()
            .map(|modem| modem.device().to_owned());
        let Some(atm) = device.and_then(|device| AtmDevice::of(&device)) else {
            return;
        };
        let vci = 32 + self.sockets.len() as i32;
        if let Ok(mut pvc) = Pvc::open(atm.number, 8, vci, 1500) {
            for _ in 0..count % 20 {
                let _ = pvc.send(&[count; 1500]);
            }
            self.sockets.push(pvc);
        }
    }

    /// All of them go, and nothing is left; a new one works.
    fn end(self) -> Result<()> {
        let folders = self.modems.iter().flatten().map(Plugged::folder);
        let folders: Vec<_> = folders.collect();
        drop(self);
        for folder in folders {
            wait_until("a modem is gone", || !folder.exists())?;
        }
        wait_until("nothing is left", || nothing_is_left().is_ok())?;
        ensure!(AtmDevice::all().is_empty(), "ATM devices are left");
        firmware::install()?;
        let modem = Plugged::new(options(9))?;
        let atm = modem.await_up().context("a new modem")?;
        echo(&atm, 8, 35, 1500, 3)?;
        drop(modem);
        modules::unload()
    }
}

/// Says something that no modem says.
fn say(modem: &Plugged, number: u64) {
    let endpoint = [DATA_IN, DATA_OUT, INTERRUPT_IN][(number % 3) as usize];
    let failure = Failure::ALL[(number / 3 % 4) as usize];
    let bytes = vec![number as u8; (number % 500) as usize];
    let said = match endpoint {
        DATA_OUT => [Said::Fail(failure), Said::Halt],
        _ => [Said::Bytes(bytes), Said::Fail(failure)],
    };
    modem.modem().say(endpoint, said);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_carries_its_seed() {
        assert!(seed(&with_seed().unwrap()).is_some());
        assert_eq!(seed("hostile::random_mix 12"), Some(12));
        assert_eq!(seed("hostile::random_mix"), None);
        assert_eq!(seed("another 12"), None);
    }

    #[test]
    fn a_seed_that_is_no_number_is_refused_in_one_line() {
        assert_eq!(parse("12").unwrap(), 12);
        for wanted in ["", "twelve", "-1", "0x10", "18446744073709551616"] {
            let said = parse(wanted).unwrap_err().to_string();
            assert!(said.contains("LAB_SEED is no number"), "{said}");
            assert_eq!(said.lines().count(), 1, "{said}");
        }
    }

    #[test]
    fn a_seed_is_a_mix() {
        let steps = |seed| {
            let mut random = Random(seed);
            let steps: Vec<_> = (0..STEPS).map(|_| format!("{:?}", random.step())).collect();
            steps
        };
        assert_eq!(steps(5), steps(5));
        assert_ne!(steps(5), steps(7));
    }
}
