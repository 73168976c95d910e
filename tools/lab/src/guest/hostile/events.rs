//! Interrupts of any length and content, and floods of them.

use anyhow::{Result, ensure};
use modem::{Failure, Said};
use wire::speedtch::{INTERRUPT_IN, LineEvent};

use super::Ground;
use crate::guest::plugged::{Plugged, options, wait_until};
use crate::guest::uevents::Uevents;

/// How long a flood is, in packets.
const FLOOD: usize = 500;

/// Floods, and what each is.
fn floods() -> [(&'static str, Vec<Said>); 6] {
    let up = Said::Bytes(LineEvent::GoesUp.to_packet().into());
    let down = Said::Bytes(LineEvent::GoesDown.to_packet().into());
    let lengths = (0..=16).map(|length| Said::Bytes(vec![0xa1; length]));
    [
        ("line up", vec![up.clone()]),
        ("up and down", vec![up, down]),
        ("any length", lengths.collect()),
        ("too long", vec![Said::Bytes(vec![0xa1; 17])]),
        ("failures", Failure::ALL.map(Said::Fail).into()),
        ("halted", vec![Said::Halt]),
    ]
    .map(|(name, said)| (name, said.into_iter().cycle().take(FLOOD).collect()))
}

/// The driver listens, but not to everything: a flood keeps nothing busy and does
/// not fill the log. The line is still followed, by polling.
pub fn interrupts_of_any_kind() -> Result<()> {
    let ground = Ground::new()?;
    let uevents = Uevents::from_now()?;
    let mut hostile = Vec::new();
    for (number, (name, said)) in (10..).zip(floods()) {
        let modem = Plugged::new(options(number).running())?;
        modem.await_up()?;
        modem.modem().say(INTERRUPT_IN, said);
        hostile.push((name, modem));
    }
    for (name, modem) in &hostile {
        let heard = || modem.modem().unheard() < FLOOD;
        wait_until(&format!("the flood '{name}' begins"), heard)?;
    }
    ground.good_one_works()?;
    for (_, modem) in &hostile {
        modem.modem().drop_line();
    }
    // It is started again at once, so that who looks may come too late: user space is told.
    for (name, modem) in &hostile {
        wait_until(
            &format!("the loss of the line is noticed in '{name}'"),
            || {
                let told = modem.told(&uevents);
                told.iter().any(|event| event == "line-down")
            },
        )?;
    }
    for (name, modem) in &hostile {
        let unheard = modem.modem().unheard();
        ensure!(
            unheard > FLOOD / 2,
            "of '{name}', only {unheard} are unheard"
        );
    }
    ground.end(hostile.into_iter().map(|(_, modem)| modem).collect())
}
