// SPDX-License-Identifier: GPL-2.0

//! Character devices that tell how something fares: one line of text, and another whenever there
//! is news.
//!
//! # The idea
//!
//! A thread knows something that user space wants to see. It must never wait for those who look,
//! and they must never keep it alive. So there are three parties, which share nothing but the
//! newest value:
//!
//! - The thread has the [`Publisher`]. It publishes a value whenever there is a new one, and never
//!   waits for anybody. When the publisher is dropped, whether the thread ended by itself, failed
//!   or was stopped, the readers learn that nothing more will come.
//! - Whoever owns the device has the [`Feed`], from which a [`Device`] is registered.
//! - Readers open the device. They hold the feed, and with it the newest value, not the thread.
//!
//! # What readers see
//!
//! The first read of an open file gives the newest line at once. The next one waits until there is
//! a newer one, and gives the newest of that moment: a slow reader misses lines, and never sees an
//! old one. So `head -n1` shows how things stand, and `cat` follows them. When the publisher is
//! gone, each reader gets the last line, if it has not had it, and then the end of the file.
//!
//! A line is not torn: what a read with a short buffer leaves of it comes with the next read of
//! the same open file, before anything newer.
//!
//! A read that would wait is broken by any signal to the reader, and fails with `EAGAIN` if the
//! file was opened with `O_NONBLOCK`. `poll()`, `select()` and `epoll` call the file readable
//! exactly when a read would not wait, and hung up when the publisher is gone.
//!
//! Open files keep the module from being unloaded: `delete_module()` fails with `EAGAIN`. When the
//! last one is closed it can go.
//!
//! # An example
//!
//! ```
//! use chardev::{Device, Feed, Publisher};
//! use kernel::{fmt, prelude::*, sync::Arc};
//! # fn main() {}
//! # module! { type: MyModule, name: "level", license: "GPL", }
//!
//! #[derive(Clone, Copy)]
//! struct Level(u32);
//!
//! /// The line, without its end.
//! impl fmt::Display for Level {
//!     fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
//!         write!(f, "level {}", self.0)
//!     }
//! }
//!
//! #[pin_data]
//! struct MyModule {
//!     // Dropped first: after that nobody opens it any more.
//!     #[pin]
//!     device: Device<Level, MyModule>,
//!     publisher: Publisher<Level>,
//! }
//! # impl kernel::InPlaceModule for MyModule {
//! #     fn init(_module: &'static ThisModule) -> impl PinInit<Self, Error> {
//! #         Err::<Self, _>(ENODEV)
//! #     }
//! # }
//!
//! fn register(feed: &Arc<Feed<Level>>) -> impl PinInit<Device<Level, MyModule>, Error> + '_ {
//!     Device::register(c"level", feed)
//! }
//!
//! fn measured(publisher: &mut Publisher<Level>, level: u32) {
//!     publisher.publish(Level(level));
//! }
//! ```
//!
//! # Why not `kernel::miscdevice`
//!
//! [`kernel::miscdevice`] of Linux 7.3 has no `poll`.

/// What the lines begin with that the crate logs.
const __LOG_PREFIX: &[u8] = b"chardev\0";

mod device;
mod feed;
mod reader;

pub use self::{
    device::Device,
    feed::{
        Feed,
        Publisher,
        Status, //
    },
};
