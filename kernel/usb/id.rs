// SPDX-License-Identifier: GPL-2.0

//! The devices that a driver is for.

use kernel::{
    bindings,
    device_id::{
        RawDeviceId,
        RawDeviceIdIndex, //
    }, //
};

/// A pattern that matches devices.
///
/// C type: `struct usb_device_id` in
/// [`include/linux/mod_devicetable.h`](srctree/include/linux/mod_devicetable.h)
#[repr(transparent)]
#[derive(Clone, Copy)]
pub struct DeviceId(bindings::usb_device_id);

impl DeviceId {
    /// Matches all interfaces of a product.
    pub const fn new(vendor: u16, product: u16) -> Self {
        Self(bindings::usb_device_id {
            match_flags: bindings::USB_DEVICE_ID_MATCH_DEVICE as u16,
            idVendor: vendor,
            idProduct: product,
            ..pin_init::zeroed()
        })
    }
}

// SAFETY: `DeviceId` is a transparent wrapper of `RawType`.
unsafe impl RawDeviceId for DeviceId {
    type RawType = bindings::usb_device_id;
}

// SAFETY: The offset is that of `driver_info`, which has the size of a pointer.
unsafe impl RawDeviceIdIndex for DeviceId {
    const DRIVER_DATA_OFFSET: usize = core::mem::offset_of!(bindings::usb_device_id, driver_info);
}

/// A table of devices, each with information for the driver.
pub type IdTable<T> = &'static dyn kernel::device_id::IdTable<DeviceId, T>;

/// Makes a table of devices, and the module's aliases by which user space finds the driver.
///
/// # Examples
///
/// ```
/// usb::device_table!(DEVICES, (), [(usb::DeviceId::new(0x06b9, 0x4061), ())]);
/// ```
#[macro_export]
macro_rules! device_table {
    ($($tt:tt)*) => {
        ::kernel::module_device_table!("usb", $crate::DeviceId, $($tt)*);
    };
}
