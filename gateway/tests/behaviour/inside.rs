//! Calls within the office: they need nobody but the box.

use super::office::*;
use shared::IdKey;
use shared::record::{Direction, FinalState, Side};

fn key(index: u16) -> Option<IdKey> {
    IdKey::new(index)
}

/// A call from phone 0 to phone 1, answered. The INVITE that phone 1 got, and both dialogs.
fn talking(o: &mut Office, dialled: &str) -> (Seen, Dialog, Dialog) {
    let [a, b] = [0, 1].map(Phone::new);
    let caller = o.dial(&a, dialled, "c1");
    let invite = o.expect(b.address, "INVITE");
    o.answer(&invite, 180);
    o.expect(a.address, "180");
    let callee = o.take(&invite);
    let caller = o.connected(caller);
    o.quiet();
    (invite, caller, callee)
}

#[test]
fn by_extension_and_hung_up_by_the_caller() {
    let mut o = Office::with_phones(2);
    o.events.clear();
    o.wait(500);
    let (invite, mut caller, callee) = talking(&mut o, "201");
    // What the called phone sees: who calls, by name and extension; the media goes from phone to phone.
    assert_eq!(invite.uri(), "sip:phone@192.168.1.11:5060");
    assert!(
        invite
            .header("From")
            .starts_with("\"Phone 0\" <sip:200@office.example>;tag="),
        "{}",
        invite.text
    );
    assert_eq!(invite.header("To"), "<sip:201@office.example>");
    assert!(invite.body().contains("c=IN IP4 192.168.1.10\r\n") && invite.body().contains("m=audio 4000 "));
    assert_eq!(invite.contact(), o.contact());
    assert_eq!(invite.header("Session-ID").len(), 32);
    assert_eq!(o.usage().calls, 1);
    o.wait(5_000);
    o.hang_up(&mut caller, &callee);
    o.quiet();
    let records = o.records();
    let [first, second] = &records[..] else {
        panic!("{records:?}")
    };
    assert_eq!(first.session.to_string(), invite.header("Session-ID"));
    for (leg, record) in [first, second].into_iter().enumerate() {
        assert_eq!((record.leg, record.side), (leg as u8, Side::Box));
        assert_eq!(
            (record.session, record.state, record.status),
            (first.session, FinalState::Answered, 200)
        );
        assert_eq!((record.from.as_str(), record.to.as_str()), ("0312340000", "201"));
        assert_eq!(record.presented, None, "inside nothing is presented");
        assert_eq!(record.ended.mono - record.answered.unwrap().mono, 5_000);
        assert!(record.ringing.is_some());
    }
    assert_eq!((first.direction, first.terminal), (Direction::In, key(0)));
    assert_eq!((second.direction, second.terminal), (Direction::Out, key(1)));
    o.nothing_left();
}

#[test]
fn by_direct_number_and_hung_up_by_the_called_side() {
    for dialled in [
        "0312340001",
        "03-1234-0001",
        "%2B81312340001",
        "0312340001;phone-context=x",
    ] {
        let mut o = Office::with_phones(2);
        let (invite, caller, mut callee) = talking(&mut o, dialled);
        assert_eq!(
            invite.header("To"),
            "<sip:0312340001@office.example>",
            "{dialled}"
        );
        o.hang_up(&mut callee, &caller);
        o.quiet();
        let states: Vec<_> = o.records().iter().map(|r| (r.leg, r.state)).collect();
        assert_eq!(states, [(0, FinalState::Answered), (1, FinalState::Answered)]);
        o.nothing_left();
    }
}

