//! A modem that answers nothing while it is reset.

use anyhow::{Context, Result, bail, ensure};
use modem::{Fate, Fault};

use super::{unplug_all, urbs};
use crate::guest::plugged::{LIMIT, Plugged, wait_until};
use crate::guest::removal::{Means, nothing_is_left, remove};
use crate::guest::{firmware, modules};
use crate::protocol::Took;

/// What the file `phase` holds of a modem that is reset, or waits for that.
const RESET: &str = "the reset of the device";

/// How many transfers in a row have no answer: the kernel waits five seconds for each.
const UNANSWERED: u64 = 12;

/// Modems that are to be reset after another one are let go of while that is being reset.
pub fn endless_reset_keeps_no_other() -> Result<()> {
    let (failing, first) = urbs::to_be_reset()?;
    let silent = |at| Fault::AtUrb(at, Fate::Silence);
    let endless = (first..first + UNANSWERED).fold(failing, |it, at| it.fault(silent(at)));
    // These fail a little later, so that they find the other one in its reset. Where they do not,
    // they fail again.
    let stuck = urbs::short()?.fault(Fault::StopTakingAt(firmware::SHORT_TOTAL / 2));
    let others = [Plugged::new(stuck.clone())?, Plugged::new(stuck)?];
    for other in &others {
        other.await_configured()?;
    }
    let modem = Plugged::new(endless)?;
    let is_reset = modem.modem().wait_until(LIMIT, |view| {
        (view.counters.submitted >= first).then_some(())
    });
    is_reset.context("it is not reset")?;
    for other in &others {
        other.await_file("phase", RESET)?;
    }
    if let Took::MoreThanMs(limit) = remove(&others, Means::Unbind, LIMIT)? {
        bail!("the others are not let go of after {limit} ms");
    }
    let phase = modem.file("phase");
    ensure!(phase == RESET, "the reset is over: {phase:?}");
    unplug_all(others.into_iter().chain([modem]))?;
    wait_until("nothing is left", || nothing_is_left().is_ok())?;
    modules::unload()
}
