// SPDX-License-Identifier: GPL-2.0

//! The ADSL line: how it is started, and who notices that it goes up or down.
//!
//! The modem tells of changes on its interrupt endpoint, and is asked every few seconds, because
//! it does not tell of all. One thread does both: it waits for an interrupt for as long as it is
//! from one poll to the next, and reads the line's state then, in either case. A failure makes
//! the next poll come later, and no failure makes it the last.

use crate::{
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
/// The longest time from one poll to the next.
const POLL_MAX_MSECS: i64 = modem::POLL_MAX_MSECS as i64;

/// After an interrupt packet that makes no sense, the next is not awaited for so long: they might
/// come in a stream.
const NONSENSE_PAUSE: Delta = Delta::from_secs(1);

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
            Ok(_) => Ok(()),
            Err(Error::Failed(error)) => {
                dev_warn!(
                    modem,
                    "ATM dev {}: failed to start ADSL synchronisation: {:?}\n",
                    line.number(),
                    error
                );
                Ok(())
            }
            Err(Error::Stopped) => Err(Error::Stopped),
        }
    }

    /// Follows the line until the modem goes.
    pub(crate) fn follow_line(
        &self,
        stop: &Stop,
        modem: &Modem,
        line: &Line<'_>,
    ) -> kthread::Result {
        modem.phase("watching the line");
        let mut last = None;
        let mut poll = POLL_MSECS;
        self.wait_for_event(stop, modem, line, FIRST_POLL_MSECS)?;
        loop {
            match status(stop, modem) {
                Ok(status) => {
                    poll = (poll / 2).max(POLL_MSECS);
                    self.tell(stop, modem, line, last.replace(status.line), &status)?;
                }
                Err(Error::Failed(error)) => {
                    poll = (poll * 2).min(POLL_MAX_MSECS);
                    if !is_gone(error) {
                        dev_warn!(
                            modem,
                            "ATM dev {}: error {:?} fetching device status\n",
                            line.number(),
                            error
                        );
                    }
                }
                Err(Error::Stopped) => return Err(Error::Stopped),
            }
            self.wait_for_event(stop, modem, line, poll)?;
        }
    }

    /// Waits until the modem tells of its line, or the time has passed.
    fn wait_for_event(
        &self,
        stop: &Stop,
        modem: &Modem,
        line: &Line<'_>,
        msecs: i64,
    ) -> kthread::Result {
        let time = Delta::from_millis(msecs);
        let Some(pipe) = self.interrupt else {
            return Ok(stop.sleep(time)?);
        };
        let mut packet = [0; modem::INTERRUPT_LEN];
        match modem.device().interrupt_in(stop, pipe, &mut packet, time) {
            Ok(length) => match LineEvent::from_packet(&packet[..length]) {
                Some(event) => {
                    let direction = match event {
                        LineEvent::GoesUp => "up",
                        LineEvent::GoesDown => "down",
                    };
                    let number = line.number();
                    dev_info!(modem, "ATM dev {}: DSL line goes {}\n", number, direction);
                }
                None => stop.sleep(NONSENSE_PAUSE)?,
            },
            Err(Error::Failed(ETIMEDOUT)) => {}
            // It will be polled.
            Err(Error::Failed(_)) => stop.sleep(time)?,
            Err(Error::Stopped) => return Err(Error::Stopped),
        }
        Ok(())
    }

    /// Hands a status on if it is news.
    fn tell(
        &self,
        stop: &Stop,
        modem: &Modem,
        line: &Line<'_>,
        last: Option<LineState>,
        status: &Status,
    ) -> kthread::Result {
        let number = line.number();
        let news = last != Some(status.line);
        match status.line {
            LineState::Down => {
                line.down();
                if news {
                    dev_info!(modem, "ATM dev {}: ADSL line is down\n", number);
                }
                // It may not try again unless it is asked to.
                self.start_synchro(stop, modem, line)?;
            }
            _ if !news => {}
            LineState::Blocked => {
                line.unknown();
                dev_info!(modem, "ATM dev {}: ADSL line is blocked?\n", number);
            }
            LineState::Synchronising => {
                line.down();
                dev_info!(modem, "ATM dev {}: ADSL line is synchronising\n", number);
            }
            LineState::Up => {
                line.up(status.rates.cells_down());
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
        Ok(())
    }
}

/// Asks the modem for all that it tells of its line.
fn status(stop: &Stop, modem: &Modem) -> kthread::Result<Status> {
    let mut state = [0; modem::STATUS_7.length as usize];
    let mut rates = [0; modem::STATUS_B.length as usize];
    read(stop, modem, &modem::STATUS_7, &mut state, TIMEOUT)?;
    read(stop, modem, &modem::STATUS_B, &mut rates, TIMEOUT)?;

    // Nobody knows what the others mean, or whether the modem minds if they are not asked for.
    let mut unknown = [0; 4];
    for setup in [modem::STATUS_D, modem::STATUS_E, modem::STATUS_F] {
        let length = usize::from(setup.length);
        read(stop, modem, &setup, &mut unknown[..length], TIMEOUT)?;
    }
    Ok(Status::from_bytes(state[0], rates))
}

/// Whether the modem is not there any more, so that a stop is on its way.
fn is_gone(error: kernel::error::Error) -> bool {
    error == ENODEV || error == ESHUTDOWN
}
