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

mod channels;
mod firmware;
mod line;
mod settings;

use self::settings::Settings;

use kernel::{
    device,
    prelude::*,
    time::Delta, //
};
use kthread::{
    Error,
    Stop, //
};
use param::{
    Bytes,
    Switch, //
};
use usbatm::{
    Line,
    LineStatus,
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

param::parameters! {
    altsetting: u32 = 0,
        "Alternate setting of the data interface (bulk_default: 1; isoc_default: 3)", 0o644;
    dl_512_first: Switch = Switch(false),
        "Read a block of 512 bytes before the firmware is sent (default: 0)", 0o644;
    enable_isoc: Switch = Switch(false),
        "Receive by isochronous transfers where the modem has them (default: 0)", 0o644;
    sw_buffering: Switch = Switch(false), "Have the modem buffer cells (default: 0)", 0o644;
    BMaxDSL: u32 = 8128, "default: 8128", 0o644;
    ModemMode: u8 = 11, "default: 11", 0o644;
    ModemOption: Bytes<{ modem::OPTION_LEN }> = Bytes::NONE,
        "default: 0x10,0x00,0x00,0x00,0x20";
}

/// The class of devices that follow no standard.
const CLASS_VENDOR_SPECIFIC: u8 = 0xff;

/// How long the modem may take over a request or a block.
const TIMEOUT: Delta = Delta::from_millis(modem::TIMEOUT_MSECS as i64);

/// How long it may take to say that it is alive.
const ALIVE_TIMEOUT: Delta = Delta::from_millis(modem::ALIVE_TIMEOUT_MSECS as i64);

/// One modem.
struct SpeedTouch {
    settings: Settings,
    /// The channels that will do, the best first.
    channels: channels::Choice,
    firmware_out: usb::BulkOut,
    firmware_in: usb::BulkIn,
    /// Where the modem tells of changes of its line. It is polled as well, so it may be missing.
    interrupt: Option<usb::InterruptIn>,
}

impl Minidriver for SpeedTouch {
    type IdInfo = ();
    const NAME: &'static CStr = c"speedtch";
    const ID_TABLE: usb::IdTable<()> = &DEVICES;
    const FIRST_POLL: Delta = Delta::from_millis(modem::FIRST_POLL_MSECS as i64);
    const POLL: Delta = Delta::from_millis(modem::POLL_MSECS as i64);

    fn bind(
        interface: &usb::Interface<device::Core<'_>>,
        _info: Option<&'static ()>,
    ) -> Result<Self> {
        let class = interface.device().class();
        if class != CLASS_VENDOR_SPECIFIC {
            dev_err!(interface, "wrong device class {}\n", class);
            return Err(ENODEV);
        }
        let settings = Settings::now();
        let control = part(interface, modem::INTERFACE_CONTROL)?;
        let data = part(interface, modem::INTERFACE_DATA)?;
        let firmware = part(interface, modem::INTERFACE_FIRMWARE)?;
        Ok(Self {
            settings,
            channels: channels::find(data, &settings)?,
            firmware_out: firmware.bulk_out(0, modem::FIRMWARE_OUT)?,
            firmware_in: firmware.bulk_in(0, modem::FIRMWARE_IN)?,
            interrupt: control.interrupt_in(0, modem::INTERRUPT_IN).ok(),
        })
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

    fn select(&self, stop: &Stop, modem: &Modem) -> kthread::Result<Selected> {
        channels::select(stop, modem, &self.channels)
    }

    fn heavy_init(&self, stop: &Stop, modem: &Modem) -> kthread::Result<Selected> {
        self.load_firmware(stop, modem)?;
        let selected = self.select(stop, modem)?;
        self.start_up(stop, modem)?;
        Ok(selected)
    }

    fn atm_start(&self, _stop: &Stop, modem: &Modem, line: &Line<'_>) -> kthread::Result {
        let serial = modem.device().serial().map(CStr::to_bytes);
        if let Some(mac) = serial.and_then(modem::mac_from_serial) {
            line.set_mac(mac);
        }
        Ok(())
    }

    fn synchronise(&self, stop: &Stop, modem: &Modem) -> kthread::Result {
        let mut answer = [0; modem::START_SYNCHRO.length as usize];
        let setup = request(&modem::START_SYNCHRO);
        modem
            .device()
            .control_in(stop, setup, &mut answer, TIMEOUT)?;
        Ok(())
    }

    fn line_status(&self, stop: &Stop, modem: &Modem) -> kthread::Result<LineStatus> {
        line::status(stop, modem)
    }

    fn line_events(&self) -> Option<usb::InterruptIn> {
        self.interrupt
    }

    fn line_event(&self, packet: &[u8]) -> Option<&'static str> {
        Some(match modem::LineEvent::from_packet(packet)? {
            modem::LineEvent::GoesUp => "goes up",
            modem::LineEvent::GoesDown => "goes down",
        })
    }
}

impl SpeedTouch {
    /// Tells the modem its settings.
    fn start_up(&self, stop: &Stop, modem: &Modem) -> kthread::Result {
        modem.phase("the start-up sequence");
        if self.settings.sw_buffering {
            tell(stop, modem, &modem::sw_buffering(true), &[])?;
        }
        for step in self.settings.start_up.steps() {
            tell(stop, modem, &step.setup, step.data())?;
        }
        Ok(())
    }
}

/// Tells the modem one of its settings. One that refuses some of them may work all the same.
fn tell(stop: &Stop, modem: &Modem, setup: &Setup, data: &[u8]) -> kthread::Result {
    let sent = modem
        .device()
        .control_out(stop, request(setup), data, TIMEOUT);
    match sent {
        // It refuses nothing any more.
        Err(Error::Failed(error)) if is_gone(error) => Err(error.into()),
        Err(Error::Failed(error)) => {
            dev_warn!(
                modem,
                "the modem did not take setting {:#04x}: {:?}\n",
                setup.value,
                error
            );
            Ok(())
        }
        result => result,
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
