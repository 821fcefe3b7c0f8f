//! Registrations and connections.

use super::*;

#[test]
fn a_box_registers() {
    let mut b = Bench::new();
    let flow = home(TOKYO);
    let contact = Bench::contact(TOKYO, 7);
    let text = b.register_text(TOKYO, flow, &contact, None);
    b.rx(flow, &text);
    let challenge = b.expect(flow, "401");
    let offered: Vec<_> = challenge.headers("WWW-Authenticate").collect();
    assert!(
        offered[0].contains("algorithm=SHA-256") && offered[1].contains("algorithm=MD5"),
        "{offered:?}"
    );
    assert_eq!(b.trunks, []);
    let text = b.register_text(TOKYO, flow, &contact, Some((&challenge, &Bench::password(TOKYO))));
    b.rx(flow, &text);
    let ok = b.expect(flow, "200");
    assert_eq!(
        ok.header("Contact"),
        Some(
            format!(
                "<sip:192.168.1.2:49152;transport=tcp;bnc>;+sip.instance=\"<urn:uuid:{TOKYO}>\";reg-id=1;expires=300"
            )
            .as_str()
        )
    );
    assert_eq!(
        ["Require", "Flow-Timer", "Supported"].map(|name| ok.header(name)),
        [Some("outbound"), Some("15"), Some("gin, outbound")]
    );
    assert_eq!(b.trunks, [(TOKYO, Some("192.168.1.2:49152".into()))]);
    let trunk = b.pbx.trunks().next().unwrap();
    assert_eq!((trunk.id, trunk.boot, trunk.peer), (TOKYO, 7, flow.peer));
    assert_eq!(trunk.expires, b.now + Duration::from_secs(300));
    // A refresh says nothing new; the same answer a second time is a replay.
    b.rx(flow, &text);
    assert!(
        b.expect(flow, "401")
            .headers("WWW-Authenticate")
            .all(|line| line.contains("stale=true"))
    );
    b.register(TOKYO, flow, 7);
    assert_eq!(b.trunks.len(), 1);
}

#[test]
fn who_does_not_prove_itself_is_refused() {
    let mut b = Bench::new();
    let flow = connection(9);
    let unknown = BoxId(77);
    for (n, (id, password)) in [(TOKYO, "guess"), (unknown, "guess")].into_iter().enumerate() {
        let contact = Bench::contact(id, 1);
        let text = b.register_text(id, flow, &contact, None);
        b.rx(flow, &text);
        let challenge = b.expect(flow, "401");
        let text = b.register_text(id, flow, &contact, Some((&challenge, password)));
        b.rx(flow, &text);
        b.expect(flow, "403");
        assert_eq!(
            b.pbx.counters().refused,
            n as u64 + 1,
            "an unknown box fares as a wrong password"
        );
    }
    // The right password with another box's name.
    let contact = Bench::contact(TOKYO, 1);
    let text = b.register_text(TOKYO, flow, &contact, None);
    b.rx(flow, &text);
    let challenge = b.expect(flow, "401");
    let text = b.register_text(OSAKA, flow, &contact, Some((&challenge, &Bench::password(OSAKA))));
    b.rx(
        flow,
        &text.replace(&format!("To: <sip:{OSAKA}"), &format!("To: <sip:{TOKYO}")),
    );
    b.expect(flow, "403");
    assert_eq!(b.trunks, []);
    assert_eq!(b.pbx.trunks().count(), 0);
    b.wait(5_000);
    // Nothing else is taken from there.
    b.rx(
        flow,
        &Caller::office(flow, "c1", "0335550001", "0312340001").request("INVITE", "i"),
    );
    b.expect(flow, "403");
    b.rx(
        flow,
        &Caller::office(flow, "c1", "0335550001", "0312340001").request("ACK", "i"),
    );
    b.rx(
        flow,
        &Caller::office(flow, "c2", "0335550001", "0312340001").request("OPTIONS", "o"),
    );
    b.expect(flow, "200");
    b.quiet();
    assert_eq!(b.pbx.counters().unregistered, 3);
    b.nothing_left();
}

