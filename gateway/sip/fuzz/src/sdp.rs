//! Session descriptions.

use sip::sdp::{Direction, Sdp, rewrite};
use std::net::SocketAddr;

/// What is read can be rewritten for a relay, and is then the same description at another place.
pub fn sdp(bytes: &[u8]) {
    if let Some(sdp) = Sdp::parse(bytes) {
        read(&sdp);
    }
}

/// Reads everything in a description.
pub fn read(sdp: &Sdp<'_>) {
    let _ = (sdp.origin(), sdp.address(), sdp.audio());
    let mut out = vec![0; sdp.as_bytes().len() * 64 + 256];
    let kept = rewrite(sdp, &mut out, |_, _| None).expect("no larger than it was");
    assert_eq!(&out[..kept], sdp.as_bytes());
    let target: SocketAddr = "[2001:db8::1]:4000".parse().unwrap();
    let len = rewrite(sdp, &mut out, |_, medium| medium.target().map(|_| target)).expect("room");
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
}
