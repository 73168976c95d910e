// SPDX-License-Identifier: GPL-2.0-only

//! What work items and their owners do to each other: chores, mostly, which come up again and
//! again. See `scenarios.rs`.

use std::sync::atomic::Ordering::Relaxed;

use super::block::{Outcome, Owned, Stopped};
use super::item::{Again, Delay, Item, Result};
use super::life::{Protocol, World};
use super::platform::{thread, Arc, AtomicUsize};
use super::rounds::Queued;
use super::scenarios::{one_got, Held, VALUE};

/// Runs a function beside, on no worker.
fn aside<T: Send + 'static>(
    item: &Arc<Item>,
    run: impl FnOnce(&Item) -> T + Send + 'static,
) -> thread::JoinHandle<T> {
    let item = item.clone();
    thread::spawn(move || run(&item))
}

/// A body that is deaf to a stop, and never comes up again by itself.
fn sleepy(_: &Item) -> Result {
    Ok(Again::After(Delay::ForEver))
}

/// A body that waits until it is stopped.
fn waiting(item: &Item) -> Result {
    item.wait()?;
    Ok(Again::Never(VALUE))
}

/// A body that comes up so many times by itself, and ends by itself the last time.
fn rounds(number: usize) -> impl FnMut(&Item) -> Result + Send {
    let mut left = number;
    move |_| {
        left -= 1;
        Ok(match left {
            0 => Again::Never(VALUE),
            _ => Again::After(Delay::Short),
        })
    }
}

/// It comes up again as often as its body wants, and ends by itself.
pub fn chore_comes_up_again() {
    let chore = Item::start(Delay::Short, rounds(3));
    assert_eq!(chore.join_outcome(), Outcome::Ended(VALUE));
    // Nobody calls what is over.
    chore.ring();
    assert_eq!(chore.stop(), Outcome::Taken);
}

/// Whatever was done before a ring is seen by a call after it: before the first, in the middle of
/// one, at its end, between two.
pub fn ring_is_followed_by_a_call() {
    let written = Arc::new(AtomicUsize::new(0));
    let chore = Item::start(Delay::Short, {
        let written = written.clone();
        move |_| {
            Ok(match written.load(Relaxed) {
                0 => Again::After(Delay::ForEver),
                _ => Again::Never(VALUE),
            })
        }
    });
    written.store(1, Relaxed);
    chore.ring();
    assert_eq!(chore.join_outcome(), Outcome::Ended(VALUE));
}

/// Two ring for one that was to come up much later, each for something of its own.
pub fn two_ring() {
    let written = [(); 2].map(|()| Arc::new(AtomicUsize::new(0)));
    let [first, second] = written.clone();
    let chore = Item::start(Delay::ForEver, move |_| {
        Ok(match first.load(Relaxed) + second.load(Relaxed) {
            2 => Again::Never(VALUE),
            _ => Again::After(Delay::ForEver),
        })
    });
    let [first, second] = written;
    let other = aside(&chore, move |chore| {
        first.store(1, Relaxed);
        chore.ring();
    });
    second.store(1, Relaxed);
    chore.ring();
    assert_eq!(chore.join_outcome(), Outcome::Ended(VALUE));
    other.join().unwrap();
}

/// A body rings for itself, and then asks for a long delay.
pub fn body_rings() {
    let mut calls = 0;
    let chore = Item::start(Delay::Short, move |item| {
        calls += 1;
        if calls == 2 {
            return Ok(Again::Never(VALUE));
        }
        item.ring();
        Ok(Again::After(Delay::ForEver))
    });
    assert_eq!(chore.join_outcome(), Outcome::Ended(VALUE));
}

/// Asked to stop, it ends without anybody who buries it, though it was not to come up for ever so
/// long, and its body sees no stop.
pub fn asked_chore_ends() {
    let chore = Item::start(Delay::Short, sleepy);
    chore.ask();
    chore.wait_ended();
    assert_eq!(chore.join_outcome(), Outcome::Stopped);
}

/// The same, where its body waits.
pub fn asked_chore_breaks_its_wait() {
    let chore = Item::start(Delay::Short, waiting);
    chore.ask();
    chore.wait_ended();
    assert_eq!(chore.join_outcome(), Outcome::Stopped);
}

/// Asked before it was queued: its body does not run.
pub fn chore_asked_before_it_is_queued() {
    let chore = Item::chore(|_| panic!("it was asked before"));
    chore.ask();
    chore.queue(Delay::ForEver);
    chore.wait_ended();
    assert_eq!(chore.join_outcome(), Outcome::Stopped);
}

/// What an owner did before it asked is seen by a body that only looks at the flag.
pub fn owner_tells_the_chore() {
    let written = Arc::new(AtomicUsize::new(0));
    let chore = Item::start(Delay::Short, {
        let written = written.clone();
        move |item| {
            let asked = item.life().is_asked();
            assert!(!asked || written.load(Relaxed) == 1, "asked");
            Ok(Again::Never(VALUE))
        }
    });
    written.store(1, Relaxed);
    chore.stop();
}

