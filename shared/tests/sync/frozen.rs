//! The topics and the bytes of every message, as they are for good.

use crate::common::key;
use crate::{encode, event, leg};
use shared::BoxId;
use shared::analog::{LineFault, LineLoad, LineTest, LineTestResult};
use shared::hub::{FetchOutcome, FetchRefusal, FileKind, Link, Mac, PhoneModel, PortPower, PowerFault};
use shared::id::IdSet;
use shared::record::Stamp;
use shared::site::{Invalid, Rule, SectionKind};
use shared::sync::*;

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
    // Since schema 5.
    assert_eq!(
        encode(&event(EventBody::FetchesLeftOut(200))),
        [&head[..], &[10, 200, 1]].concat()
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
