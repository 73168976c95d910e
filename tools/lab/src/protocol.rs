//! What the host and the guest say to each other over the second serial line:
//! one JSON value a line.

use serde::{Deserialize, Serialize};

/// From the host to the guest.
#[derive(Debug, Serialize, Deserialize)]
pub enum ToGuest {
    /// Do this job and report.
    Run(Job),
    /// Switch the machine off.
    PowerOff,
}

/// Something that the guest can do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Job {
    /// The demonstration.
    Demonstration,
    /// The scenario of this name.
    Scenario(String),
    /// Tell what a user can see of a modem driver.
    Parity(Driver),
    /// Break: what the lab has to notice is tested too.
    Break(Breakage),
    /// Take modems away once, all at the same time, and measure it.
    Removal {
        /// From whose hands.
        driver: Driver,
        /// The name of the phase.
        phase: String,
        /// The name of the means.
        means: String,
        /// How many modems.
        modems: u8,
    },
    /// Plug in another device as a modem is pulled out, and measure how soon it is found.
    Another {
        /// Whose modem.
        driver: Driver,
        /// The name of the modem's phase; there is no modem without one.
        phase: Option<String>,
    },
    /// Measure a part of what a modem driver costs, once.
    Costs {
        /// The part's name.
        part: String,
        /// Whose.
        driver: Driver,
        /// How many packets, where packets are measured.
        packets: usize,
    },
    /// Measure a row of the thread library's table, ours and C in turn.
    Kthread {
        /// The row's name.
        row: String,
        /// How many samples of each.
        samples: usize,
        /// How many operations a sample has.
        operations: usize,
    },
    /// Run these lines in a shell of the gallery.
    Script {
        /// The lines.
        lines: String,
        /// What for.
        purpose: Purpose,
    },
    /// The in-kernel test with this place in the module's list.
    KernelTest {
        /// Its place.
        index: usize,
        /// Its name.
        name: String,
    },
    /// That test again and again, with ever another allocation failing.
    StarvedKernelTest {
        /// Its place.
        index: usize,
        /// Its name.
        name: String,
    },
    /// Detached threads are checked again and again, with ever another allocation failing.
    StarvedDetached,
    /// A modem is plugged in again and again, with ever another allocation failing.
    StarvedModem,
    /// A connection is opened again and again, with ever another allocation failing.
    StarvedConnections,
    /// A modem sends packets, and for some there is no memory.
    StarvedPackets,
    /// A modem comes up, and there is no memory to tell user space of it.
    StarvedEvent,
    /// The module `faults` commits the fault of this name.
    Fault(String),
    /// Tell what leaked so far.
    Leaks,
}

impl Job {
    /// A word for it.
    pub fn name(&self) -> &str {
        match self {
            Self::KernelTest { name, .. }
            | Self::StarvedKernelTest { name, .. }
            | Self::Scenario(name)
            | Self::Fault(name) => name,
            _ => "lab",
        }
    }
}

/// A way in which a guest breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Breakage {
    /// The kernel panics.
    Panic,
    /// Nothing is heard any more.
    Hang,
    /// The kernel's log has a report in it, and goes on.
    Report,
}

/// What a script of the gallery is to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Purpose {
    /// Misuse: it may hang, and the kernel may report what it likes. Nobody waits for its end.
    Misuse,
    /// That all is well: it has to end, and with success.
    Cure,
}

/// From the guest to the host.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum FromGuest {
    /// The guest is up and waits for jobs.
    Ready,
    /// A heading of the job's account.
    Heading(String),
    /// A fact that the job shows.
    Note(String),
    /// What a user can see of a driver, under a name that is the same for all.
    Fact {
        /// The name.
        what: String,
        /// What there is to see.
        value: String,
    },
    /// How far a modem is.
    Modem {
        /// What the account calls it.
        name: String,
        /// Its phase, in words.
        phase: String,
        /// Firmware bytes that it has taken.
        bytes: u64,
        /// Firmware bytes in all.
        total: u64,
    },
    /// Something that was measured.
    Measured(Measurement),
    /// A sample: what was measured, in the row's unit.
    Sample {
        /// Of which implementation.
        driver: Driver,
        /// Each operation, in order.
        values: Vec<f64>,
    },
    /// What one sample of a row of a driver's costs measured.
    Figures {
        /// The row's name, with its unit.
        row: String,
        /// Of which implementation.
        driver: Driver,
        /// One figure, or several of the same kind.
        values: Vec<f64>,
    },
    /// Something is to happen outside of the machine. The guest finds out by itself that it has.
    Outside(Outside),
    /// The job has ended.
    Done {
        /// Why it did not hold, if it did not.
        error: Option<String>,
        /// What the kernel logged meanwhile.
        kernel_log: Vec<String>,
    },
}

/// What can happen outside of the machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outside {
    /// A modem is plugged in.
    Plug(OutsideModem),
    /// All of them are pulled out.
    Pull,
    /// The hub is pulled out, with what is plugged into it.
    PullHub,
    /// The hub is plugged in again, with nothing plugged into it.
    PlugHub,
}

/// A modem that is not emulated in the guest, and so does not sleep with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutsideModem {
    /// Where it is plugged in.
    pub place: Place,
    /// The last byte of its MAC address.
    pub number: u8,
    /// Whether it loses its firmware when its port is reset.
    pub forgets: bool,
}

/// A place for a USB device from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Place {
    /// At the host controller itself.
    Controller,
    /// At a hub.
    Hub,
    /// At a host controller of the generation before, EHCI, which leaves a device of full speed
    /// to its companion, UHCI: what was there when the modems were sold.
    Ehci,
}

/// A time that was measured, or that a limit was reached first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    /// What was done.
    pub what: String,
    /// By which driver.
    pub driver: Driver,
    /// How long it took.
    pub took: Took,
}

/// How long something took.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Took {
    /// Milliseconds until it was done.
    Ms(f64),
    /// It was not done within this many milliseconds, and was given up.
    MoreThanMs(f64),
}

/// The two implementations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Driver {
    /// This project's modules.
    Ours,
    /// The C modules of the stock kernel.
    C,
}
