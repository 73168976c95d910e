// SPDX-License-Identifier: GPL-2.0

//! Who answers for the end of a thread.

use crate::{
    branch::Branch,
    leftover::{
        Leftover,
        LookedAfter, //
    },
    nets, //
};
use core::{
    marker::PhantomPinned,
    ops::Deref, //
};
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// What a group of threads belongs to: a device, usually.
///
/// Dropping it stops and joins all its threads that are not gone: it asks all of them first, so
/// it takes as long as the slowest. Put it into the device's private data, *before* the fields
/// that the threads use.
///
/// A part of the work that is to end earlier gets a scope within the scope, see [`Self::nested`].
/// What is said here of a scope's threads is said of those of its nested scopes, too.
///
/// A scope may be leaked. Its threads are then stopped and joined by the scope around it, at last
/// by the [`ModuleScope`], which has to exist before the first scope is made.
///
/// A thread that drops its own scope, or one around it, can't wait for itself, nor for those who
/// wait for it: they are asked to stop, and left to the [`ModuleScope`].
///
/// Making, using and dropping a scope may sleep. Whoever drops it must not hold a lock that one of
/// its threads is about to take.
pub struct Scope {
    branch: Arc<Branch>,
}

impl Scope {
    /// Makes a scope for threads of the given module: that which holds the code of their bodies,
    /// or one that depends on it. Of another's, the threads of a leaked scope would outlive their
    /// code.
    ///
    /// Fails with [`ENODEV`] if the module has no [`ModuleScope`], or with [`ENOMEM`].
    pub fn new(module: &'static ThisModule) -> Result<Self> {
        let root = nets::under(module)
            .inspect_err(|_| pr_err!("a module without a ModuleScope can't have threads\n"))?;
        Ok(Self {
            branch: root.fork()?,
        })
    }

    /// Makes a scope within this one, which may be dropped before it or after.
    ///
    /// A stop of this one stops the threads of the other too: all are asked before the first is
    /// waited for, whichever of the two they belong to. Once this one has been dropped, no threads
    /// can be started in the other any more.
    ///
    /// Scopes nest 16 deep, not counting the [`ModuleScope`]: one more fails with [`EINVAL`]. Fails
    /// also with [`ENOMEM`].
    ///
    /// # Examples
    ///
    /// ```
    /// # use kernel::prelude::*;
    /// # use kthread::{Builder, Scope, Stop};
    /// # struct Hub {
    /// #     threads: Scope,
    /// # }
    /// # fn example(hub: &Hub, poll: fn(&Stop) -> kthread::Result) -> Result {
    /// // A modem on a hub: its line goes down without it, and it goes with the hub.
    /// let modem = hub.threads.nested()?;
    /// let line = modem.nested()?;
    /// let poll = Builder::new(fmt!("poll")).spawn(&line, poll)?;
    /// hub.threads.stop(); // `poll` is gone.
    /// # Ok(())
    /// # }
    /// ```
    pub fn nested(&self) -> Result<Self> {
        Ok(Self {
            branch: self.branch.fork()?,
        })
    }

    pub(crate) fn branch(&self) -> &Arc<Branch> {
        &self.branch
    }

    /// Asks all threads of this scope to stop, and does not wait for them.
    pub fn ask_stop(&self) {
        self.branch.net().ask(&self.branch);
    }

    /// How many of its threads are not gone yet. A thread that has ended counts until somebody
    /// has waited for it.
    pub fn live(&self) -> usize {
        self.branch.net().count(&self.branch)
    }

    /// Has something that is no thread ended together with the scope's *module*, at the latest, if
    /// what is returned is still there by then: leaked, that is. Sleeps.
    ///
    /// Its owner ends it earlier, as a rule, and drops what is returned. A stop of the scope does
    /// not touch it.
    ///
    /// Fails with [`ENODEV`] once the [`ModuleScope`] has been dropped, or with [`ENOMEM`].
    pub fn look_after(&self, leftover: Arc<dyn Leftover>) -> Result<LookedAfter> {
        LookedAfter::new(self.branch.net(), leftover)
    }

