//! From the INVITE to the answer or its refusal.

use super::*;

suite! {
    basic_call
    early_media_of_one_branch_only
    answer_without_description_after_early_media
    fork_first_answer_wins
    late_answer_gets_ack_and_bye
    answer_crosses_cancel
    cancelled_by_caller
    cancel_waits_for_the_first_provisional_answer
    completed_elsewhere_beyond_us
    cancelled_branch_that_answers_is_too_late
    all_branches_fail
    refusal_is_repeated_until_acknowledged
    announcement
    delayed_offer
    second_dialog_of_one_invite
    answer_that_makes_no_dialog
    deadline
    retransmitted_invite
    asked_for_too_much
}

fn basic_call(kind: Kind) {
    let mut b = Bench::new(kind);
    let alice = Caller::new(ALICE, "c1");
    let key = b.call(&alice, OFFER, &[BOB]);
    let trying = b.expect(ALICE, "100");
    assert_eq!(
        trying.header("Via"),
        "SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bKc11;received=192.0.2.10;rport=5060"
    );
    let invite = b.expect(BOB, "INVITE");
    assert_eq!(invite.uri(), "sip:target@192.0.2.20:5060");
    let from = invite.header("From");
    assert!(from.starts_with("\"Alice\" <sip:alice@pbx>;tag="), "{from}");
    assert_eq!(invite.header("To"), "<sip:target@pbx>");
    assert_eq!(invite.header("Contact"), "<sip:192.0.2.1:5060>");
    assert_eq!(invite.header("CSeq"), "1 INVITE");
    assert_eq!(invite.header("Max-Forwards"), "69");
    assert_eq!(invite.header("Session-ID"), "0123456789abcdef0123456789abcdef");
    assert_eq!(invite.header("X-Extra"), "1");
    assert_eq!(invite.body(), OFFER);
    assert_ne!(invite.header("Call-ID"), "c1");
    b.quiet();

    b.rx(BOB, &answer(&invite, 100, "bob", ""));
    b.quiet();
    b.rx(BOB, &answer(&invite, 180, "bob", ""));
    let ringing = b.expect(ALICE, "180");
    let tag = ringing.tag("To").to_string();
    assert!(!tag.is_empty() && ringing.body().is_empty());
    assert!(matches!(
        b.told()[..],
        [
            Event::Progress { status: 100, .. },
            Event::Progress { status: 180, .. }
        ]
    ));

    b.rx(BOB, &answer(&invite, 200, "bob", ANSWER));
    let ack = b.expect(BOB, "ACK");
    assert_eq!(
        (ack.uri(), ack.tag("To"), ack.header("CSeq")),
        ("sip:bob@192.0.2.20:5060", "bob", "1 ACK")
    );
    assert_ne!(
        ack.branch(),
        invite.branch(),
        "the ACK to a 2xx is a transaction of its own"
    );
    let ok = b.expect(ALICE, "200");
    assert_eq!((ok.tag("To"), ok.body()), (tag.as_str(), ANSWER));
    assert_eq!(ok.header("Contact"), "<sip:192.0.2.1:5060>");
    assert!(matches!(b.told()[..], [Event::Answered { call, .. }] if call == key));
    let alice = Caller { to_tag: tag, ..alice };
    b.rx(ALICE, &alice.request("ACK", "ack", ""));
    b.quiet();
    assert_eq!(
        b.calls
            .iter()
            .map(|(key, meta, talking)| (key, *meta, talking))
            .collect::<Vec<_>>(),
        [(key, 42, true)]
    );

    let alice = Caller { cseq: 2, ..alice };
    b.rx(ALICE, &alice.request("BYE", "bye", ""));
    b.expect(ALICE, "200");
    let bye = b.expect(BOB, "BYE");
    assert_eq!(
        (bye.tag("To"), bye.header("CSeq"), bye.header("Call-ID")),
        ("bob", "2 BYE", invite.header("Call-ID"))
    );
    b.rx(BOB, &answer(&bye, 200, "bob", ""));
    assert_eq!(
        b.told(),
        [Event::Ended {
            call: key,
            end: End::HungUp(Side::Caller)
        }]
    );
    assert_eq!(b.calls.iter().count(), 0);
    b.nothing_left();
}

