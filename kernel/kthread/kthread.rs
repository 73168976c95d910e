// SPDX-License-Identifier: GPL-2.0

//! Kernel threads for drivers: a thread ends by itself **or** is stopped, whichever comes first,
//! and either way its owner can wait for it.

#[allow(dead_code)]
const __LOG_PREFIX: &[u8] = b"kthread\0";

mod block;
mod builder;
mod completion;
mod error;
mod life;
mod net;
mod published;
mod scope;
mod stop;
mod sys;
mod task;
mod thread;
mod ticker;

pub use self::{
    builder::Builder,
    completion::Completion,
    error::{
        Error,
        Result,
        Stopped, //
    },
    published::Published,
    scope::{
        ModuleScope,
        Scope, //
    },
    stop::Stop,
    thread::{
        Outcome,
        Thread, //
    },
    ticker::{
        Schedule,
        Tick,
        Ticker, //
    }, //
};
