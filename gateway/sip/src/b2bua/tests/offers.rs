//! Answers that are none, and what a change of the session says of itself.

use super::*;
use crate::sdp::Role;

suite! {
    an_answer_that_is_none
    early_media_that_answer_nothing
    a_change_that_is_not_answered
    a_change_that_cannot_be_passed_on
    a_late_offer_that_is_not_answered
    a_late_offer_whose_answer_is_lost
    offers_and_answers_are_told_apart
}

const TWO: &str = "v=0\r\no=alice 1 2 IN IP4 192.0.2.10\r\ns=-\r\nc=IN IP4 192.0.2.10\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n\
    m=image 4002 udptl t38\r\n";
const TAKEN: &str = "v=0\r\no=bob 1 2 IN IP4 192.0.2.20\r\ns=-\r\nc=IN IP4 192.0.2.20\r\nt=0 0\r\nm=audio 6000 RTP/AVP 0\r\n\
    m=image 0 udptl t38\r\n";

fn an_answer_that_is_none(kind: Kind) {
    let mut b = Bench::new(kind);
    let key = b.call(&Caller::new(ALICE, "c1"), TWO, &[BOB]);
    b.expect(ALICE, "100");
    let invite = b.expect(BOB, "INVITE");
    b.rx(BOB, &answer(&invite, 200, "bob", ANSWER));
    b.expect(BOB, "ACK");
    let bye = b.expect(BOB, "BYE");
    assert_eq!(bye.header("Reason"), "SIP;cause=488;text=\"Not acceptable here\"");
    b.rx(BOB, &answer(&bye, 200, "bob", ""));
    b.quiet();
    assert!(matches!(
        b.told()[..],
        [
            Event::Failed { status: 488, .. },
            Event::Exhausted { status: 488, .. }
        ]
    ));
    // Another one may still answer.
    let target = Target {
        flow: CAROL,
        uri: b"sip:carol@192.0.2.30",
        route: b"",
        priority: Priority::Normal,
        user: 1,
    };
    b.calls.dial(b.now, key, target).unwrap();
    b.drain();
    let invite = b.expect(CAROL, "INVITE");
    assert_eq!(invite.body(), TWO);
    b.rx(CAROL, &answer(&invite, 200, "carol", TAKEN));
    b.expect(CAROL, "ACK");
    assert_eq!(b.expect(ALICE, "200").body(), TAKEN);
}

fn early_media_that_answer_nothing(kind: Kind) {
    let mut b = Bench::new(kind);
    b.call(&Caller::new(ALICE, "c1"), TWO, &[BOB]);
    b.expect(ALICE, "100");
    let invite = b.expect(BOB, "INVITE");
    b.rx(BOB, &answer(&invite, 183, "bob", ANSWER));
    assert_eq!(b.expect(ALICE, "180").body(), "");
    b.rx(BOB, &answer(&invite, 183, "bob", TAKEN));
    assert_eq!(b.expect(ALICE, "183").body(), TAKEN);
}

fn a_change_that_is_not_answered(kind: Kind) {
    for body in ["", ANSWER] {
        let mut b = Bench::new(kind);
        let call = b.talking();
        let alice = Caller {
            cseq: 2,
            ..call.alice.clone()
        };
        b.rx(ALICE, &alice.request("INVITE", "fax", TWO));
        let invite = b.expect(BOB, "INVITE");
        b.rx(BOB, &answer(&invite, 200, "bob", body));
        // Bob has changed his session and Alice cannot: there is no session any more.
        b.expect(BOB, "ACK");
        b.expect(ALICE, "488");
        b.rx(ALICE, &alice.request("ACK", "fax", ""));
        for flow in [BOB, ALICE] {
            let bye = b.expect(flow, "BYE");
            assert!(bye.header("Reason").starts_with("SIP;cause=488"));
            b.rx(flow, &answer(&bye, 200, "", ""));
        }
        b.quiet();
        assert_eq!(b.ends(), [End::Released]);
        b.nothing_left();
    }
}

/// What is repeated meanwhile is no answer to it.
fn a_change_that_cannot_be_passed_on(kind: Kind) {
    let mut b = Bench::new(kind);
    let call = b.talking();
    let alice = |cseq| Caller {
        cseq,
        ..call.alice.clone()
    };
    b.rx(ALICE, &alice(2).request("INVITE", "fax", TWO));
    let invite = b.expect(BOB, "INVITE");
    b.rx(BOB, &answer(&invite, 488, "bob", ""));
    b.expect(BOB, "ACK");
    b.expect(ALICE, "488");
    let large = format!("{TWO}a={}\r\n", "x".repeat(SDP_MAX));
    b.rx(ALICE, &alice(3).request("INVITE", "large", &large));
    b.expect(ALICE, "513");
    b.wait(600);
    b.quiet();
    b.calls.release(b.now, call.key, None);
    b.nothing_left();
}

