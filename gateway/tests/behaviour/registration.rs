//! Phones register at the box and nowhere else.

use super::office::*;
use shared::IdKey;
use shared::sync::EventBody;

fn registered(office: &Office) -> Vec<u16> {
    office.gateway.registered().map(u16::from).collect()
}

#[test]
fn a_phone_registers_with_sha_256_or_md5() {
    let mut o = Office::new(&site(3, 8));
    let a = Phone::new(0);
    let b = Phone::new(1).md5();
    for phone in [&a, &b] {
        let ok = o.register(phone);
        assert!(
            ok.header("Contact")
                .starts_with(&format!("<sip:phone@{}>;expires=", phone.address))
        );
    }
    assert_eq!(registered(&o), [0, 1]);
    o.quiet();
    let told: Vec<_> = o
        .events
        .iter()
        .filter(|e| matches!(e, EventBody::Registration { .. }))
        .collect();
    let key = |n| IdKey::new(n).unwrap();
    assert_eq!(
        told,
        [0, 1]
            .map(|n| EventBody::Registration {
                terminal: key(n),
                registered: true
            })
            .iter()
            .collect::<Vec<_>>()
    );
    assert_eq!(o.usage(), Usage::default(), "a REGISTER leaves no transaction");
}

#[test]
fn both_algorithms_are_offered_the_better_one_first() {
    let mut o = Office::new(&site(1, 8));
    let a = Phone::new(0);
    o.rx(a.address, &a.register(1, ""));
    let challenge = o.expect(a.address, "401");
    let offered: Vec<&str> = challenge.headers("WWW-Authenticate").collect();
    assert!(
        offered[0].contains("SHA-256") && offered[1].contains("MD5"),
        "{offered:?}"
    );
    // Via as it came in, with the source filled in (RFC 3581).
    assert!(
        challenge.header("Via").contains(";rport=5060"),
        "{}",
        challenge.text
    );
}

#[test]
fn a_wrong_password_is_refused() {
    let mut o = Office::new(&site(2, 8));
    let mut a = Phone::new(0);
    a.password = "guess".into();
    for round in 0..3 {
        o.rx(a.address, &a.register(2 * round + 1, ""));
        let challenge = o.expect(a.address, "401");
        let line = a.authorization(&challenge, "REGISTER", &format!("sip:{REALM}"));
        o.rx(a.address, &a.register(2 * round + 2, &line));
        o.expect(a.address, "401");
    }
    assert_eq!(registered(&o), [0u16; 0]);
    // A name that is not there is refused in the same way.
    let mut nobody = Phone::new(1);
    nobody.user = "0399999999".into();
    o.rx(nobody.address, &nobody.register(1, ""));
    let challenge = o.expect(nobody.address, "401");
    let line = nobody.authorization(&challenge, "REGISTER", &format!("sip:{REALM}"));
    o.rx(nobody.address, &nobody.register(2, &line));
    o.expect(nobody.address, "401");
    // The right one is still welcome, from elsewhere.
    let mut right = Phone::new(0);
    right.address.set_ip([192, 168, 1, 99].into());
    o.register(&right);
    assert_eq!(registered(&o), [0]);
}

#[test]
fn nobody_takes_a_registered_address_without_its_password() {
    let mut o = Office::with_phones(2);
    // Phone 1, with its own right password, claims phone 0's address of record.
    let mut thief = Phone::new(1);
    let own = thief.register(3, "");
    o.rx(thief.address, &own);
    let challenge = o.expect(thief.address, "401");
    let line = thief.authorization(&challenge, "REGISTER", &format!("sip:{REALM}"));
    let claim = thief
        .register(4, &line)
        .replace("To: <sip:0312340001@", "To: <sip:0312340000@");
    o.rx(thief.address, &claim);
    o.expect(thief.address, "403");
    // And with a guess, in phone 0's name.
    thief.user = "0312340000".into();
    thief.password = "guess".into();
    o.rx(thief.address, &thief.register(5, ""));
    let challenge = o.expect(thief.address, "401");
    let line = thief.authorization(&challenge, "REGISTER", &format!("sip:{REALM}"));
    o.rx(thief.address, &thief.register(6, &line));
    o.expect(thief.address, "401");
    // Calls still go where they went.
    let caller = Phone::new(1);
    o.dial(&caller, "200", "c1");
    assert_eq!(
        o.expect(Phone::new(0).address, "INVITE").uri(),
        "sip:phone@192.168.1.10:5060"
    );
}

#[test]
fn a_phone_that_is_gone_is_forgotten_and_told_of() {
    let mut o = Office::with_phones(1);
    let a = Phone::new(0);
    o.events.clear();
    o.wait(400_000);
    assert_eq!(registered(&o), [0u16; 0]);
    let terminal = IdKey::new(0).unwrap();
    assert_eq!(
        o.events,
        [EventBody::Registration {
            terminal,
            registered: false
        }]
    );
    o.register(&a);
    // It signs off.
    let off = Phone {
        expires: 0,
        ..a.clone()
    };
    o.rx(a.address, &off.register(3, ""));
    let challenge = o.expect(a.address, "401");
    let line = off.authorization(&challenge, "REGISTER", &format!("sip:{REALM}"));
    o.rx(a.address, &off.register(4, &line));
    o.expect(a.address, "200");
    assert_eq!(registered(&o), [0u16; 0]);
    o.nothing_left();
}

