// SPDX-License-Identifier: GPL-2.0

//! Threads that are stopped, wherever they are.

use crate::bench::{
    claim,
    event,
    Bench,
    Count,
    Passed,
    Verdict, //
};
use crate::scheduling::online;
use kernel::{
    cpu::CpuId,
    prelude::*,
    sync::{
        aref::ARef,
        Arc,
        SetOnce, //
    },
    task::Task,
    time::{
        delay::{
            fsleep,
            udelay, //
        },
        Delta,
        Instant,
        Monotonic, //
    }, //
};
use kthread::{
    Builder,
    Error,
    Outcome,
    Scope,
    Stop,
    Thread, //
};

const FOR_EVER: Delta = Delta::from_secs(1_000_000);
const LONG: Delta = Delta::from_secs(20);

/// A thread that is up, and sleeps until it is stopped.
fn sleeper(scope: &Scope) -> Result<Thread<()>> {
    Builder::new(fmt!("sleeper")).spawn_ready(scope, |stop: &Stop| {
        stop.ready();
        Ok(stop.sleep(FOR_EVER)?)
    })
}

pub(crate) fn stop_while_sleeping(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    for _ in 0..50 {
        claim!(sleeper(&scope)?.stop() == Outcome::Stopped);
    }
    Ok(Passed::Now)
}

pub(crate) fn stop_while_waiting_for_completion(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let never = event()?;
    let thread = Builder::new(fmt!("waiter")).spawn_ready(&scope, move |stop: &Stop| {
        stop.ready();
        Ok(stop.wait(&never)?)
    })?;
    claim!(thread.stop() == Outcome::Stopped);
    Ok(Passed::Now)
}

pub(crate) fn stop_while_waiting_with_timeout(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let never = event()?;
    let thread = Builder::new(fmt!("waiter")).spawn_ready(&scope, move |stop: &Stop| {
        stop.ready();
        Ok(stop.wait_timeout(&never, FOR_EVER)?)
    })?;
    claim!(thread.stop() == Outcome::Stopped);
    Ok(Passed::Now)
}

pub(crate) fn timeout_and_completion_are_told_apart(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let done = event()?;
    let thread = Builder::new(fmt!("waiter")).spawn(&scope, move |stop: &Stop| {
        let nothing = stop.wait_timeout(&done, Delta::from_millis(5))?;
        done.complete();
        let once = stop.wait_timeout(&done, FOR_EVER)?;
        let twice = stop.wait_timeout(&done, Delta::ZERO)?;
        done.complete_all();
        let all = stop.wait_timeout(&done, Delta::ZERO)?;
        done.reinit();
        let again = stop.wait_timeout(&done, Delta::ZERO)?;
        Ok([nothing, once, twice, all, again])
    })?;
    claim!(thread.join() == Outcome::Ended([false, true, false, true, false]));
    Ok(Passed::Now)
}

/// Two give up waiting for a completion, and it comes just as the second does, again and again: if
/// neither has taken it, it is for another, who waits on.
pub(crate) fn completion_is_not_lost_on_who_leaves(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let online = online(bench)?;
    let here = CpuId::current();
    // They leave one after the other, while it is completed elsewhere.
    let elsewhere = online.iter().find(|&&cpu| cpu != here);
    let elsewhere = elsewhere.copied().unwrap_or(here);
    for round in 0..300 {
        let (done, over, left) = (event()?, event()?, Count::new()?);
        let spawn_hasty = || {
            let (done, over, left) = (done.clone(), over.clone(), left.clone());
            let body = move |stop: &Stop| {
                let came = stop.wait_timeout(&done, Delta::from_millis(12))?;
                left.up();
                // The next leaves at once: the end of a thread takes longer.
                stop.wait(&over)?;
                Ok(came)
            };
            let hasty = Builder::new(fmt!("hasty")).on_cpu(elsewhere);
            hasty.spawn(&scope, body)
        };
        let hasty = [spawn_hasty()?, spawn_hasty()?];
        let patient = Builder::new(fmt!("patient")).spawn(&scope, {
            let done = done.clone();
            move |stop: &Stop| Ok(stop.wait(&done)?)
        })?;
        while left.get() == 0 {
            udelay(Delta::from_micros(1));
        }
        udelay(Delta::from_micros(round % 64));
        done.complete();
        over.complete_all();
        for thread in hasty {
            // It took what is now missing.
            if thread.join() == Outcome::Ended(true) {
                done.complete();
            }
        }
        claim!(patient.join_within(LONG) == Some(Outcome::Ended(())));
    }
    Ok(Passed::Now)
}

