//! Connections of boxes and their registrations (RFC 6140): who is there, on which connection, and for how long.
//!
//! A box registers all its numbers with one contact, and its connection is the flow on which it is called (RFC 5626): nothing
//! stands between the two, so a Path or a second Via is refused.

use std::net::IpAddr;
use std::time::Duration;

use shared::BoxId;
use sip::digest::{self, Credentials, Protected, Verdict};
use sip::uri::Host;
use sip::{Flow, Instant, Message, Name, Writer};

use super::{Account, Pbx, Queued, Relays};

/// A connection that has not registered by then is closed.
const REGISTER_WITHIN: Duration = Duration::from_secs(10);
/// How long calls wait for a box whose connection broke, to come back on another.
const HOLD_OUT: Duration = Duration::from_secs(6);
/// Granted lifetime of a registration, seconds.
const EXPIRES: std::ops::RangeInclusive<u32> = 60..=600;
const EXPIRES_UNASKED: u32 = 300;
/// Tokens that a wrong password costs.
const REFUSED_COST: u32 = 5;
/// Extensions a REGISTER may require.
const SUPPORTED: [&str; 2] = ["gin", "outbound"];

/// A connection.
#[derive(Debug)]
pub(super) struct Stream {
    heard: Instant,
    opened: Instant,
    pub id: Option<BoxId>,
}

/// A box's way to us.
#[derive(Debug)]
pub(super) struct Trunk {
    pub flow: Flow,
    pub boot: u32,
    /// `host:port` of its Contact.
    pub contact: String,
    pub since: Instant,
    pub expires: Instant,
    /// The connection broke: calls wait until then.
    away: Option<Instant>,
}

impl Trunk {
    pub fn is_there(&self) -> bool {
        self.away.is_none()
    }
}

/// What a REGISTER asks for.
struct Binding {
    contact: String,
    boot: u32,
    expires: u32,
}

impl<R: Relays> Pbx<R> {
    /// Something came on a connection. False: there are too many, and it is closed.
    pub(super) fn hears(&mut self, now: Instant, flow: Flow) -> bool {
        if !self.streams.contains_key(&flow) && self.streams.len() >= self.config.connections {
            self.counters.closed += 1;
            self.out.push_back(Queued::Close(flow));
            return false;
        }
        let earliest = &mut self.earliest;
        let stream = self.streams.entry(flow).or_insert_with(|| {
            *earliest = (*earliest).min(now + REGISTER_WITHIN);
            Stream {
                heard: now,
                opened: now,
                id: None,
            }
        });
        stream.heard = now;
        true
    }

    /// The box that is registered on this connection.
    pub(super) fn box_on(&self, flow: &Flow) -> Option<BoxId> {
        let id = self.streams.get(flow)?.id?;
        self.trunks
            .get(&id)
            .is_some_and(|trunk| trunk.flow == *flow)
            .then_some(id)
    }

    pub(super) fn on_register(&mut self, now: Instant, flow: Flow, message: &Message<'_>) {
        let from = flow.peer.ip();
        if self.box_on(&flow).is_none() && !self.limiter.admit(now, from, 1) {
            self.counters.limited += 1;
            self.answer(flow, message, 503, |w| {
                w.header(Name::RetryAfter, 5);
            });
            return;
        }
        if let Err(fault) = message.screen(&SUPPORTED) {
            return self.answer(flow, message, fault.status().unwrap_or(400), |w| {
                for tag in message.unsupported(&SUPPORTED) {
                    w.header_bytes(Name::Unsupported, tag);
                }
            });
        }
        let Some(account) = self.authenticate(now, flow, message) else {
            return;
        };
        if message.has(Name::Path) {
            return self.answer(flow, message, 420, |w| _ = w.header(Name::Unsupported, "path"));
        }
        if !message
            .values(Name::Require)
            .any(|tag| tag.eq_ignore_ascii_case(b"gin"))
        {
            return self.answer(flow, message, 421, |w| _ = w.header(Name::Require, "gin"));
        }
        match binding(message) {
            Ok(Binding { expires: 0, .. }) => {
                self.answer(flow, message, 200, |_| {});
                self.forget(now, account.id, false);
            }
            Ok(binding) if binding.expires < *EXPIRES.start() => {
                self.answer(flow, message, 423, |w| {
                    w.header(Name::MinExpires, EXPIRES.start());
                });
            }
            Ok(binding) => {
                let expires = binding.expires.min(*EXPIRES.end());
                let silence = self.config.silence;
                self.answer(flow, message, 200, |w| {
                    write_accepted(w, message, expires, silence)
                });
                self.bind(now, flow, account.id, binding, expires);
            }
            Err(status) => self.answer(flow, message, status, |_| {}),
        }
    }

