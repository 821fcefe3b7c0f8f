//! After 110, 118 and 119: the number shown, and the call-back.

use std::net::SocketAddr;

use super::office::*;
use shared::guard::{ALONE_MS, GUARDED_MS};

fn cloud() -> SocketAddr {
    address(CLOUD)
}

/// Phone 1 has called 119 and was hung up on.
fn called_119(o: &mut Office) {
    let b = Phone::new(1);
    let caller = o.dial(&b, "184119", "e1");
    let invite = o.expect(cloud(), "INVITE");
    assert_eq!(
        invite.header("P-Asserted-Identity"),
        "<sip:+81312340001@office.example>",
        "its own number, which tells the place"
    );
    assert!(invite.header("From").contains("<sip:0312340001@office.example>") && !invite.has("Privacy"));
    o.answer(&invite, 180);
    o.expect(b.address, "180");
    let mut callee = o.take(&invite);
    let caller = o.connected(caller);
    o.hang_up(&mut callee, &caller);
    o.quiet();
}

#[test]
fn the_call_back_rings_who_called_although_its_number_is_off() {
    let mut site = site(3, 8);
    site.ids[1].direct_in = false;
    let mut o = Office::new(&site);
    (0..3).for_each(|n| drop(o.register(&Phone::new(n))));
    o.connect();
    let before = o.carrier_calls("0312340001", "k0");
    o.refused(&before, "480");
    called_119(&mut o);
    o.carrier_calls("0312340001", "k1");
    let invite = o.expect(Phone::new(1).address, "INVITE");
    o.quiet();
    o.answer(&invite, 180);
    o.expect(cloud(), "180");
    // Nobody else would ring: it goes on ringing.
    o.wait(ALONE_MS + 5_000);
    o.quiet();
    o.take(&invite);
    o.expect(cloud(), "200");
    // An hour later the number is off as before.
    o.wait(GUARDED_MS);
    o.seen.clear();
    let after = o.carrier_calls("0312340001", "k2");
    o.refused(&after, "480");
}

/// To a number that others share: the caller's phone first; the others when it does not answer, is busy, or is gone.
#[test]
fn the_call_back_to_a_shared_number() {
    let phones = [0, 1, 2].map(|n| match n {
        // Its own number does not tell the place.
        1 => Phone {
            user: "05012340001".into(),
            ..Phone::new(1)
        },
        n => Phone::new(n),
    });
    let mut site = site(3, 8);
    site.ids[1].direct = phones[1].user.parse().unwrap();
    site.credentials[1].ha1_sha256 = phones[1].ha1_sha256().try_into().unwrap();
    let phone = &phones[1];
    for way in ["silent", "busy", "gone"] {
        let mut o = Office::new(&site);
        phones.iter().for_each(|phone| drop(o.register(phone)));
        o.connect();
        let caller = o.dial(phone, "119", "e1");
        let invite = o.expect(cloud(), "INVITE");
        let asserted = invite.header("P-Asserted-Identity");
        assert_eq!(asserted, "<sip:+81312345678@office.example>");
        o.answer(&invite, 180);
        o.expect(phone.address, "180");
        o.send(&caller, "CANCEL", "2");
        o.answer(&invite, 487);
        o.seen.clear();
        if way == "gone" {
            o.register(&Phone {
                expires: 0,
                ..phone.clone()
            });
        }
        o.carrier_calls(REP, "k1");
        if way != "gone" {
            let first = o.expect(phone.address, "INVITE");
            o.quiet();
            o.answer(&first, if way == "busy" { 486 } else { 180 });
            o.wait(if way == "busy" { 0 } else { ALONE_MS });
            o.seen
                .retain(|seen| seen.peer != first.peer && seen.peer != cloud());
        }
        for other in [&phones[0], &phones[2]] {
            o.expect(other.address, "INVITE");
        }
        o.quiet();
    }
}

/// The cloud says that it is one (RFC 7090): this box has started anew since.
#[test]
fn a_call_back_that_only_the_cloud_knows_of() {
    let mut site = site(2, 8);
    site.ids[1].direct_in = false;
    let mut o = Office::new(&site);
    o.register(&Phone::new(1));
    o.connect();
    let call = carrier("0312340001", "k1");
    let line = "Priority: psap-callback\r\n";
    o.trunk_rx(call.request("INVITE", "2", line, OFFER).as_bytes());
    o.expect(cloud(), "100");
    o.expect(Phone::new(1).address, "INVITE");
}
