//! A small office that keeps every rule.

use shared::site::{Credential, Id, Rep, Site, Sys};
use shared::{ContractId, IdKey, IdSet, Number, SiteId, TerminalKind};

/// Reads a number that is one.
pub fn number(text: &str) -> Number {
    Number::parse(text).unwrap()
}

/// A key that is one.
pub fn key(index: u16) -> IdKey {
    IdKey::new(index).unwrap()
}

/// IDs 0 and 1 are desk phones (201, 202), 2 an app (203); representative number 0312340000 rings all of them.
pub fn office() -> Site {
    let mut site = Site {
        sys: Sys {
            contract: ContractId(7),
            site: SiteId(1),
            channels: 3,
            realm: "denwaban.example".try_into().unwrap(),
            ..Sys::default()
        },
        ..Site::default()
    };
    for (index, kind) in [TerminalKind::Fixed, TerminalKind::Fixed, TerminalKind::App]
        .into_iter()
        .enumerate()
    {
        let direct = number(&format!("031234000{}", index + 1));
        let id = Id {
            key: key(index as u16),
            direct,
            extension: format!("20{}", index + 1).parse().unwrap(),
            direct_in: true,
            direct_out: true,
            label: "受付".try_into().unwrap(),
            kind,
            outgoing: direct,
            site: site.sys.site,
            port: None,
            phone: None,
        };
        site.ids.push(id).unwrap();
        let credential = Credential {
            key: key(index as u16),
            ha1_md5: [index as u8; 16],
            ha1_sha256: [index as u8; 32],
        };
        site.credentials.push(credential).unwrap();
    }
    let all: IdSet = (0..3).map(key).collect();
    let rep = Rep {
        number: number("0312340000"),
        label: "代表".try_into().unwrap(),
        members: all,
        ring: all,
        sub_cap: None,
    };
    site.reps.push(rep).unwrap();
    site.validate().unwrap();
    site
}