    /// The account whose secret the request proves; otherwise it is answered.
    fn authenticate(&mut self, now: Instant, flow: Flow, message: &Message<'_>) -> Option<Account> {
        let id = message
            .to()
            .and_then(|to| to.parsed_uri())
            .and_then(|uri| core::str::from_utf8(uri.user?).ok()?.parse::<BoxId>().ok());
        let account = id.and_then(|id| self.directory.account(id)).cloned();
        let realm = account
            .as_ref()
            .map_or(self.directory.realm(), |account| &account.realm)
            .to_string();
        let credentials = Credentials::find(message, Name::Authorization, realm.as_bytes());
        let (Some(credentials), Some(protected)) = (credentials, Protected::of(message)) else {
            self.challenge(now, flow, message, &realm, false);
            return None;
        };
        let account = account.filter(|account| account.id.text().as_bytes() == credentials.username);
        let ha1 = account.as_ref().map(|account| &account.ha1);
        let from = flow.peer.ip();
        match self.nonces.verify(now, from, &credentials, protected, ha1) {
            Verdict::Accepted => account,
            // A connection repeats nothing by itself: a used count is as good as an old nonce.
            Verdict::Replayed | Verdict::Stale => {
                self.challenge(now, flow, message, &realm, true);
                None
            }
            Verdict::Refused { .. } => {
                self.counters.refused += 1;
                self.limiter.admit(now, from, REFUSED_COST);
                self.answer(flow, message, 403, |_| {});
                None
            }
        }
    }

    fn challenge(&mut self, now: Instant, flow: Flow, message: &Message<'_>, realm: &str, stale: bool) {
        let nonce = self.nonces.issue(now, flow.peer.ip());
        self.answer(flow, message, 401, |w| {
            digest::write_challenges(w, Name::WwwAuthenticate, realm, nonce, stale);
        });
    }

    fn bind(&mut self, now: Instant, flow: Flow, id: BoxId, binding: Binding, expires: u32) {
        if let Some(other) = self.box_on(&flow).filter(|other| *other != id) {
            // One connection, one box.
            self.forget(now, other, false);
        }
        let expires = now + Duration::from_secs(u64::from(expires));
        let old = self.trunks.remove(&id);
        let refreshed = old
            .as_ref()
            .filter(|old| old.flow == flow && old.boot == binding.boot);
        let refreshed = refreshed.map(|old| old.since);
        match &old {
            Some(old) if refreshed.is_none() => {
                if old.boot == binding.boot {
                    self.calls.flow_moved(old.flow, flow);
                } else {
                    // The box started anew: it knows nothing of its calls any more.
                    self.calls.flow_lost(now, old.flow);
                }
                if old.flow != flow {
                    self.close(old.flow);
                }
            }
            _ => {}
        }
        let trunk = Trunk {
            flow,
            boot: binding.boot,
            contact: binding.contact.clone(),
            since: refreshed.unwrap_or(now),
            expires,
            away: None,
        };
        self.trunks.insert(id, trunk);
        if let Some(stream) = self.streams.get_mut(&flow) {
            stream.id = Some(id);
        }
        self.earliest = self.earliest.min(expires).min(now + self.config.silence);
        if refreshed.is_none() {
            self.out.push_back(Queued::Trunk(id, Some(binding.contact)));
        }
    }

    /// A box's trunk is gone for good: what rings there stops, and so do its calls.
    fn forget(&mut self, now: Instant, id: BoxId, close: bool) {
        let Some(trunk) = self.trunks.remove(&id) else {
            return;
        };
        if let Some(stream) = self.streams.get_mut(&trunk.flow) {
            stream.id = None;
            stream.opened = now;
            self.earliest = self.earliest.min(now + REGISTER_WITHIN);
        }
        if trunk.is_there() {
            self.out.push_back(Queued::Trunk(id, None));
        }
        if close {
            self.close(trunk.flow);
        }
        self.calls.flow_lost(now, trunk.flow);
    }

    pub(super) fn on_closed(&mut self, now: Instant, flow: Flow) {
        self.streams.remove(&flow);
        let Some((id, trunk)) = self.trunks.iter_mut().find(|(_, trunk)| trunk.flow == flow) else {
            return;
        };
        if trunk.away.is_some() {
            return;
        }
        let (id, until) = (*id, now + HOLD_OUT);
        trunk.away = Some(until);
        self.earliest = self.earliest.min(until);
        self.out.push_back(Queued::Trunk(id, None));
        // Answered calls wait for the box to come back; whoever only rings it is told at once.
        self.stop_ringing(now, id);
    }

