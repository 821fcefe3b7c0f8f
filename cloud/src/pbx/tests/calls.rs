//! Calls that go where they should, and those that may not.

use super::*;

#[test]
fn the_carrier_calls_a_desk_phone() {
    let mut b = Bench::with(&[TOKYO]);
    let flow = home(TOKYO);
    let mut carrier = Caller::carrier("c1", "0312340001");
    b.rx(CARRIER, &carrier.request("INVITE", "i"));
    b.expect(CARRIER, "100");
    let invite = b.expect(flow, "INVITE");
    assert_eq!(invite.uri(), "sip:0312340001@192.168.1.2:49152;transport=tcp");
    assert!(
        invite
            .header("From")
            .unwrap()
            .starts_with("\"Yamada\" <sip:0335550001@pbx.example>;tag=")
    );
    assert_eq!(invite.header("To"), Some("<sip:0312340001@pbx.example>"));
    assert_eq!(
        invite.header("Contact"),
        Some("<sip:203.0.113.1:5060;transport=tcp>")
    );
    let session = invite.header("Session-ID").unwrap().to_string();
    // Media goes through the relay: the phone is told its second pair of ports, the carrier the first.
    assert!(
        invite.body().contains("c=IN IP4 203.0.113.1\r\n")
            && invite.body().contains("m=audio 30006 RTP/AVP 0 8")
    );
    assert_eq!(b.pbx.channels_used(CONTRACT), 1, "counted from acceptance (A9)");
    b.rx(flow, &answer(&invite, 100, ""));
    b.rx(flow, &answer(&invite, 180, ""));
    b.expect(CARRIER, "180");
    let live: Vec<_> = b.pbx.live().collect();
    assert_eq!(
        (live[0].kind, live[0].ringing, live[0].answered),
        (Kind::Incoming, true, false)
    );
    b.wait(2_000);
    b.rx(flow, &answer(&invite, 200, PHONE_SDP));
    b.expect(flow, "ACK");
    let ok = b.expect(CARRIER, "200");
    assert!(
        ok.body().contains("c=IN IP4 203.0.113.1\r\n") && ok.body().contains("m=audio 30004 RTP/AVP 0\r\n")
    );
    carrier.to_tag = ok.tag("To");
    b.rx(CARRIER, &carrier.request("ACK", "a"));
    b.quiet();
    let remotes = &b.pbx.relays_mut().remotes;
    let told: Vec<_> = remotes
        .iter()
        .map(|(_, remote, from)| (remote.rtp.to_string(), from.to_string()))
        .collect();
    assert_eq!(
        told,
        [
            ("203.0.113.9:20000".into(), "203.0.113.9".into()),
            ("192.168.1.20:4000".into(), "198.51.100.7".to_string())
        ]
    );
    b.wait(3_000);
    b.hang_up(&carrier, flow);
    let legs: Vec<_> = b.records.drain(..).collect();
    assert_eq!(legs.len(), 2);
    for (n, (contract, leg)) in legs.iter().enumerate() {
        assert_eq!((*contract, usize::from(leg.leg)), (CONTRACT, n));
        assert_eq!(
            (leg.session.text().as_str(), leg.side),
            (session.as_str(), shared::record::Side::Cloud)
        );
        assert_eq!(
            (leg.from.as_str(), leg.to.as_str()),
            ("+81335550001", "0312340001")
        );
        assert_eq!(leg.presented, Some(number("0335550001")));
        assert_eq!((leg.state, leg.status), (FinalState::Answered, 200));
        let times = [
            leg.started,
            leg.ringing.unwrap(),
            leg.answered.unwrap(),
            leg.ended,
        ]
        .map(|at| at.mono - 10_000);
        assert_eq!(times, [0, 0, 2_000, 5_000]);
        assert_eq!(leg.ended.unix, Some(1_800_000_005_000));
    }
    assert_eq!(
        (legs[0].1.direction, legs[1].1.direction),
        (Direction::In, Direction::Out)
    );
    b.nothing_left();
}

