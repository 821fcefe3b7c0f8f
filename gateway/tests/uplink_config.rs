//! The box's side of the synchronisation: a configuration from a manifest to the commit, and everything that can be
//! wrong with it.

mod common;

use common::rig::*;
use common::{committed, sections, site};
use gateway::store::ram::{Torn, run};
use gateway::store::{Fault, MAX_PIECE, Op};
use gateway::uplink::{Change, Memory, Output, TOKEN};
use shared::BoxId;
use shared::record::Stamp;
use shared::site::{Invalid, Rule, Section, SectionKind, Site};
use shared::sync::*;

#[test]
fn a_configuration_is_pulled_checked_committed_once_and_acknowledged() {
    let mut memory = Memory::new();
    let mut it = Desk::blank(&mut memory);
    let hello = it.connect();
    assert_eq!(
        (hello.epoch, hello.root, hello.boot, hello.queued),
        (0, [0; 32], 1, 0)
    );
    assert_eq!(it.welcome(), []);
    assert_eq!(it.wall, Some(1_790_000_000_000));
    let target = site(40, 1);
    let pieces = |(_, bytes): &(Section, Vec<u8>)| bytes.len().div_ceil(MAX_PIECE) as u32;
    assert_eq!(
        apply(&mut it, &target, 1),
        sections(&target).iter().map(pieces).sum()
    );
    assert_eq!(commits(&it.ops), 1);
    assert_eq!(it.uplink.committed(), Some(&committed(&target, 1)));

    // Only what changed is pulled the next time.
    let mut next = target.clone();
    next.sys.international = true;
    it.ops.clear();
    assert_eq!(apply(&mut it, &next, 2), 1);
    assert_eq!(commits(&it.ops), 1);

    // After a power cut it is there, and said so.
    let flash = it.off();
    let mut memory = Memory::new();
    let mut it = Desk::new(&mut memory, flash);
    let hello = it.connect();
    assert_eq!(
        (hello.epoch, hello.root, hello.boot),
        (2, committed(&next, 2).root, 2)
    );
}

#[test]
fn every_bad_manifest_is_refused_with_its_reason_and_changes_nothing() {
    let mut memory = Memory::new();
    let mut it = Desk::welcomed(&mut memory);
    let old = site(3, 1);
    apply(&mut it, &old, 10);
    it.ops.clear();

    let new = site(3, 2);
    let target = committed(&new, 11);
    let good = manifest(&new, 11);
    let spoilt = |change: fn(&mut Manifest)| manifest_with(&target, &keys(1), change);
    let cases: [(Vec<u8>, u64, NackCode); 14] = [
        (Vec::new(), 0, NackCode::Malformed),
        (good[..good.len() - 1].to_vec(), 0, NackCode::Malformed),
        ([&good[..], &[0]].concat(), 0, NackCode::Malformed),
        (vec![1; MAX_MESSAGE + 1], 0, NackCode::Malformed),
        (
            manifest_with(&target, &keys(2), |_| {}),
            0,
            NackCode::BadSignature,
        ),
        (spoilt(|m| m.box_id = BoxId(78)), 11, NackCode::WrongBox),
        (spoilt(|m| m.epoch = 9), 9, NackCode::StaleEpoch),
        (spoilt(|m| m.epoch = 10), 10, NackCode::StaleEpoch),
        (spoilt(|m| m.key_epoch = 0), 11, NackCode::OldKey),
        (spoilt(|m| m.not_after = 1_789_999_999), 11, NackCode::Expired),
        (spoilt(|m| m.root[0] ^= 1), 11, NackCode::RootMismatch),
        (spoilt(|m| _ = m.sections.pop()), 11, NackCode::RootMismatch),
        (
            spoilt(|m| m.sections[1].schema = SectionKind::Ids.schema() + 1),
            11,
            NackCode::SchemaUnknown(SectionKind::Ids),
        ),
        (
            spoilt(|m| m.sections[3].len = 8_193),
            11,
            NackCode::TooBig(SectionKind::Reps),
        ),
    ];
    for (payload, epoch, code) in cases {
        assert_eq!(
            it.raw(Down::Manifest, &payload),
            [Did::Nack(Nack {
                epoch,
                have: 10,
                code
            })]
        );
    }
    // Bits of a good one, all over it.
    for bit in (0..good.len() * 8).step_by(11) {
        let mut payload = good.clone();
        payload[bit / 8] ^= 1 << (bit % 8);
        let did = it.raw(Down::Manifest, &payload);
        let [Did::Nack(Nack { have: 10, code, .. })] = did[..] else {
            panic!("bit {bit}: {did:?}")
        };
        assert!(
            matches!(code, NackCode::Malformed | NackCode::BadSignature),
            "bit {bit}: {code:?}"
        );
    }
    assert!(it.ops.is_empty(), "the store was not touched");
    assert_eq!(it.uplink.committed(), Some(&committed(&old, 10)));
    // What is in use already is acknowledged again: the first answer may have been lost.
    let ack = Ack {
        epoch: 10,
        root: committed(&old, 10).root,
    };
    assert_eq!(it.raw(Down::Manifest, &manifest(&old, 10)), [Did::Ack(ack)]);
    apply(&mut it, &new, 11);
}

