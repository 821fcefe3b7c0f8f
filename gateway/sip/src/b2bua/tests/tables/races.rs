//! CANCEL, 2xx and BYE that cross, INVITEs that are forked beyond us, and what is lost on the way.

use super::super::*;
use super::run;

suite! {
    cancel_before_any_answer
    cancel_while_it_rings
    cancel_crosses_the_answer
    cancel_after_the_answer
    cancel_that_is_lost
    cancel_crosses_a_refusal
    bye_in_an_early_dialog
    byes_cross
    bye_crosses_a_reinvite
    forked_beyond_us
    early_dialogs_of_a_fork
    everything_is_lost_once
}

fn cancel_before_any_answer(kind: Kind) {
    let mut w = run(
        kind,
        &["bob"],
        &[
            (0, "alice INVITE sdp", &["alice 100", "bob INVITE"]),
            (100, "alice CANCEL", &["alice 200", "alice 487"]),
            (110, "alice ACK", &[]),
            // RFC 3261 §9.1: not before the first provisional answer. The INVITE goes out again until then.
            (500, "", &["bob INVITE"]),
            (600, "bob 100", &["bob CANCEL +CSeq: 1 CANCEL +cause=487"]),
            (610, "bob 200 CANCEL", &[]),
            (620, "bob 487", &["bob ACK"]),
        ],
    );
    assert_eq!(w.b.ends(), [End::Cancelled]);
    w.b.nothing_left();
}

fn cancel_while_it_rings(kind: Kind) {
    let mut w = run(
        kind,
        &["bob"],
        &[
            (0, "alice INVITE sdp", &["alice 100", "bob INVITE"]),
            (50, "bob 180", &["alice 180"]),
            (100, "alice CANCEL", &["alice 200", "alice 487", "bob CANCEL"]),
            (110, "alice ACK", &[]),
            (120, "bob 200 CANCEL", &[]),
            (130, "bob 487", &["bob ACK"]),
            // Our ACK was lost.
            (630, "bob 487", &["bob ACK"]),
        ],
    );
    w.b.nothing_left();
}

fn cancel_crosses_the_answer(kind: Kind) {
    let mut w = run(
        kind,
        &["bob"],
        &[
            (0, "alice INVITE sdp", &["alice 100", "bob INVITE"]),
            (50, "bob 180", &["alice 180"]),
            (100, "alice CANCEL", &["alice 200", "alice 487", "bob CANCEL"]),
            (110, "alice ACK", &[]),
            (120, "bob 200 sdp", &["bob ACK", "bob BYE +cause=487"]),
            (130, "bob 481 CANCEL", &[]),
            (140, "bob 200 BYE", &[]),
        ],
    );
    assert_eq!(w.b.ends(), [End::Cancelled]);
    assert_eq!(w.b.calls.counters().late_answers, 1);
    w.b.nothing_left();
}

fn cancel_after_the_answer(kind: Kind) {
    let mut w = run(
        kind,
        &["bob"],
        &[
            (0, "alice INVITE sdp", &["alice 100", "bob INVITE"]),
            (50, "bob 200 sdp", &["bob ACK", "alice 200"]),
            // It changes nothing (§9.2): she has to hang up.
            (60, "alice CANCEL", &["alice 200"]),
            (70, "alice ACK", &[]),
            (80, "alice BYE", &["alice 200", "bob BYE"]),
            (90, "bob 200 BYE", &[]),
        ],
    );
    assert_eq!(w.b.ends(), [End::HungUp(Side::Caller)]);
    w.b.nothing_left();
}

fn cancel_that_is_lost(kind: Kind) {
    let mut w = run(
        kind,
        &["bob"],
        &[
            (0, "alice INVITE sdp", &["alice 100", "bob INVITE"]),
            (50, "bob 180", &["alice 180"]),
            (100, "alice CANCEL", &["alice 200", "alice 487", "bob CANCEL"]),
            (110, "alice ACK", &[]),
            (600, "", &["bob CANCEL"]),
            (1_600, "", &["bob CANCEL"]),
            (1_700, "bob 200 CANCEL", &[]),
            (1_710, "bob 487", &["bob ACK"]),
        ],
    );
    w.b.nothing_left();
}

fn cancel_crosses_a_refusal(kind: Kind) {
    let mut w = run(
        kind,
        &["bob"],
        &[
            (0, "alice INVITE sdp", &["alice 100", "bob INVITE"]),
            (50, "bob 180", &["alice 180"]),
            (100, "alice CANCEL", &["alice 200", "alice 487", "bob CANCEL"]),
            (110, "alice ACK", &[]),
            (120, "bob 486", &["bob ACK"]),
            (130, "bob 481 CANCEL", &[]),
        ],
    );
    assert_eq!(w.b.ends(), [End::Cancelled]);
    w.b.nothing_left();
}

/// RFC 3261 §15: as good as a CANCEL.
fn bye_in_an_early_dialog(kind: Kind) {
    let mut w = run(
        kind,
        &["bob"],
        &[
            (0, "alice INVITE sdp", &["alice 100", "bob INVITE"]),
            (50, "bob 180", &["alice 180"]),
            (100, "alice BYE", &["alice 200", "alice 487", "bob CANCEL"]),
            (110, "bob 487", &["bob ACK"]),
            (120, "bob 200 CANCEL", &[]),
        ],
    );
    w.b.seen.clear();
    w.b.nothing_left();
}

