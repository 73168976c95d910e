//! `./lab test`: the host's tests, the in-kernel tests and the scenarios behind
//! one harness, so that names, filters and `--list` work as they do for
//! `cargo test`.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result};
use libtest_mimic::{Arguments, Failed, Trial};

use crate::fail::{self, Failure};
use crate::fleet::Fleet;
use crate::gallery::Gallery;
use crate::guest::{costs, scenarios};
use crate::protocol::{Breakage, Job};
use crate::setup::image::Image;
use crate::setup::kernel::Kernel;
use crate::setup::{Flavour, Lab, debug_kernel};
use crate::vm::{Accel, Vm};
use crate::{bench, commands, parity};

mod debug;
mod host;
mod junit;
mod memory;
mod panics;
mod quotes;
mod script;
mod shell;
mod sources;

/// A scenario that says nothing for so long hangs.
const SILENCE: Duration = Duration::from_secs(300);

/// One test's outcome, for the report.
struct Record {
    name: String,
    took: Duration,
    failure: Option<String>,
}

/// Makes a kernel and what to boot it from; where it fails, it tells why.
type Make = Box<dyn Fn() -> Option<(Kernel, Image)> + Send + Sync>;

/// What the tests of one image share.
struct Ground {
    make: Make,
    /// What it has made, for the first who asked.
    made: OnceLock<Option<(Kernel, Image)>>,
    fleet: Arc<Fleet>,
    records: Arc<Mutex<Vec<Record>>>,
}

/// What the test harness, whose help follows, knows nothing of.
const ABOVE_THE_HELP: &str = "\
./lab test [--debug-kernel] [--mirror URL] [--kernel DIR] [--accel KIND], and what follows

  --debug-kernel    also the tests on a kernel of our own that tells of faults (debug::…);
                    where there is none yet, it is built: 6 to 10 minutes on two processors
";

/// Asks for the debug kernel's tests too.
const WITH_DEBUG_KERNEL: &str = "--debug-kernel";

