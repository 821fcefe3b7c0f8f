//! What a message may hold at the most, and what is none.

use crate::common::{key, number, office};
use crate::{encode, event, leg};
use shared::BoxId;
use shared::hub::{Link, Mac, PhoneModel, PortPower, PowerFault};
use shared::id::IdSet;
use shared::record::{CallLeg, FinalState, Stamp};
use shared::site::{MAX_SECTION, SectionKind, root_hash};
use shared::sync::*;

#[test]
fn the_largest_report_fits() {
    let long = || "x".repeat(32).as_str().try_into().unwrap();
    let port = PortReport {
        link: Link::Mbps1000,
        power: PortPower::Fault(PowerFault::Controller),
        class: Some(u8::MAX),
        draw: u16::MAX,
        granted: u16::MAX,
        neighbour: Some(Neighbour {
            model: long(),
            firmware: long(),
        }),
        occupant: Occupant::Phone(Mac([0xFF; 6]), IdSet(u64::MAX)),
    };
    let waiting = Waiting {
        mac: Mac([0xFF; 6]),
        model: Some(PhoneModel::Ht802),
        port: Some(u8::MAX),
    };
    let mut report = HubReport {
        at: Stamp {
            mono: u64::MAX,
            unix: Some(u64::MAX),
        },
        uplink: Some(Link::Mbps1000),
        budget: u16::MAX,
        unlisted: u16::MAX,
        ..HubReport::default()
    };
    while report.ports.push(port.clone()).is_ok() {}
    while report.waiting.push(waiting).is_ok() {}
    let bytes = encode(&report);
    assert!(bytes.len() <= 640, "{}", bytes.len());
    assert_eq!(HubReport::decode(&bytes), Ok(report));
}

#[test]
fn the_largest_of_everything_fits() {
    let party = "9".repeat(32);
    let stamp = Stamp {
        mono: u64::MAX,
        unix: Some(u64::MAX),
    };
    let bodies = [
        EventBody::CallLeg(CallLeg {
            from: party.as_str().try_into().unwrap(),
            to: party.as_str().try_into().unwrap(),
            presented: Some(number("010123456789012345")),
            started: stamp,
            ringing: Some(stamp),
            answered: Some(stamp),
            ended: stamp,
            status: u16::MAX,
            state: FinalState::Refused(u16::MAX),
            ..leg()
        }),
        EventBody::Panic(PanicNote {
            message: "m".repeat(192).as_str().try_into().unwrap(),
            uptime: u64::MAX,
        }),
        EventBody::Boot {
            reason: BootReason::Unknown,
            firmware: "f".repeat(32).as_str().try_into().unwrap(),
        },
    ];
    let mut message = [0; MAX_MESSAGE];
    for body in bodies {
        let event = Event {
            id: EventId {
                boot: u32::MAX,
                seq: u32::MAX,
            },
            at: stamp,
            body,
        };
        let bytes = encode(&event);
        assert!(bytes.len() <= MAX_EVENT, "{}", bytes.len());
        assert_eq!(Event::decode(&bytes).as_ref(), Ok(&event));
        let mut batch = BatchWriter::new(&mut message).unwrap();
        while batch.push(&bytes).is_ok() {}
        let batch = batch.finish();
        assert!(batch.len() <= MAX_MESSAGE);
        assert!(
            BatchReader::new(batch)
                .unwrap()
                .all(|read| read.unwrap().bytes == bytes)
        );
    }
    let chunk = Chunk {
        kind: SectionKind::Ids,
        hash: [0xFF; 32],
        offset: u32::MAX,
        data: &[0xFF; MAX_CHUNK],
    };
    assert!(encode(&chunk).len() <= MAX_CHUNK + 64);
    let chunk = FileChunk {
        hash: [0xFF; 32],
        offset: u32::MAX,
        data: &[0xFF; MAX_CHUNK],
    };
    assert!(encode(&chunk).len() <= MAX_CHUNK + 64);
    let site = office();
    let mut buf = [0; MAX_SECTION];
    let sections = SectionKind::ALL.map(|kind| {
        let (mut section, _) = site.encode_section(kind, &mut buf).unwrap();
        (section.schema, section.len) = (u16::MAX, u32::MAX);
        section
    });
    let manifest = Manifest {
        box_id: BoxId(u64::MAX),
        epoch: u64::MAX,
        key_epoch: u32::MAX,
        issued: u64::MAX,
        not_after: u64::MAX,
        sections: sections.into_iter().collect(),
        root: root_hash(&sections),
    };
    let mut buf = [0; MAX_MANIFEST];
    let bytes = manifest.encode(&mut buf).unwrap();
    let signed = SignedManifest {
        manifest: bytes,
        signature: &[0xFF; 64],
    };
    assert!(signed.signed().unwrap().ends_with(bytes));
    let message = encode(&signed);
    assert!(message.len() <= 400, "{}", message.len());
    assert_eq!(SignedManifest::decode(&message).unwrap().manifest(), Ok(manifest));
}

