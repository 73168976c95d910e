// SPDX-License-Identifier: GPL-2.0

//! The life of one modem, on the thread that it has, and without.
//!
//! A thread brings the modem up, and tries again for as long as that fails: a file that was missing
//! may come, a modem that was stuck is reset. When the modem is up, it leaves the modem to a chore,
//! which looks at the line now and then, and ends. When that finds that the modem has failed, it
//! starts the thread again, and ends. The ATM device stays meanwhile, and the connections on it.
//! While the machine sleeps, no modem is brought up.

use crate::{
    awake::Awake,
    back_off::BackOff,
    channels::{
        Channels,
        Choice, //
    },
    events::Events,
    line::Line,
    line_status::LineStatus,
    minidriver::Minidriver,
    modem::{
        Event,
        Modem, //
    },
    status::THREADLESS,
    traffic::Traffic,
    watch::{
        self,
        Look,
        Notes, //
    }, //
};
use kernel::{
    device,
    module::this_module,
    new_mutex,
    prelude::*,
    str::CString,
    sync::{
        aref::ARef,
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc,
        Mutex, //
    },
    time::{
        Delta,
        Instant,
        Monotonic, //
    }, //
};
use kthread::{
    Again,
    AnyStop,
    Builder,
    Chore,
    Error,
    Scope,
    Stop, //
};

/// What a modem's threads share.
#[pin_data]
pub(crate) struct Life<M: Minidriver> {
    minidriver: M,
    #[pin]
    modem: Modem,
    /// What the file of the ATM device begins with.
    description: CString,
    threads: Scope,
    /// When the thread may run.
    #[pin]
    awake: Awake,
    /// How often in a row the modem has failed soon after it was up.
    relapses: Atomic<u32>,
    /// Once the modem has been up.
    #[pin]
    connected: Mutex<Option<Connected>>,
}

/// What a modem has that has been up. It keeps that while it is brought back.
#[derive(Clone)]
struct Connected {
    channels: Channels,
    traffic: Arc<Traffic>,
    atm: Arc<atm::Registration<Traffic>>,
}

impl Connected {
    /// The line, for the body that has the `stop`.
    fn line<'a>(&'a self, modem: &'a Modem, stop: &'a AnyStop) -> Line<'a> {
        Line::new(&self.atm, modem, &self.traffic, stop)
    }

    /// The line, of which user space is not told.
    fn silent_line<'a>(&'a self, modem: &'a Modem) -> Line<'a> {
        Line::silent(&self.atm, modem, &self.traffic)
    }
}

impl<M: Minidriver> Life<M> {
    /// How long to wait where no thread could be started.
    const NO_THREAD_PAUSE: Delta = Delta::from_secs(5);

