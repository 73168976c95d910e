//! `lab modem`: an emulated modem for a person in the guest.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::Args;
use modem::{Bus, Fault, Modem, What};

use super::firmware;
use super::plugged::{options, phase_after};

/// What can be chosen about it.
#[derive(Args)]
pub struct Arguments {
    /// The last byte of its MAC address, which makes its serial number
    #[arg(long, default_value_t = 1)]
    number: u8,
    /// A bus without limit, in place of full speed
    #[arg(long)]
    unlimited: bool,
    /// Pull it after so many bytes of firmware
    #[arg(long, value_name = "BYTES")]
    unplug_at: Option<usize>,
    /// Tell everything that happens to it, not only its phases
    #[arg(long)]
    verbose: bool,
    /// Never deliver its firmware
    #[arg(long)]
    no_firmware: bool,
}

/// Plugs a modem and prints what happens to it, until it is gone or this
/// program is ended.
pub fn run(arguments: &Arguments) -> Result<()> {
    ensure!(
        Path::new("/sys/devices/platform/vhci_hcd.0").exists(),
        "there is no vhci_hcd here: use it in ./lab shell"
    );
    if arguments.no_firmware {
        firmware::withhold()?
    } else {
        firmware::install()?
    }
    let mut options = options(arguments.number);
    if arguments.unlimited {
        options = options.bus(Bus::unlimited());
    }
    if let Some(bytes) = arguments.unplug_at {
        options = options.fault(Fault::UnplugAt(bytes));
    }
    let modem = Modem::plug(options)?;
    let mut shown = 0;
    loop {
        let next = modem.wait_until(Duration::from_secs(3600), |view| {
            view.events.get(shown).cloned()
        });
        let Some(event) = next else { continue };
        let (number, at) = (arguments.number, event.at.as_secs_f64());
        if arguments.verbose {
            println!("modem {number}: {at:9.3} s  {:?}", event.what);
        } else if let Some(phase) = phase_after(&event.what) {
            println!("modem {number}: {at:9.3} s  {phase}");
        }
        shown += 1;
        if matches!(event.what, What::Unplugged { .. }) {
            return Ok(());
        }
    }
}