#[test]
fn cancelled_by_the_caller() {
    let mut o = Office::with_phones(2);
    let [a, b] = [0, 1].map(Phone::new);
    let caller = o.dial(&a, "201", "c1");
    let invite = o.expect(b.address, "INVITE");
    o.answer(&invite, 180);
    o.expect(a.address, "180");
    o.send(&caller, "CANCEL", "2");
    o.expect(a.address, "200");
    o.refused(&caller, "487");
    let cancel = o.expect(b.address, "CANCEL");
    assert_eq!(
        cancel.header("Reason"),
        "SIP;cause=487;text=\"Request terminated\""
    );
    assert_eq!(cancel.header("Via"), invite.header("Via"));
    o.reply(&cancel, &answer(&cancel, 200, ""));
    o.reply(&invite, &answer(&invite, 487, ""));
    o.expect(b.address, "ACK");
    o.quiet();
    let records = o.records();
    assert_eq!(records.len(), 1, "nobody answered: one leg");
    assert_eq!(
        (records[0].state, records[0].status),
        (FinalState::Cancelled, 487)
    );
    o.nothing_left();
}

/// What a phone answers, what the caller hears, and how the call is recorded.
#[test]
fn not_now() {
    let busy = FinalState::Busy;
    for (said, heard, state) in [
        (486, "486", busy),
        // Do-not-disturb has many names; 403 is one maker's.
        (403, "486", busy),
        (600, "486", busy),
        (603, "486", busy),
        (480, "480", FinalState::NotAnswered),
        (408, "480", FinalState::NotAnswered),
        (302, "480", FinalState::NotAnswered),
        (488, "488", FinalState::Refused(488)),
        (500, "500", FinalState::Refused(500)),
    ] {
        let mut o = Office::with_phones(2);
        let [a, b] = [0, 1].map(Phone::new);
        let caller = o.dial(&a, "201", "c1");
        let invite = o.expect(b.address, "INVITE");
        o.answer(&invite, 180);
        o.expect(a.address, "180");
        o.answer(&invite, said);
        o.expect(b.address, "ACK");
        o.refused(&caller, heard);
        o.quiet();
        let records = o.records();
        assert_eq!(records.len(), 1);
        assert_eq!((records[0].state, records[0].terminal), (state, key(0)), "{said}");
        o.nothing_left();
    }
}

#[test]
fn nobody_answers() {
    let mut o = Office::with_phones(2);
    let [a, b] = [0, 1].map(Phone::new);
    let caller = o.dial(&a, "201", "c1");
    let invite = o.expect(b.address, "INVITE");
    o.answer(&invite, 180);
    o.expect(a.address, "180");
    let ringing = gateway::budget::RING_MS;
    o.wait(ringing - 1);
    o.quiet();
    o.wait(1);
    let refusal = o.refused(&caller, "480");
    assert_eq!(refusal.header("Reason"), "Q.850;cause=19;text=\"No answer\"");
    let cancel = o.expect(b.address, "CANCEL");
    o.reply(&cancel, &answer(&cancel, 200, ""));
    o.reply(&invite, &answer(&invite, 487, ""));
    o.expect(b.address, "ACK");
    o.quiet();
    assert_eq!(o.records()[0].state, FinalState::NotAnswered);
    o.nothing_left();
}

