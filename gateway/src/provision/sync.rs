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

/// Whose files are to be looked at, and who is to be told.
pub struct Sync {
    /// The file may be another than the phone has.
    look: IdSet,
    /// It is.
    due: IdSet,
    /// It was told so, or is in a call: it is looked at again.
    later: IdSet,
    /// How often that was.
    rounds: u8,
    next: Instant,
    again: Instant,
}

/// What is next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Compare the file of this ID's phone: [`Sync::compared`].
    Compare(IdKey),
    /// Tell the phone of this ID: [`Sync::sent`], [`Sync::busy`] or [`Sync::absent`].
    Tell(IdKey),
}

impl Sync {
    pub const fn new() -> Self {
        Self {
            look: IdSet::EMPTY,
            due: IdSet::EMPTY,
            later: IdSet::EMPTY,
            rounds: 0,
            next: Instant::ZERO,
            again: Instant::NEVER,
        }
    }

    /// The files of these IDs may have changed.
    pub fn look(&mut self, ids: IdSet) {
        self.look = self.look.union(ids);
        self.rounds = 0;
    }

    /// These are to fetch, whatever they have.
    pub fn order(&mut self, ids: IdSet) {
        self.due = self.due.union(ids);
        self.rounds = 0;
    }

    pub fn next_deadline(&self) -> Option<Instant> {
        if !self.look.union(self.due).is_empty() {
            return Some(self.next);
        }
        (!self.later.is_empty()).then_some(self.again)
    }

    pub fn poll(&mut self, now: Instant) -> Option<Step> {
        if now >= self.again {
            self.again = Instant::NEVER;
            self.rounds = self.rounds.saturating_add(1);
            self.look = self.look.union(core::mem::take(&mut self.later));
        }
        if now < self.next {
            return None;
        }
        let due = self.due.iter().next();
        due.map(Step::Tell).or_else(|| self.look.iter().next().map(Step::Compare))
    }

    /// The file was compared.
    pub fn compared(&mut self, now: Instant, key: IdKey, is_other: bool) {
        self.look.remove(key);
        self.due.set(key, is_other);
        self.next = now + LOOK;
    }

    /// It was told.
    pub fn sent(&mut self, now: Instant, key: IdKey) {
        self.due.remove(key);
        if self.rounds.saturating_add(1) < TIMES {
            self.look_later(now + AGAIN, key);
        }
    }

    /// It is in a call.
    pub fn busy(&mut self, now: Instant, key: IdKey) {
        self.due.remove(key);
        self.look_later(now + BUSY, key);
    }

    /// There is nobody to tell; a phone that registers is looked at.
    pub fn absent(&mut self, key: IdKey) {
        self.due.remove(key);
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
    w.header(Name::From, format_args!("<sip:{local}>;tag={:08x}", random as u32));
    w.raw(b"To: <").unfolded(contact).raw(b">\r\n");
    w.header(Name::CallId, format_args!("{random:016x}@{}", local.ip()));
    w.header(Name::CSeq, "1 NOTIFY");
    w.header(Name::Contact, format_args!("<sip:{local};transport={}>", transport.param()));
    w.header(Name::Event, "check-sync");
    w.header(Name::SubscriptionState, "terminated;reason=noresource");
    w.header(Name::UserAgent, AGENT);
    w.finish_empty().ok()
}
