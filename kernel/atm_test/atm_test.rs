// SPDX-License-Identifier: GPL-2.0

//! Tests of the `atm` library that need two processors, and an eye on what is between two lines of
//! it: how a call of an [`IrqPoll`] goes on when others do something to it meanwhile.
//!
//! They run when this module is loaded, which succeeds if they did.

use atm::{
    BottomHalf,
    IrqPoll,
    Poll, //
};
use kernel::{
    cpu::CpuId,
    prelude::*,
    sync::{
        atomic::{
            Acquire,
            Atomic,
            Relaxed,
            Release, //
        },
        Arc, //
    },
    time::{
        delay::fsleep,
        Delta,
        Instant,
        Monotonic, //
    }, //
};
use kthread::{
    Builder,
    ModuleScope,
    Scope, //
};

module! {
    type: Tests,
    name: "atm_test",
    authors: ["Threadline developers"],
    description: "Tests of the atm library",
    license: "GPL",
}

#[pin_data]
struct Tests {
    #[pin]
    threads: ModuleScope,
}

impl kernel::InPlaceModule for Tests {
    fn init(module: &'static ThisModule) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            threads <- ModuleScope::new(module),
            _: {
                drop_waits_for_a_call(&threads)?;
                call_may_come_during_a_call(&threads)?;
            },
        })
    }
}

/// What is known of the calls.
struct Calls {
    begun: Atomic<u32>,
    ended: Atomic<u32>,
    /// Whether the first has to wait no longer.
    released: Atomic<u32>,
}

/// The first call lasts until it is released, or long enough for everything else.
struct Held(Arc<Calls>);

impl Held {
    const LONG: Delta = Delta::from_millis(200);
}

impl Poll for Held {
    fn poll(&self, _bottom_half: &BottomHalf) {
        let calls = &self.0;
        if calls.begun.fetch_add(1, Release) == 0 {
            let began = Instant::<Monotonic>::now();
            while calls.released.load(Acquire) == 0 && began.elapsed() < Self::LONG {
                core::hint::spin_loop();
            }
        }
        calls.ended.fetch_add(1, Release);
    }
}

/// Makes one whose first call is under way, on another processor, where nobody else has it.
fn called(scope: &Scope) -> Result<(Arc<IrqPoll<Held>>, Arc<Calls>)> {
    let calls = Arc::new(
        Calls {
            begun: Atomic::new(0),
            ended: Atomic::new(0),
            released: Atomic::new(0),
        },
        GFP_KERNEL,
    )?;
    let held = Held(calls.clone());
    let irq_poll = Arc::pin_init(IrqPoll::new(Ok(held)), GFP_KERNEL)?;
    let scheduled = irq_poll.clone();
    let cpu = CpuId::from_u32(1).ok_or(ENXIO)?;
    Builder::new(fmt!("atm_test"))
        .on_cpu(cpu)
        .spawn(scope, move |_stop| {
            let bottom_half = BottomHalf::begin();
            scheduled.schedule();
            drop(scheduled);
            // Here it is called.
            drop(bottom_half);
            Ok(())
        })?
        .leave();
    while calls.begun.load(Acquire) == 0 {
        fsleep(Delta::from_millis(1));
    }
    Ok((irq_poll, calls))
}

/// Does `round` until the call was under way in it when it had to be: where this machine stands
/// still for long, it is over before.
fn overlap(round: impl Fn() -> Result<bool>) -> Result {
    const ROUNDS: u32 = 20;

    for _ in 0..ROUNDS {
        if round()? {
            return Ok(());
        }
    }
    pr_err!("no call was under way for long enough\n");
    Err(EAGAIN)
}

/// A drop waits for the call that is under way.
fn drop_waits_for_a_call(scope: &Scope) -> Result {
    overlap(|| {
        let (irq_poll, calls) = called(scope)?;
        let is_under_way = calls.ended.load(Acquire) == 0;
        drop(irq_poll);
        if calls.ended.load(Acquire) != 1 {
            pr_err!("dropped before its call had ended\n");
            return Err(EBUSY);
        }
        Ok(is_under_way)
    })
}

/// One that is scheduled while it is called is called once more.
fn call_may_come_during_a_call(scope: &Scope) -> Result {
    /// Far longer than it takes, in milliseconds.
    const LIMIT: u32 = 10_000;

    overlap(|| {
        let (irq_poll, calls) = called(scope)?;
        irq_poll.schedule();
        let is_under_way = calls.ended.load(Acquire) == 0;
        calls.released.store(1, Release);
        for _ in 0..LIMIT {
            if calls.ended.load(Acquire) == 2 {
                return Ok(is_under_way);
            }
            fsleep(Delta::from_millis(1));
        }
        pr_err!("called {} times\n", calls.begun.load(Relaxed));
        Err(ETIMEDOUT)
    })
}
