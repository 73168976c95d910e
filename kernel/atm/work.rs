// SPDX-License-Identifier: GPL-2.0

//! Waiting for work items.
//!
//! Packets are handed to the ATM layer, and taken back by it, with interrupts on
//! and best in bottom halves, which is where the protocols above expect them. A
//! driver that comes by them elsewhere, with interrupts off, leaves them to a
//! work item on [`system_bh`](kernel::workqueue::system_bh), the kernel's
//! replacement for tasklets. Before its module goes, all such items must have run
//! to their ends.
//!
//! C header: [`include/linux/workqueue.h`](srctree/include/linux/workqueue.h)

use kernel::{
    bindings,
    workqueue::{
        DelayedWork,
        Work, //
    },
};

/// Waits until a work item that was queued before has run to its end.
///
/// It is up to the caller that nobody queues the item again afterwards.
///
/// Sleeps. The item itself can't call it: it would wait for itself.
pub fn flush<T, const ID: u64>(work: &Work<T, ID>) {
    // SAFETY: The reference is valid, and a `Work` that exists is initialised.
    unsafe { bindings::flush_work(Work::raw_get(work)) };
}

/// As [`flush`], for an item with a delay, which is cut short.
///
/// Sleeps. The item itself can't call it: it would wait for itself.
pub fn flush_delayed<T, const ID: u64>(work: &DelayedWork<T, ID>) {
    // CAST: `DelayedWork` is transparent to a `struct delayed_work`.
    let work = core::ptr::from_ref(work).cast_mut().cast();
    // SAFETY: The reference is valid, and a `DelayedWork` that exists is
    // initialised. Its fields are such that C may change them.
    unsafe { bindings::flush_delayed_work(work) };
}
