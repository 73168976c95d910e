//! The table of stops: each beside that of an idle modem, and beside C.

use super::{Row, Samples};
use crate::bench::figures;
use crate::bench::statistics::{Ratio, ratio};
use crate::guest::phases::Phase;

/// A stop may take so much of what it takes to take an idle modem away by the same means.
const GOAL: f64 = 1.5;

/// The table, and how many rows reach the goal.
pub fn text(rows: &[Row]) -> String {
    let header = [
        "taken away (ms)",
        "ours, median",
        "ours, p99",
        "of idle (95 %)",
        "at most 1.5",
        "C, median",
        "C, p99",
        "C / ours",
    ];
    let table = figures(header, rows.iter().map(|row| line(row, rows)).collect());
    let verdicts: Vec<_> = rows.iter().filter_map(|row| holds(row, rows)).collect();
    let held = verdicts.iter().filter(|holds| **holds).count();
    format!(
        "{table}\nWithin {GOAL} of what an idle modem takes by the same means: {held} of {} rows.",
        verdicts.len()
    )
}

fn line(row: &Row, rows: &[Row]) -> [String; 8] {
    let idle = of_idle(row, rows).map(|ratio| ratio.to_string());
    let verdict = holds(row, rows).map(|holds| if holds { "holds" } else { "MISSED" });
    [
        row.name(),
        milliseconds(&row.ours, row.ours.median()),
        milliseconds(&row.ours, row.ours.p99()),
        idle.unwrap_or_default(),
        verdict.unwrap_or_default().to_owned(),
        milliseconds(&row.c, row.c.median()),
        milliseconds(&row.c, row.c.p99()),
        over(&row.c, &row.ours),
    ]
}

/// The median of ours beside that of as many idle modems; they were measured in the same rounds.
fn of_idle(row: &Row, rows: &[Row]) -> Option<Ratio> {
    let is_idle = |other: &&Row| {
        other.phase == Phase::Idle && (other.means, other.modems) == (row.means, row.modems)
    };
    let idle = rows.iter().find(is_idle)?;
    let is_itself = row.phase == Phase::Idle;
    (!is_itself && row.ours.limit.is_none()).then(|| ratio(&row.ours.ms, &idle.ours.ms))
}

/// Whether the goal is reached; none for what it is measured by.
fn holds(row: &Row, rows: &[Row]) -> Option<bool> {
    if row.phase == Phase::Idle {
        return None;
    }
    Some(of_idle(row, rows).is_some_and(|ratio| ratio.value <= GOAL))
}

fn milliseconds(samples: &Samples, value: f64) -> String {
    let sign = if samples.limit.is_some() { "> " } else { "" };
    if value.is_finite() {
        format!("{sign}{value:.1}")
    } else {
        String::new()
    }
}

fn over(c: &Samples, ours: &Samples) -> String {
    milliseconds(c, c.median() / ours.median())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::guest::removal::Means;
    use crate::protocol::Took;

    fn row(phase: Phase, ours: f64, c: Took) -> Row {
        let mut row = Row::new(phase, Means::Unbind, 1);
        for _ in 0..5 {
            row.ours.add(Took::Ms(ours), Duration::ZERO);
        }
        row.c.add(c, Duration::ZERO);
        row
    }

    #[test]
    fn a_stop_is_measured_by_that_of_an_idle_modem() {
        let idle = row(Phase::Idle, 20.0, Took::Ms(10.0));
        let quick = row(Phase::Upload, 30.0, Took::Ms(1400.0));
        let slow = row(Phase::Reset, 31.0, Took::MoreThanMs(20_000.0));
        let rows = [quick, slow, idle];
        let line = |at: usize| line(&rows[at], &rows);
        assert_eq!(
            line(0)[1..],
            [
                "30.0",
                "30.0",
                "1.500 (1.500–1.500)",
                "holds",
                "1400.0",
                "1400.0",
                "46.7"
            ]
        );
        assert_eq!(line(1)[4..6], ["MISSED", "> 20000.0"]);
        assert_eq!(line(1)[7], "> 645.2");
        assert_eq!(line(2)[3..5], ["", ""]);
        assert!(text(&rows).ends_with("1 of 2 rows."));
    }

    #[test]
    fn without_c_there_is_nothing_beside_ours() {
        let mut lone = row(Phase::Upload, 30.0, Took::Ms(1.0));
        lone.c = Samples::default();
        assert_eq!(line(&lone, &[])[5..], ["", "", ""]);
    }

    #[test]
    fn a_driver_that_blocks_or_is_slow_is_not_looked_at_for_long() {
        let mut samples = Samples::default();
        samples.add(Took::Ms(1.0), Duration::from_secs(1));
        assert!(samples.are_affordable());
        samples.add(Took::Ms(1.0), Duration::from_secs(60));
        assert!(!samples.are_affordable());
        let mut samples = Samples::default();
        samples.add(Took::MoreThanMs(1.0), Duration::ZERO);
        assert!(!samples.are_affordable());
    }
}
