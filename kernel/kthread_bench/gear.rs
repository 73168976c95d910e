// SPDX-License-Identifier: GPL-2.0

//! What the waits wait for, and never get.

use kernel::{
    device::{
        Bound,
        Device, //
    },
    faux,
    new_mutex,
    prelude::*,
    sync::{
        atomic::Atomic,
        Arc,
        Mutex, //
    }, //
};
use kthread::{
    channel,
    new_rt_mutex,
    Builder,
    Completion,
    Condition,
    Receiver,
    RtMutex,
    Scope,
    Sender,
    Stop,
    Thread, //
};

/// The things that one session's threads wait for.
#[pin_data]
pub(crate) struct Gear {
    #[pin]
    pub(crate) never: Completion,
    #[pin]
    pub(crate) flag: Mutex<bool>,
    #[pin]
    pub(crate) changed: Condition,
    _sender: Sender<u8>,
    pub(crate) receiver: Receiver<u8>,
    /// Of a channel that has no room.
    pub(crate) full: Sender<u8>,
    _receiver: Receiver<u8>,
    pub(crate) lock: Arc<RtMutex<()>>,
    /// Holds the lock, and lives as long as this.
    pub(crate) other: Thread<()>,
    device: faux::Registration,
    /// The process number of the worker that runs a work item, or has run a chore's first round.
    pub(crate) worker: Atomic<i32>,
}

impl Gear {
    /// May sleep.
    pub(crate) fn new(scope: &Scope) -> Result<Arc<Self>> {
        let (sender, receiver) = channel(1)?;
        let (full, other_receiver) = channel(1)?;
        full.try_send(0).map_err(|_| EAGAIN)?;
        let lock = Arc::pin_init(new_rt_mutex!(()), GFP_KERNEL)?;
        let other = Self::hold(scope, lock.clone())?;
        Arc::pin_init(
            try_pin_init!(Self {
                never <- Completion::new(),
                flag <- new_mutex!(false),
                changed <- Condition::new(),
                _sender: sender,
                receiver,
                full,
                _receiver: other_receiver,
                lock,
                other,
                device: faux::Registration::new(c"kthread_bench", None)?,
                worker: Atomic::new(0),
            }),
            GFP_KERNEL,
        )
    }

    /// Starts a thread that holds the lock until it is stopped; returns when it has it.
    fn hold(scope: &Scope, lock: Arc<RtMutex<()>>) -> Result<Thread<()>> {
        let never = Arc::pin_init(Completion::new(), GFP_KERNEL)?;
        Builder::new(fmt!("bench/other")).spawn_ready(scope, move |stop: &Stop| {
            let _held = stop.lock(&lock)?;
            stop.ready();
            Ok(stop.wait(&never)?)
        })
    }

    pub(crate) fn device(&self) -> &Device {
        let device: &faux::Device<Bound> = self.device.as_ref();
        device.as_ref()
    }
}
