// SPDX-License-Identifier: GPL-2.0

//! What safe code may do to threads, and must not get away with.

use crate::bench::{
    self,
    claim,
    event,
    expect_line,
    leak,
    Bench,
    Count,
    Passed,
    Reason,
    Verdict, //
};
use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        atomic::Full,
        Arc, //
    },
    time::{
        delay::fsleep,
        Delta, //
    }, //
};
use kthread::{
    Builder,
    Leftover,
    ModuleScope,
    Outcome,
    Scope,
    Stop,
    Thread, //
};

/// A thread that is up, and counts its own end, which is a stop.
fn counted(scope: &Scope, ends: &Count) -> Result<Thread<()>> {
    let ends = ends.clone();
    Builder::new(fmt!("counted")).spawn_ready(scope, move |stop: &Stop| {
        stop.ready();
        while stop.sleep(Delta::from_secs(3600)).is_ok() {}
        // Whoever does not wait for the thread is likely not to see the count.
        fsleep(Delta::from_millis(5));
        ends.up();
        Ok(())
    })
}

pub(crate) fn drop_stops_and_joins(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let ends = Count::new()?;
    drop(counted(&scope, &ends)?);
    claim!(ends.get() == 1);
    claim!(scope.live() == 0);
    Ok(Passed::Now)
}

pub(crate) fn leaked_handle_is_joined_by_scope(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let ends = Count::new()?;
    for _ in 0..3 {
        leak(counted(&scope, &ends)?);
    }
    drop(scope);
    claim!(ends.get() == 3);
    Ok(Passed::Now)
}

pub(crate) fn left_thread_is_joined_by_scope(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let ends = Count::new()?;
    counted(&scope, &ends)?.leave();
    claim!(ends.get() == 0);
    drop(scope);
    claim!(ends.get() == 1);
    Ok(Passed::Now)
}

pub(crate) fn left_thread_is_swept_up(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let drops = Count::new()?;
    for _ in 0..20 {
        let done = event()?;
        let held = drops.on_drop();
        Builder::new(fmt!("left"))
            .spawn(&scope, {
                let done = done.clone();
                move |_: &Stop| {
                    done.complete();
                    Ok(held)
                }
            })?
            .leave();
        wait_for_end(&scope, &done)?;
    }
    // Each but the last was cleaned up, its unclaimed result too, when the next one was started.
    claim!(scope.live() < 20);
    drop(scope);
    claim!(drops.get() == 20);
    Ok(Passed::Now)
}

/// Waits, by a thread that is joined, for a completion.
fn wait_for_end(
    scope: &Scope,
    done: &Arc<kthread::Completion>,
) -> core::result::Result<(), Reason> {
    let done = done.clone();
    let waiter =
        Builder::new(fmt!("waiter")).spawn(scope, move |stop: &Stop| Ok(stop.wait(&done)?))?;
    claim!(waiter.join() == Outcome::Ended(()));
    Ok(())
}

pub(crate) fn self_stop_is_caught(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let mailbox = Arc::pin_init(new_mutex!(None::<Thread<bool>>), GFP_KERNEL)?;
    let (go, done) = (event()?, event()?);
    let held = Count::new()?;
    let thread = Builder::new(fmt!("self")).spawn(&scope, {
        let (mailbox, go, done) = (mailbox.clone(), go.clone(), done.clone());
        let held = held.clone();
        move |stop: &Stop| {
            stop.wait(&go)?;
            let own = mailbox.lock().take();
            if let Some(own) = own {
                let awaited = own.wait_ready() == Err(EDEADLK.into());
                let joined = own.join() == Outcome::Itself;
                let untouched = !stop.is_stopped();
                let stopped = own.stop() == Outcome::Itself;
                if awaited && joined && untouched && stopped && stop.is_stopped() {
                    held.up();
                }
                // Dropped here: by the thread itself.
            }
            done.complete_all();
            Ok(true)
        }
    })?;
    *mailbox.lock() = Some(thread);
    go.complete_all();

    wait_for_end(&scope, &done)?;
    claim!(held.get() == 1);
    drop(scope);
    Ok(Passed::Now)
}

