//! Session timers, each leg's own.

use super::super::*;
use super::{Row, World, run};

suite! {
    the_caller_refreshes
    the_box_refreshes_by_update
    the_box_refreshes_by_reinvite
    an_hour_of_two_phones
    a_refresh_whose_answer_is_lost
    a_session_too_short
    a_called_side_that_wants_longer
    a_refresh_that_is_not_understood
    a_refresh_that_meets_another
    a_refresh_that_fails_for_good
    a_caller_that_knows_nothing_of_timers
    a_refresh_and_an_offer_cross
    a_refused_offer_asks_for_another_session
    a_refresh_whose_answer_brings_a_change
    changes_without_end
    a_change_that_has_to_wait
    an_offer_to_who_wants_longer
}

const TIMER: &str = "alice INVITE sdp +Supported: timer +Session-Expires: 180";

fn the_caller_refreshes(kind: Kind) {
    let mut w = run(
        kind,
        &["bob"],
        &[
            (
                0,
                "alice INVITE sdp +Supported: timer +Session-Expires: 180;refresher=uac",
                &[
                    "alice 100 -Session-Expires",
                    "bob INVITE +Supported: timer +Session-Expires: 1800;refresher=uac",
                ],
            ),
            (
                10,
                "bob 200 sdp",
                &[
                    "bob ACK",
                    "alice 200 +Require: timer\r\n +Session-Expires: 180;refresher=uac\r\n",
                ],
            ),
            (20, "alice ACK", &[]),
            (
                90_000,
                "alice UPDATE +Supported: timer +Session-Expires: 180;refresher=uac",
                &["alice 200 +Session-Expires: 180;refresher=uac +Contact: "],
            ),
            (
                180_000,
                "alice INVITE sdp +Supported: timer +Session-Expires: 180;refresher=uac",
                &["alice 200 +Session-Expires: 180;refresher=uac +ANSWER"],
            ),
            (180_010, "alice ACK", &[]),
            // Then it is silent: 32 s before the end.
            (
                328_000,
                "",
                &[
                    "alice BYE +Reason: Q.850;cause=102",
                    "bob BYE +Reason: Q.850;cause=102",
                ],
            ),
        ],
    );
    w.b.seen.clear();
    assert_eq!(w.b.ends(), [End::Lost(Side::Caller)]);
    w.b.nothing_left();
}

/// What is said again is what was said.
fn a_refresh_whose_answer_is_lost(kind: Kind) {
    let asks = "alice UPDATE +Supported: timer +Session-Expires: 180;refresher=uac";
    let again = "alice UPDATE +again +Supported: timer +Session-Expires: 180;refresher=uac";
    let says = "alice 200 +CSeq: 2 UPDATE +Session-Expires: 180;refresher=uac +Require: timer +Contact: ";
    let mut w = run(
        kind,
        &["bob"],
        &[
            (0, "alice INVITE sdp", &["alice 100", "bob INVITE"]),
            (10, "bob 200 sdp", &["bob ACK", "alice 200"]),
            (20, "alice ACK", &[]),
        ],
    );
    w.at(1_000, asks, &[says], &[]);
    w.at(1_500, again, &[says], &[]);
    w.b.calls.release(w.b.now, w.call.unwrap(), None);
    w.b.nothing_left();
}

fn the_box_refreshes_by_update(kind: Kind) {
    run(
        kind,
        &["bob"],
        &[
            (
                0,
                "alice INVITE sdp +Supported: timer +Session-Expires: 180 +Allow: INVITE, UPDATE",
                &["alice 100", "bob INVITE"],
            ),
            (
                10,
                "bob 200 sdp",
                &[
                    "bob ACK",
                    "alice 200 +Require: timer +Session-Expires: 180;refresher=uas",
                ],
            ),
            (20, "alice ACK", &[]),
            (
                90_010,
                "",
                &["alice UPDATE +Session-Expires: 180;refresher=uac +CSeq: 1 UPDATE -application/sdp"],
            ),
            (
                90_500,
                "alice 200 UPDATE +Session-Expires: 120;refresher=uac",
                &[],
            ),
            (
                150_500,
                "",
                &["alice UPDATE +Session-Expires: 120;refresher=uac +CSeq: 2 UPDATE"],
            ),
            // Now she refreshes herself.
            (
                150_510,
                "alice 200 UPDATE +Session-Expires: 120;refresher=uas",
                &[],
            ),
            (238_510, "", &["alice BYE", "bob BYE"]),
        ],
    );
}

