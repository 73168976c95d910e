//! The programs that the lab starts, none of which outlives it.
//!
//! Each runs in a process group of its own, is killed with that group when its
//! guard is dropped or the lab is interrupted, and is started through
//! `setpriv --pdeathsig`, so that it also ends when the lab is killed outright.

use std::collections::BTreeSet;
use std::ops::{Deref, DerefMut};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{LazyLock, Mutex};
use std::thread;

use anyhow::Context;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

static GROUPS: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// A running program; dropping it kills it and whatever it started.
pub struct Guarded {
    child: Child,
}

/// A command for `program` that ends with the lab.
pub fn command(program: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--", program]);
    command
}

/// Starts `command` (made by [`command`]) in a process group of its own.
pub fn spawn(command: Command) -> anyhow::Result<Guarded> {
    let (answer, child) = channel();
    STARTER.send((command, answer))?;
    Ok(Guarded {
        child: child.recv()??,
    })
}

/// Starts programs on a thread that never ends: the kernel takes the end of the *thread* that
/// started a program for the death of its parent (`PR_SET_PDEATHSIG`).
static STARTER: LazyLock<Sender<Order>> = LazyLock::new(|| {
    let (sender, orders) = channel::<Order>();
    thread::spawn(move || {
        for (command, answer) in orders {
            let _ = answer.send(start(command));
        }
    });
    sender
});

type Order = (Command, Sender<anyhow::Result<Child>>);

fn start(mut command: Command) -> anyhow::Result<Child> {
    let mut groups = GROUPS.lock().unwrap();
    anyhow::ensure!(!INTERRUPTED.load(Ordering::SeqCst), "interrupted");
    let child = command
        .process_group(0)
        .spawn()
        .with_context(|| format!("cannot start {:?}", command.get_program()))?;
    groups.insert(child.id() as i32);
    Ok(child)
}

/// Kills everything that runs when the user interrupts the lab, then leaves.
pub fn kill_all_on_interrupt() {
    let handler = || {
        INTERRUPTED.store(true, Ordering::SeqCst);
        for group in GROUPS.lock().unwrap().iter() {
            let _ = killpg(Pid::from_raw(*group), Signal::SIGKILL);
        }
        eprintln!("\nlab: interrupted; the next run goes on where this one stopped");
        std::process::exit(130);
    };
    // It only fails where a handler is there already.
    let _ = ctrlc::set_handler(handler);
}

impl Drop for Guarded {
    fn drop(&mut self) {
        let group = self.child.id() as i32;
        let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
        let _ = self.child.wait();
        GROUPS.lock().unwrap().remove(&group);
    }
}

impl Deref for Guarded {
    type Target = Child;

    fn deref(&self) -> &Child {
        &self.child
    }
}

impl DerefMut for Guarded {
    fn deref_mut(&mut self) -> &mut Child {
        &mut self.child
    }
}
