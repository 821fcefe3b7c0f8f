//! Calls of boxes: to the carrier and to each other.

use super::*;

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
    assert_eq!(invite.header("Session-ID"), Some(session_of("c1").as_str()));
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
    assert_eq!(legs[0].session.text().as_str(), session_of("c1"));
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
    let (not_owned, another) = (
        "Number not owned by the caller",
        "Another terminal's direct number (R9)",
    );
    let table: [(&str, Option<&str>, Result<&str, &str>); 9] = [
        ("0312340001", Some("0312340001"), Ok("+81312340001")),
        ("0312340000", Some("0312340002"), Ok("+81312340000")),
        ("0312340001", None, Ok("+81312340001")),
        // R9: another ID's direct number, a number of another site, of another contract, of nobody.
        ("0312340001", Some("0312340002"), Err(another)),
        ("0663000001", Some("0312340001"), Err(another)),
        (
            "0521110001",
            Some("0312340001"),
            Err("Not a number of the contract (R9)"),
        ),
        ("0399999999", None, Err(not_owned)),
        // An ID that is not at this site.
        ("0312340000", Some("0663000001"), Err(not_owned)),
        ("0312340000", Some("nonsense"), Err(not_owned)),
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
            Ok(seen) => {
                let invite = b.expect(CARRIER, "INVITE");
                assert!(
                    invite.header("From").unwrap().contains(seen),
                    "{asserted} {served:?}"
                );
            }
            Err(why) => {
                let refused = b.expect(flow, "403");
                assert!(
                    refused.header("Reason").unwrap().contains(why),
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
    let live = b.pbx.live().next().unwrap();
    assert_eq!(live.terminal.map(|key| key.index()), Some(10));
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
        ("0990123456", Err("403")),
        ("02012345678", Err("403")),
        ("104", Err("404")),
        ("199", Err("404")),
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
            .starts_with("\"desk\" <sip:210@pbx.example>;tag=")
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

/// R30: the extension of another site rings there, even where its direct number does not (R25).
#[test]
fn an_extension_of_another_site() {
    let mut b = Bench::with(&[TOKYO, OSAKA]);
    let mut yamada = yamada();
    let osaka = yamada.site.ids.last_mut().unwrap();
    osaka.direct_in = false;
    b.give(Input::Directory(Box::new(with(yamada))));
    let mut phone = Caller::office(home(TOKYO), "c1", "220", "0312340001");
    phone.from = "\"desk\" <sip:210@pbx.example>".into();
    phone.extra = "P-Served-User: <sip:0312340001@pbx.example>\r\n".into();
    let invite = b.ring(&phone, home(OSAKA));
    assert!(invite.uri().starts_with("sip:220@"), "{}", invite.uri());
    assert_eq!(invite.header("To"), Some("<sip:220@pbx.example>"));
    assert!(
        invite
            .header("From")
            .unwrap()
            .starts_with("\"desk\" <sip:210@pbx.example>;tag=")
    );
    assert_eq!(b.pbx.channels_used(CONTRACT), 0);
    b.rx(home(TOKYO), &phone.request("CANCEL", "i"));
    b.seen.clear();
    // Nobody's, and one whose caller is not known.
    for (called, served, status) in [
        ("229", "0312340001", "404"),
        ("220", "0663000001", "403"),
        ("0663000001", "x", "403"),
    ] {
        phone.id = format!("{called}{served}");
        phone.called = called.into();
        phone.extra = format!("P-Served-User: <sip:{served}@pbx.example>\r\n");
        b.rx(home(TOKYO), &phone.request("INVITE", "i"));
        b.seen.retain(|seen| seen.what() != "100");
        b.expect(home(TOKYO), status);
    }
    // By its full number it does not ring.
    phone.id = "c3".into();
    phone.called = "0663000001".into();
    phone.extra = "P-Served-User: <sip:0312340001@pbx.example>\r\n".into();
    b.rx(home(TOKYO), &phone.request("INVITE", "i"));
    b.expect(home(TOKYO), "100");
    b.expect(home(TOKYO), "480");
}

/// A suspended number calls nobody but 110, 118 and 119.
#[test]
fn a_suspended_number_is_barred() {
    let mut b = Bench::with(&[TOKYO]);
    let mut yamada = yamada();
    let suspended = (NumberState::Suspended, NumberRules::default());
    yamada.lines.insert(number("0312340001"), suspended);
    b.give(Input::Directory(Box::new(with(yamada))));
    let phone = Caller::office(home(TOKYO), "c1", "0335550009", "0312340001");
    b.rx(home(TOKYO), &phone.request("INVITE", "i"));
    b.expect(home(TOKYO), "100");
    let refused = b.expect(home(TOKYO), "403");
    assert!(refused.header("Reason").unwrap().contains("Call barred"));
    b.rx(home(TOKYO), &phone.request("ACK", "i"));
    let emergency = Caller::office(home(TOKYO), "c2", "119", "0312340001");
    b.ring(&emergency, CARRIER);
    let other = Caller::office(home(TOKYO), "c3", "0335550009", "0312340002");
    b.ring(&other, CARRIER);
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
    for called in ["0335550009", "119"] {
        let mut b = Bench::with(&[TOKYO]);
        let mut phone = Caller::office(home(TOKYO), "c1", called, "0312340001");
        b.rx(home(TOKYO), &phone.request("INVITE", "i"));
        b.expect(home(TOKYO), "100");
        b.wait(3_999);
        let invite = b.expect(CARRIER, "INVITE");
        assert_eq!(b.seen.len(), 3, "timer A");
        b.seen.clear();
        b.wait(1);
        assert_eq!(
            b.expect(home(TOKYO), "503").header("Reason"),
            Some("Q.850;cause=38;text=\"Network out of order\"")
        );
        b.rx(home(TOKYO), &phone.request("ACK", "i"));
        assert_eq!(b.states(), [(0, FinalState::Unavailable, 503)]);
        assert_eq!(b.pbx.channels_used(CONTRACT), 0);
        b.quiet();
        // It answers after all: nobody is there for it any more.
        b.rx(CARRIER, &answer(&invite, 200, CARRIER_SDP));
        b.expect(CARRIER, "ACK");
        let bye = b.expect(CARRIER, "BYE");
        b.rx(CARRIER, &answer(&bye, 200, ""));
        b.quiet();
        // One that says anything at all has all the time to ring.
        phone.id = "c2".into();
        b.rx(home(TOKYO), &phone.request("INVITE", "i"));
        b.expect(home(TOKYO), "100");
        let invite = b.expect(CARRIER, "INVITE");
        b.rx(CARRIER, &answer(&invite, 100, ""));
        b.wait_alive(100_000, &[home(TOKYO)]);
        b.quiet();
        b.rx(home(TOKYO), &phone.request("CANCEL", "i"));
        assert_eq!(b.states(), [(0, FinalState::Cancelled, 487)]);
        b.seen.clear();
        b.nothing_left();
    }
}

#[test]
fn emergency_calls_have_room_where_others_have_none() {
    let config = Config {
        calls: 1,
        ..Config::new(SIP, CARRIER.peer)
    };
    let mut b = Bench::configured(config);
    b.register(TOKYO, home(TOKYO), 1);
    b.ring(&Caller::carrier("c1", "0312340001"), home(TOKYO));
    b.rx(
        CARRIER,
        &Caller::carrier("c2", "0521110001").request("INVITE", "i"),
    );
    assert!(b.expect(CARRIER, "503").header("Retry-After").is_some());
    for n in 0..10 {
        b.ring(
            &Caller::office(home(TOKYO), &format!("e{n}"), "119", "0312340001"),
            CARRIER,
        );
    }
    assert_eq!(b.pbx.live().count(), 11);
}
