// SPDX-License-Identifier: GPL-2.0

//! Threads that talk through channels.

use crate::bench::{
    claim,
    Bench,
    Count,
    OnDrop,
    Passed,
    Verdict, //
};
use kernel::{
    cpu::CpuId,
    impl_has_hr_timer,
    prelude::*,
    sync::Arc,
    time::{
        delay::fsleep,
        hrtimer::{
            HrTimer,
            HrTimerCallback,
            HrTimerCallbackContext,
            HrTimerPointer,
            HrTimerRestart,
            RelativeMode, //
        },
        Delta,
        Monotonic, //
    }, //
};
use kthread::{
    channel,
    Builder,
    Error,
    Outcome,
    Receiver,
    Refusal,
    Sender,
    Stop,
    Thread, //
};

const FOR_EVER: Delta = Delta::from_secs(1_000_000);
const MOMENT: Delta = Delta::from_millis(5);

/// Values go from thread to thread through two channels that hold but a few of them.
///
/// All on one CPU: to wake another CPU for each value takes an emulated machine its time.
pub(crate) fn channel_keeps_order(bench: &Bench<'_>) -> Verdict {
    const MANY: u32 = 10_000;

    let scope = bench.scope()?;
    let cpu = CpuId::current();
    let (first, relayed) = channel(3)?;
    let (relay, last) = channel(2)?;
    let source = Builder::new(fmt!("source"))
        .on_cpu(cpu)
        .spawn(&scope, move |stop: &Stop| {
            for number in 0..MANY {
                first.send(stop, number)?;
            }
            Ok(())
        })?;
    let middle =
        Builder::new(fmt!("relay"))
            .on_cpu(cpu)
            .spawn(&scope, move |stop: &Stop| loop {
                match relayed.receive(stop) {
                    Ok(number) => relay.send(stop, number)?,
                    Err(why) => return Ok(why),
                }
            })?;
    let sink = Builder::new(fmt!("sink"))
        .on_cpu(cpu)
        .spawn(&scope, move |stop: &Stop| {
            for number in 0..MANY {
                if last.receive(stop)? != number {
                    return Ok(number);
                }
            }
            claim_closed(last.receive(stop))?;
            Ok(MANY)
        })?;

    claim!(source.join() == Outcome::Ended(()));
    claim!(middle.join() == Outcome::Ended(Refusal::Closed));
    claim!(sink.join() == Outcome::Ended(MANY));
    Ok(Passed::Now)
}

fn claim_closed<T>(received: core::result::Result<T, Refusal>) -> kthread::Result {
    match received {
        Err(Refusal::Closed) => Ok(()),
        _ => Err(Error::Failed(EINVAL)),
    }
}

/// Each value reaches one receiver, whoever sent it, and those of one sender stay in order.
pub(crate) fn channel_of_many(bench: &Bench<'_>) -> Verdict {
    const SENDERS: usize = 3;
    const EACH: u32 = 2000;

    let scope = bench.scope()?;
    let (sender, receiver) = channel::<(usize, u32)>(4)?;
    let mut sources = KVec::new();
    for index in 0..SENDERS {
        let sender = sender.clone();
        let source = Builder::new(fmt!("source/{index}")).spawn(&scope, move |stop: &Stop| {
            for number in 1..=EACH {
                sender.send(stop, (index, number))?;
            }
            Ok(())
        })?;
        sources.push(source, GFP_KERNEL)?;
    }
    drop(sender);
    let sink = |receiver: Receiver<(usize, u32)>| {
        Builder::new(fmt!("sink")).spawn(&scope, move |stop: &Stop| {
            let mut last = [0; SENDERS];
            let mut sums = [0; SENDERS];
            while let Ok((index, number)) = receiver.receive(stop) {
                if number <= last[index] {
                    return Err(Error::Failed(EINVAL));
                }
                last[index] = number;
                sums[index] += number;
            }
            Ok(sums)
        })
    };
    let (one, two) = (sink(receiver.clone())?, sink(receiver)?);

    for source in &sources {
        claim!(source.join() == Outcome::Ended(()));
    }
    let (Outcome::Ended(one), Outcome::Ended(two)) = (one.join(), two.join()) else {
        claim!(false);
        return Ok(Passed::Now);
    };
    for index in 0..SENDERS {
        claim!(one[index] + two[index] == EACH * (EACH + 1) / 2);
    }
    Ok(Passed::Now)
}

/// A thread that sends into a channel that is full, and tells how that ended.
fn blocked_sender(scope: &kthread::Scope, sender: Sender<u32>) -> Result<Thread<(u32, Refusal)>> {
    Builder::new(fmt!("sender")).spawn_ready(scope, move |stop: &Stop| {
        stop.ready();
        match sender.send(stop, 2) {
            Ok(()) => Err(Error::Failed(EINVAL)),
            Err(unsent) => Ok((unsent.value, unsent.why)),
        }
    })
}

