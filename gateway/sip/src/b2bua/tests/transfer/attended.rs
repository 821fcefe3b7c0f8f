//! Attended transfers: two calls of one side become one (RFC 5589 §7).

use super::*;

suite! {
    attended
    attended_of_two_called_sides
    attended_and_refused
    attended_and_the_transferor_hangs_up_first
    attended_and_the_new_side_hangs_up_meanwhile
}

/// Bob, who talks with Alice, calls Carol, who answers.
#[track_caller]
fn consulted(b: &mut Bench) -> (Caller, Key, Seen) {
    let mut bob = Caller::new(BOB, "c2");
    let call = b.call(&bob, ANSWER, &[CAROL]);
    let invite = b.expect(CAROL, "INVITE");
    b.rx(CAROL, &answer(&invite, 200, "carol", CAROLS));
    b.expect(BOB, "100");
    bob.to_tag = b.expect(BOB, "200").tag("To").to_string();
    b.rx(BOB, &bob.request("ACK", "ack", ""));
    b.expect(CAROL, "ACK");
    b.told();
    bob.cseq = 2;
    (bob, call, invite)
}

#[track_caller]
fn bobs_leg(b: &Bench, bob: &Caller) -> Key {
    let leg = b.calls.find(b"c2", bob.to_tag.as_bytes(), b"ac2");
    leg.expect("the dialog of Bob's second call")
}

fn attended(kind: Kind) {
    let mut b = Bench::new(kind);
    let t = b.talking();
    let (bob, second, carol) = consulted(&mut b);
    let own = bobs_leg(&b, &bob);
    let call = refer(&mut b, BOB, &t.bob_sends("REFER", 1, ""), Some(own), true);
    notified(&mut b, BOB, "100");
    let new = b.calls.opposite(own).unwrap();
    b.calls.join(b.now, call, new).unwrap();
    b.drain();
    // Who was called is asked for an offer, and who stays gets it.
    let invite = b.expect(CAROL, "INVITE");
    assert_eq!(invite.body(), "");
    b.rx(CAROL, &answer(&invite, 200, "carol", CAROLS));
    taken(&mut b, ALICE, CAROL);
    let bye = b.expect(BOB, "BYE");
    assert_eq!(bye.header("Call-ID"), "c2");
    b.rx(BOB, &answer(&bye, 200, "", ""));
    assert_eq!(b.told(), [Event::Joined { call, with: second }]);
    assert_eq!(b.calls.linked(call), Some((second, Side::Caller)));
    assert_eq!(b.calls.linked(second), Some((call, Side::Callee)));
    b.calls.report(b.now, call, 200, true);
    b.drain();
    notified(&mut b, BOB, "200");
    let bye = b.expect(BOB, "BYE");
    b.rx(BOB, &answer(&bye, 200, "", ""));
    let alice = Caller {
        cseq: 2,
        ..t.alice.clone()
    };
    b.rx(ALICE, &alice.request("BYE", "bye", ""));
    b.expect(ALICE, "200");
    let bye = b.expect(CAROL, "BYE");
    assert_eq!(bye.header("Call-ID"), carol.header("Call-ID"));
    b.rx(CAROL, &answer(&bye, 200, "", ""));
    b.quiet();
    b.nothing_left();
}

/// Alice has called both.
fn attended_of_two_called_sides(kind: Kind) {
    let mut b = Bench::new(kind);
    let t = b.talking();
    let mut second = Caller::new(ALICE, "c2");
    let with = b.call(&second, OFFER, &[CAROL]);
    let carol = b.expect(CAROL, "INVITE");
    b.rx(CAROL, &answer(&carol, 200, "carol", CAROLS));
    b.expect(ALICE, "100");
    second.to_tag = b.expect(ALICE, "200").tag("To").to_string();
    b.rx(ALICE, &second.request("ACK", "ack", ""));
    b.expect(CAROL, "ACK");
    b.told();
    let own = bobs_leg(&b, &second);
    let alice = Caller {
        cseq: 2,
        ..t.alice.clone()
    };
    let call = refer(
        &mut b,
        ALICE,
        &alice.request("REFER", "refer", ""),
        Some(own),
        true,
    );
    notified(&mut b, ALICE, "100");
    let new = b.calls.opposite(own).unwrap();
    b.calls.join(b.now, call, new).unwrap();
    b.drain();
    let invite = b.expect(CAROL, "INVITE");
    b.rx(CAROL, &answer(&invite, 200, "carol", CAROLS));
    taken(&mut b, BOB, CAROL);
    b.expect(ALICE, "BYE");
    assert_eq!(b.told(), [Event::Joined { call, with }]);
    b.rx(BOB, &t.bob_sends("BYE", 1, ""));
    b.expect(CAROL, "BYE");
    b.nothing_left();
}

