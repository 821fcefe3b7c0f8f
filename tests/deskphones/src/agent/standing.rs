//! A request that stands for as long as its answers are renewed: a registration (RFC 3261 §10) or a subscription (RFC 6665
//! §4.1), with one answer to a challenge and one server after the other.

use std::net::SocketAddr;

use sip::{Message, Method, Name};

use super::digest::Challenge;
use super::voice::{Ask, Repeat, T2, Voice, lossy};
use crate::Millis;

/// How a request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Lifetime that is asked for, seconds.
    pub expires: u32,
    /// Least and greatest part of the lifetime after which it is renewed, per mille.
    pub renew: (u64, u64),
    /// Least and greatest wait after a refusal, milliseconds.
    pub retry: (Millis, Millis),
    /// Least and greatest wait after silence, milliseconds.
    pub silence: (Millis, Millis),
}

impl Default for Terms {
    fn default() -> Self {
        Terms {
            expires: 120,
            renew: (500, 800),
            retry: (5_000, 10_000),
            silence: (1_000, 5_000),
        }
    }
}

/// The request.
pub struct Standing {
    method: Method<'static>,
    terms: Terms,
    /// Who is asked, the preferred one first.
    servers: Vec<SocketAddr>,
    server: usize,
    /// The Event that is subscribed to, and what its body may be.
    event: Option<(&'static str, &'static str)>,
    /// Request-URI, From, and To without its tag.
    target: String,
    from: String,
    to: String,
    remote_tag: String,
    pub call_id: String,
    tag: String,
    cseq: u32,
    /// The request that is out, its branch, and whether it had credentials.
    asking: Option<(Repeat, String, bool)>,
    next: Millis,
    /// Until when it stands; 0 for not at all.
    pub until: Millis,
    /// Refused, or without an answer.
    pub failures: u32,
    /// Accepted.
    pub accepted: u32,
}

impl Standing {
    /// A registration at the first of these servers that answers, from `at` on.
    pub fn registration(voice: &mut Voice, at: Millis, terms: Terms, servers: Vec<SocketAddr>) -> Self {
        let (target, own) = (format!("sip:{}", voice.identity.domain), voice.own_uri());
        Self::new(
            voice,
            Method::Register,
            at,
            terms,
            servers,
            (target, own.clone(), own),
        )
    }

    /// A subscription to the calls of a user (RFC 4235).
    pub fn lamp(voice: &mut Voice, at: Millis, terms: Terms, user: &str) -> Self {
        let watched = format!("sip:{user}@{}", voice.identity.domain);
        let (own, servers) = (voice.own_uri(), vec![voice.identity.proxy]);
        let ends = (watched.clone(), own, watched);
        let mut standing = Self::new(voice, Method::Subscribe, at, terms, servers, ends);
        standing.event = Some(("dialog", "application/dialog-info+xml"));
        standing
    }

    fn new(
        voice: &mut Voice,
        method: Method<'static>,
        at: Millis,
        terms: Terms,
        servers: Vec<SocketAddr>,
        (target, from, to): (String, String, String),
    ) -> Self {
        Standing {
            method,
            terms,
            servers,
            server: 0,
            event: None,
            target,
            from,
            to,
            remote_tag: String::new(),
            call_id: voice.token(),
            tag: voice.token(),
            cseq: 0,
            asking: None,
            next: at,
            until: 0,
            failures: 0,
            accepted: 0,
        }
    }

