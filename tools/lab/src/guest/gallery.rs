//! The scripts of the gallery of misuse, see `kernel/gallery`.

use std::fs;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use super::firmware;
use crate::protocol::Purpose;

/// Where the gallery's modules are.
const FOLDER: &str = "/gallery";

/// Runs `lines` where the gallery's modules are.
pub fn run(lines: &str, purpose: Purpose) -> Result<()> {
    // Some cases wait for firmware that user space never delivers.
    firmware::withhold()?;
    let mut shell = Command::new("/bin/sh");
    shell
        .args(["-euc", lines])
        .env("PATH", "/bin")
        .current_dir(FOLDER)
        .stdin(Stdio::null());
    match purpose {
        Purpose::Misuse => provoke(shell),
        Purpose::Cure => {
            let output = shell.output().context("cannot start a shell")?;
            let said = String::from_utf8_lossy(&output.stderr);
            ensure!(
                output.status.success(),
                "the script: {}, {said}",
                output.status
            );
            Ok(())
        }
    }
}

/// Starts the script, and has the kernel tell all that it sees on the console: whoever looks on
/// is not in here.
fn provoke(mut shell: Command) -> Result<()> {
    for (file, value) in [
        ("/proc/sys/kernel/printk", "8"),
        ("/proc/sys/kernel/hung_task_timeout_secs", "1"),
        ("/proc/sys/kernel/hung_task_warnings", "-1"),
    ] {
        fs::write(file, value).with_context(|| format!("cannot write {file}"))?;
    }
    shell.spawn().context("cannot start a shell")?;
    Ok(())
}
