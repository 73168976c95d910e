// SPDX-License-Identifier: GPL-2.0

//! Drivers for USB interfaces, and how they are registered.

use crate::{
    attribute::{
        self,
        Attribute,
        Pointers, //
    },
    device::Device,
    id::{
        DeviceId,
        IdTable, //
    },
    interface::Interface,
    sys, //
};
use core::{
    mem::offset_of,
    ptr, //
};
use kernel::{
    bindings,
    device,
    device_id::RawDeviceIdIndex as _,
    driver,
    error::{
        from_result,
        to_result, //
    },
    ffi::c_int,
    prelude::*,
    types::Opaque, //
};

/// A driver for USB interfaces.
///
/// [`module_usb_driver!`](crate::module_usb_driver) makes a module of one.
///
/// The callbacks run on the thread that serves all hubs, or on one that loads, unloads or unbinds
/// the driver, with the device lock held. None of them may wait for the device.
pub trait Driver: 'static {
    /// What the table knows about each device.
    type IdInfo: 'static;

    /// What the driver keeps for each interface that it is bound to.
    type Data: Send + Sync + 'static;

    /// The devices that the driver is for.
    const ID_TABLE: IdTable<Self::IdInfo>;

    /// The files through which user space follows a device, in the folder of the interface.
    const ATTRIBUTES: &'static [Attribute<Self::Data>] = &[];

    /// A device is there: makes the data for it.
    ///
    /// `info` is `None` for a device that user space added to the table at run time. An error
    /// means that the driver won't have the interface; `ENODEV` is the silent one.
    fn probe<'a>(
        interface: &'a Interface<device::Core<'_>>,
        info: Option<&'static Self::IdInfo>,
    ) -> impl PinInit<Self::Data, Error> + 'a;

    /// The data is published and stays where it is until it is dropped: the place to start what
    /// uses it. An error unbinds the interface and drops the data, without a call of
    /// [`disconnect`](Self::disconnect).
    fn bound(interface: &Interface<device::Core<'_>>, data: Pin<&Self::Data>) -> Result {
        let _ = (interface, data);
        Ok(())
    }

    /// The device is about to be reset, or to sleep: ends what is under way, and lets nothing
    /// begin, until [`go_on`](Self::go_on) is called. It must not wait for the device.
    ///
    /// A reset may be one that the driver itself makes, with [`Device::reset`], and the caller the
    /// thread that makes it.
    fn pause(interface: &Interface<device::Core<'_>>, data: Pin<&Self::Data>, cause: Cause) {
        let _ = (interface, data, cause);
    }

    /// The device has been reset, or has woken up, and may have forgotten everything. This, too,
    /// must not wait for the device. An error after a reset unbinds the driver, and binds it anew.
    fn go_on(
        interface: &Interface<device::Core<'_>>,
        data: Pin<&Self::Data>,
        cause: Cause,
    ) -> Result {
        let _ = (interface, data, cause);
        Ok(())
    }

    /// The interface is being unbound; the device may be gone. The data is dropped afterwards,
    /// the other interfaces that the driver [claimed](Interface::claim) are released before that.
    ///
    /// Transfers on the interface's endpoints have failed already, and new ones are refused; those
    /// on claimed interfaces may not have, and do when it returns.
    fn disconnect(interface: &Interface<device::Core<'_>>, data: Pin<&Self::Data>);
}

/// Why a device does not answer for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// It is reset, by its driver or by user space.
    Reset,
    /// The machine sleeps, or part of it. The device may lose its power.
    Sleep,
}

/// Ties a [`Driver`] to the driver model.
///
/// # Invariants
///
/// An interface that is bound to the driver has a `T::Data` as its driver data if it was probed,
/// and none if it was claimed.
pub struct Adapter<T: Driver>(T);

// SAFETY: `usb_driver` is a C struct, `T::Data` is what [`Adapter::probe`] publishes, and the
// offset is that of the embedded `struct device_driver`.
unsafe impl<T: Driver> driver::DriverLayout for Adapter<T> {
    type DriverType = bindings::usb_driver;
    type DriverData<'bound> = T::Data;
    const DEVICE_DRIVER_OFFSET: usize = DRIVER_OFFSET;
}

