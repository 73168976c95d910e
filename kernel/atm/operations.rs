// SPDX-License-Identifier: GPL-2.0

//! What the ATM layer calls.

use core::{
    marker::PhantomData,
    ptr::NonNull, //
};

use kernel::{
    error::from_result,
    ffi::{
        c_char,
        c_int,
        c_uint,
        c_void, //
    },
    fmt,
    module::{
        this_module,
        ModuleMetadata, //
    },
    page::PAGE_SIZE,
    prelude::*,
    sync::{
        Arc,
        ArcBorrow, //
    },
    types::ForeignOwnable,
    uaccess::UserPtr, //
};

use crate::{
    bindings,
    outgoing::OutgoingSkb,
    registration::Private,
    vcc::Vcc,
    Device, //
};

/// The `ioctl` that asks which loop-backs a device has.
pub const QUERYLOOP: u32 = bindings::ATM_QUERYLOOP;

/// The answer to [`QUERYLOOP`] of a device that has none.
pub const LM_NONE: c_int = bindings::ATM_LM_NONE as c_int;

/// What an ATM device does.
///
/// Implemented by what a driver has for each device, and shared with the ATM
/// layer by a [`Registration`](crate::Registration). See the
/// [module page](crate) for who is called when.
///
/// # Examples
///
/// The table of operations is a static of its own, so that it is part of the
/// module that implements it, also where another module registers the device:
///
/// ```
/// # use atm::{OutgoingSkb, Vcc};
/// # use kernel::{prelude::*, sync::{Arc, ArcBorrow}};
/// # fn main() {}
/// # module! { type: MyModule, name: "my_module", license: "GPL", }
/// # struct MyModule;
/// # impl kernel::Module for MyModule {
/// #     fn init(_module: &'static ThisModule) -> Result<Self> {
/// #         Ok(Self)
/// #     }
/// # }
/// # struct Null;
/// impl atm::Operations for Null {
///     const TABLE: &'static atm::Table<Self> = {
///         static TABLE: atm::Table<Null> = atm::Table::new::<crate::LocalModule>();
///         &TABLE
///     };
///     // ...
/// #     fn open(_this: ArcBorrow<'_, Self>, _vcc: &Arc<Vcc>) -> Result {
/// #         Ok(())
/// #     }
/// #     fn close(_this: ArcBorrow<'_, Self>, _vcc: &Arc<Vcc>) {}
/// #     fn send(_this: ArcBorrow<'_, Self>, _skb: OutgoingSkb) -> Result {
/// #         Ok(())
/// #     }
/// }
/// ```
///
/// C header: [`include/linux/atmdev.h`](srctree/include/linux/atmdev.h), `struct
/// atmdev_ops`
pub trait Operations: Send + Sync + Sized + 'static {
    /// The table of operations: a static in the module that implements them.
    const TABLE: &'static Table<Self>;

    /// A VCC opens. Packets may be sent and received on it if this succeeds.
    ///
    /// May sleep.
    ///
    /// # Errors
    ///
    /// Any, for whoever wants the connection. `vcc` is closed then; what was
    /// kept of it is of no use any more.
    fn open(this: ArcBorrow<'_, Self>, vcc: &Arc<Vcc>) -> Result;

    /// A VCC closes. When this returns, the driver must have dropped all
    /// [`OutgoingSkb`]s of the VCC.
    ///
    /// May sleep. Comes once for each [`open`](Self::open) that succeeded, also
    /// after the device was deregistered.
    fn close(this: ArcBorrow<'_, Self>, vcc: &Arc<Vcc>);

    /// A packet is to go out on its VCC.
    ///
    /// Must not sleep.
    ///
    /// # Errors
    ///
    /// Any, for the sender. The packet counts as dropped then.
    fn send(this: ArcBorrow<'_, Self>, skb: OutgoingSkb) -> Result;

    /// A device-specific request of user space.
    ///
    /// May sleep. Returns what user space gets as the length of the answer.
    ///
    /// # Errors
    ///
    /// [`ENOIOCTLCMD`] if there is no such request, or any other.
    fn ioctl(this: ArcBorrow<'_, Self>, cmd: u32, arg: UserPtr) -> Result<c_int> {
        let _ = (this, cmd, arg);
        Err(ENOIOCTLCMD)
    }

    /// User space reads the line number `line`, counted from 0, of the device's
    /// file in `/proc/net/atm`. To write nothing ends the file.
    ///
    /// May sleep.
    ///
    /// # Errors
    ///
    /// Any, for the reader.
    fn proc_line(
        this: ArcBorrow<'_, Self>,
        device: &Device,
        line: usize,
        out: &mut ProcLine<'_>,
    ) -> Result {
        let _ = (this, device, line, out);
        Ok(())
    }
}

/// Where [`Operations::proc_line`] writes to; less than a page.
pub struct ProcLine<'a> {
    page: &'a mut [u8],
    len: usize,
}

impl fmt::Write for ProcLine<'_> {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        let end = self.len + s.len();
        let place = self.page.get_mut(self.len..end).ok_or(fmt::Error)?;
        for (to, from) in place.iter_mut().zip(s.as_bytes()) {
            *to = *from;
        }
        self.len = end;
        Ok(())
    }
}

