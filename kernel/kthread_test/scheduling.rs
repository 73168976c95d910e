// SPDX-License-Identifier: GPL-2.0

//! Where threads run.

use crate::bench::{
    claim,
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
    prelude::*,
    time::Delta, //
};
use kthread::{
    Builder,
    Outcome,
    Stop, //
};

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
fn online(bench: &Bench<'_>) -> core::result::Result<KVec<CpuId>, Reason> {
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

pub(crate) fn thread_on_a_node(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    // Every machine has this one.
    let thread = Builder::new(fmt!("node"))
        .on_node(0)
        .spawn(&scope, |_: &Stop| Ok(3))?;
    claim!(thread.join() == Outcome::Ended(3));
    Ok(Passed::Now)
}
