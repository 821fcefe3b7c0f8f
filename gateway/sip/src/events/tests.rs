//! The notifier as tables of (time, in, out), and its messages byte by byte.

mod bench;

use bench::*;

use super::*;
use std::format;
use std::string::String;
use std::vec::Vec;

/// A table: what comes in when, and what has gone out by then since the line before.
type Table<'a> = &'a [(u64, In<'a>, &'a [&'a str])];

#[track_caller]
fn run(table: Table<'_>) -> Bench {
    let mut bench = Bench::new(4);
    bench.run(table);
    bench
}

#[test]
fn granted_refreshed_and_ended() {
    let mut b = run(&[
        (
            0,
            In::Subscribe(1, 600),
            &["0: 200 600", "0: NOTIFY 1 v0 active;expires=600"],
        ),
        (10, In::Answer(200), &[]),
        // Changes that come together are told together, and not before a second has gone by.
        (20, In::Changed, &[]),
        (30, In::Changed, &[]),
        (1_200, In::Wait, &["1024: NOTIFY 2 v1 active;expires=598"]),
        (1_210, In::Answer(200), &[]),
        // After a quiet time a change is told at once.
        (9_000, In::Changed, &["9000: NOTIFY 3 v2 active;expires=591"]),
        (9_010, In::Answer(200), &[]),
        (
            500_000,
            In::Subscribe(2, 600),
            &["500000: 200 600", "500000: NOTIFY 4 v3 active;expires=600"],
        ),
        (500_010, In::Answer(200), &[]),
        (
            700_000,
            In::Subscribe(3, 0),
            &["700000: 200 0", "700000: NOTIFY 5 v4 terminated;reason=timeout"],
        ),
        (700_010, In::Answer(200), &[]),
        (700_020, In::Subscribe(4, 600), &["700020: 481"]),
    ]);
    assert!(b.subs.is_empty());
    assert_eq!(b.subs.next_deadline(), None);
    assert_eq!(b.subs.poll(Instant::NEVER), None);
}

#[test]
fn fetched_once() {
    // RFC 6665 §4.4.3.
    let b = run(&[
        (
            0,
            In::Subscribe(1, 0),
            &["0: 200 0", "0: NOTIFY 1 v0 terminated;reason=timeout"],
        ),
        (10, In::Answer(200), &[]),
    ]);
    assert!(b.subs.is_empty());
}

#[test]
fn not_refreshed() {
    let b = run(&[
        (
            0,
            In::Subscribe(1, 120),
            &["0: 200 120", "0: NOTIFY 1 v0 active;expires=120"],
        ),
        (10, In::Answer(200), &[]),
        (
            200_000,
            In::Wait,
            &[
                "120000: NOTIFY 2 v1 terminated;reason=timeout",
                "120512: NOTIFY 2 v1 terminated;reason=timeout",
                "121536: NOTIFY 2 v1 terminated;reason=timeout",
                "123584: NOTIFY 2 v1 terminated;reason=timeout",
                "127616: NOTIFY 2 v1 terminated;reason=timeout",
                "131648: NOTIFY 2 v1 terminated;reason=timeout",
                "135680: NOTIFY 2 v1 terminated;reason=timeout",
                "139712: NOTIFY 2 v1 terminated;reason=timeout",
                "143744: NOTIFY 2 v1 terminated;reason=timeout",
                "147776: NOTIFY 2 v1 terminated;reason=timeout",
                "151808: NOTIFY 2 v1 terminated;reason=timeout",
            ],
        ),
    ]);
    assert!(b.subs.is_empty());
}

#[test]
fn nobody_answers() {
    // Thirty seconds later again, then sixty, ...; the subscription lasts as long as it was granted.
    let mut b = run(&[(
        0,
        In::Subscribe(1, 3_600),
        &["0: 200 3600", "0: NOTIFY 1 v0 active;expires=3600"],
    )]);
    b.wait_until(3_700_000);
    let first: Vec<&str> = b
        .out
        .iter()
        .filter(|line| !line.is_empty())
        .map(|line| line.as_str())
        .collect();
    let mut begun: Vec<(u64, &str)> = Vec::new();
    for line in first {
        let (at, what) = line.split_once(": ").unwrap();
        let seq = what.split(' ').nth(1).unwrap();
        if begun.last().is_none_or(|(_, last)| *last != seq) {
            begun.push((at.parse().unwrap(), seq));
        }
    }
    // Each takes 32 s, and a little for the steps of 64 ms.
    let waits: Vec<u64> = begun
        .windows(2)
        .map(|pair| (pair[1].0 - pair[0].0) / 1_000)
        .collect();
    assert_eq!(waits[..6], [61, 92, 152, 272, 512, 512], "{begun:?}");
    assert!(b.subs.is_empty());
    assert!(
        !b.out.last().unwrap().contains("terminated"),
        "nobody waits for an end that is not answered"
    );
}

#[test]
fn what_is_old_is_not_repeated() {
    run(&[
        (
            0,
            In::Subscribe(1, 600),
            &["0: 200 600", "0: NOTIFY 1 v0 active;expires=600"],
        ),
        (300, In::Changed, &[]),
        // Nothing said yes to the first one: the next time it says what is so now.
        (1_000, In::Wait, &["512: NOTIFY 2 v1 active;expires=599"]),
        (2_000, In::Wait, &["1536: NOTIFY 2 v1 active;expires=598"]),
        (2_010, In::Answer(200), &[]),
        (40_000, In::Wait, &[]),
    ]);
}

#[test]
fn a_change_while_one_is_on_its_way() {
    run(&[
        (
            0,
            In::Subscribe(1, 600),
            &["0: 200 600", "0: NOTIFY 1 v0 active;expires=600"],
        ),
        (100, In::Changed, &[]),
        (110, In::Answer(200), &[]),
        (1_200, In::Wait, &["1152: NOTIFY 2 v1 active;expires=598"]),
    ]);
}

#[test]
fn answers_that_say_no() {
    let begun: Table<'_> = &[(
        0,
        In::Subscribe(1, 600),
        &["0: 200 600", "0: NOTIFY 1 v0 active;expires=600"],
    )];
    for status in [404, 405, 410, 416, 481, 482, 484, 485, 489, 501, 604] {
        let mut b = run(begun);
        b.run(&[(10, In::Answer(status), &[]), (700_000, In::Wait, &[])]);
        assert!(b.subs.is_empty(), "{status}");
    }
    for status in [401, 407, 408, 480, 486, 500, 503, 603] {
        let mut b = run(begun);
        b.run(&[
            (10, In::Answer(status), &[]),
            (30_100, In::Wait, &["30016: NOTIFY 2 v1 active;expires=569"]),
        ]);
        b.run(&[
            (30_110, In::Answer(200), &[]),
            (32_500, In::Changed, &["32500: NOTIFY 3 v2 active;expires=567"]),
        ]);
    }
    // RFC 3261 §20.33.
    let mut b = run(begun);
    b.run(&[
        (10, In::AnswerWith(503, "Retry-After: 100\r\n"), &[]),
        (100_000, In::Wait, &[]),
    ]);
    b.run(&[(100_100, In::Wait, &["100032: NOTIFY 2 v1 active;expires=499"])]);
    // A provisional one ends the quick repetitions (RFC 3261 §17.1.2.2).
    let mut b = run(begun);
    b.run(&[(10, In::Answer(100), &[]), (3_000, In::Wait, &[])]);
    b.run(&[(5_000, In::Wait, &["4032: NOTIFY 1 v0 active;expires=595"])]);
}

#[test]
fn what_was_watched_is_no_more() {
    let b = run(&[
        (
            0,
            In::Subscribe(1, 600),
            &["0: 200 600", "0: NOTIFY 1 v0 active;expires=600"],
        ),
        (10, In::Answer(200), &[]),
        (
            5_000,
            In::Gone,
            &["5000: NOTIFY 2 v1 terminated;reason=noresource"],
        ),
        (5_010, In::Answer(200), &[]),
    ]);
    assert!(b.subs.is_empty());
}

#[test]
fn requests_that_come_twice_or_late() {
    let mut b = run(&[(
        0,
        In::Subscribe(1, 600),
        &["0: 200 600", "0: NOTIFY 1 v0 active;expires=600"],
    )]);
    let tag = b.tag.clone();
    b.run(&[(10, In::Answer(200), &[])]);
    // The answer was lost: the request comes again as it was, without our tag.
    b.subscribe(&subscribe("c1", 1, "", 600, ""));
    assert_eq!((b.tag.as_str(), b.subs.len()), (tag.as_str(), 1));
    // A subscriber that never heard the answer begins again within the same dialog-to-be.
    b.subscribe(&subscribe("c1", 2, "", 600, ""));
    assert_eq!((b.tag.as_str(), b.subs.len()), (tag.as_str(), 1));
    b.subscribe(&subscribe("c1", 1, &tag, 600, ""));
    let other = format!("{}0", &tag[..15]);
    for wrong in ["1", "0000000000000000", other.as_str()] {
        b.subscribe(&subscribe("c1", 9, wrong, 600, ""));
    }
    b.subscribe(&subscribe("c2", 9, &tag, 600, ""));
    assert_eq!(
        b.out,
        [
            "10: 200 599",
            "10: 200 600",
            "10: 500",
            "10: 481",
            "10: 481",
            "10: 481",
            "10: 481"
        ]
    );
    assert_eq!(b.subs.counters().gone, 4);
}

#[test]
fn no_room_and_too_much() {
    let mut b = Bench::new(1);
    b.subscribe(&subscribe(&"c".repeat(TEXT_MAX - 1), 1, "", 600, ""));
    b.subscribe(&subscribe("c1", 1, "", 600, ""));
    b.subscribe(&subscribe("c2", 1, "", 600, ""));
    assert_eq!(b.out, ["0: 513", "0: 200 600", "0: 503"]);
    assert_eq!(b.subs.counters().no_room, 1);
    b.drain();
    b.subs.forget(|user| user == 7);
    b.subscribe(&subscribe("c2", 1, "", 600, ""));
    assert_eq!(b.out.last().unwrap(), "0: 200 600");
}

#[test]
fn answers_to_something_else() {
    let mut b = run(&[(
        0,
        In::Subscribe(1, 600),
        &["0: 200 600", "0: NOTIFY 1 v0 active;expires=600"],
    )]);
    let good = answer(&b.last, 200, "");
    let take = |b: &mut Bench, text: &str| {
        b.subs
            .receive(b.now, &Message::parse_datagram(text.as_bytes()).unwrap())
    };
    // Another dialog's, or another request's: not ours.
    let tag = b.tag.clone();
    assert!(!take(&mut b, &good.replace(&tag, "0123456789abcdef")));
    assert!(!take(&mut b, &good.replace("NOTIFY", "OPTIONS")));
    // Ours, and not an answer to what was asked.
    assert!(take(&mut b, &good.replace("CSeq: 1 ", "CSeq: 2 ")));
    assert!(take(&mut b, &good.replace("branch=z9hG4bK", "branch=z9hG4bKx")));
    b.run(&[(600, In::Wait, &["512: NOTIFY 1 v0 active;expires=599"])]);
    assert!(take(&mut b, &good));
    b.run(&[(60_000, In::Wait, &[])]);
    assert!(take(&mut b, &good), "again");
}

#[test]
fn connections_repeat_by_themselves() {
    let mut b = Bench::new(1);
    b.flow = flow(crate::Transport::Tcp);
    b.run(&[
        (
            0,
            In::Subscribe(1, 600),
            &["0: 200 600", "0: NOTIFY 1 v0 active;expires=600"],
        ),
        (30_100, In::Wait, &[]),
        // 32 s for the answer, 30 s until it is tried again.
        (63_000, In::Wait, &["62016: NOTIFY 2 v1 active;expires=537"]),
    ]);
}

/// Many lamps that change at once are told one after the other, who has waited longest first.
#[test]
fn a_storm_is_paced_and_fair() {
    const LAMPS: usize = 50;
    let mut b = Bench::new(LAMPS);
    b.subs.config.pace = Duration::from_millis(10);
    for n in 0..LAMPS {
        b.subscribe(&subscribe(&format!("c{n}"), 1, "", 3_600, ""));
    }
    b.out.clear();
    let mut seen: Vec<(u64, String)> = Vec::new();
    let end = 10_000;
    while b.now.as_millis() < end {
        // Everything changes all the time, and each answers at once.
        b.subs.changed(|_| true);
        b.last.clear();
        b.drain();
        if !b.last.is_empty() {
            let id = Message::parse_datagram(b.last.as_bytes())
                .unwrap()
                .call_id()
                .unwrap()
                .to_vec();
            seen.push((b.now.as_millis(), String::from_utf8(id).unwrap()));
            let ok = answer(&b.last, 200, "");
            assert!(
                b.subs
                    .receive(b.now, &Message::parse_datagram(ok.as_bytes()).unwrap())
            );
            b.drain();
        }
        b.now = b.subs.next_deadline().unwrap();
    }
    assert!(seen.windows(2).all(|pair| pair[0].0 + 10 <= pair[1].0), "paced");
    for n in 0..LAMPS {
        let id = format!("c{n}");
        let times: Vec<u64> = seen
            .iter()
            .filter(|(_, other)| *other == id)
            .map(|(at, _)| *at)
            .collect();
        assert!(times.len() >= 8, "{id}: {times:?}");
        assert!(
            times
                .windows(2)
                .all(|pair| (1_000..1_200).contains(&(pair[1] - pair[0]))),
            "{id}: {times:?}"
        );
    }
}

#[test]
fn a_notify_byte_by_byte() {
    let mut b = Bench::new(1);
    let text = subscribe("c1", 1, "", 600, "").replace("Event: dialog", "Event: dialog;id=x7");
    b.subscribe(&text);
    b.drain();
    let branch = b.subs.branch(Key::from_bits(0), 1);
    let tag = &b.tag;
    let want = format!(
        "NOTIFY sip:alice@192.0.2.10:5060 SIP/2.0\r\n\
         Via: SIP/2.0/UDP 192.0.2.1:5060;branch={branch};rport\r\n\
         Max-Forwards: 70\r\n\
         From: <sip:201@office.example>;tag={tag}\r\n\
         To: <sip:alice@office.example>;tag=a1\r\n\
         Call-ID: c1\r\n\
         CSeq: 1 NOTIFY\r\n\
         Contact: <sip:192.0.2.1:5060>\r\n\
         Event: dialog;id=x7\r\n\
         Subscription-State: active;expires=600\r\n\
         User-Agent: test\r\n\
         Content-Type: text/plain\r\n\
         Content-Length: 1\r\n\r\n0"
    );
    assert_eq!(b.last, want);
}

/// A subscriber whose contact is not known otherwise is told there, and where it is after a refresh (RFC 3261 §12.2.1.2).
#[test]
fn contacts_of_their_own() {
    let mut b = Bench::new(1);
    let text = subscribe("c1", 1, "", 600, "");
    let message = Message::parse_datagram(text.as_bytes()).unwrap();
    let hour = Duration::from_secs(3_600);
    let key = b
        .subs
        .subscribe(b.now, &message, 7, hour, Some(b"sip:elsewhere"))
        .unwrap();
    b.drain();
    assert!(b.last.starts_with("NOTIFY sip:elsewhere SIP/2.0"));
    b.subs
        .refresh(b.now, key, &message, hour, Some(b"sip:a@moved"))
        .unwrap();
    b.drain();
    assert!(b.last.starts_with("NOTIFY sip:a@moved SIP/2.0"));
    assert_eq!(
        b.subs
            .refresh(b.now, key, &message, hour, Some(&[b'x'; TEXT_MAX])),
        Err(Refusal::TooLarge)
    );
    b.subs.refresh(b.now, key, &message, hour, None).unwrap();
    b.drain();
    assert!(b.last.starts_with("NOTIFY sip:alice@192.0.2.10:5060 SIP/2.0"));
}

#[test]
fn headers() {
    let event = |text: &'static str| Event::parse(text.as_bytes()).map(|e| (e.package, e.id));
    assert_eq!(event("dialog"), Some((&b"dialog"[..], None)));
    assert_eq!(
        event("presence.winfo ; ID=7;x"),
        Some((&b"presence.winfo"[..], Some(&b"7"[..])))
    );
    for bad in ["", ";id=1", "a b", "dialog, presence", "\"dialog\""] {
        assert_eq!(event(bad), None, "{bad}");
    }
    assert!(!Event::parse(b"Dialog").unwrap().is("dialog"), "RFC 6665 §8.4");

    let state = |text: &'static str| SubscriptionState::parse(text.as_bytes());
    for text in [
        "active;expires=599",
        "pending",
        "pending;retry-after=5",
        "terminated",
        "terminated;reason=deactivated",
        "terminated;reason=probation;retry-after=60",
        "terminated;reason=rejected",
        "terminated;reason=timeout",
        "terminated;reason=giveup",
        "terminated;reason=noresource",
        "terminated;reason=invariant",
    ] {
        assert_eq!(format!("{}", state(text).unwrap()), text);
    }
    let odd = state("Terminated ;Reason=TimeOut; Expires=x").unwrap();
    assert_eq!(
        (odd.state, odd.expires),
        (State::Terminated(Some(Reason::Timeout)), None)
    );
    assert_eq!(
        state("terminated;reason=sunset").unwrap().state,
        State::Terminated(None)
    );
    for bad in ["", "waiting", "active active"] {
        assert_eq!(state(bad), None, "{bad}");
    }

    for (accept, wanted) in [
        ("", true),
        ("Accept: application/dialog-info+xml\r\n", true),
        (
            "Accept: application/pidf+xml, Application / Dialog-Info+XML;q=0.5\r\n",
            true,
        ),
        ("Accept: */*\r\n", true),
        ("Accept: text/plain\r\nAccept: application/*\r\n", true),
        ("Accept: application/pidf+xml\r\n", false),
        ("Accept: application/dialog-info+xml;q=0.00\r\n", false),
        ("Accept:\r\n", false),
    ] {
        let text = subscribe("c1", 1, "", 600, accept);
        let message = Message::parse_datagram(text.as_bytes()).unwrap();
        assert_eq!(accepts(&message, dialog_info::CONTENT_TYPE), wanted, "{accept}");
    }
}
