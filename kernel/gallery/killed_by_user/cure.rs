// SPDX-License-Identifier: GPL-2.0

//! A signal from user space reaches the thread, and does not end it.

use kernel::{
    prelude::*,
    time::Delta, //
};
use kthread::{
    Builder,
    ModuleScope,
    Stop,
    Thread, //
};

module! {
    type: Cure,
    name: "killed_by_user_cure",
    authors: ["Threadline developers"],
    description: "Signals from user space, without effect",
    license: "GPL",
}

// ANCHOR: cure
fn watch(stop: &Stop) -> kthread::Result {
    stop.ready();
    loop {
        stop.sleep(Delta::from_secs(1))?;
    }
}

#[pin_data(PinnedDrop)]
struct Cure {
    watchdog: Thread<()>,
    #[pin]
    threads: ModuleScope,
}

impl kernel::InPlaceModule for Cure {
    fn init(module: &'static ThisModule) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            threads <- ModuleScope::new(module),
            watchdog: Builder::new(fmt!("watchdog_dpc")).spawn_ready(&threads, watch)?,
        })
    }
}

#[pinned_drop]
impl PinnedDrop for Cure {
    fn drop(self: Pin<&mut Self>) {
        pr_info!("the watchdog: {:?}\n", self.watchdog.stop());
    }
}
// ANCHOR_END: cure
