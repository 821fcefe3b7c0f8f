//! Call records: what each side writes of each leg of a call; the cloud joins them by session.

use heapless::String;
use serde::{Deserialize, Serialize};

use crate::id::{IdKey, SessionId};
use crate::number::Number;

/// What stood in the user part of a SIP URI, shortened if need be.
pub type Party = String<32>;

/// A moment: milliseconds since the writing side started, and the wall clock where it was known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// Monotonic milliseconds since boot.
    pub mono: u64,
    /// Milliseconds since 1970 (UTC).
    pub unix: Option<u64>,
}

/// Which way a leg was set up, seen from the side that writes the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Direction {
    /// The INVITE came in on this leg.
    In,
    /// The INVITE went out on this leg.
    Out,
}

/// Who writes a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Side {
    /// The box of a site.
    Box,
    /// The cloud.
    Cloud,
}

/// How a leg ended. Every leg ends in exactly one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FinalState {
    /// It was answered and later released by either party.
    Answered,
    /// It rang until the time for answering was over.
    NotAnswered,
    /// The terminal was in use (486, 600).
    Busy,
    /// Refused with this status code of SIP.
    Refused(u16),
    /// The caller gave up before an answer.
    Cancelled,
    /// Another terminal of the group answered (RFC 3326, `Call completed elsewhere`).
    ElsewhereAnswered,
    /// Nobody to offer it to, or no way to reach them.
    Unavailable,
    /// All channels of the contract were in use (R15).
    ChannelLimit,
    /// It was answered and then cut by a fault: media or signalling was lost, or a side restarted.
    Lost,
}

/// One leg of a call. Schema 1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallLeg {
    /// The call, on all its legs and both sides.
    pub session: SessionId,
    /// Number of this leg within the call on this side, from 0.
    pub leg: u8,
    /// Who writes this.
    pub side: Side,
    /// Which way.
    pub direction: Direction,
    /// The caller, as received.
    pub from: Party,
    /// What was dialled, as received.
    pub to: Party,
    /// The number presented to the called party; none if withheld or internal.
    pub presented: Option<Number>,
    /// The ID whose terminal this leg goes to or comes from; none for a trunk.
    pub terminal: Option<IdKey>,
    /// When the INVITE came or went.
    pub started: Stamp,
    /// When it first rang.
    pub ringing: Option<Stamp>,
    /// When it was answered.
    pub answered: Option<Stamp>,
    /// When it was over.
    pub ended: Stamp,
    /// How it ended.
    pub state: FinalState,
    /// The last final status code of SIP on this leg; 0 if there was none.
    pub status: u16,
}
