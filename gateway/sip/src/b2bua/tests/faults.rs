//! Connections that go, room that ends, peers that stay silent.

use super::*;

suite! {
    branch_without_any_answer
    flow_lost_while_it_rings
    flow_lost_of_the_caller
    flow_lost_in_a_call
    flow_lost_with_many_calls
    many_deadlines_at_once
    flow_moved
    flow_moved_late
    flow_moved_while_something_is_asked
    flow_moved_and_an_answer_lost
    flow_moved_while_it_rings
    no_room_for_a_call
    no_room_for_a_branch
    no_room_for_transactions
    no_room_for_a_cancel
    lingering_calls_give_way
    room_for_emergencies
    too_small_a_buffer
    reinvite_that_rings_without_end
    reinvite_of_a_side_that_hangs_up
    dialogs_of_somebody_else
    bodies_that_are_no_session_description
}

fn branch_without_any_answer(kind: Kind) {
    let mut b = Bench::new(kind);
    let key = b.call(&Caller::new(ALICE, "c1"), OFFER, &[BOB]);
    let start = b.now.as_millis();
    b.expect(ALICE, "100");
    b.wait(33_000);
    let times: Vec<_> = b
        .seen
        .drain(..)
        .map(|seen| (seen.what().to_string(), seen.at - start))
        .collect();
    assert_eq!(
        times,
        [0, 500, 1_500, 3_500, 7_500, 15_500, 31_500].map(|at| ("INVITE".to_string(), at))
    );
    assert!(matches!(
        b.told()[..],
        [Event::Failed { status: 408, .. }, Event::Exhausted { status: 408, call }] if call == key
    ));
    b.calls.refuse(b.now, key, 480, None);
    b.nothing_left();
}

fn flow_lost_while_it_rings(kind: Kind) {
    let mut b = Bench::new(kind);
    let key = b.call(&Caller::new(ALICE, "c1"), OFFER, &[TRUNK, BOB]);
    b.expect(ALICE, "100");
    let (trunk, bob) = (b.expect(TRUNK, "INVITE"), b.expect(BOB, "INVITE"));
    b.rx(TRUNK, &answer(&trunk, 180, "t", ""));
    b.expect(ALICE, "180");
    b.told();
    b.calls.flow_lost(b.now, TRUNK);
    b.drain();
    b.quiet();
    assert!(
        matches!(b.told()[..], [Event::Failed { status: 503, .. }]),
        "the other branch rings on"
    );
    b.rx(BOB, &answer(&bob, 486, "bob", ""));
    b.expect(BOB, "ACK");
    assert_eq!(
        b.told().last(),
        Some(&Event::Exhausted {
            call: key,
            status: 486
        })
    );
    b.calls.refuse(b.now, key, 486, None);
    b.nothing_left();
}

fn flow_lost_of_the_caller(kind: Kind) {
    let mut b = Bench::new(kind);
    b.call(&Caller::new(TRUNK, "c1"), OFFER, &[BOB]);
    let invite = b.expect(BOB, "INVITE");
    b.rx(BOB, &answer(&invite, 180, "bob", ""));
    b.calls.flow_lost(b.now, TRUNK);
    b.drain();
    b.expect(BOB, "CANCEL");
    assert_eq!(b.ends(), [End::Cancelled]);
    b.nothing_left();
}

fn flow_lost_in_a_call(kind: Kind) {
    let mut b = Bench::new(kind);
    let alice = Caller::new(ALICE, "c1");
    b.call(&alice, OFFER, &[TRUNK]);
    let invite = b.expect(TRUNK, "INVITE");
    b.expect(ALICE, "100");
    b.rx(TRUNK, &answer(&invite, 200, "t", ANSWER));
    let alice = Caller {
        to_tag: b.expect(ALICE, "200").tag("To").into(),
        ..alice
    };
    b.rx(ALICE, &alice.request("ACK", "ack", ""));
    b.expect(TRUNK, "ACK");
    b.told();
    b.calls.flow_lost(b.now, TRUNK);
    b.drain();
    let bye = b.expect(ALICE, "BYE");
    assert_eq!(
        bye.header("Reason"),
        "Q.850;cause=38;text=\"Network out of order\""
    );
    b.rx(ALICE, &answer(&bye, 200, "", ""));
    b.quiet();
    assert_eq!(b.ends(), [End::Lost(Side::Callee)]);
    b.nothing_left();
}

