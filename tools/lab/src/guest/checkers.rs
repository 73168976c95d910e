//! What the debug kernel has beyond the stock one: checkers that have to be
//! awake, and a search for leaks.

use std::fs;
use std::ops::Range;
use std::path::Path;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::kmsg::Kmsg;
use super::{modules, plugged};
use crate::protocol::Driver;

const KMEMLEAK: &str = "/sys/kernel/debug/kmemleak";

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
