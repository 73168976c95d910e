// SPDX-License-Identifier: GPL-2.0

//! The newest value of something, from the thread that knows it to all who want to read it.

use kernel::sync::{
    atomic::{
        Acquire,
        Atomic,
        AtomicFlag,
        Full,
        Relaxed,
        Release, //
    },
    barrier::{
        smp_mb,
        Read,
        Write, //
    },
};

/// The newest value that a thread has published: `N` words that belong together.
///
/// [`publish`](Self::publish) never waits for a reader, so a thread of high priority can use it
/// without inheriting anybody's slowness. [`newest`](Self::newest) never waits for the writer: it
/// reads again only where the writer went on while it looked. Both may be called in any context.
/// It needs no initialisation at run time, so it can be a `static`.
///
/// It holds two copies, and a count. The writer changes the one that readers don't look at, sends
/// readers there with the count, and then brings the other up to date, as `seqcount_latch_t` in
/// C does.
///
/// # Examples
///
/// ```
/// # use kthread::Published;
/// static PROGRESS: Published<2> = Published::new([0; 2]);
///
/// # let (done, total) = (1, 2);
/// PROGRESS.publish([done, total]); // In the thread.
/// let [done, total] = PROGRESS.newest(); // Anywhere.
/// ```
pub struct Published<const N: usize> {
    /// Readers look at copy 0 when it is even, and at copy 1 when it is odd.
    count: Atomic<u64>,
    writing: AtomicFlag,
    copies: [[Atomic<u64>; N]; 2],
}

impl<const N: usize> Published<N> {
    /// Starts with the given value.
    pub const fn new(value: [u64; N]) -> Self {
        Self {
            count: Atomic::new(0),
            writing: AtomicFlag::new(false),
            copies: [Self::copy_of(&value), Self::copy_of(&value)],
        }
    }

    const fn copy_of(value: &[u64; N]) -> [Atomic<u64>; N] {
        let mut copy = [const { Atomic::new(0) }; N];
        let mut i = 0;
        while i < N {
            copy[i] = Atomic::new(value[i]);
            i += 1;
        }
        copy
    }

    /// Makes `value` the newest. `false`, and nothing done, if another caller is just about that.
    pub fn publish(&self, value: [u64; N]) -> bool {
        if self.writing.xchg(true, Full) {
            return false;
        }
        for copy in &self.copies {
            // Sends readers to the other copy, which is whole, before it touches this one.
            let count = self.count.load(Relaxed);
            self.count.store(count.wrapping_add(1), Release);
            smp_mb(Write);
            for (word, value) in copy.iter().zip(value) {
                word.store(value, Relaxed);
            }
            smp_mb(Write);
        }
        self.writing.store(false, Release);
        true
    }

    /// The newest value that has been published whole.
    pub fn newest(&self) -> [u64; N] {
        loop {
            let count = self.count.load(Acquire);
            let copy = &self.copies[usize::from(count % 2 == 1)];
            let value = core::array::from_fn(|i| copy[i].load(Relaxed));
            smp_mb(Read);
            if self.count.load(Relaxed) == count {
                return value;
            }
        }
    }
}
