//! What happens in an answered call.

use super::*;

suite! {
    hung_up_by_either_side
    both_hang_up_at_once
    released
    hold_is_relayed
    hold_by_the_called_side
    refresh_is_answered_here
    reinvite_refused
    reinvite_after_a_refused_one
    reinvite_without_offer
    reinvites_cross
    reinvite_without_answer_ends_the_call
    bye_ends_a_pending_reinvite
    lost_ack
    ack_never_comes
    hang_up_before_the_ack
    strangers
    other_requests
    probe
    a_key_in_the_place_of_a_probe
    probe_unanswered
    probe_of_a_dialog_that_is_gone
}

const HOLD: &str = "v=0\r\no=alice 1 2 IN IP4 192.0.2.10\r\ns=-\r\nc=IN IP4 192.0.2.10\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\na=sendonly\r\n";
const HELD: &str = "v=0\r\no=bob 1 2 IN IP4 192.0.2.20\r\ns=-\r\nc=IN IP4 192.0.2.20\r\nt=0 0\r\nm=audio 6000 RTP/AVP 0\r\na=recvonly\r\n";

fn hung_up_by_either_side(kind: Kind) {
    for side in [Side::Caller, Side::Callee] {
        let mut b = Bench::new(kind);
        let call = b.talking();
        let (from, to) = if side == Side::Caller {
            (ALICE, BOB)
        } else {
            (BOB, ALICE)
        };
        let bye = match side {
            Side::Caller => Caller {
                cseq: 2,
                ..call.alice.clone()
            }
            .request("BYE", "bye", ""),
            Side::Callee => call.bob_sends("BYE", 1, ""),
        };
        b.rx(from, &bye);
        b.expect(from, "200");
        let out = b.expect(to, "BYE");
        b.quiet();
        // UDP lost our 200 and BYE: theirs comes again, ours goes again.
        b.rx(from, &bye);
        b.expect(from, "200");
        b.wait(500);
        b.expect(to, "BYE");
        b.rx(to, &answer(&out, 200, "", ""));
        b.wait(3_000);
        b.quiet();
        assert_eq!(b.ends(), [End::HungUp(side)]);
        b.nothing_left();
    }
}

fn both_hang_up_at_once(kind: Kind) {
    let mut b = Bench::new(kind);
    let call = b.talking();
    b.rx(BOB, &call.bob_sends("BYE", 1, ""));
    b.expect(BOB, "200");
    b.expect(ALICE, "BYE");
    b.rx(
        ALICE,
        &Caller {
            cseq: 2,
            ..call.alice.clone()
        }
        .request("BYE", "bye", ""),
    );
    b.expect(ALICE, "200");
    b.wait(3_000);
    b.quiet();
    assert_eq!(b.ends(), [End::HungUp(Side::Callee)]);
    b.nothing_left();
}

fn released(kind: Kind) {
    let mut b = Bench::new(kind);
    let call = b.talking();
    b.calls.release(b.now, call.key, Some(Cause::OUT_OF_ORDER));
    b.drain();
    for flow in [ALICE, BOB] {
        let bye = b.expect(flow, "BYE");
        assert_eq!(
            bye.header("Reason"),
            "Q.850;cause=38;text=\"Network out of order\""
        );
        b.rx(flow, &answer(&bye, 200, "", ""));
    }
    b.quiet();
    assert_eq!(b.ends(), [End::Released]);
    b.nothing_left();
}

fn hold_is_relayed(kind: Kind) {
    let mut b = Bench::new(kind);
    let call = b.talking();
    let alice = Caller {
        cseq: 2,
        ..call.alice.clone()
    };
    b.rx(ALICE, &alice.request("INVITE", "hold", HOLD));
    let invite = b.expect(BOB, "INVITE");
    assert_eq!(
        (invite.body(), invite.tag("To"), invite.header("CSeq")),
        (HOLD, "bob", "2 INVITE")
    );
    assert_eq!(invite.header("Max-Forwards"), "70");
    assert_eq!(
        invite.headers("X-Extra").count(),
        0,
        "only the first INVITE carries it"
    );
    b.rx(BOB, &answer(&invite, 200, "bob", HELD));
    assert_eq!(b.expect(BOB, "ACK").header("CSeq"), "2 ACK");
    let ok = b.expect(ALICE, "200");
    assert_eq!((ok.body(), ok.header("CSeq")), (HELD, "2 INVITE"));
    b.rx(ALICE, &alice.request("ACK", "holdack", ""));
    // Bob's repetition of his 200 gets the ACK again.
    b.rx(BOB, &answer(&invite, 200, "bob", HELD));
    assert_eq!(b.expect(BOB, "ACK").header("CSeq"), "2 ACK");
    b.wait(40_000);
    b.quiet();
    b.rx(ALICE, &Caller { cseq: 3, ..alice }.request("BYE", "bye", ""));
    b.expect(ALICE, "200");
    assert_eq!(b.expect(BOB, "BYE").header("CSeq"), "3 BYE");
    assert_eq!(b.ends(), [End::HungUp(Side::Caller)]);
    b.nothing_left();
}

