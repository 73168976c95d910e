//! The stock kernel, and beside it what Debian does not ship: the metadata of
//! its Rust crates, without which no Rust module can be built for it.
//!
//! The crates are built again from Debian's own source, configuration and
//! compiler. That they came out the same is then proven: every Rust symbol
//! that the stock kernel exports (its name carries a hash of the crate that it
//! comes from) must be exported by ours under the same name. Debian's kernels
//! have no symbol checksums, so all else rests on this.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use super::{Flavour, Lab, SERIES, SUITE, own_kernel};
use crate::fail::Failure;
use crate::steps::{Key, Step};

/// Where the stock kernel is, in the toolchain root.
const HOME: &str = "/src/kernel";

/// A kernel that Rust modules can be built for: in its home, `linux/` is the
/// prepared source tree, `stock/` its own modules with `vmlinuz`, and the files
/// `release` and `cc` hold its release and its compiler.
#[derive(Clone)]
pub struct Kernel {
    /// Its release, as `uname -r` prints it.
    pub release: String,
    /// The key of all that was built for it.
    pub key: String,
    /// Which one it is.
    pub flavour: Flavour,
    home: PathBuf,
}

impl Kernel {
    /// The stock kernel's source tree, as a path in the toolchain root.
    pub const TREE: &'static str = "/src/kernel/linux";

    /// The kernel's home, as a path in the toolchain root.
    pub fn inside(&self) -> String {
        self.flavour.inside("kernel")
    }

    /// The prepared source tree, as a path in the toolchain root.
    pub fn tree(&self) -> String {
        self.flavour.inside("kernel/linux")
    }

    /// The folder of the kernel's own modules, which also holds its image.
    pub fn stock(&self) -> PathBuf {
        self.home.join("stock")
    }

    /// The kernel's image.
    pub fn vmlinuz(&self) -> PathBuf {
        self.stock().join("vmlinuz")
    }

    /// The kernel of this flavour that was made for `key`.
    pub fn load(lab: &Lab, flavour: Flavour, key: String) -> Result<Self> {
        let home = lab.root.host(&flavour.inside("kernel"));
        let release = fs::read_to_string(home.join("release"))
            .context("the prepared kernel has no release file")?;
        Ok(Self {
            release: release.trim().to_owned(),
            key,
            flavour,
            home,
        })
    }

    /// The kernel of an earlier set-up, if there is one.
    pub fn existing(lab: &Lab) -> Option<Self> {
        let key = key(lab).ok()?;
        lab.steps
            .is_done("symbols", &key)
            .then(|| Self::load(lab, Flavour::Stock, key).ok())?
    }
}

/// What the kernel steps depend on.
fn key(lab: &Lab) -> Result<String> {
    let key = Key::default()
        .text(SUITE)
        .text(SERIES)
        .text(FETCH)
        .text(UNPACK)
        .text(PREPARE);
    Ok(match &lab.own_kernel {
        Some(own) => {
            // First of all: what is no kernel may be anything, and large.
            own_kernel::check(own, &lab.root.host(HOME))?;
            own_kernel::add_to(key, own)?.finish()
        }
        None => key.finish(),
    })
}

/// Brings the kernel in, prepares its tree and proves its symbols.
pub fn set_up(lab: &Lab) -> Result<Kernel> {
    let key = key(lab)?;
    match &lab.own_kernel {
        Some(own) => lab
            .steps
            // It takes the stock kernel's place.
            .step_before(
                &["packages", "source", "symbols"],
                "metadata",
                "Kernel of your own",
                &key,
                |step| own_kernel::copy(step, own, &lab.root.host(HOME)),
            )?,
        None => {
            lab.steps.step_before(
                &["source", "metadata", "symbols"],
                "packages",
                &format!("Kernel packages, newest {SERIES}"),
                &key,
                |step| fetch(lab, step),
            )?;
            lab.steps.step_before(
                &["metadata", "symbols"],
                "source",
                "Kernel source",
                &key,
                |step| lab.root.run(step, UNPACK, &[SERIES]),
            )?;
            lab.steps.step_before(
                &["symbols"],
                "metadata",
                "Rust metadata for the stock kernel",
                &key,
                |step| prepare(lab, step),
            )?;
        }
    }
    lab.steps.step(
        "symbols",
        "Proof that the Rust symbols match",
        &key,
        |step| prove(lab, step),
    )?;
    Kernel::load(lab, Flavour::Stock, key)
}

