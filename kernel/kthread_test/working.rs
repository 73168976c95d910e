// SPDX-License-Identifier: GPL-2.0

//! Bodies that run on a workqueue: what holds for threads holds for them.

use crate::bench::{
    claim,
    event,
    leak,
    Bench,
    Count,
    Passed,
    Verdict, //
};
use kernel::{
    new_mutex,
    prelude::*,
    sync::Arc,
    time::{
        delay::fsleep,
        Delta, //
    }, //
};
use kthread::{
    AnyStop,
    Builder,
    Outcome,
    Scope,
    Stop,
    Work, //
};

const FOR_EVER: Delta = Delta::from_secs(1_000_000);

/// Work that is up, and sleeps until it is stopped.
fn sleeper(scope: &Scope) -> Result<Work<()>> {
    let work = Work::queue(scope, |stop: &AnyStop| {
        stop.ready();
        Ok(stop.sleep(FOR_EVER)?)
    })?;
    work.wait_ready().map_err(kthread::Error::to_kernel)?;
    Ok(work)
}

pub(crate) fn work_ends_by_itself(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let (drops, ended) = (Count::new()?, Count::new()?);
    let held = drops.on_drop();
    let result = ended.on_drop();
    let work = Work::queue(&scope, move |stop: &AnyStop| {
        let _held = held;
        stop.sleep(Delta::from_millis(1))?;
        Ok(result)
    })?;
    claim!(matches!(work.join(), Outcome::Ended(_)));
    claim!(drops.get() == 1 && ended.get() == 1);
    claim!(work.is_finished());
    claim!(matches!(work.join(), Outcome::Taken));
    claim!(matches!(work.stop(), Outcome::Taken));

    let failing = Work::<()>::queue(&scope, |_: &AnyStop| Err(EIO.into()))?;
    claim!(failing.wait_ready() == Err(EIO.into()));
    claim!(failing.join() == Outcome::Failed(EIO));
    claim!(scope.live() == 0);
    Ok(Passed::Now)
}

/// How often to try for an order of events that only luck brings.
const TRIES: i32 = 5000;

pub(crate) fn stop_before_work_ran(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let (drops, runs) = (Count::new()?, Count::new()?);
    let mut tries = 0;
    while tries < TRIES && (runs.get() < 100 || tries - runs.get() < 100) {
        let held = drops.on_drop();
        let runs = runs.clone();
        let work = Work::queue(&scope, move |stop: &AnyStop| {
            let _held = held;
            runs.up();
            Ok(stop.sleep(FOR_EVER)?)
        })?;
        if tries % 2 == 0 {
            fsleep(Delta::from_micros(i64::from(tries % 200)));
        }
        tries += 1;
        claim!(work.stop() == Outcome::Stopped);
        claim!(drops.get() == tries);
    }
    let unrun = tries - runs.get();
    pr_info!("of {tries} work items, {unrun} were stopped before they ran\n");
    claim!(unrun > 0);
    claim!(runs.get() > 0);
    claim!(scope.live() == 0);
    Ok(Passed::Now)
}

pub(crate) fn stop_work_from_two_places(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    for round in 0..100 {
        let victim = Arc::new(
            Work::queue(&scope, |stop: &AnyStop| Ok(stop.sleep(FOR_EVER)?))?,
            GFP_KERNEL,
        )?;
        if round % 2 == 0 {
            fsleep(Delta::from_micros(200));
        }
        let stopper = || {
            let victim = victim.clone();
            Work::queue(&scope, move |_: &AnyStop| Ok(victim.stop()))
        };
        let (one, two) = (stopper()?, stopper()?);
        let outcomes = (one.join(), two.join());
        let (stopped, taken) = (Outcome::Stopped, Outcome::Taken);
        claim!(
            outcomes == (Outcome::Ended(stopped), Outcome::Ended(taken))
                || outcomes
                    == (
                        Outcome::Ended(Outcome::Taken),
                        Outcome::Ended(Outcome::Stopped)
                    )
        );
        claim!(victim.stop() == Outcome::Taken);
    }
    claim!(scope.live() == 0);
    Ok(Passed::Now)
}

/// The end of a scope is the end of work without a handle, beside a thread.
pub(crate) fn leaked_work_is_joined_by_scope(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let ends = Count::new()?;
    for _ in 0..3 {
        let ends = ends.clone();
        let work = Work::queue(&scope, move |stop: &AnyStop| {
            stop.ready();
            while stop.sleep(FOR_EVER).is_ok() {}
            // Whoever does not wait for it is likely not to see the count.
            fsleep(Delta::from_millis(5));
            ends.up();
            Ok(())
        })?;
        claim!(work.wait_ready().is_ok());
        leak(work);
    }
    sleeper(&scope)?.leave();
    let thread = Builder::new(fmt!("beside")).spawn(&scope, |stop| Ok(stop.sleep(FOR_EVER)?))?;
    claim!(scope.live() == 5);
    scope.stop();
    claim!(scope.live() == 0);
    claim!(ends.get() == 3);
    claim!(thread.join() == Outcome::Stopped);
    Ok(Passed::Now)
}