#[test]
fn the_called_side_hangs_up() {
    let mut b = Bench::with(&[TOKYO]);
    let mut carrier = Caller::carrier("c1", "+81312340001");
    let invite = b.talk(&mut carrier, home(TOKYO), PHONE_SDP);
    b.rx(home(TOKYO), &from_callee(&invite, "BYE", 1));
    b.expect(home(TOKYO), "200");
    let bye = b.expect(CARRIER, "BYE");
    b.rx(CARRIER, &answer(&bye, 200, ""));
    assert_eq!(
        b.states(),
        [(0, FinalState::Answered, 200), (1, FinalState::Answered, 200)]
    );
    b.nothing_left();
}

#[test]
fn the_carrier_gives_up() {
    let mut b = Bench::with(&[TOKYO]);
    let carrier = Caller::carrier("c1", "0312340000");
    let invite = b.ring(&carrier, home(TOKYO));
    b.rx(CARRIER, &carrier.request("CANCEL", "i"));
    b.expect(CARRIER, "200");
    b.expect(CARRIER, "487");
    let cancel = b.expect(home(TOKYO), "CANCEL");
    assert_eq!(b.pbx.channels_used(CONTRACT), 0);
    b.rx(home(TOKYO), &answer(&cancel, 200, ""));
    b.rx(home(TOKYO), &answer(&invite, 487, ""));
    b.expect(home(TOKYO), "ACK");
    b.rx(CARRIER, &carrier.request("ACK", "i"));
    assert_eq!(b.states(), [(0, FinalState::Cancelled, 487)]);
    b.nothing_left();
}

#[test]
fn the_answer_crosses_the_cancel() {
    let mut b = Bench::with(&[TOKYO]);
    let carrier = Caller::carrier("c1", "0312340001");
    let invite = b.ring(&carrier, home(TOKYO));
    b.rx(CARRIER, &carrier.request("CANCEL", "i"));
    b.expect(CARRIER, "200");
    b.expect(CARRIER, "487");
    b.expect(home(TOKYO), "CANCEL");
    b.rx(home(TOKYO), &answer(&invite, 200, PHONE_SDP));
    b.expect(home(TOKYO), "ACK");
    let bye = b.expect(home(TOKYO), "BYE");
    b.rx(home(TOKYO), &answer(&bye, 200, ""));
    b.rx(CARRIER, &carrier.request("ACK", "i"));
    b.quiet();
    assert_eq!(b.states(), [(0, FinalState::Cancelled, 487)]);
    b.nothing_left();
}

#[test]
fn more_calls_than_channels_are_busy() {
    let mut b = Bench::with(&[TOKYO, OSAKA]);
    // A ringing one and an outgoing one take both (A9); the contract's sites share the pool (R15).
    let first = Caller::carrier("c1", "0312340001");
    b.ring(&first, home(TOKYO));
    let second = Caller::office(home(OSAKA), "c2", "0335550009", "0663000001");
    b.ring(&second, CARRIER);
    assert_eq!(b.pbx.channels_used(CONTRACT), 2);
    let third = Caller::carrier("c3", "0312340002");
    b.rx(CARRIER, &third.request("INVITE", "i"));
    b.expect(CARRIER, "100");
    assert_eq!(
        b.expect(CARRIER, "486").header("Reason"),
        Some("Q.850;cause=17;text=\"User busy\"")
    );
    // The INVITE again is the same call.
    b.rx(CARRIER, &third.request("INVITE", "i"));
    b.expect(CARRIER, "486");
    b.rx(CARRIER, &third.request("ACK", "i"));
    let fourth = Caller::office(home(TOKYO), "c4", "0335550009", "0312340001");
    b.rx(home(TOKYO), &fourth.request("INVITE", "i"));
    b.expect(home(TOKYO), "100");
    let busy = b.expect(home(TOKYO), "486");
    assert_eq!(
        busy.header("Reason"),
        Some("Q.850;cause=34;text=\"No channel available\"")
    );
    b.rx(home(TOKYO), &fourth.request("ACK", "i"));
    b.quiet();
    assert_eq!(b.states(), [(0, FinalState::ChannelLimit, 486); 2]);
    assert_eq!((b.pbx.counters().channels, b.pbx.channels_used(CONTRACT)), (2, 2));
    // 119 goes out all the same, and counts.
    let emergency = Caller::office(home(TOKYO), "c5", "119", "0312340001");
    assert_eq!(b.ring(&emergency, CARRIER).uri(), "sip:119@203.0.113.9:5060");
    assert_eq!(b.pbx.channels_used(CONTRACT), 3);
    // One gives up: there is still none, two of two are used. The next one that ends makes room.
    b.rx(CARRIER, &first.request("CANCEL", "i"));
    b.rx(home(TOKYO), &emergency.request("CANCEL", "i"));
    b.seen.clear();
    b.ring(
        &Caller::office(home(TOKYO), "c6", "0335550009", "0312340001"),
        CARRIER,
    );
    b.pbx.release_all(b.now);
    b.drain();
    b.seen.clear();
    assert_eq!(b.pbx.live().count(), 0);
}

