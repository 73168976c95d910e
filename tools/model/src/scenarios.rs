// SPDX-License-Identifier: GPL-2.0-only

//! What threads and owners do to each other. An engine runs each function many times, in other
//! orders; besides what is asserted, it fails where all wait for each other for ever.

use std::sync::atomic::Ordering::Relaxed;

use super::block::{Outcome, Owned, Stopped};
use super::kthread::{Kthread, Result};
use super::life::{Protocol, World};
use super::platform::{thread, Arc, AtomicUsize};

/// Runs a function on a thread of its own, which is no kernel thread of the library.
pub fn beside<T: Send + 'static>(
    kthread: &Arc<Kthread>,
    run: impl FnOnce(&Kthread) -> T + Send + 'static,
) -> thread::JoinHandle<T> {
    let kthread = kthread.clone();
    thread::spawn(move || run(&kthread))
}

/// A value that no body returns by chance.
pub const VALUE: u32 = 42;

/// A body that ends by itself.
fn value(_: &Kthread) -> Result {
    Ok(VALUE)
}

/// A body that waits until it is stopped, where only a fatal signal reaches it.
fn until_stopped(kthread: &Kthread) -> Result {
    kthread.wait_killable()?;
    Ok(VALUE)
}

/// Of several owners exactly one gets the result.
pub fn one_got(result: Outcome, outcomes: &[Outcome]) {
    let mut others = outcomes.to_vec();
    let place = others.iter().position(|outcome| *outcome == result);
    others.remove(place.unwrap_or_else(|| panic!("lost: {outcomes:?}")));
    let alone = others.iter().all(|outcome| *outcome == Outcome::Taken);
    assert!(alone, "not the only one: {outcomes:?}");
}

/// Told when the closure that holds it is dropped.
pub struct Held(pub Arc<AtomicUsize>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.fetch_add(1, Relaxed);
    }
}

/// Nobody asks it to stop: it ends by itself, however early it is joined, and by how many.
pub fn two_joiners() {
    let kthread = Kthread::spawn(value);
    let other = beside(&kthread, Kthread::join_outcome);
    let own = kthread.join_outcome();
    one_got(Outcome::Ended(VALUE), &[own, other.join().unwrap()]);
}

/// Two stop it at once, wherever it is.
pub fn two_stoppers() {
    let kthread = Kthread::spawn(until_stopped);
    let other = beside(&kthread, Kthread::stop);
    let own = kthread.stop();
    one_got(Outcome::Stopped, &[own, other.join().unwrap()]);
}

/// One waits for its end, another stops it.
pub fn joiner_and_stopper() {
    let kthread = Kthread::spawn(until_stopped);
    let other = beside(&kthread, Kthread::stop);
    let own = kthread.join_outcome();
    one_got(Outcome::Stopped, &[own, other.join().unwrap()]);
}

/// It is stopped while it ends by itself; later calls of any kind find that out.
pub fn stop_at_the_end() {
    let kthread = Kthread::spawn(value);
    let outcome = kthread.stop();
    // Not begun, or as good as over.
    assert!(outcome == Outcome::Ended(VALUE) || outcome == Outcome::Stopped);
    assert_eq!(kthread.stop(), Outcome::Taken);
    assert_eq!(kthread.join_outcome(), Outcome::Taken);
    assert_eq!(kthread.join_within_outcome(), Some(Outcome::Taken));
}

/// Its owner could not start it after all, and stops it before it was ever woken. The closure
/// is dropped without having run.
pub fn never_woken() {
    let drops = Arc::new(AtomicUsize::new(0));
    let held = Held(drops.clone());
    let kthread = Kthread::create(move |_| {
        let _held = held;
        panic!("it was asked before it was woken");
    });
    let other = beside(&kthread, Kthread::stop);
    let own = kthread.stop();
    one_got(Outcome::Stopped, &[own, other.join().unwrap()]);
    assert_eq!(drops.load(Relaxed), 1);
}

/// Asked before it was woken, but buried by nobody: its body does not run, and it ends all the
/// same.
pub fn asked_before_it_runs() {
    let kthread = Kthread::create(|_| panic!("it was asked before it was woken"));
    kthread.ask();
    kthread.wake();
    kthread.wait_ended();
    assert_eq!(kthread.join_outcome(), Outcome::Stopped);
}

/// A stop while other signals come, and break waits that they are not meant for.
pub fn stop_among_signals() {
    let kthread = Kthread::spawn(|kthread| {
        let waited = kthread.wait();
        // What the kernel itself would wait for in clean-up code is broken too.
        assert!(!kthread.wait_in_kernel());
        waited.map(|()| VALUE)
    });
    let signals = beside(&kthread, Kthread::disturb);
    kthread.ask();
    // Not `stop()`: the signal that is sent has to do.
    kthread.wait_ended();
    let outcome = kthread.join_outcome();
    assert_eq!(outcome, Outcome::Stopped);
    signals.join().unwrap();
}

