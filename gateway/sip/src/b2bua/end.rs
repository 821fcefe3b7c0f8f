//! How a call, a branch and a dialog come to their end.

use super::*;

impl<M> Calls<'_, M> {
    /// Ends a call: a final answer or a BYE to every leg, and the word to the owner.
    pub(super) fn end(&mut self, now: Instant, key: Key, end: End, cause: Option<Cause>) {
        let Some(call) = self.calls.get_mut(key).filter(|call| call.stage != Stage::Ended) else {
            return;
        };
        let waits = call.stage == Stage::Waiting;
        let (caller, winner) = (call.caller, call.winner);
        call.stage = Stage::Ended;
        call.end = Some(end);
        call.deadline = Instant::NEVER;
        if call.cause.is_none() {
            call.cause = cause;
        }
        let asked = call.asked.take();
        let unanswered = |leg: &Leg| leg.state == State::Incoming;
        if waits || self.legs.get(caller).is_some_and(unanswered) {
            let status = match end {
                End::Refused(status) => status,
                End::Cancelled => 487,
                _ => 480,
            };
            self.legs.time(caller, |leg| {
                leg.state = State::Over;
                (leg.unacked, leg.timer, leg.ok_due) = (Instant::NEVER, Instant::NEVER, false);
            });
            match asked {
                Some(tx) if self.tx.respond(now, tx, status).is_ok() => {}
                _ => self.remove_leg(caller),
            }
        } else {
            if let Some(tx) = asked {
                let _ = self.tx.respond(now, tx, 487);
            }
            self.bye(now, caller, cause);
        }
        if let Some(winner) = winner {
            self.bye(now, winner, cause);
        }
        self.answer_update(now, key, 487);
        self.end_info(now, key);
        self.cancel_branches(now, key, cause);
        self.calls.schedule(key);
        self.unlink(now, key, cause);
    }

    pub(super) fn cancel_branches(&mut self, now: Instant, call: Key, cause: Option<Cause>) {
        let Some(call) = self.calls.get(call) else { return };
        let mut legs = self.legs.of(&call.legs);
        while let Some(key) = self.legs.next(&mut legs) {
            self.cancel_branch(now, key, cause);
        }
    }

    pub(super) fn cancel_branch(&mut self, now: Instant, key: Key, cause: Option<Cause>) {
        let Some(leg) = self.legs.get_mut(key).filter(|leg| leg.state == State::Calling) else {
            return;
        };
        leg.state = State::Cancelling;
        leg.cause = cause;
        if let Some(call) = self.calls.get_mut(leg.call) {
            call.open = call.open.saturating_sub(1);
        }
        let cancelled = leg.invite.is_some_and(|tx| self.tx.cancel(now, tx).is_ok());
        if !cancelled {
            // No room for the CANCEL: the phone is told by the BYE if it answers, or later.
            self.counters.no_room += 1;
            leg.timer = now + self.config.timers.t1 * 64;
            self.legs.schedule(key);
        }
    }

    pub(super) fn branch_failed(&mut self, now: Instant, key: Key, status: u16, cause: Option<u16>) {
        self.return_breadth(key);
        self.end_early(now, key, b"");
        let Some(leg) = self.legs.get_mut(key) else { return };
        let call_key = leg.call;
        let told = leg.state == State::Calling;
        let over = leg.invite.is_none();
        let Some(call) = self.calls.get_mut(call_key) else {
            return;
        };
        if told {
            call.open = call.open.saturating_sub(1);
        }
        leg.state = State::Over;
        leg.inviting = false;
        leg.timer = Instant::NEVER;
        self.legs.schedule(key);
        self.legs.linger(key, &mut call.legs);
        call.lingering = call.lingering.saturating_add(1);
        if over {
            self.remove_leg(key);
        } else {
            self.settle(call_key);
        }
        if told {
            self.tell_failed(key, call_key, status, cause);
        }
    }

    pub(super) fn tell_failed(&mut self, leg: Key, call_key: Key, status: u16, cause: Option<u16>) {
        let Some(call) = self
            .calls
            .get_mut(call_key)
            .filter(|call| call.stage == Stage::Waiting)
        else {
            return;
        };
        // RFC 3261 §16.7 step 6: any 6xx, else the lowest class.
        let rank = |status: u16| if status >= 600 { 0 } else { status / 100 };
        if call.best == 0 || rank(status) < rank(call.best) {
            (call.best, call.best_cause) = (status, cause);
        }
        let (exhausted, best) = (call.open == 0, call.best);
        self.event(Event::Failed {
            call: call_key,
            leg,
            status,
        });
        if exhausted {
            self.event(Event::Exhausted {
                call: call_key,
                status: best,
            });
        }
    }

    /// BYE to a leg in a dialog: now, or as soon as its ACK is there.
    pub(super) fn bye(&mut self, now: Instant, key: Key, cause: Option<Cause>) {
        let Some(leg) = self.legs.get_mut(key).filter(|leg| leg.state == State::Up) else {
            return;
        };
        leg.cause = cause.or(leg.cause);
        if leg.is_unacked() {
            leg.bye_wanted = true;
            return;
        }
        if leg.ack == Ack::WaitsForPeer {
            leg.ack = Ack::Due;
        }
        leg.timer = Instant::NEVER;
        if !self.ask(now, key, Asking::Bye, Priority::Reserved) {
            return self.remove_leg(key);
        }
        self.legs.time(key, |leg| leg.state = State::Closing);
    }

    /// The other side does not know the dialog any more, or cannot be reached beyond what answers for it: it is hung up all the
    /// same (RFC 3261 §12.2.1.2), and its answer gets the ACK that it may need.
    pub(super) fn dialog_lost(&mut self, now: Instant, key: Key) {
        match self.place(key) {
            Some((call, side)) if self.is_part(key) => {
                self.end(now, call, End::Lost(side), Some(Cause::OUT_OF_ORDER));
            }
            _ => self.bye(now, key, None),
        }
    }

    /// The other end of a leg is not there any more.
    pub(super) fn leg_lost(&mut self, now: Instant, key: Key) {
        let Some(leg) = self.legs.get(key) else { return };
        let (call, side, state) = (leg.call, leg.side, leg.state);
        match state {
            State::Calling | State::Cancelling => self.branch_failed(now, key, 503, None),
            State::Early => self.remove_leg(key),
            State::Incoming => self.end(now, call, End::Cancelled, Some(Cause::REQUEST_TERMINATED)),
            State::Up => {
                let part = self.is_part(key);
                self.remove_leg(key);
                if part {
                    self.end(now, call, End::Lost(side), Some(Cause::OUT_OF_ORDER));
                }
            }
            State::Closing | State::Over => self.remove_leg(key),
        }
    }

    pub(super) fn remove_leg(&mut self, key: Key) {
        let branch = |leg: &&Leg| matches!(leg.state, State::Calling | State::Cancelling);
        if self.legs.get(key).filter(branch).is_some() {
            self.remove_early(key);
        }
        let Some(leg) = self.legs.get(key) else { return };
        let (call_key, lingering) = (leg.call, leg.is_lingering());
        let mut call = self.calls.get_mut(call_key);
        let Some(mut leg) = self.legs.remove(key, call.as_mut().map(|call| &mut call.legs)) else {
            return;
        };
        self.texts.free(&mut leg.names);
        if let Some(tx) = leg.invite.filter(|_| leg.inviting) {
            // It has nobody left to tell.
            self.tx.forget(tx);
        }
        if let Some(call) = call {
            let asks = call.stage == Stage::Talking && call.asked.leg == key;
            if let Some(tx) = call.asked.waiting().filter(|_| asks) {
                // Nobody waits for its answer any more.
                call.asked.open = false;
                self.tx.forget(tx);
            }
            call.lingering = call.lingering.saturating_sub(u16::from(lingering));
            self.reserved_use.1 = self.reserved_use.1.saturating_sub(usize::from(call.reserved));
            self.settle(call_key);
        }
    }

    /// A call that is over and told goes with its last leg, and may have to as soon as its legs do nothing but wait for
    /// repetitions.
    pub(super) fn settle(&mut self, key: Key) {
        let Some(call) = self.calls.get_mut(key).filter(|call| call.settled) else {
            return;
        };
        let over = call.legs.is_empty();
        if over && call.lingering == 0 {
            return self.remove_call(key);
        }
        match (core::mem::replace(&mut call.over, over), over) {
            (false, true) => self.over.push(&mut self.calls, key),
            (true, false) => self.over.remove(&mut self.calls, key),
            _ => {}
        }
    }

    /// Forgets a call, whose legs do nothing but wait for repetitions.
    pub(super) fn remove_call(&mut self, key: Key) {
        if self.calls.get(key).is_some_and(|call| call.over) {
            self.over.remove(&mut self.calls, key);
        }
        if let Some(call) = self.calls.get(key) {
            let hash = open::hash(self.secret, &call.session);
            self.sessions.remove(&mut self.calls, key, hash);
        }
        let Some(mut call) = self.calls.remove(key) else {
            return;
        };
        if call.reserved {
            self.reserved_use.0 = self.reserved_use.0.saturating_sub(1);
            self.reserved_use.1 = self.reserved_use.1.saturating_sub(usize::from(call.lingering));
        }
        self.texts.free(&mut call.asked.head);
        self.texts.free(&mut call.update.head);
        self.texts.free(&mut call.passed.text);
        self.texts.free(&mut call.names);
        self.texts.free(&mut call.shown);
        self.texts.free(&mut call.to_callee);
        self.texts.free(&mut call.to_caller);
        if let Some((_, mut former)) = call.former {
            self.texts.free(&mut former);
        }
    }

    /// A branch for whose CANCEL there was no room: there is now, or the branch is not waited for any more. Its INVITE, once
    /// ringing, would wait for ever.
    pub(super) fn give_up(&mut self, now: Instant, key: Key) {
        let invite = self.legs.get(key).and_then(|leg| leg.invite);
        if invite.is_some_and(|tx| self.tx.cancel(now, tx).is_ok()) {
            return;
        }
        if let Some(tx) = invite {
            self.tx.forget(tx);
        }
        self.remove_leg(key);
    }
}