// SAFETY: `usb_deregister()` is valid after a successful `usb_register_driver()`.
unsafe impl<T: Driver> driver::RegistrationOps for Adapter<T> {
    unsafe fn register(
        reg: &Opaque<bindings::usb_driver>,
        name: &'static CStr,
        module: &'static ThisModule,
    ) -> Result {
        let driver = reg.get();
        // SAFETY: The driver is not registered yet, so nobody else uses it.
        unsafe {
            (*driver).name = name.as_char_ptr();
            (*driver).id_table = T::ID_TABLE.as_ptr();
            (*driver).probe = Some(Self::probe);
            (*driver).disconnect = Some(Self::disconnect);
            // A driver without these two is unbound when it resets its own device.
            (*driver).pre_reset = Some(Self::pre_reset);
            (*driver).post_reset = Some(Self::post_reset);
            // One without these three is unbound when the machine goes to sleep.
            (*driver).suspend = Some(Self::suspend);
            (*driver).resume = Some(Self::resume);
            (*driver).reset_resume = Some(Self::resume);
            (*driver).dev_groups = Self::GROUPS.as_ptr().cast_mut();
        }
        // SAFETY: The driver is complete, and stays until it is deregistered.
        to_result(unsafe {
            bindings::usb_register_driver(driver, module.as_ptr(), name.as_char_ptr())
        })
    }

    unsafe fn unregister(reg: &Opaque<bindings::usb_driver>) {
        // SAFETY: It is registered, by the caller's word.
        unsafe { bindings::usb_deregister(reg.get()) };
    }
}

impl<T: Driver> Adapter<T> {
    /// The attributes as the driver core wants them: constants that refer to each other, because
    /// they lie in the memory of the driver's module, and stay.
    const POINTERS: &'static Pointers = &Attribute::pointers(T::ATTRIBUTES);
    const GROUP: &'static bindings::attribute_group = &attribute::group(Self::POINTERS);
    const GROUPS: &'static [*const bindings::attribute_group] = &[Self::GROUP, ptr::null()];

