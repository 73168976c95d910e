//! Debian's own clients of a modem, unchanged, with a provider at the far end of the
//! line that has real servers: the way that people use these drivers.

mod equipment;
mod network;
mod owner;
mod program;
mod provider;
mod transfer;
mod tun;

use std::cell::Cell;
use std::fs;
use std::net::Ipv4Addr;

use anyhow::{Context, Result, ensure};
use modem::{Bus, Crash, Encapsulation, Options};
use nix::mount::{MsFlags, mount};
use wire::cell::{PAYLOAD_LEN, Vc};

use super::plugged::{self, LIMIT, Plugged, options};
use super::scenarios::Scenario;
use super::sysfs::AtmDevice;
use super::uevents::Uevents;
use super::{Host, checkers, firmware, modules, usbfs};
use crate::protocol::Driver;
use network::ip;
use owner::Udev;
use program::Program;
use provider::{Authentication, CUSTOMER, PASSWORD, Provider};
use transfer::Service;

/// The scenarios that need these programs in the guest; the longest first, as several machines
/// work at them.
pub const SCENARIOS: &[(&str, Scenario)] = &[
    ("megabytes_over_ethernet", |host| {
        with(Driver::Ours, || megabytes_over_ethernet(host))
    }),
    ("megabytes_over_ppp", |host| {
        with(Driver::Ours, || megabytes_over_ppp(host))
    }),
    ("connection_comes_back_by_udev", |host| {
        with(Driver::Ours, || connection_comes_back(Udev::start, host))
    }),
    ("c_driver_connection_comes_back_by_udev", |host| {
        with(Driver::C, || connection_comes_back(Udev::start, host))
    }),
    ("connection_comes_back_by_systemd", |host| {
        with(Driver::Ours, || {
            connection_comes_back(Udev::start_by_systemd, host)
        })
    }),
    ("line_that_comes_up_is_dialled", |_| {
        with(Driver::Ours, line_that_comes_up_is_dialled)
    }),
    ("ppp_vc_multiplexed_with_chap", |_| {
        with(Driver::Ours, ppp_with_chap)
    }),
    ("c_driver_ppp_vc_multiplexed_with_chap", |_| {
        with(Driver::C, ppp_with_chap)
    }),
    ("ppp_llc_with_pap", |_| with(Driver::Ours, ppp_with_pap)),
    ("wrong_password_is_refused", |_| {
        with(Driver::Ours, wrong_password_is_refused)
    }),
    ("bridged_ethernet_with_dhcp", |_| {
        with(Driver::Ours, bridged)
    }),
    ("c_driver_bridged_ethernet_with_dhcp", |_| {
        with(Driver::C, bridged)
    }),
    ("routed_ip", |_| with(Driver::Ours, routed)),
    ("three_clients_at_once", |_| {
        with(Driver::Ours, three_clients_at_once)
    }),
    ("clients_keep_their_connections", |_| {
        with(Driver::Ours, clients_keep_their_connections)
    }),
];

/// The channel of each kind of client.
const PPP: Vc = Vc { vpi: 8, vci: 35 };
const BRIDGED: Vc = Vc { vpi: 8, vci: 36 };
const ROUTED: Vc = Vc { vpi: 0, vci: 38 };

/// The provider's address on each; the customer's are behind it.
const PPP_PROVIDER: Ipv4Addr = Ipv4Addr::new(10, 64, 0, 1);
const BRIDGED_PROVIDER: Ipv4Addr = Ipv4Addr::new(10, 65, 0, 1);
const ROUTED_PROVIDER: Ipv4Addr = Ipv4Addr::new(10, 66, 0, 1);

/// How much goes there and comes back to show that a connection is good, in bytes.
const SOME: usize = 300_000;
/// How much to show that it stays good; and where the kernel's checkers look at each step.
const MUCH: usize = 64 << 20;
const MUCH_CHECKED: usize = 4 << 20;
/// The host is told whenever so much more has gone: a slow machine takes minutes for all.
const NOTED: usize = 1 << 20;

/// Plays a scenario with this driver on a system as these programs know it, and ends
/// what they have left.
fn with(driver: Driver, scenario: impl FnOnce() -> Result<()>) -> Result<()> {
    set_up()?;
    modules::load(driver)?;
    firmware::install()?;
    let result = scenario();
    program::end_orphans();
    result
}

