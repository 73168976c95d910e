//! What users can set: the modules' parameters, and what becomes of them in the modem.
//!
//! What the stock C modules do as well is played with them too: the two have to agree.

pub mod isochronous;

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use modem::{Event, Failure, Fault, Options, Peak, Request, Said, What};
use wire::cell::{CELL_LEN, Vc};
use wire::speedtch::{
    ALTSETTING_BULK, ALTSETTING_ISOC, DATA_IN, DATA_OUT, FIRMWARE_IN, INTERFACE_DATA, OPTION_LEN,
    STATUS_E, STATUS_F, StartUp, Step, sw_buffering,
};

use super::atmpvc::Pvc;
use super::hostile::cells::packet;
use super::plugged::{Plugged, options, wait_until};
use super::scenarios::{Scenario, echo};
use super::{firmware, kmsg::Kmsg, modules};
use crate::protocol::Driver;

/// The connection whose cells are made by hand.
const VC: Vc = Vc { vpi: 8, vci: 35 };

/// The scenarios of this page.
pub const SCENARIOS: &[(&str, Scenario)] = &[
    ("parameters::size_the_transfers", |_| {
        parameters_size_the_transfers(Driver::Ours)
    }),
    ("c_driver_parameters::size_the_transfers", |_| {
        parameters_size_the_transfers(Driver::C)
    }),
    ("parameters::largest_transfers_lose_nothing", |_| {
        largest_transfers_lose_nothing()
    }),
    ("parameters::without_transfers_nothing_flows", |_| {
        without_transfers_nothing_flows(Driver::Ours)
    }),
    (
        "c_driver_parameters::without_transfers_nothing_flows",
        |_| without_transfers_nothing_flows(Driver::C),
    ),
    ("parameters::reach_the_modem", |_| {
        parameters_reach_the_modem(Driver::Ours)
    }),
    ("c_driver_parameters::reach_the_modem", |_| {
        parameters_reach_the_modem(Driver::C)
    }),
    ("parameters::read_before_the_upload_may_fail", |_| {
        read_before_the_upload_may_fail(Driver::Ours)
    }),
    (
        "c_driver_parameters::read_before_the_upload_may_fail",
        |_| read_before_the_upload_may_fail(Driver::C),
    ),
    ("parameters::change_while_loaded", |_| {
        parameters_change_while_loaded(Driver::Ours)
    }),
    ("parameters::wrong_setting_falls_back", |_| {
        wrong_setting_falls_back(Driver::Ours)
    }),
    ("c_driver_parameters::wrong_setting_falls_back", |_| {
        wrong_setting_falls_back(Driver::C)
    }),
    ("parameters::refused_setting_falls_back", |_| {
        refused_setting_falls_back(Driver::Ours)
    }),
    ("c_driver_parameters::refused_setting_falls_back", |_| {
        refused_setting_falls_back(Driver::C)
    }),
];

/// Loads both modules with parameters.
fn load(driver: Driver, usbatm: &str, speedtch: &str) -> Result<()> {
    modules::insmod(driver, "usbatm", usbatm)?;
    modules::insmod(driver, "speedtch", speedtch)
}

/// A file of a module's parameters.
pub fn parameter(module: &str, name: &str) -> PathBuf {
    format!("/sys/module/{module}/parameters/{name}").into()
}

/// A modem that needs no firmware, for what is not about that.
fn running() -> Options {
    options(1).running()
}

/// The data interface's setting that was selected last.
pub fn setting(modem: &Plugged) -> Option<u8> {
    let events = modem.modem().events();
    events.iter().rev().find_map(|event| match event.what {
        What::AltSetting {
            interface: INTERFACE_DATA,
            setting,
        } => Some(setting),
        _ => None,
    })
}

/// Count and size of the transfers are what the parameters of `usbatm` say, rounded to
/// whole packets from the modem and whole cells to it.
fn parameters_size_the_transfers(driver: Driver) -> Result<()> {
    let cases = [
        ("", 65535, [4, 3392], [4, 3392]),
        (
            "num_rcv_urbs=3 rcv_buf_bytes=100 num_snd_urbs=2 snd_buf_bytes=200",
            1500,
            [3, 128],
            [2, 159],
        ),
        (
            "num_rcv_urbs=16 rcv_buf_bytes=65536 num_snd_urbs=1 snd_buf_bytes=1",
            1500,
            [16, 65536],
            [1, 53],
        ),
    ];
    for (parameters, length, receive, send) in cases {
        load(driver, parameters, "")?;
        let modem = Plugged::new(running())?;
        let atm = modem.await_up()?;
        let peak = |endpoint| {
            let Peak { transfers, bytes } = modem.modem().peak(endpoint);
            [transfers, bytes]
        };
        let peaks = || (peak(DATA_IN), peak(DATA_OUT));
        // Each packet is long enough to keep all transfers busy, on a machine that is not.
        let mut came_back = Ok(());
        let busy = wait_until("all transfers are busy at once", || {
            came_back = echo(&atm, 8, 35, length, 1).map(drop);
            came_back.is_err() || peaks() == (receive, send)
        });
        came_back?;
        busy.with_context(|| {
            let (receives, sends) = peaks();
            format!("{parameters:?}: receives {receives:?}, sends {sends:?}")
        })?;
        drop(modem);
        modules::unload()?;
    }
    Ok(())
}

