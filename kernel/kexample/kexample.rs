// SPDX-License-Identifier: GPL-2.0

//! A driver with a periodic job in a kernel thread, to learn and to copy from.
//!
//! The thread wakes up once in every period, at real-time priority, and publishes how it fares.
//! Whoever opens `/dev/kexample` follows that, line by line; `head -n1` shows the newest:
//!
//! ```text
//! # insmod kexample.ko period_ms=10 priority=fifo name=kexample
//! # head -n1 /dev/kexample
//! ticks 512 missed 0 lateness_us 61 signals 0 state running
//! ```
//!
//! Signals from user space are news to the thread, no disturbance. It counts SIGHUP, SIGUSR1 and
//! SIGUSR2, and ends by itself when it gets a SIGTERM. No other has any effect, SIGKILL included.
//!
//! What to look at:
//!
//! - [`Job::start`]: the thread is started and its start-up awaited, so that a module that can't
//!   do its job does not load;
//! - [`run`] and [`tick`]: the job; a stop breaks its wait, and `?` carries it out;
//! - [`Publisher`]: the thread never waits for a reader, so a slow one can't delay it, and readers
//!   never keep it alive;
//! - the drops: when the module goes, its device is taken away, then the thread is stopped and
//!   waited for.

use chardev::{
    Device,
    Feed,
    Publisher, //
};
use kernel::{
    fmt,
    prelude::*,
    sync::Arc,
    time::Delta, //
};
use kthread::{
    Builder,
    ModuleScope,
    Outcome,
    Priority,
    Scope,
    Signal,
    Stop,
    Thread,
    Ticker, //
};
use param::{
    Name,
    Number, //
};

module! {
    type: KExample,
    name: "kexample",
    authors: ["Threadline developers"],
    description: "A periodic job in a kernel thread, with its status in /dev/kexample",
    license: "GPL",
}

param::parameters! {
    period_ms: Number<1, 3_600_000> = Number::new::<10>(),
        "Period of the thread in milliseconds, up to an hour (default: 10)";
    priority: Priority = Priority::Fifo,
        "Priority of the thread: fifo, fifo-low, or a nice level from -20 to 19 (default: fifo)";
    name: Name = Name::new("kexample"), "Name of the thread, as ps shows it (default: kexample)";
}

/// What the thread does at the moment.
#[derive(Clone, Copy, Default)]
enum State {
    #[default]
    Starting,
    Running,
    /// It has ended by itself, was stopped, or failed.
    Over(kthread::Result),
}

/// How the thread fares.
#[derive(Clone, Copy, Default)]
struct Status {
    /// Ticks that it was there for.
    ticks: u64,
    /// Ticks that went by while it was busy, or not let run.
    missed: u64,
    /// How long after the last tick it woke up, in microseconds.
    lateness_us: i64,
    /// Signals that it got.
    signals: u64,
    state: State,
}

/// The line that readers get.
impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ticks {} missed {} ", self.ticks, self.missed)?;
        write!(f, "lateness_us {} ", self.lateness_us)?;
        write!(f, "signals {} state ", self.signals)?;
        match self.state {
            State::Starting => f.write_str("starting"),
            State::Running => f.write_str("running"),
            State::Over(Ok(())) => f.write_str("ended"),
            State::Over(Err(kthread::Error::Stopped)) => f.write_str("stopped"),
            State::Over(Err(kthread::Error::Failed(e))) => write!(f, "failed {}", e.to_errno()),
        }
    }
}

/// The body of the thread. Readers get the last status, and then the end of the file, because the
/// publisher is dropped here.
fn run(stop: &Stop, period: Delta, mut publisher: Publisher<Status>) -> kthread::Result {
    let mut status = Status::default();
    let result = tick(stop, period, &mut status, &mut publisher);
    status.state = State::Over(result);
    publisher.publish(status);
    result
}

/// Its periodic job, until it gets a SIGTERM.
fn tick(
    stop: &Stop,
    period: Delta,
    status: &mut Status,
    publisher: &mut Publisher<Status>,
) -> kthread::Result {
    let mut ticker = Ticker::new(period)?;
    stop.listen(&[Signal::HUP, Signal::USR1, Signal::USR2, Signal::TERM]);
    status.state = State::Running;
    publisher.publish(*status);
    stop.ready();

    loop {
        let tick = ticker.wait(stop)?;
        // A real driver would look after its hardware here.
        status.ticks += 1;
        status.missed += tick.missed;
        status.lateness_us = tick.lateness.as_nanos() / 1000;
        for signal in stop.signals() {
            status.signals += 1;
            if signal == Signal::TERM {
                return Ok(());
            }
        }
        publisher.publish(*status);
    }
}

/// The thread, and what it publishes.
struct Job {
    thread: Thread<()>,
    status: Arc<Feed<Status>>,
}

impl Job {
    fn start(scope: &Scope) -> Result<Self> {
        let (publisher, status) = Feed::new(Status::default())?;
        let period = Delta::from_millis(parameters::period_ms.value().get());
        let name = parameters::name.value();
        let thread = Builder::new(fmt!("{name}"))
            .priority(parameters::priority.value())
            // No ticks while the machine sleeps.
            .freezable()
            .spawn_ready(scope, move |stop| run(stop, period, publisher))?;
        Ok(Self { thread, status })
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        // Dropping the thread would stop it as well. This tells how it ended.
        if let Outcome::Failed(error) = self.thread.stop() {
            pr_err!("the thread failed: {error:?}\n");
        }
    }
}

/// The module. Its fields are dropped in the order in which they stand here.
#[pin_data]
struct KExample {
    #[pin]
    _device: Device<Status, KExample>,
    job: Job,
    #[pin]
    threads: ModuleScope,
}

impl kernel::InPlaceModule for KExample {
    fn init(module: &'static ThisModule) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            threads <- ModuleScope::new(module),
            job: Job::start(&threads)?,
            // Last: from here on it can be opened, and a module must not fail under open files.
            _device <- Device::register(c"kexample", &job.status),
        })
    }
}
