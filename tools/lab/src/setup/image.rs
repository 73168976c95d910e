//! What the guest boots from: the stock kernel's image, and a memory file
//! system with the stock modules, ours, a shell, `ps`, and the lab itself as
//! the first program.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::Lab;
use super::kernel::Kernel;
use crate::steps::{Key, files_below};

/// The stock modules that the guest has, with all that they need.
const STOCK: &str = "usb-common usbcore usbip-core vhci-hcd usbmon atm usbatm speedtch cxacru ueagle-atm xusbatm \
                     slhc ppp_generic pppox pppoatm br2684";

/// A kernel and its memory file system.
#[derive(Clone)]
pub struct Image {
    /// The kernel's image.
    pub vmlinuz: PathBuf,
    /// The compressed archive that becomes the guest's root.
    pub initrd: PathBuf,
}

/// The part that changes only with the kernel. $1: the release; then the modules.
const BASE: &str = r#"
release=$1; shift
rm -rf /src/image && mkdir -p /src/image/base && cd /src/image/base
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
    found=$(cd /src/kernel/stock && find kernel -name "$module.ko*" | head -n 1)
    if [ -z "$found" ]; then echo "the stock kernel has no module $module"; exit 1; fi
    plain="lib/modules/$release/${found%.xz}"
    mkdir -p "$(dirname "$plain")"
    case $found in
    *.xz) xz -dc "/src/kernel/stock/$found" >"$plain" ;;
    *) cp "/src/kernel/stock/$found" "$plain" ;;
    esac
done
cp /src/kernel/stock/modules.builtin /src/kernel/stock/modules.order "lib/modules/$release/"
find . | LC_ALL=C sort | cpio -o -H newc --quiet | zstd -q -3 >../base.cpio.zst
"#;

/// The part that changes with our work. $1: the release.
const EXTRA: &str = r#"
release=$1
cd /src/image && rm -rf extra && mkdir -p extra/bin "base/lib/modules/$release/updates"
rm -f "base/lib/modules/$release/updates/"*
cp new/*.ko "base/lib/modules/$release/updates/"
depmod -b /src/image/base "$release"
mkdir -p "extra/lib/modules/$release"
cp -a "base/lib/modules/$release/updates" "base/lib/modules/$release"/modules.* "extra/lib/modules/$release/"
strip -o extra/bin/lab new/lab
ln -s bin/lab extra/init
cd extra && find . | LC_ALL=C sort | cpio -o -H newc --quiet | zstd -q -3 >../extra.cpio.zst
cat ../base.cpio.zst ../extra.cpio.zst >../initrd.new
mv ../initrd.new ../initrd
"#;

/// Makes the image with the modules in `modules` and this very program.
pub fn make(lab: &Lab, kernel: &Kernel, modules: &Path) -> Result<Image> {
    let key = Key::default()
        .text(&kernel.key)
        .text(BASE)
        .text(STOCK)
        .finish();
    lab.steps.step(
        "image-base",
        "Guest: shell, ps and stock modules",
        &key,
        |step| {
            let mut args = vec![kernel.release.as_str()];
            args.extend(STOCK.split_whitespace());
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
    lab.steps
        .step("image", "Guest: our modules and the lab", &key, |step| {
            let new = lab.root.host("/src/image/new");
            let _ = fs::remove_dir_all(&new);
            fs::create_dir_all(&new)?;
            fs::copy(&program, new.join("lab"))?;
            for module in files_below(modules)? {
                fs::copy(&module, new.join(module.file_name().unwrap_or_default()))?;
            }
            lab.root.run(step, EXTRA, &[&kernel.release])
        })?;
    Ok(Image {
        vmlinuz: kernel.vmlinuz(),
        initrd: lab.root.host("/src/image/initrd"),
    })
}
