// SPDX-License-Identifier: GPL-2.0

//! Where threads run, and who runs before whom.

use crate::bench::{
    claim,
    event,
    Bench,
    Count,
    Passed,
    Reason,
    Verdict, //
};
use kernel::{
    cpu::{
        nr_cpu_ids,
        CpuId, //
    },
    cpumask::{
        Cpumask,
        CpumaskVar, //
    },
    new_mutex,
    prelude::*,
    processor::cpu_relax,
    sync::{
        lock::{
            Backend,
            Lock, //
        },
        Arc, //
    },
    time::{
        delay::fsleep,
        Delta, //
    }, //
};
use kthread::{
    new_rt_mutex,
    Builder,
    Error,
    Outcome,
    Stop, //
};

const FOR_EVER: Delta = Delta::from_secs(1_000_000);
const MOMENT: Delta = Delta::from_millis(5);

/// All CPUs that there may be, online or not.
fn cpus() -> impl Iterator<Item = CpuId> {
    (0..nr_cpu_ids()).filter_map(CpuId::from_u32)
}

fn mask_of(cpus: &[CpuId]) -> Result<CpumaskVar> {
    let mut mask = CpumaskVar::new_zero(GFP_KERNEL)?;
    for cpu in cpus {
        mask.set(*cpu);
    }
    Ok(mask)
}

/// In how many of 100 looks, with sleeps between them, the thread is elsewhere.
fn strays(stop: &Stop, is_home: impl Fn(CpuId) -> bool) -> kthread::Result<u32> {
    let mut strays = 0;
    for _ in 0..100 {
        stop.sleep(Delta::from_micros(50))?;
        strays += u32::from(!is_home(CpuId::current()));
    }
    Ok(strays)
}

/// The CPUs that are online, as a thread can be started there.
pub(crate) fn online(bench: &Bench<'_>) -> core::result::Result<KVec<CpuId>, Reason> {
    let scope = bench.scope()?;
    let mut online = KVec::new();
    for cpu in cpus() {
        match Builder::new(fmt!("there"))
            .on_cpu(cpu)
            .spawn(&scope, |_: &Stop| Ok(()))
        {
            Ok(_) => online.push(cpu, GFP_KERNEL)?,
            Err(error) => claim!(error == ENXIO),
        }
    }
    claim!(!online.is_empty());
    Ok(online)
}

pub(crate) fn thread_stays_on_its_cpu(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    // All at once, so that each has reason to go elsewhere.
    let mut threads = KVec::new();
    for cpu in online(bench)? {
        for _ in 0..4 {
            let thread = Builder::new(fmt!("bound"))
                .on_cpu(cpu)
                .spawn(&scope, move |stop: &Stop| strays(stop, |seen| seen == cpu))?;
            threads.push(thread, GFP_KERNEL)?;
        }
    }
    for thread in &threads {
        claim!(thread.join() == Outcome::Ended(0));
    }
    Ok(Passed::Now)
}

pub(crate) fn thread_stays_on_its_cpus(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let online = online(bench)?;
    // Each of them alone, and all.
    for home in Iterator::chain(online.chunks(1), [&*online]) {
        let mut kept = KVec::new();
        kept.extend_from_slice(home, GFP_KERNEL)?;
        let mask = mask_of(home)?;
        let thread = Builder::new(fmt!("bound"))
            .on_cpus(&mask)
            .spawn(&scope, move |stop: &Stop| {
                strays(stop, |seen| kept.contains(&seen))
            })?;
        drop(mask);
        claim!(thread.join() == Outcome::Ended(0));
    }
    Ok(Passed::Now)
}

