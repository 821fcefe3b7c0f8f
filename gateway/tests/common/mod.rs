//! Sites, and what a cloud makes of them, for the tests of store and uplink.
#![allow(dead_code)]

pub mod flash;
pub mod rig;

use gateway::store::MAX_PIECE;
use gateway::store::{Committed, Op};
use shared::site::{
    Credential, Id, MAX_SECTION, Rep, Section, SectionKind, Site, Sys, root_hash, section_hash,
};
use shared::{ContractId, IdKey, IdSet, Number, SiteId, TerminalKind};

/// A valid site with this many IDs; sites with another `variant` differ in every section.
pub fn site(ids: u16, variant: u8) -> Site {
    let mut site = Site {
        sys: Sys {
            contract: ContractId(u32::from(variant)),
            site: SiteId(1),
            channels: 64,
            realm: "denwaban.example".try_into().unwrap(),
            ..Sys::default()
        },
        ..Site::default()
    };
    let label = format!("variant {variant}");
    for index in 0..ids {
        let key = IdKey::new(index).unwrap();
        let direct = Number::parse(&format!("03123{index:05}")).unwrap();
        site.ids
            .push(Id {
                key,
                direct,
                extension: (200 + u32::from(index)).try_into().unwrap(),
                direct_in: true,
                direct_out: true,
                label: label.as_str().try_into().unwrap(),
                kind: TerminalKind::Fixed,
                outgoing: direct,
                site: site.sys.site,
                port: None,
                phone: None,
            })
            .unwrap();
        site.credentials
            .push(Credential {
                key,
                ha1_md5: [variant; 16],
                ha1_sha256: [variant; 32],
            })
            .unwrap();
    }
    let members: IdSet = site.ids.iter().map(|id| id.key).collect();
    let number = Number::parse("0399990000").unwrap();
    site.reps
        .push(Rep {
            number,
            label: label.as_str().try_into().unwrap(),
            members,
            ring: members,
            sub_cap: None,
        })
        .unwrap();
    site.validate().unwrap();
    site
}

/// The sections of a site.
pub fn sections(site: &Site) -> Vec<(Section, Vec<u8>)> {
    let mut buf = [0; MAX_SECTION];
    SectionKind::ALL
        .into_iter()
        .map(|kind| {
            let (section, bytes) = site.encode_section(kind, &mut buf).unwrap();
            (section, bytes.to_vec())
        })
        .collect()
}

/// The same as a program of schema 1 or 2 wrote them: IDs without their port, which they do not have, and in schema 1 without
/// their site, which is below 128.
pub fn sections_of_schema(site: &Site, schema: u16) -> Vec<(Section, Vec<u8>)> {
    use sha2::Digest;
    let mut buf = [0; MAX_SECTION];
    let mut bytes = vec![site.ids.len() as u8];
    for id in &site.ids {
        let mut one = Site::default();
        one.ids.push(id.clone()).unwrap();
        let (_, item) = one.encode_section(SectionKind::Ids, &mut buf).unwrap();
        bytes.extend_from_slice(&item[1..item.len() - usize::from(4 - schema)]);
    }
    let mut sections = sections(site);
    let section = Section {
        kind: SectionKind::Ids,
        schema,
        len: bytes.len() as u32,
        hash: section_hash(SectionKind::Ids, schema)
            .chain_update(&bytes)
            .finalize()
            .into(),
    };
    sections[SectionKind::Ids.index()] = (section, bytes);
    sections
}

/// What is committed for a site.
pub fn committed(site: &Site, epoch: u64) -> Committed {
    committed_of(&sections(site), epoch)
}

/// What is committed for these sections.
pub fn committed_of(sections: &[(Section, Vec<u8>)], epoch: u64) -> Committed {
    let sections: heapless::Vec<Section, 4> = sections.iter().map(|(section, _)| *section).collect();
    let root = root_hash(&sections);
    Committed {
        epoch,
        key_epoch: 1,
        sections,
        root,
    }
}

/// Everything the store does for a new configuration: all sections piece by piece, and the commit.
pub fn commit_ops(site: &Site, epoch: u64) -> Vec<Op> {
    commit_ops_of(&sections(site), epoch)
}

/// The same for these sections.
pub fn commit_ops_of(sections: &[(Section, Vec<u8>)], epoch: u64) -> Vec<Op> {
    let mut ops = Vec::new();
    for (section, bytes) in sections {
        for (index, piece) in bytes.chunks(MAX_PIECE).enumerate() {
            let data = heapless::Vec::from_slice(piece).unwrap();
            ops.push(Op::Stage {
                kind: section.kind,
                offset: (index * MAX_PIECE) as u32,
                data,
            });
        }
        ops.push(Op::Check(*section));
    }
    ops.push(Op::Commit(committed_of(sections, epoch)));
    ops
}