/// Work that stops itself is asked to stop, and does not wait for itself.
pub(crate) fn self_stop_of_work_is_caught(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let handle = Arc::pin_init(new_mutex!(None::<Work<Outcome<()>>>), GFP_KERNEL)?;
    let given = event()?;
    let outcome = Arc::pin_init(new_mutex!(None), GFP_KERNEL)?;
    let work = Work::queue(&scope, {
        let (handle, given, outcome) = (handle.clone(), given.clone(), outcome.clone());
        move |stop: &AnyStop| {
            stop.wait(&given)?;
            let own: Option<Work<Outcome<()>>> = handle.lock().take();
            if let Some(own) = own {
                let stopped = matches!(own.stop(), Outcome::Itself);
                let joined = matches!(own.join(), Outcome::Itself);
                *outcome.lock() = Some([stopped, joined, stop.is_stopped()]);
            }
            // Dropped by now: left to the scope.
            Ok(Outcome::Ended(()))
        }
    })?;
    *handle.lock() = Some(work);
    given.complete();
    while outcome.lock().is_none() {
        fsleep(Delta::from_millis(1));
    }
    scope.stop();
    claim!(scope.live() == 0);
    claim!(*outcome.lock() == Some([true; 3]));
    Ok(Passed::Now)
}

/// A body waits for work, and work for a thread, until the end or a stop.
pub(crate) fn work_is_joined_by_bodies(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let short = Work::queue(&scope, |stop: &AnyStop| {
        stop.sleep(Delta::from_millis(10))?;
        Ok(7)
    })?;
    let long = sleeper(&scope)?;
    let waiter = Builder::new(fmt!("waiter")).spawn_ready(&scope, move |stop: &Stop| {
        let early = stop
            .join_work_within(&long, Delta::from_millis(5))?
            .is_none();
        let seven = stop.join_work(&short)?;
        stop.ready();
        let broken = stop.join_work(&long).is_err();
        Ok((early, seven, broken))
    })?;
    claim!(waiter.stop() == Outcome::Ended((true, Outcome::Ended(7), true)));
    claim!(scope.live() == 0);
    Ok(Passed::Now)
}

/// A stop does not break the killable waits of work: this would be here for ever without one that
/// it does break.
pub(crate) fn work_stops_waiting_for_others_to_be_ready(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let up = sleeper(&scope)?;
    let silent = Work::queue(&scope, |stop: &AnyStop| Ok(stop.sleep(FOR_EVER)?))?;
    let mute = Builder::new(fmt!("mute")).spawn(&scope, |stop: &Stop| Ok(stop.sleep(FOR_EVER)?))?;
    let work = Work::queue(&scope, move |stop: &AnyStop| {
        let met = stop.wait_work_ready(&up).is_ok();
        stop.ready();
        let first = stop.wait_work_ready(&silent).is_err();
        let second = stop.wait_ready(&mute).is_err();
        Ok(met && first && second)
    })?;
    claim!(work.wait_ready().is_ok());
    claim!(work.stop() == Outcome::Ended(true));
    Ok(Passed::Now)
}

/// Two that wait for each other, in the wait of those who are no bodies. It is no ring that anybody
/// could see, but the stop of one ends it.
pub(crate) fn work_that_waits_for_each_other_is_stopped(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let pair = Arc::pin_init(new_mutex!(KVec::<Arc<Work<bool>>>::new()), GFP_KERNEL)?;
    let (go, waiting) = (event()?, Count::new()?);
    let mut works = KVec::new();
    for index in 0..2 {
        let (pair, go, waiting) = (pair.clone(), go.clone(), waiting.clone());
        let work = Work::queue(&scope, move |stop: &AnyStop| {
            stop.wait(&go)?;
            let other = pair.lock()[1 - index].clone();
            waiting.up();
            Ok(other.wait_ready() == Err(EINTR.into()) && stop.is_stopped())
        })?;
        works.push(Arc::new(work, GFP_KERNEL)?, GFP_KERNEL)?;
    }
    for work in &works {
        pair.lock().push(work.clone(), GFP_KERNEL)?;
    }
    go.complete_all();
    while waiting.get() < 2 {
        fsleep(Delta::from_millis(1));
    }
    // Time to begin to wait.
    fsleep(Delta::from_millis(5));
    claim!(works[0].stop() == Outcome::Ended(true));
    // It had left a value, which counts as ready.
    claim!(works[1].join() == Outcome::Ended(false));
    pair.lock().clear();
    Ok(Passed::Now)
}

/// A shield holds in a worker too, and hands the stop on.
pub(crate) fn work_shields_itself(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let work = Work::queue(&scope, |stop: &AnyStop| {
        stop.ready();
        let finished = stop.shield(FOR_EVER, |shielded| {
            while !stop.is_stopped() {
                shielded.sleep(Delta::from_millis(1))?;
            }
            shielded.sleep(Delta::from_millis(20))
        });
        let pending = current!().signal_pending();
        Ok([finished.is_ok(), pending, stop.sleep(FOR_EVER).is_err()])
    })?;
    claim!(work.wait_ready().is_ok());
    claim!(work.stop() == Outcome::Ended([true; 3]));
    Ok(Passed::Now)
}
