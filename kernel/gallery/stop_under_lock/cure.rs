// SPDX-License-Identifier: GPL-2.0

//! The owner holds a lock while it waits for a thread that wants the lock.

use kernel::{
    prelude::*,
    sync::Arc,
    time::{
        delay::fsleep,
        Delta, //
    }, //
};
use kthread::{
    new_rt_mutex,
    Builder,
    ModuleScope,
    RtMutex,
    Stop,
    Thread, //
};

module! {
    type: Cure,
    name: "stop_under_lock_cure",
    authors: ["Threadline developers"],
    description: "A stop under a lock that the thread takes",
    license: "GPL",
}

// ANCHOR: cure
fn poll_modems(stop: &Stop, modems: &RtMutex<()>) -> kthread::Result {
    stop.ready();
    loop {
        drop(stop.lock(modems)?);
        stop.sleep(Delta::from_millis(100))?;
    }
}

#[pin_data(PinnedDrop)]
struct Cure {
    poller: Thread<()>,
    modems: Arc<RtMutex<()>>,
    #[pin]
    threads: ModuleScope,
}

#[pinned_drop]
impl PinnedDrop for Cure {
    fn drop(self: Pin<&mut Self>) {
        let _modems = self.modems.lock();
        fsleep(Delta::from_millis(500)); // Takes a modem off the list.
        pr_info!("the poller: {:?}\n", self.poller.stop());
    }
}
// ANCHOR_END: cure

impl kernel::InPlaceModule for Cure {
    fn init(module: &'static ThisModule) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            threads <- ModuleScope::new(module),
            modems: Arc::pin_init(new_rt_mutex!(()), GFP_KERNEL)?,
            poller: {
                let modems = modems.clone();
                Builder::new(fmt!("poller"))
                    .spawn_ready(&threads, move |stop: &Stop| poll_modems(stop, &modems))?
            },
        })
    }
}
