//! The box's side of the synchronisation, against a real store and a scripted cloud.

mod common;

use common::{committed, sections, site};
use gateway::store::map::EVENTS;
use gateway::store::ram::{RamNor, Torn, run};
use gateway::store::{Committed, Done, Fault, Op, Reply, Store};
use gateway::uplink::{Memory, Output, TOKEN, Uplink, WAITING};
use shared::record::Stamp;
use shared::site::{Invalid, Rule, Section, SectionKind, Site};
use shared::sync::*;
use shared::{BoxId, Factory, IdKey};
use sip::Instant;

const BOX: BoxId = BoxId(77);

fn keys(seed: u8) -> salty::Keypair {
    salty::Keypair::from(&[seed; 32])
}

fn factory() -> Factory {
    Factory {
        box_id: BOX,
        secret: [0; 32],
        cloud_host: "cloud.example".try_into().unwrap(),
        sip_port: 5060,
        mqtt_port: 1883,
        realm: "".try_into().unwrap(),
        config_key: keys(1).public.compressed.0,
    }
}

/// What the box did.
#[derive(Debug, PartialEq)]
enum Did {
    Hello(Hello),
    Get(Get),
    Ack(Ack),
    Nack(Nack),
    Events(Vec<EventId>),
    Reconnect,
    Applied(Site),
}

/// A box: uplink and store, and the clock.
struct Box<'m> {
    uplink: Uplink<'m>,
    flash: RamNor<Vec<u8>>,
    store: Option<Store<RamNor<Vec<u8>>>>,
    now: Instant,
    /// Operations of the store that were run.
    ops: Vec<Op>,
    /// What the next operations give instead of being run.
    faults: Vec<Fault>,
}

impl<'m> Box<'m> {
    fn new(memory: &'m mut Memory, flash: RamNor<Vec<u8>>) -> Self {
        let mut uplink = Uplink::new(memory, &factory());
        let mut store = Store::new(flash.clone());
        let now = Instant(1_000);
        let loaded = run(store.load(&mut Site::default(), 1, |_, _| {})).unwrap();
        uplink.start(now, Stamp::default(), &loaded);
        Self {
            uplink,
            flash,
            store: Some(store),
            now,
            ops: Vec::new(),
            faults: Vec::new(),
        }
    }

    fn blank(memory: &'m mut Memory) -> Self {
        Self::new(memory, RamNor::new(vec![0xFF; EVENTS.end() as usize]))
    }

    /// Switches off; returns the memory that survives.
    fn off(mut self) -> RamNor<Vec<u8>> {
        self.flash = self.store.take().unwrap().flash().clone();
        self.flash
    }

    /// Polls until nothing is left.
    fn poll(&mut self) -> Vec<Did> {
        let mut did = Vec::new();
        while self.uplink.poll(self.now, None) {
            match self.uplink.output().unwrap() {
                Output::Reconnect => did.push(Did::Reconnect),
                Output::Publish { topic, payload } => {
                    assert!(payload.len() <= MAX_MESSAGE);
                    let Some(Topic::Up(BOX, leaf)) = Topic::parse(&topic) else {
                        panic!("{topic}")
                    };
                    did.push(match leaf {
                        Up::Hello => Did::Hello(Hello::decode(payload).unwrap()),
                        Up::Get => Did::Get(Get::decode(payload).unwrap()),
                        Up::Ack => Did::Ack(Ack::decode(payload).unwrap()),
                        Up::Nack => Did::Nack(Nack::decode(payload).unwrap()),
                        Up::Events => Did::Events(
                            BatchReader::new(payload)
                                .unwrap()
                                .map(|raw| raw.unwrap().id)
                                .collect(),
                        ),
                        Up::Will => panic!("the broker publishes the will"),
                    });
                }
                Output::Store(op) => {
                    let done = match self.faults.pop() {
                        Some(fault) => Done {
                            token: TOKEN,
                            result: Err(fault),
                        },
                        None => run(self.store.as_mut().unwrap().execute(TOKEN, &op)),
                    };
                    self.ops.push(op);
                    if let Some(site) = self.uplink.stored(self.now, done) {
                        did.push(Did::Applied(site.clone()));
                    }
                }
            }
        }
        did
    }

