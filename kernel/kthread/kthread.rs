// SPDX-License-Identifier: GPL-2.0

//! Kernel threads for drivers: a thread ends by itself **or** is stopped, whichever comes first,
//! and either way its owner can wait for it.
//!
//! # The idea
//!
//! A driver starts a thread for work that takes long, or never ends: to bring up a device whose
//! firmware user space supplies some day, or to look after one every ten milliseconds. The work
//! may end by itself. But the device may be unplugged and the module removed at any moment, and
//! then the thread has to go, now, wherever it is.
//!
//! - The work is a closure, the *body*. It gets a [`&Stop`](Stop), and whenever it waits, it
//!   waits through that. A stop makes every such wait return [`Stopped`], which the body passes
//!   on with `?`. So a stop is no more than an early way out, and what the body holds is dropped
//!   on the way.
//! - The owner has a [`Thread`]. It can [`join`](Thread::join) it (wait until it has ended by
//!   itself) or [`stop`](Thread::stop) it, at any time, also when it has ended, also twice. Both
//!   return the [`Outcome`]: the body's value, its error, or that it was stopped.
//! - Every thread belongs to a [`Scope`], which is a field of the device's private data. When that
//!   is dropped, all its threads are stopped and waited for, also those whose handle was leaked.
//!   The module has a [`ModuleScope`], which does the same for leaked scopes. After that no code
//!   of the module runs in any thread.
//!
//! # When to use what else
//!
//! Work that is short and does not wait belongs on a workqueue ([`kernel::workqueue`]); work that
//! waits for a while and may have to be stopped there is a [`Work`], which is to a workqueue what a
//! [`Thread`] is to a task of its own; what is to be done now and then, and whenever something
//! happens, is a [`Chore`]; a reaction to an interrupt that needs to sleep, in a threaded interrupt
//! handler
//! ([`kernel::irq::ThreadedRegistration`]); a short reaction to time passing, in a timer
//! ([`kernel::time::hrtimer`]). A thread is for work with a life of its own.
//!
//! # How threads talk
//!
//! | | from whom | to whom |
//! | --- | --- | --- |
//! | [`Completion`] | any context | "it has happened", to one or to all |
//! | [`channel`] | any context | values in order, each to one thread |
//! | [`Condition`] | whoever holds a lock | "look again" behind that lock |
//! | [`Published`] | one thread | the newest value, to whoever looks |
//!
//! What waits for them does so through its [`AnyStop`], so a stop breaks it. Threads of different
//! priority that share a lock share an [`RtMutex`], so that none in the middle keeps the urgent
//! one waiting.
//!
//! # An example
//!
//! ```
//! use kernel::{prelude::*, sync::Arc, time::Delta};
//! use kthread::{Builder, Outcome, Scope, Stop, Thread};
//! # use kernel::{device::Device, sync::aref::ARef};
//! # const __LOG_PREFIX: &[u8] = b"modem\0";
//! # fn main() {}
//! # struct Line;
//! # struct Link(ARef<Device>);
//! # impl Link {
//! #     fn device(&self) -> &Device {
//! #         &self.0
//! #     }
//! #     fn send(&self, stop: &Stop, block: &[u8]) -> kthread::Result {
//! #         Ok(stop.check()?)
//! #     }
//! #     fn start(&self, stop: &Stop) -> kthread::Result<Line> {
//! #         Ok(Line)
//! #     }
//! # }
//!
//! /// The private data of a device.
//! struct Modem {
//!     // Dropped first: after that nobody uses what comes below.
//!     threads: Scope,
//!     upload: Thread<Line>,
//!     link: Arc<Link>,
//! }
//!
//! /// The module's type has a field `threads: ModuleScope`; without it there are no scopes.
//! fn probe(module: &'static ThisModule, index: u32, link: Arc<Link>) -> Result<Modem> {
//!     let threads = Scope::new(module)?;
//!     let upload = Builder::new(fmt!("modem/{index}")).spawn(&threads, {
//!         let link = link.clone();
//!         move |stop| bring_up(stop, &link)
//!     })?;
//!     Ok(Modem { threads, upload, link })
//! }
//!
//! /// Runs in the thread, for seconds, or until user space has the firmware, or until it is
//! /// stopped. Every `?` is a way out for a stop.
//! fn bring_up(stop: &Stop, link: &Link) -> kthread::Result<Line> {
//!     let firmware = stop.request_firmware(c"modem.bin", link.device())?;
//!     for block in firmware.data().chunks(4096) {
//!         link.send(stop, block)?;
//!     }
//!     stop.sleep(Delta::from_secs(1))?;
//!     link.start(stop)
//! }
//!
//! fn disconnect(modem: &Modem) {
//!     match modem.upload.stop() {
//!         Outcome::Failed(error) => pr_warn!("the modem never came up: {error:?}\n"),
//!         // It was up, or was about to be: no failure either way.
//!         _ => (),
//!     }
//! }
//! ```
//!
//! # How a stop reaches a thread
//!
//! A stop is a flag, then a nudge: `kthread_stop()` is one too, where somebody waits for the end.
//! That breaks *interruptible* waits, as those of this library are. The kernel's *killable* waits,
//! such as the one for firmware from user space, end for a fatal signal only. So a thread says so
//! before it goes into one: from then on it lets SIGKILL in if the kernel sends it (user space's
//! `kill -9` has no effect on it), and while it is there, a stop sends that instead of the nudge.
//! Functions of the kernel that wait killably can be called through [`Stop::killable`]; where one is
//! called in another way, a stop does not break its wait. What waits *uninterruptibly* (`msleep()`,
//! `usb_control_msg()`, most locks) can be broken by nothing: a body should not call what takes long
//! in that way. Where one does, the log says so after ten seconds, see [`Builder::report_after`].
//!
//! # How it is built
//!
//! `life.rs` is the protocol, without a call to the kernel, and `reach.rs`, `pause.rs` and
//! `rounds.rs` what it has for threads and for work items in particular; `task.rs` and `pausing.rs`
//! make the calls for a thread, `item.rs` for a work item.
//! `anystop.rs` has the wait that all waits are made of. `slot.rs` is where the closure and its
//! result are, `block.rs` what a thread and its owner share. `net.rs` knows the threads of a
//! module, by their `member.rs` and along the tree of scopes in `branch.rs`; `nets.rs` knows the
//! modules, `leftover.rs` what else of theirs has to end.
//! `watch.rs` and `lookout.rs` report a stop that takes too
//! long.

