// SPDX-License-Identifier: GPL-2.0

//! The module goes, and its thread, which nobody holds, goes before.

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
    type: Cure,
    name: "never_stopped_cure",
    authors: ["Threadline developers"],
    description: "A thread that nobody holds",
    license: "GPL",
}

// ANCHOR: cure
fn poll_line(stop: &Stop) -> kthread::Result {
    loop {
        stop.sleep(Delta::from_millis(100))?;
    }
}

#[pin_data]
struct Cure {
    #[pin]
    threads: ModuleScope,
}

impl kernel::InPlaceModule for Cure {
    fn init(module: &'static ThisModule) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            threads <- ModuleScope::new(module),
            _: {
                let poller = Builder::new(fmt!("poll_line")).spawn_ready(&threads, |stop: &Stop| {
                    stop.ready();
                    poll_line(stop)
                })?;
                core::mem::forget(poller);
            },
        })
    }
}
// ANCHOR_END: cure
