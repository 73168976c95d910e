//! The test of `./lab shell`, whose guest has the terminal to itself.

use std::fs::File;
use std::io;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::pty::openpty;
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{LocalFlags, tcgetattr};
use nix::unistd::Pid;

use super::SILENCE;
use crate::children;
use crate::setup::Lab;

/// A lab that is ended while the guest has the terminal leaves that as it was.
pub fn gives_the_terminal_back(lab: &Lab) -> Result<()> {
    let terminal = openpty(None, None)?;
    let mut screen = File::from(terminal.master);
    let keyboard = File::from(terminal.slave);
    // What nobody reads would stop the guest.
    thread::spawn(move || io::copy(&mut screen, &mut io::sink()));
    let settings = || Ok::<_, nix::Error>(tcgetattr(&keyboard)?.local_flags);
    let before = settings()?;
    let mut shell = children::command(std::env::current_exe()?);
    shell.arg("shell").env("THREADLINE_ALONE", "yes");
    if let Some(own) = &lab.own_kernel {
        shell.arg("--kernel").arg(own);
    }
    let side = || keyboard.try_clone().map(Stdio::from);
    shell.stdin(side()?).stdout(side()?).stderr(side()?);
    let mut shell = children::spawn(shell)?;
    let deadline = Instant::now() + SILENCE;
    while settings()?.contains(LocalFlags::ICANON) {
        let is_over = shell.try_wait()?.is_some() || Instant::now() > deadline;
        ensure!(!is_over, "the guest never took the terminal");
        thread::sleep(Duration::from_millis(20));
    }
    kill(Pid::from_raw(shell.id() as i32), Signal::SIGTERM)?;
    shell.wait().context("the lab does not end")?;
    let after = settings()?;
    ensure!(after == before, "it was {before:?}, and is {after:?}");
    Ok(())
}
