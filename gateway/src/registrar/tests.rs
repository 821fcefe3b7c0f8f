use super::*;
use core::net::SocketAddr;
use sip::Method;
use sip::Transport;
use sip::digest::Challenge;
use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

const REALM: &str = "office.example";

/// IDs 0 to 3: users 0312340000 to 0312340003, each with its user as password.
struct Site;

impl Accounts for Site {
    fn realm(&self) -> &str {
        REALM
    }

    fn account(&self, user: &[u8]) -> Option<Account> {
        let index = user.strip_prefix(b"031234000").filter(|rest| rest.len() == 1)?[0].wrapping_sub(b'0');
        let key = IdKey::new(u16::from(index)).filter(|_| index < 4)?;
        Some(Account {
            key,
            ha1: Ha1::from_password(user, REALM.as_bytes(), user),
        })
    }
}

fn key(index: u16) -> IdKey {
    IdKey::new(index).unwrap()
}

fn at(seconds: u64) -> Instant {
    Instant::from_millis(seconds * 1000)
}

/// A registrar and its room.
struct Office {
    registrar: Registrar<'static>,
    random: u64,
}

impl Office {
    fn new(places: usize, secret: u64) -> Self {
        let storage = Storage {
            places: Vec::leak(std::vec![Place::EMPTY; places]),
            nonces: Vec::leak(std::vec![Used::NONE; 8]),
            sources: Vec::leak(std::vec![Source::NONE; 2]),
        };
        Self {
            registrar: Registrar::new(storage, [secret, 1]),
            random: 0,
        }
    }

    /// Sends a request and gives the answer.
    fn ask(&mut self, now: Instant, flow: &Flow, request: &str) -> Answer {
        let mut out = [0; 2048];
        self.random = self
            .random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let message = Message::parse_datagram(request.as_bytes()).expect(request);
        let (registrar, random) = (&mut self.registrar, self.random);
        let len = if message.method() == Method::Register {
            registrar
                .register(now, flow, &message, &Site, random, &mut out)
                .unwrap()
        } else {
            match registrar
                .authenticate(now, flow, &message, &Site, random, &mut out)
                .unwrap()
            {
                Caller::Known(key) => {
                    return Answer {
                        caller: Some(key),
                        text: String::new(),
                        status: 0,
                    };
                }
                Caller::Refused(len) => len,
            }
        };
        let text = str::from_utf8(&out[..len]).unwrap().to_string();
        let status = Message::parse_datagram(text.as_bytes())
            .unwrap()
            .status()
            .unwrap();
        Answer {
            caller: None,
            text,
            status,
        }
    }

    fn changes(&mut self, now: Instant) -> Vec<(u16, Kind)> {
        core::iter::from_fn(|| self.registrar.poll(now))
            .map(|c| (c.key.into(), c.kind))
            .collect()
    }

    fn contacts(&self, id: u16) -> Vec<String> {
        self.registrar
            .of(key(id))
            .map(|b| String::from_utf8(b.contact().to_vec()).unwrap())
            .collect()
    }
}

struct Answer {
    caller: Option<IdKey>,
    text: String,
    status: u16,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.text
            .lines()
            .find_map(|l| l.strip_prefix(name)?.strip_prefix(": "))
    }

    fn headers(&self, name: &str) -> Vec<&str> {
        self.text
            .lines()
            .filter_map(|l| l.strip_prefix(name)?.strip_prefix(": "))
            .collect()
    }
}

/// A phone as a user would set it up.
#[derive(Clone)]
struct Phone {
    user: String,
    /// Address of record it claims, where that is not its own.
    to: String,
    password: String,
    flow: Flow,
    call_id: String,
    cseq: u32,
    contact: String,
    expires: String,
    challenge: String,
    count: u32,
}

impl Phone {
    fn new(id: u16, host: u8) -> Self {
        let user = format!("031234000{id}");
        let address: SocketAddr = format!("192.0.2.{host}:5062").parse().unwrap();
        Self {
            to: user.clone(),
            password: user.clone(),
            flow: Flow {
                transport: Transport::Udp,
                interface: 0,
                stream: 0,
                peer: address,
                local: "192.0.2.1:5060".parse().unwrap(),
            },
            call_id: format!("call-{id}-{host}"),
            cseq: 0,
            contact: format!("<sip:{user}@192.0.2.{host}:5062>"),
            expires: String::from("3600"),
            challenge: String::new(),
            count: 0,
            user,
        }
    }

