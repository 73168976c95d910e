// SPDX-License-Identifier: GPL-2.0-only

//! The protocol under loom.

use std::time::Instant;

/// How often threads are preempted at most, where they could have gone on. Faults of this kind
/// need one or two; each more costs about ten times as long.
const PREEMPTIONS: usize = 3;

/// The same in the scenarios that would take long.
const BOUNDS: [(&str, usize); 3] = [
    ("crowd", 1),
    ("two_stoppers_and_a_dropper", 1),
    ("two_pausers", 2),
];

pub mod platform {
    platform!(loom);
}

#[path = "../../../kernel/kthread/life.rs"]
mod life;

#[path = "../../../kernel/kthread/reach.rs"]
mod reach;

#[path = "../../../kernel/kthread/pause.rs"]
mod pause;

#[path = "../../../kernel/kthread/rounds.rs"]
mod rounds;

#[path = "../../../kernel/kthread/slot.rs"]
mod slot;

#[path = "events.rs"]
mod events;

#[path = "block.rs"]
mod block;

#[path = "kthread.rs"]
mod kthread;

#[path = "item.rs"]
mod item;

#[path = "scenarios.rs"]
mod scenarios;

#[path = "pauses.rs"]
mod pauses;

#[path = "chores.rs"]
mod chores;

test_scenarios!();

/// Runs the scenario of this name in all orders within the bound.
pub fn explore(name: &str, scenario: fn()) {
    let bound = BOUNDS.iter().find(|(long, _)| *long == name);
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(bound.map_or(PREEMPTIONS, |(_, bound)| *bound));
    let runs = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let started = Instant::now();
    let counter = runs.clone();
    builder.check(move || {
        counter.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        scenario();
    });
    let runs = runs.load(std::sync::atomic::Ordering::Relaxed);
    println!("{runs} orders in {:.1?}", started.elapsed());
}
