//! The report of a test run as JUnit XML.

use std::path::Path;
use std::time::SystemTime;

use anyhow::{Context, Result};
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::Record;

/// Writes `records` to `path`.
pub fn write(path: &Path, started: SystemTime, records: &[Record]) -> Result<()> {
    let mut suite = TestSuite::new("lab");
    let elapsed = |from: SystemTime| from.elapsed().unwrap_or_default();
    suite.set_time(elapsed(started));
    for record in records {
        let status = match &record.failure {
            None => TestCaseStatus::success(),
            Some(text) => {
                let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
                status.set_message(text.lines().last().unwrap_or_default().to_owned());
                status.set_description(text.as_str());
                status
            }
        };
        let mut case = TestCase::new(record.name.as_str(), status);
        case.set_time(record.took);
        suite.add_test_case(case);
    }
    let mut report = Report::new("threadline");
    report.add_test_suite(suite);
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(path, report.to_string()?)
        .with_context(|| format!("cannot write {}", path.display()))
}