    /// Goes to the next deadline and polls there; nothing if there is none.
    fn wait(&mut self) -> Option<(u64, Vec<Did>)> {
        let before = self.now;
        self.now = self.uplink.next_deadline()?.max(self.now);
        Some(((self.now - before).as_millis() as u64, self.poll()))
    }

    fn message<'a>(&mut self, leaf: Down, message: &impl Message<'a>) -> Vec<Did> {
        let mut buf = [0; MAX_MESSAGE];
        let payload = message.encode(&mut buf).unwrap().to_vec();
        self.raw(leaf, &payload)
    }

    fn raw(&mut self, leaf: Down, payload: &[u8]) -> Vec<Did> {
        self.uplink
            .message(self.now, &Topic::Down(BOX, leaf).name(), payload);
        self.poll()
    }

    /// Connects and is welcomed.
    fn connect(&mut self) -> Hello {
        self.uplink.connected(self.now);
        let mut did = self.poll();
        let Some(Did::Hello(hello)) = did.pop() else {
            panic!("{did:?}")
        };
        hello
    }

    fn welcome(&mut self) -> Vec<Did> {
        self.message(
            Down::AppAck,
            &AppAck {
                up_to: None,
                unix: 1_790_000_000_000,
            },
        )
    }

    /// Answers every `get` from this site's sections until something else happens.
    fn feed(&mut self, mut did: Vec<Did>, site: &Site) -> (u32, Vec<Did>) {
        let sections = sections(site);
        let mut gets = 0;
        loop {
            let [Did::Get(get)] = did[..] else {
                return (gets, did);
            };
            let (_, bytes) = sections
                .iter()
                .find(|(section, _)| section.hash == get.hash)
                .expect("a section of it");
            let start = get.offset as usize;
            let data = &bytes[start..start + usize::from(get.len)];
            gets += 1;
            did = self.message(
                Down::Chunk,
                &Chunk {
                    kind: get.kind,
                    hash: get.hash,
                    offset: get.offset,
                    data,
                },
            );
        }
    }
}

/// The message that gives the box this site, after `change` has spoilt the manifest.
fn manifest_with(target: &Committed, signer: &salty::Keypair, change: impl FnOnce(&mut Manifest)) -> Vec<u8> {
    let mut manifest = Manifest {
        box_id: BOX,
        epoch: target.epoch,
        key_epoch: target.key_epoch,
        issued: 1_790_000_000,
        not_after: 0,
        sections: target.sections.clone(),
        root: target.root,
    };
    change(&mut manifest);
    let mut buf = [0; MAX_MANIFEST];
    let mut message = SignedManifest {
        manifest: manifest.encode(&mut buf).unwrap(),
        signature: &[],
    };
    let signature = signer.sign(&message.signed().unwrap()).to_bytes();
    message.signature = &signature;
    let mut buf = [0; MAX_MESSAGE];
    message.encode(&mut buf).unwrap().to_vec()
}

fn manifest(site: &Site, epoch: u64) -> Vec<u8> {
    manifest_with(&committed(site, epoch), &keys(1), |_| {})
}

fn commits(ops: &[Op]) -> usize {
    ops.iter().filter(|op| matches!(op, Op::Commit(_))).count()
}

/// Brings a box to this site.
fn apply(it: &mut Box<'_>, site: &Site, epoch: u64) -> u32 {
    let did = it.raw(Down::Manifest, &manifest(site, epoch));
    let (gets, did) = it.feed(did, site);
    let ack = Ack {
        epoch,
        root: committed(site, epoch).root,
    };
    assert_eq!(did, [Did::Applied(site.clone()), Did::Ack(ack)]);
    gets
}