#[test]
fn a_number_may_have_fewer_channels_than_its_contract() {
    let mut b = Bench::with(&[NAGOYA]);
    b.ring(&Caller::carrier("c1", "0521110000"), home(NAGOYA));
    b.rx(
        CARRIER,
        &Caller::carrier("c2", "0521110000").request("INVITE", "i"),
    );
    b.expect(CARRIER, "100");
    b.expect(CARRIER, "486");
    b.ring(&Caller::carrier("c3", "0521110001"), home(NAGOYA));
    assert_eq!(b.states(), [(0, FinalState::ChannelLimit, 486)]);
}

#[test]
fn numbers_of_nobody() {
    let mut b = Bench::with(&[TOKYO]);
    for called in ["0399999999", "nonsense", "0312340001999", "110"] {
        let carrier = Caller::carrier(called, called);
        b.rx(CARRIER, &carrier.request("INVITE", "i"));
        let refused = b.expect(CARRIER, "404");
        assert_eq!(
            refused.header("Reason"),
            Some("Q.850;cause=1;text=\"Unallocated number\"")
        );
        b.rx(CARRIER, &carrier.request("ACK", "i"));
        b.quiet();
    }
    assert_eq!(b.records, [], "of no contract");
    b.nothing_left();
}

#[test]
fn desk_phones_without_their_box_are_absent() {
    let mut b = Bench::new();
    let carrier = Caller::carrier("c1", "0312340000");
    b.rx(CARRIER, &carrier.request("INVITE", "i"));
    b.expect(CARRIER, "100");
    assert_eq!(
        b.expect(CARRIER, "480").header("Reason"),
        Some("Q.850;cause=20;text=\"Subscriber absent\"")
    );
    b.rx(CARRIER, &carrier.request("ACK", "i"));
    assert_eq!(b.states(), [(0, FinalState::Unavailable, 480)]);
    b.nothing_left();
}

#[test]
fn a_box_refuses() {
    let table = [
        (486, "486", FinalState::Busy),
        (603, "486", FinalState::Busy),
        (480, "480", FinalState::Unavailable),
        (404, "404", FinalState::Refused(404)),
        (503, "480", FinalState::Unavailable),
        (302, "480", FinalState::Unavailable),
        (401, "480", FinalState::Unavailable),
    ];
    for (status, told, state) in table {
        let mut b = Bench::with(&[TOKYO]);
        let carrier = Caller::carrier("c1", "0312340001");
        b.rx(CARRIER, &carrier.request("INVITE", "i"));
        b.expect(CARRIER, "100");
        let invite = b.expect(home(TOKYO), "INVITE");
        b.rx(home(TOKYO), &answer(&invite, status, ""));
        b.expect(home(TOKYO), "ACK");
        b.expect(CARRIER, told);
        b.rx(CARRIER, &carrier.request("ACK", "i"));
        assert_eq!(b.states(), [(0, state, told.parse().unwrap())]);
        b.nothing_left();
    }
}