    pub(crate) fn new(
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
                modem <- Modem::new(M::NAME, interface),
                description,
                threads,
                awake <- Awake::new(),
                relapses: Atomic::new(0),
                connected <- new_mutex!(None),
            }),
            GFP_KERNEL,
        )
    }

    pub(crate) fn modem(&self) -> &Modem {
        &self.modem
    }

    /// Starts the thread that brings the modem up, or back; if the machine is asleep, when it is
    /// awake. None of its threads may be running, but for a caller that is about to end. Sleeps.
    pub(crate) fn start(this: &Arc<Self>) -> Result {
        this.modem.phase(THREADLESS);
        this.awake.bring_up(|| Self::start_thread(this))
    }

    /// Starts the thread, or, where there is none to be had, has that tried again. A task that is
    /// being killed gets none; and it may be the one that happens to wake the machine up.
    fn start_thread(this: &Arc<Self>) -> Result {
        let Err(error) = Self::spawn_thread(this) else {
            return Ok(());
        };
        let modem = &this.modem;
        dev_warn!(modem, "no thread yet to bring the modem up: {:?}\n", error);
        let life = this.clone();
        let again = Chore::start(&this.threads, Self::NO_THREAD_PAUSE, move |_| {
            Ok(match Self::spawn_thread(&life) {
                Ok(()) => Again::Never,
                Err(_) => Again::After(Self::NO_THREAD_PAUSE),
            })
        });
        again?.leave();
        Ok(())
    }

    fn spawn_thread(this: &Arc<Self>) -> Result {
        let life = this.clone();
        Builder::new(fmt!("{}/{}", M::NAME, this.modem.device().path()))
            .spawn(&this.threads, move |stop| Self::bring_up(&life, stop))?
            .leave();
        Ok(())
    }

    /// Ends all that goes on, so that nothing is under way between us and the modem, and leaves
    /// the rest for [`Life::start`]. May be called again. Sleeps, but does not wait for the modem.
    pub(crate) fn pause(&self) {
        self.awake.pause();
        self.stop_threads();
        // One of them may have wanted the modem back meanwhile.
        self.awake.pause();
        self.pause_traffic();
        // What comes after that is no relapse.
        self.relapses.store(0, Relaxed);
    }

    /// Ends all that goes on but the traffic. Sleeps.
    fn stop_threads(&self) {
        self.threads.stop();
        self.modem.phase(THREADLESS);
    }

    /// Lets nothing be under way on the channels, after which nobody knows how the line is; user
    /// space is not told yet. Returns what the modem has that has been up.
    fn pause_traffic(&self) -> Option<Connected> {
        let connected = self.connected.lock().clone()?;
        connected.traffic.pause();
        connected.silent_line(&self.modem).lose();
        Some(connected)
    }

    /// Undoes all of it, in whatever phase. May be called again. Sleeps, but does not wait for the
    /// modem.
    pub(crate) fn tear_down(&self) {
        self.awake.end();
        self.threads.stop();
        self.disconnect();
    }

    /// Releases all connections, and takes the ATM device away, if there is one. Sleeps.
    fn disconnect(&self) {
        let connected = self.connected.lock().take();
        if let Some(connected) = connected {
            connected.traffic.stop();
            self.minidriver
                .atm_stop(&connected.silent_line(&self.modem));
        }
    }

    /// The body of the first thread: tries until the modem is up.
    fn bring_up(this: &Arc<Self>, stop: &Stop) -> kthread::Result {
        let mut back_off = BackOff::new();
        if let Some(connected) = this.pause_traffic() {
            // Who was told that it is up is told now.
            connected.line(&this.modem, stop).lose();
        }
        this.rest(stop)?;
        loop {
            this.modem.retries();
            match Self::try_to_bring_up(this, stop) {
                Err(Error::Failed(error)) => this.wait_after(stop, error, &mut back_off)?,
                done => return done,
            }
        }
    }

    fn try_to_bring_up(this: &Arc<Self>, stop: &Stop) -> kthread::Result {
        let (minidriver, modem) = (&this.minidriver, &this.modem);
        modem.reset_if_unsure(stop)?;
        modem.phase("asking whether it is alive");
        let is_alive = minidriver.is_alive(stop, modem)?;
        if !is_alive {
            minidriver.heavy_init(stop, modem)?;
        }
        let channels = this.choice().select(stop, modem)?;
        if !is_alive {
            modem.phase("the start-up sequence");
            minidriver.configure(stop, modem)?;
        }
        let connected = this.start_traffic(stop, channels)?;
        modem.is_up();
        modem.tell_usable(stop, connected.atm.number());
        this.awake.is_up();
        Self::start_watch(this, connected)?;
        Ok(())
    }

    /// What will do for the modem's cells. What its ATM device has comes first, whose connections
    /// can be kept with that alone.
    fn choice(&self) -> Choice {
        let choice = *self.minidriver.channels();
        match &*self.connected.lock() {
            Some(connected) => choice.starting_with(connected.channels),
            None => choice,
        }
    }

    /// Starts the line, and lets cells flow on these channels, or, where the bus has no time left
    /// for isochronous transfers, on others.
    fn start_traffic(&self, stop: &Stop, channels: Channels) -> kthread::Result<Connected> {
        match self.try_to_start_traffic(stop, channels) {
            Err(Error::Failed(ENOSPC)) if channels.rx.is_isochronous() => {}
            done => return done,
        }
        dev_warn!(
            self.modem,
            "no time left on the bus for isochronous transfers - using bulk\n"
        );
        let choice = self.minidriver.channels().without_isochronous();
        // As before the first was selected.
        let _ = self.pause_traffic();
        let channels = choice.select(stop, &self.modem)?;
        self.try_to_start_traffic(stop, channels)
    }

    fn try_to_start_traffic(&self, stop: &Stop, channels: Channels) -> kthread::Result<Connected> {
        let connected = self.start_line(stop, channels)?;
        self.modem.phase("the start of traffic");
        connected.traffic.start()?;
        Ok(connected)
    }

    /// Starts the line, for the ATM device that there is, or for a new one.
    fn start_line(&self, stop: &Stop, channels: Channels) -> kthread::Result<Connected> {
        self.modem.phase("the start of the line");
        let connected = self.connected.lock().clone();
        if let Some(connected) = connected.filter(|known| known.channels == channels) {
            self.synchronise(stop, &connected.line(&self.modem, stop))?;
            return Ok(connected);
        }
        // The channels of the one that there is, if any, can't be had any more.
        self.disconnect();
        let connected = self.connect(stop, channels)?;
        *self.connected.lock() = Some(connected.clone());
        Ok(connected)
    }

    /// Registers the ATM device and starts the line; nobody can use it before that.
    fn connect(&self, stop: &Stop, channels: Channels) -> kthread::Result<Connected> {
        let description = CString::try_from(&*self.description)?;
        let traffic = Traffic::new(&self.threads, self.modem.device(), &channels, description)?;
        let mut started = Ok(());
        let data = traffic.clone();
        let registration = atm::Registration::new(M::NAME, self.modem.as_ref(), data, |device| {
            device.set_address_bits(8, 16);
            device.set_link_rate(Line::DEFAULT_RATE);
            let line = Line::silent(device, &self.modem, &traffic);
            line.set(LineStatus::Unknown);
            started = self.synchronise(stop, &line);
            started.map_err(Error::to_kernel)
        });
        started?;
        Ok(Connected {
            channels,
            traffic,
            atm: Arc::new(registration?, GFP_KERNEL)?,
        })
    }

    /// Has the minidriver start the line.
    fn synchronise(&self, stop: &Stop, line: &Line<'_>) -> kthread::Result {
        self.minidriver.atm_start(stop, &self.modem, line)?;
        watch::synchronise(&self.minidriver, stop, &self.modem, line)
    }

    /// Has the line watched.
    fn start_watch(this: &Arc<Self>, connected: Connected) -> Result {
        let pipe = this.minidriver.line_events();
        let events = pipe.map(|pipe| Events::new(&this.threads, this.modem.device(), pipe));
        let events = events.transpose()?;
        let mut notes = Notes::new(events.clone(), connected.traffic.received());
        let began = Instant::now();
        let life = this.clone();
        let watch = Chore::start(&this.threads, M::FIRST_POLL, move |stop| {
            match life.look(stop, &connected, &mut notes) {
                Err(Error::Failed(error)) => Self::give_up(&life, stop, error, began),
                other => other,
            }
        })?;
        if let Some(events) = events {
            events.ring(watch.bell());
        }
        watch.leave();
        Ok(())
    }

    /// Looks at the line once.
    fn look(
        &self,
        stop: &AnyStop,
        connected: &Connected,
        notes: &mut Notes,
    ) -> kthread::Result<Again> {
        let line = &connected.line(&self.modem, stop);
        let (minidriver, modem) = (&self.minidriver, &self.modem);
        // Where there was no memory for that.
        modem.tell_usable(stop, line.number());
        let mut look = Look {
            minidriver,
            stop,
            modem,
            line,
            notes,
        };
        look.take()
    }

    /// The modem has failed, which was up since `began`: starts anew.
    fn give_up(
        this: &Arc<Self>,
        stop: &AnyStop,
        error: kernel::error::Error,
        began: Instant<Monotonic>,
    ) -> kthread::Result<Again> {
        this.modem.still_there(stop)?;
        // What was wanted of a modem that was up is not wanted of this one.
        this.modem.forget_retry();
        // Before it is told: whoever hears of it can send nothing any more.
        let _ = this.pause_traffic();
        this.report(stop, error);
        let before = this.relapses.load(Relaxed);
        let relapses = BackOff::relapses(before, began.elapsed().as_millis());
        this.relapses.store(relapses, Relaxed);
        if relapses > 1 {
            // To bring it back as it was has not helped.
            this.modem.make_unsure();
        }
        while Self::start(this).is_err() {
            stop.sleep(Self::NO_THREAD_PAUSE)?;
        }
        Ok(Again::Never)
    }

    /// Leaves a modem alone that has been brought back and failed again at once, the longer, the
    /// more often: its users had better know that it is down than see it come and go.
    fn rest(&self, stop: &Stop) -> kthread::Result {
        if let Some(seconds) = BackOff::after_relapses(self.relapses.load(Relaxed)) {
            self.modem.wait_for_retry(stop, Delta::from_secs(seconds))?;
        }
        Ok(())
    }

    /// A try failed: says so, and waits until it is time for the next.
    fn wait_after(
        &self,
        stop: &Stop,
        error: kernel::error::Error,
        back_off: &mut BackOff,
    ) -> kthread::Result {
        // Nothing is sent to a modem that is down, nor may anything be under way while the
        // interface is selected.
        let _ = self.pause_traffic();
        if !self.awake.is_down() {
            return Err(Error::Stopped);
        }
        // That the modem went is no failure of its.
        self.modem.still_there(stop)?;
        self.report(stop, error);
        let seconds = back_off.next(self.modem.is_unsure());
        self.modem.wait_for_retry(stop, Delta::from_secs(seconds))?;
        Ok(())
    }

    /// Tells log and user space of a failure, unless it is the same as the last time.
    fn report(&self, stop: &AnyStop, error: kernel::error::Error) {
        let modem = &self.modem;
        let reason = modem.status().fail(error);
        // Whoever hears of it may look.
        modem.is_down();
        let Ok(Some(reason)) = reason else {
            return;
        };
        dev_err!(
            modem,
            "{}; tried again from time to time, and when somebody writes to 'retry' in {}\n",
            &*reason,
            modem.folder()
        );
        let atm = self
            .connected
            .lock()
            .as_ref()
            .map(|known| known.atm.number());
        if modem.announce(stop, Event::Failed, atm).is_ok() {
            modem.status().failure_is_told();
        }
    }
}