#[test]
fn a_configuration_is_pulled_checked_committed_once_and_acknowledged() {
    let mut memory = Memory::new();
    let mut it = Box::blank(&mut memory);
    let hello = it.connect();
    assert_eq!(
        (hello.epoch, hello.root, hello.boot, hello.queued),
        (0, [0; 32], 1, 0)
    );
    assert_eq!(it.welcome(), []);
    assert_eq!(it.uplink.wall(it.now), Some(1_790_000_000_000));
    let target = site(40, 1);
    assert_eq!(
        apply(&mut it, &target, 1),
        1 + 2 + 2 + 1,
        "pieces of sys, ids, credentials, reps"
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
    let mut it = Box::new(&mut memory, flash);
    let hello = it.connect();
    assert_eq!(
        (hello.epoch, hello.root, hello.boot),
        (2, committed(&next, 2).root, 2)
    );
}

#[test]
fn every_bad_manifest_is_refused_with_its_reason_and_changes_nothing() {
    let mut memory = Memory::new();
    let mut it = Box::blank(&mut memory);
    it.connect();
    it.welcome();
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
            spoilt(|m| m.sections[1].schema = 2),
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
    let mut it = Box::blank(&mut memory);
    it.connect();
    it.welcome();
    apply(&mut it, &site(3, 1), 1);

    // One bit of the content.
    let new = site(3, 2);
    let did = it.raw(Down::Manifest, &manifest(&new, 2));
    let [Did::Get(get)] = did[..] else {
        panic!("{did:?}")
    };
    let mut data = sections(&new)[0].1.clone();
    data[5] ^= 1;
    let chunk = Chunk {
        kind: get.kind,
        hash: get.hash,
        offset: 0,
        data: &data,
    };
    let nack = |epoch, code| vec![Did::Nack(Nack { epoch, have: 1, code })];
    assert_eq!(
        it.message(Down::Chunk, &chunk),
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
        did = it.message(
            Down::Chunk,
            &Chunk {
                kind: get.kind,
                hash: get.hash,
                offset: 0,
                data: &data,
            },
        );
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
    let mut it = Box::blank(&mut memory);
    it.connect();
    it.welcome();
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
        it.message(Down::Chunk, &piece(0, 0, 1_024)),
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
        assert_eq!(it.message(Down::Chunk, &piece((index + 1) % 4, 0, 1_024)), []);
        assert_eq!(it.message(Down::Chunk, &piece(index, at, 7)), []);
        if at > 0 {
            assert_eq!(it.message(Down::Chunk, &piece(index, at - 1_024, 1_024)), []);
        }
        let mut wrong = piece(index, at, 1_024);
        wrong.offset += 4;
        assert_eq!(it.message(Down::Chunk, &wrong), []);
        let mut wrong = piece(index, at, 1_024);
        wrong.hash[0] ^= 1;
        assert_eq!(it.message(Down::Chunk, &wrong), []);
        assert_eq!(it.raw(Down::Chunk, &[1, 2, 3]), []);
        // The same manifest again asks for the same piece again.
        assert_eq!(it.raw(Down::Manifest, &manifest(&target, 1)), did);
        did = it.message(Down::Chunk, &piece(index, at, 1_024));
    }
    assert_eq!(did.len(), 2, "{did:?}");
    assert_eq!(
        seen.iter().filter(|(kind, _)| *kind == SectionKind::Ids).count(),
        2
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
        it.uplink.message(it.now, topic, &manifest(&site(3, 9), 9));
        assert_eq!(it.poll(), []);
    }
    assert_eq!(it.uplink.counters().ignored, before + 4);
}

#[test]
fn a_newer_manifest_overtakes_an_older_one_never_the_other_way() {
    let mut memory = Memory::new();
    let mut it = Box::blank(&mut memory);
    it.connect();
    it.welcome();
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
        let bytes = &all[get.kind.index()].1;
        let data = &bytes[get.offset as usize..][..usize::from(get.len)];
        let chunk = Chunk {
            kind: get.kind,
            hash: get.hash,
            offset: get.offset,
            data,
        };
        let mut buf = [0; MAX_MESSAGE];
        it.uplink.message(
            it.now,
            &Topic::Down(BOX, Down::Chunk).name(),
            chunk.encode(&mut buf).unwrap(),
        );
        did.clear();
        while it.uplink.poll(it.now, None) {
            match it.uplink.output().unwrap() {
                Output::Publish { payload, .. } => did = vec![Did::Get(Get::decode(payload).unwrap())],
                Output::Store(op) => {
                    let done = run(it.store.as_mut().unwrap().execute(TOKEN, &op));
                    if matches!(op, Op::Commit(_)) {
                        it.uplink.message(
                            it.now,
                            &Topic::Down(BOX, Down::Manifest).name(),
                            &manifest(&fourth, 4),
                        );
                        assert_eq!(it.uplink.stored(it.now, done), Some(&third));
                        break 'fetch;
                    }
                    assert_eq!(it.uplink.stored(it.now, done), None);
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
    let mut it = Box::blank(&mut memory);
    it.connect();
    it.welcome();
    let target = site(40, 1);
    let all = sections(&target);
    let mut did = it.raw(Down::Manifest, &manifest(&target, 1));
    // All of sys, one piece of ids.
    for _ in 0..2 {
        let get = last_get(&did);
        let data = &all[get.kind.index()].1[get.offset as usize..][..usize::from(get.len)];
        did = it.message(
            Down::Chunk,
            &Chunk {
                kind: get.kind,
                hash: get.hash,
                offset: get.offset,
                data,
            },
        );
    }
    it.uplink.disconnected(it.now);
    it.connect();
    let did = it.welcome();
    let get = last_get(&did);
    assert_eq!((get.kind, get.offset), (SectionKind::Ids, 1_024), "where it was");

    let flash = it.off();
    let mut memory = Memory::new();
    let mut it = Box::new(&mut memory, flash);
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
    let mut it = Box::blank(&mut memory);
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

fn event(index: u16) -> EventBody {
    EventBody::Registration {
        terminal: IdKey::new(index % 64).unwrap(),
        registered: true,
    }
}

fn ids(boot: u32, seqs: std::ops::Range<u32>) -> Vec<EventId> {
    seqs.map(|seq| EventId { boot, seq }).collect()
}

#[test]
fn an_event_is_in_the_flash_before_it_is_sent_and_until_the_cloud_has_it() {
    let mut memory = Memory::new();
    let mut it = Box::blank(&mut memory);
    for index in 0..3 {
        assert!(it.uplink.event(it.now, Stamp::default(), event(index)));
    }
    assert_eq!(it.poll(), []);
    assert_eq!(it.ops.len(), 3, "written without a connection");
    let flash = it.off();

    let mut memory = Memory::new();
    let mut it = Box::new(&mut memory, flash);
    assert_eq!(it.connect().queued, 3);
    it.uplink.event(it.now, Stamp::default(), event(9));
    assert_eq!(it.poll(), []);
    let mut batch = ids(1, 0..3);
    batch.extend(ids(2, 0..1));
    assert_eq!(it.welcome(), [Did::Events(batch.clone())]);
    // Not answered: again and again.
    let (waited, did) = it.wait().unwrap();
    assert_eq!((waited, did), (5_000, vec![Did::Events(batch.clone())]));
    // Acknowledgements that are not for the end of this batch: late ones, another life's.
    for other in [
        EventId { boot: 1, seq: 2 },
        EventId { boot: 2, seq: 1 },
        EventId {
            boot: u32::MAX,
            seq: 0,
        },
    ] {
        assert_eq!(
            it.message(
                Down::AppAck,
                &AppAck {
                    up_to: Some(other),
                    unix: 0
                }
            ),
            []
        );
    }
    // A new connection: the batch again.
    it.uplink.disconnected(it.now);
    it.connect();
    assert_eq!(it.welcome(), [Did::Events(batch.clone())]);
    it.ops.clear();
    let last = *batch.last().unwrap();
    assert_eq!(
        it.message(
            Down::AppAck,
            &AppAck {
                up_to: Some(last),
                unix: 0
            }
        ),
        []
    );
    assert!(
        matches!(it.ops[..], [Op::DropEvents { count: 4, .. }]),
        "{:?}",
        it.ops
    );
    assert_eq!(it.uplink.queued(), 0);
    // The same acknowledgement again is nobody's.
    assert_eq!(
        it.message(
            Down::AppAck,
            &AppAck {
                up_to: Some(last),
                unix: 0
            }
        ),
        []
    );
    assert_eq!(it.ops.len(), 1);
    let (waited, did) = it.wait().unwrap();
    assert!(
        (540_000..=660_000).contains(&waited),
        "quiet for a while: {waited}"
    );
    assert!(matches!(did[..], [Did::Hello(_)]), "is the cloud still the same?");
    assert_eq!(it.welcome(), []);
    // The next event goes out at once.
    it.uplink.event(it.now, Stamp::default(), event(1));
    assert_eq!(it.poll(), [Did::Events(ids(2, 1..2))]);
}

#[test]
fn a_failing_store_delays_events_and_loses_none() {
    let mut memory = Memory::new();
    let mut it = Box::blank(&mut memory);
    it.connect();
    it.welcome();
    it.faults = vec![Fault::Flash; 3];
    it.uplink.event(it.now, Stamp::default(), event(0));
    it.uplink.event(it.now, Stamp::default(), event(1));
    assert_eq!(it.poll(), []);
    let mut waits = Vec::new();
    loop {
        let (waited, did) = it.wait().unwrap();
        waits.push(waited);
        if !did.is_empty() {
            assert_eq!(did, [Did::Events(ids(1, 0..2))]);
            break;
        }
    }
    assert_eq!(waits, [1_000, 2_000, 4_000]);
    assert_eq!(it.uplink.counters().faults, 3);
}

#[test]
fn what_finds_no_room_is_refused_counted_and_told() {
    let mut memory = Memory::new();
    let mut it = Box::blank(&mut memory);
    // More at once than wait in memory.
    let taken = (0..WAITING as u16 + 5)
        .filter(|index| it.uplink.event(it.now, Stamp::default(), event(*index)))
        .count();
    assert_eq!((taken, it.uplink.counters().refused), (WAITING, 5));
    it.poll();
    // The flash queue fills up.
    let long = EventBody::Panic(PanicNote {
        message: "x".repeat(190).as_str().try_into().unwrap(),
        uptime: 0,
    });
    while it.uplink.counters().refused == 5 {
        it.uplink.event(it.now, Stamp::default(), long.clone());
        it.poll();
    }
    let held = it.uplink.queued();
    assert!(held > 4_000, "{held}");
    assert_eq!(it.uplink.counters().refused, 6);

    // The cloud takes all of them, in order and without gaps, and then learns how many are missing.
    it.connect();
    let mut did = it.welcome();
    let mut seen = Vec::new();
    while let [Did::Events(batch)] = &did[..] {
        seen.extend(batch.clone());
        let up_to = batch.last().copied();
        did = it.message(Down::AppAck, &AppAck { up_to, unix: 0 });
    }
    assert_eq!(seen, ids(1, 0..seen.len() as u32));
    assert!(seen.len() as u32 > held, "and the alarm");
    let told = it.ops.iter().rev().find_map(|op| match op {
        Op::PushEvent(bytes) => match Event::decode(bytes).unwrap().body {
            EventBody::Alarm {
                alarm: Alarm::EventsRefused(count),
                ..
            } => Some(count),
            _ => None,
        },
        _ => None,
    });
    assert_eq!(told, Some(6));
}

#[test]
fn a_configuration_that_cannot_be_read_is_asked_for_anew() {
    let mut memory = Memory::new();
    let mut it = Box::blank(&mut memory);
    it.connect();
    it.welcome();
    let target = site(3, 1);
    apply(&mut it, &target, 4);
    let mut flash = it.off();
    flash.bytes_mut()[gateway::store::map::CONFIG_A.start as usize + 8_192 + 20] ^= 4;
    let mut memory = Memory::new();
    let mut it = Box::new(&mut memory, flash);
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
    let mut it = Box::blank(&mut memory);
    it.connect();
    it.welcome();
    apply(&mut it, &old, 1);
    let flash = it.off();
    let mut cuts = 0;
    for change in 0.. {
        let mut memory = Memory::new();
        let mut it = Box::new(&mut memory, flash.clone());
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
        let mut it = Box::new(&mut memory, flash);
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

#[test]
fn nothing_happens_before_the_store_was_read() {
    let mut memory = Memory::new();
    let mut uplink = Uplink::new(&mut memory, &factory());
    uplink.connected(Instant(0));
    uplink.message(
        Instant(0),
        &Topic::Down(BOX, Down::Manifest).name(),
        &manifest(&site(3, 1), 1),
    );
    uplink.event(Instant(0), Stamp::default(), event(1));
    assert!(!uplink.poll(Instant(1_000_000), None));
    assert_eq!(uplink.next_deadline(), None);
    let foreign = Done {
        token: gateway::store::Token(5),
        result: Ok(Reply::Stored),
    };
    assert_eq!(uplink.stored(Instant(0), foreign), None);
}
