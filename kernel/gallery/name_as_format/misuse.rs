// SPDX-License-Identifier: GPL-2.0

//! A name from elsewhere is passed where the kernel wants a format.

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
fn work(stop: &Stop) -> kthread::Result {
    loop {
        stop.sleep(Delta::from_secs(1))?;
    }
}

fn start(threads: &Scope, name: &str) -> Result<Thread<()>> {
    Builder::new(name).spawn(threads, work)
}
// ANCHOR_END: misuse
