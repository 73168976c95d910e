// SPDX-License-Identifier: GPL-2.0

//! A USB interface: what drivers are bound to, and where endpoints come from.

use crate::{
    device::Device,
    driver,
    endpoint::{
        BulkIn,
        BulkOut,
        Endpoint,
        InterruptIn,
        IsochronousIn, //
    }, //
};
use core::{
    marker::PhantomData,
    mem::offset_of,
    ptr::{
        self,
        NonNull, //
    }, //
};
use kernel::{
    bindings,
    device,
    error::to_result,
    prelude::*,
    str::CString,
    sync::aref::AlwaysRefCounted,
    types::Opaque, //
};
use kthread::AnyStop;

/// An interface of a USB device.
///
/// As everywhere in the driver model, the context `Ctx` says what is known where a reference is
/// used: [`Core`](device::Core) is an interface inside of a callback of its driver, with the lock
/// of the device held.
///
/// C type: `struct usb_interface` in [`include/linux/usb.h`](srctree/include/linux/usb.h)
///
/// # Invariants
///
/// The pointer of a `&Interface` is that of a valid `struct usb_interface`, whose alternate
/// settings, endpoints and device stay for as long.
#[repr(transparent)]
pub struct Interface<Ctx: device::DeviceContext = device::Normal>(
    Opaque<bindings::usb_interface>,
    PhantomData<Ctx>,
);

// SAFETY: `Interface` is a transparent wrapper that does not depend on its generic argument.
kernel::impl_device_context_deref!(unsafe { Interface });
kernel::impl_device_context_into_aref!(Interface);

// SAFETY: The offset is that of the embedded `struct device`.
unsafe impl<Ctx: device::DeviceContext> device::AsBusDevice<Ctx> for Interface<Ctx> {
    const OFFSET: usize = offset_of!(bindings::usb_interface, dev);
}

// SAFETY: The reference count of a `struct usb_interface` can be dropped from any thread.
unsafe impl Send for Interface {}

// SAFETY: All that a `&Interface` without context allows is reading what never changes.
unsafe impl Sync for Interface {}

// SAFETY: A `struct usb_interface` is freed when its reference count drops to zero.
unsafe impl AlwaysRefCounted for Interface {
    fn inc_ref(&self) {
        // SAFETY: The interface is valid by the type invariants.
        unsafe { bindings::usb_get_intf(self.as_raw()) };
    }

    unsafe fn dec_ref(obj: NonNull<Self>) {
        // SAFETY: The caller owns a reference.
        unsafe { bindings::usb_put_intf(obj.cast().as_ptr()) };
    }
}

impl<Ctx: device::DeviceContext> AsRef<device::Device<Ctx>> for Interface<Ctx> {
    fn as_ref(&self) -> &device::Device<Ctx> {
        // SAFETY: The embedded `struct device` lives as long as the interface does, and is in
        // the same context.
        unsafe { device::Device::from_raw(&raw mut (*self.as_raw()).dev) }
    }
}

impl<Ctx: device::DeviceContext> Interface<Ctx> {
    /// Makes a reference from a pointer.
    ///
    /// # Safety
    ///
    /// `raw` is a valid interface in the context `Ctx`, and stays so for `'a`.
    pub(crate) unsafe fn from_raw<'a>(raw: *mut bindings::usb_interface) -> &'a Self {
        // SAFETY: The type is a transparent wrapper; the rest is the caller's word.
        unsafe { &*raw.cast() }
    }

    pub(crate) fn as_raw(&self) -> *mut bindings::usb_interface {
        self.0.get()
    }

    /// The device that the interface is part of.
    pub fn device(&self) -> &Device {
        // SAFETY: An interface holds a reference on its device.
        unsafe { Device::from_raw(bindings::interface_to_usbdev(self.as_raw())) }
    }

    /// The interface's number, from its descriptor.
    pub fn number(&self) -> u8 {
        // SAFETY: An interface has at least one alternate setting, and its `altsetting` is never
        // changed.
        unsafe { (*(*self.as_raw()).altsetting).desc.bInterfaceNumber }
    }
}

impl Interface {
    /// How many variables an announcement may have.
    const MAX_VARIABLES: usize = 7;

    /// Tells user space that something about the interface has changed, in a uevent with these
    /// variables, each of the form `NAME=value`. Sleeps.
    ///
    /// # Errors
    ///
    /// `ENODEV` if the interface is gone, `EINVAL` if there are too many variables, `ENOMEM`;
    /// [`Stopped`](kthread::Error::Stopped) if a stop is asked for while another has the device
    /// lock.
    #[track_caller]
    pub fn announce(&self, stop: &AnyStop, variables: &[&CStr]) -> kthread::Result {
        let mut list = [ptr::null_mut(); Self::MAX_VARIABLES + 1];
        if variables.len() > Self::MAX_VARIABLES {
            return Err(EINVAL.into());
        }
        for (place, variable) in list.iter_mut().zip(variables) {
            *place = variable.as_char_ptr().cast_mut();
        }
        // Interfaces come and go with the device lock held.
        let _locked = self.device().lock(stop)?;
        // SAFETY: The interface is valid.
        let kobj = unsafe { &raw mut (*self.as_raw()).dev.kobj };
        // SAFETY: The interface is valid, and this flag of it does not change while we have the
        // lock.
        if unsafe { (*kobj).state_in_sysfs() } == 0 {
            return Err(ENODEV.into());
        }
        // SAFETY: The object is part of a device that is registered, and stays so while we have
        // the lock. The list ends in a null, its strings are valid, and only read.
        to_result(unsafe {
            bindings::kobject_uevent_env(
                kobj,
                bindings::kobject_action_KOBJ_CHANGE,
                list.as_mut_ptr(),
            )
        })?;
        Ok(())
    }
}

