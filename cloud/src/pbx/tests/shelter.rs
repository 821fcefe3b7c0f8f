//! Calls of and to phones that the cloud has taken in.

use super::*;

const ONE: &str = "0312340001";
const TWO: &str = "0312340002";

/// A group rings at every phone that is here, one answers, and the records know which.
#[test]
fn a_call_from_outside_is_answered() {
    let mut b = Bench::new();
    let (one, two) = (b.desk(1, ONE), b.desk(2, TWO));
    let mut caller = Caller::carrier("c1", "0312340000");
    b.rx(CARRIER, &caller.request("INVITE", "i"));
    b.expect(CARRIER, "100");
    let invites = [one.flow, two.flow].map(|flow| b.expect(flow, "INVITE"));
    b.quiet();
    for (invite, user) in invites.iter().zip([ONE, TWO]) {
        assert_eq!(invite.uri(), format!("sip:{user}@192.168.1.20:5060"));
        assert_eq!(invite.header("To"), Some("<sip:0312340000@pbx.example>"));
        assert!(
            invite
                .header("From")
                .unwrap()
                .contains("sip:0335550001@pbx.example")
        );
        assert!(
            invite.body().contains("203.0.113.1"),
            "media by our relay: {}",
            invite.body()
        );
    }
    b.rx(one.flow, &answer(&invites[0], 180, ""));
    b.expect(CARRIER, "180");
    b.rx(two.flow, &answer(&invites[1], 200, PHONE_SDP));
    b.expect(two.flow, "ACK");
    caller.to_tag = b.expect(CARRIER, "200").tag("To");
    b.rx(CARRIER, &caller.request("ACK", "a"));
    let cancel = b.expect(one.flow, "CANCEL");
    assert!(cancel.header("Reason").unwrap().contains("cause=200"));
    b.rx(one.flow, &answer(&cancel, 200, ""));
    b.rx(one.flow, &answer(&invites[0], 487, ""));
    b.expect(one.flow, "ACK");
    // Behind a translator it is heard from wherever its signalling comes.
    let (.., signalling) = b.pbx.relays_mut().remotes.last().copied().unwrap();
    assert_eq!(signalling, two.flow.peer.ip());
    assert_eq!(b.pbx.channels_used(CONTRACT), 1);
    b.hang_up(&caller, two.flow);
    let terminals: Vec<_> = b.records.iter().map(|(_, leg)| leg.terminal).collect();
    assert_eq!(terminals, [None, IdKey::new(11)]);
    assert_eq!(b.states()[1], (1, FinalState::Answered, 200));
    b.nothing_left();
}

/// The digits, who the carrier is told calls, and whether that is to be shown.
#[test]
fn calls_outside_present_what_they_may() {
    let mut yamada = yamada();
    yamada.site.sys.outside_prefix = Some(0);
    for (dialled, presented, shown) in [
        ("0335550001", ONE, true),
        ("00335550001", ONE, true),
        ("1840335550001", ONE, false),
        ("*10335550001", "0312340000", true),
        ("%2A00335550001", ONE, true),
    ] {
        let mut b = Bench::new();
        b.give(Input::Directory(Box::new(with(yamada.clone()))));
        let desk = b.desk(1, ONE);
        let mut caller = b.dials(&desk, "c1", dialled);
        b.expect(desk.flow, "100");
        let invite = b.expect(CARRIER, "INVITE");
        assert_eq!(invite.uri(), "sip:+81335550001@203.0.113.9:5060", "{dialled}");
        let e164 = number(presented).e164().to_string();
        assert!(
            invite.header("P-Asserted-Identity").unwrap().contains(&e164),
            "{dialled}"
        );
        assert_eq!(invite.header("From").unwrap().contains(&e164), shown, "{dialled}");
        assert_eq!(invite.header("Privacy").is_none(), shown);
        b.rx(CARRIER, &answer(&invite, 200, CARRIER_SDP));
        b.expect(CARRIER, "ACK");
        caller.to_tag = b.expect(desk.flow, "200").tag("To");
        b.rx(desk.flow, &caller.request("ACK", "a"));
        assert_eq!(b.pbx.channels_used(CONTRACT), 1);
        assert_eq!(b.pbx.live().next().unwrap().terminal, IdKey::new(10));
        let bye = Caller {
            cseq: 3,
            ..caller.clone()
        };
        b.rx(desk.flow, &bye.request("BYE", "b"));
        b.expect(desk.flow, "200");
        let bye = b.expect(CARRIER, "BYE");
        b.rx(CARRIER, &answer(&bye, 200, ""));
        assert_eq!(b.records[0].1.terminal, IdKey::new(10));
        b.nothing_left();
    }
}

