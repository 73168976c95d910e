//! The tests of the host's crates. They are built in the toolchain root and run on the host.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use libtest_mimic::Trial;

use super::Ground;
use crate::children;
use crate::setup::Lab;
use crate::steps::Key;

/// Builds the test programs of the host's crates and names them, one a line.
const BUILD: &str = r#"
cd /src/host/tools
build() {
    CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS='-Ctarget-feature=+crt-static' \
        cargo test --locked --workspace --no-run --target x86_64-unknown-linux-gnu --message-format=json-render-diagnostics "$@"
}
build --offline >/tmp/host-tests 2>/dev/null || build >/tmp/host-tests
sed -n 's/.*"name":"\([^"]*\)".*"test":true.*"executable":"\([^"]*\)".*/\1 \2/p' /tmp/host-tests >/src/host/tests
test -s /src/host/tests
"#;

/// Builds the tests of the host's crates. Nobody else makes or changes what is made here: so it
/// does not keep others from their set-up.
pub fn build(lab: &Lab) -> Result<()> {
    let key = Key::default()
        .text(BUILD)
        .files(&lab.source.join("tools"))?
        .files(&lab.source.join("wire"))?
        // The modules' own files that some tests are of.
        .files(&lab.source.join("kernel/kthread/life.rs"))?
        .files(&lab.source.join("kernel/kthread/pause.rs"))?
        .files(&lab.source.join("kernel/kthread/reach.rs"))?
        .files(&lab.source.join("kernel/kthread/rounds.rs"))?
        .files(&lab.source.join("kernel/kthread/slot.rs"))?
        .files(&lab.source.join("kernel/usbatm/back_off.rs"))?
        .finish();
    lab.steps.step("host-tests", "Host tests", &key, |step| {
        lab.root.run(step, BUILD, &[])
    })
}

/// The tests of the host's crates. Their programs are static: built in the
/// toolchain root, they run on the host.
pub fn trials(lab: &Lab, ground: &Arc<Ground>) -> Result<Vec<Trial>> {
    let programs = std::fs::read_to_string(lab.root.host("/src/host/tests"))?;
    let mut trials = Vec::new();
    for line in programs.lines() {
        let (package, program) = line
            .split_once(' ')
            .context("a test program without a name")?;
        let program = lab.root.host(program);
        for test in tests_of(&program)? {
            let (program, name) = (program.clone(), format!("{package}::{test}"));
            trials.push(ground.trial(name, move |_| run_host_test(&program, &test)));
        }
    }
    Ok(trials)
}

/// The names of the tests in `program`.
fn tests_of(program: &Path) -> Result<Vec<String>> {
    let listed = said_by(program, &["--list", "--format", "terse"])?;
    let names = listed
        .lines()
        .filter_map(|line| line.strip_suffix(": test"));
    Ok(names.map(str::to_owned).collect())
}

fn run_host_test(program: &Path, test: &str) -> Result<()> {
    said_by(program, &["--exact", test]).map(drop)
}

/// What a test program prints; if it fails, that and what it says besides are the error.
fn said_by(program: &Path, arguments: &[&str]) -> Result<String> {
    let mut command = children::command(program);
    command.args(arguments).current_dir(std::env::temp_dir());
    let output = children::output(command)?;
    anyhow::ensure!(
        output.status.success(),
        "{}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8(output.stdout)?)
}

#[cfg(test)]
mod cases {
    use super::*;

    #[test]
    fn a_program_that_fails_lists_no_tests() {
        let error = tests_of(Path::new("/bin/false")).unwrap_err();
        assert!(error.to_string().contains("exit status: 1"), "{error}");
    }

    #[test]
    fn both_outputs_of_a_failed_test_are_shown() {
        let script = ["-c", "echo one; echo two >&2; kill -ABRT $$"];
        let error = said_by(Path::new("/bin/sh"), &script)
            .unwrap_err()
            .to_string();
        for words in ["one", "two", "signal: 6"] {
            assert!(error.contains(words), "{error}");
        }
    }
}
