// SPDX-License-Identifier: GPL-2.0

//! Transfers that a thread makes and waits for.
//!
//! There is one way to do that, `run()`: submit an URB of our own, wait for it in a way that
//! a stop breaks, and kill the URB before anything is returned. So a transfer never outlives the
//! call, and a stop does not wait for a device that has nothing to say.
//!
//! C header: [`include/linux/usb.h`](srctree/include/linux/usb.h)

use crate::{
    copy,
    device::Device,
    endpoint::{
        BulkIn,
        BulkOut,
        Endpoint,
        InterruptIn,
        Pipe, //
    },
    urb::Urb, //
};
use core::{
    ptr,
    slice, //
};
use kernel::{
    bindings,
    prelude::*,
    time::Delta, //
};
use kthread::{
    AnyStop,
    Completion, //
};

/// The caller's memory, and which way the data goes.
pub(crate) enum Data<'a> {
    In(&'a mut [u8]),
    Out(&'a [u8]),
}

impl Data<'_> {
    fn len(&self) -> usize {
        match self {
            Data::In(bytes) => bytes.len(),
            Data::Out(bytes) => bytes.len(),
        }
    }
}

/// Makes one transfer and waits for it. A control transfer has a `setup` packet.
///
/// Returns the number of bytes moved. Sleeps.
///
/// # Errors
///
/// [`Stopped`](kthread::Error::Stopped) as soon as a stop is asked for; `ETIMEDOUT` if the device
/// did not answer in time; else the URB's own error, of which `EPIPE` is a stall and `ENODEV` or
/// `ESHUTDOWN` a device that is gone.
#[track_caller]
pub(crate) fn run(
    stop: &AnyStop,
    device: &Device,
    endpoint: &Endpoint,
    setup: Option<&mut bindings::usb_ctrlrequest>,
    data: Data<'_>,
    timeout: Delta,
) -> kthread::Result<usize> {
    stop.check()?;

    // The order matters: what is declared last is dropped first, and dropping the URB waits for
    // its handler, which uses the completion.
    pin_init::stack_pin_init!(let done = Completion::new());
    let done = &*done;
    let urb = Urb::new(device, data.len())?;

    if let Data::Out(bytes) = &data {
        // SAFETY: The URB is not in flight, and its buffer is as long as the data.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), urb.buffer(), bytes.len()) };
    }
    // SAFETY: The URB is not in flight. Its context is a completion, as `complete` wants it,
    // that lives until the URB is dropped. So does the setup packet, whose allocation is the
    // caller's and can be mapped for DMA.
    unsafe {
        urb.fill(endpoint, complete, ptr::from_ref(done).cast());
        urb.set_setup(setup.map_or(ptr::null_mut(), ptr::from_mut));
    }
    // SAFETY: Filled, and not in flight; the buffer is left alone until the URB is killed.
    unsafe { urb.submit(bindings::GFP_KERNEL) }?;

    let waited = stop.wait_timeout(done, timeout);
    // It may have ended at this very moment: what counts is how, once it can't change any more.
    urb.kill();
    let in_time = waited?;

    // SAFETY: Killed, so not in flight.
    let moved = unsafe { urb.result() }.map_err(|error| match error {
        ENOENT if !in_time => ETIMEDOUT,
        error => error,
    })?;
    if let Data::In(bytes) = data {
        // SAFETY: The URB is not in flight, its buffer is initialised, and `moved` is within it.
        copy(bytes, unsafe { slice::from_raw_parts(urb.buffer(), moved) });
    }
    Ok(moved)
}

/// Tells the waiter that the URB has ended.
///
/// # Safety
///
/// The context of `urb` is a valid [`Completion`].
unsafe extern "C" fn complete(urb: *mut bindings::urb) {
    // SAFETY: The caller's word.
    let done = unsafe { &*(*urb).context.cast::<Completion>() };
    done.complete();
}

impl Device {
    /// Reads from a bulk endpoint: as many bytes as fit into `data`, or less if the device ends
    /// with a short packet. Returns their number. Sleeps.
    ///
    /// # Errors
    ///
    /// [`Stopped`](kthread::Error::Stopped) as soon as a stop is asked for; `ETIMEDOUT` after
    /// `timeout`, in which case what came until then is lost; `EPIPE` if the endpoint is stalled,
    /// `EOVERFLOW` if the device sent more than asked for, `ENODEV` or `ESHUTDOWN` if it is gone.
    ///
    /// # Examples
    ///
    /// ```
    /// # use kernel::{device, prelude::*, time::Delta};
    /// # use kthread::AnyStop;
    /// # fn probe(interface: &usb::Interface<device::Core<'_>>) -> Result<usb::BulkIn> {
    /// let answers = interface.bulk_in(0, 0x81)?; // In `probe`.
    /// # Ok(answers)
    /// # }
    /// # fn body(stop: &AnyStop, device: &usb::Device, answers: usb::BulkIn) -> kthread::Result {
    /// # let mut block = [0; 64];
    /// // … on a thread:
    /// let length = device.bulk_in(stop, answers, &mut block, Delta::from_secs(2))?;
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn bulk_in(
        &self,
        stop: &AnyStop,
        pipe: BulkIn,
        data: &mut [u8],
        timeout: Delta,
    ) -> kthread::Result<usize> {
        run(stop, self, &pipe.endpoint(), None, Data::In(data), timeout)
    }

    /// Writes all of `data` to a bulk endpoint, in one transfer. Sleeps.
    ///
    /// [`Device::upload`] is the one for data of more than a few pages.
    ///
    /// # Errors
    ///
    /// Those of [`Device::bulk_in`]; after one it is not known how much arrived.
    #[track_caller]
    pub fn bulk_out(
        &self,
        stop: &AnyStop,
        pipe: BulkOut,
        data: &[u8],
        timeout: Delta,
    ) -> kthread::Result<usize> {
        run(stop, self, &pipe.endpoint(), None, Data::Out(data), timeout)
    }

    /// Waits for a packet on an interrupt endpoint, and returns its length. Sleeps.
    ///
    /// A device keeps its packet until it is asked for, so nothing is lost between two calls.
    ///
    /// # Errors
    ///
    /// Those of [`Device::bulk_in`].
    #[track_caller]
    pub fn interrupt_in(
        &self,
        stop: &AnyStop,
        pipe: InterruptIn,
        data: &mut [u8],
        timeout: Delta,
    ) -> kthread::Result<usize> {
        run(stop, self, &pipe.endpoint(), None, Data::In(data), timeout)
    }
}