#[test]
fn sections_that_are_not_what_they_should_be_are_refused() {
    let mut memory = Memory::new();
    let mut it = Desk::welcomed(&mut memory);
    apply(&mut it, &site(3, 1), 1);

    // One bit of the content.
    let new = site(3, 2);
    let did = it.raw(Down::Manifest, &manifest(&new, 2));
    let [Did::Get(get)] = did[..] else {
        panic!("{did:?}")
    };
    let mut data = sections(&new)[0].1.clone();
    data[5] ^= 1;
    let nack = |epoch, code| vec![Did::Nack(Nack { epoch, have: 1, code })];
    assert_eq!(
        it.message(Down::Chunk, &chunk(&get, &data)),
        nack(2, NackCode::HashMismatch(SectionKind::Sys))
    );

    // The right hash of the wrong thing.
    let mut target = committed(&new, 3);
    let rubbish = [9, 9, 9];
    let hash = {
        use sha2::Digest;
        shared::site::section_hash(SectionKind::Reps, 1)
            .chain_update(rubbish)
            .finalize()
            .into()
    };
    target.sections[3] = Section {
        kind: SectionKind::Reps,
        schema: 1,
        len: 3,
        hash,
    };
    target.root = shared::site::root_hash(&target.sections);
    let mut did = it.raw(Down::Manifest, &manifest_with(&target, &keys(1), |_| {}));
    loop {
        let [Did::Get(get)] = did[..] else { break };
        let of_site = sections(&new)
            .into_iter()
            .find(|(section, _)| section.hash == get.hash);
        let data = of_site.map_or(rubbish.to_vec(), |(_, bytes)| bytes);
        did = it.message(Down::Chunk, &chunk(&get, &data));
    }
    assert_eq!(did, nack(3, NackCode::MalformedSection(SectionKind::Reps)));

    // A site that breaks a rule.
    let mut invalid = site(3, 4);
    invalid.ids[2].extension = invalid.ids[0].extension;
    let did = it.raw(Down::Manifest, &manifest(&invalid, 4));
    let (_, did) = it.feed(did, &invalid);
    let breach = Invalid {
        section: SectionKind::Ids,
        item: 2,
        rule: Rule::ExtensionTwice,
    };
    assert_eq!(did, nack(4, NackCode::Invalid(breach)));
    assert_eq!(commits(&it.ops), 1, "only the first");

    // The flash fails.
    it.faults.push(Fault::Flash);
    assert_eq!(
        it.raw(Down::Manifest, &manifest(&new, 5)),
        nack(5, NackCode::Flash)
    );
    apply(&mut it, &new, 6);
}

