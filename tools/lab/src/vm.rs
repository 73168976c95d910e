//! The virtual machine: QEMU with the stock kernel, its console watched for
//! what the kernel reports, and a serial line to the lab inside.

mod console;
mod meeting;
mod monitor;
mod outside;
mod qemu;
mod trap;

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::ValueEnum;

use crate::children::Guarded;
use crate::fail::Failure;
use crate::kernel_log::is_report;
use crate::protocol::{FromGuest, Job, Outside, Purpose, ToGuest};
use crate::setup::Flavour;
use crate::setup::image::Image;
use console::Console;
use meeting::Meeting;
pub use meeting::tidy_up;
use monitor::Monitor;
use outside::Controller;
pub use qemu::shell;

/// A boot that takes longer than this hangs; a busy machine needs a tenth.
const BOOT_LIMIT: Duration = Duration::from_secs(90);
/// The same for the debug kernel.
const DEBUG_BOOT_LIMIT: Duration = Duration::from_secs(300);
/// KVM that works boots in 3 s; KVM that does not may hang for ever.
const KVM_LIMIT: Duration = Duration::from_secs(30);
/// How many console lines a failure shows.
const CONSOLE_LINES: usize = 60;
/// About one boot in forty under multi-threaded emulation dies in the kernel's
/// own early code patching, before any module of ours is loaded: see [`died_of_emulation`].
const BOOT_TRIES: usize = 3;

/// What the processor of the guest is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Accel {
    /// QEMU's own emulation: works everywhere.
    Tcg,
    /// The host's virtualisation, if it turns out to work.
    Kvm,
    /// QEMU's own emulation of one processor whose clock counts instructions, one
    /// a nanosecond: what something costs repeats, whatever else the host does.
    Icount,
}

/// How to boot.
#[derive(Debug, Clone)]
pub struct Options {
    /// The processor.
    pub accel: Accel,
    /// Where the console is logged.
    pub console_log: PathBuf,
    /// Whether the machine has a host controller for modems that are outside of it, and is woken
    /// up when it has gone to sleep.
    pub outside: bool,
}

fn boot_limit(flavour: Flavour) -> Duration {
    match flavour {
        Flavour::Stock => BOOT_LIMIT,
        Flavour::Debug => DEBUG_BOOT_LIMIT,
    }
}

/// A machine that runs.
pub struct Vm {
    qemu: Guarded,
    channel: UnixStream,
    messages: Receiver<Message>,
    console: Arc<Mutex<Console>>,
    console_log: PathBuf,
    /// What is outside of it, if it has a place for that.
    controller: Option<Controller>,
    /// What wakes it up, if it sleeps.
    monitor: Option<Monitor>,
    /// How many boots died before this one came up.
    pub boots_lost: usize,
}

enum Message {
    FromGuest(FromGuest),
    /// The kernel reported something on the console.
    Report(String),
    /// The machine has ended.
    Ended,
}

impl Vm {
    /// Boots the guest and waits until it takes jobs.
    pub fn boot(image: &Image, options: &Options) -> Result<Vm> {
        if options.accel == Accel::Kvm {
            match Self::try_boot(image, options, Accel::Kvm, KVM_LIMIT) {
                Ok(vm) => return Ok(vm),
                Err(error) => eprintln!(
                    "lab: no use of KVM here ({}); going on with QEMU's own emulation",
                    error
                        .downcast_ref()
                        .map_or("it cannot be tried", Failure::what)
                ),
            }
        }
        let accel = match options.accel {
            Accel::Icount => Accel::Icount,
            Accel::Tcg | Accel::Kvm => Accel::Tcg,
        };
        let mut lost = 0;
        loop {
            match Self::try_boot(image, options, accel, boot_limit(image.flavour)) {
                Ok(vm) => {
                    return Ok(Vm {
                        boots_lost: lost,
                        ..vm
                    });
                }
                Err(error) if lost + 1 >= BOOT_TRIES => return Err(error),
                Err(error) => {
                    lost += 1;
                    let what = error
                        .downcast_ref()
                        .map_or("it cannot start", Failure::what);
                    eprintln!("lab: a machine did not come up ({what}); booting another");
                }
            }
        }
    }

