use std::vec::Vec;

use proptest::prelude::*;
use sip::Instant;

use super::lldpdu::{Error, Id, Inventory, Lldpdu, Med, MedPower, Policy};
use super::*;

/// What lldpd 1.0.16 says as a telephone (`-M 3`) whose inventory, policy and power were set by lldpcli to a GXP1628's:
/// class 2, 5.5 W wanted by 802.3, 5.0 W by LLDP-MED.
const PHONE: &str = include_str!("tests/phone.hex");
/// What we say to it, as tshark 4.0.17 reads it without complaint (see [`ours_is_what_tshark_reads`]).
const OURS: &str = include_str!("tests/ours.hex");

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .chars()
        .filter_map(|c| c.to_digit(16))
        .map(|d| d as u8)
        .collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

const LOCAL: Local<'static> = Local {
    mac: [2, 0, 0, 0, 0, 0xFE],
    name: "denwaban",
    address: Some(Ipv4Addr::new(10, 9, 0, 1)),
    voice: Some(300),
    class: Some(2),
};

fn at(ms: u64) -> Instant {
    Instant(1_000_000 + ms)
}

fn say(lldp: &mut Lldp, ms: u64, port: u8) -> Vec<u8> {
    assert_eq!(lldp.due(at(ms)), Some(port), "at {ms}");
    let mut room = [0; MESSAGE_MAX];
    let length = lldp.say(at(ms), port, &LOCAL, &mut room).unwrap();
    room[..length].to_vec()
}

/// A message of a neighbour of this name.
fn message(name: &[u8], ttl: u16) -> Vec<u8> {
    let id = |kind| Id { kind, value: name };
    let mut room = [0; 600];
    let length = Lldpdu::new(id(Id::CHASSIS_MAC), id(Id::PORT_MAC), ttl)
        .write(&mut room)
        .unwrap();
    room[..length].to_vec()
}

#[test]
fn what_lldpd_says_as_a_telephone() {
    let bytes = hex(PHONE);
    let said = Lldpdu::parse(&bytes).unwrap();
    let mac = [0x00, 0x0B, 0x82, 0x12, 0x34, 0x56];
    assert_eq!(
        (said.chassis.kind, said.chassis.value),
        (Id::CHASSIS_MAC, &mac[..])
    );
    assert_eq!((said.port.kind, said.port.value), (Id::PORT_MAC, &mac[..]));
    assert_eq!(said.ttl, 120);
    assert_eq!(
        (said.name, said.description, said.port_description),
        (&b"gxp"[..], &b"GXP1628 1.0.7.81"[..], &b"p"[..])
    );
    assert_eq!(
        said.capabilities,
        Some(Capabilities {
            can: 0xBC,
            is: Capabilities::TELEPHONE
        })
    );
    assert_eq!(said.address, Some(Ipv4Addr::new(192, 168, 50, 7).into()));
    let power = said.power.unwrap();
    let agreed = Agreed {
        how: 0xD2,
        requested: 55,
        allocated: 60,
    };
    assert_eq!(
        (power.support, power.pairs, power.class, power.agreed),
        (6, 1, 3, Some(agreed))
    );
    let med = said.med.unwrap();
    assert_eq!((med.capabilities, med.class), (0x3F, 3));
    let unknown = Policy {
        is_unknown: true,
        is_tagged: false,
        vlan: 0,
        priority: 5,
        dscp: 46,
    };
    assert_eq!(
        (med.policy(Med::VOICE), med.policy(Med::SIGNALLING)),
        (Some(unknown), None)
    );
    assert_eq!(med.power, Some(MedPower { how: 0x52, value: 50 }));
    assert_eq!(
        med.inventory,
        Inventory {
            hardware: b"1.0A",
            firmware: b"1.0.7.81",
            software: b"1.0.7.81",
            serial: b"20EZ1234567",
            manufacturer: b"Grandstream",
            model: b"GXP1628",
            asset: b"A-17",
        }
    );

    let mut lldp = Lldp::new();
    let heard = lldp.heard(at(0), 2, &bytes);
    assert_eq!((heard.is_news, heard.wanted), (true, Some(55)));
    let neighbour = lldp.neighbour(2).unwrap();
    assert_eq!(neighbour.mac, Some(mac));
    assert_eq!(
        (&neighbour.model[..], &neighbour.firmware[..]),
        ("Grandstream GXP1628", "1.0.7.81")
    );
    assert!(neighbour.is_end_point && lldp.neighbour(1).is_none());
    assert!(!lldp.heard(at(10), 2, &bytes).is_news);
}

#[test]
fn ours_is_what_tshark_reads() {
    let mut lldp = Lldp::new();
    let wanted = lldp.heard(at(0), 2, &hex(PHONE)).wanted.unwrap();
    lldp.grant(at(0), 2, wanted);
    assert_eq!(say(&mut lldp, 0, 2), hex(OURS));
}

