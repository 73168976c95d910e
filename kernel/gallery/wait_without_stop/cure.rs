// SPDX-License-Identifier: GPL-2.0

//! The thread waits for work, and for nothing else.

use kernel::{
    prelude::*,
    sync::Arc, //
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
    name: "wait_without_stop_cure",
    authors: ["Threadline developers"],
    description: "A wait for work, which a stop breaks",
    license: "GPL",
}

// ANCHOR: cure
fn handle_events(stop: &Stop, pending: &Completion) -> kthread::Result {
    loop {
        stop.wait(pending)?;
        // An event is handled here.
    }
}
// ANCHOR_END: cure

#[pin_data(PinnedDrop)]
struct Cure {
    handler: Thread<()>,
    #[pin]
    threads: ModuleScope,
}

impl kernel::InPlaceModule for Cure {
    fn init(module: &'static ThisModule) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            threads <- ModuleScope::new(module),
            handler: {
                let pending = Arc::pin_init(Completion::new(), GFP_KERNEL)?;
                Builder::new(fmt!("events"))
                    .spawn(&threads, move |stop: &Stop| handle_events(stop, &pending))?
            },
        })
    }
}

#[pinned_drop]
impl PinnedDrop for Cure {
    fn drop(self: Pin<&mut Self>) {
        pr_info!("the handler: {:?}\n", self.handler.stop());
    }
}
