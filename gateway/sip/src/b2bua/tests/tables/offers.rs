//! What sides of an answered call offer each other, and say by INFO.

use super::super::*;
use super::{Row, run};

suite! {
    update_where_it_is_understood
    update_where_it_is_not
    update_that_says_nothing_new
    updates_meet
    update_and_reinvite_meet
    reinvites_meet
    a_refusal_is_lost
    the_ack_to_a_refusal_is_lost
    update_without_an_answer
    update_that_the_end_overtakes
    the_answer_to_an_update_is_lost
    keys_are_passed
    keys_one_after_another
    keys_of_a_call_that_ends
}

const UP: [Row; 3] = [
    (
        0,
        "alice INVITE sdp +Allow: INVITE, UPDATE",
        &["alice 100", "bob INVITE"],
    ),
    (
        10,
        "bob 200 sdp +Allow: INVITE, UPDATE",
        &["bob ACK", "alice 200"],
    ),
    (20, "alice ACK", &[]),
];

fn after(rows: &[Row]) -> Vec<Row> {
    UP.iter().chain(rows).copied().collect()
}

fn update_where_it_is_understood(kind: Kind) {
    let mut w = run(
        kind,
        &["bob"],
        &after(&[
            (100, "alice UPDATE other", &["bob UPDATE +a=sendonly +Contact: "]),
            (
                110,
                "bob 200 UPDATE other",
                &["alice 200 +a=sendonly +Contact: +Allow: "],
            ),
            // It did not get there.
            (
                600,
                "alice UPDATE other +again",
                &["alice 200 +a=sendonly +Contact: "],
            ),
            (700, "bob UPDATE sdp", &["alice UPDATE +ANSWER"]),
            (710, "alice 488 UPDATE", &["bob 488"]),
            // What was refused is no refresh when it comes again.
            (800, "bob UPDATE sdp", &["alice UPDATE +ANSWER"]),
            (810, "alice 200 UPDATE sdp", &["bob 200 +OFFER"]),
            (900, "alice BYE", &["alice 200", "bob BYE"]),
            (910, "bob 200 BYE", &[]),
        ]),
    );
    assert_eq!(w.b.ends(), [End::HungUp(Side::Caller)]);
    w.b.nothing_left();
}

fn update_where_it_is_not(kind: Kind) {
    let mut w = run(
        kind,
        &["bob"],
        &[
            (0, "alice INVITE sdp", &["alice 100", "bob INVITE"]),
            (10, "bob 200 sdp", &["bob ACK", "alice 200 +UPDATE"]),
            (20, "alice ACK", &[]),
            (100, "alice UPDATE other", &["bob INVITE +a=sendonly"]),
            (
                110,
                "bob 200 other",
                &["bob ACK", "alice 200 +CSeq: 2 UPDATE +a=sendonly"],
            ),
            (200, "bob UPDATE sdp", &["alice INVITE +ANSWER"]),
            (210, "alice 491", &["alice ACK", "bob 491"]),
            (300, "bob BYE", &["bob 200", "alice BYE"]),
            (310, "alice 200 BYE", &[]),
        ],
    );
    w.b.nothing_left();
}

fn update_that_says_nothing_new(kind: Kind) {
    let mut w = run(
        kind,
        &["bob"],
        &after(&[
            (100, "alice UPDATE sdp", &["alice 200 +ANSWER"]),
            (110, "alice UPDATE", &["alice 200 -application/sdp"]),
            (120, "bob UPDATE sdp", &["bob 200 +OFFER"]),
            (200, "alice BYE", &["alice 200", "bob BYE"]),
            (210, "bob 200 BYE", &[]),
        ]),
    );
    w.b.nothing_left();
}

/// RFC 3311 §5.2.
fn updates_meet(kind: Kind) {
    let mut w = run(
        kind,
        &["bob"],
        &after(&[
            (100, "alice UPDATE other", &["bob UPDATE"]),
            (110, "bob UPDATE other", &["bob 491"]),
            (120, "alice UPDATE sdp", &["alice 500 +Retry-After: "]),
            (130, "bob 491 UPDATE", &["alice 491"]),
            (2_500, "alice UPDATE other", &["bob UPDATE"]),
            (2_510, "bob 200 UPDATE sdp", &["alice 200"]),
            (2_600, "alice BYE", &["alice 200", "bob BYE"]),
            (2_610, "bob 200 BYE", &[]),
        ]),
    );
    w.b.nothing_left();
}

