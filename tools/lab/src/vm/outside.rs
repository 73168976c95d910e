//! Modems that live outside of the machine, at a host controller of QEMU's.
//!
//! The virtual host controller that most modems are plugged into is a program's idea of one: it
//! has no power to lose, and keeps out of it when the machine goes to sleep. This one is hardware
//! to the kernel, which puts it to sleep and finds it reset when it wakes up. And the modems must
//! not sleep with the machine: so they are here, on the host.
//!
//! Each place at the controller is a socket at which QEMU listens. A modem is plugged in by
//! connecting to it, and pulled out by hanging up.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use modem::{Fault, Modem, Options};

use crate::guest::firmware;
use crate::protocol::{OutsideModem, Place};

/// What is plugged in, and where more can be.
pub struct Controller {
    sockets: BTreeMap<Place, PathBuf>,
    modems: BTreeMap<Place, Modem>,
}

/// What QEMU calls the place's socket, and where the device is that it makes of it.
fn names(place: Place) -> (&'static str, &'static str) {
    match place {
        Place::Controller => ("usb-root", "2"),
        Place::Hub => ("usb-hub", "1.1"),
    }
}

impl Controller {
    /// A controller whose sockets are called like `socket`, with other endings.
    pub fn new(socket: &Path) -> Self {
        let places = [Place::Controller, Place::Hub].into_iter();
        Self {
            sockets: places
                .map(|place| (place, socket.with_extension(names(place).0)))
                .collect(),
            modems: BTreeMap::new(),
        }
    }

    /// Has QEMU make it, with a hub.
    pub fn add_to(&self, command: &mut Command) {
        command.args(["-device", "qemu-xhci,id=usb"]);
        command.args(["-device", "usb-hub,bus=usb.0,port=1,port-power=on"]);
        for (&place, socket) in &self.sockets {
            let (name, port) = names(place);
            let path = socket.display();
            command
                .arg("-chardev")
                .arg(format!("socket,id={name},path={path},server=on,wait=off"));
            command
                .arg("-device")
                .arg(format!("usb-redir,chardev={name},bus=usb.0,port={port}"));
        }
    }

    /// Plugs a modem in.
    pub fn plug(&mut self, wanted: &OutsideModem) -> Result<()> {
        let socket = self.sockets.get(&wanted.place).context("no such place")?;
        let (stage_1, stage_2) = firmware::images();
        let mut options = Options::new()
            .mac([0x00, 0x90, 0xd0, 0x00, 0x01, wanted.number])
            .firmware(stage_1, stage_2);
        if wanted.forgets {
            options = options.fault(Fault::ForgetsAtReset);
        }
        let modem = Modem::redirect(options, socket)?;
        self.modems.insert(wanted.place, modem);
        Ok(())
    }

    /// Pulls all of them out.
    pub fn pull(&mut self) {
        self.modems.clear();
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        for socket in self.sockets.values() {
            let _ = fs::remove_file(socket);
        }
    }
}