pub(crate) fn own_scope_dropped_by_its_thread(bench: &Bench<'_>) -> Verdict {
    let outer = bench.scope()?;
    let scope = Arc::new(bench.scope()?, GFP_KERNEL)?;
    let (go, done) = (event()?, event()?);
    let ends = Count::new()?;
    leak(counted(&scope, &ends)?);

    let verdict = Count::new()?;
    let thread = Builder::new(fmt!("owner")).spawn(&scope, {
        let (scope, go, done) = (scope.clone(), go.clone(), done.clone());
        let (ends, verdict) = (ends.clone(), verdict.clone());
        move |stop: &Stop| {
            stop.wait(&go)?;
            // The last reference. The other thread of the scope is waited for; this one can't be.
            drop(scope);
            if ends.get() == 1 && stop.is_stopped() {
                verdict.up();
            }
            done.complete_all();
            Ok(())
        }
    })?;
    thread.leave();
    drop(scope);
    go.complete_all();

    wait_for_end(&outer, &done)?;
    claim!(verdict.get() == 1);
    Ok(Passed::Now)
}

/// Sleeps until a stop is asked for.
fn until_asked(stop: &Stop) {
    while stop.sleep(Delta::from_secs(3600)).is_ok() {}
}

pub(crate) fn scope_stopped_by_two_of_its_threads(bench: &Bench<'_>) -> Verdict {
    let scope = Arc::new(bench.scope()?, GFP_KERNEL)?;
    let stopper = |first: bool| {
        let own = scope.clone();
        Builder::new(fmt!("stopper")).spawn_ready(&scope, move |stop: &Stop| {
            stop.ready();
            if !first {
                // By the other, which waits for this one from then on.
                until_asked(stop);
            }
            own.stop();
            Ok(stop.is_stopped())
        })
    };
    let two = stopper(false)?;
    let one = stopper(true)?;

    claim!(one.join() == Outcome::Ended(true));
    claim!(two.join() == Outcome::Ended(true));
    drop(scope);
    Ok(Passed::Now)
}

pub(crate) fn threads_that_wait_for_each_other(bench: &Bench<'_>) -> Verdict {
    const MANY: usize = 3;

    let scope = bench.scope()?;
    let ring = Arc::pin_init(new_mutex!(KVec::<Arc<Thread<()>>>::new()), GFP_KERNEL)?;
    let mut threads = KVec::new();
    let (go, told) = (event()?, Count::new()?);
    for index in 0..MANY {
        let (ring, go, told) = (ring.clone(), go.clone(), told.clone());
        let thread = Builder::new(fmt!("ring/{index}")).spawn(&scope, move |stop: &Stop| {
            stop.wait(&go)?;
            let next = ring.lock()[(index + 1) % MANY].clone();
            if next.join() == Outcome::Itself {
                told.up();
            }
            Ok(())
        })?;
        threads.push(Arc::new(thread, GFP_KERNEL)?, GFP_KERNEL)?;
    }
    for thread in &threads {
        ring.lock().push(thread.clone(), GFP_KERNEL)?;
    }
    go.complete_all();

    // The one that would close the ring does not wait, and ends; then all others do.
    for thread in &threads {
        thread.join();
    }
    claim!(told.get() == 1);
    Ok(Passed::Now)
}

/// The waits of these are broken by a stop, but nobody asks for one.
pub(crate) fn bodies_that_join_each_other(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let pair = Arc::pin_init(new_mutex!(KVec::<Arc<Thread<()>>>::new()), GFP_KERNEL)?;
    let (go, told) = (event()?, Count::new()?);
    let mut threads = KVec::new();
    for index in 0..2 {
        let (pair, go, told) = (pair.clone(), go.clone(), told.clone());
        let thread = Builder::new(fmt!("pair/{index}")).spawn(&scope, move |stop: &Stop| {
            stop.wait(&go)?;
            let other = pair.lock()[1 - index].clone();
            if stop.join(&other)? == Outcome::Itself {
                told.up();
            }
            Ok(())
        })?;
        threads.push(Arc::new(thread, GFP_KERNEL)?, GFP_KERNEL)?;
    }
    for thread in &threads {
        pair.lock().push(thread.clone(), GFP_KERNEL)?;
    }
    go.complete_all();

    for thread in &threads {
        thread.join();
    }
    claim!(told.get() == 1);
    Ok(Passed::Now)
}

