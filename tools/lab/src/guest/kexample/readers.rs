//! What readers of the device see, and what they hold up: nothing.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;

use anyhow::{Context, Result, bail, ensure};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;

use super::{DEVICE, FOR_EVER, Status, modules, newest, send, thread_named, wait_until};
use crate::protocol::Driver;

/// Readers of every kind, all at once: each gets whole lines, and none that is
/// older than the one before.
pub fn each_reader_follows() -> Result<()> {
    const LINES: usize = 100;
    modules::insmod(Driver::Ours, "kexample", "period_ms=2")?;
    let kinds: [fn() -> Result<Vec<String>>; 4] = [
        || read_lines(LINES, 4096, false),
        || read_lines(LINES, 4096, false),
        || read_lines(LINES, 7, false),
        || read_lines(LINES, 4096, true),
    ];
    thread::scope(|scope| {
        let readers = kinds.map(|kind| scope.spawn(kind));
        for (number, reader) in readers.into_iter().enumerate() {
            let lines = reader.join().unwrap_or_else(|_| bail!("a reader panicked"));
            follow(&lines?).with_context(|| format!("reader {number}"))?;
        }
        Ok::<_, anyhow::Error>(())
    })?;
    modules::rmmod("kexample")
}

/// Reads with a buffer of this size, after a `poll()` each time if the file is not to wait.
fn read_lines(count: usize, size: usize, polls: bool) -> Result<Vec<String>> {
    let flags = if polls { libc::O_NONBLOCK } else { 0 };
    let mut file = File::options()
        .read(true)
        .custom_flags(flags)
        .open(DEVICE)?;
    let (mut text, mut buffer) = (String::new(), vec![0; size]);
    while text.lines().count() <= count {
        if polls {
            let mut polled = [PollFd::new(file.as_fd(), PollFlags::POLLIN)];
            poll(&mut polled, PollTimeout::NONE)?;
        }
        let length = file.read(&mut buffer)?;
        ensure!(length > 0, "the file is at its end");
        text.push_str(std::str::from_utf8(&buffer[..length])?);
    }
    Ok(text
        .lines()
        .take(count)
        .map(|line| format!("{line}\n"))
        .collect())
}

/// Whether these are lines, each newer than the one before.
fn follow(lines: &[String]) -> Result<()> {
    let mut last = None;
    for line in lines {
        let status = Status::parse(line)?;
        ensure!(last < Some(status.ticks), "{line:?} after tick {last:?}");
        last = Some(status.ticks);
    }
    Ok(())
}

/// Without news a read waits, is refused where it must not wait, and `poll()`
/// says so.
pub fn reader_waits_for_news() -> Result<()> {
    modules::insmod(Driver::Ours, "kexample", FOR_EVER)?;
    let mut file = File::options()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(DEVICE)?;
    let readable = |file: &File| -> Result<bool> {
        let mut polled = [PollFd::new(file.as_fd(), PollFlags::POLLIN)];
        poll(&mut polled, PollTimeout::ZERO)?;
        Ok(polled[0].revents() == Some(PollFlags::POLLIN))
    };
    ensure!(readable(&file)?, "a new file is not readable");
    let mut half = [0; 10];
    file.read_exact(&mut half)?;
    ensure!(readable(&file)?, "the rest of a line is not readable");
    let mut rest = [0; 4096];
    let length = file.read(&mut rest)?;
    let line = [&half[..], &rest[..length]].concat();
    Status::parse(std::str::from_utf8(&line)?)?;
    ensure!(!readable(&file)?, "readable without news");
    let refused = file.read(&mut rest).map_err(|error| error.kind());
    ensure!(
        refused == Err(ErrorKind::WouldBlock),
        "a read without news returns {refused:?}"
    );
    ensure!(
        File::options().write(true).open(DEVICE).is_err(),
        "it can be opened for writing"
    );
    Cat::start()?.kill()?;
    drop(file);
    modules::rmmod("kexample")
}