    fn try_boot(image: &Image, options: &Options, accel: Accel, limit: Duration) -> Result<Vm> {
        let meeting = Meeting::new();
        let socket = meeting.socket();
        let listener = UnixListener::bind(socket)
            .with_context(|| format!("cannot listen at {}", socket.display()))?;
        let hardware = options
            .outside
            .then(|| (Controller::new(socket), monitor::Socket::new(socket)));
        let mut qemu = qemu::start(image, accel, socket, hardware.as_ref())?;
        let (sender, messages) = channel();
        let console = Arc::new(Mutex::new(Console::logged_to(&options.console_log)?));
        let output = qemu.stdout.take().context("QEMU has no console")?;
        let output = BufReader::new(output);
        console::watch(output, Arc::clone(&console), sender.clone());
        let channel = accept(&listener, &mut qemu, &console)?;
        if let Some(words) = qemu.stderr.take() {
            console::watch_words(BufReader::new(words), Arc::clone(&console));
        }
        watch_channel(BufReader::new(channel.try_clone()?), sender);
        let (controller, monitor) = match hardware {
            Some((controller, socket)) => (Some(controller), Some(socket.connect()?)),
            None => (None, None),
        };
        let mut vm = Vm {
            qemu,
            channel,
            messages,
            console,
            console_log: options.console_log.clone(),
            controller,
            monitor,
            boots_lost: 0,
        };
        vm.await_ready(limit)?;
        Ok(vm)
    }

    fn await_ready(&mut self, limit: Duration) -> Result<()> {
        let deadline = Instant::now() + limit;
        let mut report = None;
        loop {
            match self
                .messages
                .recv_timeout(deadline.saturating_duration_since(Instant::now()))
            {
                Ok(Message::FromGuest(FromGuest::Ready)) => return Ok(()),
                Ok(Message::Report(line)) => report = report.or(Some(line)),
                Ok(Message::FromGuest(_)) => {}
                Ok(Message::Ended) | Err(RecvTimeoutError::Disconnected) => {
                    bail!(self.death(report))
                }
                Err(RecvTimeoutError::Timeout) => {
                    bail!(self.failure(&format!(
                        "the guest did not boot within {} s",
                        limit.as_secs()
                    )))
                }
            }
        }
    }

    /// Has the guest do `job`, showing each thing that it says to `hear`.
    ///
    /// `Ok` means that the job held. A machine that ends, or that says nothing
    /// for `silence`, or whose kernel reports something, fails the job, and is
    /// of use only where something is meant to go wrong.
    pub fn run(
        &mut self,
        job: &Job,
        silence: Duration,
        hear: impl FnMut(&FromGuest),
    ) -> Result<Vec<String>> {
        self.send(&ToGuest::Run(job.clone()))?;
        let result = self.hear_out(job, silence, hear);
        if let Some(controller) = &mut self.controller {
            controller.pull();
        }
        result
    }

