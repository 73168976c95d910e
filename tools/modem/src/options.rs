// SPDX-License-Identifier: GPL-2.0-only

//! What can be chosen about a modem before it is plugged in.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use wire::cell::Vc;
use wire::setup::Setup;
use wire::speedtch::{BOOT_MSECS, PRODUCT_ID, Rates};

use crate::bus::Bus;
use crate::firmware::{Image, Stage};
use crate::lies::{Answer, Fate, Lie};
use crate::line::same;

/// A way to misbehave. A modem may have several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Is unplugged when so many bytes of firmware, of both stages together,
    /// have come; 0 is when the first one is about to.
    UnplugAt(usize),
    /// Takes no more firmware after so many bytes of both stages together: the
    /// transfer never ends.
    StopTakingAt(usize),
    /// Takes firmware no faster than so many bytes a second.
    Slow(u32),
    /// Never answers when the block behind a stage is read.
    SilentBlock(Stage),
    /// Never answers a vendor's request that writes: the start-up sequence.
    SilentStartUp,
    /// Never answers when an alternate setting other than the first is selected.
    SilentSelect,
    /// Has this alternate setting of its data interface, and refuses it.
    RefusesSetting(u8),
    /// Never answers a vendor's request that reads once it has booted: the
    /// line's status, and the wish to synchronise.
    SilentStatus,
    /// The line never comes up: it synchronises for ever.
    NoLine,
    /// Tells lies in its descriptors.
    Descriptors(Lie),
    /// Answers this vendor's request, of whatever length, in a way of its own,
    /// once it has booted.
    Answers(Setup, Answer),
    /// Lets the transfer with this number, counted from 1 over all endpoints and
    /// from when it was plugged in, come to such an end.
    AtUrb(u64, Fate),
    /// Is another device after a reset: one of another revision.
    OtherAfterReset,
    /// Loses its firmware when its port is reset, as one does whose port has lost its power.
    ForgetsAtReset,
    /// Takes no firmware before a block has been read.
    WantsRead,
    /// Every so manieth isochronous packet is damaged on its way, with the cells in it.
    LosePackets(u64),
}

/// A modem's description, made by changing [`Options::new`] step by step.
#[derive(Clone, Debug)]
pub struct Options {
    pub(crate) serial: String,
    /// Descriptors of strings that it has instead of the right ones.
    pub(crate) strings: Vec<(u8, Vec<u8>)>,
    pub(crate) product: u16,
    pub(crate) revision: u16,
    pub(crate) firmware: Option<[Image; 2]>,
    pub(crate) running: bool,
    pub(crate) boot: Duration,
    pub(crate) training: Duration,
    pub(crate) rates: Rates,
    pub(crate) bus: Bus,
    pub(crate) vcs: Option<Vec<Vc>>,
    pub(crate) faults: Vec<Fault>,
    pub(crate) epoch: Option<Instant>,
    pub(crate) vhci: PathBuf,
}

impl Options {
    /// A modem on a full-speed bus of its own, of revision 4.00, that takes any
    /// firmware, boots in 0.9 s, trains its line for 0.5 s, reaches 8,128 kbit/s
    /// down and 864 up, sends all cells back, and has no faults.
    pub fn new() -> Self {
        Self {
            serial: "0090D0000001".into(),
            strings: Vec::new(),
            product: PRODUCT_ID,
            revision: 0x0400,
            firmware: None,
            running: false,
            // Less than the host waits.
            boot: Duration::from_millis(u64::from(BOOT_MSECS) * 9 / 10),
            training: Duration::from_millis(500),
            rates: Rates {
                down: 8128,
                up: 864,
            },
            bus: Bus::full_speed(),
            vcs: None,
            faults: Vec::new(),
            epoch: None,
            vhci: "/sys/devices/platform/vhci_hcd.0".into(),
        }
    }

    /// The MAC address, which makes the serial number.
    pub fn mac(mut self, mac: [u8; 6]) -> Self {
        self.serial = mac.iter().map(|byte| format!("{byte:02X}")).collect();
        self
    }

