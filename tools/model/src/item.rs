// SPDX-License-Identifier: GPL-2.0-only

//! A work item, and the workqueue around it as far as the protocol can tell.
//!
//! What is modelled of the kernel, traps included (`kernel/workqueue.c`):
//!
//! - an item is in the queue once or not at all: to queue it again does nothing, and to hurry it
//!   only puts it forward;
//! - it leaves the queue before its function is called, so that it may be queued again while that
//!   runs, and is called again then, but never by two workers at once;
//! - a delay may be over at any moment, or be so long that nobody sees its end;
//! - a disabled item is not queued any more, but whoever disables it without waiting has its
//!   function still running;
//! - the worker turns to others after the function: what is sent to it then hits those.
//!
//! Locks are modelled one by one. The owner's side is that of `kernel/kthread/{block,chore,work}.rs`.

use super::block::{Block, Owned, Stopped};
use super::life::{Life, Milestone, Protocol, World};
use super::platform::{thread, Arc, Condvar, Mutex, Relaxed};
use super::rounds::{Queued, Rounds};

/// How long a round may be off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delay {
    /// It is over at any moment.
    Short,
    /// It is not over before the end of the scenario.
    ForEver,
}

/// How the body of a chore goes on.
pub enum Again {
    After(Delay),
    Never(u32),
}

/// What a body returns.
pub type Result = std::result::Result<Again, Stopped>;

/// The body of a chore.
pub type Body = Box<dyn FnMut(&Item) -> Result + Send>;

/// The item in its queue.
#[derive(Default)]
struct Place {
    /// Where it is in the queue, when it is due.
    due: Option<Delay>,
    runs: bool,
    disabled: bool,
}

/// What scheduler and signal code know of the worker.
#[derive(Default)]
struct Task {
    /// Something is pending that breaks interruptible waits.
    notified: bool,
    /// What the body waits for has happened.
    awaited: bool,
}

/// A work item with what it shares with its owners.
pub struct Item {
    life: Life,
    recurs: bool,
    place: Mutex<Place>,
    moved: Condvar,
    task: Mutex<Task>,
    stirred: Condvar,
    /// The worker while it listens, as the library notes it.
    worker: Mutex<Option<thread::ThreadId>>,
    block: Block<Body>,
}

impl Item {
    /// Makes an item, and the worker that would run it, but does not queue it.
    fn create(recurs: bool, body: impl FnMut(&Item) -> Result + Send + 'static) -> Arc<Self> {
        let item = Arc::new(Self {
            life: Life::new(),
            recurs,
            place: Mutex::new(Place::default()),
            moved: Condvar::new(),
            task: Mutex::new(Task::default()),
            stirred: Condvar::new(),
            worker: Mutex::new(None),
            block: Block::new(Box::new(body)),
        });
        thread::spawn({
            let item = item.clone();
            move || item.work_loop()
        });
        item
    }

    /// `Chore::start()`, but for the last step, which is to queue it.
    pub fn chore(body: impl FnMut(&Item) -> Result + Send + 'static) -> Arc<Self> {
        Self::create(true, body)
    }

    /// `Chore::start()`.
    pub fn start(first: Delay, body: impl FnMut(&Item) -> Result + Send + 'static) -> Arc<Self> {
        let item = Self::chore(body);
        item.queue(first);
        item
    }

    /// `Work::queue()`.
    pub fn work(
        body: impl FnOnce(&Item) -> std::result::Result<u32, Stopped> + Send + 'static,
    ) -> Arc<Self> {
        let mut body = Some(body);
        let item = Self::create(false, move |item| {
            let body = body.take().expect("a work item runs once");
            body(item).map(Again::Never)
        });
        item.queue(Delay::Short);
        item
    }

    /// `worker_thread()`, as far as it has to do with this item.
    fn work_loop(&self) {
        let mut place = self.place.lock().unwrap();
        loop {
            if place.due == Some(Delay::Short) {
                place.due = None;
                place.runs = true;
                drop(place);
                self.function();
                place = self.place.lock().unwrap();
                place.runs = false;
                self.moved.notify_all();
            } else if place.disabled {
                return;
            } else {
                place = self.moved.wait(place).unwrap();
            }
        }
    }

