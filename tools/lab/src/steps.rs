//! The steps of the set-up: announced, timed, and skipped when nothing that
//! they depend on has changed.
//!
//! A step is done when its stamp holds the key of its inputs. The stamp is
//! written last and in one piece, and is removed before the step starts, so a
//! step that was interrupted is done again from its beginning.

use std::fs;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use sha2::{Digest, Sha256};

/// The steps of one run of the lab.
#[derive(Clone)]
pub struct Steps {
    stamps: PathBuf,
    logs: PathBuf,
    /// The spinners of those that run.
    bars: MultiProgress,
    /// Other things are printed meanwhile.
    is_beside: bool,
}

/// What a running step shows and where it logs.
pub struct Step {
    bars: MultiProgress,
    bar: ProgressBar,
    log: PathBuf,
}

impl Steps {
    /// Steps whose stamps and logs are kept below `cache`.
    pub fn new(cache: &Path) -> Result<Self> {
        let (stamps, logs) = (cache.join("stamps"), cache.join("log"));
        for folder in [&stamps, &logs] {
            fs::create_dir_all(folder)
                .with_context(|| format!("cannot make {}", folder.display()))?;
        }
        Ok(Self {
            stamps,
            logs,
            bars: MultiProgress::new(),
            is_beside: false,
        })
    }

    /// The same steps for a thread beside which other things are printed: without spinners.
    pub fn beside(&self) -> Self {
        Self {
            is_beside: true,
            ..self.clone()
        }
    }

    /// Does `work` unless it was done for the same `key` before.
    ///
    /// `name` is the step's file name in the cache, `title` what the user sees.
    pub fn step(
        &self,
        name: &str,
        title: &str,
        key: &str,
        work: impl FnOnce(&Step) -> Result<()>,
    ) -> Result<()> {
        let stamp = self.stamps.join(name);
        if self.is_done(name, key) {
            return Ok(());
        }
        let _ = fs::remove_file(&stamp);
        self.always(name, title, work)?;
        let unfinished = stamp.with_extension("new");
        fs::write(&unfinished, key)?;
        fs::rename(&unfinished, &stamp).with_context(|| format!("cannot write {}", stamp.display()))
    }

    /// As [`Self::step`], for work that removes what the steps `later` have made: they are
    /// forgotten before it starts, so that none counts as done if it is interrupted.
    pub fn step_before(
        &self,
        later: &[&str],
        name: &str,
        title: &str,
        key: &str,
        work: impl FnOnce(&Step) -> Result<()>,
    ) -> Result<()> {
        self.step(name, title, key, |step| {
            for name in later {
                self.forget(name);
            }
            work(step)
        })
    }

    /// Does `work`, announced and timed like any other step.
    pub fn always(
        &self,
        name: &str,
        title: &str,
        work: impl FnOnce(&Step) -> Result<()>,
    ) -> Result<()> {
        let log = self.logs.join(format!("{name}.log"));
        let step = Step::start(title, log, &self.bars, self.is_beside)?;
        let started = Instant::now();
        let result = work(&step);
        let took = started.elapsed();
        step.end(title, took, result.is_ok());
        result
    }

    /// Whether the step `name` was done for `key`.
    pub fn is_done(&self, name: &str, key: &str) -> bool {
        fs::read_to_string(self.stamps.join(name)).is_ok_and(|stamp| stamp == key)
    }

    /// Forgets that the step `name` was done.
    pub fn forget(&self, name: &str) {
        let _ = fs::remove_file(self.stamps.join(name));
    }
}

impl Step {
    fn start(title: &str, log: PathBuf, bars: &MultiProgress, is_beside: bool) -> Result<Self> {
        fs::write(&log, "").with_context(|| format!("cannot write {}", log.display()))?;
        let bar = if std::io::stderr().is_terminal() && !is_beside {
            let style =
                ProgressStyle::with_template("  {spinner} {prefix}  {elapsed} {wide_msg:.dim}");
            let bar = bars.add(ProgressBar::new_spinner());
            bar.set_style(style?);
            bar.set_prefix(title.to_owned());
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        } else {
            bars.suspend(|| eprintln!("  … {title}"));
            ProgressBar::hidden()
        };
        let bars = bars.clone();
        Ok(Self { bars, bar, log })
    }

