//! A phone, or a carrier: a small user agent of its own, built on the message parser and writer alone. It speaks the
//! transactions as the RFC says, not as our transaction layer does.

mod digest;
mod leg;
mod log;
mod voice;

use std::net::SocketAddr;

use sip::{Message, Method, Name};

use crate::network::{Act, Arrival, Millis};
use crate::rng::Rng;
use crate::world::Node;
use digest::Challenge;
use leg::Leg;
use voice::{Ask, Repeat, T2, Voice, lossy};

pub use leg::Incoming;
pub use log::{CallLog, Direction, Outcome};
pub use voice::Identity;

/// How a phone treats calls that come in.
#[derive(Clone, Debug)]
pub enum Manner {
    /// Always the same.
    Always(Incoming),
    /// One of these, by chance, for each call.
    OneOf(Vec<Incoming>),
}

/// What a phone is told to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Call this user; give up after `patience`, hang up after `talk` (milliseconds).
    Call {
        /// SIP user.
        to: String,
        /// Who calls, if not the phone's own user: a carrier has many callers.
        from: Option<String>,
        /// How long it may ring.
        patience: Millis,
        /// How long to talk.
        talk: Millis,
    },
    /// Hang up every call.
    HangUp,
}

/// Lifetime of a registration that a phone asks for, seconds.
const EXPIRES: u64 = 120;

struct Registration {
    call_id: String,
    tag: String,
    cseq: u32,
    /// The REGISTER that is out, its branch, and whether it had credentials.
    asking: Option<(Repeat, String, bool)>,
    next: Millis,
    /// Until when the registrar knows the phone; 0 for not at all.
    until: Millis,
}

/// A phone.
pub struct Phone {
    voice: Voice,
    manner: Manner,
    legs: Vec<Leg>,
    registration: Option<Registration>,
    script: Vec<(Millis, Action)>,
    rtp: u16,
    /// REGISTERs that were refused or got no answer.
    pub register_failures: u32,
    /// REGISTERs that were accepted.
    pub registered: u32,
}

impl Phone {
    /// A phone that does not register: a carrier.
    pub fn new(identity: Identity, manner: Manner, mut rng: Rng) -> Self {
        let voice = Voice {
            identity,
            rng: rng.split(),
            out: Vec::new(),
            log: Vec::new(),
            problems: Vec::new(),
            sdp_version: 0,
        };
        Phone {
            voice,
            manner,
            legs: Vec::new(),
            registration: None,
            script: Vec::new(),
            rtp: 10_000,
            register_failures: 0,
            registered: 0,
        }
    }

    /// Registers from `at` on, and keeps registered.
    pub fn register(&mut self, at: Millis) {
        let (call_id, tag) = (self.voice.token(), self.voice.token());
        self.registration = Some(Registration {
            call_id,
            tag,
            cseq: 0,
            asking: None,
            next: at,
            until: 0,
        });
    }

    /// Plans something.
    pub fn plan(&mut self, at: Millis, action: Action) {
        self.script.push((at, action));
        self.script.sort_by_key(|(at, _)| *at);
    }

    /// Its calls, oldest first.
    pub fn log(&self) -> &[CallLog] {
        &self.voice.log
    }

    /// What the other side did wrong.
    pub fn problems(&self) -> &[String] {
        &self.voice.problems
    }

    /// Who it is.
    pub fn identity(&self) -> &Identity {
        &self.voice.identity
    }

    /// Changes its password.
    pub fn set_password(&mut self, password: &str) {
        self.voice.identity.password = password.to_owned();
    }

    /// Does the registrar know it?
    pub fn is_registered(&self, now: Millis) -> bool {
        self.registration
            .as_ref()
            .is_some_and(|registration| now < registration.until)
    }

    /// Calls that still occupy it.
    pub fn busy(&self) -> usize {
        self.legs.iter().filter(|leg| leg.is_busy()).count()
    }

    /// Changes how it treats calls that come in.
    pub fn set_manner(&mut self, manner: Manner) {
        self.manner = manner;
    }

    fn next_rtp(&mut self) -> u16 {
        self.rtp = if self.rtp >= 20_000 { 10_000 } else { self.rtp + 2 };
        self.rtp
    }

    fn send_register(&mut self, now: Millis, answer: Option<&Challenge>) {
        let Some(registration) = &mut self.registration else {
            return;
        };
        registration.cseq += 1;
        let voice = &mut self.voice;
        let uri = format!("sip:{}", voice.identity.domain);
        let mut extra = vec![
            (Name::Contact, voice.contact()),
            (Name::Expires, EXPIRES.to_string()),
        ];
        if let Some(challenge) = answer {
            let cnonce = voice.token();
            let (user, password) = (&voice.identity.user, &voice.identity.password);
            extra.push((
                challenge.answer_in,
                challenge.answer(user, password, "REGISTER", &uri, &cnonce),
            ));
        }
        let branch = voice.branch();
        let bytes = voice.request(&Ask {
            method: Method::Register,
            uri: &uri,
            branch: &branch,
            from: format!("<{}>;tag={}", voice.own_uri(), registration.tag),
            to: format!("<{}>", voice.own_uri()),
            call_id: &registration.call_id,
            cseq: registration.cseq,
            routes: &[],
            extra: &extra,
            sdp: None,
        });
        let to = voice.identity.proxy;
        voice.send(to, bytes.clone());
        registration.asking = Some((Repeat::new(now, to, bytes, T2), branch, answer.is_some()));
    }

