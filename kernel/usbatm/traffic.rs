// SPDX-License-Identifier: GPL-2.0

//! The traffic of one modem: its connections, and the way of packets into cells and back.
//!
//! The [`Modem`](crate::Modem) makes one before it registers the ATM device, starts it when the
//! line side is ready, and stops it when the modem goes. The ATM layer may hold it for longer,
//! until the last connection is closed; nothing in it may be part of a minidriver's module.
//!
//! # Where the work is done
//!
//! ```text
//!   sockets, PPP, bridging     open  close  send        push            pop
//!   ---------------------------|------|------|-----------^---------------^-------------
//!   Traffic                    v      v      v           |  bottom half  |
//!                            +----------+  +----+        |               |
//!                            |    Rx    |  | Tx |     arrived           done
//!                            +----------+  +----+        ^               ^
//!                                 ^          |           |               |
//!   USB transfers                 | cells    v           +--- Rx     Tx -+
//! ```
//!
//! Cells are put together ([`Rx`]) and made ([`Tx`]) where transfers end, in whatever context the
//! host controller calls us, because nothing else keeps the modem busy without a pause. The ATM
//! layer does not want to be called there, if interrupts are off. So packets that are complete, and
//! those that have been sent, wait for a bottom half, an [`IrqPoll`], which moves both: `push` to the
//! receiver, `pop` to the sender. There is no tasklet, and no timer for either. Where interrupts are
//! on, what has been received is pushed at once.
//!
//! The way to that bottom half costs some 460 instructions, most of them the softirq's own. That is
//! why packets of one cell that come one by one with interrupts off cost 0.8 of what they do in C,
//! which takes 1,240 for all; in bursts they cost 0.49 to 0.50, as single cells to be sent do, and
//! all others less. `./lab bench usbatm cpu` measures it. (With a work item it was 1.66 and 0.73.)
//!
//! # When connections close and modems go
//!
//! - A connection that closes is taken out of the receiver's list and gets back what waits to be
//!   sent. What the bottom half has in hand is waited for, and what comes later is dropped by the
//!   [`Vcc`](atm::Vcc), which is cut off from its socket.
//! - A modem that goes gives all waiting packets back, tells the owners of all connections to
//!   close them, and ends all transfers. After that only `close` comes, and nothing runs.
//!
//! While it runs, a `Traffic` holds references to itself, for its transfers and its work item.
//! [`Traffic::stop`] ends that, too.

use crate::{
    channels::Channels,
    health::Health,
    rx::{
        Rx,
        Strays, //
    },
    sides::Sides,
    tx::Tx, //
};
use atm::IrqPoll;
use kernel::{
    impl_has_delayed_work,
    new_delayed_work,
    prelude::*,
    str::CString,
    sync::{
        aref::ARef,
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc, //
    },
    time::{
        msecs_to_jiffies,
        Delta,
        Instant,
        Monotonic, //
    },
    workqueue::{
        DelayedWork,
        WorkItem, //
    }, //
};
use kthread::Scope;
use usb::Stream;
use wire::cell::Vc;

/// How long an endpoint is left alone that failed.
const REVIVAL_MS: u32 = 100;

/// The work item that submits transfers again that have failed, and allocates more.
const REVIVAL: u64 = 0;

/// The traffic of one modem.
#[pin_data]
pub(crate) struct Traffic {
    device: ARef<usb::Device>,
    /// The first line of the device's file in `/proc/net/atm`.
    pub(crate) description: CString,
    stopped: Atomic<bool>,
    /// How transfers from the modem fare.
    pub(crate) rx_health: Health,
    /// And those to it.
    pub(crate) tx_health: Health,
    /// Both directions, and the bottom half that talks to the ATM layer for them.
    #[pin]
    sides: IrqPoll<Sides>,
    #[pin]
    revival: DelayedWork<Traffic, REVIVAL>,
}

impl_has_delayed_work! {
    impl HasDelayedWork<Self, 0> for Traffic { self.revival }
}

impl Traffic {
    /// Allocates all that is needed without a connection: transfers from the modem and their
    /// buffers, by the module's parameters. The module of `scope`, a minidriver's, looks after them:
    /// it goes before this one. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, or `EINVAL` for an impossible padding.
    #[inline(never)] // In this module, not in a minidriver's, because of what it points to.
    pub(crate) fn new(
        scope: &Scope,
        device: &usb::Device,
        channels: &Channels,
        description: CString,
    ) -> Result<Arc<Self>> {
        Arc::pin_init(
            try_pin_init!(Self {
                device: device.into(),
                description,
                stopped: Atomic::new(false),
                rx_health: Health::new(),
                tx_health: Health::new(),
                sides <- IrqPoll::new(Sides::new(scope, device, channels)?),
                revival <- new_delayed_work!("Traffic::revival"),
            }? Error),
            GFP_KERNEL,
        )
    }

