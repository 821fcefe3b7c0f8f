//! Digest authentication beside the RFCs' examples and other people's clients, and both our sides against each other.

use proptest::prelude::*;
use proptest::sample::select;
use sip::digest::{
    Algorithm, Challenge, Credentials, Ha1, Nonces, Protected, Used, Verdict, write_challenge,
};
use sip::header::Name;
use sip::{Auth, Instant, Message, Method, Writer};
use std::net::IpAddr;
use std::time::Duration;

const NOW: Instant = Instant::from_millis(5_000);
const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));
const THERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 8));

/// Client, method, user, password, challenge, answer: RFC 2617 §3.5, RFC 7616 §3.9.1 (both algorithms).
const EXAMPLES: &str = r#"
RFC 2617 | GET | Mufasa | Circle Of Life | Digest realm="testrealm@host.com", qop="auth,auth-int", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41" | Digest username="Mufasa", realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", uri="/dir/index.html", qop=auth, nc=00000001, cnonce="0a4f113b", response="6629fae49393a05397450978507c4ef1", opaque="5ccc069c403ebaf9f0171e9517f40e41"
RFC 7616 | GET | Mufasa | Circle of Life | Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=SHA-256, nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS" | Digest username="Mufasa", realm="http-auth@example.org", uri="/dir/index.html", algorithm=SHA-256, nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", nc=00000001, cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", qop=auth, response="753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"
RFC 7616 | GET | Mufasa | Circle of Life | Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=MD5, nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS" | Digest username="Mufasa", realm="http-auth@example.org", uri="/dir/index.html", algorithm=MD5, nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", nc=00000001, cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", qop=auth, response="8ca523f5e9506fed4657c9700eebdbec", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"
"#;

fn nonces() -> Nonces<[Used; 4]> {
    Nonces::new([Used::NONE; 4], [1, 2], Duration::from_secs(60))
}

fn param<'a>(auth: &Auth<'a>, name: &str) -> &'a str {
    str::from_utf8(auth.param(name).unwrap_or_default()).unwrap()
}

/// The header line with which our client answers.
fn answer(
    challenge: &Challenge<'_>,
    name: Name,
    user: &str,
    ha1: &Ha1,
    request: Protected<'_>,
    cnonce: u64,
    count: u32,
) -> String {
    let mut buffer = [0; 2_048];
    let mut w = Writer::new(&mut buffer);
    challenge.answer(&mut w, name, user.as_bytes(), ha1, request, cnonce, count);
    let len = w.end().unwrap();
    String::from_utf8(buffer[..len].to_vec()).unwrap()
}

fn judge(
    nonces: &mut Nonces<[Used; 4]>,
    from: IpAddr,
    line: &str,
    request: Protected<'_>,
    ha1: &Ha1,
) -> Verdict {
    let value = line.split_once(": ").map_or(line, |(_, value)| value).trim_end();
    let credentials = Credentials::parse(&Auth::parse(value.as_bytes()).unwrap()).expect(line);
    nonces.verify(NOW, from, &credentials, request, Some(ha1))
}

/// Right credentials for somebody else's nonce are stale, wrong ones refused: so the server tells which they are. And our
/// client gives the same response, where it can make the same `cnonce`.
#[test]
fn what_others_answer() {
    let (mut right, mut same) = (0, 0);
    let vectors = EXAMPLES.lines().chain(include_str!("digest/vectors.txt").lines());
    for row in vectors.filter(|row| !row.is_empty() && !row.starts_with('#')) {
        let cells: Vec<&str> = row.split(" | ").collect();
        let [_, method, user, password, challenge, theirs] = cells[..] else {
            panic!("{row}")
        };
        let (asked, given) = (
            Auth::parse(challenge.as_bytes()).unwrap(),
            Auth::parse(theirs.as_bytes()).unwrap(),
        );
        let realm = param(&asked, "realm");
        let ha1 = Ha1::from_password(user.as_bytes(), realm.as_bytes(), password.as_bytes());
        let wrong = Ha1::from_password(user.as_bytes(), realm.as_bytes(), b"guess");
        let request = Protected {
            method: Method::parse(method.as_bytes()),
            uri: param(&given, "uri").as_bytes(),
            body: b"",
        };
        assert_eq!(
            judge(&mut nonces(), HERE, theirs, request, &ha1),
            Verdict::Stale,
            "{row}"
        );
        let refused = Verdict::Refused { challenged: false };
        assert_eq!(
            judge(&mut nonces(), HERE, theirs, request, &wrong),
            refused,
            "{row}"
        );
        right += 1;
        let cnonce = param(&given, "cnonce");
        let qop = given.param("qop").is_some();
        if let (true, Ok(cnonce)) = (
            cnonce.len() == 16 || !qop,
            u64::from_str_radix(cnonce, 16).or(if qop { Err(()) } else { Ok(0) }),
        ) {
            let challenge = Challenge::parse(&asked).unwrap();
            let ours = answer(&challenge, Name::Authorization, user, &ha1, request, cnonce, 1);
            let ours = ours.strip_prefix("Authorization: ").unwrap();
            let ours = Auth::parse(ours.as_bytes()).unwrap();
            for name in [
                "username", "realm", "nonce", "uri", "response", "opaque", "qop", "nc", "cnonce",
            ] {
                assert_eq!(param(&ours, name), param(&given, name), "{name} of {row}");
            }
            same += 1;
        }
    }
    assert_eq!((right, same), (35, 32));
}

