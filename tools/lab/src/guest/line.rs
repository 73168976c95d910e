//! How a line is followed: by asking, by listening, and with patience.

use anyhow::{Result, ensure};
use modem::{Answer, Failure, Fault, Said, What};
use wire::speedtch::{INTERRUPT_IN, LineEvent, LineState, STATUS_7, STATUS_F};

use super::kmsg::Kmsg;
use super::modules;
use super::plugged::{Plugged, options, wait_until};
use super::scenarios::Scenario;
use super::uevents::Uevents;
use crate::protocol::Driver;

/// The scenarios of this page.
pub const SCENARIOS: &[(&str, Scenario)] = &[
    ("line::half_mute_modem_is_left_in_peace", |_| {
        half_mute_modem_is_left_in_peace()
    }),
    ("line::odd_states_are_logged", |_| {
        odd_states_are_logged(Driver::Ours)
    }),
    ("c_driver_line::odd_states_are_logged", |_| {
        odd_states_are_logged(Driver::C)
    }),
];

/// A modem that refuses to tell how its line is, but is alive, is asked again and again, and
/// never taken for dead.
fn half_mute_modem_is_left_in_peace() -> Result<()> {
    const QUESTIONS: usize = 5;
    modules::load(Driver::Ours)?;
    let uevents = Uevents::from_now()?;
    let refuses = Fault::Answers(STATUS_F, Answer::Fail(Failure::Stall));
    let modem = Plugged::new(options(1).running().fault(refuses))?;
    modem.await_event("bring its line up", |what| {
        matches!(what, What::LineUp { .. })
    })?;
    // Each has it asked at once.
    let up = Said::Bytes(LineEvent::GoesUp.to_packet().into());
    modem.modem().say(INTERRUPT_IN, vec![up; QUESTIONS]);
    wait_until("it was asked often enough", || {
        let is_question = |what: &What| matches!(what, What::Vendor { request, .. } if request.value == STATUS_F.value);
        let events = modem.modem().events();
        events
            .iter()
            .filter(|event| is_question(&event.what))
            .count()
            > QUESTIONS
    })?;
    let told = uevents.values(&modem.interface(), "USBATM_EVENT");
    ensure!(told == ["usable"], "user space was told {told:?}");
    modem.await_file("phase", "watching the line")
}

/// States that nobody is sure of are what the log says, and nothing else comes of them.
fn odd_states_are_logged(driver: Driver) -> Result<()> {
    let states = [
        (LineState::Blocked, "ADSL line is blocked?"),
        (LineState::Unknown(0x33), "unknown line state 33"),
    ];
    modules::load(driver)?;
    for (state, words) in states {
        let log = Kmsg::from_now();
        let says = Fault::Answers(STATUS_7, Answer::Bytes(1, state.to_byte()));
        let modem = Plugged::new(options(1).running().fault(says))?;
        wait_until(words, || log.has(words))?;
        if driver == Driver::Ours {
            modem.await_file("line", "unknown")?;
        }
    }
    Ok(())
}
