// SPDX-License-Identifier: GPL-2.0

//! ATM devices, their connections and their packets.
//!
//! Asynchronous transfer mode moves everything in cells of 53 bytes over virtual
//! channel connections (VCCs), which a process opens as a socket; PPP and
//! bridging sit on top of such a socket. A driver's side of it has four parts:
//!
//! - A [`Registration`] makes a [`Device`] appear, and takes it away again when
//!   it is dropped.
//! - [`Operations`] is what the ATM layer calls: a VCC opens, closes, sends.
//! - A [`Vcc`] is the driver's handle of an open connection. It may be kept
//!   anywhere and as long as one likes. When the connection closes, the handle
//!   is cut off from it, and what still comes over the handle is dropped.
//! - An [`OutgoingSkb`] is a packet on its way out. Wherever it is dropped, the
//!   ATM layer gets it back, and the sender its room in the send buffer. It can
//!   wait in a [`Queue`]. Packets on their way in are put into [`Arrivals`], until
//!   they are pushed to their VCCs.
//!
//! # Who may be called when
//!
//! The ATM layer opens, closes and sends on one VCC under its socket's lock, so
//! these three never overlap for the same VCC. Nothing orders them between
//! VCCs, or against the driver's own work. C drivers have to know four things
//! more, which this crate knows for its users:
//!
//! - Callbacks may come while the device is still being registered, and after it
//!   was deregistered: open VCCs keep the device, but not its driver's hold on
//!   the hardware, alive. [`Operations`] are called between the two only, except
//!   for `close`, which comes once for each `open` that succeeded.
//! - A connection's callbacks for packets may not be used once it has closed.
//!   [`Vcc`] makes sure of that, with RCU.
//! - The table of operations must be in the module that a VCC keeps from being
//!   unloaded. [`Operations::TABLE`] is a static for that reason. An `ioctl` keeps
//!   the device only; so this module waits for its [`Devices`], or gets none.
//! - The device's name must outlive the device, and with open VCCs that may be
//!   longer than the module that named it. [`Registration`] keeps a copy.
//!
//! # Examples
//!
//! A device that throws everything away:
//!
//! ```
//! use atm::{Devices, Operations, OutgoingSkb, Registration, Table, Vcc};
//! use kernel::{device, prelude::*, sync::{Arc, ArcBorrow}};
//! # fn main() {}
//! # module! { type: MyModule, name: "my_module", license: "GPL", }
//! #[pin_data]
//! struct MyModule {
//!     // Somebody may be in an `ioctl` of a device that is gone.
//!     #[pin]
//!     devices: Devices,
//! }
//!
//! impl kernel::InPlaceModule for MyModule {
//!     fn init(module: &'static ThisModule) -> impl PinInit<Self, Error> {
//!         try_pin_init!(Self {
//!             devices <- Devices::new(module),
//!         })
//!     }
//! }
//!
//! struct Null;
//!
//! impl Operations for Null {
//!     const TABLE: &'static Table<Self> = {
//!         static TABLE: Table<Null> = Table::new::<crate::LocalModule>();
//!         &TABLE
//!     };
//!
//!     fn open(_this: ArcBorrow<'_, Self>, _vcc: &Arc<Vcc>) -> Result {
//!         Ok(())
//!     }
//!
//!     fn close(_this: ArcBorrow<'_, Self>, _vcc: &Arc<Vcc>) {}
//!
//!     fn send(_this: ArcBorrow<'_, Self>, mut skb: OutgoingSkb) -> Result {
//!         skb.mark_sent();
//!         Ok(())
//!     }
//! }
//!
//! fn register(parent: &device::Device) -> Result<Registration<Null>> {
//!     let null = Arc::new(Null, GFP_KERNEL)?;
//!     Registration::new(c"null", parent, null, |device| {
//!         device.set_link_rate(300);
//!         Ok(())
//!     })
//! }
//! ```
//!
//! C header: [`include/linux/atmdev.h`](srctree/include/linux/atmdev.h)

#[allow(dead_code)]
const __LOG_PREFIX: &[u8] = b"atm\0";

mod alive;
mod bindings;
mod bottom_half;
mod device;
mod incoming;
mod irq_poll;
mod operations;
mod outgoing;
mod queue;
mod registration;
mod skb;
mod vcc;
pub mod work;

pub use self::{
    alive::Devices,
    bottom_half::BottomHalf,
    device::{
        AalStats,
        Device,
        Signal, //
    },
    incoming::Arrivals,
    irq_poll::{
        IrqPoll,
        Poll, //
    },
    operations::{
        Operations,
        ProcLine,
        Table,
        LM_NONE,
        QUERYLOOP, //
    },
    outgoing::OutgoingSkb,
    queue::Queue,
    registration::Registration,
    vcc::{
        Aal,
        Vcc, //
    },
};