pub(crate) fn time_that_has_passed_is_not_slept(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let never = event()?;
    let thread = Builder::new(fmt!("hasty")).spawn(&scope, move |stop: &Stop| {
        for nanos in [0, -1, -1_000_000_000_000_000, i64::MIN] {
            stop.sleep(Delta::from_nanos(nanos))?;
            if stop.wait_timeout(&never, Delta::from_nanos(nanos))? {
                return Ok(false);
            }
        }
        Ok(true)
    })?;
    claim!(thread.join() == Outcome::Ended(true));
    Ok(Passed::Now)
}

pub(crate) fn stop_is_sticky(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let complete = event()?;
    complete.complete_all();
    let thread = Builder::new(fmt!("sticky")).spawn_ready(&scope, move |stop: &Stop| {
        stop.ready();
        let mut broken = 0;
        for _ in 0..3 {
            broken += i32::from(stop.sleep(FOR_EVER).is_err());
            broken += i32::from(stop.wait(&complete).is_err());
            broken += i32::from(stop.wait_timeout(&complete, FOR_EVER).is_err());
            broken += i32::from(stop.killable(|| Ok(())).is_err());
            broken += i32::from(stop.uninterruptible(|| ()).is_err());
            broken += i32::from(stop.check().is_err() && stop.is_stopped());
        }
        Ok(broken)
    })?;
    claim!(thread.stop() == Outcome::Ended(18));
    Ok(Passed::Now)
}

/// How often to try for an order of events that only luck brings.
const TRIES: i32 = 5000;

pub(crate) fn stop_before_first_run(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let drops = Count::new()?;
    let runs = Count::new()?;
    let mut tries = 0;
    // At least 100 of each order, or what luck gives: a stop before the body runs, and after.
    while tries < TRIES && (runs.get() < 100 || tries - runs.get() < 100) {
        let held = drops.on_drop();
        let runs = runs.clone();
        let thread = Builder::new(fmt!("early")).spawn(&scope, move |stop: &Stop| {
            let _held = held;
            runs.up();
            Ok(stop.sleep(FOR_EVER)?)
        })?;
        if tries % 2 == 0 {
            fsleep(Delta::from_micros(i64::from(tries % 200)));
        }
        tries += 1;
        claim!(thread.stop() == Outcome::Stopped);
        claim!(drops.get() == tries);
    }
    let unrun = tries - runs.get();
    pr_info!("of {tries} threads, {unrun} were stopped before they ran\n");
    claim!(unrun > 0);
    claim!(runs.get() > 0);
    claim!(scope.live() == 0);
    Ok(Passed::Now)
}

pub(crate) fn stop_after_end(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    for _ in 0..50 {
        let thread = Builder::new(fmt!("ended")).spawn(&scope, |_: &Stop| Ok(3))?;
        while !thread.is_finished() {
            fsleep(Delta::from_micros(100));
        }
        claim!(thread.stop() == Outcome::Ended(3));
    }
    Ok(Passed::Now)
}

pub(crate) fn stop_twice(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let thread = sleeper(&scope)?;
    claim!(thread.stop() == Outcome::Stopped);
    claim!(thread.stop() == Outcome::Taken);
    claim!(thread.join() == Outcome::Taken);
    scope.stop();
    Ok(Passed::Now)
}

