//! `./lab run`, seen from the host: what the guest shows, live, with a bar for
//! each modem, and in the end a table of what was measured.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Result;
use comfy_table::{CellAlignment, Table, presets::ASCII_MARKDOWN};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::protocol::{Driver, FromGuest, Job, Measurement, Took};
use crate::setup::Lab;
use crate::setup::image::Image;
use crate::setup::kernel::Kernel;
use crate::vm::{Accel, Options, Vm};

/// The guest says something several times a second; this long without a word
/// means that it hangs.
const SILENCE: Duration = Duration::from_secs(60);

/// Shows the demonstration; succeeds when everything in it held.
pub fn show(lab: &Lab, kernel: &Kernel, image: &Image, accel: Accel) -> Result<ExitCode> {
    let started = Instant::now();
    let options = Options {
        accel,
        console_log: lab.cache.join("log/console.log"),
        outside: false,
    };
    let mut vm = Vm::boot(image, &options)?;
    println!(
        "\nLinux {} is up after {:.1} s.",
        kernel.release,
        started.elapsed().as_secs_f64()
    );
    let mut screen = Screen::default();
    let result = vm.run(&Job::Demonstration, SILENCE, |said| screen.hear(said));
    screen.clear();
    result?;
    println!("\n{}", table(&screen.measured));
    println!(
        "Everything held. The whole took {:.1} s.",
        started.elapsed().as_secs_f64()
    );
    vm.power_off();
    Ok(ExitCode::SUCCESS)
}

/// What the user sees.
#[derive(Default)]
struct Screen {
    bars: MultiProgress,
    modems: BTreeMap<String, (ProgressBar, String)>,
    measured: Vec<Measurement>,
}

impl Screen {
    fn hear(&mut self, said: &FromGuest) {
        match said {
            FromGuest::Heading(text) => {
                self.clear();
                self.line(&format!("\n{text}"));
            }
            FromGuest::Note(text) => self.line(&format!("  {text}")),
            FromGuest::Modem {
                name,
                phase,
                bytes,
                total,
            } => self.modem(name, phase, *bytes, *total),
            FromGuest::Measured(measurement) => self.measured.push(measurement.clone()),
            FromGuest::Ready
            | FromGuest::Fact { .. }
            | FromGuest::Sample { .. }
            | FromGuest::Figures { .. }
            | FromGuest::Outside(_)
            | FromGuest::Done { .. } => {}
        }
    }

    fn line(&self, text: &str) {
        // Above the bars, where there are any; a pipe has none.
        if self.bars.is_hidden() || self.bars.println(text).is_err() {
            println!("{text}");
        }
    }

    /// Moves a modem's bar; without a terminal, tells its changes of phase.
    fn modem(&mut self, name: &str, phase: &str, bytes: u64, total: u64) {
        if !self.modems.contains_key(name) {
            let bar = self.bars.add(ProgressBar::new(total));
            if let Ok(style) = ProgressStyle::with_template(
                "  {prefix:<9} [{bar:32}] {bytes:>11} / {total_bytes}  {msg}",
            ) {
                bar.set_style(style.progress_chars("━╸─"));
            }
            bar.set_prefix(name.to_owned());
            self.modems.insert(name.to_owned(), (bar, String::new()));
        }
        let hidden = self.bars.is_hidden();
        let Some((bar, last)) = self.modems.get_mut(name) else {
            return;
        };
        bar.set_position(bytes);
        bar.set_message(phase.to_owned());
        if hidden && last != phase {
            println!("  {name}: {phase} ({bytes} of {total} bytes)");
        }
        phase.clone_into(last);
    }

    /// Takes the bars away.
    fn clear(&mut self) {
        for (bar, _) in self.modems.values() {
            bar.finish_and_clear();
        }
        self.modems.clear();
    }
}

/// What was measured, ours beside C.
fn table(measured: &[Measurement]) -> Table {
    let mut whats: Vec<&str> = Vec::new();
    for measurement in measured {
        if !whats.contains(&measurement.what.as_str()) {
            whats.push(&measurement.what);
        }
    }
    let mut table = Table::new();
    table
        .load_preset(ASCII_MARKDOWN)
        .set_header(["shown", "ours", "stock C", "C / ours"]);
    for what in whats {
        let of = |driver| {
            measured
                .iter()
                .find(|m| m.what == what && m.driver == driver)
                .map(|m| m.took)
        };
        let (ours, c) = (of(Driver::Ours), of(Driver::C));
        table.add_row([what.to_owned(), text(ours), text(c), ratio(ours, c)]);
    }
    for column in 1..4 {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn text(took: Option<Took>) -> String {
    match took {
        None => String::new(),
        Some(Took::Ms(ms)) if ms < 1000.0 => format!("{ms:.0} ms"),
        Some(Took::Ms(ms)) => format!("{:.1} s", ms / 1000.0),
        Some(Took::MoreThanMs(ms)) => format!("> {:.0} s, gave up", ms / 1000.0),
    }
}

fn ratio(ours: Option<Took>, c: Option<Took>) -> String {
    match (ours, c) {
        (Some(Took::Ms(ours)), Some(Took::Ms(c))) if ours > 0.0 => format!("{:.1}", c / ours),
        (Some(Took::Ms(ours)), Some(Took::MoreThanMs(c))) if ours > 0.0 => {
            format!("> {:.0}", c / ours)
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(what: &str, driver: Driver, took: Took) -> Measurement {
        Measurement {
            what: what.to_owned(),
            driver,
            took,
        }
    }

    #[test]
    fn the_table_sets_ours_beside_c() {
        let rows = [
            measured("unplug", Driver::Ours, Took::Ms(20.0)),
            measured("wait", Driver::Ours, Took::Ms(10.0)),
            measured("unplug", Driver::C, Took::Ms(1800.0)),
            measured("wait", Driver::C, Took::MoreThanMs(10_000.0)),
        ];
        let table = table(&rows).to_string();
        for expected in ["20 ms", "1.8 s", "90.0", "> 10 s, gave up", "> 1000"] {
            assert!(table.contains(expected), "{expected} in\n{table}");
        }
    }
}
