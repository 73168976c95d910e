// SPDX-License-Identifier: GPL-2.0

//! Every wait of the library, for what never comes.

use crate::bench::event;
use core::panic::Location;
use kernel::{
    device::Bound,
    faux,
    prelude::*,
    sync::Arc,
    time::{
        Delta,
        Instant, //
    }, //
};
use kthread::{
    channel,
    new_rt_mutex,
    Again,
    AnyStop,
    Builder,
    Chore,
    Completion,
    Condition,
    Error,
    Outcome,
    Receiver,
    RtMutex,
    Scope,
    Sender,
    Stop,
    Thread,
    Ticker,
    Work, //
};

const FOR_EVER: Delta = Delta::from_secs(1_000_000);

/// A lock that somebody else holds, or nobody, and changes that nobody tells of.
#[pin_data]
struct Guarded {
    #[pin]
    held: RtMutex<()>,
    #[pin]
    free: RtMutex<()>,
    #[pin]
    changed: Condition,
}

/// What is waited for in vain.
#[derive(Clone)]
pub(crate) struct Never {
    event: Arc<Completion>,
    guarded: Arc<Guarded>,
    full: Sender<u32>,
    empty: Receiver<u32>,
    // The ends that nobody uses: a channel without them would be closed.
    _ends: (Receiver<u32>, Sender<u32>),
    thread: Arc<Thread<()>>,
    work: Arc<Work<()>>,
    chore: Arc<Chore>,
    holder: Arc<Thread<()>>,
    device: Arc<faux::Registration>,
}

impl Never {
    pub(crate) fn new(scope: &Scope) -> Result<Self> {
        let (full, receiver) = channel(1)?;
        let (sender, empty) = channel(1)?;
        full.try_send(1).map_err(|_| EINVAL)?;
        let guarded = Arc::pin_init(
            pin_init!(Guarded {
                held <- new_rt_mutex!(()),
                free <- new_rt_mutex!(()),
                changed <- Condition::new(),
            }),
            GFP_KERNEL,
        )?;
        let sleeper =
            Builder::new(fmt!("endless")).spawn(scope, |stop: &Stop| Ok(stop.sleep(FOR_EVER)?))?;
        let work = Work::queue(scope, |stop: &AnyStop| Ok(stop.sleep(FOR_EVER)?))?;
        let chore = Chore::start(scope, FOR_EVER, |_: &AnyStop| Ok(Again::Never))?;
        // Not by who waits for the work, which lockdep would take for a deadlock: it knows no
        // stops.
        let holder = Builder::new(fmt!("holder")).spawn_ready(scope, {
            let guarded = guarded.clone();
            move |stop: &Stop| {
                let _held = guarded.held.lock();
                stop.ready();
                Ok(stop.sleep(FOR_EVER)?)
            }
        })?;
        Ok(Self {
            event: event()?,
            guarded,
            full,
            empty,
            _ends: (receiver, sender),
            thread: Arc::new(sleeper, GFP_KERNEL)?,
            work: Arc::new(work, GFP_KERNEL)?,
            chore: Arc::new(chore, GFP_KERNEL)?,
            holder: Arc::new(holder, GFP_KERNEL)?,
            device: Arc::new(faux::Registration::new(c"kthread_test", None)?, GFP_KERNEL)?,
        })
    }

    /// Ends what is waited for. Whether it would have gone on otherwise.
    pub(crate) fn end(&self) -> bool {
        let threads = [&self.thread, &self.holder].map(|thread| thread.stop());
        threads == [Outcome::Stopped, Outcome::Stopped]
            && self.work.stop() == Outcome::Stopped
            && self.chore.stop() == Outcome::Stopped
    }
}

/// A wait, and where in this file it begins.
pub(crate) struct Wait<S: 'static> {
    pub(crate) run: fn(&Never, &S) -> kthread::Result,
    place: &'static Location<'static>,
    /// What a pause does to it.
    pub(crate) paused: Paused,
}

/// What becomes of a wait in which a thread is paused.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Paused {
    /// It goes on afterwards.
    GoesOn,
    /// It comes back afterwards, unasked.
    ComesBack,
    /// The thread can't be paused in it.
    Never,
}

impl<S> Wait<S> {
    #[track_caller]
    const fn here(run: fn(&Never, &S) -> kthread::Result) -> Self {
        Self {
            run,
            place: Location::caller(),
            paused: Paused::GoesOn,
        }
    }

    #[track_caller]
    const fn that_comes_back(run: fn(&Never, &S) -> kthread::Result) -> Self {
        Self {
            run,
            place: Location::caller(),
            paused: Paused::ComesBack,
        }
    }

    #[track_caller]
    const fn in_kernel(run: fn(&Never, &S) -> kthread::Result) -> Self {
        Self {
            run,
            place: Location::caller(),
            paused: Paused::Never,
        }
    }

