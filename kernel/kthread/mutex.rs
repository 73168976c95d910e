// SPDX-License-Identifier: GPL-2.0

//! A mutex with priority inheritance.
//!
//! Threads of different priority that share a lock can be turned upside down: one of high priority
//! waits for one of low priority, which holds the lock and does not get to run, because one of
//! middle priority does. So the middle one keeps the high one waiting, for as long as it likes.
//! Here the holder inherits the priority of the most urgent thread that waits for it, for as long
//! as it holds the lock, also by way of further locks and their holders.

use crate::{
    anystop::AnyStop,
    clock::{
        self,
        NEVER, //
    },
    error::Stopped,
    sys, //
};
use kernel::{
    bindings,
    ffi::c_char,
    sync::lock::{
        Backend,
        Guard,
        Lock, //
    },
    time::Delta, //
};

/// A mutex whose holder runs at the priority of the most urgent thread that waits for it.
///
/// To be used where threads of different [priority](crate::Priority) share data. Otherwise the
/// kernel crate's `Mutex` costs less: this one is never spun for, and is handed over in the order
/// of priority. It is a [`Lock`] as that one is, with the same methods and the same guard, and it
/// is made in place, by [`new_rt_mutex!`](crate::new_rt_mutex).
///
/// A body locks it through [`AnyStop::lock`], so that a stop breaks the wait. [`lock`](Lock::lock)
/// sleeps too, but can't be broken; [`try_lock`](Lock::try_lock) doesn't sleep, but must not be
/// called in an interrupt, since the holder has to be a thread.
///
/// A thread that locks it twice waits for itself: through an `AnyStop` until the limit or a stop
/// comes, which the log tells of, and else for ever. Of threads that wait for each other in a ring,
/// the kernel finds the last, warns, and keeps it for ever; no limit helps there, and no stop.
///
/// C header: [`include/linux/rtmutex.h`](srctree/include/linux/rtmutex.h)
///
/// # Examples
///
/// ```
/// # use kernel::{prelude::*, sync::Arc};
/// # use kthread::RtMutex;
/// # struct Registers;
/// # impl Registers {
/// #     fn new() -> Self {
/// #         Self
/// #     }
/// #     fn reset(&mut self) {}
/// # }
/// #[pin_data]
/// struct Line {
///     #[pin]
///     registers: RtMutex<Registers>,
/// }
///
/// let line = Arc::pin_init(
///     pin_init!(Line { registers <- kthread::new_rt_mutex!(Registers::new()) }),
///     GFP_KERNEL,
/// )?;
/// line.registers.lock().reset();
/// # Ok::<(), Error>(())
/// ```
pub type RtMutex<T> = Lock<T, RtMutexBackend>;

/// What locks an [`RtMutex`], and unlocks it when it is dropped.
pub type RtMutexGuard<'a, T> = Guard<'a, T, RtMutexBackend>;

/// Makes an initialiser of an [`RtMutex`] with a lock class of its own, for lockdep.
///
/// Takes the value that the mutex guards, and a name, if it should not be that of the source line.
#[macro_export]
macro_rules! new_rt_mutex {
    ($inner:expr $(, $name:literal)? $(,)?) => {
        $crate::RtMutex::new(
            $inner, ::kernel::optional_name!($($name)?), ::kernel::static_lock_class!())
    };
}

/// The backend of an [`RtMutex`]: the kernel's `struct rt_mutex`.
pub struct RtMutexBackend;

// SAFETY: A `struct rt_mutex` has one owner at a time. The default `relock` calls `lock`, which is
// the one way to lock it: how `Stop` waits for it makes no difference to the state it is in.
unsafe impl Backend for RtMutexBackend {
    type State = bindings::rt_mutex;
    type GuardState = ();

    #[inline(never)]
    unsafe fn init(ptr: *mut Self::State, name: *const c_char, key: *mut bindings::lock_class_key) {
        // SAFETY: `ptr` is valid for writes, and the others are valid for ever, by the safety
        // requirements.
        unsafe { bindings::__rt_mutex_init(ptr, name, key) }
    }

