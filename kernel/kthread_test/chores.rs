// SPDX-License-Identifier: GPL-2.0

//! Bodies that a workqueue calls again and again.

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
    time::{
        delay::fsleep,
        Delta,
        Instant,
        Monotonic, //
    }, //
};
use kthread::{
    Again,
    AnyStop,
    Builder,
    Chore,
    Outcome,
    Scope,
    Stop,
    Work, //
};

const FOR_EVER: Delta = Delta::from_secs(1_000_000);

/// So long that `fsleep()` counts it in timer ticks: at least four of them.
const IN_TICKS: Delta = Delta::from_millis(45);

/// A chore that counts its calls, and comes up again by the bell only.
fn counter(scope: &Scope, calls: &Count) -> Result<Chore> {
    let calls = calls.clone();
    Chore::start(scope, Delta::ZERO, move |_: &AnyStop| {
        calls.up();
        Ok(Again::After(FOR_EVER))
    })
}

/// Waits until something has been counted so often.
fn await_count(count: &Count, number: i32) {
    while count.get() < number {
        fsleep(Delta::from_millis(1));
    }
}

pub(crate) fn chore_comes_up_again(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let (calls, drops) = (Count::new()?, Count::new()?);
    let held = drops.on_drop();
    let mut left = 5;
    let chore = Chore::start(&scope, Delta::from_millis(1), {
        let calls = calls.clone();
        move |stop: &AnyStop| {
            let _held = &held;
            calls.up();
            left -= 1;
            stop.sleep(Delta::from_millis(1))?;
            Ok(match left {
                0 => Again::Never,
                _ => Again::After(Delta::from_millis(1)),
            })
        }
    })?;
    let bell = chore.bell();
    claim!(chore.join() == Outcome::Ended(Again::Never));
    claim!(chore.is_finished());
    claim!(calls.get() == 5 && drops.get() == 1);
    // There is no call after the last, whoever rings.
    bell.ring();
    claim!(chore.stop() == Outcome::Taken);
    fsleep(Delta::from_millis(20));
    claim!(calls.get() == 5);

    let failing = Chore::start(&scope, Delta::ZERO, |_: &AnyStop| Err(EIO.into()))?;
    claim!(failing.join() == Outcome::Failed(EIO));
    claim!(scope.live() == 0);
    Ok(Passed::Now)
}

/// A body waits for the end of a chore, and a stop breaks that.
pub(crate) fn chore_is_joined_by_bodies(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let go_on = event()?;
    let ending = Chore::start(&scope, Delta::ZERO, {
        let go_on = go_on.clone();
        move |stop: &AnyStop| {
            stop.wait(&go_on)?;
            Ok(Again::Never)
        }
    })?;
    while ending.waits_in().is_none() {
        fsleep(Delta::from_millis(1));
    }
    go_on.complete();
    let endless = counter(&scope, &Count::new()?)?;
    let waiter = Builder::new(fmt!("waiter")).spawn_ready(&scope, move |stop: &Stop| {
        let outcome = stop.join_chore(&ending)?;
        stop.ready();
        let broken = stop.join_chore(&endless).is_err();
        Ok((outcome, broken))
    })?;
    claim!(waiter.stop() == Outcome::Ended((Outcome::Ended(Again::Never), true)));
    claim!(scope.live() == 0);
    Ok(Passed::Now)
}

/// Each ring is followed by a call, also where it comes in the middle of one.
pub(crate) fn bell_loses_no_ring(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let (calls, go_on) = (Count::new()?, event()?);
    let chore = Chore::start(&scope, FOR_EVER, {
        let (calls, go_on) = (calls.clone(), go_on.clone());
        move |stop: &AnyStop| {
            calls.up();
            stop.wait(&go_on)?;
            Ok(Again::After(FOR_EVER))
        }
    })?;
    let bell = chore.bell();
    bell.ring();
    for call in 1..50 {
        await_count(&calls, call);
        // It is in that call.
        bell.ring();
        go_on.complete();
    }
    claim!(chore.stop() == Outcome::Stopped);
    Ok(Passed::Now)
}

