// SPDX-License-Identifier: GPL-2.0

//! Which modules have a net, and which it is.

use crate::{
    net::Net,
    sys, //
};
use core::cell::UnsafeCell;
use kernel::{
    prelude::*,
    sync::{
        lock::{
            mutex::MutexBackend,
            Lock, //
        },
        Arc, //
    }, //
};

/// The nets of all modules that use this copy of the library.
struct Nets(UnsafeCell<KVec<Arc<Net>>>);

// SAFETY: The vector is only touched under the lock, see `with_nets`, by whichever thread holds
// that: what is in it may be used and dropped by any thread, as `Arc<Net>` is `Send`.
unsafe impl Sync for Nets {}

static NETS: Nets = Nets(UnsafeCell::new(KVec::new()));

/// Calls `f` on the list of nets, under its lock.
fn with_nets<R>(f: impl FnOnce(&mut KVec<Arc<Net>>) -> R) -> R {
    // SAFETY: The helper returns a static mutex, initialised at compile time.
    let lock = unsafe { Lock::<(), MutexBackend>::from_raw(sys::threadline_nets_lock()) };
    let _guard = lock.lock();
    // SAFETY: This is the only place that touches the vector, and the lock is held. No `f` below
    // calls `with_nets` again: it would wait for the lock.
    f(unsafe { &mut *NETS.0.get() })
}

/// Puts a net under the module. [`EBUSY`] if there is one already.
#[inline(never)]
pub(crate) fn spread(module: &'static ThisModule) -> Result<Arc<Net>> {
    let net = Net::new(module.as_ptr().addr())?;
    with_nets(|nets| {
        if nets.iter().any(|other| other.module() == net.module()) {
            return Err(EBUSY);
        }
        nets.push(net.clone(), GFP_KERNEL)?;
        Ok(net)
    })
}

/// The net under the module, or [`ENODEV`].
#[inline(never)]
pub(crate) fn under(module: &'static ThisModule) -> Result<Arc<Net>> {
    let module = module.as_ptr().addr();
    with_nets(|nets| nets.iter().find(|net| net.module() == module).cloned()).ok_or(ENODEV)
}

/// Takes the net away from under its module, whose threads are gone after that.
///
/// The caller is none of them, as what loads and unloads modules is a task of user space.
#[inline(never)]
pub(crate) fn take_away(net: &Net) {
    net.close();
    with_nets(|nets| {
        nets.retain(|other| !core::ptr::eq(&**other, net));
        if nets.is_empty() {
            // Nothing drops a static when the module goes: leave no memory in it.
            *nets = KVec::new();
        }
    });
}

/// Whether the address is in the memory of the module, in that part which stays until the module
/// is gone. A module that is built in has no such memory, and never goes: any address will do.
#[inline(never)]
pub(crate) fn is_within<T>(module: &'static ThisModule, address: *const T) -> bool {
    let module = module.as_ptr();
    // SAFETY: A `ThisModule` that is not NULL is that of a module which the caller is part of, or
    // stands on, so it is loaded. The address is only compared.
    module.is_null() || unsafe { sys::threadline_within_module(module.cast(), address.cast()) }
}
