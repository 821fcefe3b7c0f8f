//! Park: a call waits in a slot until somebody takes it.

use super::lamps::{Lamp, shows};
use super::office::*;
use super::transfer::{answers, from_outside, notified, refer, replaced, talking};
use gateway::MediaOutput;
use media::g711::Law;
use shared::record::{CallLeg, Direction, FinalState};
use shared::{IdKey, Number};

pub const SLOT_1: &str = "<sip:**01@office.example>";
const SLOT_2: &str = "<sip:**02@office.example>";

fn phone(index: u16) -> Phone {
    Phone::new(index)
}

/// Who is parked gets the offer of a slot, and takes it.
#[track_caller]
pub fn is_offered_a_slot(o: &mut Office, stays: &Dialog, player: u8) -> Seen {
    let invite = o.expect(stays.peer, "INVITE");
    assert_eq!(invite.header("Call-ID"), stays.call_id);
    let port = 16_384 + 2 * u16::from(player);
    assert!(
        invite.body().contains(&format!("m=audio {port} RTP/AVP 0 8 ")) && invite.body().contains("sendrecv"),
        "{}",
        invite.text
    );
    invite
}

/// A side of a call parks the other one.
#[track_caller]
pub fn parks(o: &mut Office, leaves: &mut Dialog, stays: &Dialog, slot: &str, player: u8) -> Seen {
    refer(o, leaves, slot, "");
    o.expect(leaves.peer, "202");
    notified(o, leaves, "100");
    let invite = is_offered_a_slot(o, stays, player);
    assert_eq!(o.media.pop_front(), None, "nobody wants to hear anything yet");
    o.answer(&invite, 200);
    o.expect(stays.peer, "ACK");
    assert_eq!(
        o.media.pop_front(),
        Some(MediaOutput::Hold {
            player,
            to: (stays.peer.ip(), 6_000).into(),
            law: Law::Pcmu,
        })
    );
    notified(o, leaves, "200");
    replaced(o, leaves);
    invite
}

/// A phone takes who is parked.
#[track_caller]
pub fn takes(o: &mut Office, by: u16, slot: &str, stays: &Dialog, call_id: &str) -> Dialog {
    let taker = o.dial_only(&phone(by), slot, call_id);
    let invite = o.expect(stays.peer, "INVITE");
    assert_eq!(invite.header("Call-ID"), stays.call_id);
    let host = phone(by).address.ip();
    assert!(
        invite.body().contains(&format!("IN IP4 {host}\r\n")) && invite.body().contains("m=audio 4000 "),
        "what the phone has offered: {}",
        invite.text
    );
    o.answer(&invite, 200);
    o.expect(stays.peer, "ACK");
    let ok = o.expect(taker.peer, "200");
    assert!(
        ok.body().contains(&format!("IN IP4 {}\r\n", stays.peer.ip())),
        "{}",
        ok.text
    );
    let taker = taker.confirmed(&ok);
    o.send(&taker, "ACK", "ack");
    taker
}

/// What a lamp shows in the end.
#[track_caller]
fn shown(o: &mut Office, lamp: &Lamp) -> Vec<String> {
    let mut last = shows(&lamp.told(o));
    o.wait(1_000);
    while o
        .seen
        .iter()
        .any(|seen| seen.header("Call-ID") == lamp.dialog.call_id)
    {
        last = shows(&lamp.told(o));
        o.wait(1_000);
    }
    last
}

pub fn stopped(o: &mut Office, player: u8) {
    assert_eq!(o.media.pop_front(), Some(MediaOutput::Stop { player }));
}

/// The time passes, and whoever is asked whether it is still there says so.
fn wait_awake(o: &mut Office, seconds: u32) {
    for _ in 0..seconds {
        o.wait(1_000);
        while let Some(at) = o.seen.iter().position(|seen| seen.what() == "OPTIONS") {
            let asked = o.seen.remove(at).unwrap();
            o.reply(&asked, &answer(&asked, 200, ""));
        }
    }
}

/// Number of the leg, direction, terminal, state.
fn told(records: &[CallLeg]) -> Vec<(u8, Direction, Option<IdKey>, FinalState)> {
    let told = |r: &CallLeg| (r.leg, r.direction, r.terminal, r.state);
    records.iter().map(told).collect()
}

fn key(index: u16) -> Option<IdKey> {
    IdKey::new(index)
}

