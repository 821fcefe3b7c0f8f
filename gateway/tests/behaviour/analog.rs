//! Telephones at the analog ports: they call, are called, hold, transfer, and hear what it comes to.

use super::office::*;
use gateway::{LineOrder, Measured, MediaOutput, Sense, Signal};
use media::caller_id::{Caller, Frame};
use media::chain::{Command, Event};
use media::g711::Law;
use media::prompt::Prompt;
use media::tone::Tone;
use shared::IdKey;
use shared::analog::{LineFault, LineLoad, LineTest, LineTestResult};
use shared::record::{Direction, FinalState};
use shared::sync::{Alarm, EventBody, Message as _, TestLine};

fn key(index: u16) -> Option<IdKey> {
    IdKey::new(index)
}

/// Where line 0 hears: the players' ports come before.
const LINE_0: &str = "c=IN IP4 192.168.1.1\r\n";
const PORT_0: &str = "m=audio 16392 RTP/AVP 0 8 101 121\r\n";

/// The telephone of line 0 dials this, and phone 1 gets an INVITE.
#[track_caller]
fn calls_phone_1(o: &mut Office) -> Seen {
    o.lift(0);
    o.hears_tone(0, Tone::Dial);
    o.press(0, "201");
    o.expect(Phone::new(1).address, "INVITE")
}

/// They talk; phone 1's side of it.
#[track_caller]
fn talks_to_phone_1(o: &mut Office) -> Dialog {
    let invite = calls_phone_1(o);
    o.answer(&invite, 180);
    let dialog = o.take(&invite);
    o.quiet();
    dialog
}

/// Phone 1 hangs up, and is answered.
#[track_caller]
fn hangs_up(o: &mut Office, dialog: &mut Dialog) {
    dialog.cseq += 1;
    let (text, peer) = (dialog.request("BYE", "bye", "", ""), dialog.peer);
    o.rx(peer, &text);
    o.expect(peer, "200");
}

/// The box says good-bye to somebody.
#[track_caller]
fn is_hung_up(o: &mut Office, dialog: &Dialog) {
    let bye = o.expect(dialog.peer, "BYE");
    assert_eq!(bye.header("Call-ID"), dialog.call_id);
    o.reply(&bye, &answer(&bye, 200, ""));
}

/// Somebody is asked anew within its dialog, and answers; what it was offered.
#[track_caller]
fn is_asked(o: &mut Office, dialog: &Dialog) -> Seen {
    let invite = o.expect(dialog.peer, "INVITE");
    assert!(invite.header("To").contains(";tag="), "{}", invite.text);
    o.answer(&invite, 200);
    o.expect(dialog.peer, "ACK");
    invite
}

#[track_caller]
fn records(o: &mut Office) -> Vec<(Option<IdKey>, Direction, FinalState, bool)> {
    let records = o.records().into_iter();
    records
        .map(|r| (r.terminal, r.direction, r.state, r.answered.is_some()))
        .collect()
}

#[test]
fn a_telephone_calls_by_buttons_and_by_its_dial() {
    for by_dial in [false, true] {
        let mut o = Office::with_telephones(1, 1);
        o.lift(0);
        o.hears_tone(0, Tone::Dial);
        match by_dial {
            true => o.pulse(0, "2"),
            false => o.press(0, "2"),
        }
        assert_eq!(o.hears(0), Command::Listen, "no dial tone behind the first digit");
        match by_dial {
            true => o.pulse(0, "01"),
            false => o.press(0, "01"),
        }
        let invite = o.expect(Phone::new(1).address, "INVITE");
        assert!(
            invite
                .header("From")
                .starts_with("\"Phone 0\" <sip:200@office.example>;tag="),
            "{}",
            invite.text
        );
        assert!(
            invite.body().contains(LINE_0) && invite.body().contains(PORT_0),
            "{}",
            invite.text
        );
        assert_eq!(o.hears(0), Command::Listen);
        o.answer(&invite, 180);
        o.hears_tone(0, Tone::Ringback);
        let mut dialog = o.take(&invite);
        let stream = o.hears_somebody(0, "192.168.1.11:6000");
        assert_eq!(
            (
                stream.law,
                stream.telephone_event,
                stream.redundancy,
                stream.sending
            ),
            (Law::Pcmu, Some(101), None, true)
        );
        assert!(o.is_reversed(0), "the called side has answered");
        o.quiet();
        o.wait(5_000);
        if by_dial {
            o.put_down(0);
            is_hung_up(&mut o, &dialog);
        } else {
            hangs_up(&mut o, &mut dialog);
            o.hears_tone(0, Tone::Busy);
            o.wait(700);
            o.put_down(0);
        }
        assert_eq!(o.hears(0), Command::Stop);
        assert!(!o.is_reversed(0));
        let answered = FinalState::Answered;
        assert_eq!(
            records(&mut o),
            [
                (key(0), Direction::In, answered, true),
                (key(1), Direction::Out, answered, true)
            ]
        );
        o.nothing_left();
    }
}