/// More happens at once than the queue of events holds: nothing of it may be lost.
fn flow_lost_with_many_calls(kind: Kind) {
    const CALLS: usize = 100;
    let mut b = Bench::sized(kind, 8 * CALLS, CALLS, 2 * CALLS);
    for n in 0..CALLS {
        let alice = Caller::new(ALICE, &format!("c{n}"));
        b.call(&alice, OFFER, &[TRUNK]);
        let invite = b.expect(TRUNK, "INVITE");
        b.expect(ALICE, "100");
        if n % 2 == 0 {
            b.rx(TRUNK, &answer(&invite, 200, "t", ANSWER));
            let alice = Caller {
                to_tag: b.expect(ALICE, "200").tag("To").into(),
                ..alice
            };
            b.rx(ALICE, &alice.request("ACK", "ack", ""));
            b.expect(TRUNK, "ACK");
        }
    }
    b.told();
    b.calls.flow_lost(b.now, TRUNK);
    b.drain();
    let told = b.told();
    let count = |fits: fn(&Event) -> bool| told.iter().filter(|event| fits(event)).count();
    assert_eq!(
        count(|event| matches!(
            event,
            Event::Ended {
                end: End::Lost(Side::Callee),
                ..
            }
        )),
        CALLS / 2
    );
    assert_eq!(
        count(|event| matches!(event, Event::Exhausted { status: 503, .. })),
        CALLS / 2
    );
    let byes = b
        .seen
        .drain(..)
        .filter(|seen| seen.what() == "BYE" && seen.flow == ALICE)
        .count();
    assert_eq!(byes, CALLS / 2);
    let waiting: Vec<Key> = b.calls.iter().map(|(key, _, _)| key).collect();
    assert_eq!(waiting.len(), CALLS / 2);
    for key in waiting {
        b.calls.release(b.now, key, None);
    }
    b.drain();
    assert_eq!(b.ends().len(), CALLS / 2);
    b.nothing_left();
}

fn many_deadlines_at_once(kind: Kind) {
    const CALLS: usize = 100;
    let mut b = Bench::sized(kind, 4 * CALLS, CALLS, 2 * CALLS);
    let at = b.now + Duration::from_secs(5);
    for n in 0..CALLS {
        let key = b.call(&Caller::new(ALICE, &format!("c{n}")), OFFER, &[]);
        b.calls.set_deadline(key, Some(at));
    }
    b.wait(5_000);
    let mut told: Vec<_> = b.told();
    told.dedup();
    assert_eq!(told.len(), CALLS);
    assert_eq!(b.calls.counters().overflow, 0);
}

fn flow_moved(kind: Kind) {
    let mut b = Bench::new(kind);
    let alice = Caller::new(ALICE, "c1");
    b.call(&alice, OFFER, &[TRUNK]);
    let invite = b.expect(TRUNK, "INVITE");
    b.expect(ALICE, "100");
    b.rx(TRUNK, &answer(&invite, 200, "t", ANSWER));
    b.expect(TRUNK, "ACK");
    let mut alice = Caller {
        to_tag: b.expect(ALICE, "200").tag("To").into(),
        ..alice
    };
    b.rx(ALICE, &alice.request("ACK", "ack", ""));
    let again = peer(50, 8);
    b.calls.flow_moved(TRUNK, again);
    b.calls.flow_lost(b.now, TRUNK);
    b.drain();
    // Whether the peer still knows the dialog is asked at once.
    let probe = b.seen.pop_front().expect("a probe");
    assert_eq!((probe.flow, probe.what()), (again, "OPTIONS"));
    b.rx(again, &answer(&probe, 200, "t", ""));
    b.quiet();
    assert!(b.ends().is_empty());
    alice.cseq = 2;
    b.rx(ALICE, &alice.request("BYE", "bye", ""));
    b.expect(ALICE, "200");
    assert_eq!(
        b.seen.front().map(|seen| (seen.flow, seen.what())),
        Some((again, "BYE"))
    );
    b.nothing_left();
}