#[test]
fn inside_with_lamps_and_records() {
    for by_caller in [false, true] {
        let mut o = Office::with_phones(4);
        let watcher = phone(3);
        let (slot, first) = Lamp::on(&watcher, "**01", "w1", &mut o);
        let (other, _) = Lamp::on(&watcher, "**02", "w2", &mut o);
        let (line, _) = Lamp::on(&watcher, "200", "w3", &mut o);
        assert_eq!(shows(&first), ["terminated"]);
        assert!(
            first.text.contains("entity=\"sip:**01@office.example\""),
            "{}",
            first.text
        );
        o.wait(1_000);
        let (caller, callee) = talking(&mut o, 0, 1, "c1");
        o.wait(10);
        assert_eq!(shown(&mut o, &line), ["confirmed initiator 201"]);
        o.events.clear();
        let (mut leaves, mut stays, parker) = match by_caller {
            true => (caller, callee, 0),
            false => (callee, caller, 1),
        };
        parks(&mut o, &mut leaves, &stays, SLOT_1, 0);
        o.wait(10);
        assert_eq!(shown(&mut o, &slot), ["confirmed"]);
        // Who has parked is free; of who is parked there is nothing new.
        if by_caller {
            assert_eq!(shown(&mut o, &line), ["terminated"]);
        }
        o.quiet();
        let first = o.records();
        let (leg, direction) = if by_caller {
            (0, Direction::In)
        } else {
            (1, Direction::Out)
        };
        assert_eq!(
            told(&first),
            [(leg, direction, key(parker), FinalState::Answered)]
        );

        let taker = takes(&mut o, 2, "**01", &stays, "p1");
        stopped(&mut o, 0);
        o.wait(10);
        assert_eq!(shown(&mut o, &slot), ["terminated"]);
        assert!(
            !o.seen
                .iter()
                .any(|seen| seen.header("Call-ID") == other.dialog.call_id)
        );
        o.seen.clear();
        o.hang_up(&mut stays, &taker);
        let last = o.records();
        let mut all = told(&last);
        all.sort_by_key(|(leg, ..)| *leg);
        let (leg, direction, who) = match by_caller {
            true => (1, Direction::Out, key(1)),
            false => (0, Direction::In, key(0)),
        };
        assert_eq!(
            all,
            [
                (leg, direction, who, FinalState::Answered),
                (2, Direction::In, key(2), FinalState::Answered)
            ]
        );
        let session = first[0].session;
        assert!(
            last.iter().all(|record| record.session == session),
            "one call: {last:#?}"
        );
        assert!(o.media.is_empty());
        o.nothing_left();
    }
}

/// A caller from outside keeps its dialog, and with it its channel, from phone to phone.
#[test]
fn from_outside_twice() {
    let mut o = Office::online(3);
    let (carrier, mut leaves) = from_outside(&mut o);
    parks(&mut o, &mut leaves, &carrier, SLOT_1, 0);
    let mut taker = takes(&mut o, 1, "**01", &carrier, "p1");
    stopped(&mut o, 0);
    parks(&mut o, &mut taker, &carrier, SLOT_2, 1);
    // Who has parked it takes it again.
    let mut again = takes(&mut o, 1, "**02", &carrier, "p2");
    stopped(&mut o, 1);
    o.quiet();
    again.cseq += 1;
    let by = again.clone();
    o.send(&by, "BYE", "bye");
    o.expect(by.peer, "200");
    let bye = o.expect(address(CLOUD), "BYE");
    assert_eq!(bye.header("Call-ID"), "in1");
    o.reply(&bye, &answer(&bye, 200, ""));
    let records = o.records();
    assert!(
        records.iter().all(|record| record.session == records[0].session),
        "{records:#?}"
    );
    assert_eq!(records.len(), 4, "caller, and three phones: {records:#?}");
    assert!(
        records
            .iter()
            .all(|record| Number::parse(&record.from).is_ok() || record.leg == 2)
    );
    o.nothing_left();
}