/// No transfers at all is a strange wish, but one that is granted: nothing flows, packets wait
/// until the socket has no room for more, and whoever sends can close it.
fn without_transfers_nothing_flows(driver: Driver) -> Result<()> {
    load(driver, "num_rcv_urbs=0 num_snd_urbs=0", "")?;
    let modem = Plugged::new(running())?;
    let atm = modem.await_up()?;
    let mut pvc = Pvc::open(atm.number, 8, 35, 1500)?;
    pvc.never_wait()?;
    fill(&mut pvc)?;
    drop(pvc);
    for endpoint in [DATA_IN, DATA_OUT] {
        let peak = modem.modem().peak(endpoint);
        ensure!(peak == Peak::default(), "{endpoint:#x} has {peak:?}");
    }
    drop(modem);
    modules::unload()
}

/// Sends packets until there is no room for more; how many.
pub fn fill(pvc: &mut Pvc) -> Result<usize> {
    let mut sent = 0;
    let end = loop {
        match pvc.send(&[0x5a; 1500]) {
            Ok(()) => sent += 1,
            Err(error) => break error,
        }
    };
    ensure!(
        end.kind() == ErrorKind::WouldBlock && sent > 0,
        "after {sent} packets: {end}"
    );
    Ok(sent)
}

/// The parameters of `speedtch` come out at the other end: in what the modem is told.
fn parameters_reach_the_modem(driver: Driver) -> Result<()> {
    let parameters = "altsetting=2 dl_512_first sw_buffering=on BMaxDSL=0x11234 ModemMode=7 \
                      ModemOption=1,2,0x30";
    load(driver, "", parameters)?;
    firmware::install()?;
    let modem = Plugged::new(options(1).fault(Fault::WantsRead))?;
    let atm = modem.await_up()?;
    ensure!(
        setting(&modem) == Some(2),
        "the setting is {:?}",
        setting(&modem)
    );
    let mut option = [0; OPTION_LEN];
    option[..5].copy_from_slice(&[1, 2, 0x30, 0, 0x20]);
    let expected = StartUp {
        mode: 7,
        option,
        // 16 bits are all that is sent.
        max_dsl: 0x1234,
    };
    let told = told(&modem);
    ensure!(
        told.first() == Some(&(sw_buffering(true).value, vec![])),
        "it was not told to buffer: {told:?}"
    );
    let steps = expected.steps();
    let steps = steps
        .iter()
        .map(|step: &Step| (step.setup.value, step.data().to_vec()));
    ensure!(told[1..].iter().cloned().eq(steps), "it was told {told:x?}");
    echo(&atm, 8, 35, 1500, 5).map(drop)
}

/// A modem that has no block to be read before its firmware takes it all the same. It is said if it
/// refuses, but not if it has nothing to say: many are like that.
fn read_before_the_upload_may_fail(driver: Driver) -> Result<()> {
    let complaint = "read BLOCK0 from modem failed";
    let whole = format!("{complaint} (-71)!");
    let (stage_1, stage_2) = firmware::install_short()?;
    for (said, is_told) in [
        (Said::Silence, false),
        (Said::Fail(Failure::NoAnswer), true),
    ] {
        let log = Kmsg::from_now();
        let modem = Plugged::new(options(1).firmware(stage_1.clone(), stage_2.clone()))?;
        modem.modem().say(FIRMWARE_IN, [said]);
        load(driver, "", "dl_512_first=1")?;
        modem.await_up()?;
        ensure!(modem.modem().unheard() == 0, "no block was read");
        ensure!(
            log.has(complaint) == is_told && log.has(&whole) == is_told,
            "the log does not tell what is to be told: {is_told}"
        );
        let is_reset = |event: &Event| matches!(event.what, What::Reset);
        let resets = modem.modem().events().into_iter().filter(is_reset).count();
        // C resets every modem.
        let most = usize::from(driver == Driver::C);
        ensure!(resets <= most, "it was reset {resets} times");
        drop(modem);
        modules::unload()?;
    }
    Ok(())
}

