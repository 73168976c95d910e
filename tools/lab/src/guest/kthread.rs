//! What the thread library costs, beside the same in C: the rows of
//! `./lab bench kthread`, measured by the modules `kthread_bench` and
//! `kthread_bench_c` in turn.

mod transfers;

use std::fs::{self, File};
use std::io::{Read, Write};

use anyhow::{Context, Result, ensure};
use nix::errno::Errno;
use nix::mount::{MsFlags, mount};

use super::plugged::wait_until;
use super::{Host, firmware, modules};
use crate::protocol::{Driver, FromGuest};

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Row {
    /// Whole lives of threads, of the kind that the modules call so: nanoseconds
    /// for each.
    Life(&'static str),
    /// The stop of a thread in the kind of wait that the modules call so:
    /// nanoseconds for each.
    StopIn(&'static str),
    /// The same in a USB transfer of the kind that the modules call so.
    StopInTransfer(&'static str),
    /// Nanoseconds from when each tick was due until it came; after the last one, its
    /// number, which is more than there are by those that were missed.
    Ticks,
    /// Allocations that one life costs those who start and run it.
    Allocations,
}

/// All rows.
pub const ROWS: &[Row] = &[
    Row::Life("start"),
    Row::Life("start_stop"),
    Row::Life("start_run_stop"),
    Row::Life("start_end"),
    Row::Life("start_stop_bare"),
    Row::Life("start_run_stop_bare"),
    Row::StopIn("idle"),
    Row::StopIn("sleep"),
    Row::StopIn("deadline"),
    Row::StopIn("completion"),
    Row::StopIn("timeout"),
    Row::StopIn("tick"),
    Row::StopIn("condition"),
    Row::StopIn("channel"),
    Row::StopIn("full_channel"),
    Row::StopIn("lock"),
    Row::StopIn("signals"),
    Row::StopIn("join"),
    Row::StopIn("work"),
    Row::StopIn("chore"),
    Row::StopIn("firmware"),
    Row::StopInTransfer("bulk"),
    Row::StopInTransfer("interrupt"),
    Row::StopInTransfer("control"),
    Row::Allocations,
    Row::Ticks,
];

impl Row {
    /// Its name.
    pub fn name(self) -> String {
        match self {
            Self::Life(kind) => kind.to_owned(),
            Self::StopIn(wait) => format!("stop_in_{wait}"),
            Self::StopInTransfer(kind) => format!("stop_in_usb_{kind}"),
            Self::Ticks => "ticks".to_owned(),
            Self::Allocations => "allocations".to_owned(),
        }
    }

    fn sample(self, bench: &mut Bench, operations: usize) -> Result<Vec<f64>> {
        match self {
            Self::Life(kind) => bench.command(&format!("life {kind} {operations}")),
            Self::StopIn(wait) => (0..operations).map(|_| bench.stop_in(wait)).collect(),
            Self::StopInTransfer(kind) => {
                let device = bench.device()?;
                let stop = |_| {
                    let pid = device.start(kind)?;
                    wait_until("the thread waits", || sleeps(pid))?;
                    device.stop(kind)
                };
                (0..operations).map(stop).collect()
            }
            Self::Ticks => bench.command(&format!("tick {TICK_NS} {operations}")),
            Self::Allocations => Ok(vec![bench.allocations(operations)?]),
        }
    }
}

/// The period of the ticks.
const TICK_NS: u32 = 1_000_000;

/// Measures the row of this name, and tells the host each sample. The order within
/// a pair of samples changes from pair to pair, so that what the machine does
/// meanwhile meets both alike.
pub fn measure(row: &str, samples: usize, operations: usize, host: &Host) -> Result<()> {
    let row = *ROWS
        .iter()
        .find(|known| known.name() == row)
        .context("no such row")?;
    firmware::withhold()?;
    let result = measure_all(row, samples, operations, host);
    // However it went: they have to go, and leave nothing behind.
    let gone = [Driver::Ours, Driver::C]
        .map(Bench::module)
        .into_iter()
        .filter(|module| modules::is_loaded(module))
        .try_for_each(modules::rmmod);
    result.and(gone)
}

fn measure_all(row: Row, samples: usize, operations: usize, host: &Host) -> Result<()> {
    let (mut ours, mut c) = (Bench::open(Driver::Ours)?, Bench::open(Driver::C)?);
    for bench in [&mut ours, &mut c] {
        // What is done for the first time is not what it costs.
        bench.command("life start_run_stop 10")?;
    }
    for pair in 0..samples {
        let mut order = [&mut ours, &mut c];
        if pair % 2 == 1 {
            order.reverse();
        }
        for bench in order {
            let values = row.sample(bench, operations)?;
            let driver = bench.driver;
            host.say(&FromGuest::Sample { driver, values });
        }
    }
    Ok(())
}

/// One of the two devices, open.
struct Bench {
    driver: Driver,
    file: File,
    /// What transfers go to.
    device: Option<transfers::Device>,
}

impl Bench {
    fn module(driver: Driver) -> &'static str {
        match driver {
            Driver::Ours => "kthread_bench",
            Driver::C => "kthread_bench_c",
        }
    }

    fn open(driver: Driver) -> Result<Self> {
        let module = Self::module(driver);
        modules::modprobe(module)?;
        let file = File::options()
            .read(true)
            .write(true)
            .open(format!("/dev/{module}"))
            .with_context(|| format!("no device of {module}"))?;
        Ok(Self {
            driver,
            file,
            device: None,
        })
    }

    /// What transfers go to, plugged in when it is first wanted.
    fn device(&mut self) -> Result<&transfers::Device> {
        match &mut self.device {
            Some(device) => Ok(device),
            none => Ok(none.insert(transfers::Device::plug(self.driver)?)),
        }
    }

    /// Gives one command; what it measured.
    fn command(&mut self, command: &str) -> Result<Vec<f64>> {
        let module = Self::module(self.driver);
        self.file
            .write_all(command.as_bytes())
            .with_context(|| format!("{module} refuses '{command}'"))?;
        let mut bytes = Vec::new();
        self.file.read_to_end(&mut bytes)?;
        let values = bytes.chunks_exact(8);
        ensure!(
            values.remainder().is_empty(),
            "{module} gives half a number"
        );
        // Below 2^53 each: nothing is lost.
        Ok(values
            .map(|value| i64::from_ne_bytes(value.try_into().unwrap_or_default()) as f64)
            .collect())
    }

    /// Stops a thread that is in the wait called `wait`; nanoseconds.
    fn stop_in(&mut self, wait: &str) -> Result<f64> {
        let pid = *self
            .command(&format!("start {wait}"))?
            .first()
            .context("a thread without a number")?;
        wait_until("the thread waits", || {
            sleeps(pid) && (wait != "firmware" || firmware::is_awaited())
        })?;
        let took = self.command("stop")?;
        took.first().copied().context("a stop without a time")
    }

    /// How many blocks of memory one life takes, in those who start and run the thread;
    /// in C without a block for what a thread and its owner share.
    ///
    /// What differs between more and fewer lives: the command takes memory too.
    fn allocations(&mut self, lives: usize) -> Result<f64> {
        let less = self.count_allocations(lives)?;
        let more = self.count_allocations(2 * lives)?;
        Ok((more as f64 - less as f64) / lives as f64)
    }

    fn count_allocations(&mut self, lives: usize) -> Result<usize> {
        let trace = Trace::of_allocations()?;
        self.command(&format!("life start_run_stop_bare {lives}"))?;
        trace.count()
    }
}

/// Whether the thread sleeps, in whatever way.
fn sleeps(pid: f64) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat
        .rsplit_once(") ")
        .and_then(|(_, rest)| rest.chars().next());
    matches!(state, Some('S' | 'D' | 'I'))
}

/// Where the kernel's tracing is.
const TRACING: &str = "/sys/kernel/tracing";

/// The kernel's own account of who takes memory, while this is there.
struct Trace;

impl Trace {
    const EVENTS: [&str; 2] = ["kmalloc", "kmem_cache_alloc"];

    /// Notes what this program allocates in the kernel, and what threads do that are
    /// started from now on.
    fn of_allocations() -> Result<Self> {
        let none = None::<&str>;
        match mount(
            Some("tracefs"),
            TRACING,
            Some("tracefs"),
            MsFlags::empty(),
            none,
        ) {
            Ok(()) | Err(Errno::EBUSY) => {}
            Err(error) => return Err(error).context("no tracing in this kernel"),
        }
        let load = fs::read_to_string("/proc/loadavg")?;
        let newest = load
            .split_whitespace()
            .last()
            .context("no newest process")?;
        let own = nix::unistd::gettid();
        let filter = format!("common_pid == {own} || common_pid > {newest}");
        fs::write(format!("{TRACING}/trace"), "")?;
        // It would have the kernel patch its scheduler, to know each thread's name.
        fs::write(format!("{TRACING}/options/record-cmd"), "0")?;
        for event in Self::EVENTS {
            fs::write(format!("{TRACING}/events/kmem/{event}/filter"), &filter)?;
        }
        let trace = Self;
        trace.switch("1")?;
        Ok(trace)
    }

    fn switch(&self, on: &str) -> Result<()> {
        for event in Self::EVENTS {
            fs::write(format!("{TRACING}/events/kmem/{event}/enable"), on)?;
        }
        Ok(())
    }

    /// How many blocks were taken.
    fn count(self) -> Result<usize> {
        self.switch("0")?;
        let trace = fs::read_to_string(format!("{TRACING}/trace"))?;
        Ok(trace.lines().filter(|line| !line.starts_with('#')).count())
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        let _ = self.switch("0");
    }
}
