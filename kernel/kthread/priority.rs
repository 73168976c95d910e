// SPDX-License-Identifier: GPL-2.0

//! How urgent a thread is.
//!
//! C header: [`include/linux/sched.h`](srctree/include/linux/sched.h)

use kernel::{
    bindings,
    fmt,
    str::{
        parse_int::ParseInt,
        BStr, //
    },
    task::Task, //
};

/// How the scheduler treats a thread.
///
/// These are all the ways that the kernel leaves to modules: which priority serves hardware well
/// is not for a driver to know.
///
/// Its text, in [`Display`](fmt::Display) and [`Self::parse`], is `fifo`, `fifo-low`, or the nice
/// level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Priority {
    /// Before all normal threads: SCHED_FIFO at the middle priority (50), the kernel's choice for
    /// threads that serve hardware. See `sched_set_fifo()`.
    Fifo,
    /// Before all normal threads, but after all others of SCHED_FIFO (priority 1). See
    /// `sched_set_fifo_low()`.
    FifoLow,
    /// Among the normal threads, by its nice level: -20 (first) to 19 (last). Levels beyond are
    /// the nearest of these. See `sched_set_normal()`.
    Nice(i32),
}

impl Priority {
    /// The priority of this text, if there is one.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "fifo" => Some(Self::Fifo),
            "fifo-low" => Some(Self::FifoLow),
            level => {
                let level = i32::from_str(BStr::from_bytes(level.as_bytes())).ok()?;
                (-20..=19).contains(&level).then_some(Self::Nice(level))
            }
        }
    }

    /// Gives it to the task. Sleeps.
    #[inline(never)]
    pub(crate) fn give(self, task: &Task) {
        let task = task.as_ptr();
        // SAFETY: The reference keeps the task valid; these functions may be called on any task,
        // by callers that may sleep.
        unsafe {
            match self {
                Priority::Nice(level) => bindings::sched_set_normal(task, level.clamp(-20, 19)),
                Priority::FifoLow => bindings::sched_set_fifo_low(task),
                Priority::Fifo => bindings::sched_set_fifo(task),
            }
        }
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fifo => f.write_str("fifo"),
            Self::FifoLow => f.write_str("fifo-low"),
            Self::Nice(level) => write!(f, "{level}"),
        }
    }
}
