//! What packets cost: the processor, and the time that they take.

use std::fs::File;
use std::io::{Read, Write};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use modem::Bus;

use super::{alive, pull};
use crate::guest::atmpvc::Pvc;
use crate::guest::modules;
use crate::guest::plugged::Plugged;
use crate::guest::sysfs::AtmDevice;
use crate::protocol::Driver;

/// The lengths of packets that are measured: an acknowledgement, the classical
/// datagram, and a full frame.
const LENGTHS: [usize; 3] = [40, 576, 1500];

/// Where packets go.
const VC: (i16, i32) = (8, 35);

/// What one packet takes there and back, over a full-speed bus and over one that takes no
/// time: microseconds.
pub fn latency(driver: Driver, packets: usize, say: impl Fn(String, Vec<f64>)) -> Result<()> {
    for (bus, name) in [
        (Bus::full_speed(), "full speed"),
        (Bus::unlimited(), "no limit"),
    ] {
        let modem = Plugged::new(alive(1).bus(bus))?;
        modules::load(driver)?;
        let mut circuit = Circuit::open(&modem.await_up()?)?;
        for length in LENGTHS {
            circuit.echo(length, 5)?;
            let took = (0..packets)
                .map(|number| {
                    thread::sleep(pause(number));
                    circuit.echo(length, 1).map(|took| took * 1e6)
                })
                .collect::<Result<Vec<_>>>()?;
            say(format!("there and back, {length} bytes, {name} (µs)"), took);
        }
        drop(circuit);
        modules::unload()?;
        pull(vec![modem])?;
    }
    Ok(())
}

/// The time from one packet to the next, which is another each time, up to a millisecond.
///
/// Packets that follow each other at once fall into step with what bus and modem still do for
/// those before. On a clock that counts instructions they stay in it: each takes one of a few
/// times, by how often the processor goes from task to task meanwhile, and how many take the
/// longest is another matter after every change, of whatever kind.
fn pause(number: usize) -> Duration {
    Duration::from_micros(number as u64 * 617 % 1000)
}

/// The module that takes the place of the host controller.
pub const BENCH: &str = "usbatm_bench";

/// How many packets are sent before the first transfer ends, and what that is called.
const BATCHES: [(usize, &str); 2] = [(1, "one by one"), (32, "32 at once")];

/// What a cell costs the driver itself, and the whole path from one socket to another:
/// instructions, where the clock counts them.
pub fn cpu(driver: Driver, packets: usize, say: impl Fn(String, Vec<f64>)) -> Result<()> {
    let modem = Plugged::new(alive(1))?;
    modem.await_configured()?;
    modules::modprobe(BENCH)?;
    modules::load(driver)?;
    let atm = modem.await_up()?;
    let mut bench = Bench::open(atm.number)?;
    for length in LENGTHS {
        for (batch, how) in BATCHES {
            let packets = packets.next_multiple_of(batch);
            let row = |what| format!("{what}, {length} bytes, {how} (ns/cell)");
            for direction in ["send", "receive"] {
                let cost = bench.measure(direction, length, packets, batch)?;
                say(row(direction), vec![cost]);
            }
            bench.command("softirq")?;
            let cost = bench.measure("receive", length, packets, batch)?;
            bench.command("interrupt")?;
            say(row("receive in softirq"), vec![cost]);
            let cost = bench.path(&atm, length, packets, batch)?;
            say(row("socket to socket"), vec![cost]);
        }
    }
    drop(bench);
    // First the driver, whose transfers the module has.
    modules::unload()?;
    modules::rmmod(BENCH)?;
    pull(vec![modem])
}

/// The measuring module's device.
struct Bench {
    file: File,
    device: i16,
}

impl Bench {
    fn open(device: i16) -> Result<Self> {
        let file = File::options()
            .read(true)
            .write(true)
            .open(format!("/dev/{BENCH}"))
            .context("no device of the measuring module")?;
        Ok(Self { file, device })
    }

    fn command(&mut self, command: &str) -> Result<()> {
        self.file
            .write_all(command.as_bytes())
            .with_context(|| format!("{BENCH} refuses '{command}'"))
    }

    /// What a cell costs the driver: nanoseconds, without what the transfers and the
    /// memory of packets cost anyhow.
    fn measure(&mut self, what: &str, length: usize, packets: usize, batch: usize) -> Result<f64> {
        let device = self.device;
        self.command(&format!("{what} {device} {length} {packets} {batch}"))?;
        let mut bytes = [0; 32];
        self.file.read_exact(&mut bytes)?;
        let number = |at: usize| {
            let bytes = bytes[8 * at..][..8].try_into().unwrap_or_default();
            i64::from_ne_bytes(bytes) as f64
        };
        let (took, floor, cells) = (number(0), number(1), number(2));
        let expected = (packets * cells_of(length)) as f64;
        ensure!(cells == expected, "{cells} cells came of {expected}");
        Ok((took - floor) / cells)
    }

    /// What a cell costs from the socket that it is sent on until it has been received,
    /// the copy that stands for the bus included: nanoseconds.
    fn path(
        &mut self,
        atm: &AtmDevice,
        length: usize,
        packets: usize,
        batch: usize,
    ) -> Result<f64> {
        let mut circuit = Circuit::open(atm)?;
        circuit.echo(length, 5)?;
        let began = Instant::now();
        for _ in 0..packets / batch {
            if batch == 1 {
                circuit.echo(length, 1)?;
                continue;
            }
            self.command("hold")?;
            circuit.send(length, batch)?;
            self.command("loop")?;
            circuit.receive(length, batch)?;
        }
        let cells = packets * cells_of(length);
        Ok(began.elapsed().as_nanos() as f64 / cells as f64)
    }
}

/// How many cells a packet has.
fn cells_of(length: usize) -> usize {
    (length + 8).div_ceil(48)
}

/// A socket whose packets come back.
struct Circuit {
    pvc: Pvc,
    sent: Vec<u8>,
    received: Vec<u8>,
}

impl Circuit {
    fn open(atm: &AtmDevice) -> Result<Self> {
        let (vpi, vci) = VC;
        let pvc = Pvc::open(atm.number, vpi, vci, 65535)?;
        Ok(Self {
            pvc,
            sent: vec![0x5a; 65535],
            received: vec![0; 65535],
        })
    }

    fn send(&mut self, length: usize, count: usize) -> Result<()> {
        for _ in 0..count {
            self.pvc.send(&self.sent[..length])?;
        }
        Ok(())
    }

    fn receive(&mut self, length: usize, count: usize) -> Result<()> {
        for _ in 0..count {
            let came = self.pvc.receive(&mut self.received)?;
            ensure!(came == length, "{came} bytes came back of {length}");
        }
        Ok(())
    }

    /// Sends packets one after the other, each when the one before has come back;
    /// seconds.
    fn echo(&mut self, length: usize, count: usize) -> Result<f64> {
        let began = Instant::now();
        for _ in 0..count {
            self.send(length, 1)?;
            self.receive(length, 1)?;
        }
        Ok(began.elapsed().as_secs_f64())
    }
}
