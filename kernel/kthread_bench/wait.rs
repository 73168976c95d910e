// SPDX-License-Identifier: GPL-2.0

//! The waits that threads are stopped in.

use kernel::{
    current,
    device::Bound,
    faux,
    new_mutex,
    prelude::*,
    sync::{
        atomic::{
            Acquire,
            Atomic,
            Release, //
        },
        Arc,
        Mutex, //
    },
    time::Delta, //
};
use kthread::{
    channel,
    AnyStop,
    Builder,
    Completion,
    Condition,
    Receiver,
    Scope,
    Sender,
    Stop,
    Thread,
    Ticker,
    Work, //
};

/// Longer than anybody measures: an hour.
const LONG: Delta = Delta::from_secs(3600);

/// What the waits wait for, and never get.
#[pin_data]
pub(crate) struct Gear {
    #[pin]
    never: Completion,
    #[pin]
    flag: Mutex<bool>,
    #[pin]
    changed: Condition,
    _sender: Sender<u8>,
    receiver: Receiver<u8>,
    device: faux::Registration,
    /// The process number of the worker that runs a work item.
    worker: Atomic<i32>,
}

impl Gear {
    pub(crate) fn new() -> Result<Arc<Self>> {
        let (sender, receiver) = channel(1)?;
        Arc::pin_init(
            try_pin_init!(Self {
                never <- Completion::new(),
                flag <- new_mutex!(false),
                changed <- Condition::new(),
                _sender: sender,
                receiver,
                device: faux::Registration::new(c"kthread_bench", None)?,
                worker: Atomic::new(0),
            }),
            GFP_KERNEL,
        )
    }

    fn device(&self) -> &kernel::device::Device {
        let device: &faux::Device<Bound> = self.device.as_ref();
        device.as_ref()
    }
}

/// A kind of wait.
#[derive(Clone, Copy)]
pub(crate) enum Wait {
    /// For nothing but the stop.
    Idle,
    /// A sleep.
    Sleep,
    /// For a completion.
    Completion,
    /// For a completion, for a limited time.
    Timeout,
    /// For the next tick.
    Tick,
    /// For a flag behind a lock to change.
    Condition,
    /// For a value out of a channel.
    Channel,
    /// For a completion, in a work item.
    Work,
    /// For firmware, which user space never delivers.
    Firmware,
}

impl Wait {
    pub(crate) fn parse(name: &str) -> Result<Self> {
        Ok(match name {
            "idle" => Self::Idle,
            "sleep" => Self::Sleep,
            "completion" => Self::Completion,
            "timeout" => Self::Timeout,
            "tick" => Self::Tick,
            "condition" => Self::Condition,
            "channel" => Self::Channel,
            "work" => Self::Work,
            "firmware" => Self::Firmware,
            _ => return Err(EINVAL),
        })
    }

    /// Starts what goes into this wait; returns when it is about to.
    pub(crate) fn start(self, scope: &Scope, gear: &Arc<Gear>) -> Result<Waiting> {
        let gear = gear.clone();
        if matches!(self, Self::Work) {
            return Waiting::queue(scope, gear);
        }
        let thread = Builder::new(fmt!("bench")).spawn_ready(scope, move |stop| {
            stop.ready();
            self.wait(stop, &gear)
        })?;
        Ok(Waiting::Thread(thread))
    }

    /// Waits until a stop comes.
    pub(crate) fn wait(self, stop: &Stop, gear: &Gear) -> kthread::Result {
        match self {
            Self::Idle | Self::Completion | Self::Work => stop.wait(&gear.never)?,
            Self::Sleep => stop.sleep(LONG)?,
            Self::Timeout => drop(stop.wait_timeout(&gear.never, LONG)?),
            Self::Tick => drop(Ticker::new(LONG)?.wait(stop)?),
            Self::Condition => {
                let flag = gear.flag.lock();
                drop(gear.changed.wait_while(stop, flag, |flag| !*flag)?);
            }
            Self::Channel => drop(gear.receiver.receive(stop)),
            Self::Firmware => drop(stop.request_firmware(c"kthread_bench-none", gear.device())?),
        }
        Ok(())
    }
}

/// What has gone into a wait.
pub(crate) enum Waiting {
    Thread(Thread<()>),
    /// A work item, and the process number of the worker that it sleeps in.
    Work(Work<()>, i32),
}

impl Waiting {
    fn queue(scope: &Scope, gear: Arc<Gear>) -> Result<Self> {
        let work = Work::queue(scope, {
            let gear = gear.clone();
            move |stop: &AnyStop| {
                gear.worker.store(current!().pid(), Release);
                stop.ready();
                Ok(stop.wait(&gear.never)?)
            }
        })?;
        work.wait_ready().map_err(kthread::Error::to_kernel)?;
        Ok(Self::Work(work, gear.worker.load(Acquire)))
    }

    /// The process number of who waits.
    pub(crate) fn pid(&self) -> i32 {
        match self {
            Self::Thread(thread) => thread.pid(),
            Self::Work(_, worker) => *worker,
        }
    }

    pub(crate) fn stop(&self) {
        match self {
            Self::Thread(thread) => drop(thread.stop()),
            Self::Work(work, _) => drop(work.stop()),
        }
    }
}