/// Such a thread is never made, and its body is dropped.
pub(crate) fn place_that_is_not_there(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let drops = Count::new()?;
    let nowhere = mask_of(&[])?;
    let nowhere: &Cpumask = &nowhere;
    let spawn = |builder: Builder<'_>| {
        let held = drops.on_drop();
        let body = move |_: &Stop| {
            let _held = held;
            Ok(())
        };
        builder.spawn(&scope, body).err()
    };

    // No kernel has more than 1024 nodes.
    for (tries, node) in [1024, i32::MAX.unsigned_abs(), u32::MAX]
        .into_iter()
        .enumerate()
    {
        claim!(spawn(Builder::new(fmt!("nowhere")).on_node(node)) == Some(ENXIO));
        claim!(usize::try_from(drops.get()) == Ok(tries + 1));
    }
    claim!(spawn(Builder::new(fmt!("nowhere")).on_cpus(nowhere)) == Some(ENXIO));
    claim!(drops.get() == 4);
    // The last word counts.
    claim!(spawn(Builder::new(fmt!("here")).on_cpus(nowhere).on_node(0)).is_none());
    claim!(drops.get() == 5);
    claim!(scope.live() == 0);
    Ok(Passed::Now)
}

/// It starts, no more. Where it is then, can be seen from outside of the kernel: see `placed.rs`.
pub(crate) fn thread_on_a_node(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    // Every machine has this one.
    let thread = Builder::new(fmt!("node"))
        .on_node(0)
        .spawn(&scope, |_: &Stop| Ok(3))?;
    claim!(thread.join() == Outcome::Ended(3));
    Ok(Passed::Now)
}

/// How long the thread of middle priority keeps the CPU, unless that of high priority is through.
const PATIENCE: u32 = 1_000_000;

/// Whether a thread of middle priority keeps one of high priority from a lock that one of low
/// priority holds.
///
/// All three are real-time threads on one CPU. The low one sleeps while it holds the lock, so the
/// middle one, of the same priority, gets the CPU, and never gives it to its equals. It wakes both
/// others: the low one has to queue behind it, the high one preempts it and waits for the lock. If
/// the low one now inherits that priority, it releases the lock before the middle one can look
/// again. If not, the middle one looks in vain until it loses patience.
fn middle_keeps_high_out<B: Backend + 'static>(
    bench: &Bench<'_>,
    lock: Arc<Lock<(), B>>,
) -> core::result::Result<bool, Reason> {
    let scope = bench.scope()?;
    let online = online(bench)?;
    let cpu = online[online.len() - 1];
    let (wake_low, wake_high) = (event()?, event()?);
    let (tries, through) = (Count::new()?, Count::new()?);

    let low = Builder::new(fmt!("low")).on_cpu(cpu).fifo_low();
    let low = low.spawn_ready(&scope, {
        let (lock, wake_low) = (lock.clone(), wake_low.clone());
        move |stop: &Stop| {
            let _guard = lock.lock();
            stop.ready();
            Ok(stop.wait(&wake_low)?)
        }
    })?;
    let high = Builder::new(fmt!("high")).on_cpu(cpu).fifo();
    let high = high.spawn_ready(&scope, {
        let (wake_high, tries, through) = (wake_high.clone(), tries.clone(), through.clone());
        move |stop: &Stop| {
            stop.ready();
            stop.wait(&wake_high)?;
            tries.up();
            let _guard = lock.lock();
            through.up();
            Ok(())
        }
    })?;
    let middle = Builder::new(fmt!("middle")).on_cpu(cpu).fifo_low();
    let middle = middle.spawn(&scope, move |_: &Stop| {
        wake_low.complete();
        wake_high.complete();
        let mut patience = PATIENCE;
        while through.get() == 0 && patience > 0 {
            cpu_relax();
            patience -= 1;
        }
        Ok((tries.get(), through.get()))
    })?;

    let seen = middle.join();
    claim!(seen == Outcome::Ended((1, 0)) || seen == Outcome::Ended((1, 1)));
    // It was but a matter of patience.
    claim!(low.join() == Outcome::Ended(()));
    claim!(high.join() == Outcome::Ended(()));
    Ok(seen == Outcome::Ended((1, 0)))
}

