//! How long it takes to take a modem away, in every phase of its life and by every
//! means.

use std::time::Duration;

use anyhow::Result;
use comfy_table::Table;
use serde::Serialize;

use crate::bench::{figures, statistics};
use crate::guest::removal::{Means, Phase};
use crate::protocol::{Driver, FromGuest, Job, Took};
use crate::setup::image::Image;
use crate::vm::{Options, Vm};

const SILENCE: Duration = Duration::from_secs(120);

/// Measures each so many times, ours and, unless it is left out, C in turn.
pub fn measure(
    image: &Image,
    options: &Options,
    samples: usize,
    ours_only: bool,
) -> Result<Vec<Row>> {
    let mut machine = Machine {
        image,
        options,
        vm: None,
    };
    let mut rows = Vec::new();
    for phase in Phase::ALL {
        for means in Means::ALL {
            let row = Row::measure(&mut machine, phase, means, samples, ours_only)?;
            eprintln!(
                "  {}: ours {}, C {}",
                row.name(),
                row.ours.text(),
                row.c.text()
            );
            rows.push(row);
        }
    }
    Ok(rows)
}

/// One phase and one means.
#[derive(Debug, Serialize)]
pub struct Row {
    #[serde(serialize_with = "phase_name")]
    phase: Phase,
    #[serde(serialize_with = "means_name")]
    means: Means,
    ours: Samples,
    c: Samples,
}

impl Row {
    fn measure(
        machine: &mut Machine<'_>,
        phase: Phase,
        means: Means,
        samples: usize,
        ours_only: bool,
    ) -> Result<Self> {
        let (mut ours, mut c) = (Samples::default(), Samples::default());
        for _ in 0..samples {
            ours.add(machine.measure(Driver::Ours, phase, means)?);
            // One look at a driver that blocks is enough.
            if !ours_only && !c.gave_up() {
                c.add(machine.measure(Driver::C, phase, means)?);
            }
        }
        Ok(Self {
            phase,
            means,
            ours,
            c,
        })
    }

    fn name(&self) -> String {
        format!("{}, {}", self.phase.name(), self.means.name())
    }
}

/// The medians, beside what the same means takes with an idle modem, and beside C.
pub fn table(rows: &[Row]) -> Table {
    let header = [
        "ms, median (least–most)",
        "ours",
        "ours / idle",
        "stock C",
        "C / ours",
    ];
    let line = |row: &Row| {
        let is_idle = |other: &&Row| other.phase == Phase::Idle && other.means == row.means;
        let idle = rows
            .iter()
            .find(is_idle)
            .map_or(f64::NAN, |idle| idle.ours.median());
        [
            row.name(),
            row.ours.text(),
            format!("{:.1}", row.ours.median() / idle),
            row.c.text(),
            ratio(&row.ours, &row.c),
        ]
    };
    figures(header, rows.iter().map(line).collect())
}

/// The machine that measures; a new one where a driver has blocked the old one.
struct Machine<'a> {
    image: &'a Image,
    options: &'a Options,
    vm: Option<Vm>,
}

impl Machine<'_> {
    fn measure(&mut self, driver: Driver, phase: Phase, means: Means) -> Result<Took> {
        let mut vm = match self.vm.take() {
            Some(vm) => vm,
            None => Vm::boot(self.image, self.options)?,
        };
        let job = Job::Removal {
            driver,
            phase: phase.name().to_owned(),
            means: means.name().to_owned(),
        };
        let mut measured = None;
        vm.run(&job, SILENCE, |said| {
            if let FromGuest::Measured(measurement) = said {
                measured = Some(measurement.took);
            }
        })?;
        let took = measured.ok_or_else(|| anyhow::anyhow!("the guest measured nothing"))?;
        if let Took::Ms(_) = took {
            self.vm = Some(vm);
        }
        Ok(took)
    }
}

/// Milliseconds, as measured; or the limit at which a measurement was given up.
#[derive(Debug, Default, Serialize)]
struct Samples {
    ms: Vec<f64>,
    limit: Option<f64>,
}

impl Samples {
    fn add(&mut self, took: Took) {
        match took {
            Took::Ms(ms) => self.ms.push(ms),
            Took::MoreThanMs(limit) => self.limit = Some(limit),
        }
        self.ms.sort_by(f64::total_cmp);
    }

    fn gave_up(&self) -> bool {
        self.limit.is_some()
    }

    /// The median; where there was no end, the limit.
    fn median(&self) -> f64 {
        match self.limit {
            Some(limit) => limit,
            None => statistics::median(&self.ms),
        }
    }

    fn text(&self) -> String {
        match (self.limit, &self.ms[..]) {
            (Some(limit), _) => format!("> {limit:.0}"),
            (None, []) => String::new(),
            (None, [least, .., most]) => format!("{:.0} ({least:.0}–{most:.0})", self.median()),
            (None, [only]) => format!("{only:.0}"),
        }
    }
}

fn phase_name<S: serde::Serializer>(phase: &Phase, to: S) -> std::result::Result<S::Ok, S::Error> {
    to.serialize_str(phase.name())
}

fn means_name<S: serde::Serializer>(means: &Means, to: S) -> std::result::Result<S::Ok, S::Error> {
    to.serialize_str(means.name())
}

fn ratio(ours: &Samples, c: &Samples) -> String {
    if c.ms.is_empty() && !c.gave_up() {
        return String::new();
    }
    let sign = if c.gave_up() { "> " } else { "" };
    format!("{sign}{:.1}", c.median() / ours.median())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_of_odd_and_even_counts() {
        let mut samples = Samples::default();
        for ms in [30.0, 10.0, 20.0] {
            samples.add(Took::Ms(ms));
        }
        assert_eq!(samples.text(), "20 (10–30)");
        samples.add(Took::Ms(40.0));
        assert_eq!(samples.text(), "25 (10–40)");
        samples.add(Took::MoreThanMs(20_000.0));
        assert_eq!(samples.text(), "> 20000");
    }
}
