// SPDX-License-Identifier: GPL-2.0

//! Threads that stay until the module goes, for what only user space can do to them meanwhile: it
//! sends the machine to sleep.

use kernel::{
    prelude::*,
    sync::{
        atomic::{
            Acquire,
            AtomicFlag,
            Release, //
        },
        Arc, //
    },
    time::{
        delay::fsleep,
        Delta, //
    }, //
};
use kthread::{
    Builder,
    Scope,
    Stop, //
};

const FOR_EVER: Delta = Delta::from_secs(3600);
/// Most of the time of the thread that is to freeze.
const BUSY: Delta = Delta::from_millis(200);
/// The rest of it.
const MOMENT: Delta = Delta::from_millis(20);

/// Starts one that is to freeze, and has been asked to stop. It shields all that it does: the signal
/// of the stop comes while it is where it can't be frozen, so that it is forgotten on the machine's
/// way to sleep, as a rule. And one that lets it end when the module goes.
pub(crate) fn start(scope: &Scope) -> Result {
    let over = Arc::new(AtomicFlag::new(false), GFP_KERNEL)?;
    let shielded = Builder::new(fmt!("shielded"))
        .freezable()
        .report_after(FOR_EVER)
        .spawn_ready(scope, {
            let over = over.clone();
            move |stop: &Stop| {
                stop.ready();
                while !over.load(Acquire) {
                    // Its end breaks the waits to come, so that of the next round.
                    stop.shield(FOR_EVER, |stop| {
                        stop.uninterruptible(|| fsleep(BUSY))?;
                        stop.sleep(MOMENT)
                    })?;
                }
                Ok(())
            }
        })?;
    let other = Builder::new(fmt!("until-the-end")).spawn(scope, move |stop: &Stop| {
        let stopped = stop.sleep(FOR_EVER);
        over.store(true, Release);
        Ok(stopped?)
    })?;
    shielded.ask_stop();
    shielded.leave();
    other.leave();
    Ok(())
}
