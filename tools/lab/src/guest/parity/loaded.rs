//! The modules themselves: their parameters, and what texts those take.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use anyhow::Result;

use super::super::modules;
use super::super::surface::parameter;
use super::{Facts, errno, names, outcome};
use crate::protocol::Driver;

/// Texts for parameters of `usbatm`, at load.
const USBATM: &[&str] = &[
    "num_rcv_urbs=0",
    "num_rcv_urbs=16",
    "num_rcv_urbs=17",
    "num_rcv_urbs=-1",
    "num_rcv_urbs=four",
    "num_rcv_urbs=",
    "num_rcv_urbs",
    "num_rcv_urbs=0x7",
    "num_rcv_urbs=010",
    "num_rcv_urbs=1 num_rcv_urbs=2",
    "num_snd_urbs=0",
    "num_snd_urbs=17",
    "rcv_buf_bytes=0",
    "rcv_buf_bytes=1",
    "rcv_buf_bytes=65536",
    "rcv_buf_bytes=65537",
    "snd_buf_bytes=0",
    "snd_buf_bytes=65536",
    "snd_buf_bytes=65537",
    "no_such_parameter=1",
];

/// Texts for parameters of `speedtch`, at load.
const SPEEDTCH: &[&str] = &[
    "altsetting=4294967295",
    "altsetting=4294967296",
    "enable_isoc",
    "enable_isoc=on",
    "enable_isoc=N",
    "enable_isoc=maybe",
    "dl_512_first=1",
    "sw_buffering=y",
    "BMaxDSL=0x1fc0",
    "ModemMode=255",
    "ModemMode=256",
    "ModemOption=1",
    "ModemOption=0x10,0,0,0,0x20",
    "ModemOption=1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16",
    "ModemOption=1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17",
    "ModemOption=1,,2",
    "ModemOption=256",
    "ModemOption",
];

/// What root writes while `speedtch` is loaded.
const WRITTEN: &[(&str, &str)] = &[
    ("altsetting", "2\n"),
    ("altsetting", "two\n"),
    ("enable_isoc", "1\n"),
    ("dl_512_first", "Y"),
    ("sw_buffering", "2\n"),
    ("BMaxDSL", "4000\n"),
    ("ModemMode", "-1\n"),
    ("ModemMode", "9\n"),
    ("ModemOption", "1\n"),
];

/// Gathers them.
pub fn gather(facts: &Facts) -> Result<()> {
    modules::load(facts.driver)?;
    for module in ["usbatm", "speedtch"] {
        for name in names(format!("/sys/module/{module}/parameters"))? {
            let mode = fs::metadata(parameter(module, &name))?.permissions().mode();
            let value = format!("{:04o} {}", mode & 0o7777, value(module, &name)?);
            facts.tell(format!("parameter {module} {name}"), value);
        }
    }
    facts.tell(
        "holders of usbatm",
        names("/sys/module/usbatm/holders")?.join(" "),
    );
    for &(name, text) in WRITTEN {
        let written = match fs::write(parameter("speedtch", name), text) {
            Ok(()) => value("speedtch", name)?,
            Err(error) => errno(&error.into())?,
        };
        let what = format!("write {name} {}", text.trim_end());
        facts.tell(what, written);
    }
    let cxacru = modules::insmod(Driver::C, "cxacru", "");
    facts.tell("insmod of the stock cxacru", outcome(cxacru)?);
    if modules::is_loaded("cxacru") {
        modules::rmmod("cxacru")?;
    }
    modules::unload()?;

    for text in USBATM {
        facts.tell(format!("load usbatm {text}"), given(facts, "usbatm", text)?);
    }
    facts.insmod("usbatm", "")?;
    for text in SPEEDTCH {
        facts.tell(
            format!("load speedtch {text}"),
            given(facts, "speedtch", text)?,
        );
    }
    modules::unload()
}

/// What a parameter shows.
fn value(module: &str, name: &str) -> Result<String> {
    let text = fs::read_to_string(parameter(module, name))?;
    // A line, or nothing at all.
    Ok(format!("{text:?}"))
}

/// What the parameter is that `text` gives a value to, or why the module does not load.
fn given(facts: &Facts, module: &str, text: &str) -> Result<String> {
    let loaded = facts.insmod(module, text);
    if loaded.is_err() {
        return outcome(loaded);
    }
    let name = text.split('=').next().unwrap_or(text);
    let shown = value(module, name).unwrap_or_else(|_| "loads without it".to_owned());
    modules::rmmod(module)?;
    Ok(shown)
}