    pub(super) fn on_directory(&mut self, now: Instant) {
        let gone: Vec<BoxId> = self
            .trunks
            .keys()
            .copied()
            .filter(|id| self.directory.account(*id).is_none())
            .collect();
        for id in gone {
            self.forget(now, id, true);
        }
    }

    /// What time brings to connections and trunks.
    pub(super) fn tick(&mut self, now: Instant) {
        let silence = self.config.silence;
        let silent = |trunk: &Trunk, streams: &std::collections::HashMap<Flow, Stream>| {
            streams
                .get(&trunk.flow)
                .map_or(Instant::NEVER, |stream| stream.heard + silence)
        };
        let lost: Vec<BoxId> = self
            .trunks
            .iter()
            .filter(|(_, trunk)| match trunk.away {
                Some(until) => now >= until,
                None => now >= trunk.expires || now >= silent(trunk, &self.streams),
            })
            .map(|(id, _)| *id)
            .collect();
        for id in lost {
            self.forget(now, id, true);
        }
        let slow: Vec<Flow> = self
            .streams
            .iter()
            .filter(|(_, stream)| stream.id.is_none() && now >= stream.opened + REGISTER_WITHIN)
            .map(|(flow, _)| *flow)
            .collect();
        for flow in slow {
            self.close(flow);
        }
        let trunks = self.trunks.values().map(|trunk| match trunk.away {
            Some(until) => until,
            None => trunk.expires.min(silent(trunk, &self.streams)),
        });
        let strangers = self.streams.values().filter(|stream| stream.id.is_none());
        let strangers = strangers.map(|stream| stream.opened + REGISTER_WITHIN);
        self.earliest = trunks.chain(strangers).min().unwrap_or(Instant::NEVER);
    }
}

/// What the answer to an accepted REGISTER says: the contact as it came, and how often the box has to be heard.
fn write_accepted(w: &mut Writer<'_>, message: &Message<'_>, expires: u32, silence: Duration) {
    let Some(contact) = message.contacts().next() else {
        return;
    };
    w.raw(b"Contact: <").unfolded(contact.uri).raw(b">");
    for name in ["+sip.instance", "reg-id"] {
        if let Some(value) = contact.param(name) {
            w.raw(b";").raw(name.as_bytes()).raw(b"=").unfolded(value);
        }
    }
    w.raw(format!(";expires={expires}\r\n").as_bytes());
    if is_flow(message) {
        w.header(Name::Require, "outbound");
        if silence < Duration::MAX {
            w.header(Name::FlowTimer, silence.as_secs());
        }
    }
    w.header(Name::Supported, SUPPORTED.join(", "));
}

/// Whether the box wants its connection to be a flow (RFC 5626 §6).
fn is_flow(message: &Message<'_>) -> bool {
    let says = |name| message.contacts().all(|contact| contact.param(name).is_some());
    says("reg-id") && says("+sip.instance") && message.supports("outbound")
}

/// Reads the one Contact of a REGISTER.
fn binding(message: &Message<'_>) -> Result<Binding, u16> {
    let mut contacts = message.contacts();
    let (Some(contact), None) = (contacts.next(), contacts.next()) else {
        return Err(400);
    };
    let default = message.expires().unwrap_or(EXPIRES_UNASKED);
    let number = |name| contact.param(name).and_then(sip::fields::number);
    if contact.is_star() {
        // RFC 3261 §10.2.2: only to remove all.
        return match message.expires() {
            Some(0) => Ok(Binding {
                contact: String::new(),
                boot: 0,
                expires: 0,
            }),
            _ => Err(400),
        };
    }
    if is_flow(message) && message.values(Name::Via).count() > 1 {
        return Err(439);
    }
    let uri = contact.parsed_uri().ok_or(400u16)?;
    // RFC 6140 §5.2: it stands for all numbers, and has none itself.
    if uri.param("bnc").is_none() || uri.user.is_some() {
        return Err(400);
    }
    let port = uri.port.unwrap_or(5060);
    let contact = match uri.host {
        Host::Name(name) if name.len() <= 64 => format!("{}:{port}", String::from_utf8_lossy(name)),
        Host::Name(_) => return Err(400),
        Host::V4(address) => format!("{}", std::net::SocketAddr::new(IpAddr::V4(address), port)),
        Host::V6(address) => format!("{}", std::net::SocketAddr::new(IpAddr::V6(address), port)),
    };
    Ok(Binding {
        contact,
        boot: number("boot").unwrap_or(0),
        expires: number("expires").unwrap_or(default),
    })
}
