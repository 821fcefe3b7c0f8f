//! Where answers and a dialog's requests go.

use super::*;

suite! {
    answers_without_rport
    tags_of_carriers
    contacts_that_are_no_target
    routes_of_both_sides
}

/// RFC 3581 §4: only who asks for it is answered at the port it sent from.
fn answers_without_rport(kind: Kind) {
    let text = Caller::new(ALICE, "c1").request("INVITE", "1", OFFER);
    let mut from = ALICE;
    from.peer.set_port(40_000);
    for (via, port) in [(";rport", 40_000), ("", 5_060)] {
        let mut b = Bench::new(kind);
        let text = text.replace(";rport", via);
        let key = b.open(from, &text).unwrap();
        b.calls.refuse(b.now, key, 480, None);
        b.drain();
        for status in ["100", "480"] {
            let seen = b.seen.pop_front().unwrap();
            assert_eq!((seen.what(), seen.flow.peer.port()), (status, port), "{via}");
        }
    }
}

/// A tag that is too long fails the branch; its BYE carries what fits.
fn tags_of_carriers(kind: Kind) {
    let mut b = Bench::new(kind);
    b.call(&Caller::new(ALICE, "c1"), OFFER, &[BOB]);
    let invite = b.expect(BOB, "INVITE");
    let long = "t".repeat(TAG_MAX + 1);
    b.rx(BOB, &answer(&invite, 200, &long, ANSWER));
    assert_eq!(b.expect(BOB, "ACK").tag("To"), "t".repeat(TAG_MAX));
    assert_eq!(b.expect(BOB, "BYE").tag("To"), "t".repeat(TAG_MAX));
}

/// A star is nowhere to send to, and the headers of a Contact are no part of a Request-URI (RFC 3261 §19.1.1).
fn contacts_that_are_no_target(kind: Kind) {
    let mut b = Bench::new(kind);
    let star = Caller::new(ALICE, "c1")
        .request("INVITE", "1", OFFER)
        .replace("Contact: <sip:alice@192.0.2.10:5060>", "Contact: *");
    assert_eq!(b.open(ALICE, &star), Err(Refusal::Malformed));
    b.expect(ALICE, "400");
    let caller = Caller::new(ALICE, "c2");
    let text = caller.request("INVITE", "1", OFFER).replace(
        "Contact: <sip:alice@192.0.2.10:5060>",
        "Contact: <sip:alice@192.0.2.10?Route=%3Csip:evil%3E>",
    );
    let key = b.open(ALICE, &text).unwrap();
    b.expect(ALICE, "100");
    let uri = b"sip:target@192.0.2.20";
    let (flow, priority) = (BOB, Priority::Normal);
    let target = Target {
        flow,
        uri,
        route: b"",
        priority,
        user: 0,
    };
    b.calls.dial(b.now, key, target).unwrap();
    b.drain();
    let invite = b.expect(BOB, "INVITE");
    let ok = answer(&invite, 200, "bob", ANSWER).replace("Contact: <sip:bob@192.0.2.20:5060>", "Contact: *");
    b.rx(BOB, &ok);
    b.expect(BOB, "ACK");
    b.expect(BOB, "BYE");
    b.calls.dial(b.now, key, target).unwrap();
    b.drain();
    let invite = b.expect(BOB, "INVITE");
    b.rx(BOB, &answer(&invite, 200, "bob", ANSWER));
    b.expect(ALICE, "200");
    b.calls.release(b.now, key, None);
    b.wait(40_000);
    let bye = b
        .seen
        .iter()
        .find(|seen| seen.flow == ALICE && seen.what() == "BYE");
    assert_eq!(bye.unwrap().uri(), "sip:alice@192.0.2.10");
}

/// The caller's route set is what its INVITE recorded, the called side's the reverse of what the 2xx did (RFC 3261 §12.1).
fn routes_of_both_sides(kind: Kind) {
    let mut b = Bench::new(kind);
    let recorded = "Record-Route: <sip:p1;lr>, <sip:p2;lr>\r\nRecord-Route: <sip:p3;lr>\r\nContent-Length";
    let caller = Caller::new(ALICE, "c1");
    let text = caller
        .request("INVITE", "1", OFFER)
        .replace("Content-Length", recorded);
    let key = b.open(ALICE, &text).unwrap();
    b.expect(ALICE, "100");
    let (flow, priority, uri) = (BOB, Priority::Normal, b"sip:target@192.0.2.20");
    b.calls
        .dial(
            b.now,
            key,
            Target {
                flow,
                uri,
                route: b"",
                priority,
                user: 0,
            },
        )
        .unwrap();
    b.drain();
    let invite = b.expect(BOB, "INVITE");
    b.rx(
        BOB,
        &answer(&invite, 200, "bob", ANSWER).replace("Content-Length", recorded),
    );
    assert_eq!(
        b.expect(BOB, "ACK").header("Route"),
        "<sip:p3;lr>, <sip:p2;lr>, <sip:p1;lr>"
    );
    let caller = Caller {
        to_tag: b.expect(ALICE, "200").tag("To").into(),
        ..caller
    };
    b.rx(ALICE, &caller.request("ACK", "ack", ""));
    b.calls.release(b.now, key, None);
    b.drain();
    assert_eq!(
        b.expect(ALICE, "BYE").header("Route"),
        "<sip:p1;lr>, <sip:p2;lr>, <sip:p3;lr>"
    );
}