/// The C table of a type's [`Operations`].
#[repr(transparent)]
pub struct Table<T> {
    ops: bindings::atmdev_ops,
    _type: PhantomData<T>,
}

// SAFETY: Nothing in a table is ever changed.
unsafe impl<T> Sync for Table<T> {}

impl<T: Operations> Table<T> {
    /// Makes the table. `M` is the module that this is called in, which the ATM
    /// layer keeps from being unloaded as long as a VCC is open, and no other.
    pub const fn new<M: ModuleMetadata>() -> Self {
        Self {
            ops: bindings::atmdev_ops {
                dev_close: Some(Self::dev_close),
                open: Some(Self::open),
                close: Some(Self::close),
                ioctl: Some(Self::ioctl),
                #[cfg(CONFIG_COMPAT)]
                compat_ioctl: None,
                send: Some(Self::send),
                proc_read: Some(Self::proc_read),
                owner: this_module::<M>().as_ptr(),
            },
            _type: PhantomData,
        }
    }

    /// The table as C wants it.
    pub(crate) fn as_raw(&'static self) -> *const bindings::atmdev_ops {
        &self.ops
    }

    /// The module that the operations are in.
    pub(crate) fn owner(&self) -> *mut kernel::bindings::module {
        self.ops.owner
    }

    /// # Safety
    ///
    /// The last reference to `dev`, a device of a `Registration<T>`, is gone.
    unsafe extern "C" fn dev_close(dev: *mut bindings::atm_dev) {
        // SAFETY: The caller promises it.
        drop(unsafe { Private::<T>::take(dev) });
    }

    /// # Safety
    ///
    /// `vcc` is valid, refers to a device of a `Registration<T>`, and is not
    /// open, and its socket is locked.
    unsafe extern "C" fn open(vcc: *mut bindings::atm_vcc) -> c_int {
        from_result(|| {
            let vcc = NonNull::new(vcc).ok_or(EINVAL)?;
            // SAFETY: The VCC has a reference to the device during this call.
            let private = unsafe { Private::<T>::of_registered((*vcc.as_ptr()).dev) };
            let private = private.ok_or(ENODEV)?;
            // SAFETY: The VCC is valid. It stays so until `close` was called,
            // which revokes the handle, and so do we if there will be no `close`.
            let handle = Arc::pin_init(unsafe { Vcc::new(vcc)? }, GFP_KERNEL)?;
            if let Err(error) = T::open(private.data().as_arc_borrow(), &handle) {
                handle.revoke();
                return Err(error);
            }
            // SAFETY: The socket is locked, so nobody else uses this field.
            unsafe { (*vcc.as_ptr()).dev_data = handle.into_foreign() };
            // SAFETY: The VCC is valid.
            unsafe { bindings::set_vcc_flags(vcc.as_ptr(), bindings::VCC_FLAGS_OPEN) };
            Ok(0)
        })
    }

