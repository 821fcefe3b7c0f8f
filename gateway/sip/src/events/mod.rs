//! Event notification (RFC 6665): the notifier. Who may watch what, and what is to be seen there, is the owner's business.
//!
//! ```text
//! SUBSCRIBE -> find()       New: subscribe(); Known: refresh(); Repeated: nothing; then write_ok()
//!                           Overtaken: 500, Gone: 481
//! something has changed     changed(), end()
//! poll() -> Due             a NOTIFY is to be sent: notify() writes it, with the state of this moment
//! answer to a NOTIFY        receive()
//! ```
//!
//! A subscription keeps no state of what it watches: a NOTIFY is written when it leaves, so that the newest state goes out and
//! nothing that is past does. One is on its way at a time. What comes later waits for its answer; and when it has to be
//! repeated because there is none, and says what is not so any more, a new one goes in its place.

pub mod dialog_info;
mod headers;
mod machine;
mod notify;
pub mod summary;
#[cfg(test)]
mod tests;

use core::fmt;
use core::time::Duration;

pub use crate::b2bua::Text;
use crate::header::Name;
use crate::message::Message;
use crate::pool::{self, Key, Pool};
use crate::siphash::SipHash;
use crate::time::Instant;
use crate::transaction::Timers;
pub use headers::{Event, Reason, State, SubscriptionState, accepts};
use machine::{Phase, Tick};
pub use notify::Notify;

/// Most bytes that are kept of a subscription's texts: Call-ID, the other side's tag, its contact where that is needed, and
/// the `id` of its Event; beyond it 513.
pub const TEXT_MAX: usize = if cfg!(feature = "std") { 640 } else { 128 };

/// How a notifier speaks.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// Server and User-Agent.
    pub agent: &'static str,
    /// Base timers.
    pub timers: Timers,
    /// Least time between two NOTIFYs of one subscription, the first of which has its answer.
    pub gap: Duration,
    /// Least time between any two NOTIFYs.
    pub pace: Duration,
}

/// What a SUBSCRIBE is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// A subscription that is not there yet.
    New,
    /// A later request of this one.
    Known(Key),
    /// The last request of this one again: it gets the same answer.
    Repeated(Key),
    /// An earlier request of a subscription than its last (RFC 3261 §12.2.2): 500.
    Overtaken,
    /// A subscription that is not there any more: 481.
    Gone,
}

/// Why a subscription is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No room.
    NoRoom,
    /// Its texts are larger than what is kept.
    TooLarge,
    /// A mandatory field is missing.
    Malformed,
}

impl Refusal {
    /// The SIP status that tells the subscriber.
    pub const fn status(self) -> u16 {
        match self {
            Self::NoRoom => 503,
            Self::TooLarge => 513,
            Self::Malformed => 400,
        }
    }
}

/// A NOTIFY that is to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// The subscription.
    pub key: Key,
    /// What the owner knows it by.
    pub user: u32,
    /// How many NOTIFYs of this subscription said something else before: the version of a document.
    pub version: u32,
}

/// What happened, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// NOTIFYs that went out, repetitions included.
    pub sent: u32,
    /// NOTIFYs that went out again.
    pub repeated: u32,
    /// NOTIFYs that nobody answered.
    pub unanswered: u32,
    /// NOTIFYs that did not fit the caller's buffer.
    pub overflow: u32,
    /// Subscriptions refused for want of room.
    pub no_room: u32,
    /// SUBSCRIBEs for a subscription that is not there.
    pub gone: u32,
}

/// A subscription, and what its texts hold where.
#[derive(Clone, Debug)]
pub struct Subscription {
    user: u32,
    /// With its handle, our tag.
    nonce: u32,
    /// CSeq of the last NOTIFY.
    seq: u32,
    remote_cseq: u32,
    expires: Tick,
    /// Of a NOTIFY on its way: when it is repeated or given up. Otherwise: no other NOTIFY before.
    next: Tick,
    phase: Phase,
    texts: Texts,
}