fn early_media_of_one_branch_only(kind: Kind) {
    let mut b = Bench::new(kind);
    b.call(&Caller::new(ALICE, "c1"), OFFER, &[BOB]);
    b.expect(ALICE, "100");
    let invite = b.expect(BOB, "INVITE");
    b.rx(BOB, &answer(&invite, 183, "bob", ANSWER));
    assert_eq!(b.expect(ALICE, "183").body(), ANSWER);

    // Two phones ring: whose media would it be?
    b.call(&Caller::new(ALICE, "c2"), OFFER, &[BOB, CAROL]);
    b.expect(ALICE, "100");
    let invite = b.expect(BOB, "INVITE");
    b.expect(CAROL, "INVITE");
    b.rx(BOB, &answer(&invite, 183, "bob", ANSWER));
    assert_eq!(b.expect(ALICE, "180").body(), "");
    b.quiet();
}

fn answer_without_description_after_early_media(kind: Kind) {
    let mut b = Bench::new(kind);
    b.call(&Caller::new(ALICE, "c1"), OFFER, &[BOB]);
    b.expect(ALICE, "100");
    let invite = b.expect(BOB, "INVITE");
    b.rx(BOB, &answer(&invite, 183, "bob", ANSWER));
    b.expect(ALICE, "183");
    b.rx(BOB, &answer(&invite, 200, "bob", ""));
    b.expect(BOB, "ACK");
    assert_eq!(b.expect(ALICE, "200").body(), ANSWER);

    // Without one in either, there is no session.
    b.call(&Caller::new(ALICE, "c2"), OFFER, &[CAROL]);
    b.expect(ALICE, "100");
    let invite = b.expect(CAROL, "INVITE");
    b.told();
    b.rx(CAROL, &answer(&invite, 200, "carol", ""));
    b.expect(CAROL, "ACK");
    b.expect(CAROL, "BYE");
    b.quiet();
    assert!(matches!(
        b.told()[..],
        [
            Event::Failed { status: 488, .. },
            Event::Exhausted { status: 488, .. }
        ]
    ));
}

fn fork_first_answer_wins(kind: Kind) {
    let mut b = Bench::new(kind);
    let alice = Caller::new(ALICE, "c1");
    b.call(&alice, OFFER, &[BOB, CAROL, DAVE]);
    b.expect(ALICE, "100");
    let invites = [BOB, CAROL, DAVE].map(|flow| b.expect(flow, "INVITE"));
    assert_ne!(
        invites[0].header("Call-ID"),
        invites[1].header("Call-ID"),
        "each branch is a dialog of its own"
    );
    for invite in &invites {
        b.rx(invite.flow, &answer(invite, 180, "x", ""));
    }
    b.expect(ALICE, "180");
    b.quiet();
    b.told();
    b.rx(CAROL, &answer(&invites[1], 200, "carol", ANSWER));
    b.expect(CAROL, "ACK");
    let ok = b.expect(ALICE, "200");
    for (place, flow) in [(0, BOB), (2, DAVE)] {
        let cancel = b.expect(flow, "CANCEL");
        let invite = &invites[place];
        assert_eq!(
            cancel.header("Reason"),
            "SIP;cause=200;text=\"Call completed elsewhere\""
        );
        // RFC 3261 §9.1: these are the INVITE's.
        for name in ["Call-ID", "From", "To", "Via"] {
            assert_eq!(cancel.header(name), invite.header(name));
        }
        assert_eq!((cancel.uri(), cancel.header("CSeq")), (invite.uri(), "1 CANCEL"));
        b.rx(flow, &answer(&cancel, 200, "x", ""));
        b.rx(flow, &answer(invite, 487, "x", ""));
        let ack = b.expect(flow, "ACK");
        assert_eq!((ack.branch(), ack.tag("To")), (invite.branch(), "x"));
    }
    b.quiet();
    assert!(matches!(b.told()[..], [Event::Answered { leg, .. }] if b.calls.leg_user(leg) == Some(1)));
    let alice = Caller {
        to_tag: ok.tag("To").into(),
        ..alice
    };
    b.rx(ALICE, &alice.request("ACK", "ack", ""));
    b.rx(CAROL, &from_callee(&invites[1], "carol", "BYE", 1, ""));
    b.expect(CAROL, "200");
    let bye = b.expect(ALICE, "BYE");
    b.rx(ALICE, &answer(&bye, 200, "", ""));
    b.quiet();
    assert_eq!(b.ends(), [End::HungUp(Side::Callee)]);
    b.nothing_left();
}