    /// The item's function, and what the worker finds after it.
    fn function(&self) {
        self.block.inside.store(true, Relaxed);
        self.round(|| self.call());
        self.block.inside.store(false, Relaxed);
        let notified = self.task.lock().unwrap().notified;
        assert!(
            !notified,
            "meant for the item, and left to the next in line"
        );
    }

    /// `Block::round()`.
    fn call(&self) -> Option<Delay> {
        let mut body = self.block.hold.lock().unwrap().begin()?;
        let result = body(self);
        assert!(!self.life.is_ended(), "its body runs");
        let last = match result {
            Ok(Again::After(delay)) => {
                self.block.hold.lock().unwrap().wait(body);
                return Some(delay);
            }
            Ok(Again::Never(value)) => Ok(value),
            Err(stopped) => Err(stopped),
        };
        drop(body);
        self.block.hold.lock().unwrap().end(last);
        None
    }

    fn stir(&self, change: impl FnOnce(&mut Task)) {
        change(&mut self.task.lock().unwrap());
        self.stirred.notify_all();
    }

    /// A wake-up that was meant for another wait.
    pub fn disturb(&self) {
        let worker = self.worker.lock().unwrap();
        if worker.is_some() {
            self.stir(|task| task.notified = true);
        }
    }

    /// What the body waits for happens.
    pub fn give(&self) {
        self.stir(|task| task.awaited = true);
    }

    /// Sleeps until that has happened, `true`, or the wait is broken.
    fn sleep(&self) -> bool {
        let mut task = self.task.lock().unwrap();
        while !task.awaited && !task.notified {
            task = self.stirred.wait(task).unwrap();
        }
        task.awaited
    }

    /// A wait of the body's, through its `AnyStop`.
    pub fn wait(&self) -> std::result::Result<(), Stopped> {
        loop {
            if self.life.is_asked() {
                return Err(Stopped);
            }
            if self.sleep() {
                return Ok(());
            }
            self.broken(|| self.life.is_asked());
        }
    }

    /// An interruptible wait of the kernel's own, in a function that the body calls: it knows
    /// nothing of the flag. `false` if it was broken.
    pub fn wait_in_kernel(&self) -> bool {
        self.sleep()
    }

    /// `Bell::ring()`.
    pub fn ring(&self) {
        self.hurry();
    }
}

impl Owned for Item {
    type Body = Body;

    fn block(&self) -> &Block<Body> {
        &self.block
    }
}

impl World for Item {
    type Deadline = ();

    fn life(&self) -> &Life {
        &self.life
    }

    fn interrupt(&self) {
        self.reach();
    }

    fn forget_interrupts(&self) {
        self.task.lock().unwrap().notified = false;
    }

    fn is_current(&self) -> bool {
        *self.worker.lock().unwrap() == Some(thread::current().id())
    }

    /// `disable_delayed_work_sync()`, after a nudge.
    fn bury(&self) {
        self.nudge();
        let mut place = self.place.lock().unwrap();
        place.disabled = true;
        place.due = None;
        self.moved.notify_all();
        while place.runs {
            place = self.moved.wait(place).unwrap();
        }
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

impl Queued for Item {
    type Delay = Delay;

    fn recurs(&self) -> bool {
        self.recurs
    }

    /// `queue_delayed_work()`.
    fn queue(&self, delay: Delay) {
        let mut place = self.place.lock().unwrap();
        if place.due.is_none() && !place.disabled {
            place.due = Some(delay);
            self.moved.notify_all();
        }
    }

    /// `mod_delayed_work()`, with no delay.
    fn hurry(&self) {
        let mut place = self.place.lock().unwrap();
        if !place.disabled {
            place.due = Some(Delay::Short);
            self.moved.notify_all();
        }
    }

    fn listen(&self) {
        *self.worker.lock().unwrap() = Some(thread::current().id());
    }

    fn nudge(&self) {
        let worker = self.worker.lock().unwrap();
        if worker.is_some() {
            assert!(
                self.block.inside.load(Relaxed),
                "it hits whoever is next in line"
            );
            self.stir(|task| task.notified = true);
        }
    }

    fn leave(&self) {
        let mut worker = self.worker.lock().unwrap();
        *worker = None;
        self.task.lock().unwrap().notified = false;
    }
}
