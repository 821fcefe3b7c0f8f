//! What comes in between while somebody is put in another one's place.

use super::*;

suite! {
    a_refresh_while_a_reinvite_waits
    an_update_while_the_new_side_is_asked
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
