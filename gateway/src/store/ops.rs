//! What the brain asks of the store, and the answers.

use heapless::Vec;
use shared::hub::PhoneModel;
use shared::id::IdKey;
use shared::site::{Section, SectionKind};
use shared::sync::{EventId, MAX_EVENT};

use super::config::Committed;

/// Most bytes of a setting.
pub const MAX_VALUE: usize = 384;

/// Most bytes of a section or a file that are handed over at once: what an operation needs room for, wherever it waits.
pub const MAX_PIECE: usize = 512;

/// Most bytes of a batch of events read from the queue at once: four legs of calls.
pub const MAX_BATCH: usize = 512;

/// Operations that the brain has under way at once: one that keeps bindings, what phones were given or which ports are off, and one
/// of the uplink's.
pub const UNDER_WAY: usize = 2;

/// Chosen by who sends an operation, and given back with its result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Token(pub u32);

/// Which setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key(u16);

impl Key {
    /// Keys there can be.
    pub const COUNT: u16 = 192;

    /// The last DHCP lease.
    pub const LEASE: Self = Self(Self::BINDINGS);

    /// The number of starts; the store's own.
    pub(super) const BOOT: Self = Self(Self::COUNT - 1);

    /// Which ports are off by order: one byte, port 1 the lowest bit.
    pub const PORTS_OFF: Self = Self(Self::COUNT - 2);

    /// The first key of what phones were given.
    const PHONES: u16 = Self::BINDINGS + 1;

    /// The first key of the firmware of phones.
    const FILES: u16 = Self::PHONES + IdKey::COUNT as u16;

    const BINDINGS: u16 = crate::budget::BINDINGS as u16;

    /// The key of the registrar's place `place`, below [`crate::budget::BINDINGS`].
    pub const fn place(place: usize) -> Option<Self> {
        if place < Self::BINDINGS as usize {
            Some(Self(place as u16))
        } else {
            None
        }
    }

    /// The registrar's place this key belongs to.
    pub const fn as_place(self) -> Option<usize> {
        if self.0 < Self::BINDINGS {
            Some(self.0 as usize)
        } else {
            None
        }
    }

    /// The key of what the phone of an ID was given.
    pub const fn phone(id: IdKey) -> Self {
        Self(Self::PHONES + id.index() as u16)
    }

    /// The ID whose phone this key belongs to.
    pub const fn as_phone(self) -> Option<IdKey> {
        match self.0.checked_sub(Self::PHONES) {
            Some(index) => IdKey::new(index),
            None => None,
        }
    }

    /// The key of how far the firmware of phones is that lies at this place of those in order, below [`PhoneModel::ALL`]'s number.
    pub(crate) const fn file(place: usize) -> Option<Self> {
        if place < PhoneModel::ALL.len() {
            Some(Self(Self::FILES + place as u16))
        } else {
            None
        }
    }

    /// The place in order of the firmware that this key belongs to.
    pub(crate) const fn as_file(self) -> Option<usize> {
        match self.0.checked_sub(Self::FILES) {
            Some(place) if (place as usize) < PhoneModel::ALL.len() => Some(place as usize),
            _ => None,
        }
    }

    pub(super) const fn number(self) -> u16 {
        self.0
    }

    pub(super) const fn is_public(self) -> bool {
        self.0 < Self::BOOT.0
    }

    pub(super) fn all() -> impl Iterator<Item = Self> {
        (0..Self::BOOT.0).map(Self)
    }
}

const _: () = assert!(Key::FILES as usize + PhoneModel::ALL.len() <= Key::PORTS_OFF.0 as usize);

/// An operation on the store.
// The large variants carry their bytes inline: there is no heap to put them on.
#[allow(clippy::large_enum_variant)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// Appends an encoded event to the queue. `Stored` or `Full`.
    PushEvent(Vec<u8, MAX_EVENT>),
    /// Reads the oldest events as one message. `Events`.
    ReadEvents,
    /// Takes the oldest `count` events off the queue, `last` being the last of them. `Stored`.
    DropEvents {
        /// Where to stop.
        last: EventId,
        /// How many at most.
        count: u8,
    },
    /// Writes a setting; an empty value removes it. `Stored`.
    Put {
        /// Which.
        key: Key,
        /// Its new value.
        value: Vec<u8, MAX_VALUE>,
    },
    /// Writes a part of a section into the inactive bank; offset 0 erases the section's place first. `Stored`.
    Stage {
        /// Which section.
        kind: SectionKind,
        /// Place of the first byte, a multiple of 4.
        offset: u32,
        /// The bytes.
        data: Vec<u8, MAX_PIECE>,
    },
    /// Copies an unchanged section from the active bank into the inactive one. `Checked`: was it there?
    StageActive(Section),
    /// Does the inactive bank hold this section? Its hash is computed from the flash. `Checked`.
    Check(Section),
    /// Reads a part of a section. `Data`.
    Read {
        /// From the inactive bank, or else the active one.
        staged: bool,
        /// Which section.
        kind: SectionKind,
        /// First byte.
        offset: u32,
        /// Bytes, at most [`MAX_PIECE`].
        len: u16,
    },
    /// Writes a part of a phone's firmware; the first byte of a sector erases the sector. `Stored`.
    WriteFile {
        /// Place of the first byte in the partition, a multiple of 4.
        place: u32,
        /// The bytes: no more than are left of the sector.
        data: Vec<u8, MAX_PIECE>,
    },
    /// Reads a part of a phone's firmware. `Data`.
    ReadFile {
        /// Place of the first byte in the partition.
        place: u32,
        /// Bytes, at most [`MAX_PIECE`].
        len: u16,
    },
    /// Makes the inactive bank the active one, if it holds exactly this. `Stored`, or `Checked(false)`.
    Commit(Committed),
}

/// The oldest events of the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// As message for the cloud (`shared::sync::BatchReader`).
    pub message: Vec<u8, MAX_BATCH>,
    /// Identity of the last event in it.
    pub last: EventId,
    /// Events in it.
    pub count: u8,
}

/// What an operation gave.
#[allow(clippy::large_enum_variant)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Done, and safe from a power cut.
    Stored,
    /// The queue has no room; nothing was written.
    Full,
    /// The oldest events, or none.
    Events(Option<Batch>),
    /// What was asked is so, or not.
    Checked(bool),
    /// Bytes read.
    Data(Vec<u8, MAX_PIECE>),
}

/// Why an operation failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The flash memory failed.
    Flash,
    /// What is stored makes no sense and could not be repaired.
    Corrupted,
    /// No room.
    Full,
    /// The operation itself is wrong: out of range, too long, misaligned.
    Refused,
}

/// The result of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// The token it was sent with.
    pub token: Token,
    /// What came of it.
    pub result: Result<Reply, Fault>,
}
