// SPDX-License-Identifier: GPL-2.0

//! The watch over a line: who asks the modem how it is, and when.
//!
//! A modem is asked every few seconds, because none tells of all that happens. Some tell of a
//! change by a packet on an interrupt endpoint, and are asked then as well. A modem that does not
//! answer is asked again soon; if it stays silent, and no cells come from it either, it has to be
//! brought back.
//!
//! It is a thread, not a work item and a timer and an URB that submit each other, because a thread
//! is one thing to stop, and its waits end when it is.

use crate::{
    line::Line,
    line_status::LineStatus,
    minidriver::Minidriver,
    modem::{
        is_gone,
        Modem, //
    }, //
};
use kernel::{
    prelude::*,
    time::Delta, //
};
use kthread::{
    Error,
    Stop, //
};

/// How often in a row a modem may fail to answer before it is taken for dead.
const PATIENCE: u32 = 3;

/// The time from such a failure to the next question.
const RECHECK: Delta = Delta::from_secs(1);

/// How many packets in a row are answered by a question at once. A modem with more to tell has to
/// wait for [`PAUSE`] after each, or it could fill the log.
const BURST: u32 = 10;

/// How long the interrupt endpoint is left alone after a packet that is one too many, or that
/// makes no sense.
const PAUSE: Delta = Delta::from_secs(1);

/// The longest packet there that may make sense, in bytes.
const PACKET_LEN: usize = 16;

/// The watch over one line.
pub(crate) struct Watch<'a, M> {
    minidriver: &'a M,
    stop: &'a Stop,
    modem: &'a Modem,
    line: &'a Line<'a>,
    /// What the modem said last.
    status: LineStatus,
    /// How many packets there were since the last time without one.
    packets: u32,
    /// How often in a row it said nothing, without a cell in between.
    failures: u32,
    /// How many transfers with cells there were when it was asked for the last time.
    received: usize,
    /// Whether it said nothing when it was asked for the last time.
    is_mute: bool,
}

impl<'a, M: Minidriver> Watch<'a, M> {
    pub(crate) fn new(
        minidriver: &'a M,
        stop: &'a Stop,
        modem: &'a Modem,
        line: &'a Line<'a>,
    ) -> Self {
        Self {
            minidriver,
            stop,
            modem,
            line,
            status: LineStatus::Unknown,
            packets: 0,
            failures: 0,
            received: 0,
            is_mute: false,
        }
    }

    /// Watches until the modem goes, or fails. Sleeps.
    pub(crate) fn run(&mut self) -> kthread::Result {
        self.modem.phase("watching the line");
        self.wait(M::FIRST_POLL)?;
        loop {
            let time = self.poll()?;
            self.wait(time)?;
            self.line.check()?;
        }
    }

    /// Asks the modem how its line is, and returns when to ask again.
    fn poll(&mut self) -> kthread::Result<Delta> {
        let status = match self.minidriver.line_status(self.stop, self.modem) {
            Ok(status) => status,
            Err(Error::Failed(error)) => return self.poll_after_failure(error),
            Err(Error::Stopped) => return Err(Error::Stopped),
        };
        self.failures = 0;
        self.received = self.line.received();
        self.is_mute = false;
        self.tell(status)?;
        Ok(M::POLL)
    }

    /// When to ask a modem again that did not tell how its line is: one that sends cells, or is
    /// alive otherwise, is left in peace; one that does not is asked again soon.
    ///
    /// # Errors
    ///
    /// `error`, if that was often enough.
    fn poll_after_failure(&mut self, error: kernel::error::Error) -> kthread::Result<Delta> {
        let is_first = self.complain(error);
        let received = self.line.received();
        if core::mem::replace(&mut self.received, received) != received {
            self.failures = 0;
            return Ok(if is_first { RECHECK } else { M::POLL });
        }
        if self.minidriver.is_alive(self.stop, self.modem)? {
            self.failures = 0;
            return Ok(M::POLL);
        }
        self.failures += 1;
        if self.failures == PATIENCE {
            return Err(error.into());
        }
        Ok(RECHECK)
    }

    /// Hands a status on if it is news.
    fn tell(&mut self, status: LineStatus) -> kthread::Result {
        let before = core::mem::replace(&mut self.status, status);
        if !status.is_like(before) {
            self.line.set(status);
            let number = self.line.number();
            dev_info!(self.modem, "ATM dev {}: {}\n", number, status);
        }
        if status == LineStatus::Down {
            // It may not try again unless it is asked to.
            synchronise(self.minidriver, self.stop, self.modem, self.line)?;
        }
        Ok(())
    }

    /// Waits until the modem tells of its line, or the time has passed.
    fn wait(&mut self, time: Delta) -> kthread::Result {
        let Some(pipe) = self.minidriver.line_events() else {
            return Ok(self.stop.sleep(time)?);
        };
        if self.packets > BURST {
            self.stop.sleep(PAUSE)?;
        }
        let mut packet = [0; PACKET_LEN];
        let device = self.modem.device();
        match device.interrupt_in(self.stop, pipe, &mut packet, time) {
            Ok(length) => {
                self.packets = self.packets.saturating_add(1);
                match self.minidriver.line_event(&packet[..length]) {
                    Some(event) => self.announce(event),
                    None => self.stop.sleep(PAUSE)?,
                }
            }
            Err(Error::Failed(ETIMEDOUT)) => self.packets = 0,
            // The line is polled all the same.
            Err(Error::Failed(_)) => self.stop.sleep(time)?,
            Err(Error::Stopped) => return Err(Error::Stopped),
        }
        Ok(())
    }

    fn announce(&self, event: &str) {
        let number = self.line.number();
        dev_info!(self.modem, "ATM dev {}: DSL line {}\n", number, event);
    }

    /// Logs that the modem did not tell how its line is, the first time that it does not; returns
    /// whether this is it.
    fn complain(&mut self, error: kernel::error::Error) -> bool {
        let is_first = !core::mem::replace(&mut self.is_mute, true);
        if is_first && !is_gone(error) {
            let number = self.line.number();
            dev_warn!(
                self.modem,
                "ATM dev {}: error {:?} fetching device status\n",
                number,
                error
            );
        }
        is_first
    }
}

/// Asks the modem to synchronise its line. If it won't, it is asked again as long as the line is
/// down.
pub(crate) fn synchronise<M: Minidriver>(
    minidriver: &M,
    stop: &Stop,
    modem: &Modem,
    line: &Line<'_>,
) -> kthread::Result {
    match minidriver.synchronise(stop, modem) {
        Err(Error::Failed(error)) if !is_gone(error) => dev_warn!(
            modem,
            "ATM dev {}: failed to start ADSL synchronisation: {:?}\n",
            line.number(),
            error
        ),
        Err(Error::Stopped) => return Err(Error::Stopped),
        Ok(()) | Err(Error::Failed(_)) => {}
    }
    Ok(())
}
