//! The SIP side of a phone, or of a carrier: a small user agent of its own, built on the message parser and writer alone. It
//! speaks the transactions as the RFC says, not as our transaction layer does.

mod digest;
mod leg;
mod log;
mod standing;
mod voice;

use std::net::SocketAddr;

use sip::{Message, Method, Name};

use crate::Millis;
use crate::rng::Rng;
use leg::Leg;
use standing::Standing;
use voice::{Voice, lossy};

pub use leg::Incoming;
pub use log::{CallLog, Direction, Outcome};
pub use standing::Terms;
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
    /// Transfer every call to this user, blindly (RFC 5589 §6); the phone waits to be hung up.
    Transfer {
        /// SIP user.
        to: String,
    },
    /// Hang up every call.
    HangUp,
}

/// A user agent.
pub struct Agent {
    voice: Voice,
    manner: Manner,
    legs: Vec<Leg>,
    registration: Option<Standing>,
    lamps: Vec<Lamp>,
    /// The event of a NOTIFY that makes the phone fetch its configuration, and the answer to it.
    resync: Option<(String, u16)>,
    resyncs: u32,
    script: Vec<(Millis, Action)>,
    rtp: u16,
}

/// A lamp that shows the calls of somebody else.
struct Lamp {
    user: String,
    subscription: Standing,
    /// The last document (RFC 4235) that came.
    document: String,
}

impl Agent {
    /// A phone that does not register: a carrier.
    pub fn new(identity: Identity, manner: Manner, mut rng: Rng) -> Self {
        let voice = Voice {
            identity,
            rng: rng.split(),
            out: Vec::new(),
            log: Vec::new(),
            problems: Vec::new(),
            sdp_version: 0,
            user_agent: String::new(),
            auth_user: None,
        };
        Agent {
            voice,
            manner,
            legs: Vec::new(),
            registration: None,
            lamps: Vec::new(),
            resync: None,
            resyncs: 0,
            script: Vec::new(),
            rtp: 10_000,
        }
    }

    /// Registers from `at` on, and keeps registered.
    pub fn register(&mut self, at: Millis) {
        self.register_at(at, Terms::default(), None);
    }

    /// The same on other terms, with another server for when the first is silent.
    pub fn register_at(&mut self, at: Millis, terms: Terms, backup: Option<SocketAddr>) {
        let servers = [Some(self.voice.identity.proxy), backup];
        let servers = servers.into_iter().flatten().collect();
        self.registration = Some(Standing::registration(&mut self.voice, at, terms, servers));
    }

    /// Lights a lamp for the calls of `user` from `at` on.
    pub fn watch(&mut self, at: Millis, terms: Terms, user: &str) {
        self.lamps.push(Lamp {
            user: user.to_owned(),
            subscription: Standing::lamp(&mut self.voice, at, terms, user),
            document: String::new(),
        });
    }

    /// The lamps: who is watched, whether the subscription stands, and the last document about them.
    pub fn lamps(&self, now: Millis) -> impl Iterator<Item = (&str, bool, &str)> {
        self.lamps.iter().map(move |lamp| {
            let stands = now < lamp.subscription.until;
            (lamp.user.as_str(), stands, lamp.document.as_str())
        })
    }

    /// What it says in its User-Agent header.
    pub fn set_user_agent(&mut self, text: &str) {
        self.voice.user_agent = text.to_owned();
    }

    /// Under which name it answers challenges, if not its SIP user.
    pub fn set_auth_user(&mut self, name: &str) {
        self.voice.auth_user = Some(name.to_owned());
    }

    /// Answers a NOTIFY of this event, which has no subscription, with `status`; a 200 counts for [`Self::resyncs`].
    pub fn set_resync(&mut self, event: &str, status: u16) {
        self.resync = Some((event.to_owned(), status));
    }

    /// How often it was told to fetch its configuration.
    pub fn resyncs(&self) -> u32 {
        self.resyncs
    }

