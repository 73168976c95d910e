// SPDX-License-Identifier: GPL-2.0

//! A look at the threads of a module, some time later.
//!
//! C headers: [`include/linux/timer.h`](srctree/include/linux/timer.h),
//! [`include/linux/workqueue.h`](srctree/include/linux/workqueue.h)

use crate::sys;
use kernel::{
    bindings,
    container_of,
    prelude::*,
    time::Jiffies,
    types::Opaque, //
};

/// The function that looks.
pub(crate) type Look = unsafe extern "C" fn(*mut bindings::work_struct);

/// The function of a timer.
pub(crate) type Expired = unsafe extern "C" fn(*mut bindings::timer_list);

/// A timer that queues a work item: it is cheap to set where it is set already, from any context,
/// and the work may sleep.
///
/// # Invariants
///
/// Both are initialised. The function of the timer is [`Self::expired`].
#[pin_data(PinnedDrop)]
pub(crate) struct Lookout {
    #[pin]
    timer: Opaque<bindings::timer_list>,
    #[pin]
    work: Opaque<bindings::work_struct>,
}

// SAFETY: Neither a `struct timer_list` nor a `struct work_struct` belongs to a task.
unsafe impl Send for Lookout {}

// SAFETY: The C functions that are called through `&Lookout` may be called by anybody at any time.
unsafe impl Sync for Lookout {}

impl Lookout {
    /// Looks when it is told to, until it is dropped.
    ///
    /// # Safety
    ///
    /// `look` must accept a `work` of which [`Self::of_work`] leads to the new value, and which
    /// lives.
    pub(crate) unsafe fn new(look: Look) -> impl PinInit<Self> {
        // INVARIANT: Both are initialised, with that function.
        pin_init!(Self {
            timer <- Opaque::ffi_init(|slot: *mut bindings::timer_list| {
                // SAFETY: `slot` is valid for writes and stays where it is, as it is pinned. The
                // function takes a timer of this type, and is not called any more after the drop.
                unsafe { sys::threadline_init_timer(slot, Self::expired) };
            }),
            work <- Opaque::ffi_init(|slot: *mut bindings::work_struct| {
                // SAFETY: As above; the caller answers for `look`.
                unsafe { sys::threadline_init_work(slot, look) };
            }),
        })
    }

    /// The one that calls its function with `work`.
    ///
    /// # Safety
    ///
    /// `work` must be what the function was called with.
    pub(crate) unsafe fn of_work(work: *mut bindings::work_struct) -> *const Self {
        // SAFETY: By the safety requirements it is that field.
        unsafe { container_of!(Opaque::cast_from(work), Self, work) }
    }

    /// The time has come.
    ///
    /// # Safety
    ///
    /// `timer` must be that of a value of this type, which lives.
    unsafe extern "C" fn expired(timer: *mut bindings::timer_list) {
        // SAFETY: By the safety requirements.
        let lookout = unsafe { &*container_of!(Opaque::cast_from(timer), Self, timer) };
        // SAFETY: `work` is initialised by the type invariants.
        unsafe { sys::threadline_queue_work(lookout.work.get()) };
    }

    /// Sees to it that the function is called after so many ticks, or earlier. Never sleeps.
    #[inline(never)]
    pub(crate) fn look_within(&self, ticks: Jiffies) {
        // SAFETY: `timer` is initialised by the type invariants.
        unsafe { sys::threadline_timer_within(self.timer.get(), ticks) };
    }

    /// Calls the function no more, and waits for it if it runs. Sleeps; may be repeated.
    #[inline(never)]
    pub(crate) fn end(&self) {
        // The timer first: the work can't set it any more, nor can it queue the work.
        //
        // SAFETY: Both are initialised by the type invariants, and neither function calls this.
        unsafe {
            bindings::timer_shutdown_sync(self.timer.get());
            bindings::disable_work_sync(self.work.get());
        }
    }
}

#[pinned_drop]
impl PinnedDrop for Lookout {
    fn drop(self: Pin<&mut Self>) {
        self.end();
    }
}
