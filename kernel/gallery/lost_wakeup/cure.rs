// SPDX-License-Identifier: GPL-2.0

//! A stop comes while the thread works, just before it goes to sleep.

use kernel::{
    prelude::*,
    sync::Arc,
    time::{
        delay::fsleep,
        Delta, //
    }, //
};
use kthread::{
    Builder,
    Completion,
    ModuleScope,
    Stop,
    Thread, //
};

module! {
    type: Cure,
    name: "lost_wakeup_cure",
    authors: ["Threadline developers"],
    description: "A stop just before a wait",
    license: "GPL",
}

// ANCHOR: cure
fn clean(stop: &Stop, dirty: &Completion) -> kthread::Result {
    stop.ready();
    loop {
        fsleep(Delta::from_millis(500)); // A round of work. A stop that comes here
        stop.wait(dirty)?; // is seen here.
    }
}
// ANCHOR_END: cure

#[pin_data(PinnedDrop)]
struct Cure {
    cleaner: Thread<()>,
    #[pin]
    threads: ModuleScope,
}

impl kernel::InPlaceModule for Cure {
    fn init(module: &'static ThisModule) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            threads <- ModuleScope::new(module),
            cleaner: {
                let dirty = Arc::pin_init(Completion::new(), GFP_KERNEL)?;
                Builder::new(fmt!("cleaner"))
                    .spawn_ready(&threads, move |stop: &Stop| clean(stop, &dirty))?
            },
        })
    }
}

#[pinned_drop]
impl PinnedDrop for Cure {
    fn drop(self: Pin<&mut Self>) {
        pr_info!("the cleaner: {:?}\n", self.cleaner.stop());
    }
}