/// Whether a vendor's request reads: the numbers are shared with those that write.
pub fn reads(request: &Request) -> bool {
    let status = [STATUS_E.value, STATUS_F.value].contains(&request.value);
    request.request == 0x12 || (request.request == 0x01 && status)
}

/// The vendor's requests that wrote something: which, and what.
pub fn told(modem: &Plugged) -> Vec<(u16, Vec<u8>)> {
    let events = modem.modem().events().into_iter();
    events
        .filter_map(|event| match event.what {
            What::Vendor { request, data, .. } if !reads(&request) => Some((request.value, data)),
            _ => None,
        })
        .collect()
}

/// Parameters that root writes count for the modems that are plugged in afterwards.
fn parameters_change_while_loaded(driver: Driver) -> Result<()> {
    load(driver, "", "")?;
    let first = Plugged::new(running())?;
    first.await_up()?;
    fs::write(parameter("speedtch", "altsetting"), "2\n")?;
    let refused = fs::write(parameter("speedtch", "altsetting"), "two\n");
    ensure!(refused.is_err(), "a word is taken for a number");
    let second = Plugged::new(running())?;
    second.await_up()?;
    let settings = [setting(&first), setting(&second)];
    ensure!(
        settings == [Some(1), Some(2)],
        "the settings are {settings:?}"
    );
    Ok(())
}

/// A setting that the modem lacks is complained of, and the usual one is used.
fn wrong_setting_falls_back(driver: Driver) -> Result<()> {
    for wrong in [7, 300] {
        falls_back(driver, &format!("altsetting={wrong}"), wrong, running())?;
    }
    Ok(())
}

/// The same where the modem says that it has the setting, and refuses it when it is selected.
fn refused_setting_falls_back(driver: Driver) -> Result<()> {
    let cases = [
        ("altsetting=2", 2),
        ("enable_isoc=1", u32::from(ALTSETTING_ISOC)),
    ];
    // C says nothing of the second.
    let told = match driver {
        Driver::Ours => &cases[..],
        Driver::C => &cases[..1],
    };
    for &(parameters, refused) in told {
        let modem = running().fault(Fault::RefusesSetting(refused as u8));
        falls_back(driver, parameters, refused, modem)?;
    }
    Ok(())
}

/// Plugs a modem in that can't have the setting which the parameters ask for: that is complained
/// of, and packets go there and back by the usual one.
fn falls_back(driver: Driver, parameters: &str, wrong: u32, modem: Options) -> Result<()> {
    let log = Kmsg::from_now();
    load(driver, "", parameters)?;
    let modem = Plugged::new(modem)?;
    let atm = modem.await_up()?;
    ensure!(setting(&modem) == Some(ALTSETTING_BULK));
    let is_complaint = |line: &String| {
        let words = line.split_once("setting interface to ");
        words.is_some_and(|(_, number)| number.trim_start().starts_with(&format!("{wrong} failed")))
    };
    ensure!(
        log.lines().iter().any(is_complaint),
        "no complaint about {wrong}"
    );
    echo(&atm, 8, 35, 1500, 2)?;
    drop(modem);
    modules::unload()
}

/// However many packets a transfer brings, all of them are passed on.
fn largest_transfers_lose_nothing() -> Result<()> {
    const LENGTH: usize = 65_536;

    firmware::install()?;
    modules::insmod(Driver::Ours, "usbatm", &format!("rcv_buf_bytes={LENGTH}"))?;
    modules::insmod(Driver::Ours, "speedtch", "")?;
    let modem = Plugged::new(options(1).running())?;
    let atm = modem.await_up()?;
    let mut pvc = Pvc::open(atm.number, VC.vpi.into(), VC.vci.into(), 1500)?;
    pvc.make_room(16 << 20)?;
    // As small as they can be: each in a cell of its own.
    let count = LENGTH / CELL_LEN;
    let cells = packet(VC, 1).concat().repeat(count);
    modem.modem().say(DATA_IN, [Said::Bytes(cells)]);
    let mut received = [0; 1500];
    for number in 0..count {
        pvc.receive(&mut received)
            .with_context(|| format!("packet {number} of {count} did not come"))?;
    }
    let counted = atm.traffic()?;
    ensure!(
        (counted.rx_errors, counted.rx_drops) == (0, 0),
        "{counted:?}"
    );
    Ok(())
}
