//! Reliable provisional answers, and what sides that have agreed early may change (RFC 3262, RFC 3311).

use super::super::*;
use super::{Row, World, run};

suite! {
    the_called_side_speaks_reliably
    answers_out_of_order
    early_dialogs_are_acknowledged_each
    the_caller_demands_it
    the_caller_does_not_acknowledge
    an_answer_waits_for_its_description
    a_cancel_while_the_answer_waits
    only_demanded_what_is_demanded
    updates_before_the_answer
    updates_and_the_answer_cross
    updates_and_a_refusal_cross
    one_thing_at_a_time
}

fn the_called_side_speaks_reliably(kind: Kind) {
    let mut w = run(
        kind,
        &["bob"],
        &[
            (
                0,
                "alice INVITE sdp",
                &["alice 100", "bob INVITE +Supported: timer, 100rel\r\n"],
            ),
            (
                50,
                "bob 183 sdp +Require: 100rel +RSeq: 7",
                &[
                    "bob PRACK +RAck: 7 1 INVITE\r\n +CSeq: 2 PRACK +tag=bob +PRACK sip:bob@192.0.2.20",
                    "alice 183 +ANSWER -RSeq",
                ],
            ),
            // It came again before the PRACK was there, which goes out again by itself.
            (60, "bob 183 sdp +Require: 100rel +RSeq: 7", &[]),
            (550, "", &["bob PRACK +RAck: 7 1 INVITE\r\n +CSeq: 2 PRACK"]),
            (560, "bob 200 PRACK", &[]),
            (
                600,
                "bob 180 +Require: 100rel +RSeq: 8",
                &["bob PRACK +RAck: 8 1 INVITE\r\n +CSeq: 3 PRACK", "alice 180"],
            ),
            (610, "bob 200 PRACK", &[]),
            // The description was in the reliable answer (RFC 3261 §13.2.1).
            (700, "bob 200", &["bob ACK +CSeq: 1 ACK", "alice 200 +ANSWER"]),
            (710, "alice ACK", &[]),
            (800, "alice BYE", &["alice 200", "bob BYE +CSeq: 4 BYE"]),
            (810, "bob 200 BYE", &[]),
        ],
    );
    w.b.nothing_left();
}

fn answers_out_of_order(kind: Kind) {
    let mut w = run(
        kind,
        &["bob"],
        &[
            (0, "alice INVITE sdp", &["alice 100", "bob INVITE"]),
            (
                50,
                "bob 180 +Require: 100rel +RSeq: 1",
                &["bob PRACK +RAck: 1 1", "alice 180"],
            ),
            (60, "bob 200 PRACK", &[]),
            // The one between is missing (RFC 3262 §4).
            (70, "bob 183 sdp +Require: 100rel +RSeq: 3", &[]),
            (80, "bob 181 +Require: 100rel +RSeq: 2", &["bob PRACK +RAck: 2 1"]),
            (90, "bob 200 PRACK", &[]),
            (
                100,
                "bob 183 sdp +Require: 100rel +RSeq: 3",
                &["bob PRACK +RAck: 3 1", "alice 183"],
            ),
            // A PRACK that is refused or unanswered is no reason to give up.
            (110, "bob 481 PRACK", &[]),
            (120, "bob 486", &["bob ACK"]),
        ],
    );
    assert_eq!(w.b.calls.usage().legs, 2, "the early dialog is gone");
    let key = w.call.unwrap();
    w.b.calls.refuse(w.b.now, key, 486, None);
    w.b.nothing_left();
}

fn early_dialogs_are_acknowledged_each(kind: Kind) {
    let mut w = run(
        kind,
        &["bob"],
        &[
            (0, "alice INVITE sdp", &["alice 100", "bob INVITE"]),
            (
                50,
                "bob 180 +Require: 100rel +RSeq: 1",
                &["bob PRACK +RAck: 1 1 +tag=bob", "alice 180"],
            ),
            (
                60,
                "bob/2 180 +Require: 100rel +RSeq: 9",
                &["bob PRACK +RAck: 9 1 +tag=2"],
            ),
            (70, "bob/2 200 PRACK", &[]),
            (550, "", &["bob PRACK +RAck: 1 1 +tag=bob"]),
            (600, "bob/2 200 sdp", &["bob ACK +tag=2", "alice 200"]),
            (610, "alice ACK", &[]),
            (620, "alice BYE", &["alice 200", "bob BYE +tag=2 +CSeq: 3 BYE"]),
            (630, "bob 200 BYE", &[]),
        ],
    );
    w.b.nothing_left();
}

