// SPDX-License-Identifier: GPL-2.0

//! Stops of threads that wait for a USB transfer: a driver for a device that never answers.
//!
//! It puts three files into the folder of each interface. A kind of transfer that is written to
//! `start` starts a thread that makes it, a write to `stop` stops that thread, and `measured` then
//! has what can be read after the commands of these names.

use kernel::{
    device,
    module::this_module,
    new_mutex,
    prelude::*,
    sync::{
        aref::ARef,
        Mutex, //
    },
    time::{
        Delta,
        Instant,
        Monotonic, //
    }, //
};
use kthread::{
    Builder,
    Scope,
    Stop,
    Thread, //
};
use usb::Attribute;
use wire::speedtch as modem;

/// The product of the device: an emulated modem like any other, but that it never answers.
const PRODUCT: u16 = 0x7e58;

/// Longer than anybody measures: an hour.
const LONG: Delta = Delta::from_secs(3600);

/// How many bytes a transfer may move.
const LENGTH: usize = 64;

/// Chooses the alternate setting 1 of the data interface; see USB 2.0, 9.4.10.
const SET_INTERFACE: usb::Request = usb::Request {
    request_type: 0x01,
    request: 11,
    value: 1,
    index: modem::INTERFACE_DATA as u16,
};

/// A kind of transfer.
#[derive(Clone, Copy)]
enum Transfer {
    Bulk(usb::BulkIn),
    Interrupt(usb::InterruptIn),
    Control,
}

impl Transfer {
    /// Waits until a stop comes.
    fn wait(self, stop: &Stop, device: &usb::Device) -> kthread::Result {
        let mut data = [0; LENGTH];
        match self {
            Self::Bulk(pipe) => drop(device.bulk_in(stop, pipe, &mut data, LONG)?),
            Self::Interrupt(pipe) => drop(device.interrupt_in(stop, pipe, &mut data, LONG)?),
            Self::Control => device.control_out(stop, SET_INTERFACE, &[], LONG)?,
        }
        Ok(())
    }
}

/// What lasts from one write to the next.
struct State {
    /// What was started and not stopped.
    waiting: Option<Thread<()>>,
    /// What the last write measured.
    measured: i64,
}

/// What the driver keeps for an interface.
#[pin_data]
pub(crate) struct Transfers {
    device: ARef<usb::Device>,
    /// Of the endpoints, those that the interface has.
    bulk: Option<usb::BulkIn>,
    interrupt: Option<usb::InterruptIn>,
    #[pin]
    state: Mutex<State>,
    scope: Scope,
}

impl Transfers {
    fn start(&self, kind: &[u8]) -> Result {
        let transfer = match kind.trim_ascii() {
            b"bulk" => Transfer::Bulk(self.bulk.ok_or(ENODEV)?),
            b"interrupt" => Transfer::Interrupt(self.interrupt.ok_or(ENODEV)?),
            b"control" => Transfer::Control,
            _ => return Err(EINVAL),
        };
        let device = self.device.clone();
        let thread = Builder::new(fmt!("bench")).spawn_ready(&self.scope, move |stop| {
            stop.ready();
            transfer.wait(stop, &device)
        })?;
        let mut state = self.state.lock();
        state.measured = thread.pid().into();
        state.waiting = Some(thread);
        Ok(())
    }

    fn stop(&self) -> Result {
        let mut state = self.state.lock();
        let thread = state.waiting.take().ok_or(EINVAL)?;
        let begin = Instant::<Monotonic>::now();
        let _ = thread.stop();
        state.measured = begin.elapsed().as_nanos();
        Ok(())
    }
}

usb::device_table!(
    DEVICES,
    (),
    [(usb::DeviceId::new(modem::VENDOR_ID, PRODUCT), ())]
);

/// The driver.
pub(crate) struct Driver;

impl usb::Driver for Driver {
    type IdInfo = ();
    type Data = Transfers;
    const ID_TABLE: usb::IdTable<()> = &DEVICES;
    const ATTRIBUTES: &'static [Attribute<Transfers>] = &[
        Attribute::writable(c"start", Transfers::start),
        Attribute::writable(c"stop", |data, _| data.stop()),
        Attribute::readable(c"measured", |data, out| {
            write!(out, "{}", data.state.lock().measured)
        }),
    ];

    fn probe<'a>(
        interface: &'a usb::Interface<device::Core<'_>>,
        _info: Option<&'static ()>,
    ) -> impl PinInit<Transfers, Error> + 'a {
        try_pin_init!(Transfers {
            device: interface.device().into(),
            bulk: interface.bulk_in(0, modem::FIRMWARE_IN).ok(),
            interrupt: interface.interrupt_in(0, modem::INTERRUPT_IN).ok(),
            state <- new_mutex!(State {
                waiting: None,
                measured: 0,
            }),
            scope: Scope::new(this_module::<crate::LocalModule>())?,
        })
    }

    fn disconnect(_interface: &usb::Interface<device::Core<'_>>, data: Pin<&Transfers>) {
        data.state.lock().waiting = None;
    }
}