/// A neighbour that speaks LLDP-MED is told thrice, a second apart, and then every 30 s; a change is told when a second has gone by.
#[test]
fn when_something_is_said() {
    let mut lldp = Lldp::new();
    assert_eq!((lldp.due(at(0)), lldp.next_deadline()), (None, None));
    lldp.link(at(0), 1, true);
    // Whoever knows the box from before speaks first.
    assert_eq!(
        (lldp.due(at(34_999)), lldp.next_deadline()),
        (None, Some(at(35_000)))
    );
    let alone = say(&mut lldp, 35_000, 1);
    assert!(Lldpdu::parse(&alone).unwrap().med.is_none());
    assert_eq!(lldp.next_deadline(), Some(at(65_000)));
    // It loses its link, has it again, and a neighbour speaks.
    lldp.link(at(35_000), 1, false);
    lldp.link(at(35_000), 1, true);

    assert!(lldp.heard(at(35_200), 1, &hex(PHONE)).is_news);
    for ms in [36_000, 37_000, 38_000, 39_000, 69_000] {
        assert_eq!(lldp.due(at(ms - 1)), None, "before {ms}");
        let said = say(&mut lldp, ms, 1);
        assert!(Lldpdu::parse(&said).unwrap().med.is_some());
    }
    lldp.grant(at(69_100), 1, 55);
    lldp.changed(at(69_200));
    let said = say(&mut lldp, 70_000, 1);
    let said = Lldpdu::parse(&said).unwrap();
    assert_eq!(said.power.unwrap().agreed.unwrap().allocated, 55);
    assert_eq!(said.med.unwrap().power.unwrap().value, 55);
    // Nothing new.
    lldp.grant(at(71_500), 1, 55);
    assert_eq!(lldp.next_deadline(), Some(at(100_000)));

    assert!(lldp.link(at(75_000), 1, false));
    assert_eq!((lldp.next_deadline(), lldp.neighbour(1)), (None, None));
}

#[test]
fn policies_are_for_telephones_and_not_for_the_uplink() {
    for (port, voice, expected) in [
        (0, Some(300), Some((true, 300))),
        (0, None, Some((false, 0))),
        (UPLINK, Some(300), None),
    ] {
        let mut lldp = Lldp::new();
        lldp.heard(at(0), port, &hex(PHONE));
        lldp.grant(at(0), port, 50);
        let mut room = [0; MESSAGE_MAX];
        let length = lldp
            .say(at(0), port, &Local { voice, ..LOCAL }, &mut room)
            .unwrap();
        let said = Lldpdu::parse(&room[..length]).unwrap();
        let policy = |application| said.med.and_then(|med| med.policy(application));
        let vlan = |policy: Policy| (policy.is_tagged, policy.vlan);
        assert_eq!(policy(Med::VOICE).map(vlan), expected);
        assert_eq!(policy(Med::SIGNALLING).map(vlan), expected);
        assert_eq!(policy(Med::VOICE).map(|policy| policy.dscp), expected.map(|_| 46));
        assert_eq!(
            policy(Med::SIGNALLING).map(|policy| policy.dscp),
            expected.map(|_| 26)
        );
        assert_eq!(said.power.is_some(), port != UPLINK);
    }
}

#[test]
fn a_port_has_one_neighbour_until_it_goes() {
    let mut lldp = Lldp::new();
    let is_news =
        |lldp: &mut Lldp, ms, name: &[u8; 6], ttl| lldp.heard(at(ms), 0, &message(name, ttl)).is_news;
    assert!(is_news(&mut lldp, 0, b"first.", 60));
    assert!(!is_news(&mut lldp, 1_000, b"second", 60));
    assert_eq!(lldp.neighbour(0).unwrap().mac, Some(*b"first."));
    // A good-bye of the other one is none.
    assert!(!is_news(&mut lldp, 1_000, b"second", 0));
    assert_eq!(lldp.age(at(59_999)), None);
    assert_eq!(lldp.age(at(60_000)), Some(0));
    assert_eq!((lldp.age(at(60_000)), lldp.neighbour(0)), (None, None));
    assert!(is_news(&mut lldp, 60_001, b"second", 60));
    assert!(is_news(&mut lldp, 60_002, b"second", 0));
    assert_eq!(lldp.neighbour(0), None);
    let counters = Counters {
        heard: 3,
        unreadable: 0,
        crowded: 2,
        aged: 1,
    };
    assert_eq!(lldp.counters(), counters);
    // No such port.
    assert_eq!(
        lldp.heard(at(0), HUB_PORTS as u8, &message(b"first.", 60)),
        Heard::default()
    );
}

#[test]
fn texts_are_shown_as_far_as_they_can_be() {
    for (bytes, shown) in [
        (&b"GXP1628"[..], "GXP1628"),
        (b"a\0b\x1B[2Jc\xFFd\r\n", "ab[2Jcd"),
        ("電話番".as_bytes(), "電話番"),
        ("電話番電話番電話番電話番".as_bytes(), "電話番電話番電話番電"),
    ] {
        let mut text = Text::new();
        append(&mut text, bytes);
        assert_eq!(&text[..], shown);
    }
}

