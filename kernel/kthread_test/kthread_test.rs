// SPDX-License-Identifier: GPL-2.0

//! Tests of the `kthread` library, run inside the kernel when this module is loaded.
//!
//! Each case prints `kthread_test: case NAME` when it begins, and then `kthread_test: ok NAME` or
//! `kthread_test: not ok NAME: REASON`. Loading succeeds if all cases did. What a case has the
//! library write to the log, it can't read itself: it prints `kthread_test: expects LINE` then, and
//! the lab looks for the line. `case=N` runs the case of that number only; `modinfo -F case kthread_test.ko` lists the names, from number 0 on.
//!
//! What can only be shown once the module is loaded is in `detaching.rs`, `lingering.rs` and
//! `placed.rs`.
//!
//! The verdict on `leaked_scope_is_joined_by_module` comes when the module is removed.
//!
//! No case depends on how fast the machine is. A case that waits for ever has found a bug: what
//! should break that wait did not.

mod bench;
mod channels;
mod chaos;
mod chores;
mod conditions;
mod detaching;
mod ending;
mod firmware;
mod limited;
mod lingering;
mod nesting;
mod pausing;
mod placed;
mod reporting;
mod safety;
mod scheduling;
mod shielding;
mod signalling;
mod starting;
mod stopping;
mod ticking;
mod waiting;
mod waits;
mod working;

use bench::{
    Bench,
    Case, //
};
use kernel::{
    miscdevice::{
        MiscDeviceOptions,
        MiscDeviceRegistration, //
    },
    prelude::*, //
};
use kthread::ModuleScope;

module! {
    type: Tests,
    name: "kthread_test",
    authors: ["Threadline developers"],
    description: "Tests of the kthread library",
    license: "GPL",
    params: {
        case: i32 {
            default: -1,
            description: "Number of the only case to run (default: all)",
        },
        seed: u32 {
            default: 0,
            description: "How the dice fall (default: by the clock)",
        },
        linger: u8 {
            default: 0,
            description: "Leave threads running that are to freeze (default: no)",
        },
        on_node: i32 {
            default: -1,
            description: "Leave threads running on the node of that number (default: none)",
        },
        on_cpu: i32 {
            default: -1,
            description: "Leave threads running on the CPU of that number (default: none)",
        },
    },
}

/// Lists the cases for [`CASES`] and for `modinfo`.
macro_rules! cases {
    ($($room:ident :: $name:ident,)*) => {
        const CASES: &[Case] = &[$(Case { name: stringify!($name), run: $room::$name },)*];

        const NAMES: &[u8] = concat!($("case=", stringify!($name), "\0"),*).as_bytes();

        #[link_section = ".modinfo"]
        #[used]
        static MODINFO: [u8; NAMES.len()] = {
            let mut bytes = [0; NAMES.len()];
            let mut i = 0;
            while i < bytes.len() {
                bytes[i] = NAMES[i];
                i += 1;
            }
            bytes
        };
    };
}

