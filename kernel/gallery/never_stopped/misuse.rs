// SPDX-License-Identifier: GPL-2.0

//! A module without a place where its threads would be stopped.

use kernel::{
    prelude::*,
    time::Delta, //
};
use kthread::{
    Builder,
    Stop, //
};

// ANCHOR: misuse
fn poll_line(stop: &Stop) -> kthread::Result {
    loop {
        stop.sleep(Delta::from_millis(100))?;
    }
}

fn start() -> Result {
    Builder::new(fmt!("poll_line")).spawn(poll_line)?.leave();
    Ok(())
}
// ANCHOR_END: misuse
