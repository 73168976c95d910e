//! The comparison of our modules with the stock C ones: what a user can see of either,
//! fact by fact, from `modinfo`, sysfs, `/proc`, the kernel's log and the modem's own.
//!
//! Every difference has to be on the list of [deliberate](deliberate::DELIBERATE) ones,
//! with its reason, and everything on that list has to be one. The result is a page of
//! the book.

mod deliberate;
mod modinfo;
mod page;

use std::fs;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::protocol::{Driver, FromGuest, Job};
use crate::setup::Lab;
use crate::setup::kernel::Kernel;
use crate::vm::Vm;
use deliberate::DELIBERATE;

/// The page of the book, below the checkout.
const PAGE: &str = "docs/src/parity.md";

/// What was found, if it is not what the book says.
const FOUND: &str = "target/parity.md";

/// Setting this variable keeps what was found as the page of the book.
const BLESS: &str = "THREADLINE_BLESS";

/// How the facts about lines of the kernel's log begin.
const LOG: &str = "log: ";

/// Names and values of what there is to see of a driver, in order.
type Facts = Vec<(String, String)>;

/// Compares the drivers in `vm`.
pub fn check(lab: &Lab, kernel: &Kernel, vm: &mut Vm, silence: Duration) -> Result<()> {
    let mut gather = |driver| gather(lab, kernel, vm, silence, driver);
    let rows = compare(&gather(Driver::C)?, &gather(Driver::Ours)?);
    let page = page::write(&rows);
    fs::create_dir_all(lab.source.join("target"))?;
    fs::write(lab.source.join(FOUND), &page)?;
    judge(&rows)?;
    if std::env::var_os(BLESS).is_some() {
        fs::write(lab.source.join(PAGE), &page)?;
    }
    let kept = fs::read_to_string(lab.source.join(PAGE)).unwrap_or_default();
    ensure!(
        kept == page,
        "{PAGE} is not what was found, which is in {FOUND}; {BLESS}=1 keeps that"
    );
    Ok(())
}

/// Compares ours in `vm`, on a kernel without the C drivers, with what the book says of it.
pub fn check_ours(lab: &Lab, kernel: &Kernel, vm: &mut Vm, silence: Duration) -> Result<()> {
    let kept = page::ours(&fs::read_to_string(lab.source.join(PAGE))?);
    let mut found = gather(lab, kernel, vm, silence, Driver::Ours)?;
    for (_, value) in &mut found {
        *value = page::cell(Some(value));
    }
    let rows = compare(&kept, &found);
    let others: Vec<_> = rows.iter().filter(|row| !row.is_same()).collect();
    ensure!(
        !kept.is_empty() && others.is_empty(),
        "not what {PAGE} says: {others:#?}"
    );
    Ok(())
}

/// What there is to see of a driver.
fn gather(
    lab: &Lab,
    kernel: &Kernel,
    vm: &mut Vm,
    silence: Duration,
    driver: Driver,
) -> Result<Facts> {
    let mut facts = modinfo::facts(lab, kernel, driver)?;
    vm.run(&Job::Parity(driver), silence, |said| {
        if let FromGuest::Fact { what, value } = said {
            facts.push((what.clone(), value.clone()));
        }
    })?;
    Ok(facts)
}

/// A fact about both.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    what: String,
    c: Option<String>,
    ours: Option<String>,
}

impl Row {
    fn is_same(&self) -> bool {
        self.c == self.ours
    }

    /// Why the two differ, if that is deliberate.
    fn reason(&self) -> Option<&'static str> {
        let entry = DELIBERATE
            .iter()
            .find(|(pattern, _)| covers(pattern, &self.what));
        entry.filter(|_| !self.is_same()).map(|(_, reason)| *reason)
    }
}

/// Whether the name of a fact is `pattern`, in which `*` stands for anything.
fn covers(pattern: &str, what: &str) -> bool {
    match pattern.split_once('*') {
        Some((head, tail)) => {
            what.len() >= head.len() + tail.len() && what.starts_with(head) && what.ends_with(tail)
        }
        None => pattern == what,
    }
}

/// Puts the facts about both side by side.
///
/// A line of the log that only we have is no difference: what counts is that somebody who
/// looks for what C says finds it, as part of a line at least.
fn compare(c: &Facts, ours: &Facts) -> Vec<Row> {
    let value = |facts: &Facts, what: &str| {
        let found = facts.iter().find(|(known, _)| {
            let part = what.strip_prefix(LOG);
            part.map_or(known == what, |part| {
                known.starts_with(LOG) && known.contains(part)
            })
        });
        found.map(|(_, value)| value.clone())
    };
    let of_ours_alone = ours
        .iter()
        .filter(|(what, _)| !what.starts_with(LOG) && value(c, what).is_none());
    let mut rows: Vec<Row> = Vec::new();
    for (what, _) in c.iter().chain(of_ours_alone) {
        if rows.iter().all(|row| row.what != *what) {
            rows.push(Row {
                what: what.clone(),
                c: value(c, what),
                ours: value(ours, what),
            });
        }
    }
    rows
}

/// No difference but deliberate ones, and no deliberate one that is none.
fn judge(rows: &[Row]) -> Result<()> {
    let unexplained: Vec<_> = rows
        .iter()
        .filter(|row| !row.is_same() && row.reason().is_none())
        .map(|row| format!("{}: C {:?}, ours {:?}", row.what, row.c, row.ours))
        .collect();
    ensure!(
        unexplained.is_empty(),
        "not the same, and nobody says why:\n{}",
        unexplained.join("\n")
    );
    for (pattern, _) in DELIBERATE {
        let is_used = rows
            .iter()
            .any(|row| !row.is_same() && covers(pattern, &row.what));
        ensure!(is_used, "{pattern:?} is no difference any more");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(facts: &[(&str, &str)]) -> Facts {
        let owned = facts.iter();
        owned
            .map(|(what, value)| ((*what).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn what_one_lacks_is_a_difference() {
        let rows = compare(
            &facts(&[("a", "1"), ("b", "2"), ("c", "3")]),
            &facts(&[("a", "1"), ("b", "3"), ("d", "4")]),
        );
        let same: Vec<_> = rows
            .iter()
            .map(|row| (&row.what[..], row.is_same()))
            .collect();
        assert_eq!(
            same,
            [("a", true), ("b", false), ("c", false), ("d", false)]
        );
        let error = judge(&rows).unwrap_err().to_string();
        assert!(
            error.contains("b: C Some(\"2\"), ours Some(\"3\")"),
            "{error}"
        );
    }

    #[test]
    fn lines_of_the_log_may_be_parts_of_others_and_ours_may_be_more() {
        let rows = compare(
            &facts(&[("log: line is up", "said"), ("log: line is down", "said")]),
            &facts(&[
                ("log: ATM dev 0: line is up (fast)", "said"),
                ("log: more", "said"),
            ]),
        );
        let same: Vec<_> = rows.iter().map(Row::is_same).collect();
        assert_eq!(same, [true, false]);
    }

    #[test]
    fn patterns() {
        assert!(covers("a b", "a b"));
        assert!(covers("a*c", "a b c"));
        assert!(!covers("ab*bc", "abc"));
        assert!(!covers("a", "a b"));
    }

    #[test]
    fn a_reason_that_nobody_needs_is_noticed() {
        let error = judge(&[]).unwrap_err().to_string();
        assert!(error.contains("is no difference any more"), "{error}");
    }
}
