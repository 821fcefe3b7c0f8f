//! Whoever looks for users, extensions and passwords, and whoever asks too much; and those who only seem to.

use std::net::SocketAddr;

use super::office::*;
use gateway::budget::IDS;

fn scanner() -> SocketAddr {
    address("192.168.1.250:5060")
}

/// A request of svmap, svwar or svcrack (sipvicious 0.3): what they are known by.
fn scan(method: &str, user: &str, from: &str, extra: &str) -> String {
    format!(
        "{method} sip:{user}@192.168.1.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.1.1:5060;branch=z9hG4bK-{method};rport\r\n\
         From: \"{from}\"<sip:{from}@192.168.1.1>;tag=63306138303130\r\nTo: \"{user}\"<sip:{user}@192.168.1.1>\r\n\
         Call-ID: 2390469421\r\nCSeq: 1 {method}\r\nContact: <sip:{from}@192.168.1.250:5060>\r\n{extra}\
         User-Agent: friendly-scanner\r\nAccept: application/sdp\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
    )
}

/// An answer without what it copies from the request and what is different every time.
fn masked(seen: &Seen) -> String {
    let own = |line: &&str| !line.starts_with("From: ") && !line.starts_with("To: ");
    let lines: Vec<&str> = seen.text.lines().filter(own).collect();
    let mut text = lines.join("\n");
    let mut from = 0;
    while let Some(at) = text[from..].find("nonce=\"").map(|at| from + at + 7) {
        let end = text[at..].find('"').map_or(text.len(), |end| at + end);
        text.replace_range(at..end, "");
        from = at;
    }
    text
}

/// Registered, unregistered and unknown users, extensions, groups and nonsense all look the same, whatever is asked.
#[test]
fn a_scanner_finds_nothing() {
    let site = site(3, 8);
    let names = [
        "0312340000",
        "0312340002",
        "200",
        "202",
        REP,
        "0399999999",
        "999",
        "admin",
        "test",
    ];
    for method in [
        "REGISTER",
        "INVITE",
        "OPTIONS",
        "SUBSCRIBE",
        "MESSAGE",
        "PUBLISH",
        "NOTIFY",
        "REFER",
        "FOO",
    ] {
        let extra = if method == "SUBSCRIBE" {
            "Event: dialog\r\n"
        } else {
            ""
        };
        let mut answers: Vec<(Vec<String>, &str)> = Vec::new();
        for name in names {
            for from in ["0312340000", "0399999999", name] {
                let mut o = Office::new(&site);
                o.register(&Phone::new(0));
                o.rx(scanner(), &scan(method, name, from, extra));
                let first = o.expect(scanner(), o.seen.front().unwrap().what().to_owned().as_str());
                assert!(
                    matches!(first.what(), "401" | "407" | "200" | "405" | "481" | "489"),
                    "{}",
                    first.text
                );
                let mut said = vec![masked(&first)];
                // svcrack goes on with a guess, in this name.
                if matches!(first.what(), "401" | "407") {
                    let guess = Phone {
                        user: name.into(),
                        password: "1234".into(),
                        ..Phone::new(1)
                    };
                    let line = guess.authorization(&first, method, &format!("sip:{name}@192.168.1.1"));
                    let again =
                        scan(method, name, from, &format!("{line}{extra}")).replace("CSeq: 1", "CSeq: 2");
                    o.rx(scanner(), &again.replace("branch=", "branch=z9hG4bK2"));
                    let second = o.expect(scanner(), first.what());
                    said.push(masked(&second));
                }
                o.quiet();
                answers.push((said, name));
            }
        }
        for (said, name) in &answers {
            assert_eq!(said, &answers[0].0, "{method} tells {name} from {}", answers[0].1);
        }
    }
}

/// After a power cut an office's phones all come at once, each from its own address or all from that of a router between:
/// nobody is told to wait.
#[test]
fn an_office_that_comes_back_at_once_is_not_limited() {
    for shared in [false, true] {
        let phones: Vec<Phone> = (0..IDS as u16)
            .map(|n| {
                let mut phone = Phone::new(n);
                if shared {
                    phone.address = SocketAddr::new([192, 168, 1, 9].into(), 20_000 + n);
                }
                phone
            })
            .collect();
        let mut o = Office::new(&site(IDS as u16, 64));
        // Each asks, and asks again because the answer was lost; and so with the credentials.
        for phone in &phones {
            o.rx(phone.address, &phone.register(1, ""));
            o.expect(phone.address, "401");
        }
        for phone in &phones {
            o.rx(phone.address, &phone.register(1, ""));
            let challenge = o.expect(phone.address, "401");
            let line = phone.authorization(&challenge, "REGISTER", &format!("sip:{REALM}"));
            for _ in 0..2 {
                o.rx(phone.address, &phone.register(2, &line));
                o.expect(phone.address, "200");
            }
        }
        assert_eq!(o.gateway.registered().count(), IDS);
        assert_eq!(o.gateway.registrar_counters().flooded, 0);
        o.quiet();
    }
}

/// What belongs to a call, and a call for help, is never held back; and the cloud is not either.
#[test]
fn a_source_that_asks_too_much_keeps_its_calls() {
    let mut o = Office::online(2);
    let a = Phone::new(0);
    let caller = o.dial(&a, "201", "c1");
    let invite = o.expect(Phone::new(1).address, "INVITE");
    let callee = o.take(&invite);
    let mut caller = o.connected(caller);
    for n in 0..1_100 {
        o.rx(
            a.address,
            &scan("OPTIONS", "x", "x", "").replace("bK-", &format!("bK{n}")),
        );
    }
    o.seen.clear();
    assert!(o.gateway.registrar_counters().flooded > 0);
    o.rx(a.address, &a.register(9, ""));
    o.rx(a.address, &a.calls("201", "c2").request("INVITE", "1", "", OFFER));
    o.quiet();
    o.hang_up(&mut caller, &callee);
    o.dial_emergency(&a, "119", "e1");
    o.expect(address(CLOUD), "INVITE");
    for n in 0..1_100 {
        let options = carrier("x", &format!("k{n}")).request("OPTIONS", "1", "", "");
        o.trunk_rx(options.as_bytes());
        o.expect(address(CLOUD), "200");
    }
    // Ten seconds later all is as before.
    o.wait(10_000);
    o.seen.clear();
    o.rx(a.address, &a.register(10, ""));
    o.expect(a.address, "401");
}
