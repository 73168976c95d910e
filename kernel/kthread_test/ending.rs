// SPDX-License-Identifier: GPL-2.0

//! Threads that end by themselves.

use crate::bench::{
    claim,
    event,
    Bench,
    Count,
    Passed,
    Verdict, //
};
use kernel::{
    prelude::*,
    time::Delta, //
};
use kthread::{
    Builder,
    Error,
    Outcome,
    Stop, //
};

pub(crate) fn ends_by_itself(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let runs = Count::new()?;
    let thread = Builder::new(fmt!("ends")).spawn(&scope, {
        let runs = runs.clone();
        move |_: &Stop| {
            runs.up();
            Ok(())
        }
    })?;

    claim!(thread.join() == Outcome::Ended(()));
    claim!(thread.is_finished());
    claim!(runs.get() == 1);
    claim!(scope.live() == 0);
    Ok(Passed::Now)
}

pub(crate) fn result_reaches_owner_once(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let thread = Builder::new(fmt!("result")).spawn(&scope, |_: &Stop| Ok(42))?;

    claim!(thread.join() == Outcome::Ended(42));
    claim!(thread.join() == Outcome::Taken);
    claim!(thread.stop() == Outcome::Taken);
    Ok(Passed::Now)
}

pub(crate) fn result_is_dropped_with_its_thread(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let drops = Count::new()?;
    let value = drops.on_drop();
    let thread = Builder::new(fmt!("value")).spawn_ready(&scope, move |_: &Stop| Ok(value))?;

    // The scope waits for the thread, and leaves the value to its owner.
    drop(scope);
    claim!(drops.get() == 0);
    drop(thread);
    claim!(drops.get() == 1);
    Ok(Passed::Now)
}

pub(crate) fn error_reaches_owner(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let fails = |_: &Stop| -> kthread::Result { Err(Error::Failed(EIO)) };
    let thread = Builder::new(fmt!("fails")).spawn(&scope, fails)?;

    claim!(thread.join() == Outcome::Failed(EIO));
    claim!(thread.join() == Outcome::Taken);
    Ok(Passed::Now)
}

pub(crate) fn body_joins_another_thread(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let go = event()?;
    let first = Builder::new(fmt!("first")).spawn(&scope, {
        let go = go.clone();
        move |stop: &Stop| {
            stop.wait(&go)?;
            Ok(7)
        }
    })?;
    let second = Builder::new(fmt!("second")).spawn(&scope, move |stop: &Stop| {
        Ok(stop.join(&first)? == Outcome::Ended(7))
    })?;
    go.complete();
    claim!(second.join() == Outcome::Ended(true));

    // And such a wait is broken by a stop, like any other.
    let endless = Builder::new(fmt!("endless")).spawn(&scope, |stop: &Stop| loop {
        stop.sleep(Delta::from_secs(3600))?
    })?;
    let third = Builder::new(fmt!("third")).spawn_ready(&scope, move |stop: &Stop| {
        stop.ready();
        let outcome: Outcome<()> = stop.join(&endless)?;
        Ok(outcome)
    })?;
    claim!(third.stop() == Outcome::Stopped);
    Ok(Passed::Now)
}
