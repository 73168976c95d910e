// SPDX-License-Identifier: GPL-2.0

//! The thread may end by itself, and its owner stops it all the same.

use kernel::prelude::*;
use kthread::{
    Builder,
    ModuleScope,
    Stop,
    Thread, //
};

module! {
    type: Cure,
    name: "stop_after_exit_cure",
    authors: ["Threadline developers"],
    description: "A stop of a thread that has ended",
    license: "GPL",
}

// ANCHOR: cure
fn upload_firmware(_: &Stop) -> kthread::Result {
    Ok(()) // The modem has its firmware already.
}

#[pin_data(PinnedDrop)]
struct Cure {
    upload: Thread<()>,
    #[pin]
    threads: ModuleScope,
}

impl kernel::InPlaceModule for Cure {
    fn init(module: &'static ThisModule) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            threads <- ModuleScope::new(module),
            upload: Builder::new(fmt!("upload")).spawn(&threads, upload_firmware)?,
        })
    }
}

#[pinned_drop]
impl PinnedDrop for Cure {
    fn drop(self: Pin<&mut Self>) {
        // The thread is gone, and the handle still knows how it ended.
        pr_info!("the upload: {:?}\n", self.upload.stop());
    }
}
// ANCHOR_END: cure
