//! The box's own names.

use core::net::Ipv4Addr;

use super::message::{self, AA, QR, Query, RA, RD, Writer, is, kind, same, split};
use super::{HOST, Place};

/// For how long the box's own answers are good, s: its address may be another one tomorrow.
const OWN_TTL: u32 = 30;

/// The answer to a question for one of the box's own names: its host name and the site's SIP domain, both of which are the box
/// for the office (RFC 3263 §4), and its address.
pub fn answer(place: &Place<'_>, query: &Query<'_>, room: &mut [u8]) -> Option<usize> {
    let name = query.name();
    let address = place.subnet.address;
    let realm = |name: &[u8]| !place.realm.is_empty() && is(name, place.realm);
    let flags = QR | AA | RA | if query.rd { RD } else { 0 };
    let mut writer = Writer::new(room, query.id, flags, query.question);
    let owner = |writer: &mut Writer<'_>| writer.write(&[0xC0, message::HEADER as u8]);
    let a = |writer: &mut Writer<'_>| writer.write(&address.octets());
    if is(name, HOST) || realm(name) {
        match query.kind {
            kind::A => writer.record(6, owner, kind::A, OWN_TTL, a),
            kind::NAPTR if realm(name) => writer.record(6, owner, kind::NAPTR, OWN_TTL, |writer| {
                // Order, preference, flags, service, no expression (RFC 3403 §4.1).
                writer.write(&[0, 10, 0, 10, 1, b's', 7]);
                writer.write(b"SIP+D2U");
                writer.write(&[0]);
                writer.labels("_sip._udp");
                writer.name(place.realm);
            }),
            // There is nothing else: an empty answer, of the box's own authority.
            _ => {}
        }
    } else if let Some((service, rest)) = split(name)
        && let Some((transport, domain)) = split(rest)
        && service.first() == Some(&b'_')
        && transport.first() == Some(&b'_')
        && realm(domain)
    {
        // By UDP alone; no other way leads past the box.
        if query.kind == kind::SRV && same(service, b"_sip") && same(transport, b"_udp") {
            // Priority, weight, port, target (RFC 2782).
            writer.record(6, owner, kind::SRV, OWN_TTL, |writer| {
                writer.write(&[0, 0, 0, 0]);
                writer.write(&crate::budget::SIP_PORT.to_be_bytes());
                writer.name(place.realm);
            });
            let target = |writer: &mut Writer<'_>| writer.name(place.realm);
            writer.record(10, target, kind::A, OWN_TTL, a);
        }
    } else if is_reverse(name, address) {
        if query.kind == kind::PTR {
            writer.record(6, owner, kind::PTR, OWN_TTL, |writer| writer.name(HOST));
        }
    } else {
        return None;
    }
    if query.edns.is_some() {
        writer.opt(0);
    }
    (!writer.is_full()).then_some(writer.length())
}

/// Is `name` that of the address in `in-addr.arpa` (RFC 1035 §3.5)?
fn is_reverse(name: &[u8], address: Ipv4Addr) -> bool {
    let mut rest = name;
    for octet in address.octets().into_iter().rev() {
        let Some((label, tail)) = split(rest) else {
            return false;
        };
        let value = core::str::from_utf8(label)
            .ok()
            .and_then(|text| text.parse::<u8>().ok());
        if value != Some(octet) {
            return false;
        }
        rest = tail;
    }
    is(rest, "in-addr.arpa")
}
