//! Transfers and everything that comes in between: blind ones here.

mod attended;
mod between;

use super::*;

suite! {
    blind_by_the_called_side
    blind_by_the_caller
    nobody_is_told_who_did_not_want_to_be
    the_transferor_hangs_up_first
    the_target_is_busy
    busy_and_nobody_is_left
    the_transferee_hangs_up_meanwhile
    the_transferee_refuses
    the_new_side_hangs_up_and_the_answer_comes_all_the_same
    a_reinvite_meets_one
    reinvites_and_transfers
    twice
    a_lost_notify
    silence
    dialogs_by_name
}

const CAROLS: &str = "v=0\r\no=carol 1 1 IN IP4 192.0.2.30\r\ns=-\r\nc=IN IP4 192.0.2.30\r\nt=0 0\r\nm=audio 8000 RTP/AVP 0\r\n";
const AGAIN: &str = "v=0\r\no=alice 1 2 IN IP4 192.0.2.10\r\ns=-\r\nc=IN IP4 192.0.2.10\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";

/// A REFER is taken: its leg, and that of the same side's other call.
#[track_caller]
fn refer(b: &mut Bench, from: Flow, text: &str, other: Option<Key>, wanted: bool) -> Key {
    let Receive::Refer { tx, leg } = b.hand_in(from, text) else {
        panic!("no REFER: {text}");
    };
    let call = b.calls.depart(leg, other, wanted).expect("it may go");
    let message = Message::parse_datagram(text.as_bytes()).unwrap();
    b.calls.reply(b.now, tx, from, &message, 202, |_| {});
    b.calls.report(b.now, call, 100, false);
    b.drain();
    b.expect(from, "202");
    call
}

/// A NOTIFY with this status, which is answered.
#[track_caller]
fn notified(b: &mut Bench, to: Flow, status: &str) {
    let notify = b.expect(to, "NOTIFY");
    assert_eq!(notify.header("Event"), "refer");
    assert_eq!(notify.header("Content-Type"), "message/sipfrag;version=2.0");
    assert!(
        notify.body().starts_with(&format!("SIP/2.0 {status} ")),
        "{}",
        notify.text
    );
    let state = match status {
        "100" => "active;expires=180",
        _ => "terminated;reason=noresource",
    };
    assert_eq!(notify.header("Subscription-State"), state);
    b.rx(to, &answer(&notify, 200, "", ""));
}

/// The new side is called, without an offer. Its INVITE.
#[track_caller]
fn call_to(b: &mut Bench, to: Flow) -> (Key, Seen) {
    let call = b.calls.originate(SESSION, 43).expect("room");
    let from = b"\"Alice\" <sip:alice@pbx>";
    b.calls.present(call, from, b"<sip:carol@pbx>", b"").unwrap();
    let uri = format!("sip:target@{}", to.peer);
    let (flow, priority, uri) = (to, Priority::Normal, uri.as_bytes());
    b.calls
        .dial(
            b.now,
            call,
            Target {
                route: b"",
                flow,
                uri,
                priority,
                user: 9,
            },
        )
        .unwrap();
    b.drain();
    let invite = b.expect(to, "INVITE");
    assert_eq!(invite.body(), "", "{}", invite.text);
    (call, invite)
}

/// The leg that answered a call.
#[track_caller]
fn answered(b: &mut Bench, call: Key) -> Key {
    let events = b.told();
    let leg = events.iter().find_map(|event| match event {
        Event::Answered { call: of, leg } if *of == call => Some(*leg),
        _ => None,
    });
    leg.unwrap_or_else(|| panic!("{events:?}"))
}

/// Who stays is asked with what the new side has said, and takes it.
#[track_caller]
fn taken(b: &mut Bench, stays: Flow, new: Flow) {
    let invite = b.expect(stays, "INVITE");
    assert_eq!(invite.body(), CAROLS, "{}", invite.text);
    assert!(invite.header("To").contains(";tag="), "within the dialog");
    b.rx(stays, &answer(&invite, 200, "alice", AGAIN));
    b.expect(stays, "ACK");
    let ack = b.expect(new, "ACK");
    assert_eq!(ack.body(), AGAIN);
}

