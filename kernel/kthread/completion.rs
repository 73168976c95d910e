// SPDX-License-Identifier: GPL-2.0

//! A completion that a stop-aware wait can wait for.

use crate::sys;
use kernel::{
    bindings,
    prelude::*,
    types::Opaque, //
};

/// An event that one side signals and the other waits for.
///
/// Unlike the kernel crate's type of the same name it counts single [`complete`](Self::complete)
/// calls, can be used again, and is waited for through [`AnyStop`](crate::AnyStop), so that a stop
/// breaks the wait.
///
/// C header: [`include/linux/completion.h`](srctree/include/linux/completion.h)
///
/// # Examples
///
/// ```
/// # use kthread::{Completion, Stop};
/// fn body(stop: &Stop, done: &Completion) -> kthread::Result {
///     stop.wait(done)?; // `Stopped` at once when the owner asks for it.
///     Ok(())
/// }
/// ```
#[pin_data]
pub struct Completion {
    #[pin]
    inner: Opaque<bindings::completion>,
}

// SAFETY: A `struct completion` belongs to no task: it may be used and freed by any.
unsafe impl Send for Completion {}

// SAFETY: The C functions that are called through `&Completion` lock `completion::wait.lock`.
unsafe impl Sync for Completion {}

impl Completion {
    /// Makes a completion that is not complete.
    pub fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            inner <- Opaque::ffi_init(|slot: *mut bindings::completion| {
                // SAFETY: `slot` is valid for writes and stays where it is, as it is pinned.
                unsafe { bindings::init_completion(slot) };
            }),
        })
    }

    pub(crate) fn as_raw(&self) -> *mut bindings::completion {
        self.inner.get()
    }

    /// Lets one waiter go on: one that waits now, else the next to come. Never sleeps, and may
    /// be called from any context, interrupts included.
    #[inline(never)]
    pub fn complete(&self) {
        // SAFETY: `inner` is initialised; `complete()` may be called in any context.
        unsafe { bindings::complete(self.as_raw()) };
    }

    /// Lets all waiters go on, those that come later too, until [`Self::reinit`]. Never sleeps,
    /// and may be called from any context, interrupts included.
    #[inline(never)]
    pub fn complete_all(&self) {
        // SAFETY: `inner` is initialised; `complete_all()` may be called in any context.
        unsafe { bindings::complete_all(self.as_raw()) };
    }

    /// Makes it incomplete again, whatever was signalled before. Never sleeps.
    ///
    /// May run beside all other methods: the count is changed under the completion's own lock.
    #[inline(never)]
    pub fn reinit(&self) {
        // SAFETY: `inner` is initialised; the helper takes the lock that guards the count.
        unsafe { sys::threadline_reinit_completion(self.as_raw()) };
    }

    /// Sleeps interruptibly until it is completed, `true`, or else until the clock shows `until`
    /// (or a little later: it is counted in the kernel's timer ticks), or a signal comes.
    #[inline(never)]
    pub(crate) fn wait_until(&self, until: i64) -> bool {
        // SAFETY: `inner` is initialised; callers may sleep.
        unsafe { sys::threadline_wait_until(self.as_raw(), until) }
    }
}