/// Wherever it is: not called yet, between two calls, or in a wait.
pub(crate) fn stop_of_a_chore(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let calls = Count::new()?;
    for round in 0..60 {
        let drops = Count::new()?;
        let held = drops.on_drop();
        let before = calls.get();
        let first = if round % 3 == 0 {
            FOR_EVER
        } else {
            Delta::ZERO
        };
        let chore = Chore::start(&scope, first, {
            let calls = calls.clone();
            move |stop: &AnyStop| {
                let _held = &held;
                calls.up();
                if round % 3 == 1 {
                    stop.sleep(FOR_EVER)?;
                }
                Ok(Again::After(FOR_EVER))
            }
        })?;
        if round % 3 != 0 {
            await_count(&calls, before + 1);
        }
        let bell = chore.bell();
        claim!(chore.stop() == Outcome::Stopped);
        claim!(drops.get() == 1);
        let after = calls.get();
        bell.ring();
        let next = Work::queue(&scope, |_: &AnyStop| Ok(current!().signal_pending()))?;
        claim!(next.join() == Outcome::Ended(false));
        claim!(calls.get() == after);
    }
    claim!(scope.live() == 0);
    Ok(Passed::Now)
}

/// One that is asked to stop ends, though it was not to come up for a long time.
pub(crate) fn asked_chore_does_not_wait_for_its_time(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let calls = Count::new()?;
    let chore = counter(&scope, &calls)?;
    await_count(&calls, 1);
    chore.ask_stop();
    while !chore.is_finished() {
        fsleep(Delta::from_millis(1));
    }
    claim!(chore.join() == Outcome::Stopped);
    claim!(calls.get() == 1);
    Ok(Passed::Now)
}

/// Neither the first call nor a later one comes at once, although its time is longer than the
/// kernel's timers count.
pub(crate) fn chore_is_not_called_early(bench: &Bench<'_>) -> Verdict {
    const BEYOND: Delta = Delta::from_nanos(i64::MAX);

    let scope = bench.scope()?;
    let calls = Count::new()?;
    let chore = Chore::start(&scope, BEYOND, {
        let calls = calls.clone();
        move |_: &AnyStop| {
            calls.up();
            Ok(Again::After(BEYOND))
        }
    })?;
    fsleep(Delta::from_millis(50));
    claim!(calls.get() == 0);
    chore.bell().ring();
    await_count(&calls, 1);
    fsleep(Delta::from_millis(50));
    claim!(calls.get() == 1);
    Ok(Passed::Now)
}

/// A time that is less than none is over, for the first call and for those after it.
pub(crate) fn chore_with_negative_times(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    for time in [Delta::from_millis(-5), Delta::from_nanos(i64::MIN)] {
        let mut left = 3;
        let chore = Chore::start(&scope, time, move |_: &AnyStop| {
            left -= 1;
            Ok(match left {
                0 => Again::Never,
                _ => Again::After(time),
            })
        })?;
        claim!(chore.join() == Outcome::Ended(Again::Never));
    }
    Ok(Passed::Now)
}

/// The time, but it is told so early that any delay which begins after this returns has to end at
/// least its own length later, less one timer tick.
///
/// Delays are counted in ticks, which come late on a busy machine and then in a row. So a delay is
/// shorter by what the ticks are late when it begins. They are at most as late as it is since they
/// last caught up; and they have done so after the time was taken, if a sleep that is counted in
/// ticks began after that. A second one makes sure that it was not a catching up that had begun
/// earlier, on another CPU.
fn time_before_ticks() -> Instant<Monotonic> {
    let before = Instant::now();
    fsleep(IN_TICKS);
    fsleep(IN_TICKS);
    before
}

/// Neither the first call nor those after it come before their time.
pub(crate) fn chore_delay_is_no_shorter(bench: &Bench<'_>) -> Verdict {
    const DELAY: Delta = Delta::from_millis(700);
    /// A timer tick is never longer.
    const TICK: Delta = Delta::from_millis(10);

    let scope = bench.scope()?;
    let early = Count::new()?;
    let mut left = 3;
    let mut before = time_before_ticks();
    let chore = Chore::start(&scope, DELAY, {
        let early = early.clone();
        move |_: &AnyStop| {
            if before.elapsed().as_nanos() < DELAY.as_nanos() - TICK.as_nanos() {
                early.up();
            }
            left -= 1;
            if left == 0 {
                return Ok(Again::Never);
            }
            before = time_before_ticks();
            Ok(Again::After(DELAY))
        }
    })?;
    claim!(chore.join() == Outcome::Ended(Again::Never));
    claim!(early.get() == 0);
    Ok(Passed::Now)
}