    /// A request with the answer to the last challenge, if there was one.
    fn request(&mut self, method: &str) -> String {
        self.cseq += 1;
        let uri = format!("sip:{REALM}");
        let mut authorization = [0; 1024];
        let mut len = 0;
        if !self.challenge.is_empty() {
            self.count += 1;
            let header = if method == "REGISTER" {
                Name::Authorization
            } else {
                Name::ProxyAuthorization
            };
            let auth = sip::Auth::parse(self.challenge.as_bytes()).unwrap();
            let mut w = Writer::new(&mut authorization);
            let ha1 = Ha1::from_password(self.user.as_bytes(), REALM.as_bytes(), self.password.as_bytes());
            let protected = Protected {
                method: Method::parse(method.as_bytes()),
                uri: uri.as_bytes(),
                body: b"",
            };
            let challenge = Challenge::parse(&auth).unwrap();
            challenge.answer(
                &mut w,
                header,
                self.user.as_bytes(),
                &ha1,
                protected,
                99,
                self.count,
            );
            len = w.end().unwrap();
        }
        let contact = if self.contact.is_empty() {
            String::new()
        } else {
            format!("Contact: {}\r\n", self.contact)
        };
        let expires = if self.expires.is_empty() {
            String::new()
        } else {
            format!("Expires: {}\r\n", self.expires)
        };
        format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1:5062;rport;branch=z9hG4bK{}\r\nMax-Forwards: 70\r\n\
             From: <sip:{}@{REALM}>;tag=7\r\nTo: <sip:{}@{REALM}>\r\nCall-ID: {}\r\nCSeq: {} {method}\r\n{contact}{expires}{}\
             Content-Length: 0\r\n\r\n",
            self.cseq,
            self.user,
            self.to,
            self.call_id,
            self.cseq,
            str::from_utf8(&authorization[..len]).unwrap(),
        )
    }

    fn ask(&mut self, office: &mut Office, now: Instant, method: &str) -> Answer {
        let request = self.request(method);
        let answer = office.ask(now, &self.flow, &request);
        let name = if answer.status == 407 {
            "Proxy-Authenticate"
        } else {
            "WWW-Authenticate"
        };
        if let Some(challenge) = answer.header(name) {
            self.challenge = challenge.to_string();
            self.count = 0;
        }
        answer
    }

    /// Registers as a phone does: once more if challenged.
    fn register(&mut self, office: &mut Office, now: Instant) -> Answer {
        let first = self.ask(office, now, "REGISTER");
        if first.status == 401 {
            self.ask(office, now, "REGISTER")
        } else {
            first
        }
    }
}

#[test]
fn a_phone_registers_refreshes_and_goes() {
    let mut office = Office::new(8, 1);
    let mut phone = Phone::new(1, 11);
    let challenged = phone.ask(&mut office, at(0), "REGISTER");
    assert_eq!(challenged.status, 401);
    let offers = challenged.headers("WWW-Authenticate");
    assert!(
        offers.len() == 2 && offers[0].contains("algorithm=SHA-256") && offers[1].contains("algorithm=MD5")
    );
    assert!(
        offers
            .iter()
            .all(|o| o.contains("realm=\"office.example\"") && !o.contains("stale"))
    );
    assert_eq!(office.registrar.registered(), IdSet::EMPTY);

    let answer = phone.ask(&mut office, at(0), "REGISTER");
    assert_eq!(answer.status, 200);
    // RFC 3581: the answer says where the request came from, and that is where the phone is reached.
    assert!(
        answer.header("Via").unwrap().contains("received=192.0.2.11"),
        "{}",
        answer.text
    );
    assert!(answer.header("Via").unwrap().contains("rport=5062"));
    let granted: u64 = answer.header("Expires").unwrap().parse().unwrap();
    assert!((270..=330).contains(&granted), "{granted}");
    assert_eq!(
        answer.header("Contact"),
        Some(&*format!("<sip:0312340001@192.0.2.11:5062>;expires={granted}"))
    );
    assert_eq!(office.changes(at(0)), [(1, Kind::Added)]);
    let binding = office.registrar.of(key(1)).next().unwrap();
    assert_eq!(
        (binding.flow(), binding.contact()),
        (phone.flow, &b"sip:0312340001@192.0.2.11:5062"[..])
    );
    assert_eq!(office.registrar.registered(), IdSet::one(key(1)));
    assert_eq!(office.registrar.at(&phone.flow), Some(key(1)));

    // Refreshes need no new challenge for an hour.
    for refresh in 1..20 {
        assert_eq!(phone.ask(&mut office, at(refresh * 150), "REGISTER").status, 200);
        assert_eq!(office.changes(at(refresh * 150)), [(1, Kind::Refreshed)]);
    }
    phone.expires = String::from("0");
    let gone = phone.ask(&mut office, at(3_000), "REGISTER");
    assert_eq!((gone.status, gone.header("Contact")), (200, None));
    assert_eq!(office.changes(at(3_000)), [(1, Kind::Removed)]);
    assert_eq!(office.registrar.next_deadline(), None);
}