fn byes_cross(kind: Kind) {
    let mut w = run(
        kind,
        &["bob"],
        &[
            (0, "alice INVITE sdp", &["alice 100", "bob INVITE"]),
            (50, "bob 200 sdp", &["bob ACK", "alice 200"]),
            (60, "alice ACK", &[]),
            (1_000, "alice BYE", &["alice 200", "bob BYE"]),
            (1_001, "bob BYE", &["bob 200"]),
            // Each repeats its own, and is answered.
            (1_500, "alice BYE +again", &["alice 200"]),
        ],
    );
    assert_eq!(w.b.ends(), [End::HungUp(Side::Caller)]);
    w.b.seen.clear();
    w.b.nothing_left();
}

fn bye_crosses_a_reinvite(kind: Kind) {
    let mut w = run(
        kind,
        &["bob"],
        &[
            (0, "alice INVITE sdp", &["alice 100", "bob INVITE"]),
            (50, "bob 200 sdp", &["bob ACK", "alice 200"]),
            (60, "alice ACK", &[]),
            (1_000, "alice INVITE other", &["bob INVITE"]),
            (1_001, "bob BYE", &["bob 200", "alice 487", "alice BYE"]),
            (1_002, "alice ACK", &[]),
            (1_003, "alice 200 BYE", &[]),
            // Its late answer is nobody's.
            (1_004, "bob 200 sdp", &[]),
        ],
    );
    assert_eq!(w.b.ends(), [End::HungUp(Side::Callee)]);
    w.b.nothing_left();
}

fn forked_beyond_us(kind: Kind) {
    let mut w = run(
        kind,
        &["bob"],
        &[
            (0, "alice INVITE sdp", &["alice 100", "bob INVITE"]),
            (50, "bob 200 sdp", &["bob ACK +tag=bob", "alice 200"]),
            (60, "alice ACK", &[]),
            // RFC 3261 §13.2.2.4.
            (
                70,
                "bob/2 200 sdp",
                &["bob ACK +tag=2", "bob BYE +tag=2 +cause=200"],
            ),
            (80, "bob/2 200 sdp", &["bob ACK +tag=2"]),
            (90, "bob/2 200 BYE", &[]),
            (95, "bob/3 200 sdp", &["bob ACK +tag=3", "bob BYE +tag=3"]),
            (96, "bob/3 200 BYE", &[]),
            (100, "bob 200 sdp INVITE", &["bob ACK +tag=bob"]),
        ],
    );
    assert_eq!(w.b.calls.counters().late_answers, 3);
    w.at(200, "alice BYE", &["alice 200", "bob BYE +tag=bob"], &[]);
    w.at(210, "bob 200 BYE", &[], &[]);
    w.b.nothing_left();
}

fn early_dialogs_of_a_fork(kind: Kind) {
    let mut w = run(
        kind,
        &["bob"],
        &[
            (0, "alice INVITE sdp", &["alice 100", "bob INVITE"]),
            (50, "bob 180", &["alice 180"]),
            (60, "bob/2 180", &[]),
            // Early media of the one, the answer of the other.
            (70, "bob 183 sdp", &["alice 183 +ANSWER"]),
            (
                80,
                "bob/2 200 other",
                &["bob ACK +tag=2", "alice 200 +a=sendonly"],
            ),
            (90, "alice ACK", &[]),
            (100, "bob 200 sdp", &["bob ACK +tag=bob", "bob BYE +tag=bob"]),
            (110, "bob 200 BYE", &[]),
            (200, "bob/2 BYE", &["bob 200", "alice BYE"]),
            (210, "alice 200 BYE", &[]),
        ],
    );
    assert_eq!(w.b.ends(), [End::HungUp(Side::Callee)]);
    w.b.nothing_left();
}

/// Each message comes with its first repetition only.
fn everything_is_lost_once(kind: Kind) {
    let mut w = run(
        kind,
        &["bob"],
        &[
            (0, "alice INVITE sdp", &["alice 100", "bob INVITE"]),
            (500, "", &["bob INVITE"]),
            (501, "alice INVITE sdp +again", &["alice 100"]),
            (510, "bob 180", &["alice 180"]),
            (1_000, "bob 200 sdp", &["bob ACK", "alice 200"]),
            // The ACK to Bob is lost, and so is the 200 to Alice.
            (1_500, "", &["alice 200"]),
            (1_501, "bob 200 sdp", &["bob ACK"]),
            (1_510, "alice ACK", &[]),
            // A late repetition of hers is answered no more: the dialog is there.
            (1_600, "alice INVITE sdp +again", &[]),
            (5_000, "alice BYE", &["alice 200", "bob BYE"]),
            (5_500, "", &["bob BYE"]),
            (5_501, "alice BYE +again", &["alice 200"]),
            (5_510, "bob 200 BYE", &[]),
        ],
    );
    assert_eq!(w.b.ends(), [End::HungUp(Side::Caller)]);
    w.b.nothing_left();
}
