//! What a server transaction does; and transport errors on both sides.

use super::*;

#[test]
fn invite_server_says_100_for_a_slow_owner() {
    check(
        "slow",
        Udp,
        &[
            (0, Hear("INVITE")),
            (100, Hear("INVITE")),
            (500, Hear("INVITE")),
            (1_000, Say(180)),
            (1_500, Hear("INVITE")),
            (2_000, Say(200)),
            (2_500, Hear("INVITE")),
            (2_600, Hear("ACK")),
            (3_000, Say(200)),
            (3_100, Say(486)),
            (34_000, Wait),
        ],
        &[
            "0 new",
            "100 again 0",
            "200 response 100",
            "500 again 100",
            "1000 response 180",
            "1500 again 180",
            "2000 response 200",
            "2500 Absorbed",
            "2600 Ack",
            "3000 response 200",
            "3100 Finished",
            "34000 gone 6",
        ],
    );
}

#[test]
fn invite_server_repeats_its_refusal_until_the_ack() {
    check(
        "ack",
        Udp,
        &[
            (0, Hear("INVITE")),
            (100, Say(486)),
            (4_000, Hear("INVITE")),
            (8_500, Say(486)),
            (9_000, Hear("ACK")),
            (9_100, Hear("ACK")),
            (9_200, Hear("INVITE")),
            (14_000, Wait),
        ],
        &[
            "0 new",
            "100 response 486",
            "600 response 486",
            "1600 response 486",
            "3600 response 486",
            "4000 again 486",
            "7600 response 486",
            "8500 Finished",
            "9000 AckAbsorbed { user: 6 }",
            "9100 Absorbed",
            "9200 Absorbed",
            "14000 gone 6",
        ],
    );
    check(
        "no ack",
        Udp,
        &[(0, Hear("INVITE")), (0, Say(486)), (32_000, Wait)],
        &[
            "0 new",
            "0 response 486",
            "500 response 486",
            "1500 response 486",
            "3500 response 486",
            "7500 response 486",
            "11500 response 486",
            "15500 response 486",
            "19500 response 486",
            "23500 response 486",
            "27500 response 486",
            "31500 response 486",
            "32000 timed out",
            "32000 gone 6",
        ],
    );
    check(
        "ack",
        Tcp,
        &[(0, Hear("INVITE")), (0, Say(486)), (5_000, Hear("ACK"))],
        &[
            "0 new",
            "0 response 486",
            "5000 AckAbsorbed { user: 6 }",
            "5000 gone 6",
        ],
    );
    check(
        "no ack",
        Tcp,
        &[(0, Hear("INVITE")), (0, Say(486)), (32_000, Wait)],
        &["0 new", "0 response 486", "32000 timed out", "32000 gone 6"],
    );
}

#[test]
fn other_server_answers_repetitions_until_timer_j() {
    check(
        "bye",
        Udp,
        &[
            (0, Hear("BYE")),
            (100, Hear("BYE")),
            (200, Say(100)),
            (300, Say(180)),
            (400, Say(408)),
            (450, Say(99)),
            (460, Say(700)),
            (500, Say(200)),
            (600, Hear("BYE")),
            (700, Say(200)),
            (32_500, Wait),
        ],
        &[
            "0 new",
            "100 again 0",
            "200 NotAllowed",
            "300 NotAllowed",
            "400 NotAllowed",
            "450 NotAllowed",
            "460 NotAllowed",
            "500 response 200",
            "600 again 200",
            "700 Finished",
            "32500 gone 6",
        ],
    );
    check(
        "bye",
        Tcp,
        &[
            (0, Hear("BYE")),
            (100, Say(100)),
            (200, Hear("BYE")),
            (300, Say(200)),
            (400, Say(200)),
            // By another connection.
            (5_000, Hear("BYE")),
            (32_300, Wait),
        ],
        &[
            "0 new",
            "100 response 100",
            "200 again 100",
            "300 response 200",
            "400 Finished",
            "5000 again 200",
            "32300 gone 6",
        ],
    );
    check(
        "forgotten by its owner",
        Udp,
        &[(0, Hear("BYE")), (32_000, Wait)],
        &["0 new", "32000 timed out", "32000 gone 6"],
    );
}

#[test]
fn cancel_finds_its_invite() {
    check(
        "ringing",
        Tcp,
        &[
            (0, Hear("INVITE")),
            (10, Say(180)),
            (20, Hear("CANCEL")),
            (21, SayToSecond(200)),
            (22, Say(487)),
            (30, Hear("ACK")),
            (32_021, Wait),
        ],
        &[
            "0 new",
            "10 response 180",
            "20 cancels Some(6)",
            "21 response 200",
            "22 response 487",
            "30 AckAbsorbed { user: 6 }",
            "30 gone 6",
            "32021 gone 7",
        ],
    );
    check(
        "nothing to cancel",
        Udp,
        &[
            (0, Hear("CANCEL")),
            (1, Say(481)),
            (500, Hear("CANCEL")),
            (32_001, Wait),
        ],
        &[
            "0 cancels None",
            "1 response 481",
            "500 again 481",
            "32001 gone 7",
        ],
    );
    check("nobody's", Udp, &[(0, Hear("ACK"))], &["0 Ack"]);
}

#[test]
fn transport_errors() {
    for (name, script, expected) in [
        (
            "invite",
            &[(0, Invite), (5, Fail)][..],
            &["0 request", "5 unreachable", "5 gone 5"][..],
        ),
        (
            "options",
            &[(0, Options), (5, Fail)],
            &["0 request", "5 unreachable", "5 gone 5"],
        ),
        (
            "held cancel goes with it",
            &[(0, Invite), (1, Cancel), (5, Fail)],
            &["0 request", "5 unreachable", "5 gone 5"],
        ),
        (
            "bye",
            &[(0, Hear("BYE")), (5, Fail)],
            &["0 new", "5 unreachable", "5 gone 6"],
        ),
        (
            "a ringing call may be answered by another flow",
            &[
                (0, Hear("INVITE")),
                (5, Say(180)),
                (6, Fail),
                (7, Say(486)),
                (8, Fail),
            ],
            &[
                "0 new",
                "5 response 180",
                "6 unreachable",
                "7 response 486",
                "8 unreachable",
                "8 gone 6",
            ],
        ),
        (
            "after the answer it does not matter",
            &[(0, Invite), (5, Get(200, "INVITE")), (6, Fail), (32_005, Wait)],
            &["0 request", "5 up 200", "32005 gone 5"],
        ),
    ] {
        check(name, Udp, script, expected);
    }
}
