// SPDX-License-Identifier: GPL-2.0

//! The report of a stop that takes too long.
//!
//! A body that does not come back holds up its owner, who holds up whatever called it: a hub, a
//! `modprobe -r`. Then the log names the thread and the line in which it waits, once in a while; or
//! shows its stack, once, where it waits elsewhere.
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
use core::{
    num::NonZero,
    panic::Location, //
};
use kernel::{
    bindings,
    fmt,
    prelude::*,
    sync::atomic::{
        Atomic,
        AtomicFlag,
        Full,
        Relaxed, //
    },
    time::{
        Delta,
        Jiffies, //
    }, //
};

/// After what time a stop is reported, unless [`Builder::report_after`](crate::Builder) says
/// something else: ten seconds.
const USUAL: NonZero<Jiffies> = NonZero::new(10 * bindings::CONFIG_HZ as Jiffies).unwrap();

/// What is known about the stop of one thread. Times are in the kernel's timer ticks, which are
/// cheap to read.
pub(crate) struct Watch {
    /// By its type not 0: what is divided by it can't panic.
    period: NonZero<Jiffies>,
    /// When it was asked to stop; 0 if it was not.
    since: Atomic<Jiffies>,
    reports: Atomic<u32>,
    /// Its stack has been shown.
    is_shown: AtomicFlag,
}

impl Watch {
    /// For a thread that is reported in each period after it was asked to stop.
    #[inline]
    pub(crate) fn new(period: Option<Delta>) -> Self {
        Self {
            period: period.map_or(USUAL, ticks),
            since: Atomic::new(0),
            reports: Atomic::new(0),
            is_shown: AtomicFlag::new(false),
        }
    }

    /// The thread is asked to stop, for the first time: the lookout is told. Never sleeps.
    #[inline]
    pub(crate) fn begin(&self, lookout: &Lookout) {
        // Full: a look that is on its way already sees it, else it is not too late for the timer.
        self.since.xchg(clock::jiffies().max(1), Full);
        lookout.look_within(self.period.get());
    }

    /// How often the thread was reported.
    pub(crate) fn reports(&self) -> u32 {
        self.reports.load(Relaxed)
    }

    /// Reports the thread, which has not ended, if that is due; after how many ticks it is due
    /// next. The first report of those that find it in no wait of this library goes on with what
    /// `show_stack` logs.
    ///
    /// Only the lookout calls this, so never twice at once.
    pub(crate) fn look(
        &self,
        name: impl fmt::Display,
        site: &Site,
        show_stack: impl FnOnce(),
    ) -> Option<Jiffies> {
        let since = self.since.load(Relaxed);
        if since == 0 {
            return None;
        }
        let late = clock::jiffies().wrapping_sub(since);
        let periods = late / self.period;
        // After so many reports that the number overflows, there are no more.
        let number = u32::try_from(periods).unwrap_or(u32::MAX);
        if number > self.reports.load(Relaxed) {
            let line = site.line();
            Self::report(name, late, line);
            if line.is_none() && !self.is_shown.xchg(true, Relaxed) {
                show_stack();
            }
            self.reports.store(number, Relaxed);
        }
        Some(self.period.get() - late % self.period)
    }

    fn report(name: impl fmt::Display, late: Jiffies, line: Option<&Location<'_>>) {
        // SAFETY: It only computes.
        let late = unsafe { bindings::jiffies64_to_msecs(late as u64) };
        match line {
            Some(line) => pr_warn!(
                "{name} was asked to stop {late} ms ago and has not ended: it waits in {}:{}\n",
                line.file(),
                line.line()
            ),
            None => pr_warn!(
                "{name} was asked to stop {late} ms ago and has not ended: \
                 it is in no wait of this library\n"
            ),
        }
    }
}

/// The time in ticks, in one at least.
fn ticks(time: Delta) -> NonZero<Jiffies> {
    NonZero::new(clock::ticks(time)).unwrap_or(NonZero::<Jiffies>::MIN)
}
