// SPDX-License-Identifier: GPL-2.0

//! The kernel's side of a thread's life: the task, and the three events of its life.
//!
//! C headers: [`include/linux/kthread.h`](srctree/include/linux/kthread.h),
//! [`include/linux/sched/signal.h`](srctree/include/linux/sched/signal.h)

use crate::{
    affinity::Affinity,
    alarm::Rung,
    anystop::Place,
    clock,
    events::Events,
    host::Host,
    life::{
        Life,
        Milestone,
        World, //
    },
    name::Plain,
    pause::Pause,
    priority::Priority,
    reach::{
        Ear,
        Reach,
        Reached, //
    },
    signal::Signal,
    site::Site,
    stop::Stop,
    sys,
    watch::Watch, //
};
use kernel::{
    bindings,
    error::from_err_ptr,
    ffi::{
        c_int,
        c_void, //
    },
    fmt,
    new_spinlock,
    prelude::*,
    sync::{
        aref::ARef,
        atomic::{
            Acquire,
            Atomic,
            Full, //
        },
        SetOnce,
        SpinLock, //
    },
    task::Task,
    time::{
        Delta,
        Jiffies, //
    }, //
};

/// What a new task runs.
pub(crate) type Entry = unsafe fn(*const Kthread);

/// The size of a task's name in the kernel, `TASK_COMM_LEN`.
pub(crate) const COMM_LEN: usize = 16;

/// When a killable wait of a thread was broken for the last time, in jiffies; see
/// [`Kthread::was_one_killed_since`].
static LAST_KILL: Atomic<usize> = Atomic::new(0);

/// Whether the caller is a task of the kernel's own: only these run threads and work items. Of a
/// user's task that calls the kernel it is sure that nobody in a net waits for it.
#[inline]
pub(crate) fn is_of_kernel() -> bool {
    // SAFETY: The current task is valid, and nobody but itself changes its flags.
    unsafe { (*Task::current_raw()).flags & bindings::PF_KTHREAD != 0 }
}

/// Calls `call`, which waits killably. [`EINTR`] instead if the caller is a thread that has been
/// asked to stop; if it is asked while it waits, that breaks the wait.
#[inline]
pub(crate) fn killable<R>(call: impl FnOnce() -> R) -> Result<R> {
    // SAFETY: The reference is used no longer than `call` runs, which the thread is busy with.
    match unsafe { Kthread::current() } {
        Some(kthread) => kthread.killable(call).ok_or(EINTR),
        None => Ok(call()),
    }
}

/// One kernel thread.
///
/// # Invariants
///
/// `task`, once set, is a task made by `kthread_create_on_node()`, whose function is
/// `threadline_thread()`, and `kthread_stop()` is called on it only by [`World::bury`], once. `entry` may
/// be called for this thread from when that is woken.
#[pin_data]
pub(crate) struct Kthread {
    entry: Entry,
    life: Life,
    task: SetOnce<ARef<Task>>,
    ear: Ear,
    pub(crate) rung: Rung,
    site: Site,
    watch: Watch,
    /// It stands still while the machine sleeps.
    freezable: bool,
    pub(crate) pause: Pause,
    #[pin]
    pub(crate) pausers: SpinLock<usize>,
    #[pin]
    events: Events,
}

impl Kthread {
    /// Without a task. Its stop is reported each time that so much time has passed.
    ///
    /// # Safety
    ///
    /// `entry` may be called for the thread from [`Self::wake`] on, or from when it is buried. The
    /// thread must live until what that calls has come to its end, but for the way out.
    pub(crate) unsafe fn new(
        entry: Entry,
        report_after: Option<Delta>,
        freezable: bool,
    ) -> impl PinInit<Self> {
        // INVARIANT: By the safety requirements; and there is no task yet.
        pin_init!(Self {
            entry,
            life: Life::new(),
            task: SetOnce::new(),
            ear: Ear::new(),
            rung: Rung::new(),
            site: Site::new(),
            watch: Watch::new(report_after),
            freezable,
            pause: Pause::new(),
            pausers <- new_spinlock!(0, "kthread::Kthread::pausers"),
            events <- Events::new(),
        })
    }