/// Two stop it, between two of its calls or in one.
pub fn two_stop_a_chore() {
    let chore = Item::start(Delay::Short, {
        let mut calls = 0;
        move |item| {
            calls += 1;
            match calls {
                1 => Ok(Again::After(Delay::Short)),
                _ => waiting(item),
            }
        }
    });
    let other = aside(&chore, Item::stop);
    let own = chore.stop();
    one_got(Outcome::Stopped, &[own, other.join().unwrap()]);
}

/// One waits for its end, another stops it.
pub fn joiner_and_stopper_of_a_chore() {
    let chore = Item::start(Delay::Short, sleepy);
    let other = aside(&chore, Item::stop);
    let own = chore.join_outcome();
    one_got(Outcome::Stopped, &[own, other.join().unwrap()]);
}

/// It is stopped while it comes up again and ends by itself.
pub fn stop_among_rounds() {
    let chore = Item::start(Delay::Short, rounds(2));
    let outcome = chore.stop();
    assert!(outcome == Outcome::Ended(VALUE) || outcome == Outcome::Stopped);
    assert_eq!(chore.stop(), Outcome::Taken);
    assert_eq!(chore.join_outcome(), Outcome::Taken);
}

/// Nothing of it runs after a stop, whoever rings meanwhile and later, and its closure has been
/// dropped once.
pub fn ring_and_stop() {
    let (drops, stopped) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let held = Held(drops.clone());
    let chore = Item::start(Delay::Short, {
        let stopped = stopped.clone();
        move |_| {
            let _held = &held;
            assert_eq!(stopped.load(Relaxed), 0, "it is gone");
            Ok(Again::After(Delay::ForEver))
        }
    });
    let bell = aside(&chore, Item::ring);
    assert_eq!(chore.stop(), Outcome::Stopped);
    stopped.store(1, Relaxed);
    assert_eq!(drops.load(Relaxed), 1);
    chore.ring();
    bell.join().unwrap();
}

/// Stopped before it was due for the first time: its closure is dropped without having run.
pub fn chore_stopped_before_its_first_call() {
    let drops = Arc::new(AtomicUsize::new(0));
    let held = Held(drops.clone());
    let chore = Item::start(Delay::ForEver, move |_| {
        let _held = &held;
        panic!("its time has not come")
    });
    assert_eq!(chore.stop(), Outcome::Stopped);
    assert_eq!(drops.load(Relaxed), 1);
}

/// Wake-ups alone end no wait, and no chore.
pub fn chore_among_signals() {
    let chore = Item::start(Delay::Short, waiting);
    let signals = aside(&chore, |chore| {
        chore.disturb();
        chore.give();
    });
    assert_eq!(chore.join_outcome(), Outcome::Ended(VALUE));
    signals.join().unwrap();
}

/// A stop among such wake-ups.
pub fn chore_stopped_among_signals() {
    let chore = Item::start(Delay::Short, |item| {
        let waited = item.wait();
        // What the kernel itself would wait for in clean-up code is broken too.
        assert!(!item.wait_in_kernel());
        waited.map(|()| Again::Never(VALUE))
    });
    let signals = aside(&chore, Item::disturb);
    chore.ask();
    chore.wait_ended();
    assert_eq!(chore.join_outcome(), Outcome::Stopped);
    signals.join().unwrap();
}

/// A body that waits for its own end is told so, and ended by others.
pub fn own_end_of_a_chore() {
    let chore = Item::start(Delay::Short, |item| {
        assert_eq!(item.join_outcome(), Outcome::Itself);
        assert_eq!(item.stop(), Outcome::Itself);
        Err(Stopped)
    });
    assert_eq!(chore.join_outcome(), Outcome::Stopped);
}

/// The closure holds the handle of its own chore, and whoever drops it stops that again.
pub fn chore_that_owns_its_handle() {
    struct Handle(std::sync::OnceLock<Arc<Item>>);

    impl Drop for Handle {
        fn drop(&mut self) {
            let outcome = self.0.get().map(|chore| chore.stop());
            assert_ne!(outcome, Some(Outcome::Ended(VALUE)));
        }
    }

    let handle = std::sync::Arc::new(Handle(std::sync::OnceLock::new()));
    let chore = Item::chore({
        let handle = handle.clone();
        move |_| {
            let _handle = &handle;
            Ok(Again::Never(VALUE))
        }
    });
    assert!(handle.0.set(chore.clone()).is_ok());
    drop(handle);
    chore.queue(Delay::Short);
    assert_ne!(chore.stop(), Outcome::Itself);
}

/// Work has one round. It is stopped before that, in it or after.
pub fn two_stop_work() {
    let work = Item::work(|item| item.wait().map(|()| VALUE));
    let other = aside(&work, Item::stop);
    let own = work.stop();
    one_got(Outcome::Stopped, &[own, other.join().unwrap()]);
}

/// Work that is asked to stop ends without anybody who buries it.
pub fn asked_work_ends() {
    let work = Item::work(|item| item.wait().map(|()| VALUE));
    work.ask();
    work.wait_ended();
    assert_eq!(work.join_outcome(), Outcome::Stopped);
}

/// Nobody asks it to stop: it ends by itself.
pub fn two_join_work() {
    let work = Item::work(|_| Ok(VALUE));
    let other = aside(&work, Item::join_outcome);
    let own = work.join_outcome();
    one_got(Outcome::Ended(VALUE), &[own, other.join().unwrap()]);
}