#[test]
fn guessing_is_slowed_down() {
    let mut b = Bench::new();
    let flow = connection(9);
    let contact = Bench::contact(TOKYO, 1);
    let mut statuses = Vec::new();
    for _ in 0..8 {
        let text = b.register_text(TOKYO, flow, &contact, None);
        b.rx(flow, &text);
        let challenge = b.seen.remove(0);
        statuses.push(challenge.what().to_string());
        if challenge.what() == "401" {
            let text = b.register_text(TOKYO, flow, &contact, Some((&challenge, "guess")));
            b.rx(flow, &text);
            statuses.push(b.seen.remove(0).what().to_string());
        }
    }
    assert_eq!(statuses[..6], ["401", "403", "401", "403", "401", "403"]);
    assert!(statuses.ends_with(&["503".into(), "503".into()]), "{statuses:?}");
    assert!(b.pbx.counters().limited > 0);
    // A minute later the box itself comes in.
    b.wait(60_000);
    b.register(TOKYO, home(TOKYO), 1);
}

#[test]
fn registrations_that_ask_for_something_else() {
    let mut b = Bench::with(&[TOKYO]);
    let flow = home(TOKYO);
    let uri = "<sip:192.168.1.2:49152;transport=tcp;bnc>";
    let table = [
        (format!("{uri};expires=30"), "423"),
        (format!("{uri}, {uri}"), "400"),
        ("*".into(), "400"),
        ("<sip:192.168.1.2:49152;transport=tcp>".into(), "400"),
        ("<sip:x@192.168.1.2:49152;transport=tcp;bnc>".into(), "400"),
        (format!("{uri};expires=100000"), "200"),
        (format!("{uri};expires=0"), "200"),
    ];
    for (contact, status) in table {
        let text = b.register_text(TOKYO, flow, &contact, None);
        b.rx(flow, &text);
        let challenge = b.expect(flow, "401");
        let text = b.register_text(TOKYO, flow, &contact, Some((&challenge, &Bench::password(TOKYO))));
        b.rx(flow, &text);
        let answer = b.expect(flow, status);
        match status {
            "423" => assert_eq!(answer.header("Min-Expires"), Some("60")),
            "200" if contact.ends_with("=100000") => assert_eq!(
                b.pbx.trunks().map(|trunk| trunk.expires).collect::<Vec<_>>(),
                [b.now + Duration::from_secs(600)]
            ),
            _ => {}
        }
    }
    assert_eq!(b.pbx.trunks().count(), 0, "the last one took it away");
    assert_eq!(b.trunks.last(), Some(&(TOKYO, None)));
    let text = b
        .register_text(TOKYO, flow, uri, None)
        .replace("Require: gin", "Require: gin, magic");
    b.rx(flow, &text);
    assert_eq!(b.expect(flow, "420").header("Unsupported"), Some("magic"));
    // Without gin, or through proxies: (replaced, by, status, header, its value)
    let via = "Via: SIP/2.0/TCP 192.0.2.9;branch=z9hG4bKp\r\nMax-Forwards";
    for (what, by, status, header, value) in [
        ("Require: gin\r\n", "", "421", "Require", Some("gin")),
        (
            "Require: gin\r\n",
            "Require: gin\r\nPath: <sip:p;lr>\r\n",
            "420",
            "Unsupported",
            Some("path"),
        ),
        ("Max-Forwards", via, "439", "Require", None),
    ] {
        let contact = Bench::contact(TOKYO, 1);
        let text = b.register_text(TOKYO, flow, &contact, None);
        b.rx(flow, &text);
        let challenge = b.expect(flow, "401");
        let text = b.register_text(TOKYO, flow, &contact, Some((&challenge, &Bench::password(TOKYO))));
        b.rx(flow, &text.replace(what, by));
        assert_eq!(b.expect(flow, status).header(header), value);
    }
}

