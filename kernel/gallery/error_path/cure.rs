// SPDX-License-Identifier: GPL-2.0

//! A later step of the start fails, and the way back takes the thread along.

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
    name: "error_path_cure",
    authors: ["Threadline developers"],
    description: "An error path with a thread on it",
    license: "GPL",
}

// ANCHOR: cure
fn poll_interrupts(stop: &Stop) -> kthread::Result {
    stop.ready();
    loop {
        stop.sleep(Delta::from_millis(100))?;
    }
}

fn register_device(poller: &Thread<()>) -> Result {
    pr_info!("the poller was up: {}\n", !poller.is_finished());
    Err(EBUSY)
}

#[pin_data]
struct Cure {
    irq_thread: Thread<()>,
    #[pin]
    threads: ModuleScope,
}

impl kernel::InPlaceModule for Cure {
    fn init(module: &'static ThisModule) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            threads <- ModuleScope::new(module),
            irq_thread: Builder::new(fmt!("irq_poll")).spawn_ready(&threads, poll_interrupts)?,
            _: { register_device(irq_thread)? },
        })
    }
}
// ANCHOR_END: cure
