//! `kexample` from outside: what its readers see, and its scenarios.

mod readers;
mod signals;

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::kmsg::Kmsg;
use super::plugged::wait_until;
use super::scenarios::Scenario;
use super::{asleep, modules, sysfs};
use crate::protocol::Driver;

/// The scenarios of `kexample`.
pub const SCENARIOS: &[(&str, Scenario)] = &[
    ("kexample::ticks_and_goes", |_| ticks_and_goes()),
    ("kexample::kill_9_has_no_effect", |_| kill_9_has_no_effect()),
    ("kexample::is_what_its_parameters_say", |_| {
        is_what_its_parameters_say()
    }),
    ("kexample::wrong_parameters_are_refused", |_| {
        wrong_parameters_are_refused()
    }),
    ("kexample::each_reader_follows", |_| {
        readers::each_reader_follows()
    }),
    ("kexample::reader_waits_for_news", |_| {
        readers::reader_waits_for_news()
    }),
    ("kexample::goes_when_the_last_file_is_closed", |_| {
        readers::goes_when_the_last_file_is_closed()
    }),
    ("kexample::each_signal_is_counted", |_| {
        signals::each_signal_is_counted()
    }),
    ("kexample::flood_of_signals_moves_no_tick", |_| {
        signals::flood_of_signals_moves_no_tick()
    }),
    ("kexample::open_files_keep_no_thread", |_| {
        readers::open_files_keep_no_thread()
    }),
    ("kexample::stands_still_while_the_machine_sleeps", |_| {
        stands_still_while_the_machine_sleeps()
    }),
];

const DEVICE: &str = "/dev/kexample";

/// A period that does not end while a test runs.
const FOR_EVER: &str = "period_ms=3600000";

/// One line of the device.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Status {
    /// Ticks that the thread was there for.
    ticks: u64,
    /// Ticks that it missed.
    missed: u64,
    /// How many microseconds after its last tick was due it woke up.
    lateness_us: u64,
    /// Signals that it got.
    signals: u64,
    /// What it does.
    state: String,
}

impl Status {
    fn parse(line: &str) -> Result<Self> {
        let mut words = line.trim_end().splitn(10, ' ');
        let mut value = |name| -> Result<String> {
            ensure!(words.next() == Some(name), "no {name} in {line:?}");
            let value = words
                .next()
                .with_context(|| format!("no value of {name} in {line:?}"))?;
            Ok(value.to_owned())
        };
        let (ticks, missed) = (value("ticks")?.parse()?, value("missed")?.parse()?);
        let lateness_us = value("lateness_us")?.parse()?;
        let signals = value("signals")?.parse()?;
        ensure!(line.ends_with('\n'), "{line:?} is no whole line");
        Ok(Self {
            ticks,
            missed,
            lateness_us,
            signals,
            state: value("state")?,
        })
    }
}

/// What they say of lateness is true, as far as can be told: no thread is in time to the
/// microsecond each time, and what is later than a period is another tick.
fn lateness_is_told<'a>(lines: impl IntoIterator<Item = &'a Status>, period_ms: u64) -> Result<()> {
    let mut was_late = false;
    for line in lines {
        ensure!(line.lateness_us < period_ms * 1000, "it says {line:?}");
        was_late |= line.lateness_us > 0;
    }
    ensure!(was_late, "it says that it was never late");
    Ok(())
}

/// The newest line: what a file that was just opened gives first.
pub fn newest_line() -> Result<String> {
    let file = File::open(DEVICE).with_context(|| format!("cannot open {DEVICE}"))?;
    let mut line = String::new();
    BufReader::new(file).read_line(&mut line)?;
    Ok(line)
}

fn newest() -> Result<Status> {
    Status::parse(&newest_line()?)
}

/// Waits for so many ticks from now on.
fn await_ticks(count: u64) -> Result<()> {
    let first = newest()?.ticks;
    wait_until("kexample has ticked on", || {
        newest().is_ok_and(|now| now.ticks >= first + count)
    })
}

/// The kernel goes to sleep as far as the freezer, stays there for a second, and
/// wakes up: the thread, which is freezable, misses the ticks of that second and
/// then goes on.
fn stands_still_while_the_machine_sleeps() -> Result<()> {
    const SECONDS: u64 = 1;
    const PERIOD_MS: u64 = 10;
    modules::insmod(Driver::Ours, "kexample", &format!("period_ms={PERIOD_MS}"))?;
    await_ticks(5)?;
    let before = newest()?;
    asleep::sleep(SECONDS)?;
    await_ticks(5)?;
    let after = newest()?;
    // Frozen for a second, it can't have been there for the ticks of that second.
    // One may have been under way when the freezer came, and one when it left.
    let missed = after.missed - before.missed;
    ensure!(
        missed >= SECONDS * 1000 / PERIOD_MS - 2,
        "it has missed {missed} ticks only: it was awake"
    );
    ensure!(after.state == "running", "it is {}", after.state);
    modules::rmmod("kexample")
}

/// The kernel thread of this name.
fn thread_named(name: &str) -> Result<sysfs::Thread> {
    sysfs::kernel_threads()
        .into_iter()
        .find(|thread| thread.name == name)
        .with_context(|| format!("there is no thread {name}"))
}

