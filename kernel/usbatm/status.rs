// SPDX-License-Identifier: GPL-2.0

//! What a modem says of itself in sysfs, and in the log when something fails.

use crate::line_status::LineStatus;
use core::fmt;
use kernel::{
    new_spinlock,
    prelude::*,
    str::CString,
    sync::SpinLock, //
};

/// What is being done, in words.
#[derive(Clone, Copy)]
struct Phase {
    doing: &'static str,
    /// With what; there may be nothing to say.
    what: &'static str,
}

impl Phase {
    fn show(self, out: &mut dyn fmt::Write) -> fmt::Result {
        let space = if self.what.is_empty() { "" } else { " " };
        write!(out, "{}{space}{}", self.doing, self.what)
    }
}

impl kernel::fmt::Display for Phase {
    fn fmt(&self, f: &mut kernel::fmt::Formatter<'_>) -> kernel::fmt::Result {
        self.show(f)
    }
}

/// What is being done for a modem that no thread brings up yet: there is none to be had, or the
/// machine sleeps.
pub(crate) const THREADLESS: &str = "waiting for its thread";

/// What is known of one modem.
#[pin_data]
pub(crate) struct Status {
    #[pin]
    state: SpinLock<State>,
}

struct State {
    phase: Phase,
    /// Bytes of firmware that the modem has, and wants.
    sent: usize,
    total: usize,
    /// Why the step at hand fails, if somebody knew better than the error does.
    reason: Option<CString>,
    /// Why the last step that failed did.
    last_error: Option<CString>,
    /// Whether user space knows of that.
    is_failure_told: bool,
    /// Whether user space knows that the modem is up, if it is.
    is_usable_told: bool,
    line: LineStatus,
    /// Whether the line is up as far as user space knows.
    is_told_up: bool,
}

impl Status {
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            state <- new_spinlock!(State {
                phase: Phase {
                    doing: THREADLESS,
                    what: "",
                },
                sent: 0,
                total: 0,
                reason: None,
                last_error: None,
                is_failure_told: false,
                is_usable_told: false,
                line: LineStatus::Unknown,
                is_told_up: false,
            }),
        })
    }

    /// Says what is being done, and with what, if it is not the same each time.
    pub(crate) fn set_phase(&self, doing: &'static str, what: &'static str) {
        self.state.lock().phase = Phase { doing, what };
    }

    /// An upload of so many bytes begins.
    pub(crate) fn set_total(&self, total: usize) {
        let mut state = self.state.lock();
        (state.sent, state.total) = (0, total);
    }

    /// The modem has taken so many bytes more.
    pub(crate) fn add_sent(&self, more: usize) {
        self.state.lock().sent += more;
    }

    /// Says why the step at hand fails.
    pub(crate) fn set_reason(&self, reason: CString) {
        let before = self.state.lock().reason.replace(reason);
        // Not with the lock held.
        drop(before);
    }

    /// Forgets why a step before would have failed.
    pub(crate) fn forget_reason(&self) {
        let before = self.state.lock().reason.take();
        drop(before);
    }

    /// Sets how the line is. Returns whether it is up as far as user space knows.
    pub(crate) fn set_line(&self, line: LineStatus) -> bool {
        let mut state = self.state.lock();
        state.line = line;
        state.is_told_up
    }

    /// User space knows whether the line is up.
    pub(crate) fn line_is_told(&self, is_up: bool) {
        self.state.lock().is_told_up = is_up;
    }

    /// Whether user space knows that the modem is up.
    pub(crate) fn is_usable_told(&self) -> bool {
        self.state.lock().is_usable_told
    }

    /// User space knows that the modem is up.
    pub(crate) fn usable_is_told(&self) {
        self.state.lock().is_usable_told = true;
    }

    /// User space knows why the last step failed that did.
    pub(crate) fn failure_is_told(&self) {
        self.state.lock().is_failure_told = true;
    }

    /// The step at hand failed with `error`: keeps the reason, and returns it, unless the step before
    /// that failed did so for the same one, and user space knows. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn fail(&self, error: Error) -> Result<Option<CString>> {
        let (phase, reason) = {
            let mut state = self.state.lock();
            (state.phase, state.reason.take())
        };
        let reason = match reason {
            Some(reason) => reason,
            None => CString::try_from_fmt(fmt!("{} failed: {}", phase, words(error)))?,
        };
        let copy = (*reason).try_into()?;
        let mut state = self.state.lock();
        let before = state.last_error.replace(copy);
        let is_new = before.as_deref().is_none_or(|before| *before != *reason);
        let is_news = is_new || !state.is_failure_told;
        state.is_failure_told = !is_news;
        drop(state);
        drop(before);
        Ok(is_news.then_some(reason))
    }

    /// All is well, which user space does not know yet.
    pub(crate) fn succeed(&self) {
        let mut state = self.state.lock();
        state.is_usable_told = false;
        let before = (state.reason.take(), state.last_error.take());
        drop(state);
        drop(before);
    }

    /// The file `phase`: what is being done now.
    pub(crate) fn show_phase(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        let phase = self.state.lock().phase;
        phase.show(out)
    }

    /// The file `firmware_sent`: how many bytes of firmware the modem has taken.
    pub(crate) fn show_sent(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        let sent = self.state.lock().sent;
        write!(out, "{sent}")
    }

    /// The file `firmware_size`: how many it wants; 0 before that is known, and where it wants
    /// none.
    pub(crate) fn show_total(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        let total = self.state.lock().total;
        write!(out, "{total}")
    }

    /// The file `last_error`: why the last step that failed did; empty once the modem is up.
    pub(crate) fn show_last_error(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        let state = self.state.lock();
        let error = state.last_error.as_deref();
        out.write_str(error.and_then(|text| text.to_str().ok()).unwrap_or(""))
    }

    /// The file `line`.
    pub(crate) fn show_line(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        let line = self.state.lock().line;
        out.write_str(line.word())
    }

    /// The file `rate_down`: kilobits a second towards us; 0 if the line is not up.
    pub(crate) fn show_rate_down(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        write!(out, "{}", self.rates().0)
    }

    /// The file `rate_up`: the same for the other way.
    pub(crate) fn show_rate_up(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        write!(out, "{}", self.rates().1)
    }

    fn rates(&self) -> (u32, u32) {
        match self.state.lock().line {
            LineStatus::Up { down, up } => (down, up),
            _ => (0, 0),
        }
    }
}

/// What an error means, for those who have to do with modems and not with errors.
fn words(error: Error) -> impl kernel::fmt::Display {
    let meaning = match error {
        EPIPE => "the modem refused",
        ETIMEDOUT => "the modem did not answer in time",
        EPROTO | EILSEQ | ETIME => "the modem does not answer at all, or the cable is bad",
        EOVERFLOW => "the modem said more than it was asked for",
        EIO => "the modem's answer is too short",
        ENODEV | ESHUTDOWN => "the modem is gone",
        EHOSTUNREACH => "the modem sleeps",
        ENOMEM => "no memory",
        ENOSPC => "the bus has no time left for it",
        ENOENT => "there is no such thing",
        _ => "an error",
    };
    Meaning(meaning, error)
}

/// An error and what it means.
struct Meaning(&'static str, Error);

impl kernel::fmt::Display for Meaning {
    fn fmt(&self, f: &mut kernel::fmt::Formatter<'_>) -> kernel::fmt::Result {
        let Self(meaning, error) = self;
        f.write_fmt(fmt!("{} ({:?})", *meaning, *error))
    }
}
