//! Directions, keys and T.38: what is changed, and what is written.
use super::*;

const KEY: &str = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";

fn edited(sdp: &str, session: Option<&str>, edit: impl Fn(usize) -> Edit<'static>) -> String {
    let mut out = [0; 2_000];
    let session = session.map(|address| address.parse().unwrap());
    let len = rewrite(&Sdp::parse(sdp.as_bytes()).unwrap(), &mut out, session, |i, _| {
        edit(i)
    })
    .unwrap();
    String::from_utf8(out[..len].to_vec()).unwrap()
}

fn to(direction: Direction) -> Edit<'static> {
    Edit {
        direction: Some(direction),
        ..Edit::default()
    }
}

#[test]
fn hold_and_resume() {
    let before = "v=0\r\nc=IN IP4 10.0.0.1\r\na=sendonly\r\nm=audio 9/2 RTP/AVP 0 8\r\na=sendrecv \r\na=rtpmap:0 PCMU/8000\r\n\
        m=video 11 RTP/AVP 31\r\na=x\r\n";
    // One medium, and the other as it was.
    let held = edited(before, None, |i| {
        if i == 0 {
            to(Direction::Inactive)
        } else {
            Edit::default()
        }
    });
    assert_eq!(
        held,
        "v=0\r\nc=IN IP4 10.0.0.1\r\na=sendonly\r\nm=audio 9/2 RTP/AVP 0 8\r\na=rtpmap:0 PCMU/8000\r\na=inactive\r\n\
         m=video 11 RTP/AVP 31\r\na=x\r\n"
    );
    let sdp = Sdp::parse(held.as_bytes()).unwrap();
    assert!(sdp.media().all(|m| m.is_held()));
    let resumed = edited(&held, None, |_| to(Direction::SendRecv));
    assert!(
        Sdp::parse(resumed.as_bytes())
            .unwrap()
            .media()
            .all(|m| !m.is_held())
    );
    // The old way, and what its address is without it.
    let old = edited("v=0\nc=IN IP4 10.0.0.1\nm=audio 9 RTP/AVP 0\n", None, |_| {
        Edit::at(at("0.0.0.0:9"))
    });
    assert_eq!(
        old,
        "v=0\nc=IN IP4 10.0.0.1\nm=audio 9 RTP/AVP 0\nc=IN IP4 0.0.0.0\n"
    );
    // Refused: port 0, which is not asked for again.
    let refused = edited(before, None, |_| Edit::at(at("10.0.0.1:0")));
    assert!(
        Sdp::parse(refused.as_bytes())
            .unwrap()
            .media()
            .all(|m| m.port == 0)
    );
    assert_eq!(edited(&refused, None, |_| to(Direction::RecvOnly)), refused);
}

#[test]
fn the_sessions_address() {
    let table = [
        (
            "v=0\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\nc=IN IP4 10.0.0.2\r\n",
            "c=IN IP6 2001:db8::1\r\nt=",
        ),
        (
            "v=0\r\nc=IN IP4 host.example\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n",
            "c=IN IP6 2001:db8::1\r\nt=",
        ),
        (
            "v=0\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n",
            "c=IN IP4 0.0.0.0\r\nt=",
        ),
        ("v=0\nc=IN IP4 10.0.0.1\nt=0 0\n", "c=IN IP6 2001:db8::1\nt="),
    ];
    for (sdp, want) in table {
        let got = edited(sdp, Some("2001:db8::1"), |_| Edit::default());
        assert!(got.contains(want), "{got}");
        let media = |text: &str| text.find("m=").map(|at| text[at..].to_string());
        assert_eq!(media(&got), media(sdp));
    }
}

