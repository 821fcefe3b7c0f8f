//! The site configuration: its rules one by one, its sections.

mod common;

use common::{key, number, office};
use sha2::{Digest, Sha256};
use std::num::NonZeroU8;

use shared::analog::Port;
use shared::hub::{
    Dhcp, FIRMWARE_ROOM, FIRMWARE_SECTOR, Mac, Phone, PhoneFirmware, PhoneModel, Voice, firmware_files,
};
use shared::id::{IdKey, IdSet};
use shared::site::{
    Called, Credential, Id, MAX_IDS, MAX_ITEM, MAX_SECTION, Rep, Rule, SectionDecoder, SectionError,
    SectionKind, Site, root_hash,
};
use shared::{ContractId, SiteId, TerminalKind};

#[test]
fn every_rule_is_broken_by_its_breach_and_named_with_its_place() {
    use SectionKind::{Credentials, Ids, Reps, Sys};
    type Breach = fn(&mut Site);
    let breaches: [(Breach, SectionKind, u16, Rule); 28] = [
        (|s| s.sys.channels = 0, Sys, 0, Rule::Channels),
        (|s| s.sys.channels = 2, Sys, 0, Rule::Channels),
        (|s| s.sys.realm.clear(), Sys, 0, Rule::Realm),
        (|s| s.sys.realm.push('"').unwrap(), Sys, 0, Rule::Realm),
        (|s| s.sys.realm.push('\n').unwrap(), Sys, 0, Rule::Realm),
        (|s| s.sys.outside_prefix = Some(1), Sys, 0, Rule::OutsidePrefix),
        (
            |s| {
                s.sys.voice = Some(Voice { vlan: 4095, ..VOICE });
            },
            Sys,
            0,
            Rule::Voice,
        ),
        (
            |s| {
                s.sys
                    .firmware
                    .push(file(PhoneModel::Ht801, "cfg.xml", 1))
                    .unwrap()
            },
            Sys,
            0,
            Rule::Firmware,
        ),
        (
            |s| {
                let twice = file(PhoneModel::Ht801, "a.bin", 1);
                s.sys.firmware.extend([twice.clone(), twice]);
            },
            Sys,
            0,
            Rule::FirmwareTwice,
        ),
        (
            |s| {
                let firmware = file(PhoneModel::Ht801, "a.bin", FIRMWARE_ROOM + 1);
                s.sys.firmware.push(firmware).unwrap();
            },
            Sys,
            0,
            Rule::FirmwareRoom,
        ),
        (|s| s.ids.swap(0, 1), Ids, 1, Rule::Order),
        (|s| s.ids[2].key = s.ids[1].key, Ids, 2, Rule::Order),
        (|s| s.ids[1].direct = s.ids[0].direct, Ids, 1, Rule::NumberTwice),
        (
            |s| s.ids[1].direct = number("110"),
            Ids,
            1,
            Rule::NotASubscriberNumber,
        ),
        (
            |s| s.ids[2].extension = s.ids[0].extension,
            Ids,
            2,
            Rule::ExtensionTwice,
        ),
        (
            |s| {
                s.sys.outside_prefix = Some(9);
                s.ids[0].extension = "90".parse().unwrap();
            },
            Ids,
            0,
            Rule::ExtensionShadowed,
        ),
        (|s| s.ids[0].label.push('\r').unwrap(), Ids, 0, Rule::Label),
        (|s| s.ids[1].outgoing = s.ids[0].direct, Ids, 1, Rule::Outgoing),
        (|s| s.ids[1].direct_out = false, Ids, 1, Rule::Outgoing),
        (|s| s.credentials.swap(0, 1), Credentials, 1, Rule::Order),
        (
            |s| s.credentials[2].key = key(9),
            Credentials,
            2,
            Rule::DanglingCredential,
        ),
        (
            |s| s.ids[1].site = SiteId(2),
            Credentials,
            1,
            Rule::DanglingCredential,
        ),
        (|s| s.reps[0].number = s.ids[0].direct, Reps, 0, Rule::NumberTwice),
        (
            |s| s.reps[0].number = number("119"),
            Reps,
            0,
            Rule::NotASubscriberNumber,
        ),
        (
            |s| s.reps[0].members.insert(key(3)),
            Reps,
            0,
            Rule::DanglingMember,
        ),
        (|s| s.reps[0].members.remove(key(1)), Reps, 0, Rule::RingNotMember),
        (|s| s.reps[0].sub_cap = Some(4), Reps, 0, Rule::SubCap),
        (|s| s.reps[0].label.push('\0').unwrap(), Reps, 0, Rule::Label),
    ];
    for (index, (breach, section, item, rule)) in breaches.into_iter().enumerate() {
        let mut site = office();
        breach(&mut site);
        let invalid = site.validate().unwrap_err();
        assert_eq!(
            (invalid.section, invalid.item, invalid.rule),
            (section, item, rule),
            "breach {index}"
        );
    }

    // R13: as many representative numbers as IDs, and no more.
    let mut site = office();
    for digit in ["0312340010", "0312340011", "0312340012"] {
        site.validate().unwrap();
        let rep = Rep {
            number: number(digit),
            ..site.reps[0].clone()
        };
        site.reps.push(rep).unwrap();
    }
    assert_eq!(site.validate().unwrap_err().rule, Rule::RepCap);
    // R12: none at all with a single ID.
    let mut site = office();
    site.ids.truncate(1);
    site.credentials.truncate(1);
    site.sys.channels = 1;
    let one = IdSet::one(key(0));
    (site.reps[0].members, site.reps[0].ring) = (one, one);
    assert_eq!(site.validate().unwrap_err().rule, Rule::NeedsMultipleIds);
    site.reps.clear();
    site.validate().unwrap();
    // The order of numbers is checked too.
    let mut site = office();
    let rep = Rep {
        number: number("0311110000"),
        ..site.reps[0].clone()
    };
    site.reps.push(rep).unwrap();
    assert_eq!(site.validate().unwrap_err().rule, Rule::Order);
}

