//! Properties over generated messages: what is written is read back, and no bytes at all do harm.
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use sip::header::Name;
use sip::sdp::{self, Direction, Keys, Sdp, rewrite};
use sip::{Frame, Framer, Message, Method, Uri, Writer, write_response_head};

const SEEDS: [&[u8]; 8] = [
    include_bytes!("rfc4475/wsinv.dat"),
    include_bytes!("rfc4475/intmeth.dat"),
    include_bytes!("rfc4475/esc01.dat"),
    include_bytes!("rfc4475/mpart01.dat"),
    include_bytes!("rfc4475/dblreq.dat"),
    include_bytes!("rfc4475/regaut01.dat"),
    include_bytes!("rfc4475/scalarlg.dat"),
    b"INVITE sip:b@box SIP/2.0\r\nv: SIP/2.0/UDP [::1]:5060;rport;branch=z9hG4bK1, SIP/2.0/TCP h\r\n\
      f: \"\x83\x5C\" <sip:a@box>;tag=1\r\nt: B <tel:+81-3;phone-context=x>\r\ni: x\r\nCSeq: 1 INVITE\r\n\
      Reason: SIP;cause=200;text=\"x\"\r\nProxy-Authorization: Digest a=\"b,c\", d=e\r\nContact: *\r\n\
      Route: <sip:p;lr>, <sip:q>\r\nc: application/sdp\r\n\r\n\
      v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\nc=IN IP4 10.0.0.1\r\nm=audio 4000 RTP/AVP 0 101\r\n\
      a=rtpmap:101 telephone-event/8000\r\nm=image 4002 udptl t38\r\nc=IN IP6 ::1\r\n",
];

/// One change to a message.
#[derive(Clone, Debug)]
enum Edit {
    Set(usize, u8),
    Insert(usize, Vec<u8>),
    Delete(usize, usize),
    Repeat(usize, usize),
    Cut(usize),
}

fn edit() -> impl Strategy<Value = Edit> {
    // Bytes that mean something are more telling than random ones.
    let byte = prop_oneof![
        select(&b"\r\n \t:;,=\"\\<>@[]%/?*\0\x7F\x83\xFF09aS"[..]),
        any::<u8>()
    ];
    prop_oneof![
        (0..4000usize, byte.clone()).prop_map(|(at, b)| Edit::Set(at, b)),
        (0..4000usize, vec(byte, 1..6)).prop_map(|(at, b)| Edit::Insert(at, b)),
        (0..4000usize, 1..40usize).prop_map(|(at, len)| Edit::Delete(at, len)),
        (0..4000usize, 1..200usize).prop_map(|(at, len)| Edit::Repeat(at, len)),
        (0..4000usize).prop_map(Edit::Cut),
    ]
}

fn apply(bytes: &mut Vec<u8>, edit: &Edit) {
    if bytes.is_empty() {
        return;
    }
    let n = bytes.len();
    match edit {
        Edit::Set(at, b) => bytes[at % n] = *b,
        Edit::Insert(at, b) => drop(bytes.splice(at % n..at % n, b.iter().copied())),
        Edit::Delete(at, len) => drop(bytes.drain(at % n..(at % n + len).min(n))),
        Edit::Repeat(at, len) => {
            let part = bytes[at % n..(at % n + len).min(n)].to_vec();
            bytes.splice(at % n..at % n, part);
        }
        Edit::Cut(at) => bytes.truncate(at % n),
    }
}

