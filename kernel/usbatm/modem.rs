// SPDX-License-Identifier: GPL-2.0

//! A modem, as the threads of its minidriver see it.

use crate::{
    channels::Channels,
    status::Status, //
};
use kernel::{
    device,
    prelude::*,
    str::CString,
    sync::{
        aref::ARef,
        atomic::{
            Atomic,
            Relaxed, //
        }, //
    },
    time::Delta, //
};
use kthread::{
    AnyStop,
    Completion,
    Stop,
    Stopped, //
};

/// A modem: what its minidriver talks to, and where it says what it does.
///
/// What is said here is seen in the [files](crate#files) of the modem.
#[pin_data]
pub struct Modem {
    /// The name of its driver.
    driver: &'static CStr,
    interface: ARef<usb::Interface>,
    #[pin]
    status: Status,
    /// User space wants the modem to be tried again now.
    #[pin]
    retry: Completion,
    /// Whether nobody knows what state the modem is in.
    is_unsure: Atomic<bool>,
    /// Whether its own thread resets it, or is about to, or has just done so.
    is_resetting: Atomic<bool>,
}

impl Modem {
    /// How long a modem may take to select an interface.
    const SELECT_TIMEOUT: Delta = Delta::from_secs(2);

    /// The time in which it is noticed that a modem is gone: hubs are asked every 255 ms.
    const NOTICE_TIME: Delta = Delta::from_millis(500);

    pub(crate) fn new(
        driver: &'static CStr,
        interface: ARef<usb::Interface>,
    ) -> impl PinInit<Self> {
        pin_init!(Self {
            driver,
            interface,
            status <- Status::new(),
            retry <- Completion::new(),
            is_unsure: Atomic::new(false),
            is_resetting: Atomic::new(false),
        })
    }

    /// The interface that the driver is bound to.
    pub fn interface(&self) -> &usb::Interface {
        &self.interface
    }

    /// The device, for transfers.
    pub fn device(&self) -> &usb::Device {
        self.interface.device()
    }

    /// Notes what is being done now: what the file `phase` shows, and the log names if it fails.
    pub fn phase(&self, phase: &'static str) {
        self.status.set_phase(phase, "");
    }

    /// Says why what is being done is about to fail, where there is more to say than an error
    /// does: this is what the log and the file `last_error` say then. May sleep.
    pub fn explain(&self, reason: kernel::fmt::Arguments<'_>) {
        // Without memory, the error has to say it.
        if let Ok(reason) = CString::try_from_fmt(reason) {
            self.status.set_reason(reason);
        }
    }

    /// The modem has taken so many bytes more of its firmware. For those that are not told by
    /// [`Image::upload`](crate::Image::upload).
    pub fn uploaded(&self, bytes: usize) {
        self.status.add_sent(bytes);
    }

    /// From here on, a modem that fails is reset before it is tried again.
    pub(crate) fn make_unsure(&self) {
        self.is_unsure.store(true, Relaxed);
    }

    /// Waits until it is certain that a failure was the modem's own. Sleeps.
    ///
    /// Before a thread is asked to stop, its transfers fail, in many ways: those of a modem that
    /// was pulled out until its hub has noticed, those of an interface that is being unbound
    /// because the USB core ends them first. So a failure is only believed, and answered by
    /// more than an error, if no stop follows.
    pub(crate) fn still_there(&self, stop: &AnyStop) -> Result<(), Stopped> {
        stop.sleep(Self::NOTICE_TIME)
    }

    /// Selects the alternate setting in which these channels exist. Sleeps.
    ///
    /// # Errors
    ///
    /// Those of [`usb::Device::set_interface`]: a modem may refuse a setting that it has.
    pub(crate) fn select(&self, stop: &Stop, channels: &Channels) -> kthread::Result {
        self.phase("selecting the data interface");
        self.make_unsure();
        let Channels {
            interface,
            alternate,
            ..
        } = *channels;
        self.device()
            .set_interface(stop, interface, alternate, Self::SELECT_TIMEOUT)
    }

    /// Resets the modem if it failed where nobody knows what it made of that.
    pub(crate) fn reset_if_unsure(&self, stop: &Stop) -> kthread::Result {
        if !self.is_unsure() {
            return Ok(());
        }
        self.phase("the reset of the device");
        self.is_resetting.store(true, Relaxed);
        let reset = self.device().reset(stop);
        self.is_resetting.store(false, Relaxed);
        reset?;
        self.is_unsure.store(false, Relaxed);
        Ok(())
    }

