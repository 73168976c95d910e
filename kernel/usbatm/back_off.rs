// SPDX-License-Identifier: GPL-2.0

//! How long it is until a modem that has failed is tried again.
//!
//! Nothing here calls the kernel: the lab's tests compile this file as it is.

/// The times from one try to the next, each longer than the one before.
pub(crate) struct BackOff {
    next: Option<i64>,
}

impl BackOff {
    /// The first time, in seconds, and the longest.
    const FIRST: i64 = 5;
    const MAX: i64 = 60;

    /// After so many failures it is the longest.
    const STEPS: u32 = 6;

    pub(crate) fn new() -> Self {
        Self { next: None }
    }

    /// The time from this failure to the next try, in seconds. A reset may help at once, the first
    /// time.
    pub(crate) fn next(&mut self, with_reset: bool) -> i64 {
        let seconds = match self.next {
            None if with_reset => 0,
            None => Self::FIRST,
            Some(seconds) => seconds,
        };
        self.next = Some((seconds * 2).clamp(Self::FIRST, Self::MAX));
        seconds
    }

    /// A modem that fails sooner than this after it was up, in milliseconds, has not been brought
    /// back for good.
    const RELAPSE: i64 = 60_000;

    /// How often in a row a modem has failed soon after it was up: this time, it had been for so
    /// many milliseconds, and `before` that, so many times.
    pub(crate) fn relapses(before: u32, msecs: i64) -> u32 {
        if msecs < Self::RELAPSE {
            before.saturating_add(1)
        } else {
            0
        }
    }

    /// How long a modem is left alone, in seconds, that was brought back so many times in a row,
    /// and failed again at once. The first time it is not.
    pub(crate) fn after_relapses(relapses: u32) -> Option<i64> {
        let mut back_off = Self::new();
        let failures = 1..relapses.min(Self::STEPS);
        failures.map(|_| back_off.next(false)).last()
    }
}