#[test]
fn a_slot_holds_one_and_an_empty_one_nobody() {
    let mut o = Office::with_phones(5);
    let (mut first, mut leaves) = talking(&mut o, 0, 1, "c1");
    parks(&mut o, &mut leaves, &first, SLOT_1, 0);
    // Taken: who wants to park there goes on talking.
    let (second, mut third) = talking(&mut o, 2, 3, "c2");
    refer(&mut o, &mut third, SLOT_1, "");
    o.expect(third.peer, "202");
    notified(&mut o, &third, "100");
    notified(&mut o, &third, "486");
    o.quiet();
    assert!(o.media.is_empty());
    // Nobody is there.
    let nobody = o.dial_only(&phone(4), "**02", "p1");
    let refusal = o.refused(&nobody, "404");
    assert!(
        refusal.header("Reason").starts_with("Q.850;cause=1;"),
        "{}",
        refusal.text
    );
    // There is no such slot.
    let nobody = o.dial_only(&phone(4), "**05", "p2");
    o.refused(&nobody, "404");
    // Who is parked hangs up, and the slot is free.
    first.cseq += 1;
    let by = first.clone();
    o.send(&by, "BYE", "bye");
    o.expect(by.peer, "200");
    stopped(&mut o, 0);
    let nobody = o.dial_only(&phone(4), "**01", "p3");
    o.refused(&nobody, "404");
    parks(&mut o, &mut third, &second, SLOT_1, 1);
    let mut taker = takes(&mut o, 4, "**01", &second, "p4");
    o.hang_up(&mut taker, &second);
    o.nothing_left();
}

/// Two want it at the same moment: one has it, and the other is told so.
#[test]
fn a_race() {
    let mut o = Office::with_phones(4);
    let (mut stays, mut leaves) = talking(&mut o, 0, 1, "c1");
    parks(&mut o, &mut leaves, &stays, SLOT_1, 0);
    let first = o.dial_only(&phone(2), "**01", "p1");
    let second = o.dial_only(&phone(3), "**01", "p2");
    o.refused(&second, "486");
    let invite = o.expect(stays.peer, "INVITE");
    o.answer(&invite, 200);
    o.expect(stays.peer, "ACK");
    let first = o.connected(first);
    let second = o.dial_only(&phone(3), "**01", "p3");
    o.refused(&second, "404");
    o.hang_up(&mut stays, &first);
    o.nothing_left();
}

/// Nothing comes of it: the call waits on, and the next one has it.
#[test]
fn it_waits_on() {
    let mut o = Office::with_phones(4);
    let (stays, mut leaves) = talking(&mut o, 0, 1, "c1");
    let tone = parks(&mut o, &mut leaves, &stays, SLOT_1, 0);
    // Who dials has no codec that who is parked knows.
    let taker = o.dial_only(&phone(2), "**01", "p1");
    let invite = o.expect(stays.peer, "INVITE");
    o.answer(&invite, 488);
    o.expect(stays.peer, "ACK");
    o.refused(&taker, "488");
    // It changes its mind.
    let taker = o.dial_only(&phone(2), "**01", "p2");
    let invite = o.expect(stays.peer, "INVITE");
    o.send(&taker, "CANCEL", "2");
    o.expect(taker.peer, "200");
    o.refused(&taker, "487");
    o.answer(&invite, 200);
    o.expect(stays.peer, "ACK");
    // Who is parked has taken the offer all the same: it gets its tone back.
    let invite = o.expect(stays.peer, "INVITE");
    assert_eq!(invite.body(), tone.body());
    o.answer(&invite, 200);
    o.expect(stays.peer, "ACK");
    // It offers nothing.
    let mut silent = phone(3).calls("**01", "p3");
    o.rx(phone(3).address, &silent.request("INVITE", "1", "", ""));
    let challenge = o.expect(phone(3).address, "407");
    o.rx(phone(3).address, &silent.ack_refusal(&challenge, "1"));
    silent.cseq = 2;
    let line = phone(3).authorization(&challenge, "INVITE", &silent.target);
    o.rx(phone(3).address, &silent.request("INVITE", "2", &line, ""));
    o.expect(phone(3).address, "100");
    o.refused(&silent, "488");
    assert!(o.media.is_empty(), "it hears its tone throughout");
    o.quiet();
    let mut taker = takes(&mut o, 3, "**01", &stays, "p4");
    stopped(&mut o, 0);
    o.hang_up(&mut taker, &stays);
    o.nothing_left();
}