pub(crate) fn stop_from_two_threads(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    for round in 0..100 {
        let victim = Arc::new(
            Builder::new(fmt!("victim")).spawn(&scope, |stop: &Stop| Ok(stop.sleep(FOR_EVER)?))?,
            GFP_KERNEL,
        )?;
        if round % 2 == 0 {
            fsleep(Delta::from_micros(200));
        }
        let stopper = || {
            let victim = victim.clone();
            Builder::new(fmt!("stopper")).spawn(&scope, move |_: &Stop| Ok(victim.stop()))
        };
        let (one, two) = (stopper()?, stopper()?);
        let outcomes = (one.join(), two.join());
        claim!(
            outcomes
                == (
                    Outcome::Ended(Outcome::Stopped),
                    Outcome::Ended(Outcome::Taken)
                )
                || outcomes
                    == (
                        Outcome::Ended(Outcome::Taken),
                        Outcome::Ended(Outcome::Stopped)
                    )
        );
    }
    Ok(Passed::Now)
}

/// None of the threads goes before all have seen the stop: were one waited for before all are
/// asked, it would wait in vain, and say so in the end.
pub(crate) fn stop_many_costs_the_slowest(bench: &Bench<'_>) -> Verdict {
    const MANY: i32 = 8;

    let scope = bench.scope()?;
    let asked = Count::new()?;
    let mut threads = KVec::new();
    for index in 0..MANY {
        let asked = asked.clone();
        let thread =
            Builder::new(fmt!("many/{index}")).spawn_ready(&scope, move |stop: &Stop| {
                stop.ready();
                while stop.sleep(FOR_EVER).is_ok() {}
                asked.up();
                let mut patience = 60_000;
                while asked.get() < MANY && patience > 0 {
                    fsleep(Delta::from_millis(1));
                    patience -= 1;
                }
                Ok(asked.get())
            })?;
        threads.push(thread, GFP_KERNEL)?;
    }

    scope.stop();
    for thread in &threads {
        claim!(thread.join() == Outcome::Ended(MANY));
    }
    Ok(Passed::Now)
}

/// A thread that is started into a scope while that waits for its others is stopped as well.
pub(crate) fn stop_many_catches_latecomers(bench: &Bench<'_>) -> Verdict {
    let scope = Arc::new(bench.scope()?, GFP_KERNEL)?;
    let elsewhere = bench.scope()?;
    let asked = event()?;
    let started = Count::new()?;
    let first = Builder::new(fmt!("first")).spawn_ready(&scope, {
        let (asked, started) = (asked.clone(), started.clone());
        move |stop: &Stop| {
            stop.ready();
            while stop.sleep(FOR_EVER).is_ok() {}
            asked.complete();
            while started.get() == 0 {
                fsleep(Delta::from_millis(1));
            }
            Ok(())
        }
    })?;
    let late = Builder::new(fmt!("starter")).spawn(&elsewhere, {
        let scope = scope.clone();
        move |stop: &Stop| {
            stop.wait(&asked)?;
            let late = Builder::new(fmt!("late")).spawn(&scope, |stop: &Stop| {
                stop.sleep(FOR_EVER)?;
                Ok(())
            });
            started.up();
            Ok(late?)
        }
    })?;

    scope.stop();
    claim!(scope.live() == 0);
    claim!(first.join() == Outcome::Ended(()));
    match late.join() {
        Outcome::Ended(late) => claim!(late.join() == Outcome::Stopped),
        _ => claim!(false),
    }
    Ok(Passed::Now)
}

