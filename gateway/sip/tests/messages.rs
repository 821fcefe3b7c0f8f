//! What is refused at the door, and how long a body is.
use sip::header::Name;
use sip::{Fault, Message, Method, Rejected};

fn read(bytes: &[u8]) -> Message<'_> {
    Message::parse_datagram(bytes).unwrap_or_else(|r| panic!("{:?}", r.fault))
}

#[test]
fn a_response() {
    let bytes = b"SIP/2.0 487 Request Terminated\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\n\
        To: <sip:c@b>;tag=2\r\nCall-ID: x\r\nCSeq: 5 INVITE\r\n\
        Reason: SIP;cause=200;text=\"Call completed elsewhere\", Q.850;cause=26\r\nContent-Length: 0\r\n\r\n";
    let m = read(bytes);
    assert_eq!(
        (m.status(), m.method(), m.is_request()),
        (Some(487), Method::Invite, false)
    );
    assert!(m.reasons().any(|r| r.is_sip(200)));
    assert_eq!(
        m.reasons().map(|r| r.cause).collect::<Vec<_>>(),
        [Some(200), Some(26)]
    );
    assert_eq!(m.screen(&[]), Ok(()));
}

/// A request that differs from a good one in one place.
fn altered(from: &str, to: &str) -> Vec<u8> {
    let good = "MESSAGE sip:b@box SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bK1\r\nFrom: <sip:a@box>;tag=1\r\n\
        To: <sip:b@box>\r\nCall-ID: x\r\nCSeq: 1 MESSAGE\r\nContent-Length: 2\r\n\r\nhi";
    assert!(good.contains(from), "{from}");
    good.replacen(from, to, 1).into_bytes()
}

/// What is replaced in a good request, by what, the verdict, and the status of the answer.
type Case<'a> = (&'a str, &'a str, Result<(), Fault>, Option<u16>);

