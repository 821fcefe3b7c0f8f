//! What is kept of a call and of its legs, and nothing more: no message outlives its answer.

use super::info::Passed;
use super::reliable::Reliable;
use super::report::Report;
use super::session::Session;
use super::transfer::Link;
use super::update::Update;
use crate::flow::Path;
use crate::pool::{Key, List, Timed};
use crate::sdp::Role;
use crate::text::Text;
use crate::time::Instant;
use crate::transaction::TxId;
use core::num::NonZeroU32;
use core::time::Duration;

/// Largest session description that is taken, in bytes; beyond it 513.
pub const SDP_MAX: usize = 4_096;
/// Largest block of header lines (Via, From, To, Call-ID, CSeq, Record-Route) of an INVITE, in bytes; beyond it 513.
pub const HEAD_MAX: usize = 2_048;
/// Largest URI of a caller, a called party or a contact, in bytes; beyond it 513 or, for a called party's, a failed branch.
pub const URI_MAX: usize = 256;
/// Largest tag of the other side, in bytes. Carriers' border controllers make some of 85; phones' are short.
pub const TAG_MAX: usize = 128;
/// Largest Call-ID of a caller, in bytes.
pub const CALL_ID_MAX: usize = 256;
/// Largest route set of a dialog, in bytes; beyond it 513 or a failed branch.
pub const ROUTE_MAX: usize = 512;
/// Largest From or To that the policy presents to the called side, in bytes.
pub const ADDRESS_MAX: usize = 160;
/// Largest block of further header lines that the policy adds to the called side's INVITE, in bytes.
pub const EXTRA_MAX: usize = 768;
/// A buffer of this size holds every message that is sent.
pub const MESSAGE_MAX: usize = 8_192;

/// The lines of our own that a message has at most.
const OWN: usize = 768;
const REQUEST: usize = 3 * URI_MAX + TAG_MAX + CALL_ID_MAX + ROUTE_MAX + 2 * ADDRESS_MAX + EXTRA_MAX;
const _: () = assert!(HEAD_MAX + SDP_MAX + OWN <= MESSAGE_MAX && REQUEST + SDP_MAX + OWN <= MESSAGE_MAX);

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

/// What a cause is one of (RFC 3326 §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// A SIP status.
    Sip,
    /// A cause of ITU-T Q.850.
    Q850,
}

/// Why a leg is told to stop (RFC 3326).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cause {
    /// What the cause is one of.
    pub protocol: Protocol,
    /// A SIP status or a Q.850 cause.
    pub cause: u16,
    /// For people and logs.
    pub text: &'static str,
}

