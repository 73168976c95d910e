// SPDX-License-Identifier: GPL-2.0

//! A period that does not drift.
//!
//! A thread that sleeps for a period and then works is late by its own work, every time, and the
//! lateness adds up. A [`Ticker`] sleeps until a point in time instead: tick *n* is due exactly
//! *n* periods after the start, whatever happened to the ticks before it. A wake-up that comes
//! early, by a signal or else, neither moves nor adds a tick. A thread that comes so late that
//! whole periods have gone by gets one tick for all of them, and is told how many it missed.

use crate::{
    anystop::AnyStop,
    clock,
    error::Stopped, //
};
use core::num::NonZero;
use kernel::{
    prelude::*,
    time::Delta, //
};

/// One tick, as its thread got it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tick {
    /// Which one it is: the first is 1. Missed ticks have numbers too.
    pub number: u64,
    /// How many ticks were missed just before this one.
    pub missed: u64,
    /// How long after it was due the thread woke up: less than a period.
    pub lateness: Delta,
}

/// When ticks are due: the arithmetic of a [`Ticker`], for those with a clock of their own.
///
/// Times are nanoseconds on a clock that does not jump.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    period: NonZero<u64>,
    due: i64,
    number: u64,
}

impl Schedule {
    /// The first tick is due one `period` after `start`, the others follow at the same distance.
    ///
    /// [`EINVAL`] if the period is not longer than nothing.
    pub fn new(start: i64, period: Delta) -> Result<Self> {
        let period = u64::try_from(period.as_nanos()).map_err(|_| EINVAL)?;
        let period = NonZero::new(period).ok_or(EINVAL)?;
        Ok(Self {
            period,
            due: start.saturating_add_unsigned(period.get()),
            number: 0,
        })
    }

    /// When the next tick is due.
    pub fn due(&self) -> i64 {
        self.due
    }

    /// The next tick, met at `now`; or nothing, if it is not due yet.
    pub fn meet(&mut self, now: i64) -> Option<Tick> {
        if now < self.due {
            return None;
        }
        // Not negative. Saturates only where the two are centuries apart.
        let late = now.saturating_sub(self.due).unsigned_abs();
        let (missed, lateness) = (late / self.period, late % self.period);

        self.number += missed + 1;
        self.due = now
            .saturating_sub_unsigned(lateness)
            .saturating_add_unsigned(self.period.get());
        Some(Tick {
            number: self.number,
            missed,
            // Less than the period, which was a `Delta`.
            lateness: Delta::from_nanos(lateness as i64),
        })
    }
}

/// Wakes its thread once in every period.
///
/// # Examples
///
/// ```
/// # use kernel::{prelude::*, time::Delta};
/// # use kthread::{AnyStop, Tick, Ticker};
/// # fn body(stop: &AnyStop, poll_the_hardware: fn(Tick)) -> kthread::Result {
/// let mut ticker = Ticker::new(Delta::from_millis(10))?;
/// loop {
///     let tick = ticker.wait(stop)?; // `Stopped` at once when the owner asks for it.
///     poll_the_hardware(tick);
/// }
/// # }
/// ```
pub struct Ticker {
    schedule: Schedule,
}

impl Ticker {
    /// The first tick is due one period from now, by `CLOCK_MONOTONIC`.
    ///
    /// [`EINVAL`] if the period is not longer than nothing.
    pub fn new(period: Delta) -> Result<Self> {
        Ok(Self {
            schedule: Schedule::new(clock::now(), period)?,
        })
    }

    /// Sleeps until the next tick is due, or not at all if it is overdue.
    ///
    /// A stop counts for more than a tick, also when both are there: a thread that never gets to
    /// sleep, because its work takes longer than the period, can be stopped all the same.
    #[track_caller]
    pub fn wait(&mut self, stop: &AnyStop) -> core::result::Result<Tick, Stopped> {
        loop {
            stop.sleep_until_ns(self.schedule.due())?;
            if let Some(tick) = self.schedule.meet(clock::now()) {
                return Ok(tick);
            }
        }
    }
}
