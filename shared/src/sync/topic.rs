//! MQTT topics: `b/<box>/<leaf>` from the box, `c/<box>/<leaf>` to it.

use core::fmt::{self, Write};

use heapless::String;

use crate::id::BoxId;

/// Most characters of a topic.
pub const MAX_TOPIC: usize = 2 + BoxId::TEXT + 1 + 5;

/// What a box sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Up {
    /// [`super::Hello`]
    Hello,
    /// [`super::Get`]
    Get,
    /// [`super::FileGet`]
    FileGet,
    /// [`super::Ack`]
    Ack,
    /// [`super::Nack`]
    Nack,
    /// [`super::HubReport`]
    Hub,
    /// Batches of events.
    Events,
    /// The box's will.
    Will,
}

/// What the cloud sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Down {
    /// [`super::SignedManifest`]
    Manifest,
    /// [`super::Chunk`]
    Chunk,
    /// [`super::FileChunk`]
    FileChunk,
    /// [`super::AppAck`]
    AppAck,
    /// [`super::TestLine`]
    TestLine,
    /// [`super::HubOrder`]
    Hub,
}

/// A topic of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Topic {
    /// From this box.
    Up(BoxId, Up),
    /// To this box.
    Down(BoxId, Down),
}

impl Topic {
    /// Its name.
    pub fn name(self) -> String<MAX_TOPIC> {
        let mut name = String::new();
        // MAX_TOPIC holds the longest of them (tested for all).
        let _ = write!(name, "{self}");
        name
    }

    /// Reads a topic name; nothing if it is none of this protocol.
    pub fn parse(name: &str) -> Option<Self> {
        // An array: the search for a single character indexes.
        let mut levels = name.split(['/']);
        let side = levels.next()?;
        let box_id: BoxId = levels.next()?.parse().ok()?;
        let topic = match (side, levels.next()?) {
            ("b", "hello") => Self::Up(box_id, Up::Hello),
            ("b", "get") => Self::Up(box_id, Up::Get),
            ("b", "fget") => Self::Up(box_id, Up::FileGet),
            ("b", "ack") => Self::Up(box_id, Up::Ack),
            ("b", "nack") => Self::Up(box_id, Up::Nack),
            ("b", "hub") => Self::Up(box_id, Up::Hub),
            ("b", "ev") => Self::Up(box_id, Up::Events),
            ("b", "lw") => Self::Up(box_id, Up::Will),
            ("c", "m") => Self::Down(box_id, Down::Manifest),
            ("c", "s") => Self::Down(box_id, Down::Chunk),
            ("c", "f") => Self::Down(box_id, Down::FileChunk),
            ("c", "k") => Self::Down(box_id, Down::AppAck),
            ("c", "t") => Self::Down(box_id, Down::TestLine),
            ("c", "p") => Self::Down(box_id, Down::Hub),
            _ => return None,
        };
        levels.next().is_none().then_some(topic)
    }

    /// The one filter a box subscribes to.
    pub fn filter(box_id: BoxId) -> String<MAX_TOPIC> {
        let mut filter = String::new();
        // 17 characters fit.
        let _ = write!(filter, "c/{box_id}/#");
        filter
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (side, box_id, leaf) = match self {
            Self::Up(box_id, Up::Hello) => ('b', box_id, "hello"),
            Self::Up(box_id, Up::Get) => ('b', box_id, "get"),
            Self::Up(box_id, Up::FileGet) => ('b', box_id, "fget"),
            Self::Up(box_id, Up::Ack) => ('b', box_id, "ack"),
            Self::Up(box_id, Up::Nack) => ('b', box_id, "nack"),
            Self::Up(box_id, Up::Hub) => ('b', box_id, "hub"),
            Self::Up(box_id, Up::Events) => ('b', box_id, "ev"),
            Self::Up(box_id, Up::Will) => ('b', box_id, "lw"),
            Self::Down(box_id, Down::Manifest) => ('c', box_id, "m"),
            Self::Down(box_id, Down::Chunk) => ('c', box_id, "s"),
            Self::Down(box_id, Down::FileChunk) => ('c', box_id, "f"),
            Self::Down(box_id, Down::AppAck) => ('c', box_id, "k"),
            Self::Down(box_id, Down::TestLine) => ('c', box_id, "t"),
            Self::Down(box_id, Down::Hub) => ('c', box_id, "p"),
        };
        write!(f, "{side}/{box_id}/{leaf}")
    }
}
