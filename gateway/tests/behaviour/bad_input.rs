//! Garbage, floods, full tables: an answer or a counted drop, and what matters goes on.

use std::net::SocketAddr;

use super::office::*;
use gateway::Counters;
use gateway::budget::{BRANCHES, CALLS, DATAGRAM_MAX, EMERGENCY_CALLS, STREAM_MAX, TRANSACTIONS};

/// A tiny generator, so that a run repeats.
struct Noise(u64);

impl Noise {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % below
    }
}

fn stranger(n: u16) -> SocketAddr {
    address(&format!("192.168.1.250:{}", 10_000 + n))
}

fn request(method: &str, extra: &str, length: &str) -> String {
    format!(
        "{method} sip:200@{REALM} SIP/2.0\r\nVia: SIP/2.0/UDP 192.168.1.250:10000;branch=z9hG4bK{method}x\r\n\
         Max-Forwards: 70\r\nFrom: <sip:x@{REALM}>;tag=x\r\nTo: <sip:200@{REALM}>\r\nCall-ID: x\r\n\
         CSeq: 1 {method}\r\n{extra}{length}\r\n"
    )
}

const EMPTY: &str = "Content-Length: 0\r\n";

/// (what came, what went out, which counter rose)
#[test]
fn one_datagram_each() {
    fn no(_: &Counters) -> u32 {
        0
    }
    let garbage: Vec<u8> = (0..600u32).map(|n| (n * 7 + 3) as u8).collect();
    let oversized = request(
        "OPTIONS",
        &format!("Subject: {}\r\n", "x".repeat(DATAGRAM_MAX)),
        EMPTY,
    );
    let truncated = request("INVITE", "Contact: <sip:x@y>\r\n", "Content-Length: 500\r\n");
    let no_via = request("OPTIONS", "", EMPTY).replace("Via", "X-Via");
    let no_cseq = request("OPTIONS", "", EMPTY).replace("CSeq", "X-CSeq");
    let response = "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.168.1.1;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\n\
                    To: <sip:c@d>;tag=2\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n";
    type Case<'a> = (&'a str, Vec<u8>, Option<&'a str>, fn(&Counters) -> u32);
    let cases: Vec<Case> = vec![
        ("nothing", vec![], None, |c| c.keep_alives),
        ("garbage", garbage, None, |c| c.unreadable),
        ("zeros", vec![0; 1_400], None, |c| c.unreadable),
        ("a keep-alive", b"\r\n\r\n".to_vec(), None, |c| c.keep_alives),
        ("one byte", b"I".to_vec(), None, |c| c.unreadable),
        ("half a line", b"INVITE sip:a".to_vec(), None, |c| c.unreadable),
        ("oversized", oversized.into_bytes(), None, |c| c.oversized),
        ("a truncated body", truncated.into_bytes(), Some("400"), |c| {
            c.faulty
        }),
        ("no Via", no_via.into_bytes(), None, |c| c.unreadable),
        ("no CSeq", no_cseq.into_bytes(), None, |c| c.unreadable),
        (
            "another CSeq",
            request("OPTIONS", "", EMPTY)
                .replace("1 OPTIONS", "1 INVITE")
                .into_bytes(),
            Some("400"),
            |c| c.faulty,
        ),
        (
            "another version",
            request("OPTIONS", "", EMPTY)
                .replace("SIP/2.0\r\nVia", "SIP/3.0\r\nVia")
                .into_bytes(),
            Some("505"),
            |c| c.faulty,
        ),
        (
            "no Content-Length",
            request("OPTIONS", "", "").into_bytes(),
            Some("200"),
            no,
        ),
        ("a stray response", response.as_bytes().to_vec(), None, no),
        (
            "OPTIONS",
            request("OPTIONS", "", EMPTY).into_bytes(),
            Some("200"),
            no,
        ),
        (
            "SUBSCRIBE",
            request("SUBSCRIBE", "Event: presence\r\n", EMPTY).into_bytes(),
            Some("489"),
            no,
        ),
        (
            "SUBSCRIBE of a stranger",
            request("SUBSCRIBE", "Event: dialog\r\n", EMPTY).into_bytes(),
            Some("407"),
            no,
        ),
        (
            "PUBLISH",
            request("PUBLISH", "Event: presence\r\n", EMPTY).into_bytes(),
            Some("489"),
            no,
        ),
        (
            "MESSAGE",
            request("MESSAGE", "", EMPTY).into_bytes(),
            Some("405"),
            no,
        ),
        ("REFER", request("REFER", "", EMPTY).into_bytes(), Some("405"), no),
        (
            "NOTIFY",
            request("NOTIFY", "", EMPTY).into_bytes(),
            Some("481"),
            no,
        ),
        ("BYE", request("BYE", "", EMPTY).into_bytes(), Some("481"), no),
        ("PRACK", request("PRACK", "", EMPTY).into_bytes(), Some("481"), no),
        (
            "CANCEL",
            request("CANCEL", "", EMPTY).into_bytes(),
            Some("481"),
            no,
        ),
        ("ACK", request("ACK", "", EMPTY).into_bytes(), None, no),
        (
            "an unknown method",
            request("FOO", "", EMPTY).into_bytes(),
            Some("405"),
            no,
        ),
        (
            "an extension that is required",
            request("INVITE", "Contact: <sip:x@y>\r\nRequire: precondition\r\n", EMPTY).into_bytes(),
            Some("420"),
            no,
        ),
    ];
    for (name, bytes, answer, counter) in cases {
        let mut o = Office::with_phones(1);
        let before = o.gateway.counters();
        o.rx_bytes(stranger(0), &bytes);
        match answer {
            Some(status) => drop(o.expect(stranger(0), status)),
            None => o.quiet(),
        }
        o.quiet();
        let after = o.gateway.counters();
        if counter(&after) == counter(&before) {
            assert_eq!(after, before, "{name}");
            assert!(
                std::ptr::fn_addr_eq(counter, no as fn(&Counters) -> u32),
                "{name} was not counted"
            );
        }
        o.nothing_left();
    }
}

