// SPDX-License-Identifier: GPL-2.0-only

//! A kernel thread, and the kernel around it as far as the protocol can tell.
//!
//! What is modelled of the kernel, traps included (`kernel/kthread.c`, `kernel/signal.c`):
//!
//! - a new task sleeps until it is woken, by its maker or by `kthread_stop()`;
//! - a `kthread_stop()` that comes before the task's first step makes it skip its function;
//! - `kthread_stop()` and a nudge break interruptible waits, and not killable ones;
//! - a second `kthread_stop()` on one task never returns: the event of its exit is `complete()`d
//!   for one;
//! - a nudge does not wake a new task up;
//! - a nudge is a flag, set and cleared without a lock, and ordered by nothing but what stands
//!   around that;
//! - a signal to a task that does not let it in is lost;
//! - other signals come too, and break interruptible waits.
//!
//! The kernel's locks are modelled one by one, so that nothing is ordered which is not ordered
//! there. The owner's side is that of `kernel/kthread/{block,thread,anystop,pausing}.rs`.

use std::sync::OnceLock;

use super::block::{Block, Outcome, Owned, Stopped};
use super::life::{Life, Milestone, NotGone, Protocol, World};
use super::pause::{Pausable, Pause};
use super::platform::{full_barrier, thread, Arc, AtomicFlag, Condvar, Mutex, Relaxed};
use super::reach::{Ear, Reach, Reached};

/// What a body returns.
pub type Result = std::result::Result<u32, Stopped>;

/// The body of a thread.
pub type Body = Box<dyn FnOnce(&Kthread) -> Result + Send>;

/// What the scheduler knows of the task.
#[derive(Default)]
struct Task {
    woken: bool,
    /// `KTHREAD_SHOULD_STOP`.
    should_stop: bool,
    /// What the body waits for has happened.
    awaited: bool,
}

/// What is known of its signals, under `siglock`.
#[derive(Default)]
struct Signals {
    /// A fatal signal is not ignored.
    lets_in: bool,
    /// A fatal signal is pending.
    killed: bool,
}

/// How a task waits.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wait {
    Interruptible,
    Killable,
}

/// A thread with what it shares with its owners.
pub struct Kthread {
    life: Life,
    task: Mutex<Task>,
    stirred: Condvar,
    signals: Mutex<Signals>,
    /// `TIF_NOTIFY_SIGNAL`, which breaks interruptible waits.
    notified: AtomicFlag,
    /// How many may still learn that the task has exited.
    exited: Mutex<usize>,
    exit: Condvar,
    current: OnceLock<thread::ThreadId>,
    ear: Ear,
    pause: Pause,
    pausers: Mutex<usize>,
    /// Who waits for the thread to hold still is killed.
    pub kills_pausers: AtomicFlag,
    block: Block<Body>,
}

impl Kthread {
    /// Makes the task, which does not run before [`Self::wake`].
    pub fn create(body: impl FnOnce(&Kthread) -> Result + Send + 'static) -> Arc<Self> {
        let kthread = Arc::new(Self {
            life: Life::new(),
            task: Mutex::new(Task::default()),
            stirred: Condvar::new(),
            signals: Mutex::new(Signals::default()),
            notified: AtomicFlag::new(false),
            exited: Mutex::new(0),
            exit: Condvar::new(),
            current: OnceLock::new(),
            ear: Ear::new(),
            pause: Pause::new(),
            pausers: Mutex::new(0),
            kills_pausers: AtomicFlag::new(false),
            block: Block::new(Box::new(body)),
        });
        thread::spawn({
            let kthread = kthread.clone();
            move || kthread.task()
        });
        kthread
    }

    /// Makes the task and lets it run.
    pub fn spawn(body: impl FnOnce(&Kthread) -> Result + Send + 'static) -> Arc<Self> {
        let kthread = Self::create(body);
        kthread.wake();
        kthread
    }