/// What a system with these programs has beyond the lab's.
fn set_up() -> Result<()> {
    let terminals = "/dev/pts";
    if fs::metadata(terminals).is_err() {
        fs::create_dir(terminals)?;
        let kind = Some("devpts");
        mount(kind, terminals, kind, MsFlags::empty(), None::<&str>)?;
    }
    for module in ["tun", "ppp_async", "pppoatm", "br2684"] {
        modules::modprobe(module)?;
    }
    // TCP tries each second whether a connection is back, and not ever more seldom; and it
    // tries for minutes: by so many tries it counts when to give up.
    fs::write("/proc/sys/net/ipv4/tcp_rto_max_ms", "1000")?;
    fs::write("/proc/sys/net/ipv4/tcp_retries2", "255")?;
    Ok(())
}

/// A customer's modem on this provider's line, up.
fn plug(provider: &mut Provider, options: Options) -> Result<(Plugged, AtmDevice)> {
    let modem = Plugged::new(options)?;
    provider.connect(modem.modem())?;
    let atm = modem.await_up()?;
    Ok((modem, atm))
}

/// What most scenarios plug: a modem that had its firmware before.
fn alive() -> Options {
    options(1).running()
}

fn address(atm: &AtmDevice, vc: Vc) -> String {
    format!("{}.{}.{}", atm.number, vc.vpi, vc.vci)
}

/// Starts a customer's `pppd`, with this password and option.
fn dial(atm: &AtmDevice, password: &str, encapsulation: &str) -> Result<Program> {
    let arguments = [
        "plugin",
        "pppoatm.so",
        &address(atm, PPP),
        encapsulation,
        "user",
        CUSTOMER,
        "password",
        password,
        "noauth",
        "nodetach",
    ];
    Program::start("/usr/sbin/pppd", &arguments)
}

/// Dials by this modem, is believed, gets an address, and can be reached.
fn ppp(
    modem: Options,
    kind: Encapsulation,
    authentication: Authentication,
    exchange: impl FnOnce(&Service) -> Result<()>,
) -> Result<()> {
    let option = match kind {
        Encapsulation::PppLlc => "llc-encaps",
        _ => "vc-encaps",
    };
    let mut provider = Provider::new()?;
    provider.ppp(PPP, kind, authentication, PPP_PROVIDER)?;
    let (_modem, atm) = plug(&mut provider, modem)?;
    let mut client = dial(&atm, PASSWORD, option)?;
    let proven = format!("{} authentication succeeded", authentication.name());
    let connected = client
        .await_words(&proven)
        .and_then(|()| client.await_words("local  IP address 10.64.0.2"))
        .and_then(|()| exchange(&provider.service(PPP_PROVIDER)?));
    provider.explain(connected)?;
    client.stop()?;
    Ok(())
}

fn ppp_with_chap() -> Result<()> {
    let kind = Encapsulation::PppVcMultiplexed;
    let exchange = |service: &Service| service.exchange(SOME);
    ppp(alive(), kind, Authentication::Chap, exchange)
}

fn ppp_with_pap() -> Result<()> {
    let exchange = |service: &Service| service.exchange(SOME);
    ppp(
        alive(),
        Encapsulation::PppLlc,
        Authentication::Pap,
        exchange,
    )
}

/// The server does look at the password.
fn wrong_password_is_refused() -> Result<()> {
    /// `EXIT_AUTH_TOPEER_FAILED` of `pppd`.
    const NOT_BELIEVED: i32 = 19;
    let mut provider = Provider::new()?;
    let kind = Encapsulation::PppVcMultiplexed;
    provider.ppp(PPP, kind, Authentication::Chap, PPP_PROVIDER)?;
    let (_modem, atm) = plug(&mut provider, alive())?;
    let mut client = dial(&atm, "close sesame", "vc-encaps")?;
    let status = provider.explain(client.await_end())?;
    ensure!(
        status.code() == Some(NOT_BELIEVED),
        "pppd ended with {status}:\n{}",
        client.words()
    );
    Ok(())
}

/// Starts `br2684ctl`, which makes the network device `nas` of this number.
fn bridge(atm: &AtmDevice, vc: Vc, number: &str, options: &[&str]) -> Result<Program> {
    let mut arguments = vec!["-c", number];
    arguments.extend(options);
    let address = address(atm, vc);
    arguments.extend(["-a", &address]);
    let client = Program::start("/usr/sbin/br2684ctl", &arguments)?;
    let address = format!("/sys/class/net/nas{number}/address");
    // It has an address once it has its VCC, and is not to be used before.
    let made = plugged::wait_until("the network device has its VCC", || {
        fs::read_to_string(&address).is_ok_and(|address| address.trim() != "00:00:00:00:00:00")
    });
    client.explain(made)?;
    ip(&["link", "set", &format!("nas{number}"), "up"])?;
    Ok(client)
}

