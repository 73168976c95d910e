// SPDX-License-Identifier: GPL-2.0

//! The report of a stop that takes too long.
//!
//! A body that does not come back holds up its owner, who holds up whatever called it: a hub, a
//! `modprobe -r`. Then the log names the thread and the line in which it waits, once in a while.
//!
//! Nothing of this is on a thread's way: the stop notes the time, and sees to it that somebody
//! looks at the threads of the module some seconds later. That is one look for all of them, and it
//! is the last one if all that were asked have ended by then.
//!
//! See `lookout.rs` for who looks.

use crate::{
    clock,
    lookout::Lookout,
    site::Site, //
};
use kernel::{
    fmt,
    prelude::*,
    sync::atomic::{
        Atomic,
        Full,
        Relaxed, //
    },
    time::Delta, //
};

/// After what time a stop is reported, unless [`Builder::report_after`](crate::Builder) says
/// something else.
const USUAL: Delta = Delta::from_secs(10);

/// What is known about the stop of one thread. Times are those of [`clock`].
pub(crate) struct Watch {
    period: i64,
    /// When it was asked to stop; 0 if it was not.
    since: Atomic<i64>,
    reports: Atomic<u32>,
}

impl Watch {
    /// For a thread that is reported in each period after it was asked to stop.
    pub(crate) fn new(period: Option<Delta>) -> Self {
        let shortest = Delta::from_millis(1);
        Self {
            period: period.unwrap_or(USUAL).as_nanos().max(shortest.as_nanos()),
            since: Atomic::new(0),
            reports: Atomic::new(0),
        }
    }

    /// The thread is asked to stop: the first time, the lookout is told. Never sleeps.
    pub(crate) fn begin(&self, lookout: &Lookout) {
        if self.since.load(Relaxed) != 0 {
            return;
        }
        // Full: a look that is on its way already sees it, else it is not too late for the timer.
        if self.since.cmpxchg(0, clock::now(), Full).is_ok() {
            lookout.look_within(Delta::from_nanos(self.period));
        }
    }

    /// How often the thread was reported.
    pub(crate) fn reports(&self) -> u32 {
        self.reports.load(Relaxed)
    }

    /// Reports the thread, which has not ended, if that is due; when it is due next.
    ///
    /// Only the lookout calls this, so never twice at once.
    pub(crate) fn look(&self, name: impl fmt::Display, site: &Site) -> Option<i64> {
        let since = self.since.load(Relaxed);
        if since == 0 {
            return None;
        }
        let late = clock::now().saturating_sub(since);
        let periods = late / self.period;
        if periods > self.reports.load(Relaxed).into() {
            Self::report(name, Delta::from_nanos(late), site);
            self.reports
                .store(periods.try_into().unwrap_or(u32::MAX), Relaxed);
        }
        Some(since.saturating_add((periods + 1).saturating_mul(self.period)))
    }

    fn report(name: impl fmt::Display, late: Delta, site: &Site) {
        let late = late.as_millis();
        match site.line() {
            Some(line) => pr_warn!(
                "{name} was asked to stop {late} ms ago and has not ended: it waits in {}:{}\n",
                line.file(),
                line.line()
            ),
            None => pr_warn!(
                "{name} was asked to stop {late} ms ago and has not ended: it is in no wait of this library\n"
            ),
        }
    }
}
