//! What the kernel tells user space of its devices, as udev hears it.
#![allow(unsafe_code)]

use std::fs::File;
use std::io::Read;
use std::os::fd::AsRawFd;
use std::sync::Mutex;

use anyhow::{Context, Result};

use super::socket::{self, check};

/// The group of the kernel's own messages; udev's are in another.
const KERNEL: u32 = 1;

/// The uevents from some moment on.
pub struct Uevents {
    socket: File,
    heard: Mutex<Vec<Vec<String>>>,
}

impl Uevents {
    /// The uevents from this moment on.
    pub fn from_now() -> Result<Self> {
        let socket = socket::open(
            libc::AF_NETLINK,
            libc::SOCK_NONBLOCK,
            libc::NETLINK_KOBJECT_UEVENT,
        )
        .context("no socket for uevents")?;
        // SAFETY: all of its fields are integers.
        let mut address: libc::sockaddr_nl = unsafe { std::mem::zeroed() };
        address.nl_family = libc::AF_NETLINK as libc::sa_family_t;
        address.nl_groups = KERNEL;
        // SAFETY: the pointer and the length describe `address`, which the kernel only reads.
        check(unsafe {
            libc::bind(
                socket.as_raw_fd(),
                (&raw const address).cast(),
                size_of::<libc::sockaddr_nl>() as libc::socklen_t,
            )
        })
        .context("the kernel does not let us hear uevents")?;
        Ok(Self {
            socket: File::from(socket),
            heard: Mutex::default(),
        })
    }

    /// The value of the variable `name` in each uevent so far that has it and that comes from
    /// `device`, in order.
    pub fn values(&self, device: &str, name: &str) -> Vec<String> {
        let mut heard = self.heard.lock().unwrap();
        let mut message = [0; 8192];
        while let Ok(length) = (&self.socket).read(&mut message) {
            heard.push(variables(&message[..length]));
        }
        let is_of = |event: &&Vec<String>| {
            let path = value(event, "DEVPATH");
            path.is_some_and(|path| path.ends_with(&format!("/{device}")))
        };
        let events = heard.iter().filter(is_of);
        events
            .filter_map(|event| value(event, name).map(str::to_owned))
            .collect()
    }
}

/// `action@path`, then the variables, all with a NUL at the end.
fn variables(message: &[u8]) -> Vec<String> {
    let strings = message.split(|&byte| byte == 0).skip(1);
    strings
        .map(|string| String::from_utf8_lossy(string).into_owned())
        .collect()
}

fn value<'a>(event: &'a [String], name: &str) -> Option<&'a str> {
    let named = |variable: &'a String| variable.strip_prefix(name)?.strip_prefix('=');
    event.iter().find_map(named)
}

#[cfg(test)]
mod tests {
    use super::{value, variables};

    #[test]
    fn variables_are_found_by_their_whole_name() {
        let message = b"change@/devices/9-1\0ACTION=change\0DEVPATH=/devices/9-1\0USBATM_ATM=0\0";
        let event = variables(message);
        assert_eq!(value(&event, "DEVPATH"), Some("/devices/9-1"));
        assert_eq!(value(&event, "USBATM_ATM"), Some("0"));
        assert_eq!(value(&event, "USBATM"), None);
    }
}
