//! The torture messages of RFC 4475: one table of what becomes of each, and what is read from the valid ones.
mod common;

use sip::header::Name::{CSeq, CallId, Contact, ContentLength, From, MaxForwards, Route, To, Via};
use sip::{Fault, Host, Message, Method, NameAddr, StartLine, Writer, write_response_head};

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Verdict {
    /// Taken, and nothing against it.
    Request,
    /// Taken, and a server that supports no extension answers with this status before it acts on it.
    Screened(u16),
    /// Taken.
    Response,
    /// Refused for this reason and answered with this status.
    Answered(Fault, u16),
    /// Refused for this reason without an answer.
    Dropped(Fault),
}
use Verdict::*;

const TABLE: [(&str, &[u8], Verdict); 49] = {
    macro_rules! table {
        ($($name:ident $verdict:expr;)*) => {
            [$((stringify!($name), include_bytes!(concat!("rfc4475/", stringify!($name), ".dat")), $verdict)),*]
        };
    }
    table! {
        // 3.1.1 Valid messages
        wsinv Request;
        intmeth Request;
        esc01 Request;
        escnull Request;
        esc02 Request;
        lwsdisp Request;
        longreq Request;
        dblreq Request;
        semiuri Request;
        transports Request;
        mpart01 Request;
        unreason Response;
        noreason Response;
        // 3.1.2 Invalid messages
        badinv01 Answered(Fault::Malformed(Via), 400);
        clerr Answered(Fault::ContentLength, 400);
        ncl Answered(Fault::Malformed(ContentLength), 400);
        scalar02 Answered(Fault::Malformed(CSeq), 400);
        scalarlg Dropped(Fault::Malformed(CSeq));
        quotbal Answered(Fault::Malformed(To), 400);
        ltgtruri Answered(Fault::StartLine, 400);
        lwsruri Answered(Fault::StartLine, 400);
        lwsstart Answered(Fault::StartLine, 400);
        trws Answered(Fault::StartLine, 400);
        escruri Answered(Fault::StartLine, 400);
        // The date is of use to no part of this project, and RFC 4475 allows to ignore it then.
        baddate Request;
        regbadct Answered(Fault::Malformed(Contact), 400);
        badaspec Answered(Fault::Malformed(To), 400);
        // As archived, its header part does not end.
        baddn Answered(Fault::Truncated, 400);
        badvers Answered(Fault::Version, 505);
        mismatch01 Answered(Fault::MethodMismatch, 400);
        mismatch02 Answered(Fault::MethodMismatch, 400);
        bigcode Dropped(Fault::StartLine);
        // 3.2 Transaction layer semantics
        badbranch Request;
        // 3.3 Application layer semantics
        insuf Dropped(Fault::Missing(From));
        unkscm Screened(416);
        novelsc Screened(416);
        unksm2 Request;
        bext01 Screened(420);
        invut Request;
        regaut01 Request;
        multi01 Answered(Fault::Repeated(CSeq), 400);
        mcl01 Answered(Fault::Repeated(ContentLength), 400);
        bcast Response;
        // An OPTIONS with no hops left is answered where it is (RFC 3261 §11); see `no_hops_left`.
        zeromf Request;
        cparam01 Request;
        cparam02 Request;
        regescrt Request;
        sdp01 Request;
        // 3.4 Backward compatibility
        inv2543 Request;
    }
};

fn bytes(name: &str) -> &'static [u8] {
    TABLE
        .iter()
        .find(|(n, ..)| *n == name)
        .map(|(_, bytes, _)| *bytes)
        .expect(name)
}

fn message(name: &str) -> Message<'static> {
    Message::parse_datagram(bytes(name)).unwrap_or_else(|r| panic!("{name}: {:?}", r.fault))
}

fn verdict(bytes: &[u8]) -> Verdict {
    match Message::parse_datagram(bytes) {
        Ok(m) => match m.screen(&[]) {
            Ok(()) if m.is_request() => Request,
            Ok(()) => Response,
            Err(fault) => Screened(fault.status().expect("a request is answered")),
        },
        Err(rejected) => match rejected.status() {
            Some(status) => Answered(rejected.fault, status),
            None => Dropped(rejected.fault),
        },
    }
}

