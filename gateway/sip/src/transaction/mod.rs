//! The transaction layer of RFC 3261 §17 with RFC 6026 (Accepted state) and RFC 4320 (non-INVITE).
//!
//! Four small state machines (`ict`, `nict`, `ist`, `nist`) say what an event means; [`Transactions`] is
//! the table that holds them, finds the one a message belongs to and keeps their timers. No entry holds message
//! bytes: when something has to go out, first or again, [`Transactions::poll`] says what and the owner of the
//! transaction renders it from its own state.
//!
//! ```text
//! received message --> receive() --> Received::...      what the owner has to know
//! owner            --> client(), cancel(), respond()
//! poll() --> Due::...                                   what the owner has to send, or what is over
//! ```

mod ict;
mod ist;
mod key;
mod machine;
mod nict;
mod nist;
mod receive;
mod slot;
mod table;
#[cfg(test)]
mod tests;

pub use machine::Timers;
pub use slot::{Slot, Storage};
pub use table::{Counters, Transactions};

use crate::pool;
use core::fmt;

/// What [`Transactions::user`] gives for a server transaction nobody has called [`Transactions::set_user`] on.
pub const NO_USER: u32 = u32::MAX;

/// A transaction's handle: slot and generation. Dead handles are recognised and refused, never mistaken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TxId(pool::Key);

impl TxId {
    /// A handle that finds nothing.
    pub(crate) const NONE: Self = Self(pool::Key::NONE);
}

/// Which client machine: the INVITE one (RFC 3261 §17.1.1) or the other (§17.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientKind {
    /// INVITE. Its ACK to a 3xx-6xx is part of it; the ACK to a 2xx is not.
    Invite,
    /// Anything but INVITE, ACK and CANCEL (for which see [`Transactions::cancel`]).
    NonInvite,
}

/// Who may use the room that is kept free in a full table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Priority {
    /// New calls and everything else that may be refused.
    Normal,
    /// BYE, CANCEL and emergency calls.
    Reserved,
}

/// The table has no room (counted). The answer to a request is a stateless 503.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// Why an order to a transaction was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The handle is dead or names a transaction of another kind.
    NoSuch,
    /// A final answer is already given or received.
    Finished,
    /// 1xx other than 100, or 408, to a non-INVITE request (RFC 4320 §4), or not a status at all.
    NotAllowed,
    /// No room, not even reserved room.
    Full,
}

/// What a received message means to the transactions' owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// A response to pass up: provisional, first final, and every 2xx to INVITE with its retransmissions (RFC 6026).
    Response {
        /// The client transaction.
        tx: TxId,
        /// Its owner's number.
        user: u32,
        /// 100..=699.
        status: u16,
    },
    /// The first final answer to a CANCEL. The INVITE's own final answer still follows.
    CancelAnswered {
        /// The owner's number of the INVITE.
        user: u32,
        /// 200..=699.
        status: u16,
    },
    /// A response that belongs to no transaction (counted). A stray 2xx to INVITE still needs ACK and BYE.
    StrayResponse,
    /// A new request; a server transaction was made for it.
    Request {
        /// The new server transaction; answer with [`Transactions::respond`].
        tx: TxId,
    },
    /// A new CANCEL. Answer `tx` with 200 if `invite` is known, else with 481; then `invite` with 487 if it is unanswered.
    Cancel {
        /// The CANCEL's own server transaction.
        tx: TxId,
        /// The INVITE it wants to stop and that one's owner.
        invite: Option<(TxId, u32)>,
    },
    /// An ACK to a 2xx: the dialog it belongs to takes it.
    Ack,
    /// An ACK to a 3xx-6xx; the INVITE is over.
    AckAbsorbed {
        /// The owner's number of the INVITE.
        user: u32,
    },
    /// A request that came before. Send the last answer again, rendered from this very request, to where it came from.
    Retransmission {
        /// The server transaction.
        tx: TxId,
        /// Its owner's number.
        user: u32,
        /// The last answer; 0: none yet, nothing to send.
        status: u16,
    },
    /// Nothing to do: a repetition that the transaction has taken care of.
    Absorbed,
    /// A new request for which there is no room (counted). Answer 503 statelessly.
    Full,
}

/// What [`Transactions::poll`] asks of the owner. Each transaction but those of our own CANCELs ends with exactly one `Gone`,
/// until which its handle is valid (an evicted one's handle dies just before); a received CANCEL's has user [`NO_USER`]
/// unless set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Send the request, first or again.
    SendRequest {
        /// The client transaction; the request's branch is [`Transactions::branch`] of it.
        tx: TxId,
        /// Its owner's number.
        user: u32,
    },
    /// Send a CANCEL for an INVITE, first or again. Nothing else is ever reported of a CANCEL's transaction.
    SendCancel {
        /// The INVITE's client transaction, if it still lives.
        invite: Option<TxId>,
        /// The CANCEL's own transaction; its branch is the INVITE's.
        cancel: TxId,
        /// The owner's number of the INVITE.
        user: u32,
    },
    /// Send the ACK to a 3xx-6xx, in the INVITE's branch, first or again.
    SendAck {
        /// The INVITE's client transaction.
        tx: TxId,
        /// Its owner's number.
        user: u32,
        /// The final answer that is acknowledged, 300..=699.
        status: u16,
    },
    /// Send a response, first or again.
    SendResponse {
        /// The server transaction.
        tx: TxId,
        /// Its owner's number.
        user: u32,
        /// What was given to [`Transactions::respond`]; or 100 if the owner left an INVITE 200 ms without any answer.
        status: u16,
    },
    /// Client: no answer in time (as good as a 408). Server: no ACK (INVITE), or no answer from the owner (others).
    TimedOut {
        /// The transaction; its `Gone` follows.
        tx: TxId,
        /// Its owner's number.
        user: u32,
    },
    /// The transport failed (client: as good as a 503).
    Unreachable {
        /// The transaction. Its `Gone` follows, but an INVITE server transaction before its ACK stays: the peer may come
        /// back by another flow, and the owner decides.
        tx: TxId,
        /// Its owner's number.
        user: u32,
    },
    /// The transaction has ended and its handle is dead: its time is over, or, while it only waited for stragglers, its
    /// room was needed.
    Gone {
        /// The dead handle.
        tx: TxId,
        /// Its owner's number.
        user: u32,
    },
}

/// A branch parameter made here: displays as `z9hG4bK` and 16 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Branch(pub(crate) u64);

impl fmt::Display for Branch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "z9hG4bK{:016x}", self.0)
    }
}

/// A To tag made here: displays as 8 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tag(pub u32);

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}
