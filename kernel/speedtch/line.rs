// SPDX-License-Identifier: GPL-2.0

//! What the modem says of its ADSL line.

use crate::{
    modem::{
        self,
        LineState, //
    },
    read,
    TIMEOUT, //
};
use kthread::Stop;
use usbatm::{
    LineStatus,
    Modem, //
};

/// Asks the modem for all that it tells of its line.
pub(crate) fn status(stop: &Stop, modem: &Modem) -> kthread::Result<LineStatus> {
    let mut state = [0; modem::STATUS_7.length as usize];
    read(stop, modem, &modem::STATUS_7, &mut state, TIMEOUT)?;
    let mut rates = [0; modem::STATUS_B.length as usize];
    read(stop, modem, &modem::STATUS_B, &mut rates, TIMEOUT)?;

    // Nobody knows what the others mean, or whether the modem minds if they are not asked for.
    let mut unknown = [0; 4];
    for setup in [modem::STATUS_D, modem::STATUS_E, modem::STATUS_F] {
        let length = usize::from(setup.length);
        read(stop, modem, &setup, &mut unknown[..length], TIMEOUT)?;
    }
    let modem::Status { line, rates } = modem::Status::from_bytes(state[0], rates);
    Ok(match line {
        LineState::Down => LineStatus::Down,
        LineState::Blocked => LineStatus::Odd("blocked?"),
        LineState::Synchronising => LineStatus::Synchronising,
        LineState::Up => LineStatus::Up {
            down: rates.down,
            up: rates.up,
        },
        LineState::Unknown(state) => LineStatus::Unheard(state),
    })
}
