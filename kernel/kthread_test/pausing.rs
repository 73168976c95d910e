// SPDX-License-Identifier: GPL-2.0

//! Threads that hold still for a while.

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
        Paused,
        WAITS,
        WAITS_OF_THREADS, //
    },
};
use kernel::{
    device::Bound,
    faux,
    prelude::*,
    sync::{
        Arc,
        SetOnce, //
    },
    time::{
        delay::fsleep,
        Delta, //
    }, //
};
use kthread::{
    AnyStop,
    Builder,
    Outcome,
    Scope,
    Stop,
    Thread,
    Ticker,
    Work, //
};

const FOR_EVER: Delta = Delta::from_secs(1_000_000);

/// A thread that ticks, and counts its ticks.
fn ticking(scope: &Scope, ticks: &Count) -> Result<Thread<()>> {
    let ticks = ticks.clone();
    Builder::new(fmt!("ticking")).spawn(scope, move |stop: &Stop| {
        let mut ticker = Ticker::new(Delta::from_millis(1))?;
        loop {
            ticker.wait(stop)?;
            ticks.up();
        }
    })
}

/// Waits until there are so many more.
fn await_more(ticks: &Count, more: i32) {
    let enough = ticks.get() + more;
    while ticks.get() < enough {
        fsleep(Delta::from_millis(1));
    }
}

/// While one holds still, another of its kind goes on; then both do. Over and over.
pub(crate) fn pause_holds_a_thread_still(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let (held, free) = (Count::new()?, Count::new()?);
    let (thread, other) = (ticking(&scope, &held)?, ticking(&scope, &free)?);
    for _ in 0..5 {
        await_more(&held, 2);
        thread.pause()?;
        let before = held.get();
        await_more(&free, 20);
        claim!(held.get() == before);
        thread.resume();
    }
    await_more(&held, 2);
    claim!(thread.stop() == Outcome::Stopped);
    claim!(other.stop() == Outcome::Stopped);
    Ok(Passed::Now)
}

/// As many as have paused it have to resume it; to resume it more often is no credit.
pub(crate) fn pauses_are_counted(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let (held, free) = (Count::new()?, Count::new()?);
    let (thread, _other) = (ticking(&scope, &held)?, ticking(&scope, &free)?);
    thread.resume();
    thread.pause()?;
    thread.pause()?;
    let before = held.get();
    await_more(&free, 20);
    claim!(held.get() == before);
    thread.resume();
    await_more(&free, 20);
    claim!(held.get() == before);
    thread.resume();
    await_more(&held, 2);
    Ok(Passed::Now)
}

/// A wait without an end is no obstacle. What it waits for comes meanwhile, and is there after.
pub(crate) fn paused_wait_goes_on(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let (come, passed, free) = (event()?, Count::new()?, Count::new()?);
    let thread = Builder::new(fmt!("waiting")).spawn_ready(&scope, {
        let (come, passed) = (come.clone(), passed.clone());
        move |stop: &Stop| {
            stop.ready();
            stop.wait(&come)?;
            passed.up();
            // What has broken the wait is forgotten.
            Ok(!current!().signal_pending())
        }
    })?;
    let _other = ticking(&scope, &free)?;
    thread.pause()?;
    come.complete();
    await_more(&free, 20);
    claim!(passed.get() == 0);
    thread.resume();
    claim!(thread.join() == Outcome::Ended(true));
    Ok(Passed::Now)
}

/// Whatever a thread waits for: it can be paused there, again and again, the wait goes on after
/// that, and a stop ends it.
pub(crate) fn every_wait_is_paused_and_goes_on(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let never = Never::new(&scope)?;
    for (kind, wait) in WAITS.iter().enumerate() {
        let run = |never: &Never, stop: &Stop| (wait.run)(never, stop);
        claim!(is_paused_in(&scope, &never, kind, wait.paused, run)?);
    }
    for (kind, wait) in WAITS_OF_THREADS.iter().enumerate() {
        claim!(is_paused_in(&scope, &never, kind, wait.paused, wait.run)?);
    }
    claim!(never.end());
    Ok(Passed::Now)
}

/// Whether a thread can be paused in the wait, and how that is said to go on. If not, the log says
/// which wait it is.
fn is_paused_in(
    scope: &Scope,
    never: &Never,
    kind: usize,
    paused: Paused,
    run: impl Fn(&Never, &Stop) -> kthread::Result + Send + 'static,
) -> Result<bool> {
    if paused == Paused::Never {
        return Ok(true);
    }
    let (never, passed) = (never.clone(), Count::new()?);
    let thread = Builder::new(fmt!("paused")).spawn(scope, {
        let passed = passed.clone();
        move |stop: &Stop| -> kthread::Result {
            loop {
                run(&never, stop)?;
                passed.up();
            }
        }
    })?;
    let place = await_place(|| thread.waits_in());
    let mut is_held = true;
    for _ in 0..3 {
        thread.pause()?;
        is_held &= thread.waits_in() == Some(place);
        thread.resume();
        // Until it has gone on, as a rule: were it paused again before, it would just stay.
        fsleep(Delta::from_millis(2));
    }
    let went_on = passed.get() == 0 || paused == Paused::ComesBack;
    let is_stopped = thread.stop() == Outcome::Stopped;
    if !(is_held && went_on && is_stopped) {
        pr_err!("wait {kind}: held {is_held}, went on {went_on}, stopped {is_stopped}\n");
    }
    Ok(is_held && went_on && is_stopped)
}

