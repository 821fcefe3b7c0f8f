//! Transfers: blind, attended, and what becomes of those that fail.

use super::office::*;
use shared::IdKey;
use shared::record::{Direction, FinalState};

fn key(index: u16) -> Option<IdKey> {
    IdKey::new(index)
}

/// Phone `from` calls phone `to`, which answers.
#[track_caller]
pub fn talking(o: &mut Office, from: u16, to: u16, call_id: &str) -> (Dialog, Dialog) {
    let [a, b] = [from, to].map(Phone::new);
    let caller = o.dial(&a, &format!("{}", 200 + to), call_id);
    let invite = o.expect(b.address, "INVITE");
    let callee = o.take(&invite);
    let caller = o.connected(caller);
    (caller, callee)
}

/// A call from outside to phone 0's number, answered.
#[track_caller]
pub fn from_outside(o: &mut Office) -> (Dialog, Dialog) {
    let carrier = o.carrier_calls("0312340000", "in1");
    let invite = o.expect(Phone::new(0).address, "INVITE");
    let callee = o.take(&invite);
    let carrier = o.connected(carrier);
    (carrier, callee)
}

/// A REFER within a dialog.
pub fn refer(o: &mut Office, dialog: &mut Dialog, to: &str, more: &str) {
    dialog.cseq += 1;
    let Dialog { contact, cseq, .. } = &*dialog;
    let extra = format!("Contact: <{contact}>\r\nRefer-To: {to}\r\n{more}");
    let text = dialog.request("REFER", &format!("refer{cseq}"), &extra, "");
    o.rx(dialog.peer, &text);
}

/// The NOTIFY with this status, answered.
#[track_caller]
pub fn notified(o: &mut Office, dialog: &Dialog, status: &str) {
    let notify = o.expect(dialog.peer, "NOTIFY");
    assert_eq!(notify.header("Event"), "refer");
    assert!(
        notify.body().starts_with(&format!("SIP/2.0 {status} ")),
        "{}",
        notify.text
    );
    assert_eq!(
        notify.header("Subscription-State").starts_with("terminated"),
        status != "100"
    );
    o.reply(&notify, &answer(&notify, 200, ""));
}

/// Who is asked within its dialog takes what the new side has offered: its INVITE, and the ACK of the new side.
#[track_caller]
fn takes(o: &mut Office, stays: &Dialog, new: &Dialog) {
    let invite = o.expect(stays.peer, "INVITE");
    assert!(invite.header("To").contains(";tag="), "{}", invite.text);
    assert!(invite.body().contains("m=audio 6000 "), "{}", invite.text);
    o.answer(&invite, 200);
    o.expect(stays.peer, "ACK");
    let ack = o.expect(new.peer, "ACK");
    assert!(
        ack.body().contains(&format!("IN IP4 {}\r\n", stays.peer.ip())),
        "{}",
        ack.text
    );
}

/// The new side answers an INVITE that has no offer, with one of its own.
pub fn answers(o: &mut Office, invite: &Seen) -> Dialog {
    assert_eq!(invite.body(), "");
    o.answer(invite, 200);
    Dialog::of_callee(invite)
}

/// Good-bye of the box to who was replaced.
#[track_caller]
pub fn replaced(o: &mut Office, dialog: &Dialog) {
    let bye = o.expect(dialog.peer, "BYE");
    assert_eq!(bye.header("Call-ID"), dialog.call_id);
    o.reply(&bye, &answer(&bye, 200, ""));
}

/// Terminal, direction, state and whether it was answered, of each record.
fn records(o: &mut Office) -> Vec<(Option<IdKey>, Direction, FinalState, bool)> {
    let records = o.records().into_iter();
    records
        .map(|r| (r.terminal, r.direction, r.state, r.answered.is_some()))
        .collect()
}

const TO_202: &str = "<sip:202@office.example>";