/// Reads everything there is to read.
fn read_all(m: &Message<'_>) {
    for (name, _, value) in m.all() {
        let _ = (
            m.item(name),
            m.number(name),
            m.auths(name).map(|a| a.params().count()).sum::<usize>(),
        );
        let mut out = [0; 64];
        for address in m.addresses(name) {
            let _ = (
                address.tag(),
                address
                    .display
                    .and_then(|d| sip::fields::unescape_quoted(d, &mut out).map(<[u8]>::len)),
            );
            if let Some(uri) = address.parsed_uri() {
                assert!(uri.equivalent(&uri), "{}", value.escape_ascii());
                let _ = uri.unescaped_user(&mut out);
            }
        }
    }
    let _ = (
        m.via(),
        m.cseq(),
        m.reasons().count(),
        (m.privacy(), m.history().count(), m.diverted()),
        m.content_type(),
        m.supports("x"),
        m.screen(&["100rel"]),
    );
    if let Some(sdp) = Sdp::parse(m.body()) {
        let mut out = [0; 8000];
        let target = "[2001:db8::1]:4000".parse().unwrap();
        let at = sdp::Edit::at(target);
        let len = rewrite(&sdp, &mut out, None, |_, medium| {
            medium.target().map_or(sdp::Edit::default(), |_| at)
        });
        let len = len.unwrap();
        let back = Sdp::parse(&out[..len]).expect("a rewritten description is one");
        assert_eq!(back.media().count(), sdp.media().count());
        for (new, old) in back.media().zip(sdp.media()) {
            assert_eq!(new.target(), old.target().map(|_| target));
            assert_eq!(
                (new.kind, new.formats, new.direction),
                (old.kind, old.formats, old.direction)
            );
            let _ = (old.codecs().count(), old.telephone_event());
        }
        // A description answers itself unless its keys are too many, and held and resumed without keys it still does.
        let encrypted = sdp.media().any(|m| m.attributes("crypto").next().is_some());
        assert!(encrypted || sdp.answers(&sdp).is_ok());
        let mut held = [0; 8000];
        for direction in [Direction::Inactive, Direction::SendRecv] {
            let edit = sdp::Edit {
                direction: Some(direction),
                keys: Some(Keys::None),
                ..sdp::Edit::default()
            };
            let len = rewrite(&sdp, &mut held, None, |_, _| edit).unwrap();
            let back = Sdp::parse(&held[..len]).expect("an edited description is one");
            assert!(back.media().all(|m| m.port == 0 || m.direction == direction));
            assert!(back.answers(&back).is_ok());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever comes in does no harm, and an accepted request can be answered by a message that is accepted again.
    #[test]
    fn changed_messages_do_no_harm(seed in 0..SEEDS.len(), edits in vec(edit(), 0..6)) {
        let mut bytes = SEEDS[seed].to_vec();
        edits.iter().for_each(|e| apply(&mut bytes, e));
        let source = "192.0.2.1:5060".parse().unwrap();
        let mut out = [0; 16_000];
        let mut respond = |m: &Message<'_>| {
            let mut w = Writer::new(&mut out);
            write_response_head(&mut w, m, 200, Some("t"), source);
            w.copy(m, Name::RecordRoute);
            let len = w.finish_empty().expect("it fits");
            out[..len].to_vec()
        };
        match Message::parse_datagram(&bytes) {
            Ok(m) => {
                read_all(&m);
                if m.is_request() {
                    let response = respond(&m);
                    let r = Message::parse_datagram(&response).map_err(|e| TestCaseError::fail(e.fault.reason()))?;
                    prop_assert_eq!((r.call_id(), r.cseq()), (m.call_id(), m.cseq()));
                    prop_assert_eq!(r.from().unwrap().tag(), m.from().unwrap().tag());
                    prop_assert_eq!(r.via().unwrap().branch, m.via().unwrap().branch);
                    prop_assert!(r.to().unwrap().tag().is_some());
                }
            }
            Err(rejected) => if let Some(m) = rejected.request() {
                read_all(&m);
                let _ = respond(&m);
            }
        }
        if let Ok(m) = Message::parse_stream(&bytes) {
            read_all(&m);
        }
    }

    /// Random bytes are refused or read, never a panic; and a URI is equal to itself.
    #[test]
    fn random_values_do_no_harm(value in vec(prop_oneof![select(&b"sip:tel@<>\";,=%[]:.0 "[..]), any::<u8>()], 0..40)) {
        if let Some(uri) = Uri::parse(&value) {
            prop_assert!(uri.equivalent(&uri));
        }
        let _ = (sip::Via::parse(&value), sip::NameAddr::parse(&value), sip::CSeq::parse(&value), Sdp::parse(&value));
        let _ = sip::Auth::parse(&value).map(|a| a.params().count());
        let _ = sip::Reason::parse(&value);
        let _ = sip::Params::new(&value).iter().count();
    }

    /// A framer gives the same frames however the bytes arrive.
    #[test]
    fn segmentation_changes_nothing(edits in vec(edit(), 0..4), pieces in vec(1..300usize, 1..40)) {
        let mut stream = [SEEDS[5], SEEDS[4], b"\r\n\r\n", SEEDS[2], SEEDS[0]].concat();
        edits.iter().for_each(|e| apply(&mut stream, e));
        let frames = |pieces: &mut dyn Iterator<Item = usize>| {
            let mut framer = Framer::accepted(vec![0; 1500]);
            let mut out = Vec::new();
            let mut rest = &stream[..];
            while !rest.is_empty() {
                let (now, later) = rest.split_at(pieces.next().unwrap_or(usize::MAX).min(rest.len()));
                rest = later;
                let mut now = now;
                while !now.is_empty() {
                    let taken = framer.push(now);
                    assert!(taken > 0);
                    now = &now[taken..];
                    while let Some(frame) = framer.next() {
                        match frame {
                            Ok(Frame::Message(m)) => out.push(Ok(m.to_vec())),
                            Ok(_) => out.push(Ok(Vec::new())),
                            Err(fault) => {
                                out.push(Err(fault));
                                return out;
                            }
                        }
                    }
                }
            }
            out
        };
        prop_assert_eq!(frames(&mut pieces.iter().copied().cycle()), frames(&mut core::iter::empty()));
    }

    /// What the writer writes, the parser reads.
    #[test]
    fn round_trip(
        method in "[A-Z!%*_+`'~.-]{1,12}",
        user in "[a-z0-9;?/&=+$,_.!~*'()-]{1,20}",
        display in vec(any::<u8>(), 0..12),
        headers in vec(("X-[A-Za-z0-9.!%*_+`'~-]{0,12}", vec(any::<u8>(), 0..30)), 0..40),
        body in vec(any::<u8>(), 0..200),
        number in 0..1u32 << 31,
    ) {
        let uri = format!("sip:{user}@[2001:db8::1]:5070;lr");
        // Within quotes all but these may stand; a backslash and the lead bytes of Shift_JIS would take the quote along.
        let display: Vec<u8> = display.into_iter().filter(|b| !b"\"\\\r\n".contains(b)).collect();
        let from = [b"\"", &display[..], b"\" <", uri.as_bytes(), b">;tag=1"].concat();
        let mut buffer = [0; 8000];
        let mut w = Writer::new(&mut buffer);
        w.request(Method::parse(method.as_bytes()), uri.as_bytes())
            .header(Name::Via, format_args!("SIP/2.0/UDP h;branch=z9hG4bK{number}"))
            .header_bytes(Name::From, &from)
            .header(Name::To, format_args!("<{uri}>"))
            .header("i", number)
            .header(Name::CSeq, format_args!("{number} {method}"));
        for (name, value) in &headers {
            w.header_bytes(name, value);
        }
        let len = w.body("application/octet-stream", &body).unwrap();
        let m = Message::parse_stream(&buffer[..len]).map_err(|r| TestCaseError::fail(r.fault.reason()))?;
        prop_assert_eq!(m.method().as_bytes(), method.as_bytes());
        prop_assert_eq!(m.request_uri(), Some(uri.as_bytes()));
        prop_assert_eq!(m.parsed_request_uri().unwrap().user, Some(user.as_bytes()));
        prop_assert_eq!(m.from().unwrap().display.unwrap_or_default(), &display[..]);
        prop_assert_eq!(m.cseq().unwrap().seq, number);
        prop_assert_eq!(m.body(), &body[..]);
        let got: Vec<_> = m.all().skip(5).take(headers.len()).map(|(_, name, value)| (name.to_vec(), value.to_vec())).collect();
        let want: Vec<_> = headers.iter().map(|(name, value)| (name.clone().into_bytes(), unfolded(value))).collect();
        prop_assert_eq!(got, want);
    }
}

/// An independent reading of what the writer does to a value: each run of white space with a line end in it is a space, and
/// white space at either end is no part of the value.
fn unfolded(value: &[u8]) -> Vec<u8> {
    let space = |b: &u8| b" \t\r\n".contains(b);
    let mut out = Vec::new();
    for run in value.chunk_by(|a, b| space(a) == space(b)) {
        let fold = space(&run[0]) && run.iter().any(|b| b"\r\n".contains(b));
        out.extend_from_slice(if fold { b" " } else { run });
    }
    let start = out.iter().position(|b| !space(b)).unwrap_or(out.len());
    let end = out.iter().rposition(|b| !space(b)).map_or(start, |i| i + 1);
    out[start..end].to_vec()
}
