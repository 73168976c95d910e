// SPDX-License-Identifier: GPL-2.0

//! What the module's parameters decide about a modem.

use crate::{
    modem,
    parameters, //
};

/// The parameters as they were when the modem was plugged in; root may change them at any time.
#[derive(Clone, Copy)]
pub(crate) struct Settings {
    /// The alternate setting of the data interface; 0 leaves it to us.
    pub(crate) alternate: u32,
    /// Receive by isochronous transfers, if the modem has them.
    pub(crate) isochronous: bool,
    /// Read a block before the firmware is sent.
    pub(crate) reads_first: bool,
    /// Have the modem buffer cells.
    pub(crate) sw_buffering: bool,
    /// What the modem is told before its line is started.
    pub(crate) start_up: modem::StartUp,
}

impl Settings {
    /// The parameters as they are now. May sleep.
    pub(crate) fn now() -> Self {
        let mut start_up = modem::StartUp {
            mode: parameters::ModemMode.value(),
            // The modem is sent the lower half.
            max_dsl: parameters::BMaxDSL.value() as u16,
            ..modem::StartUp::DEFAULT
        };
        // The bytes that were not given are the usual ones.
        let option = parameters::ModemOption.value();
        for (usual, given) in start_up.option.iter_mut().zip(option.get()) {
            *usual = *given;
        }
        Self {
            alternate: parameters::altsetting.value(),
            isochronous: parameters::enable_isoc.value().0,
            reads_first: parameters::dl_512_first.value().0,
            sw_buffering: parameters::sw_buffering.value().0,
            start_up,
        }
    }
}