fn hold_by_the_called_side(kind: Kind) {
    let mut b = Bench::new(kind);
    let call = b.talking();
    b.rx(BOB, &call.bob_sends("INVITE", 1, HOLD));
    let invite = b.expect(ALICE, "INVITE");
    // Towards the caller we are the called one.
    assert_eq!(invite.tag("From"), call.alice.to_tag);
    assert_eq!((invite.tag("To"), invite.header("Call-ID")), ("ac1", "c1"));
    assert_eq!(invite.uri(), "sip:alice@192.0.2.10:5060");
    b.rx(ALICE, &answer(&invite, 200, "", HELD));
    b.expect(ALICE, "ACK");
    assert_eq!(b.expect(BOB, "200").body(), HELD);
    b.rx(BOB, &call.bob_sends("ACK", 1, ""));
    b.wait(5_000);
    b.quiet();
}

fn refresh_is_answered_here(kind: Kind) {
    let mut b = Bench::new(kind);
    let call = b.talking();
    let alice = Caller {
        cseq: 2,
        ..call.alice.clone()
    };
    b.rx(ALICE, &alice.request("INVITE", "refresh", OFFER));
    assert_eq!(b.expect(ALICE, "200").body(), ANSWER);
    b.quiet();
    b.rx(ALICE, &alice.request("ACK", "refreshack", ""));
    b.rx(BOB, &call.bob_sends("INVITE", 1, ANSWER));
    assert_eq!(b.expect(BOB, "200").body(), OFFER);
    b.rx(BOB, &call.bob_sends("ACK", 1, ""));
    b.wait(5_000);
    b.quiet();
}

fn reinvite_refused(kind: Kind) {
    let mut b = Bench::new(kind);
    let call = b.talking();
    let alice = Caller {
        cseq: 2,
        ..call.alice.clone()
    };
    b.rx(ALICE, &alice.request("INVITE", "hold", HOLD));
    let invite = b.expect(BOB, "INVITE");
    b.rx(BOB, &answer(&invite, 488, "bob", ""));
    b.expect(BOB, "ACK");
    b.expect(ALICE, "488");
    b.rx(ALICE, &alice.request("ACK", "hold", ""));
    b.wait(3_000);
    b.quiet();
    assert!(b.ends().is_empty());
    assert_eq!(
        b.calls.iter().count(),
        1,
        "the session stays as it was (RFC 3261 §14.1)"
    );
    b.rx(BOB, &call.bob_sends("BYE", 1, ""));
    b.expect(BOB, "200");
    b.expect(ALICE, "BYE");
    b.nothing_left();
}

fn reinvite_after_a_refused_one(kind: Kind) {
    let mut b = Bench::new(kind);
    let call = b.talking();
    let alice = Caller {
        cseq: 2,
        ..call.alice.clone()
    };
    b.rx(ALICE, &alice.request("INVITE", "hold", HOLD));
    let invite = b.expect(BOB, "INVITE");
    b.rx(BOB, &answer(&invite, 488, "bob", ""));
    b.expect(BOB, "ACK");
    b.expect(ALICE, "488");
    b.rx(ALICE, &alice.request("ACK", "hold", ""));
    // Bob refreshes: the offer that he refused must not come back to him as the answer.
    b.rx(BOB, &call.bob_sends("INVITE", 1, ANSWER));
    assert_eq!(b.expect(BOB, "200").body(), OFFER);
    b.rx(BOB, &call.bob_sends("ACK", 1, ""));
    b.quiet();
    // Alice offers the same again, which is not what Bob has.
    let alice = Caller { cseq: 3, ..alice };
    b.rx(ALICE, &alice.request("INVITE", "again", HOLD));
    assert_eq!(b.expect(BOB, "INVITE").body(), HOLD);
}