#[test]
fn time_ends_a_binding_and_not_before_what_was_granted() {
    let mut office = Office::new(8, 1);
    let mut phone = Phone::new(1, 11);
    phone.expires = String::from("120");
    phone.register(&mut office, at(10));
    office.changes(at(10));
    let end = office.registrar.next_deadline().unwrap();
    assert_eq!(end, at(10 + 120 + 32));
    assert_eq!(office.changes(at(161)), []);
    assert_eq!(office.contacts(1).len(), 1);
    assert_eq!(office.changes(end), [(1, Kind::Expired)]);
    assert_eq!(office.contacts(1).len(), 0);
}

#[test]
fn expiry_is_granted_within_limits_and_with_jitter() {
    for (asked, parameter, status, range) in [
        ("", "", 200, 270..=330),
        ("3600", "", 200, 270..=330),
        ("4294967295", "", 200, 270..=330),
        ("99999999999999", "", 200, 270..=330), // unreadable: an hour
        ("soon", "", 200, 270..=330),
        ("200", "", 200, 180..=200), // never longer than asked
        ("120", "", 200, 120..=120),
        ("3600", ";expires=150", 200, 135..=150), // the contact's own goes first
        ("119", "", 423, 0..=0),
        ("1", "", 423, 0..=0),
    ] {
        let mut seen = std::collections::BTreeSet::new();
        for secret in 0..40 {
            let mut office = Office::new(8, secret);
            office.random = secret << 40;
            let mut phone = Phone::new(1, 11);
            phone.expires = String::from(asked);
            phone.contact.push_str(parameter);
            let answer = phone.register(&mut office, at(0));
            assert_eq!(answer.status, status, "{asked}");
            match status {
                200 => {
                    let granted = answer.header("Expires").unwrap().parse().unwrap();
                    assert!(range.contains(&granted), "{asked}: {granted}");
                    seen.insert(granted);
                }
                _ => assert_eq!(answer.header("Min-Expires"), Some("120")),
            }
        }
        assert!(
            status != 200 || range.start() == range.end() || seen.len() > 5,
            "{asked}: {seen:?}"
        );
    }
}

#[test]
fn wrong_and_unknown_look_the_same() {
    let answers = [
        ("0312340001", "guess"),
        ("0312340009", "0312340009"),
        ("nobody", ""),
    ]
    .map(|(user, password)| {
        let mut office = Office::new(8, 1);
        let mut phone = Phone::new(1, 11);
        (phone.user, phone.to, phone.password) = (user.into(), user.into(), password.into());
        phone.contact = String::from("<sip:x@192.0.2.11>");
        let answers = [
            phone.ask(&mut office, at(0), "REGISTER"),
            phone.ask(&mut office, at(0), "REGISTER"),
        ];
        assert_eq!(office.registrar.iter().count(), 0);
        assert_eq!(office.registrar.counters().refused, 1);
        answers.map(|a| a.text.replace(&format!("sip:{user}@"), "sip:@"))
    });
    assert!(answers[0].iter().all(|text| text.starts_with("SIP/2.0 401 ")));
    assert!(answers.iter().all(|other| other == &answers[0]), "{answers:#?}");
}

