use super::*;
use std::format;
use std::string::String;
use std::vec::Vec;

fn invite(lines: &str) -> String {
    format!(
        "INVITE sip:b@x SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nFrom: <sip:a@x>;tag=1\r\nTo: <sip:b@x>\r\n\
         Call-ID: c\r\nCSeq: 1 INVITE\r\nContact: <sip:a@a>\r\n{lines}Content-Length: 0\r\n\r\n"
    )
}

#[test]
fn privacy() {
    let table = [
        ("", false, false),
        ("Privacy: id\r\n", true, false),
        ("Privacy: ID ; Critical\r\n", true, false),
        ("Privacy: user\r\n", true, false),
        ("Privacy: header, session\r\n", true, false),
        ("Privacy: session\r\nPrivacy: history\r\n", false, false),
        ("Privacy: none\r\n", false, true),
        ("Privacy: none;id\r\n", true, true),
        ("Privacy: identity;x-id\r\n", false, false),
        ("Privacy:\r\n", false, false),
    ];
    for (lines, hides, none) in table {
        let text = invite(lines);
        let privacy = Message::parse_datagram(text.as_bytes()).unwrap().privacy();
        assert_eq!((privacy.hides_caller(), privacy.none), (hides, none), "{lines}");
    }
    let text = invite("Privacy: user;critical\r\nPrivacy: history\r\n");
    let want = Privacy {
        user: true,
        critical: true,
        history: true,
        ..Privacy::default()
    };
    assert_eq!(Message::parse_datagram(text.as_bytes()).unwrap().privacy(), want);
}

#[test]
fn one_diversion() {
    let full =
        Diversion::parse(b"\"Front, desk\" <sip:0312340000@x>;reason=User-Busy;counter=3;privacy=\"off\"")
            .unwrap();
    assert_eq!((full.why, full.counter, full.private), (Why::Busy, 3, false));
    assert_eq!(full.address.display, Some(&b"Front, desk"[..]));
    let bare = Diversion::parse(b"<tel:+81312340000>").unwrap();
    assert_eq!((bare.why, bare.counter, bare.private), (Why::Unknown, 1, false));
    let hidden = Diversion::parse(b"<sip:a@x>;reason=do-not-disturb;counter=x;privacy=full").unwrap();
    assert_eq!(
        (hidden.why, hidden.counter, hidden.private),
        (Why::Unknown, 1, true)
    );
    for bad in [&b""[..], b"*", b"<sip:a@x", b"nobody"] {
        assert_eq!(Diversion::parse(bad), None, "{}", bad.escape_ascii());
    }
}

#[test]
fn one_entry_of_the_history() {
    let entry =
        History::parse(b"<sip:b@x;cause=408?Reason=SIP%3Bcause%3D408&privacy=history>;index=1.2;mp=1")
            .unwrap();
    assert_eq!(
        (entry.uri, entry.index, entry.why, entry.private),
        (&b"sip:b@x;cause=408"[..], &b"1.2"[..], Some(Why::NoAnswer), true)
    );
    let first = History::parse(b"<sip:a@x>;index=1").unwrap();
    assert_eq!((first.why, first.private), (None, false));
    assert_eq!(
        History::parse(b"<sip:a@x;cause=999>;index=1").unwrap().why,
        Some(Why::Unknown)
    );
    assert_eq!(History::parse(b"<sip:a@x>"), None, "an index is a must");
}

#[test]
fn who_sent_it_on() {
    type Told = Option<(&'static str, Why, u32)>;
    let table: [(&str, Told); 11] = [
        ("", None),
        (
            "Diversion: <sip:a@x>;reason=no-answer\r\n",
            Some(("sip:a@x", Why::NoAnswer, 1)),
        ),
        (
            "Diversion: <sip:b@x>;reason=user-busy;counter=2, <sip:a@x>\r\nDiversion: <sip:c@x>\r\n",
            Some(("sip:b@x", Why::Busy, 2)),
        ),
        // Hidden: not the one before it either.
        ("Diversion: <sip:b@x>;privacy=full, <sip:a@x>\r\n", None),
        ("Diversion: <sip:b@x>\r\nPrivacy: history\r\n", None),
        // A history without a cause is only the way the call went.
        ("History-Info: <sip:a@x>;index=1, <sip:b@x>;index=1.1\r\n", None),
        (
            "History-Info: <sip:a@x>;index=1, <sip:b@x;cause=302>;index=1.1;mp=1\r\n",
            Some(("sip:a@x", Why::Unconditional, 1)),
        ),
        (
            "History-Info: <sip:a@x>;index=1\r\nHistory-Info: <sip:b@x;cause=486>;index=1.1, <sip:b@192.0.2.1>;index=1.1.1, \
             <sip:c@x;cause=408>;index=1.2\r\n",
            Some(("sip:b@192.0.2.1", Why::NoAnswer, 2)),
        ),
        (
            "History-Info: <sip:a@x?Privacy=id>;index=1, <sip:b@x;cause=302>;index=1.1\r\n",
            None,
        ),
        ("History-Info: <sip:b@x;cause=302>;index=1\r\n", None),
        (
            "Diversion: <sip:a@x>\r\nHistory-Info: <sip:c@x>;index=1, <sip:b@x;cause=302>;index=1.1\r\n",
            Some(("sip:a@x", Why::Unknown, 1)),
        ),
    ];
    for (lines, want) in table {
        let text = invite(lines);
        let message = Message::parse_datagram(text.as_bytes()).unwrap();
        let got = message.diverted();
        let want = want.map(|(uri, why, counter)| Diverted {
            uri: uri.as_bytes(),
            why,
            counter,
        });
        assert_eq!(got, want, "{lines}");
    }
    let causes: Vec<_> = Why::ALL.iter().map(|why| why.cause()).collect();
    assert_eq!(causes, [302, 486, 408, 503, 480, 302, 404]);
}