/// Who is to be parked cannot hear the tone, and stays with who wanted to park it.
#[test]
fn what_cannot_be_parked() {
    let mut o = Office::with_phones(3);
    let (mut stays, mut leaves) = talking(&mut o, 0, 1, "c1");
    refer(&mut o, &mut leaves, SLOT_1, "");
    o.expect(leaves.peer, "202");
    notified(&mut o, &leaves, "100");
    let invite = is_offered_a_slot(&mut o, &stays, 0);
    // In the middle of it nobody can take it.
    let early = o.dial_only(&phone(2), "**01", "p0");
    o.refused(&early, "486");
    o.answer(&invite, 488);
    o.expect(stays.peer, "ACK");
    notified(&mut o, &leaves, "488");
    o.media.clear();
    let nobody = o.dial_only(&phone(2), "**01", "p1");
    o.refused(&nobody, "404");
    o.hang_up(&mut stays, &leaves);
    o.nothing_left();

    // Nor can 119.
    let mut o = Office::online(2);
    let caller = o.dial(&phone(1), "119", "c1");
    let invite = o.expect(address(CLOUD), "INVITE");
    o.take(&invite);
    let mut caller = o.connected(caller);
    refer(&mut o, &mut caller, SLOT_1, "");
    o.expect(caller.peer, "403");
    o.quiet();

    // Nor does who is parked take its slot elsewhere, be it another slot.
    let mut o = Office::with_phones(3);
    let (mut stays, mut leaves) = talking(&mut o, 0, 1, "c1");
    parks(&mut o, &mut leaves, &stays, SLOT_1, 0);
    for to in ["<sip:**02@office.example>", "<sip:203@office.example>"] {
        refer(&mut o, &mut stays, to, "");
        o.expect(stays.peer, "403");
        o.quiet();
    }
    let taker = takes(&mut o, 2, "**01", &stays, "p2");
    o.hang_up(&mut stays, &taker);
    o.nothing_left();
}

/// Who is parked holds and comes back: the slot is a phone like any other.
#[test]
fn who_is_parked_may_hold() {
    let mut o = Office::with_phones(3);
    let (mut stays, mut leaves) = talking(&mut o, 0, 1, "c1");
    parks(&mut o, &mut leaves, &stays, SLOT_1, 0);
    let sdp = offer("192.168.1.10", 4_000);
    let played = MediaOutput::Hold {
        player: 0,
        to: address("192.168.1.10:4000"),
        law: Law::Pcmu,
    };
    let cases = [
        (
            sdp.replace("sendrecv", "sendonly"),
            "a=recvonly",
            MediaOutput::Stop { player: 0 },
        ),
        (sdp, "a=sendrecv", played),
    ];
    for (at, (sdp, direction, output)) in cases.into_iter().enumerate() {
        stays.cseq += 1;
        let text = stays.request("INVITE", &format!("hold{at}"), "", &sdp);
        o.rx(stays.peer, &text);
        let ok = o.expect(stays.peer, "200");
        assert!(ok.body().contains(direction), "{}", ok.text);
        o.send(&stays, "ACK", &format!("hold-ack{at}"));
        assert_eq!(o.media.pop_front(), Some(output));
        // The ACK says the same again.
        o.media.clear();
    }
    o.quiet();
    let mut taker = takes(&mut o, 2, "**01", &stays, "p1");
    o.hang_up(&mut taker, &stays);
    o.nothing_left();
}

