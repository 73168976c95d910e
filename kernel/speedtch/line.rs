// SPDX-License-Identifier: GPL-2.0

//! The ADSL line: how it is started, and who notices that it goes up or down.
//!
//! The modem tells of changes on its interrupt endpoint, and is asked every few seconds, because
//! it does not tell of all. One thread does both: it waits for an interrupt for as long as it is
//! from one poll to the next, and reads the line's state then, in either case. A modem that does
//! not tell is asked again soon; if it stays silent, and no cells come from it either, it has to be
//! brought back, and then its line is followed again.
//!
//! It is a thread, not a work item and a timer and an URB that submit each other, because a thread
//! is one thing to stop, and its waits end when it is.

use crate::{
    is_gone,
    modem::{
        self,
        LineEvent,
        LineState,
        Status, //
    },
    read,
    request,
    SpeedTouch,
    TIMEOUT, //
};
use kernel::{
    prelude::*,
    time::Delta, //
};
use kthread::{
    Error,
    Stop, //
};
use usbatm::{
    Line,
    Modem, //
};

/// The first poll comes this long after the line was started.
const FIRST_POLL_MSECS: i64 = modem::FIRST_POLL_MSECS as i64;
/// The usual time from one poll to the next.
const POLL_MSECS: i64 = modem::POLL_MSECS as i64;
/// How often in a row a modem may fail to tell its state before it is taken for dead.
const PATIENCE: u32 = 3;
/// The time from such a failure to the next poll.
const RECHECK_MSECS: i64 = 1000;

/// How many interrupts in a row are answered at once. A modem with more to tell has to wait for
/// [`PAUSE`] after each, or it could fill the log.
const BURST: u32 = 10;

/// How long the interrupt endpoint is left alone after a packet that is one too many, or that
/// makes no sense.
const PAUSE: Delta = Delta::from_secs(1);

impl SpeedTouch {
    /// Asks the modem to synchronise its line. If it won't, it is asked again as long as the line
    /// is down.
    pub(crate) fn start_synchro(
        &self,
        stop: &Stop,
        modem: &Modem,
        line: &Line<'_>,
    ) -> kthread::Result {
        let mut answer = [0; modem::START_SYNCHRO.length as usize];
        let setup = request(&modem::START_SYNCHRO);
        match modem.device().control_in(stop, setup, &mut answer, TIMEOUT) {
            Err(Error::Failed(error)) if !is_gone(error) => dev_warn!(
                modem,
                "ATM dev {}: failed to start ADSL synchronisation: {:?}\n",
                line.number(),
                error
            ),
            Err(Error::Stopped) => return Err(Error::Stopped),
            Ok(_) | Err(Error::Failed(_)) => {}
        }
        Ok(())
    }

    /// Follows the line until the modem goes.
    pub(crate) fn follow_line(
        &self,
        stop: &Stop,
        modem: &Modem,
        line: &Line<'_>,
    ) -> kthread::Result {
        modem.phase("watching the line");
        let mut watch = Watch {
            speedtouch: self,
            stop,
            modem,
            line,
            state: None,
            events: 0,
            failures: 0,
            received: 0,
            is_mute: false,
        };
        watch.run()
    }
}

/// The watch over one line.
struct Watch<'a> {
    speedtouch: &'a SpeedTouch,
    stop: &'a Stop,
    modem: &'a Modem,
    line: &'a Line<'a>,
    /// What the modem said last.
    state: Option<LineState>,
    /// How many interrupts there were since the last time without one.
    events: u32,
    /// How often in a row it said nothing, without a cell in between.
    failures: u32,
    /// How many transfers with cells there were when it was asked for the last time.
    received: usize,
    /// Whether it said nothing when it was asked for the last time.
    is_mute: bool,
}

