// SPDX-License-Identifier: GPL-2.0

//! The newest value, between the one who publishes it and all who read it.

use kernel::{
    fmt,
    fs::File,
    new_poll_condvar,
    new_spinlock,
    prelude::*,
    sync::{
        poll::{
            PollCondVar,
            PollTable, //
        },
        Arc,
        SpinLock, //
    }, //
};

/// A value that readers get as a line of text: its [`Display`](fmt::Display) without a line's end.
///
/// It is implemented for all types that can be.
pub trait Status: Copy + Send + Sync + fmt::Display + 'static {}

impl<T: Copy + Send + Sync + fmt::Display + 'static> Status for T {}

/// What a feed holds.
struct Newest<T> {
    value: T,
    /// How many values there have been: the first is 1.
    number: u64,
    /// Whether there is a publisher.
    live: bool,
}

// The value is copied in and out, and never pinned where it lies.
impl<T> Unpin for Newest<T> {}

/// What is there for a reader who has seen the values up to some number.
pub(crate) enum News<T> {
    /// A newer value, and its number.
    Value(T, u64),
    /// Nothing, and nothing will come.
    Over,
    /// Nothing yet.
    NotYet,
}

/// The newest value of a [`Publisher`], and those who wait for a newer one.
///
/// It lives as long as anybody holds it: the publisher, a [`Device`](crate::Device), an open file.
/// Dropping the last reference may sleep.
#[pin_data]
pub struct Feed<T> {
    #[pin]
    newest: SpinLock<Newest<T>>,
    #[pin]
    changed: PollCondVar,
}

impl<T: Status> Feed<T> {
    /// Makes a feed whose newest value is `first`, and its only publisher.
    ///
    /// May sleep. Fails with [`ENOMEM`].
    pub fn new(first: T) -> Result<(Publisher<T>, Arc<Self>)> {
        let newest = Newest {
            value: first,
            number: 1,
            live: true,
        };
        let feed = Arc::pin_init(
            pin_init!(Self {
                newest <- new_spinlock!(newest, "chardev::Feed::newest"),
                changed <- new_poll_condvar!("chardev::Feed::changed"),
            }),
            GFP_KERNEL,
        )?;
        let publisher = Publisher { feed: feed.clone() };
        Ok((publisher, feed))
    }

    /// The newest value. Does not sleep.
    pub fn newest(&self) -> T {
        self.newest.lock().value
    }

    /// What there is for somebody who has seen the values up to number `seen`.
    pub(crate) fn news_after(&self, seen: u64) -> News<T> {
        let newest = self.newest.lock();
        if newest.number > seen {
            News::Value(newest.value, newest.number)
        } else if newest.live {
            News::NotYet
        } else {
            News::Over
        }
    }

    /// Waits until there are news after number `seen`, or until there will be none.
    ///
    /// [`ERESTARTSYS`] if the caller got a signal before that.
    pub(crate) fn wait_after(&self, seen: u64) -> Result {
        let mut newest = self.newest.lock();
        while newest.live && newest.number <= seen {
            if self.changed.wait_interruptible(&mut newest) {
                return Err(ERESTARTSYS);
            }
        }
        Ok(())
    }

    /// Whether there is a publisher.
    pub(crate) fn is_live(&self) -> bool {
        self.newest.lock().live
    }

    /// Sees to it that `poll()` looks again at the file when something changes.
    pub(crate) fn register_poll(&self, file: &File, table: &PollTable<'_>) {
        table.register_wait(file, &self.changed);
    }

    /// Changes what the feed holds, and wakes up all who wait for that.
    fn change(&self, change: impl FnOnce(&mut Newest<T>)) {
        change(&mut self.newest.lock());
        self.changed.notify_all();
    }
}

/// The one who publishes the values of a [`Feed`].
///
/// A thread owns it, usually. When it is dropped, readers get the value that was published last,
/// and then the end of the file.
pub struct Publisher<T: Status> {
    feed: Arc<Feed<T>>,
}

impl<T: Status> Publisher<T> {
    /// Makes `value` the newest.
    ///
    /// It does not sleep, and never waits for a reader: it takes a spinlock that others hold only
    /// while they copy one value, and wakes up those who wait. To be called by threads, not from
    /// interrupts.
    pub fn publish(&mut self, value: T) {
        self.feed.change(|newest| {
            newest.value = value;
            newest.number += 1;
        });
    }
}

impl<T: Status> Drop for Publisher<T> {
    fn drop(&mut self) {
        self.feed.change(|newest| newest.live = false);
    }
}
