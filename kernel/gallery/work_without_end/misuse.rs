// SPDX-License-Identifier: GPL-2.0

//! A work item waits for firmware in a way that nothing breaks.

use kernel::{
    device::Device,
    prelude::*,
    sync::aref::ARef, //
};
use kthread::{
    AnyStop,
    Scope,
    Work, //
};

// ANCHOR: misuse
fn load_dsp(stop: &AnyStop, modem: &Device) -> kthread::Result<usize> {
    let firmware = stop.request_firmware(c"dsp.bin", modem)?;
    Ok(firmware.size())
}

fn probe(works: &Scope, modem: ARef<Device>) -> Result<Work<usize>> {
    Work::queue(works, move |stop: &AnyStop| load_dsp(stop, &modem))
}
// ANCHOR_END: misuse
