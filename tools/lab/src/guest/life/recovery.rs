//! A modem fails, or is reset: it is brought back, and its connections are kept.

use anyhow::{Context, Result, ensure};
use modem::{Crash, Fault, Said, What};
use wire::speedtch::{INTERRUPT_IN, LineEvent};

use super::super::atmpvc::Pvc;
use super::super::kept::Kept;
use super::super::kmsg::Kmsg;
use super::super::plugged::{Plugged, options, wait_until};
use super::super::removal::Means;
use super::super::scenarios::Scenario;
use super::super::surface::fill;
use super::super::uevents::Uevents;
use super::super::{firmware, modules, usbfs};
use super::{WAITING, gone};
use crate::protocol::Driver;

/// The scenarios of this file.
pub const SCENARIOS: &[(&str, Scenario)] = &[
    ("life::rebooted_modem_is_brought_back", |_| {
        crashed_modem_is_brought_back(Crash::Reboot)
    }),
    ("life::frozen_modem_is_brought_back", |_| {
        crashed_modem_is_brought_back(Crash::Freeze)
    }),
    ("life::silent_isochronous_modem_is_given_up", |_| {
        silent_isochronous_modem_is_given_up()
    }),
    ("life::refused_reception_is_a_failure", |_| {
        refused_reception_is_a_failure()
    }),
    ("life::burst_that_fails_is_no_end", |_| {
        burst_that_fails_is_no_end()
    }),
    ("life::unasked_modem_takes_no_firmware", |_| {
        unasked_modem_takes_no_firmware()
    }),
    ("life::stalled_modem_is_brought_back", |_| {
        crashed_modem_is_brought_back(Crash::Stall)
    }),
    ("life::reset_by_others_is_survived", |_| {
        reset_by_others_is_survived()
    }),
    ("life::relapsing_modem_is_left_alone", |_| {
        relapsing_modem_is_left_alone()
    }),
    ("life::packets_of_a_failed_modem_are_counted", |_| {
        packets_of_a_failed_modem_are_counted()
    }),
    ("life::recovery::unplug", |_| {
        goes_while_brought_back(Means::Unplug)
    }),
    ("life::recovery::unbind", |_| {
        goes_while_brought_back(Means::Unbind)
    }),
    ("life::recovery::rmmod", |_| {
        goes_while_brought_back(Means::Rmmod)
    }),
    ("life::sleep_is_survived", |_| sleep_is_survived()),
    ("life::line_down_is_told_though_late", |_| {
        line_down_is_told_though_late()
    }),
];

/// A modem that fails in service is brought back, and its connections are kept.
fn crashed_modem_is_brought_back(crash: Crash) -> Result<()> {
    let uevents = Uevents::from_now()?;
    let mut kept = Kept::new()?;
    kept.modem.modem().crash(crash);
    kept.modem.await_told(&uevents, "usable", 2)?;
    let told = kept.modem.told(&uevents);
    ensure!(
        told.iter().any(|event| event == "line-down") && told.iter().any(|event| event == "failed"),
        "user space was told {told:?}"
    );
    kept.works()
}

/// Isochronous transfers go on whether there are cells in them or not: they don't count for a modem
/// that says nothing any more.
fn silent_isochronous_modem_is_given_up() -> Result<()> {
    let kept = Kept::loaded("enable_isoc=1", options(1))?;
    let uevents = Uevents::from_now()?;
    kept.modem.modem().add_fault(Fault::SilentStatus);
    let is_told = |what: &str| kept.modem.told(&uevents).iter().any(|event| event == what);
    wait_until("it is given up", || is_told("failed"))?;
    kept.modem.modem().cure();
    kept.modem.retry()?;
    wait_until("it is brought back", || is_told("usable"))
}