pub(crate) fn mutex_lets_inversion_happen(bench: &Bench<'_>) -> Verdict {
    if cfg!(CONFIG_PREEMPT_RT) {
        return Ok(Passed::Skipped("here all mutexes inherit priority"));
    }
    for _ in 0..2 {
        let lock = Arc::pin_init(new_mutex!(()), GFP_KERNEL)?;
        claim!(middle_keeps_high_out(bench, lock)?);
    }
    Ok(Passed::Now)
}

pub(crate) fn rt_mutex_inherits_priority(bench: &Bench<'_>) -> Verdict {
    for _ in 0..20 {
        let lock = Arc::pin_init(new_rt_mutex!(()), GFP_KERNEL)?;
        claim!(!middle_keeps_high_out(bench, lock)?);
    }
    Ok(Passed::Now)
}

pub(crate) fn stop_while_locking(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let lock = Arc::pin_init(new_rt_mutex!(0), GFP_KERNEL)?;
    for _ in 0..50 {
        let held = lock.lock();
        let thread = Builder::new(fmt!("locker")).spawn_ready(&scope, {
            let lock = lock.clone();
            move |stop: &Stop| {
                stop.ready();
                *stop.lock(&lock)? += 1;
                Ok(())
            }
        })?;
        claim!(thread.stop() == Outcome::Stopped);
        drop(held);
    }
    claim!(lock.try_lock().is_some_and(|number| *number == 0));
    Ok(Passed::Now)
}

/// A body that waits for itself can be stopped, and has its limits.
pub(crate) fn stop_while_locking_twice(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let lock = Arc::pin_init(new_rt_mutex!(()), GFP_KERNEL)?;
    let thread = Builder::new(fmt!("twice")).spawn_ready(&scope, {
        let lock = lock.clone();
        move |stop: &Stop| {
            let _held = stop.lock(&lock)?;
            let again = stop.lock_timeout(&lock, MOMENT)?.is_some();
            stop.ready();
            // Waits for the owner, who stops it.
            Ok((again, stop.lock(&lock).is_ok()))
        }
    })?;
    claim!(thread.stop() == Outcome::Ended((false, false)));
    claim!(lock.try_lock().is_some());
    Ok(Passed::Now)
}

/// The first limit passes while the lock is held, the others don't.
pub(crate) fn lock_gives_up_in_time(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let lock = Arc::pin_init(new_rt_mutex!(0), GFP_KERNEL)?;
    let held = lock.lock();
    let thread = Builder::new(fmt!("locker")).spawn(&scope, {
        let lock = lock.clone();
        move |stop: &Stop| {
            let early = stop.lock_timeout(&lock, MOMENT)?.is_some();
            // Nothing is left of the limit that would break the kernel's own waits.
            let nothing_left = !current!().signal_pending();
            stop.ready();
            let late = stop.lock_timeout(&lock, FOR_EVER)?.map(|number| *number);
            let free = stop.lock_timeout(&lock, Delta::ZERO)?.map(|number| *number);
            Ok((early, late, free, nothing_left))
        }
    })?;
    thread.wait_ready().map_err(Error::to_kernel)?;
    // Time to begin to wait.
    fsleep(MOMENT);
    drop(held);
    claim!(thread.join() == Outcome::Ended((false, Some(0), Some(0), true)));
    Ok(Passed::Now)
}

/// Were the end of the shield not seen, this would never end.
pub(crate) fn shield_ends_while_locking(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let lock = Arc::pin_init(new_rt_mutex!(()), GFP_KERNEL)?;
    let held = lock.lock();
    let thread = Builder::new(fmt!("shielded")).spawn_ready(&scope, {
        let lock = lock.clone();
        move |stop: &Stop| {
            stop.ready();
            Ok(stop.shield(Delta::from_millis(20), |stop| stop.lock(&lock).is_ok()))
        }
    })?;
    claim!(thread.stop() == Outcome::Ended(false));
    drop(held);
    Ok(Passed::Now)
}
