//! Messages between box and cloud: topics, sizes, frozen bytes, bad input.

mod common;

use common::{key, number, office};
use shared::analog::{LineFault, LineLoad, LineTest, LineTestResult};
use shared::hub::{FetchOutcome, FetchRefusal, FileKind, Link, Mac, PhoneModel, PortPower, PowerFault};
use shared::id::IdSet;
use shared::record::{CallLeg, Direction, FinalState, Side, Stamp};
use shared::site::{Invalid, MAX_SECTION, Rule, SectionKind, root_hash};
use shared::sync::*;
use shared::{BoxId, SessionId};

const BOX: BoxId = BoxId(0x0123_4567_89AB_CDEF);

#[test]
fn topics_are_read_back_and_others_refused() {
    let ups = [
        Up::Hello,
        Up::Get,
        Up::FileGet,
        Up::Ack,
        Up::Nack,
        Up::Events,
        Up::Hub,
        Up::Will,
    ]
    .map(|leaf| Topic::Up(BOX, leaf));
    let downs = [
        Down::Manifest,
        Down::Chunk,
        Down::FileChunk,
        Down::AppAck,
        Down::TestLine,
        Down::Hub,
    ]
    .map(|leaf| Topic::Down(BOX, leaf));
    for topic in ups.into_iter().chain(downs) {
        let name = topic.name();
        assert_eq!(name.as_str(), topic.to_string(), "it fits");
        assert_eq!(Topic::parse(&name), Some(topic));
    }
    assert_eq!(ups[0].name(), "b/aerukz4jvpg66/hello");
    assert_eq!(Topic::filter(BOX), "c/aerukz4jvpg66/#");
    for name in [
        "",
        "b",
        "b/aerukz4jvpg66",
        "b/aerukz4jvpg66/",
        "b/aerukz4jvpg66/hello/",
        "b/aerukz4jvpg66/m",
        "c/aerukz4jvpg66/hello",
        "b/AERUKZ4JVPG66/hello",
        "x/aerukz4jvpg66/hello",
        "b/+/hello",
        "/b/aerukz4jvpg66/hello",
    ] {
        assert_eq!(Topic::parse(name), None, "{name}");
    }
}

fn leg() -> CallLeg {
    let stamp = Stamp {
        mono: 1_000,
        unix: None,
    };
    CallLeg {
        session: SessionId([0xAB; 16]),
        leg: 1,
        side: Side::Box,
        direction: Direction::Out,
        from: "201".try_into().unwrap(),
        to: "202".try_into().unwrap(),
        presented: None,
        terminal: Some(key(1)),
        started: stamp,
        ringing: Some(stamp),
        answered: None,
        ended: stamp,
        state: FinalState::Refused(486),
        status: 486,
    }
}

fn event(body: EventBody) -> Event {
    Event {
        id: EventId { boot: 3, seq: 300 },
        at: Stamp {
            mono: 5,
            unix: Some(6),
        },
        body,
    }
}

fn encode<'a>(message: &impl Message<'a>) -> Vec<u8> {
    let mut buf = [0; MAX_MESSAGE];
    message.encode(&mut buf).unwrap().to_vec()
}

