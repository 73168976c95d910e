//! Threads that wait for a USB transfer: the devices that they wait for, and the files through which
//! the modules start and stop them.
//!
//! Such a stop is longer than that of other waits, in C as well: the transfer has to come back from
//! the host controller, which here asks the modem for it, a program like any other.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use modem::{Fault, Stage};
use wire::speedtch::{INTERFACE_CONTROL, INTERFACE_FIRMWARE};

use crate::guest::plugged::{Plugged, options, wait_until};
use crate::protocol::Driver;

/// A modem that never answers, with one of the modules as its driver.
pub struct Device(Plugged);

impl Device {
    /// Plugs one in for the module of this kind. Each has a product of its own.
    pub fn plug(driver: Driver) -> Result<Self> {
        let (number, product) = match driver {
            Driver::Ours => (1, 0x7e58),
            Driver::C => (2, 0x7e59),
        };
        let options = options(number)
            .product(product)
            .fault(Fault::SilentSelect)
            .fault(Fault::SilentBlock(Stage::One));
        let device = Self(Plugged::new(options)?);
        for kind in ["bulk", "control"] {
            let file = device.file(kind, "measured");
            wait_until("the module has its device", || {
                fs::exists(&file).unwrap_or(false)
            })?;
        }
        Ok(device)
    }

    /// Starts a thread that makes such a transfer; its process number.
    pub fn start(&self, kind: &str) -> Result<f64> {
        self.write(kind, "start")
    }

    /// Stops that thread; nanoseconds.
    pub fn stop(&self, kind: &str) -> Result<f64> {
        self.write(kind, "stop")
    }

    fn write(&self, kind: &str, file: &str) -> Result<f64> {
        fs::write(self.file(kind, file), kind)
            .with_context(|| format!("cannot {file} a transfer of kind {kind}"))?;
        let measured = fs::read_to_string(self.file(kind, "measured"))?;
        measured.trim().parse().context("not a number")
    }

    /// A file of the interface that has the endpoint for such transfers.
    fn file(&self, kind: &str, name: &str) -> PathBuf {
        let interface = match kind {
            "bulk" => INTERFACE_FIRMWARE,
            _ => INTERFACE_CONTROL,
        };
        let interface = format!("{}:1.{interface}", self.0.device());
        self.0.folder().join(interface).join(name)
    }
}