fn late_answer_gets_ack_and_bye(kind: Kind) {
    let mut b = Bench::new(kind);
    b.call(&Caller::new(ALICE, "c1"), OFFER, &[BOB, CAROL]);
    b.expect(ALICE, "100");
    let (bob, carol) = (b.expect(BOB, "INVITE"), b.expect(CAROL, "INVITE"));
    b.rx(BOB, &answer(&bob, 180, "bob", ""));
    b.expect(ALICE, "180");
    b.rx(CAROL, &answer(&carol, 200, "carol", ANSWER));
    b.expect(CAROL, "ACK");
    b.expect(ALICE, "200");
    b.expect(BOB, "CANCEL");
    // Bob had answered before the CANCEL reached him.
    b.rx(BOB, &answer(&bob, 200, "bob", ANSWER));
    b.expect(BOB, "ACK");
    let bye = b.expect(BOB, "BYE");
    assert_eq!(
        bye.header("Reason"),
        "SIP;cause=200;text=\"Call completed elsewhere\""
    );
    // His 200 comes again: so does the ACK, and no second BYE.
    b.rx(BOB, &answer(&bob, 200, "bob", ANSWER));
    b.expect(BOB, "ACK");
    b.rx(BOB, &answer(&bye, 200, "bob", ""));
    b.quiet();
    assert_eq!(b.calls.counters().late_answers, 1);
    assert_eq!(b.calls.iter().count(), 1, "the call goes on");
    assert!(b.ends().is_empty());
}

fn answer_crosses_cancel(kind: Kind) {
    let mut b = Bench::new(kind);
    let alice = Caller::new(ALICE, "c1");
    let key = b.call(&alice, OFFER, &[BOB]);
    b.expect(ALICE, "100");
    let invite = b.expect(BOB, "INVITE");
    b.rx(BOB, &answer(&invite, 180, "bob", ""));
    b.expect(ALICE, "180");
    b.rx(ALICE, &alice.request("CANCEL", "1", ""));
    b.expect(ALICE, "200");
    assert_eq!(b.expect(ALICE, "487").header("CSeq"), "1 INVITE");
    b.expect(BOB, "CANCEL");
    b.rx(BOB, &answer(&invite, 200, "bob", ANSWER));
    b.expect(BOB, "ACK");
    let bye = b.expect(BOB, "BYE");
    b.rx(BOB, &answer(&bye, 200, "bob", ""));
    b.rx(ALICE, &alice.request("ACK", "1", ""));
    b.quiet();
    assert!(b.told().ends_with(&[Event::Ended {
        call: key,
        end: End::Cancelled
    }]));
    b.nothing_left();
}

fn cancelled_by_caller(kind: Kind) {
    let mut b = Bench::new(kind);
    let alice = Caller::new(ALICE, "c1");
    b.call(&alice, OFFER, &[BOB, CAROL]);
    b.expect(ALICE, "100");
    let invites = [BOB, CAROL].map(|flow| b.expect(flow, "INVITE"));
    for invite in &invites {
        b.rx(invite.flow, &answer(invite, 180, "x", ""));
    }
    let tag = b.expect(ALICE, "180").tag("To").to_string();
    b.rx(ALICE, &alice.request("CANCEL", "1", ""));
    b.expect(ALICE, "200");
    assert_eq!(b.expect(ALICE, "487").tag("To"), tag);
    for invite in &invites {
        let cancel = b.expect(invite.flow, "CANCEL");
        assert_eq!(
            cancel.header("Reason"),
            "SIP;cause=487;text=\"Request terminated\""
        );
        b.rx(invite.flow, &answer(&cancel, 200, "x", ""));
        b.rx(invite.flow, &answer(invite, 487, "x", ""));
        b.expect(invite.flow, "ACK");
    }
    b.rx(ALICE, &alice.request("ACK", "1", ""));
    b.quiet();
    assert_eq!(b.ends(), [End::Cancelled]);
    // The CANCEL again is answered again, and does nothing.
    b.rx(ALICE, &alice.request("CANCEL", "1", ""));
    b.expect(ALICE, "200");
    b.quiet();
    b.nothing_left();
    assert_eq!(b.ends(), []);
}

