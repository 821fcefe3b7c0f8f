//! Pick-up: a phone takes a call that rings elsewhere.

use super::office::*;
use shared::IdKey;
use shared::record::FinalState;

/// Phone 0 calls phone 1, which rings; its INVITE. And how the lamp of phone 1 names the call: its Replaces.
#[track_caller]
fn ringing(o: &mut Office) -> (Dialog, Seen, String) {
    let caller = o.dial(&Phone::new(0), "201", "c1");
    let invite = o.expect(Phone::new(1).address, "INVITE");
    o.answer(&invite, 180);
    o.expect(caller.peer, "180");
    let replaces = lamp(o);
    (caller, invite, replaces)
}

/// What a phone reads from the lamp of 201, looking once.
#[track_caller]
fn lamp(o: &mut Office) -> String {
    let watcher = Phone::new(2);
    let dialog = watcher.calls("201", &format!("lamp{}", o.now));
    let extra = |line: &str| {
        format!(
            "Contact: <{}>\r\nEvent: dialog\r\nExpires: 0\r\n{line}",
            dialog.contact
        )
    };
    o.rx(dialog.peer, &dialog.request("SUBSCRIBE", "1", &extra(""), ""));
    let challenge = o.expect(dialog.peer, "407");
    let line = watcher.authorization(&challenge, "SUBSCRIBE", &dialog.target);
    let again = Dialog {
        cseq: 2,
        ..dialog.clone()
    };
    o.rx(dialog.peer, &again.request("SUBSCRIBE", "2", &extra(&line), ""));
    o.expect(dialog.peer, "200");
    o.wait(2);
    let notify = o.expect(dialog.peer, "NOTIFY");
    o.reply(&notify, &answer(&notify, 200, ""));
    let attribute = |name: &str| {
        let (_, rest) = notify
            .text
            .split_once(&format!(" {name}=\""))
            .unwrap_or_else(|| panic!("{}", notify.text));
        rest.split_once('"').unwrap().0
    };
    format!(
        "{};to-tag={};from-tag={};early-only",
        attribute("call-id"),
        attribute("local-tag"),
        attribute("remote-tag")
    )
}

/// Phone 2 wants the call with this name.
#[track_caller]
fn picks(o: &mut Office, replaces: &str, call_id: &str) -> Dialog {
    let phone = Phone::new(2);
    let mut dialog = phone.calls("201", call_id);
    let sdp = offer(&phone.address.ip().to_string(), 4_000);
    let extra = |line: &str| format!("Require: replaces\r\nReplaces: {replaces}\r\n{line}");
    o.rx(phone.address, &dialog.request("INVITE", "1", &extra(""), &sdp));
    let challenge = o.expect(phone.address, "407");
    o.rx(phone.address, &dialog.ack_refusal(&challenge, "1"));
    dialog.cseq = 2;
    let line = phone.authorization(&challenge, "INVITE", &dialog.target);
    o.rx(phone.address, &dialog.request("INVITE", "2", &extra(&line), &sdp));
    dialog
}

/// It has its answer, without media yet, and then hears what the caller offers: the re-INVITE.
#[track_caller]
fn connected(o: &mut Office, dialog: Dialog) -> (Dialog, Seen) {
    o.expect(dialog.peer, "100");
    let ok = o.expect(dialog.peer, "200");
    assert!(ok.body().contains("a=inactive\r\n"), "{}", ok.text);
    let dialog = dialog.confirmed(&ok);
    o.send(&dialog, "ACK", "ack");
    let invite = o.expect(dialog.peer, "INVITE");
    (dialog, invite)
}

#[test]
fn taken_over() {
    let mut o = Office::with_phones(3);
    o.events.clear();
    let (caller, rings, replaces) = ringing(&mut o);
    let dialog = picks(&mut o, &replaces, "p1");
    let (taker, invite) = connected(&mut o, dialog);
    assert!(
        invite.body().contains("c=IN IP4 192.168.1.10\r\n"),
        "{}",
        invite.text
    );
    o.answer(&invite, 200);
    o.expect(taker.peer, "ACK");
    let mut caller = o.connected(caller);
    assert!(
        o.seen
            .iter()
            .any(|seen| seen.peer == rings.peer && seen.what() == "CANCEL")
    );
    let cancel = o.expect(rings.peer, "CANCEL");
    assert_eq!(
        cancel.header("Reason"),
        "SIP;cause=200;text=\"Call completed elsewhere\""
    );
    o.reply(&cancel, &answer(&cancel, 200, ""));
    o.answer(&rings, 487);
    o.expect(rings.peer, "ACK");
    o.quiet();
    o.hang_up(&mut caller, &taker);
    let records = o.records();
    let key = |n| IdKey::new(n).unwrap();
    let seen: Vec<_> = records.iter().map(|r| (r.terminal, r.leg, r.state)).collect();
    assert!(
        seen.contains(&(Some(key(0)), 0, FinalState::Answered)),
        "{seen:?}"
    );
    assert!(
        seen.contains(&(Some(key(2)), 2, FinalState::Answered)),
        "{seen:?}"
    );
    assert_eq!(records.len(), 2);
    assert_eq!(records[0].session, records[1].session, "one call");
    o.nothing_left();
}

