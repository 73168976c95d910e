// SPDX-License-Identifier: GPL-2.0

//! Threads that nobody waits for, but their module.
//!
//! There are none while the module is being loaded, when all other cases run. So these run when
//! `/dev/kthread_test` is opened: what they find is the result of that.
//!
//! The first time, a thread is left behind that keeps the module from being removed. It ends when
//! the device is opened again.

use crate::bench::{
    claim,
    Bench,
    Count,
    Passed,
    Reason,
    Verdict, //
};
use kernel::{
    fs::File,
    miscdevice::{
        MiscDevice,
        MiscDeviceRegistration, //
    },
    module::this_module,
    prelude::*,
    sync::atomic::{
        Acquire,
        AtomicFlag,
        Full,
        Release, //
    },
    time::{
        delay::fsleep,
        Delta, //
    }, //
};
use kthread::{
    Builder,
    Stop, //
};

const FOR_EVER: Delta = Delta::from_secs(3600);

/// The module could go, whatever holds it, if this failed after all.
pub(crate) fn detached_thread_is_refused_while_loading(bench: &Bench<'_>) -> Verdict {
    let drops = Count::new()?;
    let held = drops.on_drop();
    let refused = Builder::new(fmt!("early")).spawn_detached(bench.module, move |_: &Stop| {
        drop(held);
        Ok(())
    });
    claim!(refused.err() == Some(ENODEV));
    claim!(drops.get() == 1);
    Ok(Passed::Now)
}

/// Its waits are broken by a stop, whoever has the handle, and its body is dropped once.
fn stops_when_asked(module: &'static ThisModule) -> Verdict {
    for round in 0..100 {
        let drops = Count::new()?;
        let held = drops.on_drop();
        let thread =
            Builder::new(fmt!("detached")).spawn_detached(module, move |stop: &Stop| {
                let _held = held;
                Ok(stop.sleep(FOR_EVER)?)
            })?;
        if round % 2 == 0 {
            fsleep(Delta::from_millis(1));
            claim!(!thread.is_finished());
        }
        thread.ask_stop();
        // Also where it was asked before it ran, and a little later than the body has ended.
        while drops.get() == 0 || !thread.is_finished() {
            fsleep(Delta::from_micros(100));
        }
        claim!(drops.get() == 1);
    }
    Ok(Passed::Now)
}

/// A place that is not there: nothing is left of the thread, nor is the module held.
fn fails_without_a_trace(module: &'static ThisModule) -> Verdict {
    let drops = Count::new()?;
    let held = drops.on_drop();
    let refused = Builder::new(fmt!("nowhere"))
        .on_node(u32::MAX)
        .spawn_detached(module, move |_: &Stop| {
            drop(held);
            Ok(())
        });
    claim!(refused.err() == Some(ENXIO));
    claim!(drops.get() == 1);
    Ok(Passed::Now)
}

/// Whether the device has been opened before.
static OPENED: AtomicFlag = AtomicFlag::new(false);

/// Whether the thread that was left behind may end.
static END: AtomicFlag = AtomicFlag::new(false);

/// `/dev/kthread_test`.
pub(crate) struct Late;

#[vtable]
impl MiscDevice for Late {
    type Ptr = KBox<Self>;

    fn open(_: &File, _: &MiscDeviceRegistration<Self>) -> Result<Self::Ptr> {
        if OPENED.xchg(true, Full) {
            END.store(true, Release);
        } else {
            Self::run().map_err(|reason| {
                match reason {
                    Reason::Claim(claim, line) => pr_err!("line {line}: {claim}\n"),
                    Reason::Error(error) => pr_err!("{error:?}\n"),
                }
                EINVAL
            })?;
        }
        Ok(KBox::new(Self, GFP_KERNEL)?)
    }
}

impl Late {
    fn run() -> Verdict {
        let module = this_module::<crate::Tests>();
        stops_when_asked(module)?;
        fails_without_a_trace(module)?;
        let left = Builder::new(fmt!("left-behind")).spawn_detached(module, |stop: &Stop| {
            while !END.load(Acquire) {
                stop.sleep(Delta::from_millis(1))?;
            }
            // If the module went too early, this is where it would be missed.
            stop.sleep(Delta::from_millis(50))?;
            Ok(())
        })?;
        // No owner, no end.
        drop(left);
        Ok(Passed::Now)
    }
}