const DEMANDS: &str = "alice INVITE sdp +Require: 100rel +Allow: INVITE, PRACK, UPDATE";

fn the_caller_demands_it(kind: Kind) {
    let mut w = run(
        kind,
        &["bob"],
        &[
            (0, DEMANDS, &["alice 100 -RSeq", "bob INVITE -Require"]),
            (50, "bob 180", &["alice 180 +Require: 100rel\r\n +RSeq: "]),
            // Until it is acknowledged, and the next one waits.
            (550, "", &["alice 180 +RSeq: "]),
            (600, "bob 183 sdp", &[]),
            (1_550, "", &["alice 180 +RSeq: "]),
            (1_560, "alice PRACK +RAck: 1 1 INVITE", &["alice 481"]),
            (
                1_570,
                "alice PRACK +RAck: ?",
                &["alice 200", "alice 183 +RSeq: +ANSWER"],
            ),
            (1_580, "alice PRACK +RAck: ?", &["alice 200"]),
            (2_000, "bob 200 sdp", &["bob ACK", "alice 200 -RSeq"]),
            (2_010, "alice ACK", &[]),
            (2_020, "alice BYE", &["alice 200", "bob BYE"]),
            (2_030, "bob 200 BYE", &[]),
        ],
    );
    w.b.nothing_left();
}

fn the_caller_does_not_acknowledge(kind: Kind) {
    let mut w = run(
        kind,
        &["bob"],
        &[
            (0, DEMANDS, &["alice 100", "bob INVITE"]),
            (50, "bob 180", &["alice 180"]),
            (550, "", &["alice 180"]),
            (1_550, "", &["alice 180"]),
            (3_550, "", &["alice 180"]),
            (7_550, "", &["alice 180"]),
            (11_550, "", &["alice 180"]),
            (15_550, "", &["alice 180"]),
            (19_550, "", &["alice 180"]),
            (23_550, "", &["alice 180"]),
            (27_550, "", &["alice 180"]),
            (31_550, "", &["alice 180"]),
            (35_550, "", &["alice 504", "bob CANCEL"]),
            (35_560, "alice ACK", &[]),
            (35_570, "bob 200 CANCEL", &[]),
            (35_580, "bob 487", &["bob ACK"]),
        ],
    );
    assert_eq!(w.b.ends(), [End::Refused(504)]);
    w.b.nothing_left();
}

/// RFC 3262 §3: a 2xx does not overtake a description. One without may.
fn an_answer_waits_for_its_description(kind: Kind) {
    let mut w = run(
        kind,
        &["bob"],
        &[
            (0, DEMANDS, &["alice 100", "bob INVITE"]),
            (50, "bob 183 sdp", &["alice 183 +ANSWER"]),
            (100, "bob 200 sdp", &["bob ACK"]),
            (
                110,
                "alice PRACK +RAck: ?",
                &["alice 200 +CSeq: 2 PRACK", "alice 200 +CSeq: 1 INVITE +ANSWER"],
            ),
            (120, "alice ACK", &[]),
            (130, "bob BYE", &["bob 200", "alice BYE"]),
            (140, "alice 200 BYE", &[]),
        ],
    );
    assert_eq!(w.b.ends(), [End::HungUp(Side::Callee)]);
    w.b.nothing_left();
    let mut w = run(
        kind,
        &["bob"],
        &[
            (0, DEMANDS, &["alice 100", "bob INVITE"]),
            (50, "bob 180", &["alice 180"]),
            (100, "bob 200 sdp", &["bob ACK", "alice 200 +ANSWER"]),
            (120, "alice ACK", &[]),
            (130, "bob BYE", &["bob 200", "alice BYE"]),
            (140, "alice 200 BYE", &[]),
        ],
    );
    w.b.nothing_left();
}