#[test]
fn nobody_answers() {
    let mut b = Bench::with(&[TOKYO]);
    let carrier = Caller::carrier("c1", "0312340001");
    let invite = b.ring(&carrier, home(TOKYO));
    b.wait_alive(179_000, &[home(TOKYO)]);
    b.quiet();
    b.wait(1_000);
    assert_eq!(
        b.expect(CARRIER, "480").header("Reason"),
        Some("Q.850;cause=19;text=\"No answer\"")
    );
    b.expect(home(TOKYO), "CANCEL");
    b.rx(CARRIER, &carrier.request("ACK", "i"));
    b.rx(home(TOKYO), &answer(&invite, 487, ""));
    assert_eq!(b.states(), [(0, FinalState::NotAnswered, 480)]);
    b.seen.clear();
    b.nothing_left();
}

#[test]
fn a_representative_number_rings_at_every_site() {
    let mut b = Bench::with(&[TOKYO, OSAKA, NAGOYA]);
    let mut carrier = Caller::carrier("c1", "0312340000");
    b.rx(CARRIER, &carrier.request("INVITE", "i"));
    b.expect(CARRIER, "100");
    let (tokyo, osaka) = (b.expect(home(TOKYO), "INVITE"), b.expect(home(OSAKA), "INVITE"));
    b.quiet();
    assert_eq!(tokyo.header("Session-ID"), osaka.header("Session-ID"));
    b.rx(home(TOKYO), &answer(&tokyo, 180, ""));
    b.rx(home(OSAKA), &answer(&osaka, 180, ""));
    b.expect(CARRIER, "180");
    b.rx(home(OSAKA), &answer(&osaka, 200, PHONE_SDP));
    b.expect(home(OSAKA), "ACK");
    let cancel = b.expect(home(TOKYO), "CANCEL");
    assert_eq!(
        cancel.header("Reason"),
        Some("SIP;cause=200;text=\"Call completed elsewhere\"")
    );
    b.rx(home(TOKYO), &answer(&cancel, 200, ""));
    b.rx(home(TOKYO), &answer(&tokyo, 487, ""));
    b.expect(home(TOKYO), "ACK");
    carrier.to_tag = b.expect(CARRIER, "200").tag("To");
    b.rx(CARRIER, &carrier.request("ACK", "a"));
    assert_eq!(b.pbx.channels_used(CONTRACT), 1);
    b.hang_up(&carrier, home(OSAKA));
    assert_eq!(b.states().len(), 2);
    b.nothing_left();
}

#[test]
fn a_phone_calls_outside() {
    let mut b = Bench::with(&[TOKYO]);
    let flow = home(TOKYO);
    let mut phone = Caller::office(flow, "c1", "0335550009", "0312340001");
    b.rx(flow, &phone.request("INVITE", "i"));
    b.expect(flow, "100");
    let invite = b.expect(CARRIER, "INVITE");
    assert_eq!(invite.uri(), "sip:+81335550009@203.0.113.9:5060");
    assert!(
        invite
            .header("From")
            .unwrap()
            .starts_with("<sip:+81312340001@203.0.113.1>;tag=")
    );
    assert_eq!(
        invite.header("P-Asserted-Identity"),
        Some("<sip:+81312340001@203.0.113.1>")
    );
    assert_eq!(invite.header("Privacy"), None);
    assert_eq!(
        invite.header("P-Served-User"),
        None,
        "what is the contract's own stays here"
    );
    assert_eq!(
        invite.header("Session-ID"),
        Some("00112233445566778899aabbccddee0f")
    );
    assert!(invite.body().contains("m=audio 30006") && !invite.body().contains("c=IN IP4 192.168"));
    b.rx(CARRIER, &answer(&invite, 183, CARRIER_SDP));
    assert!(b.expect(flow, "183").body().contains("m=audio 30004"));
    b.rx(CARRIER, &answer(&invite, 200, CARRIER_SDP));
    b.expect(CARRIER, "ACK");
    phone.to_tag = b.expect(flow, "200").tag("To");
    b.rx(flow, &phone.request("ACK", "a"));
    b.hang_up(&phone, CARRIER);
    let legs: Vec<_> = b.records.drain(..).map(|(_, leg)| leg).collect();
    assert_eq!(legs.len(), 2);
    assert_eq!(
        legs[0].session.text().as_str(),
        "00112233445566778899aabbccddee0f"
    );
    assert_eq!(legs[0].terminal.map(|key| key.index()), Some(10));
    assert_eq!(
        (legs[0].presented, legs[1].terminal),
        (Some(number("0312340001")), None)
    );
    b.nothing_left();
}

