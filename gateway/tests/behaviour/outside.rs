//! Calls with the outside, over the line to the cloud.

use std::net::SocketAddr;

use super::office::*;
use gateway::MediaOutput;
use media::g711::Law;
use media::prompt::Prompt;
use shared::IdKey;
use shared::record::{Direction, FinalState};

fn cloud() -> SocketAddr {
    address(CLOUD)
}

/// Phone 0 has called outside and the carrier has answered.
fn talking(o: &mut Office) -> (Dialog, Dialog) {
    let a = Phone::new(0);
    let caller = o.dial(&a, "0665550001", "c1");
    let invite = o.expect(cloud(), "INVITE");
    o.answer(&invite, 100);
    o.answer(&invite, 180);
    o.expect(a.address, "180");
    let callee = o.take(&invite);
    (o.connected(caller), callee)
}

/// R9, R22: the number presented, and who presents it.
#[test]
fn outgoing_with_the_right_caller_id() {
    let shown = "\"Phone 0\" <sip:0312345678@office.example>";
    let hidden = "\"Anonymous\" <sip:anonymous@anonymous.invalid>";
    for (dialled, number, from, privacy) in [
        ("0665550001", "0665550001", shown, None),
        ("06-6555-0001", "0665550001", shown, None),
        ("1860665550001", "0665550001", shown, None),
        ("1840665550001", "0665550001", hidden, Some("id")),
        ("117", "117", shown, None),
    ] {
        let mut o = Office::online(2);
        let a = Phone::new(0);
        let caller = o.dial(&a, dialled, "c1");
        let invite = o.expect(cloud(), "INVITE");
        assert_eq!(invite.uri(), format!("sip:{number}@office.example"));
        assert!(
            invite.header("From").starts_with(&format!("{from};tag=")),
            "{dialled}: {}",
            invite.text
        );
        assert_eq!(invite.header("To"), format!("<sip:{number}@office.example>"));
        // For the cloud alone: which number, and which ID (R9).
        assert_eq!(
            invite.header("P-Asserted-Identity"),
            "<sip:+81312345678@office.example>"
        );
        assert_eq!(invite.header("P-Served-User"), "<sip:0312340000@office.example>");
        assert_eq!(invite.headers("Privacy").next(), privacy, "{dialled}");
        assert!(invite.contact().ends_with(";transport=tcp"), "{}", invite.text);
        o.answer(&invite, 180);
        o.expect(a.address, "180");
        let callee = o.take(&invite);
        let mut caller = o.connected(caller);
        o.wait(2_000);
        o.seen.clear();
        o.hang_up(&mut caller, &callee);
        o.quiet();
        let records = o.records();
        let [first, second] = &records[..] else {
            panic!("{records:?}")
        };
        assert_eq!((first.direction, first.terminal), (Direction::In, IdKey::new(0)));
        assert_eq!(
            (second.direction, second.terminal),
            (Direction::Out, None),
            "a trunk is no terminal"
        );
        let presented = first.presented.map(|number| number.digits().to_string());
        assert_eq!(presented.as_deref(), privacy.is_none().then_some(REP));
        assert_eq!(first.session.to_string(), invite.header("Session-ID"));
        o.nothing_left();
    }
}

/// What a phone says itself (RFC 3323) counts where neither 184 nor 186 is dialled; whoever it says it is, nobody hears.
#[test]
fn a_phone_that_withholds_its_number() {
    for (dialled, line, withheld) in [
        ("0665550001", "Privacy: id", true),
        ("0665550001", "Privacy: user;critical", true),
        ("0665550001", "Privacy: none", false),
        ("0665550001", "Privacy: session", false),
        ("1860665550001", "Privacy: id", false),
        ("1840665550001", "Privacy: none", true),
        (
            "0665550001",
            "P-Asserted-Identity: <sip:+81399999999@office.example>",
            false,
        ),
        (
            "0665550001",
            "Diversion: <sip:+81399999999@office.example>",
            false,
        ),
    ] {
        let mut o = Office::online(2);
        let a = Phone::new(0);
        o.dial_with(&a, dialled, "c1", &format!("{line}\r\n"));
        let invite = o.expect(cloud(), "INVITE");
        assert_eq!(
            invite.headers("Privacy").next(),
            withheld.then_some("id"),
            "{dialled} {line}"
        );
        assert_eq!(
            invite.header("P-Asserted-Identity"),
            "<sip:+81312345678@office.example>"
        );
        assert!(!invite.text.contains("399999999"), "{}", invite.text);
    }
}

