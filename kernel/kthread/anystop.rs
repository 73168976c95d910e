// SPDX-License-Identifier: GPL-2.0

//! The inside of a body, wherever it runs: its waits, which a stop breaks.

use crate::{
    clock::{
        self,
        NEVER, //
    },
    completion::Completion,
    error::Stopped,
    life::{
        Protocol,
        World, //
    },
    pause::Pausable,
    site::{
        Site,
        Waiting, //
    },
    sys,
    task::Kthread, //
};
use core::{
    panic::Location,
    ptr::NonNull, //
};
use kernel::{
    time::{
        Delta,
        Instant,
        Monotonic, //
    },
    types::NotThreadSafe, //
};

/// What a wait needs from that which runs the body, be it a thread or a work item.
pub(crate) trait Place {
    /// Where it is noted in which line the body waits.
    fn site(&self) -> &Site;

    /// The thread, where it is one: that can be made to hold still.
    fn pausing(&self) -> Option<&Kthread>;
}

/// What runs the body, without its type.
trait Runner: Place {
    fn is_asked(&self) -> bool;
    fn ready(&self);
    fn interrupt(&self);
    fn broken(&self, is_stopped: &dyn Fn() -> bool);
}

impl<W: World + Place> Runner for W {
    fn is_asked(&self) -> bool {
        self.life().is_asked()
    }

    fn ready(&self) {
        Protocol::ready(self);
    }

    fn interrupt(&self) {
        World::interrupt(self);
    }

    fn broken(&self, is_stopped: &dyn Fn() -> bool) {
        Protocol::broken(self, is_stopped);
    }
}

/// What a body knows of the wish that it should stop, whether it runs in a thread or as a work
/// item.
///
/// A body gets it by reference, and can't send it away. Every wait goes through it, and returns
/// [`Stopped`] as soon as a stop is asked for, at once if it has been asked for before. That never
/// changes back: all later waits, in clean-up code too, return `Stopped` as well, but for those
/// in a [shield](Self::shield).
///
/// Code that runs in threads only can take a [`Stop`](crate::Stop), which can do all this and
/// more; code that takes an `AnyStop` can be used in both.
///
/// All methods but [`Self::check`], [`Self::is_stopped`] and [`Self::ready`] sleep. If a stop takes
/// long, the log names the line that called the one which waits.
///
/// # Invariants
///
/// `runner` runs its body in the current task, and is valid for as long as this value.
pub struct AnyStop {
    runner: NonNull<dyn Runner>,
    /// Until when a stop goes unseen, see `shield.rs`.
    shield: Option<i64>,
    _not_send: NotThreadSafe,
}

impl AnyStop {
    /// # Safety
    ///
    /// `runner` must run its body in the current task, and outlive the returned value.
    pub(crate) unsafe fn new<W: World + Place + 'static>(runner: &W) -> Self {
        let runner: &(dyn Runner + 'static) = runner;
        // INVARIANT: By the safety requirements.
        Self {
            runner: NonNull::from(runner),
            shield: None,
            _not_send: NotThreadSafe,
        }
    }

    /// Calls `body` with one for which a stop goes unseen until the clock shows `end`, but not
    /// beyond the end of a shield that is there already.
    pub(crate) fn shielded<R>(&self, end: i64, body: impl FnOnce(&AnyStop) -> R) -> R {
        // INVARIANT: As for `self`, which lives longer than this one.
        body(&Self {
            runner: self.runner,
            shield: Some(self.shield.map_or(end, |own| end.min(own))),
            _not_send: NotThreadSafe,
        })
    }

    /// Breaks the kernel's own waits to come, as a stop does.
    pub(crate) fn interrupt(&self) {
        self.runner().interrupt();
    }

    /// Whether a stop has been asked for, also where a shield hides it.
    pub(crate) fn is_asked(&self) -> bool {
        self.runner().is_asked()
    }

    fn runner(&self) -> &dyn Runner {
        // SAFETY: Valid by the type invariants.
        unsafe { self.runner.as_ref() }
    }

    /// Whether a stop has been asked for. In a [shield](Self::shield), not before its time is over.
    #[inline(never)]
    pub fn is_stopped(&self) -> bool {
        self.is_asked() && self.shield.is_none_or(|end| clock::now() >= end)
    }

    /// [`Stopped`] if [a stop has been asked for](Self::is_stopped). For long work between waits.
    pub fn check(&self) -> Result<(), Stopped> {
        if self.is_stopped() {
            Err(Stopped::new())
        } else {
            Ok(())
        }
    }

    /// Tells those who wait in [`Thread::wait_ready`](crate::Thread::wait_ready) or
    /// [`Builder::spawn_ready`](crate::Builder::spawn_ready) that the body is up.
    #[inline(never)]
    pub fn ready(&self) {
        self.runner().ready();
    }

    /// Sleeps for the given time, by a high-resolution timer; not at all if it is negative.
    #[track_caller]
    pub fn sleep(&self, time: Delta) -> Result<(), Stopped> {
        self.sleep_until_ns(clock::after(time))
    }

