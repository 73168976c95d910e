// SPDX-License-Identifier: GPL-2.0

//! When a modem may be brought up.
//!
//! To bring it up is to ask user space for its firmware, and to wait for that. While the machine
//! sleeps, and on its way there and back, user space answers nobody: whoever waits for it keeps the
//! machine awake, and whoever asks then is refused with a warning. So that work stops before, and
//! begins anew afterwards. A modem that is up is left alone until the USB core sends it to sleep.
//!
//! Each modem is told of a sleep that is announced when it is there already. This module is told
//! [as well](Announced), and before them all, and knows it for those that come later.

use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Mutex, //
    }, //
};

/// Whether the machine sleeps, or is about to.
static IS_ASLEEP: Atomic<bool> = Atomic::new(false);

/// This module, as it is told that the machine goes to sleep.
pub(crate) struct Announced;

impl usb::Sleeper for Announced {
    fn falls_asleep(&self) {
        IS_ASLEEP.store(true, Relaxed);
    }

    fn wakes_up(&self) {
        IS_ASLEEP.store(false, Relaxed);
    }
}

/// When a modem may be brought up.
#[pin_data]
pub(crate) struct Awake {
    #[pin]
    state: Mutex<State>,
}

struct State {
    /// The machine sleeps, or is about to.
    is_asleep: bool,
    goal: Goal,
}

/// What the driver wants of the modem.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Goal {
    /// That it be left alone, for the time being.
    Nothing,
    /// That it be brought up: that is under way, or put off until the machine is awake.
    ToBeUp,
    /// That it stay up.
    ToStay,
    /// The driver lets go of it.
    Over,
}

impl Awake {
    /// The machine is awake, and nobody wants anything.
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            state <- new_mutex!(State {
                is_asleep: false,
                goal: Goal::Nothing,
            }, "usbatm::Awake::state"),
        })
    }

    /// Learns of a sleep that was announced before the modem is told of any. To be called once it
    /// is.
    ///
    /// The end of that sleep may come meanwhile: the module is told first, so that either it is not
    /// learned of here, or [`Awake::wake_up`] comes after this.
    #[inline(never)] // The static is this module's own.
    pub(crate) fn learn(&self) {
        let mut state = self.state.lock();
        if IS_ASLEEP.load(Relaxed) {
            state.is_asleep = true;
        }
    }

    /// The modem is to be brought up, by `start`: now, or when the machine is awake. Sleeps.
    pub(crate) fn bring_up(&self, start: impl FnOnce() -> Result) -> Result {
        let mut state = self.state.lock();
        if state.goal == Goal::Over {
            return Ok(());
        }
        state.goal = Goal::ToBeUp;
        if state.is_asleep {
            return Ok(());
        }
        start()
    }

    /// The modem has been brought up.
    pub(crate) fn is_up(&self) {
        let mut state = self.state.lock();
        if state.goal == Goal::ToBeUp {
            state.goal = Goal::ToStay;
        }
    }

    /// It has not after all. Returns whether it is to be tried again: one that seemed to be up when
    /// the machine went to sleep was left alone, and is brought up when the machine is awake.
    pub(crate) fn is_down(&self) -> bool {
        let mut state = self.state.lock();
        if state.goal != Goal::ToStay {
            return true;
        }
        state.goal = Goal::ToBeUp;
        !state.is_asleep
    }

    /// The modem is to be left alone until it is to be brought up again.
    pub(crate) fn pause(&self) {
        let mut state = self.state.lock();
        if state.goal != Goal::Over {
            state.goal = Goal::Nothing;
        }
    }

    /// It is to be left alone for good.
    pub(crate) fn end(&self) {
        self.state.lock().goal = Goal::Over;
    }

    /// The machine goes to sleep. Stops by `stop` whatever brings the modem up. Sleeps.
    pub(crate) fn fall_asleep(&self, stop: impl FnOnce()) {
        let mut state = self.state.lock();
        state.is_asleep = true;
        let is_under_way = state.goal == Goal::ToBeUp;
        drop(state);
        if !is_under_way {
            return;
        }
        // Not with the lock held, which what is stopped may wait for.
        stop();
        let mut state = self.state.lock();
        if state.goal == Goal::ToStay {
            // It was up at the last moment, and nobody watches it now.
            state.goal = Goal::ToBeUp;
        }
    }

    /// The machine is awake: begins by `start` what has been put off. Sleeps.
    ///
    /// Nothing has, where it is the end of a sleep that nobody told us of: that began before this
    /// module was there, or within another that is over.
    pub(crate) fn wake_up(&self, start: impl FnOnce() -> Result) -> Result {
        let mut state = self.state.lock();
        let was_asleep = core::mem::replace(&mut state.is_asleep, false);
        if was_asleep && state.goal == Goal::ToBeUp {
            return start();
        }
        Ok(())
    }
}
