// SPDX-License-Identifier: GPL-2.0

//! Questions to a modem, and what it is told.

use crate::modem::{
    is_gone,
    Modem, //
};
use kernel::{
    prelude::*,
    time::Delta, //
};
use kthread::{
    AnyStop,
    Error, //
};
use wire::setup::Setup;

impl Modem {
    /// Asks the modem, and takes no answer but one of `N` bytes, which is what `setup` has to ask
    /// for. Sleeps.
    ///
    /// # Errors
    ///
    /// `EIO` if the answer is too short, `EINVAL` if it is not what `setup` asks for; else those
    /// of [`usb::Device::control_in`].
    #[track_caller]
    pub fn ask<const N: usize>(
        &self,
        stop: &AnyStop,
        setup: Setup,
        timeout: Delta,
    ) -> kthread::Result<[u8; N]> {
        let mut answer = [0; N];
        let request = request(setup, N)?;
        let length = self
            .device()
            .control_in(stop, request, &mut answer, timeout)?;
        if length < N {
            return Err(EIO.into());
        }
        Ok(answer)
    }

    /// Asks the modem, and throws away what it answers, however short that is. Sleeps.
    ///
    /// # Errors
    ///
    /// As of [`Self::ask`], but for `EIO`.
    #[track_caller]
    pub fn prod<const N: usize>(
        &self,
        stop: &AnyStop,
        setup: Setup,
        timeout: Delta,
    ) -> kthread::Result {
        let request = request(setup, N)?;
        self.device()
            .control_in(stop, request, &mut [0; N], timeout)?;
        Ok(())
    }

    /// Tells the modem something: `data`, which has to be as long as `setup` says. Sleeps.
    ///
    /// # Errors
    ///
    /// `EINVAL` if it is not; else those of [`usb::Device::control_out`].
    #[track_caller]
    pub fn tell(
        &self,
        stop: &AnyStop,
        setup: Setup,
        data: &[u8],
        timeout: Delta,
    ) -> kthread::Result {
        let request = request(setup, data.len())?;
        self.device().control_out(stop, request, data, timeout)
    }

    /// Goes on after a step that a modem may fail and work all the same: an error is logged, as a
    /// number after the words `failed`. That of a modem that is gone is returned.
    pub fn tolerate<T>(
        &self,
        step: kthread::Result<T>,
        failed: kernel::fmt::Arguments<'_>,
    ) -> kthread::Result {
        match step {
            Ok(_) => Ok(()),
            Err(Error::Failed(error)) if !is_gone(error) => {
                dev_warn!(self, "{} ({})!\n", failed, error.to_errno());
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}

/// The USB layer's form of a request for, or with, so many bytes.
fn request(setup: Setup, length: usize) -> Result<usb::Request> {
    let Setup {
        request_type,
        request,
        value,
        index,
        ..
    } = setup;
    if usize::from(setup.length) != length {
        return Err(EINVAL);
    }
    Ok(usb::Request {
        request_type,
        request,
        value,
        index,
    })
}