cases! {
    ending::ends_by_itself,
    ending::result_reaches_owner_once,
    ending::result_is_dropped_with_its_thread,
    ending::error_reaches_owner,
    ending::body_joins_another_thread,
    starting::formatted_name,
    starting::plain_name,
    starting::startup_awaited,
    starting::startup_without_a_word,
    starting::startup_failure_reaches_spawner,
    starting::failure_after_startup_is_none_of_startup,
    starting::startup_stopped,
    starting::spawn_fails_in_a_stopped_thread,
    stopping::stop_while_sleeping,
    stopping::stop_while_waiting_for_completion,
    stopping::stop_while_waiting_with_timeout,
    stopping::timeout_and_completion_are_told_apart,
    stopping::completion_is_not_lost_on_who_leaves,
    stopping::time_that_has_passed_is_not_slept,
    stopping::stop_is_sticky,
    stopping::stop_before_first_run,
    stopping::stop_after_end,
    stopping::stop_twice,
    stopping::stop_from_two_threads,
    stopping::stop_many_costs_the_slowest,
    stopping::stop_many_catches_latecomers,
    stopping::stop_many_asks_latecomers_that_wait_for_it,
    stopping::killable_wait_is_broken,
    stopping::spurious_wakeup_ends_no_wait,
    firmware::firmware_wait_is_broken,
    firmware::firmware_wait_begins_in_spite_of_a_stop,
    firmware::firmware_wait_begins_beside_a_stop,
    firmware::second_firmware_is_taken,
    firmware::firmware_has_a_limit,
    firmware::stop_breaks_a_chain_of_firmware,
    shielding::stop_lets_a_shielded_wait_finish,
    shielding::shield_is_bounded,
    shielding::shield_that_is_over_changes_nothing,
    shielding::shield_after_a_stop,
    shielding::shield_hands_the_signal_on,
    shielding::shields_nest,
    working::work_ends_by_itself,
    waiting::stop_breaks_the_waits_of_work,
    waiting::waits_note_their_line,
    waiting::unbreakable_waits_note_their_line,
    working::stop_before_work_ran,
    working::stop_work_from_two_places,
    working::leaked_work_is_joined_by_scope,
    working::self_stop_of_work_is_caught,
    working::work_is_joined_by_bodies,
    working::work_stops_waiting_for_others_to_be_ready,
    working::work_that_waits_for_each_other_is_stopped,
    working::work_shields_itself,
    chores::chore_comes_up_again,
    chores::chore_is_joined_by_bodies,
    chores::bell_loses_no_ring,
    chores::stop_of_a_chore,
    chores::asked_chore_does_not_wait_for_its_time,
    chores::chore_is_not_called_early,
    chores::chore_with_negative_times,
    chores::chore_delay_is_no_shorter,
    chores::dropped_chore_is_stopped,
    chores::ring_after_the_end,
    chores::chore_that_stops_itself,
    chores::chore_of_a_closed_scope,
    chores::chore_sweeps_up,
    chores::left_chore_is_joined_by_scope,
    safety::drop_stops_and_joins,
    safety::leaked_handle_is_joined_by_scope,
    safety::left_thread_is_joined_by_scope,
    safety::left_thread_is_swept_up,
    safety::self_stop_is_caught,
    safety::own_scope_dropped_by_its_thread,
    safety::scope_stopped_by_two_of_its_threads,
    safety::threads_that_wait_for_each_other,
    safety::bodies_that_join_each_other,
    safety::body_stops_who_joins_it,
    safety::closure_that_owns_its_scope,
    safety::closure_that_owns_its_handle,
    safety::scope_needs_its_module,
    limited::join_gives_up_in_time,
    limited::join_within_gets_the_result,
    limited::join_gives_up_after_a_stop,
    limited::negative_limits_are_over,
    limited::limit_outlasts_a_wait_inside,
    limited::inner_limit_spares_the_outer,
    limited::join_within_of_one_that_never_ran,
    limited::join_within_by_many,
    limited::body_joins_within,
    limited::join_within_itself,
    limited::limited_wait_closes_no_ring,
    nesting::outer_stop_costs_the_slowest,
    nesting::inner_ends_alone,
    nesting::outer_covers_leaked_inner,
    nesting::scopes_nest_so_deep,
    nesting::nothing_starts_within_a_scope_that_has_gone,
    nesting::outer_dropped_by_thread_of_inner,
    nesting::inner_dropped_by_thread_of_outer,
    ticking::ticker_does_not_drift,
    ticking::missed_ticks_are_counted,
    ticking::ticker_ticks,
    ticking::stop_while_ticking,
    ticking::published_values_are_whole,
    scheduling::thread_stays_on_its_cpu,
    scheduling::thread_stays_on_its_cpus,
    scheduling::place_that_is_not_there,
    scheduling::thread_on_a_node,
    scheduling::mutex_lets_inversion_happen,
    scheduling::rt_mutex_inherits_priority,
    scheduling::stop_while_locking,
    scheduling::stop_while_locking_twice,
    scheduling::lock_gives_up_in_time,
    scheduling::shield_ends_while_locking,
    conditions::condition_loses_no_notification,
    conditions::stop_while_waiting_for_condition,
    conditions::notify_all_wakes_all,
    conditions::condition_gives_up_in_time,
    channels::channel_keeps_order,
    channels::channel_of_many,
    channels::stop_while_channel_is_full,
    channels::stop_while_channel_is_empty,
    channels::stop_while_both_ends_wait,
    channels::stopped_body_sends_and_receives_nothing,
    channels::channel_closes_with_its_receivers,
    channels::channel_closes_with_its_senders,
    channels::channel_that_does_not_wait,
    channels::channel_drops_its_values,
    channels::channel_from_an_interrupt,
    reporting::slow_stop_is_reported_with_its_line,
    reporting::slow_stop_elsewhere_is_reported,
    reporting::slow_stop_of_work_is_reported,
    reporting::each_thread_is_reported_in_its_time,
    signalling::signals_arrive_as_values,
    signalling::signals_shorten_no_wait,
    signalling::signals_end_no_wait,
    signalling::signals_move_no_tick,
    signalling::signal_is_waited_for,
    signalling::stop_before_signals,
    signalling::stop_while_signals_come,
    signalling::shield_keeps_signals,
    chaos::owners_do_what_they_like,
    chaos::owners_of_work_do_what_they_like,
    pausing::pause_holds_a_thread_still,
    pausing::pauses_are_counted,
    pausing::paused_wait_goes_on,
    pausing::every_wait_is_paused_and_goes_on,
    pausing::paused_thread_keeps_no_place,
    pausing::stop_while_paused,
    pausing::pause_of_one_that_ends,
    pausing::pause_itself,
    pausing::pause_breaks_no_firmware_wait,
    detaching::detached_thread_is_refused_while_loading,
    safety::no_thread_left,
    safety::leaked_scope_is_joined_by_module,
    safety::leftover_is_ended_with_the_module,
}

/// The module: it has no life but its tests.
#[pin_data]
struct Tests {
    #[pin]
    _device: MiscDeviceRegistration<detaching::Late>,
    #[pin]
    threads: ModuleScope,
    // Dropped after the above.
    _witness: bench::Witness,
}

impl kernel::InPlaceModule for Tests {
    fn init(module: &'static ThisModule) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            // In first, so that it is out last also where this fails half-way.
            _witness: bench::Witness,
            threads <- ModuleScope::new(module),
            _: {
                let bench = Bench { module, threads: &threads };
                bench::run(CASES, module_parameters::case.value(), &bench)?;
                if module_parameters::linger.value() != 0 {
                    lingering::start(&threads)?;
                }
                if let Ok(node) = u32::try_from(module_parameters::on_node.value()) {
                    placed::on_node(&threads, node)?;
                }
                if let Ok(cpu) = u32::try_from(module_parameters::on_cpu.value()) {
                    placed::on_cpu(&threads, cpu)?;
                }
            },
            _device <- MiscDeviceRegistration::register(MiscDeviceOptions {
                name: c"kthread_test",
            }),
        })
    }
}
