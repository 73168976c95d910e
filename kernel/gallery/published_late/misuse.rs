// SPDX-License-Identifier: GPL-2.0

//! The thread runs before what it works on is there.

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
fn poll_line(stop: &Stop, mut buffer: KVec<u8>) -> kthread::Result {
    loop {
        buffer[0] = 0;
        stop.sleep(Delta::from_secs(1))?;
    }
}

fn probe(threads: &Scope) -> Result<Thread<()>> {
    let buffer;
    let thread = Builder::new(fmt!("poll_line"))
        .spawn(threads, move |stop: &Stop| poll_line(stop, buffer))?;
    buffer = KVec::from_elem(0, 64, GFP_KERNEL)?;
    Ok(thread)
}
// ANCHOR_END: misuse
