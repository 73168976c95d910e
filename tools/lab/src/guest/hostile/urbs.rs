//! Something goes wrong with every single transfer of an init, one after the other.
//!
//! How many there are is counted first. Nothing that happens later in a modem's life
//! is as delicate: its thread, its ATM device and its transfers come one by one.

use std::ops::RangeInclusive;

use anyhow::{Context, Result, ensure};
use modem::{Failure, Fate, Fault, Options, What};

use super::unplug_all;
use crate::guest::plugged::{Plugged, options, wait_until};
use crate::guest::removal::nothing_is_left;
use crate::guest::{Host, firmware, modules};
use crate::protocol::Driver;

/// How many modems are plugged in at once.
const BATCH: usize = 8;

/// A modem with short firmware: its length makes no difference, and a transfer for
/// each 4 KB of it takes time.
pub fn short() -> Result<Options> {
    let (stage_1, stage_2) = firmware::install_short()?;
    Ok(options(1).firmware(stage_1, stage_2))
}

/// The numbers of all transfers that our driver makes until the line is up, and of
/// those that it has begun by then.
fn transfers_of_an_init(options: &Options) -> Result<RangeInclusive<u64>> {
    let modem = Plugged::new(options.clone())?;
    modem.await_configured()?;
    let before = modem.modem().counters().submitted;
    gone(vec![modem])?;
    modules::load(Driver::Ours)?;
    let modem = Plugged::new(options.clone())?;
    modem.await_up()?;
    let after = modem.modem().counters().submitted;
    gone(vec![modem])?;
    // The question whether it is alive, four blocks of firmware, two answers to them,
    // seven settings, five questions about the line: no init has less.
    ensure!(
        after >= before + 19,
        "{after} transfers, {before} of them by the USB core"
    );
    Ok(before + 1..=after)
}

/// Pulls the plugs of these, and waits until nothing is left of them.
fn gone(modems: Vec<Plugged>) -> Result<()> {
    unplug_all(modems)?;
    wait_until("nothing is left", || nothing_is_left().is_ok())
}

/// Plugs a modem in for each transfer of an init, which comes to such an end there;
/// waits until each is `over`.
fn at_each(host: &Host, fate: Fate, over: impl Fn(&Plugged) -> Result<()>) -> Result<()> {
    let options = short()?;
    let transfers: Vec<_> = transfers_of_an_init(&options)?.collect();
    host.note(format!("an init has {} transfers", transfers.len()));
    for batch in host.tell_each("now transfers", transfers.chunks(BATCH)) {
        let plug = |&number: &u64| Plugged::new(options.clone().fault(Fault::AtUrb(number, fate)));
        let modems = batch.iter().map(plug).collect::<Result<Vec<_>>>()?;
        for (modem, number) in modems.iter().zip(batch) {
            over(modem).with_context(|| format!("{fate:?} at transfer {number}"))?;
        }
        gone(modems).with_context(|| format!("{fate:?} at one of the transfers {batch:?}"))?;
    }
    modules::unload()
}

/// The plug is pulled when a transfer begins.
pub fn unplug_at_every_urb(host: &Host) -> Result<()> {
    at_each(host, Fate::Unplug, |modem| {
        let unplugged = |what: &What| matches!(what, What::Unplugged { .. });
        modem.await_event("be unplugged", unplugged)?;
        let folder = modem.folder();
        wait_until("it is gone", || !folder.exists())
    })
}

/// A transfer is refused.
pub fn stall_at_every_urb(host: &Host) -> Result<()> {
    at_each(host, Fate::Fail(Failure::Stall), comes_up)
}

/// A transfer gets no answer that the bus understands.
pub fn no_answer_at_every_urb(host: &Host) -> Result<()> {
    at_each(host, Fate::Fail(Failure::NoAnswer), comes_up)
}

/// A transfer never ends.
pub fn silence_at_every_urb(host: &Host) -> Result<()> {
    at_each(host, Fate::Silence, comes_up)
}

/// A modem whose first piece of firmware fails, so that the driver resets it, and the
/// number of the transfer that the reset begins with.
pub fn to_be_reset() -> Result<(Options, u64)> {
    let options = short()?;
    // The question whether it is alive, and the first piece of the first stage.
    let second = transfers_of_an_init(&options)?.start() + 1;
    let failed = Fault::AtUrb(second, Fate::Fail(Failure::NoAnswer));
    Ok((options.fault(failed), second + 1))
}

/// The plug is pulled while the driver resets the modem: in each of its transfers.
pub fn unplug_in_a_reset() -> Result<()> {
    let (options, first) = to_be_reset()?;
    let unplug = |at| options.clone().fault(Fault::AtUrb(at, Fate::Unplug));
    let modems = (first..first + BATCH as u64).map(|at| Plugged::new(unplug(at)));
    let modems = modems.collect::<Result<Vec<_>>>()?;
    let mut resets = 0;
    for modem in &modems {
        let unplugged = |what: &What| matches!(what, What::Unplugged { .. });
        modem.await_event("be unplugged", unplugged)?;
        let events = modem.modem().events();
        resets += usize::from(events.iter().any(|event| event.what == What::Reset));
    }
    ensure!(resets > BATCH / 2, "only {resets} modems were reset");
    gone(modems)?;
    modules::unload()
}

/// The driver resets the modem, which is another one then: it comes up as that.
pub fn another_device_after_a_reset() -> Result<()> {
    let (options, _) = to_be_reset()?;
    let modem = Plugged::new(options.fault(Fault::OtherAfterReset))?;
    modem.await_event("be reset", |what| *what == What::Reset)?;
    modem.await_up()?;
    gone(vec![modem])?;
    modules::unload()
}

/// One failure keeps no modem down.
fn comes_up(modem: &Plugged) -> Result<()> {
    modem.await_up().map(drop)
}
