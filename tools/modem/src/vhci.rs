// SPDX-License-Identifier: GPL-2.0-only

//! Plugging a socket into the virtual host controller, `vhci_hcd`.
//!
//! The driver takes one end of a connected stream socket, of any family, by the
//! number that a program writes into sysfs; the kernel speaks USB/IP over it from
//! then on. There are several controllers, each of which has two root hubs: one
//! for USB 3, and one for the slower devices, where ours go. The files of the
//! first controller are those of all of them.

use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::path::{Path, PathBuf};

/// `USB_SPEED_FULL` in `include/uapi/linux/usb/ch9.h`.
const SPEED_FULL: u32 = 2;

/// `VDEV_ST_NULL` in `include/uapi/linux/usbip.h`: nothing is plugged in.
const FREE: u32 = 4;

/// Where the kernel lists the devices on all buses.
const DEVICES: &str = "/sys/bus/usb/devices";

/// A port of a virtual host controller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    controller: PathBuf,
    /// The file with its state.
    status: PathBuf,
    number: u32,
    device: String,
}

impl Port {
    /// The port's number, from 0 on, as `vhci_hcd` counts them.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// The name that a device at this port gets, such as "9-1"; its interfaces are
    /// called "9-1:1.0" and so on.
    pub fn device(&self) -> &str {
        &self.device
    }

    /// The device's folder in sysfs, which is there while the kernel knows the
    /// device.
    pub fn folder(&self) -> PathBuf {
        Path::new(DEVICES).join(&self.device)
    }

    /// Whether nothing is plugged in, and the kernel has forgotten what was: its
    /// driver is unbound, and the device is removed.
    ///
    /// # Errors
    ///
    /// Those of reading sysfs.
    pub fn is_free(&self) -> io::Result<bool> {
        let entries = read_status(&self.status)?;
        let entry = entries.iter().find(|entry| entry.port == self.number);
        Ok(entry.is_none_or(|entry| entry.is_free) && !self.folder().exists())
    }

    /// Asks the driver to unplug what is at this port, as `usbip detach` does.
    ///
    /// # Errors
    ///
    /// Those of writing to sysfs; also if nothing is plugged in.
    pub fn detach(&self) -> io::Result<()> {
        fs::write(self.controller.join("detach"), self.number.to_string())
    }
}

/// A line of a controller's status.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    port: u32,
    is_free: bool,
}

impl Entry {
    /// Reads a line, if it is of a port for the slower devices.
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split_ascii_whitespace();
        let hub = words.next()?;
        let port = words.next()?.parse().ok()?;
        let state: u32 = words.next()?.parse().ok()?;
        let is_free = state == FREE;
        (hub == "hs").then_some(Self { port, is_free })
    }
}

/// The slower ports of a controller, in the order of its root hub.
fn read_status(file: &Path) -> io::Result<Vec<Entry>> {
    let status = fs::read_to_string(file)?;
    Ok(status.lines().filter_map(Entry::parse).collect())
}

/// The number of the bus that the controller's root hub for slower devices is.
fn bus_number(controller: &Path) -> io::Result<u32> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(controller)? {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix("usb"));
        numbers.extend(number.and_then(|number| number.parse::<u32>().ok()));
    }
    // It is registered before the other one.
    let first = numbers.into_iter().min();
    first.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "it has no root hub"))
}

/// Plugs the socket into a free port; none may be free. `first` is the folder of
/// the first controller.
pub(crate) fn attach(first: &Path, socket: impl AsFd) -> io::Result<Option<Port>> {
    for index in 0.. {
        let (status, controller) = match index {
            0 => ("status".into(), first.into()),
            _ => (
                format!("status.{index}"),
                first.with_file_name(format!("vhci_hcd.{index}")),
            ),
        };
        let status = first.join(status);
        if index > 0 && !status.exists() {
            break;
        }
        let entries = read_status(&status)?;
        for (at, entry) in (1..).zip(&entries) {
            if entry.is_free && try_attach(first, entry.port, &socket)? {
                let device = format!("{}-{at}", bus_number(&controller)?);
                return Ok(Some(Port {
                    controller: first.into(),
                    status,
                    number: entry.port,
                    device,
                }));
            }
        }
    }
    Ok(None)
}

/// Plugs the socket into this port, unless somebody else was quicker.
fn try_attach(first: &Path, port: u32, socket: impl AsFd) -> io::Result<bool> {
    let fd = socket.as_fd().as_raw_fd();
    // Any number that tells devices apart.
    let device = port + 1;
    match fs::write(
        first.join("attach"),
        format!("{port} {fd} {device} {SPEED_FULL}"),
    ) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::ResourceBusy => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_lines() {
        let free = Entry::parse("hs  0003 004 000 00000000 000000 0-0").unwrap();
        assert_eq!((free.port, free.is_free), (3, true));
        let used = Entry::parse("hs  0000 006 002 00000001 000005 9-1").unwrap();
        assert_eq!((used.port, used.is_free), (0, false));
        let fast = "ss  0008 004 000 00000000 000000 0-0";
        assert_eq!(Entry::parse(fast), None);
        let head = "hub port sta spd dev      sockfd local_busid";
        assert_eq!(Entry::parse(head), None);
        assert_eq!(Entry::parse(""), None);
    }
}
