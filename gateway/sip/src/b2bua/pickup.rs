//! Pick-up: somebody takes a call that rings elsewhere (RFC 3891).
//!
//! Both have made an offer, and neither is an answer to the other. So who takes the call gets an answer of the owner's first,
//! in which nothing is sent, and then what the caller offers; what it says to that is the caller's answer.

use super::transfer::Link;
use super::*;
use core::fmt;

/// Eight bytes of a Call-ID or tag of ours, as 16 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hex(u64);

impl fmt::Display for Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl<M> Calls<'_, M> {
    /// By what a branch that rings can be taken over: its Call-ID and our tag. The phone's own tag is not known everywhere.
    pub fn ringing(&self, call: Key, user: u32) -> Option<(Hex, Hex)> {
        let mut walk = self.legs.of(&self.calls.get(call)?.legs);
        let legs = core::iter::from_fn(|| self.legs.get(self.legs.next(&mut walk)?));
        let rings = |leg: &&Leg| leg.side == Side::Callee && leg.state == State::Calling;
        let leg = legs.filter(rings).find(|leg| leg.user == user)?;
        let tag = u64::from(leg.tag.0) << 32 | u64::from(leg.tag.1);
        Some((Hex(leg.call_id()), Hex(tag)))
    }

    /// The branch that [`Calls::ringing`] told of, while it rings: its call, and what [`Target::user`] said of it.
    pub fn find_ringing(&self, call_id: &[u8], tag: &[u8]) -> Option<(Key, u32)> {
        let (key, nonce) = parse_tag(tag)?;
        let leg = self.legs.get(Key::from_bits(key))?;
        let fits = leg.tag.1 == nonce && receive::parse_hex(call_id) == Some(leg.call_id());
        (fits && leg.side == Side::Callee && leg.state == State::Calling).then_some((leg.call, leg.user))
    }

    /// Lets the caller of a waiting call take another waiting one over: it gets `sdp` as its answer, and as soon as it has
    /// acknowledged that, the offer of the other caller, who gets what it says to that. Then -> [`Event::Joined`], the other
    /// call's branches are cancelled, and its caller has its 200. Or [`Event::Parted`], and the other call rings on.
    pub fn pick_up(&mut self, now: Instant, call: Key, other: Key, sdp: &[u8]) -> Result<(), Refusal> {
        let waits =
            |call: &&Call<M>| call.stage == Stage::Waiting && call.asked.open && call.moving.is_none();
        let legs = [call, other].map(|call| self.calls.get(call).filter(waits).map(|call| call.caller));
        let ([Some(leg), Some(caller)], true) = (legs, call != other) else {
            return Err(Refusal::Gone);
        };
        // Who has called without an offer has nothing that could be passed on.
        let has_offer = |call: Key| self.calls.get(call).is_some_and(|call| !call.asked.delayed_offer);
        if !has_offer(call) || !has_offer(other) {
            return Err(Refusal::Media);
        }
        let Some(own) = self.calls.get_mut(call) else {
            return Err(Refusal::Gone);
        };
        let kept = self.texts.replace(&mut own.to_caller, [sdp]);
        kept.map_err(|_| Refusal::NoRoom)?;
        own.stage = Stage::Talking;
        for (call, leg, with) in [(call, leg, other), (other, caller, call)] {
            if let Some(call) = self.calls.get_mut(call) {
                call.moving = Some(Link {
                    leg,
                    with,
                    again: false,
                });
            }
        }
        self.answer_asked(now, call);
        Ok(())
    }

    /// Lets the caller of a waiting call, `by`, talk with the leg that stays in another one, `call`: that leg is offered what the
    /// caller has, whose answer is what comes of it. Then -> [`Event::Joined`]; or [`Event::Parted`], and the caller still waits.
    pub fn take(&mut self, now: Instant, call: Key, by: Key) -> Result<(), Refusal> {
        let waits = |call: &&Call<M>| call.stage == Stage::Waiting && call.moving.is_none();
        let caller = self.calls.get(by).filter(waits).map(|call| call.caller);
        self.join(now, call, caller.ok_or(Refusal::Gone)?)
    }

    /// Who takes another call over has acknowledged the answer of ours: now what the other caller offers.
    pub(super) fn on_picking(&mut self, now: Instant, key: Key) {
        let Some(with) = self.joining(key) else { return };
        let waits = self.calls.get(with).filter(|call| call.stage == Stage::Waiting);
        let Some((call, _)) = self.place(key).filter(|_| waits.is_some()) else {
            return;
        };
        if !self.pass_on(with, call) || !self.reinvite(now, key, false) {
            self.join_failed(now, call, 500);
        }
    }
}