fn the_box_refreshes_by_reinvite(kind: Kind) {
    let mut w = run(
        kind,
        &["bob"],
        &[
            (0, "alice INVITE sdp", &["alice 100", "bob INVITE +OFFER"]),
            (
                10,
                "bob 200 sdp +Session-Expires: 180;refresher=uac +Require: timer",
                &["bob ACK", "alice 200 -Session-Expires"],
            ),
            (20, "alice ACK", &[]),
            (
                90_010,
                "",
                &["bob INVITE +OFFER +CSeq: 2 INVITE +Session-Expires: 180;refresher=uac"],
            ),
            (
                90_020,
                "bob 200 sdp +Session-Expires: 180;refresher=uac",
                &["bob ACK -application/sdp"],
            ),
            // Its repetition too.
            (90_030, "bob 200 sdp", &["bob ACK -application/sdp"]),
            (180_020, "", &["bob INVITE +OFFER +CSeq: 3 INVITE"]),
            (180_520, "lost", &[]),
            (180_600, "bob 481", &["bob ACK", "bob BYE", "alice BYE"]),
            (180_700, "bob 481 BYE", &[]),
            (180_800, "alice 200 BYE", &[]),
        ],
    );
    assert_eq!(w.b.ends(), [End::Lost(Side::Callee)]);
    w.b.nothing_left();
}

/// Both phones want 180 s, one refreshes and one is refreshed; what lies beyond the box plays no part.
fn an_hour_of_two_phones(kind: Kind) {
    let mut w = run(
        kind,
        &["bob"],
        &[
            (
                0,
                "alice INVITE sdp +Supported: timer +Session-Expires: 180;refresher=uac",
                &["alice 100", "bob INVITE"],
            ),
            (
                10,
                "bob 200 sdp +Session-Expires: 180;refresher=uac +Allow: INVITE, ACK, BYE, UPDATE",
                &["bob ACK", "alice 200"],
            ),
            (20, "alice ACK", &[]),
        ],
    );
    for n in 1..=40 {
        let at = 90_000 * n;
        let refresh = "alice UPDATE +Supported: timer +Session-Expires: 180;refresher=uac";
        w.at(
            at,
            refresh,
            &["alice 200 +Session-Expires: 180;refresher=uac"],
            &[],
        );
        w.at(at + 10, "", &["bob UPDATE -application/sdp"], &[]);
        w.at(
            at + 10,
            "bob 200 UPDATE +Session-Expires: 180;refresher=uac",
            &[],
            &[],
        );
    }
    w.at(3_600_100, "bob BYE", &["bob 200", "alice BYE"], &[]);
    w.at(3_600_110, "alice 200 BYE", &[], &[]);
    assert_eq!(w.b.ends(), [End::HungUp(Side::Callee)]);
    w.b.nothing_left();
}

fn a_session_too_short(kind: Kind) {
    let w = run(
        kind,
        &["bob"],
        &[(
            0,
            "alice INVITE sdp +Supported: timer +Session-Expires: 60",
            &["alice 422 +Min-SE: 90"],
        )],
    );
    assert_eq!(w.b.calls.usage().calls, 0);
    let mut w = run(
        kind,
        &["bob"],
        &[
            (0, TIMER, &["alice 100", "bob INVITE"]),
            (10, "bob 200 sdp", &["bob ACK", "alice 200"]),
            (20, "alice ACK", &[]),
            (
                30,
                "alice UPDATE +Supported: timer +Session-Expires: 89",
                &["alice 422 +Min-SE: 90"],
            ),
            (40, "alice BYE", &["alice 200", "bob BYE"]),
            (50, "bob 200 BYE", &[]),
        ],
    );
    w.b.nothing_left();
}