#[test]
fn ids_are_found_by_user_extension_and_number() {
    let site = office();
    for user in [
        "0312340002",
        "03-1234-0002",
        "０３１２３４０００２",
        "+81312340002",
    ] {
        assert_eq!(site.by_user(user).map(|id| id.key), Some(key(1)), "R10: {user}");
    }
    assert_eq!(
        site.by_user("0312340000"),
        None,
        "a representative number is no login name"
    );
    assert_eq!(site.by_user("x"), None);
    assert_eq!(site.id(key(1)).unwrap().user().as_str(), "0312340002");
    assert_eq!(
        site.by_extension("203".parse().unwrap()).map(|id| id.key),
        Some(key(2))
    );
    assert_eq!(site.by_number(number("0312340003")), Some(Called::Direct(key(2))));
    assert_eq!(site.by_number(number("0312340000")), Some(Called::Rep(0)));
    assert_eq!(site.by_number(number("0312340009")), None);
}

const VOICE: Voice = Voice {
    vlan: 4094,
    address: std::net::Ipv4Addr::new(192, 168, 20, 1),
    prefix: 24,
};

/// Firmware with a hash that its name makes.
fn file(model: PhoneModel, name: &str, size: u32) -> PhoneFirmware {
    PhoneFirmware {
        model,
        name: name.try_into().unwrap(),
        version: "1.0.7.76".try_into().unwrap(),
        size,
        hash: Sha256::digest(name).into(),
    }
}

/// The largest site there can be.
fn largest() -> Site {
    let mut site = office();
    site.ids.clear();
    site.credentials.clear();
    site.reps.clear();
    site.sys.channels = 255;
    site.sys.site = SiteId(u32::MAX);
    site.sys.voice = Some(VOICE);
    site.sys.dhcp = Dhcp::Never;
    for model in PhoneModel::ALL {
        let name = format!("{model:?}{}", "x".repeat(32));
        let firmware = PhoneFirmware {
            version: "9".repeat(16).as_str().try_into().unwrap(),
            ..file(
                model,
                &name[..32],
                FIRMWARE_ROOM / 4 / FIRMWARE_SECTOR * FIRMWARE_SECTOR,
            )
        };
        site.sys.firmware.push(firmware).unwrap();
    }
    site.sys.realm = "r".repeat(64).as_str().try_into().unwrap();
    let label: shared::site::Label = "電".repeat(16).as_str().try_into().unwrap();
    let all = IdSet(u64::MAX);
    for index in 0..MAX_IDS as u16 {
        let direct = number(&format!("0200123456{index:04}"));
        let key = IdKey::new(index).unwrap();
        site.ids
            .push(Id {
                key,
                direct,
                extension: (900_000 + u32::from(index)).try_into().unwrap(),
                direct_in: true,
                direct_out: true,
                label: label.clone(),
                kind: TerminalKind::Adapter,
                outgoing: direct,
                site: SiteId(u32::MAX),
                // Longer than a port, and there is never both.
                port: None,
                phone: Some(Phone {
                    mac: Mac([0xFE, 0xFF, 0xFF, 0xFF, 0xFF, index as u8 / 2]),
                    model: PhoneModel::Ht802,
                    line: index as u8 % 2 + 1,
                    port: NonZeroU8::new(index as u8 / 2 + 1).filter(|port| port.get() <= shared::hub::PORTS),
                    claim: u16::MAX,
                }),
            })
            .unwrap();
        site.credentials
            .push(Credential {
                key,
                ha1_md5: [0xFF; 16],
                ha1_sha256: [0xFF; 32],
            })
            .unwrap();
        let number = number(&format!("0200987654{index:04}"));
        let rep = Rep {
            number,
            label: label.clone(),
            members: all,
            ring: all,
            sub_cap: Some(255),
        };
        site.reps.push(rep).unwrap();
    }
    site.validate().unwrap();
    site
}