/// The texts of a subscription, one behind the other.
#[derive(Clone, Debug)]
struct Texts {
    bytes: Text<TEXT_MAX>,
    /// Lengths of Call-ID, tag and contact; what is left is the `id` of Event.
    ends: [u16; 3],
}

impl Texts {
    fn new(texts: [&[u8]; 4]) -> Result<Self, Refusal> {
        let mut all = Self {
            bytes: Text::new(),
            ends: [0; 3],
        };
        for (at, text) in texts.into_iter().enumerate() {
            all.bytes.extend_from_slice(text).map_err(|_| Refusal::TooLarge)?;
            if let Some(end) = all.ends.get_mut(at) {
                *end = all.bytes.len() as u16;
            }
        }
        Ok(all)
    }

    fn part(&self, from: u16, to: usize) -> &[u8] {
        self.bytes.get(usize::from(from)..to).unwrap_or_default()
    }

    fn call_id(&self) -> &[u8] {
        self.part(0, self.ends[0].into())
    }

    fn tag(&self) -> &[u8] {
        self.part(self.ends[0], self.ends[1].into())
    }

    fn target(&self) -> &[u8] {
        self.part(self.ends[1], self.ends[2].into())
    }

    fn event_id(&self) -> &[u8] {
        self.part(self.ends[2], self.bytes.len())
    }
}

/// All subscriptions at one notifier.
pub struct Subscriptions<'s> {
    pool: Pool<'s, Subscription>,
    secret: [u64; 2],
    /// How many tags were made here.
    made: u64,
    config: Config,
    /// Nothing is due before.
    earliest: Instant,
    /// No NOTIFY before.
    paced: Instant,
    counters: Counters,
}

impl<'s> Subscriptions<'s> {
    /// No subscriptions. `secret` is fresh randomness of this start.
    pub fn new(
        storage: impl Into<pool::Storage<'s, Subscription>>,
        secret: [u64; 2],
        config: Config,
    ) -> Self {
        Self {
            pool: Pool::new(storage),
            secret,
            made: 0,
            config,
            earliest: Instant::NEVER,
            paced: Instant::ZERO,
            counters: Counters::default(),
        }
    }

    /// What a SUBSCRIBE is about: its To tag names the subscription, or it is the first, which may come twice.
    pub fn find(&mut self, message: &Message<'_>) -> Found {
        let (Some(id), Some(from), Some(to), Some(cseq)) =
            (message.call_id(), message.from(), message.to(), message.cseq())
        else {
            return Found::Gone;
        };
        let Some(tag) = from.tag() else {
            return Found::Gone;
        };
        let same = |sub: &Subscription| sub.texts.call_id() == id && sub.texts.tag() == tag;
        let key = match to.tag() {
            None => self.pool.find(same),
            Some(ours) => match self.by_tag(ours).filter(|(_, sub)| same(sub)) {
                Some((key, _)) => Some(key),
                None => {
                    self.counters.gone = self.counters.gone.wrapping_add(1);
                    return Found::Gone;
                }
            },
        };
        let Some((key, sub)) = key.and_then(|key| Some((key, self.pool.get(key)?))) else {
            return Found::New;
        };
        match cseq.seq.cmp(&sub.remote_cseq) {
            core::cmp::Ordering::Less => Found::Overtaken,
            core::cmp::Ordering::Equal => Found::Repeated(key),
            core::cmp::Ordering::Greater => Found::Known(key),
        }
    }

    fn by_tag(&self, tag: &[u8]) -> Option<(Key, &Subscription)> {
        let (key, nonce) = crate::b2bua::parse_tag(tag)?;
        let key = Key::from_bits(key);
        let sub = self.pool.get(key)?;
        (sub.nonce == nonce).then_some((key, sub))
    }