/// Sends a signal to a kernel thread, as `kill` does.
fn send(thread: &sysfs::Thread, signal: Signal) -> Result<()> {
    Ok(kill(Pid::from_raw(thread.pid.try_into()?), signal)?)
}

/// The fields of `/proc/PID/stat` that a scheduler is asked about: nice level,
/// real-time priority and policy (0 is normal, 1 is SCHED_FIFO).
fn scheduling(pid: u32) -> Result<[i32; 3]> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, fields) = stat.rsplit_once(") ").context("no name in the stat file")?;
    let fields: Vec<_> = fields.split(' ').collect();
    // The manual counts from 1, and the third is the first after the name.
    let field = |number: usize| -> Result<i32> {
        Ok(fields.get(number - 3).context("too few fields")?.parse()?)
    };
    Ok([field(19)?, field(40)?, field(41)?])
}

/// What `ps` says of a thread in these columns.
fn ps(pid: u32, columns: &str) -> Result<Vec<String>> {
    let output = Command::new("/bin/ps")
        .args(["--no-headers", "-o", columns, "-p", &pid.to_string()])
        .output()?;
    let words = String::from_utf8(output.stdout)?;
    Ok(words.split_whitespace().map(str::to_owned).collect())
}

/// The ticks can be read, and nothing is left when the module goes.
fn ticks_and_goes() -> Result<()> {
    modules::insmod(Driver::Ours, "kexample", "period_ms=5")?;
    await_ticks(20)?;
    ensure!(newest()?.state == "running", "it says {:?}", newest()?);
    thread_named("kexample")?;
    modules::rmmod("kexample")?;
    ensure!(!fs::exists(DEVICE)?, "the device is left");
    ensure!(thread_named("kexample").is_err(), "its thread is left");
    Ok(())
}

/// What ends every process does not end a thread.
fn kill_9_has_no_effect() -> Result<()> {
    modules::insmod(Driver::Ours, "kexample", "period_ms=5")?;
    let thread = thread_named("kexample")?;
    for _ in 0..1000 {
        send(&thread, Signal::SIGKILL)?;
    }
    await_ticks(20)?;
    ensure!(thread_named("kexample")? == thread, "it is another thread");
    modules::rmmod("kexample")
}

/// Name and priority are those that were asked for, in `ps` as in `/proc`, and
/// what was asked for can be read.
fn is_what_its_parameters_say() -> Result<()> {
    let cases = [
        ("fifo", [0, 50, 1], ["FF", "50", "-"]),
        ("fifo-low", [0, 1, 1], ["FF", "1", "-"]),
        ("-5", [-5, 0, 0], ["TS", "-", "-5"]),
        ("19", [19, 0, 0], ["TS", "-", "19"]),
    ];
    for (number, (priority, expected, columns)) in cases.into_iter().enumerate() {
        // Longer than the 15 bytes that the kernel's own field has room for.
        let name = format!("ticker-of-many-words-{number}");
        let parameters = format!("period_ms=20 priority={priority} name={name}");
        modules::insmod(Driver::Ours, "kexample", &parameters)?;
        let pid = thread_named(&name)?.pid;
        let found = scheduling(pid)?;
        ensure!(found == expected, "{priority} is {found:?}");
        let said = ps(pid, "cls,rtprio,ni,comm")?;
        ensure!(said[..3] == columns && said[3] == name, "ps says {said:?}");
        for parameter in parameters.split(' ') {
            let (key, value) = parameter.split_once('=').context("no value")?;
            let read = fs::read_to_string(format!("/sys/module/kexample/parameters/{key}"))?;
            ensure!(read.trim_end() == value, "{key} reads {read:?}");
        }
        modules::rmmod("kexample")?;
    }
    Ok(())
}

/// The module does not load with parameters that make no sense, and says why.
fn wrong_parameters_are_refused() -> Result<()> {
    let number = "it must be a whole number from 1 to 3600000";
    let priority = "it must be fifo, fifo-low or a nice level from -20 to 19";
    let name = "it must be 1 to 63 visible ASCII characters without a slash";
    let long = format!("name={}", "x".repeat(64));
    let cases = [
        ("period_ms=0", number),
        ("period_ms=3600001", number),
        ("period_ms=-1", number),
        ("period_ms=soon", number),
        ("priority=20", priority),
        ("priority=-21", priority),
        ("priority=high", priority),
        ("name=", name),
        ("name=a/b", name),
        ("name=\"a\nb\"", name),
        ("name=\"a b\"", name),
        ("name=é", name),
        (&long, name),
        ("period_ms=7 period_ms=0", number),
    ];
    for (parameters, reason) in cases {
        let log = Kmsg::from_now();
        let Err(error) = modules::insmod(Driver::Ours, "kexample", parameters) else {
            bail!("it loads with {parameters:?}");
        };
        ensure!(
            format!("{error:#}").contains("EINVAL"),
            "{parameters:?}: {error:#}"
        );
        ensure!(log.has(reason), "{parameters:?}: {:?}", log.lines());
    }
    // The last one counts, as a command line after a configuration file.
    modules::insmod(Driver::Ours, "kexample", "period_ms=7 period_ms=3600000")?;
    let period = fs::read_to_string("/sys/module/kexample/parameters/period_ms")?;
    ensure!(period == "3600000\n", "the period is {period:?}");
    modules::rmmod("kexample")
}
