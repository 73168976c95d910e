// SPDX-License-Identifier: GPL-2.0

//! What the cases have in common.

use core::panic::Location;
use kernel::{
    fmt,
    prelude::*,
    sync::{
        atomic::{
            Acquire,
            Atomic,
            AtomicFlag,
            Full,
            Release, //
        },
        Arc, //
    },
    time::{
        delay::fsleep,
        Delta, //
    }, //
};
use kthread::{
    Completion,
    ModuleScope,
    Scope, //
};

/// Where the cases run.
pub(crate) struct Bench<'a> {
    pub(crate) module: &'static ThisModule,
    pub(crate) threads: &'a ModuleScope,
}

impl Bench<'_> {
    /// A scope for one case.
    pub(crate) fn scope(&self) -> Result<Scope> {
        Scope::new(self.module)
    }
}

/// Why a case failed.
pub(crate) enum Reason {
    /// What was expected and did not hold, and in which line.
    Claim(&'static str, u32),
    /// Something that the case needs did not work.
    Error(Error),
}

impl From<Error> for Reason {
    fn from(error: Error) -> Self {
        Reason::Error(error)
    }
}

impl From<kernel::alloc::AllocError> for Reason {
    fn from(error: kernel::alloc::AllocError) -> Self {
        Reason::Error(error.into())
    }
}

/// How a case passed.
pub(crate) enum Passed {
    /// All that it claims holds.
    Now,
    /// The machine can't show it, for this reason.
    Skipped(&'static str),
    /// The [`Witness`] will tell when the module goes.
    IfNoneOutlives,
}

/// What a case returns.
pub(crate) type Verdict = core::result::Result<Passed, Reason>;

/// Fails the case if the claim does not hold.
macro_rules! claim {
    ($claim:expr) => {
        if !$claim {
            return Err($crate::bench::Reason::Claim(stringify!($claim), line!()));
        }
    };
}
pub(crate) use claim;

/// Says that some line of the log is made of these pieces, which have " ... " between them. The lab
/// fails the case if there is no such line.
pub(crate) fn expect_line(pieces: fmt::Arguments<'_>) {
    pr_info!("expects {pieces}\n");
}

/// A named test.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) run: fn(&Bench<'_>) -> Verdict,
}

/// Runs one case, or all of them if there is none of that number; [`EINVAL`] if one fails.
pub(crate) fn run(cases: &[Case], only: i32, bench: &Bench<'_>) -> Result {
    let only = usize::try_from(only).ok();
    if only.is_some_and(|only| only >= cases.len()) {
        pr_err!("there is no case of that number\n");
        return Err(ERANGE);
    }

    let mut failed = 0;
    for (index, case) in cases.iter().enumerate() {
        if only.is_none_or(|only| only == index) && !passes(case, bench) {
            failed += 1;
        }
    }
    if failed == 0 {
        Ok(())
    } else {
        Err(EINVAL)
    }
}

/// Whether the case does not fail.
fn passes(case: &Case, bench: &Bench<'_>) -> bool {
    let name = case.name;
    pr_info!("case {name}\n");
    match (case.run)(bench) {
        Ok(Passed::Now) => pr_info!("ok {name}\n"),
        Ok(Passed::Skipped(why)) => pr_info!("ok {name} # SKIP {why}\n"),
        Ok(Passed::IfNoneOutlives) => WITNESS_CASE.store(true, Release),
        Err(Reason::Claim(claim, line)) => {
            pr_err!("not ok {name}: line {line}: {claim}\n");
            return false;
        }
        Err(Reason::Error(error)) => {
            pr_err!("not ok {name}: {error:?}\n");
            return false;
        }
    }
    true
}

/// Gives the verdict on threads of leaked scopes, when the module goes.
pub(crate) struct Witness;

/// Whether there is a verdict to give.
static WITNESS_CASE: AtomicFlag = AtomicFlag::new(false);

/// How many threads of leaked scopes have begun and not ended.
pub(crate) static LEAKED: Atomic<i32> = Atomic::new(0);

impl Drop for Witness {
    fn drop(&mut self) {
        let name = "leaked_scope_is_joined_by_module";
        if !WITNESS_CASE.load(Acquire) {
            return;
        }
        match LEAKED.load(Acquire) {
            0 => pr_info!("ok {name}\n"),
            n => pr_err!("not ok {name}: {n} threads outlive the module\n"),
        }
    }
}

/// Leaks `value`, and says so: kmemleak finds it too.
pub(crate) fn leak<T>(value: T) {
    pr_info!("leaked on purpose: {}\n", core::any::type_name::<T>());
    core::mem::forget(value);
}

/// Counts how often things happen, over threads.
#[derive(Clone)]
pub(crate) struct Count(Arc<Atomic<i32>>);

impl Count {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self(Arc::new(Atomic::new(0), GFP_KERNEL)?))
    }

    pub(crate) fn up(&self) {
        self.0.fetch_add(1, Full);
    }

    pub(crate) fn get(&self) -> i32 {
        self.0.load(Acquire)
    }

    /// Something that counts its own drop.
    pub(crate) fn on_drop(&self) -> OnDrop {
        OnDrop(self.clone())
    }
}

/// Counts its own drop.
pub(crate) struct OnDrop(Count);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.up();
    }
}

/// Where a body waits, as soon as it does.
pub(crate) fn await_place(
    waits_in: impl Fn() -> Option<&'static Location<'static>>,
) -> &'static Location<'static> {
    loop {
        if let Some(place) = waits_in() {
            return place;
        }
        fsleep(Delta::from_millis(1));
    }
}

/// A completion to share.
pub(crate) fn event() -> Result<Arc<Completion>> {
    Arc::pin_init(Completion::new(), GFP_KERNEL)
}
