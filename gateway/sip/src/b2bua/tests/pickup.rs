//! Who takes a call that rings elsewhere.

use super::*;

suite! {
    taken
    taken_without_answer
    refused
    somebody_else_was_faster
    the_caller_has_gone
    what_cannot_be_taken
    in_the_place_of_who_departs
    in_nobodys_place
}

const HELD: &str = "v=0\r\no=pbx 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\na=inactive\r\n";
const CAROLS: &str = "v=0\r\no=carol 1 1 IN IP4 192.0.2.30\r\ns=-\r\nc=IN IP4 192.0.2.30\r\nt=0 0\r\nm=audio 8000 RTP/AVP 0\r\n";

/// Alice calls Bob, who rings; Carol takes it, and has acknowledged our own answer. Alice's call and Carol's; Bob's INVITE.
#[track_caller]
fn taking(b: &mut Bench) -> (Key, Key, Caller, Seen) {
    let alice = Caller::new(ALICE, "c1");
    let rings = b.call(&alice, OFFER, &[BOB]);
    let bob = b.expect(BOB, "INVITE");
    b.rx(BOB, &answer(&bob, 180, "bob", ""));
    b.expect(ALICE, "100");
    b.expect(ALICE, "180");
    let (call_id, tag) = b.calls.ringing(rings, 0).unwrap();
    assert_eq!(bob.header("Call-ID"), call_id.to_string());
    let found = b
        .calls
        .find_ringing(call_id.to_string().as_bytes(), tag.to_string().as_bytes());
    assert_eq!(found, Some((rings, 0)));
    let mut carol = Caller::new(CAROL, "c2");
    let own = b.open(CAROL, &carol.request("INVITE", "1", CAROLS)).unwrap();
    b.expect(CAROL, "100");
    b.calls.pick_up(b.now, own, rings, HELD.as_bytes()).unwrap();
    b.drain();
    let ok = b.expect(CAROL, "200");
    assert_eq!(ok.body(), HELD);
    carol.to_tag = ok.tag("To").to_string();
    b.quiet();
    b.rx(CAROL, &carol.request("ACK", "ack", ""));
    b.told();
    (rings, own, carol, bob)
}

fn taken(kind: Kind) {
    let mut b = Bench::new(kind);
    let (rings, own, carol, bob) = taking(&mut b);
    let invite = b.expect(CAROL, "INVITE");
    assert_eq!(invite.body(), OFFER);
    b.rx(CAROL, &answer(&invite, 200, "carol", CAROLS));
    b.expect(CAROL, "ACK");
    let ok = b.expect(ALICE, "200");
    assert_eq!(ok.body(), CAROLS);
    let mut alice = Caller::new(ALICE, "c1");
    alice.to_tag = ok.tag("To").to_string();
    b.rx(ALICE, &alice.request("ACK", "ack", ""));
    let cancel = b.expect(BOB, "CANCEL");
    assert!(cancel.header("Reason").contains("cause=200"));
    b.rx(BOB, &answer(&cancel, 200, "bob", ""));
    b.rx(BOB, &answer(&bob, 487, "bob", ""));
    b.expect(BOB, "ACK");
    assert_eq!(
        b.told(),
        [Event::Joined {
            call: own,
            with: rings
        }]
    );
    // They talk.
    let carol = Caller { cseq: 2, ..carol };
    b.rx(CAROL, &carol.request("INVITE", "hold", HELD));
    assert_eq!(b.expect(ALICE, "INVITE").body(), HELD);
    b.calls.release(b.now, own, None);
    b.drain();
    b.expect(CAROL, "487");
    b.expect(CAROL, "BYE");
    b.expect(ALICE, "BYE");
    b.nothing_left();
}

fn taken_without_answer(kind: Kind) {
    let mut b = Bench::new(kind);
    let (rings, own, ..) = taking(&mut b);
    b.wait(33_000);
    let told = b.told();
    assert!(
        told.contains(&Event::Ended {
            call: own,
            end: End::Lost(Side::Caller)
        }),
        "{told:?}"
    );
    assert!(
        !told
            .iter()
            .any(|event| matches!(event, Event::Ended { call, .. } if *call == rings)),
        "{told:?}"
    );
    b.calls.refuse(b.now, rings, 480, None);
    b.nothing_left();
}

