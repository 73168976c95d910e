// SPDX-License-Identifier: GPL-2.0

//! Much data to one endpoint, with several transfers in flight.
//!
//! A device that gets one block, is asked whether it has it, and only then gets the next, leaves
//! the bus idle for the time of the round trip. Here the next blocks wait in the host controller
//! while one is on the wire.

use crate::{
    copy,
    device::Device,
    endpoint::BulkOut,
    stream::{
        Handler,
        Stream,
        Transfer, //
    }, //
};
use kernel::{
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    },
    time::Delta, //
};
use kthread::{
    AnyStop,
    Completion, //
};

/// How many blocks are in flight.
const BLOCKS: usize = 4;

/// What the handler tells the thread.
#[pin_data]
struct Progress {
    /// Completed once for each block that has ended.
    #[pin]
    ended: Completion,
    /// Bytes that the device has taken.
    sent: Atomic<usize>,
    /// The error of the first block that failed, or 0.
    errno: Atomic<i32>,
}

impl Progress {
    fn new() -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            ended <- Completion::new(),
            sent: Atomic::new(0),
            errno: Atomic::new(0),
        })
    }

    /// Tells how much has been sent by now, and returns it.
    ///
    /// # Errors
    ///
    /// That of the first block that failed, if one has.
    fn tell(&self, progress: &mut impl FnMut(usize)) -> Result<usize> {
        let (sent, errno) = (self.sent.load(Relaxed), self.errno.load(Relaxed));
        progress(sent);
        match errno {
            0 => Ok(sent),
            errno => Err(Error::from_errno(errno)),
        }
    }

    /// Waits for the end of one more block.
    #[track_caller]
    fn step(&self, stop: &AnyStop, timeout: Delta) -> kthread::Result {
        if !stop.wait_timeout(&self.ended, timeout)? {
            return Err(ETIMEDOUT.into());
        }
        Ok(())
    }
}

impl Handler for Progress {
    fn completed(&self, _stream: &Stream<Self>, transfer: Transfer<'_, Self>) {
        match transfer.result() {
            Ok(moved) => {
                self.sent.fetch_add(moved, Relaxed);
            }
            Err(error) => {
                // The first is the one that tells what happened.
                let _ = self.errno.cmpxchg(0, error.to_errno(), Relaxed);
            }
        }
        // The block is idle before the thread looks for one; waking it orders the counts too.
        drop(transfer);
        self.ended.complete();
    }
}

impl Device {
    /// Writes all of `data` to a bulk endpoint, in blocks of `block` bytes and a shorter last
    /// one, several in flight at a time. `progress` is told the number of bytes that have
    /// arrived, over and over until that is all of them. Sleeps.
    ///
    /// # Errors
    ///
    /// `EINVAL` if `block` is 0; [`Stopped`](kthread::Error::Stopped) as soon as a stop is asked
    /// for; `ETIMEDOUT` if the device takes longer than `timeout` over a block; else those of
    /// [`Device::bulk_in`]. All blocks in flight are cancelled then.
    #[track_caller]
    pub fn upload(
        &self,
        stop: &AnyStop,
        pipe: BulkOut,
        data: &[u8],
        block: usize,
        timeout: Delta,
        mut progress: impl FnMut(usize),
    ) -> kthread::Result {
        let stream = Stream::unattended(self, pipe, BLOCKS, block, Progress::new());
        let stream = KBox::pin_init(stream, GFP_KERNEL)?;

        for bytes in data.chunks(block) {
            let mut transfer = loop {
                stop.check()?;
                match stream.take() {
                    Some(transfer) => break transfer,
                    None => stream.handler().step(stop, timeout)?,
                }
            };
            let length = copy(transfer.buffer(), bytes);
            transfer.submit(length)?;
            stream.handler().tell(&mut progress)?;
        }
        // The last may have ended before they are waited for.
        loop {
            let sent = stream.handler().tell(&mut progress)?;
            if sent >= data.len() {
                return Ok(());
            }
            stream.handler().step(stop, timeout)?;
        }
    }
}
