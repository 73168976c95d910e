//! The command line.

use std::ffi::OsString;
use std::fs;
use std::io::{ErrorKind, IsTerminal, stdin};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, ensure};
use clap::{Args, Parser, Subcommand};

use crate::fail::Failure;
use crate::setup::image::{self, Image};
use crate::setup::kernel::{self, Kernel};
use crate::setup::{Flavour, Lab, analyzer, clients, debug_kernel, doc, doctor, modules};
use crate::vm::{self, Accel};
use crate::{bench, children, demonstration, tests};

/// Builds, boots, plugs, breaks and measures Rust drivers in the stock Debian
/// kernel.
#[derive(Parser)]
#[command(name = "./lab", bin_name = "./lab", disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    common: Common,
}

/// What every command takes.
#[derive(Args)]
struct Common {
    /// The Debian mirror to use [default: the one that apt uses on this machine]
    #[arg(long, global = true, value_name = "URL")]
    mirror: Option<String>,
    /// A kernel of your own, prepared for Rust modules: a folder with linux/,
    /// stock/, release and cc, as the lab leaves it in its toolchain root
    #[arg(long, global = true, value_name = "DIR")]
    kernel: Option<PathBuf>,
    /// The guest's processors
    #[arg(long, global = true, value_enum, default_value_t = Accel::Tcg)]
    accel: Accel,
}

