//! A modem that is plugged in: from its firmware to its end.

use std::fs;
use std::path::Path;

use anyhow::{Result, bail};
use modem::{Fault, Lie, What};
use wire::speedtch::{DATA_IN, STATUS_F};

use super::super::atmpvc::Pvc;
use super::super::kmsg::Kmsg;
use super::super::plugged::{Plugged, options, wait_until};
use super::super::scenarios::echo;
use super::super::sysfs::AtmDevice;
use super::super::{firmware, modules};
use super::{Facts, names, outcome, seen, without_place};

/// Gathers what there is to see of it.
pub fn gather(facts: &Facts) -> Result<()> {
    brought_up(facts)?;
    training(facts)?;
    alive(facts)?;
    with_parameters(facts)?;
    isochronous(facts)?;
    other_class(facts)?;
    firmware_names(facts)?;
    removed_under_vcc(facts)
}

/// Gets its firmware, its line and its traffic.
fn brought_up(facts: &Facts) -> Result<()> {
    let log = Kmsg::from_now();
    modules::load(facts.driver)?;
    firmware::install()?;
    let modem = Plugged::new(options(7))?;
    let atm = await_rate(&modem)?;
    interfaces(facts, &modem)?;
    seen::atm_class(facts, &modem, &atm)?;
    seen::proc_files(facts, "fresh", &atm)?;
    echo(&atm, 8, 35, 1500, 3)?;
    wait_until("the packets are counted", || {
        let lines = atm.proc_lines().unwrap_or_default().concat();
        lines.contains("tx 3 ( 0 err ), rx 3 ")
    })?;
    seen::proc_files(facts, "after three packets", &atm)?;
    seen::requests(facts, &atm)?;
    vccs(facts, &atm)?;
    seen::asked(facts, "with firmware", &modem);

    modem.modem().drop_line();
    wait_until("the carrier is lost", || !atm.has_carrier())?;
    wait_until("the carrier is back", || atm.has_carrier())?;
    drop(modem);
    wait_until("the ATM device is gone", || AtmDevice::all().is_empty())?;
    modules::unload()?;
    seen::log(facts, &log)
}

/// Waits until the driver has asked for all that it wants to know.
fn await_rate(modem: &Plugged) -> Result<AtmDevice> {
    let atm = modem.await_up()?;
    wait_until("its rate is that of the line", || {
        atm.attribute("link_rate") == "8127656"
    })?;
    modem.await_event(
        "be asked for the last part of its state",
        |what| matches!(what, What::Vendor { request, .. } if request.value == STATUS_F.value),
    )?;
    Ok(atm)
}

/// Which interfaces of the modem the driver has, and what the driver's folder has.
fn interfaces(facts: &Facts, modem: &Plugged) -> Result<()> {
    for number in 0..3 {
        let interface = format!("{}:1.{number}", modem.device());
        let link = Path::new("/sys/bus/usb/devices")
            .join(&interface)
            .join("driver");
        let driver = fs::read_link(link).unwrap_or_default();
        let driver = driver
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        facts.tell(format!("driver of interface {number}"), driver);
    }
    let folder = names("/sys/bus/usb/drivers/speedtch")?;
    let folder: Vec<_> = folder
        .iter()
        .map(|name| without_place(name, modem))
        .collect();
    facts.tell("folder of the driver", folder.join(" "));
    Ok(())
}

/// Which VCCs can be opened.
fn vccs(facts: &Facts, atm: &AtmDevice) -> Result<()> {
    let open = |vpi, vci, max_sdu| Pvc::open(atm.number, vpi, vci, max_sdu);
    let first = open(0, 32, 1500)?;
    facts.tell("open a VCC that is open", outcome(open(0, 32, 1500))?);
    facts.tell("open another VCC", outcome(open(255, 65535, 65535))?);
    facts.tell("open VCC 256.32", outcome(open(256, 32, 1500))?);
    facts.tell("open VCC 0.65536", outcome(open(0, 65536, 1500))?);
    let cells = Pvc::open_for_cells(atm.number, 1, 32);
    facts.tell("open a VCC for single cells", outcome(cells)?);
    drop(first);
    facts.tell("open it again", outcome(open(0, 32, 1500))?);
    Ok(())
}

/// The line never comes up.
fn training(facts: &Facts) -> Result<()> {
    let log = Kmsg::from_now();
    modules::load(facts.driver)?;
    let modem = Plugged::new(options(1).running().fault(Fault::NoLine))?;
    wait_until("it is said that the line synchronises", || {
        log.has("ADSL line is synchronising")
    })?;
    let Some(atm) = AtmDevice::of(modem.device()) else {
        bail!("there is no ATM device");
    };
    facts.tell(
        "carrier while the line synchronises",
        atm.attribute("carrier"),
    );
    facts.tell(
        "link rate while the line synchronises",
        atm.attribute("link_rate"),
    );
    seen::proc_files(facts, "while the line synchronises", &atm)?;
    drop(modem);
    wait_until("the ATM device is gone", || AtmDevice::all().is_empty())?;
    modules::unload()?;
    seen::log(facts, &log)
}

