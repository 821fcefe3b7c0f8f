//! Phones are told to fetch their files again when these have changed: a NOTIFY with `Event: check-sync`, which the phones' makers
//! have agreed on, to where the phone is registered. Never in a call.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use shared::id::{IdKey, IdSet};
use sip::{Flow, Instant, Method, Name, Transport, Writer};

use crate::AGENT;
use crate::budget::SIP_PORT;

/// Between two files that are looked at: they are made for it.
const LOOK: Duration = Duration::from_millis(20);
/// Between two looks at a phone that is in a call.
const BUSY: Duration = Duration::from_secs(5);
/// How long a phone has to fetch its file before it is told again, and how often it is told.
const AGAIN: Duration = Duration::from_secs(60);
const TIMES: u8 = 3;

/// Whose files are to be looked at, and who is told to fetch whatever it has.
pub struct Sync {
    look: IdSet,
    ordered: IdSet,
    /// They were told, or are in a call: looked at again.
    later: IdSet,
    again: Instant,
    /// How often that was.
    rounds: u8,
    next: Instant,
}

impl Sync {
    pub const fn new() -> Self {
        Self {
            look: IdSet::EMPTY,
            ordered: IdSet::EMPTY,
            later: IdSet::EMPTY,
            again: Instant::NEVER,
            rounds: 0,
            next: Instant::ZERO,
        }
    }

    /// The files of these IDs may have changed.
    pub fn look(&mut self, ids: IdSet) {
        self.look = self.look.union(ids);
        self.rounds = 0;
    }

    /// These are to fetch, whatever they have.
    pub fn order(&mut self, ids: IdSet) {
        self.ordered = self.ordered.union(ids);
        self.look(ids);
    }

    pub fn next_deadline(&self) -> Option<Instant> {
        let look = (!self.look.is_empty()).then_some(self.next);
        let later = (!self.later.is_empty()).then_some(self.again);
        look.into_iter().chain(later).min()
    }

    /// The next ID to look at, and whether its phone is to fetch whatever it has. Nothing follows unless [`Sync::sent`] or
    /// [`Sync::busy`] is called.
    pub fn poll(&mut self, now: Instant) -> Option<(IdKey, bool)> {
        if now >= self.again {
            self.again = Instant::NEVER;
            self.rounds = self.rounds.saturating_add(1);
            self.look = self.look.union(core::mem::take(&mut self.later));
        }
        let key = self.look.iter().next().filter(|_| now >= self.next)?;
        let is_ordered = self.ordered.contains(key);
        self.look.remove(key);
        self.ordered.remove(key);
        self.next = now + LOOK;
        Some((key, is_ordered))
    }

    /// The phone was told.
    pub fn sent(&mut self, now: Instant, key: IdKey) {
        if self.rounds.saturating_add(1) < TIMES {
            self.look_later(now + AGAIN, key);
        }
    }

    /// The phone is in a call.
    pub fn busy(&mut self, now: Instant, key: IdKey, is_ordered: bool) {
        self.ordered.set(key, is_ordered);
        self.look_later(now + BUSY, key);
    }

    fn look_later(&mut self, at: Instant, key: IdKey) {
        self.later.insert(key);
        self.again = self.again.min(at);
    }
}

/// Where a phone is that is not registered: it listens where phones do.
pub fn unregistered(local: IpAddr, phone: IpAddr) -> Flow {
    Flow {
        transport: Transport::Udp,
        interface: 0,
        stream: 0,
        peer: SocketAddr::new(phone, SIP_PORT),
        local: SocketAddr::new(local, SIP_PORT),
    }
}

/// Writes a NOTIFY; its length, if there is room. `random` makes its names.
pub fn write(flow: &Flow, contact: &[u8], random: u64, buffer: &mut [u8]) -> Option<usize> {
    let Flow { transport, local, .. } = flow;
    let mut w = Writer::new(buffer);
    w.request(Method::Notify, contact);
    w.header(
        Name::Via,
        format_args!("SIP/2.0/{transport} {local};branch=z9hG4bK{random:016x};rport"),
    );
    w.header(Name::MaxForwards, 70);
    w.header(
        Name::From,
        format_args!("<sip:{local}>;tag={:08x}", random as u32),
    );
    w.raw(b"To: <").unfolded(contact).raw(b">\r\n");
    w.header(Name::CallId, format_args!("{random:016x}@{}", local.ip()));
    w.header(Name::CSeq, "1 NOTIFY");
    w.header(
        Name::Contact,
        format_args!("<sip:{local};transport={}>", transport.param()),
    );
    w.header(Name::Event, "check-sync");
    w.header(Name::SubscriptionState, "terminated;reason=noresource");
    w.header(Name::UserAgent, AGENT);
    w.finish_empty().ok()
}
