//! What a phone saw of its calls.

use std::net::SocketAddr;

use crate::Millis;

/// Which way a call went, seen from the phone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The phone called.
    Out,
    /// The phone was called.
    In,
}

/// How a call ended, seen from one phone. Every call ends in exactly one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Answered, and this phone hung up.
    HungUpHere,
    /// Answered, and the other side hung up.
    HungUpThere,
    /// Refused with this status, by either.
    Refused(u16),
    /// The caller gave up before an answer.
    Cancelled,
    /// Somebody else answered: no missed call (RFC 3326).
    Elsewhere,
    /// No final answer in time.
    TimedOut,
    /// Answered here, but the caller's ACK never came.
    Lost,
}

/// One call of a phone.
#[derive(Clone, Debug)]
pub struct CallLog {
    /// Which way.
    pub direction: Direction,
    /// The user part that was called, or that called.
    pub peer: String,
    /// The user part of the Request-URI: what was called, as this side sees it.
    pub called: String,
    /// Display name of the caller, for a call that came in.
    pub display: String,
    /// Call-ID on this phone.
    pub call_id: String,
    /// The call's name on all its legs (RFC 7989), once it was heard.
    pub session: String,
    /// When the INVITE went or came.
    pub started: Millis,
    /// When it first rang (180 or 183).
    pub ringing: Option<Millis>,
    /// When it was answered (200).
    pub answered: Option<Millis>,
    /// When it was over.
    pub ended: Option<Millis>,
    /// How.
    pub outcome: Option<Outcome>,
    /// Where the other side wants its audio.
    pub media: Option<SocketAddr>,
    /// Reason header, if one came with the end.
    pub reason: String,
    /// Status of the answer to this phone's BYE; 0 for none in time.
    pub bye_status: Option<u16>,
}

impl CallLog {
    /// A call that has just begun.
    pub fn new(direction: Direction, now: Millis, peer: String, call_id: String) -> Self {
        CallLog {
            direction,
            called: match direction {
                Direction::Out => peer.clone(),
                Direction::In => String::new(),
            },
            peer,
            display: String::new(),
            call_id,
            session: String::new(),
            started: now,
            ringing: None,
            answered: None,
            ended: None,
            outcome: None,
            media: None,
            reason: String::new(),
            bye_status: None,
        }
    }

    /// Did it ring or call without an answer, so that the phone shows it as missed?
    pub fn is_missed(&self) -> bool {
        self.direction == Direction::In
            && self.answered.is_none()
            && matches!(self.outcome, Some(Outcome::Cancelled | Outcome::TimedOut))
    }
}