/// Alice and Bob talk; Bob wants her to talk with Carol, who answers.
#[track_caller]
fn moved(b: &mut Bench) -> (Talking, Key, Seen) {
    let t = b.talking();
    let call = refer(b, BOB, &t.bob_sends("REFER", 1, ""), None, true);
    notified(b, BOB, "100");
    let (new, invite) = call_to(b, CAROL);
    b.rx(CAROL, &answer(&invite, 180, "carol", ""));
    b.told();
    b.rx(CAROL, &answer(&invite, 200, "carol", CAROLS));
    let leg = answered(b, new);
    b.calls.join(b.now, call, leg).unwrap();
    b.drain();
    taken(b, ALICE, CAROL);
    assert_eq!(b.told(), [Event::Joined { call, with: new }]);
    b.calls.report(b.now, call, 200, true);
    b.drain();
    notified(b, BOB, "200");
    let bye = b.expect(BOB, "BYE");
    b.rx(BOB, &answer(&bye, 200, "", ""));
    b.quiet();
    (t, new, invite)
}

fn blind_by_the_called_side(kind: Kind) {
    let mut b = Bench::new(kind);
    let (t, new, carol) = moved(&mut b);
    // They talk: what one changes the other sees.
    let alice = Caller {
        cseq: 2,
        ..t.alice.clone()
    };
    b.rx(ALICE, &alice.request("INVITE", "hold", OFFER));
    let invite = b.expect(CAROL, "INVITE");
    assert_eq!(invite.body(), OFFER);
    b.rx(CAROL, &answer(&invite, 200, "carol", CAROLS));
    b.expect(CAROL, "ACK");
    assert_eq!(b.expect(ALICE, "200").body(), CAROLS);
    b.rx(ALICE, &alice.request("ACK", "ack2", ""));
    b.rx(CAROL, &from_callee(&carol, "carol", "INVITE", 1, ""));
    let invite = b.expect(ALICE, "INVITE");
    assert_eq!(invite.body(), "", "without an offer, as it came");
    b.rx(ALICE, &answer(&invite, 200, "alice", OFFER));
    assert_eq!(b.expect(CAROL, "200").body(), OFFER);
    b.rx(CAROL, &from_callee(&carol, "carol", "ACK", 1, CAROLS));
    assert_eq!(b.expect(ALICE, "ACK").body(), CAROLS);
    // One hangs up, and both calls are over.
    b.rx(CAROL, &from_callee(&carol, "carol", "BYE", 2, ""));
    b.expect(CAROL, "200");
    let bye = b.expect(ALICE, "BYE");
    b.rx(ALICE, &answer(&bye, 200, "", ""));
    b.quiet();
    let ends: Vec<_> = b.told();
    let end = |call, end| Event::Ended { call, end };
    assert_eq!(ends.len(), 2);
    assert!(ends.contains(&end(new, End::HungUp(Side::Callee))), "{ends:?}");
    assert!(ends.contains(&end(t.key, End::Released)), "{ends:?}");
    b.nothing_left();
}

fn blind_by_the_caller(kind: Kind) {
    let mut b = Bench::new(kind);
    let t = b.talking();
    let alice = Caller {
        cseq: 2,
        ..t.alice.clone()
    };
    let call = refer(&mut b, ALICE, &alice.request("REFER", "refer", ""), None, true);
    notified(&mut b, ALICE, "100");
    let (new, invite) = call_to(&mut b, CAROL);
    b.rx(CAROL, &answer(&invite, 200, "carol", CAROLS));
    let leg = answered(&mut b, new);
    b.calls.join(b.now, call, leg).unwrap();
    b.drain();
    taken(&mut b, BOB, CAROL);
    b.calls.report(b.now, call, 200, true);
    b.drain();
    notified(&mut b, ALICE, "200");
    let bye = b.expect(ALICE, "BYE");
    b.rx(ALICE, &answer(&bye, 200, "", ""));
    b.rx(BOB, &t.bob_sends("BYE", 1, ""));
    b.expect(BOB, "200");
    let bye = b.expect(CAROL, "BYE");
    b.rx(CAROL, &answer(&bye, 200, "", ""));
    b.quiet();
    b.nothing_left();
}

/// RFC 4488: no subscription, and the BYE as soon as it is done.
fn nobody_is_told_who_did_not_want_to_be(kind: Kind) {
    let mut b = Bench::new(kind);
    let t = b.talking();
    let call = refer(&mut b, BOB, &t.bob_sends("REFER", 1, ""), None, false);
    b.quiet();
    let (new, invite) = call_to(&mut b, CAROL);
    b.rx(CAROL, &answer(&invite, 200, "carol", CAROLS));
    let leg = answered(&mut b, new);
    b.calls.join(b.now, call, leg).unwrap();
    b.drain();
    taken(&mut b, ALICE, CAROL);
    b.expect(BOB, "BYE");
    b.calls.report(b.now, call, 200, true);
    b.drain();
    b.quiet();
    b.calls.release(b.now, call, None);
    b.nothing_left();
}

