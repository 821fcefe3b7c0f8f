//! Reliable provisional answers (RFC 3262). Towards a caller who demands them each is repeated until its PRACK is there; to
//! who only offers them they are as others. Those of the called side are acknowledged and passed on as others.

use super::call::TAG;
use super::*;
use crate::fields::RAck;
use crate::method::Method;

/// The option tag.
pub(super) const OPTION: &str = "100rel";

/// Towards the caller.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reliable {
    /// RSeq of the last one; 0: there was none.
    pub rseq: u32,
    /// Its status.
    pub status: u16,
    /// It carried a session description.
    described: bool,
    /// The caller has acknowledged one with a session description: its offer is answered.
    pub agreed: bool,
    /// The 2xx waits for the PRACK.
    held: bool,
}

impl Reliable {
    pub const NONE: Self = Self {
        rseq: 0,
        status: 0,
        described: false,
        agreed: false,
        held: false,
    };
}

/// Whether a message demands it.
pub(super) fn is_required(message: &Message<'_>) -> bool {
    message
        .values(Name::Require)
        .any(|tag| tag.eq_ignore_ascii_case(OPTION.as_bytes()))
}

impl<M> Calls<'_, M> {
    /// Gives the caller a provisional answer: the call's progress.
    pub(super) fn tell_progress(&mut self, now: Instant, key: Key) {
        let Some(call) = self.calls.get_mut(key) else {
            return;
        };
        let (status, caller) = (call.progress, call.caller);
        let Some(tx) = call.asked.waiting() else { return };
        let Some(leg) = self.legs.get(caller) else { return };
        if !leg.features.has(Features::RELIABLE) {
            let _ = self.tx.respond(now, tx, status);
            return;
        }
        // One after the other (§3). And the first to an INVITE without an offer would have to carry one (§5).
        if leg.is_unacked() || call.asked.delayed_offer {
            return;
        }
        let first = match call.reliable.rseq {
            0 => self.tx.unguessable() as u32 >> 2,
            last => last,
        };
        call.reliable.rseq = first + 1;
        call.reliable.status = status;
        call.reliable.described = carries(status) && !call.to_caller.is_empty();
        let _ = self.tx.responded(now, tx, status);
        let t1 = self.config.timers.t1;
        self.legs.time(caller, |leg| leg.wait_for_ack(now, t1));
    }

    /// A 2xx must not overtake a description that is not acknowledged (§3).
    pub(super) fn holds_answer(&mut self, key: Key) -> bool {
        let Some(call) = self.calls.get_mut(key) else {
            return false;
        };
        let leg = self.legs.get(call.asked.leg);
        let early = leg.is_some_and(|leg| leg.state == State::Incoming && leg.is_unacked());
        call.reliable.held = early && call.reliable.described;
        call.reliable.held
    }

    pub(super) fn on_prack(&mut self, now: Instant, tx: TxId, key: Key, flow: Flow, message: &Message<'_>) {
        let rack = message.header(Name::RAck).and_then(RAck::parse);
        let leg = self.legs.get(key).filter(|leg| leg.state == State::Incoming);
        let call_key = leg.filter(|leg| leg.is_unacked()).map(|leg| leg.call);
        let call = call_key.and_then(|key| self.calls.get_mut(key));
        let fits = |call: &&mut Call<M>| {
            rack.is_some_and(|rack| {
                rack.rseq == call.reliable.rseq
                    && rack.cseq.seq == call.asked.cseq
                    && rack.cseq.method == Method::Invite
            })
        };
        let (Some(call), Some(call_key)) = (call.filter(fits), call_key) else {
            return self.reply(now, tx, flow, message, 481, |_| {});
        };
        call.reliable.agreed |= call.reliable.described;
        let (held, more) = (call.reliable.held, call.progress != call.reliable.status);
        self.legs.time(key, |leg| {
            leg.unacked = Instant::NEVER;
            leg.ok_due = false;
            leg.timer = Instant::NEVER;
        });
        // An offer within it is one too many: the session is being set up.
        let status = if message.body().is_empty() { 200 } else { 488 };
        self.reply(now, tx, flow, message, status, |_| {});
        if held {
            self.answer_asked(now, call_key);
        } else if more {
            self.tell_progress(now, call_key);
        }
    }

    /// A provisional answer of a branch. False: it is not to be looked at, since one before it is missing, or it came before, or
    /// an UPDATE is to be answered first. It comes again.
    pub(super) fn acknowledge(&mut self, now: Instant, branch: Key, message: &Message<'_>) -> bool {
        let rseq = message.number(Name::RSeq).filter(|_| is_required(message));
        let Some(rseq) = rseq else { return true };
        let tag = message.to().and_then(|to| to.tag()).unwrap_or_default();
        let early = self.early(branch, tag);
        let other = |leg: &Leg| {
            let updates = matches!(leg.asking, Some((_, Asking::Update)));
            updates || rseq != leg.rseq.wrapping_add(1)
        };
        if early.and_then(|key| self.legs.get(key)).is_some_and(other) {
            return false;
        }
        let early = match early {
            Some(key) => key,
            None => match self.new_early(branch, message) {
                Some(key) => key,
                None => {
                    self.counters.no_room += 1;
                    return true;
                }
            },
        };
        self.hear(early, message);
        if let Some(leg) = self.legs.get_mut(early) {
            leg.rseq = rseq;
            if !message.body().is_empty() {
                leg.sdp = fingerprint(message.body());
            }
            if let Some((tx, _)) = leg.asking.take() {
                // That it speaks on says that it has the last PRACK.
                self.tx.forget(tx);
            }
        }
        self.ask(now, early, Asking::Prack, Priority::Reserved);
        true
    }

    /// The early dialog of a branch with this tag of the called side. There are several where the INVITE was forked beyond us.
    pub(super) fn early(&self, branch: Key, tag: &[u8]) -> Option<Key> {
        let first = self.legs.get(branch)?;
        let mut legs = self.legs.of(&self.calls.get(first.call)?.legs);
        let fits = |key: &Key| {
            self.legs.get(*key).is_some_and(|leg| {
                leg.state == State::Early && leg.tag == first.tag && self.texts.is(&leg.names, TAG, tag)
            })
        };
        core::iter::from_fn(|| self.legs.next(&mut legs)).find(fits)
    }

    fn new_early(&mut self, branch: Key, message: &Message<'_>) -> Option<Key> {
        let leg = Leg {
            state: State::Early,
            ..self.sibling(branch)?
        };
        let key = self.insert_leg(leg).ok()?;
        if self.learn_dialog(key, message).is_err() {
            self.remove_leg(key);
            return None;
        }
        Some(key)
    }

    /// A branch has its final answer: its early dialogs are over, and one goes on in it.
    pub(super) fn end_early(&mut self, now: Instant, branch: Key, tag: &[u8]) {
        if let Some(early) = self.early(branch, tag) {
            self.go_on(early, branch);
        }
        self.remove_early(branch);
        self.end_update(now, branch);
    }

    fn go_on(&mut self, early: Key, branch: Key) {
        let Some(leg) = self.legs.get_mut(early) else {
            return;
        };
        let asking = leg.asking.take_if(|(_, asking)| *asking == Asking::Update);
        let (call, asking_cseq, sdp) = (leg.call, leg.asking_cseq, leg.sdp);
        let (local, remote) = (leg.local_cseq, leg.remote_cseq);
        if let Some(leg) = self.legs.get_mut(branch) {
            (leg.local_cseq, leg.remote_cseq) = (local, remote);
            (leg.asking, leg.asking_cseq, leg.sdp) = (asking, asking_cseq, sdp);
        }
        if let Some((tx, _)) = asking {
            self.tx.set_user(tx, branch.to_bits());
        }
        let Some(update) = self.calls.get_mut(call).map(|call| &mut call.update) else {
            return;
        };
        if update.leg == early {
            update.leg = branch;
            self.tx.set_user(update.tx, branch.to_bits());
        } else if update.to == early {
            update.to = branch;
        }
    }

    pub(super) fn remove_early(&mut self, branch: Key) {
        let Some(first) = self.legs.get(branch) else {
            return;
        };
        let (call, tag) = (first.call, first.tag);
        let Some(call) = self.calls.get(call) else { return };
        let mut legs = self.legs.of(&call.legs);
        while let Some(key) = self.legs.next(&mut legs) {
            let over = |leg: &Leg| leg.state == State::Early && leg.tag == tag;
            if self.legs.get(key).is_some_and(over) {
                self.remove_leg(key);
            }
        }
    }
}

/// Whether an answer with this status carries a session description.
pub(super) const fn carries(status: u16) -> bool {
    matches!(status, 183..=299)
}
