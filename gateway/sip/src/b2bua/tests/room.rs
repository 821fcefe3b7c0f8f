//! Room for texts: what does not fit is refused and counted, and everything is given back.

use super::*;

suite! {
    no_room_for_the_texts_of_a_call
    no_room_for_the_answer
    no_room_for_a_reinvite
    blocks_for_emergencies
}

/// How many blocks the bench's INVITE takes, and what it answers.
fn blocks_of_a_call(kind: Kind) -> (usize, usize) {
    let mut b = Bench::new(kind);
    b.call(&Caller::new(ALICE, "c1"), OFFER, &[BOB]);
    let rings = b.calls.usage().blocks;
    let mut b = Bench::new(kind);
    b.talking();
    (rings, b.calls.usage().blocks)
}

fn no_room_for_the_texts_of_a_call(kind: Kind) {
    let (ringing, _) = blocks_of_a_call(kind);
    let mut refused = 0;
    for blocks in 0..4 * ringing {
        let mut b = Bench::with_blocks(kind, 64, 4, 8, blocks);
        let text = Caller::new(ALICE, "c1").request("INVITE", "1", OFFER);
        match b.open(ALICE, &text) {
            Ok(key) => {
                b.expect(ALICE, "100");
                b.calls.release(b.now, key, None);
            }
            Err(refusal) => {
                refused += 1;
                assert_eq!(refusal, Refusal::NoRoom);
                b.expect(ALICE, "503");
                assert_eq!(b.calls.counters().no_room, 1);
                assert_eq!(b.calls.usage().blocks, 0);
            }
        }
        b.drain();
        b.nothing_left();
    }
    assert!(
        (ringing..4 * ringing).contains(&refused),
        "{refused} of {ringing}"
    );
}

/// Other calls take the room meanwhile: the answer that cannot be kept is hung up, and the caller hears so.
fn no_room_for_the_answer(kind: Kind) {
    let (_, talking) = blocks_of_a_call(kind);
    let mut b = Bench::with_blocks(kind, 64, 4, 8, 2 * talking);
    let key = b.call(&Caller::new(ALICE, "c1"), OFFER, &[BOB]);
    let (invite, used) = (b.expect(BOB, "INVITE"), b.calls.usage().blocks);
    b.expect(ALICE, "100");
    let rest = 2 * talking - used;
    let fill = "x".repeat(60 * rest);
    b.calls
        .progress(b.now, key, 183, Some(fill.as_bytes()), None)
        .unwrap();
    b.drain();
    b.expect(ALICE, "183");
    b.rx(
        BOB,
        &answer(&invite, 200, "bob", &format!("{ANSWER}a={fill}\r\n")),
    );
    b.expect(BOB, "ACK");
    b.expect(BOB, "BYE");
    assert!(matches!(b.told().last(), Some(Event::Exhausted { call, .. }) if *call == key));
    b.calls.refuse(b.now, key, 503, None);
    b.nothing_left();
}

/// The session goes on as it was.
fn no_room_for_a_reinvite(kind: Kind) {
    let (_, talking) = blocks_of_a_call(kind);
    let mut b = Bench::with_blocks(kind, 64, 4, 8, 3 * talking);
    let mut call = b.talking();
    let before = b.calls.usage().blocks;
    call.alice.cseq = 2;
    let big = format!("{OFFER}a={}\r\n", "x".repeat(60 * 3 * talking));
    b.rx(ALICE, &call.alice.request("INVITE", "2", &big));
    b.expect(ALICE, "503");
    b.quiet();
    assert_eq!(
        b.calls.sdp(call.key, Side::Callee, &mut [0; SDP_MAX]),
        Some(OFFER.as_bytes())
    );
    call.alice.cseq = 3;
    b.rx(ALICE, &call.alice.request("INVITE", "3", ANSWER));
    let invite = b.expect(BOB, "INVITE");
    b.rx(BOB, &answer(&invite, 200, "bob", OFFER));
    b.expect(BOB, "ACK");
    b.expect(ALICE, "200");
    b.rx(ALICE, &call.alice.request("ACK", "ack3", ""));
    assert!(b.calls.usage().blocks.abs_diff(before) <= 1);
    call.alice.cseq = 4;
    b.rx(ALICE, &call.alice.request("BYE", "bye", ""));
    b.nothing_left();
}

/// Others leave the blocks that are kept; an emergency call takes them.
fn blocks_for_emergencies(kind: Kind) {
    let (_, talking) = blocks_of_a_call(kind);
    let mut b = Bench::with_blocks(kind, 64, 8, 16, 5 * talking);
    b.calls.reserve(0, 0, 2 * talking);
    let mut n = 0;
    let refused = loop {
        n += 1;
        let text = Caller::new(ALICE, &format!("c{n}")).request("INVITE", "1", OFFER);
        if let Err(refusal) = b.open(ALICE, &text) {
            break refusal;
        }
    };
    assert!(refused == Refusal::NoRoom && (2..6).contains(&n), "{n}");
    b.seen.clear();
    let emergency = Caller::new(CAROL, "e").request("INVITE", "1", OFFER);
    let message = Message::parse_datagram(emergency.as_bytes()).unwrap();
    let Receive::Invite { tx } = b.calls.receive_reserved(b.now, CAROL, &message, &mut Direct) else {
        panic!()
    };
    let taken = b
        .calls
        .open(b.now, tx, CAROL, &message, SESSION, 1, &mut Direct)
        .unwrap();
    b.calls
        .present(taken, b"<sip:carol@pbx>", b"<sip:target@pbx>", b"")
        .unwrap();
    let target = Target {
        flow: BOB,
        uri: b"sip:target@192.0.2.2",
        route: b"",
        priority: Priority::Reserved,
        user: 0,
    };
    b.calls.dial(b.now, taken, target).unwrap();
    b.drain();
    let invite = b.expect(BOB, "INVITE");
    b.rx(BOB, &answer(&invite, 200, "bob", ANSWER));
    b.expect(CAROL, "100");
    b.expect(CAROL, "200");
    let open: Vec<Key> = b.calls.iter().map(|(key, ..)| key).collect();
    for key in open {
        b.calls.release(b.now, key, None);
    }
    b.nothing_left();
}
