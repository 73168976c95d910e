// SPDX-License-Identifier: GPL-2.0-only

//! What those do to each other who pause a thread, and stop it. See `scenarios.rs`.

use std::sync::atomic::Ordering::Relaxed as Unordered;

use super::block::{Outcome, Owned};
use super::kthread::{Kthread, Result};
use super::life::{Milestone, Protocol, World};
use super::pause::{NotStill, Pausable};
use super::platform::{Arc, AtomicUsize, Relaxed};
use super::scenarios::{beside, VALUE};

/// Something in two steps, which a body must not see between.
struct Settings(AtomicUsize);

impl Settings {
    fn new() -> Arc<Self> {
        Arc::new(Self(AtomicUsize::new(0)))
    }

    /// Changes them while the thread holds still, and lets it go.
    fn change_in_a_pause(&self, kthread: &Kthread) {
        if kthread.begin_pause() == Ok(()) {
            let before = self.0.load(Unordered);
            assert!(before % 2 == 0, "two at once");
            self.0.store(before + 1, Unordered);
            self.0.store(before + 2, Unordered);
            kthread.end_pause();
        }
    }

    fn look(&self) {
        assert!(self.0.load(Unordered) % 2 == 0, "it does not hold still");
    }
}

/// A body that can be paused, and looks at what is changed meanwhile.
fn body(settings: &Arc<Settings>) -> impl FnOnce(&Kthread) -> Result + Send {
    let settings = settings.clone();
    move |kthread| {
        kthread.wait_pausable(false)?;
        settings.look();
        Ok(VALUE)
    }
}

/// It is paused in its wait, on the way there or after it, and notices nothing but what was changed.
pub fn pause_in_a_wait() {
    let settings = Settings::new();
    let kthread = Kthread::spawn({
        let body = body(&settings);
        |kthread| {
            let result = body(kthread);
            assert!(kthread.is_undisturbed(), "a nudge is left");
            result
        }
    });
    let giver = beside(&kthread, Kthread::give);
    settings.change_in_a_pause(&kthread);
    assert_eq!(kthread.join_outcome(), Outcome::Ended(VALUE));
    giver.join().unwrap();
}

/// What it has done before it holds still is seen by who has paused it.
pub fn pause_finds_it_still() {
    let done = Arc::new(AtomicUsize::new(0));
    let kthread = Kthread::spawn({
        let done = done.clone();
        move |kthread| {
            done.store(1, Unordered);
            kthread.wait_pausable(false)?;
            Ok(VALUE)
        }
    });
    assert_eq!(kthread.begin_pause(), Ok(()));
    assert_eq!(done.load(Unordered), 1, "not all is seen");
    kthread.end_pause();
    kthread.give();
    assert_eq!(kthread.join_outcome(), Outcome::Ended(VALUE));
}

/// It goes on when it is resumed, and nobody wakes it up for anything else.
pub fn pause_ends() {
    let kthread = Kthread::spawn(|kthread| {
        kthread.wait_pausable(true)?;
        Ok(VALUE)
    });
    assert_eq!(kthread.begin_pause(), Ok(()));
    kthread.end_pause();
    assert_eq!(kthread.join_outcome(), Outcome::Ended(VALUE));
}

/// It is paused again when it is about to go on: either it has gone on, or it does not move.
pub fn pauses_in_a_row() {
    let moves = Arc::new(AtomicUsize::new(0));
    let kthread = Kthread::spawn({
        let moves = moves.clone();
        move |kthread| {
            kthread.wait_pausable(true)?;
            moves.store(1, Unordered);
            Ok(VALUE)
        }
    });
    assert_eq!(kthread.begin_pause(), Ok(()));
    kthread.end_pause();
    if kthread.begin_pause() == Ok(()) {
        assert_eq!(moves.load(Unordered), 0, "it does not hold still");
        kthread.end_pause();
    }
    assert_eq!(kthread.join_outcome(), Outcome::Ended(VALUE));
}

/// Two pause it, each for something of its own.
pub fn two_pausers() {
    let settings = [(); 2].map(|()| Settings::new());
    let kthread = Kthread::spawn({
        let settings = settings.clone();
        move |kthread| {
            for _ in 0..2 {
                kthread.wait_pausable(true)?;
                settings.iter().for_each(|settings| settings.look());
            }
            Ok(VALUE)
        }
    });
    let [first, second] = settings;
    let other = beside(&kthread, move |kthread| first.change_in_a_pause(kthread));
    second.change_in_a_pause(&kthread);
    other.join().unwrap();
    kthread.give();
    assert_eq!(kthread.join_outcome(), Outcome::Ended(VALUE));
}

/// It is stopped and paused at once, and nobody resumes it.
pub fn pause_and_stop() {
    let kthread = Kthread::spawn(body(&Settings::new()));
    let pauser = beside(&kthread, Kthread::begin_pause);
    assert_eq!(kthread.stop(), Outcome::Stopped);
    let _ = pauser.join().unwrap();
    assert_eq!(kthread.begin_pause(), Err(NotStill::Ended));
}

/// It is asked to stop while it holds still, or on the way there. Nobody resumes it, and no other
/// looks after it: who waits for its end breaks no wait.
pub fn pause_and_ask() {
    let kthread = Kthread::spawn(body(&Settings::new()));
    let pauser = beside(&kthread, Kthread::begin_pause);
    assert!(kthread.ask());
    kthread.wait_for(Milestone::Ended);
    assert_eq!(kthread.join_outcome(), Outcome::Stopped);
    let _ = pauser.join().unwrap();
}

/// It ends instead of holding still.
pub fn pause_of_one_that_ends() {
    let kthread = Kthread::spawn(|_| Ok(VALUE));
    let pauser = beside(&kthread, Kthread::begin_pause);
    assert_eq!(kthread.join_outcome(), Outcome::Ended(VALUE));
    assert_eq!(pauser.join().unwrap(), Err(NotStill::Ended));
}

/// It never comes to a wait, nor to its end: others see to that.
pub fn pause_of_one_that_never_ran() {
    let kthread = Kthread::create(|_| Ok(VALUE));
    let pauser = beside(&kthread, Kthread::begin_pause);
    assert_eq!(kthread.stop(), Outcome::Stopped);
    assert_eq!(pauser.join().unwrap(), Err(NotStill::Ended));
}

/// Its pauser gives up, and has nothing to resume then.
pub fn pause_is_given_up() {
    let kthread = Kthread::spawn(body(&Settings::new()));
    let killer = beside(&kthread, |kthread| {
        kthread.kills_pausers.store(true, Relaxed);
        kthread.stir();
    });
    if kthread.begin_pause() == Ok(()) {
        kthread.end_pause();
    }
    kthread.give();
    assert_eq!(kthread.join_outcome(), Outcome::Ended(VALUE));
    killer.join().unwrap();
}
