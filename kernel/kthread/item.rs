// SPDX-License-Identifier: GPL-2.0

//! The kernel's side of a work item's life: its place in a workqueue, and the worker that runs it.
//!
//! A worker belongs to the kernel and serves many. So a stop does not send it a signal, which might
//! hit whatever it does next, but sets the flag by which `kthread_stop()` too breaks interruptible
//! waits, and only while the worker runs the body. Killable waits are not broken by that.
//!
//! C header: [`include/linux/workqueue.h`](srctree/include/linux/workqueue.h)

use crate::{
    anystop::{
        AnyStop,
        Place, //
    },
    events::Events,
    host::Host,
    life::{
        Life,
        Milestone,
        World, //
    },
    rounds::{
        Queued,
        Rounds, //
    },
    site::Site,
    sys,
    task::Kthread,
    watch::Watch, //
};
use core::{
    cell::UnsafeCell,
    ptr, //
};
use kernel::{
    bindings,
    container_of,
    ffi::{
        c_int,
        c_ulong,
        c_void, //
    },
    fmt,
    prelude::*,
    sync::LockClassKey,
    time::Jiffies,
    types::Opaque, //
};

/// The function that a worker calls for each round.
pub(crate) type Entry = unsafe extern "C" fn(*mut bindings::work_struct);

/// One work item.
///
/// # Invariants
///
/// `work` is initialised, with a function that may be called until [`World::bury`] has returned,
/// which it has before the item is freed, if it was ever queued. `worker` is only touched by the
/// helpers, which set it to the task that runs a round, or to null.
#[pin_data]
pub(crate) struct Item {
    life: Life,
    site: Site,
    watch: Watch,
    worker: UnsafeCell<*mut c_void>,
    /// Whether it may have rounds after the first.
    recurs: bool,
    #[pin]
    work: Opaque<bindings::delayed_work>,
    /// Of its own, since one item may wait for another, which lockdep would take for itself.
    ///
    /// The worker uses it, by its copy of the work's lockdep map, until shortly after the function
    /// has returned. That is over when [`World::bury`] returns, before which the item's block is
    /// not freed. Its drop sleeps where lockdep is on, so the last reference to a block must not
    /// go in atomic context; whoever has one may sleep anyway.
    #[pin]
    key: LockClassKey,
    #[pin]
    events: Events,
}

// SAFETY: Nothing in it belongs to a task: `work` may be used from any, and so may the helpers.
unsafe impl Send for Item {}

// SAFETY: Workqueues lock what they do to `work`; the helpers that touch `worker` have a lock, but
// for the one that only compares it.
unsafe impl Sync for Item {}

impl Item {
    /// An item that is not queued. Its function `entry` makes a [round](Rounds::round); there may
    /// be others after the first if it `recurs`.
    ///
    /// # Safety
    ///
    /// `entry` may be called for the item from when that is queued, hurried or asked to stop until
    /// it has been buried. It must be buried before it is freed then.
    pub(crate) unsafe fn new(entry: Entry, recurs: bool) -> impl PinInit<Self> {
        // INVARIANT: By the safety requirements; and no worker runs it yet.
        pin_init!(&this in Self {
            life: Life::new(),
            site: Site::new(),
            watch: Watch::new(None),
            worker: UnsafeCell::new(ptr::null_mut()),
            recurs,
            key <- LockClassKey::new_dynamic(),
            work <- Opaque::ffi_init(|slot: *mut bindings::delayed_work| {
                // SAFETY: `slot` is valid for writes and stays where it is, as it is pinned. The
                // key has been initialised before, and lives as long.
                unsafe { Self::init_work(slot, entry, (*this.as_ptr()).key.as_ptr()) };
            }),
            events <- Events::new(),
        })
    }

    /// Initialises `slot`.
    ///
    /// # Safety
    ///
    /// It must be valid for writes and stay where it is, and the key be valid for as long.
    #[inline(never)]
    unsafe fn init_work(
        slot: *mut bindings::delayed_work,
        entry: Entry,
        key: *mut bindings::lock_class_key,
    ) {
        let name = c"kthread::Work".as_char_ptr();
        // SAFETY: By the safety requirements.
        unsafe {
            bindings::init_work_with_key(&raw mut (*slot).work, Some(entry), false, name, key);
            sys::threadline_init_delay(&raw mut (*slot).timer);
        }
    }

