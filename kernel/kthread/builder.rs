// SPDX-License-Identifier: GPL-2.0

//! Starting a thread.

use crate::{
    affinity::Affinity,
    block::{
        Block,
        Joinable, //
    },
    error::{
        Error,
        Result, //
    },
    member::Member,
    priority::Priority,
    scope::Scope,
    stop::Stop,
    task::Kthread,
    thread::Thread, //
};
use kernel::{
    cpu::CpuId,
    cpumask::Cpumask,
    fmt,
    time::Delta, //
};

/// What a thread is to be like, before it exists.
///
/// # Examples
///
/// ```
/// # use kernel::prelude::*;
/// # use kthread::{Scope, Stop};
/// # struct Device;
/// # impl Device {
/// #     fn upload(&self, stop: &Stop) -> kthread::Result {
/// #         Ok(stop.check()?)
/// #     }
/// # }
/// # fn example(scope: &Scope, device: Device, path: &str) -> Result {
/// let upload = kthread::Builder::new(fmt!("speedtch/{}", path))
///     .spawn(scope, move |stop| device.upload(stop))?;
/// # Ok(())
/// # }
/// ```
///
/// One that lives beside its device, and says so soon if a stop of it takes long:
///
/// ```
/// # use kernel::{prelude::*, time::Delta};
/// # use kthread::{Scope, Stop};
/// # struct Adc;
/// # impl Adc {
/// #     fn poll(&self, stop: &Stop) -> kthread::Result {
/// #         Ok(stop.check()?)
/// #     }
/// # }
/// # fn example(scope: &Scope, adc: Adc, channel: u32, node: u32) -> Result {
/// let poll = kthread::Builder::new(fmt!("adc/{}", channel))
///     .fifo_low()
///     .on_node(node)
///     .report_after(Delta::from_secs(1))
///     .spawn(scope, move |stop| adc.poll(stop))?;
/// # Ok(())
/// # }
/// ```
#[must_use = "a builder does nothing before `spawn`"]
pub struct Builder<'a> {
    name: fmt::Arguments<'a>,
    priority: Option<Priority>,
    affinity: Affinity<'a>,
    report_after: Option<Delta>,
    pub(crate) freezable: bool,
}

impl<'a> Builder<'a> {
    /// A thread of the given name, of normal priority.
    ///
    /// The kernel keeps all of it. User space sees the first 63 bytes, in `/proc/PID/comm`, `stat`
    /// and `status`, and `ps` what it takes from there; the kernel's own log and traces show the
    /// first 15.
    pub fn new(name: fmt::Arguments<'a>) -> Self {
        Self {
            name,
            priority: None,
            affinity: Affinity::Anywhere,
            report_after: None,
            freezable: false,
        }
    }

    /// Gives it the priority.
    pub fn priority(mut self, priority: Priority) -> Self {
        self.priority = Some(priority);
        self
    }

    /// Gives it [`Priority::Fifo`].
    pub fn fifo(self) -> Self {
        self.priority(Priority::Fifo)
    }

    /// Gives it [`Priority::FifoLow`].
    pub fn fifo_low(self) -> Self {
        self.priority(Priority::FifoLow)
    }

    /// Gives it [`Priority::Nice`].
    pub fn nice(self, level: i32) -> Self {
        self.priority(Priority::Nice(level))
    }

    /// Runs it on this CPU only; user space can't move it. Its stack is in the memory nearest to
    /// that, as long as there is room.
    ///
    /// [`Self::spawn`] fails with `ENXIO` if the CPU is offline. If it goes offline later, the
    /// kernel lets the thread run elsewhere, for good. See `kthread_bind()`.
    ///
    /// A thread has one place: this, [`Self::on_cpus`] or [`Self::on_node`], whichever comes last.
    pub fn on_cpu(mut self, cpu: CpuId) -> Self {
        self.affinity = Affinity::Cpu(cpu);
        self
    }

    /// Runs it on these CPUs, less those that the system's owner has isolated from the kernel's
    /// work; on the kernel's other CPUs only while none of these is online. User space may move it.
    ///
    /// [`Self::spawn`] fails with `ENXIO` if none of them is online at that time. See
    /// `kthread_affine_preferred()`.
    pub fn on_cpus(mut self, cpus: &'a Cpumask) -> Self {
        self.affinity = Affinity::Cpus(cpus);
        self
    }

    /// Runs it on the CPUs of this NUMA node; otherwise as [`Self::on_cpus`]. Its stack and its
    /// task are in the node's memory, as long as there is room; what the body allocates comes from
    /// where it runs, as for any thread.
    ///
    /// On a node without CPUs it is the memory alone that the node decides.
    ///
    /// [`Self::spawn`] fails with `ENXIO` if there is no such node, or if it is offline. See
    /// `kthread_create_on_node()`.
    pub fn on_node(mut self, node: u32) -> Self {
        self.affinity = Affinity::Node(node);
        self
    }

    /// Has a stop reported that takes longer than the given time, each time that this has passed
    /// again: the log then names the thread, and the line in which it waits. By default that is
    /// so after ten seconds; it may be some of the kernel's timer ticks late.
    ///
    /// The time is counted from when the thread is first asked to stop, whether anybody waits for
    /// it or not. Nothing else depends on it.
    pub fn report_after(mut self, time: Delta) -> Self {
        self.report_after = Some(time);
        self
    }

