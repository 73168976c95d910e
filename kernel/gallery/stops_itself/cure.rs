// SPDX-License-Identifier: GPL-2.0

//! The clean-up stops the thread, and the thread does the clean-up.

use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        Arc,
        Mutex, //
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
    name: "stops_itself_cure",
    authors: ["Threadline developers"],
    description: "A thread that would wait for its own end",
    license: "GPL",
}

// ANCHOR: cure
type Worker = Mutex<Option<Thread<()>>>;

fn clean_up(worker: &Worker) {
    let worker = worker.lock().take();
    if let Some(worker) = worker {
        pr_info!("stopped by itself: {:?}\n", worker.stop());
    }
}

fn work(stop: &Stop, started: &Completion, worker: &Worker) -> kthread::Result {
    stop.wait(started)?;
    clean_up(worker); // The device is gone: nothing left to do.
    stop.ready();
    Ok(())
}
// ANCHOR_END: cure

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
                let started = Arc::pin_init(Completion::new(), GFP_KERNEL)?;
                let worker = Arc::pin_init(new_mutex!(None), GFP_KERNEL)?;
                let thread = Builder::new(fmt!("worker")).spawn(&threads, {
                    let (started, worker) = (started.clone(), worker.clone());
                    move |stop: &Stop| work(stop, &started, &worker)
                })?;
                *worker.lock() = Some(thread);
                started.complete();
                // The module's end would be a stop as well, which might come first.
                while worker.lock().is_some() {
                    kernel::time::delay::fsleep(kernel::time::Delta::from_millis(1));
                }
            },
        })
    }
}
