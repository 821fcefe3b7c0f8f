//! What is kept with a call, and the records that come of it: one for the caller's leg, one for the leg that answered.

use shared::channels::Use;
use shared::record::{CallLeg, Direction, FinalState, Party, Side as Writer, Stamp};
use shared::ring::Call;
use shared::route::Treatment;
use shared::{ContractId, IdKey, Number, SessionId};
use sip::b2bua::{Cause, End, Side};
use sip::pool::Key;

use super::Peer;
use super::route::Sent;

/// Between whom a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// From the carrier to boxes and phones.
    Incoming,
    /// From a box or phone to the carrier.
    Outgoing,
    /// From one to others of one contract; takes no channel (R15, A20).
    Internal,
}

/// Whose terminals a call rings.
#[derive(Clone, Debug)]
pub(super) struct Rings {
    /// What was called, by whom.
    pub call: Call,
    /// What was dialled, if it is no number.
    pub user: String,
    /// Who knows of it: the box that calls, and those that were asked; none is asked twice.
    pub told: Vec<Peer>,
    /// The caller as the phones see it.
    pub from: String,
    /// If nobody answers.
    pub unanswered: Treatment,
    /// Who was called before.
    pub sent: Option<Sent>,
}

/// What the engine keeps with a call.
#[derive(Debug)]
pub(super) struct Meta {
    pub kind: Kind,
    pub contract: ContractId,
    pub session: SessionId,
    pub from: Party,
    pub to: Party,
    pub presented: Option<Number>,
    /// The channels it holds (R15).
    pub uses: Use,
    pub caller: Option<IdKey>,
    pub started: Stamp,
    pub dialled: Option<Stamp>,
    pub ringing: Option<Stamp>,
    pub answered: Option<Stamp>,
    /// It was refused for want of a channel.
    pub limited: bool,
    /// Somebody said something of it.
    pub progressed: bool,
    /// The answer after the announcement that it hears.
    pub verdict: Option<(u16, Cause)>,
    /// Whose terminals it rings, if any.
    pub rings: Option<Rings>,
    /// Whom it rings, and their branches.
    pub branches: Vec<(Peer, Key)>,
    /// The ID whose phone has answered; which one it was at a box, that box tells.
    pub answered_by: Option<IdKey>,
}

impl Meta {
    /// The records of the call, once it is over. `elsewhere`: it was cancelled because somebody else has answered.
    pub fn legs(&self, ended: Stamp, end: End, elsewhere: bool) -> impl Iterator<Item = CallLeg> {
        let (state, status) = self.state(end, elsewhere);
        let caller = CallLeg {
            session: self.session,
            leg: 0,
            side: Writer::Cloud,
            direction: Direction::In,
            from: self.from.clone(),
            to: self.to.clone(),
            presented: self.presented,
            terminal: self.caller,
            started: self.started,
            ringing: self.ringing,
            answered: self.answered,
            ended,
            state,
            status,
        };
        let callee = self.answered.map(|_| CallLeg {
            leg: 1,
            direction: Direction::Out,
            terminal: self.answered_by,
            started: self.dialled.unwrap_or(self.started),
            ..caller.clone()
        });
        [Some(caller), callee].into_iter().flatten()
    }

    fn state(&self, end: End, elsewhere: bool) -> (FinalState, u16) {
        match end {
            End::HungUp(Side::Caller | Side::Callee) | End::Released => (FinalState::Answered, 200),
            End::Lost(_) => (FinalState::Lost, 200),
            End::Cancelled if elsewhere => (FinalState::ElsewhereAnswered, 487),
            End::Cancelled => (FinalState::Cancelled, 487),
            End::Refused(status) => {
                let state = match status {
                    _ if self.limited => FinalState::ChannelLimit,
                    486 | 600 => FinalState::Busy,
                    480 if self.ringing.is_some() => FinalState::NotAnswered,
                    408 | 480 | 503 => FinalState::Unavailable,
                    _ => FinalState::Refused(status),
                };
                (state, status)
            }
        }
    }
}
