//! Calls that end with spoken words, and what else the phone is told.

use std::net::SocketAddr;

use super::office::*;
use gateway::MediaOutput;
use media::prompt::Prompt;
use shared::IdKey;
use shared::record::FinalState;
use shared::sync::{Alarm, EventBody};

fn cloud() -> SocketAddr {
    address(CLOUD)
}

/// A number nobody can have is said to be so by the box.
#[test]
fn a_number_that_is_not_in_use_is_announced() {
    let mut o = Office::online(1);
    for (dialled, call_id) in [("199", "c1"), ("184199", "c2")] {
        let caller = o.dial(&Phone::new(0), dialled, call_id);
        let progress = o.expect(caller.peer, "183");
        let unallocated = "Q.850;cause=1;text=\"No such number is assigned\"";
        assert_eq!(progress.header("Reason"), unallocated);
        let Some(MediaOutput::Play { player, prompt, .. }) = o.media.pop_front() else {
            panic!("{dialled} is silent");
        };
        assert_eq!(prompt, Prompt::NumberNotInUse);
        o.handle(gateway::Input::Played { player });
        assert_eq!(o.refused(&caller, "404").header("Reason"), unallocated);
        o.media.clear();
    }
    // Without a clock the network judges what ended some day.
    o.dial(&Phone::new(0), "177", "c3");
    o.expect(cloud(), "INVITE");
}

/// 504: the cloud is there and its way to the outside is not; the phone hears so.
#[test]
fn the_cloud_has_no_way_out() {
    let mut o = Office::online(1);
    let caller = o.dial(&Phone::new(0), "0665550001", "c1");
    let invite = o.expect(cloud(), "INVITE");
    o.answer(&invite, 100);
    o.answer(&invite, 504);
    let progress = o.expect(caller.peer, "183");
    assert_eq!(
        progress.header("Reason"),
        "Q.850;cause=38;text=\"Network out of order\""
    );
    assert!(matches!(
        o.media.pop_front(),
        Some(MediaOutput::Play {
            prompt: Prompt::OutsideLineDown,
            ..
        })
    ));
}

/// The cloud says nothing for 1.5 s: the call does not wait for the line's state, the phone hears why.
#[test]
fn a_silent_cloud_fails_over_by_itself() {
    let mut o = Office::online(2);
    let a = Phone::new(0);
    let caller = o.dial(&a, "0665550001", "c1");
    let invite = o.expect(cloud(), "INVITE");
    o.wait(1_499);
    o.quiet();
    o.wait(1);
    let progress = o.expect(a.address, "183");
    assert_eq!(progress.at - invite.at, 1_500);
    assert_eq!(
        progress.header("Reason"),
        "Q.850;cause=38;text=\"Network out of order\""
    );
    assert!(matches!(
        o.media.pop_front(),
        Some(MediaOutput::Play {
            prompt: Prompt::OutsideLineDown,
            ..
        })
    ));
    // The answer comes after all: nobody waits for it any more.
    o.answer(&invite, 200);
    o.expect(cloud(), "ACK");
    let bye = o.expect(cloud(), "BYE");
    assert_eq!(
        bye.header("Reason"),
        "Q.850;cause=38;text=\"Network out of order\""
    );
    o.reply(&bye, &answer(&bye, 200, ""));
    o.handle(gateway::Input::Played { player: 0 });
    o.refused(&caller, "503");
    o.quiet();
    let records = o.records();
    assert_eq!(records.len(), 1);
    assert_eq!(
        (records[0].state, records[0].status),
        (FinalState::Unavailable, 503)
    );
    o.nothing_left();
}