    fn send(&mut self, now: Millis, voice: &mut Voice, answer: Option<&Challenge>) {
        let Some(&server) = self.servers.get(self.server) else {
            self.next = Millis::MAX;
            return;
        };
        self.cseq += 1;
        let mut extra = vec![
            (Name::Contact, voice.contact()),
            (Name::Expires, self.terms.expires.to_string()),
        ];
        if let Some((event, accept)) = self.event {
            extra.push((Name::Event, event.to_owned()));
            extra.push((Name::Accept, accept.to_owned()));
        }
        if let Some(challenge) = answer {
            let cnonce = voice.token();
            let (user, password) = (voice.auth_user(), &voice.identity.password);
            let method = self.method.to_string();
            extra.push((
                challenge.answer_in,
                challenge.answer(user, password, &method, &self.target, &cnonce),
            ));
        }
        let branch = voice.branch();
        let to_tag = match self.remote_tag.as_str() {
            "" => String::new(),
            tag => format!(";tag={tag}"),
        };
        let bytes = voice.request(&Ask {
            method: self.method,
            uri: &self.target,
            branch: &branch,
            from: format!("<{}>;tag={}", self.from, self.tag),
            to: format!("<{}>{to_tag}", self.to),
            call_id: &self.call_id,
            cseq: self.cseq,
            routes: &[],
            extra: &extra,
            sdp: None,
        });
        voice.send(server, bytes.clone());
        self.asking = Some((Repeat::new(now, server, bytes, T2), branch, answer.is_some()));
    }

    /// A response whose Call-ID is this request's.
    pub fn response(&mut self, now: Millis, voice: &mut Voice, message: &Message<'_>) {
        let branch = lossy(message.via().and_then(|via| via.branch).unwrap_or_default());
        let (Some(status @ 200..), Some((_, own, authorized))) = (message.status(), &self.asking) else {
            return;
        };
        if *own != branch {
            return;
        }
        let authorized = *authorized;
        self.asking = None;
        match status {
            200..300 => self.accepted(now, voice, message),
            _ => match Challenge::find(message, voice.identity.sha256) {
                Some(challenge) if !authorized => self.send(now, voice, Some(&challenge)),
                _ => {
                    self.failures += 1;
                    // A subscription that is not known any more is made anew (RFC 6665 §4.1.2.2).
                    self.remote_tag.clear();
                    self.next = now + voice.rng.range(self.terms.retry.0, self.terms.retry.1);
                }
            },
        }
    }

    fn accepted(&mut self, now: Millis, voice: &mut Voice, message: &Message<'_>) {
        let own = voice.contact();
        let binding = message
            .contacts()
            .find(|contact| contact.uri == own.trim_matches(['<', '>']).as_bytes())
            .and_then(|contact| contact.param("expires").and_then(sip::fields::number));
        let expires = binding
            .or(message.expires())
            .map_or(u64::from(self.terms.expires), u64::from);
        let (least, most) = self.terms.renew;
        self.until = now + expires * 1_000;
        self.next = now + expires * voice.rng.range(least, most);
        self.accepted += 1;
        if self.event.is_some() {
            let tag = message.to().and_then(|to| to.tag());
            self.remote_tag = tag.map(lossy).unwrap_or_default();
        } else if let Some(&server) = self.servers.get(self.server) {
            // Everything else goes where the phone is registered; the preferred server is tried at every renewal.
            voice.identity.proxy = server;
            self.server = 0;
        }
    }

    /// Is this NOTIFY of the subscription?
    pub fn owns(&self, message: &Message<'_>) -> bool {
        self.event.is_some() && message.call_id() == Some(self.call_id.as_bytes())
    }

    /// Does what is due.
    pub fn tick(&mut self, now: Millis, voice: &mut Voice) {
        let Some((repeat, ..)) = &mut self.asking else {
            if now >= self.next {
                if self.event.is_some() {
                    // It follows the registration.
                    self.servers = vec![voice.identity.proxy];
                }
                self.send(now, voice, None);
            }
            return;
        };
        if repeat.tick(now, voice) {
            return;
        }
        self.asking = None;
        self.failures += 1;
        self.remote_tag.clear();
        self.server += 1;
        // Silence of the preferred server: the next one at once.
        self.next = now;
        if self.server >= self.servers.len() {
            self.server = 0;
            self.next += voice.rng.range(self.terms.silence.0, self.terms.silence.1);
        }
    }

    /// When it has something to do.
    pub fn next_deadline(&self) -> Millis {
        match &self.asking {
            Some((repeat, ..)) => repeat.next_deadline(),
            None => self.next,
        }
    }
}