/// A refresh is not written to flash; a phone that is new or has moved is, once.
#[test]
fn flash_is_written_on_change_only() {
    let mut o = Office::with_phones(1);
    let a = Phone::new(0);
    let stored = o.stored;
    for cseq in 0..20 {
        o.rx(a.address, &a.register(10 + 2 * cseq, ""));
        let challenge = o.expect(a.address, "401");
        let line = a.authorization(&challenge, "REGISTER", &format!("sip:{REALM}"));
        o.rx(a.address, &a.register(11 + 2 * cseq, &line));
        o.expect(a.address, "200");
        o.wait(60_000);
    }
    assert_eq!(o.stored, stored);
}

/// A binding that could not be written is written later: nothing else would bring the phone back after a power cut.
#[test]
fn a_failing_store_is_tried_again() {
    let mut o = Office::new(&site(2, 8));
    o.broken = true;
    o.register(&Phone::new(0));
    o.wait(10_000);
    assert!(o.gateway.counters().unstored >= 3);
    let tried = o.stored;
    o.wait(3_600_000);
    assert!(o.stored - tried < 200, "it is tried with growing pauses");
    o.register(&Phone::new(0));
    o.register(&Phone::new(1));
    o.broken = false;
    o.wait(70_000);
    let o = o.restart();
    assert_eq!(registered(&o), [0, 1]);
}

/// A phone registers with these parameters and lines besides: the 200.
fn register_with(o: &mut Office, phone: &Phone, params: &str, lines: &str) -> Seen {
    let with = |text: String| {
        let contact = format!("Contact: <sip:phone@{}>", phone.address);
        text.replace(&contact, &format!("{lines}{contact}{params}"))
    };
    o.rx(phone.address, &with(phone.register(1, "")));
    let challenge = o.expect(phone.address, "401");
    let line = phone.authorization(&challenge, "REGISTER", &format!("sip:{REALM}"));
    o.rx(phone.address, &with(phone.register(2, &line)));
    o.expect(phone.address, "200")
}

/// RFC 5627: two phones of one ID, one of them called by its own name.
#[test]
fn a_call_to_a_gruu_rings_one_phone() {
    let mut o = Office::new(&site(2, 8));
    let (caller, one) = (Phone::new(0), Phone::new(1));
    o.register(&caller);
    let two = Phone {
        address: address("192.168.1.77:5060"),
        ..one.clone()
    };
    o.register(&two);
    let instance = ";+sip.instance=\"<urn:uuid:00000000-0000-1000-8000-000A95A0E128>\"";
    let ok = register_with(&mut o, &one, instance, "Supported: gruu\r\n");
    let contact = ok
        .headers("Contact")
        .find(|line| line.contains(instance))
        .unwrap();
    let gruu = contact
        .split_once("pub-gruu=\"")
        .unwrap()
        .1
        .split_once('"')
        .unwrap()
        .0;
    let call = |o: &mut Office, uri: &str, id: &str| {
        let mut dialog = caller.calls("x", id);
        dialog.target = uri.into();
        o.rx(caller.address, &dialog.request("INVITE", "1", "", OFFER));
        let challenge = o.expect(caller.address, "407");
        o.rx(caller.address, &dialog.ack_refusal(&challenge, "1"));
        dialog.cseq = 2;
        let line = caller.authorization(&challenge, "INVITE", uri);
        o.rx(caller.address, &dialog.request("INVITE", "2", &line, OFFER));
        o.expect(caller.address, "100");
        dialog
    };
    call(&mut o, &format!("sip:0312340001@{REALM}"), "c1");
    o.expect(one.address, "INVITE");
    o.expect(two.address, "INVITE");
    call(&mut o, gruu, "c2");
    o.expect(one.address, "INVITE");
    o.quiet();
    // Nobody has this name.
    let nobody = call(&mut o, &format!("sip:0312340001@{REALM};gr=0123456789abcd"), "c3");
    o.refused(&nobody, "480");
    o.quiet();
}

/// RFC 3327: a phone behind a proxy is called through it.
#[test]
fn a_phone_behind_a_proxy_is_called_through_it() {
    if sip::b2bua::ROUTE_MAX == 0 {
        // The box's calls have no room for a route: such a phone is told so.
        return;
    }
    let mut o = Office::new(&site(2, 8));
    let (caller, phone) = (Phone::new(0), Phone::new(1));
    o.register(&caller);
    let path = "<sip:tok@192.168.1.11:5060;lr>";
    let ok = register_with(
        &mut o,
        &phone,
        "",
        &format!("Supported: path\r\nPath: {path}\r\n"),
    );
    assert_eq!(ok.header("Path"), path);
    let dialog = o.dial(&caller, "201", "c1");
    let invite = o.expect(phone.address, "INVITE");
    assert_eq!(invite.header("Route"), path);
    // The CANCEL goes the same way (RFC 3261 §9.1).
    o.answer(&invite, 180);
    o.expect(caller.address, "180");
    o.send(&dialog, "CANCEL", "2");
    assert_eq!(o.expect(phone.address, "CANCEL").header("Route"), path);
}