fn cancel_waits_for_the_first_provisional_answer(kind: Kind) {
    let mut b = Bench::new(kind);
    let alice = Caller::new(ALICE, "c1");
    b.call(&alice, OFFER, &[TRUNK]);
    b.expect(ALICE, "100");
    let invite = b.expect(TRUNK, "INVITE");
    b.rx(ALICE, &alice.request("CANCEL", "1", ""));
    b.expect(ALICE, "200");
    b.expect(ALICE, "487");
    b.quiet();
    b.rx(TRUNK, &answer(&invite, 100, "t", ""));
    let cancel = b.expect(TRUNK, "CANCEL");
    assert!(cancel.header("Via").starts_with("SIP/2.0/TCP "));
    b.rx(TRUNK, &answer(&cancel, 200, "t", ""));
    b.rx(TRUNK, &answer(&invite, 487, "t", ""));
    b.expect(TRUNK, "ACK");
    b.nothing_left();
}

fn completed_elsewhere_beyond_us(kind: Kind) {
    let mut b = Bench::new(kind);
    let alice = Caller::new(ALICE, "c1");
    b.call(&alice, OFFER, &[BOB]);
    b.expect(ALICE, "100");
    let invite = b.expect(BOB, "INVITE");
    b.rx(BOB, &answer(&invite, 180, "bob", ""));
    b.expect(ALICE, "180");
    let cancel = alice.request("CANCEL", "1", "").replace(
        "Content-Length",
        "Reason: SIP;cause=200;text=\"Call completed elsewhere\"\r\nContent-Length",
    );
    b.rx(ALICE, &cancel);
    let cancel = b.expect(BOB, "CANCEL");
    assert_eq!(
        cancel.header("Reason"),
        "SIP;cause=200;text=\"Call completed elsewhere\"",
        "no missed call"
    );
}

fn cancelled_branch_that_answers_is_too_late(kind: Kind) {
    let mut b = Bench::new(kind);
    let key = b.call(&Caller::new(ALICE, "c1"), OFFER, &[TRUNK, BOB]);
    b.expect(ALICE, "100");
    let (trunk, bob) = (b.expect(TRUNK, "INVITE"), b.expect(BOB, "INVITE"));
    b.rx(TRUNK, &answer(&trunk, 100, "t", ""));
    let Event::Progress { leg, .. } = b.event() else {
        panic!()
    };
    // The policy gave that way up, the call goes another one.
    let (calls, now) = (&mut b.calls, b.now);
    calls.cancel(now, leg, Some(Cause::NO_ANSWER));
    b.drain();
    b.expect(TRUNK, "CANCEL");
    b.rx(TRUNK, &answer(&trunk, 200, "t", ANSWER));
    b.expect(TRUNK, "ACK");
    b.expect(TRUNK, "BYE");
    b.quiet();
    assert_eq!(b.told(), [], "neither answered nor out of branches");
    b.rx(BOB, &answer(&bob, 200, "bob", ANSWER));
    b.expect(BOB, "ACK");
    b.expect(ALICE, "200");
    assert!(matches!(b.told()[..], [Event::Answered { call, .. }] if call == key));
}

fn all_branches_fail(kind: Kind) {
    // RFC 3261 §16.7 step 6: any 6xx, else one of the lowest class.
    let table: [([u16; 3], u16); 4] = [
        ([486, 404, 503], 486),
        ([503, 480, 500], 480),
        ([486, 603, 480], 603),
        ([500, 302, 486], 302),
    ];
    for (statuses, best) in table {
        let mut b = Bench::new(kind);
        let alice = Caller::new(ALICE, "c1");
        let key = b.call(&alice, OFFER, &[BOB, CAROL, DAVE]);
        b.expect(ALICE, "100");
        for (flow, status) in [BOB, CAROL, DAVE].into_iter().zip(statuses) {
            let invite = b.expect(flow, "INVITE");
            b.rx(flow, &answer(&invite, status, "x", ""));
            assert_eq!(b.expect(flow, "ACK").branch(), invite.branch());
        }
        b.quiet();
        let told = b.told();
        let failed: Vec<u16> = told
            .iter()
            .filter_map(|event| match event {
                Event::Failed { status, .. } => Some(*status),
                _ => None,
            })
            .collect();
        assert_eq!(failed, statuses);
        assert_eq!(
            told.last(),
            Some(&Event::Exhausted {
                call: key,
                status: best
            })
        );
        let (calls, now) = (&mut b.calls, b.now);
        calls.refuse(now, key, best, Some(Cause::NO_ANSWER));
        b.drain();
        let refused = b.expect(ALICE, &best.to_string());
        assert_eq!(refused.header("Reason"), "Q.850;cause=19;text=\"No answer\"");
        b.rx(ALICE, &alice.request("ACK", "1", ""));
        assert_eq!(
            b.told(),
            [Event::Ended {
                call: key,
                end: End::Refused(best)
            }]
        );
        b.nothing_left();
    }
}