/// What was said while the connection was away is said again on the next one; a side that has forgotten the call says so.
fn flow_moved_late(kind: Kind) {
    let mut b = Bench::new(kind);
    let mut calls = Vec::new();
    for n in 0..2 {
        let alice = Caller::new(ALICE, &format!("c{n}"));
        b.call(&alice, OFFER, &[TRUNK]);
        let invite = b.expect(TRUNK, "INVITE");
        b.expect(ALICE, "100");
        b.rx(TRUNK, &answer(&invite, 200, "t", ANSWER));
        b.expect(TRUNK, "ACK");
        let to_tag = b.expect(ALICE, "200").tag("To").into();
        let alice = Caller { to_tag, ..alice };
        b.rx(ALICE, &alice.request("ACK", "ack", ""));
        calls.push(alice);
    }
    // The first hangs up; its BYE goes into the void.
    calls[0].cseq = 2;
    b.rx(ALICE, &calls[0].request("BYE", "bye", ""));
    b.expect(ALICE, "200");
    let lost = b.expect(TRUNK, "BYE");
    b.wait(3_000);
    b.quiet();
    let again = peer(50, 8);
    b.calls.flow_moved(TRUNK, again);
    b.drain();
    let bye = b.expect(again, "BYE");
    let asked = b.expect(again, "OPTIONS");
    assert_eq!(
        (bye.branch(), bye.header("CSeq")),
        (lost.branch(), lost.header("CSeq"))
    );
    b.rx(again, &answer(&bye, 200, "t", ""));
    b.rx(again, &answer(&asked, 481, "t", ""));
    assert_eq!(b.ends(), [End::HungUp(Side::Caller), End::Lost(Side::Callee)]);
    b.expect(ALICE, "BYE");
    b.nothing_left();
}

/// The answer goes where who has asked is now.
fn flow_moved_while_something_is_asked(kind: Kind) {
    for method in ["INFO", "UPDATE", "INVITE"] {
        let mut b = Bench::new(kind);
        let alice = Caller::new(ALICE, "c1");
        let key = b.call(&alice, OFFER, &[TRUNK]);
        let invite = b.expect(TRUNK, "INVITE");
        b.rx(TRUNK, &answer(&invite, 200, "t", ANSWER));
        let to_tag = b.seen.iter().find(|seen| seen.what() == "200").unwrap();
        let to_tag = to_tag.tag("To").to_string();
        b.rx(ALICE, &Caller { to_tag, ..alice }.request("ACK", "ack", ""));
        b.seen.clear();
        b.rx(TRUNK, &from_callee(&invite, "t", method, 1, OFFER));
        let asked = b.seen.pop_front().expect("it is passed on");
        let again = peer(50, 8);
        b.calls.flow_closed(b.now, TRUNK);
        b.calls.flow_moved(TRUNK, again);
        b.drain();
        b.seen.clear();
        b.rx(ALICE, &answer(&asked, 200, "", ANSWER));
        let answered = b.seen.iter().find(|seen| seen.what() == "200").unwrap();
        assert_eq!(answered.flow, again);
        assert_eq!(answered.header("CSeq"), format!("1 {method}"));
        b.calls.release(b.now, key, None);
        b.nothing_left();
    }
}

/// Who has not got its answer asks again on the next connection: it gets the same one, and nothing is passed on twice.
fn flow_moved_and_an_answer_lost(kind: Kind) {
    for (method, body) in [("INFO", ""), ("UPDATE", OFFER), ("UPDATE", "")] {
        let mut b = Bench::new(kind);
        let alice = Caller::new(ALICE, "c1");
        let key = b.call(&alice, OFFER, &[TRUNK]);
        let invite = b.expect(TRUNK, "INVITE");
        b.rx(TRUNK, &answer(&invite, 200, "t", ANSWER));
        let to_tag = b.seen.iter().find(|seen| seen.what() == "200").unwrap();
        let to_tag = to_tag.tag("To").to_string();
        b.rx(ALICE, &Caller { to_tag, ..alice }.request("ACK", "ack", ""));
        b.seen.clear();
        let asks = from_callee(&invite, "t", method, 1, body);
        b.rx(TRUNK, &asks);
        let passed = b.seen.iter().find(|seen| seen.flow == ALICE).cloned();
        if let Some(asked) = passed {
            b.rx(ALICE, &answer(&asked, 200, "", ANSWER));
        }
        b.seen.retain(|seen| seen.flow != ALICE);
        let lost = b.expect(TRUNK, "200");
        b.wait(5_000);
        b.quiet();
        let again = peer(50, 8);
        b.calls.flow_closed(b.now, TRUNK);
        b.calls.flow_moved(TRUNK, again);
        b.drain();
        b.expect(again, "OPTIONS");
        b.rx(again, &asks);
        let answered = b.expect(again, "200");
        assert_eq!(answered.flow, again);
        assert_eq!(
            (answered.text, answered.at),
            (lost.text, lost.at + 5_000),
            "{method}"
        );
        b.quiet();
        b.calls.release(b.now, key, None);
        b.nothing_left();
    }
}

