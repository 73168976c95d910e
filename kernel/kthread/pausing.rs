// SPDX-License-Identifier: GPL-2.0

//! The kernel's side of a pause, and what an owner calls.

use crate::{
    host::Host,
    life::World,
    pause::{
        NotStill,
        Pausable,
        Pause, //
    },
    task::Kthread,
    thread::Thread, //
};
use kernel::prelude::*;

impl Pausable for Kthread {
    fn pause(&self) -> &Pause {
        &self.pause
    }

    fn with_pausers<R>(&self, change: impl FnOnce(&mut usize) -> R) -> R {
        change(&mut self.pausers.lock())
    }

    fn stir(&self) {
        self.events().stir();
    }

    #[inline(never)]
    fn wait_still(&self) -> bool {
        self.events().wait_killable_for(|| self.is_still())
    }

    #[inline(never)]
    fn wait_to_go(&self) {
        self.events().sleep_for(|| !self.should_hold());
    }
}

impl<T: Send + 'static> Thread<T> {
    /// Makes the thread hold still until [`Self::resume`], and waits until it does.
    ///
    /// It holds still in a wait of its [`AnyStop`](crate::AnyStop), and until it comes to one it
    /// goes on: a call of the kernel's, such as a request for firmware, is not broken, and this
    /// waits until it is over. The body notices nothing but that time has passed: its deadlines
    /// stay where they are, a [`Ticker`](crate::Ticker) counts the ticks that it has missed, and
    /// what is sent to the thread waits for it. What locks it holds it keeps. In a
    /// [shield](crate::AnyStop::shield) it holds still as well.
    ///
    /// A thread that was paused several times goes on when it was resumed as often. A stop does not
    /// wait for that: the thread goes on at once, and no pause after it has an effect.
    ///
    /// Sleeps. If it fails there is nothing to resume. Fails with
    ///
    /// - [`ESRCH`](kernel::error::code::ESRCH) if the thread has ended, or does so instead;
    /// - [`EINTR`](kernel::error::code::EINTR) if the caller is killed while it waits, or is a body
    ///   that is stopped, in a shield too;
    /// - [`EDEADLK`](kernel::error::code::EDEADLK) if the caller is the thread.
    ///
    /// While it waits, a calling thread can't be paused itself: of two that pause each other,
    /// neither goes on before one is stopped.
    ///
    /// # Examples
    ///
    /// ```
    /// # use kernel::prelude::*;
    /// # use kthread::Thread;
    /// # struct Settings;
    /// # struct Device;
    /// # impl Device {
    /// #     fn configure(&self, settings: Settings) -> Result {
    /// #         Ok(())
    /// #     }
    /// # }
    /// # fn example(poller: Thread<()>, device: &Device, settings: Settings) -> Result {
    /// // Nobody else talks to the device while it gets its new settings.
    /// poller.pause()?;
    /// let result = device.configure(settings);
    /// poller.resume();
    /// result
    /// # }
    /// ```
    pub fn pause(&self) -> Result {
        if self.kthread().is_current() {
            return Err(EDEADLK);
        }
        self.kthread().begin_pause().map_err(|why| match why {
            NotStill::Ended => ESRCH,
            NotStill::GaveUp => EINTR,
        })
    }

    /// Lets the thread go on, if this is for the last [`Self::pause`]. Has no effect if it has not
    /// been paused, or has ended.
    ///
    /// Does not wait, but must not be called from an interrupt.
    pub fn resume(&self) {
        self.kthread().end_pause();
    }
}
