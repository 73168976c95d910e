// SPDX-License-Identifier: GPL-2.0

//! Where a thread may run.
//!
//! C headers: [`include/linux/kthread.h`](srctree/include/linux/kthread.h),
//! [`include/linux/cpumask.h`](srctree/include/linux/cpumask.h),
//! [`include/linux/nodemask.h`](srctree/include/linux/nodemask.h)

use crate::sys;
use kernel::{
    bindings,
    cpu::CpuId,
    cpumask::Cpumask,
    error::to_result,
    prelude::*,
    task::Task, //
};

/// Where a thread is to run, as its [`Builder`](crate::Builder) was told.
#[derive(Clone, Copy)]
pub(crate) enum Affinity<'a> {
    /// Wherever the kernel lets its own threads run.
    Anywhere,
    /// On this CPU and on no other.
    Cpu(CpuId),
    /// On these CPUs, as long as one of them is there.
    Cpus(&'a Cpumask),
    /// On the CPUs of this node, with its stack in the node's memory.
    Node(u32),
}

impl Affinity<'_> {
    /// Whether the place exists now: [`ENXIO`] if it doesn't.
    ///
    /// The kernel would take a CPU that is offline, and crash on a node that never was.
    pub(crate) fn check(&self) -> Result {
        // SAFETY: The helpers take any number, and look at masks that always exist; the reference
        // to the mask is valid.
        let exists = unsafe {
            match *self {
                Affinity::Anywhere => true,
                Affinity::Cpu(cpu) => sys::threadline_cpu_online(cpu.as_u32()),
                Affinity::Cpus(mask) => sys::threadline_any_online(mask.as_raw()),
                Affinity::Node(node) => sys::threadline_node_online(node),
            }
        };
        if exists {
            Ok(())
        } else {
            Err(ENXIO)
        }
    }

    /// The node for the memory of the thread.
    pub(crate) fn node(&self) -> i32 {
        match *self {
            Affinity::Anywhere | Affinity::Cpus(_) => bindings::NUMA_NO_NODE,
            // SAFETY: The number is that of a possible CPU, by the invariants of `CpuId`.
            Affinity::Cpu(cpu) => unsafe { sys::threadline_cpu_node(cpu.as_u32()) },
            // Has passed `check`, so it is far from the largest `i32`.
            Affinity::Node(node) => node as i32,
        }
    }

    /// Ties the task to the place.
    ///
    /// Sleeps. Fails with [`ENOMEM`].
    ///
    /// # Safety
    ///
    /// The task must be one of `kthread_create_on_node()` that nobody has woken yet, nor tied to a
    /// place before.
    pub(crate) unsafe fn tie(&self, task: &Task) -> Result {
        match *self {
            // To its node it ties itself, when it begins.
            Affinity::Anywhere | Affinity::Node(_) => Ok(()),
            Affinity::Cpu(cpu) => {
                // SAFETY: By the safety requirements; the CPU is a possible one.
                unsafe { bindings::kthread_bind(task.as_ptr(), cpu.as_u32()) };
                Ok(())
            }
            Affinity::Cpus(mask) => {
                // SAFETY: By the safety requirements; the mask is copied.
                to_result(unsafe {
                    bindings::kthread_affine_preferred(task.as_ptr(), mask.as_raw())
                })
            }
        }
    }
}