/// Right credentials open one's own address of record and no other, known or not.
#[test]
fn a_phone_cannot_take_another_ones_number() {
    let mut office = Office::new(8, 1);
    let mut victim = Phone::new(2, 12);
    victim.register(&mut office, at(0));
    office.changes(at(0));
    let mut thief = Phone::new(1, 11);
    for claimed in ["0312340002", "0312340009", "x"] {
        thief.to = String::from(claimed);
        assert_eq!(thief.register(&mut office, at(1)).status, 403, "{claimed}");
    }
    // Nor by claiming the address it is registered at, without its password.
    let mut thief = Phone {
        password: String::from("guess"),
        ..victim.clone()
    };
    thief.contact = String::from("<sip:0312340002@192.0.2.66>");
    thief.challenge = String::new();
    assert_eq!(thief.register(&mut office, at(2)).status, 401);
    assert_eq!(office.changes(at(2)), []);
    assert_eq!(office.contacts(2), ["sip:0312340002@192.0.2.12:5062"]);
    assert_eq!(office.registrar.counters().foreign, 3);
}

#[test]
fn a_lost_answer_is_given_again_and_a_replay_is_not_believed() {
    let mut office = Office::new(8, 1);
    let mut phone = Phone::new(1, 11);
    phone.ask(&mut office, at(0), "REGISTER");
    let request = phone.request("REGISTER");
    let answer = office.ask(at(0), &phone.flow, &request);
    assert_eq!(
        (answer.status, office.changes(at(0))),
        (200, std::vec![(1, Kind::Added)])
    );
    let again = office.ask(at(1), &phone.flow, &request);
    assert_eq!(again.status, 200);
    let left = |a: &Answer| a.header("Expires").unwrap().parse::<u64>().unwrap();
    assert_eq!(left(&again), left(&answer) - 1);
    assert_eq!(office.changes(at(1)), []);
    // Heard on the wire and sent from elsewhere, there is nothing to be had with it.
    let mut elsewhere = phone.flow;
    elsewhere.peer = "192.0.2.66:5062".parse().unwrap();
    assert_eq!(office.ask(at(1), &elsewhere, &request).status, 401);
    // Nor later by its own address, when the phone has registered again.
    assert_eq!(phone.ask(&mut office, at(2), "REGISTER").status, 200);
    let late = office.ask(at(3), &phone.flow, &request);
    assert_eq!(late.status, 401);
    assert!(late.text.contains("stale=true"));
    assert_eq!(office.changes(at(3)), [(1, Kind::Refreshed)]);
    assert_eq!(office.registrar.counters().replayed, 2);
}

/// The network turns two REGISTERs round: the one that takes the phone away comes last and is the older.
#[test]
fn order_is_that_of_the_phone() {
    let mut office = Office::new(8, 1);
    let mut phone = Phone::new(1, 11);
    phone.register(&mut office, at(0));
    phone.expires = String::from("0");
    let old = phone.request("REGISTER");
    phone.expires = String::from("300");
    assert_eq!(phone.ask(&mut office, at(1), "REGISTER").status, 200);
    assert_eq!(office.ask(at(2), &phone.flow, &old).status, 500);
    assert_eq!(office.contacts(1).len(), 1);
    // A phone that starts anew with its old Call-ID counts from one again, and has a new nonce.
    let mut rebooted = Phone::new(1, 11);
    assert_eq!(rebooted.register(&mut office, at(3)).status, 200);
    office.changes(at(3));
    assert_eq!(rebooted.ask(&mut office, at(4), "REGISTER").status, 200);
    assert_eq!(office.changes(at(4)), [(1, Kind::Refreshed)]);
}

