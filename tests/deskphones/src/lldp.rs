//! LLDP as an endpoint of class III speaks it (IEEE 802.1AB §8, TIA-1057 §10): it tells who it is and what power it draws, and
//! hears which VLAN its voice belongs to. Written from the standards, apart from the box's own.

use crate::Mac;
use crate::model::Model;

/// Nearest bridge (IEEE 802.1AB §7.1).
const DESTINATION: [u8; 6] = [0x01, 0x80, 0xC2, 0, 0, 0x0E];
/// EtherType (IEEE 802.1AB §7.3).
pub const ETHERTYPE: u16 = 0x88CC;
/// TIA TR-41 (TIA-1057 §10.2).
const TIA: [u8; 3] = [0x00, 0x12, 0xBB];
/// IEEE 802.3 (IEEE 802.1AB annex F).
const IEEE_802_3: [u8; 3] = [0x00, 0x12, 0x0F];

/// What a switch wants of the voice at its port (TIA-1057 §10.2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// VLAN of tagged frames; none for untagged ones.
    pub vlan: Option<u16>,
    /// Priority of tagged frames (IEEE 802.1Q).
    pub priority: u8,
    /// Differentiated services of the packets.
    pub dscp: u8,
}

/// The phone's own frame. `milliwatts` is what it asks of the port, if it is fed by it.
pub fn frame(model: &Model, mac: Mac, milliwatts: Option<u32>) -> Vec<u8> {
    let mut out = Vec::with_capacity(200);
    out.extend(DESTINATION);
    out.extend(mac.0);
    out.extend(ETHERTYPE.to_be_bytes());
    // Chassis: network address 0.0.0.0 is not yet known to many; a MAC address always is (IEEE 802.1AB §8.5.2, subtype 4).
    tlv(&mut out, 1, &[&[4], &mac.0]);
    tlv(&mut out, 2, &[&[3], &mac.0]);
    tlv(&mut out, 3, &[&120u16.to_be_bytes()]);
    tlv(&mut out, 4, &[b"eth0"]);
    tlv(&mut out, 5, &[model.name.as_bytes()]);
    tlv(
        &mut out,
        6,
        &[model.name.as_bytes(), b" ", model.firmware.as_bytes()],
    );
    // Bridge and telephone (IEEE 802.1AB §8.5.8): there is a socket for the computer.
    tlv(&mut out, 7, &[&[0x00, 0x24, 0x00, 0x24]]);
    // Auto-negotiation supported and enabled, 100BASE-TX full duplex in use (IEEE 802.3 §79.3.1).
    tlv(&mut out, 127, &[&IEEE_802_3, &[1, 0x03, 0x6C, 0x01, 0x00, 0x10]]);
    // Capabilities: LLDP-MED, network policy, power as PD, inventory; endpoint class III.
    tlv(&mut out, 127, &[&TIA, &[1, 0x00, 0x33, 3]]);
    // Voice, policy unknown: it asks for one (TIA-1057 §10.2.3.2).
    tlv(&mut out, 127, &[&TIA, &[2, 1, 0x80, 0x00, 0x00]]);
    if let Some(milliwatts) = milliwatts {
        // PD, source unknown, priority high; in 0.1 W (TIA-1057 §10.2.5).
        let tenths = u16::try_from(milliwatts.div_ceil(100)).unwrap_or(u16::MAX);
        tlv(&mut out, 127, &[&TIA, &[4, 0x42], &tenths.to_be_bytes()]);
    }
    tlv(&mut out, 127, &[&TIA, &[6], model.firmware.as_bytes()]);
    let maker: &[u8] = match model.vendor {
        crate::model::Vendor::Grandstream => b"Grandstream",
        crate::model::Vendor::Panasonic => b"Panasonic",
    };
    tlv(&mut out, 127, &[&TIA, &[9], maker]);
    tlv(&mut out, 127, &[&TIA, &[10], model.name.as_bytes()]);
    tlv(&mut out, 0, &[]);
    out.resize(out.len().max(60), 0);
    out
}