/// It has its firmware already.
fn alive(facts: &Facts) -> Result<()> {
    modules::load(facts.driver)?;
    let modem = Plugged::new(options(1).running())?;
    await_rate(&modem)?;
    let sent = modem.modem().progress().total();
    facts.tell("firmware for a modem that runs", format!("{sent} bytes"));
    seen::asked(facts, "alive already", &modem);
    drop(modem);
    modules::unload()
}

/// It is told what the parameters say.
fn with_parameters(facts: &Facts) -> Result<()> {
    facts.insmod("usbatm", "")?;
    let parameters = "altsetting=2 dl_512_first=1 sw_buffering=1 BMaxDSL=4000 ModemMode=1 \
                      ModemOption=7,8";
    facts.insmod("speedtch", parameters)?;
    firmware::install()?;
    let modem = Plugged::new(options(1).fault(Fault::WantsRead))?;
    await_rate(&modem)?;
    seen::asked(facts, "with parameters", &modem);
    drop(modem);
    modules::unload()
}

/// It receives by isochronous transfers.
fn isochronous(facts: &Facts) -> Result<()> {
    facts.insmod("usbatm", "")?;
    facts.insmod("speedtch", "enable_isoc=1")?;
    let modem = Plugged::new(options(1).running())?;
    await_rate(&modem)?;
    let peak = modem.modem().peak(DATA_IN);
    facts.tell(
        "modem with enable_isoc: transfers from it",
        format!("{} of {} bytes", peak.transfers, peak.bytes),
    );
    seen::asked(facts, "with enable_isoc", &modem);
    drop(modem);
    modules::unload()
}

/// It has the ids of a modem, but the class of something else.
fn other_class(facts: &Facts) -> Result<()> {
    let log = Kmsg::from_now();
    modules::load(facts.driver)?;
    let modem = Plugged::new(options(1).fault(Fault::Descriptors(Lie::Class(2))))?;
    wait_until("it is refused", || log.has("wrong device class 2"))?;
    // The driver is loaded, so its probe is over when the device is known to all.
    wait_until("it is let go of", || {
        let link = format!("/sys/bus/usb/devices/{}:1.0/driver", modem.device());
        fs::read_link(link).is_err()
    })?;
    facts.tell("modem of another class", "is refused");
    drop(modem);
    modules::unload()
}

/// The names that are asked for, one after the other; user space has none of them.
fn firmware_names(facts: &Facts) -> Result<()> {
    modules::load(facts.driver)?;
    for stage in [1, 2] {
        let log = Kmsg::from_now();
        firmware::withhold()?;
        if stage == 2 {
            firmware::install_first()?;
        }
        let modem = Plugged::new(options(1).revision(0x0c05))?;
        let mut asked: Vec<String> = Vec::new();
        wait_until("three names were asked for", || {
            for name in firmware::awaited_names() {
                let is_of_stage = name.starts_with(&format!("speedtch-{stage}"));
                if is_of_stage && !asked.contains(&name) {
                    asked.push(name);
                }
                firmware::refuse();
            }
            asked.len() >= 3
        })?;
        facts.tell(format!("names of firmware, stage {stage}"), asked.join(" "));
        let complaint = format!("no stage {stage} firmware found!");
        wait_until("it is said that there is none", || {
            firmware::refuse();
            log.has(&complaint)
        })?;
        facts.tell(format!("log: {complaint}"), "is said");
        modem.modem().unplug();
        // Whatever else it asks for now, there is none.
        wait_until("it is let go of", || {
            firmware::refuse();
            !modem.folder().exists()
        })?;
    }
    firmware::install()?;
    modules::unload()
}

/// The modules go while a VCC is open, or do not.
fn removed_under_vcc(facts: &Facts) -> Result<()> {
    modules::load(facts.driver)?;
    let modem = Plugged::new(options(1).running())?;
    let atm = modem.await_up()?;
    let pvc = Pvc::open(atm.number, 8, 35, 1500)?;
    facts.tell(
        "rmmod speedtch under a VCC",
        outcome(modules::rmmod("speedtch"))?,
    );
    facts.tell(
        "rmmod usbatm under a VCC",
        outcome(modules::rmmod("usbatm"))?,
    );
    drop(pvc);
    wait_until("usbatm can go", || {
        !modules::is_loaded("usbatm") || modules::rmmod("usbatm").is_ok()
    })
}
