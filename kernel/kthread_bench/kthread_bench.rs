// SPDX-License-Identifier: GPL-2.0

//! What `kthread` costs, measured inside the kernel: for `./lab bench kthread`.
//!
//! The module does nothing by itself. Whoever opens `/dev/kthread_bench` writes one command at a
//! time to it, which is done when the write returns, and reads what it measured: numbers of 64
//! bits, of the machine's byte order.
//!
//! | command | what it does | what is read |
//! | --- | --- | --- |
//! | `life KIND COUNT` | starts and ends `COUNT` threads, one after the other ([`Life`]) | nanoseconds for each |
//! | `start WAIT` | starts a thread that goes into a wait ([`Wait`]) | its process number |
//! | `stop` | stops that thread | nanoseconds |
//! | `tick PERIOD COUNT` | a real-time thread wakes up `COUNT` times, every `PERIOD` nanoseconds | see [`ticks`] |
//!
//! The stops of threads that wait for a USB transfer are measured through the driver of a device, see
//! [`transfers`].
//!
//! `kthread_bench_c` is the same in C, from the same description. There each thread has a block of
//! memory for what it shares with its owner, as it has one here; in the kinds of life that end in
//! `_bare` it has none, as where a driver has room for it in its own data.

mod gear;
mod life;
mod session;
mod ticks;
mod transfers;
mod wait;

use kernel::{
    driver,
    miscdevice::{
        MiscDeviceOptions,
        MiscDeviceRegistration, //
    },
    prelude::*,
    ModuleMetadata, //
};
use kthread::ModuleScope;
use session::Session;

#[cfg(doc)]
use {
    life::Life,
    wait::Wait, //
};

module! {
    type: KthreadBench,
    name: "kthread_bench",
    authors: ["Threadline developers"],
    description: "Measures the kthread library",
    license: "GPL",
}

/// The module: its device, its driver, and the threads that are measured.
#[pin_data]
struct KthreadBench {
    #[pin]
    _driver: driver::Registration<usb::Adapter<transfers::Driver>>,
    #[pin]
    _device: MiscDeviceRegistration<Session>,
    #[pin]
    threads: ModuleScope,
}

impl kernel::InPlaceModule for KthreadBench {
    fn init(module: &'static ThisModule) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            threads <- ModuleScope::new(module),
            _device <- MiscDeviceRegistration::register(MiscDeviceOptions {
                name: c"kthread_bench",
            }),
            _driver <- driver::Registration::new(LocalModule::NAME, module),
        })
    }
}
