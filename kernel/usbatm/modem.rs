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
    #[pin]
    phase: SpinLock<&'static str>,
}

impl Modem {
    /// How long a modem may take to select an interface.
    const SELECT_TIMEOUT: Delta = Delta::from_secs(2);

    /// The time in which it is noticed that a modem is gone: hubs are asked every 255 ms.
    const NOTICE_TIME: Delta = Delta::from_millis(500);

    fn new(interface: ARef<usb::Interface>) -> impl PinInit<Self> {
        pin_init!(Self {
            interface,
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

    /// Selects the alternate setting in which these channels exist. Sleeps.
    ///
    /// # Errors
    ///
    /// Those of [`usb::Device::set_interface`]: a modem may refuse a setting that it has.
    pub fn select(&self, stop: &Stop, channels: Channels) -> kthread::Result<Selected> {
        self.phase("selecting the data interface");
        let Channels {
            interface,
            alternate,
            ..
        } = channels;
        self.device()
            .set_interface(stop, interface, alternate, Self::SELECT_TIMEOUT)?;
        Ok(Selected(channels))
    }
}

impl AsRef<device::Device> for Modem {
    fn as_ref(&self) -> &device::Device {
        (*self.interface).as_ref()
    }
}

/// Proof that these channels of a modem have been selected, without which there is no ATM device.
pub struct Selected(Channels);

/// What a modem's threads share.
#[pin_data]
struct Shared<M: Minidriver> {
    minidriver: M,
    #[pin]
    modem: Modem,
    /// What the file of the ATM device begins with.
    description: CString,
    threads: Scope,
    /// Once the modem has been brought up.
    #[pin]
    up: Mutex<Option<Up>>,
}

/// What a modem has that has been brought up.
#[derive(Clone)]
struct Up {
    traffic: Arc<Traffic>,
    atm: Arc<atm::Registration<Traffic>>,
}

impl<M: Minidriver> Shared<M> {
    fn new(
        interface: &usb::Interface<device::Core<'_>>,
        info: Option<&'static M::IdInfo>,
    ) -> Result<Arc<Self>> {
        let minidriver = M::bind(interface, info)?;
        let description = description(interface)?;
        let threads = Scope::new(this_module::<M::Module>())?;
        let interface: ARef<usb::Interface> = interface.into();
        Arc::pin_init(
            pin_init!(Self {
                minidriver,
                modem <- Modem::new(interface),
                description,
                threads,
                up <- new_mutex!(None),
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
            minidriver.select(stop, modem)?
        } else {
            minidriver.heavy_init(stop, modem)?
        };
        let up = this.register(stop, selected)?;
        *this.up.lock() = Some(up.clone());
        // A modem that can't be brought up has no ATM device.
        Self::go_live(this, up).inspect_err(|_| this.take_down())?;
        Ok(())
    }

    /// Lets cells flow, and starts the thread that watches the line.
    fn go_live(this: &Arc<Self>, up: Up) -> Result {
        this.modem.phase("the start of traffic");
        up.traffic.start()?;
        let shared = this.clone();
        Builder::new(fmt!("{}/{} line", M::NAME, this.modem.device().path()))
            .spawn(&this.threads, move |stop| shared.watch(stop, &up.atm))?
            .leave();
        Ok(())
    }

    /// Registers the ATM device and starts the line; nobody can use it before that.
    fn register(&self, stop: &Stop, Selected(channels): Selected) -> kthread::Result<Up> {
        self.modem.phase("registering the ATM device");
        let description = CString::try_from(&*self.description)?;
        let traffic = Traffic::new(&self.threads, self.modem.device(), &channels, description)?;
        let mut started = Ok(());
        let data = traffic.clone();
        let registration = atm::Registration::new(M::NAME, self.modem.as_ref(), data, |device| {
            device.set_address_bits(8, 16);
            device.set_link_rate(Line::DEFAULT_RATE);
            let line = Line::new(device);
            line.unknown();
            started = self.minidriver.atm_start(stop, &self.modem, &line);
            started.map_err(kthread::Error::to_kernel)
        });
        started?;
        let atm = Arc::new(registration?, GFP_KERNEL)?;
        Ok(Up { traffic, atm })
    }

    /// Undoes all of it, in whatever phase. May be called again. Sleeps.
    fn tear_down(&self) {
        self.threads.stop();
        self.take_down();
    }

    /// Ends the traffic, and takes the ATM device away if there is one. May be called again.
    /// Sleeps.
    fn take_down(&self) {
        let up = self.up.lock().take();
        if let Some(Up { traffic, atm }) = up {
            traffic.stop();
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