/// What a phone dials, the answer, and the cause of Q.850 in it. Announcements are refusals on this bench.
#[test]
fn what_is_not_called() {
    for (dialled, status, cause) in [
        ("299", "404", 1),
        ("**211", "404", 69),
        ("**01", "404", 69),
        ("0990123456", "403", 21),
        ("0101234567", "403", 21),
        ("03", "484", 28),
        ("0", "484", 28),
    ] {
        let mut b = Bench::new();
        let desk = b.desk(1, ONE);
        let caller = b.dials(&desk, "c1", dialled);
        if b.seen.first().is_some_and(|seen| seen.what() == "100") {
            b.expect(desk.flow, "100");
        }
        let refused = b.expect(desk.flow, status);
        let reason = refused.header("Reason").unwrap_or_default();
        assert!(reason.contains(&format!("cause={cause};")), "{dialled}: {reason}");
        b.rx(desk.flow, &caller.request("ACK", "j"));
        b.quiet();
        b.nothing_left();
    }
}

/// An emergency call goes with the number that is never withheld, whatever stands in front, and the authority calls back to that
/// very phone.
#[test]
fn emergency_calls_and_the_call_back() {
    for dialled in ["119", "184119", "0119"] {
        let mut b = Bench::new();
        let (one, two) = (b.desk(1, ONE), b.desk(2, TWO));
        let mut caller = b.dials(&one, "c1", dialled);
        b.expect(one.flow, "100");
        let invite = b.expect(CARRIER, "INVITE");
        assert_eq!(invite.uri(), "sip:119@203.0.113.9:5060");
        assert!(invite.header("From").unwrap().contains("+81312340001"));
        b.rx(CARRIER, &answer(&invite, 200, CARRIER_SDP));
        b.expect(CARRIER, "ACK");
        caller.to_tag = b.expect(one.flow, "200").tag("To");
        b.rx(one.flow, &caller.request("ACK", "a"));
        let bye = from_callee(&invite, "BYE", 1);
        b.rx(CARRIER, &bye);
        b.expect(CARRIER, "200");
        let bye = b.expect(one.flow, "BYE");
        b.rx(one.flow, &answer(&bye, 200, ""));
        // To the number that was presented.
        b.rx(CARRIER, &Caller::carrier("c2", ONE).request("INVITE", "k"));
        b.expect(CARRIER, "100");
        assert_eq!(
            b.expect(one.flow, "INVITE").header("Priority"),
            Some("psap-callback")
        );
        b.quiet();
        drop(two);
    }
}

/// By extension and by number, to a phone here and to one at a box of another site; no channel is taken.
#[test]
fn calls_inside() {
    let mut b = Bench::with(&[OSAKA]);
    let (one, two) = (b.desk(1, ONE), b.desk(2, TWO));
    for (n, (dialled, flow, seen)) in [
        ("211", two.flow, "211"),
        ("211#", two.flow, "211"),
        (TWO, two.flow, TWO),
        ("220", home(OSAKA), "220"),
        ("0663000001", home(OSAKA), "0663000001"),
    ]
    .into_iter()
    .enumerate()
    {
        let mut caller = b.dials(&one, &format!("c{n}"), &dialled.replace('#', "%23"));
        b.expect(one.flow, "100");
        let invite = b.expect(flow, "INVITE");
        assert_eq!(
            invite.header("From").unwrap().split(';').next(),
            Some("\"desk\" <sip:210@pbx.example>")
        );
        assert_eq!(
            invite.header("To"),
            Some(format!("<sip:{seen}@pbx.example>").as_str())
        );
        b.rx(flow, &answer(&invite, 200, PHONE_SDP));
        b.expect(flow, "ACK");
        caller.to_tag = b.expect(one.flow, "200").tag("To");
        b.rx(one.flow, &caller.request("ACK", "a"));
        assert_eq!(b.pbx.channels_used(CONTRACT), 0);
        let caller = Caller { cseq: 3, ..caller };
        // A transfer is refused, and changes nothing.
        let refer = caller.request("REFER", "r");
        let refer = refer.replace(
            "Content-Length",
            "Refer-To: <sip:220@pbx.example>\r\nContent-Length",
        );
        b.rx(one.flow, &refer);
        assert!(
            !b.expect(one.flow, "405")
                .header("Allow")
                .unwrap()
                .contains("REFER")
        );
        let caller = Caller { cseq: 4, ..caller };
        b.rx(one.flow, &caller.request("BYE", "b"));
        b.expect(one.flow, "200");
        let bye = b.expect(flow, "BYE");
        b.rx(flow, &answer(&bye, 200, ""));
        b.quiet();
    }
    // The group: everybody but the caller, each once.
    b.dials(&one, "g", "0312340000");
    b.expect(one.flow, "100");
    b.expect(two.flow, "INVITE");
    b.expect(home(OSAKA), "INVITE");
    b.quiet();
}