#[test]
fn blind_within_the_office() {
    for by_caller in [false, true] {
        let mut o = Office::with_phones(3);
        o.events.clear();
        let (caller, callee) = talking(&mut o, 0, 1, "c1");
        let (mut leaves, mut stays) = if by_caller {
            (caller, callee)
        } else {
            (callee, caller)
        };
        refer(&mut o, &mut leaves, TO_202, "");
        o.expect(leaves.peer, "202");
        notified(&mut o, &leaves, "100");
        let invite = o.expect(Phone::new(2).address, "INVITE");
        // It sees who it is going to talk with, and who wanted that.
        let (other, own) = if by_caller { (1, 0) } else { (0, 1) };
        assert!(
            invite
                .header("From")
                .starts_with(&format!("\"Phone {other}\" <sip:20{other}@office.example>")),
            "{}",
            invite.text
        );
        assert_eq!(
            invite.header("Referred-By"),
            format!("<sip:20{own}@office.example>")
        );
        o.answer(&invite, 180);
        o.quiet();
        let new = answers(&mut o, &invite);
        takes(&mut o, &stays, &new);
        notified(&mut o, &leaves, "200");
        replaced(&mut o, &leaves);
        o.quiet();
        // Only the part of the one that left is written down by now.
        let mut first = records(&mut o);
        assert_eq!(
            first.len(),
            2,
            "the side that left, and its call for the other one: {first:?}"
        );
        assert!(
            first
                .iter()
                .all(|(who, _, state, _)| *who == key(own) && *state == FinalState::Answered)
        );
        o.hang_up(&mut stays, &new);
        o.quiet();
        first.extend(records(&mut o));
        let parts: Vec<_> = first.iter().map(|(who, ..)| *who).collect();
        assert_eq!(parts.len(), 4);
        assert!(
            parts.contains(&key(other)) && parts.contains(&key(2)),
            "{parts:?}"
        );
        o.nothing_left();
    }
}

/// The transferor may leave as soon as its order is taken.
#[test]
fn blind_and_gone() {
    let mut o = Office::with_phones(3);
    let (mut stays, mut leaves) = talking(&mut o, 0, 1, "c1");
    refer(&mut o, &mut leaves, TO_202, "");
    o.expect(leaves.peer, "202");
    leaves.cseq += 1;
    let bye = leaves.clone();
    o.send(&bye, "BYE", "bye");
    o.seen.retain(|seen| seen.what() != "NOTIFY");
    o.expect(leaves.peer, "200");
    let invite = o.expect(Phone::new(2).address, "INVITE");
    o.answer(&invite, 180);
    o.quiet();
    let new = answers(&mut o, &invite);
    takes(&mut o, &stays, &new);
    o.quiet();
    o.hang_up(&mut stays, &new);
    o.nothing_left();
}

/// A caller from outside, to another phone and to another number outside. It holds its channel throughout.
#[test]
fn of_a_call_from_outside() {
    let mut o = Office::online(3);
    let (carrier, mut leaves) = from_outside(&mut o);
    refer(&mut o, &mut leaves, "<sip:201@office.example>", "");
    o.expect(leaves.peer, "202");
    notified(&mut o, &leaves, "100");
    let invite = o.expect(Phone::new(1).address, "INVITE");
    assert!(
        invite
            .header("From")
            .contains("<sip:+81665550001@office.example>"),
        "{}",
        invite.text
    );
    let mut new = answers(&mut o, &invite);
    takes(&mut o, &carrier, &new);
    notified(&mut o, &leaves, "200");
    replaced(&mut o, &leaves);
    // On to a mobile telephone, as phone 1 may dial.
    refer(&mut o, &mut new, "<sip:09012345678@office.example>", "");
    o.expect(new.peer, "202");
    notified(&mut o, &new, "100");
    let invite = o.expect(address(CLOUD), "INVITE");
    assert!(invite.uri().starts_with("sip:09012345678@"), "{}", invite.text);
    assert!(
        invite.header("P-Asserted-Identity").contains("+81312345678"),
        "its own number: {}",
        invite.text
    );
    let mobile = answers(&mut o, &invite);
    let invite = o.expect(address(CLOUD), "INVITE");
    assert_eq!(invite.header("Call-ID"), "in1");
    o.answer(&invite, 200);
    assert_eq!(o.expect(address(CLOUD), "ACK").header("Call-ID"), "in1");
    assert_eq!(o.expect(address(CLOUD), "ACK").header("Call-ID"), mobile.call_id);
    notified(&mut o, &new, "200");
    replaced(&mut o, &new);
    o.send(&Dialog { cseq: 9, ..carrier }, "BYE", "bye");
    o.expect(address(CLOUD), "200");
    let bye = o.expect(address(CLOUD), "BYE");
    assert_eq!(bye.header("Call-ID"), mobile.call_id);
    o.reply(&bye, &answer(&bye, 200, ""));
    o.nothing_left();
}

