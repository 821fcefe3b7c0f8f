//! What all parts of a phone need to speak: who it is, how it writes, and what it notes.

use std::net::SocketAddr;

use sip::sdp::{Audio, Codec, Direction as MediaDirection, Sdp};
use sip::{Message, Method, Name, Writer};

use super::log::{CallLog, Outcome};
use crate::Millis;
use crate::rng::Rng;

/// Who a phone is.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Name for people.
    pub name: String,
    /// SIP user.
    pub user: String,
    /// Password; without one every challenge is a refusal.
    pub password: String,
    /// SIP domain.
    pub domain: String,
    /// Its own address.
    pub address: SocketAddr,
    /// Where it sends every request: its registrar and outbound proxy.
    pub proxy: SocketAddr,
    /// Knows SHA-256 beside MD5.
    pub sha256: bool,
}

/// T1, T2 and 64 T1 of RFC 3261 §17.1.1.1, in milliseconds.
pub const T1: Millis = 500;
pub const T2: Millis = 4_000;
pub const T64: Millis = 32_000;

/// A message that is repeated until it is answered.
#[derive(Clone, Debug)]
pub struct Repeat {
    pub bytes: Vec<u8>,
    pub to: SocketAddr,
    again: Millis,
    interval: Millis,
    cap: Millis,
    pub give_up: Millis,
}

impl Repeat {
    pub fn new(now: Millis, to: SocketAddr, bytes: Vec<u8>, cap: Millis) -> Self {
        Repeat {
            bytes,
            to,
            again: now + T1,
            interval: T1,
            cap,
            give_up: now + T64,
        }
    }

    /// Nothing is sent again; the time still runs out.
    pub fn hush(&mut self) {
        self.again = Millis::MAX;
    }

    pub fn next_deadline(&self) -> Millis {
        self.again.min(self.give_up)
    }

    /// Sends again what is due. False: the time is over.
    pub fn tick(&mut self, now: Millis, voice: &mut Voice) -> bool {
        if now >= self.give_up {
            return false;
        }
        if now >= self.again {
            voice.send(self.to, self.bytes.clone());
            self.interval = (self.interval * 2).min(self.cap);
            self.again = now + self.interval;
        }
        true
    }
}

/// The phone's mouth and memory.
#[derive(Debug)]
pub struct Voice {
    pub identity: Identity,
    pub rng: Rng,
    pub out: Vec<(SocketAddr, Vec<u8>)>,
    pub log: Vec<CallLog>,
    pub problems: Vec<String>,
    pub sdp_version: u64,
    /// User-Agent header; empty for none.
    pub user_agent: String,
    /// The name in answers to challenges, if not the SIP user.
    pub auth_user: Option<String>,
}

/// A request to be written.
pub struct Ask<'a> {
    pub method: Method<'a>,
    pub uri: &'a str,
    pub branch: &'a str,
    pub from: String,
    pub to: String,
    pub call_id: &'a str,
    pub cseq: u32,
    pub routes: &'a [String],
    pub extra: &'a [(Name, String)],
    pub sdp: Option<SocketAddr>,
}

impl Voice {
    pub fn send(&mut self, to: SocketAddr, bytes: Vec<u8>) {
        self.out.push((to, bytes));
    }

    pub fn token(&mut self) -> String {
        format!("{:016x}", self.rng.next())
    }

    pub fn branch(&mut self) -> String {
        format!("z9hG4bK{}", self.token())
    }

    pub fn problem(&mut self, now: Millis, what: impl std::fmt::Display) {
        self.problems
            .push(format!("{} at {now}: {what}", self.identity.name));
    }

    pub fn contact(&self) -> String {
        format!("<sip:{}@{}>", self.identity.user, self.identity.address)
    }

    pub fn own_uri(&self) -> String {
        format!("sip:{}@{}", self.identity.user, self.identity.domain)
    }

    pub fn auth_user(&self) -> &str {
        self.auth_user.as_deref().unwrap_or(&self.identity.user)
    }

    /// The call is over. Once.
    pub fn end(&mut self, now: Millis, log: usize, outcome: Outcome) {
        let entry = &mut self.log[log];
        match &entry.outcome {
            None => {
                entry.outcome = Some(outcome);
                entry.ended = Some(now);
            }
            Some(first) => {
                let text = format!("call {} ended twice: {first:?}, {outcome:?}", entry.call_id);
                self.problem(now, text);
            }
        }
    }

    pub fn request(&mut self, ask: &Ask<'_>) -> Vec<u8> {
        let mut buffer = vec![0; 4_096];
        let mut w = Writer::new(&mut buffer);
        w.request(ask.method, ask.uri.as_bytes());
        w.header(
            Name::Via,
            format_args!(
                "SIP/2.0/UDP {};branch={};rport",
                self.identity.address, ask.branch
            ),
        );
        w.header(Name::MaxForwards, 70);
        for route in ask.routes {
            w.header(Name::Route, route);
        }
        w.header(Name::From, &ask.from).header(Name::To, &ask.to);
        w.header(Name::CallId, ask.call_id);
        w.header(Name::CSeq, format_args!("{} {}", ask.cseq, ask.method));
        if !self.user_agent.is_empty() {
            w.header(Name::UserAgent, &self.user_agent);
        }
        for (name, value) in ask.extra {
            w.header(*name, value);
        }
        let len = match ask.sdp {
            None => w.finish_empty(),
            Some(target) => {
                self.sdp_version += 1;
                w.body_display("application/sdp", audio(target, self.sdp_version))
            }
        };
        let len = len.expect("a phone's request fits");
        buffer.truncate(len);
        buffer
    }

    pub fn response(
        &mut self,
        request: &[u8],
        from: SocketAddr,
        status: u16,
        tag: Option<&str>,
        sdp: Option<SocketAddr>,
    ) -> Vec<u8> {
        let mut buffer = vec![0; 4_096];
        let len = {
            let request = Message::parse_datagram(request).expect("parsed when it came");
            let mut w = Writer::new(&mut buffer);
            sip::write_response_head(&mut w, &request, status, tag, from);
            if request.method() == Method::Invite && status < 300 {
                w.copy(&request, Name::RecordRoute);
                w.header(Name::Contact, self.contact());
            }
            match sdp {
                None => w.finish_empty(),
                Some(target) => {
                    self.sdp_version += 1;
                    w.body_display("application/sdp", audio(target, self.sdp_version))
                }
            }
        };
        buffer.truncate(len.expect("a phone's response fits"));
        buffer
    }

    /// Notes the call's name.
    pub fn note_session(&mut self, log: usize, message: &Message<'_>) {
        if let Some(session) = message.header(Name::SessionId).and_then(|value| value.get(..32)) {
            self.log[log].session = lossy(session);
        }
    }

    /// Notes where the other side wants its audio.
    pub fn note_media(&mut self, log: usize, message: &Message<'_>) {
        if let Some(target) = Sdp::parse(message.body()).and_then(|sdp| sdp.audio()?.target()) {
            self.log[log].media = Some(target);
        }
    }
}

fn audio(target: SocketAddr, version: u64) -> Audio<'static> {
    Audio {
        session: u64::from(target.port()),
        version,
        target,
        codecs: &[Codec::Pcmu, Codec::Pcma],
        telephone_event: Some(101),
        redundancy: None,
        direction: MediaDirection::SendRecv,
    }
}

pub fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The user part of a URI, or nothing.
pub fn user_of(uri: Option<sip::Uri<'_>>) -> String {
    uri.and_then(|uri| uri.user).map(lossy).unwrap_or_default()
}
