// SPDX-License-Identifier: GPL-2.0

//! The smallest module with a thread: the one that the book's first chapter builds.

use kernel::{
    prelude::*,
    time::Delta, //
};
use kthread::{
    Builder,
    ModuleScope,
    Stop, //
};

module! {
    type: FirstThread,
    name: "first_thread",
    authors: ["Threadline developers"],
    description: "The smallest module with a thread",
    license: "GPL",
}

// ANCHOR: module
/// The module. When it goes, its scope is dropped, and with that its threads are gone.
#[pin_data]
struct FirstThread {
    #[pin]
    threads: ModuleScope,
}

impl kernel::InPlaceModule for FirstThread {
    fn init(module: &'static ThisModule) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            threads <- ModuleScope::new(module),
            _: {
                Builder::new(fmt!("first_thread"))
                    .spawn(&threads, |stop: &Stop| count(stop))?
                    .leave()
            },
        })
    }
}
// ANCHOR_END: module

// ANCHOR: body
/// What the thread does: it counts to ten, a number a second, unless it is stopped before.
fn count(stop: &Stop) -> kthread::Result {
    for number in 1..=10 {
        stop.sleep(Delta::from_secs(1))?;
        pr_info!("{number}\n");
    }
    Ok(())
}
// ANCHOR_END: body
