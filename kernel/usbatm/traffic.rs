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
//! those that have been sent, wait for a work item that runs in a bottom half, and moves both:
//! `push` to the receiver, `pop` to the sender. There is no tasklet, and no timer for either. Where
//! interrupts are on, what has been received is pushed at once.
//!
//! # When connections close and modems go
//!
//! - A connection that closes is taken out of the receiver's list and gets back what waits to be
//!   sent. What the bottom half has in hand is waited for, and what comes later is dropped by the
//!   [`Vcc`](atm::Vcc), which is cut off from its socket.
//! - A modem that goes gives all waiting packets back, tells the owners of all connections to
//!   close them, and ends all transfers. After that only `close` comes, and nothing runs.
//!
//! While it runs, a `Traffic` holds references to itself, for its work items. [`Traffic::stop`]
//! ends that, too.

use crate::{
    channels::Channels,
    health::Health,
    parameters,
    rx::{
        Rx,
        Strays, //
    },
    tx::Tx,
    MAX_BUFFER, //
};
use core::cmp::max;
use kernel::{
    impl_has_delayed_work,
    impl_has_work,
    new_delayed_work,
    new_work,
    prelude::*,
    str::CString,
    sync::{
        aref::ARef,
        atomic::{
            Atomic,
            AtomicFlag,
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
        self,
        DelayedWork,
        Work,
        WorkItem, //
    }, //
};
use kthread::Scope;
use usb::{
    Pipe,
    Stream, //
};
use wire::cell::{
    Stride,
    Vc, //
};

/// How long an endpoint is left alone that failed.
const REVIVAL_MS: u32 = 100;

/// The work item that talks to the ATM layer.
const BOTTOM_HALF: u64 = 0;
/// The one that submits transfers again that have failed.
const REVIVAL: u64 = 1;

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
    #[pin]
    pub(crate) rx: Stream<Rx>,
    #[pin]
    pub(crate) tx: Stream<Tx>,
    /// Whether packets that have been sent wait for the bottom half.
    has_done: AtomicFlag,
    #[pin]
    bottom_half: Work<Traffic, BOTTOM_HALF>,
    #[pin]
    revival: DelayedWork<Traffic, REVIVAL>,
}

impl_has_work! {
    impl HasWork<Self, 0> for Traffic { self.bottom_half }
}

impl_has_delayed_work! {
    impl HasDelayedWork<Self, 1> for Traffic { self.revival }
}

impl Traffic {
    /// Allocates all that is needed: transfers and their buffers, by the module's parameters. The
    /// module of `scope`, a minidriver's, looks after them: it goes before this one. May sleep.
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
        let rx_stride = Stride::new(channels.rx_padding.try_into()?);
        let tx_stride = Stride::new(channels.tx_padding.try_into()?);
        let rx_count = parameters::num_rcv_urbs.value().get().try_into()?;
        let tx_count = parameters::num_snd_urbs.value().get().try_into()?;
        let rx_bytes = parameters::rcv_buf_bytes.value().get().try_into()?;
        let tx_bytes = parameters::snd_buf_bytes.value().get().try_into()?;
        let rx_size = whole_packets(rx_bytes, channels.rx.max_packet());
        let tx_size = max(tx_stride.get(), tx_stride.fit(tx_bytes));
        Arc::pin_init(
            try_pin_init!(Self {
                device: device.into(),
                description,
                stopped: Atomic::new(false),
                rx_health: Health::new(),
                tx_health: Health::new(),
                rx <- Stream::new(scope, device, channels.rx, rx_count, rx_size, Rx::new(rx_stride)),
                tx <- Stream::new(scope, device, channels.tx, tx_count, tx_size, Tx::new(tx_stride)),
                has_done: AtomicFlag::new(false),
                bottom_half <- new_work!("Traffic::bottom_half"),
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
        self.rx.handler().start(self);
        self.tx.handler().start(self);
        self.rx.start()
    }

    /// Cancels all transfers, and lets no new one begin until [`Traffic::start`]. Connections stay;
    /// what they want to send is refused. May be called again, and before the first start. Sleeps,
    /// but does not wait for the modem.
    #[inline(never)] // As for `new`.
    pub(crate) fn pause(&self) {
        self.rx.handler().pause();
        self.tx.handler().pause();
        // One that began before that may still submit transfers; one that begins later won't.
        atm::work::flush_delayed(&self.revival);
        self.rx.cancel();
        self.tx.cancel();
    }

    /// The modem goes: releases all connections, cancels all transfers, drops what is queued.
    /// Nothing is sent or received when it returns; may be called again. Sleeps.
    #[inline(never)] // As for `new`.
    pub(crate) fn stop(&self) {
        self.stopped.store(true, Relaxed);
        let strays = self.rx.handler().stop();
        self.tx.handler().stop();
        // Handlers that saw it running are waited for here, and with them goes the last who could
        // queue one of the items.
        self.rx.stop();
        self.tx.stop();
        atm::work::flush_delayed(&self.revival);
        self.flush_bottom_half();
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

    /// Whether the modem is gone.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Relaxed)
    }

    /// Waits until the bottom half has moved all that was queued for it. Sleeps.
    pub(crate) fn flush_bottom_half(&self) {
        atm::work::flush(&self.bottom_half);
    }

    /// Has the bottom half see what there is for the ATM layer. Callable from any context.
    pub(crate) fn queue_bottom_half(self: &Arc<Self>) {
        // If it is queued already, it has not begun yet.
        let _ = workqueue::system_bh().enqueue::<Arc<Self>, BOTTOM_HALF>(self.clone());
    }

    /// Has the bottom half give back what has been sent. Callable from any context.
    pub(crate) fn queue_return(self: &Arc<Self>) {
        // ORDERING: To queue the item is a full barrier, also if it is queued already, and so is the
        // beginning of its run, which sees this.
        self.has_done.store(true, Relaxed);
        self.queue_bottom_half();
    }

    /// Submits transfers again after some have failed, and after a moment. Callable from any
    /// context.
    pub(crate) fn queue_revival(self: &Arc<Self>) {
        let delay = msecs_to_jiffies(REVIVAL_MS);
        // If it is queued already, it will see this one, too.
        let _ =
            workqueue::system_unbound().enqueue_delayed::<Arc<Self>, REVIVAL>(self.clone(), delay);
    }

    /// Logs a transfer that failed.
    pub(crate) fn complain(&self, what: &str, error: Error) {
        dev_warn!(self.device, "{} cells failed: {:?}\n", what, error);
    }
}

/// The length of a transfer from the modem: about `len`, rounded to whole packets, so that the
/// modem can't send more than we have room for; at least one, and no more than fit into the
/// largest buffer.
fn whole_packets(len: usize, packet: usize) -> usize {
    let packet = max(1, packet);
    let most = MAX_BUFFER / packet;
    ((len + packet / 2) / packet).min(most).max(1) * packet
}

impl WorkItem<BOTTOM_HALF> for Traffic {
    type Pointer = Arc<Self>;

    fn run(this: Arc<Self>) {
        this.rx.handler().deliver_all();
        // Seldom: its lock is not taken in vain.
        if this.has_done.xchg(false, Relaxed) {
            this.tx.handler().take_done().give_back_all();
        }
    }
}

impl WorkItem<REVIVAL> for Traffic {
    type Pointer = Arc<Self>;

    fn run(this: Arc<Self>) {
        this.tx.handler().resume(&this.tx);
        this.rx.handler().revive(&this.rx);
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
