//! What the kernel and the modem say of it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::Result;
use modem::{Request, What};

use super::super::kmsg::Kmsg;
use super::super::plugged::Plugged;
use super::super::sysfs::AtmDevice;
use super::super::{atmpvc, surface};
use super::{Facts, names, outcome, without_place};

/// The ATM device in sysfs.
pub fn atm_class(facts: &Facts, modem: &Plugged, atm: &AtmDevice) -> Result<()> {
    let folder = Path::new("/sys/class/atm").join(&atm.name);
    facts.tell("name of the ATM device", &atm.name);
    facts.tell("files of the ATM device", names(&folder)?.join(" "));
    for name in names(&folder)? {
        let file = folder.join(&name);
        if !file.is_file() {
            continue;
        }
        let mode = fs::metadata(&file)?.permissions().mode() & 0o7777;
        let value = fs::read_to_string(&file).unwrap_or_default();
        facts.tell(
            format!("file {name} of the ATM device"),
            format!("{mode:04o} {value:?}"),
        );
    }
    let parent = fs::canonicalize(folder.join("device"))?;
    let parent = parent.file_name().unwrap_or_default().to_string_lossy();
    facts.tell("parent of the ATM device", without_place(&parent, modem));
    Ok(())
}

/// What `/proc/net/atm` says of it.
pub fn proc_files(facts: &Facts, when: &str, atm: &AtmDevice) -> Result<()> {
    let devices = fs::read_to_string("/proc/net/atm/devices")?;
    let own = devices.lines().find(|line| {
        let number = line.split_whitespace().next();
        number == Some(&atm.number.to_string())
    });
    facts.tell(
        format!("/proc/net/atm/devices, {when}"),
        own.unwrap_or_default().trim_end(),
    );
    for (number, line) in (1..).zip(atm.proc_lines()?) {
        facts.tell(
            format!("/proc/net/atm/speedtch:0, line {number}, {when}"),
            format!("{line:?}"),
        );
    }
    Ok(())
}

/// What it answers to requests of the ATM layer.
pub fn requests(facts: &Facts, atm: &AtmDevice) -> Result<()> {
    for (name, number) in atmpvc::REQUESTS {
        let answer = match atmpvc::request(atm.number, number) {
            Ok(answer) => format!("{answer:?}"),
            Err(error) => outcome::<(), _>(Err(error))?,
        };
        facts.tell(format!("ioctl {name}"), answer);
    }
    Ok(())
}

/// What the modem was asked and told, by its own log.
pub fn asked(facts: &Facts, when: &str, modem: &Plugged) {
    let events = modem.modem().events();
    let mut settings = Vec::new();
    let mut read: Vec<Request> = Vec::new();
    let (mut resets, mut blocks) = (0, 0);
    for event in events {
        match event.what {
            What::AltSetting { interface, setting } => {
                settings.push(format!("{interface}.{setting}"));
            }
            What::Reset => resets += 1,
            What::BlockRead => blocks += 1,
            What::Vendor { request, .. }
                if surface::reads(&request) && !read.contains(&request) =>
            {
                read.push(request);
            }
            _ => {}
        }
    }
    settings.dedup();
    // What is asked first, only to see whether it answers, is asked again later.
    read.sort_by_key(|request| (request.value, request.request));
    let read: Vec<_> = read
        .iter()
        .map(|r| format!("{:02x} {:02x} ({} bytes)", r.request, r.value, r.length))
        .collect();
    let told: Vec<_> = surface::told(modem)
        .iter()
        .map(|(value, data)| format!("{value:02x} {data:02x?}"))
        .collect();
    facts.tell(
        format!("modem {when}: settings selected"),
        settings.join(", "),
    );
    facts.tell(format!("modem {when}: resets"), resets.to_string());
    facts.tell(format!("modem {when}: blocks read"), blocks.to_string());
    facts.tell(format!("modem {when}: was asked"), read.join(", "));
    facts.tell(format!("modem {when}: was told"), told.join(", "));
}

/// The lines of the log that the driver wrote, without the time and whom they are of.
pub fn log(facts: &Facts, log: &Kmsg) -> Result<()> {
    for line in log.lines() {
        let Some((_, line)) = line.split_once("] ") else {
            continue;
        };
        // Which transfers fail when a modem is pulled out is up to chance.
        if line.contains("urb 0x") {
            continue;
        }
        let text = match line.split_once(": ") {
            Some((head, text)) if head.starts_with("speedtch ") => text,
            _ if line.starts_with("ATM dev") || line.contains("speedtch") => line,
            _ => continue,
        };
        facts.tell(format!("log: {text}"), "is said");
    }
    Ok(())
}