#[test]
fn which_number_a_call_may_present() {
    // P-Asserted-Identity, P-Served-User, what the carrier sees.
    let table: [(&str, Option<&str>, Option<&str>); 9] = [
        ("0312340001", Some("0312340001"), Some("+81312340001")),
        ("0312340000", Some("0312340002"), Some("+81312340000")),
        ("0312340001", None, Some("+81312340001")),
        // R9: another ID's direct number, a number of another site, of another contract, of nobody.
        ("0312340001", Some("0312340002"), None),
        ("0663000001", Some("0312340001"), None),
        ("0521110001", Some("0312340001"), None),
        ("0399999999", None, None),
        // An ID that is not at this site.
        ("0312340000", Some("0663000001"), None),
        ("0312340000", Some("nonsense"), None),
    ];
    for (asserted, served, seen) in table {
        let mut b = Bench::with(&[TOKYO, OSAKA]);
        let flow = home(TOKYO);
        let mut phone = Caller::office(flow, "c1", "0335550009", "0312340001");
        phone.extra = format!("P-Asserted-Identity: <tel:{}>\r\n", number(asserted).e164());
        if let Some(served) = served {
            phone.extra += &format!("P-Served-User: <sip:{served}@{REALM}>\r\n");
        }
        b.rx(flow, &phone.request("INVITE", "i"));
        b.expect(flow, "100");
        match seen {
            Some(seen) => {
                let invite = b.expect(CARRIER, "INVITE");
                assert!(
                    invite.header("From").unwrap().contains(seen),
                    "{asserted} {served:?}"
                );
            }
            None => {
                let refused = b.expect(flow, "403");
                assert!(
                    refused.header("Reason").unwrap().contains("not owned"),
                    "{asserted} {served:?}"
                );
                b.rx(flow, &phone.request("ACK", "i"));
                assert_eq!(
                    b.states(),
                    [(0, FinalState::Refused(403), 403)],
                    "{asserted} {served:?}"
                );
                assert_eq!(b.pbx.channels_used(CONTRACT), 0);
                b.nothing_left();
            }
        }
    }
    // Without P-Asserted-Identity, From says it.
    let mut b = Bench::with(&[TOKYO]);
    let mut phone = Caller::office(home(TOKYO), "c1", "0335550009", "0312340001");
    phone.extra.clear();
    b.ring(&phone, CARRIER);
    phone.id = "c2".into();
    phone.from = "<sip:201@pbx.example>".into();
    b.rx(home(TOKYO), &phone.request("INVITE", "i"));
    b.expect(home(TOKYO), "100");
    b.expect(home(TOKYO), "403");
}

