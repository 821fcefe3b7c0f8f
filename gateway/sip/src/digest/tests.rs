use super::*;
use crate::time::Instant;
use crate::write::Writer;
use core::net::IpAddr;
use core::time::Duration;
use std::string::{String, ToString};
use std::vec::Vec;
use std::{format, vec};

const SECRET: [u64; 2] = [0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210];
const HERE: IpAddr = IpAddr::V4(core::net::Ipv4Addr::new(192, 0, 2, 7));
const WRONG: Verdict = Verdict::Refused { challenged: true };
const HOUR: Duration = Duration::from_secs(3600);
const REGISTER: Protected<'static> = Protected {
    method: Method::Register,
    uri: b"sip:pbx.example",
    body: b"",
};

fn at(seconds: u64) -> Instant {
    Instant::from_millis(seconds * 1000)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn alice() -> Ha1 {
    Ha1::from_password(b"0312340001", b"pbx.example", b"correct horse")
}

/// Challenge header values as written for a client.
fn challenges(nonce: Nonce, stale: bool) -> Vec<String> {
    let mut buffer = [0; 1024];
    let mut w = Writer::new(&mut buffer);
    write_challenges(&mut w, Name::WwwAuthenticate, "pbx.example", nonce, stale);
    let text = str::from_utf8(w.written()).unwrap();
    text.lines()
        .map(|l| l.split_once(": ").unwrap().1.to_string())
        .collect()
}

/// A client's answer to a challenge's header value.
fn answer(challenge: &str, ha1: &Ha1, request: &Protected<'_>, count: u32) -> String {
    let auth = Auth::parse(challenge.as_bytes()).unwrap();
    let challenge = Challenge::parse(&auth).unwrap();
    let mut buffer = [0; 1024];
    let mut w = Writer::new(&mut buffer);
    challenge.answer(
        &mut w,
        Name::Authorization,
        b"0312340001",
        ha1,
        *request,
        0x1234_5678_9abc_def0,
        count,
    );
    let text = str::from_utf8(w.written()).unwrap();
    text.strip_prefix("Authorization: ")
        .unwrap()
        .strip_suffix("\r\n")
        .unwrap()
        .to_string()
}

fn judge<S: AsRef<[Used]> + AsMut<[Used]>>(
    nonces: &mut Nonces<S>,
    now: Instant,
    answer: &str,
    request: &Protected<'_>,
    ha1: Option<&Ha1>,
) -> Verdict {
    let auth = Auth::parse(answer.as_bytes()).unwrap();
    let credentials = Credentials::parse(&auth).unwrap();
    nonces.verify(now, HERE, &credentials, *request, ha1)
}

/// RFC 2617 §3.5, RFC 7616 §3.9.1, and cases made with Python's hashlib.
#[test]
fn golden_responses() {
    struct Case {
        user: &'static str,
        realm: &'static str,
        password: &'static str,
        method: &'static str,
        uri: &'static str,
        nonce: &'static str,
        nc: &'static str,
        cnonce: &'static str,
        qop: Option<Qop>,
        body: &'static str,
        md5: &'static str,
        sha256: Option<&'static str>,
    }
    let cases = [
        Case {
            user: "Mufasa",
            realm: "testrealm@host.com",
            password: "Circle Of Life",
            method: "GET",
            uri: "/dir/index.html",
            nonce: "dcd98b7102dd2f0e8b11d0f600bfb0c093",
            nc: "00000001",
            cnonce: "0a4f113b",
            qop: Some(Qop::Auth),
            body: "",
            md5: "6629fae49393a05397450978507c4ef1",
            sha256: None,
        },
        Case {
            user: "Mufasa",
            realm: "http-auth@example.org",
            password: "Circle of Life",
            method: "GET",
            uri: "/dir/index.html",
            nonce: "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
            nc: "00000001",
            cnonce: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
            qop: Some(Qop::Auth),
            body: "",
            md5: "8ca523f5e9506fed4657c9700eebdbec",
            sha256: Some("753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
        },
        Case {
            user: "0312340001",
            realm: "pbx.example",
            password: "correct horse",
            method: "REGISTER",
            uri: "sip:pbx.example",
            nonce: "0000000100000005aabbccddeeff0011",
            nc: "0000002a",
            cnonce: "c0ffee",
            qop: Some(Qop::Auth),
            body: "",
            md5: "27adcf45ef51553acd246e7865876fd6",
            sha256: Some("429f998789686d71b7626c58d0061a1b4210e8aac61b081c13ea26872fde1adf"),
        },
        Case {
            user: "0312340001",
            realm: "pbx.example",
            password: "correct horse",
            method: "INVITE",
            uri: "sip:0312340002@pbx.example;user=phone",
            nonce: "n",
            nc: "00000001",
            cnonce: "c",
            qop: Some(Qop::AuthInt),
            body: "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\n",
            md5: "97255646a4ff9ed059de74821f35a890",
            sha256: Some("eff4b0ec0dd37d6c51994a18f2e04fc19e9d0d50b1e6866cc6b028cdb17a4ba9"),
        },
        Case {
            user: "0312340001",
            realm: "pbx.example",
            password: "",
            method: "REGISTER",
            uri: "sip:pbx.example",
            nonce: "n",
            nc: "",
            cnonce: "",
            qop: None,
            body: "",
            md5: "1666949904968c089362cdc1978f2640",
            sha256: Some("e61f7aaf3992e933eda0b88a216e35dc6f66b2bd6b1014eb9b5017e871944b8c"),
        },
        Case {
            user: "電話",
            realm: "番",
            password: "秘密",
            method: "BYE",
            uri: "sip:a@192.0.2.1:5062",
            nonce: "x/y==",
            nc: "ffffffff",
            cnonce: "A B",
            qop: Some(Qop::Auth),
            body: "",
            md5: "7e16076c9f1137d5232bee1d48079e33",
            sha256: Some("c179998930f5b687d5658830f649d418979d6dc63034bdcb9269e702e2290612"),
        },
    ];
    for case in cases {
        let ha1 = Ha1::from_password(
            case.user.as_bytes(),
            case.realm.as_bytes(),
            case.password.as_bytes(),
        );
        let request = Protected {
            method: Method::parse(case.method.as_bytes()),
            uri: case.uri.as_bytes(),
            body: case.body.as_bytes(),
        };
        let of = |algorithm| {
            let (nonce, nc, cnonce) = (case.nonce.as_bytes(), case.nc.as_bytes(), case.cnonce.as_bytes());
            let hex = response(algorithm, &ha1, nonce, nc, cnonce, case.qop, request);
            String::from_utf8(hex.as_bytes().to_vec()).unwrap()
        };
        assert_eq!(of(Algorithm::Md5), case.md5, "{} {}", case.method, case.uri);
        if let Some(sha256) = case.sha256 {
            assert_eq!(of(Algorithm::Sha256), sha256, "{} {}", case.method, case.uri);
        }
    }
}

#[test]
fn sha_256_is_offered_first() {
    let mut nonces = Nonces::new([Used::NONE; 4], SECRET, HOUR);
    let nonce = nonces.issue(at(5), HERE);
    let written = challenges(nonce, true);
    let start = format!("Digest realm=\"pbx.example\", nonce=\"{nonce}\", stale=true, algorithm=");
    assert_eq!(
        written,
        [
            format!("{start}SHA-256, qop=\"auth\""),
            format!("{start}MD5, qop=\"auth\"")
        ]
    );
    assert_eq!(nonce.to_string().len(), 32);
    assert_eq!(Nonce::parse(nonce.to_string().as_bytes()), Some(nonce));
}

#[test]
fn both_algorithms_pass_and_a_count_passes_once() {
    for choice in [0, 1] {
        let mut nonces = Nonces::new([Used::NONE; 4], SECRET, HOUR);
        let challenge = &challenges(nonces.issue(at(5), HERE), false)[choice];
        for (count, verdict) in [
            (1, Verdict::Accepted),
            (1, Verdict::Replayed),
            (3, Verdict::Accepted),
            (2, Verdict::Accepted), // overtaken
            (2, Verdict::Replayed),
            (3, Verdict::Replayed),
            (40, Verdict::Accepted),
            (9, Verdict::Accepted), // 31 behind
            (8, Verdict::Replayed), // too long ago to know
            (u32::MAX, Verdict::Accepted),
            (u32::MAX, Verdict::Replayed),
        ] {
            let answer = answer(challenge, &alice(), &REGISTER, count);
            assert_eq!(
                judge(&mut nonces, at(6), &answer, &REGISTER, Some(&alice())),
                verdict,
                "count {count}"
            );
        }
    }
}

/// What a client protects must be what it asks for; how it writes the host is its own affair.
#[test]
fn the_protected_uri_is_the_requests_own() {
    for (protected, asked, verdict) in [
        ("sip:2@pbx.example", "sip:2@pbx.example", Verdict::Accepted),
        (
            "sip:2@192.0.2.1:5060",
            "sip:2@pbx.example;user=phone",
            Verdict::Accepted,
        ),
        ("sip:192.0.2.1:5060", "sip:2@pbx.example", Verdict::Accepted),
        ("sip:3@pbx.example", "sip:2@pbx.example", WRONG),
        ("sip:2@pbx.example", "sip:pbx.example", WRONG),
        ("2", "sip:2@pbx.example", WRONG),
    ] {
        let mut nonces = Nonces::new([Used::NONE; 4], SECRET, HOUR);
        let challenge = &challenges(nonces.issue(at(5), HERE), false)[0];
        let of = |uri: &'static str| Protected {
            method: Method::Invite,
            uri: uri.as_bytes(),
            body: b"",
        };
        let answer = answer(challenge, &alice(), &of(protected), 1);
        let got = judge(&mut nonces, at(6), &answer, &of(asked), Some(&alice()));
        assert_eq!(got, verdict, "{protected} for {asked}");
    }
}

#[test]
fn wrong_credentials_are_refused_and_spend_nothing() {
    let mut nonces = Nonces::new([Used::NONE; 4], SECRET, HOUR);
    let challenge = &challenges(nonces.issue(at(5), HERE), false)[0];
    let good = answer(challenge, &alice(), &REGISTER, 1);
    let mallory = Ha1::from_password(b"0312340001", b"pbx.example", b"guess");
    let bad = answer(challenge, &mallory, &REGISTER, 1);
    let other_method = Protected {
        method: Method::Invite,
        ..REGISTER
    };
    let shortened = good.replace("response=\"", "response=\"0");
    for (name, answer, request, ha1) in [
        ("wrong password", &bad, &REGISTER, Some(alice())),
        ("unknown user", &good, &REGISTER, None),
        ("another method", &good, &other_method, Some(alice())),
        ("another length", &shortened, &REGISTER, Some(alice())),
    ] {
        let verdict = judge(&mut nonces, at(6), answer, request, ha1.as_ref());
        assert_eq!(verdict, WRONG, "{name}");
    }
    // The secret of the unknown user cannot be the dummy either.
    let dummy = Ha1 {
        md5: [0; 16],
        sha256: [0; 32],
    };
    let forged = answer_with(challenge, &dummy);
    assert_eq!(judge(&mut nonces, at(6), &forged, &REGISTER, None), WRONG);
    assert_eq!(
        judge(&mut nonces, at(6), &good, &REGISTER, Some(&alice())),
        Verdict::Accepted
    );
}

fn answer_with(challenge: &str, ha1: &Ha1) -> String {
    answer(challenge, ha1, &REGISTER, 1)
}

#[test]
fn old_foreign_and_forged_nonces_are_stale() {
    let mut nonces = Nonces::new([Used::NONE; 4], SECRET, Duration::from_secs(60));
    let challenge = challenges(nonces.issue(at(100), HERE), false).remove(0);
    let good = answer(&challenge, &alice(), &REGISTER, 1);
    let later = answer(&challenge, &alice(), &REGISTER, 2);
    let digit = challenge.find("nonce=\"").unwrap() + 10;
    let mut forged = challenge.clone().into_bytes();
    forged[digit] ^= 1;
    let forged = answer(str::from_utf8(&forged).unwrap(), &alice(), &REGISTER, 1);
    let foreign = answer(
        "Digest realm=\"pbx.example\", nonce=\"abc\", algorithm=MD5",
        &alice(),
        &REGISTER,
        1,
    );
    let mut rebooted = Nonces::new([Used::NONE; 4], [1, 2], Duration::from_secs(60));
    assert_eq!(
        judge(&mut rebooted, at(1), &good, &REGISTER, Some(&alice())),
        Verdict::Stale
    );
    for (now, answer, verdict) in [
        (101, &forged, Verdict::Stale),
        (101, &foreign, Verdict::Stale),
        (160, &good, Verdict::Accepted),
        (161, &later, Verdict::Stale),
    ] {
        assert_eq!(
            judge(&mut nonces, at(now), answer, &REGISTER, Some(&alice())),
            verdict,
            "at {now}"
        );
    }
}

/// Two entries only: the third nonce in use pushes the oldest out, and what is pushed out cannot be replayed.
#[test]
fn a_full_memory_forgets_the_oldest_and_lets_nothing_be_replayed() {
    fn run(mut nonces: Nonces<impl AsRef<[Used]> + AsMut<[Used]>>) {
        let asked: Vec<String> = (0..4)
            .map(|_| challenges(nonces.issue(at(1), HERE), false).remove(0))
            .collect();
        let mut send = |which: usize, count| {
            let answer = answer(&asked[which], &alice(), &REGISTER, count);
            judge(&mut nonces, at(2), &answer, &REGISTER, Some(&alice()))
        };
        for (which, count, verdict) in [
            (2, 1, Verdict::Accepted),
            (1, 1, Verdict::Accepted), // both are kept, in order
            (2, 1, Verdict::Replayed),
            (1, 1, Verdict::Replayed),
            (3, 1, Verdict::Accepted), // pushes 1 out
            (1, 1, Verdict::Stale),
            (1, 2, Verdict::Stale),
            (0, 1, Verdict::Stale), // never used, but as old
            (2, 1, Verdict::Replayed),
            (3, 1, Verdict::Replayed),
            (2, 2, Verdict::Accepted),
        ] {
            assert_eq!(send(which, count), verdict, "nonce {which} count {count}");
        }
    }
    run(Nonces::new([Used::NONE; 2], SECRET, HOUR));
    run(Nonces::new(vec![Used::NONE; 2], SECRET, HOUR));
    run(Nonces::new(&mut [Used::NONE; 2][..], SECRET, HOUR));
}

#[test]
fn without_room_every_nonce_is_stale_and_nothing_breaks() {
    let mut nonces = Nonces::new([Used::NONE; 0], SECRET, HOUR);
    let challenge = challenges(nonces.issue(at(1), HERE), false).remove(0);
    let answer = answer(&challenge, &alice(), &REGISTER, 1);
    assert_eq!(
        judge(&mut nonces, at(1), &answer, &REGISTER, Some(&alice())),
        Verdict::Stale
    );
}

/// RFC 2069: no qop, so each nonce is good for one request.
#[test]
fn an_old_phone_without_qop_spends_a_nonce_a_request() {
    let mut nonces = Nonces::new([Used::NONE; 4], SECRET, HOUR);
    let nonce = nonces.issue(at(1), HERE);
    let challenge = format!("Digest realm=\"pbx.example\", nonce=\"{nonce}\"");
    let answer = answer(&challenge, &alice(), &REGISTER, 1);
    assert!(!answer.contains("qop") && !answer.contains("algorithm"));
    assert_eq!(
        judge(&mut nonces, at(1), &answer, &REGISTER, Some(&alice())),
        Verdict::Accepted
    );
    assert_eq!(
        judge(&mut nonces, at(1), &answer, &REGISTER, Some(&alice())),
        Verdict::Replayed
    );
}

#[test]
fn auth_int_protects_the_body() {
    let mut nonces = Nonces::new([Used::NONE; 4], SECRET, HOUR);
    let nonce = nonces.issue(at(1), HERE);
    let challenge =
        format!("Digest realm=\"pbx.example\", nonce=\"{nonce}\", algorithm=SHA-256, qop=\"auth-int\"");
    let request = Protected {
        method: Method::Invite,
        uri: b"sip:1@pbx.example",
        body: b"v=0\r\n",
    };
    let answer = answer(&challenge, &alice(), &request, 1);
    let tampered = Protected {
        body: b"v=1\r\n",
        ..request
    };
    assert_eq!(
        judge(&mut nonces, at(1), &answer, &tampered, Some(&alice())),
        WRONG
    );
    assert_eq!(
        judge(&mut nonces, at(1), &answer, &request, Some(&alice())),
        Verdict::Accepted
    );
}

#[test]
fn what_a_client_does_not_know_it_does_not_answer() {
    for (challenge, expected) in [
        ("Digest realm=\"r\", nonce=\"n\"", Some((None, None))),
        (
            "Digest realm=\"r\", nonce=\"n\", algorithm=md5, qop=\"auth,auth-int\"",
            Some((Some(Algorithm::Md5), Some(Qop::Auth))),
        ),
        (
            "Digest realm=\"r\", nonce=\"n\", algorithm=SHA-256, qop=\"auth-int , token\"",
            Some((Some(Algorithm::Sha256), Some(Qop::AuthInt))),
        ),
        ("Digest realm=\"r\", nonce=\"n\", qop=\"\"", Some((None, None))),
        ("Digest realm=\"r\", nonce=\"n\", qop=\"token\"", None),
        ("Digest realm=\"r\", nonce=\"n\", algorithm=SHA-512-256", None),
        (
            "Digest realm=\"r\", nonce=\"n\", algorithm=MD5-sess, qop=\"auth\"",
            None,
        ),
        ("Digest realm=\"r\"", None),
        ("Digest realm=\"r\r\n x\", nonce=\"n\"", None),
        ("Basic realm=\"r\", nonce=\"n\"", None),
    ] {
        let auth = Auth::parse(challenge.as_bytes()).unwrap();
        let read = Challenge::parse(&auth).map(|c| (c.algorithm, c.qop));
        assert_eq!(read, expected, "{challenge}");
    }
}

#[test]
fn broken_credentials_are_none() {
    let whole = [
        "username=\"u\"",
        "realm=\"r\"",
        "nonce=\"n\"",
        "uri=\"sip:r\"",
        "response=\"00\"",
        "qop=auth",
        "nc=00000001",
        "cnonce=\"c\"",
    ];
    let parse = |params: &[&str]| {
        let text = format!("Digest {}", params.join(", "));
        Credentials::parse(&Auth::parse(text.as_bytes()).unwrap()).map(|c| c.count)
    };
    assert_eq!(parse(&whole), Some(1));
    for (missing, name) in whole.iter().enumerate() {
        let rest: Vec<&str> = whole
            .iter()
            .enumerate()
            .filter(|&(n, _)| n != missing)
            .map(|(_, &p)| p)
            .collect();
        // Without qop it is the old form, which has no count.
        let expected = if name.starts_with("qop") { Some(1) } else { None };
        assert_eq!(parse(&rest), expected, "without {name}");
    }
    for (place, bad) in [
        (6, "nc=xyz"),
        (6, "nc=123456789"),
        (6, "nc="),
        (5, "qop=token"),
        (7, "algorithm=MD4"),
    ] {
        let mut params = whole;
        params[place] = bad;
        assert_eq!(parse(&params), None, "{bad}");
    }
}

#[test]
fn hashes_do_not_show_in_debug_output() {
    assert_eq!(format!("{:?}", alice()), "Ha1(..)");
    assert_eq!(hex(&alice().md5).len(), 32);
}

/// A nonce heard on the way to somebody else is of no use, not even to lock that one out with wrong answers.
#[test]
fn a_nonce_is_good_for_its_address_only() {
    let mut nonces = Nonces::new([Used::NONE; 4], SECRET, HOUR);
    let challenge = challenges(nonces.issue(at(1), HERE), false).remove(0);
    let there = IpAddr::V4(core::net::Ipv4Addr::new(192, 0, 2, 8));
    let wrong = Ha1::from_password(b"0312340001", b"pbx.example", b"guess");
    for (from, ha1, verdict) in [
        (there, wrong, Verdict::Refused { challenged: false }),
        (HERE, wrong, WRONG),
        (there, alice(), Verdict::Stale),
        (HERE, alice(), Verdict::Accepted),
    ] {
        let text = answer(&challenge, &ha1, &REGISTER, 1);
        let credentials = Credentials::parse(&Auth::parse(text.as_bytes()).unwrap()).unwrap();
        assert_eq!(
            nonces.verify(at(1), from, &credentials, REGISTER, Some(&alice())),
            verdict
        );
    }
}