fn flow_moved_while_it_rings(kind: Kind) {
    let mut b = Bench::new(kind);
    let alice = Caller::new(ALICE, "c1");
    let key = b.call(&alice, OFFER, &[TRUNK]);
    let invite = b.expect(TRUNK, "INVITE");
    b.expect(ALICE, "100");
    b.rx(TRUNK, &answer(&invite, 180, "t", ""));
    b.expect(ALICE, "180");
    let again = peer(50, 8);
    b.calls.flow_moved(TRUNK, again);
    b.calls.flow_lost(b.now, TRUNK);
    b.drain();
    b.told();
    // The answer comes on the new connection and is taken.
    b.rx(again, &answer(&invite, 200, "t", ANSWER));
    assert_eq!(b.expect(again, "ACK").flow, again);
    b.expect(ALICE, "200");
    assert!(matches!(b.told()[..], [Event::Answered { call, .. }] if call == key));
}

fn no_room_for_a_call(kind: Kind) {
    let mut b = Bench::sized(kind, 64, 2, 8);
    let keys: Vec<Key> = (0..2)
        .map(|n| b.call(&Caller::new(ALICE, &format!("c{n}")), OFFER, &[BOB]))
        .collect();
    b.seen.clear();
    let third = Caller::new(CAROL, "c9");
    let opened = b.open(CAROL, &third.request("INVITE", "1", OFFER));
    assert_eq!(opened, Err(Refusal::NoRoom));
    b.expect(CAROL, "503");
    assert!(b.calls.counters().no_room > 0);
    // One goes, another one comes.
    b.calls.release(b.now, keys[0], None);
    b.drain();
    b.wait(80_000);
    b.seen.clear();
    assert!(
        b.open(CAROL, &Caller::new(CAROL, "c10").request("INVITE", "1", OFFER))
            .is_ok()
    );
}

fn no_room_for_a_branch(kind: Kind) {
    let mut b = Bench::sized(kind, 64, 4, 3);
    let alice = Caller::new(ALICE, "c1");
    let key = b.call(&alice, OFFER, &[BOB, CAROL]);
    b.expect(ALICE, "100");
    let dave = Target {
        flow: DAVE,
        uri: b"sip:dave@x",
        route: b"",
        priority: Priority::Normal,
        user: 0,
    };
    assert_eq!(b.calls.dial(b.now, key, dave), Err(Refusal::NoRoom));
    // A branch that failed and only lingers gives its place.
    let invite = b.expect(BOB, "INVITE");
    b.rx(BOB, &answer(&invite, 486, "bob", ""));
    b.expect(BOB, "ACK");
    assert!(b.calls.dial(b.now, key, dave).is_ok());
    b.drain();
    b.expect(DAVE, "INVITE");
    b.calls.release(b.now, key, None);
    b.nothing_left();
}

fn no_room_for_transactions(kind: Kind) {
    // Four, of which one is reserved: alice's INVITE, bob's, and one more.
    let mut b = Bench::sized(kind, 4, 4, 8);
    let alice = Caller::new(ALICE, "c1");
    b.call(&alice, OFFER, &[BOB]);
    b.expect(ALICE, "100");
    let invite = b.expect(BOB, "INVITE");
    b.rx(BOB, &answer(&invite, 180, "x", ""));
    b.expect(ALICE, "180");
    let other = Caller::new(CAROL, "c9");
    b.rx(CAROL, &other.request("OPTIONS", "o", ""));
    assert_eq!(b.rx(CAROL, &other.request("INVITE", "1", OFFER)), Receive::Done);
    let full = b.expect(CAROL, "503");
    assert!(full.headers("Retry-After").count() == 1 && !full.tag("To").is_empty());
    // Alice's CANCEL has room, and ours to Bob takes the room of what is answered.
    b.rx(ALICE, &alice.request("CANCEL", "1", ""));
    b.expect(ALICE, "200");
    b.expect(ALICE, "487");
    b.expect(BOB, "CANCEL");
    assert_eq!(b.ends(), [End::Cancelled]);
    b.nothing_left();
}

