// SPDX-License-Identifier: GPL-2.0

//! The thread owns its argument, but it is stopped before it runs.

use kernel::{
    prelude::*,
    sync::atomic::{
        Atomic,
        Full,
        Relaxed, //
    }, //
};
use kthread::{
    Builder,
    ModuleScope,
    Scope,
    Stop, //
};

module! {
    type: Cure,
    name: "stop_before_run_cure",
    authors: ["Threadline developers"],
    description: "A thread that owns its argument and never runs",
    license: "GPL",
}

// ANCHOR: cure
static MADE: Atomic<i32> = Atomic::new(0);
static SERVED: Atomic<i32> = Atomic::new(0);
static FREED: Atomic<i32> = Atomic::new(0);

struct Request {
    _firmware: KBox<[u8; 64]>,
}

impl Request {
    fn new() -> Result<Self> {
        let firmware = KBox::new([0; 64], GFP_KERNEL)?;
        MADE.fetch_add(1, Full);
        Ok(Self {
            _firmware: firmware,
        })
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        FREED.fetch_add(1, Full);
    }
}

/// Starts a server, and stops it at once: most never run.
fn start_and_stop(threads: &Scope) -> Result {
    let request = Request::new()?;
    let server = Builder::new(fmt!("server")).spawn(threads, move |_: &Stop| {
        SERVED.fetch_add(1, Full);
        drop(request);
        Ok(())
    })?;
    server.stop();
    Ok(())
}
// ANCHOR_END: cure

#[pin_data(PinnedDrop)]
struct Cure {
    #[pin]
    threads: ModuleScope,
}

impl kernel::InPlaceModule for Cure {
    fn init(module: &'static ThisModule) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            threads <- ModuleScope::new(module),
            _: {
                // Whether a thread runs before it is stopped is luck.
                while SERVED.load(Relaxed) == MADE.load(Relaxed) {
                    start_and_stop(&threads)?;
                }
            },
        })
    }
}

#[pinned_drop]
impl PinnedDrop for Cure {
    fn drop(self: Pin<&mut Self>) {
        let [made, served, freed] = [&MADE, &SERVED, &FREED].map(|count| count.load(Relaxed));
        if served < made && made == freed {
            pr_info!("some were never served, and all were freed\n");
        } else {
            pr_err!("{made} made, {served} served, {freed} freed\n");
        }
    }
}
