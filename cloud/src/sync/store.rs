//! What the synchronisation needs of a database.

use std::fmt;
use std::future::Future;

use shared::BoxId;
use shared::site::{Hash, Section, SectionKind, root_hash};
use shared::sync::{Ack, Event, EventId, Hello, HubReport, Nack, RawEvent};

/// The configuration a box should have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Desired {
    /// Its epoch; rises with every change.
    pub epoch: u64,
    /// When it was issued, seconds since 1970.
    pub issued: u64,
    /// Its sections, in the order of [`SectionKind::ALL`].
    pub sections: [Section; 4],
}

impl Desired {
    /// Its root hash.
    pub fn root(&self) -> Hash {
        root_hash(&self.sections)
    }
}

/// A section and its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// What the manifest says about it.
    pub section: Section,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// An event as it came from a box.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// Its identity within the box.
    pub id: EventId,
    /// The encoded event, to be kept as it is.
    pub bytes: Vec<u8>,
    /// The event, if this program knows its schema; one it does not know is kept all the same.
    pub event: Option<Event>,
}

impl From<RawEvent<'_>> for Received {
    fn from(raw: RawEvent<'_>) -> Self {
        Self {
            id: raw.id,
            bytes: raw.bytes.to_vec(),
            event: raw.decode().ok(),
        }
    }
}

/// What became known about a box.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// It connected and said this. If its epoch and root are the desired ones, they are in use.
    Online(Hello),
    /// It is gone.
    Offline,
    /// It uses this configuration.
    Applied(Ack),
    /// It refused a configuration.
    Refused(Nack),
    /// This is at its ports.
    Hub(Box<HubReport>),
}

/// The database behind the synchronisation. Every method is one transaction: done wholly or not at all.
pub trait SyncStore: Send + Sync {
    /// Why it failed.
    type Error: fmt::Debug + fmt::Display + Send + Sync + 'static;

    /// The configuration this box should have, if it was ever given one.
    fn desired(&self, of: BoxId) -> impl Future<Output = Result<Option<Desired>, Self::Error>> + Send;

    /// The bytes of the section of this kind and hash, if the box's desired configuration has it.
    fn section(
        &self,
        of: BoxId,
        kind: SectionKind,
        hash: &Hash,
    ) -> impl Future<Output = Result<Option<Vec<u8>>, Self::Error>> + Send;

    /// At most `len` bytes, at least one, from `offset` of the file of this hash, if the box's desired configuration names
    /// it; none are behind its end.
    fn file(
        &self,
        of: BoxId,
        hash: &Hash,
        offset: u32,
        len: usize,
    ) -> impl Future<Output = Result<Option<Vec<u8>>, Self::Error>> + Send;

    /// Replaces the desired configuration; its epoch is one more than the greater of the last epoch and `above`.
    fn issue(
        &self,
        to: BoxId,
        sections: &[Encoded; 4],
        issued: u64,
        above: u64,
    ) -> impl Future<Output = Result<Desired, Self::Error>> + Send;

    /// Stores those of these events, in their order, whose identity (box, boot, seq) is not stored yet. `now` is the
    /// time of arrival in milliseconds since 1970.
    fn commit(
        &self,
        from: BoxId,
        events: &[Received],
        now: u64,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// The last event stored from this box, in the order of arrival.
    fn last_event(&self, from: BoxId) -> impl Future<Output = Result<Option<EventId>, Self::Error>> + Send;

    /// Remembers what became known about a box.
    fn report(&self, from: BoxId, report: &Report) -> impl Future<Output = Result<(), Self::Error>> + Send;
}