/// Reads a section in pieces of this size.
fn decode(kind: SectionKind, schema: u16, bytes: &[u8], piece: usize) -> Result<Site, SectionError> {
    let mut site = Site::default();
    let mut decoder = SectionDecoder::new(&mut site, kind, schema)?;
    for piece in bytes.chunks(piece) {
        decoder.push(&mut site, piece)?;
    }
    decoder.finish()?;
    Ok(site)
}

#[test]
fn sections_are_read_back_from_pieces_of_any_size() {
    for site in [office(), largest()] {
        for kind in SectionKind::ALL {
            let mut buf = [0; MAX_SECTION];
            let (section, bytes) = site.encode_section(kind, &mut buf).unwrap();
            assert_eq!(section.len as usize, bytes.len());
            for piece in (1..200).chain([256, 1_024, MAX_SECTION]) {
                let read = decode(kind, section.schema, bytes, piece).unwrap();
                let same = match kind {
                    SectionKind::Sys => read.sys == site.sys,
                    SectionKind::Ids => read.ids == site.ids,
                    SectionKind::Credentials => read.credentials == site.credentials,
                    SectionKind::Reps => read.reps == site.reps,
                };
                assert!(same, "{kind:?} in pieces of {piece}");
            }
            for cut in 0..bytes.len() {
                assert!(
                    decode(kind, section.schema, &bytes[..cut], 64).is_err(),
                    "{kind:?} cut at {cut}"
                );
            }
            assert!(
                decode(kind, section.schema, &[bytes, &[0]].concat(), 64).is_err(),
                "{kind:?} with a byte too many"
            );
        }
    }
}

#[test]
fn the_largest_site_fits_with_room_to_spare() {
    let site = largest();
    let mut buf = [0; 2 * MAX_SECTION];
    let mut total = 0;
    for kind in SectionKind::ALL {
        let (section, _) = site.encode_section(kind, &mut buf).unwrap();
        assert!(section.len <= 7_000, "{kind:?} {}", section.len);
        total += section.len;
    }
    assert!(total <= 15_000, "{total}");
    // Every item fits the decoder's window.
    let mut item = [0; MAX_ITEM];
    postcard::to_slice(&site.ids[63], &mut item).unwrap();
    postcard::to_slice(&site.reps[63], &mut item).unwrap();
    postcard::to_slice(&site.credentials[63], &mut item).unwrap();
    // None is longer: 89 bytes, and 1 + 4 * 88.
    let mut sys = site.sys;
    sys.contract = ContractId(u32::MAX);
    (sys.outside_prefix, sys.international, sys.busy_frees_apps) = (Some(9), true, true);
    for firmware in &mut sys.firmware {
        firmware.size = u32::MAX;
    }
    assert_eq!(postcard::to_slice(&sys, &mut item).unwrap().len(), 442);
}

