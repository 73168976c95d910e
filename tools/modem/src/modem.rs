// SPDX-License-Identifier: GPL-2.0-only

//! A modem that is plugged in: the device, its socket and its threads.

use std::fmt;
use std::io::{self, BufReader, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use wire::cell::Vc;

use crate::crash::Crash;
use crate::device::Device;
use crate::far_end::FarEnd;
use crate::lies::Said;
use crate::log::{Counters, Event, Log, Peak, Progress, View, What, Why};
use crate::options::{Fault, Options};
use crate::transport::{Message, Protocol, Transport};
use crate::usbredir;
use crate::vhci::{self, Port};

/// How long a host may take to hang up when a modem is gone.
const PATIENCE: Duration = Duration::from_secs(2);

/// Why a modem could not be plugged in.
#[derive(Debug)]
pub enum Error {
    /// There is no virtual host controller: the module `vhci_hcd` is not loaded.
    NoController(PathBuf, io::Error),
    /// Something is plugged into every port.
    NoFreePort,
    /// The kernel did not take the socket.
    Attach(io::Error),
    /// Nobody at the other end of a socket takes a USB device.
    Redirect(io::Error),
    /// There is no memory, or whatever else a socket and two threads need.
    System(io::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoController(folder, _) => write!(
                f,
                "no virtual USB host controller in {}: load the module vhci_hcd",
                folder.display()
            ),
            Self::NoFreePort => {
                write!(f, "all ports of the virtual USB host controller are in use")
            }
            Self::Attach(_) => write!(f, "the kernel did not take the modem's socket"),
            Self::Redirect(_) => write!(f, "the virtual machine did not take the modem"),
            Self::System(_) => write!(f, "no socket or thread for the modem"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::NoController(_, error)
            | Self::Attach(error)
            | Self::Redirect(error)
            | Self::System(error) => Some(error),
            Self::NoFreePort => None,
        }
    }
}

/// A modem that is plugged in, or was.
///
/// Dropping it unplugs it.
#[derive(Debug)]
pub struct Modem {
    shared: Arc<Shared>,
    port: Option<Port>,
    threads: Vec<JoinHandle<()>>,
}

/// What the two threads and the handle have in common.
#[derive(Debug)]
pub(crate) struct Shared {
    state: Mutex<State>,
    /// The device has something due at another time than before, or is gone.
    due_changed: Condvar,
    /// Packets came, or there is room for some, or the device is gone.
    packets: Condvar,
    log: Log,
}

#[derive(Debug)]
struct State {
    device: Device,
    transport: Transport,
    socket: UnixStream,
    /// What goes out next; empty but for the moment.
    outgoing: Vec<u8>,
}

impl Modem {
    /// Plugs a modem into a free port of the virtual host controller.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub fn plug(options: Options) -> Result<Self, Error> {
        let controller = options.vhci.clone();
        let (ours, theirs) = UnixStream::pair().map_err(Error::System)?;
        let mut modem = Self::on_socket(options, ours, Protocol::UsbIp).map_err(Error::System)?;
        let port = vhci::attach(&controller, &theirs).map_err(|error| {
            if controller.exists() {
                Error::Attach(error)
            } else {
                Error::NoController(controller, error)
            }
        })?;
        modem.port = Some(port.ok_or(Error::NoFreePort)?);
        modem
            .shared
            .change(|device| device.note(Instant::now(), What::Attached));
        Ok(modem)
    }

    /// Plugs a modem into a virtual machine, whose QEMU listens at `socket` for a USB device that
    /// is redirected (its `usb-redir`). It has no [port](Self::port) here.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub fn redirect(options: Options, socket: &Path) -> Result<Self, Error> {
        let connection = UnixStream::connect(socket).map_err(Error::Redirect)?;
        usbredir::greet(&connection, options.revision).map_err(Error::Redirect)?;
        let modem = Self::on_socket(options, connection, Protocol::UsbRedir);
        let modem = modem.map_err(Error::System)?;
        modem
            .shared
            .change(|device| device.note(Instant::now(), What::Attached));
        Ok(modem)
    }

    /// Starts a modem whose host is at the other end of `socket`.
    pub(crate) fn on_socket(
        options: Options,
        socket: UnixStream,
        protocol: Protocol,
    ) -> io::Result<Self> {
        let log = Log::new(options.epoch.unwrap_or_else(Instant::now));
        let reader = BufReader::with_capacity(64 << 10, socket.try_clone()?);
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                device: Device::new(options),
                transport: Transport::new(protocol),
                socket,
                outgoing: Vec::new(),
            }),
            due_changed: Condvar::new(),
            packets: Condvar::new(),
            log,
        });
        let mut modem = Self {
            shared: shared.clone(),
            port: None,
            threads: Vec::new(),
        };
        let listener = shared.clone();
        modem.spawn("modem-rx", move || {
            listener.listen(protocol, reader);
            listener.cut();
        })?;
        modem.spawn("modem-bus", move || shared.keep_time())?;
        Ok(modem)
    }

    fn spawn(&mut self, name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let thread = thread::Builder::new().name(name.into()).spawn(body)?;
        self.threads.push(thread);
        Ok(())
    }

    /// Where it is plugged in.
    pub fn port(&self) -> Option<&Port> {
        self.port.as_ref()
    }

    /// The moment that the log counts its times from.
    pub fn epoch(&self) -> Instant {
        self.shared.log.epoch()
    }

    /// What happened so far, in order.
    pub fn events(&self) -> Vec<Event> {
        self.shared.log.view().events.clone()
    }

    /// How much firmware came so far.
    pub fn progress(&self) -> Progress {
        self.shared.log.view().progress
    }

    /// What has been counted so far.
    pub fn counters(&self) -> Counters {
        self.shared.log.view().counters
    }

    /// How busy the host has kept the endpoint with this address so far.
    pub fn peak(&self, endpoint: u8) -> Peak {
        let state = self.shared.lock();
        state
            .device
            .peaks
            .get(&endpoint)
            .copied()
            .unwrap_or_default()
    }

    /// Waits until something of this kind has happened, also if it was before the
    /// call, and returns the first such event; or `None` after `limit`.
    pub fn wait_for(&self, limit: Duration, what: impl Fn(&What) -> bool) -> Option<Event> {
        self.wait_until(limit, |view| view.find(&what).cloned())
    }

    /// Waits until `found` finds what it wants in the log, which it is shown after
    /// each change; or returns `None` after `limit`.
    pub fn wait_until<T>(
        &self,
        limit: Duration,
        found: impl FnMut(&View) -> Option<T>,
    ) -> Option<T> {
        self.shared.log.wait(limit, found)
    }

    /// The line goes down, until the host starts it again.
    pub fn drop_line(&self) {
        self.shared
            .change(|device| device.drop_line(Instant::now()));
    }

    /// Fails in this way, at once.
    pub fn crash(&self, crash: Crash) {
        self.shared
            .change(|device| device.crash(Instant::now(), crash));
    }

    /// Has this fault too, from now on.
    pub fn add_fault(&self, fault: Fault) {
        self.shared.change(|device| device.add_fault(fault));
    }

    /// Has no faults any more.
    pub fn cure(&self) {
        self.shared.change(Device::cure);
    }

    /// The far end of the channel `vc`, whose cells are not sent back any more.
    pub fn far_end(&self, vc: Vc) -> FarEnd {
        self.shared.lock().device.terminate(vc);
        FarEnd::new(Arc::clone(&self.shared), vc)
    }

    /// Says this next on an endpoint towards the host, such as
    /// [`DATA_IN`](wire::speedtch::DATA_IN), one after the other and as fast as the
    /// host listens.
    pub fn say(&self, endpoint: u8, said: impl IntoIterator<Item = Said>) {
        let said = said.into_iter().collect();
        self.shared
            .change(|device| device.say(Instant::now(), endpoint, said));
    }

    /// Of how many things that it was to [say](Self::say) the host has not heard yet.
    pub fn unheard(&self) -> usize {
        self.shared.lock().device.unheard()
    }

    /// Pulls the plug, in the middle of whatever is under way; once is enough.
    ///
    /// The host notices by itself, soon: see [`Self::wait_forgotten`].
    pub fn unplug(&self) {
        self.shared
            .change(|device| device.unplug(Instant::now(), Why::Asked, None));
    }

    /// Waits until the host has let go of the modem, after it was unplugged: its
    /// driver is unbound and its port is free. Returns false after `limit`.
    pub fn wait_forgotten(&self, limit: Duration) -> bool {
        let end = Instant::now() + limit;
        let is_free = || match &self.port {
            Some(port) => port.is_free().unwrap_or(false),
            None => true,
        };
        while !is_free() {
            if Instant::now() >= end {
                return false;
            }
            thread::sleep(Duration::from_millis(1));
        }
        true
    }

    /// Ends the connection: when the host has done so, or does not for a while.
    fn hang_up(&self) {
        let end = Instant::now() + PATIENCE;
        while self.threads.iter().any(|thread| !thread.is_finished()) && Instant::now() < end {
            thread::sleep(Duration::from_millis(1));
        }
        // It wakes up the thread that listens.
        self.shared.cut();
    }
}

