//! The machines that tests run in: a few at once, each kept for the next test with the
//! same image.

use std::path::PathBuf;
use std::sync::{Condvar, Mutex, MutexGuard};
use std::thread::{self, ScopedJoinHandle};

use anyhow::{Result, bail};

use crate::setup::image::Image;
use crate::vm::{self, Accel, Options, Vm};

/// A number of machines, some busy, some idle, some not yet booted.
///
/// A machine whose work failed is never used again: the next test shall not inherit what broke. One
/// in which something broke as it should is kept for others that want to see that.
pub struct Fleet {
    accel: Accel,
    /// Where the consoles are logged, in a file for each place.
    logs: PathBuf,
    state: Mutex<State>,
    /// A machine was given back, or is no more.
    freed: Condvar,
}

struct State {
    /// One for each machine that there may be.
    places: Vec<Place>,
    /// How many machines died of the emulation and were replaced.
    lost: usize,
}

enum Place {
    Empty,
    /// Somebody works with the machine of this image, or boots it.
    Busy(PathBuf),
    Idle(Machine),
}

impl Place {
    fn is_of(&self, image: &Image) -> bool {
        match self {
            Self::Empty => false,
            Self::Busy(initrd) => *initrd == image.initrd,
            Self::Idle(machine) => machine.initrd == image.initrd,
        }
    }
}

/// A machine that runs.
struct Machine {
    vm: Vm,
    /// What it was booted from.
    initrd: PathBuf,
    /// Whether something went wrong in it, as it should.
    is_spoilt: bool,
}

/// Which machines will do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Care {
    /// One in which nothing has gone wrong.
    Clean,
    /// Whatever it is that went wrong.
    Any,
}

/// What becomes of a machine.
#[derive(Clone, Copy)]
pub enum After {
    /// It serves for whatever comes.
    Lives,
    /// Something went wrong in it: it serves only where any will do.
    Spoilt,
    /// It can't be used again.
    Dies,
}

impl Fleet {
    /// At most `size` machines, none of which is booted yet.
    pub fn new(size: usize, accel: Accel, logs: PathBuf) -> Self {
        let places = std::iter::repeat_with(|| Place::Empty).take(size).collect();
        Self {
            accel,
            logs,
            state: Mutex::new(State { places, lost: 0 }),
            freed: Condvar::new(),
        }
    }

    /// How many machines died of the emulation and were replaced.
    pub fn lost(&self) -> usize {
        self.state().lost
    }

    /// Has `work` done in a machine of `image`; once more, if that died of the emulation.
    pub fn run(&self, image: &Image, work: impl Fn(&mut Vm) -> Result<()>) -> Result<()> {
        let work = |vm: &mut Vm| work(vm).map(|()| After::Lives);
        match self.attempt(image, Care::Clean, work) {
            Err(error) if vm::died_of_emulation(&error) => {
                self.state().lost += 1;
                self.attempt(image, Care::Clean, work)
            }
            result => result,
        }
    }

    /// Has `work` done in a machine of `image`, once.
    pub fn attempt(
        &self,
        image: &Image,
        care: Care,
        work: impl FnOnce(&mut Vm) -> Result<After>,
    ) -> Result<()> {
        let (place, machine) = self.take(image, care);
        let mut kept = Kept {
            fleet: self,
            place,
            machine: None,
        };
        let mut machine = match machine {
            Some(machine) => machine,
            None => self.boot(image, place)?,
        };
        let after = work(&mut machine.vm)?;
        machine.is_spoilt |= matches!(after, After::Spoilt);
        if !matches!(after, After::Dies) {
            kept.machine = Some(machine);
        }
        Ok(())
    }

