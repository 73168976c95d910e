// SPDX-License-Identifier: GPL-2.0

//! A bounded channel: values on their way from some threads to others.
//!
//! # Examples
//!
//! An interrupt handler hands frames to a thread, which a stop breaks wherever it is:
//!
//! ```
//! # use kernel::prelude::*;
//! # use kthread::{AnyStop, Builder, Scope, Thread};
//! # struct Frame;
//! # impl Frame {
//! #     fn decode(self, stop: &AnyStop) -> kthread::Result {
//! #         Ok(stop.check()?)
//! #     }
//! # }
//! # fn example(scope: Scope, frame: Frame, lost: &mut u32) -> Result {
//! let (sender, receiver) = kthread::channel::<Frame>(16)?;
//!
//! let thread: Thread<()> = Builder::new(fmt!("frames")).spawn(&scope, move |stop| loop {
//!     // `Stopped` at once when the owner asks for it; `EPIPE` when all senders are gone.
//!     let frame = receiver.receive(stop)?;
//!     frame.decode(stop)?;
//! })?;
//!
//! // In the handler, which can't wait for room:
//! if sender.try_send(frame).is_err() {
//!     *lost += 1;
//! }
//! # Ok(())
//! # }
//! ```

use crate::{
    anystop::AnyStop,
    clock::{
        self,
        NEVER, //
    },
    condition::Condition,
    error::{
        Error,
        Stopped, //
    }, //
};
use kernel::{
    new_spinlock_irq,
    prelude::*,
    sync::{
        Arc,
        SpinLockIrq, //
    },
    time::Delta, //
};

/// Why a channel did not take a value, or had none.
///
/// In a body, `?` makes of a stop what it is, and of the others `EPIPE` and `EAGAIN`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The caller was asked to stop.
    Stopped(Stopped),
    /// All receivers are gone; or all senders, and all that they sent was received.
    Closed,
    /// There was no room, or no value, and no time left to wait for it.
    NotNow,
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Stopped(stopped) => stopped.into(),
            Refusal::Closed => Error::Failed(EPIPE),
            Refusal::NotNow => Error::Failed(EAGAIN),
        }
    }
}

impl From<Stopped> for Refusal {
    fn from(stopped: Stopped) -> Self {
        Refusal::Stopped(stopped)
    }
}

/// A value that was not sent, and why.
///
/// In a body, `?` drops the value, and makes of the reason what it makes of a [`Refusal`].
#[derive(Debug)]
pub struct Unsent<T> {
    /// The value, given back.
    pub value: T,
    /// Why it was not sent.
    pub why: Refusal,
}

impl<T> From<Unsent<T>> for Error {
    fn from(unsent: Unsent<T>) -> Self {
        unsent.why.into()
    }
}

/// What is in a channel.
///
/// # Invariants
///
/// The `len` slots from `first` on, going round, hold values; the others are empty.
struct Ring<T> {
    slots: KVec<Option<T>>,
    first: usize,
    len: usize,
    senders: usize,
    receivers: usize,
}

impl<T> Ring<T> {
    fn new(capacity: usize) -> Result<Self> {
        if capacity == 0 {
            return Err(EINVAL);
        }
        let mut slots = KVec::with_capacity(capacity, GFP_KERNEL)?;
        for _ in 0..capacity {
            slots.push(None, GFP_KERNEL)?;
        }
        // INVARIANT: All slots are empty.
        Ok(Self {
            slots,
            first: 0,
            len: 0,
            senders: 1,
            receivers: 1,
        })
    }

    /// Puts the value in, or gives it back.
    fn put(&mut self, value: T) -> Result<(), Unsent<T>> {
        if self.receivers == 0 {
            let why = Refusal::Closed;
            return Err(Unsent { value, why });
        }
        if self.len == self.slots.len() {
            let why = Refusal::NotNow;
            return Err(Unsent { value, why });
        }
        let next = (self.first + self.len) % self.slots.len();
        // INVARIANT: It is the slot after the last of those that hold values.
        self.slots[next] = Some(value);
        self.len += 1;
        Ok(())
    }

    /// Takes the oldest value out.
    fn take(&mut self) -> Result<T, Refusal> {
        match self.slots[self.first].take() {
            Some(value) => {
                // INVARIANT: The first of the slots that held values is empty now.
                self.first = (self.first + 1) % self.slots.len();
                self.len -= 1;
                Ok(value)
            }
            None if self.senders == 0 => Err(Refusal::Closed),
            None => Err(Refusal::NotNow),
        }
    }
}

/// What both ends share. Values are moved under the lock, and dropped outside.
#[pin_data]
struct Shared<T> {
    #[pin]
    ring: SpinLockIrq<Ring<T>>,
    #[pin]
    has_room: Condition,
    #[pin]
    has_value: Condition,
}

// What is in a ring is moved in and out, and never pinned where it lies.
impl<T> Unpin for Ring<T> {}

impl<T: Send> Shared<T> {
    fn try_send(&self, value: T) -> Result<(), Unsent<T>> {
        self.ring.lock().put(value)?;
        self.has_value.notify_one();
        Ok(())
    }

    fn try_receive(&self) -> Result<T, Refusal> {
        let value = self.ring.lock().take()?;
        self.has_room.notify_one();
        Ok(value)
    }

