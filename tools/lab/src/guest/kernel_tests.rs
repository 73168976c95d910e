//! The in-kernel tests in the guest: running one, and playing user space for those of firmware.

use std::ffi::CString;
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use nix::errno::Errno;
use nix::kmod::{ModuleInitFlags, finit_module};
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use super::kmsg::Kmsg;
use super::{firmware, modules};
use crate::protocol::Driver;

/// Runs the one in-kernel test: the module does it while it is loaded.
pub fn run(index: usize, name: &str) -> Result<()> {
    // Some tests wait for firmware that user space never delivers, and end
    // that wait themselves.
    firmware::withhold()?;
    firmware::wait_long()?;
    let user_space = UserSpace::new()?;
    let log = Kmsg::from_now();
    let path = modules::file(Driver::Ours, "kthread_test");
    let module = File::open(&path).with_context(|| format!("no module {}", path.display()))?;
    let case = CString::new(format!("case={index}"))?;
    let done = AtomicBool::new(false);
    let loaded = thread::scope(|scope| {
        scope.spawn(|| user_space.answer_until(&done));
        let loaded = finit_module(&module, &case, ModuleInitFlags::empty());
        done.store(true, Ordering::Release);
        loaded
    });
    if loaded.is_ok() {
        modules::rmmod("kthread_test").context("the test's module does not go")?;
    }
    let lines = log.lines();
    let has_passed = has_passed(&lines, name)?;
    match loaded {
        Ok(()) => {
            ensure!(has_passed, "the module did not run {name}");
            has_what_is_expected(&lines)
        }
        Err(Errno::ENOENT) => bail!("the module knows no test {index}, or lacks a symbol"),
        Err(error) => bail!("the module does not load: {error}"),
    }
}

/// User space as the tests want it: there is no file whose name ends in "-first", one that ends in
/// "-second" holds its own name, and all others are waited for until the test gives up.
///
/// And there is one that the kernel is held at when it looks for it, until another is asked for
/// whose name ends in "-release". It can't read that one after all, and is then given it like a
/// second one.
struct UserSpace {
    /// The held file, once it is no longer held.
    released: Option<File>,
}

impl UserSpace {
    /// Whoever opens a FIFO to read waits for somebody who writes.
    const HELD: &str = "/lib/firmware/kthread_test-held";

    fn new() -> Result<Self> {
        let _ = fs::remove_file(Self::HELD);
        mkfifo(Self::HELD, Mode::S_IRUSR).with_context(|| format!("cannot make {}", Self::HELD))?;
        Ok(Self { released: None })
    }

    /// Answers the test until it is `done`.
    fn answer_until(mut self, done: &AtomicBool) {
        while !done.load(Ordering::Acquire) {
            for request in firmware::awaited() {
                // A request may be gone again: that is the test's business.
                let _ = self.answer(&request);
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn answer(&mut self, request: &Path) -> io::Result<()> {
        let name = request.file_name().unwrap_or_default().as_encoded_bytes();
        let ends_in = |ending: &str| name.ends_with(ending.as_bytes());
        let loading = request.join("loading");
        if ends_in("-release") {
            // One who writes, now and later; without waiting for somebody who reads.
            self.released = Some(File::options().read(true).write(true).open(Self::HELD)?);
        }
        if ends_in("-first") || ends_in("-release") {
            fs::write(&loading, "-1")
        } else if ends_in("-second") || ends_in("-held") {
            fs::write(&loading, "1")?;
            fs::write(request.join("data"), name)?;
            fs::write(&loading, "0")
        } else {
            Ok(())
        }
    }
}

/// Whether the log has it that the in-kernel test `name` passed. It is an error that it did not, and
/// one that it was skipped: in the lab's machines there is nothing that it could lack.
fn has_passed(lines: &[String], name: &str) -> Result<bool> {
    let said = |what: &str| lines.iter().find_map(|line| Some(line.split_once(what)?.1));
    if let Some(why) = said("not ok ") {
        bail!("{why}");
    }
    let Some(rest) = said(&format!(": ok {name}")) else {
        return Ok(false);
    };
    ensure!(
        !rest.contains("# SKIP"),
        "the test was skipped:{}",
        rest.replace(" # SKIP", "")
    );
    Ok(true)
}

/// Every line that the test expects to be in the log is there.
fn has_what_is_expected(lines: &[String]) -> Result<()> {
    let expects = ": expects ";
    for line in lines {
        let Some((_, expected)) = line.split_once(expects) else {
            continue;
        };
        let mut others = lines.iter().filter(|line| !line.contains(expects));
        ensure!(
            others.any(|line| is_made_of(line, expected)),
            "no line in the log says {expected:?}"
        );
    }
    Ok(())
}

/// Whether a line has these pieces in it, " ... " between them, in their order, the last at its end;
/// where that is an empty one, anything may follow.
fn is_made_of(line: &str, pieces: &str) -> bool {
    let mut rest = line;
    for piece in pieces.split(" ... ") {
        let Some((_, after)) = rest.split_once(piece) else {
            return false;
        };
        rest = after;
    }
    rest.is_empty() || pieces.ends_with(" ... ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_expected_is_looked_for() {
        let expected = "x: expects late ... ms, in a.rs:1".to_owned();
        let found = |said: &str| has_what_is_expected(&[said.to_owned(), expected.clone()]);
        assert!(found("y: late by 7 ms, in a.rs:1").is_ok());
        for said in ["y: late by 7 ms, in a.rs:12", "y: in a.rs:1", "late"] {
            let missed = found(said).unwrap_err().to_string();
            assert!(missed.contains("late ... ms, in a.rs:1"), "{missed}");
        }
        assert!(has_what_is_expected(&["nothing".to_owned()]).is_ok());
        assert!(is_made_of("at a.rs:1 and so on", "a.rs:1 ... "));
        assert!(!is_made_of("at a.rs:2 and so on", "a.rs:1 ... "));
    }

    fn verdict(line: &str) -> Result<bool> {
        has_passed(&["kthread_test: case x".to_owned(), line.to_owned()], "x")
    }

    #[test]
    fn what_is_skipped_has_not_passed() {
        assert!(verdict("kthread_test: ok x").unwrap());
        assert!(!verdict("kthread_test: loading out-of-tree module").unwrap());
        let skipped = verdict("kthread_test: ok x # SKIP no such CPU").unwrap_err();
        assert_eq!(skipped.to_string(), "the test was skipped: no such CPU");
        let failed = verdict("kthread_test: not ok x: line 7: false").unwrap_err();
        assert_eq!(failed.to_string(), "x: line 7: false");
    }
}
