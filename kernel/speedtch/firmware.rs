// SPDX-License-Identifier: GPL-2.0

//! The firmware's two stages, and how the modem wants to have them.

use crate::{
    protocol,
    SpeedTouch,
    TIMEOUT, //
};
use kernel::{
    prelude::*,
    time::Delta, //
};
use kthread::{
    Error,
    Stop, //
};
use usbatm::{
    Image,
    Modem, //
};

/// How long the modem takes to start its firmware.
const BOOT_TIME: Delta = Delta::from_millis(protocol::BOOT_MSECS as i64);

impl SpeedTouch {
    /// Fetches the firmware, uploads it, and lets it start.
    pub(crate) fn load_firmware(&self, stop: &Stop, modem: &Modem) -> kthread::Result {
        let stages = [
            find(stop, modem, 1, "stage 1 firmware")?,
            find(stop, modem, 2, "stage 2 firmware")?,
        ];
        modem.upload_begins(&stages);
        if self.reads_first {
            self.read_first(stop, modem)?;
        }
        for stage in &stages {
            stage.upload(stop, modem, self.firmware_out, protocol::CHUNK_LEN, TIMEOUT)?;
            // The loader confirms it.
            self.read_block(stop, modem)?;
        }
        modem.phase("the start of the firmware");
        stop.sleep(BOOT_TIME)?;
        Ok(())
    }

    /// Reads a block before anything is sent, which some modems are said to need. One that has
    /// none takes the firmware all the same.
    fn read_first(&self, stop: &Stop, modem: &Modem) -> kthread::Result {
        modem.phase("the read before the upload");
        match self.read_block(stop, modem) {
            Err(Error::Failed(ETIMEDOUT)) => Ok(()),
            read => modem.tolerate(read, fmt!("read BLOCK0 from modem failed")),
        }
    }

    /// Reads what the loader has to say.
    fn read_block(&self, stop: &Stop, modem: &Modem) -> kthread::Result {
        let mut block = KVec::from_elem(0u8, protocol::BLOCK_LEN, GFP_KERNEL)?;
        let device = modem.device();
        device.bulk_in(stop, self.firmware_in, &mut block, TIMEOUT)?;
        Ok(())
    }
}

/// Requests one stage from user space: that for the modem's very revision, for its major
/// revision, or for all, whichever is there.
fn find(stop: &Stop, modem: &Modem, stage: u8, what: &'static str) -> kthread::Result<Image> {
    let [major, minor] = modem.device().release().to_be_bytes();
    modem.find_firmware(
        stop,
        what,
        &[
            fmt!("speedtch-{stage}.bin.{major:x}.{minor:02x}"),
            fmt!("speedtch-{stage}.bin.{major:x}"),
            fmt!("speedtch-{stage}.bin"),
        ],
    )
}
