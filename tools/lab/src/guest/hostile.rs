//! Modems that lie, attack or break, and everything pulled at the worst moment.
//!
//! Whatever a modem does, its driver can be removed, leaves nothing behind, and
//! serves the next modem, and one beside it, as if nothing had been. That the
//! kernel has nothing to report meanwhile, the host sees to.

mod answers;
pub mod cells;
mod descriptors;
mod events;
mod leak;
pub mod mix;
mod resets;
mod urbs;

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use modem::Options;

use super::kmsg::Kmsg;
use super::plugged::{self, Plugged, options, wait_until};
use super::removal::nothing_is_left;
use super::scenarios::{Scenario, echo};
use super::sysfs::AtmDevice;
use super::{firmware, modules};
use crate::protocol::Driver;

/// The scenarios of hostile modems.
pub const SCENARIOS: &[(&str, Scenario)] = &[
    ("hostile::leaked_transfers_end_with_their_module", |_| {
        leak::leaked_transfers_end_with_their_module()
    }),
    ("hostile::descriptors_that_lie", |_| {
        descriptors::descriptors_that_lie()
    }),
    ("hostile::descriptors_of_noise", |_| {
        descriptors::descriptors_of_noise()
    }),
    ("hostile::strings_of_any_kind", |_| {
        descriptors::strings_of_any_kind()
    }),
    ("hostile::answers_of_any_kind", |_| {
        answers::answers_of_any_kind()
    }),
    ("hostile::interrupts_of_any_kind", |_| {
        events::interrupts_of_any_kind()
    }),
    ("hostile::cells_of_any_kind", |_| cells::cells_of_any_kind()),
    ("hostile::packets_that_nobody_reads", |_| {
        cells::packets_that_nobody_reads()
    }),
    ("hostile::sending_that_fails", |_| {
        cells::sending_that_fails()
    }),
    ("hostile::halted_endpoints_are_cleared", |_| {
        cells::halted_endpoints_are_cleared()
    }),
    ("hostile::unplug_at_every_urb", urbs::unplug_at_every_urb),
    ("hostile::stall_at_every_urb", urbs::stall_at_every_urb),
    (
        "hostile::no_answer_at_every_urb",
        urbs::no_answer_at_every_urb,
    ),
    ("hostile::silence_at_every_urb", urbs::silence_at_every_urb),
    ("hostile::unplug_in_a_reset", |_| urbs::unplug_in_a_reset()),
    ("hostile::another_device_after_a_reset", |_| {
        urbs::another_device_after_a_reset()
    }),
    ("hostile::endless_reset_keeps_no_other", |_| {
        resets::endless_reset_keeps_no_other()
    }),
    ("hostile::cells_for_nobody_are_told_of", |_| {
        cells::cells_for_nobody_are_told_of()
    }),
    ("hostile::late_sign_of_life_is_none", |_| {
        answers::late_sign_of_life_is_none()
    }),
    ("hostile::refused_settings_are_tolerated", |_| {
        answers::refused_settings_are_tolerated()
    }),
];

/// How many hostile modems are plugged in at once, beside a good one and one that comes
/// last: a virtual host controller has eight ports in the debug kernel.
const ROOM: usize = 6;

/// A machine with our driver and a good modem, whose line is up.
struct Ground {
    good: Plugged,
    atm: AtmDevice,
    log: Kmsg,
    began: Instant,
}

impl Ground {
    fn new() -> Result<Self> {
        firmware::install()?;
        modules::load(Driver::Ours)?;
        let good = Plugged::new(options(1).running())?;
        let atm = good.await_up()?;
        Ok(Self {
            good,
            atm,
            log: Kmsg::from_now(),
            began: Instant::now(),
        })
    }

    /// Packets still come and go through the good modem.
    fn good_one_works(&self) -> Result<()> {
        echo(&self.atm, 8, 35, 1500, 5)
            .map(drop)
            .context("the good modem beside it")
    }

    /// Plugs in a modem of each kind, a few at a time, and looks at it by `check` once the
    /// kernel is done with it: it is not before it has found a modem that comes last.
    fn try_each<T: Copy>(
        &mut self,
        kinds: &[T],
        options: impl Fn(T) -> Options,
        check: impl Fn(&Plugged, T) -> Result<()>,
    ) -> Result<()> {
        for some in kinds.chunks(ROOM) {
            self.forget_log();
            let modems = some.iter().map(|kind| Plugged::new(options(*kind)));
            let modems = modems.collect::<Result<Vec<_>>>()?;
            let last = Plugged::new(plugged::options(99).running())?;
            last.await_up()
                .context("a modem that was plugged in last")?;
            for (modem, kind) in modems.iter().zip(some) {
                check(modem, *kind)?;
                self.log_is_short(modem)?;
            }
            self.good_one_works()?;
            unplug_all(modems.into_iter().chain([last]))?;
        }
        Ok(())
    }

    /// The lines of the log about `modem`, in which `text` stands.
    fn lines(&self, modem: &Plugged, text: &str) -> usize {
        let (device, interface) = (
            format!(" {}: ", modem.device()),
            format!(" {}:1.", modem.device()),
        );
        let is_about = |line: &&String| line.contains(&device) || line.contains(&interface);
        let lines = self.log.lines();
        let found = lines.iter().filter(is_about);
        found.filter(|line| line.contains(text)).count()
    }

    /// Another modem is about to come where one was: what was said is not about it.
    fn forget_log(&mut self) {
        self.log = Kmsg::from_now();
        self.began = Instant::now();
    }

    /// No modem has filled the log: a few lines to begin with, then one a second.
    /// On a slow machine there is more time for fewer of them.
    fn log_is_short(&self, modem: &Plugged) -> Result<()> {
        let lines = self.lines(modem, "");
        let most = 60 + self.began.elapsed().as_secs() as usize;
        ensure!(lines <= most, "{lines} lines about one modem in the log");
        Ok(())
    }

    /// The hostile modems go, then the good one, and nothing is left of any. A new
    /// one comes up, and the driver goes.
    fn end(self, hostile: Vec<Plugged>) -> Result<()> {
        self.good_one_works()?;
        for modem in &hostile {
            self.log_is_short(modem)?;
        }
        unplug_all(hostile)?;
        let devices = AtmDevice::all();
        ensure!(
            devices.len() == 1,
            "these ATM devices are left: {devices:?}"
        );
        self.good_one_works()?;
        unplug_all([self.good])?;
        wait_until("nothing is left", || nothing_is_left().is_ok())?;
        nothing_is_left()?;
        let modem = Plugged::new(options(1).running())?;
        let atm = modem.await_up().context("a new modem")?;
        echo(&atm, 8, 35, 1500, 1)?;
        modules::unload()
    }
}

/// Pulls the plugs of these modems, and waits until the kernel has let go of them: it
/// might take one that is plugged in too soon in the place of another for the same.
fn unplug_all(modems: impl IntoIterator<Item = Plugged>) -> Result<()> {
    let folders: Vec<_> = modems.into_iter().map(|modem| modem.folder()).collect();
    for folder in folders {
        wait_until("a modem is gone", || !folder.exists())?;
    }
    Ok(())
}
