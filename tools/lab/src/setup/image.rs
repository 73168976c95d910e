//! What the guest boots from: the kernel's image, and a memory file
//! system with the kernel's own modules, ours, a shell, `ps`, and the lab itself as
//! the first program.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::kernel::Kernel;
use super::{Flavour, Lab};
use crate::steps::{Key, files_below};

/// What every guest has of the kernel's own modules.
const OWN: &str =
    "usb-common usbcore usbip-core vhci-hcd usbmon atm slhc ppp_generic pppox pppoatm br2684";

/// The C drivers, which ours are compared with on the stock kernel.
const C_DRIVERS: &str = "usbatm speedtch cxacru ueagle-atm xusbatm";

/// A host controller that is no program.
const CONTROLLER: &str = "xhci-hcd xhci-pci";

/// One of the generation before, which the debug kernel has not.
const OLD_CONTROLLER: &str = "ehci-hcd ehci-pci uhci-hcd";

/// What a provider's end of a line needs.
const PROVIDER: &str = "tun ppp_async";

/// What the stock kernel has built in, and a smaller one has as modules.
const BUILT_IN: &str = "crc-ccitt";

/// A kernel and its memory file system.
#[derive(Clone)]
pub struct Image {
    /// Which kernel it is.
    pub flavour: Flavour,
    /// The kernel's image.
    pub vmlinuz: PathBuf,
    /// The archive that becomes the guest's root. It is not compressed: the debug kernel would take
    /// as long to decompress it as for all the rest of its start.
    pub initrd: PathBuf,
}

/// The part that changes only with the kernel. $1: its release, $2: its home,
/// $3: where the image is made; then the modules.
const BASE: &str = r#"
release=$1 kernel=$2 image=$3; shift 3
rm -rf "$image" && mkdir -p "$image/base" && cd "$image/base"
mkdir -p bin dev proc sys tmp run root etc lib/firmware lib64 "lib/modules/$release/kernel"
ln -s bin sbin
cp /usr/bin/busybox bin/
for applet in $(/usr/bin/busybox --list); do
    case $applet in ps | busybox | init | linuxrc | reboot | poweroff | halt) ;; *) ln -s busybox "bin/$applet" ;; esac
done
cp /usr/bin/ps bin/
for library in $(ldd /usr/bin/ps | grep -o '/lib[^ ]*'); do
    mkdir -p ".$(dirname "$library")" && cp -L "$library" ".$library"
done
for module; do
    found=$(cd "$kernel/stock" && find kernel -name "$module.ko*" | head -n 1)
    if [ -z "$found" ]; then echo "the kernel has no module $module"; exit 1; fi
    plain="lib/modules/$release/${found%.xz}"
    mkdir -p "$(dirname "$plain")"
    case $found in
    *.xz) xz -dc "$kernel/stock/$found" >"$plain" ;;
    *) cp "$kernel/stock/$found" "$plain" ;;
    esac
done
cp "$kernel/stock/modules.builtin" "$kernel/stock/modules.order" "lib/modules/$release/"
find . | LC_ALL=C sort | cpio -o -H newc --quiet >../base.cpio
"#;

/// The part that changes with our work. $1: the release, $2: where the image is made.
const EXTRA: &str = r#"
release=$1
cd "$2" && rm -rf extra && mkdir -p extra/bin "base/lib/modules/$release/updates"
rm -f "base/lib/modules/$release/updates/"*
cp new/*.ko "base/lib/modules/$release/updates/"
depmod -b "$2/base" "$release"
mkdir -p "extra/lib/modules/$release"
cp -a "base/lib/modules/$release/updates" "base/lib/modules/$release"/modules.* "extra/lib/modules/$release/"
strip -o extra/bin/lab new/lab
ln -s bin/lab extra/init
cd extra && find . | LC_ALL=C sort | cpio -o -H newc --quiet >../extra.cpio
cat ../base.cpio ../extra.cpio >../initrd.new
mv ../initrd.new ../initrd
"#;

/// The kernel's own modules that a guest with this kernel has.
fn modules_of(flavour: Flavour) -> Vec<&'static str> {
    let own = match flavour {
        Flavour::Stock => vec![C_DRIVERS, OLD_CONTROLLER],
        Flavour::Debug => vec![BUILT_IN],
    };
    let lists = [OWN, CONTROLLER, PROVIDER].into_iter().chain(own);
    lists.flat_map(str::split_whitespace).collect()
}

/// Makes the image with the modules in `modules` and this very program.
pub fn make(lab: &Lab, kernel: &Kernel, modules: &Path) -> Result<Image> {
    let flavour = kernel.flavour;
    let own = modules_of(flavour);
    let key = Key::default()
        .text(&kernel.key)
        .text(BASE)
        .text(&own.join(" "))
        .finish();
    let folder = flavour.inside("image");
    lab.steps.step_before(
        &[&flavour.step("image")],
        &flavour.step("image-base"),
        &flavour.title("Guest: shell, ps and stock modules"),
        &key,
        |step| {
            let home = kernel.inside();
            let mut args = vec![kernel.release.as_str(), &home, &folder];
            args.extend(&own);
            lab.root.run(step, BASE, &args)
        },
    )?;
    let program = std::env::current_exe()?;
    let key = Key::default()
        .text(&key)
        .text(EXTRA)
        .files(modules)?
        .files(&program)?
        .finish();
    lab.steps.step(
        &flavour.step("image"),
        &flavour.title("Guest: our modules and the lab"),
        &key,
        |step| {
            let new = lab.root.host(&folder).join("new");
            let _ = fs::remove_dir_all(&new);
            fs::create_dir_all(&new)?;
            fs::copy(&program, new.join("lab"))?;
            for module in files_below(modules)? {
                fs::copy(&module, new.join(module.file_name().unwrap_or_default()))?;
            }
            lab.root.run(step, EXTRA, &[&kernel.release, &folder])
        },
    )?;
    Ok(Image {
        flavour,
        vmlinuz: kernel.vmlinuz(),
        initrd: lab.root.host(&folder).join("initrd"),
    })
}