impl Drop for Modem {
    fn drop(&mut self) {
        self.unplug();
        self.hang_up();
        for thread in self.threads.drain(..) {
            // A panic has been printed already.
            let _ = thread.join();
        }
    }
}

impl Shared {
    /// Does what the host wants, until the connection ends.
    fn listen(&self, protocol: Protocol, mut socket: BufReader<UnixStream>) {
        loop {
            let message = protocol.read(&mut socket);
            let now = Instant::now();
            match message {
                Ok(Some(_)) if self.is_gone() => {}
                Ok(Some(message)) => self.take(now, message),
                Ok(None) => return self.change(|device| device.unplug(now, Why::Host, None)),
                Err(error) => {
                    let why = match error.kind() {
                        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => Why::Protocol,
                        _ => Why::Host,
                    };
                    let error = Some(error.to_string());
                    return self.change(|device| device.unplug(now, why, error));
                }
            }
        }
    }

    /// Lets the device do what is due, until it is gone.
    fn keep_time(&self) {
        let mut state = self.lock();
        while !state.device.is_gone() {
            state.device.poll(Instant::now());
            self.flush(&mut state);
            let wait = state
                .device
                .deadline()
                .map(|due| due.saturating_duration_since(Instant::now()));
            state = match wait {
                _ if state.device.is_gone() => break,
                Some(Duration::ZERO) => state,
                Some(wait) => {
                    let waited = self.due_changed.wait_timeout(state, wait);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                None => {
                    let waited = self.due_changed.wait(state);
                    waited.unwrap_or_else(PoisonError::into_inner)
                }
            };
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something to the device, and what follows from it.
    fn change(&self, change: impl FnOnce(&mut Device)) {
        let mut state = self.lock();
        self.change_locked(&mut state, |state| change(&mut state.device));
    }

    /// Does what the host wants.
    fn take(&self, now: Instant, message: Message) {
        self.change_locked(&mut self.lock(), |state| {
            let State {
                device,
                transport,
                outgoing,
                ..
            } = state;
            transport.take(now, device, message, outgoing);
        });
    }

    fn change_locked<T>(&self, state: &mut State, change: impl FnOnce(&mut State) -> T) -> T {
        let before = state.device.deadline();
        let result = change(state);
        self.flush(state);
        if state.device.deadline() != before || state.device.is_gone() {
            self.due_changed.notify_all();
        }
        result
    }

    /// Tries `exchange` again and again, whenever packets came or went, until it gives
    /// something; or returns `None` after `limit`, or when the device is gone.
    pub(crate) fn exchange<T>(
        &self,
        limit: Duration,
        mut exchange: impl FnMut(&mut Device, Instant) -> Option<T>,
    ) -> Option<T> {
        let end = Instant::now() + limit;
        let mut state = self.lock();
        while !state.device.is_gone() {
            let now = Instant::now();
            let given = self.change_locked(&mut state, |state| exchange(&mut state.device, now));
            if given.is_some() || now >= end {
                return given;
            }
            let waited = self.packets.wait_timeout(state, end - now);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        None
    }

    /// Ends the connection in both directions.
    fn cut(&self) {
        // It may be closed already.
        let _ = self.lock().socket.shutdown(Shutdown::Both);
    }

    /// Whether the device is gone.
    pub(crate) fn is_gone(&self) -> bool {
        self.lock().device.is_gone()
    }

    /// Sends what has to be sent, and logs what has to be logged. The state stays
    /// locked meanwhile, so that the replies go out in the order that they were
    /// made in. The host always reads, whatever else it does, so this ends.
    fn flush(&self, state: &mut State) {
        let State {
            device,
            transport,
            socket,
            outgoing,
        } = state;
        transport.tell(Instant::now(), device, outgoing);
        if !outgoing.is_empty() {
            if let Err(error) = socket.write_all(outgoing) {
                device.unplug(Instant::now(), Why::Host, Some(error.to_string()));
            }
            outgoing.clear();
        }
        if device.is_gone() {
            // It may be closed already. We listen on until the host has hung up, too: `vhci_hcd`
            // stops sending at the first error, and then loses a transfer that is submitted and
            // cancelled before it has noticed the end. Whoever waits for that, waits for ever.
            let _ = socket.shutdown(Shutdown::Write);
        }
        if !device.loop_back.circuits.is_empty() {
            self.packets.notify_all();
        }
        let (progress, counters) = (device.progress(), device.counters);
        self.log.update(&mut device.notes, progress, counters);
    }
}

#[cfg(test)]
mod tests;
