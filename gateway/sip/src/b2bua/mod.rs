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

mod call;
mod open;
mod receive;
mod send;
#[cfg(test)]
mod tests;

use crate::flow::Flow;
use crate::header::Name;
use crate::message::Message;
use crate::pool::{self, Key, Pool};
use crate::sdp::{Negotiation, Role};
use crate::time::Instant;
use crate::transaction::{self, ClientKind, Priority, Timers, Transactions, TxId};
use crate::write::{Writer, write_response_head, write_response_lines};
pub use call::{
    ADDRESS_MAX, CALL_ID_MAX, Call, Cause, EXTRA_MAX, End, HEAD_MAX, Leg, ROUTE_MAX, SDP_MAX, Side, TAG_MAX,
    Text, URI_MAX,
};
use call::{Ack, Asked, Asking, Stage, State, fingerprint};
use core::time::Duration;

/// Methods that are understood within a dialog and offered to others.
pub const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS";

/// Most branches at once of a call that does not say how many it may have: all that the box has room for (RFC 5393 §5.3.3
/// recommends at least 60).
const BREADTH: u16 = 256;

/// What a caller is told for whom there is no room, seconds.
pub const RETRY_AFTER: u8 = 2;

/// The largest answer that is written at once: the lines that every answer copies, and our own.
const REPLY_MAX: usize = HEAD_MAX + 512;

/// The room for everything that is kept; sizes are the caller's.
pub struct Storage<'s, M> {
    /// Transactions: two a call and one a branch, and what lingers.
    pub transactions: transaction::Storage<'s>,
    /// Calls.
    pub calls: pool::Storage<'s, Call<M>>,
    /// Legs: one a call and one a branch.
    pub legs: pool::Storage<'s, Leg>,
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
}

/// Who stands between the two sides' session descriptions.
pub trait Media {
    /// Writes into `out` what the other side is to see of `sdp`, an offer or answer of side `from` of `call`. False:
    /// unacceptable (488).
    fn relay(&mut self, call: Key, from: Side, role: Role, sdp: &[u8], out: &mut Text<SDP_MAX>) -> bool;
}

/// Nobody: media flows from one side to the other directly.
pub struct Direct;

