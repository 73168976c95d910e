// SPDX-License-Identifier: GPL-2.0

//! How threads come up, or don't.

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
    sync::Arc,
    time::Delta, //
};
use kthread::{
    Builder,
    Error,
    Outcome,
    Stop, //
};

pub(crate) fn formatted_name(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let short = Builder::new(fmt!("modem/{}-{}", 9, "1%s")).spawn(&scope, |_: &Stop| Ok(()))?;
    let long = Builder::new(fmt!("{:>20}", 7)).spawn(&scope, |_: &Stop| Ok(()))?;

    claim!(short.comm() == *b"modem/9-1%s\0\0\0\0\0");
    claim!(long.comm() == *b"               \0");
    Ok(Passed::Now)
}

/// Nothing to format for Rust is something to format for C, if that gets to see it.
pub(crate) fn plain_name(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let idle = |_: &Stop| Ok(());
    let plain = Builder::new(fmt!("modem")).spawn(&scope, idle)?;
    let format = Builder::new(fmt!("50%d")).spawn(&scope, idle)?;
    let longest = Builder::new(fmt!("0123456789012345678901234567890")).spawn(&scope, idle)?;
    let longer = Builder::new(fmt!("01234567890123456789012345678901")).spawn(&scope, idle)?;

    claim!(plain.comm() == *b"modem\0\0\0\0\0\0\0\0\0\0\0");
    claim!(format.comm() == *b"50%d\0\0\0\0\0\0\0\0\0\0\0\0");
    claim!(longest.comm() == *b"012345678901234\0");
    claim!(longer.comm() == *b"012345678901234\0");
    Ok(Passed::Now)
}

pub(crate) fn startup_awaited(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let steps = Count::new()?;
    let thread = Builder::new(fmt!("awaited")).spawn_ready(&scope, {
        let steps = steps.clone();
        move |stop: &Stop| {
            stop.sleep(Delta::from_millis(20))?;
            steps.up();
            stop.ready();
            stop.sleep(Delta::from_secs(3600))?;
            Ok(())
        }
    })?;

    claim!(steps.get() == 1);
    claim!(!thread.is_finished());
    claim!(thread.wait_ready() == Ok(()));
    claim!(thread.stop() == Outcome::Stopped);
    Ok(Passed::Now)
}

pub(crate) fn startup_without_a_word(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let thread = Builder::new(fmt!("wordless")).spawn_ready(&scope, |_: &Stop| Ok(1))?;

    claim!(thread.join() == Outcome::Ended(1));
    claim!(thread.wait_ready() == Ok(()));
    Ok(Passed::Now)
}

pub(crate) fn startup_failure_reaches_spawner(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let fails = |_: &Stop| -> kthread::Result { Err(Error::Failed(ENXIO)) };
    let failed = Builder::new(fmt!("fails")).spawn_ready(&scope, fails);
    claim!(failed.err() == Some(ENXIO));
    claim!(scope.live() == 0);

    // It is told as often as asked, and by the outcome too.
    let thread = Builder::new(fmt!("fails")).spawn(&scope, fails)?;
    claim!(thread.wait_ready() == Err(Error::Failed(ENXIO)));
    claim!(thread.join() == Outcome::Failed(ENXIO));
    claim!(thread.wait_ready() == Err(Error::Failed(ENXIO)));
    Ok(Passed::Now)
}

pub(crate) fn failure_after_startup_is_none_of_startup(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let fails = |stop: &Stop| -> kthread::Result {
        stop.ready();
        Err(Error::Failed(EIO))
    };
    let thread = Builder::new(fmt!("fails")).spawn_ready(&scope, fails)?;

    claim!(thread.join() == Outcome::Failed(EIO));
    claim!(thread.wait_ready() == Ok(()));
    Ok(Passed::Now)
}

pub(crate) fn startup_stopped(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    for _ in 0..100 {
        let thread = Builder::new(fmt!("stopped")).spawn(&scope, |stop: &Stop| {
            stop.sleep(Delta::from_secs(3600))?;
            stop.ready();
            Ok(())
        })?;
        thread.ask_stop();
        claim!(thread.wait_ready() == Err(Error::Stopped));
        claim!(thread.join() == Outcome::Stopped);
        claim!(thread.wait_ready() == Err(Error::Stopped));
    }
    Ok(Passed::Now)
}

pub(crate) fn spawn_fails_in_a_stopped_thread(bench: &Bench<'_>) -> Verdict {
    let scope = Arc::new(bench.scope()?, GFP_KERNEL)?;
    let drops = Count::new()?;
    let never = event()?;
    let thread = Builder::new(fmt!("parent")).spawn_ready(&scope, {
        let scope = scope.clone();
        let drops = drops.clone();
        move |stop: &Stop| {
            stop.ready();
            let _ = stop.wait(&never);
            let held = drops.on_drop();
            let child = Builder::new(fmt!("child")).spawn(&scope, move |stop: &Stop| {
                let _held = held;
                stop.sleep(Delta::from_secs(3600))?;
                Ok(())
            });
            Ok(child.err())
        }
    })?;

    claim!(thread.stop() == Outcome::Ended(Some(EINTR)));
    claim!(drops.get() == 1);
    claim!(scope.live() == 0);
    Ok(Passed::Now)
}
