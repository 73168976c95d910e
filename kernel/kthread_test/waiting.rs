// SPDX-License-Identifier: GPL-2.0

//! Bodies that wait for what never comes, in every kind of wait that there is for them.

use crate::{
    bench::{
        await_place,
        claim,
        Bench,
        Count,
        Passed,
        Verdict, //
    },
    waits::{
        Never,
        Wait,
        WAITS,
        WAITS_OF_THREADS, //
    },
};
use core::panic::Location;
use kernel::{
    prelude::*,
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

/// Whatever work waits for. What has broken the wait is not left to the worker, which the work
/// after it shares, as a rule.
pub(crate) fn stop_breaks_the_waits_of_work(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let never = Never::new(&scope)?;
    for round in 0..4 {
        for (kind, wait) in WAITS.iter().enumerate() {
            // The later rounds let it fall asleep first.
            let outcome = stop_in(&scope, &never, wait, round > 1)?;
            if outcome != Outcome::Stopped {
                pr_err!("wait {kind} ended as {outcome:?}\n");
            }
            claim!(outcome == Outcome::Stopped);
            let next = Work::queue(&scope, |_: &AnyStop| Ok(current!().signal_pending()))?;
            claim!(next.join() == Outcome::Ended(false));
        }
    }
    claim!(never.end());
    Ok(Passed::Now)
}

/// How work ends that is stopped in such a wait.
fn stop_in(
    scope: &Scope,
    never: &Never,
    wait: &'static Wait<AnyStop>,
    asleep: bool,
) -> Result<Outcome<()>> {
    let never = never.clone();
    let work = Work::queue(scope, move |stop: &AnyStop| {
        stop.ready();
        (wait.run)(&never, stop)
    })?;
    work.wait_ready().map_err(kthread::Error::to_kernel)?;
    if asleep {
        fsleep(Delta::from_millis(2));
    }
    Ok(work.stop())
}

/// While a body waits, its handle knows the line: that of the body, not of the library. That is
/// what the log names where it does not stop.
pub(crate) fn waits_note_their_line(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let never = Never::new(&scope)?;
    for (kind, wait) in WAITS.iter().enumerate() {
        let (in_thread, in_work) = (never.clone(), never.clone());
        let thread = Builder::new(fmt!("waiter"))
            .spawn(&scope, move |stop: &Stop| (wait.run)(&in_thread, stop))?;
        let work = Work::queue(&scope, move |stop: &AnyStop| (wait.run)(&in_work, stop))?;
        let places = [
            await_place(|| thread.waits_in()),
            await_place(|| work.waits_in()),
        ];
        claim!(places.map(|place| is_noted(wait, WAITS, kind, place)) == [true; 2]);
        claim!(thread.stop() == Outcome::Stopped && thread.waits_in().is_none());
        claim!(work.stop() == Outcome::Stopped && work.waits_in().is_none());
    }
    for (kind, wait) in WAITS_OF_THREADS.iter().enumerate() {
        let never = never.clone();
        let thread = Builder::new(fmt!("waiter"))
            .spawn(&scope, move |stop: &Stop| (wait.run)(&never, stop))?;
        let place = await_place(|| thread.waits_in());
        claim!(is_noted(wait, WAITS_OF_THREADS, kind, place));
        claim!(thread.stop() == Outcome::Stopped && thread.waits_in().is_none());
    }
    claim!(never.end());
    Ok(Passed::Now)
}

/// Whether a place is that of the wait. If not, the log says which wait it is.
fn is_noted<S>(wait: &Wait<S>, all: &[Wait<S>], kind: usize, place: &Location<'_>) -> bool {
    let is_there = wait.is_in(place, all);
    if !is_there {
        pr_err!(
            "wait {kind} is noted as {}:{}\n",
            place.file(),
            place.line()
        );
    }
    is_there
}

/// So do waits of the kernel that nothing can break.
pub(crate) fn unbreakable_waits_note_their_line(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let told = Count::new()?;
    let heard = told.clone();
    let line = line!() + 2;
    let thread = Builder::new(fmt!("waiter")).spawn(&scope, move |stop: &Stop| {
        Ok(stop.uninterruptible(|| wait_until_told(&heard))?)
    })?;
    let place = await_place(|| thread.waits_in());
    claim!(place.file() == file!() && place.line() == line);
    thread.ask_stop();
    claim!(thread.waits_in().is_some());
    told.up();
    claim!(thread.join() == Outcome::Ended(()));
    claim!(thread.waits_in().is_none());
    Ok(Passed::Now)
}

fn wait_until_told(told: &Count) {
    while told.get() == 0 {
        fsleep(Delta::from_millis(1));
    }
}
