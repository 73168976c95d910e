//! The programs that the lab starts, none of which outlives it.
//!
//! Each runs in a process group of its own, is killed with that group when its
//! guard is dropped or the lab is interrupted, and is started through
//! `setpriv --pdeathsig`, so that it also ends when the lab is killed outright.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io::{Read, stdin};
use std::ops::{Deref, DerefMut};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{LazyLock, Mutex};
use std::thread;

use anyhow::Context;
use nix::sys::signal::{Signal, kill, killpg};
use nix::sys::termios::{SetArg, Termios, tcgetattr, tcsetattr};
use nix::unistd::Pid;

static GROUPS: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// A running program; dropping it kills it and whatever it started.
pub struct Guarded {
    child: Child,
}

/// A command for `program` that ends with the lab.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("setpriv");
    command
        .args(["--pdeathsig", "KILL", "--"])
        .arg(program.as_ref());
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

/// What `command` (made by [`command`]) prints until it ends.
pub fn output(mut command: Command) -> anyhow::Result<Output> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = spawn(command)?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    // Both at once: a program whose words nobody reads stands still.
    let errors = thread::spawn(move || all_of(stderr));
    let stdout = all_of(stdout)?;
    let stderr = errors.join().expect("reading does not panic")?;
    Ok(Output {
        status: child.wait()?,
        stdout,
        stderr,
    })
}

fn all_of(pipe: Option<impl Read>) -> std::io::Result<Vec<u8>> {
    let mut all = Vec::new();
    if let Some(mut pipe) = pipe {
        pipe.read_to_end(&mut all)?;
    }
    Ok(all)
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

/// A program in the foreground, which the terminal belongs to.
struct Foreground {
    program: Pid,
    /// How the terminal was before.
    terminal: Option<Termios>,
}

static FOREGROUND: Mutex<Option<Foreground>> = Mutex::new(None);

/// Runs `command` (made by [`command`]) in the foreground, so in no group of its own. Afterwards
/// the terminal is as before, also when the lab is interrupted.
pub fn run_in_foreground(mut command: Command) -> anyhow::Result<ExitStatus> {
    let mut foreground = FOREGROUND.lock().unwrap();
    anyhow::ensure!(!INTERRUPTED.load(Ordering::SeqCst), "interrupted");
    let terminal = tcgetattr(stdin()).ok();
    let mut child = command
        .spawn()
        .with_context(|| format!("cannot start {:?}", command.get_program()))?;
    *foreground = Some(Foreground {
        program: Pid::from_raw(child.id() as i32),
        terminal,
    });
    drop(foreground);
    let status = child.wait();
    if let Some(ended) = FOREGROUND.lock().unwrap().take() {
        ended.restore_terminal();
    }
    Ok(status?)
}

impl Foreground {
    fn restore_terminal(&self) {
        if let Some(settings) = &self.terminal {
            // It fails where the terminal is gone.
            let _ = tcsetattr(stdin(), SetArg::TCSANOW, settings);
        }
    }
}

/// Kills everything that runs when the user interrupts the lab, then leaves.
pub fn kill_all_on_interrupt() {
    let handler = || {
        INTERRUPTED.store(true, Ordering::SeqCst);
        for group in GROUPS.lock().unwrap().iter() {
            let _ = killpg(Pid::from_raw(*group), Signal::SIGKILL);
        }
        // Kept to the end: what waits for the program has nothing to add.
        let foreground = FOREGROUND.lock().unwrap();
        if let Some(running) = foreground.as_ref() {
            let _ = kill(running.program, Signal::SIGKILL);
            running.restore_terminal();
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

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Output {
        let mut sh = command("sh");
        sh.args(["-c", script]);
        output(sh).unwrap()
    }

    #[test]
    fn a_program_whose_output_is_wanted_is_in_a_group_of_its_own() {
        // The fifth field is its group; it is killed by that when the lab is interrupted.
        let said = shell("read -r pid _ _ _ group _ </proc/$$/stat; echo $pid $group");
        let said = String::from_utf8(said.stdout).unwrap();
        let (pid, group) = said.trim().split_once(' ').unwrap();
        assert_eq!(pid, group);
    }

    #[test]
    fn both_outputs_are_read_to_their_ends() {
        let said = shell("head -c 200000 /dev/zero >&2; head -c 200000 /dev/zero; exit 3");
        assert_eq!((said.stdout.len(), said.stderr.len()), (200_000, 200_000));
        assert_eq!(said.status.code(), Some(3));
    }
}
