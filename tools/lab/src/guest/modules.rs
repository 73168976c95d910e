//! Kernel modules in the guest: loading, removing, and the in-kernel tests.

use std::ffi::CString;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use anyhow::{Context, Result, bail, ensure};
use nix::errno::Errno;
use nix::kmod::{DeleteModuleFlags, ModuleInitFlags, delete_module, finit_module};

use super::firmware;
use super::kmsg::Kmsg;
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
fn file(driver: Driver, module: &str) -> PathBuf {
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

/// Runs the one in-kernel test: the module does it while it is loaded.
pub fn kernel_test(index: usize, name: &str) -> Result<()> {
    // Some tests wait for firmware that user space never delivers, and end
    // that wait themselves.
    firmware::withhold()?;
    firmware::wait_long()?;
    let log = Kmsg::from_now();
    let path = file(Driver::Ours, "kthread_test");
    let module = File::open(&path).with_context(|| format!("no module {}", path.display()))?;
    let case = CString::new(format!("case={index}"))?;
    let done = AtomicBool::new(false);
    let loaded = thread::scope(|scope| {
        scope.spawn(|| firmware::answer_tests(&done));
        let loaded = finit_module(&module, &case, ModuleInitFlags::empty());
        done.store(true, Ordering::Release);
        loaded
    });
    if loaded.is_ok() {
        rmmod("kthread_test").context("the test's module does not go")?;
    }
    let has_passed = has_passed(&log.lines(), name)?;
    match loaded {
        Ok(()) => {
            ensure!(has_passed, "the module did not run {name}");
            Ok(())
        }
        Err(Errno::ENOENT) => bail!("the module knows no test {index}, or lacks a symbol"),
        Err(error) => bail!("the module does not load: {error}"),
    }
}

/// Whether the log has it that the in-kernel test `name` passed. It is an error that it did not, and
/// one that it was skipped: in the lab's machines there is nothing that it could lack.
fn has_passed(lines: &[String], name: &str) -> Result<bool> {
    let said = |what: &str| lines.iter().find_map(|line| Some(line.split_once(what)?.1));
    if let Some(why) = said("not ok ") {
        bail!("{why}");
    }
    let Some(rest) = said(&format!(": ok {name}")) else {
        return Ok(false);
    };
    ensure!(
        !rest.contains("# SKIP"),
        "the test was skipped:{}",
        rest.replace(" # SKIP", "")
    );
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(line: &str) -> Result<bool> {
        has_passed(&["kthread_test: case x".to_owned(), line.to_owned()], "x")
    }

    #[test]
    fn what_is_skipped_has_not_passed() {
        assert!(verdict("kthread_test: ok x").unwrap());
        assert!(!verdict("kthread_test: loading out-of-tree module").unwrap());
        let skipped = verdict("kthread_test: ok x # SKIP no such CPU").unwrap_err();
        assert_eq!(skipped.to_string(), "the test was skipped: no such CPU");
        let failed = verdict("kthread_test: not ok x: line 7: false").unwrap_err();
        assert_eq!(failed.to_string(), "x: line 7: false");
    }
}
