//! Transfers that safe code leaks.

use anyhow::{Result, ensure};
use modem::{Said, What};
use wire::speedtch::INTERRUPT_IN;

use crate::guest::kmsg::Kmsg;
use crate::guest::modules;
use crate::guest::plugged::{Plugged, options, wait_until};
use crate::protocol::Driver;

/// `usb_test` leaks transfers that wait for the modem to say something. They work
/// until its module goes, and end then: the modem may say what it likes.
pub fn leaked_transfers_end_with_their_module() -> Result<()> {
    let log = Kmsg::from_now();
    modules::insmod(Driver::Ours, "usb_test", "")?;
    let modem = Plugged::new(options(1).running())?;
    wait_until("the transfers are under way", || {
        log.has("usb_test: leaked on purpose")
    })?;
    modem
        .modem()
        .say(INTERRUPT_IN, [Said::Bytes(vec![1; 7]), Said::Bytes(vec![])]);
    wait_until("they were answered", || {
        log.has("usb_test: heard 7 bytes") && log.has("usb_test: heard 0 bytes")
    })?;
    let unlinked = || {
        let is_one = |what: &What| matches!(what, What::Unlinked { endpoint, .. } if *endpoint == INTERRUPT_IN);
        let events = modem.modem().events();
        events.iter().filter(|event| is_one(&event.what)).count()
    };
    ensure!(unlinked() == 0, "they did not wait");
    modules::rmmod("usb_test")?;
    ensure!(unlinked() == 2, "{} of 2 were ended", unlinked());
    modem.modem().say(INTERRUPT_IN, [Said::Bytes(vec![1; 7])]);
    let folder = modem.folder();
    ensure!(folder.exists(), "the modem has gone with it");
    drop(modem);
    wait_until("the modem is gone", || !folder.exists())
}
