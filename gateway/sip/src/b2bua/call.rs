//! What is kept of a call and of its legs, and nothing more: no message outlives its answer.

use crate::flow::Flow;
use crate::pool::Key;
use crate::sdp::{Negotiation, Sdp};
use crate::time::Instant;
use crate::transaction::TxId;

/// Bytes in place, up to `N`.
pub type Text<const N: usize> = heapless::Vec<u8, N>;

/// Largest session description that is taken, in bytes; beyond it 513.
pub const SDP_MAX: usize = if cfg!(feature = "std") { 4_096 } else { 896 };
/// Largest block of header lines (Via, From, To, Call-ID, CSeq, Record-Route) of an INVITE, in bytes; beyond it 513.
pub const HEAD_MAX: usize = if cfg!(feature = "std") { 2_048 } else { 768 };
/// Largest URI of a caller, a called party or a contact, in bytes; beyond it 513 or, for a called party's, a failed branch.
pub const URI_MAX: usize = if cfg!(feature = "std") { 256 } else { 128 };
/// Largest tag of the other side, in bytes. Carriers' border controllers make some of 85; phones' are short.
pub const TAG_MAX: usize = if cfg!(feature = "std") { 128 } else { 48 };
/// Largest Call-ID of a caller, in bytes.
pub const CALL_ID_MAX: usize = if cfg!(feature = "std") { 256 } else { 128 };
/// Largest route set of a dialog, in bytes; beyond it 513 or a failed branch. The box's peers (phones, the cloud) set none.
pub const ROUTE_MAX: usize = if cfg!(feature = "std") { 512 } else { 0 };
/// Largest From or To that the policy presents to the called side, in bytes.
pub const ADDRESS_MAX: usize = 160;
/// Largest block of further header lines that the policy adds to the called side's INVITE, in bytes.
pub const EXTRA_MAX: usize = if cfg!(feature = "std") { 768 } else { 256 };

/// One side of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Who sent the INVITE that made the call.
    Caller,
    /// Who we sent an INVITE to.
    Callee,
}

impl Side {
    /// The other one.
    pub const fn other(self) -> Self {
        match self {
            Self::Caller => Self::Callee,
            Self::Callee => Self::Caller,
        }
    }
}

/// Why a leg is told to stop (RFC 3326).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cause {
    /// `SIP` or `Q.850`.
    pub protocol: &'static str,
    /// A SIP status or a Q.850 cause.
    pub cause: u16,
    /// For people and logs.
    pub text: &'static str,
}

impl Cause {
    /// Somebody else has answered; a phone shows no missed call for it (RFC 3326 §3.1).
    pub const COMPLETED_ELSEWHERE: Self = Self {
        protocol: "SIP",
        cause: 200,
        text: "Call completed elsewhere",
    };
    /// The caller gave up.
    pub const REQUEST_TERMINATED: Self = Self {
        protocol: "SIP",
        cause: 487,
        text: "Request terminated",
    };
    /// The way to the other side is gone (Q.850 cause 38).
    pub const OUT_OF_ORDER: Self = Self {
        protocol: "Q.850",
        cause: 38,
        text: "Network out of order",
    };
    /// Every line of the contract is in use (Q.850 cause 34).
    pub const NO_CHANNEL: Self = Self {
        protocol: "Q.850",
        cause: 34,
        text: "No channel available",
    };
    /// A session description that is no answer to its offer.
    pub const NOT_ACCEPTABLE: Self = Self {
        protocol: "SIP",
        cause: 488,
        text: "Not acceptable here",
    };
    /// Nobody answered in time (Q.850 cause 19).
    pub const NO_ANSWER: Self = Self {
        protocol: "Q.850",
        cause: 19,
        text: "No answer",
    };
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// A side hung up an answered call.
    HungUp(Side),
    /// The caller gave up before an answer.
    Cancelled,
    /// The policy refused it, or nobody took it: the final status sent to the caller, 300 to 699.
    Refused(u16),
    /// The policy ended an answered call.
    Released,
    /// A side of an answered call is not there any more: no ACK, no answer to a probe, its connection gone.
    Lost(Side),
}

/// Where a call stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// The caller waits for a final answer.
    Waiting,
    /// Answered.
    Talking,
    /// Over; the legs say good-bye.
    Ended,
}

/// An INVITE from one of the sides that still has no final answer of ours, or whose 2xx has no ACK yet.
#[derive(Debug)]
pub(super) struct Asked {
    /// The leg that asks.
    pub leg: Key,
    /// Its transaction, while unanswered.
    pub tx: Option<TxId>,
    /// The header lines that every answer to it copies.
    pub head: Text<HEAD_MAX>,
    /// CSeq number, which the ACK repeats.
    pub cseq: u32,
    /// It came without an offer: the answer will be in the ACK.
    pub delayed_offer: bool,
}