#[test]
fn the_encodings_are_frozen() {
    let hash = [9; 32];
    assert_eq!(
        encode(&Hello {
            protocol: 1,
            boot: 2,
            epoch: 300,
            root: hash,
            firmware: "0.1".try_into().unwrap(),
            rx_max: 4_096,
            queued: 4,
            refused: 5,
        }),
        [&[1, 1, 2, 0xAC, 2][..], &hash, &[3], b"0.1", &[0x80, 0x20, 4, 5]].concat()
    );
    assert_eq!(
        encode(&AppAck {
            up_to: Some(EventId { boot: 1, seq: 2 }),
            unix: 3
        }),
        [1, 1, 1, 2, 3]
    );
    assert_eq!(encode(&AppAck { up_to: None, unix: 3 }), [1, 0, 3]);
    assert_eq!(
        encode(&Get {
            kind: SectionKind::Ids,
            hash,
            offset: 1_024,
            len: 1_024
        }),
        [&[1, 2][..], &hash, &[0x80, 8, 0x80, 8]].concat()
    );
    assert_eq!(
        encode(&Chunk {
            kind: SectionKind::Reps,
            hash,
            offset: 0,
            data: b"xy"
        }),
        [&[1, 4][..], &hash, &[0, 2], b"xy"].concat()
    );
    assert_eq!(
        encode(&FileGet {
            hash,
            offset: 1_024,
            len: 1_024
        }),
        [&[1][..], &hash, &[0x80, 8, 0x80, 8]].concat()
    );
    let chunk = FileChunk {
        hash,
        offset: 300,
        data: b"xy",
    };
    assert_eq!(encode(&chunk), [&[1][..], &hash, &[0xAC, 2, 2], b"xy"].concat());
    assert_eq!(FileChunk::decode(&encode(&chunk)), Ok(chunk));
    assert_eq!(
        encode(&Ack { epoch: 5, root: hash }),
        [&[1, 5][..], &hash].concat()
    );
    for (code, bytes) in [
        (NackCode::Malformed, &[0][..]),
        (NackCode::BadSignature, &[1]),
        (NackCode::WrongBox, &[2]),
        (NackCode::StaleEpoch, &[3]),
        (NackCode::OldKey, &[4]),
        (NackCode::Expired, &[5]),
        (NackCode::RootMismatch, &[6]),
        (NackCode::HashMismatch(SectionKind::Sys), &[7, 1]),
        (NackCode::SchemaUnknown(SectionKind::Ids), &[8, 2]),
        (NackCode::TooBig(SectionKind::Credentials), &[9, 3]),
        (NackCode::MalformedSection(SectionKind::Reps), &[10, 4]),
        (
            NackCode::Invalid(Invalid {
                section: SectionKind::Ids,
                item: 2,
                rule: Rule::ExtensionTwice,
            }),
            &[11, 2, 2, 7],
        ),
        (NackCode::Flash, &[12]),
    ] {
        let nack = Nack {
            epoch: 5,
            have: 4,
            code,
        };
        assert_eq!(encode(&nack), [&[1, 5, 4], bytes].concat());
        assert_eq!(Nack::decode(&encode(&nack)), Ok(nack));
    }
    assert_eq!(encode(&TestLine { port: 4 }), [1, 4]);
    let head = [4, 3, 0xAC, 2, 5, 1, 6];
    assert_eq!(
        encode(&event(EventBody::Boot {
            reason: BootReason::PowerOn,
            firmware: "1".try_into().unwrap()
        })),
        [&head[..], &[0, 0, 1, b'1']].concat()
    );
    assert_eq!(
        encode(&event(EventBody::Registration {
            terminal: key(2),
            registered: true
        })),
        [&head[..], &[2, 2, 1]].concat()
    );
    assert_eq!(
        encode(&event(EventBody::Alarm {
            alarm: Alarm::EventsRefused(7),
            raised: true
        })),
        [&head[..], &[3, 0, 7, 1]].concat()
    );
    let panic = PanicNote {
        message: "x".try_into().unwrap(),
        uptime: 9,
    };
    assert_eq!(
        encode(&event(EventBody::Panic(panic))),
        [&head[..], &[4, 1, b'x', 9]].concat()
    );
    let times = [0xE8, 7, 0, 1, 0xE8, 7, 0, 0, 0xE8, 7, 0];
    assert_eq!(
        encode(&event(EventBody::CallLeg(leg()))),
        [
            &head[..],
            &[1],
            &[0xAB; 16],
            &[1, 0, 1, 3],
            b"201",
            &[3],
            b"202",
            &[0, 1, 1],
            &times,
            &[3, 0xE6, 3, 0xE6, 3]
        ]
        .concat()
    );
    // Since schema 2.
    assert_eq!(
        encode(&event(EventBody::Alarm {
            alarm: Alarm::Line(4, LineFault::Codec),
            raised: false
        })),
        [&head[..], &[3, 7, 4, 2, 0]].concat()
    );
    let load = LineLoad {
        feed_mv: 1,
        leakage_ohm: 2,
        ringer_nf: 3,
    };
    let measured = LineTest {
        foreign_dc_mv: -1,
        foreign_ac_mv: 5,
        load: Some(load),
    };
    for (result, bytes) in [
        (LineTestResult::Measured(measured), &[0, 1, 5, 1, 1, 2, 3][..]),
        (LineTestResult::InUse, &[1]),
        (LineTestResult::Failed, &[2]),
    ] {
        assert_eq!(
            encode(&event(EventBody::LineTest { port: 4, result })),
            [&head[..], &[5, 4], bytes].concat()
        );
    }
    // Since schema 3.
    let mac = Mac([0, 0x0b, 0x82, 1, 2, 3]);
    for (port, file, outcome, bytes) in [
        (
            Some(4),
            FileKind::Phone,
            FetchOutcome::ServedSecret,
            &[1, 4, 0, 1][..],
        ),
        (None, FileKind::Common, FetchOutcome::Served, &[0, 1, 0]),
        (None, FileKind::Firmware, FetchOutcome::ServedSpent, &[0, 2, 2]),
        (
            Some(1),
            FileKind::Unknown,
            FetchOutcome::Refused(FetchRefusal::Busy),
            &[1, 1, 3, 3, 5],
        ),
    ] {
        let fetch = PhoneFetch {
            mac,
            port,
            file,
            outcome,
        };
        assert_eq!(
            encode(&event(EventBody::PhoneFetch(fetch))),
            [&head[..], &[6, 0, 0x0b, 0x82, 1, 2, 3], bytes].concat()
        );
    }
    let secret = PhoneSecret {
        key: key(2),
        claim: 300,
        serial: 7,
        ha1_md5: [0xAA; 16],
        ha1_sha256: [0xBB; 32],
    };
    assert_eq!(
        encode(&event(EventBody::PhoneSecret(secret.clone()))),
        [&head[..], &[7, 2, 0xAC, 2, 7], &[0xAA; 16], &[0xBB; 32]].concat()
    );
    let shown = format!("{secret:?}");
    assert!(
        shown.contains("serial: 7") && !shown.contains("170") && !shown.contains("ha1"),
        "{shown}"
    );
    assert_eq!(
        encode(&event(EventBody::PortCycled { port: 3 })),
        [&head[..], &[8, 3]].concat()
    );
    assert_eq!(
        encode(&event(EventBody::Alarm {
            alarm: Alarm::Power(2, PowerFault::Budget),
            raised: true
        })),
        [&head[..], &[3, 8, 2, 3, 1]].concat()
    );
    // Since schema 4.
    assert_eq!(
        encode(&event(EventBody::PhoneFirmware {
            model: PhoneModel::Ht801,
            hash
        })),
        [&head[..], &[9, 2], &hash].concat()
    );
    assert_eq!(
        encode(&event(EventBody::Alarm {
            alarm: Alarm::PhoneFirmware(PhoneModel::Ht802),
            raised: true
        })),
        [&head[..], &[3, 9, 3, 1]].concat()
    );
}