/// Both calls go on as they were, each with the description it had.
fn attended_and_refused(kind: Kind) {
    for by_new in [false, true] {
        let mut b = Bench::new(kind);
        let t = b.talking();
        let (bob, second, carol) = consulted(&mut b);
        let own = bobs_leg(&b, &bob);
        let call = refer(&mut b, BOB, &t.bob_sends("REFER", 1, ""), Some(own), true);
        notified(&mut b, BOB, "100");
        let new = b.calls.opposite(own).unwrap();
        b.calls.join(b.now, call, new).unwrap();
        b.drain();
        let invite = b.expect(CAROL, "INVITE");
        if by_new {
            b.rx(CAROL, &answer(&invite, 500, "carol", ""));
            b.expect(CAROL, "ACK");
        } else {
            b.rx(CAROL, &answer(&invite, 200, "carol", CAROLS));
            let invite = b.expect(ALICE, "INVITE");
            b.rx(ALICE, &answer(&invite, 488, "alice", ""));
            b.expect(ALICE, "ACK");
            assert_eq!(b.expect(CAROL, "ACK").body(), ANSWER, "what it had of Bob");
        }
        let status = if by_new { 500 } else { 488 };
        assert_eq!(b.told(), [Event::Parted { call, status }]);
        assert!(b.calls.stay(call));
        b.calls.report(b.now, call, status, true);
        b.drain();
        notified(&mut b, BOB, &status.to_string());
        b.quiet();
        for (key, bye) in [
            (t.key, t.bob_sends("BYE", 2, "")),
            (second, bob.request("BYE", "bye", "")),
        ] {
            b.rx(BOB, &bye);
            b.expect(BOB, "200");
            assert!(matches!(b.told()[..], [Event::Ended { call, .. }] if call == key));
        }
        b.expect(ALICE, "BYE");
        assert_eq!(b.expect(CAROL, "BYE").header("Call-ID"), carol.header("Call-ID"));
        b.nothing_left();
    }
}

/// Some telephones hang up both calls as soon as their REFER is taken.
fn attended_and_the_transferor_hangs_up_first(kind: Kind) {
    for refused in [false, true] {
        let mut b = Bench::new(kind);
        let t = b.talking();
        let (bob, second, _) = consulted(&mut b);
        let own = bobs_leg(&b, &bob);
        let call = refer(&mut b, BOB, &t.bob_sends("REFER", 1, ""), Some(own), true);
        let new = b.calls.opposite(own).unwrap();
        b.calls.join(b.now, call, new).unwrap();
        b.drain();
        b.rx(BOB, &t.bob_sends("BYE", 2, ""));
        b.rx(BOB, &bob.request("BYE", "bye", ""));
        let invite = b.expect(CAROL, "INVITE");
        b.rx(CAROL, &answer(&invite, 200, "carol", CAROLS));
        if !refused {
            taken(&mut b, ALICE, CAROL);
            assert_eq!(b.told(), [Event::Joined { call, with: second }]);
            b.calls.release(b.now, call, None);
            b.drain();
            b.expect(ALICE, "BYE");
        } else {
            let invite = b.expect(ALICE, "INVITE");
            b.rx(ALICE, &answer(&invite, 488, "alice", ""));
            let told = b.told();
            assert!(told.contains(&Event::Parted { call, status: 488 }), "{told:?}");
            assert!(
                told.contains(&Event::Ended {
                    call: second,
                    end: End::Released
                }),
                "{told:?}"
            );
            assert!(!b.calls.stay(call));
            b.calls.release(b.now, call, None);
            b.drain();
            b.expect(CAROL, "ACK");
        }
        b.expect(CAROL, "BYE");
        b.nothing_left();
    }
}

fn attended_and_the_new_side_hangs_up_meanwhile(kind: Kind) {
    let mut b = Bench::new(kind);
    let t = b.talking();
    let (bob, second, carol) = consulted(&mut b);
    let own = bobs_leg(&b, &bob);
    let call = refer(&mut b, BOB, &t.bob_sends("REFER", 1, ""), Some(own), true);
    notified(&mut b, BOB, "100");
    let new = b.calls.opposite(own).unwrap();
    b.calls.join(b.now, call, new).unwrap();
    b.drain();
    b.expect(CAROL, "INVITE");
    b.rx(CAROL, &from_callee(&carol, "carol", "BYE", 1, ""));
    b.expect(CAROL, "200");
    let told = b.told();
    assert!(told.contains(&Event::Parted { call, status: 480 }), "{told:?}");
    assert!(
        told.contains(&Event::Ended {
            call: second,
            end: End::HungUp(Side::Callee)
        }),
        "{told:?}"
    );
    let bye = b.expect(BOB, "BYE");
    assert_eq!(bye.header("Call-ID"), "c2");
    b.rx(BOB, &answer(&bye, 200, "", ""));
    assert!(b.calls.stay(call));
    b.calls.report(b.now, call, 480, true);
    b.drain();
    notified(&mut b, BOB, "480");
    b.rx(BOB, &t.bob_sends("BYE", 2, ""));
    b.expect(ALICE, "BYE");
    b.nothing_left();
}
