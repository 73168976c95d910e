// SPDX-License-Identifier: GPL-2.0

//! Declarations of `helpers.c`, for the macros and inline functions of C headers.

use kernel::{
    bindings,
    ffi::{
        c_int,
        c_uint, //
    }, //
};

#[allow(
    improper_ctypes,
    reason = "`struct usb_device` has members without size, as C allows"
)]
unsafe extern "C" {
    pub(crate) fn threadline_usb_reset_turn() -> *mut bindings::rt_mutex;
    pub(crate) fn threadline_usb_pipe(
        dev: *mut bindings::usb_device,
        kind: c_uint,
        address: u8,
    ) -> c_uint;
    pub(crate) fn threadline_usb_trylock_device(dev: *mut bindings::usb_device) -> bool;
    pub(crate) fn threadline_usb_unlock_device(dev: *mut bindings::usb_device);
    pub(crate) fn threadline_usb_release(
        driver: *mut bindings::usb_driver,
        intf: *mut bindings::usb_interface,
        msecs: c_int,
    );
}
