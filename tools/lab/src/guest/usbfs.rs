//! USB devices as programs reach them, in `/dev/bus/usb`.
#![allow(unsafe_code)]

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;

use anyhow::{Context, Result};

/// `USBDEVFS_RESET = _IO('U', 20)`, from `linux/usbdevice_fs.h`.
const RESET: libc::Ioctl = ((b'U' as u32) << 8 | 20) as libc::Ioctl;

/// Resets the device, as `usbreset` does.
pub fn reset(device: &str) -> Result<()> {
    let number = |name: &str| -> Result<u32> {
        let text = fs::read_to_string(format!("/sys/bus/usb/devices/{device}/{name}"))?;
        Ok(text.trim().parse()?)
    };
    let node = format!(
        "/dev/bus/usb/{:03}/{:03}",
        number("busnum")?,
        number("devnum")?
    );
    let file = File::options()
        .write(true)
        .open(&node)
        .with_context(|| format!("cannot open {node}"))?;
    // SAFETY: the request takes no argument.
    if unsafe { libc::ioctl(file.as_raw_fd(), RESET) } < 0 {
        let error = io::Error::last_os_error();
        return Err(error).with_context(|| format!("cannot reset {device}"));
    }
    Ok(())
}
