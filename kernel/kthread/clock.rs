// SPDX-License-Identifier: GPL-2.0

//! The clock of all waits: nanoseconds of `CLOCK_MONOTONIC`.
//!
//! C header: [`include/linux/timekeeping.h`](srctree/include/linux/timekeeping.h)

use crate::sys;
use kernel::{
    bindings,
    time::{
        msecs_to_jiffies,
        Delta,
        Instant,
        Jiffies,
        Monotonic, //
    }, //
};

/// The longest time that ticks are counted for.
const LONGEST: Delta = Delta::from_secs(1_000_000);

/// A time that does not come.
pub(crate) const NEVER: i64 = i64::MAX;

/// What the clock shows.
#[inline(never)]
pub(crate) fn now() -> i64 {
    // SAFETY: May be called from anywhere but an NMI.
    unsafe { bindings::ktime_get() }
}

/// What the clock will show after the given time: what it shows now if that is negative. A time
/// before the clock began would be over too, but the kernel's timers take it for one that does not
/// come.
pub(crate) fn after(time: Delta) -> i64 {
    now().saturating_add(time.as_nanos().max(0))
}

/// How long it takes until the clock shows `ns`: no time if it does already.
pub(crate) fn until(ns: i64) -> Delta {
    Delta::from_nanos(ns.saturating_sub(now()).max(0))
}

/// The number of the current tick.
pub(crate) fn jiffies() -> Jiffies {
    // SAFETY: It only reads.
    unsafe { sys::threadline_jiffies() }
}

/// The time in the kernel's timer ticks, rounded up. Nobody waits for longer than twelve days.
pub(crate) fn ticks(time: Delta) -> Jiffies {
    let ms = time.as_millis_ceil().clamp(0, LONGEST.as_millis());
    msecs_to_jiffies(ms as u32)
}

/// Whether the clock shows the instant, or a later one.
pub(crate) fn has_come(instant: Instant<Monotonic>) -> bool {
    (instant - Instant::now()).as_nanos() <= 0
}

/// What the clock shows at an instant, or a moment before: as long as it takes to look twice,
/// because the kernel crate keeps the number to itself. Who must not be early looks again then.
pub(crate) fn just_before(instant: Instant<Monotonic>) -> i64 {
    let before = now();
    before.saturating_add((instant - Instant::now()).as_nanos())
}
