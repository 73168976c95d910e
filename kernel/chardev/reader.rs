// SPDX-License-Identifier: GPL-2.0

//! One open file: how far its reader has come.

use crate::feed::{
    Feed,
    News,
    Status, //
};
use kernel::{
    bindings,
    fs::File,
    iov::IovIterDest,
    new_mutex,
    prelude::*,
    str::CString,
    sync::{
        poll::PollTable,
        Arc,
        Mutex, //
    }, //
};

/// Which line a reader is at.
struct Place {
    /// The number of the newest value that became a line for this reader, or 0.
    seen: u64,
    /// That line.
    line: CString,
    /// How many bytes of it the reader has got.
    given: usize,
}

impl Place {
    fn rest(&self) -> &[u8] {
        self.line.to_bytes().get(self.given..).unwrap_or_default()
    }

    /// Goes on to a new line.
    fn turn_to<T: Status>(&mut self, value: T, number: u64) -> Result {
        self.line = CString::try_from_fmt(fmt!("{value}\n"))?;
        self.given = 0;
        self.seen = number;
        Ok(())
    }

    /// Gives what is left of the line, as much as there is room for.
    fn give(&mut self, to: &mut IovIterDest<'_>) -> Result<usize> {
        let given = to.copy_to_iter(self.rest());
        if given == 0 {
            return Err(EFAULT);
        }
        self.given += given;
        Ok(given)
    }
}

/// An open file of a [`Device`](crate::Device).
///
/// Processes may share it. Then each line is for whoever comes first.
#[pin_data]
pub(crate) struct Reader<T> {
    feed: Arc<Feed<T>>,
    #[pin]
    place: Mutex<Place>,
}

impl<T: Status> Reader<T> {
    pub(crate) fn new(feed: Arc<Feed<T>>) -> Result<Pin<KBox<Self>>> {
        let place = Place {
            seen: 0,
            line: CString::try_from_fmt(fmt!(""))?,
            given: 0,
        };
        KBox::pin_init(
            pin_init!(Self {
                feed,
                place <- new_mutex!(place, "chardev::Reader::place"),
            }),
            GFP_KERNEL,
        )
    }

    /// Gives the rest of the line, or else the newest that the reader has not seen, for which it
    /// waits if `may_wait`. Nothing if there will be none.
    pub(crate) fn read(&self, may_wait: bool, to: &mut IovIterDest<'_>) -> Result<usize> {
        if to.is_empty() {
            return Ok(0);
        }
        loop {
            // Unlocked before the wait, lest others who share the file sleep unbreakably here.
            let seen = {
                let mut place = self.place.lock();
                if place.rest().is_empty() {
                    match self.feed.news_after(place.seen) {
                        News::Value(value, number) => place.turn_to(value, number)?,
                        News::Over => return Ok(0),
                        News::NotYet => (),
                    }
                }
                if !place.rest().is_empty() {
                    return place.give(to);
                }
                place.seen
            };
            if !may_wait {
                return Err(EAGAIN);
            }
            self.feed.wait_after(seen)?;
        }
    }

    /// Which of the events of `poll()` there are, and from now on the table knows of new ones.
    pub(crate) fn poll(&self, file: &File, table: &PollTable<'_>) -> u32 {
        // First of all: what comes after a look at the state must not be missed.
        self.feed.register_poll(file, table);
        let place = self.place.lock();
        let waits =
            place.rest().is_empty() && matches!(self.feed.news_after(place.seen), News::NotYet);
        let mut events = 0;
        if !waits {
            events |= bindings::POLLIN | bindings::POLLRDNORM;
        }
        if !self.feed.is_live() {
            events |= bindings::POLLHUP;
        }
        events
    }
}
