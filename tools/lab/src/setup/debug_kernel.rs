//! The debug kernel: built from the stock kernel's source with everything that
//! makes a fault speak (KASAN, lockdep, kmemleak, …), for `./lab test
//! --debug-kernel`.
//!
//! It is small: `tinyconfig` and the lines of `debug.config`, each of which has
//! to stand in the final configuration. The compiler is clang, without which
//! there is no KASAN for Rust.

use std::fs;

use anyhow::{Result, ensure};

use super::kernel::Kernel;
use super::{Flavour, Lab};
use crate::fail::Failure;
use crate::steps::{Key, Step};

/// What is added to `tinyconfig`.
const CONFIG: &str = include_str!("../../debug.config");

/// A source tree of its own: the stock kernel's is prepared for another compiler.
/// Of the drivers that are surely not built, only what Kconfig reads is unpacked.
const UNPACK: &str = r#"
rm -rf /src/debug && mkdir -p /src/debug/kernel/linux && cd /src/debug/kernel
set --
for unused in gpu media scsi staging infiniband net/ethernet net/wireless; do
    set -- "$@" --exclude="*/drivers/$unused/*.[ch]"
done
dpkg-deb --fsys-tarfile /src/kernel/debs/linux-source-*.deb | tar xOf - --wildcards './usr/src/linux-source-*.tar.xz' |
    xz -dcT2 | tar xf - -C linux --strip-components=1 --exclude='*/Documentation/[a-z]*' --exclude='*/tools/perf' \
        --exclude='*/tools/testing' --exclude='*/arch/*/boot/dts' --exclude='*/samples/*.[ch]' --exclude='*/sound/*.[ch]' "$@"
echo clang-19 >cc
"#;

/// The file `wanted` holds what is added.
const CONFIGURE: &str = r#"
cd /src/debug/kernel/linux
make CC=clang-19 HOSTCC=gcc-14 tinyconfig
cat ../wanted >>.config
make CC=clang-19 HOSTCC=gcc-14 olddefconfig
"#;

/// Builds and installs; then goes all that no module is built from.
const BUILD: &str = r#"
cd /src/debug/kernel/linux
make="make -j$(nproc) CC=clang-19 HOSTCC=gcc-14"
$make bzImage modules
release=$(make -s CC=clang-19 HOSTCC=gcc-14 kernelrelease)
rm -rf ../stock ../installed
$make INSTALL_MOD_PATH=/src/debug/kernel/installed DEPMOD=true modules_install
mv "../installed/lib/modules/$release" ../stock && rm -rf ../installed ../stock/build
cp arch/x86/boot/bzImage ../stock/vmlinuz
echo "$release" >../release
find . -name '*.o' -not -path './scripts/*' -not -path './tools/*' -delete
find . -maxdepth 1 -name '*vmlinux*' -delete
rm -rf arch/[a-wyz]* block certs crypto drivers fs io_uring ipc kernel lib mm net security sound usr virt vmlinux.a
"#;

/// Whether this lab can have one: fails with the reason where it can't.
pub fn check(lab: &Lab) -> Result<()> {
    ensure!(
        lab.own_kernel.is_none(),
        Failure::new(
            "--debug-kernel and --kernel do not go together",
            "the debug kernel is built from the stock kernel's source; leave one of them away"
        )
    );
    Ok(())
}

/// Brings the debug kernel, which is built where there is none for these inputs.
pub fn set_up(lab: &Lab, stock: &Kernel) -> Result<Kernel> {
    let key = Key::default()
        .text(&stock.key)
        .text(&stock.release)
        .text(CONFIG)
        .text(UNPACK)
        .text(CONFIGURE)
        .text(BUILD)
        .finish();
    let title = |title| Flavour::Debug.title(title);
    lab.steps.step_before(
        // All that is made for this kernel goes.
        &[
            "debug-kernel",
            "debug-modules",
            "debug-image-base",
            "debug-image",
        ],
        "debug-source",
        &title("source"),
        &key,
        |step| lab.root.run(step, UNPACK, &[]),
    )?;
    lab.steps.step(
        "debug-kernel",
        &title("build, 6 to 10 minutes on two processors"),
        &key,
        |step| {
            configure(lab, step)?;
            lab.root.run(step, BUILD, &[])
        },
    )?;
    Kernel::load(lab, Flavour::Debug, key)
}

/// Writes the configuration, and makes sure that it is the one that was wanted.
fn configure(lab: &Lab, step: &Step) -> Result<()> {
    let home = lab.root.host(&Flavour::Debug.inside("kernel"));
    fs::write(home.join("wanted"), CONFIG)?;
    lab.root.run(step, CONFIGURE, &[])?;
    let missing = missing(CONFIG, &fs::read_to_string(home.join("linux/.config"))?);
    ensure!(
        missing.is_empty(),
        Failure::new(
            format!("the debug kernel cannot have {}", missing.join(", ")),
            "tools/lab/debug.config asks for it; see what it depends on in this kernel's Kconfig files",
        )
        .log(step.log())
    );
    Ok(())
}

/// The lines of `wanted` that do not hold in the configuration `got`. An option
/// that is to be off may be absent altogether.
fn missing(wanted: &str, got: &str) -> Vec<String> {
    let holds = |line: &str| match line.strip_prefix("# ") {
        Some(off) => {
            let name = off.trim_end_matches(" is not set");
            !got.lines().any(|line| {
                line.strip_prefix(name)
                    .is_some_and(|rest| rest.starts_with('='))
            })
        }
        None => got.lines().any(|got| got == line),
    };
    wanted
        .lines()
        .filter(|line| line.starts_with("CONFIG_") || line.ends_with(" is not set"))
        .filter(|line| !holds(line))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::missing;

    #[test]
    fn what_the_configuration_lacks_is_told() {
        let got = "CONFIG_A=y\n# CONFIG_B is not set\nCONFIG_C=m\nCONFIG_DD=y\n";
        assert!(
            missing(
                "# words\nCONFIG_A=y\n# CONFIG_B is not set\n# CONFIG_D is not set\n",
                got
            )
            .is_empty()
        );
        assert_eq!(
            missing("CONFIG_B=y\n# CONFIG_A is not set\nCONFIG_C=y\n", got),
            ["CONFIG_B=y", "# CONFIG_A is not set", "CONFIG_C=y"]
        );
    }
}
