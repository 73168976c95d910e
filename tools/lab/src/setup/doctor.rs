//! `./lab doctor`: what is there, what is missing, which versions, and whether
//! the Rust symbols match. It sets nothing up.

use std::fs;

use anyhow::Result;

use super::kernel::{self, Comparison, Kernel};
use super::{Lab, SERIES, SUITE};
use crate::children;

/// Prints the findings; tells whether all that the lab needs is there.
pub fn examine(lab: &Lab) -> Result<bool> {
    let kernel = Kernel::existing(lab);
    let findings = [
        ("QEMU", first_line("qemu-system-x86_64", "--version")),
        ("mmdebstrap", first_line("mmdebstrap", "--version")),
        ("/dev/kvm", Some(kvm())),
        (
            "processors",
            std::thread::available_parallelism()
                .ok()
                .map(|n| n.to_string()),
        ),
        ("cache", Some(lab.cache.display().to_string())),
        (
            "toolchain root",
            lab.root
                .host("/")
                .exists()
                .then(|| format!("Debian {SUITE}")),
        ),
        ("rustc", tool(lab, "rustc --version")),
        ("bindgen", tool(lab, "bindgen --version")),
        (
            "C compiler",
            tool(lab, "\"$(cat /src/kernel/cc)\" --version | head -n 1"),
        ),
        (
            "stock kernel",
            kernel.as_ref().map(|kernel| kernel.release.clone()),
        ),
        ("Rust symbols", kernel.as_ref().and_then(|_| symbols(lab))),
        (
            "modules",
            kernel.as_ref().and_then(|kernel| modules(lab, kernel)),
        ),
    ];
    let mut whole = true;
    for (what, found) in findings {
        whole &= found.is_some();
        let (mark, text) = match found {
            Some(text) => ('✓', text),
            None => (
                '✗',
                format!("missing; './lab build' brings them (kernel series {SERIES})"),
            ),
        };
        println!("  {mark} {what:<15} {text}");
    }
    Ok(whole)
}

fn first_line(program: &str, argument: &str) -> Option<String> {
    let mut command = children::command(program);
    command.arg(argument);
    let output = children::output(command).ok()?;
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .next()
        .map(str::to_owned)
}

fn tool(lab: &Lab, script: &str) -> Option<String> {
    lab.root
        .output(script, &[])
        .ok()
        .map(|text| text.trim().to_owned())
        .filter(|text| !text.is_empty())
}

fn kvm() -> String {
    match fs::metadata("/dev/kvm") {
        Ok(_) => "there, but not used unless asked for (--accel kvm)".to_owned(),
        Err(_) => "not there, and not needed".to_owned(),
    }
}

/// Compared anew, not taken from an earlier run's word.
fn symbols(lab: &Lab) -> Option<String> {
    let Comparison { count, differ } = kernel::compare(lab).ok()?;
    (count > 0 && differ.is_empty())
        .then(|| format!("all {count} that the stock kernel exports have the same name in ours"))
}

fn modules(lab: &Lab, kernel: &Kernel) -> Option<String> {
    let folder = lab.source.join("target/modules").join(&kernel.release);
    let mut names: Vec<_> = fs::read_dir(&folder)
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()))
        .collect();
    names.sort();
    (!names.is_empty()).then(|| names.join(" "))
}
