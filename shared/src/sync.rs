//! What box and cloud say to each other over MQTT: topics and messages.
//!
//! | topic | message | when |
//! |---|---|---|
//! | `b/<box>/hello` | [`Hello`] | the box connected |
//! | `c/<box>/k` | [`AppAck`] | answer to `hello` and to every batch of events, after the database commit |
//! | `c/<box>/m` | [`SignedManifest`] | the box's configuration differs |
//! | `b/<box>/get`, `c/<box>/s` | [`Get`], [`Chunk`] | the box pulls the sections it lacks |
//! | `b/<box>/ack`, `b/<box>/nack` | [`Ack`], [`Nack`] | the result |
//! | `b/<box>/fget`, `c/<box>/f` | [`FileGet`], [`FileChunk`] | the box pulls the firmware of its phones |
//! | `c/<box>/t` | [`TestLine`] | an analog line is to be tested; lost if the box is away |
//! | `c/<box>/p` | [`HubOrder`] | a port with power or a phone is to do something; lost if the box is away |
//! | `b/<box>/hub` | [`HubReport`] | what is at the ports; the latest counts |
//! | `b/<box>/ev` | [`BatchWriter`] | events, repeated until acknowledged |
//! | `b/<box>/lw` | empty | the box's will: it is gone |
//!
//! Every message is at most [`MAX_MESSAGE`] bytes: a schema number (one byte) and the postcard of a structure that is
//! frozen for that number. Nothing depends on the broker: any message may be lost, repeated or late.

mod event;
mod hub;
mod manifest;
mod topic;

use core::fmt;

use heapless::String;
use serde::{Deserialize, Serialize};

use crate::site::{Hash, Invalid, SectionKind};

pub use event::{
    Alarm, BATCH_EVENTS, BatchReader, BatchWriter, BootReason, Event, EventBody, EventId, MAX_EVENT,
    PanicNote, PhoneFetch, PhoneSecret, RawEvent,
};
pub use hub::{HubOrder, HubReport, MAX_WAITING, Neighbour, Occupant, PortReport, PowerOrder, Waiting};
pub use manifest::{MAX_MANIFEST, Manifest, SignedManifest};
pub use topic::{Down, MAX_TOPIC, Topic, Up};

/// Most bytes of any message.
pub const MAX_MESSAGE: usize = 4_096;

/// Most bytes of a section in one [`Chunk`], and of a file in one [`FileChunk`].
pub const MAX_CHUNK: usize = 1_024;

/// Version of the whole protocol, in [`Hello`].
pub const PROTOCOL: u16 = 1;

/// A message cannot be written or read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageError {
    /// A schema number this program does not know.
    Schema,
    /// Not the encoding of what it should be, or bytes left over.
    Malformed,
    /// Longer than [`MAX_MESSAGE`], or than the buffer.
    TooBig,
}

impl fmt::Display for MessageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Schema => "unknown message schema",
            Self::Malformed => "malformed message",
            Self::TooBig => "message too big",
        })
    }
}

impl core::error::Error for MessageError {}

/// A structure that is sent as a message.
pub trait Message<'a>: Serialize + Deserialize<'a> {
    /// Its schema number.
    const SCHEMA: u8 = 1;
    /// The first schema number whose messages can be read as if they were of [`Self::SCHEMA`].
    const SINCE: u8 = Self::SCHEMA;

    /// Writes the message and returns its bytes.
    fn encode<'b>(&self, buf: &'b mut [u8]) -> Result<&'b [u8], MessageError> {
        let (schema, body) = buf.split_first_mut().ok_or(MessageError::TooBig)?;
        *schema = Self::SCHEMA;
        let len = postcard::to_slice(self, body)
            .map_err(|_| MessageError::TooBig)?
            .len()
            + 1;
        buf.get(..len)
            .filter(|_| len <= MAX_MESSAGE)
            .ok_or(MessageError::TooBig)
    }

    /// Reads a whole message.
    fn decode(bytes: &'a [u8]) -> Result<Self, MessageError> {
        if bytes.len() > MAX_MESSAGE {
            return Err(MessageError::TooBig);
        }
        let (schema, body) = bytes.split_first().ok_or(MessageError::Malformed)?;
        if !(Self::SINCE..=Self::SCHEMA).contains(schema) {
            return Err(MessageError::Schema);
        }
        match postcard::take_from_bytes(body) {
            Ok((message, [])) => Ok(message),
            _ => Err(MessageError::Malformed),
        }
    }
}

