use super::*;
use crate::office::clock::Quality;

const ROUTER: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 1);
const OTHER: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 2);
/// 2026-11-27T00:00:00.250Z.
const NOON: u64 = 1_795_737_600_250;

fn secret() -> Secret {
    Secret::new(&[5; 32])
}

fn request(first: u8) -> [u8; MESSAGE] {
    let mut message = [0; MESSAGE];
    message[0] = first;
    message[2] = 6;
    message[40..].copy_from_slice(b"originat");
    message
}

fn word(source: Source, at: u64) -> Word {
    Word {
        source,
        at: Instant(at),
        unix_ms: NOON,
        error_ms: 20,
    }
}

#[test]
fn timestamps() {
    // RFC 5905 figure 4: 1970-01-01 is 2,208,988,800; 2036-02-07T06:28:16 is era 1, second 0.
    assert_eq!(timestamp(0), 2_208_988_800 << 32);
    assert_eq!(timestamp(2_085_978_496_000), 0);
    assert_eq!(timestamp(2_085_978_496_500), 1 << 31);
    assert_eq!(unix_ms(0), None);
    for unix in [
        PIVOT * 1_000,
        NOON,
        2_085_978_495_999,
        2_085_978_496_001,
        4_000_000_000_000,
    ] {
        let back = unix_ms(timestamp(unix)).unwrap();
        assert!(back.abs_diff(unix) <= 1, "{unix} {back}");
    }
    // Before 2020 there was no box.
    assert!(unix_ms(timestamp(PIVOT * 1_000 - 1_000)).unwrap() > 5_000_000_000_000);
    assert_eq!((short(1_000), short(500), short(0)), (1 << 16, 1 << 15, 0));
}

/// Golden bytes by RFC 5905 §7.3; chronyd and ntpdate read them in `hil`, scenario `office`.
#[test]
fn a_server_says_how_well_it_knows() {
    let mut clock = Clock::new();
    let unknown = answer(Instant(5), &clock, &request(0x23)).unwrap();
    // Alarm, version 4, server; stratum 0; poll 6; 2^-10 s; INIT; the origin; no time.
    assert_eq!(unknown[..4], [0xE4, 0, 6, 0xF6]);
    assert_eq!(
        (&unknown[12..16], &unknown[24..32]),
        (&b"INIT"[..], &b"originat"[..])
    );
    assert_eq!(unknown[32..], [0; 16]);

    let source = Source::Server {
        address: ROUTER,
        stratum: 2,
    };
    clock.tell(word(source, 1_000));
    let known = answer(Instant(3_000), &clock, &request(0x1B)).unwrap();
    // No warning, version 3 as asked, server, stratum 3.
    assert_eq!(known[..4], [0x1C, 3, 6, 0xF6]);
    // 21 ms of dispersion (20, and 2 s at 50 ppm begun), the server's address.
    assert_eq!(known[4..16], [0, 0, 0, 0, 0, 0, 5, 0x61, 192, 168, 1, 1]);
    let seconds = (NOON / 1_000 + EPOCH) as u32;
    assert_eq!(known[16..20], seconds.to_be_bytes());
    assert_eq!(
        (&known[32..36], &known[36]),
        (&(seconds + 2).to_be_bytes()[..], &0x40)
    );
    assert_eq!(known[32..40], known[40..48]);

    // Held over for a day: still the time, and 4.3 s that it may be off.
    let day = Instant(86_401_000);
    assert_eq!(clock.quality(day), Quality::HeldOver);
    let held = answer(day, &clock, &request(0x23)).unwrap();
    assert_eq!((held[0], held[1], &held[8..10]), (0x24, 3, &[0, 4][..]));
}

/// (first byte, length, the answer's mode)
#[test]
fn what_is_no_request() {
    let clock = Clock::new();
    for (first, length, mode) in [
        (0x23, 48, Some(4)),
        (0x0B, 48, Some(4)),
        (0x21, 48, Some(2)),
        // With extensions or a key: they are not looked at.
        (0x23, 68, Some(4)),
        // An answer, a broadcast, control, version 0 and 5, too short, nothing.
        (0x24, 48, None),
        (0x25, 48, None),
        (0x26, 48, None),
        (0x03, 48, None),
        (0x2B, 48, None),
        (0x23, 47, None),
        (0x23, 0, None),
    ] {
        let mut message = [0; 68];
        message[0] = first;
        let answer = answer(Instant(0), &clock, &message[..length]);
        assert_eq!(answer.map(|answer| answer[0] & 7), mode, "{first:#x} {length}");
    }
}

/// A server's answer: received and sent `spent` ms apart, at this time.
fn reply(question: &[u8; MESSAGE], first: u8, stratum: u8, sent: u64, spent: u64) -> [u8; MESSAGE] {
    let mut message = [0; MESSAGE];
    message[..2].copy_from_slice(&[first, stratum]);
    // 100 ms to the root and back, 10 ms of dispersion.
    message[4..8].copy_from_slice(&short(100).to_be_bytes());
    message[8..12].copy_from_slice(&short(10).to_be_bytes());
    message[24..32].copy_from_slice(&question[40..]);
    message[32..40].copy_from_slice(&timestamp(sent - spent).to_be_bytes());
    message[40..].copy_from_slice(&timestamp(sent).to_be_bytes());
    message
}

