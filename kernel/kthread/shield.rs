// SPDX-License-Identifier: GPL-2.0

//! Work that a stop must not tear apart.

use crate::{
    anystop::AnyStop,
    clock, //
};
use kernel::time::Delta;

impl AnyStop {
    /// Lets `body` finish what it has begun, a stop notwithstanding, for the given time at most.
    ///
    /// `body` gets an `AnyStop` of its own, for which no stop is asked for until the time is over,
    /// not even one that was asked for before. If there is one then, it is seen at once, in the
    /// midst of a wait too. So this costs a stop the given time, and no more. If there is none,
    /// nothing happens when the time is over.
    ///
    /// The caller's own `AnyStop` is as it ever was, in `body` and after it: its waits return
    /// [`Stopped`](crate::Stopped) at once if a stop has come meanwhile.
    ///
    /// Of a shield within a shield, the earlier end counts.
    ///
    /// Calls that don't take an `AnyStop` know nothing of it: a body that has been asked to stop
    /// can't start a thread in the shield either, pause one, or wait for it without its `AnyStop`.
    ///
    /// # Examples
    ///
    /// ```
    /// # use kernel::time::Delta;
    /// # use kthread::AnyStop;
    /// # struct Block;
    /// # struct Flash;
    /// # impl Flash {
    /// #     fn begin(&self, stop: &AnyStop, block: &Block) -> kthread::Result {
    /// #         Ok(stop.check()?)
    /// #     }
    /// #     fn write(&self, stop: &AnyStop, block: &Block) -> kthread::Result {
    /// #         Ok(stop.check()?)
    /// #     }
    /// #     fn end(&self, stop: &AnyStop) -> kthread::Result {
    /// #         Ok(stop.check()?)
    /// #     }
    /// # }
    /// /// A device that was told to begin with a block has to get all of it.
    /// fn write_block(stop: &AnyStop, flash: &Flash, block: &Block) -> kthread::Result {
    ///     stop.check()?;
    ///     stop.shield(Delta::from_millis(200), |stop| {
    ///         flash.begin(stop, block)?;
    ///         flash.write(stop, block)?;
    ///         flash.end(stop)
    ///     })
    /// }
    /// ```
    pub fn shield<R>(&self, time: Delta, body: impl FnOnce(&AnyStop) -> R) -> R {
        let result = self.shielded(clock::after(time), body);
        // The waits in the shield have forgotten what interrupted them. If it was a stop, the
        // kernel's own waits are to be broken by it all the same, where the body calls them itself.
        if self.is_stopped() {
            self.interrupt();
        }
        result
    }
}