#[test]
fn channels_are_the_contracts() {
    let mut b = Bench::new();
    let (one, two) = (b.desk(1, ONE), b.desk(2, TWO));
    for (n, desk) in [&one, &two].into_iter().enumerate() {
        b.dials(desk, &format!("c{n}"), "0335550001");
        b.expect(desk.flow, "100");
        b.expect(CARRIER, "INVITE");
    }
    b.dials(&one, "c2", "0335550001");
    b.expect(one.flow, "100");
    b.expect(one.flow, "486");
    b.rx(CARRIER, &Caller::carrier("c3", TWO).request("INVITE", "i"));
    b.expect(CARRIER, "100");
    b.expect(CARRIER, "486");
    assert_eq!(b.pbx.counters().channels, 2);
}

/// Whose credentials do not belong to where they come from calls nobody; a repetition is known.
#[test]
fn each_call_is_proved() {
    let mut b = Bench::new();
    let (one, two) = (b.desk(1, ONE), b.desk(2, TWO));
    let stranger = Desk::new(nat(9), ONE);
    b.rx(nat(9), &stranger.call("c0", "211", None).request("INVITE", "i"));
    b.expect(nat(9), "403");
    // Right for another phone, from this one's address.
    let theft = Desk {
        flow: one.flow,
        ..two.clone()
    };
    b.dials(&theft, "c1", "0335550001");
    b.expect(one.flow, "403");
    // Wrong ones.
    let first = one.call("c2", "0335550001", None);
    b.rx(one.flow, &first.request("INVITE", "i"));
    let challenge = b.expect(one.flow, "407");
    let wrong = challenge.text.replace("qop=\"auth\"", "qop=\"auth\", x=y");
    let mut caller = one.call(
        "c2",
        "0335550001",
        Some(Seen {
            text: wrong,
            ..challenge
        }),
    );
    caller.extra = caller.extra.replace("response=\"", "response=\"0");
    b.rx(one.flow, &caller.request("INVITE", "j"));
    b.expect(one.flow, "403");
    b.quiet();
    assert_eq!(b.pbx.usage(), Default::default());
    // The INVITE again because its 100 was lost.
    let caller = b.dials(&one, "c3", "0335550001");
    b.expect(one.flow, "100");
    b.expect(CARRIER, "INVITE");
    b.rx(one.flow, &caller.request("INVITE", "j"));
    b.expect(one.flow, "100");
    b.quiet();
    // The same credentials for another call.
    let again = Caller {
        id: "c4".into(),
        ..caller
    };
    b.rx(one.flow, &again.request("INVITE", "k"));
    assert!(b.expect(one.flow, "407").text.contains("stale=true"));
    // Lamps and messages there are not, and nothing is remembered of it.
    for (method, status) in [
        ("SUBSCRIBE", "405"),
        ("PUBLISH", "405"),
        ("MESSAGE", "405"),
        ("WONDER", "501"),
        ("OPTIONS", "200"),
    ] {
        let before = b.pbx.usage();
        b.rx(one.flow, &one.call("s", "211", None).request(method, method));
        assert!(b.expect(one.flow, status).header("Allow").is_some(), "{method}");
        assert_eq!(b.pbx.usage(), before);
    }
}

