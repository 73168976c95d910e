// SPDX-License-Identifier: GPL-2.0

//! The waits that threads are stopped in.

use crate::gear::Gear;
use kernel::{
    current,
    prelude::*,
    sync::{
        atomic::{
            Acquire,
            Release, //
        },
        Arc,
        Completion, //
    },
    time::{
        Delta,
        Instant, //
    }, //
};
use kthread::{
    Again,
    AnyStop,
    Builder,
    Chore,
    Scope,
    Signal,
    Stop,
    Thread,
    Ticker,
    Work, //
};

/// Longer than anybody measures: an hour.
const LONG: Delta = Delta::from_secs(3600);

/// A kind of wait.
#[derive(Clone, Copy)]
pub(crate) enum Wait {
    /// For nothing but the stop.
    Idle,
    /// A sleep.
    Sleep,
    /// A sleep until a point in time.
    Deadline,
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
    /// For room in a channel.
    FullChannel,
    /// For a lock that another thread holds.
    Lock,
    /// For a signal from user space.
    Signals,
    /// For the end of another thread.
    Join,
    /// For a completion, in a work item.
    Work,
    /// None: a chore between two rounds.
    Chore,
    /// For firmware, which user space never delivers.
    Firmware,
}

impl Wait {
    pub(crate) fn parse(name: &str) -> Result<Self> {
        Ok(match name {
            "idle" => Self::Idle,
            "sleep" => Self::Sleep,
            "deadline" => Self::Deadline,
            "completion" => Self::Completion,
            "timeout" => Self::Timeout,
            "tick" => Self::Tick,
            "condition" => Self::Condition,
            "channel" => Self::Channel,
            "full_channel" => Self::FullChannel,
            "lock" => Self::Lock,
            "signals" => Self::Signals,
            "join" => Self::Join,
            "work" => Self::Work,
            "chore" => Self::Chore,
            "firmware" => Self::Firmware,
            _ => return Err(EINVAL),
        })
    }

    /// Starts what goes into this wait; returns when it is about to.
    pub(crate) fn start(self, scope: &Scope, gear: &Arc<Gear>) -> Result<Waiting> {
        let gear = gear.clone();
        match self {
            Self::Work => return Waiting::queue(scope, gear),
            Self::Chore => return Waiting::start_chore(scope, gear),
            _ => (),
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
            Self::Idle | Self::Completion | Self::Work | Self::Chore => stop.wait(&gear.never)?,
            Self::Sleep => stop.sleep(LONG)?,
            Self::Deadline => stop.sleep_until(Instant::now() + LONG)?,
            Self::Timeout => drop(stop.wait_timeout(&gear.never, LONG)?),
            Self::Tick => drop(Ticker::new(LONG)?.wait(stop)?),
            Self::Condition => {
                let flag = gear.flag.lock();
                drop(gear.changed.wait_while(stop, flag, |flag| !*flag)?);
            }
            Self::Channel => drop(gear.receiver.receive(stop)),
            Self::FullChannel => drop(gear.full.send(stop, 0)),
            Self::Lock => drop(stop.lock(&gear.lock)?),
            Self::Signals => {
                stop.listen(&[Signal::HUP]);
                let _ = stop.wait_signals()?;
            }
            Self::Join => {
                let _ = stop.join(&gear.other)?;
            }
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
    /// A chore, and the process number of the worker that has run its first round.
    Chore(Chore, i32),
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

    /// Starts a chore that does not come up again, and waits for its only round.
    fn start_chore(scope: &Scope, gear: Arc<Gear>) -> Result<Self> {
        let begun = Arc::pin_init(Completion::new(), GFP_KERNEL)?;
        let chore = Chore::start(scope, Delta::ZERO, {
            let (gear, begun) = (gear.clone(), begun.clone());
            move |_: &AnyStop| {
                gear.worker.store(current!().pid(), Release);
                begun.complete_all();
                Ok(Again::After(LONG))
            }
        })?;
        begun.wait_for_completion();
        Ok(Self::Chore(chore, gear.worker.load(Acquire)))
    }

    /// The process number of who waits; of a chore, of who sleeps when the round is over.
    pub(crate) fn pid(&self) -> i32 {
        match self {
            Self::Thread(thread) => thread.pid(),
            Self::Work(_, worker) | Self::Chore(_, worker) => *worker,
        }
    }

    pub(crate) fn stop(&self) {
        match self {
            Self::Thread(thread) => drop(thread.stop()),
            Self::Work(work, _) => drop(work.stop()),
            Self::Chore(chore, _) => drop(chore.stop()),
        }
    }
}
