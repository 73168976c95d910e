// SPDX-License-Identifier: GPL-2.0

//! Two places stop the thread: one for a device that is unplugged, one for the module that is
//! removed.

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
    name: "stop_twice_cure",
    authors: ["Threadline developers"],
    description: "A second stop",
    license: "GPL",
}

// ANCHOR: cure
fn work(stop: &Stop) -> kthread::Result {
    loop {
        stop.sleep(Delta::from_secs(1))?;
    }
}

fn disconnect(worker: &Thread<()>) {
    pr_info!("unplugged: {:?}\n", worker.stop());
}

#[pin_data(PinnedDrop)]
struct Cure {
    worker: Thread<()>,
    #[pin]
    threads: ModuleScope,
}

impl kernel::InPlaceModule for Cure {
    fn init(module: &'static ThisModule) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            threads <- ModuleScope::new(module),
            worker: Builder::new(fmt!("worker")).spawn(&threads, work)?,
            _: { disconnect(worker) },
        })
    }
}

#[pinned_drop]
impl PinnedDrop for Cure {
    fn drop(self: Pin<&mut Self>) {
        // Somebody else has stopped it before, and has its result.
        pr_info!("removed: {:?}\n", self.worker.stop());
    }
}
// ANCHOR_END: cure
