// SPDX-License-Identifier: GPL-2.0

//! Transfers of each kind that somebody waits for, one after the other, for as long as the device
//! answers.
//!
//! Their scope is leaked, and the device is refused: the USB core ends the transfers of an
//! interface before it unbinds it, but leaves those of one alone that is bound to nothing. So
//! what ends the wait for a transfer that is not answered is the stop, and nothing else.

use core::panic::Location;
use kernel::{
    device,
    module::this_module,
    prelude::*,
    sync::aref::ARef,
    time::{
        delay::fsleep,
        Delta, //
    }, //
};
use kthread::{
    Again,
    AnyStop,
    Builder,
    Chore,
    Error,
    Scope,
    Stop, //
};
use wire::speedtch as modem;

/// Longer than a test waits for anything.
const TIMEOUT: Delta = Delta::from_secs(200);

/// How many bytes a transfer may move.
const LENGTH: usize = 100;

/// How many of them are in a block of an upload.
const BLOCK: usize = 50;

/// Asks the device for its status, two bytes; see USB 2.0, 9.4.5.
const GET_STATUS: usb::Request = usb::Request {
    request_type: 0x80,
    request: 0,
    value: 0,
    index: 0,
};

/// Chooses the alternate setting 1 of the data interface; see USB 2.0, 9.4.10.
const SET_INTERFACE: usb::Request = usb::Request {
    request_type: 0x01,
    request: 11,
    value: 1,
    index: modem::INTERFACE_DATA as u16,
};

/// Begins with transfers on the endpoints that the interface has, and leaves them alone.
pub(crate) fn leak(interface: &usb::Interface<device::Core<'_>>) -> Result {
    let scope = Scope::new(this_module::<crate::LocalModule>())?;
    let device = interface.device();
    if interface.number() == modem::INTERFACE_CONTROL {
        on_chore(&scope, device)?;
    }
    if let Ok(pipe) = interface.interrupt_in(0, modem::INTERRUPT_IN) {
        on_thread(&scope, device, "interrupt_in", move |stop, device, data| {
            device.interrupt_in(stop, pipe, data, TIMEOUT)
        })?;
    }
    if let Ok(pipe) = interface.bulk_in(0, modem::FIRMWARE_IN) {
        on_thread(&scope, device, "bulk_in", move |stop, device, data| {
            device.bulk_in(stop, pipe, data, TIMEOUT)
        })?;
    }
    if let Ok(pipe) = interface.bulk_out(0, modem::FIRMWARE_OUT) {
        on_thread(&scope, device, "bulk_out", move |stop, device, data| {
            device.bulk_out(stop, pipe, data, TIMEOUT)
        })?;
    }
    pr_info!("leaked on purpose\n");
    core::mem::forget(scope);
    Ok(())
}

/// Begins with uploads, and with the choice of alternate settings, each on one of the interfaces,
/// and leaves them alone.
pub(crate) fn leak_series(interface: &usb::Interface<device::Core<'_>>) -> Result {
    let scope = Scope::new(this_module::<crate::LocalModule>())?;
    let device = interface.device();
    if interface.number() == modem::INTERFACE_CONTROL {
        let mut alternate = 0;
        on_thread(&scope, device, "set_interface", move |stop, device, _| {
            device.set_interface(stop, modem::INTERFACE_DATA, alternate, TIMEOUT)?;
            alternate = 1;
            Ok(0)
        })?;
    }
    if let Ok(pipe) = interface.bulk_out(0, modem::FIRMWARE_OUT) {
        on_thread(&scope, device, "upload", move |stop, device, data| {
            let mut sent = 0;
            device.upload(stop, pipe, data, BLOCK, TIMEOUT, |now| sent = now)?;
            Ok(sent)
        })?;
    }
    pr_info!("leaked on purpose\n");
    core::mem::forget(scope);
    Ok(())
}

/// Makes control requests in the calls of a chore: a question first, then a command.
fn on_chore(scope: &Scope, device: &usb::Device) -> Result {
    let device: ARef<usb::Device> = device.into();
    let mut is_first = true;
    let chore = Chore::start(scope, Delta::ZERO, move |stop| {
        let mut answer = [0xff; 2];
        if core::mem::take(&mut is_first) {
            let moved = device.control_in(stop, GET_STATUS, &mut answer, TIMEOUT);
            report("control_in", &answer, moved)?;
        } else {
            let sent = device.control_out(stop, SET_INTERFACE, &[], TIMEOUT);
            report("control_out", &answer, sent.map(|()| 0))?;
        }
        Ok(Again::After(Delta::ZERO))
    });
    let chore = chore?;
    tell_place("control", || chore.waits_in(), || chore.is_finished());
    chore.leave();
    Ok(())
}

/// Makes transfers of one kind on a thread.
fn on_thread<F>(scope: &Scope, device: &usb::Device, name: &'static str, mut transfer: F) -> Result
where
    F: FnMut(&AnyStop, &usb::Device, &mut [u8]) -> kthread::Result<usize> + Send + 'static,
{
    let device: ARef<usb::Device> = device.into();
    let body = move |stop: &Stop| -> kthread::Result {
        loop {
            let mut data = [0xff; LENGTH];
            let moved = transfer(stop, &device, &mut data);
            report(name, &data, moved)?;
        }
    };
    let thread = Builder::new(fmt!("usb_test/{name}")).spawn(scope, body)?;
    tell_place(name, || thread.waits_in(), || thread.is_finished());
    thread.leave();
    Ok(())
}

/// Logs in which line of its code a body waits, as soon as it does.
fn tell_place(
    name: &str,
    waits_in: impl Fn() -> Option<&'static Location<'static>>,
    is_finished: impl Fn() -> bool,
) {
    while !is_finished() {
        if let Some(place) = waits_in() {
            pr_info!("{name} waits in {}:{}\n", place.file(), place.line());
            return;
        }
        fsleep(Delta::from_millis(1));
    }
}

/// Logs what came of a transfer. The next one would not do if this one did not.
fn report(name: &str, data: &[u8], moved: kthread::Result<usize>) -> kthread::Result {
    match moved {
        Ok(moved) => pr_info!("{name} moved {moved} bytes: {:?}\n", &data[..moved.min(3)]),
        Err(Error::Stopped) => pr_info!("{name} was stopped\n"),
        Err(Error::Failed(error)) => pr_info!("{name} failed: {error:?}\n"),
    }
    moved.map(drop)
}
