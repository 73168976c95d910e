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
    use std::fs::File;

    const HEAD: &str = "hub port sta spd dev      sockfd local_busid";
    const USED: &str = "006 002 00000001 000005 9-1";
    const EMPTY: &str = "004 000 00000000 000000 0-0";

    #[test]
    fn status_lines() {
        let free = Entry::parse(&format!("hs  0003 {EMPTY}")).unwrap();
        assert_eq!((free.port, free.is_free), (3, true));
        let used = Entry::parse(&format!("hs  0000 {USED}")).unwrap();
        assert_eq!((used.port, used.is_free), (0, false));
        assert_eq!(Entry::parse(&format!("ss  0008 {EMPTY}")), None);
        assert_eq!(Entry::parse(HEAD), None);
        assert_eq!(Entry::parse(""), None);
    }

    /// A folder like the one that the driver has in sysfs, with two controllers
    /// of two ports each.
    struct Platform(PathBuf);

    impl Platform {
        fn new(name: &str, states: [&str; 4]) -> Self {
            let root = format!("modem-vhci-{name}-{}", std::process::id());
            let platform = Self(std::env::temp_dir().join(root));
            // Each has a root hub for fast devices, too, with the higher number.
            for hub in ["0/usb1", "0/usb2", "1/usb3", "1/usb4"] {
                let hub = platform.0.join(format!("vhci_hcd.{hub}"));
                fs::create_dir_all(hub).unwrap();
            }
            let files = [("status", 0, &states[..2]), ("status.1", 4, &states[2..])];
            for (file, first, states) in files {
                let [a, b] = [states[0], states[1]];
                let status = format!(
                    "{HEAD}\nhs  {first:04} {a}\nhs  {:04} {b}\nss  {:04} {EMPTY}\n",
                    first + 1,
                    first + 2
                );
                fs::write(platform.first().join(file), status).unwrap();
            }
            platform
        }

        fn first(&self) -> PathBuf {
            self.0.join("vhci_hcd.0")
        }

        fn attach(&self) -> Option<Port> {
            attach(&self.first(), File::open("/dev/null").unwrap()).unwrap()
        }

        /// What was asked of the driver, but for the file's number.
        fn asked(&self) -> Vec<String> {
            let asked = fs::read_to_string(self.first().join("attach")).unwrap();
            let mut words: Vec<String> = asked.split(' ').map(Into::into).collect();
            words.remove(1);
            words
        }
    }

    impl Drop for Platform {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn the_first_free_port_is_taken() {
        let platform = Platform::new("first", [USED, EMPTY, EMPTY, EMPTY]);
        let port = platform.attach().unwrap();
        assert_eq!((port.number(), port.device()), (1, "1-2"));
        assert_eq!(platform.asked(), ["1", "2", "2"]);
    }

    #[test]
    fn the_next_controller_follows_a_full_one() {
        let platform = Platform::new("next", [USED, USED, EMPTY, EMPTY]);
        let port = platform.attach().unwrap();
        assert_eq!((port.number(), port.device()), (4, "3-1"));
        assert_eq!(platform.asked(), ["4", "5", "2"]);
        port.detach().unwrap();
        let asked = fs::read_to_string(platform.first().join("detach"));
        assert_eq!(asked.unwrap(), "4");
    }

    #[test]
    fn all_ports_may_be_taken() {
        let platform = Platform::new("full", [USED; 4]);
        assert_eq!(platform.attach(), None);
    }
}
