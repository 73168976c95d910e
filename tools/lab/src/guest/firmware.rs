//! The firmware that the kernel finds for a modem, or does not.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use modem::Image;

/// The sizes of the firmware's stages in bytes, as those of a modem of
/// revision 4.00.
pub const STAGES: [usize; 2] = [935, 775_545];

/// The sizes of firmware that is short, for jobs that are about anything but its length.
const SHORT: [usize; 2] = [935, 10_000];

/// Short firmware in all, in bytes.
pub const SHORT_TOTAL: usize = SHORT[0] + SHORT[1];

/// The firmware files that the driver finds when all is well.
const FILES: [&str; 2] = [
    "/lib/firmware/speedtch-1.bin",
    "/lib/firmware/speedtch-2.bin",
];

/// Firmware in all, in bytes.
pub const TOTAL: usize = STAGES[0] + STAGES[1];

/// Firmware that was made up: its content is as good as any to the emulated
/// modem, which compares it with what it was told to expect.
fn stage(number: usize, length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64 ^ number as u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..length).map(|_| next()).collect()
}

/// Puts the firmware where the kernel looks for it.
pub fn install() -> Result<()> {
    write(STAGES)
}

/// Puts short firmware there, and tells what a modem is to expect.
pub fn install_short() -> Result<(Image, Image)> {
    write(SHORT)?;
    Ok(images_of(SHORT))
}

fn write(lengths: [usize; 2]) -> Result<()> {
    force_fallback(false)?;
    for (number, file) in FILES.iter().enumerate() {
        put(file, &stage(number, lengths[number]))?;
    }
    Ok(())
}

/// Puts a file there in one step, as package managers do: to one that the kernel is reading nobody
/// can write.
fn put(file: &str, bytes: &[u8]) -> Result<()> {
    let new = format!("{file}.new");
    fs::write(&new, bytes)
        .and_then(|()| fs::rename(&new, file))
        .with_context(|| format!("cannot write {file}"))
}

/// Puts only the first stage there.
pub fn install_first() -> Result<()> {
    put(FILES[0], &stage(0, STAGES[0]))
}

/// Puts firmware there whose second stage the modem refuses.
pub fn install_wrong() -> Result<()> {
    install()?;
    put(FILES[1], b"not what it wants")
}

/// Takes the firmware away. The kernel does not ask anybody else for it.
pub fn remove() -> Result<()> {
    force_fallback(false)?;
    for file in FILES {
        let _ = fs::remove_file(file);
    }
    Ok(())
}

/// Takes the firmware away, and has the kernel ask user space for it, which
/// never answers here: the driver waits for as long as the kernel lets it.
pub fn withhold() -> Result<()> {
    remove()?;
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

/// The names of the firmware that drivers wait for.
pub fn awaited_names() -> Vec<String> {
    let names = awaited().filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()));
    names.collect()
}

/// Answers every wait for firmware with "there is none".
pub fn refuse() {
    for request in awaited() {
        let _ = fs::write(request.join("loading"), "-1");
    }
}

/// Answers the wait for this file, of either stage, with short firmware.
pub fn deliver_short(name: &str) -> Result<()> {
    let request = PathBuf::from("/sys/class/firmware").join(name);
    let number = usize::from(name.starts_with("speedtch-2"));
    let tell = |file, bytes: &[u8]| {
        let file = request.join(file);
        fs::write(&file, bytes).with_context(|| format!("cannot write {}", file.display()))
    };
    tell("loading", b"1")?;
    tell("data", &stage(number, SHORT[number]))?;
    tell("loading", b"0")
}

/// Lets the kernel wait for user space for a day, where it waits for it.
pub fn wait_long() -> Result<()> {
    let file = "/sys/class/firmware/timeout";
    fs::write(file, "86400").with_context(|| format!("cannot write {file}"))
}

/// The requests that user space is asked to answer, as folders in sysfs.
pub fn awaited() -> impl Iterator<Item = PathBuf> {
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
    images_of(STAGES)
}

fn images_of(lengths: [usize; 2]) -> (Image, Image) {
    let image = |number| Image::of(&stage(number, lengths[number]));
    (image(0), image(1))
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::io::Read;

    use super::put;

    #[test]
    fn who_reads_a_file_has_the_old_one() {
        let name = format!("lab-firmware-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir(&folder).unwrap();
        let file = folder.join("firmware.bin");
        let file = file.to_str().unwrap();
        put(file, b"old").unwrap();
        let mut reader = File::open(file).unwrap();
        put(file, b"new one").unwrap();
        let mut read = String::new();
        reader.read_to_string(&mut read).unwrap();
        assert_eq!(read, "old");
        assert_eq!(fs::read(file).unwrap(), b"new one");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        fs::remove_dir_all(&folder).unwrap();
    }
}