/// Messages with anything changed in them: no panic, no leak, and the box still works.
#[test]
fn changed_messages() {
    let mut noise = Noise(1);
    let mut o = Office::online(3);
    o.deaf = true;
    let phone = Phone::new(0);
    let invite = phone.calls("201", "c").request("INVITE", "1", "", OFFER);
    let seeds = [phone.register(5, ""), invite, request("SUBSCRIBE", "", EMPTY)];
    for round in 0..20_000 {
        let mut bytes = seeds[noise.next(3)].clone().into_bytes();
        for _ in 0..=noise.next(4) {
            let at = noise.next(bytes.len());
            match noise.next(4) {
                0 => bytes[at] = noise.next(256) as u8,
                1 => bytes.truncate(at.max(1)),
                2 => bytes.insert(at, b"\r\n;:<>\"\\,= \0"[noise.next(12)]),
                _ => drop(bytes.remove(at)),
            }
            if bytes.is_empty() {
                break;
            }
        }
        o.rx_bytes(phone.address, &bytes);
        if round % 1_000 == 0 {
            o.wait(2_000);
        }
    }
    o.nothing_left();
    o.deaf = false;
    o.register(&phone);
    o.dial(&phone, "201", "end");
    o.expect(Phone::new(1).address, "INVITE");
}

/// The cloud's connection in pieces of every size, and with rubbish in it.
#[test]
fn a_stream_in_pieces() {
    let mut text = Vec::new();
    for n in 0..3 {
        let call = carrier("0399990000", &format!("k{n}"));
        text.extend(
            call.request("INVITE", "2", "", &offer("198.51.100.1", 20_000))
                .into_bytes(),
        );
        text.extend(b"\r\n");
    }
    for piece in [1, 2, 3, 7, 64, 500, 1_024] {
        let mut o = Office::online(1);
        for chunk in text.chunks(piece) {
            o.trunk_rx(chunk);
        }
        for _ in 0..3 {
            o.expect(address(CLOUD), "404");
        }
        assert_eq!(o.gateway.trunk_counters().broken, 0);
        assert!(o.cloud.connected);
    }
}

