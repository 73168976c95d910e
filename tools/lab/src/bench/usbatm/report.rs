//! The tables of `./lab bench usbatm`, and whether the goals hold.

use comfy_table::Table;

use super::Row;
use crate::bench::figures;
use crate::bench::statistics::{median, percentile, ratio};

/// A row of the table has to be within this of C, or has to reach it.
struct Goal {
    /// What the names of the rows begin with that it is about.
    rows: &'static str,
    kind: Kind,
}

#[derive(Clone, Copy)]
enum Kind {
    /// The median is at most so much of that of C.
    OfC(f64),
    /// The slowest hundredth takes at most what that of C takes.
    P99,
    /// The median is at least this.
    AtLeast(f64),
}

const GOALS: &[Goal] = &[
    Goal::new("send,", Kind::OfC(0.5)),
    Goal::new("receive,", Kind::OfC(0.5)),
    Goal::new("receive in softirq,", Kind::OfC(0.5)),
    Goal::new("socket to socket,", Kind::OfC(0.75)),
    Goal::new("there and back,", Kind::P99),
    Goal::new("a modem with its line up", Kind::OfC(1.0)),
    Goal::new("a modem with a connection", Kind::OfC(1.0)),
    // It resets the modem there.
    Goal::new("probe", Kind::OfC(0.1)),
    Goal::new("8 from insmod", Kind::OfC(0.75)),
    Goal::new("8 from plug", Kind::OfC(0.75)),
    Goal::new("upload", Kind::AtLeast(98.0)),
];

impl Goal {
    const fn new(rows: &'static str, kind: Kind) -> Self {
        Self { rows, kind }
    }

    fn is_for(&self, row: &Row) -> bool {
        row.name.starts_with(self.rows)
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
    [
        row.name.clone(),
        figure(median(&medians(ours))),
        figure(p99(ours)),
        figure(median(&medians(c))),
        figure(p99(c)),
        ratio(&medians(ours), &medians(c)).to_string(),
    ]
}

/// A line for each goal that a row tells something about.
pub fn goals(rows: &[Row]) -> String {
    let about = |row| {
        let goals = GOALS.iter().filter(move |goal| goal.is_for(row));
        goals.map(move |goal| verdict(row, goal.kind))
    };
    rows.iter().flat_map(about).collect()
}

fn verdict(row: &Row, kind: Kind) -> String {
    let (holds, what) = match kind {
        Kind::OfC(most) => {
            let ratio = ratio(&medians(&row.ours), &medians(&row.c)).value;
            let what = format!("{ratio:.3} of C (goal: at most {most})");
            (ratio <= most, what)
        }
        Kind::P99 => {
            let ratio = p99(&row.ours) / p99(&row.c);
            let what = format!("p99 {ratio:.3} of C (goal: at most 1)");
            (ratio <= 1.0, what)
        }
        Kind::AtLeast(least) => {
            let middle = median(&medians(&row.ours));
            let what = format!("{middle:.1} (goal: at least {least})");
            (middle >= least, what)
        }
    };
    let verdict = if holds { "holds" } else { "MISSED" };
    format!("{verdict}: {}: {what}\n", row.name)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, ours: &[f64], c: &[f64]) -> Row {
        let samples = |values: &[f64]| values.iter().map(|value| vec![*value; 3]).collect();
        Row {
            name: name.into(),
            ours: samples(ours),
            c: samples(c),
        }
    }

    #[test]
    fn a_line_has_medians_p99_and_the_ratio() {
        let line = line(&row("probe (ms)", &[1.0, 2.0, 3.0], &[200.0; 3]));
        assert_eq!(line[..5], ["probe (ms)", "2.00", "3.00", "200", "200"]);
        assert!(line[5].starts_with("0.010 ("), "{}", line[5]);
    }

    #[test]
    fn goals_hold_or_are_missed() {
        let verdicts = |name, ours: f64, c: f64| goals(&[row(name, &[ours; 4], &[c; 4])]);
        assert!(verdicts("send, 40 bytes", 50.0, 100.0).starts_with("holds"));
        assert!(verdicts("send, 40 bytes", 51.0, 100.0).starts_with("MISSED"));
        assert!(verdicts("probe (ms)", 1.0, 200.0).starts_with("holds"));
        assert!(verdicts("probe (ms)", 21.0, 200.0).starts_with("MISSED"));
        assert!(verdicts("there and back, 40", 101.0, 100.0).starts_with("MISSED"));
        assert!(verdicts("upload beside 7", 97.0, 80.0).starts_with("MISSED"));
        assert!(verdicts("upload beside 7", 98.5, 80.0).starts_with("holds"));
        assert_eq!(verdicts("of it stacks", 1.0, 0.0), "");
    }
}
