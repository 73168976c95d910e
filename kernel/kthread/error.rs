// SPDX-License-Identifier: GPL-2.0

//! How a thread's work can end early: it was stopped, or it failed.

use kernel::prelude::*;

/// The owner asked for a stop.
///
/// Every wait of [`Stop`](crate::Stop) returns it from then on, and a body passes it on with `?`.
/// It is no failure: nobody prints it, and it has no number. Only the library makes values of it,
/// so whoever has one was told to stop indeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped(());

impl Stopped {
    pub(crate) fn new() -> Self {
        Self(())
    }
}

/// Why a body ended without a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// It was stopped. Made of a [`Stopped`], by `?`.
    Stopped,
    /// It failed, with a kernel error.
    Failed(kernel::error::Error),
}

/// What a body returns, and what functions that a body calls return.
pub type Result<T = ()> = core::result::Result<T, Error>;

impl Error {
    /// The kernel error to hand to code that knows no stop: [`ECANCELED`] for a stop.
    ///
    /// There is no `From` in this direction, lest a `?` turn a stop into a failure unseen.
    pub fn to_kernel(self) -> kernel::error::Error {
        match self {
            Error::Stopped => ECANCELED,
            Error::Failed(error) => error,
        }
    }
}

impl From<Stopped> for Error {
    fn from(_: Stopped) -> Self {
        Error::Stopped
    }
}

impl From<kernel::error::Error> for Error {
    fn from(error: kernel::error::Error) -> Self {
        Error::Failed(error)
    }
}

impl From<kernel::alloc::AllocError> for Error {
    fn from(error: kernel::alloc::AllocError) -> Self {
        Error::Failed(error.into())
    }
}
