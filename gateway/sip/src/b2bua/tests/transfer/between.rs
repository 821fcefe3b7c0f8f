//! What comes in between while somebody is put in another one's place.

use super::*;

suite! {
    a_refresh_while_a_reinvite_waits
    a_refresh_while_the_new_side_is_asked
    an_update_while_the_new_side_is_asked
    both_want_to_be_replaced
    an_answer_that_is_none
    a_key_while_somebody_leaves
    who_was_replaced_asks
    who_was_replaced_is_told_too_late
    who_was_replaced_is_told_first
    a_key_to_who_is_replaced
}

/// Alice and Bob talk; Carol, who has answered, is to take Bob's place, which Alice is asked for. Carol's call, and both INVITEs.
#[track_caller]
fn asked(b: &mut Bench) -> (Talking, Key, Seen, Seen) {
    let t = b.talking();
    let call = refer(b, BOB, &t.bob_sends("REFER", 1, ""), None, true);
    notified(b, BOB, "100");
    let (new, carol) = call_to(b, CAROL);
    b.rx(CAROL, &answer(&carol, 200, "carol", CAROLS));
    let leg = answered(b, new);
    b.calls.join(b.now, call, leg).unwrap();
    b.drain();
    let invite = b.expect(ALICE, "INVITE");
    (t, new, carol, invite)
}

fn end(mut b: Bench, call: Key) {
    b.calls.release(b.now, call, None);
    b.nothing_left();
}

/// Ours has met one of hers and is due again soon, whatever else she says.
fn a_refresh_while_a_reinvite_waits(kind: Kind) {
    let mut b = Bench::new(kind);
    let (t, _, _, invite) = asked(&mut b);
    b.rx(ALICE, &answer(&invite, 491, "alice", ""));
    b.expect(ALICE, "ACK");
    let cseq = 2;
    b.rx(
        ALICE,
        &Caller { cseq, ..t.alice }.request("UPDATE", "refresh", ""),
    );
    b.expect(ALICE, "200");
    let until = b.now + Duration::from_secs(2);
    while b.seen.is_empty() && b.now < until {
        b.wait(10);
    }
    taken(&mut b, ALICE, CAROL);
    end(b, t.key);
}

/// Who was put in Bob's place wants to be replaced itself, and changes something as if it were to stay.
fn an_update_while_the_new_side_is_asked(kind: Kind) {
    let mut b = Bench::new(kind);
    let (t, _, carol) = moved(&mut b);
    let refers = from_callee(&carol, "carol", "REFER", 1, "");
    let call = refer(&mut b, CAROL, &refers, None, true);
    notified(&mut b, CAROL, "100");
    let (new, dave) = call_to(&mut b, DAVE);
    b.rx(DAVE, &answer(&dave, 200, "dave", CAROLS));
    let leg = answered(&mut b, new);
    b.rx(CAROL, &from_callee(&carol, "carol", "UPDATE", 2, OFFER));
    b.expect(CAROL, "491");
    b.quiet();
    b.calls.join(b.now, call, leg).unwrap();
    b.drain();
    b.rx(CAROL, &from_callee(&carol, "carol", "UPDATE", 3, OFFER));
    b.expect(CAROL, "491");
    taken(&mut b, ALICE, DAVE);
    b.calls.report(b.now, call, 200, true);
    b.drain();
    notified(&mut b, CAROL, "200");
    b.expect(CAROL, "BYE");
    end(b, t.key);
}

/// Who was replaced is told so, and has nobody to change anything with any more.
fn who_was_replaced_asks(kind: Kind) {
    let mut b = Bench::new(kind);
    let (t, carol) = replaced(&mut b);
    for (method, cseq) in [("INVITE", 2), ("UPDATE", 3), ("INFO", 4)] {
        b.rx(CAROL, &from_callee(&carol, "carol", method, cseq, OFFER));
        b.expect(CAROL, "481");
    }
    b.quiet();
    end(b, t.key);
}

/// The call that it was about ends before it has said that it was told.
fn who_was_replaced_is_told_too_late(kind: Kind) {
    let mut b = Bench::new(kind);
    let (t, carol) = replaced(&mut b);
    b.rx(ALICE, &Caller { cseq: 2, ..t.alice }.request("BYE", "bye", ""));
    let bye = b.expect(CAROL, "BYE");
    assert_eq!(bye.header("Call-ID"), carol.header("Call-ID"));
    b.nothing_left();
}

