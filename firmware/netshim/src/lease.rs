//! A lease as bytes, so that it can be kept over a restart: version, prefix, address, router, server, seconds, up to three
//! name servers.

use crate::Lease;
use core::net::Ipv4Addr;
use heapless::Vec;

const VERSION: u8 = 1;

/// Most bytes of an encoded lease.
pub const MAX_ENCODED: usize = 2 + 4 * 4 + 3 * 4;

impl Lease {
    /// The bytes.
    pub fn encode(&self) -> Vec<u8, MAX_ENCODED> {
        let mut bytes = Vec::new();
        let router = self.router.unwrap_or(Ipv4Addr::UNSPECIFIED);
        // MAX_ENCODED holds all of it.
        let _ = bytes.extend_from_slice(&[VERSION, self.prefix]);
        for address in [self.address, router, self.server] {
            let _ = bytes.extend_from_slice(&address.octets());
        }
        let _ = bytes.extend_from_slice(&self.seconds.to_be_bytes());
        for server in &self.dns {
            let _ = bytes.extend_from_slice(&server.octets());
        }
        bytes
    }

    /// The lease; `None` if the bytes are of another version or damaged.
    pub fn decode(bytes: &[u8]) -> Option<Lease> {
        let [VERSION, prefix @ 0..=32, words @ ..] = bytes else {
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
            times: Vec::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease(router: Option<Ipv4Addr>, servers: u8) -> Lease {
        Lease {
            address: Ipv4Addr::new(192, 168, 50, 7),
            prefix: 24,
            router,
            dns: (1..=servers).map(|n| Ipv4Addr::new(10, 0, 0, n)).collect(),
            times: Vec::new(),
            server: Ipv4Addr::new(192, 168, 50, 1),
            seconds: 0x0001_5180,
        }
    }

    #[test]
    fn what_is_kept_comes_back() {
        for router in [None, Some(Ipv4Addr::new(192, 168, 50, 1))] {
            for servers in 0..=3 {
                let lease = lease(router, servers);
                assert_eq!(Lease::decode(&lease.encode()), Some(lease));
            }
        }
    }

    /// The format is frozen: a box that is updated must find its address again.
    #[test]
    fn golden_bytes() {
        let golden = [
            1, 24, 192, 168, 50, 7, 0, 0, 0, 0, 192, 168, 50, 1, 0, 1, 0x51, 0x80, 10, 0, 0, 1,
        ];
        assert_eq!(lease(None, 1).encode()[..], golden);
    }

    #[test]
    fn damaged_bytes_are_no_lease() {
        let good = lease(None, 0).encode();
        for cut in 0..good.len() {
            assert_eq!(Lease::decode(&good[..cut]), None, "cut at {cut}");
        }
        for (at, value) in [(0, 2), (1, 33)] {
            let mut bad = good.clone();
            bad[at] = value;
            assert_eq!(Lease::decode(&bad), None, "byte {at}");
        }
    }
}
