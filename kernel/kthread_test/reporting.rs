// SPDX-License-Identifier: GPL-2.0

//! Reports of stops that take too long: in the log, and how often that is.

use crate::bench::{
    await_place,
    claim,
    event,
    expect_line,
    Bench,
    Count,
    Passed,
    Verdict, //
};
use kernel::{
    prelude::*,
    time::{
        delay::fsleep,
        Delta, //
    }, //
};
use kthread::{
    Again,
    AnyStop,
    Builder,
    Chore,
    Outcome,
    Stop,
    Thread,
    Work, //
};

const FOR_EVER: Delta = Delta::from_secs(3600);
const SHORT: Delta = Delta::from_millis(20);

/// Waits until the thread has been reported so often.
fn await_reports<T: Send>(thread: &Thread<T>, number: u32) {
    while thread.stop_reports() < number {
        fsleep(Delta::from_millis(5));
    }
}

/// A body that does not heed the stop, in a wait of the library.
pub(crate) fn slow_stop_is_reported_with_its_line(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let end = event()?;
    let (told, line) = (end.clone(), line!() + 5);
    let thread = Builder::new(fmt!("shielded"))
        .report_after(SHORT)
        .spawn_ready(&scope, move |stop: &Stop| {
            stop.ready();
            Ok(stop.shield(FOR_EVER, |stop| stop.wait(&told))?)
        })?;

    // Nobody has asked yet, so nobody is late.
    fsleep(SHORT + SHORT);
    claim!(thread.stop_reports() == 0);

    // Whether the asker waits or not: it is reported again and again.
    thread.ask_stop();
    await_reports(&thread, 3);
    let waits_in = thread.waits_in();
    claim!(waits_in.is_some_and(|place| place.file().ends_with("reporting.rs")));
    claim!(waits_in.is_some_and(|place| place.line() == line));
    expect_line(fmt!(
        "shielded (process {}) was asked to stop ... ms ago and has not ended: it waits in {}:{line}",
        thread.pid(),
        file!()
    ));

    end.complete();
    claim!(thread.stop() == Outcome::Ended(()));
    // A thread that has ended is late no more.
    let reports = thread.stop_reports();
    fsleep(SHORT + SHORT);
    claim!(thread.stop_reports() == reports);
    claim!(thread.waits_in().is_none());
    Ok(Passed::Now)
}

/// One that goes on to sleep elsewhere, while its owner waits.
pub(crate) fn slow_stop_elsewhere_is_reported(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let (go_on, end) = (event()?, Count::new()?);
    let thread = Builder::new(fmt!("elsewhere"))
        .report_after(SHORT)
        .spawn_ready(&scope, {
            let (go_on, end) = (go_on.clone(), end.clone());
            move |stop: &Stop| {
                stop.ready();
                stop.shield(FOR_EVER, |stop| stop.wait(&go_on))?;
                while end.get() == 0 {
                    fsleep(Delta::from_millis(1));
                }
                Ok(())
            }
        })?;
    let thread = kernel::sync::Arc::new(thread, GFP_KERNEL)?;
    let stopper = Builder::new(fmt!("stopper")).spawn(&scope, {
        let thread = thread.clone();
        move |_: &Stop| Ok(thread.stop())
    })?;

    await_reports(&thread, 1);
    go_on.complete();
    while thread.waits_in().is_some() {
        fsleep(Delta::from_millis(1));
    }
    // The next may have been on its way before that.
    for _ in 0..2 {
        await_reports(&thread, thread.stop_reports() + 1);
    }
    claim!(!stopper.is_finished());
    expect_line(fmt!(
        "elsewhere (process {}) was asked to stop ... ms ago and has not ended: \
         it is in no wait of this library",
        thread.pid()
    ));
    // Its stack follows, if the kernel can show it.
    expect_line(fmt!("task:elsewhere ... "));
    end.up();
    claim!(stopper.join() == Outcome::Ended(Outcome::Ended(())));
    Ok(Passed::Now)
}

/// Work, and a chore in one of its calls: in the usual time, which is ten seconds.
pub(crate) fn slow_stop_of_work_is_reported(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let end = event()?;
    let told = end.clone();
    let work = Work::queue(&scope, move |stop: &AnyStop| {
        Ok(stop.shield(FOR_EVER, |stop| stop.wait(&told))?)
    })?;
    let told = end.clone();
    let chore = Chore::start(&scope, Delta::ZERO, move |stop: &AnyStop| {
        stop.shield(FOR_EVER, |stop| stop.wait(&told))?;
        Ok(Again::Never)
    })?;
    let places = [
        await_place(|| work.waits_in()),
        await_place(|| chore.waits_in()),
    ];
    claim!(places[0].line() < places[1].line());

    work.ask_stop();
    chore.ask_stop();
    while work.stop_reports() == 0 || chore.stop_reports() == 0 {
        fsleep(Delta::from_millis(100));
    }
    for place in places {
        expect_line(fmt!(
            "the work item kthread_test::reporting::slow_stop_of_work_is_reported ... \
             was asked to stop ... ms ago and has not ended: it waits in {}:{}",
            place.file(),
            place.line()
        ));
    }

    end.complete_all();
    claim!(work.stop() == Outcome::Ended(()));
    claim!(chore.stop() == Outcome::Ended(Again::Never));
    Ok(Passed::Now)
}

/// One look serves all threads, each with its own time.
pub(crate) fn each_thread_is_reported_in_its_time(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let end = event()?;
    let late = |time: Option<Delta>| {
        let end = end.clone();
        let mut builder = Builder::new(fmt!("late"));
        if let Some(time) = time {
            builder = builder.report_after(time);
        }
        builder.spawn_ready(&scope, move |stop: &Stop| {
            stop.ready();
            Ok(stop.shield(FOR_EVER, |stop| stop.wait(&end))?)
        })
    };
    let (usual, never, soon) = (late(None)?, late(Some(FOR_EVER))?, late(Some(SHORT))?);
    scope.ask_stop();
    await_reports(&soon, 2);
    claim!(never.stop_reports() == 0);

    end.complete_all();
    for thread in [usual, never, soon] {
        claim!(thread.stop() == Outcome::Ended(()));
    }
    Ok(Passed::Now)
}