    /// REGISTERs that were accepted.
    pub fn registered(&self) -> u32 {
        self.registration.as_ref().map_or(0, |r| r.accepted)
    }

    /// REGISTERs that were refused or got no answer.
    pub fn register_failures(&self) -> u32 {
        self.registration.as_ref().map_or(0, |r| r.failures)
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

    /// Where the audio of a call goes that is answered: from this end's port to the other end. It sends none itself.
    pub fn audio(&self) -> Option<(u16, SocketAddr)> {
        self.legs.iter().find_map(|leg| leg.audio(&self.voice))
    }

    /// Changes how it treats calls that come in.
    pub fn set_manner(&mut self, manner: Manner) {
        self.manner = manner;
    }

    fn next_rtp(&mut self) -> u16 {
        self.rtp = if self.rtp >= 20_000 { 10_000 } else { self.rtp + 2 };
        self.rtp
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
                let status = match method {
                    Method::Options => 200,
                    Method::Notify => self.notified(message),
                    _ => 481,
                };
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
                Action::Transfer { to } => {
                    for leg in &mut self.legs {
                        leg.transfer(now, &mut self.voice, &to);
                    }
                }
                Action::HangUp => {
                    for leg in &mut self.legs {
                        leg.hang_up(now, &mut self.voice);
                    }
                }
            }
        }
        self.legs.retain_mut(|leg| leg.tick(now, &mut self.voice));
        if let Some(registration) = &mut self.registration {
            registration.tick(now, &mut self.voice);
        }
        for lamp in &mut self.lamps {
            lamp.subscription.tick(now, &mut self.voice);
        }
    }

    /// The status that a NOTIFY outside of calls gets.
    fn notified(&mut self, message: &Message<'_>) -> u16 {
        if let Some(lamp) = self.lamps.iter_mut().find(|lamp| lamp.subscription.owns(message)) {
            lamp.document = lossy(message.body());
            return 200;
        }
        let event = lossy(message.header(Name::Event).unwrap_or_default());
        let event = event.split(';').next().unwrap_or_default().trim();
        match &self.resync {
            Some((wanted, status)) if wanted == event => {
                self.resyncs += u32::from(*status == 200);
                *status
            }
            // RFC 6665 §4.1.3.
            _ => 481,
        }
    }

    /// Takes a datagram.
    pub fn receive(&mut self, now: Millis, from: SocketAddr, bytes: &[u8]) {
        let message = match Message::parse_datagram(bytes) {
            Ok(message) => message,
            Err(rejected) => {
                let what = format!("{:?} in {}", rejected.fault, String::from_utf8_lossy(bytes));
                self.voice.problem(now, what);
                return;
            }
        };
        if message.is_request() {
            self.request(now, &message, from);
            return;
        }
        let call_id = lossy(message.call_id().unwrap_or_default());
        let registration = self.registration.iter_mut();
        let lamps = self.lamps.iter_mut().map(|lamp| &mut lamp.subscription);
        if let Some(standing) = registration.chain(lamps).find(|s| s.call_id == call_id) {
            standing.response(now, &mut self.voice, &message);
        } else if let Some(leg) = self.legs.iter_mut().find(|leg| leg.call_id == call_id) {
            leg.response(now, &mut self.voice, &message);
        }
    }

    /// Does what is due, and gives what is to be sent: to whom, and what.
    pub fn due(&mut self, now: Millis) -> impl Iterator<Item = (SocketAddr, Vec<u8>)> {
        self.tick(now);
        self.voice.out.drain(..)
    }

    /// When it has something to do.
    pub fn next_deadline(&self) -> Millis {
        let script = self.script.first().map_or(Millis::MAX, |(at, _)| *at);
        let lamps = self.lamps.iter().map(|lamp| &lamp.subscription);
        let standing = self.registration.iter().chain(lamps).map(Standing::next_deadline);
        let legs = self.legs.iter().map(Leg::next_deadline);
        standing.chain(legs).fold(script, Millis::min)
    }
}
