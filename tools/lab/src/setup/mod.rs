//! The set-up: from the toolchain root to a guest that boots with our modules.
//!
//! [`kernel`] brings the stock kernel and what is needed to build Rust modules
//! for it, [`debug_kernel`] one that tells of faults; [`modules`] builds the
//! modules for either, [`image`] makes what the guest boots from.

pub mod analyzer;
pub mod clients;
pub mod debug_kernel;
pub mod doc;
pub mod doctor;
pub mod examples;
pub mod gallery;
mod host_controller;
pub mod image;
pub mod kernel;
pub mod modules;
mod own_kernel;

use std::fs::File;
use std::os::unix::fs::lchown;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use crate::root::Root;
use crate::steps::Steps;

/// The Debian release of the toolchain root, and its suite of newer kernels.
pub const SUITE: &str = "trixie";
/// The series of the stock kernel that the modules are built for.
pub const SERIES: &str = "7.3";

/// The kernels that the guest can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavour {
    /// Debian's, as it comes.
    Stock,
    /// One from the same source that tells of faults.
    Debug,
}

impl Flavour {
    /// Where what belongs to this kernel is, as a path in the toolchain root.
    pub fn inside(self, folder: &str) -> String {
        match self {
            Self::Stock => format!("/src/{folder}"),
            Self::Debug => format!("/src/debug/{folder}"),
        }
    }

    /// The name of one of this kernel's steps.
    pub fn step(self, name: &str) -> String {
        match self {
            Self::Stock => name.to_owned(),
            Self::Debug => format!("debug-{name}"),
        }
    }

    /// The title of one of this kernel's steps.
    pub fn title(self, title: &str) -> String {
        match self {
            Self::Stock => title.to_owned(),
            Self::Debug => format!("Debug kernel: {title}"),
        }
    }
}

/// Where everything is.
#[derive(Clone)]
pub struct Lab {
    /// The checkout.
    pub source: PathBuf,
    /// The cache, which holds all that is not in the checkout.
    pub cache: PathBuf,
    /// The toolchain root.
    pub root: Root,
    /// The steps of this run.
    pub steps: Steps,
    /// A prepared kernel of the user's own, in place of the stock one.
    pub own_kernel: Option<PathBuf>,
}

impl Lab {
    /// The lab that `./lab` has handed over to, told by the environment.
    pub fn from_environment(own_kernel: Option<PathBuf>) -> Result<Self> {
        let path = |name: &str| {
            let value = std::env::var_os(name);
            value
                .map(PathBuf::from)
                .with_context(|| format!("{name} is not set: start the lab by ./lab"))
        };
        let cache = path("THREADLINE_CACHE")?;
        Ok(Self {
            source: path("THREADLINE_SOURCE")?,
            root: Root::new(path("THREADLINE_ROOT")?),
            steps: Steps::new(&cache)?,
            cache,
            own_kernel,
        })
    }

    /// The same lab for a thread that works while others do what the user waits for.
    pub fn beside(&self) -> Self {
        Self {
            root: self.root.nice(),
            steps: self.steps.beside(),
            ..self.clone()
        }
    }

    /// One lab at a time in one cache: waits for the other. `./lab` takes the same lock.
    pub fn alone(&self) -> Result<Flock<File>> {
        let file = File::create(self.cache.join("busy"))?;
        let lock = Flock::lock(file, FlockArg::LockExclusiveNonblock).or_else(|(file, error)| {
            if error != Errno::EWOULDBLOCK {
                return Err((file, error));
            }
            eprintln!(
                "  … waiting for another ./lab that uses {} (THREADLINE_CACHE sets another place)",
                self.cache.display()
            );
            Flock::lock(file, FlockArg::LockExclusive)
        });
        lock.map_err(|(_, error)| error)
            .context("cannot lock the cache")
    }

    /// One set-up at a time: the tests of one lab run side by side.
    pub fn lock(&self) -> Result<Flock<File>> {
        let file = File::create(self.cache.join("lock"))?;
        Flock::lock(file, FlockArg::LockExclusive)
            .map_err(|(_, error)| error)
            .context("cannot lock the cache")
    }

    /// Under sudo, what the lab left in the checkout belongs to who called it.
    pub fn give_back(&self) {
        let id = |name| std::env::var(name).ok()?.parse::<u32>().ok();
        let (user, group) = (id("SUDO_UID"), id("SUDO_GID"));
        if user.is_none() {
            return;
        }
        for made in ["target", "rust-project.json", analyzer::GENERATED] {
            // It may not have been made; and it is a courtesy, not a condition.
            let _ = give(&self.source.join(made), user, group);
        }
    }
}

/// Gives `path`, and all below it, to a user.
fn give(path: &Path, user: Option<u32>, group: Option<u32>) -> std::io::Result<()> {
    lchown(path, user, group)?;
    if path.is_dir() && !path.is_symlink() {
        for entry in path.read_dir()? {
            give(&entry?.path(), user, group)?;
        }
    }
    Ok(())
}
