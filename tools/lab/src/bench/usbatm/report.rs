//! The tables of `./lab bench usbatm`, and whether the goals hold.

use comfy_table::Table;

use super::Row;
use crate::bench::figures;
use crate::bench::statistics::{Ratio, median, percentile, ratio};

/// A row of the table has to be within this of C, or has to reach it.
struct Goal {
    /// What the row's name begins with, and what it has in it.
    row: (&'static str, &'static str),
    kind: Kind,
}

#[derive(Clone, Copy)]
enum Kind {
    /// The median is at most so much of that of C.
    OfC(f64),
    /// The slowest hundredth takes at most what that of C takes.
    P99,
    /// Every figure of ours is at least this.
    AtLeast(f64),
}

const GOALS: &[Goal] = &[
    Goal::new("send,", "", Kind::OfC(0.5)),
    Goal::new("receive,", "", Kind::OfC(0.5)),
    Goal::new("socket to socket,", "", Kind::OfC(0.75)),
    Goal::new("there and back,", "", Kind::P99),
    Goal::new("a modem with its line up", "", Kind::OfC(1.0)),
    Goal::new("8 from insmod", "", Kind::OfC(0.75)),
    Goal::new("upload", "", Kind::AtLeast(98.0)),
];

impl Goal {
    const fn new(begin: &'static str, part: &'static str, kind: Kind) -> Self {
        Self {
            row: (begin, part),
            kind,
        }
    }

    fn is_for(&self, row: &Row) -> bool {
        row.name.starts_with(self.row.0) && row.name.contains(self.row.1)
    }
}

/// One line for each row: medians of the samples' medians, the slowest hundredth of all
/// figures, and the ratio of the medians with its interval.
pub fn table(rows: &[Row]) -> Table {
    let header = [
        "",
        "ours, median",
        "ours, p99",
        "C, median",
        "C, p99",
        "ours / C (95 %)",
    ];
    figures(header, rows.iter().map(line).collect())
}

fn line(row: &Row) -> [String; 6] {
    let [ours, c] = [&row.ours, &row.c];
    let Ratio { value, low, high } = ratio(&medians(ours), &medians(c));
    [
        row.name.clone(),
        figure(median(&medians(ours))),
        figure(p99(ours)),
        figure(median(&medians(c))),
        figure(p99(c)),
        format!("{value:.3} ({low:.3}–{high:.3})"),
    ]
}

/// A line for each goal that a row tells something about.
pub fn goals(rows: &[Row]) -> String {
    let verdict = |row: &Row, goal: &Goal| {
        let (holds, what) = match goal.kind {
            Kind::OfC(most) => {
                let ratio = ratio(&medians(&row.ours), &medians(&row.c)).value;
                (
                    ratio <= most,
                    format!("{ratio:.3} of C (goal: at most {most})"),
                )
            }
            Kind::P99 => {
                let ratio = p99(&row.ours) / p99(&row.c);
                (
                    ratio <= 1.0,
                    format!("p99 {ratio:.3} of C (goal: at most 1)"),
                )
            }
            Kind::AtLeast(least) => {
                let lowest = median(&medians(&row.ours));
                (
                    lowest >= least,
                    format!("{lowest:.1} (goal: at least {least})"),
                )
            }
        };
        let verdict = if holds { "holds" } else { "MISSED" };
        format!("{verdict}: {}: {what}\n", row.name)
    };
    let about = |row| {
        let goals = GOALS.iter().filter(move |goal| goal.is_for(row));
        goals.map(move |goal| verdict(row, goal))
    };
    rows.iter().flat_map(about).collect()
}

fn medians(samples: &[Vec<f64>]) -> Vec<f64> {
    samples.iter().map(|sample| median(sample)).collect()
}

fn p99(samples: &[Vec<f64>]) -> f64 {
    percentile(&samples.concat(), 99.0)
}

fn figure(value: f64) -> String {
    if value.abs() < 100.0 {
        format!("{value:.2}")
    } else {
        format!("{value:.0}")
    }
}