/// A call. `M` is what its owner keeps with it.
#[derive(Debug)]
pub struct Call<M> {
    pub(super) meta: M,
    pub(super) stage: Stage,
    pub(super) caller: Key,
    pub(super) winner: Option<Key>,
    /// Legs that exist, the caller's included.
    pub(super) legs: u16,
    /// Branches that may still answer.
    pub(super) open: u16,
    pub(super) asked: Asked,
    /// Whose offer is open.
    pub(super) negotiation: Negotiation<Side>,
    pub(super) caller_uri: Text<URI_MAX>,
    pub(super) called_uri: Text<URI_MAX>,
    pub(super) call_id: Text<CALL_ID_MAX>,
    pub(super) max_forwards: u8,
    /// Fingerprint of what led here: the user that was asked for, and who asked.
    pub(super) way: u32,
    /// Branches at once that are not given to any yet (RFC 5393 §5.3.3).
    pub(super) breadth: u16,
    /// Branches that have none yet.
    pub(super) undealt: u16,
    /// What the called side sees as From and To, without tags.
    pub(super) from: Text<ADDRESS_MAX>,
    pub(super) to: Text<ADDRESS_MAX>,
    pub(super) extra: Text<EXTRA_MAX>,
    pub(super) session: [u8; 32],
    pub(super) to_callee: Text<SDP_MAX>,
    pub(super) to_caller: Text<SDP_MAX>,
    /// Last provisional status sent to the caller.
    pub(super) progress: u16,
    /// The caller has a branch's session description already.
    pub(super) early: bool,
    /// The caller hears an announcement of ours: branches do not change what it hears.
    pub(super) announcing: bool,
    /// Best failure of the branches so far (RFC 3261 §16.7 step 6); 0: none.
    pub(super) best: u16,
    /// The Q.850 cause that came with it.
    pub(super) best_cause: Option<u16>,
    pub(super) cause: Option<Cause>,
    pub(super) deadline: Instant,
    /// How it ended; the owner is told when it asks, so that any number may end at once.
    pub(super) end: Option<End>,
    pub(super) told: bool,
    /// Legs that only wait for repetitions.
    pub(super) lingering: u16,
    /// When it was over.
    pub(super) ended: Instant,
    /// It may use the room that is kept for what must not be refused.
    pub(super) reserved: bool,
}

impl<M> Call<M> {
    pub(super) fn sdp(&self, towards: Side) -> &Text<SDP_MAX> {
        match towards {
            Side::Caller => &self.to_caller,
            Side::Callee => &self.to_callee,
        }
    }

    /// Is `sdp` an answer to what its side was sent last (RFC 3264 §6)? One that cannot be read is for [`super::Media`] to
    /// judge.
    pub(super) fn is_answered(&self, from: Side, sdp: &[u8]) -> bool {
        match (Sdp::parse(self.sdp(from)), Sdp::parse(sdp)) {
            (Some(offer), Some(answer)) => answer.answers(&offer).is_ok(),
            _ => true,
        }
    }

    pub(super) fn sdp_mut(&mut self, towards: Side) -> &mut Text<SDP_MAX> {
        match towards {
            Side::Caller => &mut self.to_caller,
            Side::Callee => &mut self.to_callee,
        }
    }
}

/// Where a leg stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Callee: the INVITE is out.
    Calling,
    /// Callee: cancelled, the final answer still to come.
    Cancelling,
    /// Caller: its INVITE has no final answer yet.
    Incoming,
    /// Caller: refused, the ACK still to come. Callee: failed, its INVITE transaction lingers.
    Over,
    /// In a dialog.
    Up,
    /// Our BYE is out.
    Closing,
}

/// A request of ours within a dialog, other than INVITE and ACK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asking {
    Bye,
    Probe,
}

/// When the ACK to a 2xx goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ack {
    Idle,
    Due,
    /// The other side's ACK brings the answer that this one must carry.
    WaitsForPeer,
}

/// One dialog, or the branch that may become one.
#[derive(Debug)]
pub struct Leg {
    pub(super) call: Key,
    pub(super) side: Side,
    pub(super) state: State,
    pub(super) flow: Flow,
    /// Whatever the owner knows it by.
    pub(super) user: u32,
    /// Our tag: the handle of the leg that the tag was made for, and randomness.
    pub(super) tag: (u32, u32),
    pub(super) call_id: u64,
    pub(super) remote_tag: Text<TAG_MAX>,
    pub(super) target: Text<URI_MAX>,
    pub(super) route: Text<ROUTE_MAX>,
    pub(super) invite: Option<TxId>,
    /// Our INVITE has no final answer yet.
    pub(super) inviting: bool,
    pub(super) invite_cseq: u32,
    pub(super) asking: Option<(TxId, Asking)>,
    pub(super) asking_cseq: u32,
    pub(super) local_cseq: u32,
    pub(super) remote_cseq: Option<u32>,
    /// How many branches at once it may have beyond us.
    pub(super) breadth: u16,
    pub(super) ack: Ack,
    /// A 2xx of ours is due now.
    pub(super) ok_due: bool,
    /// A 2xx of ours has no ACK yet: when to give up.
    pub(super) unacked: Option<Instant>,
    /// Hang up as soon as the ACK is there (RFC 3261 §15).
    pub(super) bye_wanted: bool,
    /// Its connection is gone.
    pub(super) lost: bool,
    pub(super) cause: Option<Cause>,
    /// Next repetition of the 2xx, or next probe; of a branch that failed, when repetitions of its answer have stopped.
    pub(super) timer: Instant,
    pub(super) interval: u16,
    /// Fingerprint of the last session description that came from here.
    pub(super) sdp: u32,
}

impl Leg {
    /// A branch that failed and only waits for repetitions of its answer.
    pub(super) fn is_lingering(&self) -> bool {
        self.side == Side::Callee && self.state == State::Over
    }
}

/// FNV-1a: tells a session refresh from a changed offer.
pub(super) fn fingerprint(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811C_9DC5, |hash, byte| {
        (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
    })
}
