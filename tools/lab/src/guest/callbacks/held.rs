//! Those who are in the middle of a call, and stay there, while the modem goes.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::userfault::{self, Holder, Page};
use super::{running, take_away};
use crate::guest::atmpvc::{Pvc, REQUESTS, request_into};
use crate::guest::modules;
use crate::guest::plugged::{LIMIT, wait_until};
use crate::guest::removal::{Means, nothing_is_left};

/// In this time a core would be gone that did not wait. On a slow machine it might not be, which
/// nobody would notice then.
const NO_WAIT: Duration = Duration::from_millis(1500);

/// One who is held in a call.
struct Held {
    name: &'static str,
    holder: Holder,
    result: Receiver<io::Result<()>>,
}

impl Held {
    /// Has somebody call, and waits until the call has come to the page.
    fn in_call(
        name: &'static str,
        call: impl FnOnce(&mut Page) -> io::Result<()> + Send + 'static,
    ) -> Result<Self> {
        let (mut page, holder) = userfault::page()?;
        let (sender, result) = channel();
        thread::spawn(move || {
            let _ = sender.send(call(&mut page));
        });
        holder.await_touch(name)?;
        Ok(Self {
            name,
            holder,
            result,
        })
    }

    /// Lets it go on; the error that the call gives then, if any.
    fn let_go(self) -> Result<Option<i32>> {
        self.holder.let_go()?;
        let result = self.result.recv_timeout(LIMIT);
        let result = result.with_context(|| format!("{} hangs", self.name))?;
        Ok(result.err().and_then(|error| error.raw_os_error()))
    }
}

/// The modem goes, and nobody who is held in a call keeps it, or gets hold of what is gone. But the
/// core stays as long as somebody is in it.
pub fn in_calls(means: Means) -> Result<()> {
    let (modem, atm) = running()?;
    let number = atm.number;
    let folder = Path::new("/sys/bus/usb/devices").join(modem.interface());
    let (retry, phase) = (folder.join("retry"), folder.join("phase"));
    let mut pvc = Pvc::open(number, 8, 35, 1500)?;

    // Its packet is in the hands of the ATM layer, and then ours.
    let sender = Held::in_call("a sender", move |page| pvc.send(&page[..1500]))?;
    // In our own code.
    let asker = Held::in_call("a request", move |page| {
        request_into(number, REQUESTS[0].1, page)
    })?;
    let writer = Held::in_call("a writer", move |page| {
        OpenOptions::new()
            .write(true)
            .open(retry)?
            .write_all(&page[..1])
    })?;
    let reader = Held::in_call("a reader", move |page| {
        File::open(phase)?.read(page).map(drop)
    })?;
    take_away(&modem, means)?;

    ensure!(
        modules::rmmod("usbatm").is_err(),
        "the core goes although a connection is open"
    );
    let told = sender.let_go()?;
    ensure!(told == Some(libc::ENODEV), "the sender was told {told:?}");
    if means == Means::Rmmod {
        core_waits_for(asker)?;
    } else {
        let told = asker.let_go()?;
        ensure!(told.is_none(), "the one in the core was told {told:?}");
    }
    let told = writer.let_go()?;
    ensure!(told == Some(libc::ENODEV), "the writer was told {told:?}");
    let told = reader.let_go()?;
    ensure!(told.is_none(), "the reader was told {told:?}");
    Ok(())
}

/// The core goes when the last one has come out of it, and not before.
fn core_waits_for(asker: Held) -> Result<()> {
    let was_let_go = AtomicBool::new(false);
    let state = || fs::read_to_string("/sys/module/usbatm/initstate").unwrap_or_default();
    thread::scope(|scope| {
        let removal = scope.spawn(|| {
            wait_until("no connection keeps the core", || {
                modules::rmmod("usbatm").is_ok()
            })?;
            ensure!(
                was_let_go.load(Ordering::Relaxed),
                "the core went while somebody was in it"
            );
            Ok(())
        });
        // From here on it takes no new callers, and waits for those that are in it.
        wait_until("the core is about to go", || {
            removal.is_finished() || state().trim() == "going"
        })?;
        thread::sleep(NO_WAIT);
        was_let_go.store(true, Ordering::Relaxed);
        let told = asker.let_go()?;
        ensure!(told.is_none(), "the one in it was told {told:?}");
        removal.join().unwrap_or_else(|_| unreachable!())
    })
}

/// A reader of the device's file in `/proc` keeps the device: the kernel waits for it. Both go on.
pub fn reader_of_proc() -> Result<()> {
    let (modem, atm) = running()?;
    let file = format!("/proc/net/atm/{}:{}", atm.attribute("type"), atm.number);
    let reader = Held::in_call("a reader", move |page| {
        let length = File::open(file)?.read(page)?;
        if length == 0 {
            Err(io::ErrorKind::UnexpectedEof.into())
        } else {
            Ok(())
        }
    })?;
    let folder = modem.folder();
    modem.modem().unplug();
    wait_until("the ATM device is on its way out", || {
        !fs::exists(format!("/sys/class/atm/{}", atm.name)).unwrap_or(true)
    })?;
    ensure!(folder.exists(), "the device went while its file was read");
    let told = reader.let_go()?;
    ensure!(told.is_none(), "the reader was told {told:?}");
    wait_until("the device is gone", || !folder.exists())?;
    nothing_is_left()?;
    modules::unload()
}
