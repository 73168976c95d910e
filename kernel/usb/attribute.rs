// SPDX-License-Identifier: GPL-2.0

//! Files in sysfs through which a driver tells user space of a device, and is told by it.
//!
//! C headers: [`include/linux/sysfs.h`](srctree/include/linux/sysfs.h),
//! [`include/linux/device.h`](srctree/include/linux/device.h)

use crate::copy;
use core::{
    fmt,
    ptr,
    slice, //
};
use kernel::{
    bindings,
    device,
    ffi::c_char,
    page::PAGE_SIZE,
    prelude::*, //
};

/// What a file in sysfs may hold: one value, in words or in digits, without the end of its line.
type Show<D> = fn(&D, &mut dyn fmt::Write) -> fmt::Result;

/// Takes what was written to a file.
type Store<D> = fn(&D, &[u8]) -> Result;

/// A file in the folder of an interface that a driver with the data `D` is bound to.
///
/// A driver lists its files in [`Driver::ATTRIBUTES`](crate::Driver::ATTRIBUTES). They are there
/// from the moment when it is bound, before user space is told of that, and they are gone, with
/// all their users, before it is unbound.
///
/// C type: `struct device_attribute`
///
/// # Examples
///
/// ```
/// # use kernel::prelude::*;
/// # struct MyData;
/// # impl MyData {
/// #     fn phase(&self) -> &'static str {
/// #         "idle"
/// #     }
/// #     fn retry(&self) {}
/// # }
/// const ATTRIBUTES: &'static [usb::Attribute<MyData>] = &[
///     usb::Attribute::readable(c"phase", |data, out| out.write_str(data.phase())),
///     usb::Attribute::writable(c"retry", |data, _| Ok(data.retry())),
/// ];
/// ```
///
/// # Invariants
///
/// `raw` is the first field, and its functions are those of this type.
#[repr(C)]
pub struct Attribute<D: 'static> {
    raw: bindings::device_attribute,
    show: Option<Show<D>>,
    store: Option<Store<D>>,
}

/// The list of attributes as C wants it, which ends in a null.
pub(crate) type Pointers = [*mut bindings::attribute; MAX + 1];

/// How many attributes a driver may have.
const MAX: usize = 15;