/// Runs the tests that `arguments` (those of a Rust test program) select.
pub fn run(lab: &Lab, accel: Accel, arguments: &[String]) -> Result<ExitCode> {
    let (with_debug_kernel, arguments): (Vec<_>, Vec<_>) = arguments
        .iter()
        .map(String::as_str)
        .partition(|argument| *argument == WITH_DEBUG_KERNEL);
    if arguments.iter().any(|word| commands::asks_for_help(word)) {
        println!("{ABOVE_THE_HELP}");
    }
    let mut arguments = Arguments::from_iter(std::iter::once("./lab test").chain(arguments));
    let side_by_side = arguments.test_threads.unwrap_or_else(machines_here).max(1);
    arguments.test_threads = Some(side_by_side);
    let (kernel, image) = set_up(lab)?;
    let fleet = Arc::new(Fleet::new(side_by_side, accel, lab.cache.join("log")));
    let ground = Arc::new(Ground {
        make: ready_made(&kernel, &image),
        made: OnceLock::new(),
        fleet: Arc::clone(&fleet),
        records: Arc::default(),
    });
    let cases = kernel_test_names(lab, &kernel.release)?;
    let mut trials = stock_tests(lab, &kernel, &image, &cases, &ground)?;
    let mut debug = None;
    if !with_debug_kernel.is_empty() {
        debug_kernel::check(lab)?;
        let ground = Arc::new(ground.beside(debug_made(lab, &kernel)));
        trials.extend(debug::trials(lab, &cases, &ground)?);
        debug = Some(ground);
    }
    trials.push(sources::book_test(lab, &ground, &trials));
    let listing = arguments.list;
    if let (Some(debug), false) = (debug.clone(), listing) {
        // It takes minutes in which the other tests can go on.
        thread::spawn(move || debug.made().is_ok());
    }
    let started = SystemTime::now();
    let conclusion = libtest_mimic::run(&arguments, trials);
    if listing {
        return Ok(ExitCode::SUCCESS);
    }
    if conclusion.num_passed + conclusion.num_failed == 0 {
        let todo = "'./lab test --list' names them all";
        return Err(Failure::new(nothing_selected(&arguments), todo).into());
    }
    fleet.power_off();
    if let Some(debug) = debug {
        // Also where no test has asked for it.
        debug.made()?;
    }
    let report = lab.source.join("target/test-results.xml");
    junit::write(&report, started, &ground.records.lock().unwrap())?;
    println!("JUnit XML: {}", report.display());
    let lost = fleet.lost();
    if lost > 0 {
        println!("{lost} machines died of known faults of the emulation and were replaced.");
    }
    println!(
        "{} passed, {} failed",
        conclusion.num_passed, conclusion.num_failed
    );
    Ok(if conclusion.has_failed() {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// The whole set-up, and beside it the programs of the host's tests: neither keeps all processors
/// busy.
fn set_up(lab: &Lab) -> Result<(Kernel, Image)> {
    let beside = lab.clone();
    let host_tests = thread::spawn(move || host::build(&beside));
    let ready = commands::ready(lab)?;
    let built = host_tests.join();
    built.unwrap_or_else(|panic| resume_unwind(panic))?;
    Ok(ready)
}

/// The tests on the host and on the stock kernel, `kernel`.
fn stock_tests(
    lab: &Lab,
    kernel: &Kernel,
    image: &Image,
    cases: &[String],
    ground: &Arc<Ground>,
) -> Result<Vec<Trial>> {
    let mut trials = host::trials(lab, ground)?;
    trials.extend(sources::trials(lab, kernel, ground));
    trials.extend(script::trials(lab, ground));
    trials.extend(lab_tests(ground));
    trials.push(shell_test(lab, ground));
    trials.extend(kernel_tests(cases, ground));
    trials.extend(
        scenarios::names()?
            .into_iter()
            .chain(scenarios::names_with_outside().map(str::to_owned))
            .map(|name| vm_trial(ground, format!("scenario::{name}"), Job::Scenario(name))),
    );
    let with_clients = commands::with_clients(lab, image)?;
    let clients = Arc::new(ground.beside(ready_made(kernel, &with_clients)));
    trials.extend(scenarios::names_with_clients().map(|name| {
        let job = Job::Scenario(name.to_owned());
        vm_trial(&clients, format!("clients::{name}"), job)
    }));
    trials.push(parity_test(lab, ground));
    let gallery = Arc::new(Gallery::new(lab, kernel, image, &ground.fleet));
    trials.extend(gallery_tests(lab, ground, &gallery)?);
    Ok(trials)
}

/// What is there already.
fn ready_made(kernel: &Kernel, image: &Image) -> Make {
    let made = (kernel.clone(), image.clone());
    Box::new(move || Some(made.clone()))
}

/// The debug kernel, made from the source of `stock` while others work.
fn debug_made(lab: &Lab, stock: &Kernel) -> Make {
    let (lab, stock) = (lab.beside(), stock.clone());
    Box::new(move || {
        let ready = commands::ready_debug(&lab, &stock);
        ready.inspect_err(fail::report).ok()
    })
}

/// What to say where `arguments` leave no test.
fn nothing_selected(arguments: &Arguments) -> String {
    match &arguments.filter {
        None => "these options leave no test".to_owned(),
        Some(name) if arguments.exact => {
            format!("no test that these options leave is named {name:?}")
        }
        Some(part) => format!("no test that these options leave has {part:?} in its name"),
    }
}

/// What `work` fails with; a panic is a failure too.
fn failure_of(work: impl FnOnce() -> Result<()>) -> Option<String> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result.err().map(|error| format!("{error:#}")),
        Err(panic) => {
            let words = panic.downcast_ref::<String>().map(String::as_str);
            let words = words.or_else(|| panic.downcast_ref::<&str>().copied());
            Some(format!("panicked: {}", words.unwrap_or("without words")))
        }
    }
}

impl Ground {
    /// The same for another image.
    fn beside(&self, make: Make) -> Self {
        Self {
            make,
            made: OnceLock::new(),
            fleet: Arc::clone(&self.fleet),
            records: Arc::clone(&self.records),
        }
    }

    /// What there is to test with; waits until it is there.
    fn made(&self) -> Result<&(Kernel, Image)> {
        let made = self.made.get_or_init(&self.make).as_ref();
        made.context("there is no kernel to test with; why is told above")
    }

    fn image(&self) -> Result<&Image> {
        self.made().map(|(_, image)| image)
    }

    fn kernel(&self) -> Result<&Kernel> {
        self.made().map(|(kernel, _)| kernel)
    }

    /// A trial that keeps a record of itself.
    fn trial(
        self: &Arc<Self>,
        name: String,
        work: impl FnOnce(&Self) -> Result<()> + Send + 'static,
    ) -> Trial {
        let (ground, recorded) = (Arc::clone(self), name.clone());
        Trial::test(name, move || {
            let started = Instant::now();
            let failure = failure_of(|| work(&ground));
            let record = Record {
                name: recorded,
                took: started.elapsed(),
                failure: failure.clone(),
            };
            ground.records.lock().unwrap().push(record);
            failure.map_or(Ok(()), |failure| Err(Failed::from(failure)))
        })
    }

    /// Does `job` in a machine.
    fn in_vm(&self, job: &Job, silence: Duration) -> Result<()> {
        self.with_vm(|vm| vm.run(job, silence, |_| {}).map(drop))
    }

    /// As [`Self::in_vm`], for work that is more than one job.
    fn with_vm(&self, work: impl Fn(&mut Vm) -> Result<()>) -> Result<()> {
        self.fleet.run(self.image()?, work)
    }
}

/// What a machine takes of the host's memory, in KiB: the debug kernel's 2 GiB, and QEMU itself.
const MACHINE_MEMORY: usize = 2_500_000;

/// How many machines are best run side by side: more than processors, for tests wait more than
/// they compute.
fn machines_here() -> usize {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let enough = processors + processors.div_ceil(2);
    let memory = memory::available(Path::new("/"));
    enough.min(memory / MACHINE_MEMORY).max(1)
}

/// Our modules beside the stock C ones, as a user sees them.
fn parity_test(lab: &Lab, ground: &Arc<Ground>) -> Trial {
    let lab = lab.clone();
    ground.trial("parity::with_the_c_modules".to_owned(), move |ground| {
        ground.with_vm(|vm| parity::check(&lab, ground.kernel()?, vm, SILENCE))
    })
}

/// That the lab notices a guest that breaks, and says what it saw.
fn lab_tests(ground: &Arc<Ground>) -> Vec<Trial> {
    let broken = [
        (
            "guest_that_panics",
            Breakage::Panic,
            SILENCE,
            "the guest died",
        ),
        (
            "guest_that_hangs",
            Breakage::Hang,
            Duration::from_secs(5),
            "the guest hangs",
        ),
        (
            "kernel_that_reports",
            Breakage::Report,
            SILENCE,
            "WARNING: written by a test",
        ),
    ];
    let trial = |(name, breakage, silence, expected)| {
        ground.trial(
            format!("lab::vm::{name}_is_noticed"),
            move |ground: &Ground| {
                let Err(error) = ground.in_vm(&Job::Break(breakage), silence) else {
                    anyhow::bail!("nobody noticed");
                };
                let said = error.to_string();
                anyhow::ensure!(said.contains(expected), "it said: {said}");
                anyhow::ensure!(
                    said.lines().count() > 1,
                    "it showed no line of the console or the log: {said}"
                );
                Ok(())
            },
        )
    };
    let sleep = ground.trial(
        "lab::vm::late_processor_halts_as_the_machine_wakes_up".to_owned(),
        |ground| ground.with_vm(late_processor_halts),
    );
    let measures = ground.trial("lab::bench::kthread_measures".to_owned(), |ground| {
        ground.with_vm(bench::kthread::try_out)
    });
    let costs = costs::Part::ALL.map(|part| {
        let name = format!("lab::bench::usbatm_measures::{}", part.name());
        ground.trial(name, move |ground| {
            ground.with_vm(|vm| bench::usbatm::try_out(vm, part))
        })
    });
    let stops = ground.trial("lab::bench::usbatm_measures::stops".to_owned(), |ground| {
        ground.with_vm(bench::usbatm::stops::try_out)
    });
    let measures = [measures, stops].into_iter().chain(costs);
    let broken = broken.into_iter().map(trial);
    broken.chain([sleep]).chain(measures).collect()
}

/// That the terminal is left as it was found.
fn shell_test(lab: &Lab, ground: &Arc<Ground>) -> Trial {
    let lab = lab.clone();
    let name = "lab::shell::gives_the_terminal_back_when_the_lab_is_ended";
    ground.trial(name.to_owned(), move |_| {
        shell::gives_the_terminal_back(&lab)
    })
}

/// Looks after a wake-up at what the firmware has left for a processor that comes late.
fn late_processor_halts(vm: &mut Vm) -> Result<()> {
    let sleep = Job::Scenario("power::sleep_of_a_running_modem".to_owned());
    vm.run(&sleep, SILENCE, |_| {})?;
    anyhow::ensure!(vm.halts_who_is_late()?, "it runs into whatever is there");
    Ok(())
}

/// What the gallery of misuse shows: first that Rust does not go wrong, in a guest in which
/// nothing has, then what C does.
fn gallery_tests(lab: &Lab, ground: &Arc<Ground>, gallery: &Arc<Gallery>) -> Result<Vec<Trial>> {
    let cases = Gallery::cases(&lab.source)?;
    let cures = cases.iter().map(|case| {
        let (gallery, case) = (Arc::clone(gallery), case.clone());
        let name = format!("gallery::{}::rust", case.name);
        ground.trial(name, move |_| gallery.rust(&case))
    });
    let mut trials: Vec<_> = cures.collect();
    trials.extend(cases.iter().map(|case| {
        let (gallery, case) = (Arc::clone(gallery), case.clone());
        let name = format!("gallery::{}::c", case.name);
        ground.trial(name, move |_| gallery.bug(&case))
    }));
    Ok(trials)
}

fn vm_trial(ground: &Arc<Ground>, name: String, job: Job) -> Trial {
    ground.trial(name, move |ground| ground.in_vm(&job, SILENCE))
}

/// The in-kernel tests of these names.
fn kernel_tests(cases: &[String], ground: &Arc<Ground>) -> Vec<Trial> {
    let trial = |(index, name): (usize, &String)| {
        let (title, name) = (format!("kthread::{name}"), name.clone());
        vm_trial(ground, title, Job::KernelTest { index, name })
    };
    cases.iter().enumerate().map(trial).collect()
}

/// The names of the in-kernel tests as the test module itself lists them, in the order of their
/// numbers. They are the same for each kernel.
fn kernel_test_names(lab: &Lab, release: &str) -> Result<Vec<String>> {
    let image = Flavour::Stock.inside("image");
    let listed = lab.root.output(
        r#"modinfo -F case "$1/base/lib/modules/$2/updates/kthread_test.ko""#,
        &[&image, release],
    )?;
    Ok(listed.lines().map(str::to_owned).collect())
}

#[cfg(test)]
mod cases {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn a_panic_is_a_failure_with_words() {
        assert_eq!(failure_of(|| Ok(())), None);
        assert_eq!(failure_of(|| anyhow::bail!("no")).as_deref(), Some("no"));
        let number = 7;
        let failure = failure_of(|| panic!("number {number}"));
        assert_eq!(failure.as_deref(), Some("panicked: number 7"));
    }

    #[test]
    fn a_kernel_that_cannot_be_made_is_tried_once_and_fails_its_tests() {
        let tries = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&tries);
        let ground = Ground {
            make: Box::new(move || {
                counted.fetch_add(1, Ordering::Relaxed);
                None
            }),
            made: OnceLock::new(),
            fleet: Arc::new(Fleet::new(1, Accel::Tcg, std::env::temp_dir())),
            records: Arc::default(),
        };
        for _ in 0..2 {
            let error = ground.in_vm(&Job::Leaks, SILENCE).unwrap_err().to_string();
            assert!(error.contains("no kernel to test with"), "{error}");
        }
        assert_eq!(tries.load(Ordering::Relaxed), 1);
    }
}