    fn register_response(&mut self, now: Millis, message: &Message<'_>) {
        let Some(registration) = &mut self.registration else {
            return;
        };
        let branch = lossy(message.via().and_then(|via| via.branch).unwrap_or_default());
        let (Some(status @ 200..), Some((_, own, authorized))) = (message.status(), &registration.asking)
        else {
            return;
        };
        if *own != branch {
            return;
        }
        let authorized = *authorized;
        registration.asking = None;
        match status {
            200..300 => {
                let expires = message
                    .contacts()
                    .find(|contact| contact.uri == self.voice.contact().trim_matches(['<', '>']).as_bytes())
                    .and_then(|contact| contact.param("expires").and_then(sip::fields::number))
                    .or(message.expires())
                    .map_or(EXPIRES, u64::from);
                registration.until = now + expires * 1_000;
                registration.next = now + expires * self.voice.rng.range(500, 800);
                self.registered += 1;
            }
            _ => match Challenge::find(message, self.voice.identity.sha256) {
                Some(challenge) if !authorized => self.send_register(now, Some(&challenge)),
                _ => {
                    self.register_failures += 1;
                    registration.next = now + self.voice.rng.range(5_000, 10_000);
                }
            },
        }
    }

    fn request(&mut self, now: Millis, message: &Message<'_>, from: SocketAddr) {
        let call_id = lossy(message.call_id().unwrap_or_default());
        let is_new = message.method() == Method::Invite && message.to().is_some_and(|to| to.tag().is_none());
        for leg in self.legs.iter_mut().filter(|leg| leg.call_id == call_id) {
            if is_new && !leg.is_same_invite(message) {
                continue;
            }
            if leg.request(now, &mut self.voice, message, from) {
                return;
            }
        }
        match message.method() {
            Method::Ack => {}
            Method::Invite if is_new => {
                if self.legs.iter().any(|leg| leg.call_id == call_id) {
                    // The same call by another way (RFC 3261 §8.2.2.2).
                    self.voice.problem(now, format_args!("call {call_id} came twice"));
                    return;
                }
                let manner = match &self.manner {
                    Manner::Always(manner) => *manner,
                    Manner::OneOf(manners) => self.voice.rng.pick(manners),
                };
                let rtp = self.next_rtp();
                self.legs
                    .push(Leg::invited(now, &mut self.voice, message, from, manner, rtp));
            }
            method => {
                let status = if method == Method::Options { 200 } else { 481 };
                let tag = self.voice.token();
                let answer = self.voice.response(message.raw(), from, status, Some(&tag), None);
                self.voice.send(from, answer);
            }
        }
    }

    fn tick(&mut self, now: Millis) {
        while let Some((at, _)) = self.script.first()
            && *at <= now
        {
            match self.script.remove(0).1 {
                Action::Call {
                    to,
                    from,
                    patience,
                    talk,
                } => {
                    let rtp = self.next_rtp();
                    self.legs.push(Leg::call(
                        now,
                        &mut self.voice,
                        &to,
                        from.as_deref(),
                        patience,
                        talk,
                        rtp,
                    ));
                }
                Action::HangUp => {
                    for leg in &mut self.legs {
                        leg.hang_up(now, &mut self.voice);
                    }
                }
            }
        }
        self.legs.retain_mut(|leg| leg.tick(now, &mut self.voice));
        let mut due = false;
        if let Some(registration) = &mut self.registration {
            match &mut registration.asking {
                Some((repeat, ..)) => {
                    if !repeat.tick(now, &mut self.voice) {
                        registration.asking = None;
                        registration.next = now + self.voice.rng.range(1_000, 5_000);
                        self.register_failures += 1;
                    }
                }
                None => due = now >= registration.next,
            }
        }
        if due {
            self.send_register(now, None);
        }
    }
}

impl Node for Phone {
    fn handle(&mut self, now: Millis, arrival: Arrival) {
        let Arrival::Datagram { from, bytes, .. } = arrival else {
            return;
        };
        let message = match Message::parse_datagram(&bytes) {
            Ok(message) => message,
            Err(rejected) => {
                let what = format!("{:?} in {}", rejected.fault, String::from_utf8_lossy(&bytes));
                self.voice.problem(now, what);
                return;
            }
        };
        if message.is_request() {
            self.request(now, &message, from);
            return;
        }
        let call_id = lossy(message.call_id().unwrap_or_default());
        if self
            .registration
            .as_ref()
            .is_some_and(|registration| registration.call_id == call_id)
        {
            self.register_response(now, &message);
        } else if let Some(leg) = self.legs.iter_mut().find(|leg| leg.call_id == call_id) {
            leg.response(now, &mut self.voice, &message);
        }
    }

    fn poll(&mut self, now: Millis, out: &mut Vec<Act>) {
        self.tick(now);
        let from = self.voice.identity.address;
        for (to, bytes) in self.voice.out.drain(..) {
            out.push(Act::Datagram { from, to, bytes });
        }
    }

    fn next_deadline(&self) -> Millis {
        let script = self.script.first().map_or(Millis::MAX, |(at, _)| *at);
        let registration = self
            .registration
            .as_ref()
            .map_or(Millis::MAX, |registration| match &registration.asking {
                Some((repeat, ..)) => repeat.next_deadline(),
                None => registration.next,
            });
        self.legs
            .iter()
            .map(Leg::next_deadline)
            .fold(script.min(registration), Millis::min)
    }
}
