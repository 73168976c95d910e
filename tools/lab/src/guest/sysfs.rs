//! What the kernel says of its threads and its ATM devices.

use std::fs;
use std::path::Path;

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

/// All kernel threads.
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
        is_kernel.then_some(Thread { pid, name })
    })
    .collect()
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

    /// Whether the driver knows that the line is up.
    pub fn has_carrier(&self) -> bool {
        self.attribute("carrier") == "1"
    }
}
