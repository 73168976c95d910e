//! How long it takes to take modems away, in every phase of their life and by every means, and how
//! long another device waits for that.

mod table;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde::Serialize;

pub use self::table::{others as others_text, stops as stops_text};
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

/// Which of these are measured.
#[derive(Debug, Clone, Args)]
pub struct Choice {
    /// This phase only, and what it is compared with: an idle modem, or none
    #[arg(long, value_parser = Phase::parse)]
    phase: Vec<Phase>,
    /// Stops by this means only
    #[arg(long, value_parser = Means::parse)]
    means: Vec<Means>,
    /// Leave the C driver out of these
    #[arg(long)]
    ours: bool,
}

impl Choice {
    /// The stops, before anything has been measured.
    pub fn stops(&self) -> Vec<Row> {
        let means = Means::ALL
            .into_iter()
            .filter(|means| self.means.is_empty() || self.means.contains(means));
        let kinds: Vec<_> = [1, MANY]
            .into_iter()
            .flat_map(|modems| means.clone().map(move |means| Kind::Stop { means, modems }))
            .collect();
        self.phases(Kind::STOP_BASE)
            .flat_map(|phase| kinds.iter().map(move |&kind| Row::new(phase, kind)))
            .collect()
    }

    /// The other devices.
    pub fn others(&self) -> Vec<Row> {
        let phases = [None].into_iter().chain(self.phases(None));
        phases.map(|phase| Row::new(phase, Kind::Another)).collect()
    }

    /// The phases that are wanted, and `base` if it is one.
    fn phases(&self, base: Option<Phase>) -> impl Iterator<Item = Option<Phase>> {
        let is_wanted = move |phase: &Option<Phase>| {
            self.phase.is_empty()
                || *phase == base
                || phase.is_some_and(|it| self.phase.contains(&it))
        };
        Phase::ALL.into_iter().map(Some).filter(is_wanted)
    }
}

/// Measures each row once in every round, ours and C in turn.
pub fn measure(
    machine: &mut Machine<'_>,
    choice: &Choice,
    mut rows: Vec<Row>,
    rounds: usize,
) -> Result<Vec<Row>> {
    let began = Instant::now();
    for round in 0..rounds {
        for row in &mut rows {
            row.measure(machine, round, !choice.ours)?;
        }
        let seconds = began.elapsed().as_secs();
        eprintln!("  round {} of {rounds} ({seconds} s)", round + 1);
    }
    Ok(rows)
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// How long it takes until so many modems are let go.
    Stop { means: Means, modems: u8 },
    /// How long it takes until another device is found, which is plugged in as the modem is pulled
    /// out.
    Another,
}

impl Kind {
    /// Stops are compared with those of idle modems.
    const STOP_BASE: Option<Phase> = Some(Phase::Idle);

    /// The phase with which the others are compared; another device, with one where no modem is.
    fn base(self) -> Option<Phase> {
        match self {
            Self::Stop { .. } => Self::STOP_BASE,
            Self::Another => None,
        }
    }

    /// It may take so much of what it takes there.
    fn goal(self) -> f64 {
        match self {
            Self::Stop { .. } => 1.5,
            // As soon as without a modem; machines differ from one moment to the next.
            Self::Another => 1.1,
        }
    }
}

/// One phase, or no modem, and what is measured in it.
#[derive(Debug, Serialize)]
pub struct Row {
    name: String,
    #[serde(skip)]
    phase: Option<Phase>,
    #[serde(skip)]
    kind: Kind,
    ours: Samples,
    c: Samples,
}

impl Row {
    fn new(phase: Option<Phase>, kind: Kind) -> Self {
        Self {
            name: name(phase, kind),
            phase,
            kind,
            ours: Samples::default(),
            c: Samples::default(),
        }
    }

    fn measure(&mut self, machine: &mut Machine<'_>, round: usize, with_c: bool) -> Result<()> {
        let is_of_many = matches!(self.kind, Kind::Stop { modems: 2.., .. });
        if is_of_many && round % ROUNDS_FOR_MANY != 0 {
            return Ok(());
        }
        // That many is no worse than one is said of ours alone.
        let with_c = with_c && !is_of_many && self.c.are_affordable();
        let mut order = [Some(Driver::Ours), with_c.then_some(Driver::C)];
        // What the machine does meanwhile meets both alike.
        if round % 2 == 1 {
            order.reverse();
        }
        for driver in order.into_iter().flatten() {
            let began = Instant::now();
            let took = self
                .sample(machine, driver)
                .with_context(|| format!("cannot measure {} of {driver:?}", self.name))?;
            match driver {
                Driver::Ours => self.ours.add(took, began.elapsed()),
                Driver::C => self.c.add(took, began.elapsed()),
            }
        }
        Ok(())
    }

    /// Measures it once.
    fn sample(&self, machine: &mut Machine<'_>, driver: Driver) -> Result<Took> {
        let job = self.job(driver)?;
        let took = machine.with(|vm| time_of(vm, &job))?;
        if let Took::MoreThanMs(_) = took {
            machine.give_up();
        }
        Ok(took)
    }

    /// What the guest is to do.
    fn job(&self, driver: Driver) -> Result<Job> {
        let phase = self.phase.map(|phase| phase.name().to_owned());
        Ok(match self.kind {
            Kind::Stop { means, modems } => Job::Removal {
                driver,
                phase: phase.context("a modem without a phase")?,
                means: means.name().to_owned(),
                modems,
            },
            Kind::Another => Job::Another { driver, phase },
        })
    }
}

/// Measures some of it: whether it works, not how long it takes.
pub fn try_out(vm: &mut Vm) -> Result<()> {
    let idle = Some(Phase::Idle);
    let means = Means::Unplug;
    let stop = Kind::Stop { means, modems: 1 };
    for (phase, kind) in [(idle, stop), (None, Kind::Another), (idle, Kind::Another)] {
        for driver in [Driver::Ours, Driver::C] {
            let row = Row::new(phase, kind);
            let took = time_of(vm, &row.job(driver)?)?;
            let is_time = matches!(took, Took::Ms(ms) if ms > 0.0);
            ensure!(is_time, "{} of {driver:?} took {took:?}", row.name);
        }
    }
    Ok(())
}

fn name(phase: Option<Phase>, kind: Kind) -> String {
    let phase = phase.map_or("no modem", Phase::name);
    match kind {
        Kind::Stop { means, modems: 1 } => format!("{phase}, {}", means.name()),
        Kind::Stop { means, modems } => format!("{phase}, {}, {modems} modems", means.name()),
        Kind::Another => phase.to_owned(),
    }
}

/// Has the guest do `job`, and returns what it measured.
fn time_of(vm: &mut Vm, job: &Job) -> Result<Took> {
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