fn refusal_is_repeated_until_acknowledged(kind: Kind) {
    let mut b = Bench::new(kind);
    let alice = Caller::new(ALICE, "c1");
    let key = b.call(&alice, OFFER, &[]);
    b.expect(ALICE, "100");
    let start = b.now.as_millis();
    let (calls, now) = (&mut b.calls, b.now);
    calls.refuse(now, key, 486, None);
    b.wait(4_000);
    let at: Vec<_> = b
        .seen
        .drain(..)
        .map(|seen| (seen.what().to_string(), seen.at - start))
        .collect();
    assert_eq!(at, [0, 500, 1_500, 3_500].map(|at| ("486".to_string(), at)));
    b.rx(ALICE, &alice.request("ACK", "1", ""));
    b.wait(10_000);
    b.quiet();
    assert_eq!(b.ends(), [End::Refused(486)]);
    b.nothing_left();
}

fn announcement(kind: Kind) {
    let mut b = Bench::new(kind);
    let alice = Caller::new(ALICE, "c1");
    let key = b.call(&alice, OFFER, &[BOB]);
    b.expect(ALICE, "100");
    let invite = b.expect(BOB, "INVITE");
    let (calls, now) = (&mut b.calls, b.now);
    calls
        .progress(now, key, 183, Some(b"v=0 ours"), Some(Cause::NO_CHANNEL))
        .unwrap();
    b.drain();
    let progress = b.expect(ALICE, "183");
    assert_eq!(progress.body(), "v=0 ours");
    assert_eq!(
        progress.header("Reason"),
        "Q.850;cause=34;text=\"No channel available\""
    );
    // What branches do is not heard any more.
    b.rx(BOB, &answer(&invite, 183, "bob", ANSWER));
    b.rx(BOB, &answer(&invite, 180, "bob", ""));
    b.quiet();
    // The INVITE again is answered with what was said last.
    b.rx(ALICE, &alice.request("INVITE", "1", OFFER));
    assert_eq!(b.expect(ALICE, "183").body(), "v=0 ours");
    b.calls.refuse(b.now, key, 503, Some(Cause::NO_CHANNEL));
    b.drain();
    assert_eq!(
        b.expect(ALICE, "503").header("Reason"),
        "Q.850;cause=34;text=\"No channel available\""
    );
    b.expect(BOB, "CANCEL");
    b.nothing_left();
}

fn delayed_offer(kind: Kind) {
    let mut b = Bench::new(kind);
    let alice = Caller::new(ALICE, "c1");
    b.call(&alice, "", &[BOB]);
    b.expect(ALICE, "100");
    let invite = b.expect(BOB, "INVITE");
    assert_eq!(invite.body(), "");
    // Bob offers in his 200; his ACK has to wait for Alice's answer.
    b.rx(BOB, &answer(&invite, 200, "bob", OFFER));
    let ok = b.expect(ALICE, "200");
    assert_eq!(ok.body(), OFFER);
    b.quiet();
    let alice = Caller {
        to_tag: ok.tag("To").into(),
        ..alice
    };
    b.rx(ALICE, &alice.request("ACK", "ack", ANSWER));
    assert_eq!(b.expect(BOB, "ACK").body(), ANSWER);
    // Bob's 200 comes again: the ACK was lost.
    b.rx(BOB, &answer(&invite, 200, "bob", OFFER));
    assert_eq!(b.expect(BOB, "ACK").body(), ANSWER);
    b.quiet();
}

fn second_dialog_of_one_invite(kind: Kind) {
    let mut b = Bench::new(kind);
    b.call(&Caller::new(ALICE, "c1"), OFFER, &[TRUNK]);
    b.expect(ALICE, "100");
    let invite = b.expect(TRUNK, "INVITE");
    b.rx(TRUNK, &answer(&invite, 200, "one", ANSWER));
    assert_eq!(b.expect(TRUNK, "ACK").tag("To"), "one");
    b.expect(ALICE, "200");
    for _ in 0..2 {
        b.rx(TRUNK, &answer(&invite, 200, "two", ANSWER));
        let ack = b.expect(TRUNK, "ACK");
        assert_eq!((ack.tag("To"), ack.uri()), ("two", "sip:two@192.0.2.50:5060"));
        b.seen.retain(|seen| {
            assert!(seen.what() != "BYE" || seen.tag("To") == "two");
            seen.what() != "BYE"
        });
    }
    b.quiet();
    assert_eq!(b.calls.iter().count(), 1);
    assert!(b.ends().is_empty());
}

