// SPDX-License-Identifier: GPL-2.0-only

//! What the protocol and the model of the kernel are built on, made from an engine that decides
//! who runs next. The kernel has a file of the same name, with the real things.

use std::sync::atomic::Ordering;

/// How an access to a flag orders what is around it, as in `kernel::sync::atomic`.
pub trait Order {
    /// The same in C11. The kernel's memory model is no weaker than that for these.
    const C11: Ordering;
    /// With a full barrier before and after.
    const FULL: bool = false;
}

/// What was before a `Release` of what it reads is seen after it.
pub struct Acquire;

/// What is before it is seen by those who acquire.
pub struct Release;

/// Orders everything.
pub struct Full;

/// Orders nothing.
pub struct Relaxed;

impl Order for Acquire {
    const C11: Ordering = Ordering::Acquire;
}

impl Order for Release {
    const C11: Ordering = Ordering::Release;
}

impl Order for Full {
    const C11: Ordering = Ordering::AcqRel;
    const FULL: bool = true;
}

impl Order for Relaxed {
    const C11: Ordering = Ordering::Relaxed;
}

/// The platform on the engine, a crate that has `std`'s `sync` and `thread`.
macro_rules! platform {
    ($engine:ident) => {
        pub use crate::platform::{Acquire, Full, Order, Relaxed, Release};
        pub use $engine::sync::atomic::AtomicUsize;
        pub use $engine::sync::{Arc, Condvar, Mutex};
        pub use $engine::thread;

        /// `smp_mb()`.
        pub fn full_barrier() {
            $engine::sync::atomic::fence(std::sync::atomic::Ordering::SeqCst);
        }

        /// The kernel crate's flag.
        pub struct AtomicFlag($engine::sync::atomic::AtomicBool);

        impl AtomicFlag {
            pub fn new(value: bool) -> Self {
                Self($engine::sync::atomic::AtomicBool::new(value))
            }

            pub fn load<O: Order>(&self, _: O) -> bool {
                self.0.load(O::C11)
            }

            pub fn store<O: Order>(&self, value: bool, _: O) {
                self.0.store(value, O::C11);
            }

            pub fn xchg<O: Order>(&self, value: bool, _: O) -> bool {
                use std::sync::atomic::Ordering::SeqCst;
                use $engine::sync::atomic::fence;

                if !O::FULL {
                    return self.0.swap(value, O::C11);
                }
                fence(SeqCst);
                let before = self.0.swap(value, O::C11);
                fence(SeqCst);
                before
            }
        }
    };
}

/// A test of each scenario, by the function `explore` of the module, which is told its name.
macro_rules! test_scenarios {
    () => {
        test_scenarios! { in scenarios
            asked_before_it_runs,
            asked_in_a_killable_call,
            body_tells_its_owner,
            closure_that_owns_its_handle,
            crowd,
            joiner_and_stopper,
            limited_joiner,
            limited_joiner_of_an_asked_thread,
            never_ready,
            never_woken,
            own_end,
            owner_tells_others,
            owner_tells_the_body,
            ready_and_stopper,
            ready_for_long,
            signals_without_a_stop,
            stop_after_killable_calls,
            stop_among_signals,
            stop_at_the_end,
            stop_by_itself,
            stop_in_nested_calls,
            stop_after_a_killable_call,
            two_joiners,
            two_stoppers,
            two_stoppers_and_a_dropper,
        }
        test_scenarios! { in pauses
            pause_and_ask,
            pause_and_stop,
            pause_ends,
            pause_finds_it_still,
            pause_in_a_wait,
            pause_is_given_up,
            pause_of_one_that_ends,
            pause_of_one_that_never_ran,
            pauses_in_a_row,
            two_pausers,
        }
        test_scenarios! { in chores
            asked_chore_breaks_its_wait,
            asked_chore_ends,
            asked_work_ends,
            body_rings,
            chore_among_signals,
            chore_asked_before_it_is_queued,
            chore_comes_up_again,
            chore_stopped_among_signals,
            chore_stopped_before_its_first_call,
            chore_that_owns_its_handle,
            joiner_and_stopper_of_a_chore,
            own_end_of_a_chore,
            owner_tells_the_chore,
            ring_and_stop,
            ring_is_followed_by_a_call,
            stop_among_rounds,
            two_join_work,
            two_ring,
            two_stop_a_chore,
            two_stop_work,
        }
    };
    (in $module:ident $($scenario:ident,)*) => {
        $(
            #[test]
            fn $scenario() {
                explore(stringify!($scenario), $module::$scenario);
            }
        )*
    };
}