#[test]
fn hostile_sections_are_refused() {
    let many = [200, 1]; // 200 items
    for kind in [SectionKind::Ids, SectionKind::Credentials, SectionKind::Reps] {
        for unknown in [0, kind.schema() + 1] {
            assert_eq!(decode(kind, unknown, &[0], 1).unwrap_err(), SectionError::Schema);
        }
        assert_eq!(decode(kind, 1, &[0], 1).map(|site| site.ids.len()), Ok(0));
        assert!(decode(kind, 1, &many, 1).is_err());
        assert!(decode(kind, 1, &[0xFF; 4_096], 100).is_err());
        assert!(decode(kind, 1, &[1; 4_096], 100).is_err());
    }
    // More items than there is room for.
    let mut buf = [0; MAX_SECTION];
    let largest = largest();
    let (_, bytes) = largest
        .encode_section(SectionKind::Credentials, &mut buf)
        .unwrap();
    let items = &bytes[1..];
    let bytes = [&[65], items, &items[..items.len() / 64]].concat();
    assert_eq!(
        decode(SectionKind::Credentials, 1, &bytes, 64).unwrap_err(),
        SectionError::TooBig
    );
}

#[test]
fn hashes_are_those_of_the_stated_bytes() {
    let site = office();
    let mut sections = Vec::new();
    let mut root = Sha256::new();
    root.update(b"denwaban root\0");
    for (kind, [number, schema]) in SectionKind::ALL
        .into_iter()
        .zip([[1u8, 3], [2, 4], [3, 1], [4, 1]])
    {
        let mut buf = [0; MAX_SECTION];
        let (section, bytes) = site.encode_section(kind, &mut buf).unwrap();
        let hash = Sha256::digest([b"denwaban section\0", &[number, schema, 0][..], bytes].concat());
        assert_eq!(section.hash, <[u8; 32]>::from(hash));
        root.update(
            [
                &[number, schema, 0][..],
                &(bytes.len() as u32).to_le_bytes(),
                &hash[..],
            ]
            .concat(),
        );
        sections.push(section);
    }
    assert_eq!(root_hash(&sections), <[u8; 32]>::from(root.finalize()));
    sections.swap(0, 1);
    assert_ne!(
        root_hash(&sections),
        root_hash(&[sections[1], sections[0], sections[2], sections[3]])
    );
}

/// LEB128, as postcard writes integers.
fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// The IDs of the office as schema 1 writes them, and what later ones add to each.
fn ids_of_the_office(more: &[u8]) -> Vec<u8> {
    let mut bytes = vec![3];
    for (index, kind) in [(0, 1), (1, 1), (2, 0)] {
        let number = varint(0x8131_2340_0000_000B | (1 + index) << 20);
        let fields = [&[6], "受付".as_bytes(), &[kind], &number, more].concat();
        bytes.extend(
            [
                &[index as u8],
                &number[..],
                &varint(201 + index),
                &[1, 1],
                &fields,
            ]
            .concat(),
        );
    }
    bytes
}