/// $1: the suite. Adds its backports where the root's own packages come from.
const FETCH: &str = r#"
mkdir -p /src && rm -rf /src/kernel && mkdir /src/kernel && cd /src/kernel
cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null |
    awk -v s="$1" '$1 == "deb" { for (i = 2; i < NF; i++) if ($(i + 1) == s) { print $1, $i, s "-backports main"; exit } }' \
    >/tmp/backports.list
mv /tmp/backports.list /etc/apt/sources.list.d/backports.list
apt-get update -o Acquire::Retries=3 -o APT::Update::Error-Mode=any
release=$(apt-cache search --names-only "^linux-modules-$2\.[0-9]+\+deb[0-9]+-amd64$" |
    sed 's/^linux-modules-\([^ ]*\).*/\1/' | sort -V | tail -n 1)
if [ -z "$release" ]; then echo "series $2 is not served"; exit 1; fi
version=$(apt-cache policy "linux-modules-$release" | sed -n 's/^ *Candidate: //p')
mkdir debs && cd debs
apt-get download -o Acquire::Retries=3 "linux-source-$2=$version" "linux-modules-$release=$version" \
    "linux-base-$release=$version" "linux-binary-$release=$version" "linux-headers-$release=$version"
cd ..
for package in base modules binary headers; do dpkg-deb -x debs/linux-$package-*.deb unpacked; done
mv "unpacked/usr/lib/modules/$release" stock
cp "unpacked/usr/src/linux-headers-$release/Module.symvers" stock/
rm -rf unpacked debs/linux-[bhm]*
echo "$release" >release
"#;

/// $1: the series. What no build here reads (half of the tree) stays packed.
const UNPACK: &str = r#"
cd /src/kernel && rm -rf linux && mkdir linux
dpkg-deb --fsys-tarfile debs/linux-source-*.deb | tar xOf - "./usr/src/linux-source-$1.tar.xz" | xz -dcT2 |
    tar xf - -C linux --strip-components=1 --exclude='*/Documentation/[a-z]*' --exclude='*/tools/perf' \
        --exclude='*/tools/testing' --exclude='*/drivers/gpu/drm/amd/include/asic_reg' --exclude='*/arch/*/boot/dts'
test -s linux/rust/kernel/lib.rs
"#;

/// The compiler is the one that the stock configuration names.
const PREPARE: &str = r#"
cd /src/kernel/linux
release=$(cat ../release)
cp ../stock/config .config
cp ../stock/Module.symvers .
gcc=$(sed -n 's/^CONFIG_CC_VERSION_TEXT="\([^ ]*\) .*/\1/p' .config)
# bindgen does without rustfmt, which is not in the root: it needs a mounted /proc.
make="make -j$(nproc) CC=$gcc HOSTCC=gcc-14 KERNELRELEASE=$release"
$make olddefconfig
if ! grep -q '^CONFIG_RUST=y' .config; then echo "the toolchain does not fit: CONFIG_RUST went out"; exit 1; fi
$make modules_prepare
echo "$gcc" >../cc
"#;

fn fetch(lab: &Lab, step: &Step) -> Result<()> {
    lab.root
        .run(step, FETCH, &[SUITE, SERIES])
        .map_err(|error| {
            let log = fs::read_to_string(step.log()).unwrap_or_default();
            if !log.contains("is not served") {
                return error;
            }
            let todo =
                "use a newer checkout, or name a prepared kernel tree of your own by --kernel DIR";
            Failure::new(
                format!("Debian serves no kernel of series {SERIES} any more"),
                todo,
            )
            .log(step.log())
            .into()
        })
}

fn prepare(lab: &Lab, step: &Step) -> Result<()> {
    lab.root.run(step, PREPARE, &[])
}

/// How the Rust symbols that the stock kernel exports compare with ours.
pub struct Comparison {
    /// How many it exports.
    pub count: usize,
    /// Those that only one side has.
    pub differ: Vec<String>,
}

