// SPDX-License-Identifier: GPL-2.0

//! Joins and other waits with a time limit.

use crate::bench::{
    claim,
    event,
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
    channel,
    new_rt_mutex,
    Builder,
    Completion,
    Error,
    Outcome,
    Refusal,
    Scope,
    Stop,
    Thread, //
};

const FOR_EVER: Delta = Delta::from_secs(3600);
const SHORT: Delta = Delta::from_millis(1);

/// A thread that ends with 42 when it is told to, and heeds no stop before that.
fn until_told(scope: &Scope) -> Result<(Thread<i32>, Arc<Completion>)> {
    let end = event()?;
    let told = end.clone();
    let thread = Builder::new(fmt!("told")).spawn_ready(scope, move |stop: &Stop| {
        stop.ready();
        stop.shield(FOR_EVER, |stop| stop.wait(&told))?;
        Ok(42)
    })?;
    Ok((thread, end))
}

pub(crate) fn join_gives_up_in_time(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let thread =
        Builder::new(fmt!("sleeper")).spawn(&scope, |stop: &Stop| Ok(stop.sleep(FOR_EVER)?))?;
    for time in [SHORT, SHORT, Delta::ZERO, Delta::from_nanos(-1)] {
        claim!(thread.join_within(time).is_none());
    }
    // It was not asked to go, and has lost nothing.
    claim!(!thread.is_finished());
    claim!(thread.stop() == Outcome::Stopped);
    claim!(thread.join_within(FOR_EVER) == Some(Outcome::Taken));
    Ok(Passed::Now)
}

pub(crate) fn join_within_gets_the_result(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let (thread, end) = until_told(&scope)?;
    claim!(thread.join_within(SHORT).is_none());
    end.complete();
    claim!(thread.join_within(FOR_EVER) == Some(Outcome::Ended(42)));
    claim!(thread.join_within(Delta::ZERO) == Some(Outcome::Taken));
    claim!(thread.join() == Outcome::Taken);
    claim!(scope.live() == 0);
    Ok(Passed::Now)
}

/// To bury a thread takes as long as its body likes: who has a limit must not begin with it.
pub(crate) fn join_gives_up_after_a_stop(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let (thread, end) = until_told(&scope)?;
    thread.ask_stop();
    claim!(thread.join_within(SHORT).is_none());

    // Nor must it begin where another has begun.
    let thread = Arc::new(thread, GFP_KERNEL)?;
    let stopper = Builder::new(fmt!("stopper")).spawn_ready(&scope, {
        let thread = thread.clone();
        move |stop: &Stop| {
            stop.ready();
            Ok(thread.stop())
        }
    })?;
    claim!(thread.join_within(SHORT).is_none());
    end.complete();
    claim!(stopper.join() == Outcome::Ended(Outcome::Ended(42)));
    claim!(thread.join_within(FOR_EVER) == Some(Outcome::Taken));
    Ok(Passed::Now)
}

/// Before the thread has run, its closure goes back to those who wait, limited or not.
pub(crate) fn join_within_of_one_that_never_ran(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let drops = Count::new()?;
    for round in 1..=100 {
        let held = drops.on_drop();
        let thread = Builder::new(fmt!("early")).spawn(&scope, move |stop: &Stop| {
            let _held = held;
            Ok(stop.sleep(FOR_EVER)?)
        })?;
        thread.ask_stop();
        claim!(thread.join_within(FOR_EVER) == Some(Outcome::Stopped));
        claim!(drops.get() == round);
    }
    Ok(Passed::Now)
}

pub(crate) fn join_within_by_many(bench: &Bench<'_>) -> Verdict {
    const MANY: usize = 4;

    let scope = bench.scope()?;
    for round in 0..20 {
        let (thread, end) = until_told(&scope)?;
        let thread = Arc::new(thread, GFP_KERNEL)?;
        let mut owners = KVec::new();
        for index in 0..MANY {
            let thread = thread.clone();
            let owner = move |_: &Stop| loop {
                // One of them is a stop, of every second thread.
                if index == 0 && round % 2 == 0 {
                    break Ok(thread.stop());
                }
                if let Some(outcome) = thread.join_within(SHORT) {
                    break Ok(outcome);
                }
            };
            owners.push(
                Builder::new(fmt!("owner")).spawn(&scope, owner)?,
                GFP_KERNEL,
            )?;
        }
        claim!(thread.join_within(SHORT).is_none());
        end.complete();

        let mut got = 0;
        for owner in &owners {
            match owner.join() {
                Outcome::Ended(Outcome::Ended(42)) => got += 1,
                Outcome::Ended(Outcome::Taken) => (),
                _ => claim!(false),
            }
        }
        claim!(got == 1);
    }
    Ok(Passed::Now)
}

pub(crate) fn body_joins_within(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let (first, end) = until_told(&scope)?;
    let second = Builder::new(fmt!("second")).spawn(&scope, move |stop: &Stop| {
        let early = stop.join_within(&first, SHORT)?;
        end.complete();
        Ok((early, stop.join_within(&first, FOR_EVER)?))
    })?;
    claim!(second.join() == Outcome::Ended((None, Some(Outcome::Ended(42)))));

    // And a stop breaks such a wait, like any other.
    let (endless, end) = until_told(&scope)?;
    let third = Builder::new(fmt!("third")).spawn_ready(&scope, move |stop: &Stop| {
        stop.ready();
        let outcome = stop.join_within(&endless, FOR_EVER);
        end.complete();
        Ok(outcome.is_err())
    })?;
    claim!(third.stop() == Outcome::Ended(true));
    Ok(Passed::Now)
}