/// Asks for an address on the device `nas0`.
fn ask_for_address() -> Result<Program> {
    let files = ["-lf", "/run/dhclient.leases", "-pf", "/run/dhclient.pid"];
    let mut arguments = vec!["-d", "-1", "-sf", "/usr/sbin/dhclient-script"];
    arguments.extend(files);
    arguments.push("nas0");
    let _ = fs::remove_file("/run/dhclient.leases");
    let mut client = Program::start("/usr/sbin/dhclient", &arguments)?;
    client.await_words("bound to 10.65.0.")?;
    Ok(client)
}

fn bridged_provider() -> Result<Provider> {
    let mut provider = Provider::new()?;
    provider.bridged(BRIDGED, Encapsulation::BridgedLlc, BRIDGED_PROVIDER)?;
    let [first, last] = [10, 20].map(|host| Ipv4Addr::new(10, 65, 0, host));
    provider.dhcp(BRIDGED, first, last)?;
    Ok(provider)
}

/// Ethernet over ATM: the client gets its address from a server at the far end.
fn bridged() -> Result<()> {
    let mut provider = bridged_provider()?;
    let (_modem, atm) = plug(&mut provider, alive())?;
    let _bridge = bridge(&atm, BRIDGED, "0", &["-e", "0", "-p", "1"])?;
    let _client = provider.explain(ask_for_address())?;
    provider.explain(provider.service(BRIDGED_PROVIDER)?.exchange(SOME))
}

/// IP over ATM, without Ethernet and without LLC headers.
fn routed() -> Result<()> {
    let mut provider = Provider::new()?;
    provider.routed(ROUTED, Encapsulation::RoutedVcMultiplexed, ROUTED_PROVIDER)?;
    let (_modem, atm) = plug(&mut provider, alive())?;
    let _router = bridge(&atm, ROUTED, "1", &["-e", "1", "-p", "0"])?;
    ip(&["address", "add", "10.66.0.2/24", "dev", "nas1"])?;
    provider.service(ROUTED_PROVIDER)?.exchange(SOME)
}

/// PPP, Ethernet and IP, each on a channel of its own, all busy at once.
fn three_clients_at_once() -> Result<()> {
    with_three_clients(|_, exchange| exchange())
}

/// A modem crashes and loses its firmware, and later it is reset: whoever uses it notices that nothing
/// comes for a while, and that Ethernet has no carrier, and goes on afterwards.
fn clients_keep_their_connections() -> Result<()> {
    let uevents = Uevents::from_now()?;
    with_three_clients(|modem, exchange| {
        exchange()?;
        firmware::remove()?;
        modem.modem().crash(Crash::Reboot);
        let carrier = || fs::read_to_string("/sys/class/net/nas0/carrier").unwrap_or_default();
        plugged::wait_until("the carrier is lost", || carrier() == "0\n")?;
        firmware::install()?;
        plugged::wait_until("the line is up again", || {
            // What is asked for was asked for when there were no files.
            firmware::refuse();
            modem.times_told(&uevents, "line-up") == 2
        })?;
        ensure!(carrier() == "1\n", "there is no carrier");
        exchange().context("after a crash")?;
        usbfs::reset(modem.device())?;
        modem.await_told(&uevents, "line-up", 3)?;
        exchange().context("after a reset")
    })
}

/// Plays a scenario with a modem that three clients use, and what has all of them exchange something
/// at once.
fn with_three_clients(
    play: impl FnOnce(&Plugged, &dyn Fn() -> Result<()>) -> Result<()>,
) -> Result<()> {
    let mut provider = bridged_provider()?;
    let kind = Encapsulation::PppLlc;
    provider.ppp(PPP, kind, Authentication::Chap, PPP_PROVIDER)?;
    provider.routed(ROUTED, Encapsulation::RoutedLlc, ROUTED_PROVIDER)?;
    let (modem, atm) = plug(&mut provider, alive())?;
    let mut ppp = dial(&atm, PASSWORD, "llc-encaps")?;
    let _bridge = bridge(&atm, BRIDGED, "0", &["-e", "0", "-p", "1"])?;
    let _client = provider.explain(ask_for_address())?;
    let _router = bridge(&atm, ROUTED, "1", &["-e", "0", "-p", "0"])?;
    ip(&["address", "add", "10.66.0.2/24", "dev", "nas1"])?;
    provider.explain(ppp.await_words("local  IP address 10.64.0.2"))?;
    provider.explain(ppp.explain(play(&modem, &|| exchange_with_each(&provider))))
}

