// SPDX-License-Identifier: GPL-2.0-only

//! What travels over the wires of a USB ADSL modem, without a kernel in it.
//!
//! Three layers, each of which knows only the one below it:
//!
//! - [`cell`]: ATM cells of 53 bytes, as a modem packs them into its bulk pipes.
//! - [`aal5`]: packets cut into cells, and cells put together again.
//! - [`speedtch`]: what a SpeedTouch modem answers to which request, on top of
//!   the setup packets of [`setup`].
//!
//! Everything here is plain data and arithmetic on it: nothing allocates,
//! sleeps, takes a lock or panics, whatever the peer sends, and there is no
//! `unsafe`. That is why the kernel modules, the emulated modem and the tests
//! on the host can share the same files.

#![cfg_attr(not(test), no_std)]
// The kernel's build asks for `no_std` on its command line, too.
#![allow(unused_attributes, clippy::duplicated_attributes)]
#![forbid(unsafe_code)]

pub mod aal5;
pub mod cell;
pub mod setup;
pub mod speedtch;
