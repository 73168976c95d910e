// SPDX-License-Identifier: GPL-2.0

//! Where a modem's cells come from and go to.
//!
//! The endpoints for cells are in one interface, in one or several of its alternate settings: with
//! bulk endpoints alone, with several sizes of packets, or with an isochronous endpoint towards
//! us. Which of them a model has is in its descriptors, and which of those it does not refuse is
//! seen when one is selected. So there is a list of what will do, the best first.

use crate::modem::{
    is_gone,
    Modem, //
};
use kernel::{
    device,
    prelude::*, //
};
use kthread::{
    Error,
    Stop, //
};

/// The endpoints that cells travel through, and how they are laid out there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Channels {
    /// The number of the interface that has the endpoints.
    pub(crate) interface: u8,
    /// The alternate setting of it in which they exist.
    pub(crate) alternate: u8,
    /// Cells from the line.
    pub(crate) rx: usb::DataIn,
    /// Cells to the line.
    pub(crate) tx: usb::BulkOut,
    /// Bytes after each cell that comes in.
    pub(crate) rx_padding: usize,
    /// Bytes of zero after each cell that goes out.
    pub(crate) tx_padding: usize,
}

/// How one kind of modem lays out its cells, and where.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// The alternate setting with bulk endpoints, which every such modem has.
    pub bulk: u8,
    /// The alternate setting with an isochronous endpoint towards us, of those models that have
    /// one.
    pub isochronous: Option<u8>,
    /// The number of the endpoint with cells from the line.
    pub rx: u8,
    /// The number of the endpoint with cells to the line.
    pub tx: u8,
    /// Bytes after each cell that comes in.
    pub rx_padding: usize,
    /// Bytes of zero after each cell that goes out.
    pub tx_padding: usize,
}

impl Layout {
    /// Finds out what the modem has, and puts first what the user wants: the alternate setting
    /// `alternate`, where 0 leaves it to us, and an isochronous endpoint, if `isochronous`. Logs
    /// what can't be had.
    ///
    /// # Errors
    ///
    /// `ENOENT` if the modem lacks what every such modem has.
    pub fn find(
        &self,
        interface: &usb::Interface<device::Bound>,
        alternate: u32,
        isochronous: bool,
    ) -> Result<Choice> {
        let usual = self.at(interface, self.bulk, false)?;
        let wanted = match alternate {
            0 => None,
            alternate => u8::try_from(alternate)
                .map_err(|_| EINVAL)
                .and_then(|alternate| self.at(interface, alternate, isochronous))
                .inspect_err(|error| complain(interface.as_ref(), alternate, *error))
                .ok(),
        };
        let fast = self
            .isochronous
            .filter(|_| isochronous)
            .and_then(|alternate| self.at(interface, alternate, true).ok())
            .filter(|channels| channels.rx.is_isochronous());

        let best = wanted.or(fast).unwrap_or(usual);
        if isochronous && !best.rx.is_isochronous() {
            dev_info!(
                interface,
                "isochronous transfer not supported - using bulk\n"
            );
        }
        Ok(Choice([wanted, fast, Some(usual)]))
    }

    /// The channels in one alternate setting; the isochronous one, if it is wanted and there.
    fn at(
        &self,
        interface: &usb::Interface<device::Bound>,
        alternate: u8,
        isochronous: bool,
    ) -> Result<Channels> {
        let rx = match interface.isochronous_in(alternate, self.rx) {
            Ok(rx) if isochronous => rx.into(),
            _ => interface.bulk_in(alternate, self.rx)?.into(),
        };
        Ok(Channels {
            interface: interface.number(),
            alternate,
            rx,
            tx: interface.bulk_out(alternate, self.tx)?,
            rx_padding: self.rx_padding,
            tx_padding: self.tx_padding,
        })
    }
}

/// What will do for the cells of one modem, the best first. [`Layout::find`] makes it.
#[derive(Clone, Copy, Debug)]
pub struct Choice([Option<Channels>; 3]);

impl Choice {
    /// What will do where the bus has no time left for isochronous transfers.
    pub(crate) fn without_isochronous(self) -> Self {
        let is_bulk = |channels: &Channels| !channels.rx.is_isochronous();
        Self(self.0.map(|channels| channels.filter(is_bulk)))
    }

    /// The same, but `first`, which is one of them, comes before the others.
    pub(crate) fn starting_with(self, first: Channels) -> Self {
        let others = self.0.into_iter().flatten();
        let mut others = others.filter(|channels| *channels != first);
        Self([Some(first), others.next(), others.next()])
    }

    /// Selects the first that the modem doesn't refuse. Sleeps.
    pub(crate) fn select(&self, stop: &Stop, modem: &Modem) -> kthread::Result<Channels> {
        let mut failure = ENODEV.into();
        for channels in self.0.into_iter().flatten() {
            match modem.select(stop, &channels) {
                Ok(()) => return Ok(channels),
                Err(Error::Failed(error)) if !is_gone(error) => {
                    complain(modem.as_ref(), channels.alternate.into(), error);
                    failure = Error::Failed(error);
                }
                Err(error) => return Err(error),
            }
        }
        Err(failure)
    }
}

/// Says that an alternate setting can't be had.
fn complain(of: &device::Device, alternate: u32, error: kernel::error::Error) {
    dev_err!(
        of,
        "setting interface to {} failed ({})!\n",
        alternate,
        error.to_errno()
    );
}
