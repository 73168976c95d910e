// SPDX-License-Identifier: GPL-2.0

//! Threads that stay where they were put until the module goes, for user space to look where that
//! is.

use kernel::{
    cpu::CpuId,
    prelude::*,
    time::Delta, //
};
use kthread::{
    Builder,
    Scope,
    Stop, //
};

const FOR_EVER: Delta = Delta::from_secs(1_000_000);

/// How many threads there are. Their stacks stand out from what else takes memory meanwhile.
const THREADS: u32 = 200;

/// Starts threads on the node.
pub(crate) fn on_node(scope: &Scope, node: u32) -> Result {
    start(scope, |builder| builder.on_node(node))
}

/// Starts threads on the CPU.
pub(crate) fn on_cpu(scope: &Scope, cpu: u32) -> Result {
    let cpu = CpuId::from_u32(cpu).ok_or(EINVAL)?;
    start(scope, |builder| builder.on_cpu(cpu))
}

/// Starts threads in a place. Each has been there when this returns, and sleeps.
fn start<'a>(scope: &Scope, put: impl Fn(Builder<'a>) -> Builder<'a>) -> Result {
    for _ in 0..THREADS {
        let thread = put(Builder::new(fmt!("placed"))).spawn_ready(scope, |stop: &Stop| {
            stop.ready();
            Ok(stop.sleep(FOR_EVER)?)
        })?;
        thread.leave();
    }
    Ok(())
}
