//! Waking the machine up when it has gone to sleep.
//!
//! QEMU says so on its monitor (QMP, one JSON value a line) when the machine is asleep, and no
//! earlier: a wake-up that comes before that would be lost, and the machine would sleep on.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use anyhow::{Context, Result};
use serde_json::Value;

/// QEMU's monitor.
pub struct Waker(PathBuf);

impl Waker {
    /// A monitor whose socket is called like `socket`, with another ending.
    pub fn new(socket: &Path) -> Self {
        Self(socket.with_extension("qmp"))
    }

    /// Has QEMU listen there.
    pub fn add_to(&self, command: &mut Command) {
        let path = self.0.display();
        command
            .arg("-qmp")
            .arg(format!("unix:{path},server=on,wait=off"));
    }

    /// Wakes the machine up each time that it has gone to sleep, until it ends.
    pub fn watch(&self) -> Result<()> {
        let mut monitor = UnixStream::connect(&self.0).context("QEMU has no monitor")?;
        let said = BufReader::new(monitor.try_clone()?);
        execute(&mut monitor, "qmp_capabilities")?;
        thread::spawn(move || {
            for line in said.lines().map_while(Result::ok) {
                if is_asleep(&line) && execute(&mut monitor, "system_wakeup").is_err() {
                    break;
                }
            }
        });
        Ok(())
    }
}

impl Drop for Waker {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn execute(monitor: &mut UnixStream, command: &str) -> Result<()> {
    let line = serde_json::json!({ "execute": command });
    Ok(writeln!(monitor, "{line}")?)
}

/// Whether the monitor says that the machine is asleep.
fn is_asleep(line: &str) -> bool {
    let said: Option<Value> = serde_json::from_str(line).ok();
    said.is_some_and(|said| said["event"] == "SUSPEND")
}

#[cfg(test)]
mod tests {
    use super::is_asleep;

    #[test]
    fn only_the_event_itself_counts() {
        assert!(is_asleep(
            r#"{"timestamp": {"seconds": 1, "microseconds": 2}, "event": "SUSPEND"}"#
        ));
        assert!(!is_asleep(r#"{"event": "SUSPEND_DISK"}"#));
        assert!(!is_asleep(r#"{"return": {}}"#));
        assert!(!is_asleep("SUSPEND"));
    }
}
