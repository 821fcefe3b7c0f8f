//! Messages of the shapes real phones send, and what is refused at the door.
use sip::header::Name;
use sip::sdp::{Codec, Sdp};
use sip::{Fault, Host, Message, Method, Rejected, Scheme};

/// baresip 1.0: an INVITE with its preference for audio and the usual telephone events.
const BARESIP_INVITE: &[u8] = b"INVITE sip:0312340002@192.168.77.1 SIP/2.0\r\n\
Via: SIP/2.0/UDP 192.168.77.11:43210;branch=z9hG4bK6a1d7a2ef25c53d1;rport\r\n\
Contact: <sip:0312340001-0x55d0c4a0b9c0@192.168.77.11:43210>;expires=3600;+sip.instance=\"<urn:uuid:11ee2ab6-8c1e-4f2c-9bcd-0123456789ab>\"\r\n\
Max-Forwards: 70\r\n\
Proxy-Authorization: Digest username=\"0312340001\", realm=\"box\", nonce=\"5f3c\", uri=\"sip:0312340002@192.168.77.1\", response=\"0f1e2d3c4b5a69788796a5b4c3d2e1f0\", cnonce=\"a1\", qop=auth, nc=00000001, algorithm=MD5\r\n\
To: <sip:0312340002@192.168.77.1>\r\n\
From: <sip:0312340001@192.168.77.1>;tag=3b8d4b2b8b6d2f11\r\n\
Call-ID: 6cba0e3bbdc1fb5a\r\n\
CSeq: 22113 INVITE\r\n\
User-Agent: baresip v1.0.0 (x86_64/linux)\r\n\
Allow: INVITE,ACK,BYE,CANCEL,OPTIONS,NOTIFY,SUBSCRIBE,INFO,MESSAGE,REFER\r\n\
Supported: gruu\r\n\
Content-Type: application/sdp\r\n\
Content-Length: 228\r\n\
\r\n\
v=0\r\no=- 3344563382 2004921862 IN IP4 192.168.77.11\r\ns=-\r\nc=IN IP4 192.168.77.11\r\nt=0 0\r\n\
m=audio 10020 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\n\
a=fmtp:101 0-15\r\na=sendrecv\r\n";

/// Grandstream: quoted display name in UTF-8, outbound parameters, many Supported tags.
const GRANDSTREAM_REGISTER: &[u8] = b"REGISTER sip:192.168.77.1 SIP/2.0\r\n\
Via: SIP/2.0/UDP 192.168.77.12:5060;branch=z9hG4bK1206379834;rport\r\n\
From: \"\xE5\x8F\x97\xE4\xBB\x98\" <sip:0312340002@192.168.77.1>;tag=1484823106\r\n\
To: <sip:0312340002@192.168.77.1>\r\n\
Call-ID: 1529871234-5060-1@BJC.BGI.HH.BC\r\n\
CSeq: 2001 REGISTER\r\n\
Contact: <sip:0312340002@192.168.77.12:5060>;reg-id=1;+sip.instance=\"<urn:uuid:00000000-0000-1000-8000-000B82AABBCC>\"\r\n\
X-Grandstream-PBX: true\r\n\
Max-Forwards: 70\r\n\
User-Agent: Grandstream GXP1625 1.0.7.70\r\n\
Supported: path\r\n\
Expires: 3600\r\n\
Allow: INVITE, ACK, OPTIONS, CANCEL, BYE, SUBSCRIBE, NOTIFY, INFO, REFER, UPDATE, MESSAGE\r\n\
Content-Length: 0\r\n\r\n";

