// SPDX-License-Identifier: GPL-2.0-only

//! Where a channel ends at the provider's: it stays when the modem goes.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::{Encapsulation, Equipment, FarEnd};

/// How long the threads wait before they look whether they are still wanted.
const LOOK: Duration = Duration::from_millis(100);

/// Passes packets between a channel of a line and some equipment, until it is dropped.
///
/// A modem may be unplugged from the line, and another one, or the same one again,
/// be plugged in: it is [connected](Self::connect) to the same equipment then.
#[derive(Debug)]
pub struct Termination {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    encapsulation: Encapsulation,
    equipment: Box<dyn Equipment>,
    /// The modem's side, if there has been a modem.
    line: Mutex<Option<FarEnd>>,
    over: AtomicBool,
}

impl Termination {
    /// A termination with `equipment` behind it, and no modem yet.
    ///
    /// # Errors
    ///
    /// There is no thread to be had.
    pub fn new(encapsulation: Encapsulation, equipment: impl Equipment) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            encapsulation,
            equipment: Box::new(equipment),
            line: Mutex::new(None),
            over: AtomicBool::new(false),
        });
        let mut termination = Self {
            shared: Arc::clone(&shared),
            threads: Vec::new(),
        };
        termination.spawn("line-down", move || shared.pass_down())?;
        Ok(termination)
    }

    /// Connects it with a channel of a modem, in place of the one before.
    ///
    /// # Errors
    ///
    /// There is no thread to be had.
    pub fn connect(&mut self, line: FarEnd) -> io::Result<()> {
        *self.shared.line() = Some(line.clone());
        let shared = Arc::clone(&self.shared);
        self.spawn("line-up", move || shared.pass_up(&line))
    }

    fn spawn(&mut self, name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let thread = thread::Builder::new().name(name.into()).spawn(body)?;
        self.threads.push(thread);
        Ok(())
    }
}

impl Drop for Termination {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // A panic has been printed already.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn line(&self) -> std::sync::MutexGuard<'_, Option<FarEnd>> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// From the modem to the equipment, for as long as the modem is there.
    fn pass_up(&self, line: &FarEnd) {
        while !self.is_over() && !line.is_gone() {
            let pdu = line.receive(LOOK);
            let packet = pdu
                .as_deref()
                .and_then(|pdu| self.encapsulation.unwrap(pdu));
            if let Some(packet) = packet {
                // What the equipment does not take is lost, as in any network.
                let _ = self.equipment.take(packet);
            }
        }
    }

    /// From the equipment to the modem. What comes while there is none is lost.
    fn pass_down(&self) {
        while !self.is_over() {
            match self.equipment.give(LOOK) {
                Ok(Some(packet)) => self.send(&self.encapsulation.wrap(&packet)),
                Ok(None) => {}
                Err(_) => return,
            }
        }
    }

    fn send(&self, pdu: &[u8]) {
        let line = self.line().clone();
        let Some(line) = line else { return };
        while !self.is_over() && !line.is_gone() && !line.send(pdu, LOOK) {}
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut debug = f.debug_struct("Shared");
        debug.field("encapsulation", &self.encapsulation);
        debug.field("line", &*self.line()).finish_non_exhaustive()
    }
}
