// SPDX-License-Identifier: GPL-2.0

//! Threads that wait for what is behind a lock to change.

use crate::bench::{
    claim,
    Bench,
    Passed,
    Verdict, //
};
use kernel::{
    new_mutex,
    new_spinlock,
    new_spinlock_irq,
    prelude::*,
    sync::{
        lock::{
            Backend,
            Lock, //
        },
        Arc, //
    },
    time::{
        delay::fsleep,
        Delta, //
    }, //
};
use kthread::{
    new_rt_mutex,
    Builder,
    Condition,
    Error,
    Outcome,
    Stop, //
};

const FOR_EVER: Delta = Delta::from_secs(1_000_000);
const MOMENT: Delta = Delta::from_millis(5);

/// A number behind a lock of any kind, and a condition for its changes.
#[pin_data]
struct Guarded<B: Backend> {
    #[pin]
    number: Lock<u32, B>,
    #[pin]
    changed: Condition,
}

fn guarded<B: Backend>(number: impl PinInit<Lock<u32, B>>) -> Result<Arc<Guarded<B>>> {
    Arc::pin_init(
        pin_init!(Guarded {
            number <- number,
            changed <- Condition::new(),
        }),
        GFP_KERNEL,
    )
}

/// Two threads that count in turn, so that each must be woken by the other every time.
fn take_turns<B: Backend + 'static>(bench: &Bench<'_>, shared: Arc<Guarded<B>>) -> Verdict {
    const TURNS: u32 = 250;

    let scope = bench.scope()?;
    let count = |odd: u32| {
        let shared = shared.clone();
        Builder::new(fmt!("turns/{odd}")).spawn(&scope, move |stop: &Stop| {
            for _ in 0..TURNS {
                let number = shared.number.lock();
                let mut number = shared
                    .changed
                    .wait_while(stop, number, |number| number % 2 != odd)?;
                *number += 1;
                drop(number);
                shared.changed.notify_one();
            }
            Ok(())
        })
    };
    let (even, odd) = (count(0)?, count(1)?);
    claim!(even.join() == Outcome::Ended(()));
    claim!(odd.join() == Outcome::Ended(()));
    claim!(*shared.number.lock() == 2 * TURNS);
    Ok(Passed::Now)
}

pub(crate) fn condition_loses_no_notification(bench: &Bench<'_>) -> Verdict {
    take_turns(bench, guarded(new_mutex!(0))?)?;
    take_turns(bench, guarded(new_spinlock!(0))?)?;
    take_turns(bench, guarded(new_spinlock_irq!(0))?)?;
    take_turns(bench, guarded(new_rt_mutex!(0))?)
}

/// The lock is held when the stop comes, and stays so: nobody waits for it then.
pub(crate) fn stop_while_waiting_for_condition(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let shared = guarded(new_mutex!(0))?;
    for round in 0..50 {
        let shared = shared.clone();
        let thread = Builder::new(fmt!("waiter")).spawn_ready(&scope, {
            let shared = shared.clone();
            move |stop: &Stop| {
                let number = shared.number.lock();
                stop.ready();
                let number = if round % 2 == 0 {
                    shared.changed.wait(stop, number)?
                } else {
                    shared.changed.wait_while(stop, number, |_| true)?
                };
                Ok(*number)
            }
        })?;
        let number = shared.number.lock();
        claim!(thread.stop() == Outcome::Stopped);
        drop(number);
    }
    Ok(Passed::Now)
}

pub(crate) fn notify_all_wakes_all(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let shared = guarded(new_spinlock!(0))?;
    let mut threads = KVec::new();
    for _ in 0..8 {
        let shared = shared.clone();
        let thread = Builder::new(fmt!("waiter")).spawn_ready(&scope, move |stop: &Stop| {
            stop.ready();
            let number = shared.number.lock();
            let number = shared.changed.wait_while(stop, number, |n| *n == 0)?;
            Ok(*number)
        })?;
        threads.push(thread, GFP_KERNEL)?;
    }
    fsleep(MOMENT);
    *shared.number.lock() = 3;
    shared.changed.notify_all();
    for thread in &threads {
        claim!(thread.join() == Outcome::Ended(3));
    }
    Ok(Passed::Now)
}

pub(crate) fn condition_gives_up_in_time(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let shared = guarded(new_mutex!(0))?;
    let thread = Builder::new(fmt!("waiter")).spawn(&scope, {
        let shared = shared.clone();
        move |stop: &Stop| {
            let is_zero = |number: &u32| *number == 0;
            let number = shared.number.lock();
            let (number, early) = shared
                .changed
                .wait_timeout_while(stop, number, MOMENT, is_zero)?;
            drop(number);
            stop.ready();
            let number = shared.number.lock();
            let (number, late) = shared
                .changed
                .wait_timeout_while(stop, number, FOR_EVER, is_zero)?;
            Ok((early, late, *number))
        }
    })?;
    thread.wait_ready().map_err(Error::to_kernel)?;
    *shared.number.lock() = 7;
    shared.changed.notify_one();
    claim!(thread.join() == Outcome::Ended((false, true, 7)));
    Ok(Passed::Now)
}