#[test]
fn the_encodings_are_frozen() {
    let site = office();
    let mut buf = [0; MAX_SECTION];
    let (_, bytes) = site.encode_section(SectionKind::Sys, &mut buf).unwrap();
    // contract 7, site 1, 3 channels, realm, no prefix, not international, apps stay silent
    let before = [&[7, 1, 3, 16], &b"denwaban.example"[..], &[0, 0, 0]].concat();
    // No voice network, DHCP if there is no server, no firmware for phones.
    assert_eq!(bytes, [&before[..], &[0, 0, 0]].concat());
    let mut voice = site.clone();
    (voice.sys.voice, voice.sys.dhcp) = (Some(VOICE), Dhcp::Never);
    let mut other = [0; MAX_SECTION];
    let (_, bytes) = voice.encode_section(SectionKind::Sys, &mut other).unwrap();
    let network = [&before[..], &[1, 0xFE, 0x1F, 192, 168, 20, 1, 24, 2]].concat();
    assert_eq!(bytes, [&network[..], &[0]].concat());
    assert_eq!(decode(SectionKind::Sys, 2, &network, 64).unwrap().sys, voice.sys);
    assert!(decode(SectionKind::Sys, 3, &network, 64).is_err());
    assert!(decode(SectionKind::Sys, 2, bytes, 64).is_err());
    let firmware = file(PhoneModel::Ht802, "ht802fw.bin", 300);
    voice.sys.firmware.push(firmware.clone()).unwrap();
    let (_, bytes) = voice.encode_section(SectionKind::Sys, &mut other).unwrap();
    let kept = [&[1, 3, 11], &b"ht802fw.bin"[..], &[8], b"1.0.7.76", &[0xAC, 2]].concat();
    assert_eq!(bytes, [&network[..], &kept, &firmware.hash].concat());
    assert_eq!(decode(SectionKind::Sys, 3, bytes, 64).unwrap().sys, voice.sys);
    assert_eq!(decode(SectionKind::Sys, 1, &before, 64).unwrap().sys, site.sys);
    let (_, bytes) = site.encode_section(SectionKind::Ids, &mut buf).unwrap();
    // Site 1, no port, no phone.
    assert_eq!(bytes, ids_of_the_office(&[1, 0, 0]));
    let mut plugged = site.clone();
    for id in &mut plugged.ids {
        id.port = Some(Port {
            number: 4,
            number_display: true,
            fax: false,
        });
    }
    let (_, bytes) = plugged.encode_section(SectionKind::Ids, &mut other).unwrap();
    assert_eq!(bytes, ids_of_the_office(&[1, 1, 4, 1, 0, 0]));
    assert_eq!(decode(SectionKind::Ids, 4, bytes, 64).unwrap().ids, plugged.ids);
    let mut claimed = site.clone();
    for id in &mut claimed.ids {
        id.phone = Some(Phone {
            mac: Mac([0, 0x0b, 0x82, 1, 2, 3]),
            model: PhoneModel::Ht802,
            line: 2,
            port: NonZeroU8::new(4),
            claim: 300,
        });
    }
    let (_, bytes) = claimed.encode_section(SectionKind::Ids, &mut other).unwrap();
    let phone = [1, 0, 1, 0, 0x0b, 0x82, 1, 2, 3, 3, 2, 1, 4, 0xAC, 2];
    assert_eq!(bytes, ids_of_the_office(&phone));
    assert_eq!(decode(SectionKind::Ids, 4, bytes, 64).unwrap().ids, claimed.ids);
    let (_, bytes) = site.encode_section(SectionKind::Credentials, &mut buf).unwrap();
    assert_eq!(bytes[..50], [&[3, 0][..], &[0; 16], &[0; 32]].concat());
    let (_, bytes) = site.encode_section(SectionKind::Reps, &mut buf).unwrap();
    let label = "代表".as_bytes();
    let expected = [&[1], &varint(0x8131_2340_0000_000B)[..], &[6], label, &[7, 7, 0]].concat();
    assert_eq!(bytes, expected);
}

#[test]
fn ids_of_schema_1_are_of_the_own_site() {
    let mut site = Site::default();
    site.sys.site = SiteId(1);
    let mut decoder = SectionDecoder::new(&mut site, SectionKind::Ids, 1).unwrap();
    decoder.push(&mut site, &ids_of_the_office(&[])).unwrap();
    decoder.finish().unwrap();
    assert_eq!(site.ids, office().ids);
    assert!(decode(SectionKind::Ids, 2, &ids_of_the_office(&[]), 64).is_err());
    assert!(decode(SectionKind::Ids, 1, &ids_of_the_office(&[1]), 64).is_err());
}

#[test]
fn ids_of_schema_2_have_no_port() {
    let read = |schema, more: &[u8]| decode(SectionKind::Ids, schema, &ids_of_the_office(more), 64);
    assert_eq!(read(2, &[1]).unwrap().ids, office().ids);
    assert!(read(3, &[1]).is_err());
    assert!(read(2, &[1, 0]).is_err());
}

#[test]
fn ids_of_schema_3_have_no_phone() {
    let read = |schema, more: &[u8]| decode(SectionKind::Ids, schema, &ids_of_the_office(more), 64);
    assert_eq!(read(3, &[1, 0]).unwrap().ids, office().ids);
    let port = read(3, &[1, 1, 4, 1, 0]).unwrap().ids[0].port;
    assert_eq!(port.map(|port| port.number), Some(4));
    assert!(read(4, &[1, 0]).is_err());
    assert!(read(3, &[1, 0, 0]).is_err());
}

