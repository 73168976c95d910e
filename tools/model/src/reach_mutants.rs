// SPDX-License-Identifier: GPL-2.0-only

//! What could be wrong with how a thread is reached where it waits. See `mutants.rs`.

use super::mutants::{Mutant, DEADLOCK};

/// All of them.
pub const REACH_MUTANTS: &[Mutant] = &[
    Mutant {
        name: "says_that_it_is_killable_without_a_full_barrier",
        file: "reach.rs",
        from: "ear().0.xchg(true, Full)",
        to: "ear().0.xchg(true, Relaxed)",
        caught_by: "two_stoppers",
        with: DEADLOCK,
    },
    Mutant {
        name: "says_that_it_is_killable_and_does_not_look_again",
        file: "reach.rs",
        from: "        let result = if self.life().is_asked() {
            None
        } else {
            Some(call())
        };",
        to: "        let result = Some(call());",
        caught_by: "two_stoppers",
        with: DEADLOCK,
    },
    Mutant {
        name: "looks_before_it_says_that_it_is_killable",
        file: "reach.rs",
        from: "        let outer = self.ear().0.xchg(true, Full);
        let result = if self.life().is_asked() {",
        to: "        let asked = self.life().is_asked();
        let outer = self.ear().0.xchg(true, Full);
        let result = if asked {",
        caught_by: "two_stoppers",
        with: DEADLOCK,
    },
    Mutant {
        name: "does_not_let_the_signal_in",
        file: "reach.rs",
        from: "        self.let_in();
",
        to: "",
        caught_by: "two_stoppers",
        with: DEADLOCK,
    },
    Mutant {
        name: "kills_where_a_nudge_would_do",
        file: "reach.rs",
        from: "        if self.ear().is_killable() {
            self.kill();
        } else {",
        to: "        if true {
            self.kill();
        } else {",
        caught_by: "stop_among_signals",
        with: DEADLOCK,
    },
    Mutant {
        name: "nudges_where_it_should_kill",
        file: "reach.rs",
        from: "        if self.ear().is_killable() {
            self.kill();
        } else {",
        to: "        if false {
            self.kill();
        } else {",
        caught_by: "asked_in_a_killable_call",
        with: DEADLOCK,
    },
    Mutant {
        name: "inner_call_ends_the_outer",
        file: "reach.rs",
        from: "ear().0.store(outer, Relaxed)",
        to: "ear().0.store(outer && false, Relaxed)",
        caught_by: "stop_in_nested_calls",
        with: DEADLOCK,
    },
    Mutant {
        name: "call_that_is_over_counts_as_one",
        file: "reach.rs",
        from: "self.ear().0.store(outer, Relaxed);",
        to: "let _ = outer;",
        caught_by: "stop_after_a_killable_call",
        with: "a signal where a nudge would do",
    },
    Mutant {
        name: "burier_only_nudges",
        file: "reach.rs",
        from: "        if self.ear().is_killable() {
            self.kill();
        }
",
        to: "",
        caught_by: "two_stoppers",
        with: DEADLOCK,
    },
];
