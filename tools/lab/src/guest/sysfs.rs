//! What the kernel says of its threads and its ATM devices.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use anyhow::{Context, Result};

/// A kernel thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thread {
    /// Its process id.
    pub pid: u32,
    /// Its name in full.
    pub name: String,
}

/// The kernel threads of the modem drivers, ours or the stock ones.
pub fn driver_threads() -> Vec<Thread> {
    kernel_threads()
        .into_iter()
        .filter(|thread| thread.name.starts_with("speedtch"))
        .collect()
}

/// All kernel threads, but for those that are on their last steps in the kernel's
/// own code: who waits for the end of one goes on before it is out of the list.
pub fn kernel_threads() -> Vec<Thread> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter_map(|pid| {
        // Only a kernel thread has an empty command line (zombies do not stay here).
        let is_kernel = fs::read(format!("/proc/{pid}/cmdline")).ok()?.is_empty();
        let name = fs::read_to_string(format!("/proc/{pid}/comm"))
            .ok()?
            .trim()
            .to_owned();
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        (is_kernel && !is_exiting(&stat)).then_some(Thread { pid, name })
    })
    .collect()
}

/// Whether the kernel has begun to take the task apart (`PF_EXITING`), by its stat file.
fn is_exiting(stat: &str) -> bool {
    const PF_EXITING: u64 = 0x4;
    // The ninth field has the flags; the second, the name, may have spaces in it.
    let flags = stat
        .rsplit_once(") ")
        .and_then(|(_, fields)| fields.split(' ').nth(6)?.parse::<u64>().ok());
    flags.is_some_and(|flags| flags & PF_EXITING != 0)
}

/// An ATM device of one of the modems.
#[derive(Debug, Clone)]
pub struct AtmDevice {
    /// Its name in sysfs, such as `speedtch0`.
    pub name: String,
    /// Its number, by which sockets name it.
    pub number: i16,
}

impl AtmDevice {
    const CLASS: &'static str = "/sys/class/atm";

    /// The ATM device that belongs to the USB device of this name.
    pub fn of(device: &str) -> Option<Self> {
        Self::all().into_iter().find(|atm| {
            let path = fs::canonicalize(Path::new(Self::CLASS).join(&atm.name)).unwrap_or_default();
            path.components().any(|part| {
                let part = part.as_os_str().to_string_lossy();
                part == device || part.starts_with(&format!("{device}:"))
            })
        })
    }

    /// All ATM devices.
    pub fn all() -> Vec<Self> {
        let entries = fs::read_dir(Self::CLASS).into_iter().flatten().flatten();
        let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
        names
            .filter_map(|name| {
                let number = fs::read_to_string(format!("{}/{name}/atmindex", Self::CLASS)).ok()?;
                Some(Self {
                    number: number.trim().parse().ok()?,
                    name,
                })
            })
            .collect()
    }

    /// One of the device's attributes.
    pub fn attribute(&self, name: &str) -> String {
        let text = fs::read_to_string(format!("{}/{}/{name}", Self::CLASS, self.name));
        text.map(|text| text.trim().to_owned()).unwrap_or_default()
    }

    /// What the driver says of it in `/proc/net/atm`, line by line.
    pub fn proc_lines(&self) -> io::Result<Vec<String>> {
        let name = format!("/proc/net/atm/{}:{}", self.attribute("type"), self.number);
        let mut file = File::open(name)?;
        let mut lines = Vec::new();
        // Each read gives a line, and fails where there is no room for all of it.
        let mut line = [0; 4096];
        loop {
            match file.read(&mut line)? {
                0 => return Ok(lines),
                length => lines.push(String::from_utf8_lossy(&line[..length]).into_owned()),
            }
        }
    }

    /// What the ATM layer has counted on the device's connections with AAL5.
    pub fn traffic(&self) -> Result<Traffic> {
        let devices = fs::read_to_string("/proc/net/atm/devices")?;
        let number = self.number.to_string();
        let is_it = |line: &&str| line.split_whitespace().next() == Some(&*number);
        let line = devices.lines().find(is_it);
        line.and_then(Traffic::parse)
            .with_context(|| format!("{} is not among {devices:?}", self.name))
    }

    /// Whether the driver knows that the line is up.
    pub fn is_up(&self) -> bool {
        let lines = self.proc_lines().unwrap_or_default();
        lines.iter().any(|line| line.trim_end() == "Line up")
    }

    /// Whether there is a carrier, as sysfs has it: a device also has one of whose line
    /// nobody knows anything yet.
    pub fn has_carrier(&self) -> bool {
        self.attribute("carrier") == "1"
    }
}

/// Packets that were counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Traffic {
    /// Sent.
    pub tx: u32,
    /// Not sent, because of an error.
    pub tx_errors: u32,
    /// Received.
    pub rx: u32,
    /// Came in and were no packets.
    pub rx_errors: u32,
    /// Came in and were thrown away.
    pub rx_drops: u32,
}

impl Traffic {
    /// Reads a line of `/proc/net/atm/devices`.
    fn parse(line: &str) -> Option<Self> {
        let (_, behind) = line.split_once(" 5 (")?;
        let (counters, _) = behind.split_once(')')?;
        let mut counters = counters.split_whitespace().map(str::parse);
        let mut next = || counters.next()?.ok();
        Some(Self {
            tx: next()?,
            tx_errors: next()?,
            rx: next()?,
            rx_errors: next()?,
            rx_drops: next()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Traffic, is_exiting};

    #[test]
    fn counters_are_found() {
        let line = "  0 speedtch0090d0000002  0 ( 0 0 0 0 0 )  5 ( 1 2 3 4 5 ) [1]";
        let expected = Traffic {
            tx: 1,
            tx_errors: 2,
            rx: 3,
            rx_errors: 4,
            rx_drops: 5,
        };
        assert_eq!(Traffic::parse(line), Some(expected));
        assert_eq!(Traffic::parse("Itf Type"), None);
    }

    #[test]
    fn a_task_on_its_way_out_is_told_from_one_that_runs() {
        let stat = |flags| format!("612 (a) b (c) D 2 0 0 0 -1 {flags} 0 0");
        assert!(!is_exiting(&stat(2_129_984)));
        assert!(is_exiting(&stat(2_129_988)));
    }
}
