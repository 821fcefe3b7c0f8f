//! What a received message does to a call.

use super::*;
use crate::message::StartLine;
use crate::method::Method;
use crate::transaction::Received;

impl<M> Calls<'_, M> {
    /// Takes a received message. An answer that it needs at once, and everything else it causes, comes out of
    /// [`Calls::poll`].
    pub fn receive<R: Media>(
        &mut self,
        now: Instant,
        flow: Flow,
        message: &Message<'_>,
        media: &mut R,
    ) -> Receive {
        let received = self.tx.receive(now, flow, message);
        self.received(now, flow, message, received, media)
    }

    fn received<R: Media>(
        &mut self,
        now: Instant,
        flow: Flow,
        message: &Message<'_>,
        received: Received,
        media: &mut R,
    ) -> Receive {
        match received {
            Received::Response { tx, user, status } => {
                self.on_response(now, Key::from_bits(user), tx, status, message, media);
            }
            Received::Request { tx } => return self.on_request(now, tx, flow, message, media),
            Received::Cancel { tx, invite } => self.on_cancel(now, tx, invite, flow, message),
            Received::Ack => self.on_ack(now, flow, message, media),
            Received::AckAbsorbed { user } => {
                let key = Key::from_bits(user);
                if self.legs.get(key).is_some_and(|leg| leg.state == State::Over) {
                    self.remove_leg(key);
                }
            }
            Received::Retransmission { tx, user, status } if status != 0 => {
                if message.method() == Method::Invite {
                    self.again = Some((tx, user, status));
                } else {
                    let tag = self.tx.to_tag(tx);
                    self.write_reply(flow, message, status, tag, |_| {});
                }
            }
            Received::Full => {
                self.counters.no_room += 1;
                let tag = transaction::Tag(self.tx.unguessable() as u32);
                self.write_reply(flow, message, 503, Some(tag), |w| {
                    w.header(Name::RetryAfter, RETRY_AFTER);
                });
            }
            Received::Retransmission { .. }
            | Received::StrayResponse
            | Received::CancelAnswered { .. }
            | Received::Absorbed => {}
        }
        Receive::Done
    }

    /// As [`Calls::receive`], for a request that may use reserved room: an emergency call.
    pub fn receive_reserved<R: Media>(
        &mut self,
        now: Instant,
        flow: Flow,
        message: &Message<'_>,
        media: &mut R,
    ) -> Receive {
        let received = self.tx.receive_reserved(now, flow, message);
        if let Received::Request { tx } = received {
            self.reserved = Some(tx);
        }
        self.received(now, flow, message, received, media)
    }

    /// The leg that a request within a dialog belongs to: our tag names it, the other side's must fit (RFC 3261 §12.2.2).
    /// A dialog on a connection is not taken over by a datagram, nor by another network.
    fn dialog(&self, flow: &Flow, message: &Message<'_>) -> Option<Key> {
        let (key, nonce) = parse_tag(message.to()?.tag()?)?;
        let key = Key::from_bits(key);
        let leg = self.legs.get(key)?;
        let call = self.calls.get(leg.call)?;
        let id = message.call_id()?;
        let same_call = match leg.side {
            Side::Caller => id == call.call_id.as_slice(),
            Side::Callee => parse_hex(id) == Some(leg.call_id),
        };
        let same_way = (leg.flow.transport, leg.flow.interface) == (flow.transport, flow.interface);
        // A branch is no dialog before its answer: it has no tag of the other side that a request could show.
        let is_dialog = leg.side == Side::Caller || matches!(leg.state, State::Up | State::Closing);
        (leg.tag.1 == nonce
            && same_way
            && is_dialog
            && same_call
            && message.from()?.tag()? == leg.remote_tag.as_slice())
        .then_some(key)
    }

    fn on_request<R: Media>(
        &mut self,
        now: Instant,
        tx: TxId,
        flow: Flow,
        message: &Message<'_>,
        media: &mut R,
    ) -> Receive {
        let StartLine::Request { method, .. } = message.start_line() else {
            return Receive::Done;
        };
        if method == Method::Invite && !has_sdp_or_nothing(message) {
            self.reply(now, tx, flow, message, 415, |w| {
                w.header(Name::Accept, SDP);
            });
            return Receive::Done;
        }
        if message.to().is_none_or(|to| to.tag().is_none()) {
            return if method == Method::Invite {
                Receive::Invite { tx }
            } else {
                Receive::Request { tx }
            };
        }
        let Some(key) = self.dialog(&flow, message) else {
            self.counters.no_dialog += 1;
            self.reply(now, tx, flow, message, 481, |_| {});
            return Receive::Done;
        };
        let seq = message.cseq().map_or(0, |cseq| cseq.seq);
        if let Some(leg) = self.legs.get_mut(key) {
            if leg.remote_cseq.is_some_and(|last| seq <= last) {
                self.reply(now, tx, flow, message, 500, |_| {});
                return Receive::Done;
            }
            leg.remote_cseq = Some(seq);
            // The peer speaks: its dialog needs no probe, and this is where it is now.
            if !flow.is_reliable() {
                leg.flow = flow;
            }
        }
        match method {
            Method::Bye => {
                self.reply(now, tx, flow, message, 200, |_| {});
                // The other side learns that it was late, and does not show a broken call (RFC 3326 §2).
                let elsewhere = message.reasons().any(|reason| reason.is_sip(200));
                self.on_bye(now, key, elsewhere.then_some(Cause::COMPLETED_ELSEWHERE));
            }
            Method::Invite => self.on_reinvite(now, tx, key, flow, message, media),
            Method::Options => self.reply(now, tx, flow, message, 200, |_| {}),
            _ => self.reply(now, tx, flow, message, 405, |_| {}),
        }
        Receive::Done
    }

    fn on_bye(&mut self, now: Instant, key: Key, cause: Option<Cause>) {
        let Some(leg) = self.legs.get(key) else { return };
        let (call, side) = (leg.call, leg.side);
        let Some(stage) = self.calls.get(call).map(|call| call.stage) else {
            return;
        };
        match stage {
            Stage::Talking => {
                // The leg is gone before the end is told, so that only the other side gets a BYE.
                let winner = self.calls.get(call).and_then(|call| call.winner);
                let part = winner == Some(key) || side == Side::Caller;
                self.remove_leg(key);
                if part {
                    self.end(now, call, End::HungUp(side), cause);
                }
            }
            // RFC 3261 §15: a caller may end an early dialog with BYE.
            Stage::Waiting if side == Side::Caller => {
                self.end(now, call, End::Cancelled, Some(Cause::REQUEST_TERMINATED));
            }
            _ => self.remove_leg(key),
        }
    }

    fn on_cancel(
        &mut self,
        now: Instant,
        tx: TxId,
        invite: Option<(TxId, u32)>,
        flow: Flow,
        message: &Message<'_>,
    ) {
        let leg = invite.and_then(|(_, user)| self.legs.get(Key::from_bits(user)));
        let Some(leg) = leg else {
            return self.reply(now, tx, flow, message, 481, |_| {});
        };
        let (call, side) = (leg.call, leg.side);
        self.reply(now, tx, flow, message, 200, |_| {});
        let waiting = self
            .calls
            .get(call)
            .is_some_and(|call| call.stage == Stage::Waiting);
        if waiting && side == Side::Caller {
            // The caller may itself be one branch of a fork.
            let elsewhere = message.reasons().any(|reason| reason.is_sip(200));
            let cause = if elsewhere {
                Cause::COMPLETED_ELSEWHERE
            } else {
                Cause::REQUEST_TERMINATED
            };
            self.end(now, call, End::Cancelled, Some(cause));
        }
        // A re-INVITE that is cancelled gets the answer that the other side gives (RFC 3261 §14.1 leaves the session as it is).
    }

    fn on_ack<R: Media>(&mut self, now: Instant, flow: Flow, message: &Message<'_>, media: &mut R) {
        let Some(key) = self.dialog(&flow, message) else {
            return;
        };
        let Some(leg) = self.legs.get_mut(key) else { return };
        let (call_key, side) = (leg.call, leg.side);
        let Some(call) = self.calls.get_mut(call_key) else {
            return;
        };
        if leg.unacked.is_none() || message.cseq().is_none_or(|cseq| cseq.seq != call.asked.cseq) {
            return;
        }
        leg.unacked = None;
        leg.ok_due = false;
        leg.timer = now + self.config.probe;
        self.earliest = self.earliest.min(leg.timer);
        let bye_wanted = leg.bye_wanted;
        let mut answered = true;
        if call.asked.delayed_offer {
            let body = message.body();
            leg.sdp = fingerprint(body);
            answered = call.negotiation.respond(side) == Ok(Role::Answer)
                && !body.is_empty()
                && call.is_answered(side, body)
                && media.relay(call_key, side, Role::Answer, body, call.sdp_mut(side.other()));
            call.negotiation.settle();
            if !answered {
                call.sdp_mut(side.other()).clear();
            }
            let waits = self
                .legs
                .find(|leg| leg.call == call_key && leg.ack == Ack::WaitsForPeer);
            if let Some(peer) = waits.and_then(|peer| self.legs.get_mut(peer)) {
                peer.ack = Ack::Due;
                self.due = true;
            }
        }
        if bye_wanted {
            self.bye(now, key, None);
        } else if !answered {
            self.end(now, call_key, End::Released, Some(Cause::NOT_ACCEPTABLE));
        }
    }

    fn on_reinvite<R: Media>(
        &mut self,
        now: Instant,
        tx: TxId,
        key: Key,
        flow: Flow,
        message: &Message<'_>,
        media: &mut R,
    ) {
        let refuse = |calls: &mut Self, status| calls.reply(now, tx, flow, message, status, |_| {});
        let Some(leg) = self.legs.get(key) else {
            return refuse(self, 481);
        };
        let (call_key, side, known_sdp) = (leg.call, leg.side, leg.sdp);
        let Some(call) = self.calls.get(call_key) else {
            return refuse(self, 481);
        };
        let peer_key = match side {
            Side::Caller => call.winner,
            Side::Callee => Some(call.caller),
        };
        let Some(peer) = peer_key.and_then(|key| self.legs.get(key)) else {
            return refuse(self, 481);
        };
        // RFC 3261 §14.2: one offer at a time.
        let busy = call.asked.tx.is_some()
            || peer.unacked.is_some()
            || peer.ack != Ack::Idle
            || peer.inviting
            || leg.inviting;
        if call.stage != Stage::Talking || leg.state != State::Up || busy {
            return refuse(self, 491);
        }
        let body = message.body();
        let refresh = !body.is_empty() && fingerprint(body) == known_sdp;
        let peer_flow = peer.flow;
        let Some(peer_key) = peer_key else { return };
        let Some(call) = self.calls.get_mut(call_key) else {
            return;
        };
        let mut head = Text::new();
        if let Err(refusal) = write_head(&mut head, message, None, flow, false) {
            return refuse(self, refusal.status());
        }
        if !refresh && !body.is_empty() {
            if let Err(glare) = call.negotiation.offer(side) {
                return refuse(self, glare.status());
            }
            if !media.relay(call_key, side, Role::Offer, body, call.sdp_mut(side.other())) {
                call.negotiation.settle();
                return refuse(self, 488);
            }
        }
        let cseq = message.cseq().map_or(0, |cseq| cseq.seq);
        call.asked = Asked {
            leg: key,
            tx: Some(tx),
            head,
            cseq,
            delayed_offer: body.is_empty(),
        };
        self.tx.set_user(tx, key.to_bits());
        if let (Some(target), Some(leg)) = (message.remote_target(), self.legs.get_mut(key))
            && let Ok(target) = text(target)
        {
            leg.target = target;
        }
        if refresh {
            // A session refresh: nothing changes for the other side, which is not asked.
            return self.answer_asked(now, call_key);
        }
        match self.tx.client(
            now,
            ClientKind::Invite,
            peer_flow,
            peer_key.to_bits(),
            Priority::Reserved,
        ) {
            Ok(invite) => {
                if let Some(peer) = self.legs.get_mut(peer_key) {
                    peer.local_cseq += 1;
                    peer.invite_cseq = peer.local_cseq;
                    peer.invite = Some(invite);
                    peer.inviting = true;
                    // The INVITE asks more than a probe would; its limit begins with the first 1xx.
                    peer.timer = Instant::NEVER;
                }
                if let Some(leg) = self.legs.get_mut(key) {
                    leg.sdp = fingerprint(body);
                }
            }
            Err(_) => {
                self.counters.no_room += 1;
                self.fail_asked(now, call_key, 500);
            }
        }
    }

    /// 200 to whoever asked, with what the other side's session description became.
    fn answer_asked(&mut self, now: Instant, call: Key) {
        let Some(call) = self.calls.get_mut(call) else {
            return;
        };
        let Some(tx) = call.asked.tx.take() else { return };
        if !call.asked.delayed_offer {
            call.negotiation.settle();
        }
        let _ = self.tx.responded(now, tx, 200);
        if let Some(leg) = self.legs.get_mut(call.asked.leg) {
            leg.state = State::Up;
            leg.ok_due = true;
            leg.interval = self.config.timers.t1.as_millis() as u16;
            leg.unacked = Some(now + self.config.timers.t1 * 64);
            leg.timer = now + self.config.timers.t1;
            self.earliest = self.earliest.min(leg.timer);
            self.due = true;
        }
    }

    /// Final failure to a re-INVITE; the session stays as it was (RFC 3261 §14.1).
    pub(super) fn fail_asked(&mut self, now: Instant, call: Key, status: u16) {
        let Some(call) = self.calls.get_mut(call) else {
            return;
        };
        call.negotiation.settle();
        if let Some(tx) = call.asked.tx.take() {
            let _ = self.tx.respond(now, tx, status);
        }
        // What is kept for the other side is the refused offer: no refresh can be answered from it.
        for leg in [Some(call.caller), call.winner].into_iter().flatten() {
            if let Some(leg) = self.legs.get_mut(leg) {
                leg.sdp = 0;
            }
        }
    }

    fn on_response<R: Media>(
        &mut self,
        now: Instant,
        key: Key,
        tx: TxId,
        status: u16,
        message: &Message<'_>,
        media: &mut R,
    ) {
        let Some(leg) = self.legs.get_mut(key) else { return };
        if leg.asking.is_some_and(|(asking, _)| asking == tx) {
            if status >= 200 {
                self.on_asked(now, key, status);
            }
            return;
        }
        if leg.invite != Some(tx) {
            return;
        }
        let call = leg.call;
        match (leg.state, status) {
            (State::Calling, 100..=199) => self.on_progress(now, key, status, message, media),
            (State::Calling | State::Cancelling, 200..=299) => self.on_answer(now, key, message, media),
            (State::Calling | State::Cancelling, _) if status >= 300 => {
                leg.remote_tag = message
                    .to()
                    .and_then(|to| to.tag())
                    .and_then(|tag| text(tag).ok())
                    .unwrap_or_default();
                let cause = message
                    .reasons()
                    .find(|reason| reason.protocol.eq_ignore_ascii_case(b"Q.850"))
                    .and_then(|reason| reason.cause);
                self.branch_failed(now, key, status, cause);
            }
            (State::Up | State::Closing, 200..=299) => {
                let tag = message.to().and_then(|to| to.tag()).unwrap_or_default();
                if tag != leg.remote_tag.as_slice() {
                    self.orphan(now, key, message);
                } else if message.cseq().is_some_and(|cseq| cseq.seq == leg.invite_cseq) {
                    self.on_peer_answer(now, key, call, message, media);
                }
            }
            (State::Up, 100..=199) if leg.inviting && leg.timer == Instant::NEVER => {
                leg.timer = now + self.config.timers.t1 * 64;
                self.earliest = self.earliest.min(leg.timer);
            }
            (State::Up, 300..) => {
                leg.inviting = false;
                leg.timer = now + self.config.probe;
                self.earliest = self.earliest.min(leg.timer);
                if matches!(status, 408 | 481) {
                    self.fail_asked(now, call, status);
                    self.leg_lost(now, key);
                } else {
                    self.fail_asked(now, call, status);
                }
            }
            _ => {}
        }
    }

    /// A 2xx within a dialog: the answer to a re-INVITE, or a repetition because our ACK was lost.
    fn on_peer_answer<R: Media>(
        &mut self,
        now: Instant,
        key: Key,
        call_key: Key,
        message: &Message<'_>,
        media: &mut R,
    ) {
        let Some(call) = self.calls.get_mut(call_key) else {
            return;
        };
        let Some(leg) = self.legs.get_mut(key) else { return };
        let asked = call.asked.tx.is_some() && call.asked.leg != key && call.stage == Stage::Talking;
        self.due = true;
        if core::mem::take(&mut leg.inviting) {
            leg.timer = now + self.config.probe;
            self.earliest = self.earliest.min(leg.timer);
        }
        if !asked {
            if leg.ack == Ack::Idle {
                leg.ack = Ack::Due;
            }
            return;
        }
        leg.ack = if call.asked.delayed_offer {
            Ack::WaitsForPeer
        } else {
            Ack::Due
        };
        leg.sdp = fingerprint(message.body());
        if let Some(target) = message.remote_target().and_then(|target| text(target).ok()) {
            leg.target = target;
        }
        let (side, body) = (leg.side, message.body());
        let fits = match call.negotiation.respond(side) {
            Ok(role) => {
                !body.is_empty()
                    && (role == Role::Offer || call.is_answered(side, body))
                    && media.relay(call_key, side, role, body, call.sdp_mut(side.other()))
            }
            Err(_) => false,
        };
        if fits {
            return self.answer_asked(now, call_key);
        }
        // One side has changed its session, and the other does not follow.
        leg.ack = Ack::Due;
        self.fail_asked(now, call_key, 488);
        self.end(now, call_key, End::Released, Some(Cause::NOT_ACCEPTABLE));
    }

    fn on_progress<R: Media>(
        &mut self,
        now: Instant,
        key: Key,
        status: u16,
        message: &Message<'_>,
        media: &mut R,
    ) {
        let Some(leg) = self.legs.get(key) else { return };
        let call_key = leg.call;
        self.event(Event::Progress {
            call: call_key,
            leg: key,
            status,
        });
        let Some(call) = self.calls.get_mut(call_key) else {
            return;
        };
        if status == 100 || call.announcing || call.stage != Stage::Waiting {
            return;
        }
        // Early media only where there is no doubt whose it is.
        let body = message.body();
        let role = match call.asked.delayed_offer {
            true => Role::Offer,
            false => Role::Answer,
        };
        let early = !body.is_empty()
            && call.open == 1
            && (role == Role::Offer || call.is_answered(Side::Callee, body))
            && media.relay(call_key, Side::Callee, role, body, &mut call.to_caller);
        call.early |= early;
        let told = if early { 183.max(status) } else { 180 };
        if call.progress != told
            && let Some(tx) = call.asked.tx
        {
            call.progress = told;
            let _ = self.tx.respond(now, tx, told);
        }
    }

    fn on_answer<R: Media>(&mut self, now: Instant, key: Key, message: &Message<'_>, media: &mut R) {
        let Some(leg) = self.legs.get_mut(key) else { return };
        let call_key = leg.call;
        let Some(call) = self.calls.get_mut(call_key) else {
            return;
        };
        // A branch that was given up is too late even if the caller still waits: another way was taken.
        let given_up = leg.state == State::Cancelling;
        if !given_up {
            call.open = call.open.saturating_sub(1);
        }
        let fits = learn_dialog(leg, message);
        leg.state = State::Up;
        leg.inviting = false;
        leg.ack = Ack::Due;
        leg.sdp = fingerprint(message.body());
        self.due = true;
        if given_up || fits.is_err() || call.stage != Stage::Waiting {
            // Too late (RFC 3261 §9.1, §16.7), or nothing we can keep a dialog with.
            self.counters.late_answers += 1;
            let cause = if call.stage == Stage::Talking {
                Some(Cause::COMPLETED_ELSEWHERE)
            } else {
                leg.cause
            };
            let waiting = call.stage == Stage::Waiting && !given_up;
            self.bye(now, key, cause);
            if waiting {
                self.tell_failed(key, call_key, 502, None);
            }
            return;
        }
        // Some gateways answer the offer in a 183 only.
        let body = message.body();
        let acceptable = if body.is_empty() {
            call.early && !call.announcing && !call.asked.delayed_offer
        } else {
            match call.negotiation.respond(Side::Callee) {
                Ok(role) => {
                    (role == Role::Offer || call.is_answered(Side::Callee, body))
                        && media.relay(call_key, Side::Callee, role, body, &mut call.to_caller)
                }
                Err(_) => false,
            }
        };
        if !acceptable {
            if call.asked.delayed_offer {
                call.negotiation.settle();
            }
            self.bye(now, key, Some(Cause::NOT_ACCEPTABLE));
            self.tell_failed(key, call_key, 488, None);
            return;
        }
        call.stage = Stage::Talking;
        call.winner = Some(key);
        call.announcing = false;
        if call.asked.delayed_offer {
            leg.ack = Ack::WaitsForPeer;
        }
        leg.timer = now + self.config.probe;
        self.earliest = self.earliest.min(leg.timer);
        self.answer_asked(now, call_key);
        self.cancel_branches(now, call_key, Some(Cause::COMPLETED_ELSEWHERE));
        self.event(Event::Answered {
            call: call_key,
            leg: key,
        });
    }

    /// A second dialog out of one INVITE, forked beyond us: ACK and BYE (RFC 3261 §13.2.2.4).
    fn orphan(&mut self, now: Instant, key: Key, message: &Message<'_>) {
        self.counters.late_answers += 1;
        let Some(first) = self.legs.get(key) else { return };
        let (call, flow, tag, call_id, cseq, invite) = (
            first.call,
            first.flow,
            first.tag,
            first.call_id,
            first.invite_cseq,
            first.invite,
        );
        let mut leg = self.new_leg(call, Side::Callee, flow);
        if learn_dialog(&mut leg, message).is_err() {
            return;
        }
        leg.state = State::Up;
        leg.tag = tag;
        leg.call_id = call_id;
        leg.invite = invite;
        leg.invite_cseq = cseq;
        leg.local_cseq = cseq;
        leg.ack = Ack::Due;
        // Repetitions come to the first leg and find this one by its tag.
        let known = self
            .legs
            .find(|other| other.call == call && other.remote_tag == leg.remote_tag);
        if let Some(known) = known.and_then(|known| self.legs.get_mut(known)) {
            known.ack = Ack::Due;
            self.due = true;
            return;
        }
        let Ok(orphan) = self.legs.insert(leg) else {
            self.counters.no_room += 1;
            return;
        };
        if let Some(call) = self.calls.get_mut(call) {
            call.legs += 1;
        }
        self.due = true;
        self.bye(now, orphan, Some(Cause::COMPLETED_ELSEWHERE));
    }

    /// A final answer to a BYE or a probe.
    fn on_asked(&mut self, now: Instant, key: Key, status: u16) {
        let Some(leg) = self.legs.get_mut(key) else { return };
        let Some((_, asking)) = leg.asking.take() else {
            return;
        };
        match asking {
            Asking::Bye => self.remove_leg(key),
            // RFC 3261 §12.2.1.2: these end the dialog.
            Asking::Probe if matches!(status, 408 | 481) => self.leg_lost(now, key),
            Asking::Probe if leg.inviting => {}
            Asking::Probe => {
                leg.timer = now + self.config.probe;
                self.earliest = self.earliest.min(leg.timer);
            }
        }
    }
}