    /// # Safety
    ///
    /// Called by the USB core alone, as `probe` of the driver.
    unsafe extern "C" fn probe(
        intf: *mut bindings::usb_interface,
        id: *const bindings::usb_device_id,
    ) -> c_int {
        // SAFETY: The USB core calls with a valid interface, with the device lock held, and binds
        // it for the call.
        let intf = unsafe { &*intf.cast::<Interface<device::CoreInternal<'_>>>() };
        // SAFETY: A valid id; `DeviceId` is a transparent wrapper.
        let id = unsafe { &*id.cast::<DeviceId>() };
        // SAFETY: It comes from `T::ID_TABLE`, or was added at run time, where the USB core takes
        // its `driver_info` from the table, or has zero.
        let info = unsafe { id.info_unchecked_opt::<T::IdInfo>() };

        from_result(|| {
            if is_claimed(intf) {
                // Another interface of this device is bound to the driver, and took what it
                // needs.
                return Err(ENODEV);
            }
            Self::bind(intf, info)
                .inspect_err(|_| release(intf, false))
                .map(|()| 0)
        })
    }

    /// Makes the data and publishes it. If it fails, the driver core drops what was published.
    fn bind(
        intf: &Interface<device::CoreInternal<'_>>,
        info: Option<&'static T::IdInfo>,
    ) -> Result {
        let dev: &device::Device<device::CoreInternal<'_>> = intf.as_ref();
        dev.set_drvdata(T::probe(intf, info))?;
        // SAFETY: Just set, and with this type.
        T::bound(intf, unsafe { dev.drvdata_borrow::<T::Data>() })
    }

    /// # Safety
    ///
    /// Called by the USB core alone, as `disconnect` of the driver.
    unsafe extern "C" fn disconnect(intf: *mut bindings::usb_interface) {
        // SAFETY: The USB core calls with a valid interface, with the device lock held, and it is
        // bound until the driver core has dropped its data.
        let intf = unsafe { &*intf.cast::<Interface<device::CoreInternal<'_>>>() };
        if !has_data(intf) {
            // A claimed interface goes, by user space's wish or because it is the first that the
            // driver core comes to: the one that claimed it can't go on alone.
            release(intf, true);
            return;
        }
        let dev: &device::Device<device::CoreInternal<'_>> = intf.as_ref();
        // SAFETY: The interface has data, and by the type invariants that is of this type.
        T::disconnect(intf, unsafe { dev.drvdata_borrow::<T::Data>() });
        release(intf, false);
    }

    /// # Safety
    ///
    /// Called by the USB core alone, as `pre_reset` of the driver.
    unsafe extern "C" fn pre_reset(intf: *mut bindings::usb_interface) -> c_int {
        // SAFETY: The caller's word.
        unsafe { Self::pause(intf, Cause::Reset) }
    }

    /// # Safety
    ///
    /// Called by the USB core alone, as `post_reset` of the driver.
    unsafe extern "C" fn post_reset(intf: *mut bindings::usb_interface) -> c_int {
        // SAFETY: The caller's word.
        unsafe { Self::go_on(intf, Cause::Reset) }
    }

    /// # Safety
    ///
    /// Called by the USB core alone, as `suspend` of the driver.
    unsafe extern "C" fn suspend(
        intf: *mut bindings::usb_interface,
        _message: bindings::pm_message_t,
    ) -> c_int {
        // SAFETY: The caller's word.
        unsafe { Self::pause(intf, Cause::Sleep) }
    }

    /// # Safety
    ///
    /// Called by the USB core alone, as `resume` or `reset_resume` of the driver.
    unsafe extern "C" fn resume(intf: *mut bindings::usb_interface) -> c_int {
        // SAFETY: The caller's word.
        unsafe { Self::go_on(intf, Cause::Sleep) }
    }

    /// # Safety
    ///
    /// Called by the USB core alone, with an interface that is bound to the driver, and with the
    /// device lock held.
    unsafe fn pause(intf: *mut bindings::usb_interface, cause: Cause) -> c_int {
        // SAFETY: The caller's word.
        let intf = unsafe { &*intf.cast::<Interface<device::CoreInternal<'_>>>() };
        // One that was claimed has no data: the one that claimed it is told.
        if has_data(intf) {
            let dev: &device::Device<device::CoreInternal<'_>> = intf.as_ref();
            // SAFETY: The interface has data, and by the type invariants that is of this type.
            T::pause(intf, unsafe { dev.drvdata_borrow::<T::Data>() }, cause);
        }
        0
    }

    /// # Safety
    ///
    /// As for [`Self::pause`].
    unsafe fn go_on(intf: *mut bindings::usb_interface, cause: Cause) -> c_int {
        // SAFETY: The caller's word.
        let intf = unsafe { &*intf.cast::<Interface<device::CoreInternal<'_>>>() };
        from_result(|| {
            if has_data(intf) {
                let dev: &device::Device<device::CoreInternal<'_>> = intf.as_ref();
                // SAFETY: As above.
                T::go_on(intf, unsafe { dev.drvdata_borrow::<T::Data>() }, cause)?;
            }
            Ok(0)
        })
    }
}

const DRIVER_OFFSET: usize = offset_of!(bindings::usb_driver, driver);

/// The USB driver that an interface is bound to, or being probed by.
///
/// # Safety
///
/// The interface is valid and has a driver, and the device lock is held.
pub(crate) unsafe fn of(intf: *mut bindings::usb_interface) -> *mut bindings::usb_driver {
    // SAFETY: By the caller's word; the driver is embedded in a `struct usb_driver`, since no
    // other kind is bound to interfaces.
    unsafe { (*intf).dev.driver.byte_sub(DRIVER_OFFSET).cast() }
}

/// Whether the driver has data for the interface. The device lock is held.
fn has_data<Ctx: device::DeviceContext>(intf: &Interface<Ctx>) -> bool {
    // SAFETY: The interface is valid, and its data does not change while the lock is held.
    !unsafe { bindings::dev_get_drvdata(&raw const (*intf.as_raw()).dev) }.is_null()
}

/// Calls `f` with each interface of the same device that the same driver is bound to.
fn for_each_sibling(intf: &Interface<device::Core<'_>>, mut f: impl FnMut(&Interface)) {
    // SAFETY: The interface is valid.
    let driver = unsafe { (*intf.as_raw()).dev.driver };
    for index in 0..Device::MAX_INTERFACES {
        // SAFETY: `Core` says that the device lock is held.
        let Some(other) = (unsafe { intf.device().interface(index) }) else {
            continue;
        };
        // SAFETY: The interface is valid.
        if unsafe { (*other.as_raw()).dev.driver } == driver {
            f(&other);
        }
    }
}

/// Whether the driver was probed for another interface of the device as well.
#[inline(never)]
pub(crate) fn is_probed_twice(intf: &Interface<device::Core<'_>>) -> bool {
    let mut found = false;
    for_each_sibling(intf, |other| {
        found |= has_data(other) && !ptr::eq(other.as_raw(), intf.as_raw());
    });
    found
}

/// Whether interfaces of the device have been claimed for another one than `intf`, which is only
/// being probed.
#[inline(never)]
fn is_claimed(intf: &Interface<device::Core<'_>>) -> bool {
    let mut found = false;
    for_each_sibling(intf, |other| {
        found |= !has_data(other) && !ptr::eq(other.as_raw(), intf.as_raw());
    });
    found
}

/// How long a device may take to answer that an interface of it is released.
const RELEASE_MSECS: c_int = 200;

/// Releases all that was claimed for `intf`, or all that was probed, if `intf` was claimed.
#[inline(never)]
fn release(intf: &Interface<device::Core<'_>>, are_probed: bool) {
    for_each_sibling(intf, |other| {
        if has_data(other) == are_probed && !ptr::eq(other.as_raw(), intf.as_raw()) {
            // SAFETY: The interface is valid and has a driver, and the device lock is held. If it
            // is being unbound already, it is left alone.
            unsafe {
                sys::threadline_usb_release(of(other.as_raw()), other.as_raw(), RELEASE_MSECS)
            };
        }
    });
}

/// Makes a module of one USB driver, whose devices can have threads of their own.
///
/// # Examples
///
/// ```
/// # use kernel::{device, prelude::*};
/// # fn main() {}
/// # usb::device_table!(DEVICES, (), [(usb::DeviceId::new(0x1234, 0x5678), ())]);
/// # struct MyDriver;
/// # impl usb::Driver for MyDriver {
/// #     type IdInfo = ();
/// #     type Data = ();
/// #     const ID_TABLE: usb::IdTable<()> = &DEVICES;
/// #     fn probe<'a>(
/// #         _interface: &'a usb::Interface<device::Core<'_>>,
/// #         _info: Option<&'static ()>,
/// #     ) -> impl PinInit<(), Error> + 'a {
/// #         Ok(())
/// #     }
/// #     fn disconnect(_interface: &usb::Interface<device::Core<'_>>, _data: Pin<&()>) {}
/// # }
/// usb::module_usb_driver! {
///     type: MyDriver,
///     name: "my_driver",
///     authors: ["..."],
///     description: "...",
///     license: "GPL",
/// }
/// ```
#[macro_export]
macro_rules! module_usb_driver {
    (type: $type:ty, $($f:tt)*) => {
        ::kernel::prelude::module! {
            type: UsbDriverModule,
            $($f)*
        }

        #[::kernel::prelude::pin_data]
        struct UsbDriverModule {
            // Dropped in this order: no interface is bound any more when the threads are looked
            // for that somebody has leaked.
            #[pin]
            _registration: ::kernel::driver::Registration<$crate::Adapter<$type>>,
            #[pin]
            _threads: $crate::__kthread::ModuleScope,
        }

        impl ::kernel::InPlaceModule for UsbDriverModule {
            fn init(
                module: &'static ::kernel::ThisModule,
            ) -> impl ::pin_init::PinInit<Self, ::kernel::error::Error> {
                ::kernel::try_pin_init!(Self {
                    // Made in the other order: a driver is probed while it is being registered.
                    _threads <- $crate::__kthread::ModuleScope::new(module),
                    _registration <- ::kernel::driver::Registration::new(
                        <LocalModule as ::kernel::ModuleMetadata>::NAME,
                        module,
                    ),
                })
            }
        }
    };
}