    /// Where its files are, for people to read.
    pub(crate) fn folder(&self) -> impl kernel::fmt::Display + '_ {
        Folder(self)
    }

    /// Whether the modem is to be reset before it is tried again.
    pub(crate) fn is_unsure(&self) -> bool {
        self.is_unsure.load(Relaxed)
    }

    /// Whether the modem's own thread resets it, or is about to, or has just done so and has yet to
    /// note that, the device lock being free already. It does nothing else with the modem then.
    pub(crate) fn is_resetting(&self) -> bool {
        self.is_resetting.load(Relaxed)
    }

    /// The modem is up.
    pub(crate) fn is_up(&self) {
        self.phase("watching the line");
        self.is_unsure.store(false, Relaxed);
        self.status.succeed();
    }

    /// Tells user space that the modem is usable, unless it knows. Sleeps.
    pub(crate) fn tell_usable(&self, stop: &AnyStop, atm: i32) {
        if !self.status.is_usable_told() && self.announce(stop, Event::Usable, Some(atm)).is_ok() {
            self.status.usable_is_told();
        }
    }

    /// The modem is not up, and is left alone for now.
    pub(crate) fn is_down(&self) {
        self.phase("waiting to try again");
    }

    pub(crate) fn status(&self) -> &Status {
        &self.status
    }

    /// Has the modem tried again, now or when the try at hand has failed.
    pub(crate) fn retry(&self) {
        self.retry.complete();
    }

    /// Nobody has it tried again any more.
    pub(crate) fn forget_retry(&self) {
        self.retry.reinit();
    }

    /// What was wanted before is what is done now, and what was wrong before may not be now. What
    /// the modem took before counts for nothing.
    pub(crate) fn retries(&self) {
        self.forget_retry();
        self.status.forget_reason();
        self.status.set_total(0);
    }

    /// Waits before the modem is tried again, or until user space wants that.
    pub(crate) fn wait_for_retry(&self, stop: &Stop, time: Delta) -> Result<(), Stopped> {
        self.is_down();
        stop.wait_timeout(&self.retry, time)?;
        Ok(())
    }

    /// Tells user space. Sleeps.
    ///
    /// # Errors
    ///
    /// [`Stopped`](Error::Stopped) or `ENOMEM`, and user space has not been told.
    pub(crate) fn announce(
        &self,
        stop: &AnyStop,
        event: Event,
        atm: Option<i32>,
    ) -> kthread::Result {
        let driver = CString::try_from_fmt(fmt!("USBATM_DRIVER={}", self.driver))?;
        let number = match atm {
            Some(number) => Some(CString::try_from_fmt(fmt!("USBATM_ATM={}", number))?),
            None => None,
        };
        let all = [
            event.variable(),
            &*driver,
            number.as_deref().unwrap_or_default(),
        ];
        let count = if number.is_some() { 3 } else { 2 };
        self.interface.announce(stop, &all[..count])
    }
}

impl AsRef<device::Device> for Modem {
    fn as_ref(&self) -> &device::Device {
        (*self.interface).as_ref()
    }
}

/// Where the files of a modem are.
struct Folder<'a>(&'a Modem);

impl kernel::fmt::Display for Folder<'_> {
    fn fmt(&self, f: &mut kernel::fmt::Formatter<'_>) -> kernel::fmt::Result {
        let device: &device::Device = self.0.as_ref();
        f.write_fmt(fmt!("/sys/bus/usb/devices/{}", device.name()))
    }
}

/// Whether an error says that the modem is not there any more, so that a stop is on its way.
pub(crate) fn is_gone(error: Error) -> bool {
    error == ENODEV || error == ESHUTDOWN
}

/// What user space is told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Usable,
    Failed,
    LineUp,
    LineDown,
}

impl Event {
    fn variable(self) -> &'static CStr {
        match self {
            Self::Usable => c"USBATM_EVENT=usable",
            Self::Failed => c"USBATM_EVENT=failed",
            Self::LineUp => c"USBATM_EVENT=line-up",
            Self::LineDown => c"USBATM_EVENT=line-down",
        }
    }
}