    /// Sleeps until the given time, by a high-resolution timer; not at all if it has passed.
    ///
    /// # Examples
    ///
    /// ```
    /// # use kernel::{prelude::*, time::{Delta, Instant}};
    /// # use kthread::AnyStop;
    /// # fn pulse(stop: &AnyStop, steps: &[fn()]) -> kthread::Result {
    /// // Ten milliseconds from one to the next, however long a step takes.
    /// let mut next = Instant::now();
    /// for step in steps {
    ///     stop.sleep_until(next)?;
    ///     step();
    ///     next = next + Delta::from_millis(10);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn sleep_until(&self, time: Instant<Monotonic>) -> Result<(), Stopped> {
        self.check()?;
        while !clock::has_come(time) {
            self.sleep_until_ns(clock::just_before(time))?;
        }
        Ok(())
    }

    /// Sleeps until the clock shows `ns`.
    #[inline(never)]
    #[track_caller]
    pub(crate) fn sleep_until_ns(&self, ns: i64) -> Result<(), Stopped> {
        // A time before the clock began is over too, but the timers would take it for the future.
        self.wait_by(ns.max(0), |until| {
            // SAFETY: Any time will do that is not negative; the caller may sleep.
            unsafe { sys::threadline_sleep_until(until) };
            false
        })?;
        Ok(())
    }

    /// Waits for a [`Completion::complete`] and takes it, or for a `complete_all`.
    #[track_caller]
    pub fn wait(&self, completion: &Completion) -> Result<(), Stopped> {
        self.wait_by(NEVER, |until| completion.wait_until(until))?;
        Ok(())
    }

    /// Waits as [`Self::wait`] does, but gives up after the given time: `false` then.
    ///
    /// That may take a few of the kernel's timer ticks longer, and is never shorter.
    ///
    /// # Examples
    ///
    /// ```
    /// # use kernel::{prelude::*, time::Delta};
    /// # use kthread::{AnyStop, Completion};
    /// # struct Request {
    /// #     answered: Completion,
    /// # }
    /// # fn ask(stop: &AnyStop, request: &Request) -> kthread::Result {
    /// if !stop.wait_timeout(&request.answered, Delta::from_millis(50))? {
    ///     return Err(ETIMEDOUT.into());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn wait_timeout(&self, completion: &Completion, time: Delta) -> Result<bool, Stopped> {
        self.wait_by(clock::after(time), |until| completion.wait_until(until))
    }

    /// Waits as [`Self::wait`] does, but gives up at the given time: `false` then.
    ///
    /// That may be a few of the kernel's timer ticks later, and is never earlier.
    #[track_caller]
    pub fn wait_until(
        &self,
        completion: &Completion,
        time: Instant<Monotonic>,
    ) -> Result<bool, Stopped> {
        loop {
            let until = clock::just_before(time);
            if self.wait_by(until, |until| completion.wait_until(until))? {
                return Ok(true);
            }
            if clock::has_come(time) {
                return Ok(false);
            }
        }
    }

    /// Calls `call`, a function that sleeps in waits which nothing can break, unless a stop has
    /// been asked for before.
    ///
    /// A stop that comes meanwhile has to wait for it. If that takes long, the log names the line.
    ///
    /// # Examples
    ///
    /// ```
    /// # use kernel::prelude::*;
    /// # use kthread::AnyStop;
    /// # struct Regulator;
    /// # impl Regulator {
    /// #     fn enable(&self) -> Result {
    /// #         Ok(())
    /// #     }
    /// # }
    /// # fn body(stop: &AnyStop, regulator: &Regulator) -> kthread::Result {
    /// stop.uninterruptible(|| regulator.enable())??;
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn uninterruptible<R>(&self, call: impl FnOnce() -> R) -> Result<R, Stopped> {
        self.check()?;
        let _waiting = self.enter();
        Ok(call())
    }

    /// The wait that all others are made of: until what is awaited has happened, `true`, or the
    /// clock shows `until`, `false`.
    ///
    /// `sleep` sleeps interruptibly, until what is awaited has happened, in which case it returns
    /// `true`, or until the clock shows the time that it is given, or a signal comes. It may also
    /// return early for no reason. It is called again if it was too early, and it is called at
    /// least once, unless a stop has been asked for.
    #[track_caller]
    pub(crate) fn wait_by(
        &self,
        until: i64,
        sleep: impl FnMut(i64) -> bool,
    ) -> Result<bool, Stopped> {
        self.wait_or_leave_by(until, sleep, || false)
    }

    /// Waits as [`Self::wait_by`] does. Before the thread holds still, `leave` is called. Where it
    /// returns `true`, because it has given up the caller's place among those who wait, this
    /// returns as if what is awaited had happened, when the thread may go on.
    #[inline(never)]
    #[track_caller]
    pub(crate) fn wait_or_leave_by(
        &self,
        until: i64,
        mut sleep: impl FnMut(i64) -> bool,
        mut leave: impl FnMut() -> bool,
    ) -> Result<bool, Stopped> {
        let _waiting = self.enter();
        let _limits = self.runner().pausing().map(Kthread::keep_limits);
        loop {
            // In this order: were the shield to end in between, the stop would be seen, whose
            // interrupt may have been forgotten in the shield.
            let limit = self.limit(until);
            self.check()?;
            let came = match self.runner().pausing() {
                Some(kthread) => match kthread.doze(|| sleep(limit), || self.broken()) {
                    Some(came) => came,
                    None => {
                        let has_left = leave();
                        kthread.hold(|| self.broken());
                        if has_left {
                            return self.check().map(|()| true);
                        }
                        continue;
                    }
                },
                None => sleep(limit),
            };
            if came {
                return Ok(true);
            }
            // Before the clock, which takes longer to read.
            self.check()?;
            if clock::now() >= until {
                return Ok(false);
            }
            self.broken();
        }
    }

    /// A wait of the caller's was broken. What was no stop is forgotten.
    pub(crate) fn broken(&self) {
        self.runner().broken(&|| self.is_stopped());
    }

    /// Notes that the caller waits, in the line of its own caller, until what is returned is
    /// dropped.
    #[track_caller]
    pub(crate) fn enter(&self) -> Waiting<'_> {
        self.runner().site().enter(Location::caller())
    }

    /// How long a wait may sleep before it has to look around: in a shield not beyond its end.
    fn limit(&self, until: i64) -> i64 {
        match self.shield {
            Some(end) if clock::now() < end => until.min(end),
            _ => until,
        }
    }
}