#[test]
fn the_same_phone_replaces_itself_and_another_one_is_beside_it() {
    let mut office = Office::new(8, 1);
    let instance = ";+sip.instance=\"<urn:uuid:00000000-0000-0000-0000-000000000001>\"";
    let mut phone = Phone::new(1, 11);
    phone.contact.push_str(instance);
    phone.register(&mut office, at(0));
    assert_eq!(office.changes(at(0)), [(1, Kind::Added)]);
    // Another boot, Call-ID, address: the same device.
    let mut moved = Phone::new(1, 21);
    moved.contact.push_str(instance);
    moved.register(&mut office, at(1));
    assert_eq!(office.changes(at(1)), [(1, Kind::Replaced)]);
    assert_eq!(office.contacts(1), ["sip:0312340001@192.0.2.21:5062"]);
    // The same Call-ID at another address: the router gave the phone a new one.
    let mut phone = Phone::new(2, 12);
    phone.register(&mut office, at(2));
    phone.flow.peer = "192.0.2.22:5062".parse().unwrap();
    phone.contact = String::from("<sip:0312340002@192.0.2.22:5062>");
    phone.register(&mut office, at(3));
    assert_eq!(office.changes(at(3)), [(2, Kind::Added)]);
    assert_eq!(office.contacts(2), ["sip:0312340002@192.0.2.22:5062"]);
    // Only its source port is new.
    phone.flow.peer = "192.0.2.22:6000".parse().unwrap();
    phone.register(&mut office, at(4));
    assert_eq!(office.changes(at(4)), [(2, Kind::Replaced)]);
    // A second device of the ID, and a third, for which the one that ends first goes.
    let mut second = Phone::new(2, 32);
    second.register(&mut office, at(100));
    assert_eq!(office.changes(at(100)), [(2, Kind::Added)]);
    let mut third = Phone::new(2, 33);
    third.register(&mut office, at(101));
    assert_eq!(office.changes(at(101)), [(2, Kind::Replaced)]);
    assert_eq!(
        office.contacts(2),
        ["sip:0312340002@192.0.2.33:5062", "sip:0312340002@192.0.2.32:5062"]
    );
    // The first one's device is not theirs.
    assert_eq!(office.contacts(1).len(), 1);
}

#[test]
fn contacts() {
    let long = format!("<sip:{}@192.0.2.11>", "x".repeat(CONTACT_MAX));
    let fits = format!(
        "<sip:{}@192.0.2.11>",
        "x".repeat(CONTACT_MAX - "sip:@192.0.2.11".len())
    );
    for (contact, expires, status, bound) in [
        ("", "3600", 200, 1), // a question
        ("*", "0", 200, 0),
        ("*", "3600", 400, 1),
        ("*", "", 400, 1),
        ("*, <sip:1@192.0.2.11>", "0", 400, 1),
        ("<tel:+81312340001>", "3600", 400, 1),
        (&long, "3600", 400, 1),
        (&fits, "3600", 200, 1),
        ("<sip:a@192.0.2.11>, <sip:b@192.0.2.11>", "3600", 200, 2),
        (
            "<sip:a@192.0.2.11>, <sip:b@192.0.2.11>, <sip:c@192.0.2.11>",
            "3600",
            403,
            1,
        ),
        (
            "<sip:a@192.0.2.11>;expires=0, <sip:0312340001@192.0.2.11:5062>",
            "3600",
            200,
            1,
        ),
        (
            "\"Ext, 1 <a>\" <sip:a@192.0.2.11;transport=udp>;q=0.5",
            "3600",
            200,
            1,
        ),
        ("sip:a@192.0.2.11;expires=200", "3600", 200, 1),
    ] {
        let mut office = Office::new(8, 1);
        let mut phone = Phone::new(1, 11);
        assert_eq!(phone.register(&mut office, at(0)).status, 200);
        (phone.contact, phone.expires) = (contact.into(), expires.into());
        let answer = phone.ask(&mut office, at(1), "REGISTER");
        assert_eq!(
            (answer.status, office.contacts(1).len()),
            (status, bound),
            "{contact}"
        );
        assert!(
            status != 200 || answer.headers("Contact").len() == bound,
            "{}",
            answer.text
        );
    }
}