#[test]
fn keys() {
    let line = std::format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^20|1:4 UNENCRYPTED_SRTCP");
    let key = Crypto::parse(line.as_bytes()).unwrap();
    assert_eq!(
        (key.tag, key.suite, key.key),
        (1, Suite::AesCm128Sha1_80, KEY.as_bytes())
    );
    assert_eq!(key.params, b"|2^20|1:4 UNENCRYPTED_SRTCP");

    let long = "A".repeat(62);
    let table: [(String, Option<Suite>); 14] = [
        (
            std::format!("2 AES_CM_128_HMAC_SHA1_32 inline:{KEY}"),
            Some(Suite::AesCm128Sha1_32),
        ),
        (
            std::format!("3 AES_256_CM_HMAC_SHA1_80 inline:{long}=="),
            Some(Suite::AesCm256Sha1_80),
        ),
        (
            std::format!("3 AES_256_CM_HMAC_SHA1_80 inline:{long}"),
            Some(Suite::AesCm256Sha1_80),
        ),
        (
            std::format!("4 AEAD_AES_128_GCM inline:{}==", &KEY[..38]),
            Some(Suite::AesGcm128),
        ),
        (
            std::format!("5 AEAD_AES_256_GCM inline:{}=", &long[..59]),
            Some(Suite::AesGcm256),
        ),
        (
            std::format!("999999999 AES_CM_128_HMAC_SHA1_80 inline:{KEY}"),
            Some(Suite::AesCm128Sha1_80),
        ),
        // Too short, too long, no key, no number, two keys, an unknown suite, padding within.
        (
            std::format!("1 AES_CM_128_HMAC_SHA1_80 inline:{}", &KEY[1..]),
            None,
        ),
        (std::format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}AAAA"), None),
        ("1 AES_CM_128_HMAC_SHA1_80 inline:".into(), None),
        (std::format!("x AES_CM_128_HMAC_SHA1_80 inline:{KEY}"), None),
        (
            std::format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY};inline:{KEY}"),
            None,
        ),
        (std::format!("1 F8_128_HMAC_SHA1_80 inline:{KEY}"), None),
        (
            std::format!("1 AES_CM_128_HMAC_SHA1_80 inline:{}=A", &KEY[..38]),
            None,
        ),
        (
            std::format!("0000000001 AES_CM_128_HMAC_SHA1_80 inline:{KEY}"),
            None,
        ),
    ];
    for (line, suite) in &table {
        assert_eq!(
            Crypto::parse(line.as_bytes()).map(|key| key.suite),
            *suite,
            "{line}"
        );
    }
}

#[test]
fn encrypted_and_back() {
    const LINE: &[u8] = b"1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";
    let plain = "v=0\r\nc=IN IP4 10.0.0.1\r\nm=audio 9 RTP/AVP 0\r\na=sendrecv\r\nm=image 11 udptl t38\r\n";
    let keys: &'static [Crypto<'static>] =
        std::boxed::Box::leak(std::boxed::Box::new([Crypto::parse(LINE).unwrap()]));
    let edit = |keys| {
        move |i| match i {
            0 => Edit {
                keys: Some(keys),
                ..Edit::default()
            },
            _ => Edit::default(),
        }
    };
    let secure = edited(plain, None, edit(Keys::These(keys)));
    let line = core::str::from_utf8(LINE).unwrap();
    assert_eq!(
        secure,
        std::format!(
            "v=0\r\nc=IN IP4 10.0.0.1\r\nm=audio 9 RTP/SAVP 0\r\na=sendrecv\r\na=crypto:{line}\r\nm=image 11 udptl t38\r\n"
        )
    );
    let sdp = Sdp::parse(secure.as_bytes()).unwrap();
    let medium = sdp.audio().unwrap();
    assert_eq!(
        choose(&medium, &[Suite::AesGcm128, Suite::AesCm128Sha1_80]),
        Some(keys[0])
    );
    assert_eq!(choose(&medium, &[Suite::AesGcm128]), None);
    assert_eq!(sdp.listener(), None, "words of ours are not encrypted");
    // Another key replaces it, and without keys it is what it was.
    assert_eq!(edited(&secure, None, edit(Keys::These(keys))), secure);
    assert_eq!(edited(&secure, None, edit(Keys::None)), plain);
    // A key without a word of what it is goes as well, an attribute that is only called alike stays.
    let odd = secure.replace("a=crypto:", "a=crypto\na=cryptos:1\r\na=crypto:");
    let kept = plain.replace("a=sendrecv\r\n", "a=sendrecv\r\na=cryptos:1\r\n");
    assert_eq!(edited(&odd, None, edit(Keys::None)), kept);
    let feedback = plain.replace("RTP/AVP", "RTP/AVPF");
    assert!(edited(&feedback, None, edit(Keys::These(keys))).contains("9 RTP/SAVPF 0"));
}

