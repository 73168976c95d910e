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
//! - a signal to a task that does not let it in is lost;
//! - other signals come too, and break interruptible waits.
//!
//! The kernel's locks are modelled one by one, so that nothing is ordered which is not ordered
//! there. The owner's side is that of `kernel/kthread/{block,thread,anystop}.rs`.

use std::sync::OnceLock;

use super::block::{Block, Outcome, Owned, Stopped};
use super::life::{Life, Milestone, NotGone, Protocol, World};
use super::platform::{thread, Arc, Condvar, Mutex, Relaxed};
use super::reach::{Ear, Reach, Reached};

/// What a body returns.
pub type Result = std::result::Result<u32, Stopped>;

/// The body of a thread.
pub type Body = Box<dyn FnOnce(&Kthread) -> Result + Send>;

/// What scheduler and signal code know of the task.
#[derive(Default)]
struct Task {
    woken: bool,
    /// `KTHREAD_SHOULD_STOP`.
    should_stop: bool,
    /// A fatal signal is not ignored.
    lets_in: bool,
    /// A fatal signal is pending.
    killed: bool,
    /// Something else is pending that breaks interruptible waits.
    notified: bool,
    /// What the body waits for has happened.
    awaited: bool,
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
    /// How many may still learn that the task has exited.
    exited: Mutex<usize>,
    exit: Condvar,
    current: OnceLock<thread::ThreadId>,
    ear: Ear,
    block: Block<Body>,
}

impl Kthread {
    /// Makes the task, which does not run before [`Self::wake`].
    pub fn create(body: impl FnOnce(&Kthread) -> Result + Send + 'static) -> Arc<Self> {
        let kthread = Arc::new(Self {
            life: Life::new(),
            task: Mutex::new(Task::default()),
            stirred: Condvar::new(),
            exited: Mutex::new(0),
            exit: Condvar::new(),
            current: OnceLock::new(),
            ear: Ear::new(),
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
        self.stir(|task| task.woken = true);
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

    fn stir(&self, change: impl FnOnce(&mut Task)) {
        change(&mut self.task.lock().unwrap());
        self.stirred.notify_all();
    }

    /// A signal from elsewhere, or a wake-up that was meant for another wait.
    pub fn disturb(&self) {
        self.stir(|task| task.notified = true);
    }

    /// What the body waits for happens.
    pub fn give(&self) {
        self.stir(|task| task.awaited = true);
    }

    /// Sleeps until that has happened, `true`, or a signal breaks the wait.
    fn sleep(&self, wait: Wait) -> bool {
        let mut task = self.task.lock().unwrap();
        loop {
            if task.awaited {
                return true;
            }
            if task.killed || (task.notified && wait == Wait::Interruptible) {
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
        self.task.lock().unwrap().killed
    }

    /// Whether nothing is pending that breaks its waits.
    pub fn is_undisturbed(&self) -> bool {
        !self.task.lock().unwrap().notified
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
        let mut task = self.task.lock().unwrap();
        task.killed = false;
        task.notified = false;
    }

    fn is_current(&self) -> bool {
        self.current.get() == Some(&thread::current().id())
    }

    fn bury(&self) {
        self.reach_beside_nudge();
        self.stir(|task| {
            task.should_stop = true;
            task.notified = true;
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
        self.stir(|task| task.notified = true);
    }

    fn let_in(&self) {
        self.task.lock().unwrap().lets_in = true;
    }

    fn kill(&self) {
        self.stir(|task| task.killed |= task.lets_in);
    }
}