fn update_and_reinvite_meet(kind: Kind) {
    let mut w = run(
        kind,
        &["bob"],
        &after(&[
            (100, "alice INVITE other", &["bob INVITE"]),
            (110, "bob UPDATE other", &["bob 491"]),
            (120, "alice UPDATE other", &["alice 500"]),
            (130, "bob 200 sdp", &["bob ACK", "alice 200"]),
            // She has not said yet that she has it.
            (140, "bob UPDATE other", &["bob 491"]),
            (150, "alice ACK", &[]),
            (200, "bob UPDATE other", &["alice UPDATE"]),
            (210, "alice INVITE sdp", &["alice 491"]),
            (220, "alice ACK", &[]),
            (230, "alice 200 UPDATE sdp", &["bob 200"]),
            (300, "alice BYE", &["alice 200", "bob BYE"]),
            (310, "bob 200 BYE", &[]),
        ]),
    );
    w.b.nothing_left();
}

/// Each hears that the other one was faster, and waits as long as its own Call-ID says (RFC 3261 §14.1).
fn reinvites_meet(kind: Kind) {
    let mut w = run(
        kind,
        &["bob"],
        &after(&[
            (100, "alice INVITE other", &["bob INVITE"]),
            (110, "bob INVITE other", &["bob 491"]),
            (120, "bob ACK", &[]),
            (130, "bob 491", &["bob ACK", "alice 491"]),
            (140, "alice ACK", &[]),
            (1_000, "bob INVITE other", &["alice INVITE"]),
            (1_010, "alice 200 other", &["alice ACK", "bob 200"]),
            (1_020, "bob ACK", &[]),
            (2_000, "alice BYE", &["alice 200", "bob BYE"]),
            (2_010, "bob 200 BYE", &[]),
        ]),
    );
    w.b.nothing_left();
}

/// She does not know yet that hers is over.
fn a_refusal_is_lost(kind: Kind) {
    let mut w = run(
        kind,
        &["bob"],
        &after(&[
            (100, "alice INVITE other", &["bob INVITE"]),
            (110, "bob 488", &["bob ACK", "alice 488"]),
            (200, "bob INVITE other", &["bob 491"]),
            (210, "bob ACK", &[]),
            (610, "", &["alice 488 +CSeq: 2 INVITE"]),
            (620, "alice ACK", &[]),
            (700, "bob INVITE other", &["alice INVITE"]),
            (710, "alice 200 sdp", &["alice ACK", "bob 200"]),
            (720, "bob ACK", &[]),
            (800, "alice BYE", &["alice 200", "bob BYE"]),
            (810, "bob 200 BYE", &[]),
        ]),
    );
    w.b.nothing_left();
}

/// That she asks again says that she knows it: what is repeated is no answer to what she asks now.
fn the_ack_to_a_refusal_is_lost(kind: Kind) {
    let mut w = run(
        kind,
        &["bob"],
        &after(&[
            (100, "alice INVITE other", &["bob INVITE"]),
            (110, "bob 488", &["bob ACK", "alice 488"]),
            (200, "alice INVITE other", &["bob INVITE"]),
            (210, "bob 100", &[]),
            (400, "", &["alice 100 +CSeq: 3 INVITE"]),
            (700, "bob 200 sdp", &["bob ACK", "alice 200 +CSeq: 3 INVITE"]),
            (710, "alice ACK", &[]),
            (5_000, "alice BYE", &["alice 200", "bob BYE"]),
            (5_010, "bob 200 BYE", &[]),
        ]),
    );
    w.b.nothing_left();
}

fn update_without_an_answer(kind: Kind) {
    let mut w = run(
        kind,
        &["bob"],
        &after(&[(100, "alice UPDATE other", &["bob UPDATE"])]),
    );
    // Repetitions to Bob; then he is not there any more (RFC 3261 §12.2.1.2), which ends the call.
    for at in [
        600, 1_600, 3_600, 7_600, 11_600, 15_600, 19_600, 23_600, 27_600, 31_600,
    ] {
        w.at(at, "", &["bob UPDATE"], &[]);
    }
    // Her own has had no answer for so long: it is too late for one (RFC 4320 §4.2).
    w.at(32_100, "", &["alice BYE"], &[]);
    w.at(32_110, "alice 200 BYE", &[], &[]);
    assert_eq!(w.b.ends(), [End::Lost(Side::Callee)]);
    w.b.nothing_left();
}

