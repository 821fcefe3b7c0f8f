//! Telephone-events as RFC 4733 has them, packet by packet.

use media::event::{Event, Packet, Payload, Receiver, Sender};
use proptest::prelude::*;

#[test]
fn payload_as_in_the_rfc() {
    // RFC 4733 §2.3: event, E R volume, duration.
    let payload = Payload {
        code: 11,
        end: true,
        volume: 10,
        duration: 1_600,
    };
    assert_eq!(payload.emit(), [11, 0x8A, 0x06, 0x40]);
    assert_eq!(Payload::parse(&[11, 0x8A, 0x06, 0x40]), Some(payload));
    // The reserved bit is passed over, and so is what comes after.
    assert_eq!(Payload::parse(&[11, 0xCA, 0x06, 0x40, 7]), Some(payload));
    assert_eq!(Payload::parse(&[11, 0x8A, 0x06]), None);
}

/// What is said in a packet time of 160 samples each: marker, timestamp, duration, end.
fn said(packet: Option<Packet>) -> Option<(bool, u32, u16, bool)> {
    let Packet {
        marker,
        timestamp,
        payload,
    } = packet?;
    Some((marker, timestamp, payload.duration, payload.end))
}

#[test]
fn a_digit_ends_three_times() {
    let mut sender = Sender::default();
    assert_eq!(sender.next(1_000), None);
    sender.begin(5, 1_000);
    assert_eq!(said(sender.next(1_160)), Some((true, 1_000, 160, false)));
    assert_eq!(said(sender.next(1_320)), Some((false, 1_000, 320, false)));
    sender.end(1_400);
    sender.end(1_450);
    for now in [1_480, 1_640, 1_800] {
        assert!(sender.is_busy());
        assert_eq!(said(sender.next(now)), Some((false, 1_000, 400, true)));
    }
    assert!(!sender.is_busy());
    assert_eq!(sender.next(1_960), None);
}

#[test]
fn a_digit_longer_than_a_packet_can_say_goes_in_segments() {
    let start = u32::MAX - 30_000;
    let mut sender = Sender::default();
    let mut receiver = Receiver::default();
    sender.begin(1, start);
    let mut heard = Vec::new();
    let mut packets = Vec::new();
    for n in 1..=1_000u32 {
        if n == 990 {
            sender.end(start.wrapping_add(990 * 160 - 80));
        }
        if let Some(packet) = sender.next(start.wrapping_add(n * 160)) {
            heard.extend(
                receiver
                    .packet(packet.timestamp, packet.payload)
                    .into_iter()
                    .flatten(),
            );
            packets.push(packet);
        }
    }
    assert_eq!(heard, [Event::Begun(1), Event::Ended(1)]);
    let mut timestamps: Vec<u32> = packets.iter().map(|p| p.timestamp.wrapping_sub(start)).collect();
    timestamps.dedup();
    assert_eq!(timestamps, [0, 65_535, 131_070]);
    assert_eq!(packets.iter().filter(|p| p.marker).count(), 1);
    let last = packets.last().expect("packets");
    assert_eq!(131_070 + u32::from(last.payload.duration), 990 * 160 - 80);
    assert_eq!(packets.iter().filter(|p| p.payload.end).count(), 3);
}

fn payload(code: u8, duration: u16, end: bool) -> Payload {
    Payload {
        code,
        end,
        volume: 10,
        duration,
    }
}

