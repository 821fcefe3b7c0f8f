//! Telephones at the analog ports: they call, are called, hold, transfer, and hear what it comes to.

use super::office::*;
use gateway::{LineOrder, MediaOutput, Sense, Signal};
use media::caller_id::{Caller, Frame};
use media::chain::{Command, Event};
use media::g711::Law;
use media::prompt::Prompt;
use media::tone::Tone;
use shared::IdKey;
use shared::record::{Direction, FinalState};
use shared::sync::{Alarm, EventBody};

pub fn key(index: u16) -> Option<IdKey> {
    IdKey::new(index)
}

/// Where line 0 hears: the players' ports come before.
const LINE_0: &str = "c=IN IP4 192.168.1.1\r\n";
pub const PORT_0: &str = "m=audio 16392 RTP/AVP 0 8 101 121\r\n";

/// The telephone of line 0 dials this, and phone 1 gets an INVITE.
#[track_caller]
pub fn calls_phone_1(o: &mut Office) -> Seen {
    o.lift(0);
    o.hears_tone(0, Tone::Dial);
    o.press(0, "201");
    o.expect(Phone::new(1).address, "INVITE")
}

/// They talk; phone 1's side of it.
#[track_caller]
pub fn talks_to_phone_1(o: &mut Office) -> Dialog {
    let invite = calls_phone_1(o);
    o.answer(&invite, 180);
    let dialog = o.take(&invite);
    o.quiet();
    dialog
}

/// Phone 1 hangs up, and is answered.
#[track_caller]
pub fn hangs_up(o: &mut Office, dialog: &mut Dialog) {
    dialog.cseq += 1;
    let (text, peer) = (dialog.request("BYE", "bye", "", ""), dialog.peer);
    o.rx(peer, &text);
    o.expect(peer, "200");
}

/// The box says good-bye to somebody.
#[track_caller]
pub fn is_hung_up(o: &mut Office, dialog: &Dialog) {
    let bye = o.expect(dialog.peer, "BYE");
    assert_eq!(bye.header("Call-ID"), dialog.call_id);
    o.reply(&bye, &answer(&bye, 200, ""));
}

/// Somebody is asked anew within its dialog, and answers; what it was offered.
#[track_caller]
pub fn is_asked(o: &mut Office, dialog: &Dialog) -> Seen {
    let invite = o.expect(dialog.peer, "INVITE");
    assert!(invite.header("To").contains(";tag="), "{}", invite.text);
    o.answer(&invite, 200);
    o.expect(dialog.peer, "ACK");
    invite
}

#[track_caller]
pub fn records(o: &mut Office) -> Vec<(Option<IdKey>, Direction, FinalState, bool)> {
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
    assert!(o.hears_somebody(0, "192.168.1.1:16394").fax);
    assert!(!o.hears_somebody(1, "192.168.1.1:16392").fax);
    o.put_down(0);
    o.put_down(1);
    o.nothing_left();
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
