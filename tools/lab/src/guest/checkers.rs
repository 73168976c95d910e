//! What the debug kernel has beyond the stock one: checkers that have to be
//! awake, a search for leaks, and allocations that can be made to fail.

use std::fs;
use std::ops::Range;
use std::path::Path;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use super::kmsg::Kmsg;
use super::plugged::{self, Plugged, options};
use super::removal::nothing_is_left;
use super::sysfs::AtmDevice;
use super::{Host, firmware, kernel_tests, modules};
use crate::protocol::Driver;

const KMEMLEAK: &str = "/sys/kernel/debug/kmemleak";
const FAILSLAB: &str = "/sys/kernel/debug/failslab";

/// kmemleak takes nothing for a leak that is younger than 5 s.
const LEAK_AGE: Duration = Duration::from_millis(5500);

/// What the log of a job that leaks on purpose says.
const ON_PURPOSE: &str = "leaked on purpose";

/// A job, and when it ran in the kernel's own time: of what the kernel allocated,
/// on whichever task, kmemleak tells when.
struct Done {
    job: String,
    ran: Range<u64>,
    leaks_on_purpose: bool,
}

/// The jobs since the guest was booted. What one of them leaked on purpose may be found only in a
/// later search, when the last stale pointer to it has been overwritten.
static DONE: Mutex<Vec<Done>> = Mutex::new(Vec::new());

/// Which of this task's allocations is to fail, counted down.
const FAIL_NTH: &str = "/proc/thread-self/fail-nth";

/// Whether there are any: then all is several times slower.
pub fn are_here() -> bool {
    Path::new(KMEMLEAK).exists()
}

/// Makes sure that the checkers that switch themselves off after a report, or
/// when they run out of memory, have not done so.
fn are_awake() -> Result<()> {
    let lockdep = fs::read_to_string("/proc/lockdep_stats")?;
    let is_on = |line: &str| {
        line.trim()
            .strip_prefix("debug_locks:")
            .is_some_and(|value| value.trim() == "1")
    };
    ensure!(
        lockdep.lines().any(is_on),
        "lockdep has switched itself off"
    );
    fs::write(KMEMLEAK, "scan=off").context("kmemleak has switched itself off")
}

/// Has the kernel commit a fault, which its checkers are to tell of.
pub fn commit(fault: &str) -> Result<()> {
    let parameters = format!("commit={fault}");
    if fault != "hang" {
        modules::insmod(Driver::Ours, "faults", &parameters)?;
        return modules::rmmod("faults");
    }
    fs::write("/proc/sys/kernel/hung_task_timeout_secs", "5")?;
    let log = Kmsg::from_now();
    // It never comes back.
    thread::spawn(move || modules::insmod(Driver::Ours, "faults", &parameters));
    plugged::wait_until("the hung task is told of", || {
        log.has("blocked for more than")
    })
}

/// A job that runs on the debug kernel.
pub struct Watched {
    began: u64,
}

impl Watched {
    /// One that begins now; `None` on the stock kernel, which has no checkers.
    pub fn begin() -> Option<Self> {
        let began = jiffies().ok()?;
        are_here().then_some(Self { began })
    }

    /// It ends now, and the kernel has logged this.
    pub fn end(self, job: &str, log: &[String]) -> Result<()> {
        DONE.lock().unwrap().push(Done {
            job: job.to_owned(),
            ran: self.began..jiffies()? + 1,
            leaks_on_purpose: log.iter().any(|line| line.contains(ON_PURPOSE)),
        });
        are_awake()
    }
}

/// The kernel's time, in its ticks.
fn jiffies() -> Result<u64> {
    let list = fs::read_to_string("/proc/timer_list")?;
    let line = list.lines().find_map(|line| line.strip_prefix("jiffies: "));
    Ok(line.context("the kernel does not tell its time")?.parse()?)
}

