//! The toolchain root: a Debian in a folder, in which everything is built.
//!
//! Programs run in it by plain `chroot`: no mounts, so no CAP_SYS_ADMIN, and
//! nothing of the host but its network settings.

use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use nix::fcntl::OFlag;

use crate::children;
use crate::fail::Failure;
use crate::steps::Step;

/// Words in a log by which a failure of the network is known.
const NETWORK: [&str; 8] = [
    "Could not resolve",
    "Temporary failure",
    "Could not connect",
    "Connection failed",
    "Connection timed out",
    "Network is unreachable",
    "Unable to connect",
    "failed to download",
];

/// The toolchain root.
#[derive(Clone)]
pub struct Root {
    path: PathBuf,
    /// What runs in it leaves the processors to others.
    is_nice: bool,
}

impl Root {
    /// The root at `path`, which `./lab` has made.
    pub fn new(path: PathBuf) -> Self {
        Self {
            path,
            is_nice: false,
        }
    }

    /// The same root for work that others shall not wait for: it gets what processors they leave.
    pub fn nice(&self) -> Self {
        Self {
            is_nice: true,
            ..self.clone()
        }
    }

    /// Where `inside`, an absolute path in the root, is on the host.
    pub fn host(&self, inside: &str) -> PathBuf {
        self.path.join(inside.trim_start_matches('/'))
    }

    /// A shell script to be run in the root, with `args` as `$1`, `$2`, …
    pub fn script(&self, script: &str, args: &[&str]) -> Command {
        let mut command = if self.is_nice {
            let mut nice = children::command("nice");
            nice.arg("chroot");
            nice
        } else {
            children::command("chroot")
        };
        command
            .arg(&self.path)
            .args(["/bin/sh", "-euc", script, "sh"])
            .args(args);
        command
            .env("HOME", "/root")
            .env("PATH", "/usr/lib/llvm-19/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .env("LC_ALL", "C")
            .env("DEBIAN_FRONTEND", "noninteractive")
            .env("CARGO_HOME", "/src/cargo")
            .env("CARGO_TARGET_DIR", "/src/host/target")
            .env("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt")
            .env("CARGO_HTTP_CAINFO", "/etc/ssl/certs/ca-certificates.crt")
            .env_remove("TMPDIR");
        command
    }

    /// Runs `script` in the root as (part of) a step: its output goes to the
    /// step's log, its newest line beside the step's spinner.
    pub fn run(&self, step: &Step, script: &str, args: &[&str]) -> Result<()> {
        run(step, self.script(script, args))
    }

    /// What `script` prints in the root.
    pub fn output(&self, script: &str, args: &[&str]) -> Result<String> {
        let output = children::output(self.script(script, args))?;
        anyhow::ensure!(
            output.status.success(),
            "{script:?} in the toolchain root: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
        Ok(String::from_utf8(output.stdout)?)
    }
}

/// Runs `command` as part of `step`.
pub fn run(step: &Step, mut command: Command) -> Result<()> {
    let mut log = File::options().append(true).open(step.log())?;
    let (reader, writer) = nix::unistd::pipe2(OFlag::O_CLOEXEC)?;
    command
        .stdin(Stdio::null())
        .stdout(writer.try_clone()?)
        .stderr(writer);
    let mut child = children::spawn(command)?;
    for line in BufReader::new(File::from(reader)).split(b'\n') {
        let line = line?;
        note(&mut log, &line)?;
        step.show(String::from_utf8_lossy(&line).trim().to_owned());
    }
    let status = child.wait().context("cannot wait for a program")?;
    anyhow::ensure!(status.success(), explain(step.log(), &status.to_string()));
    Ok(())
}

/// Writes a line of a step's log.
fn note(log: &mut File, line: &[u8]) -> Result<()> {
    let written = log.write_all(&[line, b"\n"].concat());
    written.map_err(|error| match error.kind() {
        ErrorKind::StorageFull => disk_is_full().into(),
        _ => error.into(),
    })
}

fn disk_is_full() -> Failure {
    Failure::new(
        "the disk is full",
        "make room, or set THREADLINE_CACHE to another place",
    )
}

/// What the log of a program that failed says about the cause.
fn explain(log: &Path, status: &str) -> Failure {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let failure = if NETWORK.iter().any(|word| text.contains(word)) {
        Failure::new(
            "the package registries cannot be reached",
            "check the network (and the proxy), then run this again",
        )
    } else if text.contains("No space left on device") {
        disk_is_full()
    } else {
        let lines: Vec<_> = text.lines().collect();
        let last = lines[lines.len().saturating_sub(20)..]
            .iter()
            .map(|line| (*line).to_owned());
        Failure::new(
            format!("a program failed ({status})"),
            "its last words are above",
        )
        .detail(last)
    };
    failure.log(log)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_no_longer_fits_on_the_disk_brings_advice() {
        let mut full = File::options().append(true).open("/dev/full").unwrap();
        let error = note(&mut full, b"a line").unwrap_err();
        assert!(error.to_string().contains("the disk is full"), "{error}");
    }
}