/// It rings on.
fn refused(kind: Kind) {
    let mut b = Bench::new(kind);
    let (rings, own, carol, bob) = taking(&mut b);
    let invite = b.expect(CAROL, "INVITE");
    b.rx(CAROL, &answer(&invite, 488, "carol", ""));
    b.expect(CAROL, "ACK");
    assert_eq!(
        b.told(),
        [Event::Parted {
            call: own,
            status: 488
        }]
    );
    assert!(!b.calls.stay(own));
    b.calls.release(b.now, own, None);
    b.drain();
    let bye = b.expect(CAROL, "BYE");
    assert_eq!(bye.header("Call-ID"), carol.id);
    b.quiet();
    b.rx(BOB, &answer(&bob, 200, "bob", ANSWER));
    b.expect(BOB, "ACK");
    b.expect(ALICE, "200");
    b.calls.release(b.now, rings, None);
    b.nothing_left();
}

fn somebody_else_was_faster(kind: Kind) {
    let mut b = Bench::new(kind);
    let (rings, own, _, bob) = taking(&mut b);
    b.expect(CAROL, "INVITE");
    b.rx(BOB, &answer(&bob, 200, "bob", ANSWER));
    b.expect(BOB, "ACK");
    assert_eq!(b.expect(ALICE, "200").body(), ANSWER);
    assert!(b.told().contains(&Event::Parted {
        call: own,
        status: 487
    }));
    assert!(!b.calls.stay(own));
    b.calls.release(b.now, own, None);
    b.drain();
    b.expect(CAROL, "BYE");
    b.quiet();
    b.calls.release(b.now, rings, None);
    b.nothing_left();
}

fn the_caller_has_gone(kind: Kind) {
    let mut b = Bench::new(kind);
    let (rings, own, ..) = taking(&mut b);
    b.expect(CAROL, "INVITE");
    b.rx(ALICE, &Caller::new(ALICE, "c1").request("CANCEL", "1", ""));
    b.expect(ALICE, "200");
    b.expect(ALICE, "487");
    b.expect(BOB, "CANCEL");
    b.expect(CAROL, "BYE");
    let told = b.told();
    for (call, end) in [(rings, End::Cancelled), (own, End::Released)] {
        assert!(told.contains(&Event::Ended { call, end }), "{told:?}");
    }
    b.nothing_left();
}

fn what_cannot_be_taken(kind: Kind) {
    let mut b = Bench::new(kind);
    let t = b.talking();
    let carol = Caller::new(CAROL, "c2");
    let own = b.open(CAROL, &carol.request("INVITE", "1", CAROLS)).unwrap();
    let sdp = HELD.as_bytes();
    assert_eq!(
        b.calls.pick_up(b.now, own, t.key, sdp),
        Err(Refusal::Gone),
        "it is answered"
    );
    assert_eq!(b.calls.pick_up(b.now, own, own, sdp), Err(Refusal::Gone));
    let dave = Caller::new(DAVE, "c3");
    let offerless = b.open(DAVE, &dave.request("INVITE", "1", "")).unwrap();
    assert_eq!(b.calls.pick_up(b.now, own, offerless, sdp), Err(Refusal::Media));
    assert_eq!(b.calls.pick_up(b.now, offerless, own, sdp), Err(Refusal::Media));
    for call in [own, offerless, t.key] {
        b.calls.release(b.now, call, None);
    }
    b.nothing_left();
}

/// Alice and Bob talk, and Bob may go; Carol has called. The leg of Bob, and Carol's call.
#[track_caller]
fn departing(b: &mut Bench) -> (Talking, Key, Caller, Key) {
    let t = b.talking();
    let bob = b.calls.leg(t.key, Side::Callee).unwrap();
    assert_eq!(b.calls.depart(bob, None, false), Ok(t.key));
    let carol = Caller::new(CAROL, "c2");
    let own = b.open(CAROL, &carol.request("INVITE", "1", CAROLS)).unwrap();
    b.calls.take(b.now, t.key, own).unwrap();
    b.drain();
    b.seen.retain(|seen| seen.what() != "100");
    (t, bob, carol, own)
}

