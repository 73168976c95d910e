// SPDX-License-Identifier: GPL-2.0-only

//! The mutants of the protocol under loom: each must be caught.

use std::env;
use std::process::Command;

include!(concat!(env!("OUT_DIR"), "/mutants.rs"));

/// Set where a test is run for the mutant's sake.
const MUTANT: &str = "THREADLINE_MUTANT";

/// The scenario of this name must fail, with a message that has this text in it.
///
/// It runs in a process of its own: loom can't be caught once it has found a deadlock. `test` is
/// the name of the calling test.
fn assert_caught(test: &str, name: &str, scenario: fn(), with: &str) {
    if env::var_os(MUTANT).is_some() {
        return crate::under_loom::explore(name, scenario);
    }
    let output = Command::new(env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(MUTANT, "1")
        .env("RUST_BACKTRACE", "0")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "nothing noticed");
    assert!(said.contains(with), "noticed otherwise: {said}");
}
