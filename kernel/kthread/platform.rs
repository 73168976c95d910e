// SPDX-License-Identifier: GPL-2.0

//! What `life.rs` is built on. The model of the protocol brings a file of its own (`tools/model`).

pub(crate) use kernel::sync::atomic::{
    Acquire,
    AtomicFlag,
    Full,
    Relaxed,
    Release, //
};