#[test]
fn a_telephone_is_called() {
    let mut site = site(2, 8);
    plug(&mut site, 0, 0, true, false);
    let mut o = Office::new(&site);
    o.register(&Phone::new(1));
    o.lines.clear();
    o.events.clear();
    let phone = Phone::new(1);
    let caller = o.dial(&phone, "200", "c1");
    o.expect(phone.address, "180");
    assert!(o.is_reversed(0) && !o.bell(0));
    o.wait(150);
    assert!(o.bell(0), "calls the terminal to receive the number");
    o.sense(0, Sense::Loop { closed: true });
    o.wait(300);
    let number = o.told(0).into_iter().find_map(|order| match order {
        LineOrder::Audio(Command::CallerId(frame)) => Some(frame),
        _ => None,
    });
    // Who calls, and what it has called.
    assert_eq!(number, Frame::new(Caller::Number("201"), Some("200")).ok());
    o.wait(450);
    o.chain(0, Event::CallerIdSent);
    o.sense(0, Sense::Loop { closed: false });
    o.wait(500);
    assert!(o.bell(0));
    o.quiet();
    o.lift(0);
    let mut caller = o.connected(caller);
    assert!(!o.bell(0) && !o.is_reversed(0));
    o.hears_somebody(0, "192.168.1.10:4000".replace(".10", ".11").as_str());
    // A flash with a call that cannot be held is none of this test's: the caller hangs up.
    hangs_up(&mut o, &mut caller);
    let feed: Vec<_> = o
        .told(0)
        .into_iter()
        .filter(|order| matches!(order, LineOrder::Circuit(Signal::Feed(_))))
        .collect();
    assert_eq!(
        feed,
        [LineOrder::Circuit(Signal::Feed(false))],
        "the loop is opened"
    );
    o.wait(600);
    assert!(o.told(0).contains(&LineOrder::Circuit(Signal::Feed(true))));
    o.put_down(0);
    assert_eq!(records(&mut o).len(), 2);
    o.nothing_left();
}

