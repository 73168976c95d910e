// SPDX-License-Identifier: GPL-2.0

//! Module parameters of any type, in sysfs.
//!
//! What the kernel's `module!` offers in Linux 7.3 are numbers that nobody can read back. Here a
//! parameter can be of every type that is a [`Value`]: one says what text it takes, and what to
//! tell a user whose text it doesn't take. A module whose parameters are wrong does not load, and
//! the log says why:
//!
//! ```text
//! # insmod kexample.ko period_ms=soon
//! kexample: period_ms=soon: it must be a whole number from 1 to 3600000
//! ```
//!
//! Everybody can read them in `/sys/module/NAME/parameters`. As a rule a parameter is set when the
//! module is loaded, and does not change after that; of several texts for one, the last counts,
//! so that a command line goes over a configuration file. One with the mode `0o644` can be
//! written by root at any time.
//!
//! # Examples
//!
//! ```
//! # use kernel::{prelude::*, time::Delta};
//! # use param::{Name, Number, Switch};
//! # fn main() {}
//! # module! { type: MyModule, name: "my_module", license: "GPL", }
//! # struct MyModule;
//! # impl kernel::Module for MyModule {
//! #     fn init(_module: &'static ThisModule) -> Result<Self> {
//! #         Ok(Self)
//! #     }
//! # }
//! param::parameters! {
//!     period_ms: Number<1, 1000> = Number::new::<1>(), "Period in milliseconds (default: 1)";
//!     name: Name = Name::new("ticker"), "Name of the thread (default: ticker)";
//!     loud: Switch = Switch(false), "Log each tick (default: N)", 0o644;
//! }
//!
//! fn period() -> Delta {
//!     Delta::from_millis(parameters::period_ms.value().get())
//! }
//! ```
//!
//! C header: [`include/linux/moduleparam.h`](srctree/include/linux/moduleparam.h)

mod bytes;
mod name;
mod number;
mod operations;
mod priority;
mod switch;
mod value;

#[doc(hidden)]
pub use self::operations::{
    describe,
    joined,
    joined_len, //
};
#[doc(hidden)]
pub use kernel::module_param::KernelParam;

pub use self::{
    bytes::Bytes,
    name::Name,
    number::Number,
    switch::Switch,
    value::Value, //
};

use core::{
    cell::UnsafeCell,
    marker::PhantomData, //
};
use kernel::{
    bindings,
    module::this_module,
    ModuleMetadata, //
};

/// A parameter of the module `M`. [`parameters!`] makes it.
///
/// # Invariants
///
/// `value` is touched only with the parameter lock of `M` held.
pub struct Parameter<T, M> {
    value: UnsafeCell<T>,
    _module: PhantomData<fn() -> M>,
}

// SAFETY: By the type invariants, whoever touches the value holds a lock; what one thread has put
// there, another may copy.
unsafe impl<T: Send, M> Sync for Parameter<T, M> {}

impl<T: Value, M: ModuleMetadata> Parameter<T, M> {
    #[doc(hidden)]
    pub const fn new(default: T) -> Self {
        // INVARIANT: Nobody else has it yet.
        Self {
            value: UnsafeCell::new(default),
            _module: PhantomData,
        }
    }

    /// What the user gave last, or else the default. May sleep.
    ///
    /// One that root can write may be another the next time: who needs it twice keeps a copy.
    pub fn value(&self) -> T {
        let module = this_module::<M>().as_ptr();
        // SAFETY: The module is there: its parameter is.
        unsafe { bindings::kernel_param_lock(module) };
        // SAFETY: The lock is held.
        let value = unsafe { *self.value.get() };
        // SAFETY: Locked above, by this thread.
        unsafe { bindings::kernel_param_unlock(module) };
        value
    }
}

/// Declares the parameters of a module, in a room `parameters`, beside its `module!`.
///
/// Each is `name: type = default, "description";`, where the type is a [`Value`]. A mode can
/// follow the description: `0o444`, which is assumed where there is none, or `0o644`.
#[macro_export]
// The module whose parameters they are is that in which the macro is used.
#[allow(clippy::crate_in_macro_def)]
macro_rules! parameters {
    ($($name:ident: $type:ty = $default:expr, $description:literal $(, $mode:literal)?;)*) => {
        /// The parameters of the module.
        mod parameters {
            #[allow(unused_imports)]
            use super::*;

            $(
                #[doc = $description]
                #[allow(non_upper_case_globals)]
                pub(crate) static $name: $crate::Parameter<$type, crate::LocalModule> =
                    $crate::Parameter::new($default);

                const _: () = {
                    #[link_section = "__param"]
                    #[used]
                    static PARAMETER: $crate::KernelParam = $crate::describe(
                        &$name,
                        concat!(stringify!($name), "\0"),
                        $crate::parameters!(@mode $($mode)?),
                    );

                    const TYPE: &[&str] = &[
                        concat!("parmtype=", stringify!($name), ":"),
                        <$type as $crate::Value>::TYPE,
                        "\0",
                    ];
                    #[link_section = ".modinfo"]
                    #[used]
                    static MODINFO_TYPE: [u8; $crate::joined_len(TYPE)] = $crate::joined(TYPE);

                    const TEXT: &[&str] =
                        &[concat!("parm=", stringify!($name), ":", $description, "\0")];
                    #[link_section = ".modinfo"]
                    #[used]
                    static MODINFO_TEXT: [u8; $crate::joined_len(TEXT)] = $crate::joined(TEXT);
                };
            )*
        }
    };
    (@mode) => {
        0o444
    };
    (@mode $mode:literal) => {
        $mode
    };
}
