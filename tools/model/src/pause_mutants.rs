// SPDX-License-Identifier: GPL-2.0-only

//! What could be wrong with how a thread is paused, and with how the model forgets a nudge, which
//! stands for what the kernel does. See `mutants.rs`.

use super::mutants::{Mutant, DEADLOCK};

/// All of them.
pub const PAUSE_MUTANTS: &[Mutant] = &[
    Mutant {
        name: "dozes_without_a_full_barrier",
        file: "pause.rs",
        from: "dozing.xchg(true, Full)",
        to: "dozing.xchg(true, Relaxed)",
        caught_by: "pause_finds_it_still",
        with: DEADLOCK,
    },
    Mutant {
        name: "calls_without_a_full_barrier",
        file: "pause.rs",
        from: "called.xchg(true, Full)",
        to: "called.xchg(true, Relaxed)",
        caught_by: "pause_finds_it_still",
        with: DEADLOCK,
    },
    Mutant {
        name: "awakes_without_a_full_barrier",
        file: "pause.rs",
        from: "dozing.xchg(false, Full)",
        to: "dozing.xchg(false, Relaxed)",
        caught_by: "pause_in_a_wait",
        with: "a nudge is left",
    },
    Mutant {
        name: "looks_before_it_dozes",
        file: "pause.rs",
        from: "        pause.dozing.xchg(true, Full);
        let result = if self.should_hold() {",
        to: "        let holds = self.should_hold();
        pause.dozing.xchg(true, Full);
        let result = if holds {",
        caught_by: "pause_finds_it_still",
        with: DEADLOCK,
    },
    Mutant {
        name: "does_not_look_when_it_dozes",
        file: "pause.rs",
        from: "        let result = if self.should_hold() {",
        to: "        let result = if false {",
        caught_by: "pause_finds_it_still",
        with: DEADLOCK,
    },
    Mutant {
        name: "pauses_without_a_nudge",
        file: "pause.rs",
        from: "            if self.pause().dozing.load(Relaxed) {
                self.nudge();
            }
",
        to: "",
        caught_by: "pause_finds_it_still",
        with: DEADLOCK,
    },
    Mutant {
        name: "nudges_one_that_does_not_doze",
        file: "pause.rs",
        from: "            if self.pause().dozing.load(Relaxed) {
                self.nudge();
            }
",
        to: "            self.nudge();
",
        caught_by: "pause_in_a_wait",
        with: "a nudge is left",
    },
    Mutant {
        name: "does_not_forget_the_nudge",
        file: "pause.rs",
        from: "            broken();
        }
        result",
        to: "        }
        result",
        caught_by: "pause_in_a_wait",
        with: "a nudge is left",
    },
    Mutant {
        name: "forgets_the_nudge_before_it_has_come",
        file: "pause.rs",
        from: "            self.with_pausers(|_| pause.called.store(false, Relaxed));",
        to: "            pause.called.store(false, Relaxed);",
        caught_by: "pause_in_a_wait",
        with: "a nudge is left",
    },
    Mutant {
        name: "nudges_when_the_lock_is_free",
        file: "pause.rs",
        from: "            if self.pause().dozing.load(Relaxed) {
                self.nudge();
            }
        });",
        to: "        });
        if self.pause().dozing.load(Relaxed) {
            self.nudge();
        }",
        caught_by: "pause_in_a_wait",
        with: "a nudge is left",
    },
    Mutant {
        name: "holds_though_it_should_stop",
        file: "pause.rs",
        from: "self.pause().wanted.load(Relaxed) && !self.life().is_asked()",
        to: "self.pause().wanted.load(Relaxed)",
        caught_by: "pause_and_stop",
        with: "exceeded maximum number of branches",
    },
    Mutant {
        name: "waits_for_the_end_of_one_to_hold_still",
        file: "pause.rs",
        from: "self.pause().still.load(Acquire) || self.life().is_ended()",
        to: "self.pause().still.load(Acquire)",
        caught_by: "pause_of_one_that_ends",
        with: DEADLOCK,
    },
    Mutant {
        name: "sees_it_still_without_acquire",
        file: "pause.rs",
        from: "still.load(Acquire)",
        to: "still.load(Relaxed)",
        caught_by: "pause_finds_it_still",
        with: "not all is seen",
    },
    Mutant {
        name: "does_not_say_that_it_holds_still",
        file: "pause.rs",
        from: "        while stays() {
            self.stir();",
        to: "        while stays() {",
        caught_by: "pause_finds_it_still",
        with: DEADLOCK,
    },
    Mutant {
        name: "holds_once",
        file: "pause.rs",
        from: "        while stays() {",
        to: "        if stays() {",
        caught_by: "two_pausers",
        with: "it does not hold still",
    },
    Mutant {
        name: "says_that_it_holds_when_it_has_left",
        file: "pause.rs",
        from: "self.pause().still.store(holds, Release);
                holds",
        to: "self.pause().still.store(true, Release);
                holds",
        caught_by: "pauses_in_a_row",
        with: "it does not hold still",
    },
    Mutant {
        name: "decides_to_leave_without_the_lock",
        file: "pause.rs",
        from: "            self.with_pausers(|_| {
                let holds = self.should_hold();
                self.pause().still.store(holds, Release);
                holds
            })",
        to: "            let holds = self.should_hold();
            self.pause().still.store(holds, Release);
            holds",
        caught_by: "two_pausers",
        with: "it does not hold still",
    },
    Mutant {
        name: "first_resume_counts_for_all",
        file: "pause.rs",
        from: "self.pause().wanted.store(*pausers > 0, Relaxed)",
        to: "self.pause().wanted.store(false, Relaxed)",
        caught_by: "two_pausers",
        with: "it does not hold still",
    },
    Mutant {
        name: "never_resumes",
        file: "pause.rs",
        from: "self.pause().wanted.store(*pausers > 0, Relaxed)",
        to: "self.pause().wanted.store(true, Relaxed)",
        caught_by: "pause_finds_it_still",
        with: DEADLOCK,
    },
    Mutant {
        name: "resumes_without_a_word",
        file: "pause.rs",
        from: "            self.pause().wanted.store(*pausers > 0, Relaxed);
        });
        self.stir();",
        to: "            self.pause().wanted.store(*pausers > 0, Relaxed);
        });",
        caught_by: "pause_ends",
        with: DEADLOCK,
    },
    Mutant {
        name: "gives_up_and_stays_a_pauser",
        file: "pause.rs",
        from: "            self.end_pause();
            return Err(NotStill::GaveUp);",
        to: "            return Err(NotStill::GaveUp);",
        caught_by: "pause_is_given_up",
        with: DEADLOCK,
    },
    Mutant {
        name: "says_of_one_that_has_ended_that_it_is_still",
        file: "pause.rs",
        from: "        if self.life().is_ended() {
            return Err(NotStill::Ended);
        }
        Ok(())",
        to: "        Ok(())",
        caught_by: "pause_of_one_that_ends",
        with: "Ended",
    },
    Mutant {
        name: "forgets_a_nudge_without_a_full_barrier",
        file: "kthread.rs",
        from: "        full_barrier();
",
        to: "",
        caught_by: "stop_among_signals",
        with: DEADLOCK,
    },
];
