//! The sections of a site: read back from pieces, frozen bytes, hashes, sizes, bad input.

use sha2::{Digest, Sha256};
use std::num::NonZeroU8;

use crate::common::{number, office};
use crate::{VOICE, file};
use shared::analog::Port;
use shared::hub::{Dhcp, FIRMWARE_ROOM, FIRMWARE_SECTOR, Mac, Phone, PhoneFirmware, PhoneModel};
use shared::id::{IdKey, IdSet};
use shared::site::{
    Credential, Id, MAX_IDS, MAX_ITEM, MAX_SECTION, Rep, SectionDecoder, SectionError, SectionKind, Site,
    root_hash,
};
use shared::{ContractId, SiteId, TerminalKind};

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
