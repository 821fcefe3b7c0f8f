//! The cloud's side of the synchronisation: what it answers, and what it never answers.

use cloud::sync::{Engine, MemoryStore, Outgoing, Report, SyncError, SyncStore as _, When};
use ed25519_dalek::{Signature, SigningKey, Verifier};
use sha2::{Digest as _, Sha256};
use shared::hub::{PhoneFirmware, PhoneModel};
use shared::site::{Id, SectionKind, Site, Sys, section_hash};
use shared::sync::*;
use shared::{BoxId, IdKey, Number, TerminalKind};

const BOX: BoxId = BoxId(5);
const NOW: u64 = 1_790_000_000_000;

fn engine() -> Engine<MemoryStore> {
    Engine::new(MemoryStore::default(), SigningKey::from_bytes(&[3; 32]), 2)
}

fn site(ids: u16) -> Site {
    let mut site = Site {
        sys: Sys {
            channels: 64,
            realm: "denwaban.example".try_into().unwrap(),
            ..Sys::default()
        },
        ..Site::default()
    };
    for index in 0..ids {
        let direct = Number::parse(&format!("03123{index:05}")).unwrap();
        site.ids
            .push(Id {
                key: IdKey::new(index).unwrap(),
                direct,
                extension: (200 + u32::from(index)).try_into().unwrap(),
                direct_in: true,
                direct_out: true,
                label: "x".repeat(48).as_str().try_into().unwrap(),
                kind: TerminalKind::Fixed,
                outgoing: direct,
                site: site.sys.site,
                port: None,
                phone: None,
            })
            .unwrap();
    }
    site
}

/// Runs a future over the store in memory, which never waits.
fn run<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    loop {
        if let std::task::Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
    }
}

type Answer = Result<Vec<Outgoing>, SyncError<cloud::sync::Failed>>;

fn raw(engine: &Engine<MemoryStore>, now: u64, leaf: Up, payload: &[u8]) -> Answer {
    run(engine.message(now, &Topic::Up(BOX, leaf).name(), payload))
}

fn say<'a>(engine: &Engine<MemoryStore>, now: u64, leaf: Up, message: &impl Message<'a>) -> Answer {
    let mut buf = [0; MAX_MESSAGE];
    raw(engine, now, leaf, message.encode(&mut buf).unwrap())
}

fn hello(epoch: u64, root: [u8; 32]) -> Hello {
    let firmware = "0.1".try_into().unwrap();
    Hello {
        protocol: 1,
        boot: 1,
        epoch,
        root,
        firmware,
        rx_max: 4_096,
        queued: 0,
        refused: 0,
    }
}

fn manifest(out: &Outgoing) -> Manifest {
    assert_eq!(out.topic, Topic::Down(BOX, Down::Manifest));
    let signed = SignedManifest::decode(&out.payload).unwrap();
    let key = SigningKey::from_bytes(&[3; 32]).verifying_key();
    let signature = Signature::from_slice(signed.signature).unwrap();
    key.verify(&signed.signed().unwrap(), &signature).unwrap();
    signed.manifest().unwrap()
}

fn event(seq: u32) -> Vec<u8> {
    let body = EventBody::Registration {
        terminal: IdKey::new(1).unwrap(),
        registered: true,
    };
    let mut buf = [0; MAX_EVENT];
    let id = EventId { boot: 1, seq };
    Event {
        id,
        at: Default::default(),
        body,
    }
    .encode(&mut buf)
    .unwrap()
    .to_vec()
}

fn batch(events: &[Vec<u8>]) -> Vec<u8> {
    let mut buf = [0; MAX_MESSAGE];
    let mut batch = BatchWriter::new(&mut buf).unwrap();
    events.iter().for_each(|event| batch.push(event).unwrap());
    batch.finish().to_vec()
}

