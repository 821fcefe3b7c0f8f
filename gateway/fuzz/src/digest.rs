//! Digest authentication, both sides.

use crate::script::Script;
use sip::digest::{Challenge, Credentials, Ha1, Nonces, Protected, Used, Verdict};
use sip::header::Name;
use sip::{Auth, Instant, Method, Writer};
use std::time::Duration;

/// A challenge, credentials and a Request-URI, a line each. Nothing from outside is accepted; what we answer to a challenge
/// is read again, and accepted where it was our own.
pub fn digest(bytes: &[u8]) {
    let mut script = Script(bytes);
    let (challenge, credentials, uri) = (script.line(), script.line(), script.line());
    let ha1 = Ha1::from_password(b"u", b"box", b"secret");
    let mut nonces = Nonces::new([Used::NONE; 2], [1, 2], Duration::from_secs(60));
    let (now, client) = (Instant::from_millis(5_000), "192.0.2.9".parse().unwrap());
    let request = Protected {
        method: Method::Register,
        uri,
        body: script.0,
    };
    if let Some(credentials) = Auth::parse(credentials).as_ref().and_then(Credentials::parse) {
        let _ = (
            credentials.nonce_number(),
            nonces.is_ours(now, client, &credentials),
        );
        let verdict = nonces.verify(now, client, &credentials, request, Some(&ha1));
        // It would take the secret.
        assert!(
            matches!(verdict, Verdict::Refused { .. } | Verdict::Stale),
            "{verdict:?}"
        );
        let verdict = nonces.verify(now, client, &credentials, request, None);
        assert!(matches!(verdict, Verdict::Refused { .. }), "{verdict:?}");
    }
    choose(challenge);
    let ours = format!("Digest realm=\"box\", nonce=\"{}\"", nonces.issue(now, client));
    for (text, ours) in [(challenge, false), (ours.as_bytes(), true)] {
        let Some(challenge) = Auth::parse(text).as_ref().and_then(Challenge::parse) else {
            continue;
        };
        let mut buffer = vec![0; bytes.len() + 1_000];
        let mut w = Writer::new(&mut buffer);
        challenge.answer(&mut w, Name::Authorization, b"u", &ha1, request, 7, 1);
        let len = w.end().expect("room");
        let line = &buffer[..len];
        assert_eq!(
            line.windows(2).filter(|w| w == b"\r\n").count(),
            1,
            "{}",
            line.escape_ascii()
        );
        // A Request-URI that was taken has none of these.
        if sip::Uri::parse(uri).is_none() || uri.contains(&b'\\') {
            continue;
        }
        let value = line
            .strip_prefix(b"Authorization: ")
            .and_then(|l| l.strip_suffix(b"\r\n"))
            .expect("a line");
        let Some(answer) = Auth::parse(value).as_ref().and_then(Credentials::parse) else {
            panic!("{} answered by {}", text.escape_ascii(), line.escape_ascii());
        };
        assert_eq!(
            (answer.realm, answer.username, answer.qop),
            (challenge.realm, &b"u"[..], challenge.qop)
        );
        let verdict = nonces.verify(now, client, &answer, request, Some(&ha1));
        assert!(verdict == Verdict::Accepted || !ours, "{verdict:?}");
        let again = nonces.verify(now, client, &answer, request, Some(&ha1));
        assert!(again != Verdict::Accepted, "accepted twice");
    }
}

/// Of this challenge and one of ours for MD5 the stronger one is chosen, ours where it came first or the other is unreadable.
fn choose(challenge: &[u8]) {
    let head = "SIP/2.0 407 No\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>;tag=2\r\n\
                Call-ID: 1\r\nCSeq: 1 INVITE\r\nProxy-Authenticate: Digest realm=\"ours\", nonce=\"n\"\r\nProxy-Authenticate: ";
    let response = [head.as_bytes(), challenge, b"\r\nContent-Length: 0\r\n\r\n"].concat();
    let Ok(message) = sip::Message::parse_datagram(&response) else {
        return;
    };
    let (chosen, name) = Challenge::choose(&message).expect("ours");
    assert_eq!(name, Name::ProxyAuthorization);
    let other = Auth::parse(challenge).as_ref().and_then(Challenge::parse);
    let stronger = other.filter(|other| other.algorithm == Some(sip::digest::Algorithm::Sha256));
    if let Some(stronger) = stronger {
        assert_eq!(chosen, stronger);
    }
}
