//! What a user can see of a modem driver, fact by fact, for the comparison of ours with
//! the stock C modules.
//!
//! Each fact has a name and a value, and both drivers are asked for the same ones. The
//! host compares them; see `crate::parity`.

mod loaded;
mod plugged;
mod seen;

use std::fs;
use std::io;
use std::path::Path;

use anyhow::{Result, anyhow};
use nix::errno::Errno;

use super::plugged::Plugged;
use super::{Host, modules};
use crate::protocol::{Driver, FromGuest};

/// Tells the host all facts of this driver.
pub fn gather(driver: Driver, host: &Host) -> Result<()> {
    let facts = Facts { driver, host };
    let gathered = loaded::gather(&facts).and_then(|()| plugged::gather(&facts));
    modules::unload().and(gathered)
}

/// The facts of a driver, on their way to the host.
struct Facts<'a> {
    driver: Driver,
    host: &'a Host,
}

impl Facts<'_> {
    fn tell(&self, what: impl Into<String>, value: impl Into<String>) {
        self.host.say(&FromGuest::Fact {
            what: what.into(),
            value: value.into(),
        });
    }

    fn insmod(&self, module: &str, parameters: &str) -> Result<()> {
        modules::insmod(self.driver, module, parameters)
    }
}

/// A modem's name in sysfs depends on where it is plugged in.
fn without_place(text: &str, modem: &Plugged) -> String {
    text.replace(modem.device(), "DEVICE")
}

/// The names in a folder, in order.
fn names(folder: impl AsRef<Path>) -> Result<Vec<String>> {
    let entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    let mut names: Vec<_> = entries
        .iter()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    Ok(names)
}

/// The name of an error.
fn errno(error: &anyhow::Error) -> Result<String> {
    let cause = error.root_cause();
    let errno = cause.downcast_ref::<Errno>().copied().or_else(|| {
        let number = cause.downcast_ref::<io::Error>()?.raw_os_error()?;
        Some(Errno::from_raw(number))
    });
    let errno = errno.ok_or_else(|| anyhow!("{error:#} has no number"))?;
    Ok(format!("{errno:?}"))
}

/// What came of something that succeeds or has an errno.
fn outcome<T, E: Into<anyhow::Error>>(result: Result<T, E>) -> Result<String> {
    match result {
        Ok(_) => Ok("succeeds".to_owned()),
        Err(error) => errno(&error.into()),
    }
}