    /// Has it stand still while the machine sleeps, from before its devices are suspended until
    /// they have been resumed. By default a thread runs on, as long as a CPU does.
    ///
    /// It stands still in a wait of [`Stop`], without noticing: what it waits for is there
    /// afterwards, or the time is over; ticks that it did not see are
    /// [missed](crate::Tick::missed). A stop that comes meanwhile is carried out when the machine
    /// has woken up.
    ///
    /// So what runs on the way to sleep and back must not wait for such a thread, or the machine
    /// never gets there: the callbacks of suspend and resume, and with them the `disconnect` of a
    /// USB driver that has no such callbacks, which the USB core takes off its devices instead.
    ///
    /// Nor must the body hold a lock in a wait that such a callback takes: it stands still with it.
    ///
    /// The machine can't go to sleep while the body is in a long wait of the kernel's own, as in
    /// [`Stop::killable`], waits for a [`RtMutex`](crate::RtMutex), or stops another thread or a
    /// whole [`Scope`], which lasts as long as those do. See `set_freezable()`.
    ///
    /// # Examples
    ///
    /// ```
    /// # use kernel::{cpu::CpuId, prelude::*};
    /// # use kthread::{Builder, Scope, Stop, Thread};
    /// # struct Journal;
    /// # impl Journal {
    /// #     fn write_back(&mut self, stop: &Stop) -> kthread::Result {
    /// #         Ok(stop.check()?)
    /// #     }
    /// # }
    /// # fn example(scope: &Scope, mut journal: Journal, cpu: CpuId) -> Result<Thread<()>> {
    /// // Writes to a disk, which is away while the machine sleeps.
    /// Builder::new(fmt!("journal"))
    ///     .nice(5)
    ///     .on_cpu(cpu)
    ///     .freezable()
    ///     .spawn(scope, move |stop| journal.write_back(stop))
    /// # }
    /// ```
    pub fn freezable(mut self) -> Self {
        self.freezable = true;
        self
    }

    /// Starts the thread: it calls `body` once, unless it is stopped before it gets so far, in
    /// which case `body` is dropped by whoever waits for it.
    ///
    /// It belongs to `scope`, whose end is the thread's end at the latest.
    ///
    /// Sleeps. Fails with `ENOMEM`; with `EINTR` if the caller was killed meanwhile, or is a thread
    /// that has been asked to stop, in a [shield](crate::AnyStop::shield) too; with `ENODEV` if the
    /// scope is within one that has gone, or the module is on its way out; with `ENXIO` if the
    /// place where it should run is not there. `body` is dropped then.
    pub fn spawn<T, F>(self, scope: &Scope, body: F) -> kernel::error::Result<Thread<T>>
    where
        T: Send + 'static,
        F: FnOnce(&Stop) -> Result<T> + Send + 'static,
    {
        let net = scope.branch().net();
        net.sweep();

        let entry = Block::<Kthread, F, T>::run;
        // SAFETY: It may be called for the thread in such a block, which lives for as long, see
        // below.
        let host = unsafe { Kthread::new(entry, self.report_after, self.freezable) };
        let block = Block::new(host, scope.branch().clone(), body)?;
        // SAFETY: From here to `add` the task sleeps, and this function holds the block; if `add`
        // fails, it buries the task. After that the net's entry holds the block, until the task
        // is gone.
        let made = unsafe { block.create(&self) };
        if let Err(error) = made.and_then(|()| net.add(block.clone())) {
            let _ = block.stop();
            return Err(error);
        }
        block.host().wake();
        Ok(Thread::new(block))
    }

    /// Makes the task, as it is to be. It does not run yet.
    ///
    /// # Safety
    ///
    /// As for [`Kthread::create`].
    #[inline]
    pub(crate) unsafe fn make(&self, kthread: *const Kthread) -> kernel::error::Result {
        // SAFETY: By the safety requirements.
        unsafe { Kthread::create(kthread, &self.name, &self.affinity, self.priority) }
    }

    /// Starts the thread, and waits until its body has said that it is ready (see
    /// [`AnyStop::ready`](crate::AnyStop::ready)).
    ///
    /// If the body ends without a value before that, its error is returned, and the thread is
    /// gone; where it was stopped, that is `ECANCELED`. If the caller is killed or stopped while it
    /// waits, the thread is stopped, and it fails with `EINTR`, as [`Thread::wait_ready`] does.
    /// Otherwise as [`Self::spawn`].
    ///
    /// # Examples
    ///
    /// ```
    /// # use kernel::{prelude::*, time::Delta};
    /// # use kthread::{Builder, Scope, Stop, Thread};
    /// # struct Sensor;
    /// # impl Sensor {
    /// #     fn calibrate(&mut self, stop: &Stop) -> kthread::Result {
    /// #         Ok(stop.check()?)
    /// #     }
    /// #     fn sample(&mut self) {}
    /// # }
    /// # fn probe(scope: &Scope, mut sensor: Sensor) -> Result<Thread<()>> {
    /// // The probe fails with what the calibration fails with.
    /// Builder::new(fmt!("sensor")).spawn_ready(scope, move |stop: &Stop| {
    ///     sensor.calibrate(stop)?;
    ///     stop.ready();
    ///     loop {
    ///         stop.sleep(Delta::from_millis(100))?;
    ///         sensor.sample();
    ///     }
    /// })
    /// # }
    /// ```
    pub fn spawn_ready<T, F>(self, scope: &Scope, body: F) -> kernel::error::Result<Thread<T>>
    where
        T: Send + 'static,
        F: FnOnce(&Stop) -> Result<T> + Send + 'static,
    {
        let thread = self.spawn(scope, body)?;
        thread.wait_ready().map_err(Error::to_kernel)?;
        Ok(thread)
    }
}