    /// Stops and joins all threads of this scope, those too that they or others start meanwhile.
    /// New ones may be started after that.
    ///
    /// Asks all of them before it waits for the first.
    ///
    /// # Examples
    ///
    /// ```
    /// # use kernel::prelude::*;
    /// # use kthread::{Builder, Scope, Stop};
    /// # struct Port {
    /// #     threads: Scope,
    /// # }
    /// # impl Port {
    /// #     fn write_registers(&self) {}
    /// # }
    /// # fn reset(port: &Port, poll: fn(&Stop) -> kthread::Result) -> Result {
    /// // Nobody else is at the port's registers meanwhile.
    /// port.threads.stop();
    /// port.write_registers();
    /// Builder::new(fmt!("poll")).spawn(&port.threads, poll)?.leave();
    /// # Ok(())
    /// # }
    /// ```
    pub fn stop(&self) {
        self.branch.net().clear(&self.branch);
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        self.branch.net().close(&self.branch);
    }
}

/// The scope of a whole module, within which all its other scopes are.
///
/// It is a field of the type that `module!` is given, and a [`Scope`] itself, for threads that
/// serve the module as a whole; a [`Scope::stop`] of it stops all that the module has. When it is
/// dropped, no thread of the module is left, no matter what has been leaked, and no new one can be
/// started; nor is any [`Leftover`]. After that the module's code may go.
///
/// That it is dropped is the one thing that is left to the module's author: don't wrap it in
/// [`MaybeUninit`](core::mem::MaybeUninit), which drops nothing. The same is true of all
/// registrations of the kernel crate.
///
/// # Examples
///
/// ```
/// # use kernel::{device, driver, platform, prelude::*};
/// # use kthread::ModuleScope;
/// # struct MyDriver;
/// # impl platform::Driver for MyDriver {
/// #     type IdInfo = ();
/// #     type Data<'bound> = Self;
/// #     fn probe<'bound>(
/// #         _device: &'bound platform::Device<device::Core<'_>>,
/// #         _info: Option<&'bound ()>,
/// #     ) -> impl PinInit<Self, Error> + 'bound {
/// #         Ok(Self)
/// #     }
/// # }
/// #[pin_data]
/// struct MyModule {
///     #[pin]
///     registration: driver::Registration<platform::Adapter<MyDriver>>,
///     #[pin]
///     threads: ModuleScope,
/// }
///
/// impl kernel::InPlaceModule for MyModule {
///     fn init(module: &'static ThisModule) -> impl PinInit<Self, Error> {
///         try_pin_init!(Self {
///             // First in, so that the driver can start threads; last out.
///             threads <- ModuleScope::new(module),
///             registration <- driver::Registration::new(c"my_driver", module),
///         })
///     }
/// }
/// ```
///
/// # Invariants
///
/// It lies in the memory of the module whose root it holds, in that part which stays as long as the
/// code does: nobody can leak or free it. What is initialised in place there is dropped by the
/// module's exit, or by its init that fails, unless a wrapper holds that back (see above).
#[pin_data(PinnedDrop)]
pub struct ModuleScope {
    scope: Scope,
    #[pin]
    _pin: PhantomPinned,
}

impl ModuleScope {
    /// Makes the scope of the given module, in place.
    ///
    /// Fails with [`EINVAL`] where the place is not in the module's own memory: `module!`
    /// provides that for the module's type and its fields. Fails with [`EBUSY`] if the module has
    /// one already, or with [`ENOMEM`]. May sleep.
    pub fn new(module: &'static ThisModule) -> impl PinInit<Self, Error> {
        // INVARIANT: The address was checked.
        try_pin_init!(&this in Self {
            scope: Self::scope_at(module, this.as_ptr())?,
            _pin: PhantomPinned,
        })
    }

    fn scope_at(module: &'static ThisModule, place: *const Self) -> Result<Scope> {
        if !nets::is_within(module, place) {
            return Err(EINVAL);
        }
        Ok(Scope {
            branch: nets::spread(module)?,
        })
    }
}

impl Deref for ModuleScope {
    type Target = Scope;

    fn deref(&self) -> &Scope {
        &self.scope
    }
}

#[pinned_drop]
impl PinnedDrop for ModuleScope {
    fn drop(self: Pin<&mut Self>) {
        nets::take_away(&self.scope.branch);
    }
}
