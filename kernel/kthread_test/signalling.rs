// SPDX-License-Identifier: GPL-2.0

//! Signals, as values.

use crate::{
    bench::{
        await_place,
        claim,
        event,
        Bench,
        Count,
        Passed,
        Verdict, //
    },
    waits::{
        Never,
        WAITS,
        WAITS_OF_THREADS, //
    }, //
};
use kernel::{
    prelude::*,
    sync::Arc,
    time::{
        delay::fsleep,
        Delta,
        Instant,
        Monotonic, //
    }, //
};
use kthread::{
    Builder,
    Outcome,
    Scope,
    Signal,
    Stop,
    Thread,
    Ticker, //
};

const SHORT: Delta = Delta::from_millis(20);
const FOR_EVER: Delta = Delta::from_secs(1_000_000);

/// Every signal that can be asked for.
const ALL: [Signal; 7] = [
    Signal::HUP,
    Signal::INT,
    Signal::QUIT,
    Signal::USR1,
    Signal::USR2,
    Signal::ALRM,
    Signal::TERM,
];

/// Sends all of these over and over, until the thread ends.
fn flood<T: Send>(thread: &Thread<T>, signals: &[Signal]) {
    while !thread.is_finished() {
        for signal in signals {
            thread.send_signal(*signal);
        }
    }
}

/// The body gets those that it has asked for, one of each kind, and has slept through their coming.
pub(crate) fn signals_arrive_as_values(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let sent = event()?;
    let thread = Builder::new(fmt!("listener")).spawn_ready(&scope, {
        let sent = sent.clone();
        move |stop: &Stop| {
            stop.listen(&[Signal::TERM, Signal::USR1]);
            stop.listen(&[Signal::HUP]);
            stop.ready();
            stop.wait(&sent)?;
            let came = stop.signals();
            Ok((
                came.eq([Signal::HUP, Signal::USR1, Signal::TERM]),
                stop.signals().is_empty(),
            ))
        }
    })?;
    for signal in ALL {
        thread.send_signal(signal);
        thread.send_signal(signal);
    }
    sent.complete();
    claim!(thread.join() == Outcome::Ended((true, true)));
    // One that has ended takes none.
    thread.send_signal(Signal::TERM);
    // As in the manual, signal(7), for all architectures that Linux 7.3 has Rust for.
    claim!(ALL.map(Signal::number) == [1, 2, 3, 10, 12, 14, 15]);
    Ok(Passed::Now)
}

/// None of the waits gets shorter, whether the signals that pour in were asked for or not.
pub(crate) fn signals_shorten_no_wait(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    for asked in [&ALL[..], &[]] {
        let never = event()?;
        let thread = Builder::new(fmt!("listener")).spawn_ready(&scope, move |stop: &Stop| {
            stop.listen(asked);
            stop.ready();
            let start = Instant::<Monotonic>::now();
            stop.sleep(SHORT)?;
            stop.sleep_until(Instant::now() + SHORT)?;
            let early = stop.wait_timeout(&never, SHORT)?
                || stop.wait_until(&never, Instant::now() + SHORT)?;
            Ticker::new(SHORT)?.wait(stop)?;
            let long = start.elapsed() >= SHORT * 5;
            Ok((early, long, !stop.signals().is_empty()))
        })?;
        flood(&thread, &ALL);
        claim!(thread.join() == Outcome::Ended((false, true, !asked.is_empty())));
    }
    Ok(Passed::Now)
}

/// No wait ends before what it is for, whether the signals that pour in were asked for or not. To
/// wait for signals is for none that were not.
pub(crate) fn signals_end_no_wait(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let never = Never::new(&scope)?;
    for (kind, wait) in WAITS.iter().enumerate() {
        for asked in [&ALL[..], &[]] {
            let run = |never: &Never, stop: &Stop| (wait.run)(never, stop);
            claim!(is_deaf(&scope, &never, kind, asked, run)?);
        }
    }
    for (kind, wait) in WAITS_OF_THREADS.iter().enumerate() {
        claim!(is_deaf(&scope, &never, kind, &[], wait.run)?);
    }
    claim!(never.end());
    Ok(Passed::Now)
}

/// Whether a thread stays in the wait while signals pour in, until it is stopped. If not, the log says
/// which wait it is.
fn is_deaf(
    scope: &Scope,
    never: &Never,
    kind: usize,
    asked: &'static [Signal],
    run: impl Fn(&Never, &Stop) -> kthread::Result + Send + 'static,
) -> Result<bool> {
    let never = never.clone();
    let thread = Builder::new(fmt!("deaf")).spawn(scope, move |stop: &Stop| {
        stop.listen(asked);
        run(&never, stop)
    })?;
    let place = await_place(|| thread.waits_in());
    for _ in 0..5 {
        for signal in ALL {
            thread.send_signal(signal);
        }
        // For it to wake up, as a rule.
        fsleep(Delta::from_millis(1));
    }
    let stays = thread.waits_in() == Some(place);
    let outcome = thread.stop();
    let is_deaf = stays && outcome == Outcome::Stopped;
    if !is_deaf {
        pr_err!("wait {kind}: stayed {stays}, ended as {outcome:?}\n");
    }
    Ok(is_deaf)
}