fn a_called_side_that_wants_longer(kind: Kind) {
    let mut w = run(
        kind,
        &["bob"],
        &[
            (
                0,
                "alice INVITE sdp",
                &["alice 100", "bob INVITE +Session-Expires: 1800 +CSeq: 1 INVITE"],
            ),
            (
                10,
                "bob 422 +Min-SE: 3600",
                &[
                    "bob ACK +CSeq: 1 ACK",
                    "bob INVITE +Session-Expires: 3600;refresher=uac +Min-SE: 3600 +CSeq: 2 INVITE",
                ],
            ),
            (20, "bob 180", &["alice 180"]),
            (
                30,
                "bob 200 sdp +Session-Expires: 3600;refresher=uas",
                &["bob ACK +CSeq: 2 ACK", "alice 200"],
            ),
            (40, "alice ACK", &[]),
            (50, "alice BYE", &["alice 200", "bob BYE +CSeq: 3 BYE"]),
            (60, "bob 200 BYE", &[]),
        ],
    );
    w.b.nothing_left();
    // Who asks for it again and again is busy, as far as we are concerned.
    let mut w = run(
        kind,
        &["bob"],
        &[
            (0, "alice INVITE sdp", &["alice 100", "bob INVITE"]),
            (10, "bob 422 +Min-SE: 3600", &["bob ACK", "bob INVITE"]),
            (20, "bob 422 +Min-SE: 3600", &["bob ACK +CSeq: 2 ACK"]),
        ],
    );
    assert!(matches!(
        w.b.told()[..],
        [
            Event::Failed { status: 500, .. },
            Event::Exhausted { status: 500, .. }
        ]
    ));
}

fn a_refresh_that_is_not_understood(kind: Kind) {
    run(
        kind,
        &["bob"],
        &[
            (0, "alice INVITE sdp", &["alice 100", "bob INVITE"]),
            (
                10,
                "bob 200 sdp +Session-Expires: 180;refresher=uac +Allow: UPDATE",
                &["bob ACK", "alice 200"],
            ),
            (20, "alice ACK", &[]),
            (90_010, "", &["bob UPDATE"]),
            (90_020, "bob 501 UPDATE", &["bob INVITE +OFFER"]),
            // An error of its own: later.
            (90_030, "bob 500 +Retry-After: 7", &["bob ACK"]),
            (97_030, "", &["bob INVITE +OFFER"]),
            (97_040, "bob 503", &["bob ACK"]),
            (102_040, "", &["bob INVITE +OFFER"]),
            (
                102_050,
                "bob 200 sdp +Session-Expires: 180;refresher=uac",
                &["bob ACK"],
            ),
            (192_050, "", &["bob INVITE"]),
            (192_060, "bob 200 sdp", &["bob ACK"]),
        ],
    );
}

