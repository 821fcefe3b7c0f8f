mod edit;
mod exchange;

use super::*;
use crate::write::Full;
use std::string::{String, ToString};
use std::vec::Vec;

const PHONE: &[u8] = b"v=0\r\no=- 20518 99999999999999999999 IN IP4 192.0.2.1\r\ns= \r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
    m=audio 49170 RTP/AVP 8 0 18 96 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:96 pcmu/8000/1\r\n\
    a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=rtcp:49171 IN IP4 192.0.2.1\r\n\
    a=candidate:1 1 UDP 2130706431 192.0.2.1 49170 typ host\r\na=sendonly\r\n\
    m=video 0 RTP/AVP 31\r\n\
    m=image 49180 udptl t38\r\ni=fax\r\nc=IN IP6 2001:db8::1\r\na=T38FaxVersion:3\r\na=T38FaxUdpEC:t38UDPRedundancy\r\n";

fn at(s: &str) -> SocketAddr {
    s.parse().unwrap()
}

#[test]
fn view() {
    let sdp = Sdp::parse(PHONE).unwrap();
    let origin = sdp.origin().unwrap();
    assert_eq!((origin.user, origin.session), (&b"-"[..], &b"20518"[..]));
    assert_eq!(
        (origin.version, origin.address),
        (&b"99999999999999999999"[..], &b"192.0.2.1"[..])
    );
    assert_eq!(sdp.address(), Some(at("192.0.2.1:1").ip()));
    let media: Vec<_> = sdp.media().collect();
    let got: Vec<_> = media.iter().map(|m| (m.kind, m.target(), m.direction)).collect();
    assert_eq!(
        got,
        [
            (&b"audio"[..], Some(at("192.0.2.1:49170")), Direction::SendOnly),
            (b"video", None, Direction::SendRecv),
            (b"image", Some(at("[2001:db8::1]:49180")), Direction::SendRecv),
        ]
    );
    assert_eq!(
        (media[2].protocol, media[2].formats),
        (&b"udptl"[..], &b"t38"[..])
    );
    assert_eq!(media[2].attributes("T38FaxVersion").collect::<Vec<_>>(), [b"3"]);
    let audio = sdp.audio().unwrap();
    assert!(audio.is_held() && !media[2].is_held());
    assert_eq!(audio.payload_types().collect::<Vec<_>>(), [8, 0, 18, 96, 101]);
    assert_eq!(
        audio.codecs().collect::<Vec<_>>(),
        [(Codec::Pcma, 8), (Codec::Pcmu, 0)]
    );
    assert_eq!(
        (audio.telephone_event(), audio.encoding("G729/8000")),
        (Some(101), None)
    );
    assert_eq!(audio.attributes("sendonly").count(), 1);
    let dynamic = b"v=0\r\nm=audio 1 RTP/AVP 97\r\na=rtpmap:97 PCMA/8000\r\n";
    assert_eq!(
        Sdp::parse(dynamic).unwrap().audio().unwrap().codecs().next(),
        Some((Codec::Pcma, 97))
    );
}

#[test]
fn a_rewrite_changes_addresses_and_nothing_else() {
    let sdp = Sdp::parse(PHONE).unwrap();
    let mut out = [0; 1000];
    let len = rewrite(&sdp, &mut out, None, |_, _| Edit::default()).unwrap();
    assert_eq!(&out[..len], PHONE);

    let mut asked = Vec::new();
    let len = rewrite(&sdp, &mut out, None, |i, m| {
        asked.push((i, m.port));
        Edit::at(if i == 0 {
            at("198.51.100.7:40000")
        } else {
            at("198.51.100.8:40002")
        })
    });
    let len = len.unwrap();
    assert_eq!(asked, [(0, 49170), (2, 49180)], "refused media are not asked for");
    let want = String::from_utf8(PHONE.to_vec())
        .unwrap()
        .replace(
            "m=audio 49170 RTP/AVP 8 0 18 96 101\r\n",
            "m=audio 40000 RTP/AVP 8 0 18 96 101\r\nc=IN IP4 198.51.100.7\r\n",
        )
        .replace("a=rtcp:49171 IN IP4 192.0.2.1\r\n", "")
        .replace("a=candidate:1 1 UDP 2130706431 192.0.2.1 49170 typ host\r\n", "")
        .replace("m=image 49180 udptl", "m=image 40002 udptl")
        .replace("c=IN IP6 2001:db8::1", "c=IN IP4 198.51.100.8");
    assert_eq!(core::str::from_utf8(&out[..len]), Ok(want.as_str()));
    let back = Sdp::parse(&out[..len]).unwrap();
    let targets: Vec<_> = back.media().map(|m| m.target()).collect();
    assert_eq!(
        targets,
        [
            Some(at("198.51.100.7:40000")),
            None,
            Some(at("198.51.100.8:40002"))
        ]
    );

    for room in 0..len {
        let replace = |i, _: &Media<'_>| {
            Edit::at(at(if i == 0 {
                "198.51.100.7:40000"
            } else {
                "198.51.100.8:40002"
            }))
        };
        assert_eq!(
            rewrite(&sdp, &mut out[..room], None, replace),
            Err(Full),
            "{room}"
        );
    }
}

