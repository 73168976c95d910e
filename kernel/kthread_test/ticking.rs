// SPDX-License-Identifier: GPL-2.0

//! Periods, and what periodic threads publish.

use crate::bench::{
    claim,
    Bench,
    Passed,
    Verdict, //
};
use kernel::{
    prelude::*,
    time::Delta, //
};
use kthread::{
    Builder,
    Outcome,
    Published,
    Schedule,
    Stop,
    Tick,
    Ticker, //
};

/// Whoever is late by any part of a period finds the next tick where it would be anyway.
pub(crate) fn ticker_does_not_drift(_: &Bench<'_>) -> Verdict {
    let period = 1000;
    let mut schedule = Schedule::new(500, Delta::from_nanos(period))?;
    for number in 1..=10_000_u64 {
        let due = schedule.due();
        claim!(due == 500 + period * number as i64);
        // An early wake-up is no tick, and changes nothing.
        claim!(schedule.meet(due - 1).is_none());
        claim!(schedule.due() == due);
        let late = (number as i64 * 7) % period;
        let tick = Tick {
            number,
            missed: 0,
            lateness: Delta::from_nanos(late),
        };
        claim!(schedule.meet(due + late) == Some(tick));
    }
    claim!(Schedule::new(0, Delta::ZERO).is_err());
    claim!(Schedule::new(0, Delta::from_nanos(-1)).is_err());
    Ok(Passed::Now)
}

pub(crate) fn missed_ticks_are_counted(_: &Bench<'_>) -> Verdict {
    let mut schedule = Schedule::new(0, Delta::from_nanos(100))?;
    let tick = |number, missed, late| {
        Some(Tick {
            number,
            missed,
            lateness: Delta::from_nanos(late),
        })
    };
    claim!(schedule.meet(100) == tick(1, 0, 0));
    claim!(schedule.meet(299) == tick(2, 0, 99));
    claim!(schedule.meet(300) == tick(3, 0, 0));
    claim!(schedule.meet(750) == tick(7, 3, 50));
    claim!(schedule.meet(799).is_none());
    claim!(schedule.meet(1900) == tick(19, 11, 0));
    claim!(schedule.due() == 2000);
    // Nothing overflows at the end of time.
    claim!(schedule.meet(i64::MAX).is_some());
    claim!(schedule.due() == i64::MAX);
    Ok(Passed::Now)
}

pub(crate) fn ticker_ticks(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let thread = Builder::new(fmt!("ticker"))
        .fifo()
        .spawn(&scope, |stop: &Stop| {
            let mut ticker = Ticker::new(Delta::from_millis(1))?;
            let mut sound = true;
            let mut last = 0;
            for _ in 0..50 {
                let tick = ticker.wait(stop)?;
                sound &= tick.number == last + tick.missed + 1;
                sound &= !tick.lateness.is_negative() && tick.lateness < Delta::from_millis(1);
                last = tick.number;
            }
            Ok(sound)
        })?;
    claim!(thread.join() == Outcome::Ended(true));
    Ok(Passed::Now)
}

pub(crate) fn stop_while_ticking(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    // One that sleeps, and one that is always overdue and so never does.
    for period in [Delta::from_secs(3600), Delta::from_nanos(1)] {
        let thread = Builder::new(fmt!("ticker")).spawn_ready(&scope, move |stop: &Stop| {
            let mut ticker = Ticker::new(period)?;
            stop.ready();
            loop {
                ticker.wait(stop)?;
            }
        })?;
        let outcome: Outcome<()> = thread.stop();
        claim!(outcome == Outcome::Stopped);
    }
    Ok(Passed::Now)
}

static NEWEST: Published<4> = Published::new([0; 4]);

pub(crate) fn published_values_are_whole(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let writer = Builder::new(fmt!("writer")).spawn_ready(&scope, |stop: &Stop| {
        stop.ready();
        let mut n = 0;
        while !stop.is_stopped() {
            n += 1;
            NEWEST.publish([n; 4]);
        }
        Ok(n)
    })?;
    let mut last = 0;
    for _ in 0..100_000 {
        let [a, b, c, d] = NEWEST.newest();
        claim!(a == b && b == c && c == d);
        claim!(a >= last);
        last = a;
    }
    match writer.stop() {
        Outcome::Ended(n) => claim!(NEWEST.newest() == [n; 4]),
        _ => claim!(false),
    }
    Ok(Passed::Now)
}
