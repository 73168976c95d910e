// SPDX-License-Identifier: GPL-2.0

//! Where a body waits.

use core::panic::Location;
use kernel::sync::atomic::{
    Atomic,
    Relaxed, //
};

/// The line of the body's code that waits in this library, if any.
///
/// It is noted by the body's thread and looked at by others, for their log: it tells what was
/// true a moment ago, and orders nothing.
///
/// # Invariants
///
/// The pointer is null, or that of a `&'static Location`.
pub(crate) struct Site(Atomic<*const Location<'static>>);

impl Site {
    pub(crate) const fn new() -> Self {
        // INVARIANT: It is null.
        Self(Atomic::new(core::ptr::null()))
    }

    /// Notes that the caller waits, on behalf of this line, until what is returned is dropped.
    ///
    /// Where one wait is made of others, the line of the outermost is noted while these last,
    /// if each of them is `#[track_caller]`.
    pub(crate) fn enter(&self, line: &'static Location<'static>) -> Waiting<'_> {
        let before = self.0.load(Relaxed);
        // INVARIANT: It comes from such a reference.
        self.0.store(line, Relaxed);
        Waiting { site: self, before }
    }

    /// The line that waits, if one does.
    pub(crate) fn line(&self) -> Option<&'static Location<'static>> {
        // SAFETY: By the type invariants.
        unsafe { self.0.load(Relaxed).as_ref() }
    }
}

/// A wait that goes on, see [`Site::enter`].
#[must_use = "the wait is over when this is dropped"]
pub(crate) struct Waiting<'a> {
    site: &'a Site,
    before: *const Location<'static>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        // INVARIANT: It was read from there.
        self.site.0.store(self.before, Relaxed);
    }
}
