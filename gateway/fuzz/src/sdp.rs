//! Session descriptions.

use sip::sdp::{Crypto, Direction, Edit, Fax, Keys, Sdp, choose, rewrite};
use std::net::SocketAddr;

/// What is read can be rewritten for a relay, and is then the same description at another place; a second description, after
/// a line `=`, may be an answer to the first.
pub fn sdp(bytes: &[u8]) {
    let at = bytes.windows(3).position(|w| w == b"\n=\n");
    let (first, second) = bytes.split_at(at.map_or(bytes.len(), |at| at + 1));
    let (offer, answer) = (Sdp::parse(first), second.get(2..).and_then(Sdp::parse));
    for sdp in [&offer, &answer].into_iter().flatten() {
        read(sdp);
    }
    if let (Some(offer), Some(answer)) = (&offer, &answer)
        && answer.answers(offer).is_ok()
    {
        assert_eq!(offer.media().count(), answer.media().count());
        let taken = offer.media().zip(answer.media()).filter(|(_, a)| a.port != 0);
        assert!(taken.into_iter().all(|(o, _)| o.port != 0));
    }
}

/// Reads everything in a description.
pub fn read(sdp: &Sdp<'_>) {
    let _ = (sdp.origin(), sdp.address(), sdp.audio());
    let mut out = vec![0; sdp.as_bytes().len() * 64 + 256];
    let kept = rewrite(sdp, &mut out, None, |_, _| Edit::default()).expect("no larger than it was");
    assert_eq!(&out[..kept], sdp.as_bytes());
    let target: SocketAddr = "[2001:db8::1]:4000".parse().unwrap();
    let moved = |medium: &sip::sdp::Media<'_>| medium.target().map_or(Edit::default(), |_| Edit::at(target));
    let len = rewrite(sdp, &mut out, None, |_, medium| moved(medium)).expect("room");
    let back = Sdp::parse(&out[..len]).expect("a rewritten description is one");
    assert_eq!(back.media().count(), sdp.media().count());
    for (new, old) in back.media().zip(sdp.media()) {
        assert_eq!(new.target(), old.target().map(|_| target));
        assert_eq!(
            (new.kind, new.protocol, new.formats, new.direction),
            (old.kind, old.protocol, old.formats, old.direction)
        );
        // The old hold address is gone with its place.
        let silent = matches!(old.direction, Direction::SendOnly | Direction::Inactive);
        assert_eq!(new.is_held(), old.port == 0 || silent);
        assert!(old.codecs().all(|(_, pt)| old.payload_types().any(|p| p == pt)));
        assert_eq!(new.telephone_event(), old.telephone_event());
        assert_eq!(new.attributes("rtpmap").count(), old.attributes("rtpmap").count());
    }
    hold_and_encrypt(sdp, &mut out);
}

/// Directions and keys are what was asked for, and all else as before.
fn hold_and_encrypt(sdp: &Sdp<'_>, out: &mut [u8]) {
    let value = b"1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|2^20|1:4";
    let keys = [Crypto::parse(value).expect("a key")];
    for (direction, keys) in [
        (Direction::Inactive, Keys::None),
        (Direction::RecvOnly, Keys::These(&keys)),
    ] {
        let edit = Edit {
            target: None,
            direction: Some(direction),
            keys: Some(keys),
        };
        let len = rewrite(sdp, out, None, |_, _| edit).expect("room");
        let back = Sdp::parse(&out[..len]).expect("an edited description is one");
        for (new, old) in back.media().zip(sdp.media()) {
            assert_eq!(
                (new.port, new.address, new.formats),
                (old.port, old.address, old.formats)
            );
            assert_eq!(
                new.direction,
                if old.port == 0 { old.direction } else { direction }
            );
            let encrypted = keys != Keys::None && old.port != 0;
            if old.port != 0 {
                assert_eq!(new.attributes("crypto").count(), usize::from(encrypted));
                assert_eq!(
                    choose(&new, &[sip::sdp::Suite::AesCm128Sha1_80]).is_some(),
                    encrypted
                );
            }
            if let Some(fax) = Fax::parse(&old) {
                let text = format!("v=0\r\n{}", fax.medium(9));
                let again = Sdp::parse(text.as_bytes()).and_then(|sdp| Fax::parse(&sdp.media().next()?));
                assert_eq!(again, Some(fax));
            }
        }
        assert_eq!(back.media().count(), sdp.media().count());
    }
}
