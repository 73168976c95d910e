//! The lab inside the guest: its first program. It does the jobs that the host
//! sends over the second serial line.

pub mod asleep;
pub mod atmpvc;
pub mod by_hand;
mod callbacks;
pub mod checkers;
pub mod clients;
pub mod costs;
pub mod demonstration;
pub mod firmware;
pub mod gallery;
pub mod hostile;
mod hub;
mod interrupts;
mod kept;
mod kernel_tests;
pub mod kexample;
mod kill;
pub mod kmsg;
pub mod kthread;
pub mod life;
pub mod line;
pub mod machine;
pub mod modules;
mod nodes;
pub mod parity;
pub mod phases;
pub mod plugged;
pub mod power;
pub mod removal;
pub mod scenarios;
mod socket;
mod starved;
mod stops;
pub mod surface;
pub mod sysfs;
mod transfers;
pub mod uevents;
pub mod usbfs;
pub mod words;

use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::sync::Mutex;

use anyhow::{Context, Result};
use nix::sys::termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr};

use crate::protocol::{FromGuest, Job, ToGuest};
use kmsg::Kmsg;

/// Says things to the host.
pub struct Host(Mutex<File>);

impl Host {
    /// Sends one message.
    pub fn say(&self, message: &FromGuest) {
        let mut line = serde_json::to_vec(message).unwrap_or_default();
        line.push(b'\n');
        // Without a host there is nobody to tell that this failed.
        let _ = self.0.lock().unwrap().write_all(&line);
    }

    /// Tells a fact that the job shows.
    pub fn note(&self, text: impl Into<String>) {
        self.say(&FromGuest::Note(text.into()));
    }

    /// Tells of each of `things` when its turn comes: a long job that says nothing meanwhile would
    /// be taken for one that hangs.
    pub fn tell_each<T: fmt::Debug>(
        &self,
        what: &str,
        things: impl Iterator<Item = T>,
    ) -> impl Iterator<Item = T> {
        things.inspect(move |thing| self.note(format!("{what} {thing:?}")))
    }

    /// Begins a part of the account.
    pub fn heading(&self, text: impl Into<String>) {
        self.say(&FromGuest::Heading(text.into()));
    }
}

/// The life of the guest's first program.
pub fn init() -> ! {
    if let Err(error) = machine::set_up() {
        println!("lab: cannot set up the guest: {error:#}");
    } else if machine::wants_shell() {
        machine::shell();
    } else if let Err(error) = serve() {
        println!("lab: the guest ends: {error:#}");
    }
    machine::power_off()
}

fn serve() -> Result<()> {
    let line = File::options()
        .read(true)
        .write(true)
        .open("/dev/ttyS1")
        .context("no second serial line")?;
    let mut settings = tcgetattr(&line)?;
    cfmakeraw(&mut settings);
    tcsetattr(&line, SetArg::TCSANOW, &settings)?;
    let host = Host(Mutex::new(line.try_clone()?));
    host.say(&FromGuest::Ready);
    for said in BufReader::new(line).lines() {
        match serde_json::from_str(&said?)? {
            ToGuest::Run(job) => {
                let done = perform(&job, &host);
                host.say(&done);
            }
            ToGuest::PowerOff => break,
        }
    }
    Ok(())
}

/// Does `job`; what the kernel logs meanwhile belongs to its result.
fn perform(job: &Job, host: &Host) -> FromGuest {
    let kernel = Kmsg::from_now();
    let watched = checkers::Watched::begin();
    let result = match job {
        Job::Demonstration => demonstration::run(host),
        Job::Scenario(name) => scenarios::run(name, host),
        Job::Parity(driver) => parity::gather(*driver, host),
        Job::Break(breakage) => machine::break_down(*breakage),
        Job::Removal {
            driver,
            phase,
            means,
            modems,
        } => removal::measure(*driver, phase, means, *modems, host),
        Job::Another { driver, phase } => stops::measure_other(*driver, phase.as_deref(), host),
        Job::Costs {
            part,
            driver,
            packets,
        } => costs::measure(part, *driver, *packets, host),
        Job::Kthread {
            row,
            samples,
            operations,
        } => kthread::measure(row, *samples, *operations, host),
        Job::Script { lines, purpose } => gallery::run(lines, *purpose),
        Job::KernelTest { index, name } => kernel_tests::run(*index, name),
        Job::StarvedKernelTest { index, name } => starved::kernel_test(*index, name, host),
        Job::StarvedDetached => starved::detached_threads(host),
        Job::StarvedModem => starved::modem(host),
        Job::StarvedConnections => starved::connections(host),
        Job::StarvedPackets => starved::packets(host),
        Job::StarvedEvent => starved::event(host),
        Job::Fault(fault) => checkers::commit(fault),
        Job::Leaks => checkers::leaks(),
    };
    let kernel_log = kernel.lines();
    let awake = watched.map_or(Ok(()), |watched| watched.end(job.name(), &kernel_log));
    let result = result.and(awake);
    FromGuest::Done {
        error: result.err().map(|error| format!("{error:#}")),
        kernel_log,
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Seek, read_to_string};

    use super::*;

    #[test]
    fn a_long_job_says_how_far_it_is_as_it_goes() {
        let path = std::env::temp_dir().join(format!("lab-said-{}", std::process::id()));
        let mut said = File::options();
        let said = said.create(true).truncate(true).read(true).write(true);
        let mut said = said.open(&path).unwrap();
        let host = Host(Mutex::new(said.try_clone().unwrap()));
        let mut batches = host.tell_each("now", [[1, 2], [3, 4]].iter());
        batches.next();
        said.rewind().unwrap();
        assert_eq!(
            read_to_string(&said).unwrap(),
            "{\"Note\":\"now [1, 2]\"}\n"
        );
        std::fs::remove_file(path).unwrap();
    }
}
