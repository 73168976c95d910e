//! The tables of stops, and of other devices: each row beside the one that it is compared with, and
//! beside C.

use super::{Row, Samples};
use crate::bench::figures;
use crate::bench::statistics::{Ratio, ratio};

/// The table of stops, and how many reach the goal.
pub fn stops(rows: &[Row]) -> String {
    let base = "an idle modem takes by the same means";
    text(rows, ["taken away (ms)", "of idle (95 %)"], base)
}

/// As [`stops`], of other devices.
pub fn others(rows: &[Row]) -> String {
    let title = "found as a modem goes (ms)";
    text(
        rows,
        [title, "of none (95 %)"],
        "it takes where no modem is",
    )
}

fn text(rows: &[Row], [title, ratio]: [&str; 2], base: &str) -> String {
    let goal = rows.first().map_or(0.0, |row| row.kind.goal());
    let at_most = format!("at most {goal}");
    let header = [
        title,
        "ours, median",
        "ours, p99",
        ratio,
        &at_most,
        "C, median",
        "C, p99",
        "C / ours",
    ];
    let table = figures(header, rows.iter().map(|row| line(row, rows)).collect());
    let verdicts: Vec<_> = rows.iter().filter_map(|row| holds(row, rows)).collect();
    let held = verdicts.iter().filter(|holds| **holds).count();
    format!(
        "{table}\nWithin {goal} of what {base}: {held} of {} rows.",
        verdicts.len()
    )
}

fn line(row: &Row, rows: &[Row]) -> [String; 8] {
    let ratio = of_base(row, rows).map(|ratio| ratio.to_string());
    let verdict = holds(row, rows).map(|holds| if holds { "holds" } else { "MISSED" });
    [
        row.name.clone(),
        milliseconds(&row.ours, row.ours.median()),
        milliseconds(&row.ours, row.ours.p99()),
        ratio.unwrap_or_default(),
        verdict.unwrap_or_default().to_owned(),
        milliseconds(&row.c, row.c.median()),
        milliseconds(&row.c, row.c.p99()),
        over(&row.c, &row.ours),
    ]
}

/// The median of ours beside that of the row with which it is compared; they were measured in the
/// same rounds.
fn of_base(row: &Row, rows: &[Row]) -> Option<Ratio> {
    let is_base = |other: &&Row| is_base(other) && other.kind == row.kind;
    let base = rows.iter().find(is_base)?;
    (!is_base(&row) && row.ours.limit.is_none()).then(|| ratio(&row.ours.ms, &base.ours.ms))
}

/// Whether others are compared with it.
fn is_base(row: &Row) -> bool {
    row.phase == row.kind.base()
}

/// Whether the goal is reached; none for what it is measured by.
fn holds(row: &Row, rows: &[Row]) -> Option<bool> {
    if is_base(row) {
        return None;
    }
    Some(of_base(row, rows).is_some_and(|ratio| ratio.value <= row.kind.goal()))
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

    use super::super::Kind;
    use super::*;
    use crate::guest::phases::Phase;
    use crate::guest::removal::Means;
    use crate::protocol::Took;

    /// Of a modem that is unbound.
    fn row(phase: Phase, ours: f64, c: Took) -> Row {
        let (means, modems) = (Means::Unbind, 1);
        row_of(Some(phase), Kind::Stop { means, modems }, ours, c)
    }

    fn row_of(phase: Option<Phase>, kind: Kind, ours: f64, c: Took) -> Row {
        let mut row = Row::new(phase, kind);
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
        assert!(stops(&rows).ends_with("1 of 2 rows."));
    }

    #[test]
    fn another_device_is_measured_by_one_without_a_modem() {
        let none = row_of(None, Kind::Another, 200.0, Took::Ms(200.0));
        let soon = row_of(Some(Phase::Idle), Kind::Another, 220.0, Took::Ms(210.0));
        let late = row_of(Some(Phase::Boot), Kind::Another, 221.0, Took::Ms(210.0));
        let rows = [none, soon, late];
        let verdicts = rows.each_ref().map(|row| holds(row, &rows));
        assert_eq!(verdicts, [None, Some(true), Some(false)]);
        assert!(
            others(&rows).ends_with("Within 1.1 of what it takes where no modem is: 1 of 2 rows.")
        );
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
