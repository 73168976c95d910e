// SPDX-License-Identifier: GPL-2.0
//! stub
/// x
#[inline(never)] pub fn hello_wire() -> u32 { 2 }