/// Phones that ring, no room for the CANCELs, and never another word: nothing waits for them for ever.
fn no_room_for_a_cancel(kind: Kind) {
    for acknowledged in [false, true] {
        let mut b = Bench::sized(kind, 4, 2, 8);
        let alice = Caller::new(ALICE, "c1");
        let key = b.call(&alice, OFFER, &[]);
        for flow in [BOB, CAROL, DAVE] {
            let (uri, priority) = (b"sip:target@192.0.2.2", Priority::Reserved);
            let target = Target {
                flow,
                uri,
                route: b"",
                priority,
                user: 0,
            };
            b.calls.dial(b.now, key, target).unwrap();
            b.drain();
            let invite = b.expect(flow, "INVITE");
            b.rx(flow, &answer(&invite, 180, "x", ""));
        }
        b.calls.refuse(b.now, key, 486, None);
        b.drain();
        assert_eq!(b.calls.counters().no_room, 3);
        if acknowledged {
            b.rx(ALICE, &alice.request("ACK", "1", ""));
        }
        b.nothing_left();
    }
}

/// Calls that are over but for branches whose phones may repeat their answer give way, the oldest first.
fn lingering_calls_give_way(kind: Kind) {
    let mut b = Bench::sized(kind, 64, 2, 6);
    for n in 0..40 {
        let mut alice = Caller::new(ALICE, &format!("c{n}"));
        b.call(&alice, OFFER, &[BOB, CAROL]);
        b.expect(ALICE, "100");
        let invites = [BOB, CAROL].map(|flow| b.expect(flow, "INVITE"));
        b.rx(CAROL, &answer(&invites[1], 486, "x", ""));
        b.expect(CAROL, "ACK");
        b.rx(BOB, &answer(&invites[0], 200, "x", ANSWER));
        b.expect(BOB, "ACK");
        alice.to_tag = b.expect(ALICE, "200").tag("To").into();
        b.rx(ALICE, &alice.request("ACK", "ack", ""));
        alice.cseq = 2;
        b.rx(ALICE, &alice.request("BYE", "bye", ""));
        b.expect(ALICE, "200");
        let bye = b.expect(BOB, "BYE");
        b.rx(BOB, &answer(&bye, 200, "x", ""));
        b.wait(50);
        assert_eq!(b.ends(), [End::HungUp(Side::Caller)]);
        if n == 1 {
            // Still there: Carol did not get the ACK.
            b.rx(CAROL, &answer(&invites[1], 486, "x", ""));
            b.expect(CAROL, "ACK");
        }
    }
    assert_eq!(b.calls.counters().no_room, 0);
    b.nothing_left();
}

/// An emergency call finds the room that was kept for it.
fn room_for_emergencies(kind: Kind) {
    let mut b = Bench::sized(kind, 64, 3, 6);
    b.calls.reserve(1, 2, 0);
    for n in 0..2 {
        b.call(&Caller::new(ALICE, &format!("c{n}")), OFFER, &[BOB]);
    }
    let third = Caller::new(CAROL, "c2");
    let refused = b.open(CAROL, &third.request("INVITE", "1", OFFER));
    assert_eq!(refused, Err(Refusal::NoRoom));
    let emergency = Caller::new(CAROL, "c3").request("INVITE", "2", OFFER);
    let message = Message::parse_datagram(emergency.as_bytes()).unwrap();
    let Receive::Invite { tx } = b.calls.receive_reserved(b.now, CAROL, &message, &mut Direct) else {
        panic!()
    };
    let opened = b.calls.open(b.now, tx, CAROL, &message, SESSION, 0, &mut Direct);
    let mut target = Target {
        flow: TRUNK,
        uri: b"sip:119@pbx",
        route: b"",
        priority: Priority::Normal,
        user: 0,
    };
    let key = opened.expect("room");
    assert_eq!(b.calls.dial(b.now, key, target), Err(Refusal::NoRoom));
    target.priority = Priority::Reserved;
    assert!(b.calls.dial(b.now, key, target).is_ok());
}

fn too_small_a_buffer(kind: Kind) {
    let mut b = Bench::new(kind);
    let alice = Caller::new(ALICE, "c1");
    b.open(ALICE, &alice.request("INVITE", "1", OFFER)).unwrap();
    b.hand_in(ALICE, &alice.request("OPTIONS", "o", ""));
    b.seen.clear();
    let key = b.calls.iter().map(|(key, _, _)| key).next().unwrap();
    b.calls.refuse(b.now, key, 486, None);
    let mut tiny = [0; 32];
    while b.calls.poll(b.now, &mut tiny).is_some() {}
    assert_eq!(b.calls.counters().overflow, 1);
    // The next repetition has room again.
    b.wait(500);
    b.expect(ALICE, "486");
}

