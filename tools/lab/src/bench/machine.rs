//! The machine that measures: booted when it is needed, and anew when it was lost.

use anyhow::Result;

use crate::setup::image::Image;
use crate::vm::{self, Options, Vm};

/// How many machines may be lost in a row before that is no accident.
const TRIES: usize = 3;

/// A virtual machine, or how to get one.
///
/// The emulation has a [fault](vm::died_of_emulation) that ends a machine now and then.
/// A measurement that meets it is made again in a new one. That is counted, and said.
pub struct Machine<'a> {
    image: &'a Image,
    options: Options,
    vm: Option<Vm>,
    lost: usize,
}

impl<'a> Machine<'a> {
    /// A machine that is booted when it is needed.
    pub fn new(image: &'a Image, options: Options) -> Self {
        Self {
            image,
            options,
            vm: None,
            lost: 0,
        }
    }

    /// Does `work` in the machine, from its beginning again where the emulation fails.
    pub fn with<T>(&mut self, mut work: impl FnMut(&mut Vm) -> Result<T>) -> Result<T> {
        let mut tries = 1;
        loop {
            let mut vm = match self.vm.take() {
                Some(vm) => vm,
                None => self.boot()?,
            };
            match work(&mut vm) {
                Ok(done) => {
                    self.vm = Some(vm);
                    return Ok(done);
                }
                Err(error) if tries < TRIES && vm::died_of_emulation(&error) => {
                    eprintln!("  the emulation failed (a known fault of it): once more");
                    self.lost += 1;
                    tries += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn boot(&mut self) -> Result<Vm> {
        let vm = Vm::boot(self.image, &self.options)?;
        self.lost += vm.boots_lost;
        Ok(vm)
    }

    /// Gives the machine up: something in it blocks for good.
    pub fn give_up(&mut self) {
        self.vm = None;
    }

    /// Switches it off, and tells how often it was lost, if it was.
    pub fn power_off(mut self) {
        if let Some(vm) = self.vm.take() {
            vm.power_off();
        }
        if self.lost > 0 {
            println!(
                "{} machines were lost to a known fault of the emulation; what they were at was repeated.",
                self.lost
            );
        }
    }
}