/// RFC 3261 §14.1: 2.1 to 4 s towards whom we have called, less than 2 towards who has called.
fn a_refresh_that_meets_another(kind: Kind) {
    let again = |w: &mut World, from: &str| {
        let start = w.b.now.as_millis();
        while w.b.seen.is_empty() {
            w.b.wait(10);
        }
        let seen = w.b.seen.pop_front().unwrap();
        assert_eq!((super::name_of(seen.flow), seen.what()), (from, "UPDATE"));
        seen.at - start
    };
    for n in 0..20 {
        let called = [
            (0, "alice INVITE sdp", &["alice 100", "bob INVITE"][..]),
            (
                10 + n,
                "bob 200 sdp +Session-Expires: 180;refresher=uac +Allow: UPDATE",
                &["bob ACK", "alice 200"],
            ),
            (50, "alice ACK", &[]),
            (90_010 + n, "", &["bob UPDATE"]),
            (90_050, "bob 491 UPDATE", &[]),
        ];
        let waited = again(&mut run(kind, &["bob"], &called), "bob");
        assert!((2_100..=4_000).contains(&waited), "{waited}");
        let caller = [
            (
                0,
                "alice INVITE sdp +Supported: timer +Session-Expires: 180 +Allow: UPDATE",
                &["alice 100", "bob INVITE"][..],
            ),
            (10 + n, "bob 200 sdp", &["bob ACK", "alice 200"]),
            (50, "alice ACK", &[]),
            (90_010 + n, "", &["alice UPDATE"]),
            (90_050, "alice 491 UPDATE", &[]),
        ];
        let waited = again(&mut run(kind, &["bob"], &caller), "alice");
        assert!(waited <= 2_000, "{waited}");
    }
}

fn a_refresh_that_fails_for_good(kind: Kind) {
    let rows = [
        (0, "alice INVITE sdp", &["alice 100", "bob INVITE"][..]),
        (
            10,
            "bob 200 sdp +Session-Expires: 180;refresher=uac +Allow: UPDATE",
            &["bob ACK", "alice 200"],
        ),
        (20, "alice ACK", &[]),
        (90_010, "", &["bob UPDATE"]),
        (
            90_020,
            "bob 481 UPDATE",
            &["alice BYE +cause=38", "bob BYE +cause=38"],
        ),
        (90_030, "alice 200 BYE", &[]),
        (90_040, "bob 481 BYE", &[]),
    ];
    let mut w = run(kind, &["bob"], &rows);
    assert_eq!(w.b.ends(), [End::Lost(Side::Callee)]);
    w.b.nothing_left();
    // It says no until the session is over.
    let mut w = run(kind, &["bob"], &rows[..4]);
    w.at(90_020, "bob 500 UPDATE +Retry-After: 1000", &[], &[]);
    w.at(180_010, "", &["alice BYE", "bob BYE"], &[]);
}

/// What a proxy has put in for it is kept by us (RFC 4028 §9), and nothing is asked of it.
fn a_caller_that_knows_nothing_of_timers(kind: Kind) {
    run(
        kind,
        &["bob"],
        &[
            (
                0,
                "alice INVITE sdp +Session-Expires: 180",
                &["alice 100", "bob INVITE"],
            ),
            (
                10,
                "bob 200 sdp",
                &[
                    "bob ACK",
                    "alice 200 +Session-Expires: 180;refresher=uas -Require",
                ],
            ),
            (20, "alice ACK", &[]),
            (90_010, "", &["alice INVITE +ANSWER"]),
        ],
    );
    let mut w = run(
        kind,
        &["bob"],
        &[
            (
                0,
                "alice INVITE sdp +Session-Expires: 30",
                &["alice 100", "bob INVITE"],
            ),
            (10, "bob 200 sdp", &["bob ACK", "alice 200 -Session-Expires"]),
            (20, "alice ACK", &[]),
        ],
    );
    w.at(3_600_000, "alice BYE", &["alice 200", "bob BYE"], &[]);
}

/// The answer to a refresh is no reason to stop repeating a 2xx.
fn a_refresh_and_an_offer_cross(kind: Kind) {
    for (answered, status) in [
        ("bob 200 UPDATE +Session-Expires: 180;refresher=uac", "200"),
        ("bob 491 UPDATE", "491"),
    ] {
        let mut w = run(
            kind,
            &["bob"],
            &[
                (0, "alice INVITE sdp", &["alice 100", "bob INVITE"]),
                (
                    10,
                    "bob 200 sdp +Session-Expires: 180;refresher=uac +Allow: UPDATE",
                    &["bob ACK", "alice 200"],
                ),
                (20, "alice ACK", &[]),
                (90_010, "", &["bob UPDATE"]),
                (90_020, "bob INVITE other +Supported: timer", &["alice INVITE"]),
                (90_030, "alice 200 sdp", &["alice ACK", "bob 200"]),
                (90_040, answered, &[]),
                // It was lost.
                (90_530, "", &["bob 200"]),
                (90_540, "bob ACK", &[]),
                (90_600, "alice BYE", &["alice 200", "bob BYE"]),
                (90_610, "bob 200 BYE", &[]),
            ],
        );
        assert_eq!(w.b.ends(), [End::HungUp(Side::Caller)], "{status}");
        w.b.nothing_left();
    }
}