#[test]
fn not_there_and_no_such_number() {
    let mut o = Office::new(&site(3, 8));
    o.register(&Phone::new(0));
    let a = Phone::new(0);
    for (call, (dialled, status, reason)) in [
        ("201", "480", "Q.850;cause=20;text=\"Subscriber absent\""),
        ("299", "404", "Q.850;cause=1;text=\"Nobody has this extension\""),
        ("**1", "404", "Q.850;cause=1;text=\"No such feature code\""),
        ("hello", "484", "Q.850;cause=28;text=\"Not a telephone number\""),
        (
            "0990123456",
            "403",
            "Q.850;cause=21;text=\"Numbers of this kind are not called\"",
        ),
        (
            "01014155550100",
            "403",
            "Q.850;cause=21;text=\"International calls are off\"",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let caller = o.dial_only(&a, dialled, &format!("c{call}"));
        if status == "480" {
            o.expect(a.address, "100");
        }
        let refusal = o.refused(&caller, status);
        assert_eq!(refusal.header("Reason"), reason, "{dialled}");
        o.quiet();
    }
    o.nothing_left();
}

/// R2, R4: all phones of the group ring at once, the first to answer gets the call, the others show no missed call.
#[test]
fn a_representative_number_rings_all_others() {
    let mut o = Office::with_phones(4);
    let a = Phone::new(0);
    let caller = o.dial(&a, REP, "c1");
    let at = o.now;
    let invites: Vec<Seen> = (1..4)
        .map(|n| o.expect(Phone::new(n).address, "INVITE"))
        .collect();
    o.quiet();
    assert!(invites.iter().all(|invite| invite.at == at));
    assert!(
        invites
            .iter()
            .all(|invite| invite.header("To") == "<sip:0312345678@office.example>")
    );
    for invite in &invites {
        o.answer(invite, 180);
    }
    o.expect(a.address, "180");
    let callee = o.take(&invites[1]);
    let mut caller = o.connected(caller);
    for loser in [&invites[0], &invites[2]] {
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
    o.hang_up(&mut caller, &callee);
    let records = o.records();
    let legs: Vec<_> = records.iter().map(|r| (r.leg, r.terminal)).collect();
    assert_eq!(legs, [(0, key(0)), (1, key(2))]);
    o.nothing_left();
}

/// Two phones lift at the same moment: the second gets its ACK and a BYE, and no missed call either.
#[test]
fn a_late_answer_gets_ack_and_bye() {
    let mut o = Office::with_phones(3);
    let a = Phone::new(0);
    let caller = o.dial(&a, REP, "c1");
    let [first, second] = [1, 2].map(|n| o.expect(Phone::new(n).address, "INVITE"));
    o.answer(&first, 180);
    o.answer(&second, 180);
    o.expect(a.address, "180");
    o.take(&first);
    o.connected(caller);
    o.expect(second.peer, "CANCEL");
    o.take(&second);
    let bye = o.expect(second.peer, "BYE");
    assert_eq!(
        bye.header("Reason"),
        "SIP;cause=200;text=\"Call completed elsewhere\""
    );
    o.reply(&bye, &answer(&bye, 200, ""));
    o.quiet();
    assert!(o.records().is_empty(), "the call goes on");
    o.wait(40_000);
    assert_eq!(o.usage().calls, 1);
}

/// One phone of the group is not there any more: the network knows at once, and the others go on ringing.
#[test]
fn an_unreachable_phone_fails_its_branch_at_once() {
    let mut o = Office::with_phones(3);
    let a = Phone::new(0);
    let caller = o.dial(&a, REP, "c1");
    let [first, second] = [1, 2].map(|n| o.expect(Phone::new(n).address, "INVITE"));
    o.handle(gateway::Input::Unreachable(first.peer.ip()));
    o.quiet();
    o.answer(&second, 486);
    o.expect(second.peer, "ACK");
    o.refused(&caller, "486");
    // A call to that phone alone.
    let caller = o.dial(&a, "201", "c2");
    let invite = o.expect(first.peer, "INVITE");
    o.handle(gateway::Input::Unreachable(invite.peer.ip()));
    assert_eq!(o.refused(&caller, "480").at, invite.at, "at once");
    o.quiet();
    o.nothing_left();
}

/// A phone that does not answer at all, on a network that does not say so: the INVITE is repeated, and given up.
#[test]
fn a_dead_phone_is_given_up() {
    let mut o = Office::with_phones(2);
    let [a, b] = [0, 1].map(Phone::new);
    let caller = o.dial(&a, "201", "c1");
    for (at, wait) in [(0, 500), (500, 1_000), (1_500, 2_000), (3_500, 28_500)] {
        let invite = o.expect(b.address, "INVITE");
        assert_eq!(invite.at - o.now, 0, "at {at}");
        o.wait(wait);
    }
    o.seen.retain(|seen| seen.what() != "INVITE");
    o.refused(&caller, "480");
    o.quiet();
    o.nothing_left();
}

/// A phone whose power goes in a call: nobody hears of it, until it is asked.
#[test]
fn a_call_with_a_phone_that_is_gone_ends() {
    let mut o = Office::with_phones(2);
    let (_, caller, callee) = talking(&mut o, "201");
    o.wait(60_000);
    o.expect(callee.peer, "OPTIONS");
    let asked = o.expect(caller.peer, "OPTIONS");
    o.reply(&asked, &answer(&asked, 200, ""));
    o.wait(33_000);
    let bye = o
        .seen
        .iter()
        .find(|seen| seen.what() == "BYE")
        .cloned()
        .expect("BYE");
    assert_eq!(bye.peer, caller.peer);
    assert_eq!(
        bye.header("Reason"),
        "Q.850;cause=38;text=\"Network out of order\""
    );
    let records = o.records();
    assert_eq!(
        records.iter().map(|r| r.state).collect::<Vec<_>>(),
        [FinalState::Lost; 2]
    );
    o.nothing_left();
}

/// Hold and retrieve are the phones' business; the box carries the descriptions over.
#[test]
fn hold_is_carried_over() {
    let mut o = Office::with_phones(2);
    let (_, mut caller, callee) = talking(&mut o, "201");
    caller.cseq += 1;
    let held = offer("192.168.1.10", 4_000).replace("sendrecv", "sendonly");
    o.rx(caller.peer, &caller.request("INVITE", "hold", "", &held));
    let invite = o.expect(callee.peer, "INVITE");
    assert_eq!(invite.body(), held);
    let answered = offer("192.168.1.11", 6_000).replace("sendrecv", "recvonly");
    o.reply(&invite, &answer(&invite, 200, &answered));
    o.expect(callee.peer, "ACK");
    let ok = o.expect(caller.peer, "200");
    assert_eq!(ok.body(), answered);
    o.send(&caller, "ACK", "hold-ack");
    o.hang_up(&mut caller, &callee);
    o.quiet();
    o.nothing_left();
}

/// A phone must not lend its line: a request with right credentials from where nobody is registered is refused, and
/// without credentials nothing is called.
#[test]
fn only_registered_phones_call() {
    let mut o = Office::with_phones(2);
    let mut elsewhere = Phone::new(0);
    elsewhere.address.set_ip([192, 168, 1, 200].into());
    let caller = o.dial_only(&elsewhere, "201", "c1");
    o.refused(&caller, "403");
    let mut guess = Phone::new(0);
    guess.password = "guess".into();
    o.dial_only(&guess, "201", "c2");
    o.expect(guess.address, "407");
    o.quiet();
    assert_eq!(o.records().len(), 0);
    o.nothing_left();
}

/// The name under which the cloud joins records is the box's: a phone could give the one of another call.
#[test]
fn a_phone_does_not_name_its_call() {
    let mut o = Office::with_phones(2);
    let [a, b] = [0, 1].map(Phone::new);
    let mut dialog = a.calls("201", "c1");
    o.rx(a.address, &dialog.request("INVITE", "1", "", OFFER));
    let challenge = o.expect(a.address, "407");
    dialog.cseq = 2;
    let own = "0123456789abcdef0123456789abcdef";
    let lines = a.authorization(&challenge, "INVITE", &dialog.target) + &format!("Session-ID: {own}\r\n");
    o.rx(a.address, &dialog.request("INVITE", "2", &lines, OFFER));
    assert_ne!(o.expect(b.address, "INVITE").header("Session-ID"), own);
}

/// The INVITE again, because the answer was lost.
#[test]
fn a_repeated_invite_makes_no_second_call() {
    let mut o = Office::with_phones(2);
    let [a, b] = [0, 1].map(Phone::new);
    let mut dialog = a.calls("201", "c1");
    o.rx(a.address, &dialog.request("INVITE", "1", "", OFFER));
    let challenge = o.expect(a.address, "407");
    dialog.cseq = 2;
    let line = a.authorization(&challenge, "INVITE", &dialog.target);
    let invite = dialog.request("INVITE", "2", &line, OFFER);
    for _ in 0..3 {
        o.rx(a.address, &invite);
        o.expect(a.address, "100");
    }
    let rings = o.expect(b.address, "INVITE");
    o.answer(&rings, 180);
    o.expect(a.address, "180");
    o.rx(a.address, &invite);
    o.expect(a.address, "180");
    o.quiet();
    assert_eq!(o.usage().calls, 1);
}
