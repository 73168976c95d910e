// SPDX-License-Identifier: GPL-2.0

//! From transfers to packets.
//!
//! A fixed set of transfers is always under way. When one ends, its cells are put together to
//! packets there and then, and it is submitted again at once. That takes a few microseconds for the
//! 64 cells of a transfer (more where an owner has asked for larger transfers), with interrupts off
//! if the host controller wants it so: it is a copy and a CRC of sixteen bytes at a time. A transfer
//! that ends while another CPU still passes on packets of one before it waits for that; the others
//! are under way meanwhile.
//!
//! Whole packets go to the ATM layer where the protocols above expect to be called: there and then,
//! if the host controller ends its transfers with interrupts on, as most do, and else from a [bottom
//! half](Traffic) of our own. One of them does so at a time, from before it takes the packets out
//! until the last is passed on, so that they stay in order.
//!
//! # What a modem can't do
//!
//! Cells may come for connections that nobody has open, packets may lack their ends or be wrong in
//! any way, transfers may be cut anywhere or fail, or not even be taken by the host controller: all
//! that is counted, and nothing is believed.
//! What is gathered is bounded by what a connection's owner wants to receive, and what waits for
//! the bottom half by [`MAX_ARRIVED`]. An endpoint that fails is left alone for a moment, so that
//! it can't keep a processor busy.

use crate::{
    modem::is_gone,
    traffic::{
        was_cancelled,
        Rare,
        Traffic, //
    },
    vcc::{
        Connection,
        Connections, //
    }, //
};
use atm::{
    Arrivals,
    BottomHalf, //
};
use kernel::{
    new_spinlock,
    new_spinlock_irq,
    prelude::*,
    sync::{
        Arc,
        SpinLock,
        SpinLockIrq, //
    }, //
};
use usb::{
    Stream,
    Transfer, //
};
use wire::cell::{
    Cell,
    Splitter,
    Stride,
    Vc, //
};

/// How many packets may wait for the bottom half, which is seldom one millisecond behind. A modem
/// at full speed takes eleven to send 256 of one cell, and 360 to send 256 of 1,500 bytes.
const MAX_ARRIVED: usize = 256;

/// What came for nobody.
#[derive(Default)]
pub(crate) struct Strays {
    /// Cells of connections that nobody has open.
    ///
    /// A few come whenever a connection is closed while packets are under way. Many, and none for
    /// anybody, mean that the user has the wrong numbers, so the right ones are worth to be told.
    pub(crate) count: u64,
    /// The connection of the last of them.
    pub(crate) last: Option<Vc>,
    /// Isochronous packets that were lost on the bus. A cell or two in each belonged to somebody,
    /// whose AAL5 packet then fails its check.
    pub(crate) lost: u64,
}

/// The receiving side of a modem.
#[pin_data]
pub(crate) struct Rx {
    /// Held by who passes packets on. Taken before the other one, and in bottom halves only.
    #[pin]
    delivery: SpinLock<()>,
    #[pin]
    state: SpinLockIrq<State>,
}

struct State {
    /// Whose side this is, while it runs.
    traffic: Option<Arc<Traffic>>,
    /// Whether transfers are to be under way.
    flowing: bool,
    splitter: Splitter,
    connections: Connections,
    /// Packets for the ATM layer.
    arrived: Arrivals,
    strays: Strays,
    complaint: Rare,
}

impl Rx {
    /// A receiver of cells that come in at this distance from each other.
    pub(crate) fn new(stride: Stride) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            delivery <- new_spinlock!(()),
            state <- new_spinlock_irq!(State {
                traffic: None,
                flowing: false,
                splitter: Splitter::new(stride),
                connections: Connections::new(),
                arrived: Arrivals::new(),
                strays: Strays::default(),
                complaint: Rare::new(),
            }),
        })
    }

    /// From now on, connections may be opened, and what comes in is taken in.
    pub(crate) fn start(&self, traffic: &Arc<Traffic>) {
        let mut state = self.state.lock();
        let before = state.traffic.replace(traffic.clone());
        state.splitter.reset();
        state.flowing = true;
        drop(state);
        drop(before);
    }

    /// From now on, no transfer is submitted any more. Connections stay, and may be opened.
    pub(crate) fn pause(&self) {
        self.state.lock().flowing = false;
    }

    /// The opposite: tells the owners of all connections to close them. Returns the cells that
    /// nobody wanted, the first time that it is called.
    pub(crate) fn stop(&self) -> Strays {
        let mut state = self.state.lock();
        let traffic = state.traffic.take();
        state.flowing = false;
        state.connections.release_all(EPIPE);
        let strays = core::mem::take(&mut state.strays);
        drop(state);
        // Not with the lock held, although somebody else has another reference.
        drop(traffic);
        strays
    }

    /// Submits all transfers that are not under way, unless none is wanted; if that fails, again
    /// later.
    ///
    /// What is queued here is queued before [`Rx::pause`] or [`Rx::stop`] returns, so that whoever
    /// calls one of them can wait for it afterwards.
    pub(crate) fn revive(&self, stream: &Stream<Self>) {
        let is_flowing = self.state.lock().flowing;
        if is_flowing {
            self.submitted(stream.start());
        }
    }

    /// Transfers were submitted, or not, which is a failure like any other.
    fn submitted(&self, result: Result) {
        if let Err(error) = result {
            self.state.lock().failed(error);
        }
    }

    /// Opens a connection. Sleeps.
    ///
    /// # Errors
    ///
    /// `ENODEV` if the modem is gone, `EADDRINUSE` if there is such a connection, `ENOMEM`, or
    /// `EINVAL` for an address that doesn't fit into a cell.
    pub(crate) fn open(&self, vcc: &Arc<atm::Vcc>) -> Result {
        let connection = Connection::new(vcc, GFP_KERNEL)?;
        let mut state = self.state.lock();
        let refused = match state.traffic {
            None => Err((ENODEV, connection)),
            Some(_) => state
                .connections
                .insert(connection)
                .map_err(|c| (EADDRINUSE, c)),
        };
        // What was refused is freed only after that.
        drop(state);
        refused.map_err(|(error, _connection)| error)
    }

    /// Closes a connection. Sleeps.
    pub(crate) fn close(&self, vcc: &Arc<atm::Vcc>) {
        let removed = self.state.lock().connections.remove(vcc);
        // Freed here, without the lock.
        drop(removed);
    }

    /// Passes on what has arrived.
    pub(crate) fn deliver_all(&self, bottom_half: &BottomHalf) {
        let _alone = self.delivery.lock();
        let packets = self.state.lock().take_arrived();
        packets.push_all(bottom_half);
    }
}