fn the_transferor_hangs_up_first(kind: Kind) {
    let mut b = Bench::new(kind);
    let t = b.talking();
    let call = refer(&mut b, BOB, &t.bob_sends("REFER", 1, ""), None, true);
    notified(&mut b, BOB, "100");
    let (new, invite) = call_to(&mut b, CAROL);
    b.rx(CAROL, &answer(&invite, 180, "carol", ""));
    b.rx(BOB, &t.bob_sends("BYE", 2, ""));
    b.expect(BOB, "200");
    b.quiet();
    assert_eq!(b.ends(), []);
    b.rx(CAROL, &answer(&invite, 200, "carol", CAROLS));
    let leg = answered(&mut b, new);
    b.calls.join(b.now, call, leg).unwrap();
    b.drain();
    taken(&mut b, ALICE, CAROL);
    b.calls.report(b.now, call, 200, true);
    b.drain();
    b.quiet();
    b.calls.release(b.now, new, None);
    b.drain();
    for peer in [ALICE, CAROL] {
        let bye = b.expect(peer, "BYE");
        b.rx(peer, &answer(&bye, 200, "", ""));
    }
    b.nothing_left();
}

fn the_target_is_busy(kind: Kind) {
    let mut b = Bench::new(kind);
    let t = b.talking();
    let call = refer(&mut b, BOB, &t.bob_sends("REFER", 1, ""), None, true);
    notified(&mut b, BOB, "100");
    // Meanwhile neither side changes anything (RFC 3261 §14.1).
    let alice = Caller {
        cseq: 2,
        ..t.alice.clone()
    };
    b.rx(ALICE, &alice.request("INVITE", "hold", AGAIN));
    b.expect(ALICE, "491");
    b.rx(ALICE, &alice.request("ACK", "hold", ""));
    let (new, invite) = call_to(&mut b, CAROL);
    b.rx(CAROL, &answer(&invite, 486, "carol", ""));
    b.expect(CAROL, "ACK");
    assert!(b.told().contains(&Event::Exhausted {
        call: new,
        status: 486
    }));
    b.calls.release(b.now, new, None);
    b.calls.report(b.now, call, 486, true);
    assert!(b.calls.stay(call));
    b.drain();
    notified(&mut b, BOB, "486");
    b.quiet();
    // The call is as it was.
    let alice = Caller { cseq: 3, ..alice };
    b.rx(ALICE, &alice.request("INVITE", "hold2", AGAIN));
    let invite = b.expect(BOB, "INVITE");
    b.rx(BOB, &answer(&invite, 200, "bob", ANSWER));
    b.expect(BOB, "ACK");
    b.expect(ALICE, "200");
    b.rx(ALICE, &alice.request("ACK", "ack3", ""));
    b.rx(BOB, &t.bob_sends("BYE", 2, ""));
    b.expect(BOB, "200");
    let bye = b.expect(ALICE, "BYE");
    b.rx(ALICE, &answer(&bye, 200, "", ""));
    b.quiet();
    b.nothing_left();
}

/// The target is busy and the transferor has gone: it is called again, or the one that is left is told good-bye.
fn busy_and_nobody_is_left(kind: Kind) {
    for recalled in [true, false] {
        let mut b = Bench::new(kind);
        let t = b.talking();
        let call = refer(&mut b, BOB, &t.bob_sends("REFER", 1, ""), None, true);
        notified(&mut b, BOB, "100");
        let (new, invite) = call_to(&mut b, CAROL);
        b.rx(BOB, &t.bob_sends("BYE", 2, ""));
        b.expect(BOB, "200");
        b.rx(CAROL, &answer(&invite, 486, "carol", ""));
        b.expect(CAROL, "ACK");
        b.calls.release(b.now, new, None);
        assert!(!b.calls.stay(call));
        if recalled {
            let (back, invite) = call_to(&mut b, BOB);
            b.rx(BOB, &answer(&invite, 200, "bob2", CAROLS));
            let leg = answered(&mut b, back);
            b.calls.join(b.now, call, leg).unwrap();
            b.drain();
            taken(&mut b, ALICE, BOB);
        }
        b.calls.release(b.now, call, None);
        b.drain();
        b.expect(ALICE, "BYE");
        b.nothing_left();
    }
}