/// The host controller takes no transfer from a modem any more: it counts as one that has failed,
/// and as soon as it does again, the modem is brought back.
fn refused_reception_is_a_failure() -> Result<()> {
    let uevents = Uevents::from_now()?;
    let log = Kmsg::from_now();
    let mut kept = Kept::of(options(1).running())?;
    modules::insmod(Driver::Ours, "usb_refuse", "")?;
    let mut other = Pvc::open(kept.atm.number, 8, 36, 1500)?;
    wait_until("user space is told that the modem has failed", || {
        // Each packet that comes ends a transfer, which is not taken again.
        let _ = other.send(&[0x5a; 40]);
        let told = kept.modem.told(&uevents);
        told.iter().any(|event| event == "failed")
    })?;
    kept.modem.await_file(
        "last_error",
        "the start of traffic failed: no memory (ENOMEM)",
    )?;
    for said in [
        "receiving cells failed: ENOMEM",
        "watching the line failed: no memory (ENOMEM)",
    ] {
        ensure!(log.has(said), "the log does not say {said:?}");
    }
    kept.modem.await_file("phase", WAITING)?;
    ensure!(!kept.atm.has_carrier(), "it has a carrier");
    // A modem that is down has nothing sent to it, although that could be.
    let sent = other.send(&[0x5a; 40]);
    ensure!(
        matches!(&sent, Err(error) if error.raw_os_error() == Some(libc::ENETDOWN)),
        "sending while it is down: {sent:?}"
    );
    modules::rmmod("usb_refuse")?;
    kept.modem.retry()?;
    kept.modem.await_file("last_error", "")?;
    kept.works()
}

/// Many packets that are wanted to be sent at once, while nothing can be sent, are no reason to
/// take the modem for dead.
fn burst_that_fails_is_no_end() -> Result<()> {
    /// More than failures that a modem is given up for, in a row.
    const PACKETS: usize = 60;
    let mut kept = Kept::of(options(1).running())?;
    let uevents = Uevents::from_now()?;
    let log = Kmsg::from_now();
    modules::insmod(Driver::Ours, "usb_refuse", "sent=1")?;
    for _ in 0..PACKETS {
        kept.pvc.send(&[0x5a; 40])?;
    }
    look_now(&kept.modem);
    let has_failed = || kept.modem.times_told(&uevents, "failed") > 0;
    wait_until("it is looked at", || {
        log.has("DSL line goes up") || has_failed()
    })?;
    ensure!(
        log.has("sending cells failed: ENOMEM"),
        "nothing was refused"
    );
    ensure!(!has_failed(), "it is taken for dead");
    modules::rmmod("usb_refuse")?;
    wait_until("something is sent again", || {
        kept.atm.traffic().is_ok_and(|traffic| traffic.rx > 1) || {
            let _ = kept.pvc.send(&[0x5a; 40]);
            false
        }
    })
}

/// A modem that could not be asked whether it has its firmware may have it, and a line that is up.
fn unasked_modem_takes_no_firmware() -> Result<()> {
    firmware::install()?;
    let modem = Plugged::new(options(1).running())?;
    modem.await_configured()?;
    modules::insmod(Driver::Ours, "usb_refuse", "questions=1")?;
    modules::load(Driver::Ours)?;
    modem.await_file(
        "last_error",
        "asking whether it is alive failed: no memory (ENOMEM)",
    )?;
    modules::rmmod("usb_refuse")?;
    modem.retry()?;
    modem.await_up()?;
    let sent = modem.file("firmware_sent");
    ensure!(sent == "0", "it took {sent} bytes of firmware");
    Ok(())
}

/// Has the modem looked at now: it tells something of its line.
fn look_now(modem: &Plugged) {
    let up = Said::Bytes(LineEvent::GoesUp.to_packet().into());
    modem.modem().say(INTERRUPT_IN, [up]);
}