    /// Hears what the guest says until the job is done.
    fn hear_out(
        &mut self,
        job: &Job,
        silence: Duration,
        mut hear: impl FnMut(&FromGuest),
    ) -> Result<Vec<String>> {
        let mut report = None;
        loop {
            match self.messages.recv_timeout(silence) {
                Ok(Message::FromGuest(FromGuest::Done { error, kernel_log })) => {
                    // What the console says last of one job may be heard in the next.
                    let own = kernel_log.iter().find(|line| is_report(line)).cloned();
                    let reported = own.or(report).filter(|_| !is_misuse(job));
                    return match (error, reported) {
                        (None, None) => Ok(kernel_log),
                        (error, Some(line)) => {
                            let error =
                                error.map(|error| format!(" ({error})")).unwrap_or_default();
                            Err(Failure::new(
                                format!("the kernel reported: {line}{error}"),
                                "its log is above",
                            )
                            .detail(from(&line, &kernel_log))
                            .log(&self.console_log)
                            .into())
                        }
                        (Some(error), None) => {
                            Err(Failure::new(error, "the kernel's log of it is above")
                                .detail(last(&kernel_log))
                                .into())
                        }
                    };
                }
                Ok(Message::FromGuest(FromGuest::Outside(wish))) => self.change_outside(&wish)?,
                Ok(Message::FromGuest(said)) => hear(&said),
                Ok(Message::Report(line)) => report = report.or(Some(line)),
                Ok(Message::Ended) | Err(RecvTimeoutError::Disconnected) => {
                    bail!(self.death(report))
                }
                Err(RecvTimeoutError::Timeout) => {
                    bail!(self.failure(&format!(
                        "the guest hangs: not a word for {} s",
                        silence.as_secs()
                    )))
                }
            }
        }
    }

    /// Does something outside of the machine that the guest wants.
    fn change_outside(&mut self, wish: &Outside) -> Result<()> {
        let controller = self.controller.as_mut();
        let (Some(controller), Some(monitor)) = (controller, self.monitor.as_ref()) else {
            bail!("this machine has nothing outside of it");
        };
        match wish {
            Outside::Plug(modem) => controller.plug(modem)?,
            Outside::Pull => controller.pull(),
            Outside::PullHub => controller.pull_hub(monitor)?,
            Outside::PlugHub => controller.plug_hub(monitor)?,
        }
        Ok(())
    }

    /// Whether a processor that is late when the machine wakes up halts: after a wake-up.
    pub fn halts_who_is_late(&self) -> Result<bool> {
        let monitor = self.monitor.as_ref();
        let monitor = monitor.context("this machine has no monitor")?;
        Ok(monitor.memory(trap::ADDRESS, trap::PROGRAM.len())? == trap::PROGRAM)
    }

    /// How much the console has said.
    pub fn console_length(&self) -> Result<u64> {
        Ok(std::fs::metadata(&self.console_log)?.len())
    }

    /// What the console has said since it had that length.
    pub fn console_since(&self, length: u64) -> Result<String> {
        let mut log = File::open(&self.console_log)?;
        log.seek(SeekFrom::Start(length))?;
        let mut said = Vec::new();
        log.read_to_end(&mut said)?;
        Ok(String::from_utf8_lossy(&said).into_owned())
    }

    /// Whether the machine has ended.
    pub fn is_over(&mut self) -> bool {
        matches!(self.qemu.try_wait(), Ok(Some(_)))
    }

    fn send(&mut self, message: &ToGuest) -> Result<()> {
        let mut line = serde_json::to_vec(message)?;
        line.push(b'\n');
        self.channel
            .write_all(&line)
            .map_err(|_| self.failure("the guest is gone").into())
    }

    /// Switches the machine off; one that does not go by itself is ended.
    pub fn power_off(mut self) {
        if self.send(&ToGuest::PowerOff).is_ok() {
            self.await_end();
        }
    }

    /// How QEMU ends, if it does so in a while.
    fn await_end(&mut self) -> Option<ExitStatus> {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            match self.qemu.try_wait() {
                Ok(None) if Instant::now() < deadline => thread::sleep(Duration::from_millis(20)),
                ended => return ended.ok().flatten(),
            }
        }
    }

    /// How the machine ended, whose kernel reported this before.
    fn death(&mut self, report: Option<String>) -> Failure {
        if let Some(line) = report {
            return self.failure(&format!("the guest died: {line}"));
        }
        let ended = match self.await_end() {
            Some(status) if status.success() => "it was reset or switched off".to_owned(),
            Some(status) => format!("QEMU ended with {status}"),
            None => "QEMU has closed its console, and runs on".to_owned(),
        };
        self.failure(&format!("the guest died without a word ({ended})"))
    }

    /// What happened, with the end of the console.
    fn failure(&self, what: &str) -> Failure {
        // The last lines may still be on their way.
        thread::sleep(Duration::from_millis(200));
        let console = self.console.lock().unwrap();
        Failure::new(
            what,
            format!("the last {CONSOLE_LINES} console lines are above"),
        )
        .detail(console.newest.iter().cloned())
        .log(&self.console_log)
    }
}

