//! Debian's own programs that stand on a modem, unchanged: `pppd`, `br2684ctl` and
//! `udev`, with a DHCP server and client. Few scenarios need them, so they go into a
//! memory file system of its own, behind the one that all have.

use std::fs::File;
use std::io;

use anyhow::{Context, Result};

use super::image::Image;
use super::{Lab, SUITE};
use crate::steps::Key;

/// The packages, as the mirror serves them.
const PACKAGES: &str = "ppp br2684ctl udev dnsmasq-base isc-dhcp-client iproute2";

/// Where they are, in the toolchain root.
const HOME: &str = "/src/clients";

/// Fetches the packages, with what they need and the root does not have. $1: where;
/// then the packages.
const FETCH: &str = r#"
home=$1; shift
rm -rf "$home" && mkdir -p "$home/debs/partial"
apt-get update -o Acquire::Retries=3 -o APT::Update::Error-Mode=any
apt-get install -y --no-install-recommends --download-only -o Acquire::Retries=3 \
    -o Dir::Cache::archives="$home/debs" "$@"
mkdir "$home/unpacked"
for package in "$home"/debs/*.deb; do dpkg-deb -x "$package" "$home/unpacked"; done
rm -r "$home/debs"
"#;

/// Of `systemd`, which comes with `udev`, what it takes to have `udev` started, and what
/// its rules ask for.
const UNITS: &str = "sysinit.target basic.target multi-user.target shutdown.target \
    sockets.target paths.target timers.target slices.target local-fs.target swap.target \
    network.target systemd-udevd.service systemd-udevd-control.socket \
    systemd-udevd-kernel.socket ppp@.service";

/// Packs the programs with their libraries, and with the files for owners. $1: where;
/// then the units.
///
/// Rules that would load drivers are left out: a scenario says whose it wants.
const PACK: &str = r#"
cd "$1" && shift && rm -rf tree && mkdir -p tree/usr tree/etc/udev/rules.d tree/var/lib/dhcp tree/var/lock tree/usr/lib/udev
cd unpacked
programs="usr/sbin/pppd usr/sbin/br2684ctl usr/sbin/dnsmasq usr/sbin/dhclient usr/bin/udevadm usr/bin/ip \
    usr/lib/systemd/systemd usr/lib/systemd/systemd-executor"
cp -a --parents $programs usr/sbin/dhclient-script usr/lib/pppd usr/lib/systemd/systemd-udevd \
    usr/lib/udev/rules.d etc/ppp etc/dhcp ../tree/
rm ../tree/usr/lib/udev/rules.d/80-drivers.rules
library_path=$PWD/usr/lib/x86_64-linux-gnu:$PWD/usr/lib/x86_64-linux-gnu/systemd
mkdir -p ../tree/usr/lib/x86_64-linux-gnu
for program in $programs usr/lib/pppd/*/pppoatm.so; do
    for library in $(LD_LIBRARY_PATH=$library_path ldd "$program" | grep -o '/[^ ]*\.so[^ ]*'); do
        cp -L "$library" ../tree/usr/lib/x86_64-linux-gnu/
    done
done
for unit; do cp -a --parents "usr/lib/systemd/system/$unit" ../tree/; done
cp /usr/bin/flock ../tree/usr/bin/
cp -a --parents /usr/lib/x86_64-linux-gnu/ossl-modules ../tree/
cp /etc/passwd /etc/group ../tree/etc/
cd ../tree
mkdir -p etc/ppp/peers
ln -s /run var/run
cp ../owner/*.rules etc/udev/rules.d/
install -m 755 ../owner/usbatm-ppp usr/lib/udev/
cp ../owner/dsl etc/ppp/peers/
find . | LC_ALL=C sort | cpio -o -H newc --quiet >../clients.cpio
"#;

/// Makes an image like `image` that has these programs too.
pub fn add(lab: &Lab, image: &Image) -> Result<Image> {
    let key = Key::default().text(SUITE).text(PACKAGES).text(FETCH);
    let key = key.finish();
    lab.steps.step_before(
        &["clients"],
        "clients-packages",
        "Guest: Debian's clients of a modem",
        &key,
        |step| {
            let mut args = vec![HOME];
            args.extend(PACKAGES.split_whitespace());
            lab.root.run(step, FETCH, &args)
        },
    )?;
    let owner = lab.source.join("owner");
    let key = Key::default()
        .text(&key)
        .text(PACK)
        .text(UNITS)
        .files(&owner)?
        .finish();
    lab.steps
        .step("clients", "Guest: the clients' image", &key, |step| {
            let copy = lab.root.host(HOME).join("owner");
            let _ = std::fs::remove_dir_all(&copy);
            std::fs::create_dir_all(&copy)?;
            for file in crate::steps::files_below(&owner)? {
                std::fs::copy(&file, copy.join(file.file_name().unwrap_or_default()))?;
            }
            let mut args = vec![HOME];
            args.extend(UNITS.split_whitespace());
            lab.root.run(step, PACK, &args)
        })?;
    let clients = lab.root.host(HOME).join("clients.cpio");
    let initrd = image.initrd.with_file_name("initrd-clients");
    // A guest may be starting from the one that is there.
    let unfinished = image.initrd.with_file_name("initrd-clients.new");
    let mut both = File::create(&unfinished)?;
    for part in [&image.initrd, &clients] {
        let mut part = File::open(part).with_context(|| format!("no {}", part.display()))?;
        io::copy(&mut part, &mut both)?;
    }
    std::fs::rename(&unfinished, &initrd)?;
    Ok(Image {
        initrd,
        ..image.clone()
    })
}