pub(crate) fn join_within_itself(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let mailbox = Arc::pin_init(new_mutex!(None::<Arc<Thread<bool>>>), GFP_KERNEL)?;
    let go = event()?;
    let thread = Builder::new(fmt!("self")).spawn(&scope, {
        let (mailbox, go) = (mailbox.clone(), go.clone());
        move |stop: &Stop| {
            stop.wait(&go)?;
            let Some(own) = mailbox.lock().take() else {
                return Ok(false);
            };
            let first = own.join_within(FOR_EVER) == Some(Outcome::Itself);
            let second = stop.join_within(&own, FOR_EVER)? == Some(Outcome::Itself);
            Ok(first && second && !stop.is_stopped())
        }
    })?;
    let thread = Arc::new(thread, GFP_KERNEL)?;
    *mailbox.lock() = Some(thread.clone());
    go.complete();
    claim!(thread.join() == Outcome::Ended(true));
    Ok(Passed::Now)
}

/// A wait with a limit keeps nobody from waiting for who is in it: it will be over.
pub(crate) fn limited_wait_closes_no_ring(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let mailbox = Arc::pin_init(new_mutex!(None::<Arc<Thread<bool>>>), GFP_KERNEL)?;
    let go = event()?;
    let first = Builder::new(fmt!("limited")).spawn(&scope, {
        let (mailbox, go) = (mailbox.clone(), go.clone());
        move |stop: &Stop| {
            stop.wait(&go)?;
            let second = mailbox.lock().take();
            // The other waits for this one by now, or will soon.
            let refused = second.map(|second| second.join_within(Delta::from_millis(50)));
            Ok(matches!(refused, Some(None | Some(Outcome::Itself))))
        }
    })?;
    let second = Builder::new(fmt!("patient")).spawn(&scope, {
        let go = go.clone();
        move |stop: &Stop| {
            stop.wait(&go)?;
            stop.sleep(Delta::from_millis(10))?;
            Ok(first.join() == Outcome::Ended(true))
        }
    })?;
    let second = Arc::new(second, GFP_KERNEL)?;
    *mailbox.lock() = Some(second.clone());
    go.complete_all();
    claim!(second.join() == Outcome::Ended(true));
    Ok(Passed::Now)
}

/// A limit that was over before the clock began is no limit that never comes: were it taken for
/// that, this would never end.
pub(crate) fn negative_limits_are_over(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let lock = Arc::pin_init(new_rt_mutex!(()), GFP_KERNEL)?;
    let held = lock.lock();
    let end = event()?;
    let silent = end.clone();
    let other =
        Builder::new(fmt!("silent")).spawn(&scope, move |stop: &Stop| Ok(stop.wait(&silent)?))?;
    let (_sender, receiver) = channel::<u32>(1)?;
    let thread = Builder::new(fmt!("too late")).spawn(&scope, {
        let lock = lock.clone();
        move |stop: &Stop| {
            for time in [Delta::from_nanos(-1), Delta::from_nanos(i64::MIN)] {
                let locked = stop.lock_timeout(&lock, time)?.is_some();
                let received = receiver.receive_timeout(stop, time);
                // The wait for a thread to be ready is a killable one.
                let ready =
                    stop.killable_within(time, || other.wait_ready().map_err(Error::to_kernel));
                if (locked, received, ready)
                    != (false, Err(Refusal::NotNow), Err(Error::Failed(ETIMEDOUT)))
                {
                    return Ok(false);
                }
            }
            Ok(true)
        }
    })?;
    claim!(thread.join() == Outcome::Ended(true));
    end.complete();
    drop(held);
    Ok(Passed::Now)
}

/// Longer than a limit that is not there any more may seem to be.
const HANGS: Delta = Delta::from_secs(30);

/// How a body ends that runs into its limit, with `call` before a killable wait that never ends.
fn limited_after<F>(bench: &Bench<'_>, call: F) -> Result<Option<Outcome<()>>>
where
    F: FnOnce(&Stop) + Send + 'static,
{
    let scope = bench.scope()?;
    let never = event()?;
    let endless =
        Builder::new(fmt!("silent")).spawn(&scope, move |stop: &Stop| Ok(stop.wait(&never)?))?;
    let thread = Builder::new(fmt!("limited")).spawn(&scope, move |stop: &Stop| {
        stop.killable_within(Delta::from_millis(5), || {
            call(stop);
            endless.wait_ready().map_err(Error::to_kernel)
        })
    })?;
    Ok(thread.join_within(HANGS))
}

/// A wait of the library forgets what has broken it, but not for those after it.
pub(crate) fn limit_outlasts_a_wait_inside(bench: &Bench<'_>) -> Verdict {
    let outcome = limited_after(bench, |stop| {
        let _ = stop.sleep(Delta::from_millis(20));
    })?;
    claim!(outcome == Some(Outcome::Failed(ETIMEDOUT)));
    Ok(Passed::Now)
}

/// Of two limits that are over, the inner one leaves the outer one in force.
pub(crate) fn inner_limit_spares_the_outer(bench: &Bench<'_>) -> Verdict {
    let outcome = limited_after(bench, |stop| {
        let _ = stop.killable_within(SHORT, || {
            fsleep(Delta::from_millis(20));
            Ok(())
        });
    })?;
    claim!(outcome == Some(Outcome::Failed(ETIMEDOUT)));
    Ok(Passed::Now)
}
