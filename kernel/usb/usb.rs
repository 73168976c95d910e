// SPDX-License-Identifier: GPL-2.0

//! USB for drivers that live on kernel threads.
//!
//! The kernel crate's own `usb` module is left out where `CONFIG_USB` is a module, as it is in
//! distribution kernels, and it has no transfers. This crate has what a driver needs to talk to
//! its device, in three layers:
//!
//! - [`Driver`] and [`Interface`]: a driver is probed for an interface, may
//!   [claim](Interface::claim) the device's other interfaces, and is told when they go. Its data
//!   is published before [`Driver::bound`] runs, which is the place to start threads.
//! - [`Device`]: requests that a thread makes and waits for. Each takes the thread's
//!   [`Stop`](kthread::Stop) and returns [`Stopped`](kthread::Stopped) as soon as a stop is asked
//!   for, whatever the device does or fails to do. They are URBs of our own, killed on the way
//!   out, because the C functions `usb_control_msg()` and `usb_bulk_msg()` wait in a state that
//!   nothing interrupts.
//! - [`Stream`]: a fixed set of URBs that a driver keeps in flight, with a handler that is called
//!   when one of them ends.
//!
//! Besides, a driver whose threads wait for user space has a [`SleepWatch`], because they have to
//! stop that before the machine goes to sleep.
//!
//! # A device is not trusted
//!
//! Endpoints come out of the descriptors through [`Interface`], by the number of an alternate
//! setting, and have a type ([`BulkIn`], [`BulkOut`], [`InterruptIn`],
//! [`IsochronousIn`]), so that a transfer in the
//! wrong direction, or on an endpoint that the device lacks, can't be written. The type does not
//! say whose endpoint it is, or whether its alternate setting is selected: a transfer fails where
//! there is no such endpoint. What a device says about lengths is bounded by the memory that we
//! gave it.
//!
//! # When the device goes
//!
//! Transfers fail from that moment on, and each way to fail is an ordinary error. No completion
//! handler runs after the driver is gone, because nothing is in flight then:
//!
//! - A transfer that a thread waits for ends with the function that made it, and the thread ends
//!   before its [`Scope`](kthread::Scope) does.
//! - A [`Stream`] ends with [`Stream::stop`] or when it is dropped. Safe code may leak it, and the
//!   USB core ends only those on the endpoints of an interface that is being unbound. So each one
//!   is known to its module, and the module's [`ModuleScope`](kthread::ModuleScope) ends what is
//!   left of them, as it ends threads that were leaked.
//!
//! C header: [`include/linux/usb.h`](srctree/include/linux/usb.h)

#![warn(missing_docs)]

mod attribute;
mod control;
mod device;
mod driver;
mod endpoint;
mod id;
mod interface;
mod packets;
mod reset;
mod sleep;
mod stream;
mod sys;
mod transfer;
mod upload;
mod urb;

#[doc(hidden)]
pub use kthread as __kthread;

pub use attribute::Attribute;
pub use control::Request;
pub use device::Device;
pub use driver::{
    Adapter,
    Cause,
    Driver, //
};
pub use endpoint::{
    BulkIn,
    BulkOut,
    DataIn,
    InterruptIn,
    IsochronousIn,
    Pipe, //
};
pub use id::{
    DeviceId,
    IdTable, //
};
pub use interface::Interface;
pub use sleep::{
    SleepWatch,
    Sleeper, //
};
pub use stream::{
    Handler,
    Stream,
    Transfer, //
};

/// Copies as many bytes as there is room for; returns how many that are. `copy_from_slice()` would
/// panic where there are more.
fn copy(to: &mut [u8], from: &[u8]) -> usize {
    for (to, from) in to.iter_mut().zip(from) {
        *to = *from;
    }
    to.len().min(from.len())
}

#[allow(
    dead_code,
    reason = "the kernel's print macros want it, also where none is used"
)]
const __LOG_PREFIX: &[u8] = b"usb\0";
