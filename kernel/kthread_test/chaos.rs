// SPDX-License-Identifier: GPL-2.0

//! Owners that do whatever they like to a thread, in any order and all at once.
//!
//! Whatever they do, and whenever: one of them gets the result, and all others are told that it
//! has been taken. Where luck finds a way to break that, the seed in the log tells how the dice
//! fell; the scheduler's part in it is not in the seed.

use crate::bench::{
    claim,
    Bench,
    Count,
    OnDrop,
    Passed,
    Reason,
    Verdict, //
};
use kernel::{
    prelude::*,
    sync::Arc,
    time::{
        delay::fsleep,
        Delta,
        Instant,
        Monotonic, //
    }, //
};
use kthread::{
    AnyStop,
    Builder,
    Outcome,
    Scope,
    Stop,
    Thread,
    Work, //
};

const FOR_EVER: Delta = Delta::from_secs(1_000_000);
const ROUNDS: i32 = 100;
const MOST_OWNERS: u32 = 4;
const MOST_DEEDS: u32 = 6;

pub(crate) fn owners_do_what_they_like(bench: &Bench<'_>) -> Verdict {
    play(bench, |scope, body| {
        Builder::new(fmt!("victim")).spawn(scope, |stop: &Stop| body.run(stop))
    })
}

pub(crate) fn owners_of_work_do_what_they_like(bench: &Bench<'_>) -> Verdict {
    play(bench, |scope, body| {
        Work::queue(scope, |stop: &AnyStop| body.run(stop))
    })
}

/// Numbers that look like chance, the same ones again for the same seed.
struct Dice(u64);

impl Dice {
    /// With the module's `seed`, or one from the clock.
    fn new() -> Self {
        let given = crate::module_parameters::seed.value();
        let seed = if given == 0 { by_chance() } else { given };
        pr_info!("seed={seed}\n");
        Self(u64::from(seed))
    }

    /// A number below `sides`.
    fn roll(&mut self, sides: u32) -> u32 {
        // Knuth's linear congruential generator for MMIX, of which the upper bits are good.
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as u32 % sides
    }

    /// A time that is short, or nothing.
    fn moment(&mut self) -> Delta {
        Delta::from_micros(i64::from(self.roll(4) * self.roll(150)))
    }

    /// Dice for somebody else, who throws them at the same time.
    fn hand_on(&mut self) -> Self {
        Self(u64::from(self.roll(u32::MAX)))
    }
}

/// How long a short sleep takes is never twice the same, in nanoseconds.
fn by_chance() -> u32 {
    let start = Instant::<Monotonic>::now();
    fsleep(Delta::from_micros(100));
    start.elapsed().as_nanos() as u32
}

/// What a victim does, and what has to be dropped once each.
struct Body {
    dice: Dice,
    _held: OnDrop,
    made: Count,
    dropped: Count,
}

impl Body {
    fn run(mut self, stop: &AnyStop) -> kthread::Result<OnDrop> {
        if self.dice.roll(2) == 0 {
            stop.ready();
        }
        let time = self.dice.moment();
        match self.dice.roll(6) {
            0 => (),
            1 => stop.sleep(time)?,
            2 => stop.sleep(FOR_EVER)?,
            // Heeds no stop for a while.
            3 => fsleep(time),
            4 => stop.shield(FOR_EVER, |stop| stop.sleep(time))?,
            _ => return Err(EIO.into()),
        }
        self.made.up();
        Ok(self.dropped.on_drop())
    }
}

/// What all owners share: a thread, or a work item.
trait Victim: Send + Sync + 'static {
    fn ask_stop(&self);
    fn stop(&self) -> Outcome<OnDrop>;
    fn join(&self) -> Outcome<OnDrop>;
    fn join_within(&self, time: Delta) -> Option<Outcome<OnDrop>>;
    fn join_in(&self, stop: &AnyStop) -> kthread::Result<Outcome<OnDrop>>;
    fn is_finished(&self) -> bool;
    fn wait_ready(&self) -> kthread::Result;
    /// Asks for all that does not matter here.
    fn look(&self);
}

macro_rules! victim {
    ($handle:ident, $join_in:ident, |$own:ident| $look:expr) => {
        impl Victim for $handle<OnDrop> {
            fn ask_stop(&self) {
                self.ask_stop();
            }

            fn stop(&self) -> Outcome<OnDrop> {
                self.stop()
            }

            fn join(&self) -> Outcome<OnDrop> {
                self.join()
            }

            fn join_within(&self, time: Delta) -> Option<Outcome<OnDrop>> {
                self.join_within(time)
            }

            fn join_in(&self, stop: &AnyStop) -> kthread::Result<Outcome<OnDrop>> {
                Ok(stop.$join_in(self)?)
            }

            fn is_finished(&self) -> bool {
                self.is_finished()
            }

            fn wait_ready(&self) -> kthread::Result {
                self.wait_ready()
            }

            fn look(&self) {
                let $own = self;
                let _ = ($own.waits_in(), $own.stop_reports(), $look);
            }
        }
    };
}

