// SPDX-License-Identifier: GPL-2.0-only

//! The protocol under shuttle.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;

use shuttle::rand::{thread_rng, Rng};

use block::{Outcome, Owned, Stopped};
use item::{Again, Delay, Item};
use kthread::Kthread;
use life::{Protocol, World};
use rounds::Queued;

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

/// Any number of owners do anything, in any order, as often as they like, to a body that does
/// anything too. Whatever comes of it: the result is somebody's, once.
#[test]
fn chaos() {
    explore("chaos", || {
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
                0 => kthread.wait()?,
                1 => kthread.wait_killable()?,
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

/// The same with a chore, which comes up again and again, and for which some of them ring.
#[test]
fn chaos_with_a_chore() {
    explore("chaos_with_a_chore", || {
        let results = Arc::new(AtomicUsize::new(0));
        let chore = Item::chore(some_rounds());
        let owners: Vec<_> = (0..OWNERS)
            .map(|_| {
                let (chore, results) = (chore.clone(), results.clone());
                shuttle::thread::spawn(move || {
                    for _ in 0..DEEDS {
                        count(&results, some_deed_to_a_chore(&chore));
                    }
                })
            })
            .collect();
        chore.queue(some_delay());
        // Or some would wait for ever, and rightly so.
        chore.ask();
        for owner in owners {
            owner.join().unwrap();
        }
        count(&results, Some(chore.stop()));
        assert_eq!(results.load(Ordering::Relaxed), 1);
    });
}

fn some_delay() -> Delay {
    match thread_rng().gen_range(0..2) {
        0 => Delay::Short,
        _ => Delay::ForEver,
    }
}

fn some_rounds() -> impl FnMut(&Item) -> item::Result + Send {
    let mut left = 10;
    move |item| {
        left -= 1;
        match thread_rng().gen_range(0..6) {
            0 => item.wait()?,
            1 => item.ring(),
            2 => assert_eq!(item.stop(), Outcome::Itself),
            _ if left <= 0 => return Ok(Again::Never(0)),
            _ => (),
        }
        Ok(Again::After(some_delay()))
    }
}

fn some_deed_to_a_chore(chore: &Item) -> Option<Outcome> {
    match thread_rng().gen_range(0..7) {
        0 => {
            chore.ask();
        }
        1 => chore.disturb(),
        2 => chore.give(),
        3 | 4 => chore.ring(),
        5 => return Some(chore.join_outcome()),
        _ => return Some(chore.stop()),
    }
    None
}

/// Runs the scenario of this name in orders chosen at random.
pub fn explore(_name: &str, scenario: fn()) {
    shuttle::check_random(scenario, ORDERS);
}
