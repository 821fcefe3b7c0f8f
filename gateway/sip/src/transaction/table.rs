//! The table: finds a message's transaction, runs its machine, keeps its timers.

use super::{Branch, ClientKind, Due, Full, Priority, Received, Refused, Storage, Tag, Timers, TxId};
use crate::flow::Flow;
use crate::message::Message;
use crate::time::Instant;

/// What went wrong or twice, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Transactions refused for want of room.
    pub full: u32,
    /// Responses that belonged to no transaction.
    pub stray: u32,
    /// Requests and responses sent again because of a timer.
    pub retransmitted: u32,
    /// Requests that came again.
    pub repeated: u32,
    /// Transactions that timed out.
    pub timed_out: u32,
}

/// All transactions of one SIP element.
pub struct Transactions<'s> {
    storage: Storage<'s>,
    secret: [u64; 2],
    timers: Timers,
    counters: Counters,
}

impl<'s> Transactions<'s> {
    /// An empty table. `secret` is fresh randomness of this boot: it keys the index of received branches and makes
    /// our own branches and tags unguessable. One eighth of the room (at least one slot) is reserved; see
    /// [`Transactions::reserve`].
    pub fn new(storage: impl Into<Storage<'s>>, secret: [u64; 2], timers: Timers) -> Self {
        Self { storage: storage.into(), secret, timers, counters: Counters::default() }
    }

    /// Sets how many slots only [`Priority::Reserved`] may use.
    pub fn reserve(&mut self, slots: usize) {}

    /// Starts a client transaction. Its first transmission is due at once.
    pub fn client(
        &mut self,
        now: Instant,
        kind: ClientKind,
        flow: Flow,
        user: u32,
        priority: Priority,
    ) -> Result<TxId, Full> {
        Err(Full)
    }

    /// Cancels an unanswered INVITE of ours. The CANCEL leaves when the first provisional answer is there
    /// (RFC 3261 §9.1) and never if a final one comes first; without a final answer 64·T1 after it, the INVITE
    /// times out. Asking twice gives the same CANCEL.
    pub fn cancel(&mut self, now: Instant, invite: TxId) -> Result<TxId, Refused> {
        Err(Refused::NoSuch)
    }

    /// Finds or makes the transaction of a received message. Only BYE and CANCEL may use reserved room.
    pub fn receive(&mut self, now: Instant, flow: Flow, message: &Message<'_>) -> Received {
        Received::Absorbed
    }

    /// As [`Transactions::receive`], for a request that may use reserved room whatever its method.
    pub fn receive_reserved(&mut self, now: Instant, flow: Flow, message: &Message<'_>) -> Received {
        Received::Absorbed
    }

    /// Answers a request: the response is due at once.
    pub fn respond(&mut self, now: Instant, tx: TxId, status: u16) -> Result<(), Refused> {
        Err(Refused::NoSuch)
    }

    /// As [`Transactions::respond`], for a caller that sends the response itself, now, from the request at hand.
    pub fn responded(&mut self, now: Instant, tx: TxId, status: u16) -> Result<(), Refused> {
        Err(Refused::NoSuch)
    }

    /// The next thing to do; call until `None`.
    pub fn poll(&mut self, now: Instant) -> Option<Due> {
        None
    }

    /// When [`Transactions::poll`] has to be called again at the latest.
    pub fn next_deadline(&self) -> Option<Instant> {
        None
    }

    /// The transport could not send this transaction's message.
    pub fn transport_error(&mut self, now: Instant, tx: TxId) {}

    /// A connection is closed: a transport error for all its client transactions.
    pub fn drop_flow(&mut self, now: Instant, flow: Flow) {}

    /// Ends a transaction at once and without any further word of it.
    pub fn forget(&mut self, tx: TxId) {}

    /// The branch of a client transaction's request.
    pub fn branch(&self, tx: TxId) -> Option<Branch> {
        None
    }

    /// The branch for the ACK to a 2xx answer of this INVITE: one of its own, the same each time.
    pub fn ack_branch(&self, invite: TxId) -> Option<Branch> {
        None
    }

    /// A branch for a request sent outside any transaction.
    pub fn new_branch(&mut self) -> Branch {
        Branch(0)
    }

    /// The To tag of this server transaction's answers, the same each time.
    pub fn to_tag(&self, tx: TxId) -> Option<Tag> {
        None
    }

    /// The owner's number.
    pub fn user(&self, tx: TxId) -> Option<u32> {
        None
    }

    /// Sets the owner's number.
    pub fn set_user(&mut self, tx: TxId, user: u32) {}

    /// Where the request goes to or came from.
    pub fn flow(&self, tx: TxId) -> Option<Flow> {
        None
    }

    /// Live transactions.
    pub fn len(&self) -> usize {
        0
    }

    /// Whether there is no live transaction.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What went wrong or twice.
    pub fn counters(&self) -> Counters {
        self.counters
    }
}