/// A latecomer that waits for the one who stops them all is not waited for, but is stopped.
pub(crate) fn stop_many_asks_latecomers_that_wait_for_it(bench: &Bench<'_>) -> Verdict {
    const PATIENCE: Delta = Delta::from_secs(60);

    let scope = Arc::new(bench.scope()?, GFP_KERNEL)?;
    let elsewhere = bench.scope()?;
    let (asked, heard) = (event()?, event()?);
    let waiting = Count::new()?;
    let _first = Builder::new(fmt!("first")).spawn_ready(&scope, {
        let (asked, waiting) = (asked.clone(), waiting.clone());
        move |stop: &Stop| {
            stop.ready();
            while stop.sleep(FOR_EVER).is_ok() {}
            asked.complete();
            while waiting.get() == 0 {
                fsleep(Delta::from_millis(1));
            }
            Ok(())
        }
    })?;
    let stopper = Builder::new(fmt!("stopper")).spawn(&elsewhere, {
        let (scope, heard) = (scope.clone(), heard.clone());
        move |stop: &Stop| {
            scope.stop();
            Ok(stop.wait(&heard)?)
        }
    })?;
    let stopper = Arc::new(stopper, GFP_KERNEL)?;
    let starter = Builder::new(fmt!("starter")).spawn(&elsewhere, {
        let stopper = stopper.clone();
        move |stop: &Stop| {
            stop.wait(&asked)?;
            let late = Builder::new(fmt!("late")).spawn(&scope, move |stop: &Stop| {
                let stopped = stop.join(&stopper).is_err();
                heard.complete();
                Ok(stopped)
            })?;
            while late.waits_in().is_none() {
                fsleep(Delta::from_millis(1));
            }
            waiting.up();
            Ok(late)
        }
    })?;

    claim!(stopper.join_within(PATIENCE) == Some(Outcome::Ended(())));
    match starter.join() {
        Outcome::Ended(late) => claim!(late.join() == Outcome::Ended(true)),
        _ => claim!(false),
    }
    Ok(Passed::Now)
}

/// A killable wait of the kernel: a thread waits for the start-up of another, which never comes.
pub(crate) fn killable_wait_is_broken(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let mute = Arc::new(sleeper_that_says_nothing(&scope)?, GFP_KERNEL)?;
    for _ in 0..50 {
        let mute = mute.clone();
        let thread = Builder::new(fmt!("killable")).spawn_ready(&scope, move |stop: &Stop| {
            stop.ready();
            stop.killable(|| wait_for_start(&mute))
        })?;
        claim!(thread.stop() == Outcome::Stopped);
    }
    claim!(!mute.is_finished());
    claim!(mute.stop() == Outcome::Stopped);
    Ok(Passed::Now)
}

pub(crate) fn spurious_wakeup_ends_no_wait(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let task = Arc::new(SetOnce::<ARef<Task>>::new(), GFP_KERNEL)?;
    let never = event()?;
    let time = Delta::from_millis(50);
    let thread = Builder::new(fmt!("restless")).spawn_ready(&scope, {
        let task = task.clone();
        move |stop: &Stop| {
            task.populate(ARef::from(&**current!()));
            stop.ready();
            let start = Instant::<Monotonic>::now();
            stop.sleep(time)?;
            let slept = start.elapsed();
            let timed_out = !stop.wait_timeout(&never, time)?;
            Ok(slept >= time && timed_out && start.elapsed() >= time + time)
        }
    })?;

    while !thread.is_finished() {
        if let Some(task) = SetOnce::as_ref(&task) {
            task.wake_up();
        }
        fsleep(Delta::from_micros(300));
    }
    claim!(thread.join() == Outcome::Ended(true));
    Ok(Passed::Now)
}

fn sleeper_that_says_nothing(scope: &Scope) -> Result<Thread<()>> {
    Builder::new(fmt!("mute")).spawn(scope, |stop: &Stop| Ok(stop.sleep(FOR_EVER)?))
}

fn wait_for_start(thread: &Thread<()>) -> Result {
    thread.wait_ready().map_err(Error::to_kernel)
}