    /// # Safety
    ///
    /// `vcc` is valid, refers to a device of a `Registration<T>`, and was opened
    /// by [`open`](Self::open), and its socket is locked.
    unsafe extern "C" fn close(vcc: *mut bindings::atm_vcc) {
        // SAFETY: The socket is locked, so nobody else uses this field.
        let handle = unsafe { core::mem::replace(&mut (*vcc).dev_data, core::ptr::null_mut()) };
        // SAFETY: It is what `open` put there, or null.
        let Some(handle) = (unsafe { Arc::<Vcc>::try_from_foreign(handle) }) else {
            return;
        };
        // SAFETY: The VCC has a reference to the device during this call.
        if let Some(private) = unsafe { Private::<T>::of((*vcc).dev) } {
            T::close(private.data().as_arc_borrow(), &handle);
        }
        handle.revoke();
        // SAFETY: The VCC is valid.
        unsafe { bindings::clear_vcc_flags(vcc, bindings::VCC_FLAGS_OPEN) };
    }

    /// # Safety
    ///
    /// `vcc` is valid, refers to a device of a `Registration<T>`, and was opened
    /// by [`open`](Self::open), and its socket is locked. `skb` is a packet for
    /// it, which is the callee's from now on.
    unsafe extern "C" fn send(
        vcc: *mut bindings::atm_vcc,
        skb: *mut kernel::bindings::sk_buff,
    ) -> c_int {
        from_result(|| {
            // SAFETY: The VCC is open, so this is what `open` put there; it stays
            // there during this call, because `close` needs the socket's lock.
            let handle = unsafe { Arc::<Vcc>::borrow((*vcc).dev_data) };
            let skb = NonNull::new(skb).ok_or(EINVAL)?;
            // SAFETY: The caller gives us the packet.
            let skb = unsafe { OutgoingSkb::new(skb, handle.into())? };
            // SAFETY: The VCC has a reference to the device during this call.
            let private = unsafe { Private::<T>::of_registered((*vcc).dev) };
            let private = private.ok_or(ENODEV)?;
            T::send(private.data().as_arc_borrow(), skb)?;
            Ok(0)
        })
    }

    /// # Safety
    ///
    /// `dev` is a device of a `Registration<T>`, with a reference that lasts.
    unsafe extern "C" fn ioctl(
        dev: *mut bindings::atm_dev,
        cmd: c_uint,
        arg: *mut c_void,
    ) -> c_int {
        from_result(|| {
            // SAFETY: The caller has a reference to the device.
            let private = unsafe { Private::<T>::of_registered(dev) }.ok_or(ENODEV)?;
            T::ioctl(private.data().as_arc_borrow(), cmd, UserPtr::from_ptr(arg))
        })
    }

    /// # Safety
    ///
    /// `dev` is a device of a `Registration<T>`, which is not deregistered during
    /// the call. `pos` is valid, and `page` is a page of the callee's.
    unsafe extern "C" fn proc_read(
        dev: *mut bindings::atm_dev,
        pos: *mut kernel::bindings::loff_t,
        page: *mut c_char,
    ) -> c_int {
        from_result(|| {
            // SAFETY: The device is registered, which counts as a reference.
            let private = unsafe { Private::<T>::of(dev) }.ok_or(ENODEV)?;
            // SAFETY: As before.
            let device = unsafe { Device::from_raw(dev) };
            // SAFETY: The caller vouches for `pos`. The ATM layer counts lines in
            // it, not bytes.
            let line = usize::try_from(unsafe { *pos })?;
            // SAFETY: The caller gives us the page, which is zeroed.
            let page = unsafe { core::slice::from_raw_parts_mut(page.cast(), PAGE_SIZE) };
            let mut out = ProcLine { page, len: 0 };
            T::proc_line(private.data().as_arc_borrow(), device, line, &mut out)?;
            Ok(out.len.try_into()?)
        })
    }
}