#[test]
fn phones_are_of_their_kind_one_each() {
    use PhoneModel::{Gxp1628, Ht801, Ht802, KxHdv230n};
    use TerminalKind::{Adapter, App, Fixed};
    /// Kind of the ID, its site, its phone: last byte of its address, model, line, port.
    type Of = (TerminalKind, u32, u8, PhoneModel, u8, u8);
    let rule = |phones: [Of; 2]| {
        let mut site = office();
        for (id, (kind, at, mac, model, line, port)) in site.ids.iter_mut().zip(phones) {
            (id.kind, id.site) = (kind, SiteId(at));
            let (mac, port) = (Mac([0, 0x0b, 0x82, 0, 0, mac]), NonZeroU8::new(port));
            id.phone = Some(Phone {
                mac,
                model,
                line,
                port,
                claim: 1,
            });
        }
        site.credentials.clear();
        site.validate().err().map(|invalid| (invalid.item, invalid.rule))
    };
    let one = (Fixed, 1, 1, Gxp1628, 1, 0);
    for (other, broken) in [
        ((Fixed, 1, 2, KxHdv230n, 1, 0), None),
        ((Adapter, 1, 2, Ht802, 2, 4), None),
        ((Adapter, 1, 2, Ht801, 2, 0), Some(Rule::Phone)),
        ((Adapter, 1, 2, Ht802, 0, 0), Some(Rule::Phone)),
        ((Fixed, 1, 2, Gxp1628, 1, 5), Some(Rule::Phone)),
        ((Fixed, 1, 2, Ht801, 1, 0), Some(Rule::Phone)),
        ((App, 1, 2, Gxp1628, 1, 0), Some(Rule::Phone)),
        ((Fixed, 1, 1, Gxp1628, 1, 0), Some(Rule::PhoneTwice)),
        ((Fixed, 2, 1, Gxp1628, 1, 0), Some(Rule::PhoneTwice)),
    ] {
        assert_eq!(rule([one, other]), broken.map(|rule| (1, rule)), "{other:?}");
    }
    // Both lines of one adapter.
    let line = |line, site, port| (Adapter, site, 1, Ht802, line, port);
    assert_eq!(rule([line(1, 1, 0), line(2, 1, 0)]), None);
    for other in [
        line(1, 1, 0),
        line(2, 2, 0),
        line(2, 1, 3),
        (Adapter, 1, 1, Ht801, 1, 0),
    ] {
        assert_eq!(rule([line(1, 1, 0), other]), Some((1, Rule::PhoneTwice)));
    }
    // One port, two phones; a port of the same number at another site's box.
    let at = |site, mac| (Fixed, site, mac, Gxp1628, 1, 2);
    assert_eq!(rule([at(1, 1), at(1, 2)]), Some((1, Rule::PhonePort)));
    assert_eq!(rule([at(1, 1), at(2, 2)]), None);

    let mut site = office();
    site.ids[0].phone = Some(Phone {
        mac: Mac([1, 0, 0x5e, 0, 0, 1]),
        model: Gxp1628,
        line: 1,
        port: None,
        claim: 1,
    });
    assert_eq!(
        site.validate().unwrap_err().rule,
        Rule::Phone,
        "a group's address"
    );
    // A telephone is at an analog port, or it is one of an adapter.
    let phone = Phone {
        mac: Mac([2, 0, 0, 0, 0, 1]),
        model: Ht801,
        line: 1,
        port: None,
        claim: 1,
    };
    let port = Port {
        number: 1,
        number_display: false,
        fax: false,
    };
    (site.ids[0].kind, site.ids[0].phone) = (Adapter, Some(phone));
    site.validate().unwrap();
    site.ids[0].port = Some(port);
    assert_eq!(site.validate().unwrap_err().rule, Rule::Phone);
}

