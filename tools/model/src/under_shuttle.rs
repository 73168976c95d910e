// SPDX-License-Identifier: GPL-2.0-only

//! The protocol under shuttle.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;

use shuttle::rand::{thread_rng, Rng};

use kthread::{Kthread, Outcome, Stopped, Wait};
use life::{Protocol, World};

/// How many orders of a scenario's steps are tried.
const ORDERS: usize = 2_000;

/// How many owners the chaos has, and how much each of them does.
const OWNERS: usize = 4;
const DEEDS: usize = 4;

pub mod platform {
    platform!(shuttle);
}

#[path = "../../../kernel/kthread/life.rs"]
mod life;

#[path = "../../../kernel/kthread/slot.rs"]
mod slot;

#[path = "kthread.rs"]
mod kthread;

#[path = "scenarios.rs"]
mod scenarios;

test_scenarios!();

/// Any number of owners do anything, in any order, as often as they like, to a body that does
/// anything too. Whatever comes of it: the result is somebody's, once.
#[test]
fn chaos() {
    explore(|| {
        let results = Arc::new(AtomicUsize::new(0));
        let kthread = Kthread::create(some_body());
        let owners: Vec<_> = (0..OWNERS)
            .map(|_| {
                let (kthread, results) = (kthread.clone(), results.clone());
                shuttle::thread::spawn(move || {
                    for _ in 0..DEEDS {
                        count(&results, some_deed(&kthread));
                    }
                })
            })
            .collect();
        kthread.wake();
        // Or some would wait for ever, and rightly so.
        kthread.ask();
        for owner in owners {
            owner.join().unwrap();
        }
        count(&results, Some(kthread.stop()));
        assert_eq!(results.load(Ordering::Relaxed), 1);
    });
}

fn count(results: &AtomicUsize, outcome: Option<Outcome>) {
    if let Some(Outcome::Ended(_) | Outcome::Stopped) = outcome {
        results.fetch_add(1, Ordering::Relaxed);
    }
}

fn some_body() -> impl FnOnce(&Kthread) -> kthread::Result + Send {
    let waits = thread_rng().gen_range(0..3);
    move |kthread| {
        for _ in 0..waits {
            match thread_rng().gen_range(0..4) {
                0 => kthread.wait(Wait::Interruptible)?,
                1 => kthread.wait(Wait::Killable)?,
                2 => kthread.ready(),
                _ => assert_eq!(kthread.stop(), Outcome::Itself),
            }
        }
        if kthread.life().is_asked() {
            Err(Stopped)
        } else {
            Ok(0)
        }
    }
}

fn some_deed(kthread: &Kthread) -> Option<Outcome> {
    match thread_rng().gen_range(0..7) {
        0 => {
            kthread.ask();
        }
        1 => kthread.disturb(),
        2 => kthread.give(),
        3 => kthread.wait_ready(),
        4 => return Some(kthread.join_outcome()),
        5 => return kthread.join_within_outcome(),
        _ => return Some(kthread.stop()),
    }
    None
}

/// Runs the scenario in orders chosen at random.
pub fn explore(scenario: fn()) {
    shuttle::check_random(scenario, ORDERS);
}