#[test]
fn the_time_is_asked_for_and_believed() {
    let (mut client, clock) = (Client::new(), Clock::new());
    let (to, question) = client.poll(Instant(0), &mut secret(), &[ROUTER]).unwrap();
    assert_eq!(to, SocketAddrV4::new(ROUTER, 123));
    // Version 4, client, and nothing of our own but a number.
    let mut golden = [0; MESSAGE];
    golden[0] = 0x23;
    golden[40..].copy_from_slice(&secret().draw()[..8]);
    assert_eq!(question, golden);
    // 60 ms under way, 20 of them at the server: the way back took 20.
    let word = client
        .answer(Instant(60), &clock, to, &reply(&question, 0x24, 2, NOON, 20))
        .unwrap();
    assert!(word.unix_ms.abs_diff(NOON + 20) <= 1, "{word:?}");
    assert!((81..=84).contains(&word.error_ms), "{word:?}");
    assert_eq!(
        (word.at, client.next_deadline(&[ROUTER])),
        (Instant(60), Instant(1_024_060))
    );
    // Once only.
    assert_eq!(
        client.answer(Instant(70), &clock, to, &reply(&question, 0x24, 2, NOON, 20)),
        None
    );
}

/// When an answer comes, from where, and what is wrong with it.
type Broken<'a> = (u64, SocketAddrV4, &'a dyn Fn([u8; 48]) -> std::vec::Vec<u8>);

#[test]
fn what_is_not_believed() {
    let mut clock = Clock::new();
    let from = |address| SocketAddrV4::new(address, 123);
    // Unknown, stratum 0 and 16, another mode, no time, another's number, another server, another port, too late, too short.
    let broken: [Broken<'_>; 10] = [
        (60, from(ROUTER), &|mut m| {
            m[0] = 0xE4;
            m.to_vec()
        }),
        (60, from(ROUTER), &|mut m| {
            m[1] = 0;
            m.to_vec()
        }),
        (60, from(ROUTER), &|mut m| {
            m[1] = 16;
            m.to_vec()
        }),
        (60, from(ROUTER), &|mut m| {
            m[0] = 0x23;
            m.to_vec()
        }),
        (60, from(ROUTER), &|mut m| {
            m[40..].fill(0);
            m.to_vec()
        }),
        (60, from(ROUTER), &|mut m| {
            m[24] ^= 1;
            m.to_vec()
        }),
        (60, from(OTHER), &|m| m.to_vec()),
        (60, SocketAddrV4::new(ROUTER, 124), &|m| m.to_vec()),
        (4_001, from(ROUTER), &|m| m.to_vec()),
        (60, from(ROUTER), &|m| m[..47].to_vec()),
    ];
    for (index, (at, from, change)) in broken.into_iter().enumerate() {
        let mut client = Client::new();
        let (_, question) = client.poll(Instant(0), &mut secret(), &[ROUTER]).unwrap();
        let message = change(reply(&question, 0x24, 2, NOON, 0));
        assert_eq!(
            client.answer(Instant(at), &clock, from, &message),
            None,
            "{index}"
        );
    }
    // A router that came up without the time, where the cloud has said it.
    clock.tell(word(Source::Cloud, 0));
    let mut client = Client::new();
    let (to, question) = client.poll(Instant(0), &mut secret(), &[ROUTER]).unwrap();
    let wrong = reply(&question, 0x24, 2, NOON + 11_000, 0);
    assert_eq!(client.answer(Instant(20), &clock, to, &wrong), None);
    let mut client = Client::new();
    let (to, question) = client.poll(Instant(0), &mut secret(), &[ROUTER]).unwrap();
    let right = reply(&question, 0x24, 2, NOON + 900, 0);
    assert!(client.answer(Instant(20), &clock, to, &right).is_some());
}

/// Silent servers are asked in turn, less and less often; a new network asks at once.
#[test]
fn silent_servers() {
    let mut client = Client::new();
    let mut now = Instant(0);
    let mut asked = std::vec::Vec::new();
    for _ in 0..10 {
        let (to, _) = client.poll(now, &mut secret(), &[ROUTER, OTHER]).unwrap();
        asked.push((now.0 / 1_000, *to.ip() == ROUTER));
        assert_eq!(client.poll(now, &mut secret(), &[ROUTER, OTHER]), None);
        now = client.next_deadline(&[ROUTER, OTHER]);
    }
    assert_eq!(
        asked,
        [
            (0, true),
            (8, false),
            (24, true),
            (56, false),
            (120, true),
            (248, false),
            (504, true),
            (1_016, false),
            (2_040, true),
            (3_064, false)
        ]
    );
    client.restart(Instant(5_000));
    assert_eq!(client.next_deadline(&[OTHER]), Instant(5_000));
    assert_eq!(
        (
            client.next_deadline(&[]),
            client.poll(Instant(9_000), &mut secret(), &[])
        ),
        (Instant::NEVER, None)
    );
}