#[test]
fn pieces_that_were_not_asked_for_are_ignored() {
    let mut memory = Memory::new();
    let mut it = Desk::welcomed(&mut memory);
    let target = site(40, 1);
    let all = sections(&target);
    let piece = |index: usize, offset: usize, len: usize| {
        let (section, bytes) = &all[index];
        let data = &bytes[offset..bytes.len().min(offset + len)];
        Chunk {
            kind: section.kind,
            hash: section.hash,
            offset: offset as u32,
            data,
        }
    };
    assert_eq!(
        it.message(Down::Chunk, &piece(0, 0, MAX_PIECE)),
        [],
        "before any manifest"
    );
    let mut did = it.raw(Down::Manifest, &manifest(&target, 1));
    let mut seen = Vec::new();
    while let [Did::Get(get)] = did[..] {
        seen.push((get.kind, get.offset));
        // The one before again, another section, too short, a wrong place, a wrong hash: then the right one.
        let index = get.kind.index();
        let at = get.offset as usize;
        assert_eq!(it.message(Down::Chunk, &piece((index + 1) % 4, 0, MAX_PIECE)), []);
        assert_eq!(it.message(Down::Chunk, &piece(index, at, 7)), []);
        if at > 0 {
            assert_eq!(
                it.message(Down::Chunk, &piece(index, at - MAX_PIECE, MAX_PIECE)),
                []
            );
        }
        let mut wrong = piece(index, at, MAX_PIECE);
        wrong.offset += 4;
        assert_eq!(it.message(Down::Chunk, &wrong), []);
        let mut wrong = piece(index, at, MAX_PIECE);
        wrong.hash[0] ^= 1;
        assert_eq!(it.message(Down::Chunk, &wrong), []);
        assert_eq!(it.raw(Down::Chunk, &[1, 2, 3]), []);
        // The same manifest again asks for the same piece again.
        assert_eq!(it.raw(Down::Manifest, &manifest(&target, 1)), did);
        did = it.message(Down::Chunk, &piece(index, at, MAX_PIECE));
    }
    assert_eq!(did.len(), 2, "{did:?}");
    assert_eq!(
        seen.iter().filter(|(kind, _)| *kind == SectionKind::Ids).count(),
        all[SectionKind::Ids.index()].1.len().div_ceil(MAX_PIECE)
    );
    assert!(it.uplink.counters().ignored > 20);

    // Topics that are none, or another box's.
    let before = it.uplink.counters().ignored;
    for topic in [
        "",
        "c/x/m",
        "b/aaaaaaaaaaaa6/hello",
        &Topic::Down(BoxId(78), Down::Manifest).name(),
    ] {
        it.uplink
            .message(it.now, it.wall, topic, &manifest(&site(3, 9), 9));
        assert_eq!(it.poll(), []);
    }
    assert_eq!(it.uplink.counters().ignored, before + 4);
}

#[test]
fn a_newer_manifest_overtakes_an_older_one_never_the_other_way() {
    let mut memory = Memory::new();
    let mut it = Desk::welcomed(&mut memory);
    let (first, second) = (site(20, 1), site(20, 2));
    let did = it.raw(Down::Manifest, &manifest(&first, 1));
    assert!(matches!(did[..], [Did::Get(_)]));
    let did = it.raw(Down::Manifest, &manifest(&second, 2));
    // The older one, late: no effect but that the question is repeated.
    assert_eq!(it.raw(Down::Manifest, &manifest(&first, 1)), did);
    let (_, did) = it.feed(did, &second);
    assert!(matches!(&did[..], [Did::Applied(site), Did::Ack(_)] if *site == second));
    assert_eq!(commits(&it.ops), 1);

    // A newer one while the store is committing: first that one, then the newer.
    let (third, fourth) = (site(20, 3), site(20, 4));
    let mut did = it.raw(Down::Manifest, &manifest(&third, 3));
    let all = sections(&third);
    'fetch: while let [Did::Get(get)] = did[..] {
        let chunk = chunk(&get, &all[get.kind.index()].1);
        let mut buf = [0; MAX_MESSAGE];
        it.uplink.message(
            it.now,
            it.wall,
            &Topic::Down(BOX, Down::Chunk).name(),
            chunk.encode(&mut buf).unwrap(),
        );
        did.clear();
        while it.uplink.poll(it.now) {
            match it.uplink.output().unwrap() {
                Output::Publish { payload, .. } => did = vec![Did::Get(Get::decode(payload).unwrap())],
                Output::Store(op) => {
                    let done = run(it.store.as_mut().unwrap().execute(TOKEN, &op));
                    if matches!(op, Op::Commit(_)) {
                        it.uplink.message(
                            it.now,
                            it.wall,
                            &Topic::Down(BOX, Down::Manifest).name(),
                            &manifest(&fourth, 4),
                        );
                        let change = it.uplink.stored(it.now, done, &mut it.site);
                        assert_eq!((change, &it.site), (Change::Committed, &third));
                        break 'fetch;
                    }
                    let change = it.uplink.stored(it.now, done, &mut it.site);
                    assert_ne!(change, Change::Committed);
                }
                Output::Reconnect => panic!(),
            }
        }
    }
    let did = it.poll();
    assert!(
        matches!(did[..], [Did::Ack(Ack { epoch: 3, .. }), Did::Get(_)]),
        "{did:?}"
    );
    let (_, did) = it.feed(vec![Did::Get(last_get(&did))], &fourth);
    assert!(matches!(&did[..], [Did::Applied(site), Did::Ack(_)] if *site == fourth));
}

