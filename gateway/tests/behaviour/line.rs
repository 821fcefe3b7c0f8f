//! The line to the cloud: registered, watched, cut, back again.

use std::net::SocketAddr;

use super::office::*;
use gateway::link::Mode;
use gateway::office::Subnet;
use gateway::{Input, MediaOutput, Network, TrunkInput};
use media::prompt::Prompt;
use shared::record::FinalState;
use shared::sync::{Alarm, EventBody};

fn cloud() -> SocketAddr {
    address(CLOUD)
}

fn mode(o: &Office) -> Mode {
    o.gateway.link().mode()
}

fn unreachable(raised: bool) -> EventBody {
    EventBody::Alarm {
        alarm: Alarm::CloudUnreachable,
        raised,
    }
}

/// RFC 6140: one registration for all numbers, with the box's own digest.
#[test]
fn the_trunk_registers_and_refreshes() {
    let mut o = Office::new(&site(1, 8));
    assert_eq!(o.cloud.connects, 1, "as soon as there is a network");
    o.cloud.registers = false;
    o.cloud.reachable = true;
    o.until(20_000, |o| !o.seen.is_empty());
    let first = o.expect(cloud(), "REGISTER");
    assert_eq!(first.uri(), "sip:trunk.example");
    assert_eq!(
        first.header("From").split(";tag=").next(),
        Some(first.header("To"))
    );
    assert!(!first.has("Authorization"));
    let contact = first.header("Contact").to_owned();
    assert!(
        contact.contains(";transport=tcp;bnc>;") && contact.contains(";boot=2;"),
        "{contact}"
    );
    let challenge = "WWW-Authenticate: Digest realm=\"trunk.example\", nonce=\"abc\", algorithm=SHA-256, qop=\"auth\"\r\n";
    let challenged = answer(&first, 401, "").replace("Content-Length", &format!("{challenge}Content-Length"));
    o.trunk_rx(challenged.as_bytes());
    let second = o.expect(cloud(), "REGISTER");
    o.check_register(&second);
    assert_eq!(
        (second.cseq(), second.header("Call-ID")),
        (first.cseq() + 1, first.header("Call-ID"))
    );
    assert_eq!(mode(&o), Mode::Down, "not before it is accepted");
    let granted = contact.replace("expires=300", "expires=100");
    let accepted =
        answer(&second, 200, "").replace("Content-Length", &format!("Contact: {granted}\r\nContent-Length"));
    o.trunk_rx(accepted.as_bytes());
    assert_eq!(mode(&o), Mode::Probation);
    // The refresh comes before the end of what was granted, not of what was asked for.
    o.cloud.registers = true;
    let (at, registered, connects) = (o.now, o.cloud.registered, o.cloud.connects);
    o.until(100_000, |o| o.cloud.registered > registered);
    assert!((60_000..90_000).contains(&(o.now - at)), "{} ms", o.now - at);
    assert_eq!(
        (o.cloud.connects, mode(&o)),
        (connects, Mode::Up),
        "on the same connection"
    );
}

const CHALLENGE: &str =
    "WWW-Authenticate: Digest realm=\"trunk.example\", nonce=\"abc\", algorithm=SHA-256, qop=\"auth\"\r\n";

/// The answer to a REGISTER of the box, with these further lines.
fn say(o: &mut Office, register: &Seen, status: u16, lines: &str) {
    let text = answer(register, status, "").replace("Content-Length", &format!("{lines}Content-Length"));
    o.trunk_rx(text.as_bytes());
}

/// An office whose box has sent its first REGISTER, which the test answers.
fn asking() -> (Office, Seen) {
    let mut o = Office::new(&site(1, 8));
    o.cloud.registers = false;
    o.cloud.reachable = true;
    o.until(20_000, |o| !o.seen.is_empty());
    let first = o.expect(cloud(), "REGISTER");
    (o, first)
}

