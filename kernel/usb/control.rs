// SPDX-License-Identifier: GPL-2.0

//! Control requests, and the choice of an alternate setting.
//!
//! C header: [`include/linux/usb.h`](srctree/include/linux/usb.h)

use crate::{
    device::Device,
    endpoint::Endpoint,
    transfer::{
        self,
        Data, //
    }, //
};
use kernel::{
    bindings,
    error::to_result,
    prelude::*,
    time::Delta, //
};
use kthread::AnyStop;

/// What a control transfer asks of a device: its setup packet but for the length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// Direction, type and recipient: `bmRequestType`.
    pub request_type: u8,
    /// What is asked for: `bRequest`.
    pub request: u8,
    /// The request's parameter: `wValue`.
    pub value: u16,
    /// The interface or endpoint, or another parameter: `wIndex`.
    pub index: u16,
}

impl Request {
    /// Chooses an alternate setting of an interface; see USB 2.0, 9.4.10.
    fn set_interface(number: u8, alternate: u8) -> Self {
        Self {
            request_type: bindings::USB_RECIP_INTERFACE as u8,
            request: bindings::USB_REQ_SET_INTERFACE as u8,
            value: alternate.into(),
            index: number.into(),
        }
    }

    fn is_in(&self) -> bool {
        u32::from(self.request_type) & bindings::USB_DIR_IN != 0
    }

    /// Makes the transfer.
    #[track_caller]
    fn run(
        &self,
        stop: &AnyStop,
        device: &Device,
        data: Data<'_>,
        length: usize,
        timeout: Delta,
    ) -> kthread::Result<usize> {
        let length = u16::try_from(length).map_err(|_| EINVAL)?;
        // A transfer without data goes towards the device, whatever the request says.
        let direction = if length > 0 { self.request_type } else { 0 };
        let mut setup = KBox::new(
            bindings::usb_ctrlrequest {
                bRequestType: self.request_type,
                bRequest: self.request,
                wValue: self.value.to_le(),
                wIndex: self.index.to_le(),
                wLength: length.to_le(),
            },
            GFP_KERNEL,
        )?;
        let endpoint = Endpoint::control(direction);
        transfer::run(stop, device, &endpoint, Some(&mut setup), data, timeout)
    }
}

impl Device {
    /// Asks the device for data, and returns how many bytes it gave. Sleeps.
    ///
    /// # Errors
    ///
    /// `EINVAL` if the request is not one towards the host, or `data` is longer than 65,535
    /// bytes; `EPIPE` if the device refuses; [`Stopped`](kthread::Error::Stopped) as soon as a
    /// stop is asked for; `ETIMEDOUT` after `timeout`; `ENODEV` or `ESHUTDOWN` if the device is
    /// gone. An answer that is too short is none: compare the number.
    ///
    /// # Examples
    ///
    /// ```
    /// # use kernel::{prelude::*, time::Delta};
    /// # use kthread::AnyStop;
    /// # fn query(stop: &AnyStop, device: &usb::Device, STATUS: usb::Request) -> kthread::Result {
    /// let mut status = [0; 2];
    /// let length = device.control_in(stop, STATUS, &mut status, Delta::from_secs(1))?;
    /// if length != status.len() {
    ///     return Err(EPROTO.into());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn control_in(
        &self,
        stop: &AnyStop,
        request: Request,
        data: &mut [u8],
        timeout: Delta,
    ) -> kthread::Result<usize> {
        if !request.is_in() {
            return Err(EINVAL.into());
        }
        let length = data.len();
        request.run(stop, self, Data::In(data), length, timeout)
    }

    /// Sends a request, and `data` with it. Sleeps.
    ///
    /// # Errors
    ///
    /// `EINVAL` if the request is not one towards the device; else those of
    /// [`Device::control_in`].
    #[track_caller]
    pub fn control_out(
        &self,
        stop: &AnyStop,
        request: Request,
        data: &[u8],
        timeout: Delta,
    ) -> kthread::Result {
        if request.is_in() {
            return Err(EINVAL.into());
        }
        request.run(stop, self, Data::Out(data), data.len(), timeout)?;
        Ok(())
    }

    /// Chooses an alternate setting of an interface. Sleeps.
    ///
    /// `usb_set_interface()` waits up to five seconds for the device, with the device lock held
    /// here, and nothing can break that wait. So the device is asked first in a transfer of our
    /// own, and only one that has answered this is asked again by the USB core, which needs to
    /// know what is chosen. No transfer may be in flight on the interface's endpoints.
    ///
    /// # Errors
    ///
    /// `EINVAL` if the device has no such interface or setting; else those of
    /// [`Device::control_in`].
    #[track_caller]
    pub fn set_interface(
        &self,
        stop: &AnyStop,
        number: u8,
        alternate: u8,
        timeout: Delta,
    ) -> kthread::Result {
        match self.control_out(
            stop,
            Request::set_interface(number, alternate),
            &[],
            timeout,
        ) {
            // A device may refuse if there is nothing to choose; the USB core knows.
            Ok(()) | Err(kthread::Error::Failed(EPIPE)) => {}
            Err(error) => return Err(error),
        }
        let _locked = self.lock(stop)?;
        let chosen = stop.uninterruptible(|| {
            // SAFETY: The device is valid, and its configuration stays while the lock is held.
            to_result(unsafe {
                bindings::usb_set_interface(self.as_raw(), number.into(), alternate.into())
            })
        })?;
        Ok(chosen?)
    }
}
