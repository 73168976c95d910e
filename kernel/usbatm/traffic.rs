// SPDX-License-Identifier: GPL-2.0

//! The traffic of one modem: its connections, and the way of packets into cells and back.
//!
//! The [`Modem`](crate::Modem) makes one before it registers the ATM device, starts it when the
//! line side is ready, and stops it when the modem goes. The ATM layer may hold it for longer,
//! until the last connection is closed; nothing in it may be part of a minidriver's module.

use crate::Channels;
use kernel::{
    prelude::*,
    str::CString,
    sync::{
        Arc,
        ArcBorrow, //
    }, //
};

/// The traffic of one modem.
pub(crate) struct Traffic {
    /// The first line of the device's file in `/proc/net/atm`.
    #[expect(dead_code)]
    description: CString,
}

impl Traffic {
    /// Allocates all that is needed: URBs and their buffers, the table of connections. May sleep.
    pub(crate) fn new(
        _device: &usb::Device,
        _channels: &Channels,
        description: CString,
    ) -> Result<Arc<Self>> {
        Ok(Arc::new(Self { description }, GFP_KERNEL)?)
    }

    /// Lets cells flow: the alternate setting is selected, the ATM device registered.
    pub(crate) fn start(&self) -> Result {
        Ok(())
    }

    /// The modem goes: releases all connections, cancels all transfers, drops what is queued.
    /// Nothing is sent or received when it returns; may be called again. Sleeps.
    pub(crate) fn stop(&self) {}
}

impl atm::Operations for Traffic {
    const TABLE: &'static atm::Table<Self> = {
        static TABLE: atm::Table<Traffic> = atm::Table::new::<crate::LocalModule>();
        &TABLE
    };

    fn open(_this: ArcBorrow<'_, Self>, _vcc: &Arc<atm::Vcc>) -> Result {
        Err(ENODEV)
    }

    fn close(_this: ArcBorrow<'_, Self>, _vcc: &Arc<atm::Vcc>) {}

    fn send(_this: ArcBorrow<'_, Self>, _skb: atm::OutgoingSkb) -> Result {
        Err(ENODEV)
    }
}