/// Carol, who was put in Bob's place, has put Dave in hers. Her INVITE.
#[track_caller]
fn replaced(b: &mut Bench) -> (Talking, Seen) {
    let (t, _, carol) = moved(b);
    let refers = from_callee(&carol, "carol", "REFER", 1, "");
    let call = refer(b, CAROL, &refers, None, true);
    notified(b, CAROL, "100");
    let (new, dave) = call_to(b, DAVE);
    b.rx(DAVE, &answer(&dave, 200, "dave", CAROLS));
    let leg = answered(b, new);
    b.calls.join(b.now, call, leg).unwrap();
    b.drain();
    taken(b, ALICE, DAVE);
    b.calls.report(b.now, call, 200, true);
    b.drain();
    b.expect(CAROL, "NOTIFY");
    b.quiet();
    (t, carol)
}

/// One at a time, in a linked call too.
fn both_want_to_be_replaced(kind: Kind) {
    let mut b = Bench::new(kind);
    let (t, _, carol) = moved(&mut b);
    let refers = from_callee(&carol, "carol", "REFER", 1, "");
    let call = refer(&mut b, CAROL, &refers, None, true);
    notified(&mut b, CAROL, "100");
    let refers = Caller { cseq: 2, ..t.alice }.request("REFER", "refer", "");
    let Receive::Refer { leg, .. } = b.hand_in(ALICE, &refers) else {
        panic!("no REFER");
    };
    assert_eq!(b.calls.depart(leg, None, true), Err(491));
    assert!(b.calls.stay(call));
    let other = b.calls.depart(leg, None, true).unwrap();
    assert!(b.calls.stay(other));
    end(b, call);
}

/// Alice's session is due while Carol, who is to take Bob's place, is asked for an offer: it can wait.
fn a_refresh_while_the_new_side_is_asked(kind: Kind) {
    let mut b = Bench::new(kind);
    let t = b.talking();
    let update = Caller {
        cseq: 2,
        ..t.alice.clone()
    }
    .request("UPDATE", "refresh", "");
    let session = "Supported: timer\r\nSession-Expires: 90;refresher=uas\r\nContent-Length";
    b.rx(ALICE, &update.replacen("Content-Length", session, 1));
    b.expect(ALICE, "200");
    let call = refer(&mut b, BOB, &t.bob_sends("REFER", 1, ""), None, true);
    notified(&mut b, BOB, "100");
    let (new, carol) = call_to(&mut b, CAROL);
    let carols = Caller::new(CAROL, "c2");
    b.rx(CAROL, &answer(&carol, 486, "carol", ""));
    b.calls.release(b.now, new, None);
    // She talks with Dave, who wants to get rid of her as well.
    let with = b.call(&carols, CAROLS, &[DAVE]);
    let invite = b.expect(DAVE, "INVITE");
    b.rx(DAVE, &answer(&invite, 200, "dave", OFFER));
    let to_tag = b
        .seen
        .iter()
        .find(|seen| seen.flow == CAROL && seen.what() == "200");
    let to_tag = to_tag.unwrap().tag("To").to_string();
    b.rx(CAROL, &Caller { to_tag, ..carols }.request("ACK", "ack", ""));
    b.wait(44_000);
    b.told();
    b.seen.clear();
    let new = b.calls.leg(with, Side::Caller).unwrap();
    b.calls.join(b.now, call, new).unwrap();
    b.drain();
    let invite = b.expect(CAROL, "INVITE");
    b.rx(CAROL, &answer(&invite, 100, "carol", ""));
    b.wait(2_000);
    b.quiet();
    b.rx(CAROL, &answer(&invite, 200, "carol", CAROLS));
    taken(&mut b, ALICE, CAROL);
    assert_eq!(b.told(), [Event::Joined { call, with }]);
    end(b, call);
}