    #[inline(never)]
    unsafe fn lock(ptr: *mut Self::State) -> Self::GuardState {
        // SAFETY: Initialised, by the safety requirements; callers may sleep.
        unsafe { sys::threadline_rt_mutex_lock(ptr.cast()) };
    }

    #[inline(never)]
    unsafe fn unlock(ptr: *mut Self::State, (): &Self::GuardState) {
        // SAFETY: The caller is the owner, by the safety requirements.
        unsafe { bindings::rt_mutex_unlock(ptr) };
    }

    #[inline(never)]
    unsafe fn try_lock(ptr: *mut Self::State) -> Option<Self::GuardState> {
        // SAFETY: Initialised, by the safety requirements.
        (unsafe { bindings::rt_mutex_trylock(ptr) } != 0).then_some(())
    }

    #[inline(never)]
    unsafe fn assert_is_held(ptr: *mut Self::State) {
        // SAFETY: Initialised, by the safety requirements.
        unsafe { sys::threadline_rt_mutex_assert_held(ptr.cast()) };
    }
}

impl AnyStop {
    /// Locks the mutex, as soon as nobody else holds it.
    ///
    /// # Examples
    ///
    /// ```
    /// # use kthread::{AnyStop, RtMutex};
    /// # struct Registers;
    /// # impl Registers {
    /// #     fn reset(&mut self) {}
    /// # }
    /// # struct Line {
    /// #     registers: RtMutex<Registers>,
    /// # }
    /// # fn body(stop: &AnyStop, line: &Line) -> kthread::Result {
    /// stop.lock(&line.registers)?.reset(); // `Stopped` at once when the owner asks for it.
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn lock<'a, T: ?Sized>(
        &self,
        mutex: &'a RtMutex<T>,
    ) -> Result<RtMutexGuard<'a, T>, Stopped> {
        loop {
            if let Some(guard) = self.lock_by(mutex, NEVER)? {
                return Ok(guard);
            }
        }
    }

    /// Locks the mutex, if that takes no longer than the given time: nothing otherwise.
    ///
    /// # Examples
    ///
    /// ```
    /// # use kernel::time::Delta;
    /// # use kthread::{AnyStop, RtMutex};
    /// # fn body(stop: &AnyStop, counters: &RtMutex<u64>) -> kthread::Result {
    /// // It can be counted the next time as well.
    /// if let Some(mut counters) = stop.lock_timeout(counters, Delta::from_millis(1))? {
    ///     *counters += 1;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn lock_timeout<'a, T: ?Sized>(
        &self,
        mutex: &'a RtMutex<T>,
        time: Delta,
    ) -> Result<Option<RtMutexGuard<'a, T>>, Stopped> {
        self.lock_by(mutex, clock::after(time))
    }

    #[track_caller]
    fn lock_by<'a, T: ?Sized>(
        &self,
        mutex: &'a RtMutex<T>,
        until: i64,
    ) -> Result<Option<RtMutexGuard<'a, T>>, Stopped> {
        let raw = core::ptr::from_ref(mutex)
            .cast::<bindings::rt_mutex>()
            .cast_mut();
        // SAFETY: A `Lock` is `repr(C)`, and begins with an `Opaque` of its backend's state, which
        // is initialised.
        let locked = unsafe { self.lock_raw(raw, until)? };
        // SAFETY: The lock was just acquired, and the state of a guard is nothing.
        Ok(locked.then(|| unsafe { Guard::new(mutex, ()) }))
    }

    /// # Safety
    ///
    /// `mutex` must be initialised.
    #[inline(never)]
    #[track_caller]
    unsafe fn lock_raw(&self, mutex: *mut bindings::rt_mutex, until: i64) -> Result<bool, Stopped> {
        self.wait_by(until, |until| {
            // SAFETY: By the safety requirements; callers may sleep.
            let locked = unsafe { sys::threadline_rt_mutex_lock_until(mutex.cast(), until) };
            if until != NEVER {
                // The limit comes as a signal, perhaps too late to be of use.
                self.broken();
            }
            locked
        })
    }
}
