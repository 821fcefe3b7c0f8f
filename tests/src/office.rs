//! A small office and its branch: numbers, people, passwords.

use shared::analog::Port;
use shared::factory::Factory;
use shared::id::{BoxId, ContractId, Extension, IdKey, SiteId};
use shared::number::Number;
use shared::site::{Credential, Id, Rep, Site, Sys, TerminalKind};
use sip::digest::Ha1;

/// SIP domain of the office.
pub const REALM: &str = "office.example";
/// The representative number.
pub const REP: &str = "0312340000";
/// The office itself.
pub const HOME: SiteId = SiteId(1);
/// Its second site.
pub const BRANCH: SiteId = SiteId(2);
/// The box.
pub const BOX: BoxId = BoxId(0x0123_4567_89AB_CDEF);
/// The box of the branch.
pub const BRANCH_BOX: BoxId = BoxId(0x0FED_CBA9_8765_4321);

/// The direct number of the ID with this index.
pub fn direct(index: u16) -> String {
    format!("031234{:04}", index + 1)
}

/// The extension of the ID with this index.
pub fn extension(index: u16) -> String {
    format!("{}", 201 + index)
}

/// The password of the ID with this index.
pub fn password(index: u16) -> String {
    format!("secret-{index}")
}

fn number(digits: &str) -> Number {
    Number::parse(digits).expect("a number of the office")
}

/// The configuration of an office with so many desk phones, all of them in the representative number's ring group, and so
/// many channels.
pub fn site(phones: u16, channels: u8) -> Site {
    site_with_branch(HOME, phones, 0, channels)
}

/// The same, with the last `branch` of the phones at the branch; as the box of site `here` has it.
pub fn site_with_branch(here: SiteId, phones: u16, branch: u16, channels: u8) -> Site {
    let mut site = Site {
        sys: Sys {
            contract: ContractId(1),
            site: here,
            channels,
            realm: REALM.try_into().expect("short"),
            ..Sys::default()
        },
        ..Site::default()
    };
    for index in 0..phones {
        let key = IdKey::new(index).expect("fewer than 64");
        let ha1 = Ha1::from_password(
            direct(index).as_bytes(),
            REALM.as_bytes(),
            password(index).as_bytes(),
        );
        let id = Id {
            key,
            direct: number(&direct(index)),
            extension: extension(index).parse::<Extension>().expect("three digits"),
            direct_in: true,
            direct_out: true,
            label: format!("Desk {index}").as_str().try_into().expect("short"),
            kind: TerminalKind::Fixed,
            outgoing: if index % 2 == 0 {
                number(REP)
            } else {
                number(&direct(index))
            },
            site: if index < phones - branch { HOME } else { BRANCH },
            port: None,
            phone: None,
        };
        let credential = Credential {
            key,
            ha1_md5: ha1.md5,
            ha1_sha256: ha1.sha256,
        };
        if site.is_here(&id) {
            site.credentials.push(credential).expect("fewer than 64");
        }
        site.ids.push(id).expect("fewer than 64");
    }
    let all = site.all();
    let rep = Rep {
        number: number(REP),
        label: "Office".try_into().expect("short"),
        members: all,
        ring: all,
        sub_cap: None,
    };
    assert!(site.reps.push(rep).is_ok());
    site
}

/// Telephones at the ports of the office's box, with the IDs behind those of the phones, in the ring group too. Each has a channel
/// of its own (R15). The first one displays the caller's number.
pub fn plug_telephones(site: &mut Site, telephones: u16) {
    let phones = site.ids.len() as u16;
    for line in 0..telephones {
        let index = phones + line;
        let key = IdKey::new(index).expect("fewer than 64");
        let id = Id {
            key,
            direct: number(&direct(index)),
            extension: extension(index).parse::<Extension>().expect("three digits"),
            direct_in: true,
            direct_out: true,
            label: format!("Telephone {line}").as_str().try_into().expect("short"),
            kind: TerminalKind::Adapter,
            outgoing: number(REP),
            site: HOME,
            port: Some(Port {
                number: line as u8 + 1,
                number_display: line == 0,
                fax: line == 2,
            }),
            phone: None,
        };
        if site.is_here(&id) {
            let secret = Credential {
                key,
                ha1_md5: [0; 16],
                ha1_sha256: [0; 32],
            };
            site.credentials.push(secret).expect("fewer than 64");
        }
        site.ids.push(id).expect("fewer than 64");
    }
    site.sys.channels += telephones as u8;
    let all = site.all();
    for rep in &mut site.reps {
        (rep.members, rep.ring) = (all, all);
    }
}

/// What a box was given at the factory.
pub fn factory(box_id: BoxId, config_key: [u8; 32]) -> Factory {
    Factory {
        box_id,
        secret: [7; 32],
        cloud_host: "203.0.113.1".try_into().expect("short"),
        sip_port: 5_060,
        mqtt_port: 1_883,
        realm: REALM.try_into().expect("short"),
        config_key,
    }
}