/// Open files keep the module, also those of readers that wait; it can go as
/// soon as the last is closed.
pub fn goes_when_the_last_file_is_closed() -> Result<()> {
    modules::insmod(Driver::Ours, "kexample", FOR_EVER)?;
    let file = File::open(DEVICE)?;
    let cats = [Cat::start()?, Cat::start()?];
    let stays = || match modules::rmmod("kexample") {
        Ok(()) => bail!("it went under open files"),
        Err(_) => ensure_alive(),
    };
    stays()?;
    for cat in cats {
        cat.kill()?;
        stays()?;
    }
    drop(file);
    modules::rmmod("kexample")?;
    ensure!(thread_named("kexample").is_err(), "its thread is left");
    Ok(())
}

/// The refused removal has changed nothing.
fn ensure_alive() -> Result<()> {
    ensure!(newest()?.state == "running", "it says {:?}", newest()?);
    thread_named("kexample").map(drop)
}

/// The thread ends while files are open. Their readers are told, also those that
/// wait, and when the last file is closed the module can go.
pub fn open_files_keep_no_thread() -> Result<()> {
    modules::insmod(Driver::Ours, "kexample", "period_ms=200")?;
    let cats = [Cat::start()?, Cat::start()?];
    let mut file = File::open(DEVICE)?;
    let hung_up = thread::spawn({
        let file = file.try_clone()?;
        move || {
            let mut polled = [PollFd::new(file.as_fd(), PollFlags::empty())];
            poll(&mut polled, PollTimeout::NONE).map(|_| polled[0].revents())
        }
    });
    send(&thread_named("kexample")?, Signal::SIGTERM)?;
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    let last = last_line(&text)?;
    ensure!(
        last.state == "ended" && last.signals == 1,
        "it says {last:?}"
    );
    for cat in cats {
        let said = cat.last()?;
        ensure!(said == last, "cat says {said:?}");
    }
    let hung_up = hung_up.join().unwrap_or(Err(nix::Error::EINVAL))?;
    ensure!(hung_up == Some(PollFlags::POLLHUP), "poll says {hung_up:?}");
    wait_until("the thread is gone", || thread_named("kexample").is_err())?;

    // Who comes later sees how it ended, once.
    let mut text = String::new();
    File::open(DEVICE)?.read_to_string(&mut text)?;
    ensure!(Status::parse(&text)? == last, "a new file says {text:?}");
    ensure!(
        modules::rmmod("kexample").is_err(),
        "it went under an open file"
    );
    drop(file);
    modules::rmmod("kexample")
}
/// A process that follows the device, and has got the first line of it.
struct Cat {
    process: Child,
    output: BufReader<ChildStdout>,
}

impl Cat {
    fn start() -> Result<Self> {
        let mut process = Command::new("/bin/cat")
            .arg(DEVICE)
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start cat")?;
        let mut output = BufReader::new(process.stdout.take().context("cat has no output")?);
        let mut line = String::new();
        output.read_line(&mut line)?;
        Status::parse(&line)?;
        let cat = Self { process, output };
        wait_until("cat waits for the next line", || cat.sleeps())?;
        Ok(cat)
    }

    fn sleeps(&self) -> bool {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.process.id()));
        stat.is_ok_and(|stat| stat.contains(") S "))
    }

    /// Waits until it ends by itself, and returns the last line that it has got.
    fn last(mut self) -> Result<Status> {
        let mut text = String::new();
        self.output.read_to_string(&mut text)?;
        ensure!(self.process.wait()?.success(), "cat failed");
        last_line(&text)
    }

    /// Kills it and waits until it is gone.
    fn kill(mut self) -> Result<()> {
        self.process.kill()?;
        self.process.wait()?;
        Ok(())
    }
}

fn last_line(text: &str) -> Result<Status> {
    Status::parse(text.split_inclusive('\n').next_back().context("no line")?)
}