#[test]
fn a_withheld_number() {
    let mut b = Bench::with(&[TOKYO]);
    let mut phone = Caller::office(home(TOKYO), "c1", "0335550009", "0312340001");
    phone.from = "\"Anonymous\" <sip:anonymous@anonymous.invalid>".into();
    phone.extra += "Privacy: id\r\n";
    let invite = b.ring(&phone, CARRIER);
    assert!(
        invite
            .header("From")
            .unwrap()
            .starts_with("\"Anonymous\" <sip:anonymous@anonymous.invalid>;tag=")
    );
    assert_eq!(
        invite.header("P-Asserted-Identity"),
        Some("<sip:+81312340001@203.0.113.1>")
    );
    assert_eq!(invite.header("Privacy"), Some("id"));
    b.rx(home(TOKYO), &phone.request("CANCEL", "i"));
    assert_eq!(b.records.pop().unwrap().1.presented, None);

    // From outside: what was withheld is not shown, whatever else the carrier tells us.
    b.seen.clear();
    let mut carrier = Caller::carrier("c2", "0312340001");
    carrier.extra = "P-Asserted-Identity: <sip:+81335550001@x>\r\nPrivacy: user;id\r\n".into();
    let invite = b.ring(&carrier, home(TOKYO));
    assert!(
        invite
            .header("From")
            .unwrap()
            .starts_with("\"Anonymous\" <sip:anonymous@anonymous.invalid>;tag=")
    );
    assert!(!invite.text.contains("335550001"));
}

#[test]
fn emergency_calls_are_never_refused() {
    for (asserted, privacy) in [
        ("0312340001", ""),
        ("0399999999", ""),
        ("0312340001", "Privacy: id\r\n"),
    ] {
        let mut b = Bench::with(&[TOKYO]);
        let mut phone = Caller::office(home(TOKYO), "c1", "110", "0312340001");
        phone.extra = format!(
            "P-Asserted-Identity: <sip:{asserted}@x>\r\nP-Served-User: <sip:0312340001@x>\r\n{privacy}"
        );
        let invite = b.ring(&phone, CARRIER);
        assert_eq!(invite.uri(), "sip:110@203.0.113.9:5060");
        assert!(
            invite.header("From").unwrap().contains("+81312340001"),
            "the number is shown"
        );
        assert_eq!(invite.header("Privacy"), None);
    }
}

#[test]
fn what_is_dialled() {
    // What a box sends on, and what the carrier sees of it.
    let table = [
        ("0335550009", Ok("sip:+81335550009@")),
        ("+81335550009", Ok("sip:+81335550009@")),
        ("117", Ok("sip:117@")),
        ("0521110001", Ok("sip:+81521110001@")),
        ("0015550100", Err("404")),
        ("+14155550100", Err("403")),
        ("x", Err("404")),
    ];
    for (called, result) in table {
        let mut b = Bench::with(&[TOKYO]);
        let flow = home(TOKYO);
        b.rx(
            flow,
            &Caller::office(flow, "c1", called, "0312340001").request("INVITE", "i"),
        );
        match result {
            Ok(uri) => {
                b.expect(flow, "100");
                assert!(b.expect(CARRIER, "INVITE").uri().starts_with(uri), "{called}");
            }
            Err(status) => {
                b.seen.retain(|seen| seen.what() != "100");
                b.expect(flow, status);
                b.quiet();
                assert_eq!(b.pbx.channels_used(CONTRACT), 0);
            }
        }
    }
}

#[test]
fn between_sites_no_channel_is_used() {
    let mut b = Bench::with(&[TOKYO, OSAKA]);
    let mut phone = Caller::office(home(TOKYO), "c1", "0663000001", "0312340001");
    let invite = b.ring(&phone, home(OSAKA));
    assert!(
        invite
            .header("From")
            .unwrap()
            .starts_with("<sip:0312340001@pbx.example>;tag=")
    );
    assert_eq!(b.pbx.channels_used(CONTRACT), 0);
    assert_eq!(b.pbx.live().next().unwrap().kind, Kind::Internal);
    b.rx(home(OSAKA), &answer(&invite, 200, PHONE_SDP));
    b.expect(home(OSAKA), "ACK");
    phone.to_tag = b.expect(home(TOKYO), "200").tag("To");
    b.rx(home(TOKYO), &phone.request("ACK", "a"));
    b.hang_up(&phone, home(OSAKA));
    assert_eq!(b.states().len(), 2);
    // A number of the box's own site does not come back to it: its phones it rings itself.
    b.rx(
        home(TOKYO),
        &Caller::office(home(TOKYO), "c2", "0312340002", "0312340001").request("INVITE", "i"),
    );
    b.expect(home(TOKYO), "100");
    b.expect(home(TOKYO), "480");
    b.quiet();
    assert_eq!(b.states(), [(0, FinalState::Unavailable, 480)]);
}