fn last_get(did: &[Did]) -> Get {
    match did.last() {
        Some(Did::Get(get)) => *get,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_fetch_goes_on_where_it_was_after_a_new_connection_and_after_a_power_cut() {
    let mut memory = Memory::new();
    let mut it = Desk::welcomed(&mut memory);
    let target = site(40, 1);
    let all = sections(&target);
    let mut did = it.raw(Down::Manifest, &manifest(&target, 1));
    // All of sys, one piece of ids.
    for _ in 0..2 {
        let get = last_get(&did);
        did = it.message(Down::Chunk, &chunk(&get, &all[get.kind.index()].1));
    }
    it.uplink.disconnected(it.now);
    it.connect();
    let did = it.welcome();
    let get = last_get(&did);
    assert_eq!(
        (get.kind, get.offset),
        (SectionKind::Ids, MAX_PIECE as u32),
        "where it was"
    );

    let flash = it.off();
    let mut memory = Memory::new();
    let mut it = Desk::new(&mut memory, flash);
    it.connect();
    it.welcome();
    let get = last_get(&it.raw(Down::Manifest, &manifest(&target, 1)));
    assert_eq!(
        (get.kind, get.offset),
        (SectionKind::Ids, 0),
        "whole sections are kept, torn ones begin anew"
    );
    let (_, did) = it.feed(vec![Did::Get(get)], &target);
    assert!(matches!(&did[..], [Did::Applied(site), Did::Ack(_)] if *site == target));
}

#[test]
fn a_broker_that_stays_silent_is_asked_again_and_then_left() {
    let mut memory = Memory::new();
    let mut it = Desk::blank(&mut memory);
    it.connect();
    let mut waits = Vec::new();
    loop {
        let (waited, did) = it.wait().unwrap();
        waits.push(waited);
        match did[..] {
            [Did::Hello(_)] => {}
            [Did::Reconnect] => break,
            _ => panic!("{did:?}"),
        }
    }
    assert_eq!(waits, [5_000, 10_000, 20_000, 40_000]);
    it.uplink.disconnected(it.now);
    assert_eq!(
        it.uplink.next_deadline(),
        None,
        "nothing to do without a connection"
    );

    // Welcomed, then silent in the middle of a fetch.
    it.connect();
    it.welcome();
    let did = it.raw(Down::Manifest, &manifest(&site(3, 1), 1));
    assert!(matches!(did[..], [Did::Get(_)]));
    let mut gets = 1;
    let mut hellos = 0;
    loop {
        match it.wait().unwrap().1[..] {
            [Did::Get(_)] => gets += 1,
            [Did::Hello(_)] => hellos += 1,
            [Did::Reconnect] => break,
            ref did => panic!("{did:?}"),
        }
    }
    assert_eq!((gets, hellos), (6, 4));
}

#[test]
fn a_configuration_that_cannot_be_read_is_asked_for_anew() {
    let mut memory = Memory::new();
    let mut it = Desk::welcomed(&mut memory);
    let target = site(3, 1);
    apply(&mut it, &target, 4);
    let mut flash = it.off();
    flash.bytes_mut()[gateway::store::map::CONFIG_A.start as usize + 8_192 + 20] ^= 4;
    let mut memory = Memory::new();
    let mut it = Desk::new(&mut memory, flash);
    let hello = it.connect();
    assert_eq!((hello.epoch, hello.root), (4, [0; 32]));
    let did = it.welcome();
    assert_eq!(did, [Did::Events(ids(2, 0..1))], "the alarm");
    let did = it.raw(Down::Manifest, &manifest(&site(3, 2), 4));
    assert!(
        matches!(
            did[..],
            [Did::Nack(Nack {
                code: NackCode::StaleEpoch,
                ..
            })]
        ),
        "an older one stays refused"
    );
    assert_eq!(apply(&mut it, &target, 5), 1, "what is still whole is copied");
}

#[test]
fn a_power_cut_anywhere_in_an_exchange_leaves_a_box_that_finishes_it() {
    let (old, new) = (site(3, 1), site(6, 2));
    let mut memory = Memory::new();
    let mut it = Desk::welcomed(&mut memory);
    apply(&mut it, &old, 1);
    let flash = it.off();
    let mut cuts = 0;
    for change in 0.. {
        let mut memory = Memory::new();
        let mut it = Desk::new(&mut memory, flash.clone());
        it.store
            .as_mut()
            .unwrap()
            .flash()
            .cut_after(change, Torn::Unreadable);
        it.connect();
        it.welcome();
        it.uplink.event(it.now, Stamp::default(), event(1));
        it.poll();
        let did = it.raw(Down::Manifest, &manifest(&new, 2));
        let (_, did) = it.feed(did, &new);
        let applied = did.iter().any(|did| matches!(did, Did::Applied(_)));
        let mut flash = it.off();
        let whole = !flash.is_off();
        flash.restore();

        let mut memory = Memory::new();
        let mut it = Desk::new(&mut memory, flash);
        let hello = it.connect();
        assert!(hello.epoch == 2 || !applied, "cut {change}");
        assert_eq!(
            hello.root,
            committed(if hello.epoch == 2 { &new } else { &old }, 1).root
        );
        it.welcome();
        if hello.epoch == 1 {
            cuts += 1;
            apply(&mut it, &new, 2);
        }
        assert_eq!(it.uplink.committed(), Some(&committed(&new, 2)), "cut {change}");
        if whole {
            break;
        }
    }
    assert!(cuts > 100, "{cuts}");
}

/// A configuration is read over the one in use: whatever fails, what is in use is what is committed.
#[test]
fn the_site_in_use_is_the_one_that_is_committed_whatever_fails() {
    let (old, new) = (site(3, 1), site(4, 2));
    for fail_at in 0.. {
        let mut memory = Memory::new();
        let mut it = Desk::welcomed(&mut memory);
        apply(&mut it, &old, 1);
        it.ops.clear();
        it.fail_at = fail_at..fail_at + 1;
        let did = it.raw(Down::Manifest, &manifest(&new, 2));
        let (_, did) = it.feed(did, &new);
        assert!(!it.uplink.is_between());
        if it.ops.len() <= fail_at {
            assert_eq!(it.site, new, "nothing failed");
            assert!(
                fail_at > 12,
                "the reads and the commit were among them: {fail_at}"
            );
            return;
        }
        let refused = Nack {
            epoch: 2,
            have: 1,
            code: NackCode::Flash,
        };
        assert_eq!(did, [Did::Nack(refused)], "{fail_at}");
        assert_eq!(it.site, old, "{fail_at}: {:?}", it.ops);
        // It is sent again, and taken.
        assert!(it.faults.is_empty());
        it.fail_at = 0..0;
        apply(&mut it, &new, 3);
        assert_eq!(it.site, new, "{fail_at}");
    }
}

/// Nor does one that breaks a rule. What is in use is read again until it is there; only if it never can be, there is none.
#[test]
fn the_site_in_use_stays_when_the_new_one_breaks_a_rule() {
    let old = site(3, 1);
    let mut bad = site(3, 2);
    bad.ids[1].extension = bad.ids[0].extension;
    let restores = |op: &Op| matches!(op, Op::Read { staged: false, .. });
    // Where the reads of the old one begin, how many there are, how many of them fail in a row: each of them, and from the first.
    let mut memory = Memory::new();
    let mut rehearsal = Desk::welcomed(&mut memory);
    apply(&mut rehearsal, &old, 1);
    rehearsal.ops.clear();
    let did = rehearsal.raw(Down::Manifest, &manifest(&bad, 2));
    rehearsal.feed(did, &bad);
    let first = rehearsal.ops.iter().position(restores).unwrap();
    let reads = rehearsal.ops.iter().filter(|op| restores(op)).count();
    assert!(reads > 3);
    let each = (first..first + reads).map(|at| at..at + 1);
    for fails in each.chain([0..0, first..first + 16, first..first + 17]) {
        let mut memory = Memory::new();
        let mut it = Desk::welcomed(&mut memory);
        apply(&mut it, &old, 1);
        it.ops.clear();
        it.fail_at = fails.clone();
        let did = it.raw(Down::Manifest, &manifest(&bad, 2));
        let (_, did) = it.feed(did, &bad);
        assert!(!it.uplink.is_between(), "{fails:?}");
        let [Did::Nack(nack)] = did[..] else {
            panic!("{did:?}")
        };
        assert!(
            matches!(
                nack.code,
                NackCode::Invalid(Invalid {
                    rule: Rule::ExtensionTwice,
                    ..
                })
            ),
            "{nack:?}"
        );
        match fails.len() <= 16 {
            true => assert_eq!(
                (&it.site, it.uplink.committed()),
                (&old, Some(&committed(&old, 1))),
                "{fails:?}"
            ),
            false => assert_eq!((&it.site, it.uplink.committed()), (&Site::EMPTY, None)),
        }
    }
}