/// Forgotten: the phone that parked it rings, again and again; and stops as soon as somebody has it.
#[test]
fn forgotten() {
    let mut o = Office::with_phones(3);
    let (stays, mut leaves) = talking(&mut o, 0, 1, "c1");
    o.events.clear();
    parks(&mut o, &mut leaves, &stays, SLOT_1, 0);
    let session = o.records()[0].session;
    let rings = |o: &mut Office| {
        wait_awake(o, 119);
        o.quiet();
        wait_awake(o, 1);
        let invite = o.expect(phone(1).address, "INVITE");
        assert!(
            invite.header("From").starts_with("\"Phone 0\" <sip:200@"),
            "{}",
            invite.text
        );
        assert_eq!(invite.body(), "");
        o.answer(&invite, 180);
        invite
    };
    let stops = |o: &mut Office, invite: &Seen, reason: &str| {
        let cancel = o.expect(invite.peer, "CANCEL");
        assert!(cancel.header("Reason").contains(reason), "{}", cancel.text);
        o.reply(&cancel, &answer(&cancel, 200, ""));
        o.answer(invite, 487);
        o.expect(invite.peer, "ACK");
    };
    // Nobody is there.
    let invite = rings(&mut o);
    wait_awake(&mut o, 30);
    stops(&mut o, &invite, "cause=19");
    o.quiet();
    // Two minutes after it began to ring it rings again, and so do the others of its group; one of them, which is busy with
    // something, takes the call.
    wait_awake(&mut o, 89);
    o.quiet();
    wait_awake(&mut o, 1);
    let [invite, other] = [1, 2].map(|n| o.expect(phone(n).address, "INVITE"));
    o.answer(&invite, 180);
    o.answer(&other, 486);
    o.expect(other.peer, "ACK");
    o.quiet();
    let taker = takes(&mut o, 2, "**01", &stays, "p1");
    stops(&mut o, &invite, "cause=200");
    stopped(&mut o, 0);
    wait_awake(&mut o, 200);
    o.quiet();
    // And once more, by the one who has it now; this time it is answered.
    let mut taker = taker;
    for n in 0..3 {
        o.register(&phone(n));
    }
    parks(&mut o, &mut taker, &stays, SLOT_2, 1);
    wait_awake(&mut o, 120);
    let invite = o.expect(phone(2).address, "INVITE");
    o.answer(&invite, 180);
    let mut new = answers(&mut o, &invite);
    let invite = o.expect(stays.peer, "INVITE");
    o.answer(&invite, 200);
    o.expect(stays.peer, "ACK");
    o.expect(new.peer, "ACK");
    stopped(&mut o, 1);
    let nobody = o.dial_only(&phone(1), "**02", "p2");
    o.refused(&nobody, "404");
    o.hang_up(&mut new, &stays);
    let mut records = o.records();
    records.sort_by_key(|record| record.leg);
    assert_eq!(
        told(&records),
        [
            (0, Direction::In, key(0), FinalState::Answered),
            // Two and three rang for nothing.
            (4, Direction::In, key(2), FinalState::Answered),
            (5, Direction::Out, key(2), FinalState::Answered),
        ]
    );
    assert!(
        records.iter().all(|record| record.session == session),
        "{records:#?}"
    );
    o.nothing_left();
}

/// Who is parked hangs up while the phone rings for it.
#[test]
fn forgotten_and_gone() {
    let mut o = Office::with_phones(2);
    let (mut stays, mut leaves) = talking(&mut o, 0, 1, "c1");
    parks(&mut o, &mut leaves, &stays, SLOT_1, 0);
    wait_awake(&mut o, 120);
    let invite = o.expect(phone(1).address, "INVITE");
    o.answer(&invite, 180);
    stays.cseq += 1;
    let by = stays.clone();
    o.send(&by, "BYE", "bye");
    o.expect(by.peer, "200");
    let cancel = o.expect(invite.peer, "CANCEL");
    o.reply(&cancel, &answer(&cancel, 200, ""));
    o.answer(&invite, 487);
    o.expect(invite.peer, "ACK");
    o.quiet();
    o.nothing_left();
}

/// Four calls are parked, and somebody dials a number that cannot be called: words go before a tone, which comes back.
#[test]
fn words_go_before_the_tone() {
    let mut o = Office::with_phones(9);
    let mut calls = Vec::new();
    for n in 0..4u8 {
        let pair = 2 * u16::from(n);
        let (stays, mut leaves) = talking(&mut o, pair, pair + 1, &format!("c{n}"));
        let slot = format!("<sip:**0{}@office.example>", n + 1);
        parks(&mut o, &mut leaves, &stays, &slot, n);
        calls.push(stays);
    }
    let caller = o.dial(&phone(8), "0665550001", "x1");
    o.expect(caller.peer, "183");
    let Some(MediaOutput::Stop { player }) = o.media.pop_front() else {
        panic!("{:?}", o.media);
    };
    assert!(matches!(o.media.pop_front(), Some(MediaOutput::Play { player: own, .. }) if own == player));
    o.handle(gateway::Input::Played { player });
    o.refused(&caller, "503");
    stopped(&mut o, player);
    let again = o.media.pop_front();
    assert!(
        matches!(again, Some(MediaOutput::Hold { player: own, .. }) if own == player),
        "{again:?}"
    );
    assert!(o.media.is_empty());
    // A call that has not said where it would hear them takes nobody's.
    let (mut stays, mut leaves) = talking(&mut o, 8, 1, "x2");
    refer(&mut o, &mut leaves, "<sip:0665550001@office.example>", "");
    o.expect(leaves.peer, "202");
    notified(&mut o, &leaves, "100");
    notified(&mut o, &leaves, "503");
    assert_eq!(o.media.pop_front(), None);
    o.hang_up(&mut stays, &leaves);
    for (slot, mut stays) in (1..).zip(calls) {
        let taker = takes(&mut o, 8, &format!("**0{slot}"), &stays, &format!("p{slot}"));
        o.hang_up(&mut stays, &taker);
    }
    o.nothing_left();
}
