// SPDX-License-Identifier: GPL-2.0

//! The thread waits for work, and for nothing else.

use kthread::{
    Completion,
    Stop, //
};

// ANCHOR: misuse
fn handle_events(_stop: &Stop, pending: &Completion) -> kthread::Result {
    loop {
        pending.wait();
        // An event is handled here.
    }
}
// ANCHOR_END: misuse