fn the_transferee_hangs_up_meanwhile(kind: Kind) {
    for is_asked in [false, true] {
        let mut b = Bench::new(kind);
        let t = b.talking();
        let call = refer(&mut b, BOB, &t.bob_sends("REFER", 1, ""), None, true);
        notified(&mut b, BOB, "100");
        let (new, invite) = call_to(&mut b, CAROL);
        b.rx(CAROL, &answer(&invite, 180, "carol", ""));
        if is_asked {
            b.rx(CAROL, &answer(&invite, 200, "carol", CAROLS));
            let leg = answered(&mut b, new);
            b.calls.join(b.now, call, leg).unwrap();
            b.drain();
            b.expect(ALICE, "INVITE");
        }
        b.told();
        let alice = Caller {
            cseq: 2,
            ..t.alice.clone()
        };
        b.rx(ALICE, &alice.request("BYE", "bye", ""));
        b.expect(ALICE, "200");
        let bye = b.expect(BOB, "BYE");
        b.rx(BOB, &answer(&bye, 200, "", ""));
        let told = b.told();
        assert!(
            told.contains(&Event::Ended {
                call,
                end: End::HungUp(Side::Caller)
            }),
            "{told:?}"
        );
        if is_asked {
            // It has nobody to talk with, and never had.
            b.expect(CAROL, "ACK");
            let bye = b.expect(CAROL, "BYE");
            b.rx(CAROL, &answer(&bye, 200, "", ""));
            assert!(
                told.contains(&Event::Ended {
                    call: new,
                    end: End::Released
                }),
                "{told:?}"
            );
        } else {
            b.calls.release(b.now, new, None);
            b.drain();
            b.expect(CAROL, "CANCEL");
        }
        b.nothing_left();
    }
}

fn the_transferee_refuses(kind: Kind) {
    let mut b = Bench::new(kind);
    let t = b.talking();
    let call = refer(&mut b, BOB, &t.bob_sends("REFER", 1, ""), None, true);
    notified(&mut b, BOB, "100");
    let (new, invite) = call_to(&mut b, CAROL);
    b.rx(CAROL, &answer(&invite, 200, "carol", CAROLS));
    let leg = answered(&mut b, new);
    b.calls.join(b.now, call, leg).unwrap();
    b.drain();
    let invite = b.expect(ALICE, "INVITE");
    b.rx(ALICE, &answer(&invite, 488, "alice", ""));
    b.expect(ALICE, "ACK");
    b.expect(CAROL, "ACK");
    let bye = b.expect(CAROL, "BYE");
    b.rx(CAROL, &answer(&bye, 200, "", ""));
    let told = b.told();
    assert!(told.contains(&Event::Parted { call, status: 488 }), "{told:?}");
    assert!(
        told.contains(&Event::Ended {
            call: new,
            end: End::Released
        }),
        "{told:?}"
    );
    assert!(b.calls.stay(call));
    b.calls.report(b.now, call, 488, true);
    b.drain();
    notified(&mut b, BOB, "488");
    b.quiet();
    // What she has is what she had, and not what she refused.
    let mut sdp = [0; SDP_MAX];
    assert_eq!(b.calls.sdp(call, Side::Caller, &mut sdp), Some(ANSWER.as_bytes()));
    b.rx(BOB, &t.bob_sends("BYE", 2, ""));
    b.expect(ALICE, "BYE");
    b.nothing_left();
}