#[test]
fn what_is_refused_and_how_it_is_answered() {
    let many: String = (0..70).map(|i| format!("X-{i}: {i}\r\n")).collect();
    let table: [Case; 32] = [
        ("hi", "hi", Ok(()), None),
        ("MESSAGE sip", "\r\n\r\nMESSAGE sip", Ok(()), None),
        ("hi", "hi and more", Ok(()), None),
        ("Content-Length: 2\r\n", "", Ok(()), None),
        (
            "Content-Length: 2",
            "Content-Length: 3",
            Err(Fault::ContentLength),
            Some(400),
        ),
        (
            "Content-Length: 2",
            "Content-Length: 99999999999",
            Err(Fault::Malformed(Name::ContentLength)),
            Some(400),
        ),
        (
            "Content-Length: 2",
            "Content-Length: 2, 2",
            Err(Fault::Malformed(Name::ContentLength)),
            Some(400),
        ),
        (
            "Content-Length: 2",
            "l: 2\r\nContent-Length: 2",
            Err(Fault::Repeated(Name::ContentLength)),
            Some(400),
        ),
        ("SIP/2.0\r\nVia", "SIP/3.0\r\nVia", Err(Fault::Version), Some(505)),
        ("SIP/2.0\r\nVia", "sip/2.0\r\nVia", Ok(()), None),
        (
            "MESSAGE sip:b@box SIP/2.0",
            "MESSAGE sip:b@box",
            Err(Fault::NotSip),
            None,
        ),
        (
            "MESSAGE sip:b@box SIP/2.0",
            "GET / HTTP/1.1",
            Err(Fault::NotSip),
            None,
        ),
        ("sip:b@box SIP", "sip:b@ SIP", Err(Fault::StartLine), Some(400)),
        ("Via: ", "X-Via: ", Err(Fault::Missing(Name::Via)), None),
        ("Via: ", "Via\0: ", Err(Fault::Line), None),
        ("From: ", "X-From: ", Err(Fault::Missing(Name::From)), None),
        ("To: ", "X-To: ", Err(Fault::Missing(Name::To)), None),
        ("Call-ID: ", "X: ", Err(Fault::Missing(Name::CallId)), None),
        ("CSeq: ", "X: ", Err(Fault::Missing(Name::CSeq)), None),
        (
            "To: ",
            "T: <sip:c@box>\r\nTo: ",
            Err(Fault::Repeated(Name::To)),
            Some(400),
        ),
        (
            "To: <sip:b@box>",
            "To: *",
            Err(Fault::Malformed(Name::To)),
            Some(400),
        ),
        (
            "Call-ID: x",
            "Call-ID: x y",
            Err(Fault::Malformed(Name::CallId)),
            Some(400),
        ),
        (
            "CSeq: 1 MESSAGE",
            "CSeq: 1 message",
            Err(Fault::MethodMismatch),
            Some(400),
        ),
        (
            "Call-ID",
            "Max-Forwards: 256\r\nCall-ID",
            Err(Fault::Malformed(Name::MaxForwards)),
            Some(400),
        ),
        (
            "Call-ID",
            "Contact: <sip:a@b\r\nCall-ID",
            Err(Fault::Malformed(Name::Contact)),
            Some(400),
        ),
        (
            "Call-ID",
            "Route: *\r\nCall-ID",
            Err(Fault::Malformed(Name::Route)),
            Some(400),
        ),
        ("Call-ID", "no colon\r\nCall-ID", Err(Fault::Line), Some(400)),
        ("Call-ID", ": no name\r\nCall-ID", Err(Fault::Line), Some(400)),
        ("Call-ID", "X: a\nEvil: b\r\nCall-ID", Err(Fault::Line), Some(400)),
        ("Call-ID", "X: a\rEvil: b\r\nCall-ID", Err(Fault::Line), Some(400)),
        ("\r\n\r\nhi", "\r\n", Err(Fault::Truncated), Some(400)),
        (
            "\r\n\r\nhi",
            &format!("\r\n{many}\r\nhi"),
            Err(Fault::TooManyHeaders),
            Some(513),
        ),
    ];
    for (from, to, want, status) in table {
        let bytes = altered(from, to);
        let got = Message::parse_datagram(&bytes);
        let case = bytes.escape_ascii().to_string();
        assert_eq!(got.as_ref().map(|_| ()).map_err(|r| r.fault), want, "{case}");
        assert_eq!(got.err().and_then(|r| r.status()), status, "{case}");
    }
    // An ACK is never answered, however wrong.
    let ack = String::from_utf8(altered("hi", "h"))
        .unwrap()
        .replace("MESSAGE", "ACK");
    let rejected = Message::parse_datagram(ack.as_bytes()).unwrap_err();
    assert_eq!((rejected.fault, rejected.status()), (Fault::ContentLength, None));
    for keep_alive in [&b""[..], b"\r\n", b"\r\n\r\n"] {
        let rejected: Rejected<'_> = Message::parse_datagram(keep_alive).unwrap_err();
        assert_eq!((rejected.fault, rejected.status()), (Fault::KeepAlive, None));
    }
    let cut = altered("hi", "hi");
    let rejected = Rejected::too_large(&cut[..cut.len() - 20]);
    assert_eq!(
        (rejected.status(), rejected.request().unwrap().call_id()),
        (Some(513), Some(&b"x"[..]))
    );
    assert_eq!(
        Rejected::too_large(&cut[..60]).status(),
        None,
        "not enough to answer"
    );
    assert_eq!(Fault::Malformed(Name::To).to_string(), "Bad Header: To");
    let huge = [b'a'; 70_000];
    assert_eq!(Message::parse_datagram(&huge).unwrap_err().fault, Fault::TooLarge);
}

#[test]
fn a_body_is_as_long_as_content_length_says() {
    assert_eq!(read(&altered("hi", "hi and more")).body(), b"hi");
    assert_eq!(read(&altered("Content-Length: 2\r\n", "")).body(), b"hi");
    let table: [(&str, &str, Result<(), Fault>); 4] = [
        ("hi", "hi", Ok(())),
        ("hi", "hi!", Err(Fault::ContentLength)),
        ("hi", "h", Err(Fault::ContentLength)),
        (
            "Content-Length: 2\r\n",
            "",
            Err(Fault::Missing(Name::ContentLength)),
        ),
    ];
    for (from, to, want) in table {
        assert_eq!(
            Message::parse_stream(&altered(from, to))
                .map(|_| ())
                .map_err(|r| r.fault),
            want,
            "{from} -> {to}"
        );
    }
}

#[test]
fn no_line_end_hides_in_a_phrase() {
    let response = |phrase: &str| {
        format!(
            "SIP/2.0 200 {phrase}\r\nVia: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bK1\r\nFrom: <sip:a@box>;tag=1\r\n\
             To: <sip:b@box>;tag=2\r\nCall-ID: x\r\nCSeq: 1 MESSAGE\r\n\r\n"
        )
    };
    for (phrase, want) in [
        ("OK", Ok(())),
        ("", Ok(())),
        ("O\tK", Ok(())),
        ("OK\nEvil: b", Err(Fault::Line)),
        ("OK\rEvil: b", Err(Fault::Line)),
    ] {
        let bytes = response(phrase);
        let got = Message::parse_datagram(bytes.as_bytes());
        assert_eq!(got.map(|_| ()).map_err(|r| r.fault), want, "{phrase:?}");
    }
}
