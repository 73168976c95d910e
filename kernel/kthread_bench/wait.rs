// SPDX-License-Identifier: GPL-2.0

//! The waits that threads are stopped in.

use kernel::{
    device::Bound,
    faux,
    prelude::*,
    sync::Arc,
    time::Delta, //
};
use kthread::{
    Builder,
    Completion,
    Scope,
    Stop,
    Thread,
    Ticker, //
};

/// Longer than anybody measures: an hour.
const LONG: Delta = Delta::from_secs(3600);

/// What the waits wait for, and never get.
#[pin_data]
pub(crate) struct Gear {
    #[pin]
    never: Completion,
    device: faux::Registration,
}

impl Gear {
    pub(crate) fn new() -> Result<Arc<Self>> {
        Arc::pin_init(
            try_pin_init!(Self {
                never <- Completion::new(),
                device: faux::Registration::new(c"kthread_bench", None)?,
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
            "firmware" => Self::Firmware,
            _ => return Err(EINVAL),
        })
    }

    /// Starts a thread that goes into this wait; returns when it is about to.
    pub(crate) fn start(self, scope: &Scope, gear: &Arc<Gear>) -> Result<Thread<()>> {
        let gear = gear.clone();
        Builder::new(fmt!("bench")).spawn_ready(scope, move |stop| {
            stop.ready();
            self.wait(stop, &gear)
        })
    }

    /// Waits until a stop comes.
    pub(crate) fn wait(self, stop: &Stop, gear: &Gear) -> kthread::Result {
        match self {
            Self::Idle | Self::Completion => stop.wait(&gear.never)?,
            Self::Sleep => stop.sleep(LONG)?,
            Self::Timeout => drop(stop.wait_timeout(&gear.never, LONG)?),
            Self::Tick => drop(Ticker::new(LONG)?.wait(stop)?),
            Self::Firmware => drop(stop.request_firmware(c"kthread_bench-none", gear.device())?),
        }
        Ok(())
    }
}
