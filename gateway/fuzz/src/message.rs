//! Whole messages.

use crate::{sdp, values};
use sip::digest::{Challenge, Credentials};
use sip::header::Name;
use sip::sdp::Sdp;
use sip::{Message, StartLine, Writer, write_response_head};

/// One datagram, and the same bytes as a message of a stream. What is taken can be answered, and written again it is the same
/// message, and then the same bytes.
pub fn message(bytes: &[u8]) {
    match Message::parse_datagram(bytes) {
        Ok(m) => {
            read(&m);
            if m.is_request() {
                let answer = answer(&m, 200);
                let back = Message::parse_datagram(&answer)
                    .unwrap_or_else(|r| panic!("{:?}: {}", r.fault, answer.escape_ascii()));
                assert_eq!(
                    (back.status(), back.call_id(), back.cseq()),
                    (Some(200), m.call_id(), m.cseq())
                );
                assert_eq!(
                    back.from().map(|f| f.tag().map(<[u8]>::len)),
                    m.from().map(|f| f.tag().map(<[u8]>::len))
                );
                assert_eq!(back.via().map(|v| v.branch), m.via().map(|v| v.branch));
                assert!(back.to().is_some_and(|to| to.tag().is_some()));
            }
            let written = canonical(&m);
            let back = Message::parse_stream(&written)
                .unwrap_or_else(|r| panic!("{:?}: {}", r.fault, written.escape_ascii()));
            assert_eq!(back.body(), m.body());
            assert_eq!(
                (back.status(), back.method(), back.request_uri()),
                (m.status(), m.method(), m.request_uri())
            );
            assert_eq!(back.screen(&["100rel"]), m.screen(&["100rel"]));
            assert_eq!(
                (back.cseq(), back.max_forwards(), back.expires()),
                (m.cseq(), m.max_forwards(), m.expires())
            );
            let uris = |m: &Message<'_>, name| m.addresses(name).map(|a| a.uri.to_vec()).collect::<Vec<_>>();
            for name in [
                Name::From,
                Name::To,
                Name::Contact,
                Name::Route,
                Name::RecordRoute,
            ] {
                assert_eq!(uris(&back, name), uris(&m, name), "{name}");
            }
            assert_eq!(canonical(&back), written);
        }
        Err(rejected) => {
            assert!(rejected.request().is_some() == rejected.status().is_some());
            if let Some(m) = rejected.request() {
                read(&m);
                let status = rejected.status().expect("an answer");
                assert!(answer(&m, status).starts_with(format!("SIP/2.0 {status} ").as_bytes()));
            }
        }
    }
    if let Ok(m) = Message::parse_stream(bytes) {
        // What a stream's reader takes, a datagram's takes for the same.
        let same = Message::parse_datagram(bytes).expect("the laxer of the two");
        assert_eq!((same.raw(), same.body()), (m.raw(), m.body()));
    }
}

fn answer(m: &Message<'_>, status: u16) -> Vec<u8> {
    let mut out = vec![0; 2 * m.raw().len() + 1_000];
    let mut w = Writer::new(&mut out);
    write_response_head(&mut w, m, status, Some("t"), "192.0.2.1:5060".parse().unwrap());
    w.copy(m, Name::RecordRoute);
    let len = w.finish_empty().expect("room");
    out.truncate(len);
    out
}

/// The message as we would write it: full names, unfolded, one way to say everything.
fn canonical(m: &Message<'_>) -> Vec<u8> {
    let mut out = vec![0; 4 * m.raw().len() + 1_000];
    let mut w = Writer::new(&mut out);
    match m.start_line() {
        StartLine::Request { method, uri } => w.request(method, uri),
        StartLine::Status { code, reason } => w
            .raw(format!("SIP/2.0 {code} ").as_bytes())
            .raw(reason)
            .raw(b"\r\n"),
    };
    for (name, raw, value) in m.all().filter(|(name, ..)| *name != Name::ContentLength) {
        match name {
            Name::Other => w.header_bytes(std::str::from_utf8(raw).expect("a token"), value),
            name => w.header_bytes(name, value),
        };
    }
    w.header(Name::ContentLength, m.body().len())
        .raw(b"\r\n")
        .raw(m.body());
    let len = w.end().expect("room");
    out.truncate(len);
    out
}

/// Reads everything there is to read.
pub fn read(m: &Message<'_>) {
    for &name in Name::ALL.iter().chain([&Name::Other]) {
        let _ = (m.item(name), m.number(name), m.has(name));
        for address in m.addresses(name).filter(|a| !a.is_star()) {
            let _ = address.tag();
            values::read_uri(address.uri).expect("an address has a readable URI");
        }
        for auth in m.auths(name) {
            let _ = (
                auth.params().count(),
                Credentials::parse(&auth),
                Challenge::parse(&auth),
            );
        }
        assert_eq!(
            m.lines(name).count(),
            m.all().filter(|(n, ..)| *n == name).count()
        );
    }
    let _ = (
        m.via(),
        m.cseq(),
        m.reasons().count(),
        (
            m.privacy(),
            m.diversions().count(),
            m.history().count(),
            m.diverted(),
        ),
        m.content_type(),
        m.supports("x"),
    );
    let _ = (m.contacts().count(), m.asserted_identity(), Challenge::choose(m));
    let _ = (m.screen(&["100rel"]), m.unsupported(&[]).count(), m.other("x"));
    if let Some(uri) = m.request_uri() {
        values::read_uri(uri);
    }
    if let Some(description) = Sdp::parse(m.body()) {
        sdp::read(&description);
    }
}
