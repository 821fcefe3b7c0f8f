//! What a client transaction does.

use super::*;

#[test]
fn invite_client_retransmits_until_timer_b() {
    let sent = [
        "0 request",
        "500 request",
        "1500 request",
        "3500 request",
        "7500 request",
        "15500 request",
        "31500 request",
    ];
    let end = ["32000 timed out", "32000 gone 5"];
    check(
        "no answer",
        Udp,
        &[(0, Invite), (32_000, Wait)],
        &[&sent[..], &end].concat(),
    );
    check(
        "no answer",
        Tcp,
        &[(0, Invite), (32_000, Wait)],
        &[&sent[..1], &end].concat(),
    );
}

#[test]
fn invite_client_waits_for_ever_once_it_rings() {
    check(
        "rings an hour",
        Udp,
        &[
            (0, Invite),
            (600, Get(100, "INVITE")),
            (700, Get(180, "INVITE")),
            (3_600_000, Get(486, "INVITE")),
            (3_600_900, Get(486, "INVITE")),
            (3_601_000, Get(180, "INVITE")),
            (3_601_100, Get(200, "INVITE")),
            (3_632_000, Wait),
        ],
        &[
            "0 request",
            "500 request",
            "600 up 100",
            "700 up 180",
            "3600000 up 486",
            "3600000 ack 486",
            "3600900 Absorbed",
            "3600900 ack 486",
            "3601000 Absorbed",
            "3601100 Absorbed",
            "3632000 gone 5",
        ],
    );
    check(
        "refused",
        Tcp,
        &[(0, Invite), (10, Get(603, "INVITE")), (20, Get(603, "INVITE"))],
        &[
            "0 request",
            "10 up 603",
            "10 ack 603",
            "10 gone 5",
            "20 StrayResponse",
        ],
    );
}

/// RFC 6026: every 2xx goes up until timer M, on reliable transports too.
#[test]
fn invite_client_passes_every_success() {
    for transport in [Udp, Tcp] {
        check(
            "answered",
            transport,
            &[
                (0, Invite),
                (10, Get(200, "INVITE")),
                (510, Get(200, "INVITE")),
                (600, Get(486, "INVITE")),
                (32_009, Get(202, "INVITE")),
                (32_010, Wait),
                (32_020, Get(200, "INVITE")),
            ],
            &[
                "0 request",
                "10 up 200",
                "510 up 200",
                "600 Absorbed",
                "32009 up 202",
                "32010 gone 5",
                "32020 StrayResponse",
            ],
        );
    }
}

#[test]
fn cancel_leaves_with_the_first_provisional() {
    check(
        "held, let go, 487",
        Udp,
        &[
            (0, Invite),
            (100, Cancel),
            (150, Cancel),
            (300, Get(180, "INVITE")),
            (310, Get(200, "CANCEL")),
            (320, Get(487, "INVITE")),
            (330, Get(200, "CANCEL")),
            (32_320, Wait),
        ],
        &[
            "0 request",
            "300 up 180",
            "300 cancel",
            "310 CancelAnswered { user: 5, status: 200 }",
            "320 up 487",
            "320 ack 487",
            "330 Absorbed",
            "32320 gone 5",
        ],
    );
    check(
        "final before any provisional",
        Udp,
        &[
            (0, Invite),
            (100, Cancel),
            (300, Get(486, "INVITE")),
            (310, Get(200, "CANCEL")),
            (32_300, Wait),
        ],
        &[
            "0 request",
            "300 up 486",
            "300 ack 486",
            "310 StrayResponse",
            "32300 gone 5",
        ],
    );
    check(
        "never an answer",
        Tcp,
        &[(0, Invite), (100, Cancel), (32_000, Wait)],
        &["0 request", "32000 timed out", "32000 gone 5"],
    );
}

/// The 200 and the CANCEL cross: the owner gets both and hangs up (RFC 3261 §9.1).
#[test]
fn cancel_crosses_the_answer() {
    check(
        "race",
        Udp,
        &[
            (0, Invite),
            (100, Get(180, "INVITE")),
            (200, Cancel),
            (210, Get(200, "INVITE")),
            (220, Get(481, "CANCEL")),
            (230, Cancel),
            (32_210, Wait),
        ],
        &[
            "0 request",
            "100 up 180",
            "200 cancel",
            "210 up 200",
            "220 CancelAnswered { user: 5, status: 481 }",
            "230 Finished",
            "32210 gone 5",
        ],
    );
}

#[test]
fn cancelled_invite_does_not_wait_for_ever() {
    check(
        "no 487",
        Udp,
        &[
            (0, Invite),
            (100, Get(180, "INVITE")),
            (200, Cancel),
            (250, Get(200, "CANCEL")),
            (20_000, Get(180, "INVITE")),
            (32_200, Wait),
        ],
        &[
            "0 request",
            "100 up 180",
            "200 cancel",
            "250 CancelAnswered { user: 5, status: 200 }",
            "20000 up 180",
            "32200 timed out",
            "32200 gone 5",
        ],
    );
    check(
        "nobody there any more",
        Udp,
        &[
            (0, Invite),
            (100, Get(180, "INVITE")),
            (200, Cancel),
            (5_000, Get(100, "CANCEL")),
            (32_200, Wait),
        ],
        &[
            "0 request",
            "100 up 180",
            "200 cancel",
            "700 cancel",
            "1700 cancel",
            "3700 cancel",
            "5000 Absorbed",
            "7700 cancel",
            "11700 cancel",
            "15700 cancel",
            "19700 cancel",
            "23700 cancel",
            "27700 cancel",
            "31700 cancel",
            "32200 timed out",
            "32200 gone 5",
        ],
    );
}

#[test]
fn other_client_retransmits_until_timer_f() {
    let sent = [
        "0 request",
        "500 request",
        "1500 request",
        "3500 request",
        "7500 request",
        "11500 request",
        "15500 request",
        "19500 request",
        "23500 request",
        "27500 request",
        "31500 request",
    ];
    let end = ["32000 timed out", "32000 gone 5"];
    check(
        "no answer",
        Udp,
        &[(0, Options), (32_000, Wait)],
        &[&sent[..], &end].concat(),
    );
    check(
        "no answer",
        Tcp,
        &[(0, Options), (32_000, Wait)],
        &[&sent[..1], &end].concat(),
    );
    check(
        "provisional",
        Udp,
        &[
            (0, Options),
            (600, Get(100, "OPTIONS")),
            (6_000, Get(200, "OPTIONS")),
            (6_100, Get(200, "OPTIONS")),
            (11_000, Wait),
        ],
        &[
            "0 request",
            "500 request",
            "600 up 100",
            "1500 request",
            "5500 request",
            "6000 up 200",
            "6100 Absorbed",
            "11000 gone 5",
        ],
    );
    check(
        "answered",
        Tcp,
        &[(0, Options), (6, Get(200, "OPTIONS")), (7, Get(200, "OPTIONS"))],
        &["0 request", "6 up 200", "6 gone 5", "7 StrayResponse"],
    );
}

/// The CSeq method decides too: an answer to something else is nobody's.
#[test]
fn answers_to_another_method_are_stray() {
    check(
        "method",
        Tcp,
        &[
            (0, Options),
            (5, Get(200, "INVITE")),
            (6, Get(200, "CANCEL")),
            (7, Get(200, "OPTIONS")),
        ],
        &[
            "0 request",
            "5 StrayResponse",
            "6 StrayResponse",
            "7 up 200",
            "7 gone 5",
        ],
    );
}