/// What the lines begin with that the library logs.
const __LOG_PREFIX: &[u8] = b"kthread\0";

mod affinity;
mod alarm;
mod anystop;
mod block;
mod branch;
mod builder;
mod channel;
mod chore;
mod clock;
mod completion;
mod condition;
mod detached;
mod error;
mod events;
mod firmware;
mod handle;
mod host;
mod item;
mod join;
mod leftover;
mod life;
mod lookout;
mod member;
mod mutex;
mod name;
mod net;
mod nets;
mod pause;
mod pausing;
mod platform;
mod priority;
mod published;
mod reach;
mod rounds;
mod scope;
mod shield;
mod signal;
mod site;
mod slot;
mod stop;
mod sys;
mod task;
mod thread;
mod ticker;
mod watch;
mod work;

pub use self::{
    anystop::AnyStop,
    builder::Builder,
    channel::{
        channel,
        Receiver,
        Refusal,
        Sender,
        Unsent, //
    },
    chore::{
        Again,
        Bell,
        Chore, //
    },
    completion::Completion,
    condition::Condition,
    detached::Detached,
    error::{
        Error,
        Result,
        Stopped, //
    },
    leftover::{
        Leftover,
        LookedAfter, //
    },
    mutex::{
        RtMutex,
        RtMutexBackend,
        RtMutexGuard, //
    },
    priority::Priority,
    published::Published,
    scope::{
        ModuleScope,
        Scope, //
    },
    signal::{
        Signal,
        Signals, //
    },
    stop::Stop,
    thread::{
        Outcome,
        Thread, //
    },
    ticker::{
        Schedule,
        Tick,
        Ticker, //
    },
    work::Work, //
};
