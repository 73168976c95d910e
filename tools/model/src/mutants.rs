// SPDX-License-Identifier: GPL-2.0-only

//! What could be wrong with the protocol: each entry is the protocol with one thing changed, and
//! the scenario that notices.
//!
//! `build.rs` makes a module of each. It fails if a text is not in the file exactly once, so the
//! list follows the protocol. Those of how a thread is reached are in `reach_mutants.rs`, those that
//! only a chore notices in `chore_mutants.rs`.

/// One change to the protocol.
pub struct Mutant {
    /// What is wrong.
    pub name: &'static str,
    /// The file in `kernel/kthread`.
    pub file: &'static str,
    /// The text that is replaced, found in the file exactly once.
    pub from: &'static str,
    /// What stands there instead.
    pub to: &'static str,
    /// The scenario that fails.
    pub caught_by: &'static str,
    /// A part of what it fails with.
    pub with: &'static str,
}

/// What loom says where all wait for each other.
pub const DEADLOCK: &str = "deadlock";

/// All that have to do with threads.
pub const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "interrupts_before_it_sets_the_flag",
        file: "life.rs",
        from: "        let first = self.mark();
        if first {
            self.interrupt();
        }",
        to: "        self.interrupt();
        let first = self.mark();",
        caught_by: "asked_in_a_killable_call",
        with: DEADLOCK,
    },
    Mutant {
        name: "sets_the_flag_and_does_not_interrupt",
        file: "life.rs",
        from: "        if first {
            self.interrupt();
        }",
        to: "",
        caught_by: "stop_among_signals",
        with: DEADLOCK,
    },
    Mutant {
        name: "refused_stop_does_not_interrupt",
        file: "life.rs",
        from: "        if first && result.is_err() {
            self.interrupt();
        }
