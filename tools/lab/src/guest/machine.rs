//! The machine that the guest is: what its first program sets up, and its end.

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::{Context, Result};
use nix::mount::{MsFlags, mount};
use nix::sys::reboot::{RebootMode, reboot};

use super::modules;
use crate::protocol::Breakage;

/// The kernel's own file systems, and where they belong.
const MOUNTS: [(&str, &str); 4] = [
    ("proc", "/proc"),
    ("sysfs", "/sys"),
    ("devtmpfs", "/dev"),
    ("debugfs", "/sys/kernel/debug"),
];

/// The stock modules that every job needs.
const BASE: [&str; 2] = ["vhci-hcd", "atm"];

/// Mounts what a Linux system has, and loads the stock modules.
pub fn set_up() -> Result<()> {
    for (kind, place) in MOUNTS {
        mount(
            Some(kind),
            place,
            Some(kind),
            MsFlags::empty(),
            None::<&str>,
        )
        .with_context(|| format!("cannot mount {place}"))?;
    }
    // The kernel drops what programs write to /dev/kmsg too fast; nothing is to be lost.
    fs::write("/proc/sys/kernel/printk_devkmsg", "on\n")?;
    for module in BASE {
        modules::modprobe(module)?;
    }
    Ok(())
}

/// Whether the guest was booted for a person.
pub fn wants_shell() -> bool {
    fs::read_to_string("/proc/cmdline")
        .is_ok_and(|line| line.split_whitespace().any(|word| word == "lab.shell"))
}

/// A shell on the console, until it ends.
pub fn shell() {
    println!(
        "\nThe stock kernel {}, with these commands at hand:\n\
         \x20 modprobe speedtch      our driver; for the C one instead:\n\
         \x20                        cd /lib/modules/*/kernel/drivers/usb/atm; insmod usbatm.ko; insmod speedtch.ko\n\
         \x20 modprobe kexample      then: cat /dev/kexample (Ctrl-C ends that)\n\
         \x20 lab modem &            plug an emulated modem; 'kill %1' pulls it (lab modem --help)\n\
         \x20 /bin/ps -eo pid,cls,rtprio,comm · cat /proc/net/atm/devices · dmesg\n\
         \x20 exit                   switch it off; where something hangs, Ctrl-A X ends it\n",
        fs::read_to_string("/proc/sys/kernel/osrelease")
            .unwrap_or_default()
            .trim()
    );
    let _ = Command::new("/bin/setsid")
        .args(["-c", "/bin/sh", "-l"])
        .env("PATH", "/bin")
        .env("HOME", "/root")
        .env("PS1", "guest# ")
        .env("TERM", "xterm")
        .arg0("setsid")
        .status();
}

/// Breaks the machine, as the tests of the lab ask for.
pub fn break_down(breakage: Breakage) -> Result<()> {
    match breakage {
        Breakage::Panic => fs::write("/proc/sysrq-trigger", "c")?,
        Breakage::Hang => loop {
            std::thread::park();
        },
        // Nothing but a line: the stock kernel has no way to make it warn on purpose.
        Breakage::Report => fs::write("/dev/kmsg", "<4>WARNING: written by a test of the lab\n")?,
    }
    Ok(())
}

/// Switches the machine off.
pub fn power_off() -> ! {
    let _ = reboot(RebootMode::RB_POWER_OFF);
    loop {
        std::thread::park();
    }
}