/// Eight wrong passwords at once; then one every ten seconds. Others are not troubled, and the address itself cannot be
/// troubled by somebody who only writes its name on his datagrams.
#[test]
fn guessing_is_slowed_down() {
    let mut office = Office::new(8, 1);
    let mut phone = Phone::new(1, 11);
    phone.password = String::from("guess");
    phone.ask(&mut office, at(0), "REGISTER");
    for guess in 0..8 {
        assert_eq!(
            phone.ask(&mut office, at(0), "REGISTER").status,
            401,
            "guess {guess}"
        );
    }
    let limited = phone.ask(&mut office, at(1), "REGISTER");
    assert_eq!((limited.status, limited.header("Retry-After")), (403, Some("9")));
    phone.password = phone.user.clone();
    assert_eq!(
        phone.ask(&mut office, at(2), "REGISTER").status,
        403,
        "even the right one"
    );
    assert_eq!(Phone::new(2, 12).register(&mut office, at(2)).status, 200);
    assert_eq!(phone.ask(&mut office, at(10), "REGISTER").status, 200);
    assert_eq!(office.registrar.counters().limited, 2);

    let mut forger = Phone::new(3, 66);
    forger.password = String::from("guess");
    forger.ask(&mut office, at(20), "REGISTER"); // a nonce for 192.0.2.66
    forger.flow = Phone::new(3, 13).flow;
    for _ in 0..20 {
        let request = forger.request("REGISTER");
        assert_eq!(office.ask(at(20), &forger.flow, &request).status, 401);
    }
    assert_eq!(Phone::new(3, 13).register(&mut office, at(20)).status, 200);
    // A third address has no entry left and takes the one with the fewest failures; nothing breaks.
    for host in 40..60 {
        let mut phone = Phone::new(1, host);
        phone.password = String::from("guess");
        assert_eq!(phone.register(&mut office, at(30)).status, 401);
    }
}

#[test]
fn a_request_of_a_phone_is_challenged_and_known() {
    let mut office = Office::new(8, 1);
    let mut phone = Phone::new(1, 11);
    phone.register(&mut office, at(0));
    (phone.challenge, phone.contact) = (String::new(), String::from("<sip:x@192.0.2.11>"));
    let challenged = phone.ask(&mut office, at(1), "INVITE");
    assert_eq!(
        (challenged.status, challenged.headers("Proxy-Authenticate").len()),
        (407, 2)
    );
    let request = phone.request("INVITE");
    assert_eq!(office.ask(at(1), &phone.flow, &request).caller, Some(key(1)));
    let replayed = office.ask(at(1), &phone.flow, &request);
    assert_eq!(
        (replayed.status, replayed.text.contains("stale=true")),
        (407, true)
    );
    // From another port of the same host nobody is registered.
    phone.flow.peer.set_port(6000);
    assert_eq!(phone.ask(&mut office, at(2), "INVITE").status, 403);
    // Somebody else's right password at this phone's address.
    let mut other = Phone::new(2, 11);
    other.challenge = phone.challenge.clone();
    other.count = 10;
    assert_eq!(other.ask(&mut office, at(3), "INVITE").status, 403);
    // A wrong one.
    other.password = String::from("guess");
    assert_eq!(other.ask(&mut office, at(3), "INVITE").status, 407);
}

#[test]
fn bindings_survive_a_power_cut() {
    let mut office = Office::new(8, 1);
    let mut udp = Phone::new(1, 11);
    udp.contact = String::from("<sip:0312340001@192.0.2.11:5062;line=ab%20c>;+sip.instance=\"<urn:uuid:1>\"");
    udp.register(&mut office, at(0));
    let mut tcp = Phone::new(2, 12);
    tcp.flow.transport = Transport::Tcp;
    tcp.flow.stream = 3;
    tcp.register(&mut office, at(0));
    let mut flash = [[0u8; STORED_MAX]; 3];
    let stored: Vec<Option<Vec<u8>>> = flash
        .iter_mut()
        .enumerate()
        .map(|(n, out)| office.registrar.store(n, out).map(<[u8]>::to_vec))
        .collect();
    assert!(stored[0].is_some() && stored[1].is_some() && stored[2].is_none());

    let mut office = Office::new(8, 2);
    for (place, bytes) in stored.iter().flatten().enumerate() {
        assert!(office.registrar.restore(at(5), place, bytes, |_| true));
        assert!(!office.registrar.restore(at(5), place, bytes, |_| true), "taken");
        assert!(
            !office.registrar.restore(at(5), place + 4, bytes, |_| false),
            "not of this site"
        );
        for len in 0..bytes.len() {
            assert!(
                !office
                    .registrar
                    .restore(at(5), place + 4, &bytes[..len], |_| true),
                "cut to {len}"
            );
        }
        let mut other = bytes.clone();
        other[0] ^= 0x80;
        assert!(
            !office.registrar.restore(at(5), place + 4, &other, |_| true),
            "another form"
        );
    }
    assert!(!office.registrar.restore(at(5), 99, &[], |_| true));
    assert_eq!(
        office.changes(at(5)),
        [],
        "what comes from flash need not go there"
    );
    // The phone on UDP can be called at once; the connection of the other one is gone.
    assert_eq!(office.registrar.registered(), IdSet::one(key(1)));
    let binding = office.registrar.of(key(1)).next().unwrap();
    assert_eq!(binding.flow(), udp.flow);
    assert_eq!(binding.contact(), b"sip:0312340001@192.0.2.11:5062;line=ab%20c");
    assert!(binding.is_restored() && office.registrar.at(&udp.flow) == Some(key(1)));
    // They refresh with their old nonces: stale, no password asked, and nothing has to be stored.
    assert!(
        udp.ask(&mut office, at(6), "REGISTER")
            .text
            .contains("stale=true")
    );
    assert_eq!(udp.ask(&mut office, at(6), "REGISTER").status, 200);
    assert_eq!(office.changes(at(6)), [(1, Kind::Refreshed)]);
    assert_eq!(tcp.register(&mut office, at(6)).status, 200);
    assert_eq!(office.changes(at(6)), [(2, Kind::Replaced)]);
    assert_eq!(office.registrar.registered().len(), 2);
    // One that does not come back is forgotten.
    let mut office = Office::new(8, 3);
    assert!(
        office
            .registrar
            .restore(at(5), 0, stored[0].as_ref().unwrap(), |_| true)
    );
    assert_eq!(office.changes(at(5 + 300 + 32)), [(1, Kind::Expired)]);
}