#[test]
fn hello_is_always_answered_and_brings_the_manifest_if_something_else_is_wanted() {
    let engine = engine();
    let out = say(&engine, NOW, Up::Hello, &hello(0, [0; 32])).unwrap();
    let [ack] = &out[..] else { panic!("{out:?}") };
    assert_eq!(ack.topic, Topic::Down(BOX, Down::AppAck));
    assert_eq!(
        AppAck::decode(&ack.payload),
        Ok(AppAck {
            up_to: None,
            unix: NOW
        })
    );
    assert_eq!(engine.online(), [BOX]);

    let (epoch, out) = run(engine.configure(NOW, BOX, &site(3))).unwrap();
    assert_eq!(epoch, 1);
    let wanted = manifest(&out[0]);
    assert_eq!(
        (wanted.box_id, wanted.epoch, wanted.key_epoch, wanted.issued),
        (BOX, 1, 2, NOW / 1_000)
    );
    assert!(wanted.is_complete());
    // The same content is not a new epoch; other content is.
    assert_eq!(run(engine.configure(NOW, BOX, &site(3))).unwrap().0, 1);
    assert_eq!(run(engine.configure(NOW, BOX, &site(4))).unwrap().0, 2);
    // Going back to old content is a new epoch too.
    let (epoch, out) = run(engine.configure(NOW, BOX, &site(3))).unwrap();
    assert_eq!((epoch, manifest(&out[0]).root), (3, wanted.root));

    assert_eq!(
        say(&engine, NOW, Up::Hello, &hello(3, wanted.root))
            .unwrap()
            .len(),
        1,
        "up to date"
    );
    assert_eq!(
        say(&engine, NOW, Up::Hello, &hello(2, wanted.root))
            .unwrap()
            .len(),
        2,
        "an older epoch"
    );
    let out = say(&engine, NOW, Up::Hello, &hello(3, [1; 32])).unwrap();
    assert_eq!(
        manifest(&out[1]).epoch,
        4,
        "the same epoch with other content: a new one"
    );
    let out = say(&engine, NOW, Up::Hello, &hello(90, [1; 32])).unwrap();
    assert_eq!(
        manifest(&out[1]).epoch,
        91,
        "an epoch from before the database was restored"
    );
}

#[test]
fn an_invalid_site_is_not_issued() {
    let engine = engine();
    let mut invalid = site(3);
    invalid.ids[1].extension = invalid.ids[0].extension;
    assert!(matches!(
        run(engine.configure(NOW, BOX, &invalid)),
        Err(SyncError::Invalid(_))
    ));
    assert_eq!(say(&engine, NOW, Up::Hello, &hello(0, [0; 32])).unwrap().len(), 1);
}

#[test]
fn a_section_is_given_piece_by_piece_by_its_hash() {
    let engine = engine();
    run(engine.configure(NOW, BOX, &site(40))).unwrap();
    let out = say(&engine, NOW, Up::Hello, &hello(0, [0; 32])).unwrap();
    for section in manifest(&out[1]).sections {
        let mut bytes = Vec::new();
        loop {
            let offset = bytes.len() as u32;
            let get = Get {
                kind: section.kind,
                hash: section.hash,
                offset,
                len: u16::MAX,
            };
            let out = say(&engine, NOW, Up::Get, &get).unwrap();
            assert!(out[0].payload.len() <= MAX_MESSAGE);
            let chunk = Chunk::decode(&out[0].payload).unwrap();
            assert_eq!(
                (chunk.kind, chunk.hash, chunk.offset),
                (section.kind, section.hash, offset)
            );
            assert!(chunk.data.len() <= MAX_CHUNK);
            if chunk.data.is_empty() {
                break;
            }
            bytes.extend_from_slice(chunk.data);
        }
        use sha2::Digest;
        assert_eq!(bytes.len(), section.len as usize);
        let hash = section_hash(section.kind, section.schema)
            .chain_update(&bytes)
            .finalize();
        assert_eq!(section.hash, <[u8; 32]>::from(hash));
    }
    // What is not wanted any more, and places far outside.
    let get = Get {
        kind: SectionKind::Ids,
        hash: [1; 32],
        offset: 0,
        len: 10,
    };
    assert_eq!(say(&engine, NOW, Up::Get, &get).unwrap(), []);
    let out = manifest(&say(&engine, NOW, Up::Hello, &hello(0, [0; 32])).unwrap()[1]);
    let get = Get {
        kind: SectionKind::Ids,
        hash: out.sections[1].hash,
        offset: u32::MAX,
        len: 10,
    };
    let out = say(&engine, NOW, Up::Get, &get).unwrap();
    assert!(Chunk::decode(&out[0].payload).unwrap().data.is_empty());
}

