// SPDX-License-Identifier: GPL-2.0
//! In-kernel tests of the kthread library.
use kernel::prelude::*;
use kthread::{Builder, ModuleScope, Outcome, Stop};
module! { type: Tests, name: "kthread_test", authors: ["Threadline"], description: "x", license: "GPL", }
#[pin_data]
struct Tests { #[pin] threads: ModuleScope }
impl kernel::InPlaceModule for Tests { fn init(module: &'static ThisModule) -> impl PinInit<Self, Error> {
  try_pin_init!(Self { threads <- ModuleScope::new(module), _: {
    let t = Builder::new(fmt!("ktest/{}", 1)).spawn(&threads, |_stop: &Stop| Ok(42))?;
    let o = t.join() == Outcome::Ended(42); pr_info!("{}\n", o);
  } }) } }
