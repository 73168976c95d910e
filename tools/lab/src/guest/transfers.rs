//! Transfers that somebody waits for, of each kind.

use anyhow::{Result, ensure};
use modem::{Fault, Said, What};
use wire::speedtch::{FIRMWARE_IN, FIRMWARE_OUT, INTERRUPT_IN};

use super::kmsg::Kmsg;
use super::modules;
use super::plugged::{Plugged, options};
use super::scenarios::Scenario;
use crate::protocol::Driver;

/// The scenarios of this page.
pub const SCENARIOS: &[(&str, Scenario)] =
    &[("transfers::stop_breaks_each", |_| stop_breaks_each())];

/// The product with which `usb_test` makes transfers.
const PRODUCT: u16 = 0x7e57;

/// How many bytes it sends in a transfer.
const LENGTH: usize = 100;

/// The control endpoint.
const CONTROL: u8 = 0;

/// A modem answers one transfer on each of its endpoints, and never the next. Threads and a chore
/// wait for those; they are stopped, by nothing but the end of their module.
fn stop_breaks_each() -> Result<()> {
    let log = Kmsg::from_now();
    let has = |what: &str| log.has(&format!("usb_test: {what}"));
    let options = options(1)
        .product(PRODUCT)
        .fault(Fault::SilentSelect)
        .fault(Fault::StopTakingAt(LENGTH));
    let modem = Plugged::new(options)?;
    modem.await_configured()?;
    for endpoint in [INTERRUPT_IN, FIRMWARE_IN] {
        let said = [Said::Bytes(vec![1, 2, 3]), Said::Silence];
        modem.modem().say(endpoint, said);
    }
    modules::insmod(Driver::Ours, "usb_test", "")?;
    for endpoint in [CONTROL, INTERRUPT_IN, FIRMWARE_IN, FIRMWARE_OUT] {
        modem.await_event(
            "get stuck",
            |what| matches!(what, What::Stuck { endpoint: stuck } if *stuck == endpoint),
        )?;
    }
    for answered in [
        "control_in moved 2 bytes: [0, 0]",
        "interrupt_in moved 3 bytes: [1, 2, 3]",
        "bulk_in moved 3 bytes: [1, 2, 3]",
        "bulk_out moved 100 bytes",
    ] {
        ensure!(has(answered), "the log does not say: {answered}");
    }
    let came = modem.modem().progress().total();
    ensure!(came == LENGTH, "{came} bytes came");
    modules::rmmod("usb_test")?;
    for unanswered in ["control_out", "interrupt_in", "bulk_in", "bulk_out"] {
        ensure!(
            has(&format!("{unanswered} was stopped")),
            "the stop did not break {unanswered}"
        );
    }
    Ok(())
}