    /// Lets cells flow: the alternate setting is selected, the ATM device registered. May be called
    /// again after [`Traffic::pause`].
    ///
    /// # Errors
    ///
    /// The modem does not take a transfer, because it is gone, for example.
    #[inline(never)] // As for `new`.
    pub(crate) fn start(self: &Arc<Self>) -> Result {
        self.rx_health.recover();
        self.tx_health.recover();
        self.rx().handler().start(self);
        self.tx().handler().start(self);
        self.rx().start()
    }

    /// Cancels all transfers, and lets no new one begin until [`Traffic::start`]. Connections stay;
    /// what they want to send is refused. May be called again, and before the first start. Sleeps,
    /// but does not wait for the modem.
    #[inline(never)] // As for `new`.
    pub(crate) fn pause(&self) {
        self.rx().handler().pause();
        self.tx().handler().pause();
        // One that began before that may still submit transfers; one that begins later won't.
        atm::work::flush_delayed(&self.revival);
        self.rx().cancel();
        self.tx().cancel();
    }

    /// The modem goes: releases all connections, cancels all transfers, drops what is queued.
    /// Nothing is sent or received when it returns; may be called again. Sleeps.
    #[inline(never)] // As for `new`.
    pub(crate) fn stop(&self) {
        self.stopped.store(true, Relaxed);
        let strays = self.rx().handler().stop();
        self.tx().handler().stop();
        // Handlers that saw it running are waited for here, and with them goes the last who could
        // queue the item, or leave something to the bottom half.
        self.rx().stop();
        self.tx().stop();
        atm::work::flush_delayed(&self.revival);
        self.sides.quiesce();
        self.sides.flush();
        self.report(strays);
    }

    /// Logs what came for nobody.
    fn report(&self, Strays { count, last, lost }: Strays) {
        if let Some(Vc { vpi, vci }) = last {
            dev_info!(
                self.device,
                "{} cells came for connections that nobody had open, the last for {}.{}\n",
                count,
                vpi,
                vci
            );
        }
        if lost > 0 {
            dev_info!(self.device, "{} isochronous packets were lost\n", lost);
        }
    }

    /// Whether cells get through, as far as transfers tell.
    ///
    /// # Errors
    ///
    /// That of the transfers in one direction, if all of them fail.
    pub(crate) fn check(&self) -> Result {
        self.rx_health.check()?;
        self.tx_health.check()
    }

    /// How many transfers have come from the modem with something in them.
    pub(crate) fn received(&self) -> usize {
        self.rx_health.count()
    }

    /// Whether the modem is gone.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Relaxed)
    }

    /// The way of cells from the modem.
    pub(crate) fn rx(&self) -> &Stream<Rx> {
        &self.sides.rx
    }

    /// The way of cells to it.
    pub(crate) fn tx(&self) -> &Stream<Tx> {
        &self.sides.tx
    }

    /// Moves all that was left to the bottom half before. To be called with interrupts on.
    pub(crate) fn flush_bottom_half(&self) {
        self.sides.flush();
    }

    /// Has the bottom half pass on what has been received. Callable from any context.
    pub(crate) fn queue_delivery(&self) {
        self.sides.note_arrived();
        self.sides.schedule();
    }

    /// Has the bottom half give back what has been sent. Callable from any context.
    pub(crate) fn queue_return(&self) {
        self.sides.note_done();
        self.sides.schedule();
    }

    /// Submits transfers again after some have failed, and allocates those that are wanted, after a
    /// moment. Callable from any context.
    pub(crate) fn queue_revival(self: &Arc<Self>) {
        let delay = msecs_to_jiffies(REVIVAL_MS);
        // If it is queued already, it will see this one, too.
        let _ = atm::work::unbound().enqueue_delayed::<Arc<Self>, REVIVAL>(self.clone(), delay);
    }

    /// Logs a transfer that failed.
    pub(crate) fn complain(&self, what: &str, error: Error) {
        dev_warn!(self.device, "{} cells failed: {:?}\n", what, error);
    }
}

impl WorkItem<REVIVAL> for Traffic {
    type Pointer = Arc<Self>;

    fn run(this: Arc<Self>) {
        this.tx().handler().resume(this.tx());
        this.rx().handler().revive(this.rx());
    }
}

/// Whether a transfer failed because it was cancelled or the modem is gone, which is no reason to
/// complain, or to try again.
pub(crate) fn was_cancelled(error: Error) -> bool {
    [ENOENT, ECONNRESET, ESHUTDOWN, ENODEV, EPERM].contains(&error)
}

/// Something that is worth a line in the log, but not each time.
pub(crate) struct Rare {
    last: Option<Instant<Monotonic>>,
}

impl Rare {
    const INTERVAL: Delta = Delta::from_secs(5);

    /// It has not happened yet.
    pub(crate) const fn new() -> Self {
        Self { last: None }
    }

    /// It happened; returns whether enough time has gone by since the last time.
    pub(crate) fn is_due(&mut self) -> bool {
        let now = Instant::now();
        let is_due = self.last.is_none_or(|last| now - last >= Self::INTERVAL);
        if is_due {
            self.last = Some(now);
        }
        is_due
    }
}
