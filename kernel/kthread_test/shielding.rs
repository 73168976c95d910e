// SPDX-License-Identifier: GPL-2.0

//! Bodies that finish something before they obey a stop.

use crate::bench::{
    claim,
    event,
    Bench,
    Passed,
    Verdict, //
};
use kernel::{
    prelude::*,
    time::{
        Delta,
        Instant,
        Monotonic, //
    }, //
};
use kthread::{
    AnyStop,
    Builder,
    Outcome,
    Stop,
    Stopped,
    Ticker, //
};

const FOR_EVER: Delta = Delta::from_secs(1_000_000);
const SHORT: Delta = Delta::from_millis(20);

/// Waits in a shield until a stop has come, which is seen outside of it.
fn until_stopped(stop: &AnyStop, shielded: &AnyStop) -> Result<(), Stopped> {
    while !stop.is_stopped() {
        shielded.sleep(Delta::from_millis(1))?;
    }
    Ok(())
}

/// A stop comes while a shielded wait goes on; that and all waits after it, of any kind, are
/// finished, and outside there is the stop.
pub(crate) fn stop_lets_a_shielded_wait_finish(bench: &Bench<'_>) -> Verdict {
    let (scope, elsewhere) = (bench.scope()?, bench.scope()?);
    let (stopped, done, never) = (event()?, event()?, event()?);
    let thread = Builder::new(fmt!("shielded")).spawn_ready(&scope, {
        let (stopped, done) = (stopped.clone(), done.clone());
        move |stop: &Stop| {
            stop.ready();
            let start = Instant::<Monotonic>::now();
            stop.shield(FOR_EVER, |shielded| {
                until_stopped(stop, shielded)?;
                stopped.complete();
                shielded.wait(&done)?;
                shielded.sleep(SHORT)?;
                Ticker::new(SHORT)?.wait(shielded)?;
                shielded.sleep_until(Instant::now() + SHORT)?;
                let early = shielded.wait_timeout(&never, SHORT)?
                    || shielded.wait_until(&never, Instant::now() + SHORT)?;
                shielded.check()?;
                Ok((early, start.elapsed() >= SHORT * 5))
            })
            .map(|done| (done, stop.check().is_err()))
        }
    })?;
    let helper = Builder::new(fmt!("helper")).spawn(&elsewhere, move |stop: &Stop| {
        stop.wait(&stopped)?;
        stop.sleep(SHORT)?;
        done.complete();
        Ok(())
    })?;
    claim!(thread.stop() == Outcome::Ended(((false, true), true)));
    claim!(helper.join() == Outcome::Ended(()));
    Ok(Passed::Now)
}

/// A shielded wait that nothing ends is over when the shield is, and not before.
pub(crate) fn shield_is_bounded(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let never = event()?;
    let thread = Builder::new(fmt!("shielded")).spawn_ready(&scope, move |stop: &Stop| {
        stop.ready();
        let start = Instant::<Monotonic>::now();
        let broken = stop.shield(SHORT, |shielded| {
            [
                shielded.wait(&never).is_err(),
                start.elapsed() >= SHORT,
                shielded.wait_timeout(&never, FOR_EVER).is_err(),
                shielded.sleep(FOR_EVER).is_err(),
            ]
        });
        Ok(broken)
    })?;
    claim!(thread.stop() == Outcome::Ended([true; 4]));
    Ok(Passed::Now)
}

/// Where no stop comes, the end of a shield ends no wait, and the stop that comes later does.
pub(crate) fn shield_that_is_over_changes_nothing(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let never = event()?;
    let thread = Builder::new(fmt!("shielded")).spawn_ready(&scope, move |stop: &Stop| {
        let start = Instant::<Monotonic>::now();
        stop.shield(SHORT, |shielded| {
            shielded.sleep(SHORT * 3)?;
            let late = start.elapsed() >= SHORT * 3;
            stop.ready();
            Ok((late, shielded.wait(&never).is_err()))
        })
    })?;
    claim!(thread.stop() == Outcome::Ended((true, true)));
    Ok(Passed::Now)
}

/// Clean-up that has to wait does so in a shield; around it there is the stop all the same.
pub(crate) fn shield_after_a_stop(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let never = event()?;
    let thread = Builder::new(fmt!("cleaner")).spawn_ready(&scope, move |stop: &Stop| {
        stop.ready();
        let before = stop.wait(&never).is_err();
        let cleaned = stop.shield(FOR_EVER, |shielded| {
            shielded.sleep(SHORT).is_ok() && stop.sleep(FOR_EVER).is_err() && !shielded.is_stopped()
        });
        Ok([before, cleaned, stop.wait(&never).is_err()])
    })?;
    claim!(thread.stop() == Outcome::Ended([true; 3]));
    Ok(Passed::Now)
}

/// A stop that came in a shield breaks what comes after it, also interruptible waits of the kernel's
/// own, which know nothing of stops, and a killable one: that for the start-up of a thread, which
/// never comes.
pub(crate) fn shield_hands_the_signal_on(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let mute = Builder::new(fmt!("mute")).spawn(&scope, |stop: &Stop| Ok(stop.sleep(FOR_EVER)?))?;
    let thread = Builder::new(fmt!("shielded")).spawn_ready(&scope, move |stop: &Stop| {
        stop.ready();
        stop.shield(FOR_EVER, |shielded| {
            until_stopped(stop, shielded)?;
            // All that a stop sends is there by now, or comes in one of these waits.
            shielded.sleep(SHORT)?;
            shielded.sleep(SHORT)
        })?;
        Ok((current!().signal_pending(), mute.wait_ready().err()))
    })?;
    claim!(thread.stop() == Outcome::Ended((true, Some(EINTR.into()))));
    Ok(Passed::Now)
}

/// Of a shield within a shield the earlier end counts, and the end of the inner one leaves the
/// outer as it was.
pub(crate) fn shields_nest(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let never = event()?;
    let thread = Builder::new(fmt!("nested")).spawn_ready(&scope, move |stop: &Stop| {
        stop.ready();
        let long_in_short = stop.shield(SHORT, |outer| {
            outer.shield(FOR_EVER, |inner| inner.wait(&never).is_err())
        });
        let short_in_long = stop.shield(FOR_EVER, |outer| {
            let broken = outer.shield(SHORT, |inner| inner.wait(&never).is_err());
            broken && outer.sleep(SHORT).is_ok() && outer.check().is_ok()
        });
        Ok([long_in_short, short_in_long, stop.check().is_err()])
    })?;
    claim!(thread.stop() == Outcome::Ended([true; 3]));
    Ok(Passed::Now)
}
