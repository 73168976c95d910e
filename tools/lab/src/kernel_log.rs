//! Which lines of a kernel's log mean that the kernel has something to report.

/// The beginnings of the kernel's own reports, as they stand in the source of
/// Linux 7.3 (`kernel/panic.c`, `lib/bug.c`, `mm/kasan`, `kernel/hung_task.c`, …).
const REPORTS: [&str; 25] = [
    "WARNING: ",
    "BUG: ",
    // What the slab allocator says of a cache, whose name follows.
    "] BUG ",
    "ODEBUG: ",
    "held lock freed",
    "non-static key",
    "kernel BUG at",
    "Oops",
    "general protection fault",
    "Unable to handle kernel",
    "invalid opcode",
    "Kernel panic",
    "refcount_t: ",
    "list_add corruption",
    "list_del corruption",
    "blocked for more than",
    "rcu: INFO:",
    "detected stall",
    "soft lockup",
    "possible recursive locking",
    "possible circular locking",
    "sysfs: cannot create duplicate",
    "unreferenced object",
    "rust_kernel: panicked",
    "enqueued on deprecated workqueue",
];

/// Whether `line` is a report that no scenario may cause.
pub fn is_report(line: &str) -> bool {
    REPORTS.iter().any(|report| line.contains(report))
}

#[cfg(test)]
mod tests {
    use super::is_report;

    #[test]
    fn reports_are_known() {
        for line in [
            "WARNING: CPU: 0 PID: 1 at kernel/kthread.c:76 kthread_stop+0x1/0x2",
            "INFO: task khubd:1 blocked for more than 120 seconds.",
            "refcount_t: underflow; use-after-free.",
            "Oops: int3: 0000 [#1] SMP NOPTI",
            "[    5.130214] BUG kmalloc-64 (Tainted: G           O       ): Poison overwritten",
            "ODEBUG: free active (active state 0) object type: work_struct",
            "INFO: trying to register non-static key.",
            "BUG: KASAN: slab-use-after-free in commit+0x1c/0x40 [faults]",
            "WARNING: possible circular locking dependency detected",
            "WARNING: suspicious RCU usage",
            "BUG: sleeping function called from invalid context at kernel/locking/mutex.c:613",
            "workqueue: work func run [usbatm] enqueued on deprecated workqueue. Use …",
        ] {
            assert!(is_report(line), "{line}");
        }
    }

    #[test]
    fn ordinary_lines_are_not() {
        for line in [
            "speedtch 9-1:1.0: found stage 1 firmware",
            "usbatm: loading out-of-tree module taints kernel.",
        ] {
            assert!(!is_report(line), "{line}");
        }
    }
}
