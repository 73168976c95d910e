// SPDX-License-Identifier: GPL-2.0

//! The thread says itself that it has ended, and then goes on for a little.

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
    Stop, //
};

module! {
    type: Cure,
    name: "own_completion_cure",
    authors: ["Threadline developers"],
    description: "A completion that claims that its thread has ended",
    license: "GPL",
}

// ANCHOR: cure
fn work(stop: &Stop, ended: &Completion) -> kthread::Result {
    ended.complete();
    // A moment is enough: even the way out of here is code.
    fsleep(Delta::from_millis(500));
    stop.check()?;
    Ok(())
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
                let ended = Arc::pin_init(Completion::new(), GFP_KERNEL)?;
                let told = ended.clone();
                let worker = Builder::new(fmt!("worker"))
                    .spawn(&threads, move |stop: &Stop| work(stop, &told))?;
                worker.leave();
                // Some other thread may take the word for the end. The module does not.
                let waiter = Builder::new(fmt!("waiter"))
                    .spawn(&threads, move |stop: &Stop| Ok(stop.wait(&ended)?))?;
                waiter.join();
            },
        })
    }
}
// ANCHOR_END: cure
