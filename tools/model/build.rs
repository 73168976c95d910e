// SPDX-License-Identifier: GPL-2.0-only

//! Writes a module for each mutant of the protocol, with a test that it is caught.

use std::path::{Path, PathBuf};
use std::{env, fs};

#[allow(dead_code, reason = "the tests use the rest")]
#[path = "src/mutants.rs"]
mod mutants;

#[path = "src/chore_mutants.rs"]
mod chore_mutants;

use chore_mutants::CHORE_MUTANTS;
use mutants::{Mutant, MUTANTS};

/// What a module of the protocol is made of, in `kernel/kthread`.
const PROTOCOL: [&str; 3] = ["life.rs", "rounds.rs", "slot.rs"];

/// What is around it in the model.
const MODEL: [&str; 5] = [
    "events.rs",
    "kthread.rs",
    "item.rs",
    "scenarios.rs",
    "chores.rs",
];

fn main() {
    let here = PathBuf::from(env::var("CARGO_MANIFEST_DIR").unwrap());
    let out = PathBuf::from(env::var("OUT_DIR").unwrap());
    let kernel = here.join("../../kernel/kthread");
    for file in PROTOCOL {
        println!("cargo::rerun-if-changed={}", kernel.join(file).display());
    }
    println!("cargo::rerun-if-changed=src/mutants.rs");
    println!("cargo::rerun-if-changed=src/chore_mutants.rs");

    let modules = MUTANTS
        .iter()
        .chain(CHORE_MUTANTS)
        .map(|mutant| module(mutant, &here, &kernel, &out));
    fs::write(out.join("mutants.rs"), modules.collect::<String>()).unwrap();
}

/// The text of the mutant's module. Its changed file is written beside it.
fn module(mutant: &Mutant, here: &Path, kernel: &Path, out: &Path) -> String {
    let Mutant { name, with, .. } = mutant;
    let [life, rounds, slot] = PROTOCOL.map(|file| {
        let path = kernel.join(file);
        if file == mutant.file {
            changed(mutant, &path, out)
        } else {
            path
        }
    });
    let [events, kthread, item, scenarios, chores] = MODEL.map(|file| here.join("src").join(file));
    format!(
        "mod {name} {{
            use crate::under_loom::platform;
            #[path = {life:?}] mod life;
            #[path = {rounds:?}] mod rounds;
            #[path = {slot:?}] mod slot;
            #[path = {events:?}] mod events;
            #[path = {kthread:?}] mod kthread;
            #[path = {item:?}] mod item;
            #[path = {scenarios:?}] mod scenarios;
            #[path = {chores:?}] mod chores;
            use {{scenarios::*, chores::*}};
            #[test]
            fn caught_by_{catcher}() {{
                super::assert_caught(
                    \"under_mutation::{name}::caught_by_{catcher}\",
                    {catcher},
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