#[test]
fn the_carrier_refuses() {
    let table = [
        (486, "486", FinalState::Busy),
        (404, "404", FinalState::Refused(404)),
        (503, "503", FinalState::Unavailable),
        (407, "500", FinalState::Refused(500)),
        (302, "500", FinalState::Refused(500)),
    ];
    for (status, told, state) in table {
        let mut b = Bench::with(&[TOKYO]);
        let phone = Caller::office(home(TOKYO), "c1", "0335550009", "0312340001");
        b.rx(home(TOKYO), &phone.request("INVITE", "i"));
        b.expect(home(TOKYO), "100");
        let invite = b.expect(CARRIER, "INVITE");
        b.rx(CARRIER, &answer(&invite, status, ""));
        b.expect(CARRIER, "ACK");
        b.expect(home(TOKYO), told);
        b.rx(home(TOKYO), &phone.request("ACK", "i"));
        assert_eq!(b.states(), [(0, state, told.parse().unwrap())]);
        b.nothing_left();
    }
}

#[test]
fn a_carrier_that_does_not_answer() {
    let mut b = Bench::with(&[TOKYO]);
    let phone = Caller::office(home(TOKYO), "c1", "0335550009", "0312340001");
    b.rx(home(TOKYO), &phone.request("INVITE", "i"));
    b.expect(home(TOKYO), "100");
    b.wait_alive(33_000, &[home(TOKYO)]);
    assert_eq!(
        b.seen.iter().filter(|seen| seen.what() == "INVITE").count(),
        7,
        "timers A and B"
    );
    b.seen.retain(|seen| seen.flow != CARRIER);
    b.expect(home(TOKYO), "504");
    b.rx(home(TOKYO), &phone.request("ACK", "i"));
    assert_eq!(b.states().len(), 1);
    b.nothing_left();
}

#[test]
fn hold_goes_through_the_relay() {
    let mut b = Bench::with(&[TOKYO]);
    let mut carrier = Caller::carrier("c1", "0312340001");
    b.talk(&mut carrier, home(TOKYO), PHONE_SDP);
    b.pbx.relays_mut().remotes.clear();
    // The old way to hold (RFC 3264 §8.4) stays one, and moves no media.
    let hold = Caller {
        cseq: 2,
        sdp: CARRIER_SDP
            .replace("c=IN IP4 203.0.113.9", "c=IN IP4 0.0.0.0")
            .replace("1 1 IN", "1 2 IN"),
        ..carrier.clone()
    };
    b.rx(CARRIER, &hold.request("INVITE", "h"));
    let invite = b.expect(home(TOKYO), "INVITE");
    assert!(invite.body().contains("c=IN IP4 0.0.0.0\r\n") && invite.body().contains("m=audio 30006"));
    assert!(b.pbx.relays_mut().remotes.is_empty());
    b.rx(home(TOKYO), &answer(&invite, 200, PHONE_SDP));
    b.expect(home(TOKYO), "ACK");
    b.expect(CARRIER, "200");
    b.rx(CARRIER, &hold.request("ACK", "ha"));
    assert_eq!(b.pbx.relays_mut().open.len(), 1, "the same relay");
    let bye = Caller { cseq: 3, ..carrier };
    b.rx(CARRIER, &bye.request("BYE", "b"));
    b.expect(CARRIER, "200");
    b.expect(home(TOKYO), "BYE");
    assert_eq!(b.states().len(), 2);
}

