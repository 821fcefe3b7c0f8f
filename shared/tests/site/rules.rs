//! The rules of a site, broken one by one, and who is found in it.

use std::num::NonZeroU8;

use crate::common::{key, number, office};
use crate::{VOICE, file};
use shared::analog::Port;
use shared::hub::{
    FIRMWARE_ROOM, FIRMWARE_SECTOR, Mac, Phone, PhoneFirmware, PhoneModel, Voice, firmware_files,
};
use shared::id::IdSet;
use shared::site::{Called, Rep, Rule, SectionKind, Site};
use shared::{SiteId, TerminalKind};

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