/// Alice has taken Carol's offer and what she says to it is no answer: she is offered again what she had.
fn an_answer_that_is_none(kind: Kind) {
    let mut b = Bench::new(kind);
    let (t, new, carol, invite) = asked(&mut b);
    b.rx(ALICE, &answer(&invite, 200, "alice", ""));
    b.expect(ALICE, "ACK");
    b.expect(CAROL, "ACK");
    let bye = b.expect(CAROL, "BYE");
    assert_eq!(bye.header("Call-ID"), carol.header("Call-ID"));
    let told = b.told();
    let status = 488;
    assert!(told.contains(&Event::Parted { call: t.key, status }), "{told:?}");
    assert!(
        told.iter()
            .any(|event| matches!(event, Event::Ended { call, .. } if *call == new))
    );
    assert!(b.calls.stay(t.key));
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
    end(b, t.key);
}

/// A key that Alice presses goes to Bob, who is replaced or hangs up before he has said that he has it.
fn a_key_while_somebody_leaves(kind: Kind) {
    for hangs_up in [false, true] {
        let mut b = Bench::new(kind);
        let t = b.talking();
        let call = refer(&mut b, BOB, &t.bob_sends("REFER", 1, ""), None, false);
        let (new, carol) = call_to(&mut b, CAROL);
        b.rx(CAROL, &answer(&carol, 200, "carol", CAROLS));
        let leg = answered(&mut b, new);
        let info = |cseq| {
            let alice = t.alice.clone();
            Caller { cseq, ..alice }.request("INFO", &format!("info{cseq}"), "")
        };
        b.rx(ALICE, &info(2));
        b.expect(BOB, "INFO");
        if hangs_up {
            b.rx(BOB, &t.bob_sends("BYE", 2, ""));
            b.expect(BOB, "200");
            b.expect(ALICE, "487");
        }
        b.calls.join(b.now, call, leg).unwrap();
        b.drain();
        taken(&mut b, ALICE, CAROL);
        if !hangs_up {
            b.expect(ALICE, "487");
            b.expect(BOB, "BYE");
        }
        // The next one finds Carol.
        b.rx(ALICE, &info(3));
        let info = b.expect(CAROL, "INFO");
        b.rx(CAROL, &answer(&info, 200, "carol", ""));
        b.expect(ALICE, "200");
        end(b, call);
    }
}

/// Who was put in Bob's place leaves it before Bob has heard of it, who is not forgotten for that.
fn who_was_replaced_is_told_first(kind: Kind) {
    let mut b = Bench::new(kind);
    let (t, new, carol, invite) = asked(&mut b);
    b.rx(ALICE, &answer(&invite, 200, "alice", AGAIN));
    b.expect(ALICE, "ACK");
    b.expect(CAROL, "ACK");
    assert_eq!(
        b.told(),
        [Event::Joined {
            call: t.key,
            with: new
        }]
    );
    b.calls.report(b.now, t.key, 200, true);
    b.drain();
    let notify = b.expect(BOB, "NOTIFY");
    let refers = |b: &mut Bench, cseq| {
        let text = from_callee(&carol, "carol", "REFER", cseq, "");
        let Receive::Refer { leg, .. } = b.hand_in(CAROL, &text) else {
            panic!("no REFER");
        };
        b.calls.depart(leg, None, true)
    };
    assert_eq!(refers(&mut b, 1), Err(491));
    b.rx(BOB, &answer(&notify, 200, "", ""));
    b.expect(BOB, "BYE");
    assert_eq!(refers(&mut b, 2), Ok(t.key));
    end(b, t.key);
}

/// Alice's key is still on its way to Carol when Dave is put in her place: whose answer it has, Alice hears.
fn a_key_to_who_is_replaced(kind: Kind) {
    let mut b = Bench::new(kind);
    let (t, _, carol) = moved(&mut b);
    b.told();
    let text = from_callee(&carol, "carol", "REFER", 1, "");
    let call = refer(&mut b, CAROL, &text, None, true);
    notified(&mut b, CAROL, "100");
    let (new, invite) = call_to(&mut b, DAVE);
    let alice = Caller { cseq: 2, ..t.alice };
    b.rx(ALICE, &alice.request("INFO", "key", ""));
    let info = b.expect(CAROL, "INFO");
    b.rx(DAVE, &answer(&invite, 200, "dave", CAROLS));
    let leg = answered(&mut b, new);
    b.calls.join(b.now, call, leg).unwrap();
    b.drain();
    taken(&mut b, ALICE, DAVE);
    b.rx(CAROL, &answer(&info, 200, "", ""));
    assert_eq!(b.expect(ALICE, "200").header("CSeq"), "2 INFO");
    end(b, call);
}
