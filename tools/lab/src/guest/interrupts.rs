//! Modems at a host controller that ends transfers with interrupts off, as UHCI and OHCI do.
//!
//! The module that measures costs stands in for one: what is sent comes back, in hard interrupts.
//! There the driver has to put packets aside for a bottom half.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::ops::Range;
use std::thread;

use anyhow::{Context, Result, bail, ensure};

use super::atmpvc::Pvc;
use super::costs::{BENCH, alive};
use super::modules;
use super::plugged::{LIMIT, Plugged, wait_until};
use super::removal::{Means, nothing_is_left, remove};
use super::scenarios::Scenario;
use super::sysfs::AtmDevice;
use crate::protocol::{Driver, Took};

/// The scenarios.
pub const SCENARIOS: &[(&str, Scenario)] = &[
    ("interrupts::packets_keep_their_order", |_| {
        packets_keep_their_order()
    }),
    ("interrupts::flood_is_bounded", |_| flood_is_bounded()),
    ("interrupts::driver_goes_in_a_flood", |_| {
        driver_goes_in_a_flood()
    }),
    ("interrupts::calls_overlap_what_is_done_to_them", |_| {
        calls_overlap_what_is_done_to_them()
    }),
];

/// A modem whose transfers end in interrupts.
struct Looped {
    modem: Plugged,
    bench: File,
}

impl Looped {
    fn new() -> Result<Self> {
        let modem = Plugged::new(alive(1))?;
        modem.await_configured()?;
        modules::modprobe(BENCH)?;
        let bench = File::options().write(true).open(format!("/dev/{BENCH}"));
        let bench = bench.context("no device of the measuring module")?;
        Ok(Self { modem, bench })
    }

    /// Loads the driver, and waits for the line.
    fn up(&self) -> Result<AtmDevice> {
        modules::load(Driver::Ours)?;
        self.modem.await_up()
    }

    /// Has all that `send` sends come back at once.
    fn at_once(&mut self, send: impl FnOnce() -> Result<()>) -> Result<()> {
        self.bench.write_all(b"hold")?;
        send()?;
        self.bench.write_all(b"loop")?;
        Ok(())
    }

    /// Takes everything away again.
    fn end(self) -> Result<()> {
        // First the driver, whose transfers the module has.
        modules::unload()?;
        drop(self.bench);
        modules::rmmod(BENCH)
    }
}

/// Packet `number` of a connection. Most fill a cell or less, some are longer than a transfer.
fn packet(vci: i32, number: u32) -> Vec<u8> {
    const LENGTHS: [usize; 6] = [40, 1500, 8, 40, 5000, 40];
    let mut packet = vec![vci as u8; LENGTHS[number as usize % LENGTHS.len()]];
    packet[..4].copy_from_slice(&number.to_be_bytes());
    packet
}

fn send(pvc: &mut Pvc, vci: i32, numbers: Range<u32>) -> Result<()> {
    for number in numbers {
        pvc.send(&packet(vci, number)).context("cannot send")?;
    }
    Ok(())
}

fn receive(pvc: &mut Pvc, vci: i32, numbers: Range<u32>) -> Result<()> {
    let mut received = [0; 8192];
    for number in numbers {
        let length = pvc.receive(&mut received);
        let length = length.with_context(|| format!("{vci}: packet {number} did not come back"))?;
        ensure!(
            received[..length] == packet(vci, number),
            "{vci}: {length} other bytes came instead of packet {number}"
        );
    }
    Ok(())
}

/// All packets come back whole and in order, on two connections at once that two processors
/// send on, and in bursts on both.
fn packets_keep_their_order() -> Result<()> {
    const VCIS: [i32; 2] = [35, 36];
    const WINDOW: u32 = 24;
    const WINDOWS: u32 = 40;
    let window = |index: u32| index * WINDOW..(index + 1) * WINDOW;

    let mut looped = Looped::new()?;
    let atm = looped.up()?;
    let mut pvcs = Vec::new();
    for vci in VCIS {
        pvcs.push((vci, Pvc::open(atm.number, 8, vci, 8192)?));
    }
    let exchange = |(vci, pvc): &mut (i32, Pvc)| {
        (0..WINDOWS).map(window).try_for_each(|numbers| {
            send(pvc, *vci, numbers.clone())?;
            receive(pvc, *vci, numbers)
        })
    };
    thread::scope(|scope| {
        let threads: Vec<_> = pvcs
            .iter_mut()
            .map(|pvc| scope.spawn(|| exchange(pvc)))
            .collect();
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().unwrap_or_else(|_| bail!("a thread panicked")))
    })?;
    for numbers in (0..WINDOWS).map(window) {
        looped.at_once(|| {
            let mut pvcs = pvcs.iter_mut();
            pvcs.try_for_each(|(vci, pvc)| send(pvc, *vci, numbers.clone()))
        })?;
        for (vci, pvc) in &mut pvcs {
            receive(pvc, *vci, numbers.clone())?;
        }
    }
    drop(pvcs);
    looped.end()
}

