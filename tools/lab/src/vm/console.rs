//! What a machine says on its console.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead, Write};
use std::path::Path;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex};
use std::thread;

use anyhow::{Context, Result};

use super::{CONSOLE_LINES, Message};
use crate::kernel_log::is_report;

/// What the machine says on its console, and QEMU besides.
pub struct Console {
    /// All of it.
    log: File,
    /// The newest lines.
    pub newest: VecDeque<String>,
}

impl Console {
    /// An empty one.
    pub fn logged_to(log: &Path) -> Result<Self> {
        let log = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
        let newest = VecDeque::new();
        Ok(Self { log, newest })
    }

    fn add(&mut self, line: String) {
        let _ = writeln!(self.log, "{line}");
        self.newest.push_back(line);
        if self.newest.len() > CONSOLE_LINES {
            self.newest.pop_front();
        }
    }
}

/// Listens to the console until the machine ends, and looks for what the kernel reports there.
pub fn watch(
    said: impl BufRead + Send + 'static,
    console: Arc<Mutex<Console>>,
    sender: Sender<Message>,
) {
    thread::spawn(move || {
        for line in lines(said) {
            console.lock().unwrap().add(line.clone());
            if is_report(&line) {
                let _ = sender.send(Message::Report(line));
            }
        }
        let _ = sender.send(Message::Ended);
    });
}

/// Adds what QEMU itself has to say to the console: it would stand still with nobody to read it,
/// and its last words are why it died.
pub fn watch_words(words: impl BufRead + Send + 'static, console: Arc<Mutex<Console>>) {
    thread::spawn(move || {
        for line in lines(words) {
            console.lock().unwrap().add(format!("QEMU says: {line}"));
        }
    });
}

/// The lines of something that need not be text.
pub fn lines(of: impl BufRead) -> impl Iterator<Item = String> {
    let lines = of.split(b'\n').map_while(std::result::Result::ok);
    lines.map(|line| String::from_utf8_lossy(&line).trim_end().to_owned())
}