fn answer_that_makes_no_dialog(kind: Kind) {
    let mut b = Bench::new(kind);
    let key = b.call(&Caller::new(ALICE, "c1"), OFFER, &[BOB]);
    b.expect(ALICE, "100");
    let invite = b.expect(BOB, "INVITE");
    b.rx(
        BOB,
        &answer(&invite, 200, "bob", ANSWER).replace("Contact: <sip:bob@192.0.2.20:5060>\r\n", ""),
    );
    b.expect(BOB, "ACK");
    b.expect(BOB, "BYE");
    b.quiet();
    assert_eq!(
        b.told().last(),
        Some(&Event::Exhausted {
            call: key,
            status: 502
        })
    );
    b.calls.refuse(b.now, key, 502, None);
    b.nothing_left();
}

fn deadline(kind: Kind) {
    let mut b = Bench::new(kind);
    let key = b.call(&Caller::new(ALICE, "c1"), OFFER, &[BOB]);
    let (at, now) = (b.now + Duration::from_secs(20), b.now);
    b.calls.set_deadline(key, Some(now + Duration::from_secs(10)));
    b.calls.set_deadline(key, Some(at));
    b.wait(19_999);
    assert_eq!(b.told(), []);
    b.wait(1);
    assert_eq!(b.told(), [Event::Deadline { call: key }]);
    b.wait(60_000);
    assert!(!b.told().contains(&Event::Deadline { call: key }), "once");
    b.calls.release(b.now, key, None);
    b.nothing_left();
}

fn retransmitted_invite(kind: Kind) {
    let mut b = Bench::new(kind);
    let alice = Caller::new(ALICE, "c1");
    b.call(&alice, OFFER, &[BOB]);
    b.expect(ALICE, "100");
    let invite = b.expect(BOB, "INVITE");
    assert_eq!(b.rx(ALICE, &alice.request("INVITE", "1", OFFER)), Receive::Done);
    b.expect(ALICE, "100");
    b.rx(BOB, &answer(&invite, 180, "bob", ""));
    let ringing = b.expect(ALICE, "180");
    b.rx(ALICE, &alice.request("INVITE", "1", OFFER));
    assert_eq!(b.expect(ALICE, "180").text, ringing.text);
    b.quiet();
    assert_eq!(b.calls.iter().count(), 1);
    // Bob heard nothing of the INVITE's repetitions; ours stopped with his answer.
    b.wait(20_000);
    b.quiet();
}

fn asked_for_too_much(kind: Kind) {
    let mut b = Bench::new(kind);
    let alice = Caller::new(ALICE, "c1");
    let big = format!("{OFFER}a={}\r\n", "x".repeat(SDP_MAX));
    let long = |len: usize| "y".repeat(len);
    let plain = alice.request("INVITE", "1", OFFER);
    let table: [(String, u16); 5] = [
        (alice.request("INVITE", "1", &big), 513),
        (
            plain.replace("tag=ac1", &format!("tag={}", long(TAG_MAX + 1))),
            513,
        ),
        (
            plain.replace("Call-ID: c1", &format!("Call-ID: {}", long(CALL_ID_MAX + 1))),
            513,
        ),
        (
            plain.replace(&format!("Contact: <sip:alice@{}>\r\n", ALICE.peer), ""),
            400,
        ),
        (plain.replace(";tag=ac1", ""), 400),
    ];
    for (text, status) in table {
        assert!(b.open(ALICE, &text).is_err());
        let refused = b.expect(ALICE, &status.to_string());
        assert!(!refused.tag("To").is_empty(), "a final answer has a tag");
        // The ACK to it is nobody's.
        b.rx(ALICE, &alice.request("ACK", "1", ""));
        b.quiet();
    }
    // A branch that cannot be written fails, and the call is still there.
    let key = b.open(ALICE, &plain).unwrap();
    let uri = format!("sip:{}@x", long(URI_MAX));
    let target = Target {
        flow: BOB,
        uri: uri.as_bytes(),
        route: b"",
        priority: Priority::Normal,
        user: 0,
    };
    assert_eq!(b.calls.dial(b.now, key, target), Err(Refusal::TooLarge));
    b.calls.refuse(b.now, key, 480, None);
    assert_eq!(b.told(), vec![]);
    b.nothing_left();
}
