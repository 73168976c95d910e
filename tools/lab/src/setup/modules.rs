//! Builds the modules in `kernel/` against the prepared kernel.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::kernel::Kernel;
use super::{Lab, host_controller};
use crate::fail::Failure;
use crate::root::Root;
use crate::steps::{Key, Step, files_below};

/// Where the modules are built for the stock kernel, in the toolchain root.
pub const BUILD: &str = "/src/build";
/// Where they are built with clippy, which shares nothing with a real build.
const LINT: &str = "/src/lint";
/// The folders that the kernel build sees.
pub(super) const SOURCES: [&str; 2] = ["kernel", "wire"];

/// $1: the kernel's tree, $2: its release, $3: where the modules are built.
const MAKE: &str = r#"
make -C "$1" -j"$(nproc)" CC="$(cat "$1/../cc")" HOSTCC=gcc-14 KERNELRELEASE="$2" M="$3/kernel" modules
"#;

/// What clippy says comes only of what it compiles, so everything is compiled again.
const LINT_ALL: &str = r#"
find /src/lint -name '*.o' -delete
make -C "$1" -j"$(nproc)" CC="$(cat "$1/../cc")" HOSTCC=gcc-14 KERNELRELEASE="$2" M=/src/lint/kernel CLIPPY=1 \
    MODULES='$(all-modules) $(gallery)' modules 2>&1 |
    sed -n '/^\(warning\|error\)/,/^$/p'
"#;

/// Builds the modules and leaves them in the checkout, at
/// `target/modules/<kernel release>`; returns that folder.
pub fn build(lab: &Lab, kernel: &Kernel) -> Result<PathBuf> {
    let target = lab.source.join("target/modules").join(&kernel.release);
    let mut key = Key::default()
        .text(&kernel.key)
        .text(MAKE)
        .text(&target.to_string_lossy());
    key = host_controller::add_to(key);
    for source in SOURCES {
        key = key.files(&lab.source.join(source))?;
    }
    if !target.join("usbatm.ko").exists() {
        lab.steps.forget(&kernel.flavour.step("modules"));
    }
    lab.steps.step(
        &kernel.flavour.step("modules"),
        &kernel.flavour.title("Modules"),
        &key.finish(),
        |step| make(lab, kernel, step, &target),
    )?;
    Ok(target)
}

/// What clippy and the compiler have to say of the kernel crates below `source`,
/// by the kernel's own lints; nothing is best.
pub fn lint(root: &Root, source: &Path, release: &str) -> Result<String> {
    for folder in SOURCES {
        mirror(&source.join(folder), &root.host(LINT).join(folder))?;
    }
    root.output(LINT_ALL, &[Kernel::TREE, release])
}

fn make(lab: &Lab, kernel: &Kernel, step: &Step, target: &Path) -> Result<()> {
    let build = kernel.flavour.inside("build");
    for source in SOURCES {
        mirror(
            &lab.source.join(source),
            &lab.root.host(&build).join(source),
        )?;
    }
    host_controller::write(
        step,
        &lab.root.host(Kernel::TREE),
        &lab.root.host(&build).join("kernel/vhci_hcd"),
    )?;
    lab.root
        .run(step, MAKE, &[&kernel.tree(), &kernel.release, &build])
        .map_err(|error| explain(step, error))?;
    for line in said(&fs::read_to_string(step.log())?, &["warning"]) {
        step.print(&line);
    }
    // The build folder may hold modules that are no longer part of the sources.
    let built = lab.root.host(&build).join("kernel");
    let _ = fs::remove_dir_all(target);
    fs::create_dir_all(target)?;
    for line in fs::read_to_string(built.join("modules.order"))?.lines() {
        let module = Path::new(line).with_extension("ko");
        let to = target.join(module.file_name().context("a module without a name")?);
        fs::copy(built.join(&module), &to)
            .with_context(|| format!("cannot write {}", to.display()))?;
    }
    Ok(())
}

