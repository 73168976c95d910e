// SPDX-License-Identifier: GPL-2.0

//! The life of one modem, from bind to unbind.
//!
//! What the USB driver owns is a [`Binding`]; what the threads share is a [`Shared`] inside of it.
//! Dropping the former stops and joins the threads before anything that they use goes.

use crate::{
    channels::Channels,
    line::Line,
    minidriver::Minidriver,
    traffic::Traffic, //
};
use core::marker::PhantomData;
use kernel::{
    device,
    module::this_module,
    new_mutex,
    new_spinlock,
    prelude::*,
    str::CString,
    sync::{
        aref::ARef,
        Arc,
        Mutex,
        SpinLock, //
    },
    time::Delta, //
};
use kthread::{
    Builder,
    Scope,
    Stop,
    Stopped, //
};

/// A modem, as the threads of its minidriver see it.
#[pin_data]
pub struct Modem {
    interface: ARef<usb::Interface>,
    channels: Channels,
    #[pin]
    phase: SpinLock<&'static str>,
}

impl Modem {
    /// How long a modem may take to select an interface.
    const SELECT_TIMEOUT: Delta = Delta::from_secs(2);

    /// The time in which it is noticed that a modem is gone: hubs are asked every 255 ms.
    const NOTICE_TIME: Delta = Delta::from_millis(500);

    fn new(interface: ARef<usb::Interface>, channels: Channels) -> impl PinInit<Self> {
        pin_init!(Self {
            interface,
            channels,
            phase <- new_spinlock!("waiting for its thread"),
        })
    }

    /// The interface that the driver is bound to.
    pub fn interface(&self) -> &usb::Interface {
        &self.interface
    }

    /// The device, for transfers.
    pub fn device(&self) -> &usb::Device {
        self.interface.device()
    }

    /// Notes what is being done now: this is what the log names if it fails.
    pub fn phase(&self, phase: &'static str) {
        *self.phase.lock() = phase;
    }

    /// Waits until it is certain that a failure was the modem's own. Sleeps.
    ///
    /// Before a thread is asked to stop, its transfers fail, in many ways: those of a modem that
    /// was pulled out until its hub has noticed, those of an interface that is being unbound
    /// because the USB core ends them first. So a failure is only believed, and answered by
    /// more than an error, if no stop follows.
    pub fn still_there(&self, stop: &Stop) -> Result<(), Stopped> {
        stop.sleep(Self::NOTICE_TIME)
    }

    /// Selects the alternate setting in which the channels exist.
    pub fn select(&self, stop: &Stop) -> kthread::Result<Selected> {
        self.phase("selecting the data interface");
        let Channels {
            interface,
            alternate,
            ..
        } = self.channels;
        self.device()
            .set_interface(stop, interface, alternate, Self::SELECT_TIMEOUT)?;
        Ok(Selected(()))
    }
}

impl AsRef<device::Device> for Modem {
    fn as_ref(&self) -> &device::Device {
        (*self.interface).as_ref()
    }
}

/// Proof that a modem's channels have been selected, without which there is no ATM device.
pub struct Selected(());

/// What a modem's threads share.
#[pin_data]
struct Shared<M: Minidriver> {
    minidriver: M,
    #[pin]
    modem: Modem,
    traffic: Arc<Traffic>,
    threads: Scope,
    /// The ATM device, once the modem has been brought up.
    #[pin]
    atm: Mutex<Option<Arc<atm::Registration<Traffic>>>>,
}

impl<M: Minidriver> Shared<M> {
    fn new(
        interface: &usb::Interface<device::Core<'_>>,
        info: Option<&'static M::IdInfo>,
    ) -> Result<Arc<Self>> {
        let (minidriver, channels) = M::bind(interface, info)?;
        let traffic = Traffic::new(interface.device(), &channels, description(interface)?)?;
        let threads = Scope::new(this_module::<M::Module>())?;
        let interface: ARef<usb::Interface> = interface.into();
        Arc::pin_init(
            pin_init!(Self {
                minidriver,
                modem <- Modem::new(interface, channels),
                traffic,
                threads,
                atm <- new_mutex!(None),
            }),
            GFP_KERNEL,
        )
    }

    /// The body of a modem's first thread.
    fn init(self: Arc<Self>, stop: &Stop) -> kthread::Result {
        let result = Self::bring_up(&self, stop);
        self.report(stop, result)
    }

    /// The body of its second.
    fn watch(&self, stop: &Stop, atm: &atm::Device) -> kthread::Result {
        let line = Line::new(atm);
        self.report(stop, self.minidriver.watch(stop, &self.modem, &line))
    }

