//! Failures as a user reads them: one line that says what failed and what to
//! do about it, then where the log is.

use std::fmt;
use std::path::{Path, PathBuf};

/// Something that failed, with the advice that goes with it.
#[derive(Debug)]
pub struct Failure {
    what: String,
    todo: String,
    detail: Vec<String>,
    log: Option<PathBuf>,
}

impl Failure {
    /// `what` failed; `todo` is what the user can do about it.
    pub fn new(what: impl Into<String>, todo: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            todo: todo.into(),
            detail: Vec::new(),
            log: None,
        }
    }

    /// What failed.
    pub fn what(&self) -> &str {
        &self.what
    }

    /// Names the log that tells the whole story.
    pub fn log(mut self, log: &Path) -> Self {
        self.log = Some(log.to_owned());
        self
    }

    /// Adds lines of evidence (a compiler's words, the end of a console),
    /// printed before the one line.
    pub fn detail(mut self, lines: impl IntoIterator<Item = String>) -> Self {
        self.detail.extend(lines);
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.detail {
            writeln!(f, "  | {line}")?;
        }
        write!(f, "lab: {}: {}", self.what, self.todo)?;
        if let Some(log) = &self.log {
            write!(f, "\nlab: the log is {}", log.display())?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}

/// Prints `error` the way that every failure of the lab is printed.
pub fn report(error: &anyhow::Error) {
    match error.downcast_ref::<Failure>() {
        Some(failure) => eprintln!("{failure}"),
        None => eprintln!("lab: {error:#}"),
    }
}