#[test]
fn a_rewrite_keeps_the_line_ends() {
    let table: [(&[u8], &str); 3] = [
        (
            b"v=0\nc=IN IP4 10.0.0.1\nm=audio 1 RTP/AVP 0\n",
            "v=0\nc=IN IP4 10.0.0.1\nm=audio 2 RTP/AVP 0\nc=IN IP6 ::1\n",
        ),
        (
            b"v=0\r\nm=audio 1/2 RTP/AVP 0",
            "v=0\r\nm=audio 2 RTP/AVP 0\r\nc=IN IP6 ::1\r\n",
        ),
        (
            b"v=0\r\nc=IN IP4 10.0.0.1\r\nm=audio 1 RTP/AVP 0\r\ni=a title",
            "v=0\r\nc=IN IP4 10.0.0.1\r\nm=audio 2 RTP/AVP 0\r\ni=a title\r\nc=IN IP6 ::1\r\n",
        ),
    ];
    for (sdp, want) in table {
        let mut out = [0; 100];
        let len = rewrite(&Sdp::parse(sdp).unwrap(), &mut out, None, |_, _| {
            Edit::at(at("[::1]:2"))
        })
        .unwrap();
        assert_eq!(core::str::from_utf8(&out[..len]), Ok(want));
    }
}

#[test]
fn what_is_written_is_read_back() {
    let audio = Audio {
        session: 7,
        version: 8,
        target: at("192.0.2.9:30000"),
        codecs: &[Codec::Pcmu, Codec::Pcma],
        telephone_event: Some(101),
        redundancy: None,
        direction: Direction::RecvOnly,
    };
    let text = audio.to_string();
    let want = "v=0\r\no=- 7 8 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\nm=audio 30000 RTP/AVP 0 8 101\r\n\
        a=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n\
        a=ptime:20\r\na=maxptime:60\r\na=recvonly\r\n";
    assert_eq!(text, want);
    let sdp = Sdp::parse(text.as_bytes()).unwrap();
    let medium = sdp.audio().unwrap();
    assert_eq!(
        (medium.target(), medium.telephone_event()),
        (Some(audio.target), Some(101))
    );
    assert_eq!(
        (medium.codecs().map(|c| c.0).collect::<Vec<_>>(), medium.direction),
        (audio.codecs.to_vec(), audio.direction)
    );
    let six = Audio {
        target: at("[2001:db8::5]:4"),
        telephone_event: None,
        redundancy: None,
        ..audio
    }
    .to_string();
    assert_eq!(
        Sdp::parse(six.as_bytes()).unwrap().audio().unwrap().target(),
        Some(at("[2001:db8::5]:4"))
    );
}

#[test]
fn hold_in_its_old_and_new_forms() {
    let table: [(&[u8], bool); 5] = [
        (b"v=0\r\nc=IN IP4 0.0.0.0\r\nm=audio 9 RTP/AVP 0\r\n", true),
        (
            b"v=0\r\nc=IN IP4 10.0.0.1\r\na=inactive\r\nm=audio 9 RTP/AVP 0\r\n",
            true,
        ),
        (
            b"v=0\r\nc=IN IP4 10.0.0.1\r\na=inactive\r\nm=audio 9 RTP/AVP 0\r\na=sendrecv\r\n",
            false,
        ),
        (
            b"v=0\r\nc=IN IP4 10.0.0.1\r\nm=audio 9 RTP/AVP 0\r\na=recvonly\r\n",
            false,
        ),
        (b"v=0\r\nc=IN IP4 10.0.0.1\r\nm=audio 0 RTP/AVP 0\r\n", true),
    ];
    for (sdp, want) in table {
        assert_eq!(
            Sdp::parse(sdp).unwrap().media().next().unwrap().is_held(),
            want,
            "{}",
            sdp.escape_ascii()
        );
    }
    assert_eq!(Direction::SendOnly.mirrored(), Direction::RecvOnly);
    assert_eq!(Direction::Inactive.mirrored(), Direction::Inactive);
}

#[test]
fn broken_descriptions() {
    for bad in [
        &b""[..],
        b"v=1\r\n",
        b"o=- 1 1 IN IP4 1.2.3.4\r\n",
        b"v=0\r\njunk\r\n",
        b"v=0\r\nm=audio\r\n",
        b"v=0\r\nm=audio 70000 RTP/AVP 0\r\n",
        b"v=0\r\nm=audio 1 RTP/AVP\r\n",
        b"v=0\r\nm=audio x RTP/AVP 0\r\nm=audio 1 RTP/AVP 0\r\n",
        b"v=0\r\nc=IN IP4\r\n",
        b"v=0\r\nc=IN IP4 2001:db8::1\r\n",
        b"v=0\r\nc=IN IP6 1.2.3.4\r\n",
        b"v=0\r\nm=audio 1 RTP/AVP 0\r\nc=IN IP4 a b\xFF\r\nc=XX\r\n",
    ] {
        assert_eq!(Sdp::parse(bad), None, "{}", bad.escape_ascii());
    }
    let named = Sdp::parse(b"v=0\r\nc=IN IP4 host.example\r\nm=audio 1 RTP/AVP 0\r\n").unwrap();
    assert_eq!(
        named.audio().unwrap().target(),
        None,
        "names are not resolved here"
    );
}
