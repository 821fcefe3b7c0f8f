//! What the owner orders.

use super::*;
use crate::write::write_response_head;

impl<M> Calls<'_, M> {
    /// Tells the caller how far the call is: a provisional `status` (101 to 199), with a session description of our own for
    /// an announcement and its cause, which goes out at once and again with the final answer. From then on branches do not
    /// change what the caller hears.
    pub fn progress(
        &mut self,
        now: Instant,
        key: Key,
        status: u16,
        sdp: Option<&[u8]>,
        cause: Option<Cause>,
    ) -> Result<(), Refusal> {
        let call = self
            .calls
            .get_mut(key)
            .filter(|call| call.stage == Stage::Waiting)
            .ok_or(Refusal::Gone)?;
        if let Some(sdp) = sdp {
            if sdp.len() > SDP_MAX {
                return Err(Refusal::TooLarge);
            }
            let kept = self.texts.replace(&mut call.to_caller, [sdp]);
            kept.map_err(|_| Refusal::NoRoom)?;
            call.announcing = true;
            call.cause = cause;
        }
        call.progress = status;
        self.tell_progress(now, key);
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
        if let Some(call) = self.calls.get_mut(call).filter(|call| call.stage != Stage::Ended) {
            call.deadline = at.unwrap_or(Instant::NEVER);
        }
        self.calls.schedule(call);
    }

    /// A connection is gone for good: branches on it fail, answered calls on it end.
    pub fn flow_lost(&mut self, now: Instant, flow: Flow) {
        self.flow_gone(now, flow, |_| true);
    }

    /// A connection is closed, and its peer may come back on another ([`Calls::flow_moved`]): branches on it fail, answered calls
    /// wait. What is sent to the peer meanwhile is lost.
    pub fn flow_closed(&mut self, now: Instant, flow: Flow) {
        self.flow_gone(now, flow, |leg| leg.state != State::Up);
    }

    fn flow_gone(&mut self, now: Instant, flow: Flow, which: impl Fn(&Leg) -> bool) {
        let path = Path::new(&flow);
        let mut legs = self.legs.at(flow.peer.ip());
        while let Some(key) = self.legs.next(&mut legs) {
            let Some(leg) = self
                .legs
                .get_mut(key)
                .filter(|leg| leg.path == path && which(leg))
            else {
                continue;
            };
            // One leg after another with each poll, as the owner takes the events.
            leg.lost = leg.state != State::Over;
            let ours = [leg.invite, leg.asking.map(|(tx, _)| tx)];
            for tx in ours.into_iter().flatten() {
                self.tx.transport_error(now, tx);
            }
            self.legs.schedule(key);
        }
    }

    /// Does a call go this way?
    pub fn carries(&self, flow: &Flow) -> bool {
        let path = Path::new(flow);
        let mut legs = self.legs.at(flow.peer.ip());
        core::iter::from_fn(|| self.legs.next(&mut legs))
            .any(|key| self.legs.get(key).is_some_and(|leg| leg.path == path))
    }

    /// Nobody is at this address: branches to it fail at once.
    pub fn unreachable(&mut self, now: Instant, address: core::net::IpAddr) {
        let mut legs = self.legs.at(address);
        while let Some(key) = self.legs.next(&mut legs) {
            let waits = |leg: &&Leg| matches!(leg.state, State::Calling | State::Cancelling) && leg.inviting;
            if let Some(leg) = self.legs.get(key).filter(waits)
                && leg.path.flow().peer.ip() == address
                && let Some(tx) = leg.invite
            {
                self.tx.transport_error(now, tx);
            }
        }
    }

    /// A peer came back on another connection: its dialogs go on there. What was unanswered is sent again, and the peer is
    /// asked at once whether it still knows the dialogs.
    pub fn flow_moved(&mut self, old: Flow, new: Flow) {
        let path = Path::new(&old);
        let mut legs = self.legs.at(old.peer.ip());
        while let Some(key) = self.legs.next(&mut legs) {
            let Some(leg) = self.legs.get(key).filter(|leg| leg.path == path) else {
                continue;
            };
            let ours = [leg.invite, leg.asking.map(|(tx, _)| tx)];
            let theirs = self.calls.get(leg.call).map(|call| {
                let (asked, update, passed) = (&call.asked, &call.update, &call.passed);
                let all = [
                    (asked.leg, asked.tx),
                    (update.leg, update.tx),
                    (passed.from, passed.tx),
                ];
                all.map(|(leg, tx)| (leg == key).then_some(tx))
            });
            for tx in ours.into_iter().chain(theirs.into_iter().flatten()).flatten() {
                self.tx.move_to(tx, new);
            }
            self.legs.move_to(key, &new);
            self.legs.time(key, |leg| {
                if leg.state == State::Up && !leg.inviting {
                    leg.timer = Instant::ZERO;
                }
            });
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
        self.write_reply(flow, message, status, tag, None, more);
    }

    pub(super) fn write_reply(
        &mut self,
        flow: Flow,
        message: &Message<'_>,
        status: u16,
        tag: Option<transaction::Tag>,
        described: Option<Key>,
        more: impl FnOnce(&mut Writer<'_>),
    ) {
        let allow = self.allow();
        let mut w = Writer::new(self.paper.blank());
        let mut tag_text: heapless::String<16> = heapless::String::new();
        if let Some(tag) = tag {
            let _ = core::fmt::Write::write_fmt(&mut tag_text, format_args!("{tag}"));
        }
        write_response_head(&mut w, message, status, tag.map(|_| tag_text.as_str()), flow.peer);
        w.header(Name::Server, self.config.agent);
        if matches!(status, 200 | 405 | 501) {
            w.header(Name::Allow, allow);
        }
        more(&mut w);
        let leg = described.and_then(|leg| self.legs.get(leg));
        let sdp = leg.and_then(|leg| Some(self.calls.get(leg.call)?.had(leg.side)));
        let written = match sdp.filter(|sdp| !sdp.is_empty()) {
            Some(sdp) => w.body_pieces("application/sdp", sdp.len(), self.texts.pieces(sdp)),
            None => w.finish_empty(),
        };
        match written {
            Ok(len) => self.paper.is_answer(flow.answering(message), len),
            Err(_) => self.counters.overflow += 1,
        }
    }
}