",
        to: "",
        caught_by: "stop_by_itself",
        with: "broken",
    },
    Mutant {
        name: "stop_that_is_secretly_a_join",
        file: "life.rs",
        from: "        let first = self.mark();
        let result = join(first);",
        to: "        let first = false;
        let result = join(first);",
        caught_by: "two_stoppers",
        with: DEADLOCK,
    },
    Mutant {
        name: "asks_without_release",
        file: "life.rs",
        from: "asked.xchg(true, Full)",
        to: "asked.xchg(true, super::platform::Relaxed)",
        caught_by: "owner_tells_the_body",
        with: "asked",
    },
    Mutant {
        name: "sees_that_it_is_asked_without_acquire",
        file: "life.rs",
        from: "self.asked.load(Acquire)",
        to: "self.asked.load(super::platform::Relaxed)",
        caught_by: "owner_tells_others",
        with: "asked",
    },
    Mutant {
        name: "asks_without_a_full_barrier",
        file: "life.rs",
        from: "asked.xchg(true, Full)",
        to: "asked.xchg(true, Release)",
        caught_by: "asked_in_a_killable_call",
        with: DEADLOCK,
    },
    Mutant {
        name: "ready_without_release",
        file: "life.rs",
        from: "ready.store(true, Release)",
        to: "ready.store(true, super::platform::Relaxed)",
        caught_by: "body_tells_its_owner",
        with: "ready",
    },
    Mutant {
        name: "sees_that_it_is_ready_without_acquire",
        file: "life.rs",
        from: "self.ready.load(Acquire)",
        to: "self.ready.load(super::platform::Relaxed)",
        caught_by: "body_tells_its_owner",
        with: "ready",
    },
    Mutant {
        name: "ends_without_release",
        file: "life.rs",
        from: "self.ended.store(true, Release)",
        to: "self.ended.store(true, super::platform::Relaxed)",
        caught_by: "body_tells_its_owner",
        with: "ended",
    },
    Mutant {
        name: "sees_that_it_has_ended_without_acquire",
        file: "life.rs",
        from: "self.ended.load(Acquire)",
        to: "self.ended.load(super::platform::Relaxed)",
        caught_by: "body_tells_its_owner",
        with: "ended",
    },
    Mutant {
        name: "runs_the_body_though_asked_before",
        file: "life.rs",
        from: "        if !self.life().is_asked() {
            work();
        }",
        to: "        work();",
        caught_by: "asked_before_it_runs",
        with: "asked before it was woken",
    },
    Mutant {
        name: "thread_does_not_say_that_it_ends",
        file: "life.rs",
        from: "            work();
        }
        self.end();",
        to: "            work();
        }",
        caught_by: "two_joiners",
        with: DEADLOCK,
    },
    Mutant {
        name: "forgets_a_stop_with_the_other_signals",
        file: "life.rs",
        from: "        self.forget_interrupts();
        // A stop that came just now may have lost its interrupt. Its flag was set before.
        if is_stopped() {
            self.interrupt();
        }",
        to: "        self.forget_interrupts();",
        caught_by: "stop_among_signals",
        with: DEADLOCK,
    },
    Mutant {
        name: "never_forgets_a_signal",
        file: "life.rs",
        from: "        self.forget_interrupts();
",
        to: "",
        caught_by: "signals_without_a_stop",
        with: "exceeded maximum number of branches",
    },
    Mutant {
        name: "announces_ready_before_it_is",
        file: "life.rs",
        from: "        self.life().ready.store(true, Release);
        self.announce(Milestone::Ready);",
        to: "        self.announce(Milestone::Ready);
        self.life().ready.store(true, Release);",
        caught_by: "ready_and_stopper",
        with: "told so",
    },
    Mutant {
        name: "does_not_announce_ready",
        file: "life.rs",
        from: "        self.life().ready.store(true, Release);
        self.announce(Milestone::Ready);",
        to: "        self.life().ready.store(true, Release);",
        caught_by: "ready_for_long",
        with: DEADLOCK,
    },
    Mutant {
        name: "announces_the_end_before_it_is",
        file: "life.rs",
        from: "        self.life().end();
        self.announce(Milestone::Ended);",
        to: "        self.announce(Milestone::Ended);
        self.life().end();",
        caught_by: "asked_before_it_runs",
        with: "told so",
    },
    Mutant {
        name: "does_not_announce_the_end",
        file: "life.rs",
        from: "        self.announce(Milestone::Ended);
",
        to: "",
        caught_by: "two_joiners",
        with: DEADLOCK,
    },
    Mutant {
        name: "joins_itself",
        file: "life.rs",
        from: "    fn join<F: FnOnce()>(&self, settle: impl FnOnce() -> F) -> Result<(), NotGone> {
        if self.is_current() {
            return Err(NotGone::OwnEnd);
        }
",
        to: "    fn join<F: FnOnce()>(&self, settle: impl FnOnce() -> F) -> Result<(), NotGone> {
",
        caught_by: "own_end",
        with: DEADLOCK,
    },
    Mutant {
        name: "join_is_secretly_a_stop",
        file: "life.rs",
        from: "        if !self.life().is_asked() {
            self.wait_for(Milestone::Ended);
        }",
        to: "",
        caught_by: "two_joiners",
        with: "lost",
    },
    Mutant {
        name: "waits_for_a_thread_that_was_never_woken",
        file: "life.rs",
        from: "        if !self.life().is_asked() {
            self.wait_for(Milestone::Ended);
        }",
        to: "        self.wait_for(Milestone::Ended);",
        caught_by: "never_woken",
        with: DEADLOCK,
    },
    Mutant {
        name: "all_bury",
        file: "life.rs",
        from: "!self.claimed.xchg(true, Full)",
        to: "!self.claimed.xchg(false, Full)",
        caught_by: "two_stoppers_and_a_dropper",
        with: DEADLOCK,
    },
    Mutant {
        name: "claims_in_two_steps",
        file: "life.rs",
        from: "!self.claimed.xchg(true, Full)",
        to: "{
            let free = !self.claimed.load(Acquire);
            self.claimed.store(true, Release);
            free
        }",
        caught_by: "two_stoppers",
        with: DEADLOCK,
    },
    Mutant {
        name: "claims_without_a_full_barrier",
        file: "life.rs",
        from: "claimed.xchg(true, Full)",
        to: "claimed.xchg(true, Release)",
        caught_by: "joiner_and_stopper",
        with: DEADLOCK,
    },
    Mutant {
        name: "does_not_wait_for_the_burier",
        file: "life.rs",
        from: "            self.wait_for(Milestone::Gone);
            return Ok(());",
        to: "            return Ok(());",
        caught_by: "two_stoppers",
        with: "it is gone",
    },
    Mutant {
        name: "nobody_buries",
        file: "life.rs",
        from: "    world.bury();
",
        to: "",
        caught_by: "two_joiners",
        with: "nobody waits for it any more",
    },
    Mutant {
        name: "settles_before_the_thread_is_gone",
        file: "life.rs",
        from: "    world.bury();
    let last = settle();",
        to: "    let last = settle();
    world.bury();",
        caught_by: "two_stoppers",
        with: "nobody waits for it any more",
    },
    Mutant {
        name: "says_that_it_is_gone_before_all_is_settled",
        file: "life.rs",
        from: "    let last = settle();
    // Also where it was gone before it began.
    world.life().end();
    world.life().gone.store(true, Release);
    world.announce(Milestone::Gone);",
        to: "    world.life().end();
    world.life().gone.store(true, Release);
    world.announce(Milestone::Gone);
    let last = settle();",
        caught_by: "two_stoppers",
        with: "it is gone",
    },
    Mutant {
        name: "leaves_milestones_out_for_a_thread_that_never_ran",
        file: "life.rs",
        from: "    // Also where it was gone before it began.
    world.life().end();
",
        to: "",
        caught_by: "never_woken",
        with: "it is gone",
    },
    Mutant {
        name: "ends_it_before_it_is_gone",
        file: "life.rs",
        from: "    world.bury();
    let last = settle();",
        to: "    world.end();
    world.bury();
    let last = settle();",
        caught_by: "two_stoppers",
        with: "its body runs",
    },
    Mutant {
        name: "does_not_announce_that_it_is_gone",
        file: "life.rs",
        from: "    world.announce(Milestone::Gone);
",
        to: "",
        caught_by: "two_joiners",
        with: DEADLOCK,
    },
    Mutant {
        name: "gone_without_release",
        file: "life.rs",
        from: "gone.store(true, Release)",
        to: "gone.store(true, super::platform::Relaxed)",
        caught_by: "two_joiners",
        with: "its code may be taken away",
    },
    Mutant {
        name: "sees_that_it_is_gone_without_acquire",
        file: "life.rs",
        from: "self.gone.load(Acquire)",
        to: "self.gone.load(super::platform::Relaxed)",
        caught_by: "two_joiners",
        with: "it is gone",
    },
    Mutant {
        name: "gone_before_all_is_settled",
        file: "life.rs",
        from: "    world.bury();
    let last = settle();",
        to: "    world.bury();
    world.life().gone.store(true, Release);
    let last = settle();",
        caught_by: "two_stoppers",
        with: "it is gone",
    },
    Mutant {
        name: "drops_the_closure_before_it_is_gone",
        file: "life.rs",
        from: "    world.life().gone.store(true, Release);
    world.announce(Milestone::Gone);
    last();",
        to: "    last();
    world.life().gone.store(true, Release);
    world.announce(Milestone::Gone);",
        caught_by: "closure_that_owns_its_handle",
        with: DEADLOCK,
    },
    Mutant {
        name: "limited_join_of_itself",
        file: "life.rs",
        from: "    ) -> Result<(), NotGone> {
        if self.is_current() {
            return Err(NotGone::OwnEnd);
        }
",
        to: "    ) -> Result<(), NotGone> {
",
        caught_by: "own_end",
        with: "left: None",
    },
    Mutant {
        name: "limited_join_without_a_limit",
        file: "life.rs",
        from: "        if !self.wait_until(Milestone::Ended, deadline) {
            return Err(NotGone::TooEarly);
        }