#[test]
fn failures_with_the_transferor_there() {
    let cases: [(&str, &str, u16, &str); 6] = [
        ("busy", TO_202, 486, "486"),
        ("does not answer", TO_202, 180, "480"),
        ("no such extension", "<sip:299@office.example>", 0, "404"),
        ("barred", "<sip:0990123456@office.example>", 0, "403"),
        ("no line", "<sip:0665550001@office.example>", 0, "503"),
        ("not a number", "<sip:nobody@office.example>", 0, "484"),
    ];
    for (what, to, status, told) in cases {
        let mut o = Office::with_phones(3);
        let (mut stays, mut leaves) = talking(&mut o, 0, 1, "c1");
        refer(&mut o, &mut leaves, to, "");
        o.expect(leaves.peer, "202");
        notified(&mut o, &leaves, "100");
        if status != 0 {
            let invite = o.expect(Phone::new(2).address, "INVITE");
            o.answer(&invite, status);
            if status < 200 {
                for _ in 0..180 {
                    o.wait(1_000);
                    // Is anybody there?
                    while let Some(at) = o.seen.iter().position(|seen| seen.what() == "OPTIONS") {
                        let asked = o.seen.remove(at).unwrap();
                        o.reply(&asked, &answer(&asked, 200, ""));
                    }
                }
                let cancel = o.expect(invite.peer, "CANCEL");
                o.reply(&cancel, &answer(&cancel, 200, ""));
                o.answer(&invite, 487);
            }
            o.expect(invite.peer, "ACK");
        }
        let notify = o
            .seen
            .iter()
            .find(|seen| seen.what() == "NOTIFY")
            .map(|seen| seen.body().to_owned());
        assert!(
            notify.is_some_and(|body| body.starts_with(&format!("SIP/2.0 {told} "))),
            "{what}: {:#?}",
            o.seen
        );
        notified(&mut o, &leaves, told);
        assert!(o.media.is_empty(), "{what}: nobody would hear an announcement");
        // The two go on.
        leaves.cseq += 1;
        let by = leaves.clone();
        let text = by.request("INVITE", "hold", "", &offer("192.168.1.11", 6_100));
        o.rx(by.peer, &text);
        let invite = o.expect(stays.peer, "INVITE");
        o.answer(&invite, 200);
        o.expect(stays.peer, "ACK");
        o.expect(by.peer, "200");
        o.send(&by, "ACK", "ack2");
        o.hang_up(&mut stays, &leaves);
        o.nothing_left();
    }
}

/// The target is busy and the transferor has left: its phone rings again, and talks, or the one that waits is told good-bye.
#[test]
fn recall() {
    for taken in [true, false] {
        let mut o = Office::with_phones(3);
        let (mut stays, mut leaves) = talking(&mut o, 0, 1, "c1");
        refer(&mut o, &mut leaves, TO_202, "Refer-Sub: false\r\n");
        assert_eq!(o.expect(leaves.peer, "200").header("Refer-Sub"), "false");
        leaves.cseq += 1;
        let by = leaves.clone();
        o.send(&by, "BYE", "bye");
        o.expect(leaves.peer, "200");
        let invite = o.expect(Phone::new(2).address, "INVITE");
        o.answer(&invite, 486);
        o.expect(invite.peer, "ACK");
        let invite = o.expect(leaves.peer, "INVITE");
        assert!(
            invite.header("From").starts_with("\"Phone 0\" <sip:200@"),
            "{}",
            invite.text
        );
        if taken {
            let new = answers(&mut o, &invite);
            takes(&mut o, &stays, &new);
            o.quiet();
            o.hang_up(&mut stays, &new);
        } else {
            o.answer(&invite, 603);
            o.expect(invite.peer, "ACK");
            replaced(&mut o, &stays);
        }
        o.quiet();
        o.nothing_left();
    }
}