/// A call that was sent on: the phones are told by whom.
#[test]
fn incoming_that_was_sent_on() {
    for (line, want) in [
        (
            "Diversion: \"x\" <sip:0312340000@cloud.example>;reason=user-busy;counter=1",
            Some("<sip:0312340000@office.example>;reason=user-busy;counter=1"),
        ),
        ("Diversion: <sip:0312340000@cloud.example>;privacy=full", None),
        ("Diversion: <sip:x@cloud.example>", None),
    ] {
        let mut o = Office::online(1);
        let call = carrier(REP, "k1");
        let line = format!("{line}\r\n");
        o.trunk_rx(call.request("INVITE", "2", &line, OFFER).as_bytes());
        o.expect(cloud(), "100");
        let invite = o.expect(Phone::new(0).address, "INVITE");
        assert_eq!(invite.headers("Diversion").next(), want, "{line}");
        assert!(invite.has("P-Called-Party-ID"));
    }
}

/// The carrier calls; the phones see who and which number; the first to answer has it.
#[test]
fn incoming_rings_the_group() {
    let mut o = Office::online(3);
    let mut carrier = o.carrier_calls(REP, "k1");
    let invites: Vec<Seen> = (0..3)
        .map(|n| o.expect(Phone::new(n).address, "INVITE"))
        .collect();
    o.quiet();
    for invite in &invites {
        assert!(
            invite
                .header("From")
                .starts_with("\"Customer\" <sip:+81665550001@office.example>;tag="),
            "{}",
            invite.text
        );
        assert_eq!(
            invite.header("P-Called-Party-ID"),
            "\"Front desk\" <sip:0312345678@office.example>"
        );
        assert_eq!(invite.header("Session-ID"), "0123456789abcdef0123456789abcdef");
        assert!(
            invite.body().contains("c=IN IP4 198.51.100.1"),
            "the cloud's relay"
        );
        o.answer(invite, 180);
    }
    o.expect(cloud(), "180");
    let callee = o.take(&invites[2]);
    let ok = o.expect(cloud(), "200");
    assert!(ok.body().contains("c=IN IP4 192.168.1.12"));
    carrier = carrier.confirmed(&ok);
    o.send(&carrier, "ACK", "ack");
    for loser in &invites[..2] {
        let cancel = o.expect(loser.peer, "CANCEL");
        assert_eq!(
            cancel.header("Reason"),
            "SIP;cause=200;text=\"Call completed elsewhere\""
        );
        o.reply(&cancel, &answer(&cancel, 200, ""));
        o.reply(loser, &answer(loser, 487, ""));
        o.expect(loser.peer, "ACK");
    }
    o.quiet();
    o.hang_up(&mut carrier, &callee);
    o.quiet();
    let records = o.records();
    let legs: Vec<_> = records.iter().map(|r| (r.leg, r.terminal, r.state)).collect();
    let answered = FinalState::Answered;
    assert_eq!(legs, [(0, None, answered), (1, IdKey::new(2), answered)]);
    assert_eq!(records[0].session.to_string(), "0123456789abcdef0123456789abcdef");
    assert_eq!(records[0].presented.unwrap().digits().to_string(), "0665550001");
    o.nothing_left();
}