#[test]
fn what_a_receiver_hears() {
    // (timestamp, duration, end) of packets of the digit n that the timestamp is a thousandth of, or samples that pass.
    enum In {
        Packet(u32, u16, bool),
        Pass(u32),
    }
    use In::{Packet, Pass};
    let begun = |n| Event::Begun(n);
    let ended = |n| Event::Ended(n);
    let table: [(&str, Vec<In>, Vec<Event>); 6] = [
        (
            "all of it",
            vec![
                Packet(1_000, 160, false),
                Packet(1_000, 320, true),
                Packet(1_000, 320, true),
                Packet(1_000, 320, true),
            ],
            vec![begun(1), ended(1)],
        ),
        (
            "the end is lost",
            vec![
                Packet(1_000, 160, false),
                Packet(2_000, 160, false),
                Packet(2_000, 320, true),
            ],
            vec![begun(1), ended(1), begun(2), ended(2)],
        ),
        (
            "the end is lost, and nothing comes",
            vec![
                Packet(1_000, 160, false),
                Pass(1_000),
                Packet(1_000, 320, false),
                Pass(1_000),
                Pass(1_000),
            ],
            vec![begun(1), ended(1)],
        ),
        (
            "only an end",
            vec![Packet(1_000, 320, true), Pass(40), Packet(1_000, 320, true)],
            vec![begun(1), ended(1)],
        ),
        (
            "a late one of the digit before",
            vec![
                Packet(1_000, 320, true),
                Pass(40),
                Packet(2_000, 160, false),
                Packet(1_000, 320, true),
                Packet(2_000, 320, true),
            ],
            vec![begun(1), ended(1), begun(2), ended(2)],
        ),
        (
            "late within the digit",
            vec![
                Packet(1_000, 160, false),
                Packet(1_000, 480, true),
                Packet(1_000, 320, false),
                Pass(4_000),
            ],
            vec![begun(1), ended(1)],
        ),
    ];
    for (what, inputs, want) in table {
        let mut receiver = Receiver::default();
        let mut heard = Vec::new();
        for input in inputs {
            match input {
                Packet(timestamp, duration, end) => {
                    let payload = payload((timestamp / 1_000) as u8, duration, end);
                    heard.extend(receiver.packet(timestamp, payload).into_iter().flatten());
                }
                Pass(samples) => heard.extend(receiver.pass(samples)),
            }
        }
        assert_eq!(heard, want, "{what}");
    }
}

proptest! {
    /// Whatever is lost and repeated, digits begin and end in turn, in their order; and where of each one a packet comes, all do.
    #[test]
    fn digits_arrive_in_order(digits in prop::collection::vec((0u8..16, 1u32..100, 2u32..20), 1..10),
                              fate in prop::collection::vec(0u8..4, 1..200), start: u32) {
        let mut sender = Sender::default();
        let mut receiver = Receiver::default();
        let (mut now, mut heard, mut arrived) = (start, Vec::new(), Vec::new());
        let mut fate = fate.into_iter().cycle();
        for &(code, length, pause) in &digits {
            sender.begin(code, now);
            let mut came = false;
            for n in 0..length + pause {
                if n == length {
                    sender.end(now);
                }
                now = now.wrapping_add(160);
                if let Some(packet) = sender.next(now) {
                    let times = fate.next().unwrap_or(1).saturating_sub(1);
                    for _ in 0..times {
                        heard.extend(receiver.packet(packet.timestamp, packet.payload).into_iter().flatten());
                        came = true;
                    }
                }
                heard.extend(receiver.pass(160));
            }
            if came {
                arrived.push(code);
            }
        }
        heard.extend(receiver.pass(10_000));
        let want: Vec<Event> = arrived.iter().flat_map(|&code| [Event::Begun(code), Event::Ended(code)]).collect();
        // A digit of which nothing comes for long ends early, but never twice, and begins once.
        prop_assert_eq!(heard, want);
    }

    #[test]
    fn any_packets_are_borne(packets in prop::collection::vec((any::<u32>(), any::<[u8; 4]>(), any::<u32>()), 0..50)) {
        let mut receiver = Receiver::default();
        let mut on = None;
        for (timestamp, octets, samples) in packets {
            let payload = Payload::parse(&octets).expect("four octets");
            let heard = receiver.packet(timestamp, payload).into_iter().flatten().chain(receiver.pass(samples % 2_000)).collect::<Vec<_>>();
            for event in heard {
                match event {
                    Event::Begun(code) => prop_assert!(on.replace(code).is_none()),
                    Event::Ended(code) => prop_assert_eq!(on.take(), Some(code)),
                }
            }
        }
    }
}