/// Box to cloud, first on every connection: who I am by now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// [`PROTOCOL`].
    pub protocol: u16,
    /// How often the box has started.
    pub boot: u32,
    /// Epoch of the configuration in use; 0 if it has none.
    pub epoch: u64,
    /// Root hash of that configuration; zeros if it has none.
    pub root: Hash,
    /// Version of the firmware.
    pub firmware: String<32>,
    /// Largest message the box can take.
    pub rx_max: u16,
    /// Events waiting in its queue.
    pub queued: u32,
    /// Events refused since it started because the queue was full.
    pub refused: u32,
}

/// Cloud to box: events up to here are in the database. Also the answer to [`Hello`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppAck {
    /// The last event committed, in the order of arrival; none yet for a new box.
    pub up_to: Option<EventId>,
    /// The cloud's clock: milliseconds since 1970.
    pub unix: u64,
}

/// Cloud to box: test an analog line now. What comes of it is an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestLine {
    /// Number of its port, 1 to [`crate::analog::PORTS`].
    pub port: u8,
}

/// Box to cloud: send me a part of a section.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Get {
    /// Which section.
    pub kind: SectionKind,
    /// The hash its manifest gives: sections are asked for by content.
    pub hash: Hash,
    /// First byte wanted.
    pub offset: u32,
    /// Most bytes wanted, at most [`MAX_CHUNK`].
    pub len: u16,
}

/// Cloud to box: a part of a section.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chunk<'a> {
    /// Which section.
    pub kind: SectionKind,
    /// Its hash.
    pub hash: Hash,
    /// Place of the first byte.
    pub offset: u32,
    /// The bytes; fewer than asked for only at the end.
    #[serde(borrow)]
    pub data: &'a [u8],
}

/// Box to cloud: send me a part of a file, which the configuration in use names by its hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileGet {
    /// SHA-256 of the file.
    pub hash: Hash,
    /// First byte wanted.
    pub offset: u32,
    /// Most bytes wanted, at most [`MAX_CHUNK`].
    pub len: u16,
}

/// Cloud to box: a part of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileChunk<'a> {
    /// SHA-256 of the file.
    pub hash: Hash,
    /// Place of the first byte.
    pub offset: u32,
    /// The bytes; fewer than asked for only at the end.
    #[serde(borrow)]
    pub data: &'a [u8],
}

/// Box to cloud: this configuration is committed and in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ack {
    /// Its epoch.
    pub epoch: u64,
    /// Its root hash.
    pub root: Hash,
}

/// Box to cloud: a configuration was refused; the one in use stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nack {
    /// The refused epoch, as far as it could be read.
    pub epoch: u64,
    /// The epoch in use.
    pub have: u64,
    /// Why.
    pub code: NackCode,
}

/// Why a box refuses a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NackCode {
    /// The manifest is not the encoding of one.
    Malformed,
    /// The signature is not by the box's configuration key.
    BadSignature,
    /// Made for another box.
    WrongBox,
    /// Not newer than what is in use.
    StaleEpoch,
    /// Signed under an older key epoch than one seen before.
    OldKey,
    /// Its time is over.
    Expired,
    /// The sections do not give the root it states, or one is missing.
    RootMismatch,
    /// What arrived of this section does not have the stated hash.
    HashMismatch(SectionKind),
    /// A section in a schema the firmware does not know.
    SchemaUnknown(SectionKind),
    /// A section longer than the box can hold.
    TooBig(SectionKind),
    /// The bytes of this section are not items.
    MalformedSection(SectionKind),
    /// The site breaks a rule.
    Invalid(Invalid),
    /// The flash memory failed.
    Flash,
}

impl Message<'_> for Hello {}
impl Message<'_> for AppAck {}
impl Message<'_> for Get {}
impl<'a> Message<'a> for Chunk<'a> {}
impl Message<'_> for FileGet {}
impl<'a> Message<'a> for FileChunk<'a> {}
impl Message<'_> for Ack {}
impl Message<'_> for Nack {}
impl<'a> Message<'a> for SignedManifest<'a> {}
impl Message<'_> for TestLine {}
impl Message<'_> for HubReport {}
impl Message<'_> for HubOrder {}

/// 2: a line's test and faults are told. 3: and phones and ports with power. 4: and the firmware of phones. Nothing that was
/// before has changed.
impl Message<'_> for Event {
    const SCHEMA: u8 = 4;
    const SINCE: u8 = 1;
}