/// Of a file every place is given, and no more than a message holds; of what the configuration does not name nothing.
#[test]
fn a_file_is_given_piece_by_piece_as_long_as_it_is_wanted() {
    let engine = engine();
    let bytes: Vec<u8> = (0..2_500_u32).map(|index| (index / 7) as u8).collect();
    let hash = Sha256::digest(&bytes).into();
    let ask = |hash, offset, len| {
        let out = say(&engine, NOW, Up::FileGet, &FileGet { hash, offset, len }).unwrap();
        let out = out.into_iter().next()?;
        assert_eq!(out.topic, Topic::Down(BOX, Down::FileChunk));
        let chunk = FileChunk::decode(&out.payload).unwrap();
        assert_eq!((chunk.hash, chunk.offset), (hash, offset));
        Some(chunk.data.to_vec())
    };
    engine.store().keep_file(&bytes);
    assert_eq!(ask(hash, 0, 100), None, "no configuration");
    let mut wanting = site(3);
    let firmware = PhoneFirmware {
        model: PhoneModel::Gxp1628,
        name: "gxp1600fw.bin".try_into().unwrap(),
        version: "1.0.7.64".try_into().unwrap(),
        size: 2_500,
        hash,
    };
    wanting.sys.firmware.push(firmware).unwrap();
    run(engine.configure(NOW, BOX, &wanting)).unwrap();
    for (offset, len, end) in [
        (0, 1_024, 1_024),
        (1_000, 1_024, 2_024),
        (0, u16::MAX, 1_024),
        (2_400, 1_024, 2_500),
        (2_499, 1, 2_500),
    ] {
        let expected = &bytes[offset as usize..end];
        assert_eq!(
            ask(hash, offset, len).as_deref(),
            Some(expected),
            "{offset} {len}"
        );
    }
    for (hash, offset, len) in [
        (hash, 2_500, 1),
        (hash, u32::MAX, 1_024),
        (hash, 0, 0),
        ([1; 32], 0, 1),
    ] {
        assert_eq!(ask(hash, offset, len), None, "{offset} {len}");
    }
    engine.store().set_fault(Some(Box::new(|_| Some(When::Before))));
    let get = FileGet {
        hash,
        offset: 0,
        len: 1,
    };
    assert!(matches!(
        say(&engine, NOW, Up::FileGet, &get),
        Err(SyncError::Store(_))
    ));
    engine.store().set_fault(None);
    run(engine.configure(NOW, BOX, &site(3))).unwrap();
    assert_eq!(ask(hash, 0, 100), None, "no longer wanted");
}

