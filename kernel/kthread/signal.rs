// SPDX-License-Identifier: GPL-2.0

//! Signals from user space, as values.
//!
//! A kernel thread ignores all signals. One that asks for some *blocks* them: they wait in the
//! kernel until the body takes them, break none of its waits, and end nothing. Those that it has
//! not asked for stay ignored.

use crate::{
    clock::NEVER,
    error::Stopped,
    stop::Stop,
    sys,
    thread::Thread, //
};
use kernel::{
    bindings,
    ffi::c_int, //
};

/// A signal that a thread can ask for.
///
/// Of each kind there is one at most until the body takes it: that is all that the kernel keeps for
/// a kernel thread, of real-time signals too. So these are all kinds that are in use among people;
/// those that mean something to the kernel itself, such as SIGKILL and SIGSTOP, can't be asked for.
///
/// C header: [`include/linux/sched/signal.h`](srctree/include/linux/sched/signal.h)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signal(c_int);

impl Signal {
    /// SIGHUP: by custom, to read the configuration again.
    pub const HUP: Self = Self(bindings::SIGHUP as c_int);
    /// SIGINT: by custom, what Ctrl-C sends.
    pub const INT: Self = Self(bindings::SIGINT as c_int);
    /// SIGQUIT: by custom, to end and tell why.
    pub const QUIT: Self = Self(bindings::SIGQUIT as c_int);
    /// SIGUSR1: for what a body makes of it.
    pub const USR1: Self = Self(bindings::SIGUSR1 as c_int);
    /// SIGUSR2: for what a body makes of it.
    pub const USR2: Self = Self(bindings::SIGUSR2 as c_int);
    /// SIGALRM: by custom, that time is up.
    pub const ALRM: Self = Self(bindings::SIGALRM as c_int);
    /// SIGTERM: by custom, to end.
    pub const TERM: Self = Self(bindings::SIGTERM as c_int);

    /// Its number, as `kill -l` lists it.
    pub const fn number(self) -> i32 {
        self.0
    }
}

/// Signals that have come, each kind once; it iterates over them, lowest number first.
#[derive(Clone, Debug)]
pub struct Signals(u64);

impl Signals {
    /// Takes those that the current thread has asked for and that have come.
    #[inline(never)]
    fn take() -> Self {
        // SAFETY: Touches the current task's pending signals only, under its lock.
        Self(unsafe { sys::threadline_take_signals() })
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0 == 0
    }
}

impl Iterator for Signals {
    type Item = Signal;

    fn next(&mut self) -> Option<Signal> {
        if self.is_empty() {
            return None;
        }
        let bit = self.0.trailing_zeros();
        self.0 &= self.0 - 1;
        Some(Signal(bit as c_int + 1))
    }
}

impl Stop {
    /// Asks for these signals, from now on, beside those that the thread has asked for before.
    ///
    /// From now on they are kept until the body takes them, by [`Self::signals`] or
    /// [`Self::wait_signals`]. They don't end the thread, and no other wait ends or gets shorter
    /// by them. Those that have not been asked for go on having no effect.
    ///
    /// Never sleeps.
    ///
    /// # Examples
    ///
    /// ```
    /// # use kthread::{Signal, Stop, Tick, Ticker};
    /// # struct Counters;
    /// # impl Counters {
    /// #     fn reset(&mut self) {}
    /// # }
    /// # fn body(
    /// #     stop: &Stop,
    /// #     mut ticker: Ticker,
    /// #     mut counters: Counters,
    /// #     poll_the_hardware: fn(Tick),
    /// # ) -> kthread::Result {
    /// stop.listen(&[Signal::HUP, Signal::TERM]);
    /// loop {
    ///     let tick = ticker.wait(stop)?; // On time, whatever user space sends.
    ///     for signal in stop.signals() {
    ///         match signal {
    ///             Signal::TERM => return Ok(()),
    ///             _ => counters.reset(),
    ///         }
    ///     }
    ///     poll_the_hardware(tick);
    /// }
    /// # }
    /// ```
    #[inline(never)]
    pub fn listen(&self, signals: &[Signal]) {
        for signal in signals {
            // SAFETY: The current thread runs a body of this library, so it is a kernel thread,
            // and may change its own mask and actions.
            unsafe { sys::threadline_listen(signal.0) };
        }
    }

    /// Takes the signals that have come since it was last called. Never sleeps.
    pub fn signals(&self) -> Signals {
        Signals::take()
    }

    /// Sleeps until there is a signal that the thread has asked for, and takes those that there
    /// are: one at least.
    ///
    /// # Examples
    ///
    /// ```
    /// # use kthread::{Signal, Stop};
    /// # fn body(stop: &Stop, dump: fn(), reload: fn()) -> kthread::Result {
    /// stop.listen(&[Signal::HUP, Signal::USR1]);
    /// loop {
    ///     for signal in stop.wait_signals()? {
    ///         match signal {
    ///             Signal::HUP => reload(),
    ///             _ => dump(),
    ///         }
    ///     }
    /// }
    /// # }
    /// ```
    #[track_caller]
    pub fn wait_signals(&self) -> Result<Signals, Stopped> {
        // First of all, lest a flood of signals hide it.
        self.check()?;
        let mut signals = Signals::take();
        if signals.is_empty() {
            self.wait_by(NEVER, |until| {
                // SAFETY: Any time will do that is not negative; the caller may sleep.
                unsafe { sys::threadline_sleep_unblocked_until(until) };
                signals = Signals::take();
                !signals.is_empty()
            })?;
        }
        Ok(signals)
    }
}

impl<T: Send + 'static> Thread<T> {
    /// Sends the signal to the thread, as a process would. It has no effect if the thread has not
    /// asked for it, see [`Stop::listen`], or has ended.
    ///
    /// Never sleeps, so it may be called in atomic context.
    #[inline(never)]
    pub fn send_signal(&self, signal: Signal) {
        self.kthread().send_signal(signal);
    }
}
