//! The comparison as a page of the book.

use std::fmt::Write;

use super::{Facts, LOG, Row};

const HEAD: &str = "\
# What is the same as in C

`usbatm` and `speedtch` take the place of the stock C modules of the same names. This page
is written by a test, `parity::with_the_c_modules`: it loads the one pair and then the other
in the same virtual machine, with the same emulated modem, and notes what there is to see.
It fails when something differs that is not in the first table.

";

/// The parts of the page, by how the names of their facts begin.
const PARTS: &[(&str, &[&str])] = &[
    (
        "The modules",
        &["modinfo", "parameter", "holders", "insmod", "rmmod"],
    ),
    ("Texts for parameters", &["load", "write"]),
    ("The modem's own log", &["modem", "names of", "firmware"]),
    ("Lines of the kernel's log", &[LOG]),
    ("The ATM device, and the rest of the system", &[""]),
];

/// Writes the page.
pub fn write(rows: &[Row]) -> String {
    let mut page = HEAD.to_owned();
    page +=
        "## Different, and meant to be\n\n| what | C | here | why |\n| --- | --- | --- | --- |\n";
    for row in rows.iter().filter(|row| !row.is_same()) {
        let [c, ours] = [&row.c, &row.ours].map(|value| cell(value.as_deref()));
        let reason = row.reason().unwrap_or("nobody says why");
        let _ = writeln!(
            page,
            "| {} | {c} | {ours} | {reason} |",
            row.what.replace('|', "\\|")
        );
    }
    page += "\n## The same\n";
    let mut rest: Vec<_> = rows.iter().filter(|row| row.is_same()).collect();
    for (title, heads) in PARTS {
        let belongs = |row: &&Row| heads.iter().any(|head| row.what.starts_with(head));
        let (part, others) = rest.into_iter().partition::<Vec<_>, _>(belongs);
        rest = others;
        let _ = write!(page, "\n### {title}\n\n| what | both |\n| --- | --- |\n");
        for row in part {
            let what = row.what.replace('|', "\\|");
            let _ = writeln!(page, "| {what} | {} |", cell(row.c.as_deref()));
        }
    }
    page
}

/// What a page says of our drivers, with each value as it stands in the table.
pub fn ours(page: &str) -> Facts {
    let rows = page.lines().filter_map(|line| line.strip_prefix("| "));
    rows.filter_map(|row| {
        // Within a cell, what divides cells is escaped.
        let cells: Vec<_> = row.trim_end_matches(" |").split(" | ").collect();
        let (what, value) = match cells[..] {
            [what, both] => (what, both),
            [what, _, ours, _] => (what, ours),
            _ => return None,
        };
        let is_fact = !["what", "---"].contains(&what) && value != NOT_THERE;
        is_fact.then(|| (what.replace("\\|", "|"), value.to_owned()))
    })
    .collect()
}

/// Stands in place of a value.
const NOT_THERE: &str = "is not there";

/// A value as it stands in a table.
pub fn cell(value: Option<&str>) -> String {
    match value {
        None => NOT_THERE.to_owned(),
        Some("") => "nothing".to_owned(),
        Some(value) => format!("`{}`", value.replace('|', "\\|")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_is_on_the_page_once() {
        let row = |what: &str, c: &str, ours: Option<&str>| Row {
            what: what.to_owned(),
            c: Some(c.to_owned()),
            ours: ours.map(str::to_owned),
        };
        let page = write(&[
            row("load m a=1", "EINVAL", Some("EINVAL")),
            row("carrier", "", Some("")),
            row("modinfo m author", "a|b", None),
        ]);
        let lines: Vec<_> = page.lines().filter(|line| line.starts_with("| ")).collect();
        for line in [
            "| load m a=1 | `EINVAL` |",
            "| carrier | nothing |",
            "| modinfo m author | `a\\|b` | is not there | nobody says why |",
        ] {
            let count = lines.iter().filter(|known| **known == line).count();
            assert_eq!(count, 1, "{line} in {page}");
        }
    }

    #[test]
    fn what_a_page_says_of_ours_is_read_back() {
        let row = |what: &str, c: Option<&str>, ours: Option<&str>| Row {
            what: what.to_owned(),
            c: c.map(str::to_owned),
            ours: ours.map(str::to_owned),
        };
        let page = write(&[
            row("load m a=1|2", Some("a | b"), Some("a | b")),
            row("carrier", Some(""), Some("1")),
            row("modinfo m author", Some("someone"), None),
            row("modinfo m alias", None, Some("")),
        ]);
        let fact = |what: &str, value| (what.to_owned(), cell(Some(value)));
        let expected = [
            fact("carrier", "1"),
            fact("modinfo m alias", ""),
            fact("load m a=1|2", "a | b"),
        ];
        assert_eq!(ours(&page), expected);
    }
}
