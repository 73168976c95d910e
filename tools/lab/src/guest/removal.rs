//! Taking modems away: by which means, in which phase of their life, and how
//! long it takes.

use std::fs;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use modem::{Fault, Options, Stage, What};

use super::plugged::{self, Plugged, wait_until};
use super::sysfs::{self, AtmDevice};
use super::{Host, firmware, modules};
use crate::protocol::{Driver, FromGuest, Measurement, Took};

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
}

/// When in its life a modem is taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// User space never delivers the firmware.
    FirmwareWait,
    /// The upload moves.
    Upload,
    /// The modem has stopped taking firmware.
    UploadStuck,
    /// The modem has refused its firmware, and is reset.
    Reset,
    /// The modem can't be brought up, and is tried again later.
    BackOff,
    /// The modem never answers when the block between the stages is read.
    BlockRead,
    /// The firmware has been uploaded and starts.
    Boot,
    /// The modem answers none of the start-up requests.
    StartUp,
    /// The line is up, nothing happens.
    Idle,
}

impl Phase {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::FirmwareWait,
        Self::Upload,
        Self::UploadStuck,
        Self::Reset,
        Self::BackOff,
        Self::BlockRead,
        Self::Boot,
        Self::StartUp,
        Self::Idle,
    ];

    /// Its name in the names of scenarios.
    pub fn name(self) -> &'static str {
        match self {
            Self::FirmwareWait => "firmware_wait",
            Self::Upload => "upload",
            Self::UploadStuck => "upload_stuck",
            Self::Reset => "reset",
            Self::BackOff => "back_off",
            Self::BlockRead => "block_read",
            Self::Boot => "boot",
            Self::StartUp => "start_up",
            Self::Idle => "idle",
        }
    }

    /// A modem that will be found in this phase.
    fn options(self, number: u8) -> Options {
        let options = plugged::options(number);
        match self {
            Self::UploadStuck => options.fault(Fault::StopTakingAt(firmware::TOTAL / 2)),
            Self::BlockRead => options.fault(Fault::SilentBlock(Stage::One)),
            Self::StartUp => options.fault(Fault::SilentStartUp),
            Self::FirmwareWait
            | Self::Upload
            | Self::Reset
            | Self::BackOff
            | Self::Boot
            | Self::Idle => options,
        }
    }

    /// Plugs a modem and waits until it is in this phase.
    pub fn reach(self, number: u8) -> Result<Plugged> {
        match self {
            Self::FirmwareWait => firmware::withhold()?,
            Self::Reset => firmware::install_wrong()?,
            Self::BackOff => firmware::remove()?,
            _ => firmware::install()?,
        }
        let modem = Plugged::new(self.options(number))?;
        match self {
            Self::FirmwareWait => {
                wait_until("the driver waits for its firmware", firmware::is_awaited)?
            }
            Self::Upload => modem.await_bytes(firmware::TOTAL / 3)?,
            // The C driver resets every modem, and gives up what fails.
            Self::Reset => modem
                .await_event("be reset", |what| matches!(what, What::Reset))
                .map(drop)?,
            Self::BackOff => wait_until("the driver has failed", || {
                let bound = format!("/sys/bus/usb/drivers/speedtch/{}", modem.interface());
                modem.is_waiting()
                    || (fs::exists(bound).unwrap_or(false) && modem.threads().is_empty())
            })?,
            Self::UploadStuck | Self::BlockRead | Self::StartUp => {
                modem
                    .await_event("get stuck", |what| matches!(what, What::Stuck { .. }))
                    .map(drop)?;
            }
            Self::Boot => {
                let second_is_done = |what: &What| {
                    matches!(
                        what,
                        What::StageDone {
                            stage: Stage::Two,
                            ..
                        }
                    )
                };
                modem.await_event("take all of its firmware", second_is_done)?;
                modem.await_blocks_read(2)?;
            }
            Self::Idle => {
                modem.await_up()?;
                modem.await_no_init_thread()?;
            }
        }
        Ok(modem)
    }
}

impl Plugged {
    /// Waits until the thread that brought the modem up has ended by itself.
    pub fn await_no_init_thread(&self) -> Result<()> {
        let init = format!("speedtch/{}", self.device());
        wait_until("the modem's first thread has ended", || {
            self.threads()
                .iter()
                .all(|thread| thread.name != init && thread.name != "speedtch")
        })
    }
}

/// Takes `modem` away by `means`, and measures how long it takes until its
/// driver has let go of it; gives up after `limit`.
pub fn remove(modem: &Plugged, means: Means, limit: Duration) -> Result<Took> {
    let (sender, done) = channel();
    let (folder, interface) = (modem.folder(), format!("{}:1.0", modem.device()));
    let started = Instant::now();
    if means == Means::Unplug {
        modem.modem().unplug();
    }
    // The call may not come back before the limit: it blocks in the kernel.
    thread::spawn(move || {
        let result = match means {
            Means::Unplug => {
                while folder.exists() {
                    thread::sleep(Duration::from_micros(500));
                }
                Ok(())
            }
            Means::Unbind => fs::write("/sys/bus/usb/drivers/speedtch/unbind", &interface)
                .with_context(|| format!("cannot unbind {interface}")),
            Means::Rmmod => modules::rmmod("speedtch"),
        };
        let _ = sender.send((result, started.elapsed()));
    });
    match done.recv_timeout(limit) {
        Ok((result, took)) => result.map(|()| Took::Ms(took.as_secs_f64() * 1000.0)),
        Err(_) => Ok(Took::MoreThanMs(limit.as_secs_f64() * 1000.0)),
    }
}

/// How long a measurement waits for a driver that blocks.
const PATIENCE: Duration = Duration::from_secs(20);

/// Takes a modem away once, and tells the host how long it took.
pub fn measure(driver: Driver, phase: &str, means: &str, host: &Host) -> Result<()> {
    let phase = Phase::ALL
        .into_iter()
        .find(|known| known.name() == phase)
        .context("no such phase")?;
    let means = Means::ALL
        .into_iter()
        .find(|known| known.name() == means)
        .context("no such means")?;
    modules::load(driver)?;
    let modem = phase.reach(1)?;
    let took = remove(&modem, means, PATIENCE)?;
    host.say(&FromGuest::Measured(Measurement {
        what: format!("{}, {}", phase.name(), means.name()),
        driver,
        took,
    }));
    if let Took::Ms(_) = took {
        drop(modem);
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
