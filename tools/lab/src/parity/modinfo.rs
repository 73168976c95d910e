//! What the files of the modules say of themselves.

use anyhow::{Context, Result};

use super::Facts;
use crate::protocol::Driver;
use crate::setup::Lab;
use crate::setup::kernel::Kernel;

/// Who wrote a module, and what differs from one build of it to the next.
const NOT_COMPARED: [&str; 12] = [
    "author",
    "filename",
    "name",
    "vermagic",
    "srcversion",
    "retpoline",
    "intree",
    "signer",
    "signature",
    "sig_id",
    "sig_key",
    "sig_hashalgo",
];

/// The facts about both modules of a driver.
pub fn facts(lab: &Lab, kernel: &Kernel, driver: Driver) -> Result<Facts> {
    let folder = match driver {
        Driver::Ours => "updates",
        Driver::C => "kernel/drivers/usb/atm",
    };
    let image = kernel.flavour.inside("image");
    let mut facts = Facts::new();
    for module in ["usbatm", "speedtch"] {
        let file = format!(
            "{image}/base/lib/modules/{}/{folder}/{module}.ko",
            kernel.release
        );
        let said = lab.root.output("modinfo -0 \"$1\"", &[&file])?;
        facts.extend(facts_of(module, &said)?);
    }
    Ok(facts)
}

/// The facts in what `modinfo -0` says of `module`, in order.
fn facts_of(module: &str, said: &str) -> Result<Facts> {
    let mut facts = Facts::new();
    for field in said.split_terminator('\0') {
        // Some have the one between name and value, some the other.
        let (name, value) = field
            .split_once(['=', ':'])
            .context("a field without a value")?;
        let value = value.trim_start();
        match name {
            "parm" => facts.extend(parameter(module, value).context("an odd parameter")?),
            "depends" => {
                let mut names: Vec<_> = value.split(',').collect();
                names.sort_unstable();
                facts.push((format!("modinfo {module} depends"), names.join(" ")));
            }
            _ if NOT_COMPARED.contains(&name) => {}
            _ => facts.push((format!("modinfo {module} {name}"), value.to_owned())),
        }
    }
    facts.sort();
    Ok(facts)
}

/// The parts of a parameter's description, such as `size:Size of it (default: 4) (uint)`. Its
/// figures have to be the same, its words only have to be there.
fn parameter(module: &str, value: &str) -> Option<Facts> {
    let (name, rest) = value.split_once(':')?;
    let (text, kind) = rest.rsplit_once(" (")?;
    let at = text.find('(').or_else(|| text.find("default:"));
    let (words, figures) = text.split_at(at.unwrap_or(text.len()));
    let fact = |part, value: &str| (format!("modinfo {module} {name}, {part}"), value.to_owned());
    Some(vec![
        fact("type", kind.trim_end_matches(')')),
        fact("figures", figures),
        fact(
            "in words",
            if words.is_empty() {
                "nothing"
            } else {
                "something"
            },
        ),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_have_parts() {
        let parts = |value| {
            let facts = parameter("m", value).unwrap().into_iter();
            facts.map(|(_, value)| value).collect::<Vec<_>>()
        };
        assert_eq!(
            parts("size:Size of it (range: 0-4, default: 4) (uint)"),
            ["uint", "(range: 0-4, default: 4)", "something"]
        );
        assert_eq!(
            parts("option:default: 1,2 (array of byte)"),
            ["array of byte", "default: 1,2", "nothing"]
        );
        assert_eq!(parameter("m", "odd"), None);
    }

    #[test]
    fn fields_are_sorted_and_the_build_is_left_out() {
        let said = "filename:       /a.ko\0license=GPL\0depends=b,a\0alias=usb:v1\0";
        let facts = facts_of("m", said).unwrap();
        let facts: Vec<_> = facts
            .iter()
            .map(|(what, value)| (&what[..], &value[..]))
            .collect();
        assert_eq!(
            facts,
            [
                ("modinfo m alias", "usb:v1"),
                ("modinfo m depends", "a b"),
                ("modinfo m license", "GPL")
            ]
        );
    }
}