    fn end(&self, title: &str, took: Duration, good: bool) {
        self.bar.finish_and_clear();
        let mark = if good { '✓' } else { '✗' };
        let line = format!("  {mark} {title}  ({:.1} s)", took.as_secs_f64());
        self.bars.suspend(|| eprintln!("{line}"));
    }

    /// The step's log file.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Prints a line that stays.
    pub fn print(&self, line: &str) {
        self.bars.suspend(|| eprintln!("  | {line}"));
    }

    /// Shows what the step is busy with.
    pub fn show(&self, message: impl Into<String>) {
        self.bar.set_message(message.into());
    }
}

/// A name for everything that is fed to it: two keys are equal when their
/// inputs were.
#[derive(Default)]
pub struct Key(Sha256);

impl Key {
    /// Adds a text.
    pub fn text(self, text: &str) -> Self {
        self.bytes(text.as_bytes())
    }

    /// Adds bytes.
    pub fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
        self
    }

    /// Adds the content of a file, or of all files below a folder, with their
    /// names; build products and hidden files do not count.
    pub fn files(mut self, path: &Path) -> Result<Self> {
        for file in files_below(path)? {
            let content =
                fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
            self = self.text(&file.strip_prefix(path)?.to_string_lossy());
            self = self.bytes(&content);
        }
        Ok(self)
    }

    /// The key, as text.
    pub fn finish(self) -> String {
        self.0
            .finalize()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}

/// The files below `path`, sorted; `path` itself where it is a file.
pub fn files_below(path: &Path) -> Result<Vec<PathBuf>> {
    if path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    let entries = fs::read_dir(path).with_context(|| format!("cannot read {}", path.display()))?;
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') || name == "target" || name.ends_with("_generated.rs") {
            continue;
        }
        if entry.file_type()?.is_dir() {
            files.extend(files_below(&entry.path())?);
        } else {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("lab-steps-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        path
    }

    #[test]
    fn a_step_is_done_once_for_a_key() {
        let cache = cache("once");
        let steps = Steps::new(&cache).unwrap();
        let mut runs = 0;
        for key in ["a", "a", "b", "b"] {
            steps
                .step("s", "S", key, |_| {
                    runs += 1;
                    Ok(())
                })
                .unwrap();
        }
        assert_eq!(runs, 2);
        fs::remove_dir_all(cache).unwrap();
    }

    #[test]
    fn a_failed_step_is_done_again() {
        let cache = cache("again");
        let steps = Steps::new(&cache).unwrap();
        steps.step("s", "S", "a", |_| Ok(())).unwrap();
        assert!(steps.step("s", "S", "b", |_| anyhow::bail!("no")).is_err());
        assert!(
            !steps.is_done("s", "a"),
            "a half-done step must not be trusted"
        );
        assert!(!steps.is_done("s", "b"));
        fs::remove_dir_all(cache).unwrap();
    }

    #[test]
    fn an_interrupted_step_leaves_none_of_the_later_ones_done() {
        let cache = cache("later");
        let steps = Steps::new(&cache).unwrap();
        let first = |key, work: fn(&Step) -> Result<()>| {
            steps.step_before(&["second"], "first", "F", key, work)
        };
        first("a", |_| Ok(())).unwrap();
        steps.step("second", "S", "a", |_| Ok(())).unwrap();
        first("a", |_| unreachable!("it is done")).unwrap();
        assert!(steps.is_done("second", "a"), "nothing was removed");
        assert!(first("b", |_| anyhow::bail!("interrupted")).is_err());
        first("a", |_| Ok(())).unwrap();
        assert!(!steps.is_done("second", "a"), "its work was removed");
        fs::remove_dir_all(cache).unwrap();
    }

    #[test]
    fn a_key_sees_names_contents_and_borders() {
        let key = |texts: &[&str]| texts.iter().fold(Key::default(), |k, t| k.text(t)).finish();
        assert_eq!(key(&["ab", "c"]), key(&["ab", "c"]));
        assert_ne!(key(&["ab", "c"]), key(&["a", "bc"]));
    }
}
