//! What is relayed, repeated and refused on the way.

use ::media::relay::Side as End;

use super::*;

/// Which sides' media went to which port since the last time.
fn moves(b: &mut Bench) -> Vec<(End, u16)> {
    let remotes = b.pbx.relays_mut().remotes.drain(..);
    remotes
        .map(|(side, remote, _)| (side, remote.rtp.port()))
        .collect()
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
    carrier.extra = "Require: precondition\r\n".into();
    b.rx(CARRIER, &carrier.request("INVITE", "i"));
    assert_eq!(
        b.expect(CARRIER, "420").header("Unsupported"),
        Some("precondition")
    );
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

#[test]
fn media_moves_when_both_sides_agree() {
    let mut b = Bench::with(&[TOKYO]);
    let mut carrier = Caller::carrier("c1", "0312340001");
    b.talk(&mut carrier, home(TOKYO), PHONE_SDP);
    moves(&mut b);
    let moved = |cseq: u32, port: u16| Caller {
        cseq,
        sdp: CARRIER_SDP
            .replace("1 1 IN", &format!("1 {cseq} IN"))
            .replace("20000", &port.to_string()),
        ..carrier.clone()
    };
    // Refused: the session stays as it was (RFC 3261 §14.1).
    let refused = moved(2, 20_100);
    b.rx(CARRIER, &refused.request("INVITE", "r2"));
    let invite = b.expect(home(TOKYO), "INVITE");
    b.rx(home(TOKYO), &answer(&invite, 488, ""));
    b.expect(home(TOKYO), "ACK");
    b.expect(CARRIER, "488");
    b.rx(CARRIER, &refused.request("ACK", "r2"));
    assert_eq!(moves(&mut b), []);
    // Nor does a later one, whose offer comes with the 200, revive it.
    let asking = Caller {
        sdp: String::new(),
        ..moved(3, 0)
    };
    b.rx(CARRIER, &asking.request("INVITE", "r3"));
    let invite = b.expect(home(TOKYO), "INVITE");
    b.rx(home(TOKYO), &answer(&invite, 200, PHONE_SDP));
    b.expect(CARRIER, "200");
    assert_eq!(moves(&mut b), [], "until the carrier has answered");
    let ack = asking.request("ACK", "r3a").replace(
        "Content-Length: 0\r\n\r\n",
        &format!(
            "Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{CARRIER_SDP}",
            CARRIER_SDP.len()
        ),
    );
    b.rx(CARRIER, &ack);
    b.expect(home(TOKYO), "ACK");
    assert_eq!(moves(&mut b), [(End::B, 4000), (End::A, 20_000)]);
    // Accepted: now, and not earlier.
    let accepted = moved(4, 20_200);
    b.rx(CARRIER, &accepted.request("INVITE", "r4"));
    let invite = b.expect(home(TOKYO), "INVITE");
    assert_eq!(moves(&mut b), []);
    b.rx(home(TOKYO), &answer(&invite, 200, PHONE_SDP));
    b.expect(home(TOKYO), "ACK");
    b.expect(CARRIER, "200");
    b.rx(CARRIER, &accepted.request("ACK", "r4a"));
    assert_eq!(moves(&mut b), [(End::A, 20_200), (End::B, 4000)]);
}

#[test]
fn a_carrier_that_sends_from_another_port_than_it_listens_on() {
    let sends = Flow {
        peer: "203.0.113.9:31999".parse().unwrap(),
        ..CARRIER
    };
    let mut b = Bench::with(&[TOKYO]);
    let mut carrier = Caller {
        flow: sends,
        ..Caller::carrier("c1", "0312340001")
    };
    let invite = b.talk(&mut carrier, home(TOKYO), PHONE_SDP);
    // Answers go where the request came from (it has rport), requests to the trunk's address.
    b.rx(home(TOKYO), &from_callee(&invite, "BYE", 1));
    b.expect(home(TOKYO), "200");
    let bye = b.expect(CARRIER, "BYE");
    b.rx(sends, &answer(&bye, 200, ""));
    b.quiet();
    assert_eq!(b.states().len(), 2);
    b.nothing_left();
    // Outwards, too: it takes the call, and sends its own requests from there.
    let mut phone = Caller::office(home(TOKYO), "c2", "0335550009", "0312340001");
    let invite = b.talk(&mut phone, CARRIER, CARRIER_SDP);
    b.rx(sends, &from_callee(&invite, "OPTIONS", 1));
    assert_eq!(b.seen.remove(0).what(), "200");
    b.rx(home(TOKYO), &Caller { cseq: 2, ..phone }.request("BYE", "b"));
    b.expect(home(TOKYO), "200");
    b.expect(CARRIER, "BYE");
    b.quiet();
}
