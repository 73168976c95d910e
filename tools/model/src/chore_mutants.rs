// SPDX-License-Identifier: GPL-2.0-only

//! What could be wrong with the protocol where it has to do with chores. See `mutants.rs`.

use super::mutants::{Mutant, DEADLOCK};

/// All of them.
pub const CHORE_MUTANTS: &[Mutant] = &[
    Mutant {
        name: "hurries_before_it_sets_the_flag",
        file: "life.rs",
        from: "        let first = self.mark();
        if first {
            self.interrupt();
        }",
        to: "        self.interrupt();
        let first = self.mark();",
        caught_by: "asked_chore_ends",
        with: DEADLOCK,
    },
    Mutant {
        name: "chore_forgets_a_stop_with_the_other_signals",
        file: "life.rs",
        from: "        self.forget_interrupts();
        // A stop that came just now may have lost its interrupt. Its flag was set before.
        if is_stopped() {
            self.interrupt();
        }",
        to: "        self.forget_interrupts();",
        caught_by: "chore_stopped_among_signals",
        with: DEADLOCK,
    },
    Mutant {
        name: "stop_does_not_interrupt_a_round",
        file: "rounds.rs",
        from: "        self.nudge();
",
        to: "",
        caught_by: "asked_chore_breaks_its_wait",
        with: DEADLOCK,
    },
    Mutant {
        name: "stop_does_not_hurry",
        file: "rounds.rs",
        from: "        if self.recurs() {
            self.hurry();
        }",
        to: "",
        caught_by: "asked_chore_ends",
        with: DEADLOCK,
    },
    Mutant {
        name: "round_does_not_listen",
        file: "rounds.rs",
        from: "        self.listen();
",
        to: "",
        caught_by: "asked_work_ends",
        with: DEADLOCK,
    },
    Mutant {
        name: "round_runs_the_body_though_asked_before",
        file: "rounds.rs",
        from: "if self.life().is_asked() { None } else { work() }",
        to: "work()",
        caught_by: "chore_asked_before_it_is_queued",
        with: "it was asked before",
    },
    Mutant {
        name: "round_does_not_let_go_of_the_worker",
        file: "rounds.rs",
        from: "        self.leave();
",
        to: "",
        caught_by: "asked_chore_ends",
        with: "next in line",
    },
    Mutant {
        name: "lets_go_of_the_worker_before_the_body_has_run",
        file: "rounds.rs",
        from: "        let next = if self.life().is_asked() { None } else { work() };
        // Before the worker turns to something else.
        self.leave();",
        to: "        self.leave();
        let next = if self.life().is_asked() { None } else { work() };",
        caught_by: "asked_chore_breaks_its_wait",
        with: DEADLOCK,
    },
    Mutant {
        name: "does_not_come_up_again",
        file: "rounds.rs",
        from: "            Some(delay) => self.queue(delay),",
        to: "            Some(_) => {}",
        caught_by: "chore_comes_up_again",
        with: DEADLOCK,
    },
    Mutant {
        name: "last_round_does_not_say_that_it_ends",
        file: "rounds.rs",
        from: "            None => self.end(),",
        to: "            None => self.ready(),",
        caught_by: "chore_comes_up_again",
        with: DEADLOCK,
    },
    Mutant {
        name: "every_round_is_the_last",
        file: "rounds.rs",
        from: "            Some(delay) => self.queue(delay),",
        to: "            Some(delay) => {
                self.queue(delay);
                self.end();
            }",
        caught_by: "chore_comes_up_again",
        with: "its body runs",
    },
    Mutant {
        name: "loses_the_closure_between_two_rounds",
        file: "slot.rs",
        from: "        *self = Slot::Waiting(closure);",
        to: "        drop(closure);",
        caught_by: "chore_comes_up_again",
        with: "it is gone",
    },
];