/// Who was to be transferred hangs up while the target rings.
#[test]
fn nobody_waits_any_more() {
    let mut o = Office::with_phones(3);
    let (mut stays, mut leaves) = talking(&mut o, 0, 1, "c1");
    refer(&mut o, &mut leaves, TO_202, "");
    o.expect(leaves.peer, "202");
    notified(&mut o, &leaves, "100");
    let invite = o.expect(Phone::new(2).address, "INVITE");
    o.answer(&invite, 180);
    o.hang_up(&mut stays, &leaves);
    let cancel = o.expect(invite.peer, "CANCEL");
    o.reply(&cancel, &answer(&cancel, 200, ""));
    o.answer(&invite, 487);
    o.expect(invite.peer, "ACK");
    o.quiet();
    o.nothing_left();
}

/// The Refer-To of an attended transfer to who is at the other end of this dialog of the transferor.
fn replacing(dialog: &Dialog) -> String {
    let tag = |text: &str| text.split(";tag=").nth(1).unwrap().to_owned();
    format!(
        "<{}?Replaces={}%3Bto-tag%3D{}%3Bfrom-tag%3D{}>",
        dialog.target,
        dialog.call_id,
        tag(&dialog.remote),
        tag(&dialog.own)
    )
}

#[test]
fn attended() {
    let mut o = Office::with_phones(3);
    o.events.clear();
    let (mut stays, mut leaves) = talking(&mut o, 0, 1, "c1");
    let (second, new) = talking(&mut o, 1, 2, "c2");
    let to = replacing(&second);
    refer(&mut o, &mut leaves, &to, "Require: replaces\r\n");
    o.expect(leaves.peer, "202");
    notified(&mut o, &leaves, "100");
    let invite = o.expect(new.peer, "INVITE");
    assert!(
        invite.header("To").contains(";tag=") && invite.body().is_empty(),
        "{}",
        invite.text
    );
    o.answer(&invite, 200);
    takes(&mut o, &stays, &new);
    replaced(&mut o, &second);
    notified(&mut o, &leaves, "200");
    replaced(&mut o, &leaves);
    o.quiet();
    // Both of its parts are over; the two that talk go on with theirs.
    let first = records(&mut o);
    let answered = FinalState::Answered;
    assert_eq!(
        first,
        [
            (key(1), Direction::Out, answered, true),
            (key(1), Direction::In, answered, true)
        ]
    );
    o.hang_up(&mut stays, &new);
    let second = records(&mut o);
    assert_eq!(second.len(), 2, "{second:?}");
    assert!(second.contains(&(key(0), Direction::In, answered, true)));
    assert!(second.contains(&(key(2), Direction::Out, answered, true)));
    o.nothing_left();
}

/// The second call still rings: who stays gets whoever answers it.
#[test]
fn before_the_second_call_is_answered() {
    let mut o = Office::with_phones(3);
    let (mut stays, mut leaves) = talking(&mut o, 0, 1, "c1");
    let mut second = o.dial(&Phone::new(1), "202", "c2");
    let invite = o.expect(Phone::new(2).address, "INVITE");
    o.answer(&invite, 180);
    second.remote = o.expect(second.peer, "180").header("To").into();
    let to = replacing(&second);
    refer(&mut o, &mut leaves, &to, "");
    o.expect(leaves.peer, "202");
    notified(&mut o, &leaves, "100");
    o.quiet();
    let new = o.take(&invite);
    let second = o.connected(second);
    o.wait(300);
    let invite = o.expect(new.peer, "INVITE");
    o.answer(&invite, 200);
    takes(&mut o, &stays, &new);
    replaced(&mut o, &second);
    notified(&mut o, &leaves, "200");
    replaced(&mut o, &leaves);
    o.hang_up(&mut stays, &new);
    o.nothing_left();
}