#[test]
fn messages_that_do_not_say_who_speaks_are_refused() {
    let whole = message(b"first.", 60);
    let tlv = |kind: u8, value: &[u8]| {
        let mut tlv = (u16::from(kind) << 9 | value.len() as u16).to_be_bytes().to_vec();
        tlv.extend(value);
        tlv
    };
    let [chassis, port, ttl] = [tlv(1, b"\x04m"), tlv(2, b"\x07p"), tlv(3, &[0, 9])];
    for (parts, error) in [
        (&[][..], Error::Order),
        (&[&chassis[..], &ttl, &port], Error::Order),
        (&[&chassis, &port, &tlv(0, &[])], Error::Order),
        (&[&chassis, &port, &ttl, &port], Error::Twice),
        (&[&tlv(1, b"\x04"), &port, &ttl], Error::Length),
        (&[&tlv(1, &[4; 257]), &port, &ttl], Error::Length),
        (&[&chassis, &port, &tlv(3, &[9])], Error::Length),
        (&[&chassis, &port, &ttl, &[0x0A]], Error::Cut),
    ] {
        assert_eq!(
            Lldpdu::parse(&parts.concat()).map(|_| ()),
            Err(error),
            "{parts:02x?}"
        );
    }
    // Without an end it ends all the same, and behind the end anything may be.
    assert!(Lldpdu::parse(&[&chassis[..], &port, &ttl].concat()).is_ok());
    assert_eq!(
        Lldpdu::parse(&[&whole[..], &[0xAA; 9]].concat()),
        Lldpdu::parse(&whole)
    );
    let mut lldp = Lldp::new();
    assert_eq!(lldp.heard(at(0), 0, &[1, 2, 3]), Heard::default());
    assert_eq!(lldp.counters().unreadable, 1);
}

fn text() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..33)
}

prop_compose! {
    fn policy()(is_unknown: bool, is_tagged: bool, vlan in 0..4096u16, priority in 0..8u8, dscp in 0..64u8) -> Policy {
        Policy { is_unknown, is_tagged, vlan, priority, dscp }
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        names in [prop::collection::vec(any::<u8>(), 1..256), prop::collection::vec(any::<u8>(), 1..256)],
        kinds: [u8; 2], ttl: u16, capabilities: Option<[u16; 2]>, address: Option<std::net::IpAddr>,
        power: Option<([u8; 3], Option<(u8, u16, u16)>)>,
        med: Option<(u16, u8, Option<(u8, u16)>)>,
        policies in prop::collection::vec(prop::option::of(policy()), 8),
        texts in prop::collection::vec(text(), 10),
    ) {
        let id = |at: usize| Id { kind: kinds[at], value: &names[at] };
        let mut said = Lldpdu::new(id(0), id(1), ttl);
        (said.port_description, said.name, said.description) = (&texts[0], &texts[1], &texts[2]);
        said.capabilities = capabilities.map(|[can, is]| Capabilities { can, is });
        said.address = address;
        said.power = power.map(|([support, pairs, class], agreed)| Power {
            support, pairs, class,
            agreed: agreed.map(|(how, requested, allocated)| Agreed { how, requested, allocated }),
        });
        said.med = med.map(|(capabilities, class, power)| Med {
            capabilities, class,
            policies: policies.try_into().unwrap(),
            power: power.map(|(how, value)| MedPower { how, value }),
            inventory: Inventory {
                hardware: &texts[3], firmware: &texts[4], software: &texts[5], serial: &texts[6],
                manufacturer: &texts[7], model: &texts[8], asset: &texts[9],
            },
        });
        let mut room = [0; 1500];
        let length = said.write(&mut room).unwrap();
        prop_assert_eq!(Lldpdu::parse(&room[..length]), Ok(said));
        // It fits or is not written; what is cut off is refused, or ends where a TLV ends.
        let mut short = std::vec![0; length - 1];
        prop_assert_eq!(said.write(&mut short), None);
        for cut in 0..length {
            let _ = Lldpdu::parse(&room[..cut]);
        }
    }

    #[test]
    fn whatever_comes_ours_can_be_read(frames in prop::collection::vec((0..6u8, prop::collection::vec(any::<u8>(), 0..80)), 0..20)) {
        let mut lldp = Lldp::new();
        let mut room = [0; MESSAGE_MAX];
        for (n, (port, tail)) in frames.into_iter().enumerate() {
            let now = at(500 * n as u64);
            let mut frame = message(b"first.", 60);
            frame.truncate(frame.len() - 2);
            frame.extend(tail);
            let heard = lldp.heard(now, port, &frame);
            lldp.grant(now, port, heard.wanted.unwrap_or(0));
            while let Some(port) = lldp.due(now) {
                let length = lldp.say(now, port, &LOCAL, &mut room).unwrap();
                prop_assert!(Lldpdu::parse(&room[..length]).is_ok());
            }
        }
    }
}