fn in_the_place_of_who_departs(kind: Kind) {
    let mut b = Bench::new(kind);
    let (t, bob, mut carol, own) = departing(&mut b);
    // There is one such place.
    assert_eq!(b.calls.depart(bob, None, false), Err(491));
    let dave = Caller::new(DAVE, "c3");
    let late = b.open(DAVE, &dave.request("INVITE", "1", CAROLS)).unwrap();
    assert_eq!(b.calls.take(b.now, t.key, late), Err(Refusal::Media));
    b.calls.refuse(b.now, late, 486, None);
    b.drain();
    b.seen.retain(|seen| seen.flow != DAVE);
    let invite = b.expect(ALICE, "INVITE");
    assert_eq!(invite.body(), CAROLS);
    b.rx(ALICE, &answer(&invite, 200, "alice", OFFER));
    assert_eq!(b.expect(ALICE, "ACK").body(), "");
    let ok = b.expect(CAROL, "200");
    assert_eq!(ok.body(), OFFER);
    carol.to_tag = ok.tag("To").to_string();
    b.rx(CAROL, &carol.request("ACK", "ack", ""));
    let joined = Event::Joined {
        call: t.key,
        with: own,
    };
    assert!(b.told().contains(&joined));
    let bye = b.expect(BOB, "BYE");
    b.rx(BOB, &answer(&bye, 200, "", ""));
    carol.cseq = 2;
    b.rx(CAROL, &carol.request("BYE", "bye", ""));
    b.expect(CAROL, "200");
    let bye = b.expect(ALICE, "BYE");
    b.rx(ALICE, &answer(&bye, 200, "", ""));
    b.nothing_left();
}

fn in_nobodys_place(kind: Kind) {
    // Alice cannot talk with Carol, or Carol gives up: Alice talks with Bob as before.
    for gives_up in [false, true] {
        let mut b = Bench::new(kind);
        let (t, _, carol, own) = departing(&mut b);
        let invite = b.expect(ALICE, "INVITE");
        let status = match gives_up {
            true => {
                b.rx(CAROL, &carol.request("CANCEL", "1", ""));
                b.expect(CAROL, "200");
                b.expect(CAROL, "487");
                480
            }
            false => {
                b.rx(ALICE, &answer(&invite, 488, "alice", ""));
                b.expect(ALICE, "ACK");
                488
            }
        };
        let parted = Event::Parted { call: t.key, status };
        assert!(b.told().contains(&parted));
        assert!(b.calls.stay(t.key));
        b.calls.refuse(b.now, own, status, None);
        b.drain();
        if gives_up {
            b.rx(ALICE, &answer(&invite, 200, "alice", OFFER));
            b.expect(ALICE, "ACK");
            let invite = b.expect(ALICE, "INVITE");
            assert_eq!(invite.body(), ANSWER, "what Bob has said");
            b.rx(ALICE, &answer(&invite, 200, "alice", OFFER));
            b.expect(ALICE, "ACK");
        } else {
            b.expect(CAROL, "488");
        }
        b.quiet();
        b.rx(BOB, &t.bob_sends("BYE", 1, ""));
        b.expect(BOB, "200");
        let bye = b.expect(ALICE, "BYE");
        b.rx(ALICE, &answer(&bye, 200, "", ""));
        b.nothing_left();
    }
    // Who has called without an offer has nothing that could be passed on; and nobody departs any more.
    let mut b = Bench::new(kind);
    let t = b.talking();
    let dave = Caller::new(DAVE, "c3");
    let offerless = b.open(DAVE, &dave.request("INVITE", "1", "")).unwrap();
    assert_eq!(b.calls.take(b.now, t.key, offerless), Err(Refusal::Gone));
    let bob = b.calls.leg(t.key, Side::Callee).unwrap();
    b.calls.depart(bob, None, false).unwrap();
    assert_eq!(b.calls.take(b.now, t.key, offerless), Err(Refusal::Media));
    assert_eq!(b.calls.take(b.now, t.key, t.key), Err(Refusal::Gone));
    for call in [offerless, t.key] {
        b.calls.release(b.now, call, None);
    }
    b.nothing_left();
}
