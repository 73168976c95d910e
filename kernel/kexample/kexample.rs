// SPDX-License-Identifier: GPL-2.0

//! A driver with a periodic job in a kernel thread, to learn and to copy from.
//!
//! The thread wakes up once in every period, at real-time priority, and publishes how it fares.
//! Whoever opens `/dev/kexample` reads the newest status as one line:
//!
//! ```text
//! # insmod kexample.ko period_ms=10
//! # cat /dev/kexample
//! ticks 512 missed 0 lateness_us 61 state running
//! ```
//!
//! What to look at:
//!
//! - [`KExample::init`]: the thread is started and its start-up awaited, so that a module that
//!   can't do its job does not load;
//! - [`run`]: the job; a stop breaks its wait, and `?` carries it out;
//! - [`Published`]: the thread never waits for a reader, so a slow one can't delay it;
//! - the drop: when the module goes, the thread is stopped and waited for.

use kernel::{
    fs::{
        File,
        Kiocb, //
    },
    iov::IovIterDest,
    miscdevice::{
        MiscDevice,
        MiscDeviceOptions,
        MiscDeviceRegistration, //
    },
    prelude::*,
    str::CString,
    time::Delta, //
};
use kthread::{
    Builder,
    ModuleScope,
    Outcome,
    Published,
    Stop,
    Thread,
    Ticker, //
};

module! {
    type: KExample,
    name: "kexample",
    authors: ["Threadline developers"],
    description: "A periodic job in a kernel thread, with its status in /dev/kexample",
    license: "GPL",
    params: {
        period_ms: u32 {
            default: 10,
            description: "Period of the thread in milliseconds (default: 10)",
        },
    },
}

/// The newest [`Status`], from the thread to all readers.
static STATUS: Published<4> = Published::new(Status::NONE.to_words());

/// What the thread does at the moment.
#[derive(Clone, Copy)]
enum State {
    Starting,
    Running,
    Ended,
}

/// How the thread fares.
#[derive(Clone, Copy)]
struct Status {
    /// Ticks that it was there for.
    ticks: u64,
    /// Ticks that went by while it was busy, or not let run.
    missed: u64,
    /// How long after the last tick it woke up.
    lateness: Delta,
    state: State,
}

impl Status {
    const NONE: Self = Self {
        ticks: 0,
        missed: 0,
        lateness: Delta::ZERO,
        state: State::Starting,
    };

    const fn to_words(self) -> [u64; 4] {
        let lateness = self.lateness.as_nanos().unsigned_abs();
        [self.ticks, self.missed, lateness, self.state as u64]
    }

    /// The line that readers get.
    fn line([ticks, missed, lateness, state]: [u64; 4]) -> Result<CString> {
        let lateness_us = lateness / 1000;
        let state = match state {
            s if s == State::Starting as u64 => "starting",
            s if s == State::Running as u64 => "running",
            _ => "ended",
        };
        CString::try_from_fmt(fmt!(
            "ticks {ticks} missed {missed} lateness_us {lateness_us} state {state}\n"
        ))
    }
}

/// The body of the thread.
fn run(stop: &Stop, period: Delta) -> kthread::Result {
    let mut status = Status::NONE;
    let result = tick(stop, period, &mut status);
    status.state = State::Ended;
    STATUS.publish(status.to_words());
    result
}

/// Its periodic job.
fn tick(stop: &Stop, period: Delta, status: &mut Status) -> kthread::Result {
    let mut ticker = Ticker::new(period).inspect_err(|_| pr_err!("period_ms must not be 0\n"))?;
    status.state = State::Running;
    STATUS.publish(status.to_words());
    stop.ready();

    loop {
        let tick = ticker.wait(stop)?;
        // A real driver would look after its hardware here.
        status.ticks += 1;
        status.missed += tick.missed;
        status.lateness = tick.lateness;
        STATUS.publish(status.to_words());
    }
}

/// An open `/dev/kexample`: the status of the moment when it was opened.
struct Snapshot {
    line: CString,
}

#[vtable]
impl MiscDevice for Snapshot {
    type Ptr = KBox<Self>;

    fn open(_file: &File, _device: &MiscDeviceRegistration<Self>) -> Result<KBox<Self>> {
        let line = Status::line(STATUS.newest())?;
        Ok(KBox::new(Self { line }, GFP_KERNEL)?)
    }

    fn read_iter(mut kiocb: Kiocb<'_, Self::Ptr>, iov: &mut IovIterDest<'_>) -> Result<usize> {
        let snapshot = kiocb.file();
        iov.simple_read_from_buffer(kiocb.ki_pos_mut(), snapshot.line.to_bytes())
    }
}

/// The module. Its fields are dropped in the order in which they stand here.
#[pin_data(PinnedDrop)]
struct KExample {
    #[pin]
    _device: MiscDeviceRegistration<Snapshot>,
    thread: Thread<()>,
    #[pin]
    threads: ModuleScope,
}

impl kernel::InPlaceModule for KExample {
    fn init(module: &'static ThisModule) -> impl PinInit<Self, Error> {
        let period = Delta::from_millis(i64::from(module_parameters::period_ms.value()));

        try_pin_init!(Self {
            threads <- ModuleScope::new(module),
            // Fails with `EINVAL`, as `run` does, where the period is 0.
            thread: Builder::new(fmt!("kexample/{}ms", module_parameters::period_ms.value()))
                .fifo()
                .spawn_ready(&threads, move |stop| run(stop, period))?,
            _device <- MiscDeviceRegistration::register(MiscDeviceOptions { name: c"kexample" }),
        })
    }
}

#[pinned_drop]
impl PinnedDrop for KExample {
    fn drop(self: Pin<&mut Self>) {
        // Dropping the thread would stop it as well. This tells how it ended.
        if let Outcome::Failed(error) = self.thread.stop() {
            pr_err!("the thread failed: {error:?}\n");
        }
    }
}