fn a_late_offer_that_is_not_answered(kind: Kind) {
    for body in ["", TAKEN] {
        let mut b = Bench::new(kind);
        let mut alice = Caller::new(ALICE, "c1");
        b.call(&alice, "", &[BOB]);
        b.expect(ALICE, "100");
        let invite = b.expect(BOB, "INVITE");
        b.rx(BOB, &answer(&invite, 200, "bob", OFFER));
        alice.to_tag = b.expect(ALICE, "200").tag("To").to_string();
        b.rx(ALICE, &alice.request("ACK", "a", body));
        assert_eq!(b.expect(BOB, "ACK").body(), "");
        for flow in [BOB, ALICE] {
            let bye = b.expect(flow, "BYE");
            b.rx(flow, &answer(&bye, 200, "", ""));
        }
        assert_eq!(b.ends(), [End::Released]);
        b.nothing_left();
    }
}

/// Keeps what it is told.
#[derive(Default)]
struct Told(Vec<(Side, Role)>);

impl Media for Told {
    fn relay(
        &mut self,
        _: Key,
        from: Side,
        role: Role,
        sdp: &[u8],
        out: &mut [u8; SDP_MAX],
    ) -> Option<usize> {
        self.0.push((from, role));
        out.get_mut(..sdp.len())?.copy_from_slice(sdp);
        Some(sdp.len())
    }
}

fn offers_and_answers_are_told_apart(kind: Kind) {
    use Role::{Answer, Offer};
    use Side::{Callee, Caller as Calling};
    let mut b = Bench::new(kind);
    let call = b.talking();
    let mut told = Told::default();
    let mut hear = |b: &mut Bench, flow, text: &str| {
        let message = Message::parse_datagram(text.as_bytes()).unwrap();
        b.calls.receive(b.now, flow, &message, &mut told);
        b.drain();
    };
    // A change of Alice's is refused; Bob's is answered; then Alice asks Bob for his.
    let alice = |cseq| Caller {
        cseq,
        ..call.alice.clone()
    };
    hear(&mut b, ALICE, &alice(2).request("INVITE", "i2", TWO));
    assert!(b.calls.negotiates(call.key));
    let invite = b.expect(BOB, "INVITE");
    hear(&mut b, BOB, &answer(&invite, 488, "bob", ""));
    assert!(!b.calls.negotiates(call.key));
    hear(&mut b, ALICE, &alice(2).request("ACK", "i2", ""));
    b.seen.clear();
    let held = format!("{ANSWER}a=sendonly\r\n");
    hear(&mut b, BOB, &call.bob_sends("INVITE", 1, &held));
    let invite = b.expect(ALICE, "INVITE");
    hear(&mut b, ALICE, &answer(&invite, 200, "", OFFER));
    assert!(!b.calls.negotiates(call.key));
    hear(&mut b, BOB, &call.bob_sends("ACK", 1, ""));
    b.seen.clear();
    hear(&mut b, ALICE, &alice(3).request("INVITE", "i3", ""));
    let invite = b.expect(BOB, "INVITE");
    hear(&mut b, BOB, &answer(&invite, 200, "bob", ANSWER));
    assert!(b.calls.negotiates(call.key), "until the ACK");
    hear(&mut b, ALICE, &alice(3).request("ACK", "a3", OFFER));
    assert!(!b.calls.negotiates(call.key));
    assert_eq!(
        told.0,
        [
            (Calling, Offer),
            (Callee, Offer),
            (Calling, Answer),
            (Callee, Offer),
            (Calling, Answer)
        ]
    );
}

/// The ACK with the answer is lost, and the next offer comes before anybody notices.
fn a_late_offer_whose_answer_is_lost(kind: Kind) {
    for next in [TWO, ""] {
        let mut b = Bench::new(kind);
        let t = b.talking();
        let alice = |cseq| Caller {
            cseq,
            ..t.alice.clone()
        };
        b.rx(ALICE, &alice(2).request("INVITE", "2", ""));
        let first = b.expect(BOB, "INVITE");
        let offers = answer(&first, 200, "bob", ANSWER);
        b.rx(BOB, &offers);
        b.expect(ALICE, "200");
        b.rx(ALICE, &alice(2).request("ACK", "ack2", OFFER));
        b.expect(BOB, "ACK");
        b.rx(ALICE, &alice(3).request("INVITE", "3", next));
        let second = b.expect(BOB, "INVITE");
        for refused in [false, true] {
            if refused {
                b.rx(BOB, &answer(&second, 491, "bob", ""));
                b.expect(BOB, "ACK");
                b.expect(ALICE, "491");
                b.rx(ALICE, &alice(3).request("ACK", "3", ""));
            }
            b.rx(BOB, &offers);
            let ack = b.expect(BOB, "ACK");
            assert_eq!(ack.header("CSeq"), first.header("CSeq").replace("INVITE", "ACK"));
            assert_eq!(ack.body(), OFFER, "{refused}");
            b.quiet();
        }
        b.calls.release(b.now, t.key, None);
        b.nothing_left();
    }
}