/// RFC 3261 has no timer for an INVITE that rings; within a call nobody waits for people.
fn reinvite_that_rings_without_end(kind: Kind) {
    let mut b = Bench::new(kind);
    let Talking { mut alice, .. } = b.talking();
    alice.cseq = 2;
    let held = OFFER.replace("alice 1 1", "alice 1 2");
    b.rx(ALICE, &alice.request("INVITE", "re", &held));
    let invite = b.expect(BOB, "INVITE");
    b.rx(BOB, &answer(&invite, 180, "bob", ""));
    b.seen.clear();
    b.wait(31_900);
    assert!(b.seen.drain(..).all(|seen| seen.what() == "100"));
    b.wait(200);
    b.expect(ALICE, "408");
    b.rx(ALICE, &alice.request("ACK", "re", ""));
    let cancel = b.expect(BOB, "CANCEL");
    assert_eq!(
        (cancel.branch(), cancel.header("To")),
        (invite.branch(), invite.header("To"))
    );
    b.rx(BOB, &answer(&cancel, 200, "bob", ""));
    b.rx(BOB, &answer(&invite, 487, "bob", ""));
    b.expect(BOB, "ACK");
    assert!(b.ends().is_empty(), "the call goes on");
    // And another one goes through.
    alice.cseq = 3;
    b.rx(ALICE, &alice.request("INVITE", "re3", &held));
    let invite = b.expect(BOB, "INVITE");
    b.rx(BOB, &answer(&invite, 200, "bob", ANSWER));
    b.expect(BOB, "ACK");
    b.seen.clear();
    b.rx(ALICE, &alice.request("ACK", "ack3", ""));
    alice.cseq = 4;
    b.rx(ALICE, &alice.request("BYE", "bye", ""));
    b.nothing_left();
}

/// The INVITE ends with the leg that it asks.
fn reinvite_of_a_side_that_hangs_up(kind: Kind) {
    let mut b = Bench::new(kind);
    let talking = b.talking();
    let mut alice = talking.alice.clone();
    alice.cseq = 2;
    let held = OFFER.replace("alice 1 1", "alice 1 2");
    b.rx(ALICE, &alice.request("INVITE", "re", &held));
    let invite = b.expect(BOB, "INVITE");
    b.rx(BOB, &answer(&invite, 180, "bob", ""));
    b.rx(BOB, &talking.bob_sends("BYE", 1, ""));
    assert_eq!(b.ends(), [End::HungUp(Side::Callee)]);
    b.nothing_left();
}

fn dialogs_of_somebody_else(kind: Kind) {
    let mut b = Bench::new(kind);
    // A branch that rings is no dialog: nobody ends it with a tag that it has not.
    b.call(&Caller::new(ALICE, "c1"), OFFER, &[BOB]);
    let invite = b.expect(BOB, "INVITE");
    let bye = from_callee(&invite, "bob", "BYE", 1, "").replace(";tag=bob", "");
    b.rx(BOB, &bye);
    b.expect(BOB, "481");
    b.rx(BOB, &answer(&invite, 200, "bob", ANSWER));
    b.expect(BOB, "ACK");
    b.seen.clear();
    // Nor does a datagram take a connection's dialog, or another network any.
    let mut other = BOB;
    other.interface = 1;
    b.rx(other, &from_callee(&invite, "bob", "BYE", 2, ""));
    b.expect(BOB, "481");
    let mut connection = BOB;
    (connection.transport, connection.stream) = (crate::Transport::Tcp, 3);
    b.rx(connection, &from_callee(&invite, "bob", "BYE", 3, ""));
    b.expect(BOB, "481");
    assert!(b.ends().is_empty());
    b.rx(BOB, &from_callee(&invite, "bob", "BYE", 4, ""));
    assert_eq!(b.ends(), [End::HungUp(Side::Callee)]);
    b.nothing_left();
}

fn bodies_that_are_no_session_description(kind: Kind) {
    let mut b = Bench::new(kind);
    let invite = Caller::new(ALICE, "c1").request("INVITE", "1", OFFER);
    let mixed = invite.replace("application/sdp", "multipart/mixed;boundary=x");
    assert_eq!(b.rx(ALICE, &mixed), Receive::Done);
    assert_eq!(b.expect(ALICE, "415").header("Accept"), "application/sdp");
    for taken in ["Application/SDP", "application/sdp ; charset=utf-8"] {
        let text = invite
            .replace("application/sdp", taken)
            .replace("z9hG4bKc1", &format!("z9hG4bK{}", taken.len()));
        assert!(
            matches!(b.hand_in(ALICE, &text), Receive::Invite { .. }),
            "{taken}"
        );
    }
}
