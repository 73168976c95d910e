// SPDX-License-Identifier: GPL-2.0

//! Firmware, in a wait that a stop breaks.
//!
//! The kernel treats requests for the same file that overlap as one. They also fail as one: when
//! one of two modems is unplugged while both wait for user space, the thread of the other gets
//! [`ENOENT`], as if the file did not exist. So a request that fails like that is made again if
//! any thread was stopped while it waited.
//!
//! C header: [`include/linux/firmware.h`](srctree/include/linux/firmware.h)

use crate::{
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

/// How often a request is made again. The first time can be too early: the failed one lives until
/// all who shared it have let go of it.
const RETRIES: i32 = 5;

/// How long the others are given for that.
const PAUSE: Delta = Delta::from_millis(20);

impl Stop {
    /// Requests firmware from the file system or from user space, as `request_firmware()` does.
    ///
    /// A stop breaks the wait for user space, and for another request of the same name. It does
    /// not break the reading of a file that has been found.
    ///
    /// Fails with [`ENOENT`] where there is no such file, with other errors where it can't be
    /// read or user space does not deliver it in time.
    #[inline(never)]
    #[track_caller]
    pub fn request_firmware(&self, name: &CStr, device: &Device) -> Result<Firmware> {
        let stops = Kthread::interrupts();
        for _ in 0..RETRIES {
            let result = self.killable(|| Firmware::request(name, device));
            let missing = matches!(&result, Err(Error::Failed(error)) if *error == ENOENT);
            if !missing || Kthread::interrupts() == stops {
                return result;
            }
            self.sleep(PAUSE)?;
        }
        self.killable(|| Firmware::request(name, device))
    }
}
