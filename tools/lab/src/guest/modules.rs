//! Kernel modules in the guest: loading and removing.

use std::ffi::CString;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use nix::kmod::{DeleteModuleFlags, ModuleInitFlags, delete_module, finit_module};

use crate::protocol::Driver;

/// Loads a stock module and what it needs, by modprobe.
pub fn modprobe(module: &str) -> Result<()> {
    let output = Command::new("/bin/modprobe")
        .arg(module)
        .output()
        .context("cannot start modprobe")?;
    ensure!(
        output.status.success(),
        "modprobe {module}: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}

/// The file of `module` in the implementation `driver`.
pub fn file(driver: Driver, module: &str) -> PathBuf {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let folder = match driver {
        Driver::Ours => "updates",
        Driver::C => "kernel/drivers/usb/atm",
    };
    PathBuf::from(format!(
        "/lib/modules/{}/{folder}/{module}.ko",
        release.trim()
    ))
}

/// Loads exactly the file of `module` that `driver` means, as insmod does.
pub fn insmod(driver: Driver, module: &str, parameters: &str) -> Result<()> {
    let path = file(driver, module);
    let file = File::open(&path).with_context(|| format!("no module {}", path.display()))?;
    finit_module(&file, &CString::new(parameters)?, ModuleInitFlags::empty())
        .with_context(|| format!("cannot load {}", path.display()))
}

/// Has a program load `module`, which may be killed meanwhile.
pub fn insmod_by_another(module: &str, parameters: &str) -> Result<()> {
    let mut insmod = Command::new("/bin/insmod");
    insmod.arg(file(Driver::Ours, module)).arg(parameters);
    insmod.status().context("cannot start insmod").map(drop)
}

/// Removes `module`, as rmmod does.
pub fn rmmod(module: &str) -> Result<()> {
    delete_module(&CString::new(module)?, DeleteModuleFlags::O_NONBLOCK)
        .with_context(|| format!("cannot remove {module}"))
}

/// Loads the modem driver and its core.
pub fn load(driver: Driver) -> Result<()> {
    insmod(driver, "usbatm", "")?;
    insmod(driver, "speedtch", "")
}

/// Removes what [`load`] loaded, if it is there.
pub fn unload() -> Result<()> {
    for module in ["speedtch", "usbatm"] {
        if is_loaded(module) {
            rmmod(module)?;
        }
    }
    Ok(())
}

/// Whether `module` is loaded.
pub fn is_loaded(module: &str) -> bool {
    fs::exists(format!("/sys/module/{module}/refcnt")).unwrap_or(false)
}