    /// Makes the task as it is to be. It does not run before [`Self::wake`].
    ///
    /// Sleeps. Fails with [`ENOMEM`], with [`ENXIO`] if there is no such place, or with [`EINTR`]
    /// if the caller was killed meanwhile, or is a thread that is stopped. The task may have been
    /// made all the same.
    ///
    /// # Safety
    ///
    /// `this` must live, and stay where it is, until the task is gone. To be called once.
    #[inline(never)]
    pub(crate) unsafe fn create(
        this: *const Self,
        name: &fmt::Arguments<'_>,
        affinity: &Affinity<'_>,
        priority: Option<Priority>,
    ) -> Result {
        affinity.check()?;
        // SAFETY: By the safety requirements.
        let kthread = unsafe { &*this };
        let plain = Plain::new(name);
        let format = plain
            .as_ref()
            .map_or(c"%pA".as_char_ptr(), Plain::as_char_ptr);
        // SAFETY: `%pA` takes a pointer to `fmt::Arguments`; a plain name takes nothing, and has no
        // use for it. Both live until the C function has formatted the name, before it returns. The
        // caller answers for `this`, which is what `threadline_enter` expects.
        let task = from_err_ptr(killable(|| unsafe {
            bindings::kthread_create_on_node(
                Some(sys::threadline_thread),
                this.cast_mut().cast::<c_void>(),
                affinity.node(),
                format,
                core::ptr::from_ref(name).cast::<c_void>(),
            )
        })?)?;
        // SAFETY: A task that has not been woken yet can't end, so it is valid. `Task` is a
        // transparent wrapper of `struct task_struct`.
        let task = unsafe { &*task.cast::<Task>() };
        // INVARIANT: The task comes from `kthread_create_on_node()`, and nobody knows it yet.
        kthread.task.populate(task.into());
        if let Some(priority) = priority {
            priority.give(task);
        }
        // SAFETY: As above; it sleeps until this has been called, the one time.
        unsafe { affinity.tie(task) }
    }

    /// The calling thread, if it is one of this copy of the library.
    ///
    /// # Safety
    ///
    /// What is returned must be used no longer than what the thread calls now is under way.
    #[inline]
    unsafe fn current<'a>() -> Option<&'a Self> {
        if is_of_kernel() {
            // SAFETY: By the safety requirements.
            unsafe { Self::current_of_kernel() }
        } else {
            None
        }
    }

    /// The same for a caller that is a task of the kernel's.
    ///
    /// # Safety
    ///
    /// As for [`Self::current`].
    #[inline(never)]
    unsafe fn current_of_kernel<'a>() -> Option<&'a Self> {
        let task = Task::current_raw();
        // SAFETY: The current task is valid.
        let function = unsafe { bindings::kthread_func(task) };
        if !core::ptr::addr_eq(function, sys::threadline_thread as *const c_void) {
            return None;
        }
        // SAFETY: A function in C has one address, which is no other's: that of a Rust function may
        // be either more than one or that of others too. Nobody but `create` hands it to
        // `kthread_create_on_node()`. So it says that the task was made there, and that its data
        // point to a thread: this one, which lives while it runs code that can call this.
        Some(unsafe { &*bindings::kthread_data(task).cast::<Self>() })
    }

    #[inline]
    pub(crate) fn task(&self) -> Option<&Task> {
        self.task.as_ref().map(|task| &**task)
    }

    #[inline]
    fn as_raw(&self) -> Option<*mut bindings::task_struct> {
        self.task().map(Task::as_ptr)
    }

    /// Lets the task run for the first time.
    pub(crate) fn wake(&self) {
        if let Some(task) = self.task() {
            task.wake_up();
        }
    }

    /// The number by which `ps` knows the thread.
    pub(crate) fn pid(&self) -> i32 {
        self.task().map_or(0, Task::pid)
    }

    /// The first 15 bytes of the thread's name, NUL-terminated.
    #[inline(never)]
    pub(crate) fn comm(&self) -> [u8; COMM_LEN] {
        let mut comm = [0; COMM_LEN];
        if let Some(task) = self.as_raw() {
            // SAFETY: The `ARef` keeps the task valid, and `comm` has room for a whole name.
            unsafe { sys::threadline_comm(task.cast(), comm.as_mut_ptr()) };
        }
        comm
    }

    /// Breaks all waits of a thread that is in [`Reach::killable`], or was. May be called in any
    /// context.
    #[inline(never)]
    fn kill_task(task: &Task) {
        // Noted first, so that whoever sees what the signal has caused sees this too.
        LAST_KILL.xchg(clock::jiffies(), Full);
        // SAFETY: The reference keeps the task valid; a task that has ended is left alone by
        // `send_sig()`. The last argument says that the kernel sends it.
        unsafe { bindings::send_sig(bindings::SIGKILL as i32, task.as_ptr(), 1) };
    }

