//! The lab: one program that makes a Debian machine into a place where Rust
//! modules for the stock kernel are built, booted, plugged, broken and
//! measured; in the guest, the same program is the first one.
//!
//! Dependencies point one way: the commands ([`demonstration`], [`tests`], [`bench`])
//! stand on the [`setup`] and the [`vm`]; these on [`steps`] and [`root`]. The
//! [`guest`] shares only the [`protocol`] with them.

#[cfg(test)]
mod back_off;
mod bench;
mod children;
mod commands;
mod demonstration;
mod fail;
mod fleet;
mod gallery;
mod guest;
mod kernel_log;
mod parity;
mod protocol;
mod root;
mod setup;
mod steps;
mod tests;
mod vm;

use std::process::ExitCode;

fn main() -> ExitCode {
    if std::process::id() == 1 {
        guest::init();
    }
    match commands::run() {
        Ok(code) => code,
        Err(error) => {
            fail::report(&error);
            ExitCode::FAILURE
        }
    }
}