    pub fn wake(&self) {
        self.wake_for(|task| task.woken = true);
    }

    /// `kthread()`, what a task does.
    fn task(&self) {
        self.current.set(thread::current().id()).unwrap();
        let mut task = self.task.lock().unwrap();
        while !task.woken {
            task = self.stirred.wait(task).unwrap();
        }
        let skip = task.should_stop;
        drop(task);
        if !skip {
            self.block.inside.store(true, Relaxed);
            self.run(|| self.work());
            self.block.inside.store(false, Relaxed);
        }
        *self.exited.lock().unwrap() += 1;
        self.exit.notify_one();
    }

    fn work(&self) {
        let Some(body) = self.block.hold.lock().unwrap().begin() else {
            return;
        };
        let result = body(self);
        assert!(!self.life.is_ended(), "its body runs");
        self.block.hold.lock().unwrap().end(result);
    }

    /// A wake-up, because of a change that was made before it or is made by it.
    fn wake_for(&self, change: impl FnOnce(&mut Task)) {
        change(&mut self.task.lock().unwrap());
        self.stirred.notify_all();
    }

    /// A signal from elsewhere, or a wake-up that was meant for another wait.
    pub fn disturb(&self) {
        self.nudge();
    }

    /// What the body waits for happens.
    pub fn give(&self) {
        self.wake_for(|task| task.awaited = true);
    }

    /// Whether something is pending that breaks such a wait.
    fn is_broken(&self, wait: Wait) -> bool {
        self.is_killed() || (wait == Wait::Interruptible && self.notified.load(Relaxed))
    }

    /// Sleeps until that has happened, `true`, or a signal breaks the wait.
    fn sleep(&self, wait: Wait) -> bool {
        let mut task = self.task.lock().unwrap();
        loop {
            if task.awaited {
                return true;
            }
            if self.is_broken(wait) {
                return false;
            }
            task = self.stirred.wait(task).unwrap();
        }
    }

    /// A wait of the body's, through its `Stop`.
    pub fn wait(&self) -> std::result::Result<(), Stopped> {
        loop {
            if self.life.is_asked() {
                return Err(Stopped);
            }
            if self.sleep(Wait::Interruptible) {
                return Ok(());
            }
            self.broken(|| self.life.is_asked());
        }
    }

    /// The same, where it can be paused: the others can't, to have fewer orders. One that
    /// `leaves` gives its place up then, and is over after the pause.
    pub fn wait_pausable(&self, leaves: bool) -> std::result::Result<(), Stopped> {
        let broken = || self.broken(|| self.life.is_asked());
        let mut has_left = false;
        loop {
            if self.life.is_asked() {
                return Err(Stopped);
            }
            if has_left {
                return Ok(());
            }
            match self.doze(|| self.sleep(Wait::Interruptible), broken) {
                Some(true) => return Ok(()),
                Some(false) => broken(),
                None => {
                    self.hold(broken);
                    has_left = leaves;
                }
            }
        }
    }

    /// A wait of the body's that it shields from a stop.
    pub fn wait_shielded(&self) {
        while !self.sleep(Wait::Interruptible) {
            self.broken(|| false);
        }
    }

    /// A killable wait of the kernel's, by `Stop::killable()`.
    pub fn wait_killable(&self) -> std::result::Result<(), Stopped> {
        self.in_killable(|| self.sleep_killable())
    }

    /// `Stop::killable()` with a function that fails if a wait of its was broken.
    pub fn in_killable(&self, call: impl FnOnce() -> bool) -> std::result::Result<(), Stopped> {
        match self.killable(call) {
            Some(true) => Ok(()),
            _ => {
                assert!(self.life.is_asked(), "broken by nobody");
                Err(Stopped)
            }
        }
    }

    /// That wait itself: it knows nothing of the flag. `false` if it was broken.
    pub fn sleep_killable(&self) -> bool {
        self.sleep(Wait::Killable)
    }