/// What is refused changes nothing of the session either (RFC 4028 §7.4).
fn a_refused_offer_asks_for_another_session(kind: Kind) {
    for method in ["INVITE", "UPDATE"] {
        let mut w = run(
            kind,
            &["bob"],
            &[
                (
                    0,
                    "alice INVITE sdp +Supported: timer +Session-Expires: 180;refresher=uas +Allow: UPDATE",
                    &["alice 100", "bob INVITE"],
                ),
                (
                    10,
                    "bob 200 sdp",
                    &["bob ACK", "alice 200 +Session-Expires: 180;refresher=uas"],
                ),
                (20, "alice ACK", &[]),
            ],
        );
        let asks = [
            "alice INVITE other +Supported: timer +Session-Expires: 180;refresher=uac",
            "alice UPDATE other +Supported: timer +Session-Expires: 180;refresher=uac",
        ];
        let asks = asks.into_iter().find(|asks| asks.contains(method)).unwrap();
        w.at(1_000, asks, &["bob INVITE"], &[]);
        w.at(1_010, "bob 488", &["bob ACK", "alice 488"], &[]);
        if method == "INVITE" {
            w.at(1_020, "alice ACK", &[], &[]);
        }
        w.at(
            90_010,
            "",
            &["alice UPDATE +Session-Expires: 180;refresher=uac"],
            &[],
        );
        w.b.calls.release(w.b.now, w.call.unwrap(), None);
        w.b.nothing_left();
    }
}

/// Bob's session is refreshed by the box, with a re-INVITE.
const REFRESHED: [Row; 4] = [
    (0, "alice INVITE sdp", &["alice 100", "bob INVITE +OFFER"]),
    (
        10,
        "bob 200 sdp +Session-Expires: 180;refresher=uac",
        &["bob ACK", "alice 200"],
    ),
    (20, "alice ACK", &[]),
    (90_010, "", &["bob INVITE +OFFER"]),
];
const CHANGED: &str = "bob 200 other +Session-Expires: 180;refresher=uac";

/// The other side is offered it, and he what she changes in turn.
fn a_refresh_whose_answer_brings_a_change(kind: Kind) {
    let mut w = run(kind, &["bob"], &REFRESHED);
    w.at(
        90_020,
        CHANGED,
        &[
            "bob ACK -application/sdp",
            "alice INVITE +ANSWERa=sendonly +CSeq: 1 INVITE",
        ],
        &[],
    );
    w.at(
        90_030,
        "alice 200 other",
        &["alice ACK -application/sdp", "bob INVITE +OFFERa=sendonly"],
        &[],
    );
    w.at(90_040, CHANGED, &["bob ACK"], &[]);
    w.at(180_040, "", &["bob INVITE +OFFERa=sendonly"], &[]);
    w.at(180_050, CHANGED, &["bob ACK"], &[]);
    w.at(180_060, "alice BYE", &["alice 200", "bob BYE"], &[]);
    w.at(180_070, "bob 200 BYE", &[], &[]);
    w.b.nothing_left();
}