/// Whoever drops the handle waits for a call that runs, and there is none after that.
pub(crate) fn dropped_chore_is_stopped(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let (calls, ended, drops) = (Count::new()?, Count::new()?, Count::new()?);
    let held = drops.on_drop();
    let chore = Chore::start(&scope, Delta::ZERO, {
        let (calls, ended) = (calls.clone(), ended.clone());
        move |stop: &AnyStop| {
            let _held = &held;
            calls.up();
            let stopped = stop.sleep(FOR_EVER);
            // It takes its time to see that.
            fsleep(Delta::from_millis(20));
            ended.up();
            stopped?;
            Ok(Again::Never)
        }
    })?;
    let bell = chore.bell();
    await_count(&calls, 1);
    drop(chore);
    claim!(ended.get() == 1 && drops.get() == 1);
    claim!(scope.live() == 0);
    bell.ring();
    fsleep(Delta::from_millis(20));
    claim!(calls.get() == 1);
    Ok(Passed::Now)
}

/// Nothing comes of a ring after the end, though the memory is another's right away.
pub(crate) fn ring_after_the_end(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    for round in 0..200 {
        let chore = Chore::start(&scope, FOR_EVER, |_: &AnyStop| Ok(Again::Never))?;
        let bell = chore.bell();
        let outcome = if round % 2 == 0 {
            bell.ring();
            chore.join()
        } else {
            chore.stop()
        };
        drop(chore);
        bell.ring();
        // The last that knows it.
        drop(bell);
        claim!(outcome == [Outcome::Ended(Again::Never), Outcome::Stopped][round % 2]);
    }
    claim!(scope.live() == 0);
    Ok(Passed::Now)
}

/// A body that holds its own handle is told that it can't wait for itself, and stopped; so is one
/// that drops it, whose end is left to the scope.
pub(crate) fn chore_that_stops_itself(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    for drops_it in [false, true] {
        let (itself, dropped) = (Count::new()?, Count::new()?);
        let held = dropped.on_drop();
        let (sender, receiver) = kthread::channel::<Chore>(1)?;
        let chore = Chore::start(&scope, Delta::ZERO, {
            let itself = itself.clone();
            move |stop: &AnyStop| {
                let _held = &held;
                let own = receiver.receive(stop)?;
                if !drops_it && own.join() == Outcome::Itself && own.stop() == Outcome::Itself {
                    itself.up();
                }
                drop(own);
                stop.check()?;
                Ok(Again::After(Delta::ZERO))
            }
        })?;
        claim!(sender.try_send(chore).is_ok());
        await_count(&dropped, 1);
        claim!(itself.get() == i32::from(!drops_it));
    }
    scope.stop();
    claim!(scope.live() == 0);
    Ok(Passed::Now)
}

/// There is none where its scope has gone, and its closure has been dropped.
pub(crate) fn chore_of_a_closed_scope(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let inner = scope.nested()?;
    drop(scope);
    let (calls, drops) = (Count::new()?, Count::new()?);
    let held = drops.on_drop();
    let refused = Chore::start(&inner, Delta::ZERO, {
        let calls = calls.clone();
        move |_: &AnyStop| {
            let _held = &held;
            calls.up();
            Ok(Again::After(Delta::ZERO))
        }
    });
    claim!(matches!(refused, Err(ENODEV)));
    claim!(calls.get() == 0 && drops.get() == 1);
    claim!(inner.live() == 0);
    Ok(Passed::Now)
}

/// A thread that was left and has ended is kept no longer than until a chore comes up.
pub(crate) fn chore_sweeps_up(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let calls = Count::new()?;
    let chore = counter(&scope, &calls)?;
    await_count(&calls, 1);
    let ended = Count::new()?;
    let held = ended.on_drop();
    Builder::new(fmt!("short"))
        .spawn(&scope, move |_| {
            drop(held);
            Ok(())
        })?
        .leave();
    await_count(&ended, 1);
    claim!(scope.live() == 2);
    let bell = chore.bell();
    while scope.live() > 1 {
        bell.ring();
        fsleep(Delta::from_millis(1));
    }
    claim!(chore.stop() == Outcome::Stopped);
    Ok(Passed::Now)
}

/// The end of a scope is the end of a chore without a handle.
pub(crate) fn left_chore_is_joined_by_scope(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let calls = Count::new()?;
    counter(&scope, &calls)?.leave();
    let chore = counter(&scope, &calls)?;
    let bell = chore.bell();
    chore.leave();
    await_count(&calls, 2);
    claim!(scope.live() == 2);
    scope.stop();
    claim!(scope.live() == 0);
    bell.ring();
    drop(scope);
    claim!(calls.get() == 2);
    Ok(Passed::Now)
}