/// RFC 5626 §4.5: a refusal is followed by 30 to 60 s, then twice as long and so on, half an hour at most.
#[test]
fn a_wrong_secret_is_tried_with_growing_pauses() {
    let (mut o, mut register) = asking();
    let mut last: Option<u64> = None;
    for refusal in 0..8 {
        if let Some(last) = last.replace(o.now) {
            let longest = (60_000u64 << (refusal - 1)).min(1_800_000);
            let pause = o.now - last;
            assert!(
                (longest / 2..=longest + 200).contains(&pause),
                "{refusal}: {pause} ms"
            );
        }
        assert!(!register.has("Authorization"));
        say(&mut o, &register, 401, CHALLENGE);
        let second = o.expect(cloud(), "REGISTER");
        o.check_register(&second);
        // Once without and once with credentials on each connection, and then it is closed.
        say(&mut o, &second, 401, CHALLENGE);
        assert!(!o.cloud.connected);
        assert_eq!(
            (o.gateway.trunk_counters().refused, mode(&o)),
            (refusal + 1, Mode::Down)
        );
        // The network that comes back does not bring it back earlier.
        o.handle(gateway::Input::Network(gateway::Network::Down));
        let subnet = Subnet::host([192, 168, 1, 1].into());
        o.handle(gateway::Input::Network(gateway::Network::Up(subnet)));
        o.until(1_801_000, |o| !o.seen.is_empty());
        register = o.expect(cloud(), "REGISTER");
    }
}

/// (status, lines of the answer, earliest and latest next REGISTER in ms)
#[test]
fn a_cloud_that_refuses_says_how_long() {
    for (status, lines, range) in [
        (503, "Retry-After: 5\r\n", 5_000..=6_300),
        (503, "Retry-After: 300 (maintenance)\r\n", 300_000..=375_100),
        (403, "Retry-After: 7\r\n", 7_000..=8_800),
        (503, "Retry-After: 99999999\r\n", 3_600_000..=4_500_100),
        (503, "Retry-After: soon\r\n", 30_000..=60_100),
        (403, "", 30_000..=60_100),
        (439, "", 30_000..=60_100),
    ] {
        let (mut o, register) = asking();
        let at = o.now;
        say(&mut o, &register, status, lines);
        assert!(!o.cloud.connected);
        o.until(4_600_000, |o| !o.seen.is_empty());
        assert!(
            range.contains(&(o.now - at)),
            "{status} {lines}: {} ms",
            o.now - at
        );
        // Accepted, all is forgotten.
        let register = o.expect(cloud(), "REGISTER");
        say(&mut o, &register, 200, "");
        o.close();
        o.until(2_000, |o| !o.seen.is_empty());
    }
}

/// A proxy may ask too; a nonce that was too old is no wrong password; a lifetime that is too short is made longer.
#[test]
fn what_a_registration_may_take() {
    let (mut o, register) = asking();
    say(&mut o, &register, 407, &CHALLENGE.replace("WWW", "Proxy"));
    let second = o.expect(cloud(), "REGISTER");
    assert!(second.has("Proxy-Authorization") && !second.has("Authorization"));
    say(
        &mut o,
        &second,
        407,
        &CHALLENGE
            .replace("WWW", "Proxy")
            .replace("\"abc\"", "\"def\", stale=true"),
    );
    let third = o.expect(cloud(), "REGISTER");
    assert!(third.header("Proxy-Authorization").contains("nonce=\"def\""));
    say(&mut o, &third, 423, "Min-Expires: 900\r\n");
    let fourth = o.expect(cloud(), "REGISTER");
    let contact = fourth.header("Contact");
    assert!(
        contact.ends_with(";expires=900") && !fourth.has("Proxy-Authorization"),
        "{contact}"
    );
    assert!(
        contact.contains(";+sip.instance=\"<urn:uuid:00000000-0000-8000-8000-00000000004d>\";reg-id=1;"),
        "{contact}"
    );
    assert_eq!(
        (
            fourth.header("Require"),
            fourth.header("Proxy-Require"),
            fourth.header("Supported")
        ),
        ("gin", "gin", "gin, outbound, path")
    );
    // Of several flows it finds its own.
    let other = contact
        .replace("192.168.1.1", "192.168.1.2")
        .replace("expires=900", "expires=60");
    let lines = format!("Contact: {other}\r\nContact: {contact}\r\n");
    say(&mut o, &fourth, 200, &lines);
    assert_eq!(mode(&o), Mode::Probation);
    let at = o.now;
    o.until(1_000_000, |o| !o.seen.is_empty());
    assert!((700_000..=720_100).contains(&(o.now - at)), "{}", o.now - at);
}