fn exchange_with_each(provider: &Provider) -> Result<()> {
    std::thread::scope(|scope| {
        let addresses = [PPP_PROVIDER, BRIDGED_PROVIDER, ROUTED_PROVIDER];
        let exchanges = addresses.map(|address| {
            scope.spawn(move || {
                let exchanged = provider.service(address)?.exchange(SOME);
                exchanged.with_context(|| format!("with {address}"))
            })
        });
        for exchange in exchanges {
            let exchanged = exchange.join();
            exchanged.map_err(|_| anyhow::anyhow!("a thread panicked"))??;
        }
        Ok(())
    })
}

/// A modem on a bus without limit: at full speed all of it would take two minutes.
fn fast() -> Options {
    alive().bus(Bus::unlimited())
}

/// How much is much here.
fn much() -> usize {
    if checkers::are_here() {
        MUCH_CHECKED
    } else {
        MUCH
    }
}

/// Sends much there and back.
fn exchange_much(service: &Service, host: &Host) -> Result<()> {
    let sum = Cell::new(0);
    service.exchange_followed(much(), &|length| {
        let before = sum.replace(sum.get() + length);
        if before / NOTED != sum.get() / NOTED {
            host.note(format!("{} MiB have gone", sum.get() >> 20));
        }
    })
}

fn megabytes_over_ethernet(host: &Host) -> Result<()> {
    let mut provider = bridged_provider()?;
    let (_modem, atm) = plug(&mut provider, fast())?;
    let _bridge = bridge(&atm, BRIDGED, "0", &["-e", "0", "-p", "1"])?;
    let _client = provider.explain(ask_for_address())?;
    exchange_much(&provider.service(BRIDGED_PROVIDER)?, host)
}

fn megabytes_over_ppp(host: &Host) -> Result<()> {
    let kind = Encapsulation::PppVcMultiplexed;
    let exchange = |service: &Service| exchange_much(service, host);
    ppp(fast(), kind, Authentication::Chap, exchange)
}

/// A `pppd` that has given up is started again when the line comes up, although the
/// modem and its ATM device have been there all the time.
fn line_that_comes_up_is_dialled() -> Result<()> {
    let udev = Udev::start()?;
    let mut provider = Provider::new()?;
    let kind = Encapsulation::PppVcMultiplexed;
    provider.ppp(PPP, kind, Authentication::Chap, PPP_PROVIDER)?;
    let service = provider.service(PPP_PROVIDER)?;
    let (modem, _) = plug(&mut provider, alive())?;
    let again = service
        .exchange(SOME)
        .and_then(|()| udev.hang_up())
        .and_then(|()| {
            ensure!(!udev.has_dialled(), "it has not given up");
            modem.modem().drop_line();
            service.exchange(SOME)
        });
    let result = provider.explain(udev.explain(again));
    result.and(udev.end())
}

/// A modem is pulled in the middle of much and plugged in again: by the rule that this
/// project has for owners, the connection is back, and the transfer goes on. So it is when
/// the modem has another number then.
fn connection_comes_back(udev: fn() -> Result<Udev>, host: &Host) -> Result<()> {
    let udev = udev()?;
    let mut provider = Provider::new()?;
    let kind = Encapsulation::PppVcMultiplexed;
    provider.ppp(PPP, kind, Authentication::Chap, PPP_PROVIDER)?;
    let service = provider.service(PPP_PROVIDER)?;
    let back = comes_back(&mut provider, &service, &udev, host);
    let result = provider.explain(udev.explain(back));
    // Who persists dials again until it is ended.
    result.and(udev.end())
}

fn comes_back(provider: &mut Provider, service: &Service, udev: &Udev, host: &Host) -> Result<()> {
    // With its firmware to take, on a bus without limit.
    let modem = || options(1).bus(Bus::unlimited());
    let (pulled, first) = plug(provider, modem())?;
    let (modem, second) = std::thread::scope(|scope| {
        let exchange = scope.spawn(|| exchange_much(service, host));
        let half = much() / PAYLOAD_LEN / 2;
        let busy = pulled.modem().wait_until(LIMIT, |view| {
            (view.counters.cells_in > half as u64).then_some(())
        });
        busy.context("no traffic flows")?;
        ensure!(udev.has_dialled(), "somebody else has dialled");
        drop(pulled);
        let plugged = plug(provider, modem())?;
        let exchanged = exchange.join();
        exchanged.map_err(|_| anyhow::anyhow!("a thread panicked"))??;
        Ok::<_, anyhow::Error>(plugged)
    })?;

    // Plugged into another port before the kernel has let go of the first.
    let other = Plugged::new(options(1))?;
    let third = other.await_up()?;
    ensure!(third.number != second.number, "its number is the same");
    provider.connect(other.modem())?;
    drop(modem);
    service.exchange(SOME).with_context(|| {
        format!(
            "as ATM device {}, then {}, then {}",
            first.number, second.number, third.number
        )
    })
}