/// A stop lets a paused thread go on, and a shield then lets it finish.
pub(crate) fn stop_while_paused(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let thread = ticking(&scope, &Count::new()?)?;
    thread.pause()?;
    claim!(thread.stop() == Outcome::Stopped);

    let done = event()?;
    let thread = Builder::new(fmt!("shielded")).spawn_ready(&scope, {
        let done = done.clone();
        move |stop: &Stop| {
            stop.ready();
            stop.shield(FOR_EVER, |shielded| shielded.wait(&done))?;
            Ok(stop.check().is_err())
        }
    })?;
    thread.pause()?;
    thread.ask_stop();
    done.complete();
    claim!(thread.join() == Outcome::Ended(true));
    Ok(Passed::Now)
}

/// A thread that holds still does not take what others wait for as well: neither a value nor room
/// in a channel.
pub(crate) fn paused_thread_keeps_no_place(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let (sender, receiver) = kthread::channel::<u32>(1)?;
    let first = receiver.clone();
    let held = Builder::new(fmt!("held")).spawn_ready(&scope, move |stop: &Stop| {
        stop.ready();
        Ok(first.receive(stop)?)
    })?;
    // Until it waits, before the other does.
    fsleep(Delta::from_millis(50));
    let free = Builder::new(fmt!("free")).spawn_ready(&scope, move |stop: &Stop| {
        stop.ready();
        let mut sum = 0;
        while let Ok(value) = receiver.receive(stop) {
            sum += value;
        }
        Ok(sum)
    })?;
    fsleep(Delta::from_millis(50));
    held.pause()?;
    let sending = Builder::new(fmt!("sending")).spawn(&scope, move |stop: &Stop| {
        for value in 1..=20 {
            sender.send(stop, value)?;
        }
        Ok(())
    })?;
    // All senders are gone then.
    claim!(sending.join() == Outcome::Ended(()));
    claim!(free.join() == Outcome::Ended(210));
    claim!(!held.is_finished());
    held.resume();
    claim!(held.join() == Outcome::Failed(EPIPE));
    Ok(Passed::Now)
}

/// One that has ended can't be paused, nor one that ends instead.
pub(crate) fn pause_of_one_that_ends(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let thread = Builder::new(fmt!("ending")).spawn_ready(&scope, |stop: &Stop| {
        stop.ready();
        // No wait of the library.
        fsleep(Delta::from_millis(50));
        Ok(())
    })?;
    claim!(thread.pause() == Err(ESRCH));
    claim!(thread.join() == Outcome::Ended(()));
    claim!(thread.pause() == Err(ESRCH));
    thread.resume();
    Ok(Passed::Now)
}

/// A thread that would wait for itself to hold still is told so.
pub(crate) fn pause_itself(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let own = Arc::new(SetOnce::<Thread<()>>::new(), GFP_KERNEL)?;
    let (given, told) = (event()?, Count::new()?);
    let thread = Builder::new(fmt!("itself")).spawn(&scope, {
        let (own, given, told) = (own.clone(), given.clone(), told.clone());
        move |stop: &Stop| {
            stop.wait(&given)?;
            if (*own).as_ref().map(Thread::pause) == Some(Err(EDEADLK)) {
                told.up();
            }
            Ok(())
        }
    })?;
    own.populate(thread);
    given.complete();
    claim!((*own).as_ref().map(Thread::join) == Some(Outcome::Ended(())));
    claim!(told.get() == 1);
    Ok(Passed::Now)
}

/// Who pauses a thread that waits for firmware waits too, and breaks nothing; and gives up when it
/// is stopped itself, be it a thread or a work item.
pub(crate) fn pause_breaks_no_firmware_wait(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let device = faux::Registration::new(c"kthread_test", None)?;
    let thread = Builder::new(fmt!("firmware")).spawn_ready(&scope, move |stop: &Stop| {
        stop.ready();
        let faux: &faux::Device<Bound> = device.as_ref();
        let firmware = stop.request_firmware(c"kthread_test-no-such-file", faux.as_ref())?;
        Ok(firmware.size())
    })?;
    // Until it is in that wait.
    fsleep(Delta::from_millis(300));
    let thread = Arc::new(thread, GFP_KERNEL)?;
    let pauser = Builder::new(fmt!("pauser")).spawn_ready(&scope, {
        let thread = thread.clone();
        move |stop: &Stop| {
            stop.ready();
            Ok(thread.pause().err())
        }
    })?;
    fsleep(Delta::from_millis(300));
    claim!(!thread.is_finished());
    claim!(!pauser.is_finished());
    claim!(pauser.stop() == Outcome::Ended(Some(EINTR)));
    let pauser = Work::queue(&scope, {
        let thread = thread.clone();
        move |_: &AnyStop| Ok(thread.pause().err())
    })?;
    fsleep(Delta::from_millis(300));
    claim!(!pauser.is_finished());
    claim!(pauser.stop() == Outcome::Ended(Some(EINTR)));
    claim!(!thread.is_finished());
    claim!(thread.stop() == Outcome::Stopped);
    Ok(Passed::Now)
}