",
        to: "",
        caught_by: "limited_joiner",
        with: "left == right",
    },
    Mutant {
        name: "limited_join_does_not_limit_a_stop",
        file: "life.rs",
        from: "if !self.wait_until(Milestone::Ended, deadline) {",
        to: "if !self.life().is_asked() && !self.wait_until(Milestone::Ended, deadline) {",
        caught_by: "limited_joiner_of_an_asked_thread",
        with: DEADLOCK,
    },
    Mutant {
        name: "limited_join_does_not_wait_for_the_burier",
        file: "life.rs",
        from: "            return match self.wait_until(Milestone::Gone, deadline) {
                true => Ok(()),",
        to: "            return match true {
                true => Ok(()),",
        caught_by: "limited_joiner",
        with: "its code may be taken away",
    },
    Mutant {
        name: "loses_the_result_to_a_late_settlement",
        file: "slot.rs",
        from: "    fn replace_waiting(&mut self, next: Self) -> Option<F> {
        match mem::replace(self, next) {
            Slot::Waiting(closure) => Some(closure),
            other => {
                *self = other;
                None
            }
        }",
        to: "    fn replace_waiting(&mut self, next: Self) -> Option<F> {
        match mem::replace(self, next) {
            Slot::Waiting(closure) => Some(closure),
            _ => None,
        }",
        caught_by: "two_joiners",
        with: "lost",
    },
    Mutant {
        name: "no_result_where_the_closure_never_ran",
        file: "slot.rs",
        from: "self.replace_waiting(Slot::Ended(Err(error)))",
        to: "self.replace_waiting({
            let _ = error;
            Slot::Running
        })",
        caught_by: "never_woken",
        with: "it is gone",
    },
    Mutant {
        name: "puts_the_result_away_unread",
        file: "slot.rs",
        from: "*self = Slot::Ended(result);",
        to: "*self = Slot::Taken(result.err());",
        caught_by: "two_joiners",
        with: "lost",
    },
];