/// Whatever a caller calls itself, the phones get well-formed lines, and nothing of the caller's making among them.
#[test]
fn hostile_names() {
    let long = format!("\"{}\" <sip:06@x>", "あ".repeat(100));
    for (from, shown) in [
        (
            "\"a\\\"b\" <sip:%0d%0aEvil%3a%20x@x>",
            "\"a\\\"b\" <sip:Evilx@office.example>",
        ),
        ("<sip:%3e;x@x>", "<sip:anonymous@office.example>"),
        ("<sip:x.example>", "<sip:anonymous@office.example>"),
        (long.as_str(), "<sip:06@office.example>"),
    ] {
        let mut o = Office::online(2);
        let mut call = carrier("0312340001", "k1");
        call.own = format!("{from};tag=t");
        o.trunk_rx(call.request("INVITE", "2", "", OFFER).as_bytes());
        let invite = o.expect(Phone::new(1).address, "INVITE");
        assert!(!invite.text.contains("\r\nEvil"), "{}", invite.text);
        let value = invite.header("From");
        assert!(value.contains(&format!("{shown};tag=")), "{value}");
    }
}

#[test]
fn incoming_to_a_direct_number_rings_one_phone() {
    let mut o = Office::online(3);
    for (call, number) in ["0312340001", "+81312340001"].into_iter().enumerate() {
        let carrier = o.carrier_calls(number, &format!("k{call}"));
        let invite = o.expect(Phone::new(1).address, "INVITE");
        o.quiet();
        o.answer(&invite, 486);
        o.expect(invite.peer, "ACK");
        o.refused(&carrier, "486");
    }
    // A number of somebody else's.
    let stray = carrier("0399990000", "k9");
    o.trunk_rx(stray.request("INVITE", "2", "", OFFER).as_bytes());
    o.refused(&stray, "404");
    o.quiet();
    o.nothing_left();
}

#[test]
fn incoming_cancelled_and_hung_up() {
    let mut o = Office::online(2);
    let carrier = o.carrier_calls("0312340001", "k1");
    let invite = o.expect(Phone::new(1).address, "INVITE");
    o.answer(&invite, 180);
    o.expect(cloud(), "180");
    o.send(&carrier, "CANCEL", "2");
    o.expect(cloud(), "200");
    o.refused(&carrier, "487");
    let cancel = o.expect(invite.peer, "CANCEL");
    o.reply(&cancel, &answer(&cancel, 200, ""));
    o.reply(&invite, &answer(&invite, 487, ""));
    o.expect(invite.peer, "ACK");
    o.quiet();
    // Answered by an app: the cloud says so, and this office's phones show no missed call.
    let carrier = o.carrier_calls("0312340001", "k2");
    let invite = o.expect(Phone::new(1).address, "INVITE");
    o.answer(&invite, 180);
    o.expect(cloud(), "180");
    let elsewhere = "Reason: SIP;cause=200;text=\"Call completed elsewhere\"\r\n";
    o.trunk_rx(carrier.request("CANCEL", "2", elsewhere, "").as_bytes());
    let cancel = o.expect(invite.peer, "CANCEL");
    assert_eq!(
        cancel.header("Reason"),
        "SIP;cause=200;text=\"Call completed elsewhere\""
    );
    o.seen.clear();
    o.nothing_left();
}

/// What the cloud says is what the phone hears.
#[test]
fn outgoing_refused_by_the_cloud() {
    let no_channel = "Q.850;cause=34;text=\"No channel available\"";
    for (said, reason, heard, state) in [
        ("486", None, "486", FinalState::Busy),
        ("486", Some("Q.850;cause=17"), "486", FinalState::Busy),
        ("486", Some(no_channel), "486", FinalState::ChannelLimit),
        ("404", Some("Q.850;cause=1"), "404", FinalState::Refused(404)),
        ("401", None, "500", FinalState::Refused(500)),
        ("302", None, "500", FinalState::Refused(500)),
    ] {
        let mut o = Office::online(1);
        let a = Phone::new(0);
        let caller = o.dial(&a, "0665550001", "c1");
        let invite = o.expect(cloud(), "INVITE");
        let extra = reason.map_or(String::new(), |reason| format!("Reason: {reason}\r\n"));
        let text = answer(&invite, said.parse().unwrap(), "")
            .replace("Content-Length", &format!("{extra}Content-Length"));
        o.reply(&invite, &text);
        o.expect(cloud(), "ACK");
        let refusal = o.refused(&caller, heard);
        if reason == Some(no_channel) {
            assert_eq!(refusal.header("Reason"), no_channel);
        }
        assert_eq!(o.records()[0].state, state, "{said} {reason:?}");
        o.nothing_left();
    }
}