    /// A serial number, which need not make a MAC address.
    pub fn serial(mut self, serial: impl Into<String>) -> Self {
        self.serial = serial.into();
        self
    }

    /// What the host gets, whatever it is, when it asks for the descriptor of the
    /// string with this index: 1 is the vendor, 2 the product, 3 the serial number.
    pub fn string(mut self, index: u8, descriptor: impl Into<Vec<u8>>) -> Self {
        self.strings.push((index, descriptor.into()));
        self
    }

    /// The number of the product, by which drivers look for it: with another one it is a
    /// device that no driver knows.
    pub fn product(mut self, number: u16) -> Self {
        self.product = number;
        self
    }

    /// The revision in binary-coded decimals, such as 0x0400 for 4.00; the names
    /// of the firmware files that a driver looks for depend on it.
    pub fn revision(mut self, bcd: u16) -> Self {
        self.revision = bcd;
        self
    }

    /// Takes this firmware only.
    pub fn firmware(mut self, stage_1: Image, stage_2: Image) -> Self {
        self.firmware = Some([stage_1, stage_2]);
        self
    }

    /// Has its firmware already, as after a reboot of the host alone.
    pub fn running(mut self) -> Self {
        self.running = true;
        self
    }

    /// How long the firmware takes to start.
    pub fn boot(mut self, time: Duration) -> Self {
        self.boot = time;
        self
    }

    /// How long the line synchronises.
    pub fn training(mut self, time: Duration) -> Self {
        self.training = time;
        self
    }

    /// The line's speeds, as the modem tells them; cells are not slowed down.
    pub fn rates(mut self, down_kbps: u32, up_kbps: u32) -> Self {
        self.rates = Rates {
            down: down_kbps,
            up: up_kbps,
        };
        self
    }

    /// The bus that it is plugged into.
    pub fn bus(mut self, bus: Bus) -> Self {
        self.bus = bus;
        self
    }

    /// Sends back the cells of these channels only; others are dropped.
    pub fn loop_back(mut self, vcs: impl Into<Vec<Vc>>) -> Self {
        self.vcs = Some(vcs.into());
        self
    }

    /// Adds a fault.
    pub fn fault(mut self, fault: Fault) -> Self {
        self.faults.push(fault);
        self
    }

    /// Counts the log's times from here, so that several modems share a clock;
    /// otherwise they count from when the modem is plugged in.
    pub fn epoch(mut self, epoch: Instant) -> Self {
        self.epoch = Some(epoch);
        self
    }

    /// The host controller's folder in sysfs, if not the first one's.
    pub fn controller(mut self, folder: impl AsRef<Path>) -> Self {
        self.vhci = folder.as_ref().into();
        self
    }

    /// Whether the isochronous packet of this number is lost.
    pub(crate) fn loses_packet(&self, number: u64) -> bool {
        self.faults.iter().any(|fault| match *fault {
            Fault::LosePackets(every) => number % every.max(1) == 0,
            _ => false,
        })
    }

    pub(crate) fn has(&self, fault: Fault) -> bool {
        self.faults.contains(&fault)
    }

    /// The lies in its descriptors.
    pub(crate) fn lies(&self) -> impl Iterator<Item = Lie> + '_ {
        self.faults.iter().filter_map(|fault| match *fault {
            Fault::Descriptors(lie) => Some(lie),
            _ => None,
        })
    }

    /// What comes of the transfer with this number, if it is special.
    pub(crate) fn fate(&self, number: u64) -> Option<Fate> {
        self.faults.iter().find_map(|fault| match *fault {
            Fault::AtUrb(at, fate) if at == number => Some(fate),
            _ => None,
        })
    }

    /// How this request is answered, if in a special way.
    pub(crate) fn answer(&self, setup: Setup) -> Option<Answer> {
        self.faults.iter().find_map(|fault| match *fault {
            Fault::Answers(known, answer) if same(setup, known) => Some(answer),
            _ => None,
        })
    }
}

impl Default for Options {
    fn default() -> Self {
        Self::new()
    }
}