/// Type of 7 bits, length of 9 (IEEE 802.1AB §8.4).
fn tlv(out: &mut Vec<u8>, kind: u16, parts: &[&[u8]]) {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let head = kind << 9 | u16::try_from(length).unwrap_or(0x1FF) & 0x1FF;
    out.extend(head.to_be_bytes());
    parts.iter().for_each(|part| out.extend(*part));
}

/// The policy for voice in a frame of the switch, if the frame is LLDP and has one.
pub fn voice_policy(frame: &[u8]) -> Option<Policy> {
    let mut rest = frame.get(14..)?;
    if frame.get(12..14)? != ETHERTYPE.to_be_bytes() {
        return None;
    }
    loop {
        let head = u16::from_be_bytes(*rest.first_chunk()?);
        let (kind, length) = (head >> 9, usize::from(head & 0x1FF));
        let body = rest.get(2..2 + length)?;
        rest = rest.get(2 + length..)?;
        match (kind, body) {
            (0, _) => return None,
            (127, [0x00, 0x12, 0xBB, 2, 1, a, b, c]) => {
                let bits = u32::from_be_bytes([0, *a, *b, *c]);
                let (unknown, tagged) = (bits >> 23 & 1 == 1, bits >> 22 & 1 == 1);
                let vlan = (bits >> 9 & 0xFFF) as u16;
                if unknown {
                    return None;
                }
                return Some(Policy {
                    vlan: (tagged && (1..4_095).contains(&vlan)).then_some(vlan),
                    priority: (bits >> 6 & 7) as u8,
                    dscp: (bits & 0x3F) as u8,
                });
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{GXP1628, KX_HDV230N};

    /// As tshark reads it: class III, voice of unknown policy, PD of high priority that wants 2.6 W, its firmware, maker, model.
    #[test]
    fn the_frame_of_a_phone() {
        let mac = Mac([0xC0, 0x74, 0xAD, 0, 0, 9]);
        let golden = concat!(
            "0180c200000ec074ad00000988cc",
            "020704c074ad000009040703c074ad0000090602007808046574683",
            "00a07475850313632380c11475850313632382031",
            "2e302e342e3133380e0400240024fe0900120f01036c010010",
            "fe070012bb01003303fe080012bb0201800000fe070012bb0442001a",
            "fe0d0012bb06312e302e342e313338fe0f0012bb094772616e6473747265616d",
            "fe0b0012bb0a475850313632380000",
        );
        let hex: String = frame(&GXP1628, mac, Some(2_600))
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(hex, golden);
        assert_eq!(GXP1628.power.map(|power| power.most_mw()), Some(3_900));
        assert_eq!(KX_HDV230N.power.map(|power| power.most_mw()), Some(4_600));
    }

    /// TIA-1057 §10.2.3: unknown, untagged, tagged; what is cut off is no policy.
    #[test]
    fn policies() {
        let frame = |bits: [u8; 3]| {
            let mut out = vec![0; 12];
            out.extend(ETHERTYPE.to_be_bytes());
            tlv(&mut out, 1, &[&[4; 7]]);
            tlv(&mut out, 127, &[&TIA, &[2, 1], &bits]);
            tlv(&mut out, 0, &[]);
            out
        };
        let policy = |vlan, priority, dscp| Some(Policy { vlan, priority, dscp });
        // VLAN 300, priority 5, DSCP 46.
        let tagged = frame([0x42, 0x59, 0x6E]);
        assert_eq!(voice_policy(&tagged), policy(Some(300), 5, 46));
        assert_eq!(voice_policy(&frame([0x00, 0x01, 0x6E])), policy(None, 5, 46));
        assert_eq!(voice_policy(&frame([0x80, 0, 0])), None);
        assert!((0..tagged.len() - 2).all(|length| voice_policy(&tagged[..length]).is_none()));
    }
}
