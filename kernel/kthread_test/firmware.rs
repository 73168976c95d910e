// SPDX-License-Identifier: GPL-2.0

//! Firmware that user space supplies, or does not.
//!
//! They hold where `/proc/sys/kernel/firmware_config/force_sysfs_fallback` is 1 and user space does
//! what the lab does. Elsewhere they fail: that there is no such file is just what must not be said
//! of a wait that a stop has broken.

use crate::bench::{
    claim,
    Bench,
    Passed,
    Verdict, //
};
use kernel::{
    device::Bound,
    faux,
    prelude::*,
    sync::Arc,
    time::{
        delay::fsleep,
        Delta, //
    }, //
};
use kthread::{
    Builder,
    Outcome,
    Scope,
    Stop,
    Thread, //
};

fn device() -> Result<Arc<faux::Registration>> {
    Ok(Arc::new(
        faux::Registration::new(c"kthread_test", None)?,
        GFP_KERNEL,
    )?)
}

/// A file that nobody has.
const NOBODYS: &CStr = c"kthread_test-no-such-file";

/// A thread that waits for a file, and says how long it is.
fn request(
    scope: &Scope,
    device: &Arc<faux::Registration>,
    name: &'static CStr,
) -> Result<Thread<usize>> {
    let device = device.clone();
    Builder::new(fmt!("firmware")).spawn_ready(scope, move |stop: &Stop| {
        stop.ready();
        let faux: &faux::Device<Bound> = (*device).as_ref();
        let firmware = stop.request_firmware(name, faux.as_ref())?;
        Ok(firmware.size())
    })
}

/// Two threads wait for one firmware file: the first for user space, the second for the first.
pub(crate) fn firmware_wait_is_broken(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let device = device()?;
    for round in 0..4 {
        let (one, two) = (
            request(&scope, &device, NOBODYS)?,
            request(&scope, &device, NOBODYS)?,
        );
        fsleep(Delta::from_millis(200));
        claim!(!one.is_finished() && !two.is_finished());
        let (first, second) = if round % 2 == 0 {
            (one, two)
        } else {
            (two, one)
        };
        claim!(first.stop() == Outcome::Stopped);
        // The stop of one is no failure of the other.
        fsleep(Delta::from_millis(300));
        claim!(!second.is_finished());
        claim!(second.stop() == Outcome::Stopped);
    }
    Ok(Passed::Now)
}

/// As before, but the first has not got to its wait yet: it is still looking for the file. The lab
/// holds it there until it sees the request whose name ends in "-release", and delivers the file
/// when the first thread asks for it once more.
pub(crate) fn firmware_wait_begins_in_spite_of_a_stop(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let device = device()?;
    let name = c"kthread_test-held";
    let one = request(&scope, &device, name)?;
    fsleep(Delta::from_millis(100));
    let two = request(&scope, &device, name)?;
    fsleep(Delta::from_millis(100));
    claim!(two.stop() == Outcome::Stopped);
    let release = request(&scope, &device, c"kthread_test-release")?;
    claim!(release.join() == Outcome::Failed(ENOENT));
    claim!(one.join() == Outcome::Ended(name.to_bytes().len()));
    Ok(Passed::Now)
}

/// A request that comes when another has been stopped, but may not be over, does not fail with it.
pub(crate) fn firmware_wait_begins_beside_a_stop(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let device = device()?;
    for _ in 0..8 {
        let one = request(&scope, &device, NOBODYS)?;
        fsleep(Delta::from_millis(50));
        one.ask_stop();
        let two = request(&scope, &device, NOBODYS)?;
        fsleep(Delta::from_millis(200));
        claim!(!two.is_finished());
        claim!(two.stop() == Outcome::Stopped);
        claim!(one.stop() == Outcome::Stopped);
    }
    Ok(Passed::Now)
}

/// A thread that asks for two files, of which the second has the given name.
fn chain(
    scope: &Scope,
    second: &'static CStr,
    limit: Option<Delta>,
) -> Result<Thread<(bool, bool)>> {
    let device = device()?;
    Builder::new(fmt!("chain")).spawn_ready(scope, move |stop: &Stop| {
        stop.ready();
        let faux: &faux::Device<Bound> = (*device).as_ref();
        let names = [c"kthread_test-first", second];
        let found = stop.request_firmware_any(&names, faux.as_ref(), limit);
        // What has broken the wait is forgotten, unless it was a stop.
        let undisturbed = !current!().signal_pending();
        let (name, firmware) = match found {
            Err(kthread::Error::Failed(ETIMEDOUT)) => return Ok((false, undisturbed)),
            found => found?,
        };
        let right = name == second && firmware.data() == second.to_bytes();
        Ok((right, undisturbed))
    })
}

/// User space refuses the first file and delivers the second: its own name is what is in it. The
/// lab does that where it runs this case.
pub(crate) fn second_firmware_is_taken(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let thread = chain(&scope, c"kthread_test-second", None)?;
    claim!(thread.join() == Outcome::Ended((true, true)));
    Ok(Passed::Now)
}

/// Nobody answers, and the kernel would wait for a minute, or for as long as it has been told.
pub(crate) fn firmware_has_a_limit(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    for limit in [Delta::from_millis(200), Delta::ZERO, Delta::from_nanos(-1)] {
        let thread = chain(&scope, c"kthread_test-never", Some(limit))?;
        claim!(thread.join() == Outcome::Ended((false, true)));
    }
    Ok(Passed::Now)
}

/// A stop ends the whole chain, with a limit that is far away and without.
pub(crate) fn stop_breaks_a_chain_of_firmware(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    for limit in [None, Some(Delta::from_secs(1_000_000))] {
        for round in 0..4 {
            let thread = chain(&scope, c"kthread_test-never", limit)?;
            fsleep(Delta::from_millis(round * 20));
            claim!(thread.stop() == Outcome::Stopped);
        }
    }
    Ok(Passed::Now)
}
