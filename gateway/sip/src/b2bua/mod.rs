//! Calls: a back-to-back user agent (RFC 7092) without policy.
//!
//! A call has one leg towards the caller and any number towards the called side; the first answer wins, the others are
//! cancelled with a Reason, and an answer that comes too late gets its ACK and a BYE. Who may call, where a call goes and
//! what the called side sees is the owner's business:
//!
//! ```text
//! message -> receive() -> Invite{tx}: the owner open()s a call and dial()s branches, or reply()s and forgets it
//!                      -> Request{tx}: not in a dialog and not an INVITE: the owner answers
//!                      -> Done: belonged to a call
//! poll()  -> Output::Transmit  a message to send
//!         -> Output::Event     what became of a call
//! ```
//!
//! Session descriptions pass through [`Media`], so that a relay can put itself in between.

mod answer;
mod call;
mod end;
mod info;
mod legs;
mod offer;
mod open;
mod orders;
mod paper;
mod pickup;
mod receive;
mod reliable;
mod report;
mod send;
mod session;
#[cfg(test)]
mod tests;
mod transfer;
mod update;
mod write;

use crate::flow::{Flow, Path};
use crate::header::Name;
use crate::message::Message;
use crate::pool::{self, Index, Key, List, Pool};
use crate::sdp::Role;
use crate::text::{self, Text, Texts};
use crate::time::Instant;
use crate::transaction::{self, ClientKind, Priority, Timers, Transactions, TxId};
use crate::write::Writer;
pub use call::{
    ADDRESS_MAX, CALL_ID_MAX, Call, Cause, EXTRA_MAX, End, HEAD_MAX, Leg, MESSAGE_MAX, Protocol, ROUTE_MAX,
    SDP_MAX, Side, TAG_MAX, URI_MAX,
};
use call::{Ack, Asked, Asking, Features, Stage, State, fingerprint};
use core::time::Duration;
use info::Passed;
use legs::Legs;
use paper::Paper;
pub use pickup::Hex;
pub(crate) use receive::parse_tag;
use reliable::Reliable;
use session::Session;
use update::Update;
pub(crate) use write::{Contact, SentBy};

/// Methods that are understood within a dialog and offered to others.
pub const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, PRACK, INFO";
/// The same, and what transfers want.
pub const ALLOW_TRANSFERS: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, PRACK, INFO, REFER, NOTIFY";
/// What an INVITE may demand, for [`Message::screen`]: session timers and reliable provisional answers.
pub const SUPPORTED: [&str; 2] = ["timer", reliable::OPTION];

/// Most branches at once of a call that does not say how many it may have: all that the box has room for (RFC 5393 §5.3.3
/// recommends at least 60).
const BREADTH: u16 = 256;

/// What a caller is told for whom there is no room, seconds.
pub const RETRY_AFTER: u8 = 2;

/// The room for everything that is kept; sizes are the caller's.
pub struct Storage<'s, M> {
    /// Transactions: two a call and one a branch, and what lingers.
    pub transactions: transaction::Storage<'s>,
    /// Calls.
    pub calls: pool::Storage<'s, Call<M>>,
    /// Legs: one a call and one a branch.
    pub legs: pool::Storage<'s, Leg>,
    /// Texts of calls and legs: some 30 blocks a call and one or two a branch.
    pub texts: text::Storage<'s>,
}

#[cfg(feature = "std")]
impl<M> Storage<'static, M> {
    /// As much as is needed, up to so many of each.
    pub fn growable(transactions: usize, calls: usize, legs: usize, blocks: usize) -> Self {
        Self {
            transactions: transaction::Storage::growable(transactions),
            calls: pool::Storage::growable(calls),
            legs: pool::Storage::growable(legs),
            texts: text::Storage::growable(blocks),
        }
    }
}

/// How much of the room is in use, by what only says good-bye too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Calls.
    pub calls: usize,
    /// Legs.
    pub legs: usize,
    /// Transactions.
    pub transactions: usize,
    /// Blocks of texts.
    pub blocks: usize,
}

/// How this element speaks.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// Server and User-Agent.
    pub agent: &'static str,
    /// How often a silent dialog's peer is asked whether it is still there (OPTIONS); a peer that is not ends the call.
    pub probe: Duration,
    /// Base timers.
    pub timers: Timers,
    /// Sides of a call may ask to be replaced.
    pub transfers: bool,
}

/// Who stands between the two sides' session descriptions.
pub trait Media {
    /// Writes into `out` what the other side is to see of `sdp`, an offer or answer of side `from` of `call`, and gives its
    /// length in bytes. `None`: unacceptable (488).
    fn relay(
        &mut self,
        call: Key,
        from: Side,
        role: Role,
        sdp: &[u8],
        out: &mut [u8; SDP_MAX],
    ) -> Option<usize>;
}

/// Nobody: media flows from one side to the other directly.
pub struct Direct;

impl Media for Direct {
    fn relay(&mut self, _: Key, _: Side, _: Role, sdp: &[u8], out: &mut [u8; SDP_MAX]) -> Option<usize> {
        out.get_mut(..sdp.len())?.copy_from_slice(sdp);
        Some(sdp.len())
    }
}

