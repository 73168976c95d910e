//! The command line.

use std::fs;
use std::io::{IsTerminal, stdin};
use std::path::PathBuf;
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
    let cli = Cli::parse();
    if let Command::Modem(arguments) = &cli.command {
        return crate::guest::by_hand::run(arguments).map(|()| ExitCode::SUCCESS);
    }
    children::kill_all_on_interrupt();
    let lab = Lab::from_environment(cli.common.kernel)?;
    let result = perform(&lab, cli.command, cli.common.accel);
    lab.give_back();
    result
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

/// The same for the debug kernel, which is made from the source of `stock`.
pub fn ready_debug(lab: &Lab, stock: &Kernel) -> Result<(Kernel, Image)> {
    let _lock = lab.lock()?;
    let kernel = debug_kernel::set_up(lab, stock)?;
    let folder = modules::build(lab, &kernel)?;
    let image = image::make(lab, &kernel, &folder)?;
    Ok((kernel, image))
}

fn clean(lab: &Lab, all: bool) -> Result<ExitCode> {
    let remove = |path: PathBuf| match fs::remove_dir_all(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    };
    remove(lab.source.join("target"))?;
    if all {
        remove(lab.cache.clone())?;
    } else {
        remove(lab.root.host("/src/host/target"))?;
        lab.steps.forget("host-tests");
        for flavour in [Flavour::Stock, Flavour::Debug] {
            for build in ["build", "image"] {
                remove(lab.root.host(&flavour.inside(build)))?;
            }
            for step in ["modules", "image-base", "image"] {
                lab.steps.forget(&flavour.step(step));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
