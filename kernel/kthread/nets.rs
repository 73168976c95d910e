// SPDX-License-Identifier: GPL-2.0

//! Which modules have a net, and the root of the scopes over it.

use crate::{
    branch::Branch,
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

/// The nets of all modules that use this copy of the library, by the roots of their scopes.
struct Nets(UnsafeCell<KVec<Arc<Branch>>>);

// SAFETY: The vector is only touched under the lock, see `with_nets`, by whichever thread holds
// that: what is in it may be used and dropped by any thread, as `Arc<Branch>` is `Send`.
unsafe impl Sync for Nets {}

static NETS: Nets = Nets(UnsafeCell::new(KVec::new()));

/// Calls `f` on the list of nets, under its lock.
fn with_nets<R>(f: impl FnOnce(&mut KVec<Arc<Branch>>) -> R) -> R {
    // SAFETY: The helper returns a static mutex, initialised at compile time.
    let lock = unsafe { Lock::<(), MutexBackend>::from_raw(sys::threadline_nets_lock()) };
    let _guard = lock.lock();
    // SAFETY: This is the only place that touches the vector, and the lock is held. No `f` below
    // calls `with_nets` again: it would wait for the lock.
    f(unsafe { &mut *NETS.0.get() })
}

/// Puts a net under the module, and returns the root. [`EBUSY`] if there is one already.
#[inline(never)]
pub(crate) fn spread(module: &'static ThisModule) -> Result<Arc<Branch>> {
    let module = module.as_ptr().addr();
    let root = Branch::root(Net::new(module)?)?;
    with_nets(|nets| {
        if nets.iter().any(|other| other.net().module() == module) {
            return Err(EBUSY);
        }
        Ok(nets.push(root.clone(), GFP_KERNEL)?)
    })?;
    // Where it was refused, it has been dropped here, and not under the lock: its lookout's timer
    // is waited for.
    Ok(root)
}

/// The root over the net under the module, or [`ENODEV`].
#[inline(never)]
pub(crate) fn under(module: &'static ThisModule) -> Result<Arc<Branch>> {
    let module = module.as_ptr().addr();
    with_nets(|nets| {
        nets.iter()
            .find(|root| root.net().module() == module)
            .cloned()
    })
    .ok_or(ENODEV)
}

/// Takes the net away from under its module, whose threads are gone after that.
///
/// The caller is none of them, as what loads and unloads modules is a task of user space.
#[inline(never)]
pub(crate) fn take_away(root: &Branch) {
    root.net().close(root);
    // After the threads, which might start some.
    root.net().leftovers().end();
    // Its function is in the module, or in one that this one keeps.
    root.net().lookout().end();
    with_nets(|nets| {
        nets.retain(|other| !core::ptr::eq(&**other, root));
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
