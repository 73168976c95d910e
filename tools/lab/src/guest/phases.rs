//! The phases of a modem's life in which it can be taken away, and how it gets there.

use std::fs;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result};
use modem::{Answer, Fault, Options, Stage, What};
use wire::speedtch::{STATUS_7, STATUS_F};

use super::atmpvc::Pvc;
use super::plugged::{self, LIMIT, Plugged, wait_until};
use super::sysfs::AtmDevice;
use super::{firmware, modules};
use crate::protocol::Driver;

/// When in its life a modem is taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The modem does not tell whether it is alive.
    AliveCheck,
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
    /// The modem never answers when its data interface is selected.
    Select,
    /// The modem answers none of the start-up requests.
    StartUp,
    /// The modem never tells how its line is.
    LineStatus,
    /// The line is up, a VCC is open, and packets come and go.
    Traffic,
    /// The line is up, nothing happens.
    Idle,
}

impl Phase {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::AliveCheck,
        Self::FirmwareWait,
        Self::Upload,
        Self::UploadStuck,
        Self::Reset,
        Self::BackOff,
        Self::BlockRead,
        Self::Boot,
        Self::Select,
        Self::StartUp,
        Self::LineStatus,
        Self::Traffic,
        Self::Idle,
    ];

    /// Its name in the names of scenarios.
    pub fn name(self) -> &'static str {
        match self {
            Self::AliveCheck => "alive_check",
            Self::FirmwareWait => "firmware_wait",
            Self::Upload => "upload",
            Self::UploadStuck => "upload_stuck",
            Self::Reset => "reset",
            Self::BackOff => "back_off",
            Self::BlockRead => "block_read",
            Self::Boot => "boot",
            Self::Select => "select",
            Self::StartUp => "start_up",
            Self::LineStatus => "line_status",
            Self::Traffic => "traffic",
            Self::Idle => "idle",
        }
    }

    /// The one with this name.
    pub fn parse(name: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|phase| phase.name() == name);
        found.with_context(|| format!("the phases are {:?}", Self::ALL.map(Self::name)))
    }

    /// Plugs a modem and waits until it is in this phase.
    pub fn reach(self, number: u8) -> Result<Reached> {
        let options = self.prepare()?;
        self.wait(Plugged::new(numbered(&options, number))?)
    }

    /// Loads the driver, and has so many modems in this phase at once.
    pub fn reach_all(self, driver: Driver, count: u8) -> Result<Vec<Reached>> {
        if count == 1 {
            modules::load(driver)?;
            return Ok(vec![self.reach(1)?]);
        }
        let options = self.prepare()?;
        let modems = (1..=count).map(|number| Plugged::new(numbered(&options, number)));
        let modems = modems.collect::<Result<Vec<_>>>()?;
        // Some phases end by themselves, sooner than that many modems are found.
        for modem in &modems {
            modem.await_configured()?;
        }
        modules::load(driver)?;
        modems.into_iter().map(|modem| self.wait(modem)).collect()
    }

    /// Makes the firmware as the phase wants it; a modem for which it is.
    fn prepare(self) -> Result<Options> {
        if self == Self::Upload {
            firmware::install()?;
            return Ok(plugged::options(1));
        }
        // Only there does its length matter.
        let (stage_1, stage_2) = firmware::install_short()?;
        match self {
            Self::FirmwareWait => firmware::withhold()?,
            Self::Reset => firmware::install_wrong()?,
            // What comes after the question, half a second later, is a long wait.
            Self::AliveCheck | Self::BackOff => firmware::remove()?,
            _ => {}
        }
        Ok(self.change(plugged::options(1).firmware(stage_1, stage_2)))
    }

    /// What is special about a modem that will be found in this phase.
    fn change(self, options: Options) -> Options {
        match self {
            Self::AliveCheck => options
                .running()
                .fault(Fault::Answers(STATUS_7, Answer::Silence)),
            Self::UploadStuck => options.fault(Fault::StopTakingAt(firmware::SHORT_TOTAL / 2)),
            Self::BlockRead => options.fault(Fault::SilentBlock(Stage::One)),
            Self::Select => options.running().fault(Fault::SilentSelect),
            Self::StartUp => options.fault(Fault::SilentStartUp),
            // The last of the questions: whether it is alive it does tell.
            Self::LineStatus => options
                .running()
                .fault(Fault::Answers(STATUS_F, Answer::Silence)),
            Self::Traffic | Self::Idle => options.running().training(Duration::from_millis(10)),
            Self::FirmwareWait | Self::Upload | Self::Reset | Self::BackOff | Self::Boot => options,
        }
    }

    /// Waits until the modem is in this phase.
    fn wait(self, modem: Plugged) -> Result<Reached> {
        let flow = self
            .await_in(&modem)
            .with_context(|| format!("the modem's end: {:?}", modem.modem().events().last()))?;
        Ok(Reached { modem, flow })
    }

    /// Waits until it is, and begins what user space does with it then.
    fn await_in(self, modem: &Plugged) -> Result<Option<Flow>> {
        match self {
            Self::FirmwareWait => wait_until("the driver waits for its firmware", || {
                // The C driver has no such file.
                let phase = modem.file("phase");
                let looks = phase.is_empty() || phase == "looking for stage 1 firmware";
                looks && modem.was_asked() && firmware::is_awaited()
            })?,
            Self::Upload => modem.await_bytes(firmware::TOTAL / 3)?,
            // The C driver resets every modem, and gives up what fails.
            Self::Reset => modem
                .await_event("be reset", |what| matches!(what, What::Reset))
                .map(drop)?,
            Self::BackOff => wait_until("the driver has failed", || {
                let is_c = modem.file("phase").is_empty();
                modem.is_waiting() || (is_c && modem.was_asked() && modem.threads().is_empty())
            })?,
            Self::AliveCheck
            | Self::UploadStuck
            | Self::BlockRead
            | Self::Select
            | Self::StartUp
            | Self::LineStatus => {
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
            Self::Traffic => return Flow::new(modem, &modem.await_up()?).map(Some),
            Self::Idle => {
                modem.await_up()?;
                modem.await_no_init_thread()?;
            }
        }
        Ok(None)
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

    /// Whether a driver has asked it anything.
    fn was_asked(&self) -> bool {
        let events = self.modem().events();
        let is_it = |what: &What| matches!(what, What::Vendor { .. });
        events.iter().any(|event| is_it(&event.what))
    }

    /// Whether the driver is bound to it.
    pub fn is_bound(&self) -> bool {
        let link = format!("/sys/bus/usb/drivers/speedtch/{}", self.interface());
        fs::exists(link).unwrap_or(false)
    }
}

/// Such a modem, with a MAC address of its own.
fn numbered(options: &Options, number: u8) -> Options {
    options.clone().mac(plugged::mac(number))
}

/// A modem in a phase, and what keeps it there.
pub struct Reached {
    // Pulled out first: that ends the other, if nothing has before.
    modem: Plugged,
    flow: Option<Flow>,
}

impl Reached {
    /// Lets go of what user space has of the modem, after its driver has.
    pub fn close(&mut self) {
        self.flow = None;
    }

    /// The modem alone.
    pub fn into_modem(self) -> Plugged {
        self.modem
    }
}

impl Deref for Reached {
    type Target = Plugged;

    fn deref(&self) -> &Plugged {
        &self.modem
    }
}

/// Packets that are sent on a VCC and come back, one after the other.
struct Flow {
    is_over: Arc<AtomicBool>,
    sender: Option<JoinHandle<()>>,
}

impl Flow {
    /// Begins to send, and waits until the modem is busy.
    fn new(modem: &Plugged, atm: &AtmDevice) -> Result<Self> {
        let mut pvc = Pvc::open(atm.number, 8, 35, 1500)
            .with_context(|| format!("cannot open a VCC on {}", atm.name))?;
        let is_over = Arc::new(AtomicBool::new(false));
        let flow = Self {
            is_over: is_over.clone(),
            sender: Some(thread::spawn(move || {
                let mut received = [0; 1500];
                // Until the socket says that the modem is gone; a packet may be lost.
                while !is_over.load(Ordering::Relaxed) && pvc.send(&[0x5a; 1500]).is_ok() {
                    let _ = pvc.receive(&mut received);
                }
            })),
        };
        let is_busy = modem
            .modem()
            .wait_until(LIMIT, |view| (view.counters.cells_in > 500).then_some(()));
        is_busy.context("no traffic flows")?;
        Ok(flow)
    }
}

impl Drop for Flow {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(sender) = self.sender.take() {
            // A panic has been printed already.
            let _ = sender.join();
        }
    }
}