impl Cause {
    /// Somebody else has answered; a phone shows no missed call for it (RFC 3326 §3.1).
    pub const COMPLETED_ELSEWHERE: Self = Self {
        protocol: Protocol::Sip,
        cause: 200,
        text: "Call completed elsewhere",
    };
    /// The caller gave up.
    pub const REQUEST_TERMINATED: Self = Self {
        protocol: Protocol::Sip,
        cause: 487,
        text: "Request terminated",
    };
    /// The way to the other side is gone (Q.850 cause 38).
    pub const OUT_OF_ORDER: Self = Self {
        protocol: Protocol::Q850,
        cause: 38,
        text: "Network out of order",
    };
    /// Every line of the contract is in use (Q.850 cause 34).
    pub const NO_CHANNEL: Self = Self {
        protocol: Protocol::Q850,
        cause: 34,
        text: "No channel available",
    };
    /// A session description that is no answer to its offer.
    pub const NOT_ACCEPTABLE: Self = Self {
        protocol: Protocol::Sip,
        cause: 488,
        text: "Not acceptable here",
    };
    /// A session that was not refreshed (Q.850 cause 102).
    pub const EXPIRED: Self = Self {
        protocol: Protocol::Q850,
        cause: 102,
        text: "Recovery on timer expiry",
    };
    /// Nobody answered in time (Q.850 cause 19).
    pub const NO_ANSWER: Self = Self {
        protocol: Protocol::Q850,
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

/// The last INVITE from one of the sides: it has no final answer of ours, or its 2xx no ACK yet, or all is said.
#[derive(Debug)]
pub(super) struct Asked {
    /// The leg that asks.
    pub leg: Key,
    /// Its transaction, as far as it is still there.
    pub tx: TxId,
    /// It has no final answer yet.
    pub open: bool,
    /// The header lines that every answer to it copies; nothing once the ACK is there.
    pub head: Text,
    /// CSeq number, which the ACK repeats.
    pub cseq: u32,
    /// It came without an offer: the answer will be in the ACK.
    pub delayed_offer: bool,
}

impl Asked {
    /// The transaction that waits for a final answer.
    pub fn waiting(&self) -> Option<TxId> {
        self.open.then_some(self.tx)
    }

    /// What the other side says to it.
    pub fn role(&self) -> Role {
        match self.delayed_offer {
            true => Role::Offer,
            false => Role::Answer,
        }
    }

    /// The transaction that waits for a final answer, which it gets now.
    pub fn take(&mut self) -> Option<TxId> {
        core::mem::take(&mut self.open).then_some(self.tx)
    }
}

/// Parts of [`Call::names`]: what the caller's INVITE said.
pub(super) const CALLER_URI: usize = 0;
pub(super) const CALLED_URI: usize = 1;
pub(super) const CALL_ID: usize = 2;

/// Parts of [`Call::shown`]: what the called side sees, From and To without tags.
pub(super) const FROM: usize = 0;
pub(super) const TO: usize = 1;
pub(super) const EXTRA: usize = 2;

/// A call. `M` is what its owner keeps with it.
#[derive(Debug)]
pub struct Call<M> {
    pub(super) meta: M,
    pub(super) stage: Stage,
    pub(super) caller: Key,
    pub(super) winner: Option<Key>,
    /// Its legs, the caller's included, without those that only wait for repetitions.
    pub(super) legs: List<0>,
    /// How many legs only wait for repetitions.
    pub(super) lingering: u16,
    /// Branches that may still answer.
    pub(super) open: u16,
    pub(super) asked: Asked,
    pub(super) update: Update,
    pub(super) passed: Passed,
    pub(super) reliable: Reliable,
    pub(super) names: Text<3>,
    pub(super) shown: Text<3>,
    pub(super) max_forwards: u8,
    /// Fingerprint of what led here: the user that was asked for, and who asked.
    pub(super) way: u32,
    /// Branches at once that are not given to any yet (RFC 5393 §5.3.3).
    pub(super) breadth: u16,
    /// Branches that have none yet.
    pub(super) undealt: u16,
    pub(super) session: [u8; 32],
    /// What each side sees of the other's session description.
    pub(super) to_callee: Text,
    pub(super) to_caller: Text,
    /// What a side saw before an offer that it has not answered yet: which side, and what.
    pub(super) former: Option<(Side, Text)>,
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
    /// Told, and asked for more since: nobody wants to look at it any more.
    pub(super) settled: bool,
    /// It is in the list of those whose legs only wait for repetitions.
    pub(super) over: bool,
    /// It may use the room that is kept for what must not be refused.
    pub(super) reserved: bool,
    /// With another call it is one conversation.
    pub(super) link: Option<Link>,
    /// One of its sides departs: the other one is going to talk with somebody else.
    pub(super) moving: Option<Link>,
    /// What the departing side is told.
    pub(super) report: Option<Report>,
}

impl<M> Call<M> {
    pub(super) fn sdp(&self, towards: Side) -> &Text {
        match towards {
            Side::Caller => &self.to_caller,
            Side::Callee => &self.to_callee,
        }
    }

    pub(super) fn sdp_mut(&mut self, towards: Side) -> &mut Text {
        match towards {
            Side::Caller => &mut self.to_caller,
            Side::Callee => &mut self.to_callee,
        }
    }

    /// The session description that a side has: of what it is just being offered, nothing.
    pub(super) fn had(&self, side: Side) -> &Text {
        match &self.former {
            Some((of, text)) if *of == side => text,
            _ => self.sdp(side),
        }
    }

    /// The leg that talks, or would talk, with the one of a side.
    pub(super) fn peer_of(&self, side: Side) -> Option<Key> {
        match side {
            Side::Caller => self.winner,
            Side::Callee => Some(self.caller),
        }
    }
}

impl<M> Timed for Call<M> {
    fn wake(&self) -> Instant {
        if self.end.is_some() && !self.settled {
            Instant::ZERO
        } else {
            self.deadline
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
    /// Callee: an early dialog beside the branch that it belongs to.
    Early,
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
    Prack,
    /// A refresh of the session.
    Refresh,
    /// What the other side asks for with an UPDATE.
    Update,
    /// What the other side says with an INFO.
    Info,
    Notify,
}

/// When the ACK to a 2xx goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ack {
    Idle,
    Due,
    /// The other side's ACK brings the answer that this one must carry.
    WaitsForPeer,
}

/// What the other side of a leg can do, or wants.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Features(u8);

impl Features {
    /// It takes UPDATE (RFC 3311).
    pub const UPDATE: u8 = 1;
    /// It knows of session timers (RFC 4028).
    pub const TIMER: u8 = 2;
    /// It demands reliable provisional answers (RFC 3262).
    pub const RELIABLE: u8 = 4;

    pub fn has(self, feature: u8) -> bool {
        self.0 & feature != 0
    }

    pub fn remove(&mut self, feature: u8) {
        self.0 &= !feature;
    }

    pub fn set(&mut self, feature: u8, to: bool) {
        self.remove(feature);
        if to {
            self.0 |= feature;
        }
    }
}

/// Parts of [`Leg::names`].
pub(super) const TAG: usize = 0;
pub(super) const TARGET: usize = 1;
pub(super) const ROUTE: usize = 2;

/// One dialog, or the branch that may become one.
#[derive(Debug)]
pub struct Leg {
    pub(super) call: Key,
    pub(super) side: Side,
    pub(super) state: State,
    pub(super) path: Path,
    /// Whatever the owner knows it by.
    pub(super) user: u32,
    /// Our tag: the handle of the leg that the tag was made for, and randomness.
    pub(super) tag: (u32, u32),
    /// A number of 64 bits, in words.
    pub(super) call_id: [u32; 2],
    /// The other side's tag, where its requests go, and by which way.
    pub(super) names: Text<3>,
    pub(super) invite: Option<TxId>,
    /// Our INVITE has no final answer yet.
    pub(super) inviting: bool,
    /// It carries no offer: the 2xx does, and our ACK the answer.
    pub(super) offerless: bool,
    /// CSeq number of the last such INVITE that has a 2xx; 0: there was none.
    pub(super) delayed_cseq: u32,
    /// Our last INVITE was to refresh the session.
    pub(super) refreshing: bool,
    /// It has not what is kept for it: how often it may still be offered that.
    pub(super) astray: u8,
    pub(super) invite_cseq: u32,
    pub(super) asking: Option<(TxId, Asking)>,
    pub(super) asking_cseq: u32,
    pub(super) local_cseq: u32,
    /// One more than the number of its last request: they are below 2^31 (RFC 3261 §8.1.1.5).
    pub(super) remote_cseq: Option<NonZeroU32>,
    /// RSeq of its last reliable provisional answer.
    pub(super) rseq: u32,
    pub(super) features: Features,
    pub(super) session: Session,
    /// How many branches at once it may have beyond us.
    pub(super) breadth: u16,
    pub(super) ack: Ack,
    /// A 2xx of ours, or a reliable provisional answer, is due now.
    pub(super) ok_due: bool,
    /// A 2xx of ours has no ACK yet, or a reliable provisional answer no PRACK: when to give up. [`Instant::NEVER`]: it has.
    pub(super) unacked: Instant,
    /// Hang up as soon as the ACK is there (RFC 3261 §15).
    pub(super) bye_wanted: bool,
    /// Its connection is gone.
    pub(super) lost: bool,
    pub(super) cause: Option<Cause>,
    /// Next repetition of the 2xx, or next probe.
    pub(super) timer: Instant,
    pub(super) interval: u16,
    /// Fingerprint of the last session description that came from here.
    pub(super) sdp: u32,
}

impl Leg {
    pub(super) fn call_id(&self) -> u64 {
        let [high, low] = self.call_id;
        u64::from(high) << 32 | u64::from(low)
    }

    /// A branch that failed and only waits for repetitions of its answer.
    pub(super) fn is_lingering(&self) -> bool {
        self.side == Side::Callee && self.state == State::Over
    }

    /// An answer of ours is due and has to be acknowledged.
    pub(super) fn wait_for_ack(&mut self, now: Instant, t1: Duration) {
        self.ok_due = true;
        self.interval = t1.as_millis() as u16;
        self.unacked = now + t1 * 64;
        self.timer = now + t1;
    }

    /// A request of ours that must not be lost has no answer yet.
    pub(super) fn is_asked(&self) -> bool {
        self.asking.is_some_and(|(_, asking)| asking != Asking::Probe)
    }

    /// Whether a 2xx, or a reliable provisional answer, of ours waits to be acknowledged.
    pub(super) fn is_unacked(&self) -> bool {
        self.unacked != Instant::NEVER
    }
}

impl Timed for Leg {
    fn wake(&self) -> Instant {
        if self.lost || self.ok_due || self.ack == Ack::Due {
            Instant::ZERO
        } else {
            self.timer
        }
    }
}

/// FNV-1a: tells a session refresh from a changed offer.
pub(super) fn fingerprint(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811C_9DC5, |hash, byte| {
        (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
    })
}
