// SPDX-License-Identifier: GPL-2.0-only

//! The protocol of a kernel thread's life, explored.
//!
//! `kernel/kthread/life.rs` and `slot.rs` decide who may stop a thread, who waits, who cleans up,
//! and who gets the result, `reach.rs` what breaks a thread's waits, `pause.rs` how it holds still,
//! and `rounds.rs` when a work item comes up again. They call no kernel, so they are compiled here
//! too: not a copy of them, the files. [`kthread`] and [`item`] put the kernel's side under them,
//! with the traps that the real one has, and [`scenarios`], [`pauses`] and [`chores`] make bodies
//! and owners meet in it.
//!
//! - Under **loom** each scenario runs through every order of its steps, up to a bound on how
//!   often a thread is preempted, and with every value that the memory model lets a thread see.
//! - Under **shuttle** it runs through orders chosen at random, and so does a crowd too large for
//!   loom. A failure prints the seed: `SHUTTLE_RANDOM_SEED` set to it runs the same again.
//! - Each **mutant** of [`mutants`], [`reach_mutants`], [`pause_mutants`] and [`chore_mutants`], a
//!   protocol with one thing wrong, is compiled as well, and the scenario that it names must fail.
//!   So none of the steps is there for nothing, and the models are known to see what they should.
//!
//! The crate has tests only. `cargo test -p model`, or `./lab test model::`.
//!
//! [`kthread`]: ../src/kthread.rs
//! [`item`]: ../src/item.rs
//! [`scenarios`]: ../src/scenarios.rs
//! [`pauses`]: ../src/pauses.rs
//! [`chores`]: ../src/chores.rs
//! [`mutants`]: ../src/mutants.rs
//! [`reach_mutants`]: ../src/reach_mutants.rs
//! [`pause_mutants`]: ../src/pause_mutants.rs
//! [`chore_mutants`]: ../src/chore_mutants.rs

#![allow(
    clippy::duplicate_mod,
    reason = "the same files, on another platform or with a fault beside them"
)]

#[cfg(test)]
#[macro_use]
mod platform;

#[cfg(test)]
mod under_loom;

#[cfg(test)]
mod under_shuttle;

#[cfg(test)]
#[allow(
    dead_code,
    unused_imports,
    reason = "a mutant needs one scenario, and not all of the protocol"
)]
mod under_mutation;
