// SPDX-License-Identifier: GPL-2.0-only

//! SpeedTouch USB ADSL modems that exist in software only.
//!
//! A [`Modem`] is plugged into the virtual host controller of the machine that
//! it runs on, `vhci_hcd`, or into a virtual machine of QEMU's, and from there on a driver can't tell it from the real
//! thing: it has the descriptors, wants its firmware in two stages, refuses what
//! comes out of order, boots, synchronises its line, and sends back the ATM
//! cells that it is sent. It is as fast as a full-speed bus, or without limit.
//! It can be unplugged at any byte, it can misbehave in ways that are chosen
//! beforehand ([`Fault`]), and it keeps a log of what happened when. A channel of
//! its line may also end in somebody's hands ([`Modem::far_end`]), where real network
//! equipment is put ([`Termination`]).
//!
//! ```no_run
//! use std::time::Duration;
//! use modem::{Image, Modem, Options, What};
//!
//! let stage_1 = std::fs::read("/lib/firmware/speedtch-1.bin")?;
//! let stage_2 = std::fs::read("/lib/firmware/speedtch-2.bin")?;
//! let modem = Modem::plug(
//!     Options::new().firmware(Image::of(&stage_1), Image::of(&stage_2)),
//! )?;
//! let up = modem.wait_for(Duration::from_secs(10), |what| {
//!     matches!(what, What::LineUp { .. })
//! });
//! assert!(up.is_some());
//! modem.unplug();
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # How it is made
//!
//! From the socket inwards, each layer knows the one below it only:
//!
//! - [`modem`](Modem) has the threads and the socket. One thread reads the host's
//!   commands, the other waits for the moment when a transfer ends.
//! - `vhci` plugs a socket into the host controller, through sysfs.
//! - `transport` is what is said on the socket. There are two protocols, bytes to values and
//!   back: `usbip`, and `usbredir` for a host controller of QEMU's.
//! - `transfer` is what both have to say.
//! - `device` has a queue of transfers for each endpoint, and decides what becomes
//!   of each, and when. It does no input and output and asks no clock, the time
//!   is an argument, so that the tests run it against a clock of theirs.
//! - `bus`, `firmware`, `line`, `cells` and `descriptors` are the device's parts, and
//!   `lies` is what some devices have of the kind.
//!
//! # Why the protocols are written here
//!
//! The crate `usbip` (0.9) was tried on paper first: its server handles
//! one transfer after the other, so that an interrupt transfer that waits would
//! block all that come after it, and it answers every cancellation with success
//! without cancelling anything. How a driver cancels what is under way is what
//! this project is about, so the emulated modem has to be right there; and what
//! remains of the protocol then are four packets of 48 bytes. `usbip-device` and
//! the forks of `usbip` are built for asynchronous runtimes, which the small
//! system in our virtual machines would have to carry along for two threads.
//! For usbredir there is a binding to a C library only, which a static program does not have.

#![forbid(unsafe_code)]

mod bus;
mod cells;
mod circuits;
mod control;
mod crash;
mod descriptors;
mod device;
mod far_end;
mod firmware;
mod lies;
mod line;
mod log;
mod modem;
mod options;
mod queue;
mod stream;
mod transfer;
mod transport;
mod usbip;
mod usbredir;
mod vhci;

pub use bus::{BULK_BYTES_PER_FRAME, Bus};
pub use crash::Crash;
pub use far_end::{Encapsulation, Equipment, FarEnd, Termination, hdlc};
pub use firmware::{Image, Stage};
pub use lies::{Answer, Failure, Fate, Lie, Said};
pub use log::{Counters, Event, Peak, Progress, Request, View, What, Why};
pub use modem::{Error, Modem};
pub use options::{Fault, Options};
pub use vhci::Port;