/// Who is called gets one of those that wait, and the other one stays with whom it talks.
#[test]
fn two_for_the_second_call() {
    let mut o = Office::with_phones(4);
    let (mut first, mut leaves) = talking(&mut o, 0, 1, "c1");
    let (mut other, mut remains) = talking(&mut o, 3, 1, "c3");
    let mut second = o.dial(&Phone::new(1), "202", "c2");
    let invite = o.expect(Phone::new(2).address, "INVITE");
    o.answer(&invite, 180);
    second.remote = o.expect(second.peer, "180").header("To").into();
    let to = replacing(&second);
    refer(&mut o, &mut leaves, &to, "");
    o.expect(leaves.peer, "202");
    notified(&mut o, &leaves, "100");
    refer(&mut o, &mut remains, &to, "");
    o.expect(remains.peer, "202");
    notified(&mut o, &remains, "100");
    notified(&mut o, &remains, "481");
    let new = o.take(&invite);
    let second = o.connected(second);
    o.wait(300);
    let invite = o.expect(new.peer, "INVITE");
    o.answer(&invite, 200);
    takes(&mut o, &first, &new);
    replaced(&mut o, &second);
    notified(&mut o, &leaves, "200");
    replaced(&mut o, &leaves);
    o.hang_up(&mut first, &new);
    o.hang_up(&mut other, &remains);
    o.nothing_left();
}

#[test]
fn what_is_refused() {
    let mut o = Office::with_phones(4);
    let (stays, mut leaves) = talking(&mut o, 0, 1, "c1");
    let (other, third) = talking(&mut o, 2, 3, "c2");
    let twice = format!("{TO_202}\r\nRefer-To: {TO_202}");
    let cases = [
        ("nobody", "*", "400"),
        ("twice", &twice, "400"),
        ("not readable", "<sip:202@office.example?Replaces=x>", "400"),
        ("another method", "<sip:202@office.example;method=BYE>", "603"),
    ];
    for (what, to, status) in cases {
        refer(&mut o, &mut leaves, to, "");
        assert_eq!(o.expect(leaves.peer, status).what(), status, "{what}");
    }
    refer(&mut o, &mut leaves, TO_202, "Require: multiple-refer\r\n");
    assert_eq!(
        o.expect(leaves.peer, "420").header("CSeq").split(' ').nth(1),
        Some("REFER")
    );
    // A dialog that is somebody else's, or nobody's.
    for to in [
        replacing(&other),
        replacing(&third),
        replacing(&other).replace("c2", "c3"),
    ] {
        refer(&mut o, &mut leaves, &to, "");
        o.expect(leaves.peer, "202");
        notified(&mut o, &leaves, "100");
        notified(&mut o, &leaves, "481");
    }
    o.quiet();
    // Not in a dialog at all.
    let mut stranger = Phone::new(1).calls("202", "c9");
    refer(&mut o, &mut stranger, TO_202, "");
    o.expect(stranger.peer, "405");
    drop((stays, third));
}

/// The carrier's side cannot send the office's phones anywhere, and 119 is not sent away.
#[test]
fn who_may_not() {
    let mut o = Office::online(2);
    let (mut carrier, callee) = from_outside(&mut o);
    carrier.cseq += 1;
    let text = carrier.request(
        "REFER",
        "refer",
        &format!("Contact: <sip:c@x>\r\nRefer-To: {TO_202}\r\n"),
        "",
    );
    o.trunk_rx(text.as_bytes());
    o.expect(address(CLOUD), "603");
    drop(callee);

    let caller = o.dial(&Phone::new(1), "119", "c1");
    let invite = o.expect(address(CLOUD), "INVITE");
    o.take(&invite);
    let mut caller = o.connected(caller);
    refer(&mut o, &mut caller, "<sip:200@office.example>", "");
    o.expect(caller.peer, "403");
    o.quiet();
}