/// A phone goes home while it talks: its registration here ends, its call does not, and it hangs up.
#[test]
fn a_call_outlives_its_registration() {
    for unregisters in [true, false] {
        let mut b = Bench::new();
        let mut desk = b.desk(1, ONE);
        let mut caller = Caller::carrier("c1", ONE);
        let invite = b.talk(&mut caller, desk.flow, PHONE_SDP);
        b.register(TOKYO, home(TOKYO), 1);
        if unregisters {
            b.asks(&mut desk, "Contact: *\r\nExpires: 0\r\n", &phone_password(ONE));
        }
        for _ in 0..26 {
            b.wait_alive(5_000, &[home(TOKYO)]);
            if let Some(place) = b.seen.iter().position(|seen| seen.what() == "OPTIONS") {
                let asked = b.seen.remove(place);
                b.rx(asked.flow, &answer(&asked, 200, ""));
            }
        }
        assert_eq!((b.pbx.phones().count(), b.pbx.live().count()), (0, 1));
        b.seen.clear();
        let moved = nat(77);
        let bye = from_callee(&invite, "BYE", 7);
        b.rx(moved, &bye.replace("BYE7\r", "BYE7;rport\r"));
        b.expect(moved, "200");
        let bye = b.expect(CARRIER, "BYE");
        b.rx(CARRIER, &answer(&bye, 200, ""));
        b.nothing_left();
    }
}

/// A translator gives the phone another port: with its next registration its call goes on there.
#[test]
fn a_call_moves_with_its_phone() {
    let mut b = Bench::new();
    let mut desk = b.desk(1, ONE);
    let mut caller = Caller::carrier("c1", ONE);
    b.talk(&mut caller, desk.flow, PHONE_SDP);
    desk.flow = nat(5);
    b.rx(nat(5), &desk.register("", None));
    let challenge = b.expect(nat(5), "401");
    let contact = format!("Contact: {}\r\n", desk.contact());
    let text = desk.register(&contact, Some((challenge, &phone_password(ONE))));
    b.rx(nat(5), &text);
    b.expect(nat(5), "200");
    let asked = b.expect(nat(5), "OPTIONS");
    b.rx(nat(5), &answer(&asked, 200, ""));
    b.hang_up(&caller, nat(5));
    b.nothing_left();
}

/// The box comes back while its phones ring here, and the call goes on to others: no phone rings a second time.
#[test]
fn nobody_rings_twice() {
    let mut yamada = yamada();
    let one = &mut yamada.site.ids[0];
    (one.direct, one.outgoing) = (number("05012340001"), number("05012340001"));
    yamada.secrets.insert(one.key, phone_secret("05012340001"));
    let mut b = Bench::new();
    b.give(Input::Directory(Box::new(with(yamada))));
    let (one, two) = (b.desk(1, "05012340001"), b.desk(2, TWO));
    // An emergency call that presents the group's number: the call back rings one phone first and all later.
    let mut caller = b.dials(&one, "c1", "119");
    b.expect(one.flow, "100");
    let invite = b.expect(CARRIER, "INVITE");
    b.rx(CARRIER, &answer(&invite, 200, CARRIER_SDP));
    b.expect(CARRIER, "ACK");
    caller.to_tag = b.expect(one.flow, "200").tag("To");
    b.rx(one.flow, &caller.request("ACK", "a"));
    b.rx(CARRIER, &from_callee(&invite, "BYE", 1));
    b.expect(CARRIER, "200");
    let bye = b.expect(one.flow, "BYE");
    b.rx(one.flow, &answer(&bye, 200, ""));
    b.rx(
        CARRIER,
        &Caller::carrier("c2", "0312340000").request("INVITE", "k"),
    );
    b.expect(CARRIER, "100");
    let ringing = b.expect(one.flow, "INVITE");
    b.rx(one.flow, &answer(&ringing, 180, ""));
    b.expect(CARRIER, "180");
    b.quiet();
    b.register(TOKYO, home(TOKYO), 2);
    b.wait_alive(60_000, &[home(TOKYO)]);
    assert_eq!(b.pbx.live().count(), 1);
    let rung: Vec<_> = b.seen.iter().filter(|seen| seen.what() == "INVITE").collect();
    assert!(rung.is_empty(), "{rung:?}");
    drop(two);
}