    /// The item that a worker's function has been called for.
    ///
    /// # Safety
    ///
    /// `work` must be that of an item. The result may be followed as long as that lives.
    pub(crate) unsafe fn from_work(work: *mut bindings::work_struct) -> *mut Self {
        // SAFETY: By the safety requirements, `work` is that field in the field of an item.
        unsafe {
            let delayed = container_of!(work, bindings::delayed_work, work);
            container_of!(Opaque::cast_from(delayed).cast_mut(), Self, work)
        }
    }
}

impl Place for Item {
    fn site(&self) -> &Site {
        &self.site
    }

    /// A worker that held still would keep others waiting that know nothing of it.
    fn pausing(&self) -> Option<&Kthread> {
        None
    }
}

impl Host for Item {
    type Stop = AnyStop;

    unsafe fn stop(&self) -> AnyStop {
        // SAFETY: By the safety requirements.
        unsafe { AnyStop::new(self) }
    }

    fn events(&self) -> &Events {
        &self.events
    }

    fn watch(&self) -> &Watch {
        &self.watch
    }

    /// It has no name of its own.
    fn name(&self, body: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_fmt(fmt!("the work item {body}"))
    }
}

impl World for Item {
    /// What `CLOCK_MONOTONIC` shows then, in nanoseconds.
    type Deadline = i64;

    fn life(&self) -> &Life {
        &self.life
    }

    fn interrupt(&self) {
        self.reach();
    }

    #[inline(never)]
    fn forget_interrupts(&self) {
        // SAFETY: Touches a flag of the current task.
        unsafe { sys::threadline_worker_forget() };
    }

    #[inline(never)]
    fn is_current(&self) -> bool {
        // SAFETY: The pointer is valid, and what it points to is only compared.
        unsafe { sys::threadline_worker_is_current(self.worker.get()) }
    }

    /// Takes the item out of the queue, or waits until the worker has returned from its function.
    #[inline(never)]
    fn bury(&self) {
        self.nudge();
        // For good: the function is not called any more, whoever is in a hurry.
        //
        // SAFETY: `work` is initialised, and the caller may sleep. It is not the worker, as
        // `Protocol` has made sure.
        unsafe { bindings::disable_delayed_work_sync(self.work.get()) };
    }

    fn announce(&self, milestone: Milestone) {
        self.events.announce(milestone);
    }

    fn wait_for(&self, milestone: Milestone) {
        self.events.wait_for(milestone);
    }

    fn wait_until(&self, milestone: Milestone, deadline: Self::Deadline) -> bool {
        self.events.wait_until(milestone, deadline)
    }
}

impl Queued for Item {
    /// In the kernel's timer ticks.
    type Delay = Jiffies;

    fn recurs(&self) -> bool {
        self.recurs
    }

    /// Never sleeps; any context will do.
    #[inline(never)]
    fn queue(&self, delay: Jiffies) {
        // SAFETY: `work` is initialised, and its function may be called, by the type invariants;
        // the workqueue exists for ever.
        unsafe {
            bindings::queue_delayed_work_on(
                bindings::wq_misc_consts_WORK_CPU_UNBOUND as c_int,
                bindings::system_dfl_wq,
                self.work.get(),
                delay as c_ulong,
            )
        };
    }

    /// Never sleeps; any context will do.
    #[inline(never)]
    fn hurry(&self) {
        // SAFETY: As for `queue`.
        unsafe {
            bindings::mod_delayed_work_on(
                bindings::wq_misc_consts_WORK_CPU_UNBOUND as c_int,
                bindings::system_dfl_wq,
                self.work.get(),
                0,
            )
        };
    }

    #[inline(never)]
    fn listen(&self) {
        // INVARIANT: The current task is the worker that runs the round.
        //
        // SAFETY: The pointer is valid.
        unsafe { sys::threadline_worker_enter(self.worker.get()) };
    }

    #[inline(never)]
    fn nudge(&self) {
        // SAFETY: The pointer is valid. A task in `worker` runs a round, so it is valid for as long
        // as the helper has the lock, which the worker takes before it goes on.
        unsafe { sys::threadline_worker_interrupt(self.worker.get()) };
    }

    #[inline(never)]
    fn leave(&self) {
        // INVARIANT: It becomes null.
        //
        // SAFETY: The pointer is valid.
        unsafe { sys::threadline_worker_leave(self.worker.get()) };
    }
}