/// What the kernel holds on to and has no pointer to any more, each object with
/// the trace of its allocation.
pub fn leaks() -> Result<()> {
    thread::sleep(LEAK_AGE);
    // What a register or a stack pointed to by chance in the first scan is found by the second.
    fs::write(KMEMLEAK, "scan").context("cannot search for leaks")?;
    fs::write(KMEMLEAK, "scan")?;
    let found = fs::read_to_string(KMEMLEAK)?;
    let done = DONE.lock().unwrap();
    let leaks: Vec<_> = objects(&found)
        .filter_map(|leak| told(leak, &done))
        .collect();
    drop(done);
    // Told once is enough.
    fs::write(KMEMLEAK, "clear")?;
    ensure!(
        leaks.is_empty(),
        "{} leaks:\n{}",
        leaks.len(),
        leaks.join("\n")
    );
    Ok(())
}

/// The objects in kmemleak's list: a heading, then indented lines.
fn objects(list: &str) -> impl Iterator<Item = String> + '_ {
    let mut lines = list.lines().peekable();
    std::iter::from_fn(move || {
        let mut object = lines.next()?.to_owned();
        while let Some(line) = lines.next_if(|line| line.starts_with(' ')) {
            object.push('\n');
            object.push_str(line);
        }
        Some(object)
    })
}

/// A leak with the job that it comes from; none where that leaks on purpose.
fn told(leak: String, done: &[Done]) -> Option<String> {
    let at = leak
        .split_once("jiffies ")
        .and_then(|(_, rest)| rest.lines().next()?.trim().parse().ok());
    let of = done
        .iter()
        .find(|done| at.is_some_and(|at| done.ran.contains(&at)));
    match of {
        Some(done) if done.leaks_on_purpose => None,
        Some(done) => Some(format!("{leak}\n  allocated during {}", done.job)),
        None => Some(leak),
    }
}

/// Where the code of modules is (`Documentation/arch/x86/x86_64/mm.rst`).
const ANY_MODULE: (u64, u64) = (0xffff_ffff_a000_0000, 0xffff_ffff_ff00_0000);

/// Where the code of `module` is.
fn code_of(module: &str) -> Result<(u64, u64)> {
    let read = |name: &str| fs::read_to_string(format!("/sys/module/{module}/{name}"));
    let start = read("sections/.text")?;
    let start = u64::from_str_radix(start.trim().trim_start_matches("0x"), 16)?;
    Ok((start, start + read("coresize")?.trim().parse::<u64>()?))
}

/// While it lives, one allocation fails, of those with certain code on their stack.
enum Shortage {
    /// The one of this number that this task asks for.
    OfThisTask,
    /// One that some task asks for.
    OfAnyTask,
}

impl Shortage {
    /// The `number`th allocation of this task in any module's code fails.
    fn at(number: usize) -> Result<Self> {
        arm(ANY_MODULE, 0, 0)?;
        fs::write(FAIL_NTH, number.to_string()).context("cannot ask for a failing allocation")?;
        Ok(Self::OfThisTask)
    }

    /// One allocation in `code` fails, when those before it came to `bytes`.
    fn after(bytes: usize, code: (u64, u64)) -> Result<Self> {
        arm(code, bytes, 100)?;
        Ok(Self::OfAnyTask)
    }

    /// Whether the allocation did fail.
    fn has_struck(&self) -> Result<bool> {
        let left = match self {
            Self::OfThisTask => fs::read_to_string(FAIL_NTH)?,
            Self::OfAnyTask => fs::read_to_string(format!("{FAILSLAB}/times"))?,
        };
        Ok(left.trim() == "0")
    }
}

impl Drop for Shortage {
    fn drop(&mut self) {
        // What could be written before can be written again.
        let _ = match self {
            Self::OfThisTask => fs::write(FAIL_NTH, "0"),
            Self::OfAnyTask => fs::write(format!("{FAILSLAB}/probability"), "0"),
        };
    }
}

/// Prepares a failure of slab allocations in `code`, once `bytes` were had.
///
/// The virtual host controller is spared: an URB for which it has no memory it takes and never
/// gives back (`vhci_tx_urb()`), so that whoever cancels it waits for ever.
fn arm(code: (u64, u64), bytes: usize, probability: u8) -> Result<()> {
    let spared = code_of("vhci_hcd")?;
    let settings = [
        ("reject-start", format!("{:#x}", spared.0)),
        ("reject-end", format!("{:#x}", spared.1)),
        ("require-start", format!("{:#x}", code.0)),
        ("require-end", format!("{:#x}", code.1)),
        ("ignore-gfp-wait", "N".to_owned()),
        ("verbose", "0".to_owned()),
        ("space", bytes.to_string()),
        ("times", "1".to_owned()),
        ("probability", probability.to_string()),
    ];
    for (name, value) in settings {
        fs::write(format!("{FAILSLAB}/{name}"), &value)
            .with_context(|| format!("cannot set failslab/{name} to {value}"))?;
    }
    Ok(())
}

