//! Who is there, on which way, and for how long: boxes for their sites, and phones whose box is away.
//!
//! What comes on the way that a REGISTER came is its peer's, and there the peer is called, whatever it says of itself. What
//! a box says and asks for is in `gin`, what a phone does in `phone`.

mod gin;
mod phone;

use std::net::IpAddr;
use std::time::Duration;

use shared::BoxId;
use sip::digest::{self, Credentials, Protected, Verdict};
use sip::{Flow, Instant, Message, Name};

use super::limit::REFUSED_COST;
use super::{Line, Pbx, Peer, Queued, Relays};

/// A connection that has not registered by then is closed.
const REGISTER_WITHIN: Duration = Duration::from_secs(10);
/// How long calls wait for a peer whose connection broke, to come back on another.
const HOLD_OUT: Duration = Duration::from_secs(6);
/// Seconds after which somebody who is refused for want of anything may ask again.
const RETRY_AFTER: u32 = 5;
/// Extensions a REGISTER may require.
const SUPPORTED: [&str; 2] = ["gin", "outbound"];

/// A connection.
#[derive(Debug)]
pub(super) struct Stream {
    heard: Instant,
    opened: Instant,
}

/// What tells one life of a peer from the next: calls go on with the same one alone.
#[derive(Debug)]
enum Life {
    /// A box says how often it had started.
    Box { boot: u32 },
    /// A phone keeps its Call-ID (RFC 3261 §10.2.4); the last REGISTER is known by the other two.
    Phone { call: Vec<u8>, cseq: u32, nonce: u32 },
}

impl Life {
    fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Box { boot }, Self::Box { boot: other }) => boot == other,
            (Self::Phone { call, .. }, Self::Phone { call: other, .. }) => call == other,
            _ => false,
        }
    }
}

/// A peer's way to us, which is ours to it.
#[derive(Debug)]
pub(super) struct Registration {
    pub flow: Flow,
    /// Where it says it is: `host:port` of a box, the URI of a phone.
    pub contact: String,
    /// Its user name.
    user: String,
    life: Life,
    pub since: Instant,
    pub expires: Instant,
    /// The connection broke: calls wait until then.
    away: Option<Instant>,
}

impl Registration {
    pub fn is_there(&self) -> bool {
        self.away.is_none()
    }

    /// How often a box had started.
    pub fn boot(&self) -> u32 {
        match self.life {
            Life::Box { boot } => boot,
            Life::Phone { .. } => 0,
        }
    }
}

/// Whose secret a request proves.
pub(super) struct Proof {
    pub peer: Peer,
    /// The nonce and its count were used before.
    pub replayed: bool,
    nonce: u32,
}

/// How a request is challenged: REGISTER by its registrar, others by a proxy (RFC 3261 §22).
#[derive(Clone, Copy)]
pub(super) struct Challenged {
    status: u16,
    by: Name,
    answered_by: Name,
}