#[derive(Subcommand)]
enum Command {
    /// The demonstration: modems plugged, uploaded, pulled and removed, beside
    /// the stock C driver
    Run,
    /// Every test: on the host, in the kernel, and the scenarios; with
    /// --debug-kernel also those on a kernel that tells of faults (debug::…)
    #[command(disable_help_flag = true)]
    Test {
        /// --debug-kernel, and options of the test harness (see './lab test --help')
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// The modules only, left in target/modules/<kernel release>, and
    /// rust-project.json for rust-analyzer
    Build,
    /// What is measured beside C: the thread library, and the modem drivers
    #[command(subcommand)]
    Bench(bench::What),
    /// The documentation, left in target/doc: that of the crates, and the book
    Doc,
    /// An interactive virtual machine with the modules and the emulated modems
    /// at hand
    Shell,
    /// What is there, what is missing, which versions, and whether the Rust
    /// symbols match
    Doctor,
    /// Removes what was built
    Clean {
        /// The whole cache too: toolchain root, kernel, everything
        #[arg(long)]
        all: bool,
    },
    /// In the guest: plugs one emulated modem, until this command is ended
    #[command(hide = true)]
    Modem(crate::guest::by_hand::Arguments),
}

/// Does what the command line says.
pub fn run() -> Result<ExitCode> {
    let cli = Cli::parse_from(common_first(std::env::args_os()));
    if let Command::Modem(arguments) = &cli.command {
        return crate::guest::by_hand::run(arguments).map(|()| ExitCode::SUCCESS);
    }
    children::kill_all_on_interrupt();
    let lab = Lab::from_environment(cli.common.kernel)?;
    let _alone = match &cli.command {
        Command::Doctor => None,
        Command::Test { arguments } if arguments.iter().any(|word| asks_for_help(word)) => None,
        // `./lab` has locked the cache, and this process has its lock.
        _ if std::env::var_os("THREADLINE_ALONE").is_some() => None,
        _ => Some(lab.alone()?),
    };
    vm::tidy_up();
    let result = perform(&lab, cli.command, cli.common.accel);
    lab.give_back();
    result
}

/// Whether `word` is the option that asks for help.
pub fn asks_for_help(word: &str) -> bool {
    ["-h", "--help"].contains(&word)
}

/// The command line with the common options right behind the program's name: behind `test`, they
/// would be taken for the test harness's.
fn common_first(words: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut words = words.into_iter();
    let mut first: Vec<_> = words.next().into_iter().collect();
    let mut rest = Vec::new();
    while let Some(word) = words.next() {
        let text = word.to_string_lossy().into_owned();
        let (name, value) = text.split_once('=').unzip();
        if !["--mirror", "--kernel", "--accel"].contains(&name.unwrap_or(&text)) {
            rest.push(word);
            continue;
        }
        first.push(word);
        if value.is_none() {
            let Some(value) = words.next() else {
                // The next word must not be taken for it: there is none, then.
                return first;
            };
            first.push(value);
        }
    }
    first.append(&mut rest);
    first
}

fn perform(lab: &Lab, command: Command, accel: Accel) -> Result<ExitCode> {
    match command {
        Command::Run => {
            let (kernel, image) = ready(lab)?;
            demonstration::show(lab, &kernel, &image, accel)
        }
        Command::Test { arguments } => tests::run(lab, accel, &arguments),
        Command::Bench(what) => {
            let (_, image) = ready(lab)?;
            bench::run(lab, &image, accel, what)
        }
        Command::Build => {
            let _lock = lab.lock()?;
            let kernel = kernel::set_up(lab)?;
            let folder = modules::build(lab, &kernel)?;
            analyzer::write(lab, &kernel)?;
            println!("{}", folder.display());
            Ok(ExitCode::SUCCESS)
        }
        Command::Doc => {
            let _lock = lab.lock()?;
            let kernel = kernel::set_up(lab)?;
            let folder = doc::make(lab, &kernel)?;
            println!("{}", folder.join("book/index.html").display());
            println!("{}", folder.join("kthread/index.html").display());
            Ok(ExitCode::SUCCESS)
        }
        Command::Shell => {
            let todo = "start it from one; './lab run' and './lab test' need none";
            ensure!(
                stdin().is_terminal(),
                Failure::new("the shell needs a terminal", todo)
            );
            let (_, image) = ready(lab)?;
            vm::shell(&image, accel).map(|()| ExitCode::SUCCESS)
        }
        Command::Doctor => Ok(if doctor::examine(lab)? {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }),
        Command::Clean { all } => clean(lab, all),
        Command::Modem(_) => unreachable!("handled above"),
    }
}

/// The whole set-up.
pub fn ready(lab: &Lab) -> Result<(Kernel, Image)> {
    let _lock = lab.lock()?;
    let kernel = kernel::set_up(lab)?;
    let folder = modules::build(lab, &kernel)?;
    let image = image::make(lab, &kernel, &folder)?;
    Ok((kernel, image))
}

/// The image of the whole set-up with Debian's clients of a modem in it, too.
pub fn with_clients(lab: &Lab, image: &Image) -> Result<Image> {
    let _lock = lab.lock()?;
    clients::add(lab, image)
}

/// The same for the debug kernel, which is made from the source of `stock`, with Debian's clients.
///
/// It takes minutes, and nobody else makes or changes what is made here: so it does not keep
/// others from their set-up.
pub fn ready_debug(lab: &Lab, stock: &Kernel) -> Result<(Kernel, Image)> {
    let kernel = debug_kernel::set_up(lab, stock)?;
    let folder = modules::build(lab, &kernel)?;
    let image = image::make(lab, &kernel, &folder)?;
    let image = with_clients(lab, &image)?;
    Ok((kernel, image))
}

fn clean(lab: &Lab, all: bool) -> Result<ExitCode> {
    remove(&lab.source.join("target"))?;
    if all {
        // A root that is removed by half must not be taken for whole.
        let going = lab.cache.join("removed");
        remove(&going)?;
        match fs::rename(lab.root.host("/"), &going) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
            _ => remove(&lab.cache)?,
        }
        return Ok(ExitCode::SUCCESS);
    }
    // The gallery is built where the modules are.
    for step in ["host-tests", "gallery"] {
        lab.steps.forget(step);
    }
    remove(&lab.root.host("/src/host/target"))?;
    for flavour in [Flavour::Stock, Flavour::Debug] {
        for step in ["modules", "image-base", "image"] {
            lab.steps.forget(&flavour.step(step));
        }
        for build in ["build", "image"] {
            remove(&lab.root.host(&flavour.inside(build)))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Removes a folder, if there is one.
fn remove(folder: &Path) -> std::io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod cases {
    use nix::fcntl::{Flock, FlockArg};

    use super::*;
    use crate::root::Root;
    use crate::steps::Steps;

    fn lab(name: &str) -> Lab {
        let base = std::env::temp_dir().join(format!("lab-clean-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&base);
        let cache = base.join("cache");
        fs::create_dir_all(cache.join("root-1/src/build/kernel/gallery")).unwrap();
        Lab {
            source: base,
            root: Root::new(cache.join("root-1")),
            steps: Steps::new(&cache).unwrap(),
            cache,
            own_kernel: None,
        }
    }

    #[test]
    fn what_was_cleaned_is_built_again() {
        let lab = lab("build");
        let steps = ["modules", "image", "debug-modules", "gallery", "host-tests"];
        for step in steps {
            lab.steps.step(step, step, "key", |_| Ok(())).unwrap();
        }
        clean(&lab, false).unwrap();
        assert!(!lab.root.host("/src/build").exists());
        for step in steps {
            assert!(!lab.steps.is_done(step, "key"), "{step} counts as done");
        }
        fs::remove_dir_all(&lab.source).unwrap();
    }

    #[test]
    fn all_goes_where_an_earlier_removal_was_interrupted() {
        let lab = lab("all");
        fs::create_dir_all(lab.cache.join("removed/src")).unwrap();
        clean(&lab, true).unwrap();
        assert!(!lab.cache.exists());
        fs::remove_dir_all(&lab.source).unwrap();
    }

    #[test]
    fn a_cache_has_one_lab_at_a_time() {
        let lab = lab("alone");
        let held = || {
            let file = fs::File::create(lab.cache.join("busy")).unwrap();
            Flock::lock(file, FlockArg::LockExclusiveNonblock).is_err()
        };
        let alone = lab.alone().unwrap();
        assert!(held());
        drop(alone);
        assert!(!held());
        fs::remove_dir_all(&lab.source).unwrap();
    }

    #[test]
    fn a_common_option_at_the_end_asks_for_its_value() {
        for line in [
            "lab test stop:: --accel",
            "lab run --accel",
            "lab run --mirror",
        ] {
            let words = common_first(line.split(' ').map(OsString::from));
            let error = Cli::try_parse_from(words).map(drop).unwrap_err();
            assert!(error.to_string().contains("a value is required"), "{error}");
        }
    }

    #[test]
    fn every_command_takes_the_common_options_anywhere() {
        let parsed = |line: &str| {
            let words = common_first(line.split(' ').map(OsString::from));
            let cli = Cli::try_parse_from(words).map_err(|error| error.to_string());
            let cli = cli.unwrap_or_else(|error| panic!("{line}: {error}"));
            let Command::Test { arguments } = cli.command else {
                panic!("{line}: another command")
            };
            (cli.common.accel == Accel::Kvm, arguments.join(" "))
        };
        for (line, expected) in [
            ("lab test stop::", (false, "stop::")),
            ("lab test stop:: --accel kvm", (true, "stop::")),
            ("lab test --exact --accel=kvm a", (true, "--exact a")),
            (
                "lab test --debug-kernel --accel kvm",
                (true, "--debug-kernel"),
            ),
            ("lab --accel kvm test --help", (true, "--help")),
        ] {
            assert_eq!(parsed(line), (expected.0, expected.1.to_owned()), "{line}");
        }
    }
}