/// RFC 3608: what the cloud wants calls to go through; phones see nothing of it.
#[test]
fn a_service_route_goes_with_calls_to_the_cloud() {
    let (long, route) = ("x".repeat(130), "<sip:edge1.example;lr>, <sip:edge2.example;lr>");
    let (mut o, register) = asking();
    say(
        &mut o,
        &register,
        200,
        "Service-Route: <sip:edge1.example;lr>\r\nService-Route: <sip:edge2.example;lr>\r\n",
    );
    let a = Phone::new(0);
    let ok = o.register(&a);
    assert!(!ok.text.contains("edge1"), "{}", ok.text);
    let follows = sip::b2bua::ROUTE_MAX != 0;
    o.dial(&a, "0312349999", "c1");
    let invite = o.expect(cloud(), "INVITE");
    assert_eq!(invite.headers("Route").next(), follows.then_some(route));
    // One that is too long is not followed; without one there is none.
    for lines in [format!("Service-Route: <sip:{long};lr>\r\n"), String::new()] {
        o.until(300_000, |o| o.seen.iter().any(|seen| seen.what() == "REGISTER"));
        let register = loop {
            let seen = o.seen.pop_front().unwrap();
            if seen.what() == "REGISTER" {
                break seen;
            }
        };
        say(&mut o, &register, 200, &lines);
        o.register(&a);
        o.dial(&a, "0312349999", "c2");
        assert!(!o.expect(cloud(), "INVITE").has("Route"));
    }
}

/// Pings every 3 s; one miss is suspicious, three mean that the line is gone.
#[test]
fn pings_that_go_unanswered() {
    let mut o = Office::online(1);
    o.wait(60_000);
    assert_eq!(mode(&o), Mode::Up);
    let pings = o.cloud.pings;
    o.wait(30_000);
    assert_eq!(o.cloud.pings - pings, 10);
    o.cut();
    let mut seen = Vec::new();
    let cut = o.now;
    while o.now < cut + 15_000 {
        if seen.last().is_none_or(|(_, last)| *last != mode(&o)) {
            seen.push((o.now - cut, mode(&o)));
        }
        o.wait(100);
    }
    let modes: Vec<Mode> = seen.iter().map(|(_, mode)| *mode).collect();
    assert_eq!(modes, [Mode::Up, Mode::Suspect, Mode::Down]);
    assert!(
        seen[1].0 <= 6_100 && (9_000..=12_100).contains(&seen[2].0),
        "{seen:?}"
    );
    assert!(o.events.contains(&unreachable(true)));
    // Back: on probation first, and then up.
    o.events.clear();
    o.cloud.reachable = true;
    o.until(22_000, |o| mode(o) != Mode::Down);
    assert_eq!(mode(&o), Mode::Probation);
    assert!(
        o.now - cut < 15_000 + 22_000,
        "a connection is tried at least every 16 s"
    );
    assert!(o.events.contains(&unreachable(false)));
    o.wait(31_000);
    assert_eq!(mode(&o), Mode::Up);
}

#[test]
fn one_lost_pong_changes_nothing_for_calls() {
    let mut o = Office::online(1);
    o.wait(60_000);
    o.cloud.pongs = false;
    o.until(10_000, |o| mode(o) != Mode::Up);
    assert_eq!(mode(&o), Mode::Suspect);
    o.dial(&Phone::new(0), "0665550001", "c1");
    let invite = o.expect(cloud(), "INVITE");
    o.answer(&invite, 100);
    assert_eq!(mode(&o), Mode::Up, "the cloud answers, if not to pings");
    o.cloud.pongs = true;
    o.wait(10_000);
    assert_eq!(mode(&o), Mode::Up);
}

/// A line that comes and goes is on probation for longer and longer.
#[test]
fn a_flapping_line() {
    let mut o = Office::online(1);
    for _ in 0..4 {
        o.close();
        assert_eq!(mode(&o), Mode::Down);
        o.until(20_000, |o| mode(o) != Mode::Down);
        o.wait(2_000);
    }
    let since = o.now;
    o.until(500_000, |o| mode(o) == Mode::Up);
    assert!(o.now - since > 230_000, "{} ms", o.now - since);
}

/// Three calls in a row without any answer: the line is taken for gone, and a new connection is tried.
#[test]
fn silent_calls_count_as_misses() {
    let mut o = Office::online(4);
    o.wait(60_000);
    let connects = o.cloud.connects;
    for n in 0..3 {
        o.dial(&Phone::new(n), "0665550001", &format!("c{n}"));
        o.expect(cloud(), "INVITE");
    }
    o.events.clear();
    o.wait(1_500);
    assert_eq!(mode(&o), Mode::Down);
    assert!(o.events.contains(&unreachable(true)));
    o.seen.clear();
    o.wait(3_000);
    assert!(o.cloud.connects > connects && mode(&o) == Mode::Probation);
}

