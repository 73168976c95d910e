// SPDX-License-Identifier: GPL-2.0

//! The thread waits for firmware in a way that a stop breaks.

use kernel::{
    device::Bound,
    faux,
    prelude::*, //
};
use kthread::{
    Builder,
    ModuleScope,
    Stop,
    Thread, //
};

module! {
    type: Cure,
    name: "killable_wait_cure",
    authors: ["Threadline developers"],
    description: "A killable wait, which a stop breaks",
    license: "GPL",
}

// ANCHOR: cure
fn upload_firmware(stop: &Stop, modem: &faux::Device<Bound>) -> kthread::Result {
    let firmware = stop.request_firmware(c"modem.bin", modem.as_ref())?;
    pr_info!("{} bytes\n", firmware.size());
    Ok(())
}
// ANCHOR_END: cure

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
            upload: {
                let modem = faux::Registration::new(c"modem", None)?;
                Builder::new(fmt!("upload"))
                    .spawn(&threads, move |stop: &Stop| upload_firmware(stop, modem.as_ref()))?
            },
        })
    }
}

#[pinned_drop]
impl PinnedDrop for Cure {
    fn drop(self: Pin<&mut Self>) {
        pr_info!("the upload: {:?}\n", self.upload.stop());
    }
}