/// Makes the sources below `to` equal to those below `from`; what is equal is
/// left alone, so that make sees only what changed, and what make has built stays.
pub(super) fn mirror(from: &Path, to: &Path) -> Result<()> {
    let names = |folder: &Path| -> Result<BTreeSet<PathBuf>> {
        let files = if folder.exists() {
            files_below(folder)?
        } else {
            Vec::new()
        };
        files
            .iter()
            .map(|file| Ok(file.strip_prefix(folder)?.to_owned()))
            .collect()
    };
    let list = to.with_extension("sources");
    let earlier = fs::read_to_string(&list).unwrap_or_default();
    let wanted = names(from)?;
    for gone in earlier
        .lines()
        .map(PathBuf::from)
        .filter(|name| !wanted.contains(name))
    {
        let _ = fs::remove_file(to.join(gone));
    }
    for name in &wanted {
        let (old, new) = (to.join(name), fs::read(from.join(name))?);
        if fs::read(&old).is_ok_and(|old| old == new) {
            continue;
        }
        fs::create_dir_all(old.parent().context("a file without a folder")?)?;
        fs::write(&old, new).with_context(|| format!("cannot write {}", old.display()))?;
    }
    let lines: Vec<_> = wanted.iter().map(|name| name.to_string_lossy()).collect();
    fs::write(list, lines.join("\n"))?;
    Ok(())
}

/// The compiler's own words, then one line.
pub(super) fn explain(step: &Step, error: anyhow::Error) -> anyhow::Error {
    let log = fs::read_to_string(step.log()).unwrap_or_default();
    let said = said(&log, &["error", "ERROR: modpost"]);
    if said.is_empty() {
        return error;
    }
    Failure::new(
        "a module does not build",
        "mend what the compiler says above, then run this again",
    )
    .detail(said)
    .log(step.log())
    .into()
}

/// What the compilers said in a build's log that begins with one of `kinds`, each
/// with the lines that belong to it, and with paths from the checkout's root.
fn said(log: &str, kinds: &[&str]) -> Vec<String> {
    let mut said = Vec::new();
    let mut inside = false;
    for line in log.lines() {
        let is_wanted =
            |kind: &&str| line.starts_with(*kind) || line.contains(&format!(": {kind}: "));
        if kinds.iter().any(is_wanted) {
            inside = true;
        } else if line.is_empty() {
            if inside {
                said.push(String::new());
            }
            inside = false;
        } else if ["error", "warning", "make"]
            .iter()
            .any(|other| line.starts_with(other))
        {
            inside = false;
        }
        if inside {
            said.push(line.replacen("--> ", "--> kernel/", 1));
        }
    }
    said.truncate(80);
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_compilers_say_is_found_whole() {
        let log = "  RUSTC [M] x.o\nwarning: unused\n --> y/y.rs:2:2\n\n\
                   error[E0308]: mismatched\n --> x/x.rs:1:1\n\nmake: *** [x]\n";
        let errors = ["error[E0308]: mismatched", " --> kernel/x/x.rs:1:1", ""];
        assert_eq!(said(log, &["error"]), errors);
        assert_eq!(
            said(log, &["warning"]),
            ["warning: unused", " --> kernel/y/y.rs:2:2", ""]
        );
    }

    #[test]
    fn a_mirror_drops_what_is_gone_and_keeps_what_was_built() {
        let base = std::env::temp_dir().join(format!("lab-mirror-{}", std::process::id()));
        let (from, to) = (base.join("from"), base.join("to"));
        fs::create_dir_all(&from).unwrap();
        fs::write(from.join("a.rs"), "a").unwrap();
        fs::write(from.join("b.rs"), "b").unwrap();
        mirror(&from, &to).unwrap();
        fs::write(to.join("a.o"), "built").unwrap();
        fs::remove_file(from.join("b.rs")).unwrap();
        mirror(&from, &to).unwrap();
        assert!(to.join("a.rs").exists() && to.join("a.o").exists() && !to.join("b.rs").exists());
        fs::remove_dir_all(base).unwrap();
    }
}
