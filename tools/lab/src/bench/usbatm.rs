//! `./lab bench usbatm`: the modem drivers beside the stock C ones, in one machine
//! and in turn: what they cost, what of the bus they use, and how soon they let go.

mod report;
pub mod stops;

use std::fs;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use serde::Serialize;

use super::machine::Machine;
use crate::guest::costs;
use crate::protocol::{Driver, FromGuest, Job};
use crate::setup::Lab;
use crate::setup::image::Image;
use crate::vm::{Accel, Options, Vm};

const SILENCE: Duration = Duration::from_secs(300);

/// What is measured.
#[derive(Debug, Clone, Args)]
pub struct Arguments {
    /// Only these, not all
    #[arg(value_enum)]
    parts: Vec<Part>,
    /// How often each is measured [default: what each part can afford]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    samples: Option<u16>,
    #[command(flatten)]
    stops: stops::Choice,
}

/// A part of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// The modules' sizes
    Size,
    /// What the processor does for a cell: instructions
    Cpu,
    /// How long a packet takes there and back
    Latency,
    /// What the kernel keeps for a modem
    Memory,
    /// How long a probe holds the hub thread
    Probe,
    /// How long 1, 2 and 8 modems take to their lines, and what of the bus is used
    Start,
    /// How long it takes to take a modem away, in every phase and by every means
    Stop,
    /// How soon another device is found that is plugged in as a modem goes, in every phase
    Others,
}

impl Part {
    /// What the guest measures for it; it has other jobs for stops and other devices.
    fn costs(self) -> Option<costs::Part> {
        Some(match self {
            Self::Size => costs::Part::Size,
            Self::Cpu => costs::Part::Cpu,
            Self::Latency => costs::Part::Latency,
            Self::Memory => costs::Part::Memory,
            Self::Probe => costs::Part::Probe,
            Self::Start => costs::Part::Start,
            Self::Stop | Self::Others => return None,
        })
    }

    /// How many samples it can afford.
    fn samples(self) -> usize {
        match self {
            Self::Size => 1,
            // Nearly the same every time; each sample is many packets.
            Self::Cpu | Self::Latency => 5,
            Self::Start | Self::Memory | Self::Stop | Self::Others => 10,
            Self::Probe => 40,
        }
    }

    /// Where it is measured. A clock that counts instructions makes all but the stops
    /// repeat, whatever else the host does; these are about waiting, on two processors.
    fn accel(self, accel: Accel) -> Accel {
        match self {
            Self::Stop | Self::Others => accel,
            _ => Accel::Icount,
        }
    }
}

/// How many packets a sample has.
const PACKETS: usize = 320;

/// What one row measured: each sample's figures, in the order in which they were taken.
#[derive(Debug, Serialize)]
pub struct Row {
    name: String,
    ours: Vec<Vec<f64>>,
    c: Vec<Vec<f64>>,
}

/// What is kept for those who want to see more than the table.
#[derive(Default, Serialize)]
struct Kept {
    costs: Vec<Row>,
    stops: Vec<stops::Row>,
    others: Vec<stops::Row>,
}

/// Measures, prints a table of each part, and keeps the samples.
pub fn run(lab: &Lab, image: &Image, options: &Options, arguments: &Arguments) -> Result<ExitCode> {
    let parts = match &arguments.parts[..] {
        [] => Part::value_variants(),
        parts => parts,
    };
    let mut kept = Kept::default();
    for &part in parts {
        let options = Options {
            accel: part.accel(options.accel),
            ..options.clone()
        };
        let mut machine = Machine::new(image, options);
        let samples = arguments.samples.map_or(part.samples(), usize::from);
        if let Some(costs) = part.costs() {
            let run = |job: &Job| machine.with(|vm| figures_of(vm, job));
            let rows = measure(run, costs, samples, PACKETS, |sample| {
                eprintln!("  {}: {sample} of {samples}", costs.name());
            })?;
            println!("{}\n{}", report::table(&rows), report::goals(&rows));
            kept.costs.extend(rows);
        } else if part == Part::Others {
            let choice = &arguments.stops;
            kept.others = stops::measure(&mut machine, choice, choice.others(), samples)?;
            println!("{}", stops::others_text(&kept.others));
        } else {
            let choice = &arguments.stops;
            kept.stops = stops::measure(&mut machine, choice, choice.stops(), samples)?;
            println!("{}", stops::stops_text(&kept.stops));
        }
        machine.power_off();
    }
    keep(lab, &kept)?;
    Ok(ExitCode::SUCCESS)
}

/// Measures a little of `part`: whether it works, not what it costs.
pub fn try_out(vm: &mut Vm, part: costs::Part) -> Result<()> {
    let rows = measure(|job| figures_of(vm, job), part, 1, 32, |_| {})?;
    let figures = rows.iter().flat_map(|row| row.ours.iter().chain(&row.c));
    let odd = figures.flatten().find(|figure| !figure.is_finite());
    anyhow::ensure!(!rows.is_empty() && odd.is_none(), "no figures: {odd:?}");
    Ok(())
}

/// Measures `part` so many times, ours and C in turn, and tells `show` of each pair.
fn measure(
    mut run: impl FnMut(&Job) -> Result<Vec<FromGuest>>,
    part: costs::Part,
    samples: usize,
    packets: usize,
    show: impl Fn(usize),
) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for sample in 0..samples {
        let mut order = [Driver::Ours, Driver::C];
        // What the machine does meanwhile meets both alike.
        if sample % 2 == 1 {
            order.reverse();
        }
        for driver in order {
            let job = Job::Costs {
                part: part.name().to_owned(),
                driver,
                packets,
            };
            let said = run(&job)
                .with_context(|| format!("cannot measure {} of {driver:?}", part.name()))?;
            said.iter().for_each(|said| add(&mut rows, said));
        }
        show(sample + 1);
    }
    for Row { name, ours, c } in &rows {
        anyhow::ensure!(
            ours.len() == samples && c.len() == samples,
            "{name}: samples are missing"
        );
    }
    Ok(rows)
}

/// Has the guest do `job`; what it said.
fn figures_of(vm: &mut Vm, job: &Job) -> Result<Vec<FromGuest>> {
    let mut all = Vec::new();
    vm.run(job, SILENCE, |said| all.push(said.clone()))?;
    Ok(all)
}

fn add(rows: &mut Vec<Row>, said: &FromGuest) {
    let FromGuest::Figures {
        row: name,
        driver,
        values,
    } = said
    else {
        return;
    };
    let at = rows.iter().position(|row| row.name == *name);
    let at = at.unwrap_or_else(|| {
        rows.push(Row {
            name: name.clone(),
            ours: Vec::new(),
            c: Vec::new(),
        });
        rows.len() - 1
    });
    match driver {
        Driver::Ours => rows[at].ours.push(values.clone()),
        Driver::C => rows[at].c.push(values.clone()),
    }
}

fn keep(lab: &Lab, kept: &Kept) -> Result<()> {
    let file = lab.source.join("target/bench/usbatm.json");
    fs::create_dir_all(file.parent().context("a file without a folder")?)?;
    fs::write(&file, serde_json::to_vec(kept)?)
        .with_context(|| format!("cannot write {}", file.display()))?;
    println!("All samples: {}", file.display());
    Ok(())
}