    /// Whether a signal is pending that the kernel has sent.
    pub fn is_killed(&self) -> bool {
        self.signals.lock().unwrap().killed
    }

    /// Whether nothing is pending that breaks its waits.
    pub fn is_undisturbed(&self) -> bool {
        !self.is_broken(Wait::Interruptible)
    }

    /// An interruptible wait of the kernel's own, in a function that the body calls: it knows
    /// nothing of the flag. `false` if it was broken.
    pub fn wait_in_kernel(&self) -> bool {
        self.sleep(Wait::Interruptible)
    }

    /// `Thread::wait_ready()`.
    pub fn wait_ready(&self) {
        if !self.life.is_ready() {
            self.block.events.wait(Milestone::Ready);
        }
        assert!(self.life.is_ready() || self.life.is_ended(), "told so");
    }

    /// `Thread::join_within()`: `None` if the time was over first.
    pub fn join_within_outcome(&self) -> Option<Outcome> {
        match self.join_until((), || self.settle()) {
            Ok(()) => Some(self.outcome()),
            Err(NotGone::OwnEnd) => Some(Outcome::Itself),
            Err(NotGone::TooEarly) => None,
        }
    }
}

impl Owned for Kthread {
    type Body = Body;

    fn block(&self) -> &Block<Body> {
        &self.block
    }
}

impl World for Kthread {
    type Deadline = ();

    fn life(&self) -> &Life {
        &self.life
    }

    fn interrupt(&self) {
        self.reach();
    }

    fn forget_interrupts(&self) {
        // `clear_notify_signal()`, which ends with this barrier.
        self.notified.store(false, Relaxed);
        full_barrier();
        self.signals.lock().unwrap().killed = false;
    }

    fn is_current(&self) -> bool {
        self.current.get() == Some(&thread::current().id())
    }

    fn bury(&self) {
        self.reach_beside_nudge();
        self.notified.store(true, Relaxed);
        self.wake_for(|task| {
            task.should_stop = true;
            task.woken = true;
        });
        let mut exited = self.exited.lock().unwrap();
        while *exited == 0 {
            exited = self.exit.wait(exited).unwrap();
        }
        *exited -= 1;
    }

    fn announce(&self, milestone: Milestone) {
        self.block.events.announce(milestone);
        // In the kernel it is one queue.
        self.stir();
    }

    fn wait_for(&self, milestone: Milestone) {
        self.block.events.wait(milestone);
    }

    fn wait_until(&self, milestone: Milestone, (): ()) -> bool {
        self.block.events.is_reached(milestone)
    }
}

impl Reached for Kthread {
    fn ear(&self) -> &Ear {
        &self.ear
    }

    fn nudge(&self) {
        self.notified.store(true, Relaxed);
        self.wake_for(|_| ());
    }

    fn let_in(&self) {
        self.signals.lock().unwrap().lets_in = true;
    }

    fn kill(&self) {
        let mut signals = self.signals.lock().unwrap();
        signals.killed |= signals.lets_in;
        drop(signals);
        self.wake_for(|_| ());
    }
}

impl Pausable for Kthread {
    fn pause(&self) -> &Pause {
        &self.pause
    }

    fn with_pausers<R>(&self, change: impl FnOnce(&mut usize) -> R) -> R {
        change(&mut self.pausers.lock().unwrap())
    }

    fn stir(&self) {
        self.wake_for(|_| ());
    }

    fn wait_still(&self) -> bool {
        let mut task = self.task.lock().unwrap();
        while !self.is_still() {
            if self.kills_pausers.load(Relaxed) {
                return false;
            }
            task = self.stirred.wait(task).unwrap();
        }
        true
    }

    fn wait_to_go(&self) {
        let mut task = self.task.lock().unwrap();
        while self.should_hold() && !self.is_broken(Wait::Interruptible) {
            task = self.stirred.wait(task).unwrap();
        }
    }
}