/// A modem that fails each time soon after it was brought back is brought back at once the first
/// time. From then on it is left alone before, unless somebody wants it, and reset.
fn relapsing_modem_is_left_alone() -> Result<()> {
    let uevents = Uevents::from_now()?;
    let mut kept = Kept::of(options(1).running())?;
    let usable = |modem: &Plugged| modem.times_told(&uevents, "usable");
    let fail = |modem: &Plugged| {
        modem.modem().crash(Crash::Stall);
        look_now(modem);
    };
    let was_reset = |modem: &Plugged| {
        let events = modem.modem().events();
        events.iter().any(|event| matches!(event.what, What::Reset))
    };
    fail(&kept.modem);
    wait_until("it is back", || usable(&kept.modem) == 2)?;
    kept.works()?;
    ensure!(!was_reset(&kept.modem), "it was reset at once");
    fail(&kept.modem);
    kept.modem.await_file("phase", WAITING)?;
    ensure!(usable(&kept.modem) == 2, "it was brought back before");
    kept.modem.retry()?;
    wait_until("it is back", || usable(&kept.modem) == 3)?;
    kept.works()?;
    ensure!(was_reset(&kept.modem), "it was brought back as it was");
    // What is wanted while it is up is not wanted of one that fails later.
    kept.modem.retry()?;
    fail(&kept.modem);
    kept.modem.await_file("phase", WAITING)?;
    kept.modem.retry()?;
    wait_until("it is back", || usable(&kept.modem) == 4)?;
    kept.works()?;
    // A reset by others is no relapse, and nothing is waited for.
    let mut has_waited = false;
    usbfs::reset(kept.modem.device())?;
    wait_until("it is back", || {
        has_waited |= kept.modem.file("phase") == WAITING;
        usable(&kept.modem) == 5
    })?;
    ensure!(!has_waited, "it was left alone after a reset");
    kept.works()
}

/// Who brings a modem back after a reset is stopped by the next before user space could be told that
/// the line is down: it is told then.
fn line_down_is_told_though_late() -> Result<()> {
    let uevents = Uevents::from_now()?;
    let mut kept = Kept::new()?;
    modules::insmod(Driver::Ours, "usb_sleep", "resets=2")?;
    modules::rmmod("usb_sleep")?;
    kept.modem.await_told(&uevents, "line-up", 2)?;
    let told = kept.modem.told(&uevents);
    ensure!(
        told == ["usable", "line-up", "line-down", "usable", "line-up"],
        "user space was told {told:?}"
    );
    kept.works()
}

/// What waits to be sent when a modem fails is counted as not sent, and its sender can send again.
fn packets_of_a_failed_modem_are_counted() -> Result<()> {
    let uevents = Uevents::from_now()?;
    modules::insmod(Driver::Ours, "usbatm", "num_snd_urbs=0")?;
    modules::insmod(Driver::Ours, "speedtch", "")?;
    let modem = Plugged::new(options(1).running())?;
    let atm = modem.await_up()?;
    let mut pvc = Pvc::open(atm.number, 8, 35, 1500)?;
    pvc.never_wait()?;
    let first = fill(&mut pvc)?;
    usbfs::reset(modem.device())?;
    modem.await_told(&uevents, "usable", 2)?;
    let second = fill(&mut pvc)?;
    ensure!(first == second, "{first} packets, then {second}");
    drop(pvc);
    let traffic = atm.traffic()?;
    ensure!(
        (traffic.tx, traffic.tx_errors) == (0, first as u32),
        "of {first} packets that were not sent: {traffic:?}"
    );
    Ok(())
}

/// User space resets the modem: it is used again, with its connections.
fn reset_by_others_is_survived() -> Result<()> {
    let uevents = Uevents::from_now()?;
    let mut kept = Kept::new()?;
    usbfs::reset(kept.modem.device())?;
    kept.modem.await_told(&uevents, "usable", 2)?;
    kept.works()
}

/// The USB core sends the modem to sleep and wakes it: it is used again, with its connections.
fn sleep_is_survived() -> Result<()> {
    let uevents = Uevents::from_now()?;
    let mut kept = Kept::new()?;
    modules::insmod(Driver::Ours, "usb_sleep", "")?;
    modules::rmmod("usb_sleep")?;
    kept.modem.await_told(&uevents, "usable", 2)?;
    kept.works()
}

/// A modem goes that has lost its firmware, and takes it again.
fn goes_while_brought_back(means: Means) -> Result<()> {
    let mut kept = Kept::new()?;
    kept.modem.modem().crash(Crash::Reboot);
    kept.modem
        .await_file("phase", "the upload of stage 2 firmware")?;
    let sent = kept.pvc.send(&[0x5a; 1500]);
    ensure!(
        matches!(&sent, Err(error) if error.raw_os_error() == Some(libc::ENETDOWN)),
        "it sends while it has no firmware: {sent:?}"
    );
    let Kept { modem, atm, pvc } = kept;
    gone(&modem, means).with_context(|| format!("of {} by {}", atm.name, means.name()))?;
    // The connection keeps the core, not the minidriver.
    drop((pvc, modem));
    modules::unload()
}