/// A hundred thousand signals: no tick is added, moved or lost.
pub(crate) fn signals_move_no_tick(bench: &Bench<'_>) -> Verdict {
    const SIGNALS: usize = 100_000;
    let scope = bench.scope()?;
    let sent = event()?;
    let thread = Builder::new(fmt!("listener")).spawn_ready(&scope, {
        let sent = sent.clone();
        move |stop: &Stop| {
            stop.listen(&[Signal::USR1]);
            let period = Delta::from_millis(1);
            // How many periods have gone by, at least and at most.
            let earliest = Instant::<Monotonic>::now();
            let mut ticker = Ticker::new(period)?;
            let latest = Instant::<Monotonic>::now();
            let periods =
                |since: Instant<Monotonic>| since.elapsed().as_nanos() / period.as_nanos();
            stop.ready();

            let (mut sound, mut last, mut signals) = (true, 0, 0);
            while !stop.wait_timeout(&sent, Delta::ZERO)? {
                let at_least = periods(latest);
                let tick = ticker.wait(stop)?;
                sound &= tick.number == last + tick.missed + 1;
                sound &= tick.number as i64 >= at_least && tick.number as i64 <= periods(earliest);
                last = tick.number;
                signals += stop.signals().count();
            }
            Ok((sound, last > 0, signals + stop.signals().count()))
        }
    })?;
    for _ in 0..SIGNALS {
        thread.send_signal(Signal::USR1);
    }
    sent.complete();
    let Outcome::Ended((sound, ticked, signals)) = thread.join() else {
        claim!(false);
        return Ok(Passed::Now);
    };
    claim!(sound);
    claim!(ticked);
    claim!((1..=SIGNALS).contains(&signals));
    Ok(Passed::Now)
}

/// One that waits for a signal gets each, be it there already or not.
pub(crate) fn signal_is_waited_for(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let (got, taken) = (Count::new()?, event()?);
    let thread = Builder::new(fmt!("listener")).spawn_ready(&scope, {
        let (got, taken) = (got.clone(), taken.clone());
        move |stop: &Stop| {
            stop.listen(&[Signal::USR1, Signal::TERM]);
            stop.ready();
            loop {
                for signal in stop.wait_signals()? {
                    match signal {
                        Signal::TERM => return Ok(()),
                        _ => got.up(),
                    }
                    taken.complete();
                }
            }
        }
    })?;
    let other = Builder::new(fmt!("sender")).spawn(&scope, move |stop: &Stop| {
        for _ in 0..200 {
            // Not asked for.
            thread.send_signal(Signal::HUP);
            thread.send_signal(Signal::USR1);
            stop.wait(&taken)?;
        }
        thread.send_signal(Signal::TERM);
        Ok(thread.join())
    })?;
    claim!(other.join() == Outcome::Ended(Outcome::Ended(())));
    claim!(got.get() == 200);
    Ok(Passed::Now)
}

/// Where both have come, the stop counts for more.
pub(crate) fn stop_before_signals(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let never = event()?;
    let thread = Builder::new(fmt!("listener")).spawn_ready(&scope, move |stop: &Stop| {
        stop.listen(&[Signal::USR1]);
        stop.ready();
        let stopped = stop.wait(&never).is_err();
        Ok(stopped && stop.wait_signals().is_err() && !stop.signals().is_empty())
    })?;
    thread.send_signal(Signal::USR1);
    claim!(thread.stop() == Outcome::Ended(true));
    Ok(Passed::Now)
}

/// A stop breaks the wait for a signal, and a flood of signals holds up no stop.
pub(crate) fn stop_while_signals_come(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let idle = Builder::new(fmt!("listener")).spawn_ready(&scope, |stop: &Stop| {
        stop.listen(&ALL);
        stop.ready();
        Ok(stop.wait_signals()?.count())
    })?;
    claim!(idle.stop() == Outcome::Stopped);

    for waits in [true, false] {
        let thread = Builder::new(fmt!("listener")).spawn_ready(&scope, move |stop: &Stop| {
            stop.listen(&ALL);
            stop.ready();
            loop {
                if waits {
                    stop.wait_signals()?;
                } else {
                    stop.sleep(FOR_EVER)?;
                }
            }
        })?;
        let thread = Arc::new(thread, GFP_KERNEL)?;
        let sender = Builder::new(fmt!("sender")).spawn_ready(&scope, {
            let thread = thread.clone();
            move |stop: &Stop| {
                stop.ready();
                flood(&thread, &ALL);
                Ok(())
            }
        })?;
        let outcome: Outcome<()> = thread.stop();
        claim!(outcome == Outcome::Stopped);
        claim!(sender.join() == Outcome::Ended(()));
    }
    Ok(Passed::Now)
}

/// Where the signal of a stop is put aside, those that the body has asked for are not.
pub(crate) fn shield_keeps_signals(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let done = event()?;
    let thread = Builder::new(fmt!("listener")).spawn_ready(&scope, {
        let done = done.clone();
        move |stop: &Stop| {
            stop.listen(&[Signal::USR1]);
            stop.ready();
            stop.shield(FOR_EVER, |shielded| {
                shielded.wait(&done)?;
                shielded.sleep(SHORT)
            })?;
            Ok(stop.signals().count())
        }
    })?;
    thread.send_signal(Signal::USR1);
    thread.ask_stop();
    done.complete();
    claim!(thread.join() == Outcome::Ended(1));
    Ok(Passed::Now)
}
