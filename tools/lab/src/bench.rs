//! `./lab bench`: what is measured beside C, in one machine and in turn.

pub mod kthread;
mod machine;
mod statistics;
pub mod usbatm;

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;
use comfy_table::{CellAlignment, Table, presets::ASCII_MARKDOWN};

use crate::setup::Lab;
use crate::setup::image::Image;
use crate::vm::{Accel, Options};

/// What can be measured.
#[derive(Debug, Clone, Subcommand)]
pub enum What {
    /// The thread library: starts, stops in every kind of wait, periods and
    /// allocations, beside kernel threads in C
    Kthread(kthread::Arguments),
    /// The modem drivers: what they cost, what of the bus they use, and how soon
    /// they let a modem go, beside the stock C drivers
    Usbatm(usbatm::Arguments),
}

/// Measures, and prints what came of it.
pub fn run(lab: &Lab, image: &Image, accel: Accel, what: What) -> Result<ExitCode> {
    let options = Options {
        accel,
        console_log: lab.cache.join("log/console.log"),
        outside: false,
    };
    match what {
        What::Kthread(arguments) => kthread::run(lab, image, &options, arguments),
        What::Usbatm(arguments) => usbatm::run(lab, image, &options, &arguments),
    }
}

/// A table of figures: the first column has the names.
fn figures<const N: usize>(header: [&str; N], rows: Vec<[String; N]>) -> Table {
    let mut table = Table::new();
    table
        .load_preset(ASCII_MARKDOWN)
        .set_header(header)
        .add_rows(rows);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}