/// Has `attempt` made again and again, with an allocation failing in each of the
/// `places` in turn, until none fails any more: then it has to succeed. Returns
/// how often one failed.
fn starve(
    places: impl Iterator<Item = usize>,
    shortage: impl Fn(usize) -> Result<Shortage>,
    attempt: impl Fn(&Shortage) -> Result<()>,
) -> Result<usize> {
    for (failed, place) in places.enumerate() {
        let shortage = shortage(place)?;
        let result = attempt(&shortage);
        if !shortage.has_struck()? {
            return result.map(|()| failed).context("no allocation failed");
        }
    }
    bail!("there was no end to it")
}

/// The in-kernel test with ever another allocation failing: it may fail, but
/// must come to an end, and leave nothing behind.
pub fn starve_kernel_test(index: usize, name: &str, host: &Host) -> Result<()> {
    let attempt = |_: &Shortage| {
        let result = kernel_tests::run(index, name);
        ensure!(
            !modules::is_loaded("kthread_test"),
            "the test's module is left"
        );
        result
    };
    // A case may do the same many times: the first places each, then ever fewer.
    let places = std::iter::successors(Some(1_usize), |place| Some(place + 1 + place / 12 * 4));
    let failed = starve(places.take(100), Shortage::at, attempt)?;
    ensure!(failed > 0, "no allocation could be made to fail");
    host.note(format!("{name}: {failed} allocations failed"));
    Ok(())
}

/// A modem that is plugged in with ever another allocation of its driver failing
/// comes up or does not; either way it can be removed, and leaves nothing.
pub fn starve_modem(host: &Host) -> Result<()> {
    firmware::install()?;
    modules::load(Driver::Ours)?;
    let code = code_of("usbatm")?;
    // Which bytes are whose is not known: small steps at first, then ever larger ones.
    let places = std::iter::successors(Some(1_usize), |place| Some(place + 64 + place / 4));
    let attempt = |shortage: &Shortage| {
        let modem = Plugged::new(options(1))?;
        let mut is_up = false;
        plugged::wait_until("the modem is up", || {
            is_up = AtmDevice::of(modem.device()).is_some_and(|atm| atm.has_carrier());
            let has_failed = shortage.has_struck().unwrap_or(true);
            is_up || (has_failed && (modem.threads().is_empty() || modem.is_waiting()))
        })?;
        let folder = modem.folder();
        drop(modem);
        plugged::wait_until("the device is gone", || !folder.exists())?;
        nothing_is_left()?;
        ensure!(is_up, "the modem did not come up");
        Ok(())
    };
    let shortage = |bytes| Shortage::after(bytes, code);
    let failed = starve(places.take(100), shortage, attempt)?;
    ensure!(failed > 0, "no allocation could be made to fail");
    host.note(format!("{failed} allocations failed"));
    modules::unload()
}

#[cfg(test)]
mod tests {
    use super::{Done, objects, told};

    const LIST: &str = "unreferenced object 0xffff888100 (size 64):\n  \
        comm \"stop_twice\", pid 1, jiffies 4294\n  backtrace (crc 0):\n    a+0x1/0x2\n\
        unreferenced object 0xffff888200 (size 8):\n  comm \"leaked_handle_i\", pid 1, jiffies 4295\n";

    #[test]
    fn leaks_are_told_apart() {
        let objects: Vec<_> = objects(LIST).collect();
        assert_eq!(objects.len(), 2);
        assert!(objects[0].ends_with("a+0x1/0x2"));
        let done = |job: &str, ran, leaks_on_purpose| Done {
            job: job.to_owned(),
            ran,
            leaks_on_purpose,
        };
        let done = [
            done("good", 4290..4295, false),
            done("bad", 4295..4296, true),
        ];
        let told: Vec<_> = objects
            .into_iter()
            .filter_map(|leak| told(leak, &done))
            .collect();
        assert_eq!(told.len(), 1);
        assert!(told[0].ends_with("allocated during good"));
    }
}
