//! `rust-project.json`, by which rust-analyzer understands the kernel crates.
//!
//! The kernel's own script describes the crates that the kernel comes with;
//! ours are added, with the dependencies that `kernel/Kbuild` states.

use std::fs;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::kernel::Kernel;
use super::{Lab, modules};
use crate::steps::Key;

const GENERATE: &str = r#"
cd "$1"
make -s CC="$(cat ../cc)" HOSTCC=gcc-14 KERNELRELEASE="$(cat ../release)" rust-analyzer
"#;

/// The last of the kernel's crates that ours stand on; samples and drivers follow it.
const LAST: &str = "kernel";

/// What the build generates, and the crate that includes it wants beside itself.
pub const GENERATED: &str = "kernel/atm/bindings_generated.rs";

/// Writes `rust-project.json` into the checkout, and beside the crates what they
/// include.
pub fn write(lab: &Lab, kernel: &Kernel) -> Result<()> {
    let kbuild = fs::read_to_string(lab.source.join("kernel/Kbuild"))?;
    let target = lab.source.join("rust-project.json");
    let key = Key::default()
        .text(&kernel.key)
        .text(GENERATE)
        .text(&kbuild)
        .text(&target.to_string_lossy());
    if !target.exists() {
        lab.steps.forget("analyzer");
    }
    lab.steps
        .step("analyzer", "rust-project.json", &key.finish(), |step| {
            lab.root.run(step, GENERATE, &[Kernel::TREE])?;
            let theirs = fs::read_to_string(lab.root.host(Kernel::TREE).join("rust-project.json"))?;
            let mut project: Value = serde_json::from_str(&theirs)?;
            to_host(&mut project, &lab.root.host("/").to_string_lossy());
            let source = lab.source.to_string_lossy();
            add_ours(
                project["crates"]
                    .as_array_mut()
                    .context("the kernel's script wrote no crates")?,
                &kbuild,
                &source,
            )?;
            fs::write(&target, serde_json::to_vec(&project)?)
                .with_context(|| format!("cannot write {}", target.display()))
        })?;
    fs::copy(
        lab.root.host(modules::BUILD).join(GENERATED),
        lab.source.join(GENERATED),
    )
    .with_context(|| format!("cannot write {GENERATED}"))?;
    Ok(())
}

/// Turns paths in the toolchain root into paths on the host.
fn to_host(value: &mut Value, root: &str) {
    match value {
        Value::String(text) if text.starts_with("/src/") || text.starts_with("/usr") => {
            *text = format!("{}{text}", root.trim_end_matches('/'));
        }
        Value::Array(values) => values.iter_mut().for_each(|value| to_host(value, root)),
        Value::Object(values) => values.values_mut().for_each(|value| to_host(value, root)),
        _ => {}
    }
}

/// Cuts the kernel's crates after [`LAST`] and adds ours.
fn add_ours(crates: &mut Vec<Value>, kbuild: &str, source: &str) -> Result<()> {
    let named =
        |crates: &[Value], name: &str| crates.iter().position(|c| c["display_name"] == name);
    let last = named(crates, LAST).context("the kernel's script names no kernel crate")?;
    crates.truncate(last + 1);
    let model = crates[last].clone();
    for (name, uses) in stated_crates(kbuild) {
        let theirs = ["core", "kernel", "pin_init", "zerocopy", "zerocopy_derive"];
        let mut deps = Vec::new();
        for used in theirs.iter().copied().chain(uses) {
            let index = named(crates, used)
                .with_context(|| format!("crate {name} uses {used}, which is not there"))?;
            deps.push(json!({ "crate": index, "name": used }));
        }
        let folder = if name == "wire" {
            "wire".to_owned()
        } else {
            format!("kernel/{name}")
        };
        let mut ours = model.clone();
        ours["display_name"] = json!(name);
        ours["root_module"] = json!(format!("{source}/{folder}/{name}.rs"));
        ours["is_workspace_member"] = json!(true);
        ours["deps"] = json!(deps);
        ours["source"] =
            json!({ "include_dirs": [format!("{source}/{folder}")], "exclude_dirs": [] });
        crates.push(ours);
    }
    Ok(())
}

/// The crates that `Kbuild` states, each with those that it uses:
/// `$(eval $(call crate,NAME,USED …))`.
fn stated_crates(kbuild: &str) -> impl Iterator<Item = (&str, Vec<&str>)> {
    kbuild.lines().filter_map(|line| {
        let stated = line
            .strip_prefix("$(eval $(call crate,")?
            .strip_suffix("))")?;
        let (name, uses) = stated.split_once(',')?;
        Some((name, uses.split_whitespace().collect()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const KBUILD: &str =
        "$(eval $(call crate,wire,))\n# no\n$(eval $(call crate,usbatm,kthread wire))\n";

    #[test]
    fn crates_are_read_from_kbuild() {
        let stated: Vec<_> = stated_crates(KBUILD).collect();
        assert_eq!(
            stated,
            [("wire", vec![]), ("usbatm", vec!["kthread", "wire"])]
        );
    }

    #[test]
    fn a_crate_that_is_not_there_is_an_error() {
        let mut crates: Vec<_> = [
            "core",
            "pin_init",
            "zerocopy",
            "zerocopy_derive",
            "kernel",
            "sample",
        ]
        .map(|name| json!({ "display_name": name }))
        .to_vec();
        let error = add_ours(&mut crates, KBUILD, "/checkout").unwrap_err();
        assert!(error.to_string().contains("kthread"));
    }
}
