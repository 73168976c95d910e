// SPDX-License-Identifier: GPL-2.0

//! A USB device.

use crate::{
    interface::Interface,
    sys, //
};
use core::ptr::NonNull;
use kernel::{
    bindings,
    device,
    prelude::*,
    sync::aref::{
        ARef,
        AlwaysRefCounted, //
    },
    time::Delta,
    types::Opaque, //
};
use kthread::{
    AnyStop,
    Stopped, //
};

/// A USB device: what all transfers go to.
///
/// C type: `struct usb_device` in [`include/linux/usb.h`](srctree/include/linux/usb.h)
///
/// # Invariants
///
/// The pointer of a `&Device` is that of a valid `struct usb_device` which has been enumerated:
/// its descriptors and strings do not change any more.
#[repr(transparent)]
pub struct Device(Opaque<bindings::usb_device>);

// SAFETY: The reference count of a `struct usb_device` can be dropped from any thread.
unsafe impl Send for Device {}

// SAFETY: All that `&Device` allows is either reading what never changes or serialised by the USB
// core.
unsafe impl Sync for Device {}

// SAFETY: A `struct usb_device` is freed when its reference count drops to zero.
unsafe impl AlwaysRefCounted for Device {
    fn inc_ref(&self) {
        // SAFETY: The device is valid by the type invariants.
        unsafe { bindings::usb_get_dev(self.as_raw()) };
    }

    unsafe fn dec_ref(obj: NonNull<Self>) {
        // SAFETY: The caller owns a reference.
        unsafe { bindings::usb_put_dev(obj.cast().as_ptr()) };
    }
}

impl AsRef<device::Device> for Device {
    fn as_ref(&self) -> &device::Device {
        // SAFETY: The embedded `struct device` lives as long as the device does.
        unsafe { device::Device::from_raw(&raw mut (*self.as_raw()).dev) }
    }
}

impl Device {
    /// How many interfaces a configuration has, at most: `USB_MAXINTERFACES`.
    pub(crate) const MAX_INTERFACES: usize = 32;

    /// Makes a reference from a pointer.
    ///
    /// # Safety
    ///
    /// `raw` is a valid, enumerated device, and stays so for `'a`.
    pub(crate) unsafe fn from_raw<'a>(raw: *mut bindings::usb_device) -> &'a Self {
        // SAFETY: The type is a transparent wrapper; the rest is the caller's word.
        unsafe { &*raw.cast() }
    }

    pub(crate) fn as_raw(&self) -> *mut bindings::usb_device {
        self.0.get()
    }

    fn descriptor(&self) -> &bindings::usb_device_descriptor {
        // SAFETY: The descriptor was read before any driver was probed, and stays.
        unsafe { &(*self.as_raw()).descriptor }
    }

    pub(crate) fn speed(&self) -> bindings::usb_device_speed {
        // SAFETY: The device is valid. Its speed was set before any driver was probed, but the
        // hub driver writes it again while it resets the device, so it is read in one access.
        unsafe { (&raw const (*self.as_raw()).speed).read_volatile() }
    }

    /// The path of ports from the bus to the device, such as `9-1`.
    pub fn path(&self) -> &CStr {
        AsRef::<device::Device>::as_ref(self).name()
    }

    /// The class in the device descriptor; 0xff is vendor-specific.
    pub fn class(&self) -> u8 {
        self.descriptor().bDeviceClass
    }

    /// The device's release number, as a binary-coded decimal: `bcdDevice`.
    pub fn release(&self) -> u16 {
        u16::from_le(self.descriptor().bcdDevice)
    }

    /// The product's name as the device tells it, in UTF-8, if it has one.
    pub fn product(&self) -> Option<&CStr> {
        // SAFETY: The device is valid by the type invariants.
        self.string(unsafe { (*self.as_raw()).product })
    }

    /// The serial number as the device tells it, in UTF-8, if it has one.
    pub fn serial(&self) -> Option<&CStr> {
        // SAFETY: The device is valid by the type invariants.
        self.string(unsafe { (*self.as_raw()).serial })
    }

    /// A string that was read at enumeration.
    fn string(&self, string: *mut c_char) -> Option<&CStr> {
        // SAFETY: The USB core keeps its strings, which end in a NUL, until the device is freed.
        (!string.is_null()).then(|| unsafe { CStr::from_char_ptr(string) })
    }

    /// Waits for the device lock, which probe, disconnect, reset and the choice of alternate
    /// settings hold; stops waiting when a stop is asked for.
    ///
    /// The lock is tried over and over, because the one who asks for the stop is as a rule the
    /// one who holds it.
    #[inline(never)] // The helper is not exported to other modules.
    #[track_caller]
    pub(crate) fn lock(&self, stop: &AnyStop) -> Result<Locked<'_>, Stopped> {
        const PAUSE: Delta = Delta::from_millis(5);
        stop.check()?;
        // SAFETY: The device is valid by the type invariants.
        while !unsafe { sys::threadline_usb_trylock_device(self.as_raw()) } {
            stop.sleep(PAUSE)?;
        }
        // INVARIANT: Just locked.
        Ok(Locked(self))
    }

    /// An interface of the active configuration, by its place there, if there is one.
    ///
    /// # Safety
    ///
    /// The caller holds the device lock.
    pub(crate) unsafe fn interface(&self, index: usize) -> Option<ARef<Interface>> {
        // SAFETY: The device is valid.
        let config = unsafe { (*self.as_raw()).actconfig };
        if config.is_null() || index >= Self::MAX_INTERFACES {
            return None;
        }
        // SAFETY: The configuration stays while the lock is held.
        let intf = unsafe { (*config).interface[index] };
        if intf.is_null() {
            return None;
        }
        // SAFETY: The interfaces of the active configuration are valid while the lock is held.
        Some(unsafe { Interface::<device::Normal>::from_raw(intf) }.into())
    }
}

/// Proof that the device lock is held.
///
/// # Invariants
///
/// This thread holds the lock of the device.
pub(crate) struct Locked<'a>(&'a Device);

impl Drop for Locked<'_> {
    #[inline(never)] // The helper is not exported to other modules.
    fn drop(&mut self) {
        // SAFETY: We hold the lock, by the type invariants.
        unsafe { sys::threadline_usb_unlock_device(self.0.as_raw()) };
    }
}