#[test]
fn nobody_answers_or_somebody_else_does() {
    // The caller gives up, plainly and while the number is being sent.
    for display in [false, true] {
        let mut site = site(2, 8);
        plug(&mut site, 0, 0, display, false);
        let mut o = Office::new(&site);
        let phone = Phone::new(1);
        o.register(&phone);
        o.events.clear();
        let caller = o.dial(&phone, "200", "c1");
        o.expect(phone.address, "180");
        o.wait(150);
        assert!(o.bell(0));
        if display {
            o.sense(0, Sense::Loop { closed: true });
            o.wait(400);
        }
        o.send(&caller, "CANCEL", "2");
        o.expect(phone.address, "200");
        o.refused(&caller, "487");
        assert!(!o.bell(0) && !o.is_reversed(0));
        if display {
            o.sense(0, Sense::Loop { closed: false });
        }
        o.wait(10_000);
        assert!(!o.bell(0));
        assert_eq!(
            records(&mut o),
            [(key(1), Direction::In, FinalState::Cancelled, false)]
        );
        // It can be called again.
        let again = o.dial(&phone, "200", "c2");
        o.expect(phone.address, "180");
        o.send(&again, "CANCEL", "2");
        o.nothing_left();
    }
    // A group: the telephone and two desk phones; a desk phone answers.
    let mut o = Office::with_telephones(2, 2);
    let [a, b] = [2, 3].map(Phone::new);
    let caller = o.dial(&a, REP, "c1");
    let invite = o.expect(b.address, "INVITE");
    o.expect(a.address, "180");
    assert!(o.bell(0) && o.bell(1));
    let mut callee = o.take(&invite);
    let caller = o.connected(caller);
    assert!(!o.bell(0) && !o.bell(1));
    o.hang_up(&mut callee, &caller);
    // And now a telephone.
    let caller = o.dial(&a, REP, "c2");
    let invite = o.expect(b.address, "INVITE");
    o.answer(&invite, 180);
    o.expect(a.address, "180");
    o.lift(1);
    let cancel = o.expect(b.address, "CANCEL");
    o.reply(&cancel, &answer(&cancel, 200, ""));
    o.answer(&invite, 487);
    o.connected(caller);
    assert!(!o.bell(0));
    o.put_down(1);
    o.seen.clear();
    o.nothing_left();
}

#[test]
fn it_rings_for_as_long_as_phones_do() {
    let mut o = Office::with_telephones(1, 1);
    let phone = Phone::new(1);
    let caller = o.dial(&phone, "200", "c1");
    o.expect(phone.address, "180");
    o.wait(gateway::budget::RING_MS);
    o.refused(&caller, "480");
    o.wait(3_000);
    assert!(!o.bell(0));
    o.nothing_left();
}

#[test]
fn busy() {
    let mut o = Office::with_telephones(1, 1);
    let phone = Phone::new(1);
    // It has its handset lifted, and is in no call.
    o.lift(0);
    let caller = o.dial(&phone, "200", "c1");
    o.refused(&caller, "486");
    o.put_down(0);
    // The called phone is busy, absent, does not exist.
    for (dialled, status, tone) in [
        ("201", 486, Tone::Busy),
        ("201", 480, Tone::Congestion),
        ("299", 0, Tone::Congestion),
    ] {
        o.lift(0);
        o.press(0, dialled);
        if status != 0 {
            let invite = o.expect(phone.address, "INVITE");
            o.answer(&invite, status);
            o.expect(phone.address, "ACK");
        }
        o.hears_tone(0, tone);
        o.put_down(0);
        assert_eq!(o.hears(0), Command::Stop);
    }
    // Who does not hang up hears the howler, and then nothing.
    o.lift(0);
    o.press(0, "299");
    o.wait(30_100);
    o.hears_tone(0, Tone::Howler);
    o.wait(60_000);
    assert_eq!(o.hears(0), Command::Stop);
    o.press_hook(0);
    assert_eq!(o.hears(0), Command::Stop, "until it is hung up");
    o.put_down(0);
    o.lift(0);
    o.hears_tone(0, Tone::Dial);
    o.put_down(0);
    o.nothing_left();
}

#[test]
fn digits_take_their_time() {
    let mut o = Office::with_telephones(1, 1);
    // None at all.
    o.lift(0);
    o.wait(19_800);
    o.hears_tone(0, Tone::Dial);
    o.wait(300);
    o.hears_tone(0, Tone::Busy);
    // A flash asks for the dial tone again.
    o.press_hook(0);
    o.hears_tone(0, Tone::Dial);
    // Not a number yet: longer than one that could be all.
    o.press(0, "20");
    o.wait(9_000);
    assert_eq!(o.hears(0), Command::Listen);
    o.wait(1_500);
    o.hears_tone(0, Tone::Congestion);
    o.put_down(0);
    // `#` says that it was all, and anyhow the extension is complete.
    o.lift(0);
    o.press(0, "201#");
    let invite = o.expect(Phone::new(1).address, "INVITE");
    assert_eq!(invite.header("To"), "<sip:201@office.example>");
    o.answer(&invite, 180);
    o.put_down(0);
    let cancel = o.expect(Phone::new(1).address, "CANCEL");
    o.reply(&cancel, &answer(&cancel, 200, ""));
    o.answer(&invite, 487);
    o.expect(Phone::new(1).address, "ACK");
    o.nothing_left();
}

