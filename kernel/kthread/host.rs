// SPDX-License-Identifier: GPL-2.0

//! What a body can run in.

use crate::{
    anystop::Place,
    events::Events,
    life::World,
    watch::Watch, //
};
use kernel::fmt;

/// What runs a body: a thread, or a work item.
pub(crate) trait Host: World<Deadline = i64> + Place + Send + Sync + 'static {
    /// What the body gets.
    type Stop;

    /// Makes that.
    ///
    /// # Safety
    ///
    /// The host must run its body in the current task, and outlive the returned value.
    unsafe fn stop(&self) -> Self::Stop;

    /// What is awaited by others.
    fn events(&self) -> &Events;

    /// What is known about its stop.
    fn watch(&self) -> &Watch;

    /// Writes by what name the log calls it. The type of its body is called `body`.
    fn name(&self, body: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result;

    /// Logs the stack of the body, if it has one of its own.
    fn show_stack(&self) {}
}
