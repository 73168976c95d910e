//! The provider at the far end of the line: terminations, and real servers behind them.

use std::fs::{self, Permissions};
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result};
use modem::{Encapsulation, Modem, Termination};
use wire::cell::Vc;

use super::equipment::{NetworkDevice, SerialLine};
use super::network::Network;
use super::program::Program;
use super::transfer::Service;
use super::tun::Kind;

/// What the customer is called, and the password, in `pppd`'s files of secrets.
pub const CUSTOMER: &str = "me@provider.example";
pub const PASSWORD: &str = "open sesame";

/// How the customer shows who he is.
#[derive(Clone, Copy, Debug)]
pub enum Authentication {
    /// By his password.
    Pap,
    /// By an answer to a question that takes the password.
    Chap,
}

impl Authentication {
    /// The option by which `pppd` asks for it.
    fn option(self) -> &'static str {
        match self {
            Self::Pap => "require-pap",
            Self::Chap => "require-chap",
        }
    }

    /// Its name in `pppd`'s words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pap => "PAP",
            Self::Chap => "CHAP",
        }
    }
}

/// A provider with some channels to its customer.
pub struct Provider {
    // Ended in this order.
    servers: Vec<Program>,
    channels: Vec<(Vc, Termination)>,
    network: Network,
}

impl Provider {
    /// One without any channels yet.
    pub fn new() -> Result<Self> {
        for secrets in ["chap-secrets", "pap-secrets"] {
            let line = format!("\"{CUSTOMER}\" * \"{PASSWORD}\" *\n");
            let file = Path::new("/etc/ppp").join(secrets);
            fs::write(&file, line)?;
            fs::set_permissions(&file, Permissions::from_mode(0o600))?;
        }
        Ok(Self {
            servers: Vec::new(),
            channels: Vec::new(),
            network: Network::new()?,
        })
    }

    /// Ends `vc` at a `pppd`, which wants to know who is there, has `address` and
    /// gives its customer the next one.
    pub fn ppp(
        &mut self,
        vc: Vc,
        encapsulation: Encapsulation,
        authentication: Authentication,
        address: Ipv4Addr,
    ) -> Result<()> {
        let (line, terminal) = SerialLine::new()?;
        let customer = Ipv4Addr::from(u32::from(address) + 1);
        let addresses = format!("{address}:{customer}");
        let terminal = terminal.to_str().context("a strange terminal")?;
        let own = ["local", "nocrtscts", "nodetach", "silent", "persist"];
        let forms = ["maxfail", "0", "holdoff", "0", "name", "provider"];
        let mut arguments = vec![terminal, "115200", &addresses, authentication.option()];
        arguments.extend(own.iter().chain(&forms));
        self.channels
            .push((vc, Termination::new(encapsulation, line)?));
        let server = self
            .network
            .inside(|| Program::start("/usr/sbin/pppd", &arguments))?;
        self.servers.push(server);
        Ok(())
    }

    /// Ends `vc` at an Ethernet with `address` on it.
    pub fn bridged(&mut self, vc: Vc, kind: Encapsulation, address: Ipv4Addr) -> Result<()> {
        self.device(vc, kind, Kind::Ethernet, address)
    }

    /// Ends `vc` at a router of this `address`.
    pub fn routed(&mut self, vc: Vc, kind: Encapsulation, address: Ipv4Addr) -> Result<()> {
        self.device(vc, kind, Kind::Ip, address)
    }

    fn device(&mut self, vc: Vc, kind: Encapsulation, of: Kind, address: Ipv4Addr) -> Result<()> {
        let name = device_name(vc);
        let device = self
            .network
            .inside(|| NetworkDevice::new(of, &name, address))?;
        self.channels.push((vc, Termination::new(kind, device)?));
        Ok(())
    }

    /// Has a DHCP server give out the addresses from `first` to `last` on the Ethernet
    /// behind `vc`.
    pub fn dhcp(&mut self, vc: Vc, first: Ipv4Addr, last: Ipv4Addr) -> Result<()> {
        let interface = format!("--interface={}", device_name(vc));
        let range = format!("--dhcp-range={first},{last},1h");
        let arguments = [
            "--keep-in-foreground",
            "--log-facility=-",
            "--log-dhcp",
            "--conf-file=/dev/null",
            "--pid-file=",
            "--user=root",
            "--port=0",
            "--leasefile-ro",
            "--bind-interfaces",
            &interface,
            &range,
        ];
        let server = self
            .network
            .inside(|| Program::start("/usr/sbin/dnsmasq", &arguments))?;
        self.servers.push(server);
        Ok(())
    }

    /// Connects the channels with `modem`, in place of the one before.
    pub fn connect(&mut self, modem: &Modem) -> Result<()> {
        for (vc, termination) in &mut self.channels {
            termination.connect(modem.far_end(*vc))?;
        }
        Ok(())
    }

    /// A service at one of the provider's addresses.
    pub fn service(&self, address: Ipv4Addr) -> Result<Service> {
        Service::new(&self.network, address)
    }

    /// `result`, with what the servers said where it is an error.
    pub fn explain<T>(&self, result: Result<T>) -> Result<T> {
        self.servers
            .iter()
            .fold(result, |result, server| server.explain(result))
    }
}

/// The name of the network device behind `vc`.
fn device_name(vc: Vc) -> String {
    format!("far{}.{}", vc.vpi, vc.vci)
}
