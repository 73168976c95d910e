// SPDX-License-Identifier: GPL-2.0-only

//! Plugs modems in, and prints what happens to them.
//!
//! ```sh
//! plug COUNT SECONDS [STAGE-1 STAGE-2]
//! ```
//!
//! It ends when all lines are up, or after so many seconds, and then leaves the
//! modems plugged in for two more. With the two files, only they are taken for
//! firmware.

use std::env::args;
use std::error::Error;
use std::fs::read;
use std::thread::sleep;
use std::time::{Duration, Instant};

use modem::{Image, Modem, Options, Port, What};

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = args().skip(1).collect();
    let count: u8 = args.first().ok_or("how many modems?")?.parse()?;
    let seconds = args.get(1).ok_or("for how many seconds?")?.parse()?;
    let mut options = Options::new().epoch(Instant::now());
    if let [_, _, stage_1, stage_2] = &args[..] {
        options = options.firmware(Image::of(&read(stage_1)?), Image::of(&read(stage_2)?));
    }
    let modems = (0..count)
        .map(|number| Modem::plug(options.clone().mac([0, 0x90, 0xd0, 0, 0, number])))
        .collect::<Result<Vec<_>, _>>()?;
    let end = Instant::now() + Duration::from_secs(seconds);
    for modem in &modems {
        let left = end.saturating_duration_since(Instant::now());
        modem.wait_for(left, |what| matches!(what, What::LineUp { .. }));
    }
    sleep(Duration::from_secs(2));
    for (number, modem) in modems.iter().enumerate() {
        println!("modem {number} at {:?}:", modem.port().map(Port::device));
        for event in modem.events() {
            println!("{:>9.3?} {:?}", event.at, event.what);
        }
        println!("{:?} {:?}", modem.progress(), modem.counters());
        modem.unplug();
    }
    for modem in &modems {
        let unplugged = Instant::now();
        let forgotten = modem.wait_forgotten(Duration::from_secs(10));
        println!("forgotten: {forgotten}, after {:?}", unplugged.elapsed());
    }
    Ok(())
}
