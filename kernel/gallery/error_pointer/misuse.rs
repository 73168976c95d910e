// SPDX-License-Identifier: GPL-2.0

//! Nobody asks whether the thread could be started.

use kernel::{
    prelude::*,
    time::Delta, //
};
use kthread::{
    Builder,
    Scope,
    Stop, //
};

// ANCHOR: misuse
fn work(stop: &Stop) -> kthread::Result {
    loop {
        stop.sleep(Delta::from_secs(1))?;
    }
}

fn start_and_stop(threads: &Scope) {
    let worker = Builder::new(fmt!("worker")).spawn(threads, work);
    worker.stop();
}
// ANCHOR_END: misuse