/// RFC 8760 §2.4, and RFC 3261 §22.2, §22.3: a server's challenge is answered by Authorization, a proxy's by
/// Proxy-Authorization.
#[test]
fn the_strongest_challenge_is_answered() {
    const W: &str = "WWW-Authenticate: ";
    const P: &str = "Proxy-Authenticate: ";
    let md5 = r#"Digest realm="r", nonce="md5", algorithm=MD5"#;
    let bare = r#"Digest realm="r", nonce="bare""#;
    let sha = r#"Digest realm="r", nonce="sha", algorithm=SHA-256, qop="auth""#;
    let sha2 = r#"Digest realm="s", nonce="sha2", algorithm=SHA-256, qop="auth""#;
    let long = r#"Digest realm="r", nonce="long", algorithm=SHA-512-256, qop="auth""#;
    let sess = r#"Digest realm="r", nonce="sess", algorithm=MD5-sess, qop="auth""#;
    let token = r#"Digest realm="r", nonce="token", algorithm=SHA-256, qop="token""#;
    let (www, proxy) = (Some(Name::Authorization), Some(Name::ProxyAuthorization));
    /// Status, challenges, the chosen nonce, the answer's header.
    type Row<'a> = (u16, &'a [(&'a str, &'a str)], Option<&'a str>, Option<Name>);
    let table: [Row<'_>; 12] = [
        (401, &[(W, md5)], Some("md5"), www),
        (407, &[(P, md5)], Some("md5"), proxy),
        (401, &[(W, sha), (W, md5)], Some("sha"), www),
        (401, &[(W, md5), (W, sha)], Some("sha"), www),
        (407, &[(P, bare), (P, sha), (P, md5)], Some("sha"), proxy),
        (401, &[(W, sha), (W, sha2)], Some("sha"), www),
        (
            401,
            &[(W, long), (W, token), (W, bare), (W, md5)],
            Some("bare"),
            www,
        ),
        (401, &[(W, "Basic realm=\"r\""), (W, md5)], Some("md5"), www),
        (407, &[(W, sha), (P, md5)], Some("md5"), proxy),
        (401, &[(P, sha)], None, None),
        (401, &[(W, sess)], None, None),
        (403, &[(W, md5)], None, None),
    ];
    for (status, lines, nonce, name) in table {
        let lines: String = lines
            .iter()
            .map(|(name, value)| format!("{name}{value}\r\n"))
            .collect();
        let text = format!(
            "SIP/2.0 {status} No\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>;tag=2\r\n\
             Call-ID: 1\r\nCSeq: 1 INVITE\r\n{lines}Content-Length: 0\r\n\r\n"
        );
        let response = Message::parse_datagram(text.as_bytes()).unwrap();
        let chosen = Challenge::choose(&response);
        assert_eq!(
            chosen.map(|(c, _)| str::from_utf8(c.nonce).unwrap()),
            nonce,
            "{text}"
        );
        assert_eq!(chosen.map(|(_, name)| name), name, "{text}");
    }
}

/// RFC 7616 §3.4.4: whoever hides the name although nobody offered it is unknown.
#[test]
fn a_hashed_name_is_nobodys() {
    let line = r#"Digest username="488869477bf257147b804c45308cd62ac4e25eb717b12b298c79e62dcea254ec", realm="api@example.org", uri="/doe.json", algorithm=SHA-256, nonce="n", nc=00000001, cnonce="c", qop=auth, response="00", userhash=true"#;
    let credentials = Credentials::parse(&Auth::parse(line.as_bytes()).unwrap()).unwrap();
    assert_eq!(credentials.username.len(), 64);
    // RFC 5987's form of a name is none that is read.
    let line = line.replace("username=\"4", "username*=UTF-8''J%C3%A4s, x=\"4");
    assert_eq!(Credentials::parse(&Auth::parse(line.as_bytes()).unwrap()), None);
}