#[test]
fn a_broken_stream_is_closed_and_opened_anew() {
    let no_length = "OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/TCP a;branch=z9hG4bK1\r\n\r\n".to_string();
    let endless = format!(
        "OPTIONS sip:x SIP/2.0\r\nSubject: {}",
        "x".repeat(STREAM_MAX + 2_000)
    );
    let huge = format!("OPTIONS sip:x SIP/2.0\r\nContent-Length: {}\r\n\r\n", 1_000_000);
    let big = format!(
        "OPTIONS sip:x SIP/2.0\r\nSubject: {}\r\nContent-Length: 0\r\n\r\n",
        "x".repeat(STREAM_MAX)
    );
    for (name, text) in [
        ("no length", no_length),
        ("endless", endless),
        ("huge", huge),
        ("big", big),
    ] {
        let mut o = Office::online(1);
        let connects = o.cloud.connects;
        o.trunk_rx(text.as_bytes());
        assert_eq!(o.gateway.trunk_counters().broken, 1, "{name}");
        assert!(!o.cloud.connected, "{name}");
        o.wait(2_000);
        assert!(o.cloud.connected && o.cloud.connects == connects + 1, "{name}");
        o.quiet();
    }
}

/// A flood of OPTIONS and of REGISTERs from one source: answered without memory and soon not at all, and nobody else notices.
#[test]
fn floods_that_need_no_memory() {
    let mut o = Office::with_phones(2);
    o.deaf = true;
    for n in 0..5_000 {
        o.rx(
            stranger(n % 100),
            &request("OPTIONS", "", EMPTY).replace("OPTIONSx", &format!("o{n}")),
        );
        o.rx(
            stranger(n % 100),
            &request("SUBSCRIBE", "Event: dialog\r\n", EMPTY).replace("SUBSCRIBEx", &format!("s{n}")),
        );
        let mut guess = Phone::new(1);
        guess.address = stranger(0);
        o.rx(guess.address, &guess.register(u32::from(n), ""));
        assert_eq!(o.usage(), Usage::default());
    }
    o.deaf = false;
    assert_eq!(o.gateway.registrar_counters().flooded, 15_000 - 1_024);
    o.rx(stranger(0), &request("OPTIONS", "", EMPTY));
    o.quiet();
    o.wait(10_000);
    // Wrong passwords from there are not even looked at after a while; phone 1 itself is not touched.
    let mut guess = Phone::new(1);
    guess.address = stranger(0);
    guess.password = "guess".into();
    let mut last = String::new();
    for n in 0..30 {
        o.rx(guess.address, &guess.register(20_000 + 2 * n, ""));
        let Some(challenge) = o.seen.pop_front() else {
            panic!()
        };
        if challenge.what() != "401" {
            last = challenge.what().into();
            break;
        }
        let line = guess.authorization(&challenge, "REGISTER", &format!("sip:{REALM}"));
        o.rx(guess.address, &guess.register(20_001 + 2 * n, &line));
        last = o.seen.pop_front().unwrap().what().into();
        if last != "401" {
            break;
        }
    }
    assert_eq!(last, "503");
    o.register(&Phone::new(1));
    o.dial(&Phone::new(0), "201", "c1");
    o.expect(Phone::new(1).address, "INVITE");
}

/// Requests for dialogs that are not there leave nothing behind either.
#[test]
fn a_flood_of_stray_requests() {
    let mut o = Office::with_phones(1);
    o.deaf = true;
    for n in 0..2 * TRANSACTIONS {
        for method in ["BYE", "INVITE", "UPDATE", "FOO"] {
            let text = request(method, "Contact: <sip:x@y>\r\n", EMPTY)
                .replace(&format!("{method}x"), &format!("{method}{n}"))
                .replace(
                    &format!("To: <sip:200@{REALM}>"),
                    &format!("To: <sip:200@{REALM}>;tag=0000000000000000"),
                );
            o.rx(stranger(0), &text);
        }
    }
    assert_eq!(o.usage(), Usage::default());
}

