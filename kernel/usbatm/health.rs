// SPDX-License-Identifier: GPL-2.0

//! Signs of life of a modem, from its transfers.

use kernel::{
    prelude::*,
    sync::atomic::{
        Acquire,
        Atomic,
        Relaxed,
        Release, //
    }, //
};

/// How the transfers of one direction have fared lately.
///
/// Transfers end in atomic context, and whoever wants to know of them looks now and then: these
/// are counts, and nobody waits for them.
pub(crate) struct Health {
    /// Transfers that ended well, and carried something; with an overflow now and then.
    good: Atomic<usize>,
    /// Failures since the last of them.
    failures: Atomic<u32>,
    /// The error of the last one that failed.
    errno: Atomic<i32>,
}

impl Health {
    /// So many failures in a row are none that passes: an endpoint that failed is left alone for a
    /// moment, so it takes a second to fail so often, and five where each time the first transfer
    /// is refused.
    const MAX_FAILURES: u32 = 50;

    pub(crate) const fn new() -> Self {
        Self {
            good: Atomic::new(0),
            failures: Atomic::new(0),
            errno: Atomic::new(0),
        }
    }

    /// A transfer ended well, and carried something.
    pub(crate) fn good(&self) {
        self.good.fetch_add(1, Relaxed);
        self.failures.store(0, Relaxed);
    }

    /// A transfer failed, or was not taken.
    pub(crate) fn failed(&self, error: Error) {
        self.errno.store(error.to_errno(), Relaxed);
        // An endpoint that is halted refuses all transfers until it is selected anew.
        let failures = if error == EPIPE {
            Self::MAX_FAILURES
        } else {
            1
        };
        // Who sees it sees the error.
        self.failures.fetch_add(failures, Release);
    }

    /// Forgets the failures: it begins anew.
    pub(crate) fn recover(&self) {
        self.failures.store(0, Relaxed);
    }

    /// How many transfers have ended well, and carried something.
    pub(crate) fn count(&self) -> usize {
        self.good.load(Relaxed)
    }

    /// # Errors
    ///
    /// That of the last transfer, if all fail.
    pub(crate) fn check(&self) -> Result {
        if self.failures.load(Acquire) < Self::MAX_FAILURES {
            return Ok(());
        }
        Err(Error::from_errno(self.errno.load(Relaxed)))
    }
}