fn update_that_the_end_overtakes(kind: Kind) {
    let mut w = run(
        kind,
        &["bob"],
        &after(&[
            (100, "alice UPDATE other", &["bob UPDATE"]),
            (110, "bob BYE", &["bob 200", "alice 487", "alice BYE"]),
            (120, "alice 200 BYE", &[]),
        ]),
    );
    w.b.nothing_left();
}

/// What is said again is what was said, also when the other side has asked since.
fn the_answer_to_an_update_is_lost(kind: Kind) {
    let mut w = run(
        kind,
        &["bob"],
        &after(&[
            (100, "alice UPDATE other", &["bob UPDATE +a=sendonly"]),
            (110, "bob 200 UPDATE sdp", &["alice 200 +CSeq: 2 UPDATE +ANSWER"]),
            (200, "bob UPDATE other", &["alice UPDATE +a=sendonly"]),
            (
                300,
                "alice UPDATE other +again",
                &["alice 200 +CSeq: 2 UPDATE +ANSWER -sendonly"],
            ),
            (400, "alice 491 UPDATE", &["bob 491"]),
            (
                600,
                "alice UPDATE other +again",
                &["alice 200 +CSeq: 2 UPDATE +ANSWER -sendonly"],
            ),
            (900, "alice BYE", &["alice 200", "bob BYE"]),
            (910, "bob 200 BYE", &[]),
        ]),
    );
    w.b.nothing_left();
}

const KEY: &str = "alice INFO +Info-Package: dtmf +Content-Type: application/dtmf-relay";

fn keys_are_passed(kind: Kind) {
    let mut w = run(
        kind,
        &["bob"],
        &after(&[
            (
                100,
                KEY,
                &["bob INFO +Info-Package: dtmf\r\n +Content-Type: application/dtmf-relay\r\n +tag=bob"],
            ),
            (110, "bob 200 INFO", &["alice 200 +CSeq: 2 INFO"]),
            (120, "alice INFO +again", &["alice 200 +CSeq: 2 INFO"]),
            (200, "bob INFO sdp", &["alice INFO +ANSWER"]),
            (210, "alice 415 INFO", &["bob 415"]),
            (300, "alice BYE", &["alice 200", "bob BYE"]),
            (310, "bob 200 BYE", &[]),
        ]),
    );
    w.b.nothing_left();
}

fn keys_one_after_another(kind: Kind) {
    let mut w = run(
        kind,
        &["bob"],
        &after(&[
            (100, KEY, &["bob INFO"]),
            (110, KEY, &["alice 500 +Retry-After: 1"]),
            // It is repeated while it waits: nothing to say yet.
            (600, "lost", &[]),
            (700, "bob 200 INFO", &["alice 200 +CSeq: 2 INFO"]),
            (800, KEY, &["bob INFO"]),
            (810, "bob 481 INFO", &["alice 481 +CSeq: 4 INFO", "alice BYE"]),
            (820, "alice 200 BYE", &[]),
        ]),
    );
    assert_eq!(w.b.ends(), [End::Lost(Side::Callee)]);
    w.b.nothing_left();
}

fn keys_of_a_call_that_ends(kind: Kind) {
    let mut w = run(
        kind,
        &["bob"],
        &after(&[
            (100, KEY, &["bob INFO"]),
            (110, "alice BYE", &["alice 200 +CSeq: 3 BYE", "bob BYE"]),
            (120, "bob 200 BYE", &[]),
        ]),
    );
    w.b.nothing_left();
    let mut w = run(
        kind,
        &["bob"],
        &[
            (0, "alice INVITE sdp", &["alice 100", "bob INVITE"]),
            (10, "bob 180", &["alice 180"]),
            (20, KEY, &["alice 481"]),
        ],
    );
    let key = w.call.unwrap();
    w.b.calls.refuse(w.b.now, key, 480, None);
    w.b.nothing_left();
}