/// The line is cut while a carrier's call rings: the phones stop when nobody can be at the other end any more.
#[test]
fn cut_while_it_rings() {
    let mut o = Office::online(2);
    o.wait(60_000);
    o.seen.clear();
    let carrier = o.carrier_calls("0312340001", "k1");
    let invite = o.expect(Phone::new(1).address, "INVITE");
    o.answer(&invite, 180);
    o.expect(cloud(), "180");
    o.cut();
    let cut = o.now;
    o.until(20_000, |o| !o.seen.is_empty());
    let cancel = o.expect(invite.peer, "CANCEL");
    assert!((15_000..=18_100).contains(&(o.now - cut)), "{} ms", o.now - cut);
    o.reply(&cancel, &answer(&cancel, 200, ""));
    o.reply(&invite, &answer(&invite, 487, ""));
    o.expect(invite.peer, "ACK");
    let records = o.records();
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].state, FinalState::Cancelled);
    assert_eq!(records[0].from.as_str(), "+81665550001");
    drop(carrier);
    o.nothing_left();
}

/// The same with an outside call of a phone that rings: it hears why.
#[test]
fn cut_while_it_rings_outside() {
    let mut o = Office::online(2);
    let a = Phone::new(0);
    let caller = o.dial(&a, "0665550001", "c1");
    let invite = o.expect(cloud(), "INVITE");
    o.answer(&invite, 180);
    o.expect(a.address, "180");
    o.close();
    o.cut();
    o.wait(5_900);
    o.quiet();
    o.wait(200);
    o.expect(a.address, "183");
    assert!(matches!(
        o.media.pop_front(),
        Some(MediaOutput::Play {
            prompt: Prompt::OutsideLineDown,
            ..
        })
    ));
    o.handle(Input::Played { player: 0 });
    let refusal = o.refused(&caller, "503");
    assert_eq!(
        refusal.header("Reason"),
        "Q.850;cause=38;text=\"Network out of order\""
    );
    assert_eq!(o.records()[0].state, FinalState::Unavailable);
    o.nothing_left();
}

/// The connection breaks before the cloud has said a word: the call does not wait for the rest of the 1.5 s, and is not
/// made again when the line is back.
#[test]
fn closed_before_the_first_word() {
    let mut o = Office::online(2);
    let caller = o.dial(&Phone::new(0), "0665550001", "c1");
    o.expect(cloud(), "INVITE");
    o.wait(100);
    let at = o.now;
    o.close();
    assert_eq!(o.expect(caller.peer, "183").at, at);
    o.wait(3_000);
    assert_eq!(mode(&o), Mode::Probation);
    o.quiet();
    o.handle(Input::Played { player: 0 });
    o.refused(&caller, "503");
    o.nothing_left();
}

/// Cut in the middle of calls: the outside ones end after the hold-out, with their records; the inside ones do not notice.
#[test]
fn cut_in_calls() {
    let mut o = Office::online(4);
    o.wait(40_000);
    let caller = o.dial(&Phone::new(0), "0665550001", "c1");
    let invite = o.expect(cloud(), "INVITE");
    o.answer(&invite, 180);
    o.expect(caller.peer, "180");
    o.take(&invite);
    let outside = o.connected(caller);
    let caller = o.dial(&Phone::new(2), "203", "c2");
    let invite = o.expect(Phone::new(3).address, "INVITE");
    let callee = o.take(&invite);
    let mut inside = o.connected(caller);
    o.quiet();
    o.cut();
    let cut = o.now;
    o.until(20_000, |o| !o.seen.is_empty());
    assert!((15_000..=18_100).contains(&(o.now - cut)), "{} ms", o.now - cut);
    let bye = o.expect(outside.peer, "BYE");
    assert_eq!(
        bye.header("Reason"),
        "Q.850;cause=38;text=\"Network out of order\""
    );
    o.reply(&bye, &answer(&bye, 200, ""));
    o.quiet();
    let records = o.records();
    let legs: Vec<_> = records.iter().map(|r| (r.leg, r.state)).collect();
    assert_eq!(legs, [(0, FinalState::Lost), (1, FinalState::Lost)]);
    // Inside: nobody noticed, and new calls go as before.
    o.hang_up(&mut inside, &callee);
    assert_eq!(o.records().len(), 2);
    let caller = o.dial(&Phone::new(1), REP, "c3");
    let invites: Vec<Seen> = [0, 2, 3]
        .iter()
        .map(|n| o.expect(Phone::new(*n).address, "INVITE"))
        .collect();
    o.take(&invites[0]);
    o.connected(caller);
    for loser in &invites[1..] {
        o.answer(loser, 180);
        let cancel = o.expect(loser.peer, "CANCEL");
        o.reply(&cancel, &answer(&cancel, 200, ""));
        o.reply(loser, &answer(loser, 487, ""));
        o.expect(loser.peer, "ACK");
    }
    o.quiet();
    assert!(o.cloud.connects > 2, "and all the time it tries to come back");
}

