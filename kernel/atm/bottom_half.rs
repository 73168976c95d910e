// SPDX-License-Identifier: GPL-2.0

//! Where network protocols like to be called.

use crate::bindings;
use core::mem::ManuallyDrop;
use kernel::types::NotThreadSafe;

/// A stretch of code during which no bottom half runs on this CPU but the one that it may be a part
/// of, and that network protocols take for one.
///
/// It must not sleep. When it ends, by a drop, bottom halves that have come meanwhile run.
///
/// C header: [`include/linux/bottom_half.h`](srctree/include/linux/bottom_half.h)
///
/// # Invariants
///
/// Bottom halves are disabled on this CPU as long as the value is there. If it is to be dropped, they
/// have been disabled for it.
pub struct BottomHalf(NotThreadSafe);

impl BottomHalf {
    /// Begins one. To be called with interrupts on, and not in a hard interrupt.
    pub fn begin() -> Self {
        // SAFETY: Any context is fine; the wrong one is told of.
        unsafe { bindings::begin_bh() };
        // INVARIANT: They were disabled just now.
        Self(NotThreadSafe)
    }

    /// Begins one, but not with interrupts off, which is no place for network protocols. Callable
    /// from any context.
    #[inline]
    pub fn try_begin() -> Option<Self> {
        // SAFETY: Any context is fine.
        let has_begun = unsafe { bindings::try_begin_bh() };
        // INVARIANT: They were disabled just now. Where they were not, none is made, not even to be
        // dropped.
        has_begun.then(|| Self(NotThreadSafe))
    }

    /// The one that the caller is called in. It goes on when the value is gone.
    ///
    /// # Safety
    ///
    /// The caller is called in a bottom half, and lets the value neither outlive that call nor be
    /// dropped.
    #[inline]
    pub(crate) unsafe fn current() -> ManuallyDrop<Self> {
        // INVARIANT: By the caller's word.
        ManuallyDrop::new(Self(NotThreadSafe))
    }
}

impl Drop for BottomHalf {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: By the type invariants, and interrupts are on: whoever has disabled them since,
        // has enabled them again, as locks and guards nest.
        unsafe { bindings::end_bh() };
    }
}
