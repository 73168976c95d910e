//! Emulated modems as the jobs use them: plugged in, waited for, followed.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use modem::{Event, Modem, Options, Port, Stage, What};

use super::sysfs::{AtmDevice, Thread, driver_threads};
use super::{Host, firmware};
use crate::protocol::FromGuest;

/// A guard against hanging, nothing more: under emulation on a busy machine everything here
/// ends within a tenth of it, beside the checkers of the debug kernel within a half.
pub const LIMIT: Duration = Duration::from_secs(120);

/// What most jobs plug: a modem on a full-speed bus of its own that wants the
/// installed firmware. `number` makes its MAC address.
pub fn options(number: u8) -> Options {
    let (stage_1, stage_2) = firmware::images();
    Options::new().mac(mac(number)).firmware(stage_1, stage_2)
}

/// The MAC address of the modem with this number.
pub fn mac(number: u8) -> [u8; 6] {
    [0x00, 0x90, 0xd0, 0x00, 0x00, number]
}

/// A modem that is plugged in.
pub struct Plugged {
    modem: Modem,
    port: Port,
}

impl Drop for Plugged {
    /// Pulls it out, and lets the kernel notice before anything else is done: what takes its port
    /// meanwhile would be asked for what the kernel still wants of this one.
    fn drop(&mut self) {
        self.modem.unplug();
        // Where the driver blocks, somebody else says so.
        self.modem.wait_forgotten(Duration::from_secs(2));
    }
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

    /// Waits until so many of the blocks behind the firmware's stages were read.
    pub fn await_blocks_read(&self, count: usize) -> Result<()> {
        let is_read = |event: &&Event| matches!(event.what, What::BlockRead);
        let reached = self.modem.wait_until(LIMIT, |view| {
            (view.events.iter().filter(is_read).count() >= count).then_some(())
        });
        reached
            .with_context(|| format!("{count} blocks were not read within {} s", LIMIT.as_secs()))
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
        wait_until("the ATM device's line is up", || {
            found = AtmDevice::of(self.device()).filter(AtmDevice::is_up);
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

    /// What the modem is doing, in words, from its own log.
    fn phase(&self) -> &'static str {
        let events = self.modem.events();
        let last = events
            .iter()
            .rev()
            .find_map(|event| phase_after(&event.what));
        last.unwrap_or("plugged in")
    }
}

/// The phase that begins when this happens, in words.
pub fn phase_after(what: &What) -> Option<&'static str> {
    Some(match what {
        What::Unplugged { .. } => "unplugged",
        What::LineUp { .. } => "line up",
        What::LineDown => "line down",
        What::Training => "line synchronising",
        What::Booted => "firmware running",
        What::StageDone {
            stage: Stage::Two, ..
        } => "starting its firmware",
        What::StageStarted { .. } => "taking firmware",
        What::Configured { .. } => "configured",
        _ => return None,
    })
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
                total: firmware::TOTAL as u64,
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
