//! A modem whose connection outlives its failures, as scenarios want it.

use anyhow::{Context, Result, ensure};
use modem::Options;

use super::atmpvc::Pvc;
use super::plugged::{Plugged, options};
use super::sysfs::AtmDevice;
use super::{firmware, modules};
use crate::protocol::Driver;

/// A connection that stays open while its modem fails, and works again when that is back.
pub struct Kept {
    /// The modem.
    pub modem: Plugged,
    /// Its ATM device.
    pub atm: AtmDevice,
    /// The connection.
    pub pvc: Pvc,
}

impl Kept {
    /// That of a modem with its defaults.
    pub fn new() -> Result<Self> {
        Self::of(options(1))
    }

    /// A modem that is up, with an open connection on which cells come back.
    pub fn of(options: Options) -> Result<Self> {
        Self::loaded("", options)
    }

    /// The same with a driver that has these parameters.
    pub fn loaded(parameters: &str, options: Options) -> Result<Self> {
        modules::insmod(Driver::Ours, "usbatm", "")?;
        modules::insmod(Driver::Ours, "speedtch", parameters)?;
        firmware::install()?;
        let modem = Plugged::new(options)?;
        let atm = modem.await_up()?;
        modem.await_file("line", "up")?;
        let pvc = Pvc::open(atm.number, 8, 35, 1500)?;
        let mut this = Self { modem, atm, pvc };
        this.echo().context("before anything has happened")?;
        Ok(this)
    }

    /// Sends a packet, and takes what comes back.
    fn echo(&mut self) -> Result<()> {
        let mut back = [0; 1500];
        self.pvc.send(&[0x5a; 1500]).context("cannot send")?;
        let length = self.pvc.receive(&mut back).context("nothing came back")?;
        ensure!(
            back[..length] == [0x5a; 1500],
            "what came back is different ({length} bytes)"
        );
        Ok(())
    }

    /// Whether the connection that was opened before is told that it is over.
    pub fn is_lost(&mut self) -> bool {
        self.echo().is_err()
    }

    /// The line is up, and the connection works that was opened before.
    pub fn works(&mut self) -> Result<()> {
        self.modem.await_file("line", "up")?;
        let atm = self.modem.await_up()?;
        ensure!(
            atm.number == self.atm.number && AtmDevice::all().len() == 1,
            "it has another ATM device"
        );
        self.echo().context("on the connection that was kept")
    }
}
