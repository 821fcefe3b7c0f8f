//! An office, its phones, and what they may do.

mod bindings;
mod noise;
mod trust;
mod way;

use super::*;
use core::net::SocketAddr;
use sip::Method;
use sip::Transport;
use sip::Uri;
use sip::digest::{Challenge, Protected};
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
                .len
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
    agent: String,
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
            agent: String::from("User-Agent: Desk 1\r\n"),
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
             From: <sip:{}@{REALM}>;tag=7\r\nTo: <sip:{}@{REALM}>\r\nCall-ID: {}\r\nCSeq: {} {method}\r\n{contact}{expires}{}{}\
             Content-Length: 0\r\n\r\n",
            self.cseq,
            self.user,
            self.to,
            self.call_id,
            self.cseq,
            self.agent,
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