#[test]
fn every_message_meets_its_fate() {
    let wrong: Vec<_> = TABLE
        .iter()
        .map(|(name, bytes, want)| (name, verdict(bytes), *want))
        .filter(|(_, got, want)| got != want)
        .collect();
    assert!(wrong.is_empty(), "(message, got, want): {wrong:#?}");
}

/// The answer to each request that gets one, and 200 to those that nothing is against, byte for byte.
#[test]
fn every_answer_is_as_expected() {
    let source = "192.0.2.200:5060".parse().unwrap();
    let mut answers = 0;
    for (name, bytes, verdict) in TABLE {
        let status = match verdict {
            Request => 200,
            Screened(status) | Answered(_, status) => status,
            Response | Dropped(_) => continue,
        };
        let parsed = Message::parse_datagram(bytes);
        let request = parsed
            .or_else(|rejected| rejected.request().ok_or(rejected))
            .expect(name);
        let mut buffer = [0; 8192];
        let mut w = Writer::new(&mut buffer);
        write_response_head(&mut w, &request, status, Some("answer"), source);
        let len = w.finish_empty().unwrap();
        let got: String = buffer[..len].iter().map(|&b| char::from(b)).collect();
        let top = match name {
            // Broken parameters are left out.
            "badinv01" => "SIP/2.0/UDP 192.0.2.15;received=192.0.2.200, ;,,".into(),
            "mpart01" => "SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bK-d87543-4dade06d0bdb11ee-1--d87543-\
                 ;received=192.0.2.200;rport=5060"
                .into(),
            _ => format!("{};received=192.0.2.200", common::values(bytes, "Via", "v")[0]),
        };
        assert_eq!(got, common::answer(bytes, status, &top), "{name}");
        answers += 1;
    }
    assert_eq!(
        answers,
        49 - 6,
        "all but three responses that were taken and three dropped ones"
    );
}

#[test]
fn baddn_with_its_blank_line() {
    let whole = [bytes("baddn"), b"\r\n\r\n"].concat();
    assert_eq!(verdict(&whole), Answered(Fault::Malformed(From), 400));
}

#[test]
fn no_hops_left() {
    let zeromf = String::from_utf8(bytes("zeromf").to_vec()).unwrap();
    assert_eq!(message("zeromf").max_forwards(), Some(0));
    assert_eq!(
        verdict(zeromf.replace("OPTIONS", "INVITE").as_bytes()),
        Screened(483)
    );
}

#[test]
fn bext01_lists_what_is_not_supported() {
    let m = message("bext01");
    let tags: Vec<_> = m.unsupported(&["100rel"]).collect();
    assert_eq!(tags, [&b"nothingSupportsThis"[..], b"nothingSupportsThisEither"]);
    assert_eq!(
        m.screen(&["NothingSupportsThis", "nothingSupportsThisEither"]),
        Ok(())
    );
}