#[test]
fn truncated_lengthened_and_foreign_messages_are_refused() {
    let hello = encode(&Hello {
        protocol: 1,
        boot: 2,
        epoch: 3,
        root: [4; 32],
        firmware: "0.1".try_into().unwrap(),
        rx_max: 4_096,
        queued: 0,
        refused: 0,
    });
    for cut in 0..hello.len() {
        assert!(Hello::decode(&hello[..cut]).is_err(), "{cut}");
    }
    assert_eq!(
        Hello::decode(&[&hello[..], &[0]].concat()),
        Err(MessageError::Malformed)
    );
    assert_eq!(
        Hello::decode(&[&[2], &hello[1..]].concat()),
        Err(MessageError::Schema)
    );
    assert_eq!(Hello::decode(&[1; MAX_MESSAGE + 1]), Err(MessageError::TooBig));
    assert_eq!(
        Ack {
            epoch: 1,
            root: [0; 32]
        }
        .encode(&mut [0; 10]),
        Err(MessageError::TooBig)
    );
    assert_eq!(
        Ack {
            epoch: 1,
            root: [0; 32]
        }
        .encode(&mut []),
        Err(MessageError::TooBig)
    );
}

#[test]
fn a_batch_is_read_event_by_event_up_to_the_first_fault() {
    let first = encode(&event(EventBody::Registration {
        terminal: key(1),
        registered: false,
    }));
    let mut buf = [0; 512];
    let mut batch = BatchWriter::new(&mut buf).unwrap();
    let mut pushed = 0;
    while batch.push(&first).is_ok() {
        pushed += 1;
    }
    assert_eq!((pushed, batch.events()), (BATCH_EVENTS, BATCH_EVENTS));
    let message = batch.finish().to_vec();
    assert_eq!(
        BatchReader::new(&message).unwrap().filter(Result::is_ok).count(),
        BATCH_EVENTS
    );
    // One event more than allowed, a cut, a length that lies, another schema.
    let one_more = [&message[..], &message[1..3 + first.len()]].concat();
    assert_eq!(
        BatchReader::new(&one_more).unwrap().last(),
        Some(Err(MessageError::TooBig))
    );
    let cut = &message[..message.len() - 1];
    assert_eq!(
        BatchReader::new(cut).unwrap().last(),
        Some(Err(MessageError::Malformed))
    );
    assert_eq!(
        BatchReader::new(&[1, 0xFF, 0xFF]).unwrap().collect::<Vec<_>>(),
        [Err(MessageError::TooBig)]
    );
    assert_eq!(
        BatchReader::new(&[1, 0, 0]).unwrap().collect::<Vec<_>>(),
        [Err(MessageError::Malformed)]
    );
    assert_eq!(BatchReader::new(&[2]).err(), Some(MessageError::Schema));
    assert_eq!(BatchReader::new(&[]).err(), Some(MessageError::Malformed));
    assert_eq!(
        BatchReader::new(&[1; MAX_MESSAGE + 1]).err(),
        Some(MessageError::TooBig)
    );
    // An event of a schema this program does not know still has its identity.
    let mut unknown = first.clone();
    unknown[0] = 9;
    let raw = RawEvent::new(&unknown).unwrap();
    assert_eq!(
        (raw.id, raw.decode()),
        (EventId { boot: 3, seq: 300 }, Err(MessageError::Schema))
    );
    let mut small = [0; 20];
    assert_eq!(
        BatchWriter::new(&mut small).unwrap().push(&[0; 18]),
        Err(MessageError::TooBig)
    );
}

#[test]
fn rubbish_is_refused_without_a_panic() {
    let mut random = 7u64;
    for length in (0..300).chain([1_000, 4_096, 5_000]) {
        for _ in 0..20 {
            let bytes: Vec<u8> = (0..length)
                .map(|place| {
                    random = random
                        .wrapping_mul(6364136223846793005)
                        .wrapping_add(1442695040888963407);
                    if place == 0 {
                        1
                    } else {
                        (random >> 40) as u8 >> (random & 7)
                    }
                })
                .collect();
            let _ = (
                Hello::decode(&bytes),
                AppAck::decode(&bytes),
                Get::decode(&bytes),
                Chunk::decode(&bytes),
            );
            let _ = (FileGet::decode(&bytes), FileChunk::decode(&bytes));
            let _ = (Ack::decode(&bytes), Nack::decode(&bytes), Event::decode(&bytes));
            let _ = (HubReport::decode(&bytes), HubOrder::decode(&bytes));
            let _ = SignedManifest::decode(&bytes)
                .map(|signed| (signed.manifest().is_ok(), signed.signed().is_ok()));
            let _ = BatchReader::new(&bytes).map(|reader| assert!(reader.count() <= BATCH_EVENTS + 1));
        }
    }
}