fn a_cancel_while_the_answer_waits(kind: Kind) {
    for (what, end) in [("alice CANCEL", End::Cancelled), ("alice BYE", End::Cancelled)] {
        let mut w = run(
            kind,
            &["bob"],
            &[
                (0, DEMANDS, &["alice 100", "bob INVITE"]),
                (50, "bob 183 sdp", &["alice 183 +ANSWER"]),
                (100, "bob 200 sdp", &["bob ACK"]),
                (110, what, &["alice 200", "alice 487", "bob BYE"]),
                (130, "alice ACK", &[]),
                (140, "bob 200 BYE", &[]),
            ],
        );
        assert_eq!(w.b.ends(), [end]);
        w.b.seen.clear();
        w.b.nothing_left();
    }
    let mut w = run(
        kind,
        &["bob"],
        &[
            (0, DEMANDS, &["alice 100", "bob INVITE"]),
            (50, "bob 183 sdp", &["alice 183 +ANSWER"]),
            (100, "bob 200 sdp", &["bob ACK"]),
            (110, "bob BYE", &["bob 200", "alice 480"]),
            (130, "alice ACK", &[]),
        ],
    );
    assert_eq!(w.b.ends(), [End::HungUp(Side::Callee)]);
    w.b.nothing_left();
}

fn only_demanded_what_is_demanded(kind: Kind) {
    run(
        kind,
        &["bob", "carol"],
        &[
            // Whose description would it be?
            (
                0,
                "alice INVITE sdp +Supported: 100rel",
                &["alice 100", "bob INVITE -100rel", "carol INVITE -100rel"],
            ),
            (50, "bob 180", &["alice 180 -RSeq"]),
        ],
    );
    run(
        kind,
        &["bob"],
        &[
            // Without an offer a reliable answer would have to bring one: there is none.
            (
                0,
                "alice INVITE +Require: 100rel",
                &["alice 100", "bob INVITE -100rel"],
            ),
            (50, "bob 180", &[]),
            (60, "bob 200 sdp", &["alice 200 +ANSWER"]),
            (70, "alice ACK sdp", &["bob ACK +OFFER"]),
        ],
    );
}

fn updates_before_the_answer(kind: Kind) {
    let mut w = run(
        kind,
        &["bob"],
        &[
            (0, DEMANDS, &["alice 100", "bob INVITE"]),
            (50, "bob 180", &["alice 180"]),
            // Her offer has no answer yet (RFC 3311 §5.2); a refresh has nothing to do with that.
            (60, "alice UPDATE other", &["alice 500 +Retry-After: "]),
            (70, "alice UPDATE", &["alice 200"]),
            (80, "alice PRACK +RAck: ?", &["alice 200"]),
            (
                100,
                "bob 183 sdp +Require: 100rel +RSeq: 1 +Allow: UPDATE",
                &["bob PRACK", "alice 183 +ANSWER"],
            ),
            (110, "bob 200 PRACK", &[]),
            // He may, she has not said yet that she has his answer.
            (120, "bob UPDATE other", &["bob 504"]),
            (130, "bob UPDATE", &["bob 200"]),
            (140, "alice PRACK +RAck: ?", &["alice 200"]),
            // Both have agreed.
            (150, "alice UPDATE other", &["bob UPDATE +a=sendonly +tag=bob"]),
            (
                160,
                "bob 200 UPDATE other",
                &["alice 200 +CSeq: 6 UPDATE +a=sendonly"],
            ),
            (170, "bob UPDATE sdp", &["alice UPDATE +ANSWER"]),
            (180, "alice 491 UPDATE", &["bob 491"]),
            (190, "bob 200 other", &["bob ACK", "alice 200"]),
            (200, "alice ACK", &[]),
            (210, "alice BYE", &["alice 200", "bob BYE"]),
            (220, "bob 200 BYE", &[]),
        ],
    );
    w.b.nothing_left();
}

/// Both have agreed, and their descriptions stand in reliable answers.
const AGREED: [Row; 3] = [
    (0, DEMANDS, &["alice 100", "bob INVITE"]),
    (
        50,
        "bob 183 sdp +Require: 100rel +RSeq: 1 +Allow: UPDATE",
        &["bob PRACK", "alice 183 +ANSWER"],
    ),
    (60, "alice PRACK +RAck: ?", &["alice 200"]),
];

fn agreed(kind: Kind, rows: &[Row]) -> World {
    let rows: Vec<Row> = AGREED.iter().chain(rows).copied().collect();
    run(kind, &["bob"], &rows)
}