/// Asked to stop in a killable call, it ends without anybody who buries it.
pub fn asked_in_a_killable_call() {
    let kthread = Kthread::spawn(until_stopped);
    kthread.ask();
    kthread.wait_ended();
    assert_eq!(kthread.join_outcome(), Outcome::Stopped);
}

/// It is in one killable call, in another, and then waits interruptibly. Asked to stop, it ends
/// without anybody who buries it, wherever it is.
pub fn stop_after_killable_calls() {
    let kthread = Kthread::spawn(|kthread| {
        kthread.in_killable(|| true)?;
        kthread.in_killable(|| true)?;
        kthread.wait()?;
        Ok(VALUE)
    });
    kthread.ask();
    kthread.wait_ended();
    assert_eq!(kthread.join_outcome(), Outcome::Stopped);
}

/// The same for one that is in a killable call within another, and then goes on with that.
pub fn stop_in_nested_calls() {
    let kthread = Kthread::spawn(|kthread| {
        kthread.in_killable(|| {
            let inner = kthread.in_killable(|| true);
            inner.is_ok() && kthread.sleep_killable()
        })?;
        Ok(VALUE)
    });
    kthread.ask();
    kthread.wait_ended();
    assert_eq!(kthread.join_outcome(), Outcome::Stopped);
}

/// One that has been in a killable call gets no signal any more: what its body does on its way out
/// is as in any other thread.
pub fn stop_after_a_killable_call() {
    let kthread = Kthread::spawn(|kthread| {
        kthread.in_killable(|| true)?;
        kthread.ready();
        kthread.wait()?;
        Ok(VALUE)
    });
    kthread.wait_ready();
    assert_eq!(kthread.stop(), Outcome::Stopped);
    assert!(!kthread.is_killed(), "a signal where a nudge would do");
}

/// Signals alone end no wait.
pub fn signals_without_a_stop() {
    let kthread = Kthread::spawn(|kthread| {
        kthread.wait()?;
        Ok(VALUE)
    });
    let signals = beside(&kthread, |kthread| {
        kthread.disturb();
        kthread.give();
    });
    assert_eq!(kthread.join_outcome(), Outcome::Ended(VALUE));
    signals.join().unwrap();
}

/// Its starter waits until it is up, while another stops it.
pub fn ready_and_stopper() {
    let kthread = Kthread::spawn(|kthread| {
        kthread.ready();
        until_stopped(kthread)
    });
    let other = beside(&kthread, Kthread::stop);
    kthread.wait_ready();
    assert_eq!(other.join().unwrap(), Outcome::Stopped);
    // Nobody waits for what can't come any more.
    kthread.wait_ready();
}

/// Its starter waits until it is up, and then asks it to go.
pub fn ready_for_long() {
    let kthread = Kthread::spawn(|kthread| {
        kthread.ready();
        until_stopped(kthread)
    });
    kthread.wait_ready();
    assert_eq!(kthread.stop(), Outcome::Stopped);
}

/// Its starter waits until it is up, but it ends without a word.
pub fn never_ready() {
    let kthread = Kthread::spawn(value);
    kthread.wait_ready();
    assert_eq!(kthread.join_outcome(), Outcome::Ended(VALUE));
}

/// What the body did before it said so is seen by those who only look at the flags.
pub fn body_tells_its_owner() {
    let written = Arc::new(AtomicUsize::new(0));
    let kthread = Kthread::spawn({
        let written = written.clone();
        move |kthread| {
            written.store(1, Relaxed);
            kthread.ready();
            written.store(2, Relaxed);
            Ok(VALUE)
        }
    });
    let ready = kthread.life().is_ready();
    assert!(!ready || written.load(Relaxed) >= 1, "ready");
    let ended = kthread.life().is_ended();
    assert!(!ended || written.load(Relaxed) == 2, "ended");
    assert_eq!(kthread.join_outcome(), Outcome::Ended(VALUE));
}

/// What an owner did before it asked is seen by a body that only looks at the flag.
pub fn owner_tells_the_body() {
    let written = Arc::new(AtomicUsize::new(0));
    let kthread = Kthread::spawn({
        let written = written.clone();
        move |kthread| {
            let asked = kthread.life().is_asked();
            assert!(!asked || written.load(Relaxed) == 1, "asked");
            Ok(VALUE)
        }
    });
    written.store(1, Relaxed);
    kthread.stop();
}

