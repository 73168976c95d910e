// SPDX-License-Identifier: GPL-2.0

//! Threads that nobody waits for.
//!
//! A thread may go on after all that has started it is gone, if its code stays. So it holds a
//! reference to its module, and gives that back at the very end, from within the kernel: when the
//! module is allowed to go, the thread is in code that does not.
//!
//! C headers: [`include/linux/module.h`](srctree/include/linux/module.h),
//! [`include/linux/kthread.h`](srctree/include/linux/kthread.h)

use crate::{
    builder::Builder,
    error::{
        Error,
        Result, //
    },
    life::{
        Protocol,
        World, //
    },
    slot::Slot,
    stop::Stop,
    sys,
    task::Kthread, //
};
use kernel::{
    bindings,
    container_of,
    new_mutex,
    prelude::*,
    sync::{
        Arc,
        Mutex, //
    }, //
};

/// A thread that belongs to no scope, see [`Builder::spawn_detached`].
///
/// Dropping this has no effect on the thread. Through it, it can be asked to stop, and that is
/// all: to wait for a thread is to have one that belongs to a scope.
pub struct Detached(Arc<dyn Runner>);

impl Detached {
    /// Asks the thread to stop, and does not wait for it.
    ///
    /// All its waits return [`Stopped`](crate::Stopped) from now on. Never sleeps, so it may be
    /// called in atomic context.
    pub fn ask_stop(&self) {
        self.0.kthread().ask();
    }

    /// Whether the body has ended. The thread may still be on its way out.
    pub fn is_finished(&self) -> bool {
        self.0.kthread().life().is_ended()
    }

    /// The thread's process number, as `ps` shows it.
    pub fn pid(&self) -> i32 {
        self.0.kthread().pid()
    }
}

/// A detached thread with a body of any type.
trait Runner: Send + Sync {
    fn kthread(&self) -> &Kthread;
}

/// What a detached thread and its handle share: the thread, and its body until that runs.
#[pin_data]
struct Detachment<F> {
    #[pin]
    kthread: Kthread,
    module: &'static ThisModule,
    #[pin]
    body: Mutex<Slot<F, (), Error>>,
}

impl<F: Send> Runner for Detachment<F> {
    fn kthread(&self) -> &Kthread {
        &self.kthread
    }
}

impl<F> Detachment<F>
where
    F: FnOnce(&Stop) -> Result + Send + 'static,
{
    /// What the thread runs. It does not return, see [`Self::leave`].
    ///
    /// # Safety
    ///
    /// `kthread` must be that in what comes from [`Arc::into_raw`], and be called with once. The
    /// module must have been pinned for this thread.
    unsafe fn run(kthread: *const Kthread) {
        // SAFETY: By the safety requirements.
        let own = unsafe { Arc::from_raw(container_of!(kthread, Self, kthread)) };
        let module = own.module;

        own.kthread.run(|| own.work());
        // Asked before it began: nobody else will drop the body.
        let unrun = own.body.lock().settle(Error::Stopped);
        drop(unrun);
        drop(own);
        // SAFETY: By the safety requirements. Nothing is left to be dropped in this function.
        unsafe { Self::leave(module) }
    }

    fn work(&self) {
        let Some(body) = self.body.lock().begin() else {
            return;
        };
        // SAFETY: This is called by the thread only, and `stop` is gone before the thread is.
        let stop = unsafe { Stop::new(&self.kthread) };
        if let Err(Error::Failed(error)) = body(&stop) {
            pr_warn!("detached thread {} failed: {error:?}\n", self.kthread.pid());
        }
    }

    /// Ends the calling thread, and lets its module go.
    ///
    /// # Safety
    ///
    /// The caller must be a kernel thread for which the module has been pinned, and have nothing
    /// left to do or to drop.
    unsafe fn leave(module: &'static ThisModule) -> ! {
        // SAFETY: By the safety requirements: the reference is given back once, by code of the
        // kernel, which does not come back.
        unsafe { bindings::__module_put_and_kthread_exit(module.as_ptr(), 0) }
    }
}

/// A reference to a module, held for a thread that is being made.
struct Hold(&'static ThisModule);

impl Hold {
    fn new(module: &'static ThisModule) -> kernel::error::Result<Self> {
        // SAFETY: A `ThisModule` that is not NULL is that of a loaded module, which the caller is
        // part of or stands on.
        if unsafe { sys::threadline_pin_module(module.as_ptr().cast()) } {
            Ok(Self(module))
        } else {
            Err(ENODEV)
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        // SAFETY: The reference was taken by `new`, and the caller is code of the module, which
        // cannot go for that reason.
        unsafe { bindings::module_put(self.0.as_ptr()) };
    }
}

impl Builder<'_> {
    /// Starts a thread that nobody waits for: it calls `body` once, unless it is asked to stop
    /// before it gets so far.
    ///
    /// It belongs to no scope, and may outlive everything but the module: until its body has
    /// returned, `rmmod` fails with `EAGAIN`. So it is for work that comes to an end by itself, or
    /// whose [`Detached`] is kept. `module` is that which holds the code of the body, or one that
    /// depends on it. A forced unload, which taints the kernel, does not heed this.
    ///
    /// An error of the body goes to the log. [`Builder::report_after`] has no effect.
    ///
    /// Sleeps. Fails as [`Self::spawn`] does, and with `ENODEV` unless the module is loaded and
    /// stays: its init must have returned, since a module whose init fails goes at once, whoever
    /// holds a reference to it.
    ///
    /// # Examples
    ///
    /// ```
    /// # use kernel::prelude::*;
    /// # use kthread::{Builder, Stop};
    /// # struct Report;
    /// # impl Report {
    /// #     fn write(&self, stop: &Stop) -> kthread::Result {
    /// #         Ok(stop.check()?)
    /// #     }
    /// # }
    /// # fn example(module: &'static ThisModule, report: Report) -> Result {
    /// // The last one out writes the statistics, which may take a while.
    /// Builder::new(fmt!("report")).spawn_detached(module, move |stop| report.write(stop))?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn spawn_detached<F>(
        self,
        module: &'static ThisModule,
        body: F,
    ) -> kernel::error::Result<Detached>
    where
        F: FnOnce(&Stop) -> Result + Send + 'static,
    {
        let hold = Hold::new(module)?;
        // SAFETY: It may be called for the thread, and keeps it alive by itself.
        let kthread = unsafe { Kthread::new(Detachment::<F>::run, None, self.freezable) };
        let thread = Arc::pin_init(
            pin_init!(Detachment {
                kthread <- kthread,
                module,
                body <- new_mutex!(Slot::Waiting(body), "kthread::Detachment::body"),
            }),
            GFP_KERNEL,
        )?;
        let data = Arc::into_raw(thread.clone());
        // SAFETY: `run` takes such a pointer, and owns it from the wake-up on.
        let made = unsafe { self.make(&raw const (*data).kthread) };
        if let Err(error) = made {
            // It does not run, and never will.
            thread.kthread.bury();
            // SAFETY: It comes from there, and nobody else has it.
            drop(unsafe { Arc::from_raw(data) });
            return Err(error);
        }
        // The thread has it from here on, and gives it back.
        core::mem::forget(hold);
        thread.kthread.wake();
        Ok(Detached(thread))
    }
}
