//! Session descriptions beside another reader, `sdp-types`: where both take one they read the same, and where one does not, the
//! reason is here.

use proptest::collection::vec;
use proptest::prelude::*;
use sdp_types::Session;
use sip::sdp::{Direction, Edit, Media, Sdp, rewrite};

/// What makes a description: lines as phones, border controllers and browsers write them, and some broken ones.
const SESSION: [&str; 14] = [
    "o=- 20518 1 IN IP4 192.0.2.1",
    "o=root 1 18446744073709551616 IN IP4 192.0.2.1",
    "s=-",
    "s=SIP Call",
    "s= ",
    "i=a title",
    "c=IN IP4 192.0.2.1",
    "c=IN IP6 2001:db8::1",
    "c=IN IP4 224.2.1.1/127",
    "c=IN IP4 host.example",
    "b=AS:64",
    "t=0 0",
    "a=sendonly",
    "a=group:BUNDLE 0",
];
const MEDIA: [&str; 16] = [
    "m=audio 49170 RTP/AVP 0 8 101",
    "m=audio 0 RTP/AVP 0",
    "m=audio 49170/2 RTP/SAVP 0",
    "m=image 11 udptl t38",
    "m=video 9 UDP/TLS/RTP/SAVPF 96",
    "m=audio 65536 RTP/AVP 0",
    "m=audio x RTP/AVP 0",
    "m=audio 1 RTP/AVP",
    "c=IN IP4 192.0.2.7",
    "c=IN IP4",
    "a=rtpmap:101 telephone-event/8000",
    "a=fmtp:101 0-15",
    "a=recvonly",
    "a=inactive",
    "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz",
    "a=T38FaxUdpEC:t38UDPRedundancy",
];

fn description(session: &[usize], media: &[usize], end: &str) -> String {
    let lines = session.iter().map(|i| SESSION[i % SESSION.len()]);
    let lines = lines.chain(media.iter().map(|i| MEDIA[i % MEDIA.len()]));
    let mut text = format!("v=0{end}");
    lines.for_each(|line| text += &format!("{line}{end}"));
    text
}

/// The address of the first `c=` line among these, if it is one.
fn address(lines: &[sdp_types::Connection]) -> Option<String> {
    let text = &lines.first()?.connection_address;
    let text = text.split('/').next().unwrap_or_default();
    text.parse::<std::net::IpAddr>().ok().map(|ip| ip.to_string())
}

fn same(ours: &Media<'_>, theirs: &sdp_types::Media, session: Option<&String>) {
    let show = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert_eq!(show(ours.kind), theirs.media);
    assert_eq!(ours.port, theirs.port);
    assert_eq!(show(ours.protocol), theirs.proto);
    assert_eq!(show(ours.formats), theirs.fmt);
    let own = match theirs.connections.is_empty() {
        true => session.cloned(),
        false => address(&theirs.connections),
    };
    assert_eq!(ours.address.map(|ip| ip.to_string()), own);
    for name in ["rtpmap", "fmtp", "crypto", "T38FaxUdpEC"] {
        let values = ours.attributes(name).map(show);
        let others = theirs.attributes.iter().filter(|a| a.attribute == name);
        assert!(
            values.eq(others.map(|a| a.value.clone().unwrap_or_default())),
            "{name}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_read_the_same(
        session in vec(0usize..14, 0..8),
        media in vec(vec(8usize..16, 0..5), 0..4),
        kinds in vec(0usize..8, 4),
        ordered in any::<bool>(),
        lf in any::<bool>(),
    ) {
        let (mut session, mut media) = (session, media);
        if ordered {
            // As RFC 8866 §5 has it; otherwise as it comes.
            session.retain(|i| ![1, 3, 4, 11].contains(i));
            session.extend([0, 2, 11]);
            session.sort_unstable();
            session.dedup();
            media.iter_mut().for_each(|lines| lines.sort_unstable());
        }
        let media: Vec<_> = kinds.into_iter().zip(media).flat_map(|(kind, lines)| [vec![kind], lines].concat()).collect();
        let text = description(&session, &media, if lf { "\n" } else { "\r\n" });
        let ours = Sdp::parse(text.as_bytes());
        let theirs = Session::parse(text.as_bytes());
        match (ours, theirs) {
            (Some(ours), Ok(theirs)) => {
                let address = address(theirs.connection.as_slice());
                prop_assert_eq!(ours.media().count(), theirs.medias.len());
                ours.media().zip(&theirs.medias).for_each(|(a, b)| same(&a, b, address.as_ref()));
                // What we write of it is read there too, and says what it was told to.
                let mut out = vec![0; text.len() * 4 + 400];
                let edit = Edit { direction: Some(Direction::Inactive), ..Edit::at("192.0.2.99:4000".parse().unwrap()) };
                let len = rewrite(&ours, &mut out, None, |_, _| edit).unwrap();
                let back = Session::parse(&out[..len]).expect("an edited description is one");
                for (new, old) in back.medias.iter().zip(&theirs.medias).filter(|(_, old)| old.port != 0) {
                    prop_assert_eq!(new.port, 4000);
                    prop_assert_eq!(&new.fmt, &old.fmt);
                    let directions = new.attributes.iter().filter(|a| {
                        ["sendrecv", "sendonly", "recvonly", "inactive"].contains(&a.attribute.as_str())
                    });
                    prop_assert!(directions.map(|a| a.attribute.as_str()).eq(["inactive"]));
                }
            }
            // We ask only for what a phone needs to send: not for `o=`, `s=` and `t=` in their places, and once.
            (Some(_), Err(_)) => {}
            (None, Ok(theirs)) => {
                // An address that is of another kind than it says, or none at all, and a medium without formats, lead nowhere.
                let broken = ["c=IN IP4\n", "c=IN IP4\r", "m=audio 65536", "m=audio x", "RTP/AVP\n", "RTP/AVP\r"];
                prop_assert!(broken.iter().any(|b| text.contains(b)), "{}\n{:?}", text, theirs);
            }
            (None, Err(_)) => {}
        }
    }
}

/// The generator makes what both read, often enough to mean something.
#[test]
fn the_usual_is_read_by_both() {
    let text = description(&[0, 2, 6, 11, 12], &[0, 10, 11, 3, 15], "\r\n");
    let (ours, theirs) = (
        Sdp::parse(text.as_bytes()).unwrap(),
        Session::parse(text.as_bytes()).unwrap(),
    );
    assert_eq!((ours.media().count(), theirs.medias.len()), (2, 2));
    let address = address(theirs.connection.as_slice());
    ours.media()
        .zip(&theirs.medias)
        .for_each(|(a, b)| same(&a, b, address.as_ref()));
}
