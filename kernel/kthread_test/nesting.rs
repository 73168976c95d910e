// SPDX-License-Identifier: GPL-2.0

//! Scopes within scopes.

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

const FOR_EVER: Delta = Delta::from_secs(3600);

/// A thread that is up, and counts its end, which is a stop.
fn counted(scope: &Scope, ends: &Count) -> Result<Thread<()>> {
    let ends = ends.clone();
    Builder::new(fmt!("counted")).spawn_ready(scope, move |stop: &Stop| {
        stop.ready();
        while stop.sleep(FOR_EVER).is_ok() {}
        // Whoever does not wait for the thread is likely not to see the count.
        fsleep(Delta::from_millis(5));
        ends.up();
        Ok(())
    })
}

/// None of the threads goes before all have seen the stop: were those of one scope waited for
/// before those of another are asked, they would wait in vain, and say so in the end.
pub(crate) fn outer_stop_costs_the_slowest(bench: &Bench<'_>) -> Verdict {
    const SCOPES: i32 = 3;
    const EACH: i32 = 2;

    let asked = Count::new()?;
    let mut scopes = KVec::new();
    scopes.push(bench.scope()?, GFP_KERNEL)?;
    for depth in 1..SCOPES as usize {
        let inner = scopes[depth - 1].nested()?;
        scopes.push(inner, GFP_KERNEL)?;
    }
    let mut threads = KVec::new();
    for scope in &scopes {
        for _ in 0..EACH {
            let asked = asked.clone();
            let body = move |stop: &Stop| {
                stop.ready();
                while stop.sleep(FOR_EVER).is_ok() {}
                asked.up();
                let mut patience = 60_000;
                while asked.get() < SCOPES * EACH && patience > 0 {
                    fsleep(Delta::from_millis(1));
                    patience -= 1;
                }
                Ok(asked.get())
            };
            let thread = Builder::new(fmt!("nested")).spawn_ready(scope, body)?;
            threads.push(thread, GFP_KERNEL)?;
        }
    }

    claim!(scopes[0].live() == 6 && scopes[2].live() == 2);
    scopes[0].stop();
    claim!(scopes[0].live() == 0);
    for thread in &threads {
        claim!(thread.join() == Outcome::Ended(SCOPES * EACH));
    }
    Ok(Passed::Now)
}

pub(crate) fn inner_ends_alone(bench: &Bench<'_>) -> Verdict {
    let outer = bench.scope()?;
    let (inner, sibling) = (outer.nested()?, outer.nested()?);
    let (ends, others) = (Count::new()?, Count::new()?);
    let _own = counted(&outer, &others)?;
    let _next = counted(&sibling, &others)?;

    leak(counted(&inner, &ends)?);
    inner.stop();
    claim!(ends.get() == 1);
    // A stop is no end: it can be used again.
    leak(counted(&inner, &ends)?);
    drop(inner);
    claim!(ends.get() == 2);
    claim!(others.get() == 0);
    claim!(outer.live() == 2);
    Ok(Passed::Now)
}

pub(crate) fn outer_covers_leaked_inner(bench: &Bench<'_>) -> Verdict {
    let outer = bench.scope()?;
    let ends = Count::new()?;
    for _ in 0..3 {
        let inner = outer.nested()?;
        leak(counted(&inner, &ends)?);
        leak(inner);
    }
    drop(outer);
    claim!(ends.get() == 3);
    Ok(Passed::Now)
}

/// A chain of scopes is dropped link by link on one kernel stack: it must not get too long.
pub(crate) fn scopes_nest_so_deep(bench: &Bench<'_>) -> Verdict {
    const DEEPEST: usize = 16;

    let outer = bench.scope()?;
    let mut inner = outer.nested()?;
    for _ in 2..DEEPEST {
        // The one around it is dropped, and is kept in memory by this one alone.
        inner = inner.nested()?;
    }
    claim!(inner.nested().err() == Some(EINVAL));

    drop(inner);
    claim!(outer.nested().is_ok());
    Ok(Passed::Now)
}

pub(crate) fn nothing_starts_within_a_scope_that_has_gone(bench: &Bench<'_>) -> Verdict {
    let outer = bench.scope()?;
    let middle = outer.nested()?;
    let inner = middle.nested()?;
    drop(middle);

    let drops = Count::new()?;
    let held = drops.on_drop();
    let refused = Builder::new(fmt!("late")).spawn(&inner, move |_: &Stop| {
        drop(held);
        Ok(())
    });
    claim!(refused.err() == Some(ENODEV));
    claim!(drops.get() == 1);
    claim!(outer.live() == 0);
    // Around it nothing has changed.
    let thread = Builder::new(fmt!("around")).spawn(&outer, |_: &Stop| Ok(()))?;
    claim!(thread.join() == Outcome::Ended(()));
    Ok(Passed::Now)
}

/// The thread of an inner scope drops the outer one, with another thread in each.
pub(crate) fn outer_dropped_by_thread_of_inner(bench: &Bench<'_>) -> Verdict {
    let elsewhere = bench.scope()?;
    let outer = Arc::new(bench.scope()?, GFP_KERNEL)?;
    let inner = outer.nested()?;
    let (go, done) = (event()?, event()?);
    let (ends, verdict) = (Count::new()?, Count::new()?);
    leak(counted(&outer, &ends)?);
    leak(counted(&inner, &ends)?);

    let thread = Builder::new(fmt!("owner")).spawn(&inner, {
        let (outer, go, done) = (outer.clone(), go.clone(), done.clone());
        let (ends, verdict) = (ends.clone(), verdict.clone());
        move |stop: &Stop| {
            stop.wait(&go)?;
            // The last reference. All others are waited for; this one can't be.
            drop(outer);
            if ends.get() == 2 && stop.is_stopped() {
                verdict.up();
            }
            done.complete_all();
            Ok(())
        }
    })?;
    drop(outer);
    go.complete_all();

    let waiter =
        Builder::new(fmt!("waiter")).spawn(&elsewhere, move |stop: &Stop| Ok(stop.wait(&done)?))?;
    claim!(waiter.join() == Outcome::Ended(()));
    claim!(verdict.get() == 1);
    claim!(thread.join() == Outcome::Ended(()));
    Ok(Passed::Now)
}

pub(crate) fn inner_dropped_by_thread_of_outer(bench: &Bench<'_>) -> Verdict {
    let outer = bench.scope()?;
    let inner = outer.nested()?;
    let ends = Count::new()?;
    leak(counted(&inner, &ends)?);

    let thread = Builder::new(fmt!("owner")).spawn(&outer, {
        let ends = ends.clone();
        move |stop: &Stop| {
            drop(inner);
            Ok(ends.get() == 1 && !stop.is_stopped())
        }
    })?;
    claim!(thread.join() == Outcome::Ended(true));
    claim!(outer.live() == 0);
    Ok(Passed::Now)
}
