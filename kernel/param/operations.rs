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
    parameter: &'static Parameter<T, M>,
    name: &'static str,
    mode: u16,
) -> KernelParam {
    assert!(matches!(name.as_bytes(), [.., 0]));
    // Who may write it may decide what the kernel does.
    assert!(mode == 0o444 || mode == 0o644);
    KernelParam::new(bindings::kernel_param {
        name: name.as_ptr().cast(),
        mod_: this_module::<M>().as_ptr(),
        ops: Operations::<T, M>::table(),
        perm: mode,
        // Of no init level: set when the module is loaded.
        level: -1,
        flags: 0,
        __bindgen_anon_1: bindings::kernel_param__bindgen_ty_1 {
            arg: core::ptr::from_ref(parameter).cast_mut().cast(),
        },
    })
}

/// How long [`joined`] makes these texts.
///
/// Only for [`parameters!`](crate::parameters).
pub const fn joined_len(texts: &[&str]) -> usize {
    let (mut len, mut i) = (0, 0);
    while i < texts.len() {
        len += texts[i].len();
        i += 1;
    }
    len
}

/// The bytes of the texts, for the section of the module that `modinfo` reads.
///
/// Only for [`parameters!`](crate::parameters).
pub const fn joined<const N: usize>(texts: &[&str]) -> [u8; N] {
    let mut bytes = [0; N];
    let (mut at, mut i) = (0, 0);
    while i < texts.len() {
        let text = texts[i].as_bytes();
        let mut j = 0;
        while j < text.len() {
            bytes[at] = text[j];
            at += 1;
            j += 1;
        }
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
        flags: if T::ALONE.is_some() {
            bindings::KERNEL_PARAM_OPS_FL_NOARG
        } else {
            0
        },
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
    unsafe fn parameter<'a>(param: *const bindings::kernel_param) -> &'a Parameter<T, M> {
        // SAFETY: `describe` has put a reference to a static there.
        unsafe { &*(*param).__bindgen_anon_1.arg.cast::<Parameter<T, M>>() }
    }

    /// # Safety
    ///
    /// `text` must be NUL-terminated, or null if `T` has a value of that; `param` must come from
    /// [`describe`], for the same types, and the parameter lock of the module be held.
    unsafe extern "C" fn set(text: *const c_char, param: *const bindings::kernel_param) -> c_int {
        // SAFETY: By the safety requirements.
        let (parameter, name) =
            unsafe { (Self::parameter(param), CStr::from_char_ptr((*param).name)) };
        let text = if text.is_null() {
            None
        } else {
            // SAFETY: By the safety requirements.
            Some(unsafe { CStr::from_char_ptr(text) })
        };
        let value = match text.map(CStr::to_str) {
            None => T::ALONE,
            // `echo` ends a line.
            Some(Ok(text)) => T::parse(text.strip_suffix('\n').unwrap_or(text)),
            Some(Err(_)) => None,
        };
        let Some(value) = value else {
            let expected = Expected::<T>(PhantomData);
            let text = text.unwrap_or_default();
            Self::log(fmt!("{name}={text}: it must be {expected}\n"));
            return EINVAL.to_errno();
        };
        // SAFETY: The lock is held, by the safety requirements.
        unsafe { *parameter.value.get() = value };
        0
    }

    /// Logs an error of the module.
    fn log(text: fmt::Arguments<'_>) {
        // SAFETY: The format string is one of the kernel crate's, and a `CStr` ends in NUL.
        unsafe { call_printk(&format_strings::ERR, M::NAME.to_bytes_with_nul(), text) };
    }

    /// # Safety
    ///
    /// `buffer` must have room for a page; `param` must come from [`describe`], for the same types,
    /// and the parameter lock of the module be held.
    unsafe extern "C" fn get(buffer: *mut c_char, param: *const bindings::kernel_param) -> c_int {
        // SAFETY: By the safety requirements; the kernel has cleared the page.
        let (parameter, buffer) = unsafe {
            (
                Self::parameter(param),
                core::slice::from_raw_parts_mut(buffer.cast::<u8>(), ROOM),
            )
        };
        // SAFETY: The lock is held, by the safety requirements.
        let value = unsafe { *parameter.value.get() };
        let mut text = Formatter::new(buffer);
        from_result(|| {
            text.write_fmt(fmt!("{value}"))?;
            if text.bytes_written() > 0 {
                text.write_str("\n")?;
            }
            Ok(text.bytes_written().try_into()?)
        })
    }
}