#[test]
fn outside_with_a_chosen_number() {
    let mut o = Office::with_telephones(1, 1);
    o.connect();
    o.lift(0);
    o.press(0, "*0");
    assert_eq!(o.hears(0), Command::Listen);
    o.press(0, "18409011112222");
    let invite = o.expect(address(CLOUD), "INVITE");
    assert_eq!(invite.header("P-Served-User"), "<sip:0312340000@office.example>");
    assert_eq!(
        invite.header("P-Asserted-Identity"),
        "<sip:+81312340000@office.example>"
    );
    assert_eq!(invite.header("Privacy"), "id");
    // Words of the network before it answers.
    let body = offer("198.51.100.7", 7_000);
    o.reply(&invite, &answer(&invite, 183, &body));
    o.hears_somebody(0, "198.51.100.7:7000");
    o.put_down(0);
    o.expect(address(CLOUD), "CANCEL");
    o.answer(&invite, 487);
    o.nothing_left();
}

#[test]
fn an_emergency_call_while_the_line_is_away_hears_why() {
    let mut o = Office::with_telephones(1, 1);
    o.lift(0);
    o.press(0, "119");
    let Some(MediaOutput::Play {
        player, prompt, to, ..
    }) = o.media.pop_front()
    else {
        panic!("it is silent");
    };
    assert_eq!(prompt, Prompt::EmergencyImpossible);
    assert_eq!(to, address("192.168.1.1:16392"), "to where the line hears");
    o.hears_somebody(0, &format!("192.168.1.1:{}", 16_384 + 2 * u16::from(player)));
    let alarm = Alarm::EmergencyUnroutable(key(0).unwrap());
    assert!(o.events.contains(&EventBody::Alarm { alarm, raised: true }));
    // The hook does not put it on hold.
    o.press_hook(0);
    o.hears_somebody(0, &format!("192.168.1.1:{}", 16_384 + 2 * u16::from(player)));
    o.handle(gateway::Input::Played { player });
    o.hears_tone(0, Tone::Congestion);
    o.put_down(0);
    o.nothing_left();
}

#[test]
fn between_two_telephones() {
    let mut o = Office::with_telephones(2, 0);
    o.lift(0);
    o.press(0, "201");
    o.hears_tone(0, Tone::Ringback);
    assert!(o.bell(1));
    o.lift(1);
    o.hears_somebody(0, "192.168.1.1:16394");
    o.hears_somebody(1, "192.168.1.1:16392");
    // Both can do it.
    let Command::Connect(stream) = o.hears(0) else {
        unreachable!()
    };
    assert_eq!(stream.redundancy, Some(121));
    o.put_down(1);
    o.hears_tone(0, Tone::Busy);
    o.put_down(0);
    assert_eq!(records(&mut o).len(), 2);
    o.nothing_left();
}

#[test]
fn a_fax_is_in_modem_mode_from_the_beginning() {
    let mut site = site(2, 8);
    plug(&mut site, 0, 0, false, true);
    plug(&mut site, 1, 1, false, false);
    let mut o = Office::new(&site);
    o.lift(0);
    o.press(0, "201");
    o.lift(1);
    let modem = LineOrder::Audio(Command::Modem);
    let told = o.told(0);
    let connects = told
        .iter()
        .position(|order| matches!(order, LineOrder::Audio(Command::Connect(_))));
    let switches = told.iter().position(|order| *order == modem);
    assert!(connects.is_some() && connects < switches, "{told:?}");
    assert_eq!(told.iter().filter(|order| **order == modem).count(), 1);
    assert!(!o.told(1).contains(&modem));
    o.put_down(0);
    o.put_down(1);
    o.nothing_left();
}

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
    assert!(!o.hears_somebody(0, "192.168.1.11:6000").sending);
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

