// SPDX-License-Identifier: GPL-2.0

//! What a driver for one kind of modem is asked, and when.

use crate::{
    channels::Choice,
    line::Line,
    line_status::LineStatus,
    modem::Modem, //
};
use kernel::{
    device,
    prelude::*,
    time::Delta, //
};
use kthread::{
    AnyStop,
    Stop, //
};

/// Says which module a [`Minidriver`] is in; [`module_minidriver!`](crate::module_minidriver)
/// implements it.
pub trait InModule {
    /// The module.
    type Module: kernel::ModuleMetadata;
}

/// A driver for one kind of ADSL modem.
///
/// A value of the type stands for one modem. Its methods are called in the order in which they
/// stand here, each when the one before has succeeded; [`heavy_init`](Self::heavy_init) and
/// [`configure`](Self::configure) are left out for a modem that is alive. Those that are given a
/// [`Stop`] run on a thread of the modem's own, and those with an [`AnyStop`] there or in a work
/// item. They may take their time: every wait goes through that, and ends at once when the modem
/// goes. All others, and the drop of the value, may run on the hub thread, which serves all other
/// devices as well: they may sleep, but not for long.
///
/// An error is logged with the [phase](Modem::phase) that it came in, and the modem is tried again
/// after a while, from [`is_alive`](Self::is_alive) on; so it is when it has been up and answers
/// no more, and after others have reset it. What has to be undone is undone when the value is
/// dropped, which is the `unbind` of drivers in C.
///
/// # Examples
///
/// ```
/// # use kernel::{device, prelude::*};
/// # fn main() {}
/// usb::device_table!(DEVICES, (), [(usb::DeviceId::new(0x1234, 0x5678), ())]);
///
/// const LAYOUT: usbatm::Layout = usbatm::Layout {
///     bulk: 0,
///     isochronous: None,
///     rx: 1,
///     tx: 2,
///     rx_padding: 0,
///     tx_padding: 0,
/// };
///
/// struct MyModem(usbatm::Choice);
///
/// impl usbatm::Minidriver for MyModem {
///     type IdInfo = ();
///     const NAME: &'static CStr = c"my_modem";
///     const ID_TABLE: usb::IdTable<()> = &DEVICES;
///
///     fn bind(
///         interface: &usb::Interface<device::Core<'_>>,
///         _info: Option<&'static ()>,
///     ) -> Result<Self> {
///         Ok(Self(LAYOUT.find(interface, 0, false)?))
///     }
///
///     fn channels(&self) -> &usbatm::Choice {
///         &self.0
///     }
/// }
///
/// usbatm::module_minidriver! {
///     type: MyModem,
///     name: "my_modem",
///     authors: ["..."],
///     description: "...",
///     license: "GPL",
/// }
/// ```
pub trait Minidriver: InModule + Send + Sync + Sized + 'static {
    /// What the table knows about each device.
    type IdInfo: 'static;

    /// The type of the ATM devices, and the beginning of the threads' names.
    const NAME: &'static CStr;

    /// The devices that the driver is for.
    const ID_TABLE: usb::IdTable<Self::IdInfo>;

    /// The time from the start of the line to the first question [how it is](Self::line_status).
    const FIRST_POLL: Delta = Delta::from_secs(1);

    /// The time from one such question to the next.
    const POLL: Delta = Delta::from_secs(5);

    /// A modem has been plugged in: looks at its descriptors, claims the interfaces that it needs
    /// besides `interface`, and finds the [endpoints that cells travel through](crate::Layout).
    ///
    /// Runs on the hub thread, so it must not wait for the modem; there are no transfers without a
    /// [`Stop`] anyway.
    ///
    /// # Errors
    ///
    /// `ENODEV` if it is no such modem after all; any other is logged by the driver core.
    fn bind(
        interface: &usb::Interface<device::Core<'_>>,
        info: Option<&'static Self::IdInfo>,
    ) -> Result<Self>;

    /// Whether the modem runs already, so that [`heavy_init`](Self::heavy_init) is left out. A
    /// modem that does not answer is `Ok(false)`; an error, that it could not be asked.
    fn is_alive(&self, stop: &AnyStop, modem: &Modem) -> kthread::Result<bool> {
        let _ = (stop, modem);
        Ok(false)
    }

    /// Brings the modem to life, as long as that takes: its firmware, as a rule.
    fn heavy_init(&self, stop: &Stop, modem: &Modem) -> kthread::Result {
        let _ = (stop, modem);
        Ok(())
    }

    /// Where cells may travel: what [`bind`](Self::bind) has found. The first that the modem does
    /// not refuse is selected now.
    fn channels(&self) -> &Choice;

    /// Tells a modem that has just been brought to life how it is to work. Its
    /// [channels](Self::channels) have been selected.
    fn configure(&self, stop: &Stop, modem: &Modem) -> kthread::Result {
        let _ = (stop, modem);
        Ok(())
    }

    /// The ATM device is there, but nobody can use it yet, or nothing flows again yet: gives it
    /// what it has of the modem, such as its hardware address.
    fn atm_start(&self, stop: &Stop, modem: &Modem, line: &Line<'_>) -> kthread::Result {
        let _ = (stop, modem, line);
        Ok(())
    }

    /// Asks the modem to synchronise its line: after [`atm_start`](Self::atm_start), and again
    /// whenever it says that the line is [down](LineStatus::Down). An error is logged, and the
    /// line followed all the same.
    fn synchronise(&self, stop: &AnyStop, modem: &Modem) -> kthread::Result {
        let _ = (stop, modem);
        Ok(())
    }

    /// Asks the modem how its line is. This is called now and then for as long as the modem is up;
    /// what it returns goes to the ATM device, the [files](crate#files) and the log.
    ///
    /// After an error, which is logged once, the modem is asked again soon. If it fails several
    /// times, sends no cells, and is not [alive](Self::is_alive), it is brought up anew.
    fn line_status(&self, stop: &AnyStop, modem: &Modem) -> kthread::Result<LineStatus> {
        let _ = (stop, modem);
        Ok(LineStatus::Unknown)
    }

    /// Where the modem tells of changes of its line by itself, if it does. When a packet comes, it
    /// is asked at once.
    fn line_events(&self) -> Option<usb::InterruptIn> {
        None
    }

    /// What a packet from there says that the line does: what follows "DSL line" in the log.
    /// `None` if it makes no sense.
    fn line_event(&self, packet: &[u8]) -> Option<&'static str> {
        let _ = packet;
        None
    }

    /// What [`atm_start`](Self::atm_start) began is over: the traffic has ended, nobody watches the
    /// line any more, and the ATM device is about to go. As a rule the modem itself is gone.
    fn atm_stop(&self, line: &Line<'_>) {
        let _ = line;
    }
}

/// Makes a module of a [`Minidriver`].
///
/// It takes what `module!` takes; `type` is the minidriver.
#[macro_export]
macro_rules! module_minidriver {
    (type: $type:ty, $($rest:tt)*) => {
        $crate::__usb::module_usb_driver! {
            type: $crate::Adapter<$type>,
            $($rest)*
        }

        impl $crate::InModule for $type {
            type Module = LocalModule;
        }
    };
}
