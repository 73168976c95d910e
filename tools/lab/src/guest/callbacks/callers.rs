//! Those who ask something of a modem over and over, until it is gone.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::thread;

use anyhow::{Context, Result, bail, ensure};
use nix::unistd::{Pid, gettid};

use crate::guest::atmpvc::{Pvc, REQUESTS, request};
use crate::guest::plugged::{LIMIT, Plugged, wait_until};
use crate::guest::sysfs::AtmDevice;

/// What a connection's owner is told when its modem goes: that the connection is broken, or that
/// there is no such device.
pub const GOES: Ends = Ends::Must(&[libc::EPIPE, libc::ENODEV]);

/// What there is no more of is not there, or was there when it was looked for; a file in `/proc`
/// that is open when it goes gives an input/output error.
const NO_FILE: &[libc::c_int] = &[libc::ENOENT, libc::ENODEV, libc::EIO];

/// How a caller's calls end.
#[derive(Clone, Copy)]
pub enum Ends {
    /// One fails, with one of these errors.
    Must(&'static [libc::c_int]),
    /// One may fail; else they go on until they are no longer wanted.
    May(&'static [libc::c_int]),
}

impl Ends {
    fn errors(self) -> &'static [libc::c_int] {
        match self {
            Self::Must(errors) | Self::May(errors) => errors,
        }
    }
}

/// One who calls, over and over.
pub struct Caller {
    name: &'static str,
    /// Its thread, as it is known under `/proc/self/task`.
    thread: Pid,
    ends: Ends,
    calls: Arc<AtomicUsize>,
    is_over: Arc<AtomicBool>,
    /// Why it has ended; nothing, if it was told to.
    end: Receiver<Option<io::Error>>,
}

impl Caller {
    pub fn start(
        name: &'static str,
        ends: Ends,
        mut call: impl FnMut() -> io::Result<()> + Send + 'static,
    ) -> Self {
        let (calls, is_over) = (
            Arc::new(AtomicUsize::new(0)),
            Arc::new(AtomicBool::new(false)),
        );
        let (sender, end) = channel();
        let (herald, thread) = channel();
        let (its_calls, its_over) = (Arc::clone(&calls), Arc::clone(&is_over));
        thread::spawn(move || {
            let _ = herald.send(gettid());
            let mut error = None;
            while error.is_none() && !its_over.load(Ordering::Relaxed) {
                error = call().err();
                its_calls.fetch_add(1, Ordering::Relaxed);
            }
            // What it has open, it has to close before it counts as done.
            drop(call);
            let _ = sender.send(error);
        });
        Self {
            name,
            thread: thread.recv().expect("it says so first"),
            ends,
            calls,
            is_over,
            end,
        }
    }

    /// Waits until it is in a call that keeps it waiting.
    pub fn await_asleep(&self) -> Result<()> {
        let stat = format!("/proc/self/task/{}/stat", self.thread);
        wait_until(&format!("{} waits", self.name), || {
            let stat = fs::read_to_string(&stat).unwrap_or_default();
            // The second field, the name, may have anything in it.
            stat.rsplit_once(") ")
                .is_some_and(|(_, fields)| fields.starts_with('S'))
        })
    }

    /// Waits until it has begun to call, and is at it.
    pub fn await_busy(&self) -> Result<()> {
        wait_until(&format!("{} calls", self.name), || {
            self.calls.load(Ordering::Relaxed) > 1
        })?;
        match self.end.try_recv() {
            Err(TryRecvError::Empty) => Ok(()),
            end => bail!("{} ended before the modem went: {end:?}", self.name),
        }
    }

