//! Each case: what happens when, and all that has to follow when, to the millisecond (RFC 3261 Table 4).

use super::*;
use Do::*;
use Transport::{Tcp, Udp};

#[derive(Clone, Copy)]
enum Do {
    /// Our INVITE.
    Invite,
    /// Our request of another method.
    Options,
    /// Our CANCEL for our INVITE.
    Cancel,
    /// A response to our request of this method.
    Get(u16, &'static str),
    /// A request of this method.
    Hear(&'static str),
    /// Our answer to the first request heard.
    Say(u16),
    /// Our answer to the second request heard.
    SayToSecond(u16),
    /// The transport fails the first transaction.
    Fail,
    /// Nothing; time passes.
    Wait,
}

fn refused(result: Result<(), Refused>) -> String {
    result.map_or_else(|why| format!("{why:?}"), |()| String::new())
}

/// Plays a script and gives what followed, a line each.
fn play(table: &mut Transactions<'_>, transport: Transport, script: &[(u64, Do)]) -> Vec<String> {
    let flow = flow(transport);
    let mut log = Vec::new();
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for &(at, action) in script {
        while let Some(due) = table
            .next_deadline()
            .filter(|due| due.as_millis() < at || (due.as_millis() == at && matches!(action, Wait)))
        {
            due_by(table, due, &mut log);
        }
        let now = ms(at);
        let heard = match action {
            Invite | Options => {
                let kind = if matches!(action, Invite) {
                    ClientKind::Invite
                } else {
                    ClientKind::NonInvite
                };
                ours.push(table.client(now, kind, flow, 5, Priority::Normal).unwrap());
                String::new()
            }
            Cancel => refused(table.cancel(now, ours[0]).map(|_| ())),
            Get(status, method) => {
                let branch = match table.branch(ours[0]) {
                    Some(branch) => format!("{branch}"),
                    None => String::from("z9hG4bK0000000000000000"),
                };
                match receive(table, now, flow, &response(status, method, &branch)) {
                    Received::Response { tx, user: 5, status } if tx == ours[0] => format!("up {status}"),
                    other => format!("{other:?}"),
                }
            }
            Hear(method) => match receive(table, now, flow, &request(method, "h;branch=z9hG4bK1")) {
                Received::Request { tx } => {
                    table.set_user(tx, 6);
                    theirs.push(tx);
                    String::from("new")
                }
                Received::Cancel { tx, invite } => {
                    table.set_user(tx, 7);
                    theirs.push(tx);
                    format!("cancels {:?}", invite.map(|(_, user)| user))
                }
                Received::Retransmission { status, .. } => format!("again {status}"),
                other => format!("{other:?}"),
            },
            Say(status) => refused(table.respond(now, theirs[0], status)),
            SayToSecond(status) => refused(table.respond(now, theirs[1], status)),
            Fail => {
                table.transport_error(now, *ours.first().or(theirs.first()).unwrap());
                String::new()
            }
            Wait => String::new(),
        };
        if !heard.is_empty() {
            log.push(format!("{at} {heard}"));
        }
        due_by(table, now, &mut log);
        table.assert_sound();
    }
    assert!(table.is_empty(), "left over after {log:?}");
    log
}

fn due_by(table: &mut Transactions<'_>, now: Instant, log: &mut Vec<String>) {
    for due in drain(table, now) {
        let text = match due {
            Due::SendRequest { .. } => String::from("request"),
            Due::SendCancel { .. } => String::from("cancel"),
            Due::SendAck { status, .. } => format!("ack {status}"),
            Due::SendResponse { status, .. } => format!("response {status}"),
            Due::TimedOut { .. } => String::from("timed out"),
            Due::Unreachable { .. } => String::from("unreachable"),
            Due::Gone { user, .. } => format!("gone {user}"),
        };
        log.push(format!("{} {text}", now.as_millis()));
    }
}

#[track_caller]
fn check(name: &str, transport: Transport, script: &[(u64, Do)], expected: &[&str]) {
    on_both(4, |table| {
        let log = play(table, transport, script);
        assert_eq!(log, expected, "{name} over {transport}");
    });
}

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
        ],
        &[
            "0 new",
            "100 response 100",
            "200 again 100",
            "300 response 200",
            "300 gone 6",
            "400 NoSuch",
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
        ],
        &[
            "0 new",
            "10 response 180",
            "20 cancels Some(6)",
            "21 response 200",
            "21 gone 7",
            "22 response 487",
            "30 AckAbsorbed { user: 6 }",
            "30 gone 6",
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