#[test]
fn from_outside() {
    let mut o = Office::online(3);
    let carrier = o.carrier_calls("0312340001", "in1");
    let rings = o.expect(Phone::new(1).address, "INVITE");
    o.answer(&rings, 180);
    o.expect(carrier.peer, "180");
    let replaces = lamp(&mut o);
    let dialog = picks(&mut o, &replaces, "p1");
    let (mut taker, invite) = connected(&mut o, dialog);
    o.answer(&invite, 200);
    o.expect(taker.peer, "ACK");
    let carrier = o.connected(carrier);
    o.expect(rings.peer, "CANCEL");
    o.seen.clear();
    o.hang_up(&mut taker, &carrier);
    o.nothing_left();
}

/// The phone that rings is faster, or the caller has gone.
#[test]
fn too_late() {
    for answered in [true, false] {
        let mut o = Office::with_phones(3);
        let (caller, rings, replaces) = ringing(&mut o);
        let dialog = picks(&mut o, &replaces, "p1");
        let (taker, invite) = connected(&mut o, dialog);
        if answered {
            let callee = o.take(&rings);
            let mut caller = o.connected(caller);
            o.expect(taker.peer, "BYE");
            o.answer(&invite, 200);
            o.expect(taker.peer, "ACK");
            o.seen.clear();
            o.hang_up(&mut caller, &callee);
        } else {
            o.send(&caller, "CANCEL", "2");
            o.expect(caller.peer, "200");
            o.refused(&caller, "487");
            o.expect(rings.peer, "CANCEL");
            o.expect(taker.peer, "BYE");
            o.answer(&invite, 200);
            o.expect(taker.peer, "ACK");
        }
        o.nothing_left();
    }
}

/// Who wanted it does not take it after all: it rings on where it rang.
#[test]
fn not_after_all() {
    let mut o = Office::with_phones(3);
    let (caller, rings, replaces) = ringing(&mut o);
    let dialog = picks(&mut o, &replaces, "p1");
    let (taker, invite) = connected(&mut o, dialog);
    o.answer(&invite, 488);
    o.expect(taker.peer, "ACK");
    let bye = o.expect(taker.peer, "BYE");
    o.reply(&bye, &answer(&bye, 200, ""));
    o.quiet();
    // Again, and it hangs up.
    let dialog = picks(&mut o, &replaces, "p2");
    let (mut taker, _) = connected(&mut o, dialog);
    taker.cseq += 1;
    let by = taker.clone();
    o.send(&by, "BYE", "bye");
    o.expect(taker.peer, "200");
    o.quiet();
    let callee = o.take(&rings);
    let mut caller = o.connected(caller);
    o.hang_up(&mut caller, &callee);
    o.nothing_left();
}

#[test]
fn what_is_refused() {
    let mut o = Office::with_phones(3);
    let (caller, rings, replaces) = ringing(&mut o);
    let callee = o.take(&rings);
    let caller = o.connected(caller);
    let tag = |text: &str| text.split(";tag=").nth(1).unwrap().to_owned();
    let talking = format!(
        "{};to-tag={};from-tag={}",
        caller.call_id,
        tag(&caller.remote),
        tag(&caller.own)
    );
    let cases = [
        ("it does not ring any more", replaces.clone(), "481"),
        ("no such call", replaces.replace(';', "0;"), "481"),
        ("not readable", "x".to_owned(), "400"),
        (
            "it is answered, and that is not wanted",
            format!("{talking};early-only"),
            "486",
        ),
        ("it is answered, and is theirs", talking, "603"),
    ];
    for (n, (what, replaces, status)) in cases.into_iter().enumerate() {
        o.wait(n as u64);
        let dialog = picks(&mut o, &replaces, &format!("p{n}"));
        let refusal = o.expect(dialog.peer, status);
        assert_eq!(refusal.what(), status, "{what}");
        o.rx(dialog.peer, &dialog.ack_refusal(&refusal, "2"));
    }
    o.quiet();
    drop(callee);
}

/// R28: an app's direct number is personal.
#[test]
fn not_from_an_app() {
    let mut site = site(3, 8);
    site.ids[1].kind = shared::TerminalKind::App;
    let mut o = Office::new(&site);
    (0..3).for_each(|n| drop(o.register(&Phone::new(n))));
    let (_, _, replaces) = ringing(&mut o);
    let dialog = picks(&mut o, &replaces, "p1");
    o.expect(dialog.peer, "403");
}
