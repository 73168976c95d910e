//! The examples in the documentation of the library crates: each is compiled against the kernel.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::kernel::Kernel;
use super::modules::{self, BUILD, SOURCES};
use crate::children;
use crate::fail::Failure;
use crate::root::Root;
use crate::steps::files_below;

/// $1: the kernel's tree. $2: its release. What has not changed is not compiled again.
const MAKE: &str = r#"
make -C "$1" -j"$(nproc)" -k CC="$(cat "$1/../cc")" HOSTCC=gcc-14 KERNELRELEASE="$2" M=/src/build/kernel \
    EXAMPLES=y modules
"#;

/// Compiles the examples below `source`. The compiler's words are the error if one is refused, and
/// it is one as well if any was left out.
pub fn check(root: &Root, source: &Path, release: &str) -> Result<()> {
    for folder in SOURCES {
        modules::mirror(&source.join(folder), &root.host(BUILD).join(folder))?;
    }
    let output = children::output(root.script(MAKE, &[Kernel::TREE, release]))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let words = said.lines().filter(|line| !line.starts_with("make"));
    ensure!(
        output.status.success(),
        Failure::new("an example does not compile", "mend it").detail(words.map(str::to_owned))
    );
    for entry in source.join("kernel").read_dir()? {
        let folder = entry?.path();
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        let written = in_folder(&folder)?;
        let report = root.host(&format!("{BUILD}/kernel/{name}/root_generated.examples"));
        let compiled = fs::read_to_string(report).map_or(0, |report| passed(&report));
        ensure!(
            written == compiled,
            "kernel/{name} has {written} examples, and {compiled} are compiled"
        );
    }
    Ok(())
}

/// How many examples the sources in `folder` have.
fn in_folder(folder: &Path) -> Result<usize> {
    let mut count = 0;
    if !folder.is_dir() {
        return Ok(0);
    }
    for file in files_below(folder)? {
        if file.extension().is_some_and(|kind| kind == "rs") {
            let text = fs::read_to_string(&file)?;
            count += in_text(&text).with_context(|| file.display().to_string())?;
        }
    }
    Ok(count)
}

/// How many examples the documentation in `text` has. None may ask to be left alone; what is no
/// code says so by the word `text`.
fn in_text(text: &str) -> Result<usize> {
    let fences = text.lines().filter_map(|line| {
        let line = line.trim_start();
        let line = line.strip_prefix("///").or(line.strip_prefix("//!"))?;
        line.trim_start().strip_prefix("```")
    });
    let mut count = 0;
    // Each second fence is the end of what the one before it began.
    for opening in fences.step_by(2) {
        match opening {
            "" => count += 1,
            "text" => (),
            other => anyhow::bail!("an example is marked {other:?}: nobody would compile it"),
        }
    }
    Ok(count)
}

/// How many examples rustdoc says that it has compiled.
fn passed(report: &str) -> usize {
    let told = report.split("test result: ok. ").nth(1);
    let number = told.and_then(|rest| rest.split(' ').next());
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_are_counted_and_none_is_left_alone() {
        let text =
            "//! ```\n//! a();\n//! ```\n/// ```text\n/// A\n/// ```\n    /// ```\n    /// ```\n";
        assert_eq!(in_text(text).unwrap(), 2);
        assert!(in_text("/// ```ignore\n/// ```\n").is_err());
    }

    #[test]
    fn what_rustdoc_compiled_is_read() {
        let report = "running 2 tests\n\ntest result: ok. 2 passed; 0 failed; 0 ignored\n";
        assert_eq!(passed(report), 2);
        assert_eq!(passed("test result: FAILED. 1 passed; 1 failed"), 0);
    }
}
