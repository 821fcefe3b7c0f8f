//! ARP for Ethernet and IPv4 (RFC 826).

use crate::ethernet::{BROADCAST, Mac, put, take};
use core::net::Ipv4Addr;

/// Bytes of a packet for Ethernet and IPv4.
pub const PACKET: usize = 28;

const FIXED: [u8; 6] = [0, 1, 8, 0, 6, 4];

/// What a packet says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arp {
    /// A question; otherwise an answer.
    pub request: bool,
    /// Who says it.
    pub sender: (Mac, Ipv4Addr),
    /// Whom it is about or for.
    pub target: (Mac, Ipv4Addr),
}

impl Arp {
    /// Reads the packet behind an Ethernet header. `None`: not ARP for Ethernet and IPv4, or cut off.
    pub fn parse(packet: &[u8]) -> Option<Arp> {
        if take::<6>(packet, 0)? != FIXED {
            return None;
        }
        let request = match u16::from_be_bytes(take(packet, 6)?) {
            1 => true,
            2 => false,
            _ => return None,
        };
        let sender = (take(packet, 8)?, Ipv4Addr::from(take::<4>(packet, 14)?));
        let target = (take(packet, 18)?, Ipv4Addr::from(take::<4>(packet, 24)?));
        Some(Arp {
            request,
            sender,
            target,
        })
    }

    /// The packet, to be sent to [`Arp::destination`].
    pub fn packet(&self) -> [u8; PACKET] {
        let mut packet = [0; PACKET];
        let parts: [(usize, &[u8]); 6] = [
            (0, &FIXED),
            (6, &[0, if self.request { 1 } else { 2 }]),
            (8, &self.sender.0),
            (14, &self.sender.1.octets()),
            (18, &self.target.0),
            (24, &self.target.1.octets()),
        ];
        for (at, bytes) in parts {
            put(&mut packet, at, bytes);
        }
        packet
    }

    /// Who is to hear it: everybody if it is a question.
    pub fn destination(&self) -> Mac {
        match self.request {
            true => BROADCAST,
            false => self.target.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use smoltcp::wire::{ArpOperation, ArpPacket, ArpRepr, EthernetAddress};

    const A: (Mac, Ipv4Addr) = ([2, 0, 0, 0, 0, 1], Ipv4Addr::new(192, 168, 50, 1));
    const B: (Mac, Ipv4Addr) = ([2, 0, 0, 0, 0, 2], Ipv4Addr::new(192, 168, 50, 2));

    /// smoltcp's parser reads what we write and we read what its writer writes.
    #[test]
    fn smoltcp_agrees() {
        for request in [true, false] {
            let ours = Arp {
                request,
                sender: A,
                target: B,
            };
            let theirs = ArpRepr::EthernetIpv4 {
                operation: if request {
                    ArpOperation::Request
                } else {
                    ArpOperation::Reply
                },
                source_hardware_addr: EthernetAddress(A.0),
                source_protocol_addr: A.1,
                target_hardware_addr: EthernetAddress(B.0),
                target_protocol_addr: B.1,
            };
            assert_eq!(
                ArpRepr::parse(&ArpPacket::new_checked(&ours.packet()).unwrap()).unwrap(),
                theirs
            );
            assert_eq!(ours.destination() == BROADCAST, request);
            let mut packet = [0; PACKET];
            theirs.emit(&mut ArpPacket::new_unchecked(&mut packet[..]));
            assert_eq!(Arp::parse(&packet), Some(ours));
        }
    }

    #[test]
    fn other_hardware_protocol_operation_and_truncation_are_refused() {
        let good = &Arp {
            request: true,
            sender: A,
            target: B,
        }
        .packet();
        assert!(Arp::parse(good).is_some());
        for cut in 0..good.len() {
            assert_eq!(Arp::parse(&good[..cut]), None, "cut at {cut}");
        }
        for at in 0..8 {
            let mut bad = *good;
            bad[at] ^= 0x40;
            assert_eq!(Arp::parse(&bad), None, "byte {at}");
        }
    }
}