impl Challenged {
    const REGISTER: Self = Self {
        status: 401,
        by: Name::WwwAuthenticate,
        answered_by: Name::Authorization,
    };
    pub const CALL: Self = Self {
        status: 407,
        by: Name::ProxyAuthenticate,
        answered_by: Name::ProxyAuthorization,
    };
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
            }
        });
        stream.heard = now;
        true
    }

    /// Who is registered on this way.
    pub(super) fn peers_on(&self, flow: &Flow) -> impl Iterator<Item = Peer> {
        let peers = self.ways.get(flow).into_iter().flatten().copied();
        peers.filter(|peer| self.is_there(*peer))
    }

    /// The box that is registered on this connection.
    pub(super) fn box_on(&self, flow: &Flow) -> Option<BoxId> {
        self.peers_on(flow).find_map(|peer| match peer {
            Peer::Box(id) => Some(id),
            Peer::Phone(_) => None,
        })
    }

    /// Can it be called?
    pub(super) fn is_there(&self, peer: Peer) -> bool {
        self.registrations.get(&peer).is_some_and(Registration::is_there)
    }

    pub(super) fn on_register(&mut self, now: Instant, flow: Flow, message: &Message<'_>) {
        if self.peers_on(&flow).next().is_none() && !self.limiter.admit(now, flow.peer.ip(), 1) {
            self.counters.limited += 1;
            // A datagram may be anybody's, and whoever means it repeats it.
            if flow.is_reliable() {
                self.answer(flow, message, 503, |w| {
                    _ = w.header(Name::RetryAfter, RETRY_AFTER)
                });
            }
            return;
        }
        if let Err(fault) = message.screen(&SUPPORTED) {
            return self.answer(flow, message, fault.status().unwrap_or(400), |w| {
                for tag in message.unsupported(&SUPPORTED) {
                    w.header_bytes(Name::Unsupported, tag);
                }
            });
        }
        let Some(proof) = self.authenticate(now, flow, message, Challenged::REGISTER) else {
            return;
        };
        // Nobody learns from here which other users there are.
        let user = message.to().and_then(|to| to.parsed_uri()?.user);
        if user.and_then(|user| self.directory.peer(user)) != Some(proof.peer) {
            return self.refuse_secret(now, flow, message, true);
        }
        if message.has(Name::Path) {
            return self.answer(flow, message, 420, |w| _ = w.header(Name::Unsupported, "path"));
        }
        match proof.peer {
            Peer::Box(id) => self.box_registers(now, flow, message, id, proof),
            Peer::Phone(line) => self.phone_registers(now, flow, message, line, proof),
        }
    }

    /// Whose secret the request proves; otherwise it is answered.
    pub(super) fn authenticate(
        &mut self,
        now: Instant,
        flow: Flow,
        message: &Message<'_>,
        how: Challenged,
    ) -> Option<Proof> {
        let realm = self.directory.realm().as_bytes();
        let credentials = Credentials::find(message, how.answered_by, realm);
        let (Some(credentials), Some(protected)) = (credentials, Protected::of(message)) else {
            self.challenge(now, flow, message, how, false);
            return None;
        };
        let from = flow.peer.ip();
        let peer = self.directory.peer(credentials.username);
        let secret = peer.and_then(|peer| self.directory.secret(peer));
        let verdict = self.nonces.verify(now, from, &credentials, protected, secret);
        match (verdict, peer) {
            (Verdict::Accepted | Verdict::Replayed, Some(peer)) => Some(Proof {
                peer,
                replayed: verdict == Verdict::Replayed,
                nonce: credentials.nonce_number(),
            }),
            (Verdict::Stale, Some(_)) => {
                self.challenge(now, flow, message, how, true);
                None
            }
            (Verdict::Refused { challenged }, _) => {
                self.refuse_secret(now, flow, message, challenged);
                None
            }
            (_, None) => {
                self.refuse_secret(now, flow, message, true);
                None
            }
        }
    }

    /// A wrong password, or somebody else's name. It costs the address only if the sender was surely there: what is
    /// sent to it arrives.
    fn refuse_secret(&mut self, now: Instant, flow: Flow, message: &Message<'_>, was_there: bool) {
        self.counters.refused += 1;
        if was_there || flow.is_reliable() {
            self.limiter.admit(now, flow.peer.ip(), REFUSED_COST);
        }
        self.answer(flow, message, 403, |_| {});
    }

    pub(super) fn challenge(
        &mut self,
        now: Instant,
        flow: Flow,
        message: &Message<'_>,
        how: Challenged,
        stale: bool,
    ) {
        let nonce = self.nonces.issue(now, flow.peer.ip());
        let realm = self.directory.realm().to_string();
        self.answer(flow, message, how.status, |w| {
            digest::write_challenges(w, how.by, &realm, nonce, stale);
        });
    }

    fn bind(&mut self, now: Instant, peer: Peer, new: Registration) {
        let flow = new.flow;
        let others: Vec<Peer> = self.peers_on(&flow).filter(|other| *other != peer).collect();
        for other in others {
            // One connection, one box; the phones of an adapter may share one.
            if matches!((peer, other), (Peer::Box(_), _) | (_, Peer::Box(_))) {
                self.forget(now, other, false);
            }
        }
        let old = self.registrations.remove(&peer);
        let goes_on = old.as_ref().is_some_and(|old| old.life.is(&new.life));
        let refreshed = old.as_ref().filter(|old| goes_on && old.flow == flow);
        let since = refreshed.map_or(new.since, |old| old.since);
        let tells = refreshed.is_none_or(|old| old.contact != new.contact);
        if let Some(old) = old.filter(|old| old.flow != flow || !goes_on) {
            self.leave(&old.flow, peer);
            let alone = !self.ways.contains_key(&old.flow);
            match peer {
                _ if goes_on && alone => self.calls.flow_moved(old.flow, flow),
                // It started anew: it knows nothing of its calls any more.
                Peer::Box(_) => self.calls.flow_lost(now, old.flow),
                // Another terminal (R6), which has nothing to do with the calls of the one before.
                Peer::Phone(_) => {}
            }
            if alone && old.flow != flow {
                self.close(old.flow);
            }
        }
        self.earliest = self.earliest.min(new.expires);
        if let Peer::Box(_) = peer {
            self.earliest = self.earliest.min(now + self.config.silence);
        }
        let peers = self.ways.entry(flow).or_default();
        if !peers.contains(&peer) {
            peers.push(peer);
        }
        if tells {
            self.tell(peer, &new.user, Some(new.contact.clone()));
        }
        self.registrations.insert(peer, Registration { since, ..new });
    }

    fn tell(&mut self, peer: Peer, user: &str, contact: Option<String>) {
        let user = user.to_string();
        self.out.push_back(Queued::Registration(peer, user, contact));
    }

    /// Somebody has nothing to do with this way any more.
    fn leave(&mut self, flow: &Flow, peer: Peer) {
        if let Some(peers) = self.ways.get_mut(flow) {
            peers.retain(|other| *other != peer);
            if peers.is_empty() {
                self.ways.remove(flow);
            }
        }
    }

    /// A registration is over. What rings at a box stops, and so do its calls; a phone has most likely gone home, and what
    /// it talks about goes on.
    fn forget(&mut self, now: Instant, peer: Peer, close: bool) {
        let Some(gone) = self.registrations.remove(&peer) else {
            return;
        };
        self.leave(&gone.flow, peer);
        if let Some(stream) = self.streams.get_mut(&gone.flow) {
            stream.opened = now;
            self.earliest = self.earliest.min(now + REGISTER_WITHIN);
        }
        if gone.is_there() {
            self.tell(peer, &gone.user, None);
        }
        let alone = !self.ways.contains_key(&gone.flow);
        if close && alone && matches!(peer, Peer::Box(_)) {
            self.close(gone.flow);
        }
        if alone && (!gone.is_there() || matches!(peer, Peer::Box(_))) {
            self.calls.flow_lost(now, gone.flow);
        }
    }

    pub(super) fn on_closed(&mut self, now: Instant, flow: Flow) {
        self.streams.remove(&flow);
        let peers = self.ways.get(&flow).cloned().unwrap_or_default();
        if peers.is_empty() {
            // Whoever was there is gone for good.
            return self.calls.flow_lost(now, flow);
        }
        let until = now + HOLD_OUT;
        for peer in peers {
            let way = self.registrations.get_mut(&peer);
            let Some(way) = way.filter(|way| way.is_there()) else {
                continue;
            };
            way.away = Some(until);
            let user = way.user.clone();
            self.earliest = self.earliest.min(until);
            self.tell(peer, &user, None);
            // Answered calls wait for it to come back; whoever only rings it is told at once.
            self.stop_ringing(now, peer);
        }
    }

    /// Whoever is not in the directory any more, or has another secret, is not registered.
    pub(super) fn on_directory(&mut self, now: Instant, before: &super::Directory) {
        let secrets = |peer| (self.directory.secret(peer), before.secret(peer));
        let peers = self.registrations.keys().copied();
        let gone: Vec<Peer> = peers
            .filter(|peer| match secrets(*peer) {
                (Some(secret), Some(before)) => secret != before,
                _ => true,
            })
            .collect();
        for peer in gone {
            self.forget(now, peer, true);
        }
    }

    /// What time brings to connections and registrations.
    pub(super) fn tick(&mut self, now: Instant) {
        let lost: Vec<Peer> = self
            .registrations
            .iter()
            .filter(|(peer, way)| now >= self.ends(**peer, way))
            .map(|(peer, _)| *peer)
            .collect();
        for peer in lost {
            self.forget(now, peer, true);
        }
        let strangers = |pbx: &Self| -> Vec<Flow> {
            let strangers = pbx.streams.keys().filter(|flow| !pbx.ways.contains_key(flow));
            strangers.copied().collect()
        };
        for flow in strangers(self) {
            let Some(stream) = self.streams.get_mut(&flow) else {
                continue;
            };
            if now < stream.opened + REGISTER_WITHIN {
                continue;
            }
            // A phone that went home in a call has yet to end it.
            match self.calls.carries(&flow) {
                true => stream.opened = now,
                false => self.close(flow),
            }
        }
        let ends = self.registrations.iter().map(|(peer, way)| self.ends(*peer, way));
        let strangers = strangers(self).into_iter();
        let due = strangers.filter_map(|flow| Some(self.streams.get(&flow)?.opened + REGISTER_WITHIN));
        self.earliest = ends.chain(due).min().unwrap_or(Instant::NEVER);
    }

    /// When a registration ends unless something is heard. A box is heard all the time, a phone need not be.
    fn ends(&self, peer: Peer, way: &Registration) -> Instant {
        match (way.away, peer) {
            (Some(until), _) => until,
            (None, Peer::Phone(_)) => way.expires + phone::SLACK,
            (None, Peer::Box(_)) => {
                let stream = self.streams.get(&way.flow);
                let silent = stream.map_or(Instant::NEVER, |stream| stream.heard + self.config.silence);
                way.expires.min(silent)
            }
        }
    }
}

/// Names a contact as it came, in the answer to the REGISTER that brought it.
fn write_contact(w: &mut sip::Writer<'_>, message: &Message<'_>, uri: &[u8], expires: u32) {
    w.raw(b"Contact: <").unfolded(uri).raw(b">");
    let own = message.contacts().find(|contact| contact.uri == uri);
    for name in ["+sip.instance", "reg-id"] {
        if let Some(value) = own.as_ref().and_then(|contact| contact.param(name)) {
            w.raw(b";").raw(name.as_bytes()).raw(b"=").unfolded(value);
        }
    }
    w.raw(format!(";expires={expires}\r\n").as_bytes());
}

/// `host:port`.
fn host_port(address: IpAddr, port: u16) -> String {
    std::net::SocketAddr::new(address, port).to_string()
}