/// `**` and the extension: at a telephone, and at a desk phone that rings a telephone away.
#[test]
fn what_rings_elsewhere_is_picked_up() {
    let mut o = Office::with_telephones(1, 2);
    let [a, b] = [1, 2].map(Phone::new);
    let caller = o.dial(&a, "202", "c1");
    let invite = o.expect(b.address, "INVITE");
    o.answer(&invite, 180);
    o.expect(a.address, "180");
    o.lift(0);
    o.press(0, "**202");
    let mut caller = o.connected(caller);
    o.hears_somebody(0, "192.168.1.11:4000");
    let cancel = o.expect(b.address, "CANCEL");
    o.reply(&cancel, &answer(&cancel, 200, ""));
    o.answer(&invite, 487);
    o.expect(b.address, "ACK");
    hangs_up(&mut o, &mut caller);
    o.hears_tone(0, Tone::Busy);
    o.wait(700);
    o.put_down(0);
    // Nothing rings there.
    o.lift(0);
    o.press(0, "**202");
    o.hears_tone(0, Tone::Congestion);
    o.put_down(0);
    // The other way round.
    let caller = o.dial(&a, "200", "c2");
    o.expect(a.address, "180");
    assert!(o.bell(0));
    let taker = o.dial(&b, "**200", "c3");
    o.connected(taker);
    let asked = o.expect(b.address, "INVITE");
    o.answer(&asked, 200);
    o.expect(b.address, "ACK");
    o.connected(caller);
    assert!(!o.bell(0));
}

#[test]
fn a_desk_phone_does_not_get_the_id_of_a_telephone() {
    let mut o = Office::with_telephones(1, 0);
    let phone = Phone::new(0);
    o.register_only(&phone);
    o.expect(phone.address, "401");
    o.lift(0);
    o.hears_tone(0, Tone::Dial);
    // A port that the configuration gives to nobody is dead.
    o.lift(3);
    assert_eq!(o.hears(3), Command::Stop);
    o.put_down(3);
    // And one that there is not is counted.
    o.sense(4, Sense::Loop { closed: true });
    assert_eq!(o.gateway.counters().lines, 1);
}

#[test]
fn faults_of_the_circuit() {
    let mut o = Office::with_telephones(1, 1);
    let phone = Phone::new(1);
    let dialog = talks_to_phone_1(&mut o);
    let fault = LineFault::OverTemperature;
    o.sense(
        0,
        Sense::Fault {
            fault,
            is_there: true,
        },
    );
    is_hung_up(&mut o, &dialog);
    assert_eq!(o.hears(0), Command::Stop);
    let alarm = |raised| EventBody::Alarm {
        alarm: Alarm::Line(1, fault),
        raised,
    };
    let registration = |registered| EventBody::Registration {
        terminal: key(0).unwrap(),
        registered,
    };
    o.records();
    assert_eq!(core::mem::take(&mut o.events), [alarm(true), registration(false)]);
    // Nobody is called who cannot answer.
    let caller = o.dial(&phone, "200", "c1");
    o.refused(&caller, "480");
    o.sense(0, Sense::Loop { closed: false });
    o.sense(
        0,
        Sense::Fault {
            fault,
            is_there: false,
        },
    );
    o.wait(12_000);
    o.records();
    assert_eq!(core::mem::take(&mut o.events), [alarm(false), registration(true)]);
    let caller = o.dial(&phone, "200", "c2");
    o.expect(phone.address, "180");
    assert!(o.bell(0));
    o.send(&caller, "CANCEL", "2");
    o.nothing_left();
}

const OPEN: Measured = Measured {
    tip_mv: 0,
    ring_mv: -48_000,
    ac_mv: 0,
    loop_ua: 0,
};