/// What an owner did before it asked is seen by all who look at the flag, as the body does.
pub fn owner_tells_others() {
    let written = Arc::new(AtomicUsize::new(0));
    let kthread = Kthread::create(value);
    let other = beside(&kthread, {
        let written = written.clone();
        move |kthread| {
            let asked = kthread.life().is_asked();
            assert!(!asked || written.load(Relaxed) == 1, "asked");
        }
    });
    written.store(1, Relaxed);
    kthread.ask();
    other.join().unwrap();
    assert_eq!(kthread.stop(), Outcome::Stopped);
}

/// A join with a limit leaves the thread as it was, and other joins too.
pub fn limited_joiner() {
    let kthread = Kthread::spawn(until_stopped);
    let limited = beside(&kthread, Kthread::join_within_outcome);
    assert_eq!(kthread.join_within_outcome(), None);
    let own = kthread.stop();
    let limited = limited.join().unwrap();
    one_got(Outcome::Stopped, &[own, limited.unwrap_or(Outcome::Taken)]);
}

/// The limit holds where a stop has been asked for too, and the body takes its time.
pub fn limited_joiner_of_an_asked_thread() {
    let kthread = Kthread::spawn(|kthread| {
        kthread.wait_shielded();
        Ok(VALUE)
    });
    kthread.ask();
    // Perhaps it never got as far as its body: then it is gone.
    let early = kthread.join_within_outcome();
    assert_ne!(early, Some(Outcome::Ended(VALUE)));
    kthread.give();
    let late = kthread.join_outcome();
    match early {
        None => assert_ne!(late, Outcome::Taken),
        Some(_) => assert_eq!(late, Outcome::Taken),
    }
}

/// A thread that waits for its own end is told so, and ended by others.
pub fn own_end() {
    let kthread = Kthread::spawn(|kthread| {
        assert_eq!(kthread.join_outcome(), Outcome::Itself);
        assert_eq!(kthread.join_within_outcome(), Some(Outcome::Itself));
        assert_eq!(kthread.stop(), Outcome::Itself);
        Err(Stopped)
    });
    assert_eq!(kthread.join_outcome(), Outcome::Stopped);
}

/// A thread that stops itself is told that it can't wait for that, and has its waits broken.
pub fn stop_by_itself() {
    let kthread = Kthread::spawn(|kthread| {
        assert_eq!(kthread.stop(), Outcome::Itself);
        assert!(!kthread.is_undisturbed(), "broken by nobody");
        Err(Stopped)
    });
    assert_eq!(kthread.join_outcome(), Outcome::Stopped);
}

/// The closure holds the handle of its own thread, and whoever drops it stops the thread again.
pub fn closure_that_owns_its_handle() {
    struct Handle(std::sync::OnceLock<Arc<Kthread>>);

    impl Drop for Handle {
        fn drop(&mut self) {
            let outcome = self.0.get().map(|kthread| kthread.stop());
            assert_ne!(outcome, Some(Outcome::Ended(VALUE)));
        }
    }

    let handle = std::sync::Arc::new(Handle(std::sync::OnceLock::new()));
    let kthread = Kthread::create({
        let handle = handle.clone();
        move |_| {
            drop(handle);
            Ok(VALUE)
        }
    });
    assert!(handle.0.set(kthread.clone()).is_ok());
    drop(handle);
    kthread.wake();
    let outcome = kthread.stop();
    assert_ne!(outcome, Outcome::Itself);
}

/// One starts it and waits with a limit, two stop it, one joins it.
pub fn crowd() {
    let kthread = Kthread::spawn(until_stopped);
    let others = [
        beside(&kthread, Kthread::stop),
        beside(&kthread, Kthread::stop),
        beside(&kthread, Kthread::join_outcome),
    ];
    let own = kthread.join_within_outcome();
    let mut outcomes = vec![own.unwrap_or(Outcome::Taken)];
    outcomes.extend(others.map(|other| other.join().unwrap()));
    one_got(Outcome::Stopped, &outcomes);
}

/// One starts it, two stop it, and one drops a handle of it. Where the starter is late, that is
/// before it was woken.
pub fn two_stoppers_and_a_dropper() {
    let drops = Arc::new(AtomicUsize::new(0));
    let held = Held(drops.clone());
    let kthread = Kthread::create(move |kthread| {
        let _held = held;
        until_stopped(kthread)
    });
    let stoppers = [
        beside(&kthread, Kthread::stop),
        beside(&kthread, Kthread::stop),
    ];
    let dropper = beside(&kthread, |kthread| {
        kthread.give_up();
        assert!(kthread.life().is_gone(), "it was waited for");
    });
    kthread.wake();
    let outcomes = stoppers.map(|stopper| stopper.join().unwrap());
    one_got(Outcome::Stopped, &outcomes);
    dropper.join().unwrap();
    assert_eq!(drops.load(Relaxed), 1);
}
