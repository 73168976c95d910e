//! QEMU's monitor (QMP, one JSON value a line).
//!
//! It says when the machine is asleep, and is told to wake it up then, and no earlier: a wake-up
//! that comes before that would be lost, and the machine would sleep on.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

/// The monitor answers at once; a busy host needs a moment.
const LIMIT: Duration = Duration::from_secs(60);

/// Where QEMU listens for one that has not connected yet.
pub struct Socket(PathBuf);

impl Socket {
    /// A socket that is called like `socket`, with another ending.
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

    /// Connects, and wakes the machine up from now on each time that it has gone to sleep, until
    /// it ends.
    pub fn connect(&self) -> Result<Monitor> {
        let orders = UnixStream::connect(&self.0).context("QEMU has no monitor")?;
        let said = BufReader::new(orders.try_clone()?);
        let orders = Arc::new(Mutex::new(orders));
        order(&orders, &json!({ "execute": "qmp_capabilities" }))?;
        let (sender, answers) = channel();
        thread::spawn({
            let orders = Arc::clone(&orders);
            move || listen(said, &orders, &sender)
        });
        let memory = self.0.with_extension("memory");
        Ok(Monitor {
            orders,
            answers,
            memory,
        })
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// The monitor of a machine.
pub struct Monitor {
    orders: Arc<Mutex<UnixStream>>,
    /// What it answers to orders that have an id.
    answers: Receiver<Value>,
    /// Where it writes memory down.
    memory: PathBuf,
}

impl Monitor {
    /// What is in the machine's memory at this physical address.
    pub fn memory(&self, address: u64, length: usize) -> Result<Vec<u8>> {
        let place = json!({ "val": address, "size": length, "filename": self.memory });
        let saved = self.execute("pmemsave", &place);
        let memory = fs::read(&self.memory);
        let _ = fs::remove_file(&self.memory);
        saved?;
        memory.context("QEMU has not written the machine's memory down")
    }

    /// Has QEMU do something, and waits until it has done it.
    pub fn execute(&self, command: &str, arguments: &Value) -> Result<()> {
        order(
            &self.orders,
            &json!({ "execute": command, "arguments": arguments, "id": command }),
        )?;
        let answer = self.answers.recv_timeout(LIMIT);
        let answer = answer.with_context(|| format!("QEMU does not answer to {command}"))?;
        if let Some(error) = answer.get("error") {
            bail!("QEMU refuses {command}: {error}");
        }
        Ok(())
    }
}

fn listen(said: impl BufRead, orders: &Mutex<UnixStream>, answers: &Sender<Value>) {
    for line in said.lines().map_while(Result::ok) {
        if is_asleep(&line) {
            // It fails only where QEMU is no more, and then there is no next line either.
            let _ = order(orders, &json!({ "execute": "system_wakeup" }));
        } else if let Some(answer) = answer(&line) {
            let _ = answers.send(answer);
        }
    }
}

fn order(orders: &Mutex<UnixStream>, order: &Value) -> Result<()> {
    let mut orders = orders.lock().unwrap();
    writeln!(orders, "{order}").context("QEMU's monitor is gone")
}

/// Whether the monitor says that the machine is asleep.
fn is_asleep(line: &str) -> bool {
    let said: Option<Value> = serde_json::from_str(line).ok();
    said.is_some_and(|said| said["event"] == "SUSPEND")
}

/// What the monitor answers, if it does, to an order that has an id.
fn answer(line: &str) -> Option<Value> {
    let said: Value = serde_json::from_str(line).ok()?;
    said.get("id").is_some().then_some(said)
}

#[cfg(test)]
mod tests {
    use super::{answer, is_asleep};

    #[test]
    fn only_the_event_itself_counts() {
        assert!(is_asleep(
            r#"{"timestamp": {"seconds": 1, "microseconds": 2}, "event": "SUSPEND"}"#
        ));
        assert!(!is_asleep(r#"{"event": "SUSPEND_DISK"}"#));
        assert!(!is_asleep(r#"{"return": {}}"#));
        assert!(!is_asleep("SUSPEND"));
    }

    #[test]
    fn answers_are_told_from_the_rest() {
        assert!(answer(r#"{"return": {}, "id": "pmemsave"}"#).is_some());
        assert!(answer(r#"{"id": "pmemsave", "error": {"class": "GenericError"}}"#).is_some());
        assert!(answer(r#"{"return": {}}"#).is_none());
        assert!(answer(r#"{"event": "WAKEUP"}"#).is_none());
    }
}