fn reinvite_without_offer(kind: Kind) {
    let mut b = Bench::new(kind);
    let call = b.talking();
    let alice = Caller {
        cseq: 2,
        ..call.alice.clone()
    };
    b.rx(ALICE, &alice.request("INVITE", "re", ""));
    let invite = b.expect(BOB, "INVITE");
    assert_eq!(invite.body(), "");
    b.rx(BOB, &answer(&invite, 200, "bob", HELD));
    assert_eq!(b.expect(ALICE, "200").body(), HELD);
    b.quiet();
    b.rx(ALICE, &alice.request("ACK", "reack", HOLD));
    assert_eq!(b.expect(BOB, "ACK").body(), HOLD);
    b.quiet();
}

fn reinvites_cross(kind: Kind) {
    let mut b = Bench::new(kind);
    let call = b.talking();
    let alice = Caller {
        cseq: 2,
        ..call.alice.clone()
    };
    b.rx(ALICE, &alice.request("INVITE", "hold", HOLD));
    let invite = b.expect(BOB, "INVITE");
    b.rx(BOB, &call.bob_sends("INVITE", 1, HELD));
    b.expect(BOB, "491");
    b.rx(BOB, &call.bob_sends("ACK", 1, ""));
    b.rx(BOB, &answer(&invite, 491, "bob", ""));
    b.expect(BOB, "ACK");
    b.expect(ALICE, "491");
    b.rx(ALICE, &alice.request("ACK", "hold", ""));
    b.quiet();
    // Later it works.
    let alice = Caller { cseq: 3, ..alice };
    b.rx(ALICE, &alice.request("INVITE", "again", HOLD));
    let invite = b.expect(BOB, "INVITE");
    b.rx(BOB, &answer(&invite, 200, "bob", HELD));
    b.expect(BOB, "ACK");
    b.expect(ALICE, "200");
    // Before the ACK is there, the other side's re-INVITE has to wait.
    b.rx(BOB, &call.bob_sends("INVITE", 2, ANSWER));
    b.expect(BOB, "491");
    b.rx(ALICE, &alice.request("ACK", "againack", ""));
    b.quiet();
}

fn reinvite_without_answer_ends_the_call(kind: Kind) {
    let mut b = Bench::new(kind);
    let call = b.talking();
    let alice = Caller {
        cseq: 2,
        ..call.alice.clone()
    };
    b.rx(ALICE, &alice.request("INVITE", "hold", HOLD));
    b.wait(33_000);
    b.seen
        .retain(|seen| !(seen.flow == BOB && seen.what() == "INVITE"));
    let whats: Vec<_> = b
        .seen
        .drain(..)
        .filter(|seen| seen.flow == ALICE)
        .map(|seen| seen.what().to_string())
        .collect();
    for what in ["100", "408", "BYE"] {
        assert!(whats.iter().any(|seen| seen == what), "{what}: {whats:?}");
    }
    assert_eq!(b.ends(), [End::Lost(Side::Callee)]);
    b.nothing_left();
}

fn bye_ends_a_pending_reinvite(kind: Kind) {
    let mut b = Bench::new(kind);
    let call = b.talking();
    let alice = Caller {
        cseq: 2,
        ..call.alice.clone()
    };
    b.rx(ALICE, &alice.request("INVITE", "hold", HOLD));
    b.expect(BOB, "INVITE");
    b.rx(BOB, &call.bob_sends("BYE", 1, ""));
    b.expect(BOB, "200");
    b.seen.make_contiguous().sort_by_key(|seen| seen.what() == "BYE");
    b.expect(ALICE, "487");
    b.expect(ALICE, "BYE");
    b.rx(ALICE, &alice.request("ACK", "hold", ""));
    assert_eq!(b.ends(), [End::HungUp(Side::Callee)]);
    b.nothing_left();
}

