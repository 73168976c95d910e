//! Jobs short of memory: the debug kernel can be told which allocation is to fail.

use std::fs::{self, File};

use anyhow::{Context, Result, bail, ensure};

use super::atmpvc::Pvc;
use super::costs::alive;
use super::plugged::{self, Plugged, options};
use super::removal::nothing_is_left;
use super::sysfs::AtmDevice;
use super::uevents::Uevents;
use super::{Host, firmware, kernel_tests, modules};
use crate::protocol::Driver;

const FAILSLAB: &str = "/sys/kernel/debug/failslab";

/// Which of this task's allocations is to fail, counted down.
const FAIL_NTH: &str = "/proc/thread-self/fail-nth";

/// Where the code of modules is (`Documentation/arch/x86/x86_64/mm.rst`).
const ANY_MODULE: (u64, u64) = (0xffff_ffff_a000_0000, 0xffff_ffff_ff00_0000);

/// Where the code of `module` is.
fn code_of(module: &str) -> Result<(u64, u64)> {
    code_in(&fs::read_to_string("/proc/modules")?, module)
        .with_context(|| format!("{module} is not loaded"))
}

/// Where the code of `module` is, by the list of all.
///
/// That tells where the code begins and how large the module is, data included, which is somewhere
/// else: what begins within that size is another module's code.
fn code_in(modules: &str, module: &str) -> Option<(u64, u64)> {
    let place = |line: &str| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let start = fields.get(5)?.strip_prefix("0x")?;
        let start = u64::from_str_radix(start, 16).ok()?;
        Some((fields[0] == module, start, fields[1].parse::<u64>().ok()?))
    };
    let places: Vec<_> = modules.lines().filter_map(place).collect();
    let (_, start, size) = *places.iter().find(|(is_it, ..)| *is_it)?;
    let others = places.iter().map(|&(_, other, _)| other);
    let next = others.filter(|&other| other > start).min();
    let end = start + size;
    Some((start, next.map_or(end, |next| end.min(next))))
}

/// Where the code of one function of `module` is: one in C of this name, or one in Rust whose mangled
/// name ends so.
fn code_of_function(module: &str, name: &str) -> Result<(u64, u64)> {
    let symbols = fs::read_to_string("/proc/kallsyms")?;
    let own = symbols
        .lines()
        .filter(|line| line.ends_with(&format!("\t[{module}]")));
    let mut starts = Vec::new();
    let mut start = None;
    for line in own {
        let mut fields = line.split_whitespace();
        let address = u64::from_str_radix(fields.next().unwrap_or_default(), 16)?;
        let is_it =
            |symbol: &str| symbol == name || (symbol.starts_with("_R") && symbol.ends_with(name));
        if fields.nth(1).is_some_and(is_it) {
            start = Some(address);
        }
        starts.push(address);
    }
    let start = start.with_context(|| format!("{module} has no {name}"))?;
    let next = starts.into_iter().filter(|&other| other > start).min();
    Ok((start, next.context("no function is behind it")?))
}

/// While it lives, one allocation fails, of those with certain code on their stack.
enum Shortage {
    /// The one of this number that this task asks for.
    OfThisTask,
    /// One that some task asks for.
    OfAnyTask,
}

impl Shortage {
    /// The `number`th allocation of this task in any module's code fails.
    fn at(number: usize) -> Result<Self> {
        arm(ANY_MODULE, code_of(HOST)?, 0, 0)?;
        fs::write(FAIL_NTH, number.to_string()).context("cannot ask for a failing allocation")?;
        Ok(Self::OfThisTask)
    }

    /// One allocation in `code` fails, when those before it came to `bytes`.
    fn after(bytes: usize, code: (u64, u64)) -> Result<Self> {
        arm(code, code_of(HOST)?, bytes, 100)?;
        Ok(Self::OfAnyTask)
    }

    /// The next allocation in `code` fails, whoever called that.
    fn next(code: (u64, u64)) -> Result<Self> {
        arm(code, (0, 0), 0, 100)?;
        Ok(Self::OfAnyTask)
    }

    /// Whether the allocation did fail.
    fn has_struck(&self) -> Result<bool> {
        let left = match self {
            Self::OfThisTask => fs::read_to_string(FAIL_NTH)?,
            Self::OfAnyTask => fs::read_to_string(format!("{FAILSLAB}/times"))?,
        };
        Ok(left.trim() == "0")
    }
}

