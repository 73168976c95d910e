// SPDX-License-Identifier: GPL-2.0

//! The USB driver that a [`Minidriver`] is turned into.
//!
//! What it owns is a [`Binding`]; what the modem's threads share is a [`Life`] inside of it.
//! Dropping the former stops and joins the threads before anything that they use goes.

use crate::{
    life::Life,
    minidriver::Minidriver,
    status::Status, //
};
use core::marker::PhantomData;
use kernel::{
    device,
    prelude::*,
    sync::Arc, //
};
use usb::Attribute;

/// What the USB driver keeps for a modem.
pub struct Binding<M: Minidriver> {
    life: Arc<Life<M>>,
    _sleep_watch: usb::SleepWatch,
}

impl<M: Minidriver> Drop for Binding<M> {
    fn drop(&mut self) {
        // The threads hold references to what they share, so it is not enough to drop ours.
        self.life.tear_down();
    }
}

/// The USB driver that a [`Minidriver`] is turned into.
pub struct Adapter<M: Minidriver>(PhantomData<M>);

impl<M: Minidriver> usb::Driver for Adapter<M> {
    type IdInfo = M::IdInfo;
    type Data = Binding<M>;
    const ID_TABLE: usb::IdTable<M::IdInfo> = M::ID_TABLE;

    const ATTRIBUTES: &'static [Attribute<Binding<M>>] = &[
        Attribute::readable(c"phase", |data, out| data.status().show_phase(out)),
        Attribute::readable(c"firmware_sent", |data, out| data.status().show_sent(out)),
        Attribute::readable(c"firmware_size", |data, out| data.status().show_total(out)),
        Attribute::readable(c"last_error", |data, out| {
            data.status().show_last_error(out)
        }),
        Attribute::readable(c"line", |data, out| data.status().show_line(out)),
        Attribute::readable(c"rate_down", |data, out| data.status().show_rate_down(out)),
        Attribute::readable(c"rate_up", |data, out| data.status().show_rate_up(out)),
        Attribute::writable(c"retry", |data, _| data.retry()),
    ];

    fn probe<'a>(
        interface: &'a usb::Interface<device::Core<'_>>,
        info: Option<&'static M::IdInfo>,
    ) -> impl PinInit<Binding<M>, Error> + 'a {
        Binding::new(interface, info)
    }

    fn bound(_interface: &usb::Interface<device::Core<'_>>, data: Pin<&Binding<M>>) -> Result {
        Life::start(&data.life)
    }

    fn pause(
        _interface: &usb::Interface<device::Core<'_>>,
        data: Pin<&Binding<M>>,
        cause: usb::Cause,
    ) {
        if !data.is_own_reset(cause) {
            data.life.pause();
        }
    }

    fn go_on(
        _interface: &usb::Interface<device::Core<'_>>,
        data: Pin<&Binding<M>>,
        cause: usb::Cause,
    ) -> Result {
        if data.is_own_reset(cause) {
            return Ok(());
        }
        // Again: what passed for its own reset when it began may be none any more, and then the
        // thread has gone on since.
        data.life.pause();
        Life::start(&data.life)
    }

    fn disconnect(_interface: &usb::Interface<device::Core<'_>>, data: Pin<&Binding<M>>) {
        data.life.tear_down();
    }
}

impl<M: Minidriver> Binding<M> {
    fn new(
        interface: &usb::Interface<device::Core<'_>>,
        info: Option<&'static M::IdInfo>,
    ) -> Result<Self> {
        let life = Life::new(interface, info)?;
        let sleep_watch = Life::watch_sleep(&life)?;
        Ok(Self {
            life,
            _sleep_watch: sleep_watch,
        })
    }

    /// Whether it is the modem's own thread that resets it; that thread must not be waited for.
    ///
    /// It may be somebody else who resets the modem while the thread is about to, or has just done
    /// so. Then the thread waits for the lock that the other holds, or has yet to note that its own
    /// reset is over, and does nothing with the modem, so that there is nothing to be stopped either.
    /// It may go on in the middle of the other's reset, though.
    fn is_own_reset(&self, cause: usb::Cause) -> bool {
        cause == usb::Cause::Reset && self.life.modem().is_resetting()
    }

    fn status(&self) -> &Status {
        self.life.modem().status()
    }

    /// The file `retry`: whatever is written there has the modem tried again.
    fn retry(&self) -> Result {
        self.life.modem().retry();
        Ok(())
    }
}