#[test]
fn wsinv_is_read_through_its_white_space() {
    let m = message("wsinv");
    assert_eq!(m.max_forwards(), Some(68));
    assert_eq!(m.to().unwrap().uri, b"sip:vivekg@chair-dnrc.example.com");
    assert_eq!(m.to().unwrap().tag(), Some(&b"1918181833n"[..]));
    let from = m.from().unwrap();
    assert_eq!(
        (from.display, from.tag()),
        (Some(&br#"J Rosenberg \\\""#[..]), Some(&b"98asjd8"[..]))
    );
    let cseq = m.cseq().unwrap();
    assert_eq!((cseq.seq, cseq.method), (9, Method::Invite));
    let via = m.via().unwrap();
    assert_eq!(
        (via.transport, via.branch),
        (&b"UDP"[..], Some(&b"390skdjuw"[..]))
    );
    let hosts: Vec<_> = m.values(Via).map(|v| sip::Via::parse(v).unwrap().host).collect();
    let v4 = |a: [u8; 4]| Host::V4(a.into());
    assert_eq!(
        hosts,
        [
            v4([192, 0, 2, 2]),
            Host::Name(b"spindle.example.com"),
            v4([192, 168, 255, 111])
        ]
    );
    let branches: Vec<_> = m
        .values(Via)
        .map(|v| sip::Via::parse(v).unwrap().branch.unwrap())
        .collect();
    assert_eq!(branches, [&b"390skdjuw"[..], b"z9hG4bK9ikj8", b"z9hG4bK30239"]);
    let contact = m.contacts().next().unwrap();
    assert_eq!(
        (contact.uri, contact.param("q")),
        (&b"sip:jdrosen@example.com"[..], Some(&b"0.33"[..]))
    );
    assert_eq!(
        (contact.param("newparam"), contact.param("secondparam")),
        (Some(&b"newvalue"[..]), Some(&b""[..]))
    );
    let route = m.addresses(Route).next().unwrap().parsed_uri().unwrap();
    assert_eq!(
        (route.param("lr"), route.param("unknownwith")),
        (Some(&b""[..]), Some(&b"value"[..]))
    );
    assert_eq!(m.other("unknownheaderwithunusualvalue"), Some(&b";;,,;;,;"[..]));
    assert_eq!(
        m.other("newfangledheader"),
        Some(&b"newfangled value\r\n continued newfangled value"[..])
    );
    assert_eq!(m.header(sip::Name::Subject), Some(&b""[..]));
    assert_eq!(m.body().len(), 150);
    assert!(sip::sdp::Sdp::parse(m.body()).is_some());
}

#[test]
fn intmeth_keeps_every_odd_byte() {
    let m = message("intmeth");
    assert_eq!(
        m.method(),
        Method::Extension(b"!interesting-Method0123456789_*+`.%indeed'~")
    );
    let uri = m.parsed_request_uri().unwrap();
    assert_eq!(uri.host, Host::Name(b"example.com"));
    assert_eq!(
        uri.user,
        Some(&b"1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"[..])
    );
    assert_eq!(
        uri.password,
        Some(&b"&it+has=1,weird!*pas$wo~d_too.(doesn't-it)"[..])
    );
    assert_eq!(
        m.to().unwrap().display,
        Some(&b"BEL:\\\x07 NUL:\\\x00 DEL:\\\x7F"[..])
    );
    let from = m.from().unwrap();
    assert_eq!(from.display, Some(&b"token1~` token2'+_ token3*%!.-"[..]));
    assert_eq!(
        from.param("fromParam''~+*_!.-%"),
        Some("\"работающий\"".as_bytes())
    );
    assert_eq!(from.tag(), Some(&b"_token~1'+`*%!-."[..]));
    assert_eq!(
        m.call_id(),
        Some(&br#"intmeth.word%ZK-!.*_+'@word`~)(><:\/"][?}{"#[..])
    );
    assert_eq!(
        m.other("extensionHeader-!.%*+_`'~"),
        Some("\u{feff}大停電".as_bytes())
    );
    assert_eq!(m.max_forwards(), Some(255));
}

#[test]
fn escapes_are_decoded_only_where_they_may_be() {
    let m = message("esc01");
    let mut out = [0; 64];
    assert_eq!(
        m.parsed_request_uri().unwrap().unescaped_user(&mut out),
        Some(&b"sips:user@example.com"[..])
    );
    assert_eq!(
        m.to().unwrap().parsed_uri().unwrap().unescaped_user(&mut out),
        Some(&b"user"[..])
    );
    assert_eq!(
        m.from().unwrap().parsed_uri().unwrap().unescaped_user(&mut out),
        Some(&b"I have spaces"[..])
    );

    let m = message("escnull");
    assert_eq!(
        m.to().unwrap().parsed_uri().unwrap().unescaped_user(&mut out),
        Some(&b"null-\0-null"[..])
    );
    let lens: Vec<_> = m
        .contacts()
        .map(|c| c.parsed_uri().unwrap().unescaped_user(&mut out).unwrap().len())
        .collect();
    assert_eq!(lens, [1, 2]);

    // In method, header name and display name a percent sign is only a percent sign.
    let m = message("esc02");
    assert_eq!(m.method(), Method::Extension(b"RE%47IST%45R"));
    assert_eq!(m.to().unwrap().display, Some(&b"%Z%45"[..]));
    assert_eq!(m.lines(Contact).count(), 2);
    assert_eq!(m.other("C%6Fntact"), Some(&b"<sip:alias2@host2.example.com>"[..]));
}

#[test]
fn the_other_valid_ones() {
    assert_eq!(message("lwsdisp").from().unwrap().display, Some(&b"caller"[..]));

    let m = message("longreq");
    assert_eq!(m.values(Via).count(), 34);
    assert_eq!(m.call_id().map(<[u8]>::len), Some(141));
    assert_eq!(m.parsed_request_uri().unwrap().host, Host::Name(b"example.com"));

    // Two requests in one datagram: the second is no part of the first.
    let m = message("dblreq");
    assert_eq!((m.method(), m.body()), (Method::Register, &b""[..]));

    let uri = message("semiuri").parsed_request_uri().unwrap();
    assert_eq!(
        (uri.user, uri.host),
        (Some(&b"user;par=u%40example.net"[..]), Host::Name(b"example.com"))
    );

    let transports: Vec<_> = message("transports")
        .values(Via)
        .map(|v| sip::Via::parse(v).unwrap().transport)
        .collect();
    assert_eq!(transports, [&b"UDP"[..], b"SCTP", b"TLS", b"UNKNOWN", b"TCP"]);

    let m = message("mpart01");
    assert_eq!(m.method(), Method::Message);
    assert_eq!(Some(m.body().len()), m.content_length().map(|l| l as usize));
    assert!(m.content_type().unwrap().is("multipart/mixed"));

    let StartLine::Status { code, reason } = message("unreason").start_line() else {
        panic!("a response")
    };
    assert_eq!(
        (code, reason),
        (200, "= 2**3 * 5**2 но сто девяносто девять - простое".as_bytes())
    );
    assert_eq!(
        message("noreason").start_line(),
        StartLine::Status {
            code: 100,
            reason: b""
        }
    );
}

#[test]
fn what_later_layers_see() {
    assert_eq!(message("badbranch").via().unwrap().unique_branch(), None);
    assert_eq!(message("inv2543").via().unwrap().branch, None);
    assert_eq!(
        message("bcast").via().unwrap().host,
        Host::V4([192, 0, 2, 198].into())
    );
    assert!(
        message("invut")
            .content_type()
            .unwrap()
            .is("application/unknownformat")
    );
    let m = message("regaut01");
    let auth = m.auths(sip::Name::Authorization).next().unwrap();
    assert_eq!(
        (auth.scheme, auth.is_digest()),
        (&b"NoOneKnowsThisScheme"[..], false)
    );

    // Without brackets the parameter is the header's, with them it is the URI's.
    let unbracketed = message("cparam01").contacts().next().unwrap();
    assert!(
        unbracketed.params.has("unknownparam")
            && !unbracketed.parsed_uri().unwrap().params.has("unknownparam")
    );
    let bracketed = message("cparam02").contacts().next().unwrap();
    assert!(
        !bracketed.params.has("unknownparam") && bracketed.parsed_uri().unwrap().params.has("unknownparam")
    );
    let contact = message("regescrt")
        .contacts()
        .next()
        .unwrap()
        .parsed_uri()
        .unwrap();
    assert_eq!(contact.headers, Some(&b"Route=%3Csip:sip.example.com%3E"[..]));

    let m = message("unksm2");
    let foreign: Vec<_> = [m.to(), m.from(), m.contacts().next()]
        .into_iter()
        .flatten()
        .map(|a: NameAddr| a.uri)
        .collect();
    assert_eq!(
        foreign,
        [
            &b"isbn:2983792873"[..],
            b"http://www.example.com",
            b"name:John_Smith"
        ]
    );
    assert!(m.has(MaxForwards) && m.has(CallId));
}
