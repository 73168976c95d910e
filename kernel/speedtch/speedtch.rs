// SPDX-License-Identifier: GPL-2.0

//! Driver for the Alcatel (later Thomson) SpeedTouch USB and 330 ADSL modems.
//!
//! A SpeedTouch comes up with a loader alone, which takes the [firmware] in two stages. Then it
//! answers requests, is told its settings, and is asked to synchronise its [line], whose state it
//! tells when it is asked, and sometimes by itself. Cells go through a pair of bulk endpoints as
//! they are, without padding.
//!
//! What the modem says and wants to hear is in [`wire::speedtch`]; here is who asks it when.

#![warn(missing_docs)]

mod firmware;
mod line;

use kernel::{
    device,
    prelude::*,
    time::Delta, //
};
use kthread::{
    Error,
    Stop, //
};
use usbatm::{
    Channels,
    Line,
    Minidriver,
    Modem,
    Selected, //
};
use wire::{
    setup::Setup,
    speedtch as modem, //
};

usb::device_table!(
    DEVICES,
    (),
    [(usb::DeviceId::new(modem::VENDOR_ID, modem::PRODUCT_ID), ())]
);

usbatm::module_minidriver! {
    type: SpeedTouch,
    name: "speedtch",
    authors: ["Threadline developers"],
    description: "Alcatel SpeedTouch USB driver",
    license: "GPL",
}

/// The class of devices that follow no standard.
const CLASS_VENDOR_SPECIFIC: u8 = 0xff;

/// How long the modem may take over a request or a block.
const TIMEOUT: Delta = Delta::from_millis(modem::TIMEOUT_MSECS as i64);

/// How long it may take to say that it is alive.
const ALIVE_TIMEOUT: Delta = Delta::from_millis(modem::ALIVE_TIMEOUT_MSECS as i64);

/// What a driver decides about a modem, in one place.
#[derive(Clone, Copy)]
struct Settings {
    /// The alternate setting of the data interface.
    alternate: u8,
    /// What the modem is told before its line is started.
    start_up: modem::StartUp,
}

impl Settings {
    const DEFAULT: Self = Self {
        alternate: modem::ALTSETTING_BULK,
        start_up: modem::StartUp::DEFAULT,
    };
}

/// One modem.
struct SpeedTouch {
    settings: Settings,
    firmware_out: usb::BulkOut,
    firmware_in: usb::BulkIn,
    /// Where the modem tells of changes of its line. It is polled as well, so it may be missing.
    interrupt: Option<usb::InterruptIn>,
}

impl Minidriver for SpeedTouch {
    type IdInfo = ();
    const NAME: &'static CStr = c"speedtch";
    const ID_TABLE: usb::IdTable<()> = &DEVICES;

    fn bind(
        interface: &usb::Interface<device::Core<'_>>,
        _info: Option<&'static ()>,
    ) -> Result<(Self, Channels)> {
        let class = interface.device().class();
        if class != CLASS_VENDOR_SPECIFIC {
            dev_err!(interface, "wrong device class {}\n", class);
            return Err(ENODEV);
        }
        let settings = Settings::DEFAULT;
        let control = part(interface, modem::INTERFACE_CONTROL)?;
        let data = part(interface, modem::INTERFACE_DATA)?;
        let firmware = part(interface, modem::INTERFACE_FIRMWARE)?;

        let channels = Channels {
            interface: modem::INTERFACE_DATA,
            alternate: settings.alternate,
            rx: data.bulk_in(settings.alternate, modem::DATA_IN)?,
            tx: data.bulk_out(settings.alternate, modem::DATA_OUT)?,
            rx_padding: 0,
            tx_padding: 0,
        };
        let this = Self {
            settings,
            firmware_out: firmware.bulk_out(0, modem::FIRMWARE_OUT)?,
            firmware_in: firmware.bulk_in(0, modem::FIRMWARE_IN)?,
            interrupt: control.interrupt_in(0, modem::INTERRUPT_IN).ok(),
        };
        Ok((this, channels))
    }

    /// A modem that tells its line's state has its firmware.
    fn is_alive(&self, stop: &Stop, modem: &Modem) -> kthread::Result<bool> {
        let mut state = [0; modem::STATUS_7.length as usize];
        match read(stop, modem, &modem::STATUS_7, &mut state, ALIVE_TIMEOUT) {
            Ok(()) => Ok(true),
            Err(Error::Failed(_)) => Ok(false),
            Err(Error::Stopped) => Err(Error::Stopped),
        }
    }

    fn heavy_init(&self, stop: &Stop, modem: &Modem) -> kthread::Result<Selected> {
        self.load_firmware(stop, modem)?;
        let selected = modem.select(stop)?;
        self.start_up(stop, modem)?;
        Ok(selected)
    }

    fn atm_start(&self, stop: &Stop, modem: &Modem, line: &Line<'_>) -> kthread::Result {
        let serial = modem.device().serial().map(CStr::to_bytes);
        if let Some(mac) = serial.and_then(modem::mac_from_serial) {
            line.set_mac(mac);
        }
        self.start_synchro(stop, modem, line)
    }

    fn watch(&self, stop: &Stop, modem: &Modem, line: &Line<'_>) -> kthread::Result {
        self.follow_line(stop, modem, line)
    }
}

impl SpeedTouch {
    /// Tells the modem its settings. One that refuses some of them may work all the same.
    fn start_up(&self, stop: &Stop, modem: &Modem) -> kthread::Result {
        modem.phase("the start-up sequence");
        for step in self.settings.start_up.steps() {
            let sent = modem
                .device()
                .control_out(stop, request(&step.setup), step.data(), TIMEOUT);
            match sent {
                Ok(()) => {}
                // It refuses nothing any more.
                Err(Error::Failed(error)) if is_gone(error) => return Err(error.into()),
                Err(Error::Failed(error)) => dev_warn!(
                    modem,
                    "the modem did not take setting {:#04x}: {:?}\n",
                    step.setup.value,
                    error
                ),
                Err(Error::Stopped) => return Err(Error::Stopped),
            }
        }
        Ok(())
    }
}

/// An interface of the modem, by its number; claims it if it is not the one that was probed.
fn part<'a>(
    interface: &'a usb::Interface<device::Core<'_>>,
    number: u8,
) -> Result<&'a usb::Interface<device::Bound>> {
    if interface.number() == number {
        return Ok(interface);
    }
    interface.claim(number)
}

/// The USB layer's form of a request.
fn request(setup: &Setup) -> usb::Request {
    usb::Request {
        request_type: setup.request_type,
        request: setup.request,
        value: setup.value,
        index: setup.index,
    }
}

/// Asks the modem, and takes no answer but one that fills `answer`.
fn read(
    stop: &Stop,
    modem: &Modem,
    setup: &Setup,
    answer: &mut [u8],
    timeout: Delta,
) -> kthread::Result {
    let length = modem
        .device()
        .control_in(stop, request(setup), answer, timeout)?;
    if length < answer.len() {
        return Err(EIO.into());
    }
    Ok(())
}

/// Whether the modem is not there any more, so that a stop is on its way.
fn is_gone(error: kernel::error::Error) -> bool {
    error == ENODEV || error == ESHUTDOWN
}
