//! The table of `./lab bench kthread`, and whether the library's goals hold.

use std::fmt::Write;

use super::Measured;
use crate::bench::figures;
use crate::bench::statistics::{median, percentile, ratio};
use crate::guest::kthread::Row;

/// How many parts a run of ticks is cut into, each taken as a sample.
const PARTS: usize = 20;
/// A start and a stop may cost this much of what they cost in C.
const LIFE_GOAL: f64 = 1.02;
/// The slowest stops of every wait, over those of an idle thread in C.
const STOP_GOAL: f64 = 2.0;
/// A life may take this many blocks of memory more than the kernel takes itself.
pub const BLOCKS_GOAL: f64 = 1.0;
/// Ticks may move by this much each, in nanoseconds. Whoever sleeps for a period after each tick
/// moves them by the time that it takes to wake up, which is a thousand times that.
const DRIFT_GOAL: f64 = 1.0;

/// The table and the goals.
pub fn text(rows: &[Measured]) -> String {
    let header = [
        "µs",
        "ours, median",
        "ours, p99",
        "C, median",
        "C, p99",
        "ours / C (95 %)",
    ];
    let table = figures(header, rows.iter().map(line).collect());
    format!("{table}\n{}", goals(rows))
}

/// One row of the table.
pub fn line(measured: &Measured) -> [String; 6] {
    let (ours, c) = (Side::new(measured, true), Side::new(measured, false));
    let name = match measured.row {
        Row::Allocations => "allocations (blocks)".to_owned(),
        Row::Ticks => "tick, too late by".to_owned(),
        row => row
            .name()
            .replace("_bare", ", C without a block")
            .replace('_', " "),
    };
    [
        name,
        ours.figure(ours.median()),
        ours.figure(ours.p99()),
        c.figure(c.median()),
        c.figure(c.p99()),
        against(&ours, &c),
    ]
}

fn against(ours: &Side, c: &Side) -> String {
    ratio(&ours.samples, &c.samples).to_string()
}

/// What one implementation did in one row.
struct Side {
    row: Row,
    /// One figure for each sample.
    samples: Vec<f64>,
    /// Every operation.
    all: Vec<f64>,
    /// Of each run of ticks: how much later the last ones came than the first, and how
    /// many were missed.
    runs: Vec<(f64, f64)>,
}

impl Side {
    fn new(measured: &Measured, ours: bool) -> Self {
        let samples = if ours { &measured.ours } else { &measured.c };
        let mut side = Self {
            row: measured.row,
            samples: Vec::new(),
            all: Vec::new(),
            runs: Vec::new(),
        };
        for sample in samples {
            match sample.split_last() {
                Some((last, errors)) if measured.row == Row::Ticks => side.add_run(errors, *last),
                _ => {
                    side.samples.push(median(sample));
                    side.all.extend(sample);
                }
            }
        }
        side
    }

    fn add_run(&mut self, errors: &[f64], last_tick: f64) {
        let parts: Vec<_> = errors
            .chunks(errors.len().div_ceil(PARTS).max(1))
            .map(median)
            .collect();
        if let (Some(first), Some(last)) = (parts.first(), parts.last()) {
            let missed = last_tick - errors.len() as f64;
            self.runs.push((last - first, missed));
        }
        self.samples.extend(parts);
        self.all.extend(errors);
    }

    fn median(&self) -> f64 {
        median(&self.samples)
    }

    fn p99(&self) -> f64 {
        percentile(&self.all, 99.0)
    }

    /// `value` in the unit that the table shows.
    fn figure(&self, value: f64) -> String {
        match self.row {
            Row::Allocations => format!("{value:.1}"),
            _ => format!("{:.1}", value / 1000.0),
        }
    }
}

/// A line for each goal that the rows tell something about.
fn goals(rows: &[Measured]) -> String {
    let mut text = String::new();
    for measured in rows {
        let (ours, c) = (Side::new(measured, true), Side::new(measured, false));
        let _ = match measured.row {
            Row::Life(kind) if kind.contains("stop") => {
                let ratio = ratio(&ours.samples, &c.samples).value;
                let what = format!("{kind}: {ratio:.3} of C");
                goal(&mut text, &what, ratio, LIFE_GOAL)
            }
            Row::Allocations => {
                let more = more_blocks(measured).unwrap_or(f64::NAN);
                let what = format!("blocks of memory a thread, more than C: {more:.1}");
                goal(&mut text, &what, more, BLOCKS_GOAL)
            }
            Row::StopIn(_) | Row::StopInTransfer(_) => {
                let idle = rows.iter().find(|row| row.row == Row::StopIn("idle"));
                let idle = idle.map_or(f64::NAN, |idle| Side::new(idle, false).p99());
                let times = ours.p99() / idle;
                let name = measured.row.name();
                let what = format!(
                    "{name}: p99 {times:.2} of that of an idle thread in C; in C itself {:.2}",
                    c.p99() / idle
                );
                goal(&mut text, &what, times, STOP_GOAL)
            }
            Row::Ticks => drifts(&mut text, measured),
            Row::Life(_) => Ok(()),
        };
    }
    text
}

