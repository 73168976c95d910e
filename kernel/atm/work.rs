// SPDX-License-Identifier: GPL-2.0

//! Where work items run, and waiting for them.
//!
//! Before a module goes, all work items of its own must have run to their ends.
//!
//! C header: [`include/linux/workqueue.h`](srctree/include/linux/workqueue.h)

use kernel::{
    bindings,
    workqueue::{
        DelayedWork,
        Queue, //
    }, //
};

/// The system's work queue for items that are not bound to a CPU.
///
/// That of [`system_unbound`](kernel::workqueue::system_unbound) is the same, but in Linux 7.3 the
/// kernel complains of those who use it by its old name.
pub fn unbound() -> &'static Queue {
    // SAFETY: The kernel makes this queue before it loads any module, and neither frees nor
    // replaces it.
    unsafe { Queue::from_raw(bindings::system_dfl_wq) }
}

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
