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
mod table;
#[cfg(test)]
mod tests;

use core::fmt;
use core::time::Duration;

use crate::header::Name;
use crate::message::Message;
use crate::pool::Key;
use crate::siphash::SipHash;
use crate::text::{self, Text, Texts};
use crate::time::Instant;
use crate::transaction::Timers;
pub use headers::{Event, Reason, State, SubscriptionState, accepts};
use machine::{Phase, Tick};
pub use notify::Notify;
pub use table::Slot;
use table::Table;

/// Most bytes that are kept of a subscription's texts: Call-ID, the other side's tag, its contact where that is needed, and
/// the `id` of its Event; beyond it 513.
pub const TEXT_MAX: usize = 640;

/// Parts of [`Subscription::names`].
const CALL_ID: usize = 0;
const TAG: usize = 1;
const TARGET: usize = 2;
const EVENT_ID: usize = 3;

/// The room for everything that is kept; sizes are the caller's.
pub struct Storage<'s> {
    /// Subscriptions.
    pub subscriptions: crate::storage::Storage<'s, Slot>,
    /// Their texts: mostly a block each.
    pub texts: text::Storage<'s>,
}

#[cfg(any(test, feature = "std"))]
impl Storage<'static> {
    /// Room that grows to so many subscriptions and blocks of texts.
    pub fn growable(subscriptions: usize, blocks: usize) -> Self {
        Self {
            subscriptions: crate::storage::Storage::growable(subscriptions),
            texts: text::Storage::growable(blocks),
        }
    }
}

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

/// A number that may lie at any even address: there are hundreds of subscriptions, and no byte is lost between their fields.
#[derive(Clone, Copy, Debug, Default)]
#[repr(Rust, packed(2))]
struct Word(u32);

/// A subscription.
#[derive(Debug)]
struct Subscription {
    user: Word,
    /// CSeq of the last NOTIFY.
    seq: Word,
    remote_cseq: Word,
    expires: Tick,
    /// Of a NOTIFY on its way: when it is repeated or given up. Otherwise: no other NOTIFY before.
    next: Tick,
    phase: Phase,
    names: Text<4>,
}

/// All subscriptions at one notifier.
pub struct Subscriptions<'s> {
    table: Table<'s>,
    texts: Texts<'s>,
    secret: [u64; 2],
    config: Config,
    /// No NOTIFY before.
    paced: Instant,
    counters: Counters,
}

impl<'s> Subscriptions<'s> {
    /// No subscriptions. `secret` is fresh randomness of this start.
    pub fn new(storage: Storage<'s>, secret: [u64; 2], config: Config) -> Self {
        Self {
            table: Table::new(storage.subscriptions),
            texts: Texts::new(storage.texts),
            secret,
            config,
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
        let texts = &self.texts;
        let same = |sub: &Subscription| texts.is(&sub.names, CALL_ID, id) && texts.is(&sub.names, TAG, tag);
        let key = match to.tag() {
            None => self.table.find(same),
            Some(ours) => match self.by_tag(ours).filter(|(_, sub)| same(sub)) {
                Some((key, _)) => Some(key),
                None => {
                    self.counters.gone = self.counters.gone.wrapping_add(1);
                    return Found::Gone;
                }
            },
        };
        let Some((key, sub)) = key.and_then(|key| Some((key, self.table.get(key)?))) else {
            return Found::New;
        };
        let Word(last) = sub.remote_cseq;
        match cseq.seq.cmp(&last) {
            core::cmp::Ordering::Less => Found::Overtaken,
            core::cmp::Ordering::Equal => Found::Repeated(key),
            core::cmp::Ordering::Greater => Found::Known(key),
        }
    }

    /// With its handle, our tag of a subscription.
    fn nonce(&self, key: Key) -> u32 {
        let mut hash = SipHash::new(self.secret);
        hash.byte(0).word(key.to_bits().into()).finish() as u32
    }

    fn by_tag(&self, tag: &[u8]) -> Option<(Key, &Subscription)> {
        let (key, nonce) = crate::b2bua::parse_tag(tag)?;
        let key = Key::from_bits(key);
        let sub = self.table.get(key)?;
        (self.nonce(key) == nonce).then_some((key, sub))
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
        let names = [id, tag, target.unwrap_or_default(), event_id];
        if names.iter().map(|name| name.len()).sum::<usize>() > TEXT_MAX {
            return Err(Refusal::TooLarge);
        }
        let taken = self.texts.store(names).map_err(|_| None).and_then(|names| {
            let sub = Subscription {
                user: Word(user),
                seq: Word(0),
                remote_cseq: Word(cseq.seq),
                expires: Tick::at(now + expires),
                next: Tick::default(),
                phase: Phase::granted(expires),
                names,
            };
            self.table.insert(sub).map_err(Some)
        });
        taken.map_err(|refused| {
            if let Some(mut sub) = refused {
                self.texts.free(&mut sub.names);
            }
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
        let Some(sub) = self.table.get_mut(key) else {
            return Ok(());
        };
        let target = target.unwrap_or_default();
        if !self.texts.is(&sub.names, TARGET, target) {
            let mut sheet = [0; TEXT_MAX];
            let [id, tag, _, event_id] = self.texts.read(&sub.names, &mut sheet).ok_or(Refusal::TooLarge)?;
            if id.len() + tag.len() + target.len() + event_id.len() > TEXT_MAX {
                return Err(Refusal::TooLarge);
            }
            let names = [id, tag, target, event_id];
            self.texts
                .replace(&mut sub.names, names)
                .map_err(|_| Refusal::NoRoom)?;
        }
        sub.remote_cseq = Word(cseq.seq);
        sub.expires = Tick::at(now + expires);
        sub.next = Tick::default();
        sub.phase = Phase::granted(expires);
        self.table.schedule(key);
        Ok(())
    }

    /// What is to be seen has changed for the subscriptions that `whose` wants.
    pub fn changed(&mut self, whose: impl Fn(u32) -> bool) {
        self.table.change(|sub| {
            let is_its = whose(sub.user.0);
            sub.phase.is_new |= is_its;
            is_its
        });
    }

    /// Gives each subscription another number of the owner's, or ends it for want of what it watched.
    pub fn rename(&mut self, new: impl Fn(u32) -> Option<u32>) {
        self.table.change(|sub| {
            match new(sub.user.0) {
                Some(user) => sub.user = Word(user),
                None => sub.phase.end(Reason::NoResource),
            }
            sub.phase.is_new = true;
            true
        });
    }

    /// Drops, without a word, the subscriptions that `whose` wants: their subscribers are gone.
    pub fn forget(&mut self, whose: impl Fn(u32) -> bool) {
        while let Some(key) = self.table.find(|sub| whose(sub.user.0)) {
            self.remove(key);
        }
    }

    fn remove(&mut self, key: Key) {
        if let Some(mut sub) = self.table.remove(key) {
            self.texts.free(&mut sub.names);
        }
    }

    /// What the owner knows a subscription by.
    pub fn user(&self, key: Key) -> Option<u32> {
        self.table.get(key).map(|sub| sub.user.0)
    }

    /// Sets what the owner knows a subscription by.
    pub fn set_user(&mut self, key: Key, user: u32) {
        if let Some(sub) = self.table.get_mut(key) {
            sub.user = Word(user);
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether nobody watches anything.
    pub fn is_empty(&self) -> bool {
        self.table.len() == 0
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