impl Watch<'_> {
    fn run(&mut self) -> kthread::Result {
        self.wait_for_event(FIRST_POLL_MSECS)?;
        loop {
            let poll = self.ask()?;
            self.wait_for_event(poll)?;
            self.line.check()?;
        }
    }

    /// Asks the modem how its line is, and returns when to ask again.
    fn ask(&mut self) -> kthread::Result<i64> {
        let (stop, modem) = (self.stop, self.modem);
        let mut state = [0; modem::STATUS_7.length as usize];
        match read(stop, modem, &modem::STATUS_7, &mut state, TIMEOUT) {
            Ok(()) => self.failures = 0,
            Err(Error::Failed(error)) => return Ok(self.poll_after_failure(error)?),
            Err(Error::Stopped) => return Err(Error::Stopped),
        }
        self.received = self.line.received();
        // It is alive, whatever becomes of the rest.
        match rates(stop, modem) {
            Ok(rates) => {
                self.is_mute = false;
                self.tell(&Status::from_bytes(state[0], rates))?;
            }
            Err(Error::Failed(error)) => {
                self.complain(error);
            }
            Err(Error::Stopped) => return Err(Error::Stopped),
        }
        Ok(POLL_MSECS)
    }

    /// When to ask a modem again that did not tell its state: one that sends cells is left in
    /// peace, one that does not is asked again soon.
    ///
    /// # Errors
    ///
    /// `error`, if that was often enough.
    fn poll_after_failure(&mut self, error: kernel::error::Error) -> Result<i64> {
        let is_first = self.complain(error);
        let received = self.line.received();
        if core::mem::replace(&mut self.received, received) != received {
            self.failures = 0;
            return Ok(if is_first { RECHECK_MSECS } else { POLL_MSECS });
        }
        self.failures += 1;
        if self.failures == PATIENCE {
            return Err(error);
        }
        Ok(RECHECK_MSECS)
    }

    /// Waits until the modem tells of its line, or the time has passed.
    fn wait_for_event(&mut self, msecs: i64) -> kthread::Result {
        let time = Delta::from_millis(msecs);
        let Some(pipe) = self.speedtouch.interrupt else {
            return Ok(self.stop.sleep(time)?);
        };
        if self.events > BURST {
            self.stop.sleep(PAUSE)?;
        }
        let mut packet = [0; modem::INTERRUPT_LEN];
        let device = self.modem.device();
        match device.interrupt_in(self.stop, pipe, &mut packet, time) {
            Ok(length) => {
                self.events = self.events.saturating_add(1);
                match LineEvent::from_packet(&packet[..length]) {
                    Some(event) => self.announce(event),
                    None => self.stop.sleep(PAUSE)?,
                }
            }
            Err(Error::Failed(ETIMEDOUT)) => self.events = 0,
            // The line is polled all the same.
            Err(Error::Failed(_)) => self.stop.sleep(time)?,
            Err(Error::Stopped) => return Err(Error::Stopped),
        }
        Ok(())
    }

    /// Hands a status on if it is news.
    fn tell(&mut self, status: &Status) -> kthread::Result {
        let news = self.state.replace(status.line) != Some(status.line);
        if news {
            self.publish(status);
        }
        if status.line == LineState::Down {
            // It may not try again unless it is asked to.
            let (stop, modem) = (self.stop, self.modem);
            self.speedtouch.start_synchro(stop, modem, self.line)?;
        }
        Ok(())
    }

    /// Tells the ATM layer, and the log.
    fn publish(&self, status: &Status) {
        let (modem, line, number) = (self.modem, self.line, self.line.number());
        match status.line {
            LineState::Down => {
                line.down();
                dev_info!(modem, "ATM dev {}: ADSL line is down\n", number);
            }
            LineState::Blocked => {
                line.unknown();
                dev_info!(modem, "ATM dev {}: ADSL line is blocked?\n", number);
            }
            LineState::Synchronising => {
                line.synchronising();
                dev_info!(modem, "ATM dev {}: ADSL line is synchronising\n", number);
            }
            LineState::Up => {
                line.up(status.rates.down, status.rates.up);
                dev_info!(
                    modem,
                    "ATM dev {}: ADSL line is up ({} kb/s down | {} kb/s up)\n",
                    number,
                    status.rates.down,
                    status.rates.up
                );
            }
            LineState::Unknown(state) => {
                line.unknown();
                dev_info!(
                    modem,
                    "ATM dev {}: unknown line state {:02x}\n",
                    number,
                    state
                );
            }
        }
    }

    fn announce(&self, event: LineEvent) {
        let direction = match event {
            LineEvent::GoesUp => "up",
            LineEvent::GoesDown => "down",
        };
        let number = self.line.number();
        dev_info!(
            self.modem,
            "ATM dev {}: DSL line goes {}\n",
            number,
            direction
        );
    }

    /// Logs that the modem did not tell all of its state, the first time that it does not; returns
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

/// Asks the modem for the rest of what it tells of its line; returns the rates, which are all that
/// is understood.
fn rates(stop: &Stop, modem: &Modem) -> kthread::Result<[u8; modem::STATUS_B.length as usize]> {
    let mut rates = [0; modem::STATUS_B.length as usize];
    read(stop, modem, &modem::STATUS_B, &mut rates, TIMEOUT)?;

    // Nobody knows what the others mean, or whether the modem minds if they are not asked for.
    let mut unknown = [0; 4];
    for setup in [modem::STATUS_D, modem::STATUS_E, modem::STATUS_F] {
        let length = usize::from(setup.length);
        read(stop, modem, &setup, &mut unknown[..length], TIMEOUT)?;
    }
    Ok(rates)
}
