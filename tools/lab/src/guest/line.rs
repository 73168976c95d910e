//! How a line is followed: by asking, by listening, and with patience.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use modem::{Answer, Event, Failure, Fault, Said, What};
use wire::speedtch::{INTERRUPT_IN, LineEvent, LineState, STATUS_7, STATUS_B, STATUS_F};

use super::kmsg::Kmsg;
use super::modules;
use super::plugged::{Plugged, options, wait_until};
use super::scenarios::{Scenario, echo};
use super::uevents::Uevents;
use crate::protocol::Driver;

/// The endpoint of all requests.
const CONTROL: u8 = 0;

/// The scenarios of this page.
pub const SCENARIOS: &[(&str, Scenario)] = &[
    ("line::half_mute_modem_is_left_in_peace", |_| {
        half_mute_modem_is_left_in_peace()
    }),
    ("line::mute_modem_with_traffic_is_left_in_peace", |_| {
        mute_modem_with_traffic_is_left_in_peace()
    }),
    ("line::polling_outlives_failures", |_| {
        polling_outlives_failures()
    }),
    ("line::polling_has_no_end", |_| polling_has_no_end()),
    ("line::rates_are_followed", |_| rates_are_followed()),
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
    let told = modem.told(&uevents);
    ensure!(told == ["usable"], "user space was told {told:?}");
    modem.await_file("phase", "watching the line")
}

/// A modem that does not even tell whether it is alive, but sends cells, is not taken for dead.
fn mute_modem_with_traffic_is_left_in_peace() -> Result<()> {
    const QUESTIONS: usize = 6;
    modules::load(Driver::Ours)?;
    let log = Kmsg::from_now();
    let uevents = Uevents::from_now()?;
    let modem = Plugged::new(options(1).running())?;
    let atm = modem.await_up()?;
    let over = AtomicBool::new(false);
    let echoes = AtomicUsize::new(0);
    thread::scope(|scope| {
        let cells = scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                echo(&atm, 8, 35, 100, 1)?;
                echoes.fetch_add(1, Ordering::Relaxed);
            }
            Ok(())
        });
        let asked = is_mute_among(QUESTIONS, &modem, &echoes);
        over.store(true, Ordering::Relaxed);
        asked.and(cells.join().unwrap_or_else(|_| bail!("a thread panicked")))
    })?;
    let told = modem.told(&uevents);
    let is_fault = |event: &String| event != "usable" && event != "line-up";
    ensure!(!told.iter().any(is_fault), "user space was told {told:?}");
    // What the C driver says, too.
    ensure!(
        log.has("error -32 fetching device status"),
        "the log does not say that it is mute"
    );
    modem.await_file("phase", "watching the line")
}

/// The modem goes mute while packets come back, and is asked so often, with a packet before each
/// question.
fn is_mute_among(questions: usize, modem: &Plugged, echoes: &AtomicUsize) -> Result<()> {
    for question in 0..questions {
        let before = echoes.load(Ordering::Relaxed);
        wait_until("a packet comes back", || {
            echoes.load(Ordering::Relaxed) > before
        })?;
        if question == 0 {
            let refuses = Fault::Answers(STATUS_7, Answer::Fail(Failure::Stall));
            modem.modem().add_fault(refuses);
        }
        is_asked_anew(modem)?;
    }
    Ok(())
}

/// A modem fails to answer once, and is asked again without having told of anything: how else
/// would anybody learn that its line has gone down?
fn polling_outlives_failures() -> Result<()> {
    modules::load(Driver::Ours)?;
    let uevents = Uevents::from_now()?;
    // It refuses, and it says nothing.
    let failures = [Said::Fail(Failure::Stall), Said::Bytes(Vec::new())];
    let mut modems = Vec::new();
    for (failure, number) in failures.into_iter().zip(1..) {
        let options = options(number)
            .running()
            .training(Duration::from_millis(10));
        let modem = Plugged::new(options)?;
        // It tells nothing of its line by itself, from whenever it is listened to.
        modem.modem().say(INTERRUPT_IN, [Said::Silence]);
        modems.push((modem, failure));
    }
    for (modem, _) in &modems {
        modem.await_up()?;
        wait_until("it is listened to", || modem.modem().unheard() == 0)?;
    }
    for (modem, failure) in &modems {
        modem.modem().say(CONTROL, [failure.clone()]);
    }
    for (modem, _) in &modems {
        wait_until("it is asked", || modem.modem().unheard() == 0)?;
        modem.modem().drop_line();
    }
    for (modem, _) in &modems {
        wait_until("somebody notices that the line is down", || {
            let told = modem.told(&uevents);
            told.iter().any(|event| event == "line-down")
        })?;
    }
    Ok(())
}

/// However often a modem has failed to tell how its line is, it is asked again, without having told
/// of anything. (The C driver gives up the fourth time.)
fn polling_has_no_end() -> Result<()> {
    modules::load(Driver::Ours)?;
    let uevents = Uevents::from_now()?;
    let modem = Plugged::new(options(1).running().training(Duration::from_millis(10)))?;
    modem.modem().say(INTERRUPT_IN, [Said::Silence]);
    modem.await_up()?;
    wait_until("it is listened to", || modem.modem().unheard() == 0)?;
    modem.modem().say(CONTROL, failures());
    wait_until("it has failed so often", || modem.modem().unheard() == 0)?;
    modem.modem().drop_line();
    wait_until("somebody notices that the line is down", || {
        let told = modem.told(&uevents);
        told.iter().any(|event| event == "line-down")
    })?;
    let told = modem.told(&uevents);
    ensure!(
        told.starts_with(&["usable", "line-up", "line-down"].map(str::to_owned)),
        "user space was told {told:?}"
    );
    Ok(())
}

/// Seven times in a row, a modem refuses to tell how its line is. Asked then whether it is alive at
/// all, it says so the third time only, before it is taken for dead: up to then it is asked anew
/// after a second, not after five.
fn failures() -> Vec<Said> {
    let refuses = || Said::Fail(Failure::Stall);
    let is_alive = || Said::Bytes(vec![LineState::Up.to_byte()]);
    (1..=7)
        .flat_map(|failure| match failure % 3 {
            0 => [refuses(), is_alive()],
            _ => [refuses(), refuses()],
        })
        .collect()
}

/// Has the modem asked how its line is.
fn is_asked_anew(modem: &Plugged) -> Result<()> {
    let asked = || {
        let events = modem.modem().events();
        let is_question = |event: &&Event| matches!(event.what, What::Vendor { request, .. } if request.value == STATUS_7.value);
        events.iter().filter(is_question).count()
    };
    let before = asked();
    let up = Said::Bytes(LineEvent::GoesUp.to_packet().into());
    modem.modem().say(INTERRUPT_IN, [up]);
    wait_until("it is asked", || asked() > before)
}

/// A line that is up may be so at other rates than before.
fn rates_are_followed() -> Result<()> {
    modules::load(Driver::Ours)?;
    let modem = Plugged::new(options(1).running())?;
    modem.await_file("rate_down", "8128")?;
    let rates = Fault::Answers(STATUS_B, Answer::Bytes(8, 1));
    modem.modem().add_fault(rates);
    is_asked_anew(&modem)?;
    let other = 0x0101_0101.to_string();
    modem.await_file("rate_down", &other)?;
    modem.await_file("rate_up", &other)
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