    /// Takes the subscription that a SUBSCRIBE asks for; its first NOTIFY is due. `user` is what the owner knows it by.
    /// `expires` is what was granted: zero for a single NOTIFY (RFC 6665 §4.4.3). `target` is the contact of the subscriber,
    /// unless the owner has it anyway.
    pub fn subscribe(
        &mut self,
        now: Instant,
        message: &Message<'_>,
        user: u32,
        expires: Duration,
        target: Option<&[u8]>,
    ) -> Result<Key, Refusal> {
        let (Some(id), Some(tag), Some(cseq)) = (
            message.call_id(),
            message.from().and_then(|from| from.tag()),
            message.cseq(),
        ) else {
            return Err(Refusal::Malformed);
        };
        let event = message.header(Name::Event).and_then(Event::parse);
        let event_id = event.and_then(|event| event.id).unwrap_or_default();
        self.made = self.made.wrapping_add(1);
        let sub = Subscription {
            user,
            nonce: SipHash::new(self.secret).byte(0).word(self.made).finish() as u32,
            seq: 0,
            remote_cseq: cseq.seq,
            expires: Tick::at(now + expires),
            next: Tick::default(),
            phase: Phase::granted(expires),
            texts: Texts::new([id, tag, target.unwrap_or_default(), event_id])?,
        };
        self.earliest = Instant::ZERO;
        self.pool.insert(sub).map_err(|_| {
            self.counters.no_room = self.counters.no_room.wrapping_add(1);
            Refusal::NoRoom
        })
    }

    /// A later SUBSCRIBE of a subscription: it lasts `expires` from now, zero to end it, and gets a NOTIFY
    /// (RFC 6665 §4.2.1.2).
    pub fn refresh(
        &mut self,
        now: Instant,
        key: Key,
        message: &Message<'_>,
        expires: Duration,
        target: Option<&[u8]>,
    ) -> Result<(), Refusal> {
        let cseq = message.cseq().ok_or(Refusal::Malformed)?;
        let Some(sub) = self.pool.get_mut(key) else {
            return Ok(());
        };
        let texts = &sub.texts;
        if texts.target() != target.unwrap_or_default() {
            let parts = [
                texts.call_id(),
                texts.tag(),
                target.unwrap_or_default(),
                texts.event_id(),
            ];
            sub.texts = Texts::new(parts)?;
        }
        sub.remote_cseq = cseq.seq;
        sub.expires = Tick::at(now + expires);
        sub.next = Tick::default();
        sub.phase = Phase::granted(expires);
        self.earliest = Instant::ZERO;
        Ok(())
    }

    /// What is to be seen has changed for the subscriptions that `whose` wants.
    pub fn changed(&mut self, whose: impl Fn(u32) -> bool) {
        for (_, sub) in self.pool.iter_mut().filter(|(_, sub)| whose(sub.user)) {
            sub.phase.is_new = true;
            self.earliest = Instant::ZERO;
        }
    }

    /// Gives each subscription another number of the owner's, or ends it for want of what it watched.
    pub fn rename(&mut self, new: impl Fn(u32) -> Option<u32>) {
        for (_, sub) in self.pool.iter_mut() {
            match new(sub.user) {
                Some(user) => sub.user = user,
                None => sub.phase.end(Reason::NoResource),
            }
            sub.phase.is_new = true;
        }
        self.earliest = Instant::ZERO;
    }

    /// Drops, without a word, the subscriptions that `whose` wants: their subscribers are gone.
    pub fn forget(&mut self, whose: impl Fn(u32) -> bool) {
        while let Some(key) = self.pool.find(|sub| whose(sub.user)) {
            self.pool.remove(key);
        }
    }

    /// What the owner knows a subscription by.
    pub fn user(&self, key: Key) -> Option<u32> {
        self.pool.get(key).map(|sub| sub.user)
    }

    /// Sets what the owner knows a subscription by.
    pub fn set_user(&mut self, key: Key, user: u32) {
        if let Some(sub) = self.pool.get_mut(key) {
            sub.user = user;
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.pool.len()
    }

    /// Whether nobody watches anything.
    pub fn is_empty(&self) -> bool {
        self.pool.is_empty()
    }

    /// What happened.
    pub fn counters(&self) -> Counters {
        self.counters
    }
}

/// Our tag.
struct Tag(Key, u32);

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}{:08x}", self.0.to_bits(), self.1)
    }
}