/// The early dialog goes on in the one that is answered, with what is under way in it.
fn updates_and_the_answer_cross(kind: Kind) {
    let mut w = agreed(
        kind,
        &[
            (70, "bob 200 PRACK", &[]),
            (100, "bob UPDATE other", &["alice UPDATE +sendonly"]),
            // What he says there he has said before his offer.
            (110, "bob 200 sdp", &["bob ACK", "alice 200"]),
            (120, "alice ACK", &[]),
            (130, "alice 200 UPDATE sdp", &["bob 200 +CSeq: 1 UPDATE +OFFER"]),
        ],
    );
    let mut sdp = [0; SDP_MAX];
    let alice = w.b.calls.sdp(w.call.unwrap(), Side::Caller, &mut sdp).unwrap();
    assert!(alice.ends_with(b"sendonly\r\n"));
    // That he wants back is no refresh.
    w.at(200, "bob UPDATE sdp", &["alice UPDATE -sendonly"], &[]);
    w.at(210, "alice 200 UPDATE sdp", &["bob 200 +OFFER"], &[]);
    w.at(300, "alice BYE", &["alice 200", "bob BYE"], &[]);
    w.at(310, "bob 200 BYE", &[], &[]);
    w.b.nothing_left();
    let mut w = agreed(
        kind,
        &[
            (70, "bob 200 PRACK", &[]),
            (100, "alice UPDATE other", &["bob UPDATE +sendonly +CSeq: 3 "]),
            (110, "bob 200", &["bob ACK", "alice 200 +ANSWER"]),
            (120, "alice ACK", &[]),
            (600, "", &["bob UPDATE +sendonly +CSeq: 3 +tag=bob"]),
            (
                610,
                "bob 200 UPDATE other",
                &["alice 200 +CSeq: 3 UPDATE +sendonly"],
            ),
            (700, "alice BYE", &["alice 200", "bob BYE +CSeq: 4 "]),
            (710, "bob 200 BYE", &[]),
        ],
    );
    w.b.nothing_left();
}

/// Who is called next is offered what was agreed before.
fn updates_and_a_refusal_cross(kind: Kind) {
    let w = agreed(
        kind,
        &[
            (70, "bob 200 PRACK", &[]),
            (100, "alice UPDATE other", &["bob UPDATE +sendonly"]),
            (110, "bob 486", &["bob ACK", "alice 504 +CSeq: 3 UPDATE"]),
        ],
    );
    had_before(w);
    // He answers when he was given up.
    let mut w = agreed(
        kind,
        &[
            (70, "bob 200 PRACK", &[]),
            (100, "alice UPDATE other", &["bob UPDATE +sendonly"]),
        ],
    );
    w.b.calls.cancel_all(w.b.now, w.call.unwrap(), None);
    w.step(100, "", &["bob CANCEL"], &[]);
    w.at(120, "bob 200 CANCEL", &[], &[]);
    w.at(
        130,
        "bob 200 sdp",
        &["bob ACK", "bob BYE +CSeq: 4 ", "alice 504 +CSeq: 3 UPDATE"],
        &[],
    );
    w.at(140, "bob 200 BYE", &[], &[]);
    had_before(w);
}

fn had_before(mut w: World) {
    let mut sdp = [0; SDP_MAX];
    let key = w.call.unwrap();
    assert_eq!(w.b.calls.sdp(key, Side::Callee, &mut sdp), Some(OFFER.as_bytes()));
    w.b.calls.refuse(w.b.now, key, 486, None);
    w.b.nothing_left();
}

/// A PRACK, an UPDATE or an INFO is not put in the place of another that has no answer.
fn one_thing_at_a_time(kind: Kind) {
    let mut w = agreed(
        kind,
        &[
            (70, "alice UPDATE other", &["alice 500 +Retry-After: "]),
            // It was lost.
            (550, "", &["bob PRACK +RAck: 1 1 INVITE"]),
            (560, "bob 200 PRACK", &[]),
            (600, "alice UPDATE other", &["bob UPDATE"]),
            // It comes again.
            (610, "bob 180 +Require: 100rel +RSeq: 2", &[]),
            (620, "bob 200 UPDATE other", &["alice 200 +sendonly"]),
            (
                1_110,
                "bob 180 +Require: 100rel +RSeq: 2",
                &["bob PRACK +RAck: 2 1 INVITE", "alice 180"],
            ),
            (1_120, "bob 200 PRACK", &[]),
            (1_130, "alice PRACK +RAck: ?", &["alice 200"]),
            (1_200, "bob 200", &["bob ACK", "alice 200"]),
            (1_210, "alice ACK", &[]),
            (1_300, "alice INFO", &["bob INFO"]),
            (1_310, "alice UPDATE sdp", &["alice 500 +Retry-After: "]),
            (1_320, "bob 200 INFO", &["alice 200 +INFO"]),
            (1_400, "alice BYE", &["alice 200", "bob BYE"]),
            (1_410, "bob 200 BYE", &[]),
        ],
    );
    w.b.nothing_left();
}
