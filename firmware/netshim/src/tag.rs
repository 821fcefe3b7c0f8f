//! What a frame carries besides: the VLAN tag (IEEE 802.1Q §9.6), and the KSZ9477's tail tag, which says at which port of the
//! switch a frame came in or goes out (DS00002392 §4.4.9; the same as Linux `net/dsa/tag_ksz.c`).

use crate::ethernet::{Mac, VLAN, put, take};

/// Bytes of a VLAN tag.
pub const VLAN_TAG: usize = 4;
/// Bytes of the tail tag of a frame to the switch.
pub const TAIL: usize = 2;
/// Shortest frame without CRC: the padding comes before the tail tag, because the switch takes the last bytes.
pub const SHORTEST: usize = 60;

/// Where a VLAN tag lies in a frame.
const AT: usize = 12;
/// Tail tag to the switch: find the port by the switch's own table.
const LOOKUP: u16 = 1 << 10;
/// Tail tag to the switch: to this port even if it is blocked.
const OVERRIDE: u16 = 1 << 9;
/// Ports of the switch.
const PORTS: u8 = 7;

/// Which way a frame takes through the switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// As its address says.
    Lookup,
    /// Out at this port, whatever its address.
    Port(u8),
}

/// The port (0 to 6) at which the switch heard a frame, and the frame without its tail tag. `None`: too short, or with a tag
/// that the switch does not make as it is set (PTP timestamps, bit 7).
pub fn split(frame: &[u8]) -> Option<(u8, &[u8])> {
    let (port, frame) = frame.split_last()?;
    (*port < PORTS).then_some((*port, frame))
}

/// Writes the tail tag at `at`; where the frame ends then.
pub fn append(frame: &mut [u8], at: usize, way: Way) -> Option<usize> {
    let tag = match way {
        Way::Lookup => LOOKUP,
        Way::Port(port) if port < PORTS => OVERRIDE | 1 << port,
        Way::Port(_) => return None,
    };
    put(frame, at, &tag.to_be_bytes())?;
    Some(at + TAIL)
}

/// The VLAN identifier and the EtherType behind the tag of a frame whose EtherType is [`VLAN`].
pub fn vlan(frame: &[u8]) -> Option<(u16, u16)> {
    let tag = u16::from_be_bytes(take(frame, AT + 2)?);
    Some((tag & 0x0FFF, u16::from_be_bytes(take(frame, AT + 4)?)))
}

/// Writes a header with the tag of `vlan` and this priority (0 to 7) to the front of `frame`.
pub fn set_header(
    frame: &mut [u8],
    to: Mac,
    from: Mac,
    (vlan, priority): (u16, u8),
    ethertype: u16,
) -> Option<()> {
    let tag = u16::from(priority & 7) << 13 | vlan & 0x0FFF;
    put(frame, 0, &to)?;
    put(frame, 6, &from)?;
    put(frame, AT, &VLAN.to_be_bytes())?;
    put(frame, AT + 2, &tag.to_be_bytes())?;
    put(frame, AT + 4, &ethertype.to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `tag_ksz.c`: one byte with the port from the switch; two to it, big-endian, override at bit 9, lookup at bit 10.
    #[test]
    fn tail_tags_are_as_linux_has_them() {
        assert_eq!(split(&[1, 2, 3, 6]), Some((6, &[1, 2, 3][..])));
        for bad in [&[][..], &[1, 7], &[1, 0x80]] {
            assert_eq!(split(bad), None, "{bad:?}");
        }
        let mut frame = [0xAA; 5];
        assert_eq!(append(&mut frame, 2, Way::Lookup), Some(4));
        assert_eq!(frame, [0xAA, 0xAA, 0x04, 0x00, 0xAA]);
        assert_eq!(append(&mut frame, 2, Way::Port(4)), Some(4));
        assert_eq!(frame, [0xAA, 0xAA, 0x02, 0x10, 0xAA]);
        assert_eq!(append(&mut frame, 2, Way::Port(7)), None);
        assert_eq!(append(&mut frame, 4, Way::Lookup), None);
    }

    /// The bytes of scapy's `Ether(dst="02:00:00:00:00:01", src="02:00:00:00:00:02") / Dot1Q(vlan=300, prio=5, type=0x800)`.
    #[test]
    fn vlan_tags_are_as_scapy_has_them() {
        let golden = [
            2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x81, 0x00, 0xA1, 0x2C, 0x08, 0x00,
        ];
        let mut frame = [0; 18];
        set_header(
            &mut frame,
            [2, 0, 0, 0, 0, 1],
            [2, 0, 0, 0, 0, 2],
            (300, 5),
            0x0800,
        );
        assert_eq!(frame, golden);
        assert_eq!(vlan(&frame), Some((300, 0x0800)));
        assert_eq!(vlan(&frame[..17]), None);
    }
}