#[test]
fn fax() {
    let medium = "m=image 49180 udptl t38\r\na=T38FaxVersion:3\r\na=T38MaxBitRate:33600\r\na=T38FaxFillBitRemoval\r\n\
        a=T38FaxRateManagement:transferredTCF\r\na=T38FaxMaxBuffer:2000\r\na=T38FaxMaxDatagram:512\r\n\
        a=T38FaxUdpEC:t38UDPFEC\r\n";
    let read = |text: &str| {
        let text = std::format!("v=0\r\nc=IN IP4 10.0.0.1\r\n{text}");
        Sdp::parse(text.as_bytes()).and_then(|sdp| Fax::parse(&sdp.media().next()?))
    };
    let offered = Fax {
        version: 3,
        max_bit_rate: 33_600,
        fill_bit_removal: true,
        max_buffer: Some(2_000),
        max_datagram: Some(512),
        correction: Correction::Fec,
        ..Fax::default()
    };
    assert_eq!(read(medium), Some(offered));
    assert_eq!(offered.medium(49180).to_string(), medium);
    // What others write: capitals, flags with a value, nothing at all.
    let odd = "m=image 1 UDPTL T38\r\na=T38FaxFillBitRemoval:0\r\na=T38FaxTranscodingMMR:1\r\n\
        a=T38FaxRateManagement:localTCF\r\n";
    let bare = Fax {
        correction: Correction::None,
        ..Fax::default()
    };
    let want = Fax {
        transcoding_mmr: true,
        rate_management: RateManagement::Local,
        ..bare
    };
    assert_eq!(read(odd), Some(want));
    assert_eq!(read("m=image 1 udptl t38\r\n"), Some(bare));
    for other in [
        "m=image 0 udptl t38\r\n",
        "m=image 1 TCP t38\r\n",
        "m=audio 1 udptl t38\r\n",
        "m=image 1 udptl x\r\n",
    ] {
        assert_eq!(read(other), None, "{other}");
    }
    // Answers never say more than the offer.
    let ours = Fax::default();
    let answer = ours.answering(&offered);
    assert_eq!((answer.version, answer.max_bit_rate), (0, 14_400));
    assert_eq!((answer.correction, answer.max_datagram), (Correction::None, None));
    let redundant = ours.answering(&Fax {
        correction: Correction::Redundancy,
        ..want
    });
    assert_eq!(
        (redundant.correction, redundant.rate_management),
        (Correction::Redundancy, RateManagement::Local)
    );
    assert!(!redundant.transcoding_mmr);
}

/// Cut between the two bytes of its last line's end, as a datagram may be.
#[test]
fn a_last_line_with_half_an_end() {
    let text = b"v=0\r\nm=audio 9 RTP/AVP 0\r\nc=IN IP4 10.0.0.1\r";
    let sdp = Sdp::parse(text).unwrap();
    let edit = Edit {
        direction: Some(Direction::Inactive),
        ..Edit::default()
    };
    let mut out = [0; 200];
    let len = rewrite(&sdp, &mut out, None, |_, _| edit).unwrap();
    let again = "v=0\r\nm=audio 9 RTP/AVP 0\r\nc=IN IP4 10.0.0.1\r\na=inactive\r\n";
    assert_eq!(core::str::from_utf8(&out[..len]), Ok(again));
    assert!(Sdp::parse(again.as_bytes()).is_some());
}