    /// Whether a line is that of this one among all `waits`: in this file, and no other's.
    pub(crate) fn is_in(&self, place: &Location<'_>, waits: &[Self]) -> bool {
        let line = self.place.line();
        let others = waits.iter().map(|wait| wait.place.line());
        let next = others.filter(|other| *other > line).min();
        place.file() == self.place.file()
            && (line..next.unwrap_or(u32::MAX)).contains(&place.line())
    }
}

/// All the waits of [`AnyStop`], and those that it is handed to.
pub(crate) const WAITS: &[Wait<AnyStop>] = &[
    Wait::here(|_, stop| Ok(stop.sleep(FOR_EVER)?)),
    Wait::here(|_, stop| Ok(stop.sleep_until(Instant::now() + FOR_EVER)?)),
    Wait::here(|never, stop| Ok(stop.wait(&never.event)?)),
    Wait::here(|never, stop| Ok(stop.wait_timeout(&never.event, FOR_EVER).map(drop)?)),
    Wait::here(|never, stop| {
        let end = Instant::now() + FOR_EVER;
        Ok(stop.wait_until(&never.event, end).map(drop)?)
    }),
    Wait::here(|_, stop| Ok(Ticker::new(FOR_EVER)?.wait(stop).map(drop)?)),
    Wait::here(|never, stop| Ok(stop.join(&never.thread).map(drop)?)),
    Wait::here(|never, stop| Ok(stop.join_within(&never.thread, FOR_EVER).map(drop)?)),
    Wait::here(|never, stop| stop.wait_ready(&never.thread)),
    Wait::here(|never, stop| Ok(stop.join_work(&never.work).map(drop)?)),
    Wait::here(|never, stop| Ok(stop.join_work_within(&never.work, FOR_EVER).map(drop)?)),
    Wait::here(|never, stop| Ok(stop.join_chore(&never.chore).map(drop)?)),
    Wait::here(|never, stop| stop.wait_work_ready(&never.work)),
    Wait::here(|never, stop| Ok(never.empty.receive(stop).map(drop)?)),
    Wait::here(|never, stop| Ok(never.empty.receive_timeout(stop, FOR_EVER).map(drop)?)),
    Wait::here(|never, stop| Ok(never.full.send(stop, 2)?)),
    Wait::here(|never, stop| Ok(never.full.send_timeout(stop, 2, FOR_EVER)?)),
    Wait::here(|never, stop| Ok(stop.lock(&never.guarded.held).map(drop)?)),
    Wait::here(|never, stop| Ok(stop.lock_timeout(&never.guarded.held, FOR_EVER).map(drop)?)),
    Wait::that_comes_back(|never, stop| {
        let Guarded { free, changed, .. } = &*never.guarded;
        Ok(changed.wait(stop, free.lock()).map(drop)?)
    }),
    Wait::here(|never, stop| {
        let Guarded { free, changed, .. } = &*never.guarded;
        Ok(changed.wait_while(stop, free.lock(), |()| true).map(drop)?)
    }),
    Wait::here(|never, stop| {
        let Guarded { free, changed, .. } = &*never.guarded;
        let waited = changed.wait_timeout_while(stop, free.lock(), FOR_EVER, |()| true);
        Ok(waited.map(drop)?)
    }),
];

/// Those that there are in threads only.
pub(crate) const WAITS_OF_THREADS: &[Wait<Stop>] = &[
    Wait::here(|_, stop| stop.wait_signals().map(drop).map_err(Error::from)),
    Wait::in_kernel(|never, stop| stop.killable(|| wait_for_start(&never.thread))),
    Wait::in_kernel(|never, stop| stop.killable_within(FOR_EVER, || wait_for_start(&never.thread))),
    Wait::in_kernel(|never, stop| {
        let device: &faux::Device<Bound> = (*never.device).as_ref();
        stop.request_firmware(NOBODYS, device.as_ref()).map(drop)
    }),
    Wait::in_kernel(|never, stop| {
        let device: &faux::Device<Bound> = (*never.device).as_ref();
        let found = stop.request_firmware_any(&[NOBODYS], device.as_ref(), None);
        found.map(drop)
    }),
    Wait::in_kernel(|never, stop| {
        let device: &faux::Device<Bound> = (*never.device).as_ref();
        let found = stop.request_firmware_any(&[NOBODYS], device.as_ref(), Some(FOR_EVER));
        found.map(drop)
    }),
];

/// A file that nobody has.
const NOBODYS: &CStr = c"kthread_test-no-such-file";

/// A killable wait of the kernel: for a start-up that never comes.
fn wait_for_start(thread: &Thread<()>) -> Result {
    thread.wait_ready().map_err(Error::to_kernel)
}
