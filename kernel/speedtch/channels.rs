// SPDX-License-Identifier: GPL-2.0

//! Which alternate setting of the data interface cells travel through.

use crate::{
    is_gone,
    modem,
    settings::Settings, //
};
use kernel::{
    device,
    prelude::*, //
};
use kthread::{
    Error,
    Stop, //
};
use usbatm::{
    Channels,
    Modem,
    Selected, //
};

/// Channels that will do, the best first.
pub(crate) type Choice = [Option<Channels>; 3];

/// Finds the channels that the user wants, those with an isochronous endpoint if that is wanted,
/// and those that every modem has.
pub(crate) fn find(data: &usb::Interface<device::Bound>, settings: &Settings) -> Result<Choice> {
    let usual = channels(data, modem::ALTSETTING_BULK.into(), false)?;
    let wanted = match settings.alternate {
        0 => None,
        alternate => channels(data, alternate, settings.isochronous)
            .inspect_err(|error| complain(data.as_ref(), alternate, *error))
            .ok(),
    };
    let isochronous = settings
        .isochronous
        .then(|| channels(data, modem::ALTSETTING_ISOC.into(), true).ok())
        .flatten()
        .filter(|channels| channels.rx.is_isochronous());

    let best = wanted.or(isochronous).unwrap_or(usual);
    if settings.isochronous && !best.rx.is_isochronous() {
        dev_info!(data, "isochronous transfer not supported - using bulk\n");
    }
    Ok([wanted, isochronous, Some(usual)])
}

/// Selects the first of them that the modem doesn't refuse.
pub(crate) fn select(stop: &Stop, modem: &Modem, choice: &Choice) -> kthread::Result<Selected> {
    let mut result = Err(ENODEV.into());
    for channels in choice.iter().flatten() {
        result = modem.select(stop, *channels);
        match result {
            Err(Error::Failed(error)) if !is_gone(error) => {
                complain(modem.as_ref(), channels.alternate.into(), error);
            }
            _ => break,
        }
    }
    result
}

/// The channels of an alternate setting of the data interface; the isochronous one towards us, if
/// it is wanted and there.
fn channels(
    data: &usb::Interface<device::Bound>,
    alternate: u32,
    isochronous: bool,
) -> Result<Channels> {
    let alternate = alternate.try_into().map_err(|_| EINVAL)?;
    let rx = match data.isochronous_in(alternate, modem::DATA_IN) {
        Ok(rx) if isochronous => rx.into(),
        _ => data.bulk_in(alternate, modem::DATA_IN)?.into(),
    };
    Ok(Channels {
        interface: modem::INTERFACE_DATA,
        alternate,
        rx,
        tx: data.bulk_out(alternate, modem::DATA_OUT)?,
        rx_padding: 0,
        tx_padding: 0,
    })
}

/// Says that an alternate setting can't be had.
fn complain(of: &device::Device, alternate: u32, error: kernel::error::Error) {
    dev_err!(
        of,
        "setting interface to {} failed: {:?}\n",
        alternate,
        error
    );
}