fn lost_ack(kind: Kind) {
    let mut b = Bench::new(kind);
    let alice = Caller::new(ALICE, "c1");
    b.call(&alice, OFFER, &[BOB]);
    let invite = b.expect(BOB, "INVITE");
    b.expect(ALICE, "100");
    let start = b.now.as_millis();
    b.rx(BOB, &answer(&invite, 200, "bob", ANSWER));
    b.expect(BOB, "ACK");
    b.wait(13_000);
    // RFC 3261 §13.3.1.4: from T1, doubling up to T2.
    let times: Vec<_> = b
        .seen
        .iter()
        .map(|seen| (seen.what().to_string(), seen.at - start))
        .collect();
    assert_eq!(
        times,
        [0, 500, 1_500, 3_500, 7_500, 11_500].map(|at| ("200".to_string(), at))
    );
    let alice = Caller {
        to_tag: b.seen[0].tag("To").into(),
        ..alice
    };
    b.seen.clear();
    b.rx(ALICE, &alice.request("ACK", "ack", ""));
    // Bob's own repetition: our ACK to him was lost.
    b.rx(BOB, &answer(&invite, 200, "bob", ANSWER));
    b.expect(BOB, "ACK");
    b.wait(30_000);
    b.quiet();
    assert!(b.ends().is_empty());
}

fn ack_never_comes(kind: Kind) {
    let mut b = Bench::new(kind);
    b.call(&Caller::new(ALICE, "c1"), OFFER, &[BOB]);
    let invite = b.expect(BOB, "INVITE");
    b.expect(ALICE, "100");
    b.rx(BOB, &answer(&invite, 200, "bob", ANSWER));
    b.expect(BOB, "ACK");
    b.wait(31_900);
    assert!(b.seen.iter().all(|seen| seen.what() == "200"));
    b.seen.clear();
    b.wait(4_100);
    let byes = b
        .seen
        .iter()
        .filter(|seen| seen.what() == "BYE")
        .map(|seen| seen.flow)
        .collect::<Vec<_>>();
    assert!(byes.contains(&ALICE) && byes.contains(&BOB), "{byes:?}");
    assert_eq!(b.ends(), [End::Lost(Side::Caller)]);
    b.nothing_left();
}

fn hang_up_before_the_ack(kind: Kind) {
    let mut b = Bench::new(kind);
    let alice = Caller::new(ALICE, "c1");
    b.call(&alice, OFFER, &[BOB]);
    let invite = b.expect(BOB, "INVITE");
    b.expect(ALICE, "100");
    b.rx(BOB, &answer(&invite, 200, "bob", ANSWER));
    b.expect(BOB, "ACK");
    let ok = b.expect(ALICE, "200");
    b.rx(BOB, &from_callee(&invite, "bob", "BYE", 1, ""));
    b.expect(BOB, "200");
    // RFC 3261 §15: the BYE to the caller waits for its ACK; the 200 is repeated meanwhile.
    b.quiet();
    b.wait(500);
    b.expect(ALICE, "200");
    let alice = Caller {
        to_tag: ok.tag("To").into(),
        ..alice
    };
    b.rx(ALICE, &alice.request("ACK", "ack", ""));
    b.expect(ALICE, "BYE");
    assert_eq!(b.ends(), [End::HungUp(Side::Callee)]);
    b.nothing_left();
}

fn strangers(kind: Kind) {
    let mut b = Bench::new(kind);
    let call = b.talking();
    let next = Caller {
        cseq: 2,
        ..call.alice.clone()
    };
    let mut wrong_tag = next.to_tag.clone();
    wrong_tag.replace_range(15.., if wrong_tag.ends_with('0') { "1" } else { "0" });
    let table = [
        (
            Caller {
                to_tag: wrong_tag,
                ..next.clone()
            }
            .request("BYE", "s1", ""),
            "481",
        ),
        (
            Caller {
                to_tag: "nonsense".into(),
                ..next.clone()
            }
            .request("BYE", "s2", ""),
            "481",
        ),
        (
            next.request("BYE", "s3", "").replace("tag=ac1", "tag=mallory"),
            "481",
        ),
        (
            next.request("BYE", "s4", "")
                .replace("Call-ID: c1", "Call-ID: c2"),
            "481",
        ),
        (
            Caller {
                cseq: 1,
                ..next.clone()
            }
            .request("BYE", "s5", ""),
            "500",
        ),
        (
            Caller {
                to_tag: "nonsense".into(),
                ..next.clone()
            }
            .request("INVITE", "s6", OFFER),
            "481",
        ),
        (next.request("CANCEL", "unknown", ""), "481"),
    ];
    for (text, status) in table {
        assert_eq!(b.rx(DAVE, &text), Receive::Done);
        b.expect(DAVE, status);
        b.quiet();
    }
    assert_eq!(b.calls.counters().no_dialog, 5);
    assert!(b.told().is_empty());
    assert_eq!(b.calls.iter().count(), 1);
}