#[test]
fn descriptions_that_cannot_be_relayed() {
    let mut b = Bench::with(&[TOKYO]);
    let table = [
        ("v=0\r\nnonsense", "488"),
        (
            "v=0\r\no=- 1 1 IN IP4 1.2.3.4\r\ns=-\r\nc=IN IP4 1.2.3.4\r\nt=0 0\r\nm=image 9 udptl t38\r\n",
            "488",
        ),
        (&CARRIER_SDP.replace("m=audio 20000", "m=audio 0"), "488"),
    ];
    for (n, (sdp, status)) in table.iter().enumerate() {
        let carrier = Caller {
            sdp: sdp.to_string(),
            ..Caller::carrier(&format!("c{n}"), "0312340001")
        };
        b.rx(CARRIER, &carrier.request("INVITE", "i"));
        b.expect(CARRIER, status);
        b.rx(CARRIER, &carrier.request("ACK", "i"));
        b.quiet();
    }
    // Voice is relayed; what cannot be is not offered on.
    let video = Caller {
        sdp: format!("{CARRIER_SDP}m=video 20002 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"),
        ..Caller::carrier("v", "0312340001")
    };
    let invite = b.ring(&video, home(TOKYO));
    assert!(
        invite.body().contains("m=video 0 RTP/AVP 96"),
        "{}",
        invite.body()
    );
    b.rx(CARRIER, &video.request("CANCEL", "i"));
    b.seen.clear();
    // No port is left: a moment later there may be one.
    b.pbx.relays_mut().room = 0;
    let carrier = Caller::carrier("p", "0312340001");
    b.rx(CARRIER, &carrier.request("INVITE", "i"));
    assert!(b.expect(CARRIER, "503").header("Retry-After").is_some());
    assert_eq!(b.pbx.counters().ports, 1);
    assert_eq!(b.pbx.live().count(), 0);
    assert_eq!(b.pbx.relays_mut().open.len(), 0);
}

#[test]
fn requests_that_want_more_than_there_is() {
    let mut b = Bench::with(&[TOKYO]);
    let mut carrier = Caller::carrier("c1", "0312340001");
    carrier.extra = "Require: 100rel\r\n".into();
    b.rx(CARRIER, &carrier.request("INVITE", "i"));
    assert_eq!(b.expect(CARRIER, "420").header("Unsupported"), Some("100rel"));
    let carrier = Caller::carrier("c2", "0312340001");
    b.rx(
        CARRIER,
        &carrier
            .request("INVITE", "i")
            .replace("Max-Forwards: 70", "Max-Forwards: 0"),
    );
    b.expect(CARRIER, "483");
    b.quiet();
    assert_eq!(b.records, []);
}

#[test]
fn lost_datagrams_of_the_carrier() {
    let mut b = Bench::with(&[TOKYO]);
    let mut carrier = Caller::carrier("c1", "0312340001");
    let invite = b.ring(&carrier, home(TOKYO));
    // The INVITE again: the last answer again, no second call.
    b.rx(CARRIER, &carrier.request("INVITE", "i"));
    b.expect(CARRIER, "180");
    assert_eq!(b.pbx.live().count(), 1);
    b.rx(home(TOKYO), &answer(&invite, 200, PHONE_SDP));
    b.expect(home(TOKYO), "ACK");
    carrier.to_tag = b.expect(CARRIER, "200").tag("To");
    // Our 200 is lost twice.
    b.wait(1_600);
    b.expect(CARRIER, "200");
    b.expect(CARRIER, "200");
    b.rx(CARRIER, &carrier.request("ACK", "a"));
    b.wait(5_000);
    b.quiet();
    b.hang_up(&carrier, home(TOKYO));
    // Its BYE comes again: it is answered, nothing else.
    b.rx(CARRIER, &Caller { cseq: 2, ..carrier }.request("BYE", "b"));
    b.expect(CARRIER, "200");
    b.quiet();
    assert_eq!(b.states().len(), 2);
    b.nothing_left();
}