/// Who stays has taken the offer of somebody who is not there any more: she is offered again what she had.
fn the_new_side_hangs_up_and_the_answer_comes_all_the_same(kind: Kind) {
    let mut b = Bench::new(kind);
    let t = b.talking();
    let call = refer(&mut b, BOB, &t.bob_sends("REFER", 1, ""), None, true);
    notified(&mut b, BOB, "100");
    let (new, invite) = call_to(&mut b, CAROL);
    b.rx(CAROL, &answer(&invite, 200, "carol", CAROLS));
    let leg = answered(&mut b, new);
    b.calls.join(b.now, call, leg).unwrap();
    b.drain();
    let moved = b.expect(ALICE, "INVITE");
    assert_eq!(moved.body(), CAROLS);
    b.rx(CAROL, &from_callee(&invite, "carol", "BYE", 1, ""));
    b.expect(CAROL, "200");
    assert!(b.told().contains(&Event::Parted { call, status: 480 }));
    assert!(b.calls.stay(call));
    b.calls.report(b.now, call, 480, true);
    b.drain();
    notified(&mut b, BOB, "480");
    b.quiet();
    b.rx(ALICE, &answer(&moved, 200, "alice", AGAIN));
    b.expect(ALICE, "ACK");
    let back = b.expect(ALICE, "INVITE");
    assert_eq!(back.body(), ANSWER);
    b.rx(ALICE, &answer(&back, 200, "alice", AGAIN));
    b.expect(ALICE, "ACK");
    // What she says now is new to him.
    let told = b.expect(BOB, "INVITE");
    assert_eq!(told.body(), AGAIN);
    b.rx(BOB, &answer(&told, 200, "bob", ANSWER));
    b.expect(BOB, "ACK");
    b.quiet();
    b.rx(BOB, &t.bob_sends("BYE", 2, ""));
    b.expect(BOB, "200");
    b.expect(ALICE, "BYE");
    b.nothing_left();
}

/// Ours meets one of the other side's: once more, after a while; and no third time.
fn a_reinvite_meets_one(kind: Kind) {
    for twice in [false, true] {
        let mut b = Bench::new(kind);
        let t = b.talking();
        let call = refer(&mut b, BOB, &t.bob_sends("REFER", 1, ""), None, true);
        notified(&mut b, BOB, "100");
        let (new, invite) = call_to(&mut b, CAROL);
        b.rx(CAROL, &answer(&invite, 200, "carol", CAROLS));
        let leg = answered(&mut b, new);
        b.calls.join(b.now, call, leg).unwrap();
        b.drain();
        let invite = b.expect(ALICE, "INVITE");
        b.rx(ALICE, &answer(&invite, 491, "alice", ""));
        b.expect(ALICE, "ACK");
        b.quiet();
        let start = b.now;
        while b.seen.is_empty() {
            b.wait(10);
        }
        // RFC 3261 §14.1: the Call-ID is hers.
        assert!(b.now - start <= Duration::from_secs(2));
        if twice {
            let invite = b.expect(ALICE, "INVITE");
            b.rx(ALICE, &answer(&invite, 491, "alice", ""));
            b.expect(ALICE, "ACK");
            assert!(b.told().contains(&Event::Parted { call, status: 491 }));
        } else {
            taken(&mut b, ALICE, CAROL);
        }
        b.calls.release(b.now, call, None);
        b.nothing_left();
    }
}

/// While one side changes something nobody is put in the other's place.
fn reinvites_and_transfers(kind: Kind) {
    let mut b = Bench::new(kind);
    let t = b.talking();
    let alice = Caller {
        cseq: 2,
        ..t.alice.clone()
    };
    b.rx(ALICE, &alice.request("INVITE", "hold", AGAIN));
    let invite = b.expect(BOB, "INVITE");
    let Receive::Refer { leg, .. } = b.hand_in(BOB, &t.bob_sends("REFER", 1, "")) else {
        panic!("no REFER");
    };
    assert_eq!(b.calls.depart(leg, None, true), Err(491));
    b.rx(BOB, &answer(&invite, 200, "bob", ANSWER));
    assert_eq!(b.calls.depart(leg, None, true), Err(491), "its ACK is not there");
    b.expect(ALICE, "200");
    b.rx(ALICE, &alice.request("ACK", "ack2", ""));
    b.expect(BOB, "ACK");
    assert_eq!(b.calls.depart(leg, None, true), Ok(t.key));
    assert_eq!(b.calls.depart(leg, None, true), Err(491), "one at a time");
    assert!(b.calls.stay(t.key));
    b.calls.release(b.now, t.key, None);
    b.drain();
    assert_eq!(b.calls.depart(leg, None, true), Err(481));
    b.nothing_left();
}