#[test]
fn firmware_is_a_plain_file_one_per_model() {
    use PhoneModel::{Gxp1628, Ht801, Ht802, KxHdv230n};
    let rule = |firmware: &[PhoneFirmware]| {
        let mut site = office();
        site.sys.firmware.extend(firmware.iter().cloned());
        site.validate().err().map(|invalid| invalid.rule)
    };
    for name in [
        "gxp1600fw.bin",
        "ht80xv2fw.bin",
        "KX-HDV230N_01.234.fw",
        "0",
        "a.cfg.bin",
        "config",
    ] {
        assert_eq!(rule(&[file(Gxp1628, name, 1)]), None, "{name}");
    }
    for name in [
        "",
        ".",
        "..",
        ".bin",
        "-a",
        "a/b",
        "a b",
        "a%20",
        "a?b",
        "ａ.bin",
        "cfg.xml",
        "CFG000b82123456.xml",
        "a.cfg",
        ".cfg",
        "Config.CFG",
    ] {
        assert_eq!(rule(&[file(Gxp1628, name, 1)]), Some(Rule::Firmware), "{name}");
    }
    assert_eq!(rule(&[file(Gxp1628, "a", 0)]), Some(Rule::Firmware));
    let version = PhoneFirmware {
        version: "1\r\n".try_into().unwrap(),
        ..file(Gxp1628, "a", 1)
    };
    assert_eq!(rule(&[version]), Some(Rule::Firmware));
    // Two models share a file; no name stands for two, and no file has two names.
    let (one, two) = (file(Ht801, "a.bin", 5), file(Ht802, "b.bin", 5));
    let shared = PhoneFirmware {
        model: Ht802,
        ..one.clone()
    };
    assert_eq!(rule(&[one.clone(), two.clone()]), None);
    assert_eq!(rule(&[one.clone(), shared.clone()]), None);
    for other in [
        PhoneFirmware {
            model: Ht801,
            ..two.clone()
        },
        PhoneFirmware {
            name: "A.bin".try_into().unwrap(),
            ..two.clone()
        },
        PhoneFirmware {
            size: 6,
            ..shared.clone()
        },
        PhoneFirmware {
            name: "c".try_into().unwrap(),
            ..shared.clone()
        },
    ] {
        assert_eq!(
            rule(&[one.clone(), other.clone()]),
            Some(Rule::FirmwareTwice),
            "{other:?}"
        );
    }
    // Their places: in whole sectors, one behind the other, a shared file once.
    let files = [
        file(KxHdv230n, "p", 1),
        one,
        shared,
        file(Gxp1628, "g", FIRMWARE_ROOM - 2 * FIRMWARE_SECTOR),
    ];
    let places: Vec<_> = firmware_files(&files)
        .map(|(place, file)| (place, file.model))
        .collect();
    assert_eq!(
        places,
        [
            (0, KxHdv230n),
            (FIRMWARE_SECTOR, Ht801),
            (2 * FIRMWARE_SECTOR, Gxp1628)
        ]
    );
    assert_eq!(rule(&files), None);
    let [mut files @ .., _] = files.clone().map(|file| PhoneFirmware {
        size: u32::MAX,
        ..file
    });
    assert_eq!(rule(&files), Some(Rule::FirmwareRoom));
    files[0].size = FIRMWARE_SECTOR + 1;
    assert_eq!(rule(&files), Some(Rule::FirmwareRoom));
    assert_eq!(firmware_files(&[]).count(), 0);
}

#[test]
fn ports_are_of_adapters_one_each() {
    let port = |number| {
        Some(Port {
            number,
            number_display: false,
            fax: false,
        })
    };
    let rule = |ports: [(TerminalKind, u32, Option<Port>); 2]| {
        let mut site = office();
        for (id, (kind, at, port)) in site.ids.iter_mut().zip(ports) {
            (id.kind, id.site, id.port) = (kind, SiteId(at), port);
        }
        site.credentials.clear();
        site.validate().err().map(|invalid| (invalid.item, invalid.rule))
    };
    use TerminalKind::{Adapter, Fixed};
    assert_eq!(rule([(Adapter, 1, port(1)), (Adapter, 1, port(4))]), None);
    assert_eq!(
        rule([(Adapter, 1, port(1)), (Adapter, 2, port(1))]),
        None,
        "of two boxes"
    );
    assert_eq!(
        rule([(Adapter, 1, port(1)), (Adapter, 1, port(1))]),
        Some((1, Rule::PortTwice))
    );
    for number in [0, 5, 255] {
        assert_eq!(
            rule([(Adapter, 1, port(number)), (Fixed, 1, None)]),
            Some((0, Rule::Port))
        );
    }
    assert_eq!(
        rule([(Fixed, 1, port(1)), (Fixed, 1, None)]),
        Some((0, Rule::Port))
    );
}

#[test]
fn ids_at_other_sites_are_known_and_not_here() {
    let mut site = office();
    site.ids[1].site = SiteId(2);
    site.credentials.remove(1);
    site.validate().unwrap();
    assert_eq!(site.all().len(), 3);
    assert_eq!(site.here(), [key(0), key(2)].into_iter().collect());
    assert!(!site.is_here(&site.ids[1]));
    // Channels, extensions and groups are the contract's.
    site.sys.channels = 2;
    assert_eq!(site.validate().unwrap_err().rule, Rule::Channels);
}