/// The same, and the cloud rings late: it is told that nobody waits.
#[test]
fn a_late_ringing_gets_a_cancel() {
    let mut o = Office::online(2);
    let a = Phone::new(0);
    let caller = o.dial(&a, "0665550001", "c1");
    let invite = o.expect(cloud(), "INVITE");
    o.wait(1_600);
    o.expect(a.address, "183");
    o.answer(&invite, 180);
    let cancel = o.expect(cloud(), "CANCEL");
    o.reply(&cancel, &answer(&cancel, 200, ""));
    o.reply(&invite, &answer(&invite, 487, ""));
    o.expect(cloud(), "ACK");
    // The caller hangs up during the announcement: it stops.
    o.media.clear();
    o.send(&caller, "CANCEL", "2");
    o.expect(a.address, "200");
    o.refused(&caller, "487");
    assert_eq!(o.media.pop_front(), Some(MediaOutput::Stop { player: 0 }));
    o.quiet();
    o.nothing_left();
}

/// The line is down: the announcement comes at once, with the cause; then the refusal.
#[test]
fn with_the_line_away_the_phone_hears_why_at_once() {
    let mut o = Office::with_phones(2);
    let a = Phone::new(0);
    let at = o.now;
    let caller = o.dial(&a, "0665550001", "c1");
    let progress = o.expect(a.address, "183");
    assert_eq!(progress.at, at);
    assert_eq!(
        progress.header("Reason"),
        "Q.850;cause=38;text=\"Network out of order\""
    );
    assert!(progress.body().contains("m=audio 16384 RTP/AVP 0\r\n"));
    let Some(MediaOutput::Play {
        player: 0,
        to,
        prompt,
        ..
    }) = o.media.pop_front()
    else {
        panic!()
    };
    assert_eq!(
        (to, prompt),
        (address("192.168.1.10:4000"), Prompt::OutsideLineDown)
    );
    // A second caller has a player of its own, a fifth has none and is told at once.
    for n in 1..4 {
        o.dial(&Phone::new(1), "0665550001", &format!("p{n}"));
        let progress = o.expect(Phone::new(1).address, "183");
        assert!(progress.body().contains(&format!("m=audio {} ", 16_384 + 2 * n)));
    }
    let fifth = o.dial(&Phone::new(1), "0665550001", "p9");
    let refusal = o.refused(&fifth, "503");
    assert_eq!(
        refusal.header("Reason"),
        "Q.850;cause=38;text=\"Network out of order\""
    );
    // A player that never reports its end does not hold the call.
    o.handle(gateway::Input::Played { player: 0 });
    o.refused(&caller, "503");
    o.wait(40_000);
    assert_eq!(o.seen.iter().filter(|seen| seen.what() == "503").count(), 3);
    assert!(
        o.records()
            .iter()
            .all(|record| record.state == FinalState::Unavailable)
    );
    o.nothing_left();
}

/// An emergency call that cannot go out is never silent: its own words, a cause, an alarm; and it comes before others.
#[test]
fn an_emergency_call_without_a_line_is_told_so() {
    let mut o = Office::with_phones(6);
    o.events.clear();
    for n in 0..4 {
        o.dial(&Phone::new(n), "0665550001", &format!("p{n}"));
        o.expect(Phone::new(n).address, "183");
    }
    o.media.clear();
    let at = o.now;
    let e = Phone::new(5);
    let caller = o.dial_emergency(&e, "119", "e1");
    let progress = o.expect(e.address, "183");
    assert_eq!(progress.at, at);
    assert_eq!(
        progress.header("Reason"),
        "Q.850;cause=38;text=\"Network out of order\""
    );
    // All players were in use: one other caller was told its end now.
    assert_eq!(o.seen.iter().filter(|seen| seen.what() == "503").count(), 1);
    let Some(MediaOutput::Stop { player }) = o.media.pop_front() else {
        panic!()
    };
    let Some(MediaOutput::Play {
        player: same, prompt, ..
    }) = o.media.pop_front()
    else {
        panic!()
    };
    assert_eq!(
        (same, prompt, o.media.len()),
        (player, Prompt::EmergencyImpossible, 0)
    );
    let alarm = Alarm::EmergencyUnroutable(IdKey::new(5).unwrap());
    assert!(
        o.events.contains(&EventBody::Alarm { alarm, raised: true }),
        "{:?}",
        o.events
    );
    o.handle(gateway::Input::Played { player });
    o.refused(&caller, "503");
    o.wait(50_000);
    o.nothing_left();
}

