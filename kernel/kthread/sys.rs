// SPDX-License-Identifier: GPL-2.0

//! Declarations of `helpers.c`, for the inline functions of C headers, and of what the kernel
//! exports without a binding. Modules, tasks and rt_mutexes are untyped addresses here: they only
//! pass through.

use crate::{
    events::IsOver,
    lookout::{
        Expired,
        Look, //
    }, //
};
use kernel::{
    bindings,
    ffi::{
        c_int,
        c_void, //
    },
    time::Jiffies, //
};

extern "C" {
    pub(crate) fn threadline_nets_lock() -> *mut bindings::mutex;
    pub(crate) fn threadline_within_module(module: *const c_void, address: *const c_void) -> bool;
    pub(crate) fn threadline_pin_module(module: *mut c_void) -> bool;
    pub(crate) fn threadline_allow_kill();
    pub(crate) fn threadline_discard_signals();
    pub(crate) fn threadline_listen(signal: c_int);
    pub(crate) fn threadline_take_signals() -> u64;
    pub(crate) fn threadline_sleep_until(ns: i64) -> bool;
    pub(crate) fn threadline_sleep_unblocked_until(ns: i64);
    pub(crate) fn set_freezable() -> bool;
    pub(crate) fn sched_show_task(task: *mut c_void);
    pub(crate) fn threadline_wait_until(completion: *mut bindings::completion, ns: i64) -> bool;
    pub(crate) fn threadline_comm(task: *mut c_void, comm: *mut u8);
    pub(crate) fn threadline_nudge(task: *mut c_void);
    pub(crate) fn threadline_worker_enter(worker: *mut *mut c_void);
    pub(crate) fn threadline_worker_leave(worker: *mut *mut c_void);
    pub(crate) fn threadline_worker_interrupt(worker: *mut *mut c_void);
    pub(crate) fn threadline_worker_forget();
    pub(crate) fn threadline_worker_is_current(worker: *mut *mut c_void) -> bool;
    pub(crate) fn threadline_reinit_completion(completion: *mut bindings::completion);
    pub(crate) fn threadline_thread(thread: *mut c_void) -> c_int;
    pub(crate) fn threadline_init_queue(queue: *mut bindings::wait_queue_head);
    pub(crate) fn threadline_wake_queue(queue: *mut bindings::wait_queue_head);
    pub(crate) fn threadline_wait_reached(
        queue: *mut bindings::wait_queue_head,
        reached: *const c_int,
        number: c_int,
    );
    pub(crate) fn threadline_wait_reached_killable(
        queue: *mut bindings::wait_queue_head,
        reached: *const c_int,
        number: c_int,
    ) -> bool;
    pub(crate) fn threadline_wait_killable_for(
        queue: *mut bindings::wait_queue_head,
        over: IsOver,
        what: *const c_void,
    ) -> bool;
    pub(crate) fn threadline_sleep_for(
        queue: *mut bindings::wait_queue_head,
        over: IsOver,
        what: *const c_void,
    );
    pub(crate) fn threadline_wait_reached_until(
        queue: *mut bindings::wait_queue_head,
        reached: *const c_int,
        number: c_int,
        ns: i64,
    ) -> bool;
    pub(crate) fn threadline_wait_reached_breakable(
        queue: *mut bindings::wait_queue_head,
        reached: *const c_int,
        number: c_int,
        ns: i64,
    ) -> bool;
    pub(crate) fn threadline_wait_begin(
        queue: *mut bindings::wait_queue_head,
        waiter: *mut bindings::wait_queue_entry,
    );
    pub(crate) fn threadline_wait_woken(waiter: *mut bindings::wait_queue_entry, ns: i64) -> bool;
    pub(crate) fn threadline_wait_end(
        queue: *mut bindings::wait_queue_head,
        waiter: *mut bindings::wait_queue_entry,
    ) -> bool;
    pub(crate) fn threadline_rt_mutex_lock_until(mutex: *mut c_void, ns: i64) -> bool;
    pub(crate) fn threadline_jiffies() -> Jiffies;
    pub(crate) fn threadline_init_timer(timer: *mut bindings::timer_list, expired: Expired);
    pub(crate) fn threadline_timer_within(timer: *mut bindings::timer_list, ticks: Jiffies);
    pub(crate) fn threadline_init_work(work: *mut bindings::work_struct, function: Look);
    pub(crate) fn threadline_queue_work(work: *mut bindings::work_struct);
    pub(crate) fn threadline_init_delay(timer: *mut bindings::timer_list);
    pub(crate) fn threadline_rt_mutex_lock(mutex: *mut c_void);
    pub(crate) fn threadline_rt_mutex_assert_held(mutex: *const c_void);
    pub(crate) fn threadline_cpu_online(cpu: u32) -> bool;
    pub(crate) fn threadline_any_online(mask: *const bindings::cpumask) -> bool;
    pub(crate) fn threadline_node_online(node: u32) -> bool;
    pub(crate) fn threadline_cpu_node(cpu: u32) -> i32;
}
