//! Ethernet II, and as much of IPv4, UDP and TCP as the shim itself has to read and write.

use core::net::Ipv4Addr;

/// A MAC address.
pub type Mac = [u8; 6];

/// Everybody on the segment.
pub const BROADCAST: Mac = [0xFF; 6];
/// Bytes of the header.
pub const HEADER: usize = 14;
/// EtherType of IPv4.
pub const IPV4: u16 = 0x0800;
/// EtherType of ARP.
pub const ARP: u16 = 0x0806;
/// EtherType of a VLAN tag (IEEE 802.1Q).
pub const VLAN: u16 = 0x8100;
/// EtherType of LLDP.
pub const LLDP: u16 = 0x88CC;
/// Where LLDP is sent: the nearest bridge, which passes it on to nobody (IEEE 802.1AB §7.1).
pub const NEAREST_BRIDGE: Mac = [0x01, 0x80, 0xC2, 0x00, 0x00, 0x0E];

const IP_HEADER: usize = 20;
const UDP_HEADER: usize = 8;
const UDP: u8 = 17;
const TCP: u8 = 6;

/// `N` bytes of `from` at `at`.
pub fn take<const N: usize>(from: &[u8], at: usize) -> Option<[u8; N]> {
    from.get(at..at.checked_add(N)?)?.try_into().ok()
}

/// Copies `from` to `to` at `at`; `None` if it does not fit.
pub fn put(to: &mut [u8], at: usize, from: &[u8]) -> Option<()> {
    to.get_mut(at..at.checked_add(from.len())?)?.copy_from_slice(from);
    Some(())
}

/// Destination, source and EtherType of a frame.
pub fn header(frame: &[u8]) -> Option<(Mac, Mac, u16)> {
    Some((
        take(frame, 0)?,
        take(frame, 6)?,
        u16::from_be_bytes(take(frame, 12)?),
    ))
}

/// Writes a header to the front of `frame`.
pub fn set_header(frame: &mut [u8], to: Mac, from: Mac, ethertype: u16) -> Option<()> {
    put(frame, 0, &to)?;
    put(frame, 6, &from)?;
    put(frame, 12, &ethertype.to_be_bytes())
}

/// Does the address name one station?
pub fn is_unicast(mac: Mac) -> bool {
    mac[0] & 1 == 0 && mac != [0; 6]
}

/// The MAC address of an IPv4 multicast group (RFC 1112 §6.4).
pub fn multicast(group: Ipv4Addr) -> Mac {
    let [_, b, c, d] = group.octets();
    [0x01, 0x00, 0x5E, b & 0x7F, c, d]
}

/// Source and destination of an IPv4 packet.
pub fn ip_addresses(packet: &[u8]) -> Option<(Ipv4Addr, Ipv4Addr)> {
    if packet.first()? >> 4 != 4 {
        return None;
    }
    Some((
        Ipv4Addr::from(take::<4>(packet, 12)?),
        Ipv4Addr::from(take::<4>(packet, 16)?),
    ))
}

/// Payload of an unfragmented UDP datagram to `port`, with its IPv4 checksums not looked at.
pub fn udp_payload(packet: &[u8], port: u16) -> Option<&[u8]> {
    let first = *packet.first()?;
    let header = usize::from(first & 0x0F) * 4;
    let fragment = u16::from_be_bytes(take(packet, 6)?) & 0x3FFF;
    if first >> 4 != 4 || header < IP_HEADER || *packet.get(9)? != UDP || fragment != 0 {
        return None;
    }
    let udp = packet.get(header..)?;
    if u16::from_be_bytes(take(udp, 2)?) != port {
        return None;
    }
    let length = usize::from(u16::from_be_bytes(take(udp, 4)?));
    udp.get(UDP_HEADER..length)
}

