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
pub const SCENARIOS: &[(&str, Scenario)] = &[
    ("transfers::stop_breaks_each", |_| stop_breaks(&EACH)),
    ("transfers::stop_breaks_series", |_| stop_breaks(&SERIES)),
];

/// How many bytes `usb_test` sends in a transfer, or in several.
const LENGTH: usize = 100;

/// The control endpoint.
const CONTROL: u8 = 0;

/// What `usb_test` does with a modem.
struct Case {
    /// The product with which it does so.
    product: u16,
    /// The endpoints that it uses.
    endpoints: &'static [u8],
    /// What it says has been answered.
    answered: &'static [&'static str],
    /// What is seen to wait.
    waiting: &'static [&'static str],
    /// What never is answered.
    unanswered: &'static [&'static str],
}

/// Transfers of each kind, one at a time. Control requests are those of a chore.
const EACH: Case = Case {
    product: 0x7e57,
    endpoints: &[CONTROL, INTERRUPT_IN, FIRMWARE_IN, FIRMWARE_OUT],
    answered: &[
        "control_in moved 2 bytes: [0, 0]",
        "interrupt_in moved 3 bytes: [1, 2, 3]",
        "bulk_in moved 3 bytes: [1, 2, 3]",
        "bulk_out moved 100 bytes",
    ],
    waiting: &["control", "interrupt_in", "bulk_in", "bulk_out"],
    unanswered: &["control_out", "interrupt_in", "bulk_in", "bulk_out"],
};

/// What is made of several transfers.
const SERIES: Case = Case {
    product: 0x7e58,
    endpoints: &[CONTROL, FIRMWARE_OUT],
    answered: &["set_interface moved 0 bytes", "upload moved 100 bytes"],
    waiting: &["set_interface", "upload"],
    unanswered: &["set_interface", "upload"],
};

/// A modem answers once on each of its endpoints, and then never again. Threads and chores wait
/// for that; they are stopped, by nothing but the end of their module.
fn stop_breaks(case: &Case) -> Result<()> {
    let log = Kmsg::from_now();
    let has = |what: &str| log.has(&format!("usb_test: {what}"));
    let options = options(1)
        .product(case.product)
        .fault(Fault::SilentSelect)
        .fault(Fault::StopTakingAt(LENGTH));
    let modem = Plugged::new(options)?;
    modem.await_configured()?;
    for endpoint in [INTERRUPT_IN, FIRMWARE_IN] {
        let said = [Said::Bytes(vec![1, 2, 3]), Said::Silence];
        modem.modem().say(endpoint, said);
    }
    modules::insmod(Driver::Ours, "usb_test", "")?;
    for endpoint in case.endpoints {
        modem.await_event(
            "get stuck",
            |what| matches!(what, What::Stuck { endpoint: stuck } if stuck == endpoint),
        )?;
    }
    for answered in case.answered {
        ensure!(has(answered), "the log does not say: {answered}");
    }
    let came = modem.modem().progress().total();
    ensure!(came == LENGTH, "{came} bytes came");
    // In a line of the body, which is what the log would name, and in none of the library.
    for waiting in case.waiting {
        ensure!(
            has(&format!("{waiting} waits in usb_test/transfers.rs:")),
            "{waiting} does not tell where it waits"
        );
    }
    modules::rmmod("usb_test")?;
    for unanswered in case.unanswered {
        ensure!(
            has(&format!("{unanswered} was stopped")),
            "the stop did not break {unanswered}"
        );
    }
    Ok(())
}