#[test]
fn the_largest_binding_fits_its_room_in_flash() {
    let mut office = Office::new(1, 1);
    let mut phone = Phone::new(3, 11);
    phone.flow.peer = "[2001:db8:ffff:ffff:ffff:ffff:ffff:ffff]:65535".parse().unwrap();
    phone.flow.local = "[2001:db8:ffff:ffff:ffff:ffff:ffff:ffff]:65535".parse().unwrap();
    phone.flow.transport = Transport::Ws;
    phone.flow.interface = 255;
    phone.contact = format!(
        "<sip:{}@192.0.2.11>",
        "x".repeat(CONTACT_MAX - "sip:@192.0.2.11".len())
    );
    phone.cseq = 2_147_483_000;
    assert_eq!(phone.register(&mut office, at(0)).status, 200);
    assert!(office.registrar.store(0, &mut [0; STORED_MAX]).is_some());
}

#[test]
fn accounts_and_connections_that_go_take_their_bindings_along() {
    let mut office = Office::new(8, 1);
    let mut phones = [Phone::new(1, 11), Phone::new(2, 12), Phone::new(3, 13)];
    phones[1].flow.transport = Transport::Tcp;
    phones[1].flow.stream = 9;
    for phone in &mut phones {
        phone.register(&mut office, at(0));
    }
    office.changes(at(0));
    office.registrar.drop_flow(&Flow {
        stream: 8,
        ..phones[1].flow
    });
    office.registrar.retain(|id| id != key(3));
    assert_eq!(office.changes(at(1)), [(3, Kind::Removed)]);
    office.registrar.drop_flow(&phones[1].flow);
    assert_eq!(office.changes(at(1)), [(2, Kind::Removed)]);
    assert_eq!(office.registrar.registered(), IdSet::one(key(1)));
}

#[test]
fn a_full_table_refuses_and_counts() {
    let mut office = Office::new(2, 1);
    for (id, status) in [(0, 200), (1, 200), (2, 503)] {
        assert_eq!(
            Phone::new(id, 10 + id as u8).register(&mut office, at(0)).status,
            status
        );
    }
    assert_eq!(office.registrar.counters().full, 1);
    office.changes(at(0));
    assert_eq!(
        office.changes(at(1_000)),
        [(0, Kind::Expired), (1, Kind::Expired)]
    );
    assert_eq!(Phone::new(2, 12).register(&mut office, at(1_000)).status, 200);
}

#[test]
fn a_small_buffer_is_an_error_and_not_a_cut_answer() {
    let mut office = Office::new(2, 1);
    let request = Phone::new(1, 11).request("REGISTER");
    let message = Message::parse_datagram(request.as_bytes()).unwrap();
    let flow = Phone::new(1, 11).flow;
    for size in [0, 10, 300] {
        let answer = office
            .registrar
            .register(at(0), &flow, &message, &Site, 0, &mut std::vec![0; size]);
        assert_eq!(answer, Err(Full), "{size}");
    }
}
