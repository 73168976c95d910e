// SPDX-License-Identifier: GPL-2.0-only

//! How long a transfer takes.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What fits into one frame of a full-speed bus, which takes a millisecond: 19
/// bulk packets of 64 bytes (USB 2.0, table 5-9).
pub const BULK_BYTES_PER_FRAME: usize = 1216;

/// A USB bus: what is transferred over it, one after the other.
///
/// Each modem has a bus to itself, unless several are given clones of the same
/// one, which then share its speed.
///
/// Only bulk data takes time. Control, interrupt and isochronous transfers, which have
/// a part of each frame to themselves on a real bus, take none of it.
#[derive(Clone, Debug)]
pub struct Bus(Option<Arc<Mutex<Option<Instant>>>>);

impl Bus {
    /// A full-speed bus: at most [`BULK_BYTES_PER_FRAME`] bytes a millisecond.
    pub fn full_speed() -> Self {
        Self(Some(Arc::default()))
    }

    /// A bus on which transfers take no time.
    pub fn unlimited() -> Self {
        Self(None)
    }

    /// Takes the bus for `bytes`, from `ready` on or as soon as it is free, and
    /// returns when it began and when it ends. These times are absolute, and each
    /// starts from the one before: an emulator that wakes up late does not make
    /// the bus slower.
    pub(crate) fn reserve(&self, ready: Instant, bytes: usize) -> (Instant, Instant) {
        let Some(shared) = &self.0 else {
            return (ready, ready);
        };
        let mut free = shared.lock().unwrap_or_else(PoisonError::into_inner);
        let start = free.map_or(ready, |free| free.max(ready));
        let end = start + duration(bytes);
        *free = Some(end);
        (start, end)
    }

    /// Gives the rest of the latest reservation back, if it was the one that was
    /// to end at `end`.
    pub(crate) fn give_back(&self, now: Instant, end: Instant) {
        if let Some(shared) = &self.0 {
            let mut free = shared.lock().unwrap_or_else(PoisonError::into_inner);
            if *free == Some(end) {
                *free = Some(now.min(end));
            }
        }
    }
}

fn duration(bytes: usize) -> Duration {
    let nanos = bytes as u128 * 1_000_000 / BULK_BYTES_PER_FRAME as u128;
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transfers_follow_each_other_without_drift() {
        let bus = Bus::full_speed();
        let t0 = Instant::now();
        let mut end = t0;
        // Ready at once, although the one before is still under way.
        for _ in 0..1000 {
            let start;
            (start, end) = bus.reserve(t0, BULK_BYTES_PER_FRAME);
            assert_eq!(end - start, Duration::from_millis(1));
        }
        assert_eq!(end - t0, Duration::from_secs(1));
    }

    #[test]
    fn an_idle_bus_saves_nothing_up() {
        let bus = Bus::full_speed();
        let t0 = Instant::now();
        bus.reserve(t0, BULK_BYTES_PER_FRAME);
        let later = t0 + Duration::from_secs(5);
        let (start, end) = bus.reserve(later, 2 * BULK_BYTES_PER_FRAME);
        assert_eq!((start, end), (later, later + Duration::from_millis(2)));
    }

    #[test]
    fn clones_share_a_bus() {
        let one = Bus::full_speed();
        let other = one.clone();
        let t0 = Instant::now();
        one.reserve(t0, BULK_BYTES_PER_FRAME);
        let (start, _) = other.reserve(t0, 1);
        assert_eq!(start - t0, Duration::from_millis(1));
    }

    #[test]
    fn what_was_cancelled_is_given_back() {
        let bus = Bus::full_speed();
        let t0 = Instant::now();
        let (_, end) = bus.reserve(t0, 1000 * BULK_BYTES_PER_FRAME);
        let now = t0 + Duration::from_millis(3);
        bus.give_back(now, end);
        assert_eq!(bus.reserve(t0, 0).0, now);
        // But not if something has been queued behind it.
        let (_, first) = bus.reserve(t0, BULK_BYTES_PER_FRAME);
        let (_, second) = bus.reserve(t0, BULK_BYTES_PER_FRAME);
        bus.give_back(now, first);
        assert_eq!(bus.reserve(t0, 0).0, second);
    }

    #[test]
    fn an_unlimited_bus_takes_no_time() {
        let t0 = Instant::now();
        assert_eq!(Bus::unlimited().reserve(t0, 1 << 20), (t0, t0));
    }
}
