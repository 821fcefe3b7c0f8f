//! Events: what happened at a box, kept in its flash until the cloud has it in its database.

use heapless::String;
use serde::{Deserialize, Serialize};

use super::{MAX_MESSAGE, Message, MessageError};
use crate::analog::{LineFault, LineTestResult};
use crate::hub::{FetchOutcome, FileKind, Mac, PhoneModel, PowerFault};
use crate::id::IdKey;
use crate::record::{CallLeg, Stamp};
use crate::site::{Hash, Rule};

/// Most bytes of one encoded event.
pub const MAX_EVENT: usize = 320;

/// Most events in one batch.
pub const BATCH_EVENTS: usize = 20;

/// Schema number of a batch.
const BATCH_SCHEMA: u8 = 1;

/// Identity of an event of one box: the number of the start it happened in, and its number in that start, from 0
/// without gaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EventId {
    /// How often the box had started.
    pub boot: u32,
    /// Number of the event since then.
    pub seq: u32,
}

/// Something that happened. Schema 5.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Its identity.
    pub id: EventId,
    /// When it was written down.
    pub at: Stamp,
    /// What happened.
    pub body: EventBody,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EventBody {
    /// The box started.
    Boot {
        /// Why, as far as it is known.
        reason: BootReason,
        /// Version of the firmware.
        firmware: String<32>,
    },
    /// A leg of a call is over.
    CallLeg(CallLeg),
    /// A terminal registered (or is gone).
    Registration {
        /// Its ID.
        terminal: IdKey,
        /// Has a binding now.
        registered: bool,
    },
    /// A fault began or ended.
    Alarm {
        /// Which.
        alarm: Alarm,
        /// It began.
        raised: bool,
    },
    /// The firmware panicked before this start.
    Panic(PanicNote),
    /// An analog line was tested. Since schema 2.
    LineTest {
        /// Number of its port, from 1.
        port: u8,
        /// What came of it.
        result: LineTestResult,
    },
    /// A phone asked for a file. Since schema 3.
    PhoneFetch(PhoneFetch),
    /// A phone was given a new password. Since schema 3.
    PhoneSecret(PhoneSecret),
    /// The phone at a port was silent, and its power was cut and given again. Since schema 3.
    PortCycled {
        /// Number of the port, from 1.
        port: u8,
    },
    /// The firmware of a model is in the box, whole and as its hash says: its phones are told. Since schema 4.
    PhoneFirmware {
        /// Whose.
        model: PhoneModel,
        /// SHA-256 of the file.
        hash: Hash,
    },
    /// So many fetches were left out, too many to tell of each. Since schema 5.
    FetchesLeftOut(u32),
}

/// Why the box started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum BootReason {
    /// Power came.
    PowerOn,
    /// It was told to.
    Command,
    /// The watchdog bit.
    Watchdog,
    /// After a panic.
    Panic,
    /// Not known.
    Unknown,
}

/// A fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Alarm {
    /// The event queue was full; so many events were refused.
    EventsRefused(u32),
    /// The stored configuration could not be read.
    ConfigUnreadable,
    /// The stored configuration breaks a rule of this firmware.
    ConfigInvalid(Rule),
    /// The flash memory failed.
    Storage,
    /// The cloud cannot be reached.
    CloudUnreachable,
    /// An emergency call could not be routed for this ID.
    EmergencyUnroutable(IdKey),
    /// Somebody has the credentials of this ID and is not its phone.
    Intruder(IdKey),
    /// The circuit of an analog line has a fault; the number of its port, from 1. Since schema 2.
    Line(u8, LineFault),
    /// A port is not fed, though a device is there; its number, from 1. Since schema 3.
    Power(u8, PowerFault),
    /// What the box fetched as the firmware of a model is not what its hash says; it tries again. Since schema 4.
    PhoneFirmware(PhoneModel),
}

/// A phone asked for a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhoneFetch {
    /// The hardware address of who asked: where the network does not tell, what he says, or zeros.
    pub mac: Mac,
    /// The port with power it is at; none: elsewhere in the office's network.
    pub port: Option<u8>,
    /// What it asked for.
    pub file: FileKind,
    /// What it got.
    pub outcome: FetchOutcome,
}

/// The password a phone was given, as hashes of `user:realm:password` (RFC 7616 §3.4.2). Of one ID the highest claim and
/// in it the highest serial counts.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhoneSecret {
    /// The ID.
    pub key: IdKey,
    /// The claim it was given on ([`crate::hub::Phone::claim`]).
    pub claim: u16,
    /// Number of the password within the claim.
    pub serial: u32,
    /// HA1 for MD5.
    pub ha1_md5: [u8; 16],
    /// HA1 for SHA-256.
    pub ha1_sha256: [u8; 32],
}