impl<D: 'static> Attribute<D> {
    /// A file that everybody may read. `show` writes its content, which is cut off where the page
    /// ends; it may sleep.
    pub const fn readable(name: &'static CStr, show: Show<D>) -> Self {
        // INVARIANT: The function is that of this type.
        Self {
            raw: bindings::device_attribute {
                attr: attribute(name, 0o444),
                __bindgen_anon_1: bindings::device_attribute__bindgen_ty_1 {
                    show: Some(Self::show),
                },
                ..pin_init::zeroed()
            },
            show: Some(show),
            store: None,
        }
    }

    /// A file that root may write. `store` is given what was written, at most a page; it may
    /// sleep, and its error is the writer's.
    pub const fn writable(name: &'static CStr, store: Store<D>) -> Self {
        // INVARIANT: The function is that of this type.
        Self {
            raw: bindings::device_attribute {
                attr: attribute(name, 0o200),
                __bindgen_anon_2: bindings::device_attribute__bindgen_ty_2 {
                    store: Some(Self::store),
                },
                ..pin_init::zeroed()
            },
            show: None,
            store: Some(store),
        }
    }

    /// Makes the list that C wants. Fails to compile where there are too many.
    pub(crate) const fn pointers(attributes: &'static [Self]) -> Pointers {
        assert!(attributes.len() <= MAX, "a driver with too many attributes");
        let mut pointers = [ptr::null_mut(); MAX + 1];
        let mut index = 0;
        while index < attributes.len() {
            // The whole of it, because the functions look at what lies behind the C struct.
            pointers[index] = ptr::from_ref(&attributes[index]).cast_mut().cast();
            index += 1;
        }
        pointers
    }

    /// Finds the attribute, and the driver's data for the device.
    ///
    /// # Safety
    ///
    /// As for [`Self::show`].
    unsafe fn find<'a>(
        dev: *mut bindings::device,
        attr: *mut bindings::device_attribute,
    ) -> Result<(&'a Self, &'a D)> {
        // SAFETY: By the caller's word the device is valid.
        if unsafe { bindings::dev_get_drvdata(dev) }.is_null() {
            return Err(ENODEV);
        }
        // SAFETY: By the caller's word `dev` is valid and bound.
        let dev = unsafe { device::Device::<device::BoundInternal>::from_raw(dev) };
        // SAFETY: The driver's data has been published, with this type, and is not dropped before
        // the file is gone.
        let data = unsafe { dev.drvdata_borrow::<D>() }.get_ref();
        // SAFETY: By the type invariants, it is the first field of one of ours.
        Ok((unsafe { &*attr.cast::<Self>() }, data))
    }

    /// # Safety
    ///
    /// Called by the driver core alone, for a file in the folder of an interface that is bound to
    /// a driver whose data is a `D`, with an attribute that was in its
    /// [`ATTRIBUTES`](crate::Driver::ATTRIBUTES), and a page to write to.
    unsafe extern "C" fn show(
        dev: *mut bindings::device,
        attr: *mut bindings::device_attribute,
        buf: *mut c_char,
    ) -> isize {
        // SAFETY: The caller's word.
        let (attribute, data) = match unsafe { Self::find(dev, attr) } {
            Ok(found) => found,
            Err(error) => return error.to_errno() as isize,
        };
        // SAFETY: sysfs hands over a page, which nobody else has, and which it has zeroed.
        let page = unsafe { slice::from_raw_parts_mut(buf.cast::<u8>(), PAGE_SIZE) };
        let mut text = Text { page, len: 0 };
        if let Some(show) = attribute.show {
            // What did not fit is cut off.
            let _ = show(data, &mut text);
        }
        text.end() as isize
    }

    /// # Safety
    ///
    /// As for [`Self::show`], with `count` bytes to read at `buf`.
    unsafe extern "C" fn store(
        dev: *mut bindings::device,
        attr: *mut bindings::device_attribute,
        buf: *const c_char,
        count: usize,
    ) -> isize {
        // SAFETY: The caller's word.
        let stored = unsafe { Self::find(dev, attr) }.and_then(|(attribute, data)| {
            // SAFETY: sysfs has copied so many bytes from user space for us.
            let bytes = unsafe { slice::from_raw_parts(buf.cast::<u8>(), count) };
            attribute.store.map_or(Err(EIO), |store| store(data, bytes))
        });
        match stored {
            Ok(()) => count as isize,
            Err(error) => error.to_errno() as isize,
        }
    }
}

/// The part of an attribute that all kinds have.
#[allow(clippy::needless_update, reason = "with lockdep it has more fields")]
const fn attribute(name: &'static CStr, mode: u16) -> bindings::attribute {
    bindings::attribute {
        name: kernel::str::as_char_ptr_in_const_context(name),
        mode,
        ..pin_init::zeroed()
    }
}

/// A group of the attributes in `list`, in the folder itself.
pub(crate) const fn group(list: &'static Pointers) -> bindings::attribute_group {
    bindings::attribute_group {
        __bindgen_anon_2: bindings::attribute_group__bindgen_ty_2 {
            attrs: list.as_ptr().cast_mut(),
        },
        ..pin_init::zeroed()
    }
}

/// The text of a file, with room for the end of its line.
struct Text<'a> {
    page: &'a mut [u8],
    len: usize,
}

impl Text<'_> {
    /// Ends the line, and returns the length of the text.
    fn end(self) -> usize {
        match self.page.get_mut(self.len) {
            Some(end) => {
                *end = b'\n';
                self.len + 1
            }
            None => self.len,
        }
    }
}

impl fmt::Write for Text<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = self.len..self.page.len().saturating_sub(1);
        let place = self.page.get_mut(room).unwrap_or_default();
        let fits = copy(place, text.as_bytes());
        self.len += fits;
        if fits < text.len() {
            return Err(fmt::Error);
        }
        Ok(())
    }
}
