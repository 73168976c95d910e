// SPDX-License-Identifier: GPL-2.0

//! The way of the firmware from user space into the modem.
//!
//! Both stages are fetched before the modem is touched: user space may take its time over them,
//! or never answer.
//!
//! A modem that was just plugged in has just been reset by its hub, and its loader is at the
//! beginning. One that an earlier driver left in mid-upload is not, and some have been seen that
//! fail at first behind certain hubs; a reset helps both. But it is slow, and the one thing here
//! that can't be broken off. So it is the answer to an upload that failed, before the next one:
//! the core sees to that.

use crate::{
    is_gone,
    modem,
    SpeedTouch,
    TIMEOUT, //
};
use kernel::{
    firmware::Firmware,
    prelude::*,
    str::CString,
    time::Delta, //
};
use kthread::{
    Error,
    Stop, //
};
use usbatm::Modem;

/// How long the modem takes to start its firmware.
const BOOT_TIME: Delta = Delta::from_millis(modem::BOOT_MSECS as i64);

impl SpeedTouch {
    /// Fetches the firmware, uploads it, and lets it start.
    pub(crate) fn load_firmware(&self, stop: &Stop, modem: &Modem) -> kthread::Result {
        let stages = [
            find(stop, modem, 1, "looking for stage 1 firmware")?,
            find(stop, modem, 2, "looking for stage 2 firmware")?,
        ];
        // Not said earlier: while one is missing, both are looked for again and again.
        for (stage, (name, _)) in (1..).zip(&stages) {
            dev_info!(modem, "found stage {} firmware {}\n", stage, &**name);
        }
        let stages = stages.map(|(_, firmware)| firmware);
        let sizes = stages.each_ref().map(Firmware::size);
        let total = sizes.iter().sum();

        modem.upload_begins(total);
        if self.settings.reads_first {
            self.read_first(stop, modem)?;
        }
        modem.phase("the upload of stage 1 firmware");
        self.upload(stop, modem, &stages[0], |sent| modem.uploaded(sent, total))?;
        modem.phase("the upload of stage 2 firmware");
        self.upload(stop, modem, &stages[1], |sent| {
            modem.uploaded(sizes[0] + sent, total)
        })?;
        modem.phase("the start of the firmware");
        stop.sleep(BOOT_TIME)?;
        Ok(())
    }

    /// Reads a block before anything is sent, which some modems are said to need. One that has
    /// none takes the firmware all the same.
    fn read_first(&self, stop: &Stop, modem: &Modem) -> kthread::Result {
        modem.phase("the read before the upload");
        let mut block = KVec::from_elem(0u8, modem::BLOCK_LEN, GFP_KERNEL)?;
        let read = modem
            .device()
            .bulk_in(stop, self.firmware_in, &mut block, TIMEOUT);
        match read {
            Ok(_) | Err(Error::Failed(ETIMEDOUT)) => Ok(()),
            Err(Error::Failed(error)) if !is_gone(error) => {
                dev_warn!(modem, "read before the upload failed: {:?}\n", error);
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Sends one stage, and reads the block with which the loader confirms it. Tells `progress`
    /// how many bytes have been sent.
    fn upload(
        &self,
        stop: &Stop,
        modem: &Modem,
        stage: &Firmware,
        progress: impl FnMut(usize),
    ) -> kthread::Result {
        let (device, data) = (modem.device(), stage.data());
        let mut block = KVec::from_elem(0u8, modem::BLOCK_LEN, GFP_KERNEL)?;
        device.upload(
            stop,
            self.firmware_out,
            data,
            modem::CHUNK_LEN,
            TIMEOUT,
            progress,
        )?;
        device.bulk_in(stop, self.firmware_in, &mut block, TIMEOUT)?;
        Ok(())
    }
}

/// Requests one stage from user space: that for the modem's very revision, for its major
/// revision, or for all, whichever is there. Returns its name with it.
fn find(
    stop: &Stop,
    modem: &Modem,
    stage: u8,
    phase: &'static str,
) -> kthread::Result<(CString, Firmware)> {
    modem.phase(phase);
    let [major, minor] = modem.device().release().to_be_bytes();
    let names = [
        CString::try_from_fmt(fmt!("speedtch-{}.bin.{:x}.{:02x}", stage, major, minor))?,
        CString::try_from_fmt(fmt!("speedtch-{}.bin.{:x}", stage, major))?,
        CString::try_from_fmt(fmt!("speedtch-{}.bin", stage))?,
    ];
    let names = names.each_ref().map(|name| &**name);
    match stop.request_firmware_any(&names, modem.as_ref(), None) {
        Ok((name, firmware)) => Ok((CString::try_from(name)?, firmware)),
        Err(Error::Failed(ENOENT)) => {
            modem.explain(fmt!(
                "no stage {} firmware found! Put it into /lib/firmware as {} (or {}, or {})",
                stage,
                names[2],
                names[1],
                names[0]
            ));
            Err(ENOENT.into())
        }
        Err(error) => Err(error),
    }
}
