//! The gallery of misuse: its modules, and an image with them.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::Lab;
use super::image::Image;
use super::kernel::Kernel;
use super::modules::{self, BUILD, SOURCES};
use crate::steps::{Key, Step};

/// $1: the kernel's tree. $2: its release. The libraries are those of the other modules.
const MAKE: &str = r#"
make -C "$1" -j"$(nproc)" CC="$(cat "$1/../cc")" HOSTCC=gcc-14 KERNELRELEASE="$2" M=/src/build/kernel \
    MODULES='$(gallery)' modules
"#;

/// The ordinary image, and the modules on top.
const IMAGE: &str = r#"
rm -rf /src/gallery && mkdir -p /src/gallery/root/gallery && cd /src/gallery
sed 's/o$/ko/' /src/build/kernel/modules.order | while read -r module; do
    cp "/src/build/kernel/$module" root/gallery/
done
(cd root && find . | LC_ALL=C sort | cpio -o -H newc --quiet) >gallery.cpio
cat /src/image/initrd gallery.cpio >initrd
"#;

/// The cases of the gallery below `source`: a folder each.
pub fn cases(source: &Path) -> Result<Vec<PathBuf>> {
    let mut cases = Vec::new();
    for entry in source.join("kernel/gallery").read_dir()? {
        let path = entry?.path();
        if path.is_dir() {
            cases.push(path);
        }
    }
    cases.sort();
    Ok(cases)
}

/// Builds the gallery, and an image with it in place of `image`.
pub fn build(lab: &Lab, kernel: &Kernel, image: &Image) -> Result<Image> {
    let _lock = lab.lock()?;
    let mut key = Key::default()
        .text(&kernel.key)
        .text(MAKE)
        .text(IMAGE)
        .files(&std::env::current_exe()?)?;
    for source in SOURCES {
        key = key.files(&lab.source.join(source))?;
    }
    lab.steps
        .step("gallery", "Gallery of misuse", &key.finish(), |step| {
            make(lab, kernel, step)
        })?;
    Ok(Image {
        initrd: lab.root.host("/src/gallery/initrd"),
        ..image.clone()
    })
}

fn make(lab: &Lab, kernel: &Kernel, step: &Step) -> Result<()> {
    for source in SOURCES {
        modules::mirror(&lab.source.join(source), &lab.root.host(BUILD).join(source))?;
    }
    lab.root
        .run(step, MAKE, &[Kernel::TREE, &kernel.release])
        .map_err(|error| modules::explain(step, error))?;
    lab.root.run(step, IMAGE, &[])
}

/// What the compiler says of the snippet `misuse.rs` of the case `name`.
pub fn words(lab: &Lab, name: &str) -> Result<String> {
    let file = format!("{BUILD}/kernel/gallery/{name}/misuse.words");
    let file = lab.root.host(&file);
    std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))
}
