// SPDX-License-Identifier: GPL-2.0

//! Module parameters of any type, readable in sysfs.
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
//! Parameters are set when the module is loaded, and never change after that. Everybody can read
//! them in `/sys/module/NAME/parameters`.
//!
//! # Examples
//!
//! ```ignore
//! param::parameters! {
//!     period_ms: Number<1, 1000> = Number::new::<1>(), "Period in milliseconds (default: 1)";
//!     name: Name = Name::new("ticker"), "Name of the thread (default: ticker)";
//! }
//!
//! let period = Delta::from_millis(parameters::period_ms.value().get());
//! ```
//!
//! C header: [`include/linux/moduleparam.h`](srctree/include/linux/moduleparam.h)

mod name;
mod number;
mod operations;
mod priority;
mod value;

#[doc(hidden)]
pub use self::operations::{
    describe,
    modinfo, //
};
#[doc(hidden)]
pub use kernel::module_param::KernelParam;

pub use self::{
    name::Name,
    number::Number,
    value::Value, //
};

use kernel::sync::SetOnce;

/// A parameter of a module. [`parameters!`] makes it.
pub struct Parameter<T> {
    given: SetOnce<T>,
    default: T,
}

impl<T: Value> Parameter<T> {
    #[doc(hidden)]
    pub const fn new(default: T) -> Self {
        Self {
            given: SetOnce::new(),
            default,
        }
    }

    /// What the user gave when the module was loaded, or else the default.
    pub fn value(&self) -> T {
        self.given.copy().unwrap_or(self.default)
    }
}

/// Declares the parameters of a module, in a room `parameters`, beside its `module!`.
///
/// Each is `name: type = default, "description";`, where the type is a [`Value`].
#[macro_export]
// The module whose parameters they are is that in which the macro is used.
#[allow(clippy::crate_in_macro_def)]
macro_rules! parameters {
    ($($name:ident: $type:ty = $default:expr, $description:literal;)*) => {
        /// The parameters of the module.
        mod parameters {
            #[allow(unused_imports)]
            use super::*;

            $(
                #[doc = $description]
                #[allow(non_upper_case_globals)]
                pub(crate) static $name: $crate::Parameter<$type> =
                    $crate::Parameter::new($default);

                const _: () = {
                    #[link_section = "__param"]
                    #[used]
                    static PARAMETER: $crate::KernelParam =
                        $crate::describe::<$type, crate::LocalModule>(
                            &$name,
                            concat!(stringify!($name), "\0"),
                        );

                    const TYPE: &str =
                        concat!("parmtype=", stringify!($name), ":", stringify!($type), "\0");
                    #[link_section = ".modinfo"]
                    #[used]
                    static MODINFO_TYPE: [u8; TYPE.len()] = $crate::modinfo(TYPE);

                    const TEXT: &str = concat!("parm=", stringify!($name), ":", $description, "\0");
                    #[link_section = ".modinfo"]
                    #[used]
                    static MODINFO_TEXT: [u8; TEXT.len()] = $crate::modinfo(TEXT);
                };
            )*
        }
    };
}