/// A thread that receives from a channel that is empty, and tells how that ended.
fn blocked_receiver(scope: &kthread::Scope, receiver: Receiver<u32>) -> Result<Thread<Refusal>> {
    Builder::new(fmt!("receiver")).spawn_ready(scope, move |stop: &Stop| {
        stop.ready();
        match receiver.receive(stop) {
            Ok(_) => Err(Error::Failed(EINVAL)),
            Err(why) => Ok(why),
        }
    })
}

fn is_stopped(why: Refusal) -> bool {
    matches!(why, Refusal::Stopped(_))
}

pub(crate) fn stop_while_channel_is_full(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    for _ in 0..50 {
        let (sender, receiver) = channel(1)?;
        claim!(sender.try_send(1).is_ok());
        let thread = blocked_sender(&scope, sender)?;
        // The value is given back.
        claim!(matches!(thread.stop(), Outcome::Ended((2, why)) if is_stopped(why)));
        claim!(receiver.try_receive() == Ok(1));
        claim!(receiver.try_receive() == Err(Refusal::Closed));
    }
    Ok(Passed::Now)
}

pub(crate) fn stop_while_channel_is_empty(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    for _ in 0..50 {
        let (sender, receiver) = channel(1)?;
        let thread = blocked_receiver(&scope, receiver)?;
        claim!(matches!(thread.stop(), Outcome::Ended(why) if is_stopped(why)));
        claim!(sender
            .try_send(1)
            .is_err_and(|unsent| unsent.why == Refusal::Closed));
    }
    Ok(Passed::Now)
}

/// Neither end of a channel can go on, as each thread waits for the other's second channel.
pub(crate) fn stop_while_both_ends_wait(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    for _ in 0..20 {
        let (full, kept) = channel(1)?;
        claim!(full.try_send(1).is_ok());
        let (held, empty) = channel(1)?;
        let senders = (
            blocked_sender(&scope, full.clone())?,
            blocked_sender(&scope, full)?,
        );
        let receivers = (
            blocked_receiver(&scope, empty.clone())?,
            blocked_receiver(&scope, empty)?,
        );
        fsleep(Delta::from_micros(300));
        scope.stop();
        for thread in [senders.0, senders.1] {
            claim!(matches!(thread.join(), Outcome::Ended((2, why)) if is_stopped(why)));
        }
        for thread in [receivers.0, receivers.1] {
            claim!(matches!(thread.join(), Outcome::Ended(why) if is_stopped(why)));
        }
        claim!(kept.try_receive() == Ok(1));
        drop(held);
    }
    Ok(Passed::Now)
}

pub(crate) fn stopped_body_sends_and_receives_nothing(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let (sender, receiver) = channel(2)?;
    claim!(sender.try_send(1).is_ok());
    let thread = Builder::new(fmt!("stopped")).spawn_ready(&scope, move |stop: &Stop| {
        stop.ready();
        while stop.sleep(FOR_EVER).is_ok() {}
        let sent = sender.send(stop, 2).is_ok();
        let received = receiver.receive(stop).is_ok();
        // These ask nobody.
        let sent_now = sender.try_send(3).is_ok();
        let received_now = receiver.try_receive();
        Ok((sent, received, sent_now, received_now))
    })?;
    claim!(thread.stop() == Outcome::Ended((false, false, true, Ok(1))));
    Ok(Passed::Now)
}

pub(crate) fn channel_closes_with_its_receivers(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    for round in 0..50 {
        let (sender, receiver) = channel(1)?;
        let other = receiver.clone();
        claim!(sender.try_send(1).is_ok());
        let thread = blocked_sender(&scope, sender.clone())?;
        if round % 2 == 0 {
            fsleep(Delta::from_micros(300));
        }
        drop(receiver);
        claim!(!thread.is_finished());
        drop(other);
        claim!(thread.join() == Outcome::Ended((2, Refusal::Closed)));
        claim!(sender
            .try_send(3)
            .is_err_and(|unsent| unsent.why == Refusal::Closed));
    }
    Ok(Passed::Now)
}

pub(crate) fn channel_closes_with_its_senders(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    for round in 0..50 {
        let (sender, receiver) = channel(2)?;
        let other = sender.clone();
        let thread = blocked_receiver(&scope, receiver.clone())?;
        if round % 2 == 0 {
            fsleep(Delta::from_micros(300));
        }
        drop(sender);
        claim!(!thread.is_finished());
        drop(other);
        claim!(thread.join() == Outcome::Ended(Refusal::Closed));
    }

    // What was sent is received all the same.
    let (sender, receiver) = channel(2)?;
    claim!(sender.try_send(1).is_ok() && sender.try_send(2).is_ok());
    drop(sender);
    claim!(receiver.try_receive() == Ok(1));
    claim!(receiver.try_receive() == Ok(2));
    claim!(receiver.try_receive() == Err(Refusal::Closed));
    Ok(Passed::Now)
}

