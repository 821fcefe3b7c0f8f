//! Calls from the carrier.

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

/// The box knows whether an app is registered there like a phone: it is asked.
#[test]
fn an_app_may_be_registered_at_its_box() {
    let mut b = Bench::with(&[TOKYO]);
    let mut office = yamada();
    office.site.ids[0].kind = shared::TerminalKind::App;
    b.give(Input::Directory(Box::new(with(office))));
    b.rx(
        CARRIER,
        &Caller::carrier("c1", "0312340001").request("INVITE", "i"),
    );
    b.expect(CARRIER, "100");
    b.expect(home(TOKYO), "INVITE");
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
fn the_callers_side_has_answered_elsewhere() {
    for (reason, state) in [
        ("", FinalState::Cancelled),
        ("Reason: Q.850;cause=16\r\n", FinalState::Cancelled),
        ("Reason: SIP;cause=200\r\n", FinalState::ElsewhereAnswered),
    ] {
        let mut b = Bench::with(&[TOKYO]);
        let carrier = Caller::carrier("c1", "0312340001");
        b.ring(&carrier, home(TOKYO));
        let cancel = carrier
            .request("CANCEL", "i")
            .replace("Content-Length", &format!("{reason}Content-Length"));
        b.rx(CARRIER, &cancel);
        b.expect(CARRIER, "200");
        assert_eq!(b.states(), [(0, state, 487)], "{reason}");
    }
}

#[test]
fn a_callers_name_is_escaped_once() {
    // What the carrier sends, what the phone sees.
    let table = [
        (r#""Yamada" "#, r#""Yamada" "#),
        ("Yamada Taro ", r#""Yamada Taro" "#),
        (r#""a\"b" "#, r#""a\"b" "#),
        (r#""a\\" "#, r#""a\\" "#),
        (r#""\a\b" "#, r#""ab" "#),
        ("\"山田\" ", "\"山田\" "),
        // Bare words know no escapes: half of one is no name.
        ("Yamada\\ ", ""),
        ("", ""),
    ];
    for (sent, seen) in table {
        let mut b = Bench::with(&[TOKYO]);
        let mut carrier = Caller::carrier("c1", "0312340001");
        carrier.from = format!("{sent}<sip:+81335550001@203.0.113.9>");
        b.rx(CARRIER, &carrier.request("INVITE", "i"));
        b.expect(CARRIER, "100");
        let invite = b.expect(home(TOKYO), "INVITE");
        let from = invite.header("From").unwrap();
        assert!(
            from.starts_with(&format!("{seen}<sip:0335550001@pbx.example>;tag=")),
            "{sent}: {from}"
        );
    }
}
