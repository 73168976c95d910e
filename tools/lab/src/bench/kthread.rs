//! `./lab bench kthread`: what threads of the library cost, beside kernel threads
//! in C, in one machine and in turn.

mod report;

use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use serde::Serialize;

use super::machine::Machine;
use crate::guest::kthread::{ROWS, Row};
use crate::protocol::{Driver, FromGuest, Job};
use crate::setup::Lab;
use crate::setup::image::Image;
use crate::vm::{Accel, Options, Vm};

const SILENCE: Duration = Duration::from_secs(120);

/// How often a row is measured.
#[derive(Debug, Clone, Copy, Args)]
pub struct Arguments {
    /// How many samples of each
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u16).range(1..))]
    samples: u16,
    /// How many lives of threads, or stops, a sample has
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..))]
    operations: u16,
    /// How many ticks a run of ticks has
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    ticks: u32,
}

impl Arguments {
    /// Few of everything: whether it works, not what it costs.
    const FEW: Self = Self {
        samples: 2,
        operations: 2,
        ticks: 100,
    };

    /// How many samples a row has, and how many operations a sample.
    fn of(self, row: Row) -> (usize, usize) {
        match row {
            // A few long runs: of many short ones none would show a drift.
            Row::Ticks => (usize::from(self.samples.min(2)), self.ticks as usize),
            // Of fewer, one that somebody else takes would be too much of each.
            Row::Allocations => (
                usize::from(self.samples),
                usize::from(self.operations.max(10)),
            ),
            _ => (usize::from(self.samples), usize::from(self.operations)),
        }
    }
}

/// What one row measured.
#[derive(Debug, Serialize)]
pub struct Measured {
    #[serde(serialize_with = "by_name")]
    row: Row,
    /// Each sample with its operations, in the order in which they were taken.
    ours: Vec<Vec<f64>>,
    /// Taken in turn with ours.
    c: Vec<Vec<f64>>,
}

/// What is kept for those who want to see more than the table.
#[derive(Serialize)]
struct Raw<'a> {
    processors: String,
    rows: &'a [Measured],
}

/// Measures, prints the table, and keeps the samples.
pub fn run(lab: &Lab, image: &Image, options: &Options, arguments: Arguments) -> Result<ExitCode> {
    let mut machine = Machine::new(image, options.clone());
    let mut rows = Vec::new();
    for row in ROWS {
        let row = machine.with(|vm| Measured::of(vm, *row, arguments))?;
        eprintln!("  {}", report::line(&row).join("  "));
        rows.push(row);
    }
    machine.power_off();
    println!("{}", report::text(&rows));
    let file = lab.source.join("target/bench/kthread.json");
    keep(&file, options.accel, &rows)?;
    println!("All samples: {}", file.display());
    Ok(ExitCode::SUCCESS)
}

/// Measures a little of every row in `vm`: whether it works, not what it costs in time. How many blocks
/// of memory a thread takes is no matter of time.
pub fn try_out(vm: &mut Vm) -> Result<()> {
    for row in ROWS {
        let measured = Measured::of(vm, *row, Arguments::FEW)?;
        if let Some(more) = report::more_blocks(&measured) {
            anyhow::ensure!(
                more.round() <= report::BLOCKS_GOAL,
                "a thread takes {more} blocks of memory more than in C"
            );
        }
    }
    Ok(())
}

impl Measured {
    fn of(vm: &mut Vm, row: Row, arguments: Arguments) -> Result<Self> {
        let (samples, operations) = arguments.of(row);
        let job = Job::Kthread {
            row: row.name(),
            samples,
            operations,
        };
        let (mut ours, mut c) = (Vec::new(), Vec::new());
        vm.run(&job, SILENCE, |said| {
            if let FromGuest::Sample { driver, values } = said {
                match driver {
                    Driver::Ours => ours.push(values.clone()),
                    Driver::C => c.push(values.clone()),
                }
            }
        })
        .with_context(|| format!("cannot measure {}", row.name()))?;
        anyhow::ensure!(
            ours.len() == samples && c.len() == samples,
            "{}: samples are missing",
            row.name()
        );
        Ok(Self { row, ours, c })
    }
}

fn keep(file: &Path, accel: Accel, rows: &[Measured]) -> Result<()> {
    let raw = Raw {
        processors: format!("{accel:?}").to_lowercase(),
        rows,
    };
    fs::create_dir_all(file.parent().context("a file without a folder")?)?;
    fs::write(file, serde_json::to_vec(&raw)?)
        .with_context(|| format!("cannot write {}", file.display()))
}

fn by_name<S: serde::Serializer>(row: &Row, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    serializer.serialize_str(&row.name())
}