/// What can stand in a quoted string, UTF-8 among it.
fn text() -> impl Strategy<Value = String> {
    "[ !#-\\[\\]-~あ-ん]{1,24}"
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Our client's answer to our challenge is accepted once, from its own address, for its own request.
    #[test]
    fn both_sides_agree(
        (user, realm, password) in (text(), text(), text()),
        uri in "sip:[a-z0-9]{1,8}@[a-z]{1,8}(;transport=tcp)?",
        (method, other) in (select(vec!["REGISTER", "INVITE", "SUBSCRIBE"]), select(vec!["BYE", "OPTIONS"])),
        algorithm in select(vec![Algorithm::Md5, Algorithm::Sha256]),
        qop in select(vec!["", ", qop=\"auth\"", ", qop=\"auth-int\"", ", qop=\"auth-int,auth\""]),
        body in proptest::collection::vec(any::<u8>(), 1..80),
        (cnonce, count, proxy) in (any::<u64>(), 1..u32::MAX - 40, any::<bool>()),
        flip in 0..64usize,
    ) {
        let mut server = nonces();
        let (asks, answers) = match proxy {
            true => (Name::ProxyAuthenticate, Name::ProxyAuthorization),
            false => (Name::WwwAuthenticate, Name::Authorization),
        };
        let mut buffer = [0; 512];
        let mut w = Writer::new(&mut buffer);
        let nonce = server.issue(NOW, HERE);
        write_challenge(&mut w, asks, &realm, nonce, false, algorithm);
        let line = str::from_utf8(w.written()).unwrap().replace(", qop=\"auth\"", qop);
        let (_, value) = line.split_once(": ").unwrap();
        let asked = Auth::parse(value.trim_end().as_bytes()).unwrap();
        let challenge = Challenge::parse(&asked).unwrap();
        prop_assert_eq!((challenge.realm, challenge.algorithm), (realm.as_bytes(), Some(algorithm)));
        let ha1 = Ha1::from_password(user.as_bytes(), realm.as_bytes(), password.as_bytes());
        let request = Protected { method: Method::parse(method.as_bytes()), uri: uri.as_bytes(), body: &body };
        // Without qop there is no count, and a nonce is good for one request.
        let old = qop.is_empty();
        let say = |count| answer(&challenge, answers, &user, &ha1, request, cnonce, count);
        let line = say(count);
        let starts = format!("{}: Digest ", answers.as_ref());
        prop_assert!(line.starts_with(&starts), "{}", line);

        let refused = Verdict::Refused { challenged: true };
        let wrong = Ha1::from_password(user.as_bytes(), realm.as_bytes(), b"no such password as this");
        prop_assert_eq!(judge(&mut server, HERE, &line, request, &wrong), refused);
        let tampered = Protected { method: Method::parse(other.as_bytes()), ..request };
        prop_assert_eq!(judge(&mut server, HERE, &line, tampered, &ha1), refused);
        let mut changed = body.clone();
        changed[flip % body.len()] ^= 1;
        let tampered = Protected { body: &changed, ..request };
        if qop == ", qop=\"auth-int\"" {
            prop_assert_eq!(judge(&mut server, HERE, &line, tampered, &ha1), refused);
        }
        let digits = line.find("response=\"").unwrap() + 10;
        let mut forged = line.clone().into_bytes();
        let digit = &mut forged[digits + flip % 32];
        *digit = if *digit == b'0' { b'1' } else { b'0' };
        prop_assert_eq!(judge(&mut server, HERE, str::from_utf8(&forged).unwrap(), request, &ha1), refused);
        prop_assert_eq!(judge(&mut server, THERE, &line, request, &ha1), Verdict::Stale);

        prop_assert_eq!(judge(&mut server, HERE, &line, request, &ha1), Verdict::Accepted);
        prop_assert_eq!(judge(&mut server, HERE, &line, request, &ha1), Verdict::Replayed);
        for (ahead, verdict) in [(40, Verdict::Accepted), (9, Verdict::Accepted), (9, Verdict::Replayed), (8, Verdict::Replayed)] {
            let expected = if old { Verdict::Replayed } else { verdict };
            prop_assert_eq!(judge(&mut server, HERE, &say(count + ahead), request, &ha1), expected);
        }
    }
}