/// R15: while the line is up the cloud counts the calls. While it is down the box does, and one that would be too many hears
/// why and is refused with the cause.
#[test]
fn more_than_the_channels() {
    let mut o = Office::new(&site(2, 2));
    (0..2).for_each(|n| drop(o.register(&Phone::new(n))));
    o.connect();
    o.events.clear();
    talking(&mut o);
    o.carrier_calls("0312340001", "k1");
    let ringing = o.expect(Phone::new(1).address, "INVITE");
    o.answer(&ringing, 180);
    o.expect(cloud(), "180");
    // Two channels, two calls. Another one, and 119, are the cloud's to judge; inside calls need none.
    for (to, call_id) in [("0665550003", "c2"), ("119", "c3")] {
        let more = o.dial(&Phone::new(1), to, call_id);
        let invite = o.expect(cloud(), "INVITE");
        assert_eq!(invite.uri(), format!("sip:{to}@office.example"));
        o.answer(&invite, 180);
        o.expect(more.peer, "180");
        o.send(&more, "CANCEL", "2");
        o.answer(&invite, 487);
        o.seen.clear();
    }
    let inside = o.dial(&Phone::new(1), "200", "c4");
    o.expect(Phone::new(0).address, "INVITE");
    o.send(&inside, "CANCEL", "2");
    o.close();
    o.records();
    o.seen.clear();
    o.media.clear();
    let at = o.now;
    let third = o.dial(&Phone::new(1), "0665550003", "c5");
    let progress = o.expect(third.peer, "183");
    assert_eq!(progress.at, at);
    let no_channel = "Q.850;cause=34;text=\"No channel available\"";
    assert_eq!(progress.header("Reason"), no_channel);
    assert!(
        progress.body().contains("c=IN IP4 192.168.1.1\r\n")
            && progress.body().contains("m=audio 16384 RTP/AVP 0\r\n")
    );
    let play = MediaOutput::Play {
        player: 0,
        to: address("192.168.1.11:4000"),
        law: Law::Pcmu,
        prompt: Prompt::ChannelsBusy,
        times: 2,
    };
    assert_eq!(o.media.pop_front(), Some(play));
    o.wait(3_000);
    o.seen.clear();
    o.handle(gateway::Input::Played { player: 0 });
    let refusal = o.refused(&third, "486");
    assert_eq!(refusal.header("Reason"), no_channel);
    let record = o.records().pop().unwrap();
    assert_eq!((record.state, record.status), (FinalState::ChannelLimit, 486));
}

/// R23: another number for one call, one of the terminal's own.
#[test]
fn a_caller_id_for_one_call() {
    let mut o = Office::online(1);
    let phone = Phone::new(0);
    let wished = o.dial(&phone, "*00665550001", "c1");
    let invite = o.expect(cloud(), "INVITE");
    assert_eq!(
        invite.header("P-Asserted-Identity"),
        "<sip:+81312340000@office.example>"
    );
    o.answer(&invite, 180);
    o.expect(wished.peer, "180");
    let none = o.dial_only(&phone, "*90665550001", "c2");
    assert_eq!(
        o.refused(&none, "403").header("Reason"),
        "Q.850;cause=21;text=\"Not in so many groups (R22)\""
    );
}

/// A forged datagram cannot place an emergency call: who sends it must have heard our challenge.
#[test]
fn a_forged_emergency_call_gets_nothing_but_a_challenge() {
    let mut o = Office::online(1);
    let victim = Phone::new(0);
    let forged = victim.calls("119", "f1").request("INVITE", "1", "", OFFER);
    o.rx(victim.address, &forged);
    o.expect(victim.address, "407");
    o.quiet();
    assert_eq!(o.usage().calls, 0);
}
