// SPDX-License-Identifier: GPL-2.0-only

//! Writes a module for each mutant of the protocol, with a test that it is caught.

use std::path::{Path, PathBuf};
use std::{env, fs};

#[allow(dead_code, reason = "the tests use the rest")]
#[path = "src/mutants.rs"]
mod mutants;

#[path = "src/reach_mutants.rs"]
mod reach_mutants;

#[path = "src/chore_mutants.rs"]
mod chore_mutants;

#[path = "src/pause_mutants.rs"]
mod pause_mutants;

use chore_mutants::CHORE_MUTANTS;
use mutants::{Mutant, MUTANTS};
use pause_mutants::PAUSE_MUTANTS;
use reach_mutants::REACH_MUTANTS;

/// A part of the protocol, in `kernel/kthread`, or of the model around it.
enum Part {
    Protocol(&'static str),
    Model(&'static str),
}

use Part::{Model, Protocol};

/// What it takes to try a thread.
const THREADS: [Part; 8] = [
    Protocol("life"),
    Protocol("reach"),
    Protocol("pause"),
    Protocol("slot"),
    Model("events"),
    Model("block"),
    Model("kthread"),
    Model("scenarios"),
];

/// And what else to pause it.
const PAUSES: [Part; 1] = [Model("pauses")];

/// And what else for a chore. Not in all modules: to compile them takes time.
const CHORES: [Part; 3] = [Protocol("rounds"), Model("item"), Model("chores")];

fn main() {
    let here = PathBuf::from(env::var("CARGO_MANIFEST_DIR").unwrap());
    let places = Places {
        kernel: here.join("../../kernel/kthread"),
        model: here.join("src"),
        out: PathBuf::from(env::var("OUT_DIR").unwrap()),
    };
    println!("cargo::rerun-if-changed={}", places.kernel.display());
    println!("cargo::rerun-if-changed=src/mutants.rs");
    println!("cargo::rerun-if-changed=src/reach_mutants.rs");
    println!("cargo::rerun-if-changed=src/chore_mutants.rs");
    println!("cargo::rerun-if-changed=src/pause_mutants.rs");

    let of_threads = MUTANTS
        .iter()
        .chain(REACH_MUTANTS)
        .map(|mutant| module(mutant, &[], &places));
    let of_chores = CHORE_MUTANTS
        .iter()
        .map(|mutant| module(mutant, &CHORES, &places));
    let of_pauses = PAUSE_MUTANTS
        .iter()
        .map(|mutant| module(mutant, &PAUSES, &places));
    let modules: String = of_threads.chain(of_pauses).chain(of_chores).collect();
    fs::write(places.out.join("mutants.rs"), modules).unwrap();
}

/// Where things are.
struct Places {
    kernel: PathBuf,
    model: PathBuf,
    out: PathBuf,
}

/// The text of the mutant's module. Its changed file is written beside it.
fn module(mutant: &Mutant, more: &[Part], places: &Places) -> String {
    let Mutant { name, with, .. } = mutant;
    let parts: String = THREADS
        .iter()
        .chain(more)
        .map(|part| part_of(mutant, part, places))
        .collect();
    format!(
        "mod {name} {{
            use crate::under_loom::platform;
            {parts}
            #[test]
            fn caught_by_{catcher}() {{
                super::assert_caught(
                    \"under_mutation::{name}::caught_by_{catcher}\",
                    {catcher:?},
                    {catcher},
                    {with:?},
                );
            }}
        }}\n",
        catcher = mutant.caught_by,
    )
}

/// One part of it.
fn part_of(mutant: &Mutant, part: &Part, places: &Places) -> String {
    let (name, path) = match part {
        Protocol(name) => (name, places.kernel.join(format!("{name}.rs"))),
        Model(name) => (name, places.model.join(format!("{name}.rs"))),
    };
    let path = if path.ends_with(mutant.file) {
        changed(mutant, &path, &places.out)
    } else {
        path
    };
    let import = match *name {
        "scenarios" | "pauses" | "chores" => format!("use {name}::*;"),
        _ => String::new(),
    };
    format!("#[path = {path:?}] mod {name}; {import}\n")
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