    /// Logs a failure. That the modem went is none.
    fn report(&self, stop: &Stop, result: kthread::Result) -> kthread::Result {
        if let Err(kthread::Error::Failed(error)) = result {
            self.modem.still_there(stop)?;
            let phase = *self.modem.phase.lock();
            dev_err!(
                self.modem,
                "giving up after {} failed: {:?}\n",
                phase,
                error
            );
        }
        result
    }

    fn bring_up(this: &Arc<Self>, stop: &Stop) -> kthread::Result {
        let (minidriver, modem) = (&this.minidriver, &this.modem);
        modem.phase("asking whether it is alive");
        let selected = if minidriver.is_alive(stop, modem)? {
            modem.select(stop)?
        } else {
            minidriver.heavy_init(stop, modem)?
        };
        let atm = this.register(stop, selected)?;
        *this.atm.lock() = Some(atm.clone());
        // A modem that can't be brought up has no ATM device.
        Self::go_live(this, atm).inspect_err(|_| this.take_down())?;
        Ok(())
    }

    /// Lets cells flow, and starts the thread that watches the line.
    fn go_live(this: &Arc<Self>, atm: Arc<atm::Registration<Traffic>>) -> Result {
        this.modem.phase("the start of traffic");
        this.traffic.start()?;
        let shared = this.clone();
        Builder::new(fmt!("{}/{} line", M::NAME, this.modem.device().path()))
            .spawn(&this.threads, move |stop| shared.watch(stop, &atm))?
            .leave();
        Ok(())
    }

    /// Registers the ATM device and starts the line; nobody can use it before that.
    fn register(
        &self,
        stop: &Stop,
        _selected: Selected,
    ) -> kthread::Result<Arc<atm::Registration<Traffic>>> {
        self.modem.phase("registering the ATM device");
        let mut started = Ok(());
        let traffic = self.traffic.clone();
        let registration =
            atm::Registration::new(M::NAME, self.modem.as_ref(), traffic, |device| {
                device.set_address_bits(8, 16);
                device.set_link_rate(Line::DEFAULT_RATE);
                let line = Line::new(device);
                line.unknown();
                started = self.minidriver.atm_start(stop, &self.modem, &line);
                started.map_err(kthread::Error::to_kernel)
            });
        started?;
        Ok(Arc::new(registration?, GFP_KERNEL)?)
    }

    /// Undoes all of it, in whatever phase. May be called again. Sleeps.
    fn tear_down(&self) {
        self.threads.stop();
        self.take_down();
    }

    /// Ends the traffic, and takes the ATM device away if there is one. May be called again.
    /// Sleeps.
    fn take_down(&self) {
        self.traffic.stop();
        let atm = self.atm.lock().take();
        if let Some(atm) = atm {
            self.minidriver.atm_stop(&Line::new(&atm));
        }
    }
}

/// What the device's file in `/proc/net/atm` begins with: its name and where it is plugged in.
fn description(interface: &usb::Interface<device::Core<'_>>) -> Result<CString> {
    let product = interface.device().product().unwrap_or(c"");
    let path = interface.usb_path()?;
    CString::try_from_fmt(fmt!("{} ({})", product, &*path))
}

/// What the USB driver keeps for a modem.
pub struct Binding<M: Minidriver>(Arc<Shared<M>>);

impl<M: Minidriver> Drop for Binding<M> {
    fn drop(&mut self) {
        // The threads hold references to what they share, so it is not enough to drop ours.
        self.0.tear_down();
    }
}

/// The USB driver that a [`Minidriver`] is turned into.
pub struct Adapter<M: Minidriver>(PhantomData<M>);

impl<M: Minidriver> usb::Driver for Adapter<M> {
    type IdInfo = M::IdInfo;
    type Data = Binding<M>;
    const ID_TABLE: usb::IdTable<M::IdInfo> = M::ID_TABLE;

    fn probe<'a>(
        interface: &'a usb::Interface<device::Core<'_>>,
        info: Option<&'static M::IdInfo>,
    ) -> impl PinInit<Binding<M>, Error> + 'a {
        Shared::new(interface, info).map(Binding)
    }

    fn bound(interface: &usb::Interface<device::Core<'_>>, data: Pin<&Binding<M>>) -> Result {
        let shared = data.0.clone();
        Builder::new(fmt!("{}/{}", M::NAME, interface.device().path()))
            .spawn(&data.0.threads, move |stop| shared.init(stop))?
            .leave();
        Ok(())
    }

    fn disconnect(_interface: &usb::Interface<device::Core<'_>>, data: Pin<&Binding<M>>) {
        data.0.tear_down();
    }
}
