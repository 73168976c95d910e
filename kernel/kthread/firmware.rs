// SPDX-License-Identifier: GPL-2.0

//! Firmware, in a wait that a stop breaks.
//!
//! The kernel treats requests for the same file that overlap as one. They also fail as one: when
//! one of two modems is unplugged while both wait for user space, the thread of the other gets
//! [`ENOENT`], as if the file did not exist; or [`EINTR`], if it was only about to ask user space
//! (`fw_load_sysfs_fallback()`). So a request that fails like that is made again if any thread was
//! broken off by a signal while it waited, or shortly before: the one that was may not have let go
//! of what it shared with ours yet.
//!
//! C header: [`include/linux/firmware.h`](srctree/include/linux/firmware.h)

use crate::{
    clock::{
        self,
        NEVER, //
    },
    error::{
        Error,
        Result, //
    },
    stop::Stop,
    task::Kthread, //
};
use kernel::{
    device::Device,
    firmware::Firmware,
    prelude::*,
    time::Delta, //
};

/// How often a request is made again at most. The first time can be too early: the failed one lives
/// until all who shared it have let go of it.
const RETRIES: i64 = 5;

/// How long the others are given for that at first; twice as long each time.
const PAUSE: Delta = Delta::from_millis(20);

/// How long a thread that was broken off may take to let go of its request.
const LINGER: Delta = Delta::from_secs(1);

impl Stop {
    /// Requests firmware from the file system or from user space, as `request_firmware()` does.
    ///
    /// A stop breaks the wait for user space, and for another request of the same name. Most file
    /// systems let it break the reading of a file that has been found, too; the kernel's log then
    /// has it that the file failed to load.
    ///
    /// Fails with [`ENOENT`] where there is no such file, with other errors where it can't be
    /// read or user space does not deliver it in time.
    #[track_caller]
    pub fn request_firmware(&self, name: &CStr, device: &Device) -> Result<Firmware> {
        self.request_until(NEVER, || Firmware::request(name, device))
    }

    /// Requests the first of several files that there is, in this order, as
    /// [`Self::request_firmware`] does; says which one it was.
    ///
    /// All of it takes no longer than `limit`, if there is one. That breaks what a stop breaks, so it
    /// should leave time enough to read a file that is there. Where user space is asked and does not
    /// answer, the kernel gives up a name after a while (`/sys/class/firmware/timeout`, 60 seconds
    /// if nobody has changed that), and then the next one has its turn.
    ///
    /// That a file is not there is not logged: it is expected of all but one.
    ///
    /// Fails with [`ETIMEDOUT`] when the limit is reached; else with what the first file failed
    /// with that is there, or with [`ENOENT`] if none is.
    ///
    /// # Examples
    ///
    /// ```
    /// # use kernel::{device::Device, prelude::*};
    /// # use kthread::Stop;
    /// # fn body(stop: &Stop, device: &Device) -> kthread::Result {
    /// // That for the very revision of the board, or else that for all.
    /// let names = [c"modem-4.bin", c"modem.bin"];
    /// let (name, firmware) = stop.request_firmware_any(&names, device, None)?;
    /// dev_info!(device, "found {}\n", name);
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn request_firmware_any<'a>(
        &self,
        names: &[&'a CStr],
        device: &Device,
        limit: Option<Delta>,
    ) -> Result<(&'a CStr, Firmware)> {
        let until = limit.map_or(NEVER, clock::after);
        let mut failure = ENOENT;
        for name in names {
            match self.request_until(until, || Firmware::request_nowarn(name, device)) {
                Ok(firmware) => return Ok((name, firmware)),
                Err(Error::Stopped) => return Err(Error::Stopped),
                Err(Error::Failed(_)) if clock::now() >= until => return Err(ETIMEDOUT.into()),
                Err(Error::Failed(error)) if failure == ENOENT => failure = error,
                Err(Error::Failed(_)) => (),
            }
        }
        Err(failure.into())
    }

    /// Makes a request for a file, and gives up when the clock shows `until`.
    #[track_caller]
    fn request_until(
        &self,
        until: i64,
        request: impl Fn() -> kernel::error::Result<Firmware>,
    ) -> Result<Firmware> {
        for retry in 0..RETRIES {
            let lately = clock::jiffies().wrapping_sub(clock::ticks(LINGER));
            let result = self.request_once(until, &request);
            let broken = matches!(result, Err(Error::Failed(ENOENT | EINTR)));
            if !broken || !Kthread::was_one_killed_since(lately) {
                return result;
            }
            self.sleep(clock::until(until).min(PAUSE * (1 << retry)))?;
        }
        self.request_once(until, &request)
    }

    #[track_caller]
    fn request_once(
        &self,
        until: i64,
        request: impl Fn() -> kernel::error::Result<Firmware>,
    ) -> Result<Firmware> {
        if until == NEVER {
            return self.killable(request);
        }
        self.killable_within(clock::until(until), request)
    }
}