/// What a received message was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receive {
    /// A new call wants in: [`Calls::open`] or [`Calls::reply`].
    Invite {
        /// Its server transaction.
        tx: TxId,
    },
    /// Another request outside any dialog: [`Calls::reply`].
    Request {
        /// Its server transaction.
        tx: TxId,
    },
    /// A side of a call asks to be replaced (REFER within a dialog), where [`Config::transfers`]: the owner answers, and if
    /// it allows it begins with [`Calls::depart`].
    Refer {
        /// Its server transaction.
        tx: TxId,
        /// Who asks.
        leg: Key,
    },
    /// It belonged to a call, or was answered, or was to be dropped.
    Done,
}

/// What became of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A branch gave a provisional answer.
    Progress {
        /// The call.
        call: Key,
        /// The branch.
        leg: Key,
        /// 100 to 199.
        status: u16,
    },
    /// A branch failed.
    Failed {
        /// The call.
        call: Key,
        /// The branch.
        leg: Key,
        /// Its final status, 408 for none, 503 for no way.
        status: u16,
    },
    /// No branch is left and the caller still waits: dial, announce or refuse.
    Exhausted {
        /// The call.
        call: Key,
        /// The status that RFC 3261 §16.7 would choose.
        status: u16,
    },
    /// The call is answered.
    Answered {
        /// The call.
        call: Key,
        /// Who answered.
        leg: Key,
    },
    /// [`Calls::join`] has come to its good end: the two are one conversation.
    Joined {
        /// The call that stays.
        call: Key,
        /// The one it is joined with.
        with: Key,
    },
    /// Nothing came of [`Calls::join`]: [`Calls::stay`], or another try.
    Parted {
        /// The call that stays.
        call: Key,
        /// What the one that refused has said, or 480 if it went.
        status: u16,
    },
    /// The call is over. Its last event; [`Calls::meta`] is there until the next [`Calls::poll`].
    Ended {
        /// The call.
        call: Key,
        /// How.
        end: End,
    },
    /// The time set with [`Calls::set_deadline`] has come.
    Deadline {
        /// The call.
        call: Key,
    },
}

/// What [`Calls::poll`] gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send the first `len` bytes of the buffer.
    Transmit {
        /// To where.
        flow: Flow,
        /// Length, bytes.
        len: usize,
    },
    /// Something for the owner.
    Event(Event),
}

/// Why a call could not be opened or a branch not be dialled; [`Refusal::status`] is the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No room for a call, a leg or a transaction.
    NoRoom,
    /// A field is larger than the box keeps.
    TooLarge,
    /// A mandatory field is missing or unreadable.
    Malformed,
    /// The session description was not acceptable.
    Media,
    /// The call does not exist or does not wait.
    Gone,
    /// The call is here already, by the same way: it goes round in a ring.
    Loop,
    /// It may have no more branches at once (RFC 5393 §5.3.3).
    Breadth,
}

impl Refusal {
    /// The SIP status that tells the caller.
    pub const fn status(self) -> u16 {
        match self {
            Self::NoRoom => 503,
            Self::TooLarge => 513,
            Self::Malformed => 400,
            Self::Media => 488,
            Self::Gone => 481,
            Self::Loop => 482,
            Self::Breadth => 440,
        }
    }
}

/// Who a branch rings.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// Where the INVITE is sent.
    pub flow: Flow,
    /// Request-URI.
    pub uri: &'a [u8],
    /// Route that it is sent along, as in a Route header, at most [`ROUTE_MAX`] bytes; empty for none.
    pub route: &'a [u8],
    /// Whether it may use the room that is kept for emergencies.
    pub priority: Priority,
    /// Whatever the owner knows the target by: [`Calls::leg_user`].
    pub user: u32,
}

/// Counted oddities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Messages that did not fit the caller's buffer.
    pub overflow: u32,
    /// Calls, legs or transactions refused for want of room.
    pub no_room: u32,
    /// Requests for a dialog that is not there.
    pub no_dialog: u32,
    /// INVITEs that came round in a ring.
    pub loops: u32,
    /// 2xx answers that came too late and got ACK and BYE.
    pub late_answers: u32,
}

/// All calls of one SIP element.
pub struct Calls<'s, M> {
    tx: Transactions<'s>,
    calls: Pool<'s, Call<M>>,
    /// Calls by the name in the Session-ID header.
    sessions: Index,
    secret: [u64; 2],
    legs: Legs<'s>,
    texts: Texts<'s>,
    config: Config,
    events: heapless::Deque<Event, 16>,
    paper: Paper,
    again: Option<(TxId, u32, u16)>,
    /// A leg whose 2xx came again after another INVITE of ours: the INVITE that it answers, and its CSeq number.
    late_ack: Option<(Key, TxId, u32)>,
    /// CSeq of the INVITE whose refusal came last: its ACK goes out with the next poll.
    refused_cseq: u32,
    /// Calls whose legs do nothing but wait for repetitions, in the order in which that began.
    over: List<0>,
    /// Calls and legs that only what is [`Priority::Reserved`] may use, and how many do.
    kept: (usize, usize),
    reserved_use: (usize, usize),
    /// The last INVITE that was taken as reserved.
    reserved: Option<TxId>,
    counters: Counters,
}