/// What a 2xx says of the dialog it makes (RFC 3261 §12.1.2).
fn learn_dialog(leg: &mut Leg, message: &Message<'_>) -> Result<(), Refusal> {
    let tag = message.to().and_then(|to| to.tag()).unwrap_or_default();
    // What fits of it, so that the ACK and BYE to what cannot be kept are as near to right as may be.
    leg.remote_tag = text(tag.get(..TAG_MAX).unwrap_or(tag))?;
    if tag.len() > TAG_MAX {
        return Err(Refusal::TooLarge);
    }
    leg.target = text(message.remote_target().ok_or(Refusal::Malformed)?)?;
    leg.route.clear();
    // The called side's route set is the reverse of what the 2xx recorded.
    for value in message.values(Name::RecordRoute) {
        let before = leg.route.len();
        let parts = [value, if before > 0 { b", " } else { b"" }];
        for part in parts {
            leg.route.extend_from_slice(part).map_err(|_| Refusal::TooLarge)?;
        }
        let added = leg.route.len() - before;
        leg.route.rotate_right(added);
    }
    Ok(())
}

const SDP: &str = "application/sdp";

/// Whether the body is a session description, or there is none. One that does not say what it is, is taken for one.
fn has_sdp_or_nothing(message: &Message<'_>) -> bool {
    let kind = message.header(Name::ContentType).unwrap_or(SDP.as_bytes());
    let kind = kind.split(|byte| *byte == b';').next().unwrap_or_default();
    message.body().is_empty() || kind.trim_ascii().eq_ignore_ascii_case(SDP.as_bytes())
}

fn parse_hex(digits: &[u8]) -> Option<u64> {
    if digits.len() != 16 {
        return None;
    }
    u64::from_str_radix(core::str::from_utf8(digits).ok()?, 16).ok()
}

fn parse_tag(tag: &[u8]) -> Option<(u32, u32)> {
    let value = parse_hex(tag)?;
    Some(((value >> 32) as u32, value as u32))
}
