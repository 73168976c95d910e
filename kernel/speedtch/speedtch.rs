// SPDX-License-Identifier: GPL-2.0

//! Driver for the Alcatel (later Thomson) SpeedTouch USB and 330 ADSL modems.
//!
//! A SpeedTouch comes up with a loader alone, which takes the [firmware] in two stages. Then it
//! answers requests, is told its settings, and is asked to synchronise its line, whose state it
//! tells when it is asked, and sometimes by itself. Cells go through a pair of bulk endpoints as
//! they are, without padding.
//!
//! What the modem says and wants to hear is in [`wire::speedtch`]; here is who asks it when.

#![warn(missing_docs)]

mod firmware;

use kernel::{
    device,
    prelude::*,
    time::Delta, //
};
use kthread::{
    AnyStop,
    Error,
    Stop, //
};
use param::{
    Bytes,
    Switch, //
};
use usbatm::{
    Choice,
    Layout,
    Line,
    LineStatus,
    Minidriver,
    Modem, //
};
use wire::{
    setup::Setup,
    speedtch::{
        self as protocol,
        LineEvent,
        LineState,
        StartUp,
        Status, //
    }, //
};

usb::device_table!(
    DEVICES,
    (),
    [(
        usb::DeviceId::new(protocol::VENDOR_ID, protocol::PRODUCT_ID),
        ()
    )]
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
    ModemOption: Bytes<{ protocol::OPTION_LEN }> = Bytes::NONE,
        "default: 0x10,0x00,0x00,0x00,0x20";
}

/// The class of devices that follow no standard.
const CLASS_VENDOR_SPECIFIC: u8 = 0xff;

/// Where cells travel, and how.
const LAYOUT: Layout = Layout {
    bulk: protocol::ALTSETTING_BULK,
    isochronous: Some(protocol::ALTSETTING_ISOC),
    rx: protocol::DATA_IN,
    tx: protocol::DATA_OUT,
    rx_padding: 0,
    tx_padding: 0,
};

/// How long the modem may take over a request or a block.
const TIMEOUT: Delta = Delta::from_millis(protocol::TIMEOUT_MSECS as i64);

/// How long it may take to say that it is alive.
const ALIVE_TIMEOUT: Delta = Delta::from_millis(protocol::ALIVE_TIMEOUT_MSECS as i64);

/// One modem, and the parameters as they were when it was plugged in; root may change them at any
/// time.
struct SpeedTouch {
    channels: Choice,
    firmware_out: usb::BulkOut,
    firmware_in: usb::BulkIn,
    /// Where the modem tells of changes of its line. It is polled as well, so it may be missing.
    interrupt: Option<usb::InterruptIn>,
    /// Read a block before the firmware is sent.
    reads_first: bool,
    /// Have the modem buffer cells.
    sw_buffering: bool,
    /// What the modem is told before its line is started.
    start_up: StartUp,
}

impl Minidriver for SpeedTouch {
    type IdInfo = ();
    const NAME: &'static CStr = c"speedtch";
    const ID_TABLE: usb::IdTable<()> = &DEVICES;
    const FIRST_POLL: Delta = Delta::from_millis(protocol::FIRST_POLL_MSECS as i64);
    const POLL: Delta = Delta::from_millis(protocol::POLL_MSECS as i64);

    fn bind(
        interface: &usb::Interface<device::Core<'_>>,
        _info: Option<&'static ()>,
    ) -> Result<Self> {
        let class = interface.device().class();
        if class != CLASS_VENDOR_SPECIFIC {
            dev_err!(interface, "wrong device class {}\n", class);
            return Err(ENODEV);
        }
        let control = interface.claim(protocol::INTERFACE_CONTROL)?;
        let data = interface.claim(protocol::INTERFACE_DATA)?;
        let firmware = interface.claim(protocol::INTERFACE_FIRMWARE)?;
        let alternate = parameters::altsetting.value();
        let isochronous = parameters::enable_isoc.value().0;
        Ok(Self {
            channels: LAYOUT.find(data, alternate, isochronous)?,
            firmware_out: firmware.bulk_out(0, protocol::FIRMWARE_OUT)?,
            firmware_in: firmware.bulk_in(0, protocol::FIRMWARE_IN)?,
            interrupt: control.interrupt_in(0, protocol::INTERRUPT_IN).ok(),
            reads_first: parameters::dl_512_first.value().0,
            sw_buffering: parameters::sw_buffering.value().0,
            start_up: StartUp {
                mode: parameters::ModemMode.value(),
                option: parameters::ModemOption.value().or(StartUp::DEFAULT.option),
                // The modem is sent the lower half.
                max_dsl: parameters::BMaxDSL.value() as u16,
            },
        })
    }

