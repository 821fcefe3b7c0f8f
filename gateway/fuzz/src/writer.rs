//! What is written: no value can end its line, and everything is read again.

use crate::script::Script;
use sip::header::Name;
use sip::{Message, Method, Uri, Writer};

/// Lines of input are the values of a message; what is left is its body.
pub fn writer(bytes: &[u8]) {
    let mut script = Script(bytes);
    let response = script.below(2) == 1;
    let names = [
        Name::Subject,
        Name::UserAgent,
        Name::Contact,
        Name::Route,
        Name::Reason,
        Name::Warning,
    ];
    let (uri, from) = (script.line(), script.line());
    let values: Vec<_> = (0..script.below(8))
        .map(|n| (names[n % names.len()], script.line()))
        .collect();
    let uri = if Uri::parse(uri).is_some_and(|u| u.headers.is_none()) {
        uri
    } else {
        b"sip:b@box"
    };
    // Each byte that is no text becomes three.
    let mut buffer = vec![0; 3 * bytes.len() + 2_000];
    let mut w = Writer::new(&mut buffer);
    if response {
        w.status(200, &String::from_utf8_lossy(from));
    } else {
        w.request(Method::Message, uri);
    }
    w.header(Name::Via, "SIP/2.0/UDP h;branch=z9hG4bK1")
        .header_bytes(Name::From, from)
        .header(Name::To, "<sip:b@box>")
        .header(Name::CallId, "x")
        .header(Name::CSeq, "1 MESSAGE");
    for (name, value) in &values {
        if value.len() % 2 == 0 {
            w.header_bytes(name, value);
        } else {
            w.header(name, String::from_utf8_lossy(value));
        }
    }
    let written_head = w.written().len();
    let len = w.body("text/plain", script.0).expect("room");
    let message = &buffer[..len];
    // Start line, five of ours, the values, Content-Type and Content-Length: no more lines than that.
    let head = &message[..len - script.0.len()];
    assert_eq!(
        head.windows(2).filter(|w| w == b"\r\n").count(),
        6 + values.len() + 3,
        "{}",
        head.escape_ascii()
    );
    assert!(written_head < head.len());
    let cr_or_lf = head.iter().filter(|b| b"\r\n".contains(b)).count();
    assert_eq!(cr_or_lf, 2 * (6 + values.len() + 3));
    match Message::parse_stream(message) {
        Ok(m) => {
            assert_eq!(m.body(), script.0);
            assert_eq!(m.all().count(), 5 + values.len() + 2);
            crate::message::read(&m);
        }
        // A From or a value that is none.
        Err(rejected) => assert!(
            rejected
                .fault
                .header()
                .is_some_and(|n| [Name::From, Name::Contact, Name::Route].contains(&n)),
            "{:?}: {}",
            rejected.fault,
            message.escape_ascii()
        ),
    }
}