impl Drop for Shortage {
    fn drop(&mut self) {
        // What could be written before can be written again.
        let _ = match self {
            Self::OfThisTask => fs::write(FAIL_NTH, "0"),
            Self::OfAnyTask => fs::write(format!("{FAILSLAB}/probability"), "0"),
        };
    }
}

/// The virtual host controller, which is to be spared: an URB for which it has no memory it takes
/// and never gives back (`vhci_tx_urb()`), so that whoever cancels it waits for ever.
const HOST: &str = "vhci_hcd";

/// Prepares a failure of slab allocations in `code`, but for those with `spared` code on their
/// stack too, once `bytes` were had.
fn arm(code: (u64, u64), spared: (u64, u64), bytes: usize, probability: u8) -> Result<()> {
    let settings = [
        ("reject-start", format!("{:#x}", spared.0)),
        ("reject-end", format!("{:#x}", spared.1)),
        ("require-start", format!("{:#x}", code.0)),
        ("require-end", format!("{:#x}", code.1)),
        ("ignore-gfp-wait", "N".to_owned()),
        ("verbose", "0".to_owned()),
        ("space", bytes.to_string()),
        ("times", "1".to_owned()),
        ("probability", probability.to_string()),
    ];
    for (name, value) in settings {
        fs::write(format!("{FAILSLAB}/{name}"), &value)
            .with_context(|| format!("cannot set failslab/{name} to {value}"))?;
    }
    Ok(())
}

/// Has `attempt` made again and again, with an allocation failing in each of the
/// `places` in turn, until none fails any more: then it has to succeed. Returns
/// how often one failed.
fn starve(
    places: impl Iterator<Item = usize>,
    shortage: impl Fn(usize) -> Result<Shortage>,
    attempt: impl Fn(&Shortage) -> Result<()>,
) -> Result<usize> {
    for (failed, place) in places.enumerate() {
        let shortage = shortage(place)?;
        let result = attempt(&shortage);
        if !shortage.has_struck()? {
            return result.map(|()| failed).context("no allocation failed");
        }
    }
    bail!("there was no end to it")
}

/// Places of what a job does many times: the first each, then ever fewer.
fn ever_fewer_places() -> impl Iterator<Item = usize> {
    std::iter::successors(Some(1_usize), |place| Some(place + 1 + place / 12 * 4)).take(100)
}

/// The in-kernel test with ever another allocation failing: it may fail, but
/// must come to an end, and leave nothing behind.
pub fn kernel_test(index: usize, name: &str, host: &Host) -> Result<()> {
    let attempt = |_: &Shortage| {
        let result = kernel_tests::run(index, name);
        ensure!(
            !modules::is_loaded("kthread_test"),
            "the test's module is left"
        );
        result
    };
    let places = host.tell_each("now allocation", ever_fewer_places());
    let failed = starve(places, Shortage::at, attempt)?;
    tell(name, failed, host)
}

/// The checks of detached threads in the same way. What could not be started must not hold the
/// module.
pub fn detached_threads(host: &Host) -> Result<()> {
    let open = || File::open("/dev/kthread_test").context("a check of detached threads failed");
    let shortage = |place| {
        modules::insmod(Driver::Ours, "kthread_test", "case=0")?;
        Shortage::at(place)
    };
    let attempt = |_: &Shortage| {
        let result = open().map(drop);
        // The thread that the first one left behind, if it got so far, ends by a second.
        let _ = open();
        plugged::wait_until("the module goes", || modules::rmmod("kthread_test").is_ok())?;
        result
    };
    let places = host.tell_each("now allocation", ever_fewer_places());
    let failed = starve(places, shortage, attempt)?;
    tell("detached threads", failed, host)
}

/// Packets that come when there is no memory for them are dropped and counted, and those that come
/// after them are passed on.
pub fn packets(host: &Host) -> Result<()> {
    modules::load(Driver::Ours)?;
    let modem = Plugged::new(alive(1))?;
    let atm = modem.await_up()?;
    let mut pvc = Pvc::open(atm.number, 8, 35, 1500)?;
    let code = code_of_function("usbatm", "rust_helper_atm_skb_of")?;
    let mut came = [0; 1500];
    for number in 1..=5 {
        let shortage = Shortage::next(code)?;
        pvc.send(b"dropped")?;
        plugged::wait_until("the packet is dropped and counted", || {
            atm.traffic()
                .is_ok_and(|counted| counted.rx_drops == number)
        })?;
        ensure!(shortage.has_struck()?, "there was memory for it");
        drop(shortage);
        pvc.send(b"passed on")?;
        let length = pvc.receive(&mut came)?;
        ensure!(came[..length] == *b"passed on", "another packet came");
        ensure!(
            atm.traffic()?.rx == number,
            "one that was dropped is counted as received"
        );
    }
    host.note("5 packets dropped, each counted".to_owned());
    drop((pvc, modem));
    modules::unload()
}

