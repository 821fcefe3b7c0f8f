//! REGISTERs with right credentials and anything else changed: what is kept and answered is in order all the same.

use super::*;
use crate::budget::BINDINGS_PER_ID;
use sip::NameAddr;

/// Words that mean something in a REGISTER.
const WORDS: [&str; 24] = [
    ";",
    ",",
    "<",
    ">",
    "\"",
    "*",
    ";expires=",
    ";expires=0",
    ";lr",
    ";ob",
    ";gr=",
    ";reg-id=1",
    ";reg-id=99999999999",
    ";+sip.instance=\"<urn:uuid:1>\"",
    ";+sip.instance=",
    "<sip:x@y;lr>",
    "sip:",
    "tel:",
    "\r\n ",
    "\r\nPath: <sip:p;lr;ob>",
    "\r\nVia: SIP/2.0/UDP p;branch=z9hG4bKp",
    "\r\nContact: <sip:z@192.0.2.99>",
    "\r\nRequire: path",
    "\u{3042}",
];

#[test]
fn changed_registers_do_no_harm() {
    let mut seed = 7u64;
    let mut next = move |below: usize| {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % below
    };
    let mut office = Office::new(4, 1);
    let mut statuses = std::collections::BTreeMap::new();
    for round in 0..20_000u64 {
        let now = at(round);
        let mut phone = Phone::new(next(3) as u16, next(4) as u8 + 10);
        phone.agent += "Supported: path, outbound, gruu\r\nPath: <sip:tok@192.0.2.90;lr>\r\n";
        phone.contact += ";+sip.instance=\"<urn:uuid:1>\";reg-id=1";
        phone.cseq = round as u32;
        if next(2) == 0 {
            (phone.flow.transport, phone.flow.stream) = (Transport::Tcp, 1);
        }
        phone.ask(&mut office, now, "REGISTER");
        let mut text = phone.request("REGISTER");
        for _ in 0..next(4) {
            // Behind the credentials' end nothing would be looked at.
            let lines = text.find("rport;").unwrap_or(150)..text.find("Authorization").unwrap_or(text.len());
            let place = lines.start + next(lines.len());
            if let Some(place) = (place..text.len()).find(|&place| text.is_char_boundary(place)) {
                match next(3) {
                    0 => drop(text.remove(place)),
                    _ => text.insert_str(place, WORDS[next(WORDS.len())]),
                }
            }
        }
        let Ok(message) = Message::parse_datagram(text.as_bytes()) else {
            continue;
        };
        if message.method() != Method::Register {
            continue;
        }
        let answer = office.ask(now, &phone.flow, &text);
        *statuses.entry(answer.status).or_insert(0) += 1;
        while office.registrar.poll(now).is_some() {}
        let read = Message::parse_datagram(answer.text.as_bytes()).unwrap();
        assert!(read.contacts().count() <= BINDINGS_PER_ID, "{}", answer.text);
        for (place, binding) in (0..4).filter_map(|place| Some((place, office.registrar.at(place)?))) {
            assert!(Uri::parse(binding.contact()).is_some(), "{text}");
            let path = core::str::from_utf8(binding.path()).unwrap();
            assert!(
                path.is_empty() || NameAddr::parse(path.split(", ").next().unwrap().as_bytes()).is_some()
            );
            let mut room = [0; STORED_MAX];
            let bytes = office.registrar.store(place, &mut room).unwrap();
            assert!(
                Office::new(4, 2).registrar.restore(now, place, bytes, |_| true),
                "{text}"
            );
        }
        for id in 0..4 {
            assert!(office.contacts(id).len() <= BINDINGS_PER_ID);
        }
    }
    // It went everywhere.
    let expected: &[u16] = if sip::b2bua::ROUTE_MAX != 0 {
        &[200, 400, 401, 403, 420, 439]
    } else {
        &[401, 420]
    };
    assert!(
        expected.iter().all(|status| statuses.contains_key(status)),
        "{statuses:?}"
    );
}
