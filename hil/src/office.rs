//! One office and the world behind it:
//!
//! ```text
//!  phone-a .11 ─┐                                               ┌─ cloud 203.0.113.10
//!  phone-b .12 ─┼─ switch `lan` ─ router ─ switch `line` ───────┤
//!  phone-c .13 ─┤  192.168.50.0/24  (NAT, DHCP, names)          └─ 198.51.100.1 ─ switch `trunk` ─ carrier .10
//!  box     .10 ─┘
//! ```
//!
//! All but the box are network namespaces with TAP devices on the switches; the line to the internet is the router's
//! port of switch `line`.

use crate::dnsmasq;
use crate::process::{Process, run};
use crate::sniff::Sniffer;
use crate::switch::{Port, Switch};
use crate::world::Namespace;
use anyhow::Result;
use std::path::{Path, PathBuf};

/// Router's address in the office.
pub const ROUTER: &str = "192.168.50.1";
/// The address that the router leases to the box.
pub const BOX: &str = "192.168.50.10";
/// First and last address that the router leases to everybody else who asks.
pub const LEASES: [&str; 2] = ["192.168.50.100", "192.168.50.150"];
/// The box's MAC address (locally administered).
pub const BOX_MAC: &str = "02:44:45:4e:57:01";
/// The phones' addresses.
pub const PHONES: [&str; 3] = ["192.168.50.11", "192.168.50.12", "192.168.50.13"];
/// The router's outer address: what the cloud sees of the office.
pub const OUTER: &str = "203.0.113.2";
/// The cloud towards the internet.
pub const CLOUD: &str = "203.0.113.10";
/// The cloud's name in the box's factory data.
pub const CLOUD_NAME: &str = "cloud.denwaban.test";
/// The cloud towards the carrier.
pub const CLOUD_TRUNK: &str = "198.51.100.1";
/// The carrier.
pub const CARRIER: &str = "198.51.100.10";

/// The whole of it, all cables plugged in.
pub struct Office {
    /// Files of the run.
    pub folder: PathBuf,
    /// Eyes on all three switches.
    pub sniffer: Sniffer,
    /// The office's switch; the box is plugged in here.
    pub lan: Switch,
    /// The phones' computers: phone-a, phone-b, phone-c, and their ports of `lan`.
    pub phones: Vec<(Namespace, Port)>,
    /// The office's router.
    pub router: Namespace,
    /// The cloud's computer.
    pub cloud: Namespace,
    /// The carrier's computer.
    pub carrier: Namespace,
    /// The internet line: cut and mend this.
    pub internet: Port,
    /// The router's cable into the office.
    pub router_port: Port,
    /// Does the router hide the office's addresses?
    pub nat: bool,
    // Kept for their lives; the order of the fields is the order of their ends.
    _line: Switch,
    _trunk: Switch,
    dhcp: Option<Process>,
}

impl Office {
    /// Builds it inside the run's namespaces. `seed` drives the switches' faults.
    pub fn build(folder: &Path, seed: u64) -> Result<Office> {
        let lan = Switch::start("lan", folder, seed)?;
        let line = Switch::start("line", folder, seed ^ 1)?;
        let trunk = Switch::start("trunk", folder, seed ^ 2)?;
        let sniffer = Sniffer::default();
        sniffer.watch("lan", &lan);
        sniffer.watch("line", &line);
        sniffer.watch("trunk", &trunk);

        let router = Namespace::add("router")?;
        let router_port = plug(&lan, "router", &router, "eth0", ROUTER)?;
        let internet = plug(&line, "router", &router, "eth1", OUTER)?;
        run(router
            .command("sh")
            .args(["-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"]))?;
        let nat = masquerade(&router).is_ok();

        let mut phones = Vec::new();
        for (name, address) in ["phone-a", "phone-b", "phone-c"].into_iter().zip(PHONES) {
            let namespace = Namespace::add(name)?;
            let port = plug(&lan, name, &namespace, "eth0", address)?;
            namespace.ip(&["route", "add", "default", "via", ROUTER])?;
            phones.push((namespace, port));
        }

        let cloud = Namespace::add("cloud")?;
        plug(&line, "cloud", &cloud, "eth0", CLOUD)?;
        plug(&trunk, "cloud", &cloud, "eth1", CLOUD_TRUNK)?;
        if !nat {
            cloud.ip(&["route", "add", "192.168.50.0/24", "via", OUTER])?;
        }
        let carrier = Namespace::add("carrier")?;
        plug(&trunk, "carrier", &carrier, "eth0", CARRIER)?;

        let (folder, dhcp) = (folder.to_path_buf(), None);
        let mut office = Office {
            folder,
            sniffer,
            lan,
            phones,
            router,
            cloud,
            carrier,
            internet,
            router_port,
            nat,
            _line: line,
            _trunk: trunk,
            dhcp,
        };
        office.start_dhcp()?;
        Ok(office)
    }

    /// Starts the router's DHCP and name service, if it is not running.
    pub fn start_dhcp(&mut self) -> Result<()> {
        self.serve(BOX, LEASES)
    }

    /// The router is replaced by one with another network, in which the box gets `address`.
    pub fn renumber_router(&mut self, own: &str, address: &str) -> Result<()> {
        self.stop_dhcp();
        self.router
            .ip(&["addr", "del", &format!("{ROUTER}/24"), "dev", "eth0"])?;
        self.router
            .ip(&["addr", "add", &format!("{own}/24"), "dev", "eth0"])?;
        self.serve(address, [address; 2])
    }

    fn serve(&mut self, address: &str, [first, last]: [&str; 2]) -> Result<()> {
        let service = dnsmasq::Service {
            interface: "eth0",
            first,
            last,
            lease: 120,
            fixed: &[(BOX_MAC, address)],
            names: &[(CLOUD_NAME, CLOUD)],
        };
        if self.dhcp.is_none() {
            self.dhcp = Some(dnsmasq::start(&self.router, &service, &self.folder)?);
        }
        Ok(())
    }

    /// Stops them: DHCP and names are gone.
    pub fn stop_dhcp(&mut self) {
        self.dhcp = None;
    }

    /// What the DHCP server has logged.
    pub fn dhcp_log(&self) -> String {
        self.dhcp.as_ref().map(Process::output).unwrap_or_default()
    }

    /// Brings all captures to their files.
    pub fn flush(&self) {
        [&self.lan, &self._line, &self._trunk]
            .into_iter()
            .for_each(Switch::flush);
    }
}

/// Gives `computer` an interface on `switch`.
fn plug(switch: &Switch, port: &str, computer: &Namespace, interface: &str, address: &str) -> Result<Port> {
    let (port, device) = switch.tap(port)?;
    computer.take(&device, interface, &format!("{address}/24"))?;
    Ok(port)
}

/// Has the router replace the office's addresses by its own.
fn masquerade(router: &Namespace) -> Result<()> {
    let rules = "table ip nat {\n chain out {\n type nat hook postrouting priority srcnat\n oifname eth1 masquerade\n }\n}";
    run(router.command("nft").arg(rules)).map(drop)
}