pub(crate) fn channel_that_does_not_wait(bench: &Bench<'_>) -> Verdict {
    claim!(channel::<u32>(0).err() == Some(EINVAL));
    let (sender, receiver) = channel(2)?;
    // Round and round the ring.
    for number in 0..10 {
        claim!(receiver.try_receive() == Err(Refusal::NotNow));
        claim!(sender.try_send(number).is_ok());
        claim!(sender.try_send(number + 1).is_ok());
        match sender.try_send(99) {
            Err(unsent) => claim!((unsent.value, unsent.why) == (99, Refusal::NotNow)),
            Ok(()) => claim!(false),
        }
        claim!(receiver.try_receive() == Ok(number));
        claim!(receiver.try_receive() == Ok(number + 1));
    }

    let scope = bench.scope()?;
    let thread = Builder::new(fmt!("patient")).spawn(&scope, move |stop: &Stop| {
        let nothing = receiver.receive_timeout(stop, MOMENT);
        let one = sender.send_timeout(stop, 1, FOR_EVER).is_ok();
        let two = sender.send_timeout(stop, 2, MOMENT).is_ok();
        let late = sender
            .send_timeout(stop, 3, MOMENT)
            .map_err(|u| (u.value, u.why));
        let first = receiver.receive_timeout(stop, FOR_EVER);
        Ok((nothing, one, two, late, first))
    })?;
    let refused = Refusal::NotNow;
    claim!(thread.join() == Outcome::Ended((Err(refused), true, true, Err((3, refused)), Ok(1))));
    Ok(Passed::Now)
}

/// Whatever becomes of a value, it is dropped once.
pub(crate) fn channel_drops_its_values(bench: &Bench<'_>) -> Verdict {
    let scope = bench.scope()?;
    let drops = Count::new()?;
    let (sender, receiver) = channel::<OnDrop>(3)?;
    for _ in 0..3 {
        claim!(sender.try_send(drops.on_drop()).is_ok());
    }
    claim!(drops.get() == 0);
    // Not sent.
    drop(sender.try_send(drops.on_drop()));
    claim!(drops.get() == 1);
    // Received.
    drop(receiver.try_receive());
    claim!(drops.get() == 2);
    // On its way, when the thread is stopped.
    claim!(sender.try_send(drops.on_drop()).is_ok());
    let thread = Builder::new(fmt!("sender")).spawn_ready(&scope, {
        let (sender, held) = (sender.clone(), drops.on_drop());
        move |stop: &Stop| {
            stop.ready();
            Ok(sender.send(stop, held)?)
        }
    })?;
    claim!(thread.stop() == Outcome::Stopped);
    claim!(drops.get() == 3);
    // Never received.
    drop(receiver);
    claim!(drops.get() == 6);
    drop(sender);
    claim!(drops.get() == 6);
    Ok(Passed::Now)
}

const PERIOD: Delta = Delta::from_micros(100);

/// A timer that sends numbers from its interrupt.
#[pin_data]
struct Source {
    #[pin]
    timer: HrTimer<Self>,
    sender: Sender<u32>,
    sent: Count,
}

impl_has_hr_timer! {
    impl HasHrTimer<Self> for Source {
        mode: RelativeMode<Monotonic>, field: self.timer
    }
}

impl HrTimerCallback for Source {
    type Pointer<'a> = Arc<Self>;

    fn run(
        this: kernel::sync::ArcBorrow<'_, Self>,
        mut context: HrTimerCallbackContext<'_, Self>,
    ) -> HrTimerRestart {
        if this.sender.try_send(this.sent.get().unsigned_abs()).is_ok() {
            this.sent.up();
        }
        context.forward_now(PERIOD);
        HrTimerRestart::Restart
    }
}

/// The thread is on the CPU of the interrupt, and takes the channel's lock all the time: were it
/// to leave interrupts on meanwhile, the handler would wait for it for ever.
pub(crate) fn channel_from_an_interrupt(bench: &Bench<'_>) -> Verdict {
    const MANY: u32 = 1000;

    let scope = bench.scope()?;
    let (sender, receiver) = channel(4)?;
    let sent = Count::new()?;
    let source = Arc::pin_init(
        pin_init!(Source {
            timer <- HrTimer::new(),
            sender,
            sent,
        }),
        GFP_KERNEL,
    )?;
    let sink = Builder::new(fmt!("sink")).on_cpu(CpuId::current());
    let thread = sink.spawn(&scope, move |stop: &Stop| {
        let running = source.start(PERIOD);
        let mut next = 0;
        while next < MANY / 2 {
            stop.check()?;
            match receiver.try_receive() {
                Ok(number) if number == next => next += 1,
                Ok(_) => return Ok(next),
                Err(_) => (),
            }
        }
        while next < MANY && receiver.receive(stop)? == next {
            next += 1;
        }
        drop(running);
        Ok(next)
    })?;
    claim!(thread.join() == Outcome::Ended(MANY));
    Ok(Passed::Now)
}

// Both ends may be shared by threads even where the values may not.
const _: fn() = || {
    fn is_shared<T: Send + Sync>() {}
    is_shared::<Sender<core::cell::Cell<u32>>>();
    is_shared::<Receiver<core::cell::Cell<u32>>>();
};