impl usb::Handler for Rx {
    fn completed(&self, _stream: &Stream<Self>, transfer: Transfer<'_, Self>) {
        // The lock of the state switches interrupts off.
        let bottom_half = BottomHalf::try_begin();
        let alone = bottom_half.as_ref().map(|_| self.delivery.lock());
        let mut state = self.state.lock();
        if state.traffic.is_none() || !state.flowing {
            return;
        }
        match transfer.result() {
            Ok(_) => {
                // What is passed on at once does not wait, however many packets a transfer has.
                let most = if alone.is_some() {
                    usize::MAX
                } else {
                    MAX_ARRIVED
                };
                let mut has_come = false;
                for piece in transfer.pieces() {
                    match piece {
                        Ok(bytes) => {
                            has_come |= !bytes.is_empty();
                            state.take_in(bytes, most);
                        }
                        Err(_) => state.lose_piece(),
                    }
                }
                if has_come {
                    state.note_life();
                }
                let now = bottom_half.as_ref().map(|it| (it, state.take_arrived()));
                if now.is_none() {
                    state.leave_arrived();
                }
                drop(state);
                let whole = transfer.capacity();
                self.submitted(transfer.submit(whole));
                if let Some((bottom_half, packets)) = now {
                    packets.push_all(bottom_half);
                }
            }
            Err(error) if was_cancelled(error) => {}
            Err(error) => {
                // Idle before it is to be submitted again: whoever does that takes idle ones only.
                drop(transfer);
                state.splitter.reset();
                state.failed(error);
            }
        }
    }
}

impl State {
    /// The modem has sent something. An isochronous transfer ends well also where nobody does, and
    /// so says nothing of a modem.
    fn note_life(&self) {
        if let Some(traffic) = &self.traffic {
            traffic.rx_health.good();
        }
    }

    /// Has the bottom half pass on what has arrived.
    fn leave_arrived(&self) {
        if let (Some(traffic), false) = (&self.traffic, self.arrived.is_empty()) {
            traffic.queue_delivery();
        }
    }

    fn take_arrived(&mut self) -> Arrivals {
        core::mem::take(&mut self.arrived)
    }

    /// A transfer failed, or was not taken: it is submitted again later.
    fn failed(&mut self, error: Error) {
        let (Some(traffic), true) = (&self.traffic, self.flowing) else {
            return;
        };
        traffic.rx_health.failed(error);
        if !is_gone(error) && self.complaint.is_due() {
            traffic.complain("receiving", error);
        }
        traffic.queue_revival();
    }

    /// An isochronous packet was lost, and with it the end of what came before it: the next one is
    /// taken to begin with a cell.
    fn lose_piece(&mut self) {
        self.splitter.reset();
        self.strays.lost += 1;
    }

    /// Takes in what a transfer brought, where `most` packets may wait.
    fn take_in(&mut self, bytes: &[u8], most: usize) {
        let Self {
            splitter,
            connections,
            arrived,
            strays,
            ..
        } = self;
        splitter.push(bytes, |cell| {
            let vc = cell.header().vc;
            match connections.find(vc) {
                Some(connection) => take_cell(connection, cell, arrived, most),
                None => {
                    strays.count += 1;
                    strays.last = Some(vc);
                }
            }
        });
    }
}

/// Adds a cell to its connection's packet, and the packet to the queue if it is complete and less
/// than `most` wait there.
fn take_cell(connection: &mut Connection, cell: Cell<'_>, arrived: &mut Arrivals, most: usize) {
    let (vcc, reassembler) = connection.parts();
    let pdu = match reassembler.push(cell.header().pti, cell.payload()) {
        Ok(Some(pdu)) => pdu,
        Ok(None) => return,
        Err(_) => return vcc.count_rx_error(),
    };
    // The buffer is a little longer than that, up to the end of a cell.
    if pdu.sdu.len() > vcc.max_rx_sdu() {
        return vcc.count_rx_error();
    }
    if arrived.len() >= most {
        return vcc.count_rx_drop();
    }
    if arrived.push(vcc, pdu.sdu).is_err() {
        vcc.count_rx_drop();
    }
}