impl Media for Direct {
    fn relay(&mut self, _: Key, _: Side, _: Role, sdp: &[u8], out: &mut Text<SDP_MAX>) -> bool {
        out.clear();
        out.extend_from_slice(sdp).is_ok()
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
    legs: Pool<'s, Leg>,
    config: Config,
    events: heapless::Deque<Event, 16>,
    reply: heapless::Vec<u8, REPLY_MAX>,
    reply_to: Option<Flow>,
    again: Option<(TxId, u32, u16)>,
    /// Some leg may have something to send.
    due: bool,
    /// Some leg's connection may be gone.
    lost: bool,
    /// No timer is earlier than this.
    earliest: Instant,
    /// Some call may be over, told and without legs.
    sweep: bool,
    /// Calls and legs that only what is [`Priority::Reserved`] may use.
    kept: (usize, usize),
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
            legs: Pool::new(storage.legs),
            config,
            events: heapless::Deque::new(),
            reply: heapless::Vec::new(),
            reply_to: None,
            again: None,
            due: false,
            lost: false,
            earliest: Instant::NEVER,
            sweep: false,
            kept: (0, 0),
            reserved: None,
            counters: Counters::default(),
        }
    }

    /// Keeps room for so many calls and legs that must not be refused: see [`Calls::receive_reserved`].
    pub fn reserve(&mut self, calls: usize, legs: usize) {
        self.kept = (calls, legs);
    }

    /// Tells the caller how far the call is: a provisional `status` (101 to 199), with a session description of our own for
    /// an announcement and its cause, which goes out at once and again with the final answer. From then on branches do not
    /// change what the caller hears.
    pub fn progress(
        &mut self,
        now: Instant,
        call: Key,
        status: u16,
        sdp: Option<&[u8]>,
        cause: Option<Cause>,
    ) -> Result<(), Refusal> {
        let call = self
            .calls
            .get_mut(call)
            .filter(|call| call.stage == Stage::Waiting)
            .ok_or(Refusal::Gone)?;
        if let Some(sdp) = sdp {
            call.to_caller = text(sdp)?;
            call.announcing = true;
            call.cause = cause;
        }
        call.progress = status;
        if let Some(tx) = call.asked.tx {
            let _ = self.tx.respond(now, tx, status);
        }
        Ok(())
    }

    /// Gives the caller a final answer, 300 to 699, and stops all branches.
    pub fn refuse(&mut self, now: Instant, call: Key, status: u16, cause: Option<Cause>) {
        if let Some(waiting) = self
            .calls
            .get_mut(call)
            .filter(|call| call.stage == Stage::Waiting)
        {
            waiting.cause = cause;
            self.end(now, call, End::Refused(status), cause);
        }
    }

    /// Ends a call, whatever its state: an answered one with BYE to both sides, a waiting one with 480.
    pub fn release(&mut self, now: Instant, call: Key, cause: Option<Cause>) {
        match self.calls.get(call).map(|call| call.stage) {
            Some(Stage::Waiting) => self.refuse(now, call, 480, cause),
            Some(Stage::Talking) => self.end(now, call, End::Released, cause),
            _ => {}
        }
    }

    /// Stops one branch of a waiting call.
    pub fn cancel(&mut self, now: Instant, leg: Key, cause: Option<Cause>) {
        self.cancel_branch(now, leg, cause);
    }

    /// Stops all branches of a call; the caller goes on waiting.
    pub fn cancel_all(&mut self, now: Instant, call: Key, cause: Option<Cause>) {
        self.cancel_branches(now, call, cause);
    }

    /// Sets or clears the call's own timer, which comes back as [`Event::Deadline`] once.
    pub fn set_deadline(&mut self, call: Key, at: Option<Instant>) {
        if let Some(call) = self.calls.get_mut(call) {
            call.deadline = at.unwrap_or(Instant::NEVER);
            self.earliest = self.earliest.min(call.deadline);
        }
    }

    /// A connection is gone for good: branches on it fail, answered calls on it end.
    pub fn flow_lost(&mut self, now: Instant, flow: Flow) {
        self.tx.drop_flow(now, flow);
        // One leg after another, as the owner takes the events: there may be more than the queue holds.
        for (_, leg) in self.legs.iter_mut() {
            if leg.flow == flow && leg.state != State::Over {
                leg.lost = true;
                self.lost = true;
            }
        }
    }

    /// Nobody is at this address: branches to it fail at once.
    pub fn unreachable(&mut self, now: Instant, address: core::net::IpAddr) {
        let waits = |leg: &Leg| matches!(leg.state, State::Calling | State::Cancelling) && leg.inviting;
        for (_, leg) in self
            .legs
            .iter()
            .filter(|(_, leg)| waits(leg) && leg.flow.peer.ip() == address)
        {
            if let Some(tx) = leg.invite {
                self.tx.transport_error(now, tx);
            }
        }
    }

    /// A peer came back on another connection: its dialogs go on there. What was unanswered is sent again, and the peer is
    /// asked at once whether it still knows the dialogs.
    pub fn flow_moved(&mut self, old: Flow, new: Flow) {
        self.tx.move_flow(old, new);
        for (_, leg) in self.legs.iter_mut().filter(|(_, leg)| leg.flow == old) {
            leg.flow = new;
            if leg.state == State::Up && !leg.inviting {
                leg.timer = Instant::ZERO;
                self.earliest = Instant::ZERO;
            }
        }
    }

    /// Drops the transaction of a request that was answered some other way.
    pub fn forget(&mut self, tx: TxId) {
        self.tx.forget(tx);
    }

    /// Answers a request that is not part of a call, from the request itself. `more` adds header lines.
    pub fn reply(
        &mut self,
        now: Instant,
        tx: TxId,
        flow: Flow,
        message: &Message<'_>,
        status: u16,
        more: impl FnOnce(&mut Writer<'_>),
    ) {
        let tag = self.tx.to_tag(tx);
        if message.method() == crate::Method::Invite || status >= 300 {
            // Statelessly (RFC 3261 §8.2.7): what comes again is judged again, with the same tag.
            self.tx.forget(tx);
        } else {
            let _ = self.tx.responded(now, tx, status);
        }
        self.write_reply(flow, message, status, tag, more);
    }

    fn write_reply(
        &mut self,
        flow: Flow,
        message: &Message<'_>,
        status: u16,
        tag: Option<transaction::Tag>,
        more: impl FnOnce(&mut Writer<'_>),
    ) {
        self.reply.clear();
        let _ = self.reply.resize(REPLY_MAX, 0);
        let mut w = Writer::new(&mut self.reply);
        let mut tag_text: heapless::String<16> = heapless::String::new();
        if let Some(tag) = tag {
            let _ = core::fmt::Write::write_fmt(&mut tag_text, format_args!("{tag}"));
        }
        write_response_head(&mut w, message, status, tag.map(|_| tag_text.as_str()), flow.peer);
        w.header(Name::Server, self.config.agent);
        if matches!(status, 200 | 405 | 501) {
            w.header(Name::Allow, ALLOW);
        }
        more(&mut w);
        match w.finish_empty() {
            Ok(len) => {
                self.reply.truncate(len);
                self.reply_to = Some(flow.answering(message));
            }
            Err(_) => {
                self.counters.overflow += 1;
                self.reply_to = None;
            }
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
        self.legs.get(leg).map(|leg| leg.flow)
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
        let call = self.calls.get(call);
        call.is_some_and(|call| call.negotiation.offerer().is_some())
    }

    /// What [`Target::user`] said of a branch.
    pub fn leg_user(&self, leg: Key) -> Option<u32> {
        self.legs.get(leg).map(|leg| leg.user)
    }

    /// The call's name in the Session-ID header.
    pub fn session(&self, call: Key) -> Option<[u8; 32]> {
        self.calls.get(call).map(|call| call.session)
    }

    /// The session description last meant for the given side.
    pub fn sdp(&self, call: Key, towards: Side) -> Option<&[u8]> {
        self.calls.get(call).map(|call| call.sdp(towards).as_slice())
    }

    /// All calls that are not over.
    pub fn iter(&self) -> impl Iterator<Item = (Key, &M, bool)> {
        self.calls
            .iter()
            .filter(|(_, call)| call.stage != Stage::Ended)
            .map(|(key, call)| (key, &call.meta, call.stage == Stage::Talking))
    }

    /// How many calls, legs and transactions there are, those that only say good-bye included.
    pub fn usage(&self) -> (usize, usize, usize) {
        (self.calls.len(), self.legs.len(), self.tx.len())
    }

    /// Counted oddities.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Counted oddities of the transactions.
    pub fn transaction_counters(&self) -> transaction::Counters {
        self.tx.counters()
    }
}

/// Copies bytes into place.
fn text<const N: usize>(bytes: &[u8]) -> Result<Text<N>, Refusal> {
    Text::from_slice(bytes).map_err(|_| Refusal::TooLarge)
}

fn push_route(route: &mut Text<ROUTE_MAX>, value: &[u8]) -> Result<(), Refusal> {
    if !route.is_empty() {
        route.extend_from_slice(b", ").map_err(|_| Refusal::TooLarge)?;
    }
    route.extend_from_slice(value).map_err(|_| Refusal::TooLarge)
}

/// Keeps the header lines that every answer to `message` copies.
fn write_head(
    head: &mut Text<HEAD_MAX>,
    message: &Message<'_>,
    tag: Option<(u32, u32)>,
    flow: Flow,
    makes_dialog: bool,
) -> Result<(), Refusal> {
    head.clear();
    let _ = head.resize(HEAD_MAX, 0);
    let mut tag_text: heapless::String<16> = heapless::String::new();
    if let Some((key, nonce)) = tag {
        let _ = core::fmt::Write::write_fmt(&mut tag_text, format_args!("{key:08x}{nonce:08x}"));
    }
    let mut w = Writer::new(head);
    write_response_lines(&mut w, message, tag.map(|_| tag_text.as_str()), flow.peer);
    if makes_dialog {
        w.copy(message, Name::RecordRoute);
    }
    let len = w.end().map_err(|_| Refusal::TooLarge)?;
    head.truncate(len);
    Ok(())
}
