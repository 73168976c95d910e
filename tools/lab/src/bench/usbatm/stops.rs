//! How long it takes to take modems away, in every phase of their life and by every
//! means.

mod table;

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Args;
use serde::{Serialize, Serializer};

pub use self::table::text;
use crate::bench::machine::Machine;
use crate::bench::statistics::{median, percentile};
use crate::guest::phases::Phase;
use crate::guest::removal::Means;
use crate::protocol::{Driver, FromGuest, Job, Took};
use crate::vm::Vm;

const SILENCE: Duration = Duration::from_secs(120);

/// How much time each row may spend on the C driver, which can take seconds for one stop.
const C_BUDGET: Duration = Duration::from_secs(8);

/// How many modems are many.
const MANY: u8 = 8;

/// Many modems are taken away once in so many rounds: that takes longer.
const ROUNDS_FOR_MANY: usize = 4;

/// Which of the stops are measured.
#[derive(Debug, Clone, Args)]
pub struct Choice {
    /// Stops in this phase only, and of an idle modem, with which they are compared
    #[arg(long, value_parser = Phase::parse)]
    phase: Vec<Phase>,
    /// Stops by this means only
    #[arg(long, value_parser = Means::parse)]
    means: Vec<Means>,
    /// Leave the C driver out of the stops
    #[arg(long)]
    ours: bool,
}

impl Choice {
    /// The rows, before anything has been measured.
    fn rows(&self) -> Vec<Row> {
        let is_wanted = |phase: &Phase| {
            self.phase.is_empty() || *phase == Phase::Idle || self.phase.contains(phase)
        };
        let means = Means::ALL
            .into_iter()
            .filter(|means| self.means.is_empty() || self.means.contains(means));
        let kinds: Vec<_> = [1, MANY]
            .into_iter()
            .flat_map(|modems| means.clone().map(move |means| (modems, means)))
            .collect();
        let phases = Phase::ALL.into_iter().filter(is_wanted);
        let all = phases.flat_map(|phase| {
            kinds
                .iter()
                .map(move |&(modems, means)| Row::new(phase, means, modems))
        });
        all.collect()
    }
}

/// Measures each row once in every round, ours and C in turn.
pub fn measure(machine: &mut Machine<'_>, choice: &Choice, rounds: usize) -> Result<Vec<Row>> {
    let began = Instant::now();
    let mut rows = choice.rows();
    for round in 0..rounds {
        for row in &mut rows {
            row.measure(machine, round, !choice.ours)?;
        }
        let seconds = began.elapsed().as_secs();
        eprintln!("  stop: {} of {rounds} ({seconds} s)", round + 1);
    }
    Ok(rows)
}

/// One phase, one means, one number of modems.
#[derive(Debug, Serialize)]
pub struct Row {
    #[serde(serialize_with = "phase_name")]
    phase: Phase,
    #[serde(serialize_with = "means_name")]
    means: Means,
    modems: u8,
    ours: Samples,
    c: Samples,
}

impl Row {
    fn new(phase: Phase, means: Means, modems: u8) -> Self {
        Self {
            phase,
            means,
            modems,
            ours: Samples::default(),
            c: Samples::default(),
        }
    }

    fn measure(&mut self, machine: &mut Machine<'_>, round: usize, with_c: bool) -> Result<()> {
        if self.modems > 1 && round % ROUNDS_FOR_MANY != 0 {
            return Ok(());
        }
        // That many is no worse than one is said of ours alone.
        let with_c = with_c && self.modems == 1 && self.c.are_affordable();
        let mut order = [Some(Driver::Ours), with_c.then_some(Driver::C)];
        // What the machine does meanwhile meets both alike.
        if round % 2 == 1 {
            order.reverse();
        }
        for driver in order.into_iter().flatten() {
            let began = Instant::now();
            let took = self
                .sample(machine, driver)
                .with_context(|| format!("cannot measure {} of {driver:?}", self.name()))?;
            match driver {
                Driver::Ours => self.ours.add(took, began.elapsed()),
                Driver::C => self.c.add(took, began.elapsed()),
            }
        }
        Ok(())
    }

    /// Takes the modems away once.
    fn sample(&self, machine: &mut Machine<'_>, driver: Driver) -> Result<Took> {
        let job = Job::Removal {
            driver,
            phase: self.phase.name().to_owned(),
            means: self.means.name().to_owned(),
            modems: self.modems,
        };
        let took = machine.with(|vm| removal(vm, &job))?;
        if let Took::MoreThanMs(_) = took {
            machine.give_up();
        }
        Ok(took)
    }

    fn name(&self) -> String {
        let of = match self.modems {
            1 => String::new(),
            count => format!(", {count} modems"),
        };
        format!("{}, {}{of}", self.phase.name(), self.means.name())
    }
}

/// Has the guest do `job`, and returns how long the removal took.
fn removal(vm: &mut Vm, job: &Job) -> Result<Took> {
    let mut measured = None;
    vm.run(job, SILENCE, |said| {
        if let FromGuest::Measured(measurement) = said {
            measured = Some(measurement.took);
        }
    })?;
    measured.context("the guest measured nothing")
}

/// Milliseconds, in the order in which they were measured; or the limit at which a
/// measurement was given up.
#[derive(Debug, Default, Serialize)]
struct Samples {
    ms: Vec<f64>,
    limit: Option<f64>,
    /// What it took to take them.
    #[serde(skip)]
    spent: Duration,
}

impl Samples {
    fn add(&mut self, took: Took, spent: Duration) {
        match took {
            Took::Ms(ms) => self.ms.push(ms),
            Took::MoreThanMs(limit) => self.limit = Some(limit),
        }
        self.spent += spent;
    }

    /// One look at a driver that blocks is enough, and a few at one that is slow.
    fn are_affordable(&self) -> bool {
        self.limit.is_none() && self.spent < C_BUDGET
    }

    /// The median; where there was no end, the limit.
    fn median(&self) -> f64 {
        self.limit.unwrap_or_else(|| median(&self.ms))
    }

    /// As [`Self::median`], for the slowest hundredth.
    fn p99(&self) -> f64 {
        self.limit.unwrap_or_else(|| percentile(&self.ms, 99.0))
    }
}

fn phase_name<S: Serializer>(phase: &Phase, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(phase.name())
}

fn means_name<S: Serializer>(means: &Means, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(means.name())
}
