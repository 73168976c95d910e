// SPDX-License-Identifier: GPL-2.0
//! stub
#[allow(dead_code)]
const __LOG_PREFIX: &[u8] = b"kthread\0";
/// x
#[inline(never)] pub fn hello_kthread() -> u32 { kernel::pr_info!("hello\n"); 1 }