/// Whether the machine died because the emulation of several processors runs code that the
/// kernel has just patched as it was before: the kernel then meets a breakpoint of its own
/// that it has taken away. No module of ours patches code.
///
/// QEMU has the fault up to 8.0: there a processor's translation of an instruction that another
/// one writes at that moment may stay.
///
/// Or whether QEMU itself did something that it must not, which nothing in a guest can excuse.
pub fn died_of_emulation(error: &anyhow::Error) -> bool {
    let failure = error.downcast_ref::<Failure>();
    failure.is_some_and(|failure| {
        let what = failure.what();
        what.starts_with("the guest died")
            && (what.contains("Oops: int3") || what.contains("QEMU ended with signal: 11"))
    })
}

/// Whether the kernel is meant to report something.
fn is_misuse(job: &Job) -> bool {
    matches!(
        job,
        Job::Script {
            purpose: Purpose::Misuse,
            ..
        }
    )
}

/// What the log says from a report on; the last of it, where the report is not in it.
fn from(report: &str, lines: &[String]) -> impl Iterator<Item = String> {
    let latest = lines.len().saturating_sub(CONSOLE_LINES);
    let start = lines.iter().position(|line| line == report);
    let shown = lines.iter().skip(start.unwrap_or(latest));
    shown.take(CONSOLE_LINES).cloned()
}

fn last(lines: &[String]) -> impl Iterator<Item = String> + '_ {
    lines[lines.len().saturating_sub(CONSOLE_LINES)..]
        .iter()
        .cloned()
}

/// QEMU connects at once, or ends with a message on its standard error.
fn accept(
    listener: &UnixListener,
    qemu: &mut Guarded,
    console: &Mutex<Console>,
) -> Result<UnixStream> {
    listener.set_nonblocking(true)?;
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(false)?;
                return Ok(stream);
            }
            Err(_) if Instant::now() < deadline && matches!(qemu.try_wait(), Ok(None)) => {
                thread::sleep(Duration::from_millis(10));
            }
            Err(_) => {
                let _ = qemu.kill();
                let mut said = String::new();
                if let Some(mut stderr) = qemu.stderr.take() {
                    let _ = stderr.read_to_string(&mut said);
                }
                let mut lines: Vec<_> = said.lines().map(str::to_owned).collect();
                lines.extend(console.lock().unwrap().newest.iter().cloned());
                bail!(Failure::new("QEMU does not start", "its own words are above").detail(lines));
            }
        }
    }
}

fn watch_channel(channel: impl BufRead + Send + 'static, sender: Sender<Message>) {
    thread::spawn(move || {
        for line in console::lines(channel) {
            // Anything else on the line is noise from before the guest set it up.
            if let Ok(message) = serde_json::from_str(&line) {
                let _ = sender.send(Message::FromGuest(message));
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::died_of_emulation;
    use crate::fail::Failure;

    #[test]
    fn a_death_of_the_emulation_is_told_from_others() {
        let died = |what: &str| died_of_emulation(&Failure::new(what, "").into());
        assert!(died(
            "the guest died: [   50.423762] Oops: int3: 0000 [#1] SMP NOPTI"
        ));
        assert!(!died(
            "the guest died: [   50.423762] Oops: 0002 [#1] SMP NOPTI"
        ));
        assert!(died(
            "the guest died without a word (QEMU ended with signal: 11 (SIGSEGV))"
        ));
        // Somebody ended it.
        assert!(!died(
            "the guest died without a word (QEMU ended with signal: 9 (SIGKILL))"
        ));
        assert!(!died("the kernel reported: Oops: int3: 0000"));
        assert!(!died_of_emulation(&anyhow::anyhow!("something else")));
    }
}