/// User space is told that a modem is usable, if there was no memory for that when it came up, by
/// whoever looks at its line, and before it is told of that.
pub fn event(host: &Host) -> Result<()> {
    modules::load(Driver::Ours)?;
    let shortage = Shortage::next(code_of_function("usbatm", "5modemNtB2_5Modem8announce")?)?;
    let uevents = Uevents::from_now()?;
    let modem = Plugged::new(alive(1))?;
    modem.await_told(&uevents, "line-up", 1)?;
    ensure!(shortage.has_struck()?, "there was memory for it");
    let told = modem.told(&uevents);
    ensure!(told == ["usable", "line-up"], "it was told {told:?}");
    host.note("an event was told late".to_owned());
    drop(modem);
    modules::unload()
}

/// A connection for which there is no memory is refused, and the next one has what it needs.
pub fn connections(host: &Host) -> Result<()> {
    modules::load(Driver::Ours)?;
    let modem = Plugged::new(alive(1))?;
    let atm = modem.await_up()?;
    let open = || Pvc::open(atm.number, 8, 35, 1500);
    let failed = starve(1..100, Shortage::at, |_| {
        open()?;
        Ok(())
    })?;
    let mut pvc = open()?;
    pvc.send(b"there and back")?;
    let mut came = [0; 1500];
    let length = pvc.receive(&mut came)?;
    ensure!(came[..length] == *b"there and back", "another packet came");
    drop((pvc, modem));
    modules::unload()?;
    tell("connections", failed, host)
}

fn tell(what: &str, failed: usize, host: &Host) -> Result<()> {
    ensure!(failed > 0, "no allocation could be made to fail");
    host.note(format!("{what}: {failed} allocations failed"));
    Ok(())
}

/// A modem that is plugged in with ever another allocation of its driver failing
/// comes up or does not; either way it can be removed, and leaves nothing.
pub fn modem(host: &Host) -> Result<()> {
    firmware::install()?;
    modules::load(Driver::Ours)?;
    let code = code_of("usbatm")?;
    // Which bytes are whose is not known: small steps at first, then ever larger ones.
    let places = std::iter::successors(Some(1_usize), |place| Some(place + 64 + place / 4));
    let attempt = |shortage: &Shortage| {
        let uevents = Uevents::from_now()?;
        let modem = Plugged::new(options(1))?;
        let mut is_up = false;
        plugged::wait_until("the modem is up", || {
            is_up = AtmDevice::of(modem.device()).is_some_and(|atm| atm.has_carrier());
            let has_failed = shortage.has_struck().unwrap_or(true);
            is_up || (has_failed && (modem.threads().is_empty() || modem.is_waiting()))
        })?;
        if is_up {
            modem.await_told(&uevents, "usable", 1)?;
        }
        let folder = modem.folder();
        drop(modem);
        plugged::wait_until("the device is gone", || !folder.exists())?;
        nothing_is_left()?;
        ensure!(is_up, "the modem did not come up");
        Ok(())
    };
    let shortage = |bytes| Shortage::after(bytes, code);
    let places = host.tell_each("now after bytes", places.take(100));
    let failed = starve(places, shortage, attempt)?;
    tell("a modem", failed, host)?;
    modules::unload()
}

#[cfg(test)]
mod tests {
    use super::code_in;

    /// As a guest lists them that had unloaded others: `atm` has its code close behind that of `vhci_hcd`.
    const MODULES: &str = "\
usbatm 98304 1 speedtch, Live 0xffffffffa0100000
atm 94208 1 usbatm, Live 0xffffffffa0040000
vhci_hcd 131072 0 - Live 0xffffffffa0030000
";

    #[test]
    fn code_ends_where_anothers_begins() {
        let code = |module| code_in(MODULES, module);
        assert_eq!(
            code("vhci_hcd"),
            Some((0xffffffffa0030000, 0xffffffffa0040000))
        );
        assert_eq!(code("atm"), Some((0xffffffffa0040000, 0xffffffffa0057000)));
        assert_eq!(
            code("usbatm"),
            Some((0xffffffffa0100000, 0xffffffffa0118000))
        );
        assert_eq!(code("speedtch"), None);
    }
}
