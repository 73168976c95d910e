//! Answers to control requests: too short, too long, too late, absurd, refused, or none.

use anyhow::{Context, Result, ensure};
use modem::{Answer, Failure, Fault, Options, What};
use wire::setup::Setup;
use wire::speedtch::{FIRMWARE_OUT, START_SYNCHRO, STATUS_7, STATUS_B, STATUS_F, StartUp, Step};

use super::{Ground, ROOM, unplug_all};
use crate::guest::plugged::{LIMIT, Plugged, options, wait_until};
use crate::guest::scenarios::echo;

const ANSWERS: [Answer; 10] = [
    Answer::Silence,
    Answer::Late,
    Answer::Fail(Failure::Stall),
    Answer::Fail(Failure::NoAnswer),
    Answer::Fail(Failure::Checksum),
    Answer::Fail(Failure::Babble),
    Answer::Bytes(0, 0),
    Answer::Bytes(1, 0x20),
    Answer::Bytes(100, 0),
    Answer::Bytes(100, 0xff),
];

fn modem(request: Setup, answer: Answer) -> Result<Plugged> {
    let fault = Fault::Answers(request, answer);
    Plugged::new(options(10).running().fault(fault))
}

/// Waits until the modem has been asked so.
fn await_asked(modem: &Plugged, setup: Setup) -> Result<()> {
    let asked = modem.modem().wait_until(LIMIT, |view| {
        let is_it = |what: &What| match what {
            What::Vendor { request, .. } => {
                (request.request, request.value) == (setup.request, setup.value)
            }
            // The one that it keeps to itself.
            What::Stuck { endpoint } => *endpoint == 0,
            _ => false,
        };
        view.find(is_it).map(drop)
    });
    asked.with_context(|| format!("not asked {setup:?}, but {:?}", modem.modem().events()))
}

/// What the log says of such an answer, if it is none that a modem may give.
fn complaint(request: Setup, answer: Answer) -> Option<&'static str> {
    // What comes of these two is thrown away.
    let enough = match request {
        STATUS_F | START_SYNCHRO => 0,
        _ => request.length.into(),
    };
    let is_whole = matches!(answer, Answer::Bytes(count, _) if count >= enough);
    // One that does not tell whether it is alive is brought to life first.
    if is_whole || request == STATUS_7 {
        return None;
    }
    Some(if request == START_SYNCHRO {
        "failed to start ADSL synchronisation: "
    } else {
        "fetching device status"
    })
}

/// Waits until the log says what it should of this answer.
fn await_complaint(ground: &Ground, modem: &Plugged, request: Setup, answer: Answer) -> Result<()> {
    let Some(text) = complaint(request, answer) else {
        return Ok(());
    };
    let what = format!("{text:?} is said of {answer:?} to {request:?}");
    wait_until(&what, || ground.lines(modem, text) > 0)
}

/// A modem that takes none of its settings works all the same.
pub fn refused_settings_are_tolerated() -> Result<()> {
    let ground = Ground::new()?;
    let steps = StartUp::DEFAULT.steps();
    let refuses = |it: Options, step: &Step| {
        it.fault(Fault::Answers(step.setup, Answer::Fail(Failure::Stall)))
    };
    let modem = Plugged::new(steps.iter().fold(options(10), refuses))?;
    let atm = modem.await_up()?;
    for step in &steps {
        let text = format!(
            "the modem did not take setting {:#04x} (-32)!",
            step.setup.value
        );
        ensure!(
            ground.lines(&modem, &text) == 1,
            "the log does not say {text:?}"
        );
    }
    let resets = |what: &What| matches!(what, What::Reset);
    ensure!(
        !modem
            .modem()
            .events()
            .iter()
            .any(|event| resets(&event.what)),
        "it was reset"
    );
    echo(&atm, 8, 36, 1500, 3)?;
    ground.end(vec![modem])
}

/// Each kind of answer to each kind of question: the driver says what is wrong with it, goes on,
/// and can be removed.
pub fn answers_of_any_kind() -> Result<()> {
    let mut ground = Ground::new()?;
    for request in [STATUS_7, STATUS_B, STATUS_F, START_SYNCHRO] {
        for answers in ANSWERS.chunks(ROOM) {
            ground.forget_log();
            let modems = answers.iter().map(|answer| modem(request, *answer));
            let hostile = modems.collect::<Result<Vec<_>>>()?;
            for (modem, answer) in hostile.iter().zip(answers) {
                await_asked(modem, request)?;
                await_complaint(&ground, modem, request, *answer)?;
            }
            ground.good_one_works()?;
            for modem in &hostile {
                ground.log_is_short(modem)?;
                ensure!(modem.folder().exists(), "a modem is gone");
            }
            unplug_all(hostile)?;
        }
    }
    // A line's speed can be anything, and any speed will do.
    let absurd = [0, 0xff].map(|byte| modem(STATUS_B, Answer::Bytes(100, byte)));
    let absurd = absurd.into_iter().collect::<Result<Vec<_>>>()?;
    // The highest that there is a number for in the ATM layer, in whole cells.
    for (modem, rate) in absurd.iter().zip(["0", "2147483256"]) {
        let atm = modem.await_up()?;
        let says = || atm.attribute("link_rate") == rate;
        wait_until("the rate is one that can be told", says)
            .with_context(|| format!("it is {:?}", atm.attribute("link_rate")))?;
    }
    ground.end(absurd)
}

/// A modem that runs says too late that it is alive. So it is offered firmware, which it refuses,
/// and is tried again; when it is in time it is used as it is.
pub fn late_sign_of_life_is_none() -> Result<()> {
    let ground = Ground::new()?;
    let modem = modem(STATUS_7, Answer::Late)?;
    let is_late = |what: &What| matches!(what, What::UnlinkedTooLate);
    modem.await_event("answer too late", is_late)?;
    let refuses = |what: &What| {
        matches!(
            what,
            What::Stalled {
                endpoint: FIRMWARE_OUT
            }
        )
    };
    modem.await_event("refuse firmware", refuses)?;
    modem.modem().cure();
    let atm = modem.await_up()?;
    modem.await_file("last_error", "")?;
    let sent = modem.modem().progress().total();
    ensure!(sent == 0, "{sent} bytes of firmware were sent to it");
    echo(&atm, 8, 36, 1500, 3)?;
    ground.end(vec![modem])
}
