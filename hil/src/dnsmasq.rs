//! The office router's DHCP and name service: dnsmasq in the router's namespace.

use crate::process::Process;
use crate::wait::s;
use crate::world::Namespace;
use anyhow::Result;
use std::path::Path;

/// What it serves.
#[derive(Debug, Clone)]
pub struct Service<'a> {
    /// Interface towards the office.
    pub interface: &'a str,
    /// First address to lease.
    pub first: &'a str,
    /// Last address to lease.
    pub last: &'a str,
    /// Length of a lease in seconds; dnsmasq takes no less than 120.
    pub lease: u32,
    /// MAC addresses with fixed leases, and those.
    pub fixed: &'a [(&'a str, &'a str)],
    /// Names and their addresses.
    pub names: &'a [(&'a str, &'a str)],
}

/// Starts it; ready when this returns. Dropping the process stops the service.
pub fn start(router: &Namespace, service: &Service, folder: &Path) -> Result<Process> {
    let mut command = router.command("dnsmasq");
    command.args([
        "--no-daemon",
        "--no-resolv",
        "--no-hosts",
        "--log-facility=-",
        "--log-dhcp",
    ]);
    command.args(["--bind-interfaces", "--conf-file=/dev/null", "--log-queries"]);
    command.arg(format!("--interface={}", service.interface));
    command.arg(format!(
        "--dhcp-range={},{},{}",
        service.first, service.last, service.lease
    ));
    command.arg("--dhcp-authoritative");
    command.arg(format!("--dhcp-leasefile={}", folder.join("leases").display()));
    command.arg(format!("--pid-file={}", folder.join("dnsmasq.pid").display()));
    for (mac, address) in service.fixed {
        command.arg(format!("--dhcp-host={mac},{address}"));
    }
    // Without it what dnsmasq says of these may be kept by nobody (RFC 1035 §3.2.1).
    command.arg("--local-ttl=60");
    for (name, address) in service.names {
        command.arg(format!("--address=/{name}/{address}"));
    }
    let mut process = Process::start("dnsmasq", &mut command, folder)?;
    process.prints("sockets bound exclusively", s(5))?;
    Ok(process)
}