    /// Sends the task a signal, not as from the kernel.
    pub(crate) fn send_signal(&self, signal: Signal) {
        let Some(task) = self.as_raw() else { return };
        // SAFETY: The `ARef` keeps the task valid; a task that has ended is left alone by
        // `send_sig()`.
        unsafe { bindings::send_sig(signal.number(), task, 0) };
    }

    /// Whether a killable wait of any thread has been broken since then, in jiffies.
    #[inline(never)]
    pub(crate) fn was_one_killed_since(then: Jiffies) -> bool {
        // Jiffies wrap around.
        LAST_KILL.load(Acquire).wrapping_sub(then) as isize >= 0
    }
}

/// What the function of all threads comes to, which is in `helpers.c`.
///
/// # Safety
///
/// `data` must point to a thread, which has been woken, or is buried.
#[no_mangle]
unsafe extern "C" fn threadline_enter(data: *mut c_void) -> c_int {
    let kthread = data.cast::<Kthread>().cast_const();
    // SAFETY: By the safety requirements.
    if unsafe { (*kthread).freezable } {
        // SAFETY: Changes a flag of the current task, under the freezer's lock; the caller may
        // sleep, and does so here if the machine is about to.
        unsafe { sys::set_freezable() };
    }
    // SAFETY: By the safety requirements and the type invariants.
    unsafe { ((*kthread).entry)(kthread) };
    // The result travels in the slot: this number tells nothing to anybody.
    0
}

impl Place for Kthread {
    fn site(&self) -> &Site {
        &self.site
    }

    fn pausing(&self) -> Option<&Kthread> {
        Some(self)
    }
}

impl Host for Kthread {
    type Stop = Stop;

    unsafe fn stop(&self) -> Stop {
        // SAFETY: By the safety requirements.
        unsafe { Stop::new(self) }
    }

    fn events(&self) -> &Events {
        &self.events
    }

    fn watch(&self) -> &Watch {
        &self.watch
    }

    fn name(&self, _body: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let comm = self.comm();
        let name = CStr::from_bytes_until_nul(&comm).unwrap_or(c"");
        f.write_fmt(fmt!("{name} (process {})", self.pid()))
    }

    fn show_stack(&self) {
        if let Some(task) = self.as_raw() {
            // SAFETY: The `ARef` keeps the task valid. If its stack is gone with its end, nothing is
            // logged.
            unsafe { sys::sched_show_task(task.cast()) };
        }
    }
}

impl World for Kthread {
    /// What `CLOCK_MONOTONIC` shows then, in nanoseconds.
    type Deadline = i64;

    fn life(&self) -> &Life {
        &self.life
    }

    #[inline]
    fn interrupt(&self) {
        self.reach();
    }

    #[inline(never)]
    fn forget_interrupts(&self) {
        // SAFETY: Touches the current task's pending signals only, under its lock.
        unsafe { sys::threadline_discard_signals() };
    }

    #[inline]
    fn is_current(&self) -> bool {
        self.as_raw() == Some(Task::current_raw())
    }

    #[inline(never)]
    fn bury(&self) {
        let Some(task) = self.as_raw() else { return };
        self.reach_beside_nudge();
        // Waits until the task has returned into the kernel proper and exited there: after this
        // it can't be in module code.
        //
        // SAFETY: The task is one of `kthread_create_on_node()` and the `ARef` keeps it valid,
        // ended or not. This is the only call on it by the type invariants and by `Protocol`, which
        // calls `bury` once; a task that has not been woken yet is woken by it.
        unsafe { bindings::kthread_stop(task) };
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

impl Reached for Kthread {
    fn ear(&self) -> &Ear {
        &self.ear
    }

    #[inline(never)]
    fn nudge(&self) {
        if let Some(task) = self.as_raw() {
            // SAFETY: The `ARef` keeps the task valid.
            unsafe { sys::threadline_nudge(task.cast()) };
        }
    }

    /// A kernel thread ignores all signals. This lets SIGKILL in when the kernel sends it, and
    /// only then: the `kill -9` of user space stays without effect.
    #[inline(never)]
    fn let_in(&self) {
        // SAFETY: Changes a signal action of the current task, under its lock.
        unsafe { sys::threadline_allow_kill() };
    }

    #[inline(never)]
    fn kill(&self) {
        self.task().map(Self::kill_task);
    }
}