impl core::fmt::Debug for PhoneSecret {
    /// Without the hashes: they are as good as the password.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("PhoneSecret")
            .field("key", &self.key)
            .field("claim", &self.claim)
            .field("serial", &self.serial)
            .finish_non_exhaustive()
    }
}

/// What the panic handler kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PanicNote {
    /// Message and place, shortened if need be.
    pub message: String<192>,
    /// Milliseconds the firmware had been running, 0 if not known.
    pub uptime: u64,
}

/// Collects encoded events for one message of at most [`MAX_MESSAGE`] bytes: a schema number, then each event with its
/// length in front (two bytes, little endian).
pub struct BatchWriter<'b> {
    buf: &'b mut [u8],
    len: usize,
    events: usize,
}

impl<'b> BatchWriter<'b> {
    /// An empty batch in this buffer.
    pub fn new(buf: &'b mut [u8]) -> Result<Self, MessageError> {
        *buf.first_mut().ok_or(MessageError::TooBig)? = BATCH_SCHEMA;
        Ok(Self {
            buf,
            len: 1,
            events: 0,
        })
    }

    /// Adds an encoded event; refused when the batch is full.
    pub fn push(&mut self, event: &[u8]) -> Result<(), MessageError> {
        let end = self.len + 2 + event.len();
        if event.len() > MAX_EVENT || end > MAX_MESSAGE || self.events == BATCH_EVENTS {
            return Err(MessageError::TooBig);
        }
        let room = self.buf.get_mut(self.len..end).ok_or(MessageError::TooBig)?;
        let (len, body) = room.split_at_mut(2);
        len.copy_from_slice(&(event.len() as u16).to_le_bytes());
        body.copy_from_slice(event);
        self.len = end;
        self.events += 1;
        Ok(())
    }

    /// Events in it.
    pub fn events(&self) -> usize {
        self.events
    }

    /// The message.
    pub fn finish(self) -> &'b [u8] {
        let Self { buf, len, .. } = self;
        buf.get(..len).unwrap_or(&[])
    }
}

/// An event of a batch. Whatever its schema, an event begins with the schema number (one byte) and its [`EventId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawEvent<'a> {
    /// Its identity.
    pub id: EventId,
    /// The encoded event.
    pub bytes: &'a [u8],
}

impl<'a> RawEvent<'a> {
    /// Reads the identity of an encoded event.
    pub fn new(bytes: &'a [u8]) -> Result<Self, MessageError> {
        let body = bytes.get(1..).ok_or(MessageError::Malformed)?;
        let (id, _) = postcard::take_from_bytes(body).map_err(|_| MessageError::Malformed)?;
        Ok(Self { id, bytes })
    }

    /// The event, if this program knows its schema.
    pub fn decode(&self) -> Result<Event, MessageError> {
        Event::decode(self.bytes)
    }
}

/// Reads a batch event by event. Ends after the first fault.
pub struct BatchReader<'a> {
    rest: &'a [u8],
    left: usize,
}

impl<'a> BatchReader<'a> {
    /// Opens a batch.
    pub fn new(bytes: &'a [u8]) -> Result<Self, MessageError> {
        if bytes.len() > MAX_MESSAGE {
            return Err(MessageError::TooBig);
        }
        match bytes.split_first() {
            Some((&BATCH_SCHEMA, rest)) => Ok(Self {
                rest,
                left: BATCH_EVENTS,
            }),
            Some(_) => Err(MessageError::Schema),
            None => Err(MessageError::Malformed),
        }
    }

    fn read(&mut self) -> Result<RawEvent<'a>, MessageError> {
        let ([l0, l1], rest) = self.rest.split_first_chunk().ok_or(MessageError::Malformed)?;
        let len = usize::from(u16::from_le_bytes([*l0, *l1]));
        if len > MAX_EVENT {
            return Err(MessageError::TooBig);
        }
        self.left = self.left.checked_sub(1).ok_or(MessageError::TooBig)?;
        let (bytes, rest) = rest.split_at_checked(len).ok_or(MessageError::Malformed)?;
        self.rest = rest;
        RawEvent::new(bytes)
    }
}

impl<'a> Iterator for BatchReader<'a> {
    type Item = Result<RawEvent<'a>, MessageError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let event = self.read();
        if event.is_err() {
            self.rest = &[];
        }
        Some(event)
    }
}