impl<'s, M> Calls<'s, M> {
    /// No calls yet. `seed` is fresh randomness of this boot.
    pub fn new(storage: Storage<'s, M>, seed: [u64; 2], config: Config) -> Self {
        Self {
            tx: Transactions::new(storage.transactions, seed, config.timers),
            calls: Pool::new(storage.calls),
            sessions: Index::default(),
            secret: seed,
            legs: Legs::new(storage.legs, seed),
            texts: Texts::new(storage.texts),
            config,
            events: heapless::Deque::new(),
            paper: Paper::new(),
            again: None,
            late_ack: None,
            refused_cseq: 0,
            over: List::EMPTY,
            kept: (0, 0),
            reserved_use: (0, 0),
            reserved: None,
            counters: Counters::default(),
        }
    }

    /// Keeps room for so many calls, legs and blocks of texts for what must not be refused: calls that are taken with
    /// [`Calls::receive_reserved`], and, of blocks, what calls still say that exist.
    pub fn reserve(&mut self, calls: usize, legs: usize, blocks: usize) {
        self.kept = (calls, legs);
        self.texts.reserve(blocks);
    }

    /// Methods that are understood.
    pub(super) fn allow(&self) -> &'static str {
        match self.config.transfers {
            true => ALLOW_TRANSFERS,
            false => ALLOW,
        }
    }

    /// What the owner keeps with a call.
    pub fn meta(&self, call: Key) -> Option<&M> {
        self.calls.get(call).map(|call| &call.meta)
    }

    /// What the owner keeps with a call.
    pub fn meta_mut(&mut self, call: Key) -> Option<&mut M> {
        self.calls.get_mut(call).map(|call| &mut call.meta)
    }

    /// Where a leg goes.
    pub fn leg_flow(&self, leg: Key) -> Option<Flow> {
        self.legs.get(leg).map(|leg| leg.path.flow())
    }

    /// The Q.850 cause that came with the failure [`Event::Exhausted`] tells of (RFC 3326).
    pub fn failure_cause(&self, call: Key) -> Option<u16> {
        self.calls.get(call)?.best_cause
    }

    /// Why its legs were told to stop, if a reason was given (RFC 3326): of a call that is over.
    pub fn cause(&self, call: Key) -> Option<Cause> {
        self.calls.get(call)?.cause
    }

    /// An offer of one of the sides still waits for its final answer.
    pub fn negotiates(&self, call: Key) -> bool {
        let Some(asked) = self.calls.get(call).map(|call| &call.asked) else {
            return false;
        };
        let unacked = || self.legs.get(asked.leg).is_some_and(Leg::is_unacked);
        asked.open || (asked.delayed_offer && unacked())
    }

    /// What [`Target::user`] said of a branch.
    pub fn leg_user(&self, leg: Key) -> Option<u32> {
        self.legs.get(leg).map(|leg| leg.user)
    }

    /// The call's name in the Session-ID header.
    pub fn session(&self, call: Key) -> Option<[u8; 32]> {
        self.calls.get(call).map(|call| call.session)
    }

    /// The session description last meant for the given side, of [`SDP_MAX`] bytes at most, copied into `buffer`.
    pub fn sdp<'b>(&self, call: Key, towards: Side, buffer: &'b mut [u8]) -> Option<&'b [u8]> {
        let [sdp] = self.texts.read(self.calls.get(call)?.sdp(towards), buffer)?;
        Some(sdp)
    }

    /// All calls that are not over.
    pub fn iter(&self) -> impl Iterator<Item = (Key, &M, bool)> + Clone {
        self.calls
            .iter()
            .filter(|(_, call)| call.stage != Stage::Ended)
            .map(|(key, call)| (key, &call.meta, call.stage == Stage::Talking))
    }

    /// The branches of a call that ring, or are asked to: what [`Target::user`] said of each.
    pub fn branches(&self, call: Key) -> impl Iterator<Item = u32> {
        let mut walk = self.calls.get(call).map(|call| self.legs.of(&call.legs));
        let legs = core::iter::from_fn(move || self.legs.get(self.legs.next(walk.as_mut()?)?));
        let rings = |leg: &&Leg| leg.side == Side::Callee && leg.state == State::Calling;
        legs.filter(rings).map(|leg| leg.user)
    }

    /// How much of the room is in use.
    pub fn usage(&self) -> Usage {
        Usage {
            calls: self.calls.len(),
            legs: self.legs.len(),
            transactions: self.tx.len(),
            blocks: self.texts.used(),
        }
    }

    /// Counted oddities.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Counted oddities of the transactions.
    pub fn transaction_counters(&self) -> transaction::Counters {
        self.tx.counters()
    }

    #[cfg(test)]
    fn assert_sound(&self) {
        self.calls.assert_sound();
        self.legs.assert_sound();
    }
}
