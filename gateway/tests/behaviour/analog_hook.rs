//! The hook of a telephone at an analog port: flash, hold, changing between two, transfers.

use super::analog::*;
use super::office::*;
use media::chain::Command;
use media::tone::Tone;
use shared::record::{Direction, FinalState};

#[test]
fn a_flash_holds_and_returns() {
    let mut o = Office::with_telephones(1, 1);
    let mut dialog = talks_to_phone_1(&mut o);
    let first = o.hears_somebody(0, "192.168.1.11:6000");
    o.press_hook(0);
    let held = is_asked(&mut o, &dialog);
    assert!(held.body().contains("a=sendonly"), "{}", held.text);
    o.hears_tone(0, Tone::SecondDial);
    o.press_hook(0);
    let back = is_asked(&mut o, &dialog);
    assert!(back.body().contains("a=sendrecv"), "{}", back.text);
    let second = o.hears_somebody(0, "192.168.1.11:6000");
    assert_ne!(first.start.ssrc, second.start.ssrc, "another stream than before");
    // On hold and dialled for nothing: a flash returns from the busy tone.
    o.press_hook(0);
    is_asked(&mut o, &dialog);
    o.press(0, "299");
    o.hears_tone(0, Tone::Congestion);
    o.press_hook(0);
    is_asked(&mut o, &dialog);
    o.hears_somebody(0, "192.168.1.11:6000");
    // The other side's own hold.
    dialog.cseq += 1;
    let hold = offer("192.168.1.11", 6_000).replace("a=sendrecv", "a=sendonly");
    let text = dialog.request("INVITE", "hold", "", &hold);
    o.rx(dialog.peer, &text);
    let ok = o.expect(dialog.peer, "200");
    assert!(ok.body().contains("a=recvonly"), "{}", ok.text);
    o.send(&dialog, "ACK", "hold-ack");
    let held = o.hears_somebody(0, "192.168.1.11:6000");
    assert!(!held.sending);
    // Somebody else is at the other end: another connection for the chain as well, whatever it has heard in this one.
    dialog.cseq += 1;
    let text = dialog.request("INVITE", "moves", "", &offer("192.168.1.11", 6_100));
    o.rx(dialog.peer, &text);
    o.expect(dialog.peer, "200");
    o.send(&dialog, "ACK", "moves-ack");
    let moved = o.hears_somebody(0, "192.168.1.11:6100");
    assert!(moved.sending && moved.start.ssrc != held.start.ssrc);
    o.put_down(0);
    is_hung_up(&mut o, &dialog);
    o.nothing_left();
}

/// The held one hangs up: nobody is there to return to.
#[test]
fn who_is_on_hold_may_go() {
    let mut o = Office::with_telephones(1, 1);
    let mut dialog = talks_to_phone_1(&mut o);
    o.press_hook(0);
    is_asked(&mut o, &dialog);
    hangs_up(&mut o, &mut dialog);
    o.hears_tone(0, Tone::Dial);
    o.press_hook(0);
    o.hears_tone(0, Tone::Dial);
    o.put_down(0);
    o.wait(5_000);
    assert!(!o.bell(0));
    o.nothing_left();
}

/// Phone 1 is on hold and phone 2 rings.
fn consults(o: &mut Office) -> (Dialog, Seen) {
    let held = talks_to_phone_1(o);
    o.press_hook(0);
    is_asked(o, &held);
    o.press(0, "202");
    let invite = o.expect(Phone::new(2).address, "INVITE");
    o.answer(&invite, 180);
    o.hears_tone(0, Tone::Ringback);
    (held, invite)
}

#[test]
fn a_flash_changes_between_two() {
    let mut o = Office::with_telephones(1, 2);
    let (first, invite) = consults(&mut o);
    let second = o.take(&invite);
    o.hears_somebody(0, "192.168.1.12:6000");
    for (held, back, at) in [
        (&second, &first, "192.168.1.11:6000"),
        (&first, &second, "192.168.1.12:6000"),
    ] {
        o.press_hook(0);
        let asked = is_asked(&mut o, held);
        assert!(asked.body().contains("a=sendonly"), "{}", asked.text);
        let asked = is_asked(&mut o, back);
        assert!(asked.body().contains("a=sendrecv"), "{}", asked.text);
        o.hears_somebody(0, at);
    }
    // A third is not called: the one at the handset hangs up, and the one on hold comes back with a flash.
    let mut second = second;
    hangs_up(&mut o, &mut second);
    o.hears_tone(0, Tone::Busy);
    o.wait(600);
    o.press_hook(0);
    is_asked(&mut o, &first);
    o.hears_somebody(0, "192.168.1.11:6000");
    o.put_down(0);
    is_hung_up(&mut o, &first);
    o.nothing_left();
}

/// The two others are asked for what they can and told what the other one can, and answer.
fn joined(o: &mut Office) {
    for _ in 0..40 {
        o.wait(50);
        while let Some(at) = o.seen.iter().position(|seen| seen.what() == "INVITE") {
            let invite = o.seen.remove(at).unwrap();
            o.answer(&invite, 200);
        }
    }
    o.seen.retain(|seen| seen.what() != "ACK");
    o.quiet();
}

#[test]
fn hanging_up_connects_the_two_others() {
    let mut o = Office::with_telephones(1, 2);
    let (first, invite) = consults(&mut o);
    let second = o.take(&invite);
    o.put_down(0);
    // Then they talk, and the telephone is free.
    joined(&mut o);
    assert_eq!(o.hears(0), Command::Stop);
    assert_eq!(o.usage().calls, 2);
    assert!(!o.gateway.busy().any(|busy| Some(busy) == key(0)));
    let answered = FinalState::Answered;
    assert_eq!(
        records(&mut o),
        [
            (key(0), Direction::In, answered, true),
            (key(0), Direction::In, answered, true)
        ]
    );
    // The telephone can be used at once.
    o.lift(0);
    o.hears_tone(0, Tone::Dial);
    o.put_down(0);
    let (mut first, second) = (first, second);
    hangs_up(&mut o, &mut first);
    is_hung_up(&mut o, &second);
    o.nothing_left();
}

