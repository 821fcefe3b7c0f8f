//! An offer that is not taken leaves the session as it was (RFC 3261 §14.1): what a side is offered later is what it had.

use super::super::*;
use super::{Row, World, last, run};

suite! {
    a_refused_reinvite_and_a_refresh
    a_refused_update_and_a_refresh
    refused_twice
    taken_and_refused
    taken_after_all
    taken_after_all_and_not_given_back
    taken_after_all_while_it_asks
    taken_after_all_and_never_given_back
    hung_up_while_one_is_offered
}

/// Bob's session is refreshed by the box, with a re-INVITE.
const TALKING: [Row; 3] = [
    (0, "alice INVITE sdp", &["alice 100", "bob INVITE +OFFER"]),
    (
        10,
        "bob 200 sdp +Session-Expires: 180;refresher=uac +Require: timer",
        &["bob ACK", "alice 200"],
    ),
    (20, "alice ACK", &[]),
];
/// What Bob has is refreshed and not what he has refused.
const REFRESHED: [Row; 2] = [
    (
        90_020,
        "bob 200 sdp +Session-Expires: 180;refresher=uac",
        &["bob ACK"],
    ),
    (180_020, "", &["bob INVITE +OFFER -sendonly"]),
];

fn talking(kind: Kind) -> World {
    run(kind, &["bob"], &TALKING)
}

fn rows(w: &mut World, rows: &[Row]) {
    for (at, input, outputs) in rows {
        w.at(*at, input, outputs, &[]);
    }
}

fn end(mut w: World) {
    w.b.calls.release(w.b.now, w.call.unwrap(), None);
    w.b.nothing_left();
}

fn a_refused_reinvite_and_a_refresh(kind: Kind) {
    let mut w = talking(kind);
    rows(
        &mut w,
        &[
            (1_500, "alice INVITE other", &["bob INVITE +sendonly"]),
            (1_600, "bob 488", &["bob ACK", "alice 488"]),
            (1_610, "alice ACK", &[]),
            (90_010, "", &["bob INVITE +OFFER -sendonly"]),
        ],
    );
    rows(&mut w, &REFRESHED);
    end(w);
}

fn a_refused_update_and_a_refresh(kind: Kind) {
    let mut w = talking(kind);
    rows(
        &mut w,
        &[
            (1_500, "alice UPDATE other", &["bob INVITE +sendonly"]),
            (1_600, "bob 488", &["bob ACK", "alice 488"]),
            (90_010, "", &["bob INVITE +OFFER -sendonly"]),
        ],
    );
    rows(&mut w, &REFRESHED);
    end(w);
}

fn refused_twice(kind: Kind) {
    let mut w = talking(kind);
    rows(
        &mut w,
        &[
            (1_000, "alice INVITE other", &["bob INVITE +sendonly"]),
            (1_100, "bob 488", &["bob ACK", "alice 488"]),
            (1_110, "alice ACK", &[]),
            (1_500, "alice INVITE other", &["bob INVITE +sendonly"]),
            (1_600, "bob 488", &["bob ACK", "alice 488"]),
            (1_610, "alice ACK", &[]),
            (90_010, "", &["bob INVITE +OFFER -sendonly"]),
        ],
    );
    rows(&mut w, &REFRESHED);
    end(w);
}

/// What was taken in between is what counts.
fn taken_and_refused(kind: Kind) {
    let mut w = talking(kind);
    rows(
        &mut w,
        &[
            (1_000, "alice INVITE other", &["bob INVITE +sendonly"]),
            (
                1_100,
                "bob 200 sdp +Session-Expires: 180;refresher=uac",
                &["bob ACK", "alice 200"],
            ),
            (1_110, "alice ACK", &[]),
            (1_500, "alice INVITE sdp", &["bob INVITE -sendonly"]),
            (1_600, "bob 488", &["bob ACK", "alice 488"]),
            (1_610, "alice ACK", &[]),
            (91_100, "", &["bob INVITE +sendonly"]),
        ],
    );
    end(w);
}

/// Alice has been told that nothing came of it, and then Bob takes it: he gets back what he had.
const LATE: [Row; 6] = [
    (1_000, "alice INVITE other", &["bob INVITE +sendonly"]),
    (1_010, "bob 180", &[]),
    (1_200, "", &["alice 100"]),
    (33_010, "", &["bob CANCEL", "alice 408"]),
    (33_020, "alice ACK", &[]),
    (
        33_030,
        "bob 200 sdp +Session-Expires: 180;refresher=uac",
        &["bob ACK", "bob INVITE +OFFER -sendonly +CSeq: 3 INVITE"],
    ),
];

fn taken_after_all(kind: Kind) {
    let mut w = talking(kind);
    rows(&mut w, &LATE);
    rows(
        &mut w,
        &[
            (
                33_040,
                "bob 200 sdp +Session-Expires: 180;refresher=uac",
                &["bob ACK"],
            ),
            (33_050, "bob 200 CANCEL", &[]),
            (123_040, "", &["bob INVITE +OFFER -sendonly +CSeq: 4 INVITE"]),
        ],
    );
    end(w);
}

fn taken_after_all_and_not_given_back(kind: Kind) {
    let mut w = talking(kind);
    rows(&mut w, &LATE);
    rows(
        &mut w,
        &[
            (33_040, "bob 488", &["bob ACK"]),
            (33_050, "bob 200 CANCEL", &[]),
            // Once is enough. He may change it himself.
            (63_060, "bob INVITE other", &["alice INVITE +sendonly"]),
        ],
    );
    end(w);
}

/// Bob changes something himself while he is to get back what he had: afterwards.
fn taken_after_all_while_it_asks(kind: Kind) {
    let mut w = talking(kind);
    rows(&mut w, &LATE);
    w.at(33_040, "bob 491", &["bob ACK"], &[]);
    w.at(33_050, "bob 200 CANCEL", &[], &[]);
    w.b.wait(4_100);
    let again = w.b.expect(BOB, "INVITE");
    assert_eq!((again.body(), again.header("CSeq")), (OFFER, "4 INVITE"));
    end(w);
}

fn hung_up_while_one_is_offered(kind: Kind) {
    let mut w = talking(kind);
    rows(
        &mut w,
        &[
            (1_000, "alice INVITE other", &["bob INVITE +sendonly"]),
            (1_010, "bob BYE", &["bob 200", "alice 487", "alice BYE"]),
        ],
    );
    w.b.nothing_left();
}

/// He is busy with something else, or says so, for ever: there is an end to it.
fn taken_after_all_and_never_given_back(kind: Kind) {
    for status in [491, 500] {
        let mut w = talking(kind);
        rows(&mut w, &LATE);
        let mut again = w.got[&(last(BOB), "INVITE".to_string())].clone();
        w.at(33_050, "bob 200 CANCEL", &[], &[]);
        let mut tries = 1;
        while tries < 20 {
            w.b.rx(BOB, &answer(&again, status, "bob", ""));
            w.b.expect(BOB, "ACK");
            let until = w.b.now + Duration::from_secs(10);
            while w.b.seen.is_empty() && w.b.now < until {
                w.b.wait(100);
            }
            if w.b.seen.is_empty() {
                break;
            }
            again = w.b.expect(BOB, "INVITE");
            assert_eq!(again.body(), OFFER);
            tries += 1;
        }
        assert_eq!(tries, 5);
        // He may still change it himself, and his session is kept.
        w.at(
            80_000,
            "bob INVITE other +Supported: timer",
            &["alice INVITE +sendonly"],
            &[],
        );
        end(w);
    }
}