/// A quiet line with one bell is measured; the box's orders for it.
#[track_caller]
fn measures(o: &mut Office, line: u8) {
    o.wait(300);
    o.sense(line, Sense::Measured(Some(Measured::default())));
    o.wait(500);
    o.sense(line, Sense::Measured(Some(OPEN)));
    assert_eq!(
        o.told(line).last(),
        Some(&LineOrder::Circuit(Signal::Measure { reverse: true }))
    );
    let charge = Measured { loop_ua: 960, ..OPEN };
    o.sense(line, Sense::Measured(Some(charge)));
}

fn quiet_line(port: u8) -> EventBody {
    let load = LineLoad {
        feed_mv: 48_000,
        leakage_ohm: u32::MAX,
        ringer_nf: 1_000,
    };
    let test = LineTest {
        load: Some(load),
        ..LineTest::default()
    };
    EventBody::LineTest {
        port,
        result: LineTestResult::Measured(test),
    }
}

#[test]
fn a_line_is_tested_on_command() {
    let mut o = Office::with_telephones(1, 1);
    let mut buffer = [0; 16];
    let order = |port, buffer: &mut [u8]| TestLine { port }.encode(buffer).unwrap().to_vec();
    let send = |o: &mut Office, payload: &[u8]| {
        let topic = shared::sync::Topic::Down(shared::BoxId(77), shared::sync::Down::TestLine).name();
        o.handle(gateway::Input::Uplink(gateway::UplinkInput::Message {
            topic: &topic,
            payload,
        }));
    };
    send(&mut o, &order(1, &mut buffer));
    measures(&mut o, 0);
    assert_eq!(core::mem::take(&mut o.events), [quiet_line(1)]);
    // In use, and no such line.
    o.lift(0);
    send(&mut o, &order(1, &mut buffer));
    let in_use = EventBody::LineTest {
        port: 1,
        result: LineTestResult::InUse,
    };
    assert_eq!(core::mem::take(&mut o.events), [in_use]);
    for port in [0, 5, 255] {
        send(&mut o, &order(port, &mut buffer));
    }
    assert_eq!(o.gateway.counters().lines, 3);
    send(&mut o, b"nonsense");
    assert_eq!(o.events, []);
    assert_eq!(o.gateway.uplink_counters().ignored, 1);
}

#[test]
fn lines_are_tested_at_night() {
    let mut o = Office::with_telephones(2, 0);
    // 2026-04-01 02:00 in Japan.
    let unix_ms = 1_774_976_400_000;
    o.handle(gateway::Input::WallClock { unix_ms });
    o.wait(3_600_000 + 59_000);
    let begun = |o: &mut Office, line| o.told(line).contains(&LineOrder::Circuit(Signal::Feed(false)));
    assert!(begun(&mut o, 0), "at three");
    // It is not measured; the second one comes ten minutes later.
    o.wait(3_000);
    let failed = EventBody::LineTest {
        port: 1,
        result: LineTestResult::Failed,
    };
    assert_eq!(core::mem::take(&mut o.events), [failed]);
    assert!(!begun(&mut o, 1));
    // Somebody calls just then: it is tried again.
    o.lift(1);
    o.wait(600_000);
    assert!(!begun(&mut o, 1));
    o.put_down(1);
    o.wait(600_000 - 1_500 - 200);
    assert!(begun(&mut o, 1));
    assert!(!begun(&mut o, 0), "once a night");
    // Not before the next night.
    o.wait(3_000);
    o.lines.clear();
    o.wait(20 * 3_600_000);
    assert!(!begun(&mut o, 0) && !begun(&mut o, 1));
    o.wait(4 * 3_600_000);
    assert!(begun(&mut o, 0));
}

#[test]
fn the_power_goes() {
    let mut o = Office::with_telephones(1, 1);
    talks_to_phone_1(&mut o);
    let mut o = o.restart();
    let phone = Phone::new(1);
    o.register(&phone);
    // Nothing has to register: the telephone can be called and calls.
    let caller = o.dial(&phone, "200", "c1");
    o.expect(phone.address, "180");
    assert!(o.bell(0));
    o.send(&caller, "CANCEL", "2");
    o.expect(phone.address, "200");
    o.refused(&caller, "487");
    o.wait(1_000);
    calls_phone_1(&mut o);
}