/// Endpoints are given out only while the interface is bound. The USB core ends all transfers on
/// the endpoints of an interface that is unbound, so nothing is in flight when its driver is gone.
impl Interface<device::Bound> {
    /// Finds a bulk endpoint towards the host in an alternate setting, by the endpoint's number,
    /// with or without the bit for the direction.
    ///
    /// # Errors
    ///
    /// `ENOENT` if the device has no such alternate setting, or no such endpoint in it.
    pub fn bulk_in(&self, alternate: u8, number: u8) -> Result<BulkIn> {
        self.endpoint(alternate, number | BulkIn::DIRECTION, BulkIn::new)
    }

    /// Finds a bulk endpoint towards the device; see [`Interface::bulk_in`].
    pub fn bulk_out(&self, alternate: u8, number: u8) -> Result<BulkOut> {
        self.endpoint(alternate, number | BulkOut::DIRECTION, BulkOut::new)
    }

    /// Finds an interrupt endpoint towards the host; see [`Interface::bulk_in`].
    pub fn interrupt_in(&self, alternate: u8, number: u8) -> Result<InterruptIn> {
        self.endpoint(alternate, number | InterruptIn::DIRECTION, InterruptIn::new)
    }

    /// Finds an isochronous endpoint towards the host; see [`Interface::bulk_in`].
    pub fn isochronous_in(&self, alternate: u8, number: u8) -> Result<IsochronousIn> {
        self.endpoint(
            alternate,
            number | IsochronousIn::DIRECTION,
            IsochronousIn::new,
        )
    }

    fn endpoint<T>(
        &self,
        alternate: u8,
        address: u8,
        check: impl FnOnce(Endpoint) -> Option<T>, //
    ) -> Result<T> {
        self.endpoints(alternate)
            .find(|endpoint| endpoint.address() == address)
            .and_then(check)
            .ok_or(ENOENT)
    }

    /// The endpoints of an alternate setting, without those that are of no use here; none if the
    /// device has no such setting.
    fn endpoints(&self, alternate: u8) -> impl Iterator<Item = Endpoint> + '_ {
        // SAFETY: The interface is valid; its alternate settings are never changed.
        let setting =
            unsafe { bindings::usb_altnum_to_altsetting(self.as_raw(), alternate.into()) };
        let (first, count) = if setting.is_null() {
            (ptr::null_mut(), 0)
        } else {
            // SAFETY: The setting lives as long as the interface.
            unsafe { ((*setting).endpoint, (*setting).desc.bNumEndpoints) }
        };
        (0..usize::from(count)).filter_map(move |index| {
            // SAFETY: The USB core parsed `count` endpoints, whatever the device claimed, and
            // they live as long as the interface. Their descriptors are never changed, unlike
            // the rest of them.
            Endpoint::from_descriptor(&unsafe { (*first.add(index)).desc })
        })
    }
}

impl Interface<device::Core<'_>> {
    /// The device's place in words, as `usb_make_path()` makes it: `usb-<bus>-<ports>`. May sleep.
    pub fn usb_path(&self) -> Result<CString> {
        let device = self.device().as_raw();
        // SAFETY: The device is valid, and so is its bus as long as drivers are bound to it. Both
        // strings end in a NUL and do not change.
        let (bus, ports) = unsafe {
            (
                CStr::from_char_ptr((*(*device).bus).bus_name),
                CStr::from_char_ptr((&raw const (*device).devpath).cast()),
            )
        };
        CString::try_from_fmt(fmt!("usb-{}-{}", bus, ports))
    }

    /// Claims an interface of the device for the same driver, by its number; the one that was
    /// probed is claimed already.
    ///
    /// The driver's probe is not called for it. It is released when this interface is unbound,
    /// or its probe fails; and when it is unbound itself, this interface is unbound too. Sleeps.
    ///
    /// # Errors
    ///
    /// `ENODEV` if there is no such interface, `EBUSY` if it has a driver already, or if the
    /// driver has been probed for two interfaces of the device, so that it would not be clear
    /// whose this one is.
    pub fn claim(&self, number: u8) -> Result<&Interface<device::Bound>> {
        if self.number() == number {
            return Ok(self);
        }
        if driver::is_probed_twice(self) {
            return Err(EBUSY);
        }
        // SAFETY: The device is valid, and its configuration stays while its lock is held, which
        // is what `Core` says.
        let other = unsafe { bindings::usb_ifnum_to_if(self.device().as_raw(), number.into()) };
        // SAFETY: We hold the device lock; a null interface gives `ENODEV`. The driver is valid:
        // it is bound to this interface, or about to be. The other interface gets no data, which
        // is how the driver's callbacks know it.
        to_result(unsafe {
            bindings::usb_driver_claim_interface(
                driver::of(self.as_raw()),
                other,
                ptr::null_mut(), //
            )
        })?;
        // SAFETY: `other` was not null. It stays in the configuration, and bound, at least for as
        // long as this callback runs, during which nobody else gets the device lock.
        Ok(unsafe { Interface::from_raw(other) })
    }
}
