//! The firmware that the kernel finds for a modem, or does not.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use modem::Image;

/// The sizes of the firmware's stages in bytes, as those of a modem of
/// revision 4.00.
const STAGES: [usize; 2] = [935, 775_545];

/// The firmware files that the driver finds when all is well.
const FILES: [&str; 2] = [
    "/lib/firmware/speedtch-1.bin",
    "/lib/firmware/speedtch-2.bin",
];

/// Firmware in all, in bytes.
pub const TOTAL: usize = STAGES[0] + STAGES[1];

/// Firmware that was made up: its content is as good as any to the emulated
/// modem, which compares it with what it was told to expect.
fn stage(number: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64 ^ number as u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..STAGES[number]).map(|_| next()).collect()
}

/// Puts the firmware where the kernel looks for it.
pub fn install() -> Result<()> {
    force_fallback(false)?;
    for (number, file) in FILES.iter().enumerate() {
        fs::write(file, stage(number)).with_context(|| format!("cannot write {file}"))?;
    }
    Ok(())
}

/// Takes the firmware away, and has the kernel ask user space for it, which
/// never answers here: the driver waits for as long as the kernel lets it.
pub fn withhold() -> Result<()> {
    for file in FILES {
        let _ = fs::remove_file(file);
    }
    force_fallback(true)
}

fn force_fallback(on: bool) -> Result<()> {
    let file = "/proc/sys/kernel/firmware_config/force_sysfs_fallback";
    fs::write(file, if on { "1" } else { "0" }).with_context(|| format!("cannot write {file}"))
}

/// Whether some driver waits for user space to deliver its firmware.
pub fn is_awaited() -> bool {
    awaited().next().is_some()
}

/// Answers every wait for firmware with "there is none".
pub fn refuse() {
    for request in awaited() {
        let _ = fs::write(request.join("loading"), "-1");
    }
}

fn awaited() -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir("/sys/class/firmware")
        .into_iter()
        .flatten()
        .flatten();
    entries
        .map(|entry| entry.path())
        .filter(|path| path.join("loading").exists())
}

/// What a modem is told to expect.
pub fn images() -> (Image, Image) {
    (Image::of(&stage(0)), Image::of(&stage(1)))
}
