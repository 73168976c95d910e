// SPDX-License-Identifier: GPL-2.0
//! stub
use kernel::prelude::*;
module! { type: M, name: "kexample", authors: ["x"], description: "x", license: "GPL", }
struct M;
/// x
#[inline(never)] pub fn hello() -> u32 { 1 }
impl kernel::Module for M { fn init(_m: &'static ThisModule) -> Result<Self> { pr_info!("hi {}\n", hello()); Ok(M) } }
