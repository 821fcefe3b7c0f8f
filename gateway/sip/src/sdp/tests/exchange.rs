//! Offer and answer: what is no answer, what we answer.
use super::*;

const VOICE: &str = "v=0\r\nc=IN IP4 10.0.0.1\r\nm=audio 9 RTP/AVP 0 8\r\n";

#[test]
fn what_is_no_answer() {
    let offer = "v=0\r\nc=IN IP4 10.0.0.1\r\nm=audio 9 RTP/AVP 0 8\r\nm=image 11 udptl t38\r\nm=video 0 RTP/AVP 31\r\n";
    let secure = "v=0\r\nm=audio 9 RTP/SAVP 0\r\na=crypto:1 A inline:x\r\na=crypto:2 B inline:x\r\n";
    let media = |media: &str| std::format!("v=0\r\nc=IN IP4 10.0.0.2\r\n{media}");
    let table: [(&str, String, Result<(), Breach>); 15] = [
        (offer, offer.into(), Ok(())),
        (
            offer,
            media("m=audio 5 RTP/AVP 8\r\nm=image 0 udptl t38\r\nm=video 0 RTP/AVP 31\r\n"),
            Ok(()),
        ),
        (
            offer,
            media("m=audio 0 RTP/AVP 0\r\nm=image 5 udptl t38\r\nm=video 0 RTP/AVP 0\r\n"),
            Ok(()),
        ),
        (offer, media("m=audio 5 RTP/AVP 8\r\n"), Err(Breach::Count)),
        (offer, media(""), Err(Breach::Count)),
        (
            VOICE,
            media("m=audio 5 RTP/AVP 8\r\nm=video 5 RTP/AVP 31\r\n"),
            Err(Breach::Count),
        ),
        (
            offer,
            media("m=image 5 udptl t38\r\nm=audio 5 RTP/AVP 8\r\nm=video 0 RTP/AVP 31\r\n"),
            Err(Breach::Medium),
        ),
        (VOICE, media("m=audio 5 RTP/SAVP 8\r\n"), Err(Breach::Medium)),
        (
            offer,
            media("m=audio 5 RTP/AVP 8\r\nm=image 0 udptl t38\r\nm=video 7 RTP/AVP 31\r\n"),
            Err(Breach::Refused),
        ),
        (
            secure,
            media("m=audio 5 RTP/SAVP 0\r\na=crypto:2 B inline:y\r\n"),
            Ok(()),
        ),
        (secure, media("m=audio 0 RTP/SAVP 0\r\n"), Ok(())),
        (secure, media("m=audio 5 RTP/SAVP 0\r\n"), Err(Breach::Keys)),
        (
            secure,
            media("m=audio 5 RTP/SAVP 0\r\na=crypto:1 B inline:y\r\n"),
            Err(Breach::Keys),
        ),
        (
            secure,
            media("m=audio 5 RTP/SAVP 0\r\na=crypto:1 A inline:y\r\na=crypto:2 B inline:y\r\n"),
            Err(Breach::Keys),
        ),
        // Keys by DTLS (RFC 5763): not in the description.
        (
            "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVP 0\r\n",
            media("m=audio 5 UDP/TLS/RTP/SAVP 0\r\n"),
            Ok(()),
        ),
    ];
    for (offer, answer, want) in table {
        let offer = Sdp::parse(offer.as_bytes()).unwrap();
        assert_eq!(
            Sdp::parse(answer.as_bytes()).unwrap().answers(&offer),
            want,
            "{answer}"
        );
    }
}

#[test]
fn our_answer_takes_one_medium_and_refuses_the_others() {
    let offer = "v=0\r\nc=IN IP4 10.0.0.1\r\nm=video 7 RTP/AVP 31\r\nm=audio 9 RTP/AVP 18 8\r\nm=image 11 udptl t38\r\n";
    let offer = Sdp::parse(offer.as_bytes()).unwrap();
    let (taken, medium, codec) = offer.listener().unwrap();
    assert_eq!((taken, medium.port, codec), (1, 9, Codec::Pcma));
    let audio = Audio {
        session: 7,
        version: 1,
        target: at("10.0.0.2:30000"),
        codecs: &[codec],
        telephone_event: None,
        redundancy: None,
        direction: medium.direction.mirrored(),
    };
    let mut out = [0; 400];
    let answer = audio.answering(offer, taken);
    let len = answer.write(&mut out).unwrap();
    let want = "v=0\r\no=- 7 1 IN IP4 10.0.0.2\r\ns=-\r\nc=IN IP4 10.0.0.2\r\nt=0 0\r\nm=video 0 RTP/AVP 31\r\n\
        m=audio 30000 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\na=ptime:20\r\na=maxptime:60\r\na=sendrecv\r\nm=image 0 udptl t38\r\n";
    assert_eq!(core::str::from_utf8(&out[..len]), Ok(want));
    assert_eq!(Sdp::parse(&out[..len]).unwrap().answers(&offer), Ok(()));
    assert_eq!(answer.write(&mut out[..len - 1]), Err(Full));

    // The FAX instead, once a page is to come.
    let fax = Fax::default().answering(&Fax::parse(&offer.media().nth(2).unwrap()).unwrap());
    let answer = Answer {
        offer,
        session: 7,
        version: 2,
        address: audio.target.ip(),
        taken: 2,
        medium: fax.medium(30_002),
    };
    let len = answer.write(&mut out).unwrap();
    let back = Sdp::parse(&out[..len]).unwrap();
    assert_eq!(back.answers(&offer), Ok(()));
    let ports: Vec<_> = back.media().map(|m| m.port).collect();
    assert_eq!(ports, [0, 0, 30_002]);
    // Offered beside voice, and refused there.
    let both = std::format!("{audio}{}", fax.medium(30_002));
    let both = Sdp::parse(both.as_bytes()).unwrap();
    assert_eq!(
        both.media().nth(1).and_then(|m| m.target()),
        Some(at("10.0.0.2:30002"))
    );
    assert_eq!(Fax::parse(&both.media().nth(1).unwrap()), Some(fax));
}

#[test]
fn who_can_be_spoken_to() {
    let table = [
        ("m=audio 9 RTP/AVP 0\r\n", true),
        (
            "m=video 9 RTP/AVP 0\r\nm=audio 9 RTP/AVP 0\r\na=recvonly\r\n",
            true,
        ),
        ("m=audio 9 RTP/AVP 97 8\r\na=rtpmap:97 PCMU/8000\r\n", true),
        ("m=audio 9 RTP/AVP 97\r\na=rtpmap:97 PCMU/8000\r\n", false),
        ("m=audio 9 RTP/AVP 18\r\n", false),
        ("m=audio 9 RTP/SAVP 0\r\n", false),
        ("m=audio 0 RTP/AVP 0\r\n", false),
        ("m=audio 9 RTP/AVP 0\r\na=sendonly\r\n", false),
        ("m=audio 9 RTP/AVP 0\r\na=inactive\r\n", false),
        ("m=audio 9 RTP/AVP 0\r\nc=IN IP4 0.0.0.0\r\n", false),
    ];
    for (media, want) in table {
        let text = std::format!("v=0\r\nc=IN IP4 10.0.0.1\r\n{media}");
        let sdp = Sdp::parse(text.as_bytes()).unwrap();
        assert_eq!(sdp.listener().is_some(), want, "{media}");
    }
}