#[test]
fn the_encodings_of_the_hub_are_frozen() {
    for (order, bytes) in [
        (
            HubOrder::Power {
                port: 4,
                order: PowerOrder::Cycle,
                force: true,
            },
            &[1, 0, 4, 2, 1][..],
        ),
        (HubOrder::CheckSync(Some(key(5))), &[1, 1, 1, 5]),
        (HubOrder::CheckSync(None), &[1, 1, 0]),
        (HubOrder::Report, &[1, 2]),
    ] {
        assert_eq!(encode(&order), bytes);
        assert_eq!(HubOrder::decode(bytes), Ok(order));
    }
    assert_eq!(encode(&HubReport::default()), [1, 0, 0, 0, 0, 0, 0, 0]);
    let mac = Mac([0, 0x0b, 0x82, 1, 2, 3]);
    let port = PortReport {
        link: Link::Mbps100,
        power: PortPower::On,
        class: Some(2),
        draw: 31,
        granted: 70,
        neighbour: Some(Neighbour {
            model: "G".try_into().unwrap(),
            firmware: "1".try_into().unwrap(),
        }),
        occupant: Occupant::Phone(mac, IdSet::one(key(9))),
    };
    let idle = PortReport {
        link: Link::Down,
        power: PortPower::Fault(PowerFault::Thermal),
        class: None,
        draw: 0,
        granted: 0,
        neighbour: None,
        occupant: Occupant::Nobody,
    };
    let waiting = Waiting {
        mac,
        model: Some(PhoneModel::KxHdv230n),
        port: Some(2),
    };
    let report = HubReport {
        at: Stamp { mono: 5, unix: None },
        uplink: Some(Link::Mbps1000),
        budget: 600,
        ports: [port, idle].into_iter().collect(),
        waiting: [waiting].into_iter().collect(),
        unlisted: 3,
    };
    let bytes = encode(&report);
    assert_eq!(
        bytes,
        [
            &[1, 5, 0, 1, 3, 0xD8, 4, 2][..],
            &[
                2, 3, 1, 2, 31, 70, 1, 1, b'G', 1, b'1', 1, 0, 0x0b, 0x82, 1, 2, 3, 0x80, 4
            ],
            &[0, 4, 2, 0, 0, 0, 0, 0],
            &[1, 0, 0x0b, 0x82, 1, 2, 3, 1, 1, 1, 2],
            &[3],
        ]
        .concat()
    );
    assert_eq!(HubReport::decode(&bytes), Ok(report));
}

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

/// An event that a box's earlier program has left in its flash says the same.
#[test]
fn events_of_older_schemas_are_read() {
    let told = event(EventBody::Registration {
        terminal: key(2),
        registered: true,
    });
    let mut bytes = encode(&told);
    for (schema, read) in [
        (0, None),
        (1, Some(&told)),
        (2, Some(&told)),
        (3, Some(&told)),
        (4, Some(&told)),
        (5, None),
    ] {
        bytes[0] = schema;
        assert_eq!(
            RawEvent::new(&bytes).unwrap().decode().ok().as_ref(),
            read,
            "schema {schema}"
        );
    }
    // Of the others only the one that there is.
    let mut ack = encode(&AppAck { up_to: None, unix: 3 });
    ack[0] = 2;
    assert_eq!(AppAck::decode(&ack), Err(MessageError::Schema));
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