#[test]
fn hanging_up_while_the_second_rings() {
    for answers in [true, false] {
        let mut o = Office::with_telephones(1, 2);
        let (mut first, invite) = consults(&mut o);
        o.put_down(0);
        assert_eq!(o.hears(0), Command::Stop);
        o.quiet();
        o.wait(3_000);
        if answers {
            let mut second = o.take(&invite);
            joined(&mut o);
            hangs_up(&mut o, &mut second);
            is_hung_up(&mut o, &first);
        } else {
            // Nobody there: the telephone rings for who was left on hold.
            o.answer(&invite, 480);
            o.expect(invite.peer, "ACK");
            assert!(o.bell(0));
            o.lift(0);
            let back = is_asked(&mut o, &first);
            assert!(back.body().contains("a=sendrecv"), "{}", back.text);
            o.hears_somebody(0, "192.168.1.11:6000");
            hangs_up(&mut o, &mut first);
            o.put_down(0);
        }
        o.nothing_left();
    }
}

#[test]
fn who_is_left_on_hold_rings_the_telephone() {
    for (takes, waits) in [(true, 0), (false, 0), (false, 60_000)] {
        let mut o = Office::with_telephones(1, 1);
        let mut dialog = talks_to_phone_1(&mut o);
        o.press_hook(0);
        is_asked(&mut o, &dialog);
        o.put_down(0);
        assert!(o.bell(0));
        o.wait(1_000);
        match (takes, waits) {
            (true, _) => {
                o.lift(0);
                is_asked(&mut o, &dialog);
                o.hears_somebody(0, "192.168.1.11:6000");
                o.put_down(0);
                is_hung_up(&mut o, &dialog);
            }
            (false, 0) => hangs_up(&mut o, &mut dialog),
            (false, waits) => {
                o.wait(waits);
                // It was asked whether it is still there.
                o.seen.retain(|seen| seen.what() != "OPTIONS");
                is_hung_up(&mut o, &dialog);
                // And told so once more.
                o.seen.retain(|seen| seen.what() != "BYE");
            }
        }
        o.wait(3_000);
        assert!(!o.bell(0));
        // Nobody is kept from calling it.
        let phone = Phone::new(1);
        let caller = o.dial(&phone, "200", "again");
        o.expect(phone.address, "180");
        o.send(&caller, "CANCEL", "2");
        o.nothing_left();
    }
}

/// Who is on hold is not connected to an emergency call that is given up, and the hook works again afterwards.
#[test]
fn nobody_is_connected_to_an_emergency_call() {
    let mut o = Office::with_telephones(1, 1);
    let mut dialog = talks_to_phone_1(&mut o);
    o.press_hook(0);
    is_asked(&mut o, &dialog);
    o.press(0, "119");
    assert!(matches!(
        o.media.pop_front(),
        Some(gateway::MediaOutput::Play { .. })
    ));
    o.put_down(0);
    assert!(o.bell(0));
    o.lift(0);
    is_asked(&mut o, &dialog);
    o.hears_somebody(0, "192.168.1.11:6000");
    o.press_hook(0);
    is_asked(&mut o, &dialog);
    o.hears_tone(0, Tone::SecondDial);
    o.press_hook(0);
    is_asked(&mut o, &dialog);
    hangs_up(&mut o, &mut dialog);
    o.put_down(0);
    o.nothing_left();
}

/// The other side transfers: the telephone is asked for an offer, and hears somebody else.
#[test]
fn it_is_transferred() {
    let mut o = Office::with_telephones(1, 2);
    let mut dialog = talks_to_phone_1(&mut o);
    dialog.cseq += 1;
    let extra = format!("Contact: <{}>\r\nRefer-To: <sip:202@{REALM}>\r\n", dialog.contact);
    let text = dialog.request("REFER", "refer", &extra, "");
    o.rx(dialog.peer, &text);
    o.expect(dialog.peer, "202");
    let notify = o.expect(dialog.peer, "NOTIFY");
    o.reply(&notify, &answer(&notify, 200, ""));
    let invite = o.expect(Phone::new(2).address, "INVITE");
    o.answer(&invite, 200);
    let mut new = Dialog::of_callee(&invite);
    o.expect(new.peer, "ACK");
    o.hears_somebody(0, "192.168.1.12:6000");
    o.seen.clear();
    hangs_up(&mut o, &mut new);
    o.hears_tone(0, Tone::Busy);
    o.put_down(0);
    // And to the telephone: it is called without an offer, and makes one.
    let mut o = Office::with_telephones(1, 2);
    let [a, b] = [1, 2].map(Phone::new);
    let caller = o.dial(&a, "202", "c1");
    let invite = o.expect(b.address, "INVITE");
    let mut callee = o.take(&invite);
    let caller = o.connected(caller);
    callee.cseq += 1;
    let extra = format!("Contact: <{}>\r\nRefer-To: <sip:200@{REALM}>\r\n", callee.contact);
    let text = callee.request("REFER", "refer", &extra, "");
    o.rx(callee.peer, &text);
    assert!(o.bell(0));
    o.lift(0);
    let asked = is_asked(&mut o, &caller);
    assert!(asked.body().contains(PORT_0), "{}", asked.text);
    o.hears_somebody(0, "192.168.1.11:6000");
    o.put_down(0);
    is_hung_up(&mut o, &caller);
    o.seen.clear();
}
