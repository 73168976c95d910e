// SPDX-License-Identifier: GPL-2.0

//! The way of firmware from user space into a modem.
//!
//! All of it is found before the modem is touched: user space may take its time over a file, or
//! never answer.
//!
//! A modem that was just plugged in has just been reset by its hub, and its loader is at the
//! beginning. One that an earlier driver left in mid-upload is not, and some have been seen that
//! fail at first behind certain hubs; a reset helps both. But it is slow, and the one thing here
//! that can't be broken off. So it is the answer to an upload that failed, before the next one.

use crate::modem::Modem;
use kernel::{
    firmware::Firmware,
    fmt,
    prelude::*,
    str::CString,
    time::Delta, //
};
use kthread::{
    Error,
    Stop, //
};

/// A file of firmware for a modem. [`Modem::find_firmware`] makes it.
pub struct Image {
    /// What it is, such as "stage 1 firmware".
    what: &'static str,
    /// The file's name.
    name: CString,
    firmware: Firmware,
}

impl Modem {
    /// Requests a file of firmware from user space: the first of `names` that is there. Where none
    /// is, the log tells users what to put where; `what` is what it calls it, such as "stage 1
    /// firmware". The file that fits most modems has the last name. Sleeps.
    ///
    /// # Errors
    ///
    /// Those of [`Stop::request_firmware_any`], and `ENOMEM`.
    #[track_caller]
    pub fn find_firmware(
        &self,
        stop: &Stop,
        what: &'static str,
        names: &[fmt::Arguments<'_>],
    ) -> kthread::Result<Image> {
        self.status().set_phase("looking for", what);
        let mut owned = KVec::with_capacity(names.len(), GFP_KERNEL)?;
        for name in names {
            owned.push(CString::try_from_fmt(*name)?, GFP_KERNEL)?;
        }
        let mut names = KVec::with_capacity(owned.len(), GFP_KERNEL)?;
        for name in &owned {
            names.push(&**name, GFP_KERNEL)?;
        }
        match stop.request_firmware_any(&names, self.as_ref(), None) {
            Ok((name, firmware)) => Ok(Image {
                what,
                name: name.try_into()?,
                firmware,
            }),
            Err(Error::Failed(ENOENT)) => {
                let names = Names(&names);
                self.explain(fmt!(
                    "no {what} found! Put it into /lib/firmware as {names}"
                ));
                Err(ENOENT.into())
            }
            Err(error) => Err(error),
        }
    }

    /// All `images` that the modem needs have been found, and their upload is about to begin. From
    /// here on, a modem that fails is reset before it is tried again.
    pub fn upload_begins(&self, images: &[Image]) {
        for Image { what, name, .. } in images {
            // Not said earlier: while one is missing, all are looked for again and again.
            dev_info!(self, "found {} {}\n", *what, &**name);
        }
        self.make_unsure();
        let total = images.iter().map(|image| image.data().len()).sum();
        self.status().set_total(total);
    }
}

impl Image {
    /// What is in the file.
    pub fn data(&self) -> &[u8] {
        self.firmware.data()
    }

    /// Sends all of it to a bulk endpoint of the modem, in blocks of `block` bytes, of which each
    /// may take as long as `timeout`. Sleeps.
    ///
    /// # Errors
    ///
    /// Those of [`usb::Device::upload`].
    #[track_caller]
    pub fn upload(
        &self,
        stop: &Stop,
        modem: &Modem,
        pipe: usb::BulkOut,
        block: usize,
        timeout: Delta,
    ) -> kthread::Result {
        modem.status().set_phase("the upload of", self.what);
        let mut before = 0;
        let progress = |sent| {
            modem.uploaded(sent - before);
            before = sent;
        };
        modem
            .device()
            .upload(stop, pipe, self.data(), block, timeout, progress)
    }
}

/// The names that a file can have, the one that fits most modems first.
struct Names<'a>(&'a [&'a CStr]);

impl fmt::Display for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, name) in self.0.iter().rev().enumerate() {
            let before = match number {
                0 => "",
                1 => " (or ",
                _ => ", or ",
            };
            f.write_fmt(fmt!("{before}{name}"))?;
        }
        f.write_str(if self.0.len() > 1 { ")" } else { "" })
    }
}
