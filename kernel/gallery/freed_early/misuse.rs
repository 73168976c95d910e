// SPDX-License-Identifier: GPL-2.0

//! What the thread works on is freed before the thread is stopped.

use kernel::{
    prelude::*,
    time::Delta, //
};
use kthread::{
    Builder,
    Scope,
    Stop,
    Thread, //
};

// ANCHOR: misuse
struct Modem;

impl Modem {
    fn poll(&self) {}
}

fn start(threads: &Scope) -> Result<Thread<()>> {
    let modem = KBox::new(Modem, GFP_KERNEL)?;
    Builder::new(fmt!("poll_line")).spawn(threads, |stop: &Stop| loop {
        modem.poll();
        stop.sleep(Delta::from_millis(100))?;
    })
}
// ANCHOR_END: misuse
