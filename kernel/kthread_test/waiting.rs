// SPDX-License-Identifier: GPL-2.0

//! Work that waits for what never comes, in every kind of wait that there is for it.

use crate::bench::{
    claim,
    event,
    Bench,
    Passed,
    Verdict, //
};
use kernel::{
    prelude::*,
    sync::Arc,
    time::{
        delay::fsleep,
        Delta,
        Instant, //
    }, //
};
use kthread::{
    channel,
    new_rt_mutex,
    AnyStop,
    Builder,
    Completion,
    Condition,
    Outcome,
    Receiver,
    RtMutex,
    Scope,
    Sender,
    Stop,
    Thread,
    Ticker,
    Work, //
};

const FOR_EVER: Delta = Delta::from_secs(1_000_000);

/// A lock that somebody else holds, or nobody, and changes that nobody tells of.
#[pin_data]
struct Guarded {
    #[pin]
    held: RtMutex<()>,
    #[pin]
    free: RtMutex<()>,
    #[pin]
    changed: Condition,
}

/// What work waits for in vain.
#[derive(Clone)]
struct Never {
    event: Arc<Completion>,
    guarded: Arc<Guarded>,
    full: Sender<u32>,
    empty: Receiver<u32>,
    thread: Arc<Thread<()>>,
    work: Arc<Work<()>>,
}

/// All the waits of [`AnyStop`], and those that it is handed to.
const WAITS: &[fn(&Never, &AnyStop) -> kthread::Result] = &[
    |_, stop| Ok(stop.sleep(FOR_EVER)?),
    |_, stop| Ok(stop.sleep_until(Instant::now() + FOR_EVER)?),
    |never, stop| Ok(stop.wait(&never.event)?),
    |never, stop| Ok(stop.wait_timeout(&never.event, FOR_EVER).map(drop)?),
    |never, stop| {
        let end = Instant::now() + FOR_EVER;
        Ok(stop.wait_until(&never.event, end).map(drop)?)
    },
    |_, stop| Ok(Ticker::new(FOR_EVER)?.wait(stop).map(drop)?),
    |never, stop| Ok(stop.join(&never.thread).map(drop)?),
    |never, stop| Ok(stop.join_within(&never.thread, FOR_EVER).map(drop)?),
    |never, stop| stop.wait_ready(&never.thread),
    |never, stop| Ok(stop.join_work(&never.work).map(drop)?),
    |never, stop| Ok(stop.join_work_within(&never.work, FOR_EVER).map(drop)?),
    |never, stop| stop.wait_work_ready(&never.work),
    |never, stop| Ok(never.empty.receive(stop).map(drop)?),
    |never, stop| Ok(never.empty.receive_timeout(stop, FOR_EVER).map(drop)?),
    |never, stop| Ok(never.full.send(stop, 2)?),
    |never, stop| Ok(never.full.send_timeout(stop, 2, FOR_EVER)?),
    |never, stop| Ok(stop.lock(&never.guarded.held).map(drop)?),
    |never, stop| Ok(stop.lock_timeout(&never.guarded.held, FOR_EVER).map(drop)?),
    |never, stop| {
        let Guarded { free, changed, .. } = &*never.guarded;
        Ok(changed.wait(stop, free.lock()).map(drop)?)
    },
    |never, stop| {
        let Guarded { free, changed, .. } = &*never.guarded;
        Ok(changed.wait_while(stop, free.lock(), |()| true).map(drop)?)
    },
    |never, stop| {
        let Guarded { free, changed, .. } = &*never.guarded;
        let waited = changed.wait_timeout_while(stop, free.lock(), FOR_EVER, |()| true);
        Ok(waited.map(drop)?)
    },
];

/// Whatever work waits for. What has broken the wait is not left to the worker, which the work
/// after it shares, as a rule.
pub(crate) fn stop_breaks_the_waits_of_work(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let (full, _receiver) = channel(1)?;
    let (_sender, empty) = channel(1)?;
    claim!(full.try_send(1).is_ok());
    let thread =
        Builder::new(fmt!("endless")).spawn(&scope, |stop: &Stop| Ok(stop.sleep(FOR_EVER)?))?;
    let work = Work::queue(&scope, |stop: &AnyStop| Ok(stop.sleep(FOR_EVER)?))?;
    let never = Never {
        event: event()?,
        guarded: Arc::pin_init(
            pin_init!(Guarded {
                held <- new_rt_mutex!(()),
                free <- new_rt_mutex!(()),
                changed <- Condition::new(),
            }),
            GFP_KERNEL,
        )?,
        full,
        empty,
        thread: Arc::new(thread, GFP_KERNEL)?,
        work: Arc::new(work, GFP_KERNEL)?,
    };

    // Not by who waits for the work, which lockdep would take for a deadlock: it knows no stops.
    let holder = Builder::new(fmt!("holder")).spawn_ready(&scope, {
        let guarded = never.guarded.clone();
        move |stop: &Stop| {
            let _held = guarded.held.lock();
            stop.ready();
            Ok(stop.sleep(FOR_EVER)?)
        }
    })?;
    for round in 0..4 {
        for (kind, wait) in WAITS.iter().enumerate() {
            // The later rounds let it fall asleep first.
            let outcome = stop_in(&scope, &never, *wait, round > 1)?;
            if outcome != Outcome::Stopped {
                pr_err!("wait {kind} ended as {outcome:?}\n");
            }
            claim!(outcome == Outcome::Stopped);
            let next = Work::queue(&scope, |_: &AnyStop| Ok(current!().signal_pending()))?;
            claim!(next.join() == Outcome::Ended(false));
        }
    }
    claim!(holder.stop() == Outcome::Stopped);
    claim!(never.thread.stop() == Outcome::Stopped);
    claim!(never.work.stop() == Outcome::Stopped);
    Ok(Passed::Now)
}

/// How work ends that is stopped in such a wait.
fn stop_in(
    scope: &Scope,
    never: &Never,
    wait: fn(&Never, &AnyStop) -> kthread::Result,
    asleep: bool,
) -> Result<Outcome<()>> {
    let never = never.clone();
    let work = Work::queue(scope, move |stop: &AnyStop| {
        stop.ready();
        wait(&never, stop)
    })?;
    work.wait_ready().map_err(kthread::Error::to_kernel)?;
    if asleep {
        fsleep(Delta::from_millis(2));
    }
    Ok(work.stop())
}