/// A ping, two requests and another ping: each is answered in its turn.
#[test]
fn what_a_connection_brings_is_answered_in_order() {
    let mut b = Bench::new();
    let flow = home(TOKYO);
    let text = b.register_text(TOKYO, flow, &Bench::contact(TOKYO, 1), None);
    b.rx(flow, &format!("\r\n\r\n{text}{text}\r\n\r\n"));
    for what in ["\r\n", "401", "401", "\r\n"] {
        b.expect(flow, what);
    }
    b.give(Input::Pong { flow });
    b.quiet();
}

/// A frame is a message: with or without Content-Length, but not with one that is not its own.
#[test]
fn a_web_socket_brings_one_message_a_frame() {
    let mut b = Bench::new();
    for (transport, via) in [(Transport::Ws, "WS"), (Transport::Wss, "WSS")] {
        let flow = Flow {
            transport,
            ..connection(9)
        };
        let text = b.register_text(TOKYO, flow, "sip:box@df7jal23ls0d.invalid;transport=ws", None);
        let text = text.replace("SIP/2.0/TCP ", &format!("SIP/2.0/{via} "));
        let bare = text.replace("Content-Length: 0\r\n", "");
        assert_ne!(text, bare);
        let longer = text.clone() + "x";
        for (text, want) in [(&text, "401"), (&bare, "401"), (&longer, "400")] {
            let bytes = text.as_bytes();
            b.give(Input::Message { flow, bytes });
            b.expect(flow, want);
        }
        let lone = b.register_text(TOKYO, connection(8), "sip:box@192.0.2.1", None);
        let lone = lone.replace("Content-Length: 0\r\n", "");
        let bytes = lone.as_bytes();
        b.give(Input::Message {
            flow: connection(8),
            bytes,
        });
        b.expect(connection(8), "400");
    }
}

#[test]
fn what_is_no_request_is_answered() {
    let mut b = Bench::with(&[TOKYO]);
    // A faulty request, and the connection goes on.
    let flow = connection(9);
    let text = Caller::office(flow, "c1", "0335550001", "0312340001").request("OPTIONS", "o");
    b.rx(flow, &text.replace("CSeq: 1 OPTIONS", "CSeq: 1 INVITE"));
    let refused = b.expect(flow, "400");
    assert!(refused.header("Warning").is_some());
    assert!(!b.closed.contains(&flow));
    assert_eq!(b.pbx.counters().malformed, 1);
}

#[test]
fn connections_that_do_not_register_are_closed() {
    let mut b = Bench::new();
    let flow = connection(9);
    b.rx(flow, "\r\n\r\n");
    b.expect(flow, "\r\n");
    b.wait(9_999);
    assert_eq!(b.closed, []);
    b.rx(flow, "\r\n\r\n");
    b.wait(1);
    assert_eq!(b.closed, [flow]);
    assert_eq!(b.pbx.next_deadline(), None);
}

#[test]
fn a_silent_box_is_away_after_15_seconds() {
    let mut b = Bench::with(&[TOKYO]);
    b.wait_alive(100_000, &[home(TOKYO)]);
    assert_eq!(b.trunks, []);
    b.wait(14_999);
    assert_eq!(b.trunks, []);
    b.wait(1);
    assert_eq!(b.trunks, [(TOKYO, None)]);
    assert_eq!(b.closed, [home(TOKYO)]);
}

#[test]
fn a_registration_that_is_not_refreshed_ends() {
    let mut b = Bench::with(&[TOKYO]);
    b.wait_alive(295_000, &[home(TOKYO)]);
    assert_eq!(b.pbx.trunks().count(), 1);
    b.wait(5_000);
    assert_eq!(b.trunks, [(TOKYO, None)]);
}

