// SPDX-License-Identifier: GPL-2.0

//! The watch over a line: who asks the modem how it is, and when.
//!
//! A modem is asked every few seconds, because none tells of all that happens. Some tell of a
//! change by a packet on an interrupt endpoint, and are asked then as well. A modem that does not
//! answer is asked again soon; if it stays silent, and no cells come from it either, it has to be
//! brought back.
//!
//! It is a [chore](kthread::Chore) and no thread, which would keep a stack for as long as the modem
//! is there, and sleep. As a thread it is one thing to stop, and its waits end when it is.

use crate::{
    events::{
        Events,
        Packet, //
    },
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
    Again,
    AnyStop,
    Error, //
};

/// How often in a row a modem may fail to answer before it is taken for dead.
const PATIENCE: u32 = 3;

/// The time from such a failure to the next question.
const RECHECK: Delta = Delta::from_secs(1);

/// How many packets in a row are answered by a question at once. A modem with more to tell has to
/// wait for [`PAUSE`] after each, or it could fill the log.
const BURST: u32 = 10;

/// How long the interrupt endpoint is left alone after a packet that is one too many.
const PAUSE: Delta = Delta::from_secs(1);

/// What is kept of a line from one look at it to the next.
pub(crate) struct Notes {
    /// Where the modem tells of it.
    events: Option<Events>,
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

impl Notes {
    /// On a line that was not looked at yet, and has received so many transfers.
    pub(crate) fn new(events: Option<Events>, received: usize) -> Self {
        Self {
            events,
            status: LineStatus::Unknown,
            packets: 0,
            failures: 0,
            received,
            is_mute: false,
        }
    }
}

/// A look at a line.
pub(crate) struct Look<'a, M> {
    pub(crate) minidriver: &'a M,
    pub(crate) stop: &'a AnyStop,
    pub(crate) modem: &'a Modem,
    pub(crate) line: &'a Line<'a>,
    pub(crate) notes: &'a mut Notes,
}

impl<M: Minidriver> Look<'_, M> {
    /// Asks the modem how its line is, and says when to look again. Sleeps.
    ///
    /// # Errors
    ///
    /// The modem has failed, and has to be brought back.
    pub(crate) fn take(&mut self) -> kthread::Result<Again> {
        self.line.check()?;
        self.hear()?;
        let time = self.poll()?;
        if let Some(events) = &self.notes.events {
            events.listen();
        }
        Ok(Again::After(time))
    }

    /// Asks the modem how its line is, and returns when to ask again.
    fn poll(&mut self) -> kthread::Result<Delta> {
        let status = match self.minidriver.line_status(self.stop, self.modem) {
            Ok(status) => status,
            Err(Error::Failed(error)) => return self.poll_after_failure(error),
            Err(Error::Stopped) => return Err(Error::Stopped),
        };
        self.notes.failures = 0;
        self.notes.received = self.line.received();
        self.notes.is_mute = false;
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
        if core::mem::replace(&mut self.notes.received, received) != received {
            self.notes.failures = 0;
            return Ok(if is_first { RECHECK } else { M::POLL });
        }
        match self.minidriver.is_alive(self.stop, self.modem) {
            Ok(true) => {
                self.notes.failures = 0;
                return Ok(M::POLL);
            }
            Ok(false) => self.notes.failures += 1,
            // It could not be asked, which is no failure of its.
            Err(Error::Failed(_)) => {}
            Err(Error::Stopped) => return Err(Error::Stopped),
        }
        if self.notes.failures == PATIENCE {
            return Err(error.into());
        }
        Ok(RECHECK)
    }

    /// Hands a status on, and logs it if it is news.
    fn tell(&mut self, status: LineStatus) -> kthread::Result {
        let before = core::mem::replace(&mut self.notes.status, status);
        // Its rates may be others, too.
        self.line.set(status);
        if !status.is_like(before) {
            let number = self.line.number();
            dev_info!(self.modem, "ATM dev {}: {}\n", number, status);
        }
        if status == LineStatus::Down {
            // It may not try again unless it is asked to.
            synchronise(self.minidriver, self.stop, self.modem, self.line)?;
        }
        Ok(())
    }

    /// Hears what the modem has to tell, if it is that what we were called for.
    fn hear(&mut self) -> kthread::Result {
        let packet = self.notes.events.as_ref().and_then(Events::take);
        let Some(packet) = packet else {
            self.notes.packets = 0;
            return Ok(());
        };
        self.notes.packets = self.notes.packets.saturating_add(1);
        self.announce(&packet);
        if self.notes.packets > BURST {
            self.stop.sleep(PAUSE)?;
        }
        Ok(())
    }

    /// Logs what a packet says, if it makes sense.
    fn announce(&self, packet: &Packet) {
        if let Some(event) = self.minidriver.line_event(packet.bytes()) {
            let number = self.line.number();
            dev_info!(self.modem, "ATM dev {}: DSL line {}\n", number, event);
        }
    }

    /// Logs that the modem did not tell how its line is, the first time that it does not; returns
    /// whether this is it.
    fn complain(&mut self, error: kernel::error::Error) -> bool {
        let is_first = !core::mem::replace(&mut self.notes.is_mute, true);
        if is_first && !is_gone(error) {
            let number = self.line.number();
            dev_warn!(
                self.modem,
                "ATM dev {}: error {} fetching device status\n",
                number,
                error.to_errno()
            );
        }
        is_first
    }
}

/// Asks the modem to synchronise its line. If it won't, it is asked again as long as the line is
/// down.
pub(crate) fn synchronise<M: Minidriver>(
    minidriver: &M,
    stop: &AnyStop,
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