/// How many blocks of memory more than in C a thread takes, if that is what the row measured.
pub fn more_blocks(measured: &Measured) -> Option<f64> {
    let blocks = |of_ours| Side::new(measured, of_ours).median();
    (measured.row == Row::Allocations).then(|| blocks(true) - blocks(false))
}

fn goal(text: &mut String, what: &str, value: f64, at_most: f64) -> std::fmt::Result {
    let verdict = if value <= at_most { "holds" } else { "MISSED" };
    writeln!(text, "{verdict}: {what} (goal: at most {at_most})")
}

fn drifts(text: &mut String, measured: &Measured) -> std::fmt::Result {
    let ticks = measured.ours.first().map_or(0, |run| run.len() - 1);
    for (name, ours) in [("ours", true), ("C", false)] {
        for (drift, missed) in Side::new(measured, ours).runs {
            let drift = drift / 1000.0;
            writeln!(
                text,
                "{name}: {ticks} ticks, the last {drift:+.1} µs later than the first, {missed:.0} missed"
            )?;
        }
    }
    // Without a single run the goal is missed, too.
    let runs = Side::new(measured, true).runs;
    let worst = runs.iter().map(|(drift, _)| drift.abs()).reduce(f64::max);
    let each = worst.map_or(f64::NAN, |worst| worst / ticks as f64);
    let what = format!("drift over {ticks} periods: {each:.3} ns each");
    goal(text, &what, each, DRIFT_GOAL)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(row: Row, ours: Vec<Vec<f64>>, c: Vec<Vec<f64>>) -> Measured {
        Measured { row, ours, c }
    }

    #[test]
    fn a_row_has_medians_of_samples_and_p99_of_operations() {
        let ours = vec![vec![1000.0, 2000.0, 90_000.0], vec![2000.0, 2000.0, 4000.0]];
        let c = vec![vec![1000.0; 3]; 2];
        let line = line(&measured(Row::Life("start_end"), ours, c));
        let expected = ["start end", "2.0", "90.0", "1.0", "1.0"];
        assert_eq!(line[..5], expected);
        assert_eq!(line[5], "2.000 (2.000–2.000)");
    }

    #[test]
    fn goals_hold_or_are_missed() {
        let rows = [
            measured(
                Row::Life("start_stop"),
                vec![vec![101.0]; 4],
                vec![vec![100.0]; 4],
            ),
            measured(
                Row::StopIn("idle"),
                vec![vec![150.0]; 4],
                vec![vec![100.0]; 4],
            ),
            measured(
                Row::StopIn("sleep"),
                vec![vec![250.0]; 4],
                vec![vec![900.0]; 4],
            ),
            measured(Row::Allocations, vec![vec![3.0]; 4], vec![vec![1.0]; 4]),
        ];
        let verdicts: Vec<_> = goals(&rows)
            .lines()
            .map(|line| line.split(':').next().unwrap().to_owned())
            .collect();
        assert_eq!(verdicts, ["holds", "holds", "MISSED", "MISSED"]);
    }

    #[test]
    fn a_drift_is_seen() {
        let run: Vec<_> = (0..1000).map(f64::from).chain([1003.0]).collect();
        let side = Side::new(&measured(Row::Ticks, vec![run.clone()], vec![run]), true);
        assert_eq!(side.runs, [(950.0, 3.0)]);
        assert_eq!(side.samples.len(), PARTS);
        assert_eq!(side.all.len(), 1000);
    }

    #[test]
    fn ticks_that_drift_miss_the_goal() {
        let verdict = |runs: Vec<Vec<f64>>| {
            let text = goals(&[measured(Row::Ticks, runs, Vec::new())]);
            let last = text.lines().last().unwrap();
            last.split(':').next().unwrap().to_owned()
        };
        let run = |drift: f64| {
            let errors = (0..10_000).map(|tick| 500.0 + drift * f64::from(tick));
            errors.chain([10_000.0]).collect::<Vec<_>>()
        };
        assert_eq!(verdict(vec![run(0.0), run(0.5)]), "holds");
        assert_eq!(verdict(vec![run(0.0), run(-2.0), run(0.0)]), "MISSED");
        assert_eq!(verdict(Vec::new()), "MISSED");
    }
}