    #[track_caller]
    fn send_by(&self, stop: &AnyStop, mut value: T, until: i64) -> Result<(), Unsent<T>> {
        if let Err(stopped) = stop.check() {
            let why = stopped.into();
            return Err(Unsent { value, why });
        }
        let mut in_time = true;
        let mut ring = self.ring.lock();
        loop {
            match ring.put(value) {
                Err(unsent) if unsent.why == Refusal::NotNow && in_time => value = unsent.value,
                done => {
                    drop(ring);
                    done?;
                    self.has_value.notify_one();
                    return Ok(());
                }
            }
            match self.has_room.wait_by(stop, ring, until) {
                Ok(waited) => (ring, in_time) = waited,
                Err(stopped) => {
                    let why = stopped.into();
                    return Err(Unsent { value, why });
                }
            }
        }
    }

    #[track_caller]
    fn receive_by(&self, stop: &AnyStop, until: i64) -> Result<T, Refusal> {
        stop.check()?;
        let mut in_time = true;
        let mut ring = self.ring.lock();
        loop {
            match ring.take() {
                Err(Refusal::NotNow) if in_time => (),
                done => {
                    drop(ring);
                    let value = done?;
                    self.has_room.notify_one();
                    return Ok(value);
                }
            }
            (ring, in_time) = self.has_value.wait_by(stop, ring, until)?;
        }
    }
}

/// Makes a channel that holds up to `capacity` values, which come out in the order in which they
/// went in; the ends of it.
///
/// Both ends may be cloned, for several threads. What one sends, one receives: the one that has
/// waited longest, if all wait. Values that nobody can receive any more are dropped by whoever
/// drops the last receiver.
///
/// This allocates all that the channel ever needs. May sleep. Fails with `ENOMEM`, or with `EINVAL`
/// if it should hold nothing.
pub fn channel<T: Send>(capacity: usize) -> Result<(Sender<T>, Receiver<T>)> {
    let ring = Ring::new(capacity)?;
    let shared = Arc::pin_init(
        pin_init!(Shared {
            ring <- new_spinlock_irq!(ring, "kthread::Shared::ring"),
            has_room <- Condition::new(),
            has_value <- Condition::new(),
        }),
        GFP_KERNEL,
    )?;
    let receiver = Receiver {
        shared: shared.clone(),
    };
    Ok((Sender { shared }, receiver))
}

/// The end of a [`channel`] where values go in.
///
/// Cloning and dropping it never sleeps.
pub struct Sender<T: Send> {
    shared: Arc<Shared<T>>,
}

impl<T: Send> Sender<T> {
    /// Sends the value if there is room for it now. Never sleeps, and may be called from any
    /// context, interrupts included.
    pub fn try_send(&self, value: T) -> Result<(), Unsent<T>> {
        self.shared.try_send(value)
    }

    /// Sends the value as soon as there is room for it.
    #[track_caller]
    pub fn send(&self, stop: &AnyStop, value: T) -> Result<(), Unsent<T>> {
        self.shared.send_by(stop, value, NEVER)
    }

    /// Sends the value if there is room for it within the given time.
    #[track_caller]
    pub fn send_timeout(&self, stop: &AnyStop, value: T, time: Delta) -> Result<(), Unsent<T>> {
        self.shared.send_by(stop, value, clock::after(time))
    }
}

impl<T: Send> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.shared.ring.lock().senders += 1;
        Self {
            shared: self.shared.clone(),
        }
    }
}

impl<T: Send> Drop for Sender<T> {
    fn drop(&mut self) {
        self.shared.ring.lock().senders -= 1;
        // Whoever waits looks whether this was the last.
        self.shared.has_value.notify_all();
    }
}

/// The end of a [`channel`] where values come out.
///
/// Cloning it never sleeps. Dropping the last one drops the values that were not received.
pub struct Receiver<T: Send> {
    shared: Arc<Shared<T>>,
}

impl<T: Send> Receiver<T> {
    /// Takes the oldest value, if there is one now. Never sleeps, and may be called from any
    /// context, interrupts included.
    pub fn try_receive(&self) -> Result<T, Refusal> {
        self.shared.try_receive()
    }

    /// Takes the oldest value, as soon as there is one.
    #[track_caller]
    pub fn receive(&self, stop: &AnyStop) -> Result<T, Refusal> {
        self.shared.receive_by(stop, NEVER)
    }

    /// Takes the oldest value, if there is one within the given time.
    #[track_caller]
    pub fn receive_timeout(&self, stop: &AnyStop, time: Delta) -> Result<T, Refusal> {
        self.shared.receive_by(stop, clock::after(time))
    }
}

impl<T: Send> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        self.shared.ring.lock().receivers += 1;
        Self {
            shared: self.shared.clone(),
        }
    }
}

impl<T: Send> Drop for Receiver<T> {
    fn drop(&mut self) {
        let mut ring = self.shared.ring.lock();
        ring.receivers -= 1;
        let is_last = ring.receivers == 0;
        drop(ring);
        if !is_last {
            return;
        }
        // No value goes in from now on.
        self.shared.has_room.notify_all();
        while self.shared.try_receive().is_ok() {}
    }
}
