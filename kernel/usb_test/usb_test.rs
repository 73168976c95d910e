// SPDX-License-Identifier: GPL-2.0

//! A driver that leaks running transfers, as safe code may.
//!
//! Its probe starts them, forgets them, and refuses the device: so it is bound to nothing, and the
//! USB core has nothing to end when it goes. Of one product it leaks a stream: a device that tells
//! something afterwards must not find a handler whose module is gone. Of the others it leaks threads
//! and a chore that wait for [transfers].

mod transfers;

use kernel::{
    device,
    module::this_module,
    prelude::*, //
};
use kthread::Scope;
use wire::speedtch as modem;

/// The product of which transfers are leaked that somebody waits for.
const TRANSFERS_PRODUCT: u16 = 0x7e57;

/// The product with which this is done by what makes several transfers.
const SERIES_PRODUCT: u16 = 0x7e58;

/// What is leaked.
enum Leak {
    Stream,
    Transfers,
    Series,
}

usb::device_table!(
    DEVICES,
    Leak,
    [
        (
            usb::DeviceId::new(modem::VENDOR_ID, modem::PRODUCT_ID),
            Leak::Stream
        ),
        (
            usb::DeviceId::new(modem::VENDOR_ID, TRANSFERS_PRODUCT),
            Leak::Transfers
        ),
        (
            usb::DeviceId::new(modem::VENDOR_ID, SERIES_PRODUCT),
            Leak::Series
        ),
    ]
);

usb::module_usb_driver! {
    type: Leaker,
    name: "usb_test",
    authors: ["Threadline developers"],
    description: "A driver that leaks running transfers",
    license: "GPL",
}

struct Leaker;

/// Hears what the device tells, and goes on listening.
struct Listener;

impl usb::Handler for Listener {
    fn completed(&self, _stream: &usb::Stream<Self>, transfer: usb::Transfer<'_, Self>) {
        pr_info!("heard {} bytes\n", transfer.received().len());
        let room = transfer.capacity();
        let _ = transfer.submit(room);
    }
}

impl usb::Driver for Leaker {
    type IdInfo = Leak;
    type Data = ();
    const ID_TABLE: usb::IdTable<Leak> = &DEVICES;

    fn probe<'a>(
        interface: &'a usb::Interface<device::Core<'_>>,
        info: Option<&'static Leak>,
    ) -> impl PinInit<(), Error> + 'a {
        let leaked = match info {
            Some(Leak::Stream) => leak(interface),
            Some(Leak::Transfers) => transfers::leak(interface),
            Some(Leak::Series) => transfers::leak_series(interface),
            None => Ok(()),
        };
        leaked.and(Err::<(), _>(ENODEV))
    }

    fn disconnect(_interface: &usb::Interface<device::Core<'_>>, _data: Pin<&()>) {}
}

/// Leaves transfers under way on the interrupt endpoint, if the interface has it.
fn leak(interface: &usb::Interface<device::Core<'_>>) -> Result {
    let pipe = interface.interrupt_in(0, modem::INTERRUPT_IN)?;
    let scope = Scope::new(this_module::<LocalModule>())?;
    let stream = usb::Stream::new(
        &scope,
        interface.device(),
        pipe,
        2,
        modem::INTERRUPT_LEN,
        Ok(Listener),
    );
    let stream = KBox::pin_init(stream, GFP_KERNEL)?;
    stream.start()?;
    pr_info!("leaked on purpose\n");
    core::mem::forget(stream);
    Ok(())
}