/// One body joins the other, which stops it: the stop breaks that wait, so this is no ring.
pub(crate) fn body_stops_who_joins_it(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let mailbox = Arc::pin_init(new_mutex!(None::<Arc<Thread<bool>>>), GFP_KERNEL)?;
    let (go, here) = (event()?, event()?);
    let joiner = Builder::new(fmt!("joiner")).spawn(&scope, {
        let (mailbox, go, here) = (mailbox.clone(), go.clone(), here.clone());
        move |stop: &Stop| {
            stop.wait(&go)?;
            let other = mailbox.lock().take();
            here.complete();
            Ok(other.is_some_and(|other| stop.join(&other).is_err()))
        }
    })?;
    let stopper = Builder::new(fmt!("stopper")).spawn(&scope, move |stop: &Stop| {
        stop.wait(&here)?;
        // No wait comes after that but the one for this thread.
        while joiner.waits_in().is_none() {
            stop.sleep(Delta::from_millis(1))?;
        }
        Ok(joiner.stop() == Outcome::Ended(true))
    })?;
    let stopper = Arc::new(stopper, GFP_KERNEL)?;
    *mailbox.lock() = Some(stopper.clone());
    go.complete_all();
    claim!(stopper.join() == Outcome::Ended(true));
    Ok(Passed::Now)
}

pub(crate) fn closure_that_owns_its_scope(bench: &Bench<'_>) -> Verdict {
    let drops = Count::new()?;
    for round in 1..=200 {
        let scope = Arc::new(bench.scope()?, GFP_KERNEL)?;
        let (own, held) = (scope.clone(), drops.on_drop());
        let thread = Builder::new(fmt!("owner")).spawn(&scope, move |_: &Stop| {
            // Dropped by the thread, or where the thread never ran, by those who wait for it.
            drop((own, held));
            Ok(())
        })?;
        drop(scope);
        if round % 2 == 0 {
            fsleep(Delta::from_micros(200));
        }
        thread.stop();
        claim!(drops.get() == round);
    }
    Ok(Passed::Now)
}

pub(crate) fn closure_that_owns_its_handle(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let drops = Count::new()?;
    for round in 1..=200 {
        let mailbox = Arc::pin_init(new_mutex!(None::<Thread<()>>), GFP_KERNEL)?;
        let (own, held) = (mailbox.clone(), drops.on_drop());
        let thread = Builder::new(fmt!("owner")).spawn(&scope, move |stop: &Stop| {
            let _held = (own, held);
            Ok(stop.sleep(Delta::from_secs(3600))?)
        })?;
        *mailbox.lock() = Some(thread);
        drop(mailbox);
        if round % 2 == 0 {
            fsleep(Delta::from_micros(200));
        }
        // By the thread, or where it never ran, by us: with the closure goes the handle.
        scope.stop();
        claim!(drops.get() == round);
    }
    claim!(scope.live() == 0);
    Ok(Passed::Now)
}

pub(crate) fn scope_needs_its_module(bench: &Bench<'_>) -> Verdict {
    // Elsewhere than in the module's memory it could be leaked.
    let misplaced = KBox::pin_init(ModuleScope::new(bench.module), GFP_KERNEL);
    claim!(misplaced.err() == Some(EINVAL));
    Ok(Passed::Now)
}

pub(crate) fn no_thread_left(bench: &Bench<'_>) -> Verdict {
    // One that dropped its own scope may still be there, but can't be once it was swept up.
    bench.threads.stop();
    let scope = bench.scope()?;
    while bench.threads.live() > 0 {
        let sweeper = Builder::new(fmt!("sweeper")).spawn(&scope, |_: &Stop| Ok(()))?;
        sweeper.join();
    }
    Ok(Passed::Now)
}

/// Something that a module must not go without ending.
struct Unended;

impl Leftover for Unended {
    fn end(&self) {
        pr_info!("ended what was left\n");
    }
}

/// It is still looked after when one of two who saw to that has let it go, and the other is leaked.
pub(crate) fn leftover_is_ended_with_the_module(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let leftover: Arc<dyn Leftover> = Arc::new(Unended, GFP_KERNEL)?;
    let one = scope.look_after(leftover.clone())?;
    leak(scope.look_after(leftover)?);
    drop(one);
    expect_line(fmt!("kthread_test: ended what was left"));
    Ok(Passed::Now)
}

/// See [`bench::Witness`] for the other half.
pub(crate) fn leaked_scope_is_joined_by_module(bench: &Bench<'_>) -> Verdict {
    for _ in 0..3 {
        let scope = bench.scope()?;
        let thread = Builder::new(fmt!("leaked")).spawn_ready(&scope, |stop: &Stop| {
            bench::LEAKED.fetch_add(1, Full);
            stop.ready();
            while stop.sleep(Delta::from_secs(3600)).is_ok() {}
            fsleep(Delta::from_millis(20));
            bench::LEAKED.fetch_add(-1, Full);
            Ok(())
        })?;
        leak(thread);
        leak(scope);
    }
    Ok(Passed::IfNoneOutlives)
}
