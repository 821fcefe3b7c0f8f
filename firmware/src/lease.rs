//! The last DHCP lease as a setting in flash: version, address, prefix, router, server, seconds, up to three name servers.

use core::net::Ipv4Addr;
use gateway::store::MAX_VALUE;
use heapless::Vec;
use netshim::Lease;

const VERSION: u8 = 1;

/// The setting.
pub fn encode(lease: &Lease) -> Vec<u8, MAX_VALUE> {
    let mut value = Vec::new();
    let router = lease.router.unwrap_or(Ipv4Addr::UNSPECIFIED);
    // 18 bytes and at most twelve more fit.
    let _ = value.extend_from_slice(&[VERSION, lease.prefix]);
    for address in [lease.address, router, lease.server] {
        let _ = value.extend_from_slice(&address.octets());
    }
    let _ = value.extend_from_slice(&lease.seconds.to_be_bytes());
    for server in &lease.dns {
        let _ = value.extend_from_slice(&server.octets());
    }
    value
}

/// The lease; `None` if the setting is of another version or damaged.
pub fn decode(value: &[u8]) -> Option<Lease> {
    let [VERSION, prefix @ 0..=32, words @ ..] = value else {
        return None;
    };
    let (words, []) = words.as_chunks::<4>() else {
        return None;
    };
    let (&[address, router, server, seconds], dns) = words.split_first_chunk::<4>()?;
    Some(Lease {
        address: address.into(),
        prefix: *prefix,
        router: Some(router.into()).filter(|router: &Ipv4Addr| !router.is_unspecified()),
        server: server.into(),
        seconds: u32::from_be_bytes(seconds),
        dns: dns.iter().map(|server| Ipv4Addr::from(*server)).take(3).collect(),
    })
}
