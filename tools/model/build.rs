// SPDX-License-Identifier: GPL-2.0-only

//! Writes a module for each mutant of the protocol, with a test that it is caught.

use std::path::{Path, PathBuf};
use std::{env, fs};

#[allow(dead_code, reason = "the tests use the rest")]
#[path = "src/mutants.rs"]
mod mutants;

use mutants::{Mutant, MUTANTS};

/// What a module of the protocol is made of, in `kernel/kthread`.
const PROTOCOL: [&str; 2] = ["life.rs", "slot.rs"];

fn main() {
    let here = PathBuf::from(env::var("CARGO_MANIFEST_DIR").unwrap());
    let out = PathBuf::from(env::var("OUT_DIR").unwrap());
    let kernel = here.join("../../kernel/kthread");
    for file in PROTOCOL {
        println!("cargo::rerun-if-changed={}", kernel.join(file).display());
    }
    println!("cargo::rerun-if-changed=src/mutants.rs");

    let modules = MUTANTS
        .iter()
        .map(|mutant| module(mutant, &here, &kernel, &out));
    fs::write(out.join("mutants.rs"), modules.collect::<String>()).unwrap();
}

/// The text of the mutant's module. Its changed file is written beside it.
fn module(mutant: &Mutant, here: &Path, kernel: &Path, out: &Path) -> String {
    let Mutant { name, with, .. } = mutant;
    let [life, slot] = PROTOCOL.map(|file| {
        let path = kernel.join(file);
        if file == mutant.file {
            changed(mutant, &path, out)
        } else {
            path
        }
    });
    let [kthread, scenarios] =
        ["kthread.rs", "scenarios.rs"].map(|file| here.join("src").join(file));
    format!(
        "mod {name} {{
            use crate::under_loom::platform;
            #[path = {life:?}] mod life;
            #[path = {slot:?}] mod slot;
            #[path = {kthread:?}] mod kthread;
            #[path = {scenarios:?}] mod scenarios;
            #[test]
            fn caught_by_{catcher}() {{
                super::assert_caught(
                    \"under_mutation::{name}::caught_by_{catcher}\",
                    scenarios::{catcher},
                    {with:?},
                );
            }}
        }}\n",
        catcher = mutant.caught_by,
    )
}

fn changed(mutant: &Mutant, path: &Path, out: &Path) -> PathBuf {
    let text = fs::read_to_string(path).unwrap();
    let found = text.matches(mutant.from).count();
    assert!(
        found == 1,
        "mutant `{}`: its text is in {} {found} times, not once:\n{}",
        mutant.name,
        path.display(),
        mutant.from,
    );
    let place = out.join(format!("{}.rs", mutant.name));
    fs::write(&place, text.replace(mutant.from, mutant.to)).unwrap();
    place
}