/// Is it what a stack answers to a SYN for this port that no socket takes: RST and ACK, with sequence number 0 (RFC 9293 §3.10.7.1)?
/// A connection that there is or was is reset with another number.
pub fn is_refusal(packet: &[u8], port: u16) -> Option<bool> {
    const FLAGS: u8 = 0b0001_0111;
    const RST_ACK: u8 = 0b0001_0100;
    let first = *packet.first()?;
    if first >> 4 != 4 || *packet.get(9)? != TCP {
        return Some(false);
    }
    let tcp = packet.get(usize::from(first & 0x0F) * 4..)?;
    let is_from = u16::from_be_bytes(take(tcp, 0)?) == port;
    Some(is_from && take(tcp, 4)? == [0; 4] && tcp.get(13)? & FLAGS == RST_ACK)
}

/// Writes headers before a UDP payload that lies at [`UDP_PAYLOAD`] in `packet`; returns the packet's length.
pub fn set_udp(
    packet: &mut [u8],
    from: (Ipv4Addr, u16),
    to: (Ipv4Addr, u16),
    payload: usize,
) -> Option<usize> {
    let total = IP_HEADER + UDP_HEADER + payload;
    let packet = packet.get_mut(..total)?;
    packet.get_mut(..IP_HEADER + UDP_HEADER)?.fill(0);
    put(packet, 0, &[0x45])?;
    put(packet, 2, &u16::try_from(total).ok()?.to_be_bytes())?;
    put(packet, 8, &[64, UDP])?;
    put(packet, 12, &from.0.octets())?;
    put(packet, 16, &to.0.octets())?;
    let sum = checksum(0, packet.get(..IP_HEADER)?);
    put(packet, 10, &sum.to_be_bytes())?;
    put(packet, 20, &from.1.to_be_bytes())?;
    put(packet, 22, &to.1.to_be_bytes())?;
    let length = u16::try_from(UDP_HEADER + payload).ok()?;
    put(packet, 24, &length.to_be_bytes())?;
    // RFC 768: the pseudo header is addresses, protocol and length; a sum of zero is sent as ones.
    let pseudo = u32::from(UDP) + u32::from(length);
    let sum = match checksum(pseudo, packet.get(12..)?) {
        0 => 0xFFFF,
        sum => sum,
    };
    put(packet, 26, &sum.to_be_bytes())?;
    Some(total)
}

/// Where the payload lies for [`set_udp`].
pub const UDP_PAYLOAD: usize = IP_HEADER + UDP_HEADER;

/// The Internet checksum (RFC 1071) of `bytes`, begun with `sum`.
fn checksum(mut sum: u32, bytes: &[u8]) -> u16 {
    for pair in bytes.chunks(2) {
        let high = u32::from(pair.first().copied().unwrap_or(0)) << 8;
        sum += high | u32::from(pair.get(1).copied().unwrap_or(0));
    }
    while sum > 0xFFFF {
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Golden bytes: headers packed and summed by a few lines of Python's `struct`, not by this code.
    #[test]
    fn udp_is_as_another_program_writes_it() {
        let mut packet = [0; 64];
        put(&mut packet, UDP_PAYLOAD, b"hello").unwrap();
        let from = (Ipv4Addr::new(192, 168, 50, 7), 68);
        let to = (Ipv4Addr::new(192, 168, 50, 1), 67);
        let length = set_udp(&mut packet, from, to, 5).unwrap();
        let golden = [
            0x45, 0x00, 0x00, 0x21, 0x00, 0x00, 0x00, 0x00, 0x40, 0x11, 0x95, 0x73, 0xC0, 0xA8, 0x32, 0x07,
            0xC0, 0xA8, 0x32, 0x01, 0x00, 0x44, 0x00, 0x43, 0x00, 0x0D, 0xD6, 0x21, 0x68, 0x65, 0x6C, 0x6C,
            0x6F,
        ];
        assert_eq!(&packet[..length], &golden);
        assert_eq!(udp_payload(&packet[..length], 67), Some(&b"hello"[..]));
        assert_eq!(udp_payload(&packet[..length], 68), None);
    }

    #[test]
    fn every_truncation_is_refused() {
        let mut packet = [0; 64];
        put(&mut packet, UDP_PAYLOAD, b"hello").unwrap();
        let any = (Ipv4Addr::UNSPECIFIED, 1);
        let length = set_udp(&mut packet, any, any, 5).unwrap();
        for cut in 0..length {
            assert_eq!(udp_payload(&packet[..cut], 1), None, "cut at {cut}");
        }
    }
}