    /// Waits until it has ended, as it should.
    pub fn end(self) -> Result<()> {
        if let Ends::May(_) = self.ends {
            self.is_over.store(true, Ordering::Relaxed);
        }
        let end = self.end.recv_timeout(LIMIT);
        let end = end.with_context(|| format!("{} hangs", self.name))?;
        let Some(error) = end else { return Ok(()) };
        ensure!(
            error
                .raw_os_error()
                .is_some_and(|number| self.ends.errors().contains(&number)),
            "{} was told: {error:?}",
            self.name
        );
        Ok(())
    }
}

/// What is called about one modem.
pub struct Device {
    atm: AtmDevice,
    /// The files that tell of it.
    modems: Vec<PathBuf>,
    atms: Vec<PathBuf>,
    interface: PathBuf,
}

impl Device {
    pub fn new(modem: &Plugged, atm: &AtmDevice) -> Result<Self> {
        let interface = PathBuf::from("/sys/bus/usb/devices").join(modem.interface());
        let folder = PathBuf::from("/sys/class/atm").join(&atm.name);
        let device = Self {
            modems: readable(&interface)?,
            atms: readable(&folder)?,
            atm: atm.clone(),
            interface,
        };
        let names: HashSet<_> = device.modems.iter().chain(&device.atms).collect();
        for name in ["phase", "last_error", "rate_up"] {
            ensure!(names.contains(&device.interface.join(name)), "no {name}");
        }
        ensure!(names.contains(&folder.join("link_rate")), "no link_rate");
        Ok(device)
    }
}

/// The files of this folder that can be read.
fn readable(folder: &PathBuf) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let about = entry.metadata()?;
        if about.is_file() && about.permissions().mode() & 0o444 != 0 {
            files.push(entry.path());
        }
    }
    Ok(files)
}

fn read_all(files: &[PathBuf]) -> io::Result<()> {
    files.iter().try_for_each(|file| fs::read(file).map(drop))
}

fn write(file: &PathBuf, text: &str) -> io::Result<()> {
    let mut file: File = OpenOptions::new().write(true).open(file)?;
    file.write_all(text.as_bytes())
}

/// One of each kind.
pub fn all(device: &Device) -> Vec<Caller> {
    let mut all = of_connections(device.atm.number);
    all.extend(of_requests(&device.atm));
    all.extend(of_files(device));
    all
}

/// Those who open connections, and send on them.
fn of_connections(number: i16) -> Vec<Caller> {
    let mut sender = None;
    vec![
        Caller::start("one who opens and closes", GOES, move || {
            Pvc::open(number, 8, 40, 1500).map(drop)
        }),
        Caller::start("one who sends and closes at once", GOES, move || {
            let mut pvc = Pvc::open(number, 8, 41, 1500)?;
            (0..12).try_for_each(|_| pvc.send(&[0x5a; 1500]))
        }),
        Caller::start("one who sends all the time", GOES, move || {
            let pvc = match &mut sender {
                Some(pvc) => pvc,
                None => sender.insert(Pvc::open(number, 8, 42, 1500)?),
            };
            pvc.send(&[0x5a; 1500])
        }),
    ]
}

/// Those who ask the ATM device something, or the ATM layer about it.
fn of_requests(atm: &AtmDevice) -> Vec<Caller> {
    let number = atm.number;
    let requests = REQUESTS.map(|(name, _)| name);
    assert_eq!(requests[0], "ATM_QUERYLOOP");
    let atm = atm.clone();
    vec![
        Caller::start("one who asks for loop-backs", GOES, move || {
            request(number, REQUESTS[0].1).map(drop)
        }),
        Caller::start(
            "a reader of the file in /proc",
            Ends::Must(NO_FILE),
            move || atm.proc_lines().map(drop),
        ),
        Caller::start("a reader of all files in /proc", Ends::May(&[]), || {
            ["devices", "pvc", "vc"]
                .iter()
                .try_for_each(|name| fs::read(format!("/proc/net/atm/{name}")).map(drop))
        }),
    ]
}

/// Those who read and write the files in sysfs.
fn of_files(device: &Device) -> Vec<Caller> {
    let (modems, atms) = (device.modems.clone(), device.atms.clone());
    let retry = device.interface.join("retry");
    let uevent = device.interface.join("uevent");
    vec![
        Caller::start(
            "a reader of the modem's files",
            Ends::Must(NO_FILE),
            move || read_all(&modems),
        ),
        Caller::start(
            "a reader of the ATM device's files",
            Ends::Must(NO_FILE),
            move || read_all(&atms),
        ),
        Caller::start("one who writes to retry", Ends::Must(NO_FILE), move || {
            write(&retry, "1")
        }),
        // The interface stays where its driver goes.
        Caller::start("one who asks for uevents", Ends::May(NO_FILE), move || {
            write(&uevent, "change")
        }),
    ]
}