fn other_requests(kind: Kind) {
    let mut b = Bench::new(kind);
    let call = b.talking();
    let alice = |cseq| Caller {
        cseq,
        ..call.alice.clone()
    };
    b.rx(ALICE, &alice(2).request("OPTIONS", "o", ""));
    assert!(b.expect(ALICE, "200").header("Allow").contains("INVITE"));
    b.rx(ALICE, &alice(3).request("MESSAGE", "i", ""));
    assert!(b.expect(ALICE, "405").header("Allow").contains("INVITE"));
    // Outside a dialog: the owner's business.
    let new = Caller::new(BOB, "c9");
    let text = new.request("OPTIONS", "o", "");
    let Receive::Request { tx } = b.hand_in(BOB, &text) else {
        panic!()
    };
    let message = Message::parse_datagram(text.as_bytes()).unwrap();
    b.calls.reply(b.now, tx, BOB, &message, 200, |w| {
        w.header("X-Mine", 7);
    });
    b.drain();
    let first = b.expect(BOB, "200");
    assert_eq!(first.header("X-Mine"), "7");
    assert_eq!(
        b.rx(BOB, &text),
        Receive::Done,
        "a repetition is answered without the owner"
    );
    assert_eq!(b.expect(BOB, "200").tag("To"), first.tag("To"));
    b.quiet();
}

fn probe(kind: Kind) {
    let mut b = Bench::new(kind);
    let call = b.talking();
    for round in 0..3u32 {
        b.wait(60_000);
        for flow in [ALICE, BOB] {
            let options = b.expect(flow, "OPTIONS");
            assert_eq!(
                options.header("CSeq"),
                format!("{} OPTIONS", if flow == BOB { round + 2 } else { round + 1 })
            );
            // Any answer but 408 and 481 says that the dialog is there (RFC 3261 §12.2.1.2).
            b.rx(flow, &answer(&options, [200, 405, 501][round as usize], "", ""));
        }
        b.quiet();
    }
    assert!(b.told().is_empty());
    b.rx(BOB, &call.bob_sends("BYE", 1, ""));
    b.expect(BOB, "200");
    b.expect(ALICE, "BYE");
    b.nothing_left();
}

/// What takes a probe's place is followed by the next one.
fn a_key_in_the_place_of_a_probe(kind: Kind) {
    let mut b = Bench::new(kind);
    let call = b.talking();
    b.wait(60_000);
    let [alices, bobs] = [ALICE, BOB].map(|flow| b.expect(flow, "OPTIONS"));
    b.rx(BOB, &answer(&bobs, 200, "", ""));
    b.rx(BOB, &call.bob_sends("INFO", 1, ""));
    let info = b.expect(ALICE, "INFO");
    b.rx(ALICE, &answer(&info, 200, "", ""));
    b.expect(BOB, "200");
    b.rx(ALICE, &answer(&alices, 200, "", ""));
    b.wait(60_000);
    b.expect(ALICE, "OPTIONS");
    b.calls.release(b.now, call.key, None);
    b.nothing_left();
}

fn probe_unanswered(kind: Kind) {
    let mut b = Bench::new(kind);
    b.talking();
    b.wait(60_000);
    let options = b.expect(ALICE, "OPTIONS");
    b.rx(ALICE, &answer(&options, 200, "", ""));
    b.wait(32_000);
    assert_eq!(b.ends(), [End::Lost(Side::Callee)]);
    b.seen.retain(|seen| seen.flow == ALICE);
    assert_eq!(
        b.expect(ALICE, "BYE").header("Reason"),
        "Q.850;cause=38;text=\"Network out of order\""
    );
    b.nothing_left();
}

fn probe_of_a_dialog_that_is_gone(kind: Kind) {
    let mut b = Bench::new(kind);
    b.talking();
    b.wait(60_000);
    let options = b.expect(BOB, "OPTIONS");
    b.rx(BOB, &answer(&options, 481, "", ""));
    assert_eq!(b.ends(), [End::Lost(Side::Callee)]);
    b.expect(ALICE, "OPTIONS");
    b.expect(ALICE, "BYE");
    b.nothing_left();
}