#[test]
fn a_box_taken_out_of_the_directory_is_closed() {
    let mut b = Bench::with(&[TOKYO, OSAKA]);
    b.give(Input::Directory(Box::new(Directory::new(
        REALM,
        Vec::<Office>::new(),
        [],
    ))));
    b.trunks.sort();
    assert_eq!(b.trunks, [(TOKYO, None), (OSAKA, None)]);
    assert_eq!(b.pbx.trunks().count(), 0);
    assert_eq!(b.closed.len(), 2);
}

#[test]
fn a_second_connection_of_a_box_replaces_the_first() {
    let mut b = Bench::with(&[TOKYO]);
    b.register(TOKYO, connection(50), 1);
    assert_eq!(b.closed, [home(TOKYO)]);
    // The closing of the old one, heard late, changes nothing.
    b.give(Input::StreamClosed { flow: home(TOKYO) });
    assert_eq!(
        b.pbx.trunks().map(|trunk| trunk.peer).collect::<Vec<_>>(),
        [connection(50).peer]
    );
    let invite = b.ring(&Caller::carrier("c1", "0312340001"), connection(50));
    assert!(invite.uri().starts_with("sip:0312340001@"));
}

#[test]
fn strangers_by_udp_call_nobody() {
    let mut b = Bench::with(&[TOKYO]);
    let stranger = Flow {
        peer: "192.0.2.66:5060".parse().unwrap(),
        ..CARRIER
    };
    b.rx(
        stranger,
        &Caller::carrier("c1", "0312340001").request("INVITE", "i"),
    );
    b.rx(
        stranger,
        &Caller::carrier("c2", "0312340001").request("OPTIONS", "o"),
    );
    b.expect(stranger, "403");
    b.expect(stranger, "200");
    b.quiet();
    assert_eq!(b.pbx.counters().foreign, 2);
    // The carrier itself may ask whether we live, and send what it should not.
    b.rx(
        CARRIER,
        &Caller::carrier("c3", "0312340001").request("OPTIONS", "o"),
    );
    b.expect(CARRIER, "200");
    b.rx(
        CARRIER,
        &Caller::carrier("c4", "0312340001").request("SUBSCRIBE", "s"),
    );
    assert!(b.expect(CARRIER, "405").header("Allow").is_some());
    b.rx(
        CARRIER,
        &Caller::carrier("c5", "0312340001").request("WONDER", "w"),
    );
    b.expect(CARRIER, "501");
    b.rx(CARRIER, "\r\n\r\n");
    b.give(Input::Datagram {
        flow: CARRIER,
        bytes: &[0xff; 1400],
    });
    b.give(Input::Datagram {
        flow: CARRIER,
        bytes: b"INVITE sip:x SIP/2.0\r\n",
    });
    b.quiet();
    assert_eq!(b.pbx.counters().malformed, 2);
    b.nothing_left();
}

#[test]
fn strangers_are_not_told_for_ever_what_is_wrong() {
    let mut b = Bench::with(&[TOKYO]);
    let faulty = |flow: Flow, n: u32| {
        Caller::office(flow, &format!("c{n}"), "0335550001", "0312340001")
            .request("OPTIONS", "o")
            .replace("CSeq: 1 OPTIONS", "CSeq: 1 INVITE")
    };
    let mut stranger = connection(9);
    stranger.peer = "192.0.2.66:40009".parse().unwrap();
    for n in 0..256 {
        b.rx(stranger, &faulty(stranger, n));
        b.expect(stranger, "400");
    }
    assert_eq!(b.closed, []);
    b.rx(stranger, &faulty(stranger, 256));
    b.quiet();
    assert_eq!(b.closed, [stranger]);
    assert_eq!((b.pbx.counters().limited, b.pbx.counters().malformed), (1, 257));
    // A box may be told as often as it asks.
    for n in 0..300 {
        b.rx(home(TOKYO), &faulty(home(TOKYO), n));
        b.expect(home(TOKYO), "400");
    }
}
