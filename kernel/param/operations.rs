// SPDX-License-Identifier: GPL-2.0

//! What the kernel calls to set and to show a parameter.

use crate::{
    value::Value,
    Parameter, //
};
use core::marker::PhantomData;
use kernel::{
    bindings,
    error::from_result,
    ffi::{
        c_char,
        c_int, //
    },
    fmt::{
        self,
        Write, //
    },
    module::this_module,
    module_param::KernelParam,
    prelude::*,
    print::{
        call_printk,
        format_strings, //
    },
    str::Formatter,
    ModuleMetadata, //
};

/// How many bytes of a parameter sysfs has room for.
const ROOM: usize = kernel::page::PAGE_SIZE;

/// What the kernel knows of the parameter `name`, which ends in NUL, of module `M`.
///
/// Only for [`parameters!`](crate::parameters).
pub const fn describe<T: Value, M: ModuleMetadata>(
    parameter: &'static Parameter<T>,
    name: &'static str,
) -> KernelParam {
    assert!(matches!(name.as_bytes(), [.., 0]));
    KernelParam::new(bindings::kernel_param {
        name: name.as_ptr().cast(),
        mod_: this_module::<M>().as_ptr(),
        ops: Operations::<T, M>::table(),
        // Everybody may read it.
        perm: 0o444,
        // Of no init level: set when the module is loaded.
        level: -1,
        flags: 0,
        __bindgen_anon_1: bindings::kernel_param__bindgen_ty_1 {
            arg: core::ptr::from_ref(parameter).cast_mut().cast(),
        },
    })
}

/// The bytes of `text`, for the section of the module that `modinfo` reads.
///
/// Only for [`parameters!`](crate::parameters).
pub const fn modinfo<const N: usize>(text: &str) -> [u8; N] {
    let mut bytes = [0; N];
    let mut i = 0;
    while i < N {
        bytes[i] = text.as_bytes()[i];
        i += 1;
    }
    bytes
}

/// Says what texts a `T` takes.
struct Expected<T>(PhantomData<T>);

impl<T: Value> fmt::Display for Expected<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        T::expected(f)
    }
}

/// The operations on parameters of type `T` of module `M`.
struct Operations<T, M>(PhantomData<(T, M)>);

impl<T: Value, M: ModuleMetadata> Operations<T, M> {
    const TABLE: bindings::kernel_param_ops = bindings::kernel_param_ops {
        flags: 0,
        set: Some(Self::set),
        get: Some(Self::get),
        free: None,
    };

    const fn table() -> &'static bindings::kernel_param_ops {
        &Self::TABLE
    }

    /// # Safety
    ///
    /// `param` must come from [`describe`], for the same types.
    unsafe fn parameter<'a>(param: *const bindings::kernel_param) -> &'a Parameter<T> {
        // SAFETY: `describe` has put a reference to a static there.
        unsafe { &*(*param).__bindgen_anon_1.arg.cast::<Parameter<T>>() }
    }

    /// # Safety
    ///
    /// `text` must be NUL-terminated, and `param` come from [`describe`], for the same types.
    unsafe extern "C" fn set(text: *const c_char, param: *const bindings::kernel_param) -> c_int {
        // SAFETY: By the safety requirements. The kernel lets no NULL through, as `flags` is 0.
        let (parameter, name, text) = unsafe {
            (
                Self::parameter(param),
                CStr::from_char_ptr((*param).name),
                CStr::from_char_ptr(text),
            )
        };
        let Some(value) = text.to_str().ok().and_then(T::parse) else {
            let expected = Expected::<T>(PhantomData);
            Self::log(fmt!("{name}={text}: it must be {expected}\n"));
            return EINVAL.to_errno();
        };
        if !parameter.given.populate(value) {
            Self::log(fmt!("{name}={text}: it must be given only once\n"));
            return EINVAL.to_errno();
        }
        0
    }

    /// Logs an error of the module.
    fn log(text: fmt::Arguments<'_>) {
        // SAFETY: The format string is one of the kernel crate's, and a `CStr` ends in NUL.
        unsafe { call_printk(&format_strings::ERR, M::NAME.to_bytes_with_nul(), text) };
    }

    /// # Safety
    ///
    /// `buffer` must have room for a page, and `param` come from [`describe`], for the same types.
    unsafe extern "C" fn get(buffer: *mut c_char, param: *const bindings::kernel_param) -> c_int {
        // SAFETY: By the safety requirements; the kernel has cleared the page.
        let (parameter, buffer) = unsafe {
            (
                Self::parameter(param),
                core::slice::from_raw_parts_mut(buffer.cast::<u8>(), ROOM),
            )
        };
        let mut text = Formatter::new(buffer);
        from_result(|| {
            text.write_fmt(fmt!("{}\n", parameter.value()))?;
            Ok(text.bytes_written().try_into()?)
        })
    }
}