/// Whatever goes wrong with it beyond the box, an emergency call ends with words.
#[test]
fn an_emergency_call_that_fails_outside_is_told_so() {
    for status in [404, 408, 480, 500, 503] {
        let mut o = Office::online(1);
        let a = Phone::new(0);
        let caller = o.dial_emergency(&a, "0119", "e1");
        let invite = o.expect(cloud(), "INVITE");
        assert_eq!(invite.uri(), "sip:119@office.example");
        assert!(!invite.has("Privacy"));
        o.answer(&invite, 100);
        o.answer(&invite, status);
        o.expect(cloud(), "ACK");
        o.expect(a.address, "183");
        assert!(matches!(
            o.media.pop_front(),
            Some(MediaOutput::Play {
                prompt: Prompt::EmergencyImpossible,
                ..
            })
        ));
        o.handle(gateway::Input::Played { player: 0 });
        o.refused(&caller, "503");
        o.nothing_left();
    }
}

/// A phone with a camera: the announcement takes its audio and refuses the rest (RFC 3264 §6).
#[test]
fn an_announcement_answers_every_medium() {
    let mut o = Office::with_phones(1);
    let a = Phone::new(0);
    let mut dialog = a.calls("0665550001", "c1");
    o.rx(a.address, &dialog.request("INVITE", "1", "", OFFER));
    let challenge = o.expect(a.address, "407");
    dialog.cseq = 2;
    let line = a.authorization(&challenge, "INVITE", &dialog.target);
    let sdp =
        OFFER.to_owned() + "m=video 4002 RTP/AVP 31 34\r\na=rtpmap:31 H261/90000\r\nm=text 0 RTP/AVP 98\r\n";
    o.rx(a.address, &dialog.request("INVITE", "2", &line, &sdp));
    o.expect(a.address, "100");
    let progress = o.expect(a.address, "183");
    let media: Vec<&str> = progress
        .body()
        .lines()
        .filter(|line| line.starts_with("m="))
        .collect();
    assert_eq!(
        media,
        [
            "m=audio 16384 RTP/AVP 0",
            "m=video 0 RTP/AVP 31 34",
            "m=text 0 RTP/AVP 98"
        ]
    );
    assert_eq!(o.media.len(), 1);
}

/// A player that was just used rests: a late word of its end must not be taken for the next announcement's.
#[test]
fn players_take_turns() {
    let mut o = Office::with_phones(1);
    for n in 0..6u8 {
        let caller = o.dial(&Phone::new(0), "0665550001", &format!("c{n}"));
        o.expect(caller.peer, "183");
        let Some(MediaOutput::Play { player, .. }) = o.media.pop_front() else {
            panic!()
        };
        assert_eq!(player, n % 4);
        o.send(&caller, "CANCEL", "2");
        o.expect(caller.peer, "200");
        o.refused(&caller, "487");
        assert_eq!(o.media.pop_front(), Some(MediaOutput::Stop { player }));
    }
    o.nothing_left();
}

/// Without a description to answer there is nothing to play to: the refusal comes at once.
#[test]
fn no_announcement_without_an_offer() {
    let mut o = Office::with_phones(1);
    let a = Phone::new(0);
    let mut dialog = a.calls("0665550001", "c1");
    o.rx(a.address, &dialog.request("INVITE", "1", "", ""));
    let challenge = o.expect(a.address, "407");
    dialog.cseq = 2;
    let line = a.authorization(&challenge, "INVITE", &dialog.target);
    o.rx(a.address, &dialog.request("INVITE", "2", &line, ""));
    o.expect(a.address, "100");
    o.refused(&dialog, "503");
    assert!(o.media.is_empty());
    o.nothing_left();
}