    /// Has `work` done in every machine of `image`, after whatever it is busy with; in a new one
    /// if there is none. It is done in all at once.
    pub fn each(&self, image: &Image, work: impl Fn(&mut Vm) -> Result<()> + Sync) -> Result<()> {
        if !self.state().places.iter().any(|place| place.is_of(image)) {
            return self.run(image, work);
        }
        let places = self.state().places.len();
        let work = &work;
        thread::scope(|scope| {
            let all: Vec<_> = (0..places)
                .map(|place| scope.spawn(move || self.in_place(place, image, work)))
                .collect();
            let ended = |one: ScopedJoinHandle<'_, Result<()>>| {
                one.join().unwrap_or_else(|_| bail!("a thread panicked"))
            };
            // Each is waited for; the first that failed tells why.
            all.into_iter().map(ended).fold(Ok(()), Result::and)
        })
    }

    /// Has `work` done in the machine of `image` in `place`, if there is one.
    fn in_place(
        &self,
        place: usize,
        image: &Image,
        work: impl Fn(&mut Vm) -> Result<()>,
    ) -> Result<()> {
        let Some(mut machine) = self.take_from(place, image) else {
            return Ok(());
        };
        let mut kept = Kept {
            fleet: self,
            place,
            machine: None,
        };
        work(&mut machine.vm)?;
        kept.machine = Some(machine);
        Ok(())
    }

    /// Switches all machines off.
    pub fn power_off(&self) {
        for place in &mut self.state().places {
            if let Place::Idle(machine) = std::mem::replace(place, Place::Empty) {
                machine.vm.power_off();
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// A place that is now busy, and the machine that was idle there, if it will do. One that
    /// will not is switched off.
    fn take(&self, image: &Image, care: Care) -> (usize, Option<Machine>) {
        let will_do = |place: &Place| match place {
            Place::Idle(machine) => {
                machine.initrd == image.initrd && !(machine.is_spoilt && care == Care::Clean)
            }
            _ => false,
        };
        let mut state = self.state();
        let place = loop {
            let places = &state.places;
            let found = (places.iter().position(will_do))
                .or_else(|| {
                    places
                        .iter()
                        .position(|place| matches!(place, Place::Empty))
                })
                .or_else(|| {
                    places
                        .iter()
                        .position(|place| matches!(place, Place::Idle(_)))
                });
            match found {
                Some(place) => break place,
                None => state = self.freed.wait(state).unwrap(),
            }
        };
        let suits = will_do(&state.places[place]);
        let busy = Place::Busy(image.initrd.clone());
        let before = std::mem::replace(&mut state.places[place], busy);
        drop(state);
        match before {
            Place::Idle(machine) if suits => (place, Some(machine)),
            Place::Idle(machine) => {
                machine.vm.power_off();
                (place, None)
            }
            _ => (place, None),
        }
    }

    /// The machine of `image` in `place`, when it is idle; none if there is none.
    fn take_from(&self, place: usize, image: &Image) -> Option<Machine> {
        let mut state = self.state();
        loop {
            match &state.places[place] {
                Place::Busy(initrd) if *initrd == image.initrd => {
                    state = self.freed.wait(state).unwrap();
                }
                Place::Idle(machine) if machine.initrd == image.initrd => break,
                _ => return None,
            }
        }
        let busy = Place::Busy(image.initrd.clone());
        match std::mem::replace(&mut state.places[place], busy) {
            Place::Idle(machine) => Some(machine),
            _ => unreachable!("it was idle, and nobody else had the lock"),
        }
    }

    fn boot(&self, image: &Image, place: usize) -> Result<Machine> {
        let options = Options {
            accel: self.accel,
            console_log: self.logs.join(format!("console-{}.log", place + 1)),
            outside: true,
        };
        let vm = Vm::boot(image, &options)?;
        self.state().lost += vm.boots_lost;
        Ok(Machine {
            vm,
            initrd: image.initrd.clone(),
            is_spoilt: false,
        })
    }
}

/// Gives a place back, with its machine if that is still good, also when the work panicked.
struct Kept<'a> {
    fleet: &'a Fleet,
    place: usize,
    machine: Option<Machine>,
}

impl Drop for Kept<'_> {
    fn drop(&mut self) {
        self.fleet.state().places[self.place] = match self.machine.take() {
            Some(machine) => Place::Idle(machine),
            None => Place::Empty,
        };
        self.fleet.freed.notify_all();
    }
}