/// The connection breaks and is there again within the hold-out: calls over it go on, and what was said meanwhile is said
/// again.
#[test]
fn a_new_connection_takes_the_dialogs_along() {
    let mut o = Office::online(3);
    let mut talking = Vec::new();
    for n in 0..2 {
        let caller = o.dial(&Phone::new(n), "0665550001", &format!("c{n}"));
        let invite = o.expect(cloud(), "INVITE");
        let callee = o.take(&invite);
        talking.push((o.connected(caller), callee));
    }
    let ringing = o.dial(&Phone::new(2), "0665550002", "c2");
    let invite = o.expect(cloud(), "INVITE");
    o.answer(&invite, 180);
    o.expect(ringing.peer, "180");
    o.quiet();
    o.close();
    let port = o.cloud.port;
    // One hangs up before the line is back.
    talking[0].0.cseq += 1;
    let hanging_up = talking[0].0.clone();
    o.send(&hanging_up, "BYE", "bye");
    o.expect(hanging_up.peer, "200");
    o.quiet();
    o.wait(3_000);
    assert!(o.cloud.port > port && mode(&o) == Mode::Probation);
    let bye = o.expect(cloud(), "BYE");
    // The same request to whoever knows it from the old connection: sent-by names no port.
    assert!(
        bye.header("Via").starts_with("SIP/2.0/TCP 192.168.1.1;branch="),
        "{}",
        bye.text
    );
    o.reply(&bye, &answer(&bye, 200, ""));
    // The cloud is asked whether it still knows the other one.
    let asked = o.expect(cloud(), "OPTIONS");
    o.reply(&asked, &answer(&asked, 200, ""));
    o.quiet();
    // The one that rang is answered on the new connection.
    o.answer(&invite, 200);
    o.expect(cloud(), "ACK");
    o.connected(ringing);
    // The first is over, the other one is hung up by the carrier.
    let (caller, mut callee) = talking.remove(1);
    o.hang_up(&mut callee, &caller);
    o.quiet();
    let states: Vec<_> = o.records().iter().map(|r| r.state).collect();
    assert_eq!(states, [FinalState::Answered; 4]);
}

/// The cloud has forgotten the calls meanwhile: they end at once, not when somebody next asks.
#[test]
fn a_cloud_that_forgot_ends_the_call() {
    let mut o = Office::online(1);
    let caller = o.dial(&Phone::new(0), "0665550001", "c0");
    let invite = o.expect(cloud(), "INVITE");
    o.take(&invite);
    let caller = o.connected(caller);
    o.close();
    o.wait(3_000);
    let asked = o.expect(cloud(), "OPTIONS");
    o.reply(&asked, &answer(&asked, 481, ""));
    let bye = o.expect(caller.peer, "BYE");
    o.reply(&bye, &answer(&bye, 200, ""));
    o.quiet();
    o.nothing_left();
}

/// The office network goes and comes, with another address.
#[test]
fn another_address_is_another_connection() {
    let mut o = Office::online(1);
    let connects = o.cloud.connects;
    o.handle(Input::Network(Network::Down));
    assert_eq!(mode(&o), Mode::Down);
    o.wait(60_000);
    assert_eq!(o.cloud.connects, connects, "no network, no tries");
    let up = |last| Input::Network(Network::Up(Subnet::host([192, 168, 1, last].into())));
    o.handle(up(1));
    o.wait(100);
    assert_eq!((o.cloud.connects, mode(&o)), (connects + 1, Mode::Probation));
    o.handle(up(1));
    o.wait(100);
    assert_eq!(
        o.cloud.connects,
        connects + 1,
        "the same address again is no change"
    );
    o.handle(up(2));
    o.wait(1_000);
    assert_eq!(o.cloud.connects, connects + 2);
}

/// What the driver says too late, about a connection that was given up, harms nothing.
#[test]
fn late_words_of_the_driver() {
    let mut o = Office::new(&site(1, 8));
    o.wait(4_000);
    let (local, peer) = (address("192.168.1.1:50000"), cloud());
    o.handle(Input::Trunk(TrunkInput::Closed));
    o.handle(Input::Trunk(TrunkInput::Closed));
    o.handle(Input::Trunk(TrunkInput::Connected { local, peer }));
    o.handle(Input::Trunk(TrunkInput::Data(b"\r\n")));
    o.quiet();
    o.connect();
    assert_eq!(mode(&o), Mode::Probation);
}