/// Two who never say the same twice: there is an end to it, until the next refresh.
fn changes_without_end(kind: Kind) {
    let mut w = run(kind, &["bob"], &REFRESHED[..3]);
    let session = "Session-Expires: 180;refresher=uac\r\n";
    w.b.wait(90_000);
    let mut said = Vec::new();
    while let Some(asked) = w.b.seen.pop_front() {
        let new = format!("{ANSWER}a=label:{}\r\n", said.len());
        let text = answer(&asked, 200, "bob", &new);
        let text = text.replacen("Content-Length", &format!("{session}Content-Length"), 1);
        w.b.rx(asked.flow, &text);
        w.b.expect(asked.flow, "ACK");
        said.push(super::name_of(asked.flow));
        assert!(said.len() < 20, "{said:?}");
    }
    assert_eq!(said, ["bob", "alice", "bob", "alice", "bob", "alice"]);
    w.b.wait(30_000);
    w.b.quiet();
    w.b.calls.release(w.b.now, w.call.unwrap(), None);
    w.b.nothing_left();
}

/// She is about to change something herself: afterwards. Or she does not want it, and once is enough.
fn a_change_that_has_to_wait(kind: Kind) {
    for status in [491, 488] {
        let mut w = run(kind, &["bob"], &REFRESHED);
        w.at(90_020, CHANGED, &["bob ACK", "alice INVITE +sendonly"], &[]);
        let refused = ["alice 491", "alice 488"][usize::from(status == 488)];
        w.at(90_030, refused, &["alice ACK"], &[]);
        if status == 491 {
            while w.b.seen.is_empty() {
                w.b.wait(10);
            }
            let again = w.b.expect(ALICE, "INVITE");
            assert_eq!(again.body(), format!("{ANSWER}a=sendonly\r\n"));
            w.b.rx(ALICE, &answer(&again, 200, "alice", OFFER));
            w.b.expect(ALICE, "ACK");
        }
        w.b.wait(60_000);
        w.b.quiet();
        w.b.calls.release(w.b.now, w.call.unwrap(), None);
        w.b.nothing_left();
    }
}

/// He is offered it again as he wants. Who wants longer and longer says nothing by it to her, whose session is another one: a 422
/// to her would have to say what is wanted of her (RFC 4028 §6).
fn an_offer_to_who_wants_longer(kind: Kind) {
    let talking = |features| {
        let mut w = run(kind, &["bob"], &REFRESHED[..1]);
        w.at(10, features, &["bob ACK", "alice 200"], &[]);
        w.at(20, "alice ACK", &[], &[]);
        w
    };
    let end = |mut w: World| {
        w.b.calls.release(w.b.now, w.call.unwrap(), None);
        w.b.nothing_left();
    };
    let mut w = talking("bob 200 sdp +Session-Expires: 180;refresher=uac");
    let rows: [Row; 4] = [
        (
            1_000,
            "alice INVITE other",
            &["bob INVITE +sendonly +Session-Expires: 180"],
        ),
        (
            1_010,
            "bob 422 +Min-SE: 240",
            &[
                "bob ACK",
                "bob INVITE +sendonly +Session-Expires: 240 +Min-SE: 240",
            ],
        ),
        (1_020, "bob 422 +Min-SE: 240", &["bob ACK", "alice 500"]),
        (1_030, "alice ACK", &[]),
    ];
    rows.iter()
        .for_each(|(at, input, outputs)| w.at(*at, input, outputs, &[]));
    end(w);
    let mut w = talking("bob 200 sdp +Session-Expires: 180;refresher=uac +Allow: UPDATE");
    let rows: [Row; 3] = [
        (
            1_000,
            "alice UPDATE other",
            &["bob UPDATE +sendonly +Session-Expires: 180"],
        ),
        (
            1_010,
            "bob 422 UPDATE +Min-SE: 240",
            &["bob UPDATE +sendonly +Session-Expires: 240 +Min-SE: 240"],
        ),
        (1_020, "bob 422 UPDATE +Min-SE: 240", &["alice 500"]),
    ];
    rows.iter()
        .for_each(|(at, input, outputs)| w.at(*at, input, outputs, &[]));
    end(w);
}
