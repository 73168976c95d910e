// SPDX-License-Identifier: GPL-2.0

//! Whole lives of threads, from start to end.

use crate::{
    gear::Gear,
    wait::Wait, //
};
use kernel::{
    prelude::*,
    sync::Arc,
    time::{
        Delta,
        Instant,
        Monotonic, //
    }, //
};
use kthread::{
    Builder,
    Scope,
    Stop, //
};

/// How much of a thread's life is measured.
#[derive(Clone, Copy)]
pub(crate) enum Life {
    /// The start alone. The stop that follows is not counted.
    Start,
    /// Start, and stop at once: most of these threads are stopped before they run.
    StartStop,
    /// Start, wait until the thread runs, stop.
    StartRunStop,
    /// Start, and wait until the thread has ended by itself, which it does at once.
    StartEnd,
}

impl Life {
    pub(crate) fn parse(name: &str) -> Result<Self> {
        // What C can leave out there is no part of a thread here.
        Ok(match name.trim_end_matches("_bare") {
            "start" => Self::Start,
            "start_stop" => Self::StartStop,
            "start_run_stop" => Self::StartRunStop,
            "start_end" => Self::StartEnd,
            _ => return Err(EINVAL),
        })
    }

    /// Measures `count` lives; nanoseconds.
    pub(crate) fn measure(
        self,
        scope: &Scope,
        gear: &Arc<Gear>,
        count: usize,
    ) -> Result<KVVec<i64>> {
        let mut took = KVVec::with_capacity(count, GFP_KERNEL)?;
        for _ in 0..count {
            took.push(self.once(scope, gear)?.as_nanos(), GFP_KERNEL)?;
        }
        Ok(took)
    }

    fn once(self, scope: &Scope, gear: &Arc<Gear>) -> Result<Delta> {
        let gear = gear.clone();
        let idle = move |stop: &Stop| {
            stop.ready();
            Wait::Idle.wait(stop, &gear)
        };
        let builder = Builder::new(fmt!("bench"));

        let begin = Instant::<Monotonic>::now();
        let took = match self {
            Self::Start => {
                let thread = builder.spawn(scope, idle)?;
                let took = begin.elapsed();
                drop(thread);
                took
            }
            Self::StartStop => {
                let _ = builder.spawn(scope, idle)?.stop();
                begin.elapsed()
            }
            Self::StartRunStop => {
                let _ = builder.spawn_ready(scope, idle)?.stop();
                begin.elapsed()
            }
            Self::StartEnd => {
                let _ = builder.spawn(scope, |_| Ok(()))?.join();
                begin.elapsed()
            }
        };
        Ok(took)
    }
}
