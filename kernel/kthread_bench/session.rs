// SPDX-License-Identifier: GPL-2.0

//! An open `/dev/kthread_bench`: takes commands, and keeps what the last one measured.

use crate::{
    gear::Gear,
    life::Life,
    ticks,
    wait::{
        Wait,
        Waiting, //
    }, //
};
use core::str::SplitAsciiWhitespace;
use kernel::{
    fs::{
        File,
        Kiocb, //
    },
    iov::{
        IovIterDest,
        IovIterSource, //
    },
    miscdevice::{
        MiscDevice,
        MiscDeviceRegistration, //
    },
    module::this_module,
    new_mutex,
    prelude::*,
    sync::{
        Arc,
        Mutex, //
    },
    time::{
        Delta,
        Instant,
        Monotonic, //
    }, //
};
use kthread::Scope;

/// The longest command that is read.
const COMMAND_MAX: usize = 64;

/// What lasts from one command to the next.
struct State {
    /// What was started and not stopped.
    waiting: Option<Waiting>,
    /// What the last command measured.
    measured: KVVec<u8>,
}

/// An open file.
#[pin_data]
pub(crate) struct Session {
    #[pin]
    state: Mutex<State>,
    gear: Arc<Gear>,
    scope: Scope,
}

impl Session {
    /// Does one command; what it measured.
    fn perform(&self, state: &mut State, command: &str) -> Result<KVVec<i64>> {
        let mut words = command.split_ascii_whitespace();
        match words.next().ok_or(EINVAL)? {
            "life" => {
                let kind = Life::parse(words.next().ok_or(EINVAL)?)?;
                kind.measure(&self.scope, &self.gear, number(&mut words)?)
            }
            "start" => {
                let wait = Wait::parse(words.next().ok_or(EINVAL)?)?;
                let waiting = wait.start(&self.scope, &self.gear)?;
                let pid = waiting.pid();
                state.waiting = Some(waiting);
                one(i64::from(pid))
            }
            "stop" => {
                let waiting = state.waiting.take().ok_or(EINVAL)?;
                let begin = Instant::<Monotonic>::now();
                waiting.stop();
                one(begin.elapsed().as_nanos())
            }
            "tick" => {
                let period = Delta::from_nanos(number(&mut words)?);
                ticks::measure(&self.scope, period, number(&mut words)?)
            }
            _ => Err(EINVAL),
        }
    }
}

fn number<T: core::str::FromStr>(words: &mut SplitAsciiWhitespace<'_>) -> Result<T> {
    words.next().ok_or(EINVAL)?.parse().map_err(|_| EINVAL)
}

fn one(value: i64) -> Result<KVVec<i64>> {
    let mut values = KVVec::new();
    values.push(value, GFP_KERNEL)?;
    Ok(values)
}

#[vtable]
impl MiscDevice for Session {
    type Ptr = Pin<KBox<Self>>;

    fn open(_file: &File, _device: &MiscDeviceRegistration<Self>) -> Result<Self::Ptr> {
        let state = State {
            waiting: None,
            measured: KVVec::new(),
        };
        let scope = Scope::new(this_module::<crate::LocalModule>())?;
        KBox::try_pin_init(
            try_pin_init!(Self {
                state <- new_mutex!(state),
                gear: Gear::new(&scope)?,
                scope,
            }),
            GFP_KERNEL,
        )
    }

    fn write_iter(mut kiocb: Kiocb<'_, Self::Ptr>, iov: &mut IovIterSource<'_>) -> Result<usize> {
        let session = kiocb.file();
        let mut command = [0; COMMAND_MAX];
        if iov.len() > command.len() {
            return Err(EINVAL);
        }
        let length = iov.copy_from_iter(&mut command);
        let command = core::str::from_utf8(&command[..length]).map_err(|_| EINVAL)?;

        let mut state = session.state.lock();
        state.measured.clear();
        let measured = session.perform(&mut state, command)?;
        for value in &measured {
            let bytes = value.to_ne_bytes();
            state.measured.extend_from_slice(&bytes, GFP_KERNEL)?;
        }
        // What is read next begins with the first number.
        *kiocb.ki_pos_mut() = 0;
        Ok(length)
    }

    fn read_iter(mut kiocb: Kiocb<'_, Self::Ptr>, iov: &mut IovIterDest<'_>) -> Result<usize> {
        let session = kiocb.file();
        let state = session.state.lock();
        iov.simple_read_from_buffer(kiocb.ki_pos_mut(), &state.measured)
    }
}