/// Compares them, name by name.
pub fn compare(lab: &Lab) -> Result<Comparison> {
    let linux = lab.root.host(Kernel::TREE);
    let symvers = fs::read_to_string(linux.join("Module.symvers"))?;
    let mut ours = String::new();
    for part in ["core", "bindings", "kernel"] {
        ours += &fs::read_to_string(linux.join(format!("rust/exports_{part}_generated.h")))?;
    }
    let (stock, ours) = (stock_symbols(&symvers), our_symbols(&ours));
    let differ = stock.symmetric_difference(&ours);
    Ok(Comparison {
        count: stock.len(),
        differ: differ.map(|symbol| (*symbol).to_owned()).collect(),
    })
}

/// Refuses a kernel whose symbols differ from ours.
fn prove(lab: &Lab, step: &Step) -> Result<()> {
    let Comparison { count, differ } = compare(lab)?;
    let todo = match lab.own_kernel {
        Some(_) => {
            "prepare linux/ for modules with the toolchain, the configuration and the source of the kernel in stock/"
        }
        None => {
            "the toolchain is not the one that built the kernel; run './lab clean --all', then this again"
        }
    };
    ensure!(
        count > 0,
        Failure::new("the stock kernel exports no Rust symbols", todo)
    );
    let what = format!(
        "{} of {count} Rust symbols differ from the stock kernel's",
        differ.len()
    );
    ensure!(
        differ.is_empty(),
        Failure::new(what, todo)
            .detail(differ.into_iter().take(3))
            .log(step.log())
    );
    Ok(())
}

/// The Rust symbols of `vmlinux` in a `Module.symvers`.
fn stock_symbols(symvers: &str) -> BTreeSet<&str> {
    let fields = symvers
        .lines()
        .map(|line| line.split('\t').collect::<Vec<_>>());
    fields
        .filter(|fields| fields.len() > 2 && fields[2] == "vmlinux" && fields[1].starts_with("_R"))
        .map(|fields| fields[1])
        .collect()
}

/// The Rust symbols in the kernel's own `exports_*_generated.h`.
fn our_symbols(exports: &str) -> BTreeSet<&str> {
    exports
        .lines()
        .filter_map(|line| {
            line.strip_prefix("EXPORT_SYMBOL_RUST_GPL(")?
                .strip_suffix(");")
        })
        .filter(|symbol| symbol.starts_with("_R"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::root::Root;
    use crate::steps::Steps;

    #[test]
    fn symbols_are_read_from_both_sides() {
        let symvers = "0x00000000\t_RNvCs1_4core3foo\tvmlinux\tEXPORT_SYMBOL_GPL\t\n\
                       0x00000000\tprintk\tvmlinux\tEXPORT_SYMBOL\t\n\
                       0x00000000\t_RNvCs1_4nova3foo\tdrivers/nova\tEXPORT_SYMBOL_GPL\t\n";
        let exports =
            "EXPORT_SYMBOL_RUST_GPL(_RNvCs1_4core3foo);\nEXPORT_SYMBOL_RUST_GPL(rust_helper_x);\n";
        assert_eq!(stock_symbols(symvers), our_symbols(exports));
    }

    #[test]
    fn what_is_no_kernel_costs_nobody_the_one_that_is_there() {
        let base = std::env::temp_dir().join(format!("lab-no-kernel-{}", std::process::id()));
        let cache = base.join("cache");
        let steps = Steps::new(&cache).unwrap();
        steps.step("packages", "P", "key", |_| Ok(())).unwrap();
        let lab = Lab {
            source: base.clone(),
            root: Root::new(cache.join("root-1")),
            steps,
            cache,
            own_kernel: Some(base.clone()),
        };
        let Err(error) = set_up(&lab) else {
            panic!("it is taken for a kernel")
        };
        assert!(error.to_string().contains("has no linux/Module.symvers"));
        assert!(lab.steps.is_done("packages", "key"));
        fs::remove_dir_all(base).unwrap();
    }

    #[test]
    fn a_symbol_with_another_hash_is_another_symbol() {
        let exports = "EXPORT_SYMBOL_RUST_GPL(_RNvCs2_4core3foo);\n";
        let symvers = "0x00000000\t_RNvCs1_4core3foo\tvmlinux\tEXPORT_SYMBOL_GPL\t\n";
        assert_ne!(stock_symbols(symvers), our_symbols(exports));
    }
}