#[test]
fn a_manifest_is_offered_until_it_is_taken() {
    let engine = engine();
    say(&engine, NOW, Up::Hello, &hello(0, [0; 32])).unwrap();
    run(engine.configure(NOW, BOX, &site(3))).unwrap();
    let mut waits = Vec::new();
    let mut now = NOW;
    for _ in 0..8 {
        let again = engine.next_deadline().unwrap();
        assert_eq!(run(engine.tick(again - 1)).unwrap(), [], "not before its time");
        let out = run(engine.tick(again)).unwrap();
        assert_eq!(manifest(&out[0]).epoch, 1);
        waits.push((again - now) / 1_000);
        now = again;
    }
    assert_eq!(waits, [10, 20, 40, 80, 160, 320, 600, 600]);
    // A refusal does not stop it; an acknowledgement of something older neither.
    let nack = Nack {
        epoch: 1,
        have: 0,
        code: NackCode::HashMismatch(SectionKind::Ids),
    };
    assert_eq!(say(&engine, now, Up::Nack, &nack).unwrap(), []);
    assert_eq!(engine.offered(BOX), Some(1));
    say(
        &engine,
        now,
        Up::Ack,
        &Ack {
            epoch: 0,
            root: [0; 32],
        },
    )
    .unwrap();
    assert_eq!(engine.offered(BOX), Some(1));
    say(
        &engine,
        now,
        Up::Ack,
        &Ack {
            epoch: 1,
            root: [0; 32],
        },
    )
    .unwrap();
    assert_eq!((engine.offered(BOX), engine.next_deadline()), (None, None));
    let reports = engine.store().reports(BOX);
    assert!(matches!(
        reports[..],
        [
            Report::Online(_),
            Report::Refused(_),
            Report::Applied(_),
            Report::Applied(_)
        ]
    ));
    // A box that is gone is offered nothing.
    run(engine.configure(now, BOX, &site(4))).unwrap();
    raw(&engine, now, Up::Will, &[]).unwrap();
    assert_eq!((engine.online(), engine.next_deadline()), (vec![], None));
    assert_eq!(run(engine.configure(now, BOX, &site(5))).unwrap().1, []);
    assert_eq!(engine.store().reports(BOX).last(), Some(&Report::Offline));
}

#[test]
fn events_are_acknowledged_after_their_commit_and_stored_once() {
    let engine = engine();
    let message = batch(&[event(0), event(1)]);
    for when in [When::Before, When::After] {
        engine.store().set_fault(Some(Box::new(move |_| Some(when))));
        assert!(
            matches!(raw(&engine, NOW, Up::Events, &message), Err(SyncError::Store(_))),
            "no answer"
        );
    }
    engine.store().set_fault(None);
    for _ in 0..3 {
        let out = raw(&engine, NOW, Up::Events, &message).unwrap();
        let up_to = Some(EventId { boot: 1, seq: 1 });
        assert_eq!(AppAck::decode(&out[0].payload), Ok(AppAck { up_to, unix: NOW }));
    }
    raw(&engine, NOW, Up::Events, &batch(&[event(1), event(2)])).unwrap();
    let seqs: Vec<_> = engine
        .store()
        .events(BOX)
        .iter()
        .map(|event| event.id.seq)
        .collect();
    assert_eq!(seqs, [0, 1, 2]);
    // A late repetition is acknowledged by its own end, and what hello tells is the newest.
    let out = raw(&engine, NOW, Up::Events, &message).unwrap();
    assert_eq!(
        AppAck::decode(&out[0].payload).unwrap().up_to,
        Some(EventId { boot: 1, seq: 1 })
    );
    let out = say(&engine, NOW, Up::Hello, &hello(0, [0; 32])).unwrap();
    assert_eq!(
        AppAck::decode(&out[0].payload).unwrap().up_to,
        Some(EventId { boot: 1, seq: 2 })
    );
}

/// What is at the ports is kept as it was told last; an order goes out as it is, once.
#[test]
fn the_hub_tells_and_is_told() {
    let engine = engine();
    for budget in [600, 300] {
        let report = HubReport {
            budget,
            ..HubReport::default()
        };
        assert_eq!(say(&engine, NOW, Up::Hub, &report).unwrap(), []);
        assert_eq!(
            engine.store().reports(BOX).last(),
            Some(&Report::Hub(Box::new(report)))
        );
    }
    let order = HubOrder::Power {
        port: 2,
        order: PowerOrder::Cycle,
        force: false,
    };
    let out = engine.hub(BOX, &order).unwrap();
    assert_eq!((out.len(), out[0].topic), (1, Topic::Down(BOX, Down::Hub)));
    assert_eq!(HubOrder::decode(&out[0].payload), Ok(order));
}