victim!(Thread, join, |own| (own.pid(), own.comm()));
victim!(Work, join_work, |own| ());

/// What the owners of one victim have been told.
#[derive(Clone)]
struct Tally {
    /// That this is how it ended.
    results: Count,
    /// That another has been told so.
    taken: Count,
    /// What can't be.
    wrong: Count,
}

impl Tally {
    fn new() -> Result<Self> {
        Ok(Self {
            results: Count::new()?,
            taken: Count::new()?,
            wrong: Count::new()?,
        })
    }

    fn add(&self, outcome: Outcome<OnDrop>) {
        match outcome {
            Outcome::Ended(_) | Outcome::Stopped | Outcome::Failed(EIO) => self.results.up(),
            Outcome::Taken => self.taken.up(),
            Outcome::Failed(_) | Outcome::Itself => self.wrong.up(),
        }
    }
}

/// An owner's life, which ends with a drop.
fn own(stop: &Stop, victim: Arc<impl Victim>, mut dice: Dice, tally: &Tally) -> kthread::Result {
    for _ in 0..dice.roll(MOST_DEEDS + 1) {
        let outcome = match dice.roll(8) {
            0 => Some(victim.stop()),
            1 => Some(victim.join()),
            2 => Some(victim.join_in(stop)?),
            3 | 4 => victim.join_within(dice.moment()),
            5 => {
                victim.ask_stop();
                None
            }
            6 => {
                // Any answer is right but that it is the victim itself who asks.
                if victim.wait_ready() == Err(EDEADLK.into()) {
                    tally.wrong.up();
                }
                None
            }
            _ => {
                victim.look();
                None
            }
        };
        if let Some(outcome) = outcome {
            tally.add(outcome);
            if !victim.is_finished() {
                tally.wrong.up();
            }
        }
    }
    Ok(())
}

/// Plays all rounds, with victims that `start` starts.
fn play<V: Victim>(bench: &Bench<'_>, start: impl Fn(&Scope, Body) -> Result<V>) -> Verdict {
    let mut dice = Dice::new();
    let (mut results, mut taken) = (0, 0);
    for _ in 0..ROUNDS {
        let tally = round(bench, &mut dice, &start)?;
        results += tally.results.get();
        taken += tally.taken.get();
    }
    pr_info!("{results} results in {ROUNDS} rounds, {taken} came too late\n");
    Ok(Passed::Now)
}

/// One victim, its owners and the end of its scope.
fn round<V: Victim>(
    bench: &Bench<'_>,
    dice: &mut Dice,
    start: impl Fn(&Scope, Body) -> Result<V>,
) -> core::result::Result<Tally, Reason> {
    let (held, made, dropped) = (Count::new()?, Count::new()?, Count::new()?);
    let tally = Tally::new()?;
    let elsewhere = bench.scope()?;
    // If this fails half-way, owners wait until the victim has been stopped: by the drop of its
    // scope, which comes before theirs.
    let mut owners = KVec::new();
    let outer = bench.scope()?;
    let inner = outer.nested()?;

    let body = Body {
        dice: dice.hand_on(),
        _held: held.on_drop(),
        made: made.clone(),
        dropped: dropped.clone(),
    };
    let victim = Arc::new(start(&inner, body)?, GFP_KERNEL)?;
    if dice.roll(4) == 0 {
        victim.ask_stop();
    }
    for _ in 0..=dice.roll(MOST_OWNERS) {
        let (victim, dice, tally) = (victim.clone(), dice.hand_on(), tally.clone());
        let owner = Builder::new(fmt!("owner")).spawn(&elsewhere, move |stop: &Stop| {
            own(stop, victim, dice, &tally)
        })?;
        owners.push(owner, GFP_KERNEL)?;
    }
    drop(victim);

    // They may be left alone for a moment, but not for ever, where all of them wait.
    fsleep(dice.moment());
    end(dice.roll(5), &outer, inner);
    for owner in &owners {
        claim!(owner.join() == Outcome::Ended(()));
    }
    claim!(outer.live() == 0);
    claim!(elsewhere.live() == 0);
    claim!(held.get() == 1);
    claim!(made.get() == dropped.get());
    claim!(tally.wrong.get() == 0);
    // The first of those who asked got it.
    claim!(tally.results.get() <= 1);
    claim!(tally.results.get() == 1 || tally.taken.get() == 0);
    Ok(tally)
}

/// Ends what is in the inner scope, in one of five ways, and then that.
fn end(way: u32, outer: &Scope, inner: Scope) {
    match way {
        0 => inner.ask_stop(),
        1 => inner.stop(),
        2 => outer.ask_stop(),
        3 => outer.stop(),
        _ => (),
    }
    drop(inner);
}
