// SPDX-License-Identifier: GPL-2.0

//! How exact a period is.

use kernel::{
    prelude::*,
    time::{
        Delta,
        Instant,
        Monotonic, //
    }, //
};
use kthread::{
    Builder,
    Outcome,
    Scope,
    Stop,
    Ticker, //
};

/// Has a real-time thread tick `count` times.
///
/// For each tick: how many nanoseconds after the start plus its number of periods it came. That is
/// lateness and drift together, so a period that drifts shows as numbers that grow. Then the
/// number of the last tick, which is more than `count` by those that were missed.
pub(crate) fn measure(scope: &Scope, period: Delta, count: usize) -> Result<KVVec<i64>> {
    let mut errors = KVVec::with_capacity(count + 1, GFP_KERNEL)?;
    let thread = Builder::new(fmt!("bench"))
        .fifo()
        .spawn(scope, move |stop| {
            tick(stop, period, count, &mut errors)?;
            Ok(errors)
        })?;
    match thread.join() {
        Outcome::Ended(errors) => Ok(errors),
        Outcome::Failed(error) => Err(error),
        _ => Err(EINTR),
    }
}

fn tick(stop: &Stop, period: Delta, count: usize, errors: &mut KVVec<i64>) -> kthread::Result {
    let start = Instant::<Monotonic>::now();
    let mut ticker = Ticker::new(period)?;
    let mut last = 0;
    for _ in 0..count {
        last = i64::try_from(ticker.wait(stop)?.number).map_err(|_| EOVERFLOW)?;
        let due = period.as_nanos().saturating_mul(last);
        errors.push(start.elapsed().as_nanos() - due, GFP_KERNEL)?;
    }
    errors.push(last, GFP_KERNEL)?;
    Ok(())
}
