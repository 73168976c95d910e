//! Answers to control requests: too short, too long, absurd, refused, or none.

use anyhow::{Context, Result, ensure};
use modem::{Answer, Failure, Fault, What};
use wire::setup::Setup;
use wire::speedtch::{START_SYNCHRO, STATUS_7, STATUS_B, STATUS_F};

use super::{Ground, ROOM, unplug_all};
use crate::guest::plugged::{LIMIT, Plugged, options};

const ANSWERS: [Answer; 9] = [
    Answer::Silence,
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

/// Each kind of answer to each kind of question: the driver goes on, and can be
/// removed.
pub fn answers_of_any_kind() -> Result<()> {
    let mut ground = Ground::new()?;
    for request in [STATUS_7, STATUS_B, STATUS_F, START_SYNCHRO] {
        for answers in ANSWERS.chunks(ROOM) {
            ground.forget_log();
            let modems = answers.iter().map(|answer| modem(request, *answer));
            let hostile = modems.collect::<Result<Vec<_>>>()?;
            for modem in &hostile {
                await_asked(modem, request)?;
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
    for modem in &absurd {
        modem.await_up()?;
    }
    ground.end(absurd)
}