/// Carol, to whom Alice was transferred, transfers her on to Dave.
fn twice(kind: Kind) {
    let mut b = Bench::new(kind);
    let (t, old, carol) = moved(&mut b);
    b.told();
    let call = refer(
        &mut b,
        CAROL,
        &from_callee(&carol, "carol", "REFER", 1, ""),
        None,
        true,
    );
    assert_eq!(call, t.key, "Alice stays");
    notified(&mut b, CAROL, "100");
    let (new, invite) = call_to(&mut b, DAVE);
    b.rx(DAVE, &answer(&invite, 200, "dave", CAROLS));
    let leg = answered(&mut b, new);
    b.calls.join(b.now, call, leg).unwrap();
    b.drain();
    taken(&mut b, ALICE, DAVE);
    b.told();
    b.calls.report(b.now, call, 200, true);
    b.drain();
    notified(&mut b, CAROL, "200");
    b.expect(CAROL, "BYE");
    assert_eq!(
        b.told(),
        [Event::Ended {
            call: old,
            end: End::Released
        }]
    );
    assert_eq!(b.calls.linked(call), Some((new, Side::Caller)));
    assert_eq!(b.calls.linked(new), Some((call, Side::Callee)));
    let alice = Caller {
        cseq: 2,
        ..t.alice.clone()
    };
    b.rx(ALICE, &alice.request("BYE", "bye", ""));
    b.expect(DAVE, "BYE");
    b.nothing_left();

    // And if Carol hangs up before, Alice is not lost.
    let mut b = Bench::new(kind);
    let (t, _, carol) = moved(&mut b);
    let call = refer(
        &mut b,
        CAROL,
        &from_callee(&carol, "carol", "REFER", 1, ""),
        None,
        true,
    );
    b.rx(CAROL, &from_callee(&carol, "carol", "BYE", 2, ""));
    b.told();
    let (new, invite) = call_to(&mut b, DAVE);
    b.rx(DAVE, &answer(&invite, 200, "dave", CAROLS));
    let leg = answered(&mut b, new);
    b.calls.join(b.now, call, leg).unwrap();
    b.drain();
    taken(&mut b, ALICE, DAVE);
    assert_eq!(call, t.key);
    b.calls.release(b.now, new, None);
    b.drain();
    b.expect(ALICE, "BYE");
    b.nothing_left();
}

/// The NOTIFY with the end of it waits for the answer to the one before, which goes out until it is there.
fn a_lost_notify(kind: Kind) {
    let mut b = Bench::new(kind);
    let t = b.talking();
    let call = refer(&mut b, BOB, &t.bob_sends("REFER", 1, ""), None, true);
    b.expect(BOB, "NOTIFY");
    b.calls.report(b.now, call, 486, true);
    b.calls.stay(call);
    b.drain();
    b.quiet();
    b.wait(500);
    let again = b.expect(BOB, "NOTIFY");
    b.rx(BOB, &answer(&again, 200, "", ""));
    notified(&mut b, BOB, "486");
    b.quiet();
    b.calls.release(b.now, call, None);
    b.nothing_left();
}

/// Nobody answers: neither the re-INVITE, nor the NOTIFYs.
fn silence(kind: Kind) {
    let mut b = Bench::new(kind);
    let t = b.talking();
    let call = refer(&mut b, BOB, &t.bob_sends("REFER", 1, ""), None, true);
    let (new, invite) = call_to(&mut b, CAROL);
    b.rx(CAROL, &answer(&invite, 200, "carol", CAROLS));
    let leg = answered(&mut b, new);
    b.calls.join(b.now, call, leg).unwrap();
    b.wait(33_000);
    let told = b.told();
    assert!(
        told.contains(&Event::Ended {
            call,
            end: End::Lost(Side::Caller)
        }),
        "{told:?}"
    );
    assert!(
        told.contains(&Event::Ended {
            call: new,
            end: End::Released
        }),
        "{told:?}"
    );
    b.nothing_left();
}

fn dialogs_by_name(kind: Kind) {
    let mut b = Bench::new(kind);
    let t = b.talking();
    let (alice, bob) = (&t.alice, &t.bob);
    let tag = alice.to_tag.as_bytes();
    let leg = b.calls.find(b"c1", tag, b"ac1").unwrap();
    assert_eq!(b.calls.place(leg), Some((t.key, Side::Caller)));
    let (id, ours) = (bob.header("Call-ID").as_bytes(), bob.tag("From").as_bytes());
    let other = b.calls.find(id, ours, b"bob").unwrap();
    assert_eq!(b.calls.place(other), Some((t.key, Side::Callee)));
    assert_eq!(b.calls.opposite(leg), Some(other));
    for (id, ours, theirs) in [
        (&b"c2"[..], tag, &b"ac1"[..]),
        (b"c1", b"x", b"ac1"),
        (b"c1", tag, b"ac2"),
        (b"c1", ours, b"ac1"),
    ] {
        assert_eq!(b.calls.find(id, ours, theirs), None);
    }
    b.calls.release(b.now, t.key, None);
    b.nothing_left();
}