/// A modem, as it is told that the machine goes to sleep.
pub(crate) struct Sleeping<M: Minidriver>(Arc<Life<M>>);

impl<M: Minidriver> Life<M> {
    /// Has the modem be told that the machine goes to sleep. Sleeps.
    pub(crate) fn watch_sleep(this: &Arc<Self>) -> Result<usb::SleepWatch> {
        let watch =
            usb::SleepWatch::new(&this.threads, Arc::new(Sleeping(this.clone()), GFP_KERNEL)?)?;
        // From now on it is told; this is what it was not.
        this.awake.learn();
        Ok(watch)
    }
}

impl<M: Minidriver> usb::Sleeper for Sleeping<M> {
    fn falls_asleep(&self) {
        self.0.awake.fall_asleep(|| self.0.stop_threads());
    }

    fn wakes_up(&self) {
        let modem = &self.0.modem;
        if let Err(error) = self.0.awake.wake_up(|| Life::start_thread(&self.0)) {
            dev_err!(modem, "no thread to bring the modem up: {:?}\n", error);
        }
    }
}

/// What the device's file in `/proc/net/atm` begins with: its name and where it is plugged in.
fn description(interface: &usb::Interface<device::Core<'_>>) -> Result<CString> {
    let product = interface.device().product().unwrap_or(c"");
    let path = interface.usb_path()?;
    CString::try_from_fmt(fmt!("{} ({})", product, &*path))
}
