// SPDX-License-Identifier: GPL-2.0

//! The registration of ATM devices, and what a device carries for its driver.

use core::{
    marker::PhantomData,
    ops::Deref,
    ptr::{
        addr_of_mut,
        NonNull, //
    },
};

use kernel::{
    device,
    prelude::*,
    str::CString,
    sync::{
        atomic::{
            Acquire,
            Atomic,
            Relaxed,
            Release, //
        },
        Arc, //
    },
};

use crate::{
    alive::Alive,
    bindings,
    operations::Operations,
    Device, //
};

/// What a device carries in its `dev_data`, from when its registration is
/// complete until its last reference is gone.
pub(crate) struct Private<T> {
    /// Whether the device is registered, so that its driver wants to be called.
    registered: Atomic<bool>,
    /// What `type` of the device points to.
    name: CString,
    data: Arc<T>,
    /// The last field, because it is dropped last.
    _alive: Alive,
}

impl<T> Private<T> {
    /// Finds what belongs to `dev`; [`None`] while it is being registered.
    ///
    /// # Safety
    ///
    /// `dev` must point to a valid device that was registered by a
    /// [`Registration<T>`], and that stays referenced for `'a`.
    pub(crate) unsafe fn of<'a>(dev: *mut bindings::atm_dev) -> Option<&'a Self> {
        // SAFETY: The caller vouches for `dev`, and everybody who uses this field
        // of such a device does so atomically.
        let data = unsafe { Atomic::from_ptr(addr_of_mut!((*dev).dev_data)) };
        // SAFETY: If it is not null, it is what `publish` put there, which is
        // freed with the last reference. ACQUIRE: Pairs with that in `publish`.
        unsafe { data.load(Acquire).cast::<Self>().as_ref() }
    }

    /// As [`of`](Self::of), but [`None`] also after the device was deregistered.
    ///
    /// # Safety
    ///
    /// As for [`of`](Self::of).
    pub(crate) unsafe fn of_registered<'a>(dev: *mut bindings::atm_dev) -> Option<&'a Self> {
        // SAFETY: The caller promises what `of` wants.
        let this = unsafe { Self::of(dev) }?;
        this.registered.load(Relaxed).then_some(this)
    }

    /// The driver's own data.
    pub(crate) fn data(&self) -> &Arc<T> {
        &self.data
    }

    /// Hands `this` over to the device: from now on, callbacks find it.
    ///
    /// # Safety
    ///
    /// `dev` must be registered by a [`Registration<T>`], which did not call this
    /// before.
    unsafe fn publish(this: KBox<Self>, dev: *mut bindings::atm_dev) {
        // SAFETY: The caller vouches for `dev`, and everybody who uses this field
        // of such a device does so atomically.
        let data = unsafe { Atomic::from_ptr(addr_of_mut!((*dev).dev_data)) };
        // RELEASE: Whoever finds the pointer must find what it points to, too.
        data.store(KBox::into_raw(this).cast(), Release);
    }

    /// Takes back what [`publish`](Self::publish) handed over.
    ///
    /// # Safety
    ///
    /// `dev` must have been registered by a [`Registration<T>`], and its last
    /// reference must be gone.
    pub(crate) unsafe fn take(dev: *mut bindings::atm_dev) -> Option<KBox<Self>> {
        // SAFETY: The caller vouches for `dev`, which nobody else uses any more.
        let data = unsafe { core::mem::replace(&mut (*dev).dev_data, core::ptr::null_mut()) };
        if data.is_null() {
            return None;
        }
        // SAFETY: It is what `publish` made of a box, and it is taken once.
        Some(unsafe { KBox::from_raw(data.cast()) })
    }
}

/// A registered ATM device; dropping it takes the device away.
///
/// # Invariants
///
/// `dev` is a device that `atm_dev_register` returned and that was not yet
/// deregistered, with [`Operations::TABLE`] as its operations, and with a
/// `Private<T>` published.
pub struct Registration<T: Operations> {
    dev: NonNull<bindings::atm_dev>,
    _data: PhantomData<Arc<T>>,
}

// SAFETY: A device may be deregistered by any thread; the data is `Send` and
// `Sync`, as `Operations` asks for.
unsafe impl<T: Operations> Send for Registration<T> {}
// SAFETY: A shared reference gives access to a `Device` only, which is `Sync`.
unsafe impl<T: Operations> Sync for Registration<T> {}

impl<T: Operations> Registration<T> {
    /// Registers a device of the type `name`, with the next number that is free,
    /// as a child of `parent`.
    ///
    /// The device can be seen as soon as it is registered, but none of its
    /// operations is called before `set_up` has returned, so this is the place
    /// to set its link rate and the like. If it fails, the device is gone again.
    ///
    /// Sleeps.
    ///
    /// # Errors
    ///
    /// [`ENODEV`] if the module that the operations are in has no [`Devices`](crate::Devices), and
    /// would not wait for this one before it goes; [`ENOMEM`] where the ATM layer
    /// says no, for it does not say why; what `set_up` returned, otherwise.
    pub fn new(
        name: &CStr,
        parent: &device::Device,
        data: Arc<T>,
        set_up: impl FnOnce(&Device) -> Result,
    ) -> Result<Self> {
        let private = KBox::new(
            Private {
                registered: Atomic::new(true),
                name: name.try_into()?,
                data,
                _alive: Alive::new(T::TABLE.owner())?,
            },
            GFP_KERNEL,
        )?;
        let (name, ops) = (private.name.as_char_ptr(), T::TABLE.as_raw());
        // CAST: `device::Device` is transparent to a `struct device`.
        let parent = core::ptr::from_ref(parent).cast_mut().cast();
        // SAFETY: `name` belongs to what is published below, which lives as long
        // as the device; the operations are static, and part of the module that
        // they name as their owner; `parent` is valid, and the device takes a
        // reference to it.
        let dev =
            unsafe { bindings::atm_dev_register(name, parent, ops, -1, core::ptr::null_mut()) };
        let dev = NonNull::new(dev).ok_or(ENOMEM)?;

        // SAFETY: The device is registered, by us.
        let set_up = set_up(unsafe { Device::from_raw(dev.as_ptr()) });
        private.registered.store(set_up.is_ok(), Relaxed);
        // SAFETY: The device is registered, by us, and this is the only call.
        unsafe { Private::publish(private, dev.as_ptr()) };
        // INVARIANT: Registered and published above.
        let this = Self {
            dev,
            _data: PhantomData,
        };
        set_up.map(|()| this)
    }
}

impl<T: Operations> Deref for Registration<T> {
    type Target = Device;

    fn deref(&self) -> &Device {
        // SAFETY: By the type's invariants, the device is registered, which keeps
        // it alive as long as `self` is.
        unsafe { Device::from_raw(self.dev.as_ptr()) }
    }
}

impl<T: Operations> Drop for Registration<T> {
    /// Takes the device away, and asks all its VCCs to close. They do so when
    /// their owners will; until then they keep the device's memory, the data,
    /// and the module that the operations are in.
    ///
    /// Sleeps. Reads of the device's file in `/proc` have ended when it returns.
    fn drop(&mut self) {
        let dev = self.dev.as_ptr();
        // SAFETY: By the type's invariants, the device is ours and alive.
        if let Some(private) = unsafe { Private::<T>::of(dev) } {
            private.registered.store(false, Relaxed);
        }
        // SAFETY: By the type's invariants, this was not done before.
        unsafe { bindings::atm_dev_deregister(dev) };
    }
}