    /// A modem that tells its line's state has its firmware.
    fn is_alive(&self, stop: &AnyStop, modem: &Modem) -> kthread::Result<bool> {
        match modem.ask::<1>(stop, protocol::STATUS_7, ALIVE_TIMEOUT) {
            Ok(_) => Ok(true),
            // It was not asked. Firmware for one that has it would take its line down.
            Err(Error::Failed(ENOMEM)) => Err(ENOMEM.into()),
            Err(Error::Failed(_)) => Ok(false),
            Err(Error::Stopped) => Err(Error::Stopped),
        }
    }

    fn heavy_init(&self, stop: &Stop, modem: &Modem) -> kthread::Result {
        self.load_firmware(stop, modem)
    }

    fn channels(&self) -> &Choice {
        &self.channels
    }

    fn configure(&self, stop: &Stop, modem: &Modem) -> kthread::Result {
        // One that refuses some of its settings may work all the same.
        let tell = |setup: Setup, data: &[u8]| {
            let told = modem.tell(stop, setup, data, TIMEOUT);
            let value = setup.value;
            modem.tolerate(told, fmt!("the modem did not take setting {value:#04x}"))
        };
        if self.sw_buffering {
            tell(protocol::sw_buffering(true), &[])?;
        }
        for step in self.start_up.steps() {
            tell(step.setup, step.data())?;
        }
        Ok(())
    }

    fn atm_start(&self, _stop: &Stop, modem: &Modem, line: &Line<'_>) -> kthread::Result {
        let serial = modem.device().serial().map(CStr::to_bytes);
        if let Some(mac) = serial.and_then(protocol::mac_from_serial) {
            line.set_mac(mac);
        }
        Ok(())
    }

    fn synchronise(&self, stop: &AnyStop, modem: &Modem) -> kthread::Result {
        modem.prod::<2>(stop, protocol::START_SYNCHRO, TIMEOUT)
    }

    fn line_status(&self, stop: &AnyStop, modem: &Modem) -> kthread::Result<LineStatus> {
        let [state] = modem.ask(stop, protocol::STATUS_7, TIMEOUT)?;
        let rates = modem.ask(stop, protocol::STATUS_B, TIMEOUT)?;
        // Nobody knows what the others mean, or whether the modem minds if they are not asked for.
        modem.prod::<4>(stop, protocol::STATUS_D, TIMEOUT)?;
        modem.prod::<1>(stop, protocol::STATUS_E, TIMEOUT)?;
        modem.prod::<1>(stop, protocol::STATUS_F, TIMEOUT)?;

        let Status { line, rates } = Status::from_bytes(state, rates);
        Ok(match line {
            LineState::Down => LineStatus::Down,
            LineState::Blocked => LineStatus::Odd("blocked?"),
            LineState::Synchronising => LineStatus::Synchronising,
            LineState::Up => LineStatus::Up {
                down: rates.down,
                up: rates.up,
            },
            LineState::Unknown(state) => LineStatus::Unheard(state),
        })
    }

    fn line_events(&self) -> Option<usb::InterruptIn> {
        self.interrupt
    }

    fn line_event(&self, packet: &[u8]) -> Option<&'static str> {
        Some(match LineEvent::from_packet(packet)? {
            LineEvent::GoesUp => "goes up",
            LineEvent::GoesDown => "goes down",
        })
    }
}
