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
use serde_json::json;

use super::monitor::Monitor;
use crate::guest::firmware;
use crate::protocol::{OutsideModem, Place};

/// What is plugged in, and where more can be.
pub struct Controller {
    sockets: BTreeMap<Place, PathBuf>,
    modems: BTreeMap<Place, Modem>,
}

/// What QEMU calls the place's socket, and at which port of which bus the device is that it
/// makes of it.
fn names(place: Place) -> (&'static str, &'static str, &'static str) {
    match place {
        Place::Controller => ("usb-root", "usb.0", "2"),
        Place::Hub => ("usb-hub", "usb.0", "1.1"),
        Place::Ehci => ("usb-ehci", "ehci.0", "1"),
    }
}

impl Controller {
    /// A controller whose sockets are called like `socket`, with other endings.
    pub fn new(socket: &Path) -> Self {
        let places = [Place::Controller, Place::Hub, Place::Ehci].into_iter();
        Self {
            sockets: places
                .map(|place| (place, socket.with_extension(names(place).0)))
                .collect(),
            modems: BTreeMap::new(),
        }
    }

    /// Has QEMU make it, with a hub, and one of the generation before.
    pub fn add_to(&self, command: &mut Command) {
        command.args(["-device", "qemu-xhci,id=usb"]);
        command.args(["-device", "usb-hub,id=hub,bus=usb.0,port=1,port-power=on"]);
        command.args([
            "-device",
            "ich9-usb-ehci1,id=ehci,addr=1d.7,multifunction=on",
            "-device",
            "ich9-usb-uhci1,masterbus=ehci.0,firstport=0,addr=1d.0,multifunction=on",
        ]);
        for (&place, socket) in &self.sockets {
            let (name, bus, port) = names(place);
            let path = socket.display();
            command
                .arg("-chardev")
                .arg(format!("socket,id={name},path={path},server=on,wait=off"));
            command
                .arg("-device")
                .arg(format!("usb-redir,chardev={name},bus={bus},port={port}"));
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

    /// Pulls the hub out. QEMU hangs up on what is plugged into it, and forgets its socket.
    pub fn pull_hub(&self, monitor: &Monitor) -> Result<()> {
        monitor.execute("device_del", &json!({ "id": "hub" }))
    }

    /// Plugs the hub in again.
    pub fn plug_hub(&mut self, monitor: &Monitor) -> Result<()> {
        self.modems.remove(&Place::Hub);
        let (name, bus, port) = names(Place::Hub);
        let socket = self.sockets.get(&Place::Hub).context("there is no hub")?;
        let address = json!({ "type": "unix", "data": { "path": socket } });
        let listener = json!({ "addr": address, "server": true, "wait": false });
        let backend = json!({ "type": "socket", "data": listener });
        monitor.execute("chardev-add", &json!({ "id": name, "backend": backend }))?;
        let hub = json!({
            "driver": "usb-hub", "id": "hub", "bus": bus, "port": "1", "port-power": true,
        });
        monitor.execute("device_add", &hub)?;
        let modem = json!({ "driver": "usb-redir", "chardev": name, "bus": bus, "port": port });
        monitor.execute("device_add", &modem)
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        for socket in self.sockets.values() {
            let _ = fs::remove_file(socket);
        }
    }
}