/// All calls in use: the next one is refused and counted; those that exist are served, and an emergency call has room.
#[test]
fn a_full_table_of_calls() {
    let phones = 8;
    let mut o = Office::with_phones(phones);
    let mut callers = Vec::new();
    // With the announcements going on, calls stay for a while: here they ring.
    for n in 0..CALLS - EMERGENCY_CALLS {
        let from = Phone::new(n as u16 % phones);
        let to = (n as u16 + 1) % phones;
        let caller = o.dial(&from, &format!("{}", 200 + to), &format!("c{n}"));
        let invite = o.expect(Phone::new(to).address, "INVITE");
        o.answer(&invite, 180);
        o.expect(from.address, "180");
        callers.push((caller, invite));
    }
    let one_more = o.dial_only(&Phone::new(0), "201", "more");
    let refusal = o.refused(&one_more, "503");
    assert_eq!(
        (refusal.header("Retry-After"), o.gateway.call_counters().no_room),
        ("2", 1)
    );
    assert_eq!(o.usage().calls, CALLS - EMERGENCY_CALLS);
    // Emergencies.
    for n in 0..EMERGENCY_CALLS {
        let caller = o.dial_emergency(&Phone::new(n as u16), "119", &format!("e{n}"));
        o.expect(caller.peer, "183");
    }
    let one_more = o.dial_only(&Phone::new(5), "119", "e9");
    o.refused(&one_more, "503");
    o.quiet();
    // CANCEL, answer and BYE of the calls there are.
    let (cancelled, invite) = &callers[0];
    o.send(cancelled, "CANCEL", "2");
    o.expect(cancelled.peer, "200");
    o.refused(cancelled, "487");
    let cancel = o.expect(invite.peer, "CANCEL");
    o.reply(&cancel, &answer(&cancel, 200, ""));
    o.reply(invite, &answer(invite, 487, ""));
    o.expect(invite.peer, "ACK");
    let (caller, invite) = callers.swap_remove(1);
    let callee = o.take(&invite);
    let mut caller = o.connected(caller);
    o.hang_up(&mut caller, &callee);
    o.quiet();
    // One has gone but for stragglers: another one comes.
    o.dial(&Phone::new(3), "204", "again");
    o.expect(Phone::new(4).address, "INVITE");
}

/// All branches in use: a group rings on as many phones as there is room for, and then on none: 503, counted.
#[test]
fn a_full_table_of_branches() {
    let phones = 64;
    let mut o = Office::with_phones(phones);
    let rung = (phones - 1) as usize;
    let groups = BRANCHES.div_ceil(rung);
    let mut total = 0;
    for n in 0..groups {
        o.dial(&Phone::new(0), REP, &format!("c{n}"));
        total += o.seen.len();
        o.seen.clear();
    }
    assert!(total >= BRANCHES - groups, "{total}");
    while o.usage().legs < BRANCHES + CALLS - 2 * EMERGENCY_CALLS {
        let n = o.usage().legs;
        o.dial_only(&Phone::new(0), REP, &format!("d{n}"));
        o.seen.clear();
        assert!(n < o.usage().legs, "{n}");
    }
    let last = o.dial_only(&Phone::new(0), REP, "last");
    o.refused(&last, "503");
    let emergency = o.dial_emergency(&Phone::new(1), "119", "e1");
    o.expect(emergency.peer, "183");
}

/// The store does nothing but fail: calls go on.
#[test]
fn without_a_store() {
    let mut o = Office::online(2);
    o.broken = true;
    for n in 0..200 {
        let caller = o.dial(&Phone::new(0), "201", &format!("c{n}"));
        let invite = o.expect(Phone::new(1).address, "INVITE");
        let callee = o.take(&invite);
        let mut caller = o.connected(caller);
        o.hang_up(&mut caller, &callee);
        o.quiet();
        o.wait(1_000);
        o.seen.clear();
    }
    o.broken = false;
    o.nothing_left();
    let records = o.records().len();
    assert!(
        records >= 30,
        "what fitted into memory was written when it could be: {records}"
    );
}