/// A phone's new password is in the configuration that its box is offered next, where the store made one.
#[test]
fn a_password_is_followed_by_an_offer() {
    let engine = engine();
    let now = NOW;
    say(&engine, now, Up::Hello, &hello(0, [0; 32])).unwrap();
    let told = |seq, body| {
        let event = Event {
            id: EventId { boot: 1, seq },
            at: shared::record::Stamp::default(),
            body,
        };
        let mut buf = [0; MAX_EVENT];
        let bytes = event.encode(&mut buf).unwrap().to_vec();
        let out = raw(&engine, now, Up::Events, &batch(&[bytes])).unwrap();
        out.iter().map(|message| message.topic).collect::<Vec<_>>()
    };
    let secret = PhoneSecret {
        key: IdKey::new(0).unwrap(),
        claim: 1,
        serial: 1,
        ha1_md5: [1; 16],
        ha1_sha256: [2; 32],
    };
    let ack = Topic::Down(BOX, Down::AppAck);
    assert_eq!(
        told(1, EventBody::PhoneSecret(secret.clone())),
        [ack],
        "nothing to offer"
    );
    run(engine.store().issue(
        BOX,
        &cloud::sync::encode::<cloud::sync::Failed>(&site(1)).unwrap(),
        0,
        0,
    ))
    .unwrap();
    assert_eq!(
        told(2, EventBody::PhoneSecret(secret.clone())),
        [ack, Topic::Down(BOX, Down::Manifest)]
    );
    // It is on its way already; and other events offer nothing.
    assert_eq!(told(3, EventBody::PhoneSecret(secret)), [ack]);
    assert_eq!(told(4, EventBody::PortCycled { port: 1 }), [ack]);
}

#[test]
fn an_event_of_an_unknown_schema_is_kept_as_it_is_and_blocks_nothing() {
    let engine = engine();
    let mut unknown = event(1);
    unknown[0] = 7;
    raw(
        &engine,
        NOW,
        Up::Events,
        &batch(&[event(0), unknown.clone(), event(2)]),
    )
    .unwrap();
    let events = engine.store().events(BOX);
    assert_eq!(events.len(), 3);
    assert_eq!((&events[1].bytes, &events[1].event), (&unknown, &None));
    assert!(events[2].event.is_some());
}

#[test]
fn what_no_box_says_is_refused_and_changes_nothing() {
    let engine = engine();
    for topic in [
        "",
        "b/x/hello",
        "c/aaaaaaaaaaaak/m",
        "b/aaaaaaaaaaaak/nothing",
        "$SYS/x",
    ] {
        assert!(
            matches!(run(engine.message(NOW, topic, &[])), Err(SyncError::Topic)),
            "{topic}"
        );
    }
    let good = batch(&[event(0)]);
    for payload in [
        &[][..],
        &[9],
        &[1; MAX_MESSAGE + 1],
        &good[..good.len() - 1],
        &[1, 0xFF, 0xFF],
    ] {
        for leaf in [
            Up::Hello,
            Up::Get,
            Up::FileGet,
            Up::Ack,
            Up::Nack,
            Up::Hub,
            Up::Events,
        ] {
            assert!(
                matches!(raw(&engine, NOW, leaf, payload), Err(SyncError::Message(_))),
                "{leaf:?} {payload:?}"
            );
        }
    }
    assert_eq!(raw(&engine, NOW, Up::Events, &[1]).unwrap(), [], "an empty batch");
    assert_eq!((engine.store().events(BOX).len(), engine.online()), (0, vec![]));
    assert!(engine.store().reports(BOX).is_empty());
}
