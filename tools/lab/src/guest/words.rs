//! What there is to read of a line, for everything that a modem can say of it.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use modem::{Answer, Fault};
use wire::speedtch::STATUS_7;

use super::kmsg::Kmsg;
use super::modules;
use super::plugged::{Plugged, options, wait_until};
use super::scenarios::Scenario;
use super::sysfs::AtmDevice;
use super::uevents::Uevents;
use crate::protocol::Driver;

/// The scenarios of this file.
pub const SCENARIOS: &[(&str, Scenario)] = &[("words::for_each_state_of_a_line", |_| {
    for_each_state_of_a_line()
})];

/// What a modem says, and what becomes of it.
struct State {
    /// The modem's byte.
    said: u8,
    /// In the log.
    log: &'static str,
    /// In the file `line`.
    line: &'static str,
    /// In the ATM device's file below `/proc`.
    proc: &'static str,
    /// In its file `carrier`.
    carrier: &'static str,
    /// In the files `rate_down` and `rate_up`.
    rates: [&'static str; 2],
    /// In events.
    events: &'static [&'static str],
}

const STATES: [State; 5] = [
    State {
        said: 0x00,
        log: "ADSL line is down",
        line: "down",
        proc: "Line down",
        carrier: "0",
        rates: ["0", "0"],
        events: &["usable"],
    },
    State {
        said: 0x08,
        log: "ADSL line is blocked?",
        line: "unknown",
        proc: "Line state unknown",
        carrier: "1",
        rates: ["0", "0"],
        events: &["usable"],
    },
    State {
        said: 0x10,
        log: "ADSL line is synchronising",
        line: "synchronising",
        proc: "Line down",
        carrier: "0",
        rates: ["0", "0"],
        events: &["usable"],
    },
    State {
        said: 0x20,
        log: "ADSL line is up (8128 kb/s down | 864 kb/s up)",
        line: "up",
        proc: "Line up",
        carrier: "1",
        rates: ["8128", "864"],
        events: &["usable", "line-up"],
    },
    State {
        said: 0x33,
        log: "unknown line state 33",
        line: "unknown",
        proc: "Line state unknown",
        carrier: "1",
        rates: ["0", "0"],
        events: &["usable"],
    },
];

/// A modem for each state, which says that its line is in that and in no other, all at once.
fn for_each_state_of_a_line() -> Result<()> {
    let (log, uevents) = (Kmsg::from_now(), Uevents::from_now()?);
    modules::load(Driver::Ours)?;
    let modems = (1..).zip(&STATES).map(|(number, state)| {
        // The line itself is up before anybody asks for the rates.
        let modem = options(number).running().training(Duration::ZERO);
        let answer = Answer::Bytes(1, state.said);
        Ok((
            state,
            Plugged::new(modem.fault(Fault::Answers(STATUS_7, answer)))?,
        ))
    });
    for (state, modem) in modems.collect::<Result<Vec<_>>>()? {
        is_said(state, &modem, &log, &uevents)
            .with_context(|| format!("of a line in the state {:#04x}", state.said))?;
    }
    Ok(())
}

fn is_said(state: &State, modem: &Plugged, log: &Kmsg, uevents: &Uevents) -> Result<()> {
    let interface = modem.interface();
    let is_it = |line: &String| line.contains(&interface) && line.contains(state.log);
    wait_until("the log says it", || log.lines().iter().any(is_it))?;
    let atm = AtmDevice::of(modem.device()).context("there is no ATM device")?;
    let files = ["line", "rate_down", "rate_up"].map(|name| modem.file(name));
    let [down, up] = state.rates;
    ensure!(files == [state.line, down, up], "the files say {files:?}");
    let proc = atm.proc_lines()?;
    ensure!(
        proc.iter().any(|line| line.trim_end() == state.proc),
        "/proc says {proc:?}"
    );
    let carrier = atm.attribute("carrier");
    ensure!(carrier == state.carrier, "the carrier is {carrier:?}");
    let told = uevents.values(&interface, "USBATM_EVENT");
    ensure!(told == state.events, "user space was told {told:?}");
    Ok(())
}