/// More packets come in one interrupt than may wait: those that are too many are counted, the
/// others come in order, and so do all that follow.
fn flood_is_bounded() -> Result<()> {
    const VCIS: [i32; 4] = [35, 36, 37, 38];
    /// Each; twice as many as may wait.
    const COUNT: u32 = 128;

    let mut looped = Looped::new()?;
    let atm = looped.up()?;
    let mut pvcs = Vec::new();
    for vci in VCIS {
        pvcs.push(Pvc::open(atm.number, 8, vci, 64)?);
    }
    looped.at_once(|| {
        for number in 0..COUNT {
            for pvc in &mut pvcs {
                pvc.send(&number.to_be_bytes()).context("cannot send")?;
            }
        }
        Ok(())
    })?;
    let sent = COUNT * VCIS.len() as u32;
    wait_until("all packets are counted", || {
        let counted = atm.traffic();
        counted.is_ok_and(|counted| counted.rx + counted.rx_drops >= sent)
    })?;
    let counted = atm.traffic()?;
    ensure!(
        counted.rx > 0 && counted.rx_drops > 0 && counted.rx + counted.rx_drops == sent,
        "of {sent} packets were counted {counted:?}"
    );
    let mut came = 0;
    for pvc in &mut pvcs {
        pvc.never_wait()?;
        came += count_in_order(pvc)?;
    }
    ensure!(came == counted.rx, "{came} came of {}", counted.rx);
    let mut pvc = pvcs.remove(0);
    let mut received = [0; 64];
    for number in 0..COUNT {
        pvc.send(&number.to_be_bytes())?;
        wait_until("a packet comes after the flood", || {
            pvc.receive(&mut received).is_ok()
        })?;
        ensure!(received[..4] == number.to_be_bytes(), "another packet came");
    }
    drop((pvc, pvcs));
    looped.end()
}

/// How many packets have come; each has to have a greater number than the one before.
fn count_in_order(pvc: &mut Pvc) -> Result<u32> {
    let mut numbers = Vec::new();
    let mut received = [0; 4];
    loop {
        match pvc.receive(&mut received) {
            Ok(_) => numbers.push(u32::from_be_bytes(received)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => return Err(error.into()),
        }
    }
    ensure!(
        numbers.is_sorted_by(|one, next| one < next),
        "out of order: {numbers:?}"
    );
    Ok(numbers.len() as u32)
}

/// What has a driver called in a bottom half is dropped, or told to call again, in the middle of a
/// call.
fn calls_overlap_what_is_done_to_them() -> Result<()> {
    modules::insmod(Driver::Ours, "atm_test", "")?;
    modules::rmmod("atm_test")
}

/// The driver's module goes while packets come in and go out, and connections open and close.
fn driver_goes_in_a_flood() -> Result<()> {
    let looped = Looped::new()?;
    for round in 0..5 {
        let atm = looped.up()?;
        thread::scope(|scope| {
            let flood = |vci| {
                let mut pvc = Pvc::open(atm.number, 8, vci, 8192)?;
                // Until the socket says that the modem is gone.
                while (0..100).all(|number| pvc.send(&packet(vci, number)).is_ok()) {}
                Ok(())
            };
            let come_and_go = || {
                while let Ok(mut pvc) = Pvc::open(atm.number, 8, 37, 8192) {
                    for number in 0..20 {
                        let _ = pvc.send(&packet(37, number));
                    }
                }
                Ok(())
            };
            let threads = [
                scope.spawn(move || flood(35)),
                scope.spawn(move || flood(36)),
                scope.spawn(come_and_go),
            ];
            let busy = wait_until("packets flow", || {
                let counted = atm.traffic();
                counted.is_ok_and(|counted| counted.rx + counted.rx_drops > 1000)
            });
            let took = remove([&looped.modem], Means::Rmmod, LIMIT)?;
            let joined = threads.into_iter().try_for_each(|thread| {
                thread.join().unwrap_or_else(|_| bail!("a thread panicked"))
            });
            busy.and(joined)?;
            ensure!(matches!(took, Took::Ms(_)), "not gone: {took:?}");
            Ok(())
        })
        .with_context(|| format!("round {round}"))?;
        wait_until("nothing is left", || nothing_is_left().is_ok())?;
        modules::unload()?;
    }
    looped.end()
}