/// Panasonic: compact forms, folded Contact, Shift_JIS display name whose last byte is a backslash.
const PANASONIC_INVITE: &[u8] = b"INVITE sip:20@192.168.77.1;user=phone SIP/2.0\r\n\
v: SIP/2.0/TCP 192.168.77.13:5060;branch=z9hG4bKa7c5;rport;alias\r\n\
f: \"\x83\x70\x83\x5C\" <sip:0312340003@192.168.77.1>;tag=p1\r\n\
t: <sip:20@192.168.77.1;user=phone>\r\n\
i: 8a1b@192.168.77.13\r\n\
CSeq: 1 INVITE\r\n\
Max-Forwards: 70\r\n\
m: <sip:0312340003@192.168.77.13:5060;transport=tcp>\r\n ;expires=120\r\n\
k: 100rel,timer , replaces\r\n\
x: 1800;refresher=uac\r\n\
P-Preferred-Identity: \"x, y\" <tel:+81312340003>, <sip:3@h>\r\n\
l: 0\r\n\r\n";

fn read(bytes: &[u8]) -> Message<'_> {
    Message::parse_datagram(bytes).unwrap_or_else(|r| panic!("{:?}", r.fault))
}

#[test]
fn baresip() {
    let m = read(BARESIP_INVITE);
    assert_eq!(
        (m.method(), m.is_request(), m.max_forwards()),
        (Method::Invite, true, Some(70))
    );
    assert_eq!(m.parsed_request_uri().unwrap().user, Some(&b"0312340002"[..]));
    let via = m.via().unwrap();
    assert_eq!(
        (via.port, via.rport, via.unique_branch()),
        (Some(43210), Some(None), Some(&b"6a1d7a2ef25c53d1"[..]))
    );
    let contact = m.contacts().next().unwrap();
    assert_eq!(
        contact.param("+sip.instance"),
        Some(&b"\"<urn:uuid:11ee2ab6-8c1e-4f2c-9bcd-0123456789ab>\""[..])
    );
    assert_eq!(contact.parsed_uri().unwrap().port, Some(43210));
    let auth = m.auths(Name::ProxyAuthorization).next().unwrap();
    assert_eq!(
        (auth.param("username"), auth.param("nc")),
        (Some(&b"0312340001"[..]), Some(&b"00000001"[..]))
    );
    assert!(m.values(Name::Allow).any(|v| v == b"REFER") && m.supports("gruu") && !m.supports("timer"));
    let audio = Sdp::parse(m.body()).unwrap().audio().unwrap();
    assert_eq!(audio.target(), Some("192.168.77.11:10020".parse().unwrap()));
    assert!(audio.codecs().eq([(Codec::Pcmu, 0), (Codec::Pcma, 8)]));
}

#[test]
fn grandstream() {
    let m = read(GRANDSTREAM_REGISTER);
    assert_eq!((m.method(), m.expires()), (Method::Register, Some(3600)));
    assert_eq!(m.from().unwrap().display, Some("受付".as_bytes()));
    assert_eq!(
        (m.from().unwrap().tag(), m.to().unwrap().tag()),
        (Some(&b"1484823106"[..]), None)
    );
    assert_eq!(m.contacts().next().unwrap().param("reg-id"), Some(&b"1"[..]));
    assert_eq!(m.other("x-grandstream-pbx"), Some(&b"true"[..]));
    assert_eq!(m.all().count(), 13);
}

#[test]
fn panasonic() {
    let m = read(PANASONIC_INVITE);
    assert_eq!(m.from().unwrap().display, Some(&b"\x83\x70\x83\x5C"[..]));
    assert_eq!(m.from().unwrap().tag(), Some(&b"p1"[..]));
    assert_eq!(m.contacts().next().unwrap().param("expires"), Some(&b"120"[..]));
    assert!(["100rel", "timer", "replaces"].iter().all(|t| m.supports(t)));
    let timer = m.item(Name::SessionExpires).unwrap();
    assert_eq!(
        (timer.value, timer.params.get("refresher")),
        (&b"1800"[..], Some(&b"uac"[..]))
    );
    let identities: Vec<_> = m
        .addresses(Name::PPreferredIdentity)
        .map(|a| a.parsed_uri().unwrap())
        .collect();
    assert_eq!(
        (identities[0].scheme, identities[0].user),
        (Scheme::Tel, Some(&b"+81312340003"[..]))
    );
    assert_eq!((identities.len(), identities[1].host), (2, Host::Name(b"h")));
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
