//! The tests of the gallery of misuse, `kernel/gallery`.
//!
//! Of each case, `gallery::NAME::c` passes when the C module is seen to go
//! wrong in the way that `bug.log` shows, and `gallery::NAME::rust` when the
//! same in Rust does not compile, in the words that `misuse.stderr` has, or
//! runs to its end.

mod log;
mod words;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::fail::Failure;
use crate::fleet::{After, Care, Fleet};
use crate::protocol::{Job, Purpose};
use crate::setup::image::Image;
use crate::setup::kernel::Kernel;
use crate::setup::{Lab, gallery};
use crate::vm::Vm;

/// What does not go wrong for so long does not go wrong. Only a failure waits for it.
const PATIENCE: Duration = Duration::from_secs(90);
/// A cure that says nothing for so long hangs.
const SILENCE: Duration = Duration::from_secs(120);
/// How many lines of the console a failure shows.
const SHOWN: usize = 60;
/// When set, what the compiler says now is what it shall say from now on.
const BLESS: &str = "THREADLINE_BLESS";

/// The gallery, which is built when the first of its tests runs.
pub struct Gallery {
    lab: Lab,
    kernel: Kernel,
    image: Image,
    fleet: Arc<Fleet>,
    built: Mutex<Option<Image>>,
}

/// A case: a folder below `kernel/gallery`.
#[derive(Clone)]
pub struct Case {
    folder: PathBuf,
    /// Its name, that of the folder.
    pub name: String,
    crashes: bool,
}

impl Case {
    fn new(folder: PathBuf) -> Result<Self> {
        let name = folder.file_name().context("a case without a name")?;
        let log = fs::read_to_string(folder.join("bug.log")).unwrap_or_default();
        Ok(Self {
            name: name.to_string_lossy().into_owned(),
            crashes: log::is_crash(&log),
            folder,
        })
    }

    fn read(&self, file: &str) -> Result<String> {
        let path = self.folder.join(file);
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
    }

    fn has(&self, file: &str) -> bool {
        self.folder.join(file).exists()
    }
}

impl Gallery {
    /// The gallery of the checkout, to be shown in machines of `fleet`.
    pub fn new(lab: &Lab, kernel: &Kernel, image: &Image, fleet: &Arc<Fleet>) -> Self {
        Self {
            lab: lab.clone(),
            kernel: kernel.clone(),
            image: image.clone(),
            fleet: Arc::clone(fleet),
            built: Mutex::default(),
        }
    }

    /// Its cases, those that leave a guest alive first: they share one.
    pub fn cases(source: &Path) -> Result<Vec<Case>> {
        let cases = gallery::cases(source)?.into_iter().map(Case::new);
        let mut cases = cases.collect::<Result<Vec<_>>>()?;
        cases.sort_by_key(|case| case.crashes);
        Ok(cases)
    }

    /// Sees the C module of `case` go wrong.
    pub fn bug(&self, case: &Case) -> Result<()> {
        let expected = log::Expected::parse(&case.read("bug.log")?);
        ensure!(!expected.is_empty(), "bug.log expects nothing");
        let job = Job::Script {
            lines: case.read("bug.sh")?,
            purpose: Purpose::Misuse,
        };
        self.fleet.attempt(&self.build()?, Care::Any, |vm| {
            let begin = vm.console_length()?;
            // The guest may die before it has said that it began: what the console shows counts.
            let begun = vm.run(&job, SILENCE, |_| {}).map(drop);
            let said = watch(vm, begin, &expected).or_else(|error| begun.and(Err(error)))?;
            let is_over = log::is_crash(&said) || vm.is_over();
            Ok(if is_over { After::Dies } else { After::Spoilt })
        })
    }

    /// Sees that the compiler refuses `case` in Rust, or that it runs to its end.
    pub fn rust(&self, case: &Case) -> Result<()> {
        let (misuse, cure) = (case.has("misuse.rs"), case.has("cure.rs"));
        ensure!(misuse || cure, "there is no Rust in it");
        let image = self.build()?;
        if misuse {
            self.misuse(case)?;
        }
        if cure {
            let job = Job::Script {
                lines: case.read("cure.sh")?,
                purpose: Purpose::Cure,
            };
            let cure = |vm: &mut Vm| vm.run(&job, SILENCE, |_| {}).map(drop);
            self.fleet.run(&image, cure)?;
        }
        Ok(())
    }

    fn misuse(&self, case: &Case) -> Result<()> {
        let said = words::plain(&gallery::words(&self.lab, &case.name)?);
        let file = case.folder.join("misuse.stderr");
        if std::env::var_os(BLESS).is_some() {
            return Ok(fs::write(file, said)?);
        }
        let kept = case.read("misuse.stderr")?;
        ensure!(
            said == kept,
            "the compiler says\n{said}\nwhere {} has\n{kept}\n{BLESS}=1 keeps the new words",
            file.display()
        );
        Ok(())
    }

    fn build(&self) -> Result<Image> {
        let mut built = self.built.lock().unwrap();
        if built.is_none() {
            *built = Some(gallery::build(&self.lab, &self.kernel, &self.image)?);
        }
        built.clone().context("no image")
    }
}

/// Waits until the console shows what is expected; returns all that it said.
fn watch(vm: &mut Vm, begin: u64, expected: &log::Expected) -> Result<String> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let over = vm.is_over() || Instant::now() >= deadline;
        if over {
            // Its last words may still be on their way.
            std::thread::sleep(Duration::from_millis(200));
        }
        let said = vm.console_since(begin)?;
        if expected.is_in(&said) {
            return Ok(said);
        }
        if over {
            let lines: Vec<_> = said.lines().map(str::to_owned).collect();
            let newest = lines.len().saturating_sub(SHOWN);
            return Err(Failure::new(
                "what went wrong is not what bug.log has",
                "the end of what the console said is above",
            )
            .detail(lines[newest..].iter().cloned())
            .into());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}
