// SPDX-License-Identifier: GPL-2.0

//! Waiting for work items.
//!
//! Before a module goes, all work items of its own must have run to their ends.
//!
//! C header: [`include/linux/workqueue.h`](srctree/include/linux/workqueue.h)

use kernel::{
    bindings,
    workqueue::DelayedWork, //
};

/// Waits until a work item that was queued before has run to its end; its delay is cut short.
///
/// It is up to the caller that nobody queues the item again afterwards.
///
/// Sleeps. The item itself can't call it: it would wait for itself.
pub fn flush_delayed<T, const ID: u64>(work: &DelayedWork<T, ID>) {
    // CAST: `DelayedWork` is transparent to a `struct delayed_work`.
    let work = core::ptr::from_ref(work).cast_mut().cast();
    // SAFETY: The reference is valid, and a `DelayedWork` that exists is
    // initialised. Its fields are such that C may change them.
    unsafe { bindings::flush_delayed_work(work) };
}
