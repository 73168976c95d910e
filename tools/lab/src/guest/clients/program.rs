//! Programs that run beside a scenario, and what they say.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;

use crate::guest::plugged;

/// So many of a program's last lines explain why something failed.
const LAST_LINES: usize = 40;

/// A program that runs; it is ended with its guard.
pub struct Program {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Program {
    /// Starts the program, with its words in a file.
    pub fn start(path: &str, arguments: &[&str]) -> Result<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = path.rsplit('/').next().unwrap_or(path).to_owned();
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let log = PathBuf::from(format!("/tmp/{name}.{number}"));
        let file = File::create(&log)?;
        let child = Command::new(path)
            .args(arguments)
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .with_context(|| format!("cannot start {path}"))?;
        Ok(Self { name, child, log })
    }

    /// What it has said.
    pub fn words(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// `result`, with the program's last words where it is an error.
    pub fn explain<T>(&self, result: Result<T>) -> Result<T> {
        result.with_context(|| {
            let words = self.words();
            let lines: Vec<_> = words.lines().collect();
            let last = lines[lines.len().saturating_sub(LAST_LINES)..].join("\n");
            format!("{} said:\n{last}\n", self.name)
        })
    }

    /// Waits until it has said this.
    pub fn await_words(&mut self, words: &str) -> Result<()> {
        let waited = plugged::wait_until(&format!("{} says {words:?}", self.name), || {
            self.words().contains(words) || self.has_ended()
        });
        let said = waited.and_then(|()| {
            if !self.words().contains(words) {
                bail!("{} did not say {words:?}", self.name);
            }
            Ok(())
        });
        self.explain(said)
    }

    fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits until it has ended by itself.
    pub fn await_end(&mut self) -> Result<ExitStatus> {
        let mut status = None;
        let waited = plugged::wait_until(&format!("{} ends", self.name), || {
            status = self.child.try_wait().ok().flatten();
            status.is_some()
        });
        self.explain(waited)?;
        status.context("it did not end")
    }

    /// Asks it to end, and waits until it has.
    pub fn stop(&mut self) -> Result<ExitStatus> {
        let _ = kill(self.pid(), Signal::SIGTERM);
        self.await_end()
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id() as i32)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Ends every program that others have left to us, as the system's first program.
/// Nobody may have a [`Program`] meanwhile.
pub fn end_orphans() {
    let processes = || fs::read_dir("/proc").into_iter().flatten().flatten();
    for process in processes() {
        let pid = process
            .file_name()
            .to_str()
            .and_then(|pid| pid.parse().ok());
        let Some(pid) = pid.filter(|_| is_orphan(&process.path())) else {
            continue;
        };
        let pid = Pid::from_raw(pid);
        let _ = kill(pid, Signal::SIGKILL);
        let _ = waitpid(pid, None::<WaitPidFlag>);
    }
}

/// Whether this is a child of ours; kernel threads are of another family.
fn is_orphan(process: &std::path::Path) -> bool {
    let status = fs::read_to_string(process.join("status")).unwrap_or_default();
    let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"));
    parent.is_some_and(|parent| parent.trim() == "1")
}
