//! What an answer does to a call.

use super::call::TAG;
use super::*;
use crate::method::Method;

impl<M> Calls<'_, M> {
    pub(super) fn on_response<R: Media>(
        &mut self,
        now: Instant,
        key: Key,
        tx: TxId,
        status: u16,
        message: &Message<'_>,
        media: &mut R,
    ) {
        let Some(leg) = self.legs.get(key) else { return };
        if leg.asking.is_some_and(|(asking, _)| asking == tx) {
            if status >= 200 {
                self.on_asked(now, key, status, message, media);
            }
            return;
        }
        if status >= 300 {
            self.refused_cseq = message.cseq().map_or(0, |cseq| cseq.seq);
        }
        if leg.invite != Some(tx) {
            // Our ACK to what an INVITE before the last one was answered with was lost.
            let up = matches!(leg.state, State::Up | State::Closing);
            if let Some(cseq) = message.cseq().filter(|_| up && (200..300).contains(&status)) {
                self.late_ack = Some((key, tx, cseq.seq));
            }
            return;
        }
        match (leg.state, status) {
            (State::Calling, 100..=199) => self.on_progress(now, key, status, message, media),
            (State::Calling | State::Cancelling, 200..=299) => self.on_answer(now, key, message, media),
            (State::Calling | State::Cancelling, _) if status >= 300 => {
                let tag = message.to().and_then(|to| to.tag());
                let tag = tag.filter(|tag| tag.len() <= TAG_MAX).unwrap_or_default();
                self.learn_one(key, TAG, tag);
                let waits = self.legs.get(key).is_some_and(|leg| leg.state == State::Calling);
                if status == 422 && waits && self.invite_longer(now, key, message) {
                    return;
                }
                let status = session::told(status);
                let cause = message
                    .reasons()
                    .find(|reason| reason.protocol.eq_ignore_ascii_case(b"Q.850"))
                    .and_then(|reason| reason.cause);
                self.branch_failed(now, key, status, cause);
            }
            (State::Up | State::Closing, 200..=299) => {
                let tag = message.to().and_then(|to| to.tag()).unwrap_or_default();
                if !self.texts.is(&leg.names, TAG, tag) {
                    self.orphan(now, key, message);
                } else if message.cseq().is_some_and(|cseq| cseq.seq == leg.invite_cseq) {
                    if leg.inviting {
                        self.agree(now, key, message);
                    }
                    self.on_peer_answer(now, key, message, media);
                }
            }
            (State::Up, 100..=199) if leg.inviting && leg.timer == Instant::NEVER => {
                let limit = now + self.config.timers.t1 * 64;
                self.legs.time(key, |leg| leg.timer = limit);
            }
            (State::Up, 300..) => {
                let refreshing = leg.refreshing;
                if status == 422 && self.invite_longer(now, key, message) {
                    return;
                }
                let status = session::told(status);
                if let Some(leg) = self.legs.get_mut(key) {
                    leg.inviting = false;
                }
                self.rest(now, key);
                match self.asker(key) {
                    Some(asker) => self.fail_asked(now, asker, status),
                    None if refreshing => return self.on_refresh_refused(now, key, status, message, false),
                    None if self.updater(key).is_some() => self.on_updated(now, key, status, None, media),
                    None if matches!(status, 408 | 481) => {}
                    None if self.joining(key).is_some() => self.on_join_refused(now, key, status),
                    None => {}
                }
                if matches!(status, 408 | 481) {
                    self.dialog_lost(now, key);
                }
            }
            _ => {}
        }
    }

    fn on_progress<R: Media>(
        &mut self,
        now: Instant,
        key: Key,
        status: u16,
        message: &Message<'_>,
        media: &mut R,
    ) {
        if !self.acknowledge(now, key, message) {
            return;
        }
        self.hear(key, message);
        let Some(leg) = self.legs.get(key) else { return };
        let call_key = leg.call;
        self.event(Event::Progress {
            call: call_key,
            leg: key,
            status,
        });
        let Some(call) = self.calls.get(call_key) else {
            return;
        };
        if status == 100 || call.announcing || call.stage != Stage::Waiting {
            return;
        }
        // Early media only where there is no doubt whose it is.
        let body = message.body();
        let role = call.asked.role();
        let early = call.open == 1 && self.relay(media, call_key, Side::Callee, role, body).is_ok();
        let Some(call) = self.calls.get_mut(call_key) else {
            return;
        };
        call.early |= early;
        let told = if early { 183.max(status) } else { 180 };
        if core::mem::replace(&mut call.progress, told) != told {
            self.tell_progress(now, call_key);
        }
    }

    fn on_answer<R: Media>(&mut self, now: Instant, key: Key, message: &Message<'_>, media: &mut R) {
        let Some(leg) = self.legs.get(key) else { return };
        let call_key = leg.call;
        // A branch that was given up is too late even if the caller still waits: another way was taken.
        let given_up = leg.state == State::Cancelling;
        let tag = message.to().and_then(|to| to.tag());
        self.end_early(now, key, tag.unwrap_or_default());
        let fits = self.learn_dialog(key, message);
        self.agree(now, key, message);
        // What is agreed early is changed just now by an UPDATE, which comes after whatever is said here.
        let update = self.calls.get(call_key).map(|call| &call.update);
        let updates = update.is_some_and(|update| update.open && [update.leg, update.to].contains(&key));
        self.legs.time(key, |leg| {
            leg.state = State::Up;
            leg.inviting = false;
            leg.ack = Ack::Due;
            if !updates {
                leg.sdp = fingerprint(message.body());
            }
        });
        let (Some(call), Some(leg)) = (self.calls.get_mut(call_key), self.legs.get(key)) else {
            return;
        };
        if !given_up {
            call.open = call.open.saturating_sub(1);
        }
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
            self.end_update(now, key);
            if waiting {
                self.tell_failed(key, call_key, 502, None);
            }
            return;
        }
        // Some gateways answer the offer in a 183 only.
        let body = message.body();
        let acceptable = if body.is_empty() || updates {
            call.early && !call.announcing && !call.asked.delayed_offer
        } else {
            let role = call.asked.role();
            self.relay(media, call_key, Side::Callee, role, body).is_ok()
        };
        if !acceptable {
            self.bye(now, key, Some(Cause::NOT_ACCEPTABLE));
            self.end_update(now, key);
            self.tell_failed(key, call_key, 488, None);
            return;
        }
        let Some(call) = self.calls.get_mut(call_key) else {
            return;
        };
        call.stage = Stage::Talking;
        call.winner = Some(key);
        call.announcing = false;
        let taking = call.moving.filter(|link| link.with != Key::NONE);
        let (delayed_offer, probe) = (call.asked.delayed_offer, self.config.probe);
        self.legs.time(key, |leg| {
            if delayed_offer {
                leg.ack = Ack::WaitsForPeer;
            }
            leg.timer = leg.rest(now, probe);
        });
        self.answer_asked(now, call_key);
        self.cancel_branches(now, call_key, Some(Cause::COMPLETED_ELSEWHERE));
        self.event(Event::Answered {
            call: call_key,
            leg: key,
        });
        if let Some(link) = taking {
            // Somebody else was about to take it over.
            self.join_failed(now, link.with, 487);
        }
    }

    /// A second dialog out of one INVITE, forked beyond us: ACK and BYE (RFC 3261 §13.2.2.4).
    fn orphan(&mut self, now: Instant, key: Key, message: &Message<'_>) {
        self.counters.late_answers += 1;
        let Some(first) = self.legs.get(key) else { return };
        let call_key = first.call;
        // Repetitions come to the first leg and find this one by its tag.
        let tag = message.to().and_then(|to| to.tag()).unwrap_or_default();
        if let Some(call) = self.calls.get(call_key) {
            let mut legs = self.legs.of(&call.legs);
            while let Some(other) = self.legs.next(&mut legs) {
                if self
                    .legs
                    .get(other)
                    .is_some_and(|leg| self.texts.is(&leg.names, TAG, tag))
                {
                    return self.legs.time(other, |leg| leg.ack = Ack::Due);
                }
            }
        }
        let Some(sibling) = self.sibling(key) else { return };
        let leg = Leg {
            state: State::Up,
            ack: Ack::Due,
            ..sibling
        };
        let Ok(orphan) = self.insert_leg(leg) else {
            self.counters.no_room += 1;
            return;
        };
        if self.learn_dialog(orphan, message).is_err() {
            return self.remove_leg(orphan);
        }
        self.bye(now, orphan, Some(Cause::COMPLETED_ELSEWHERE));
    }

    /// A leg for another dialog out of the INVITE of a branch.
    pub(super) fn sibling(&mut self, branch: Key) -> Option<Leg> {
        let first = self.legs.get(branch)?;
        let (call, flow) = (first.call, first.path.flow());
        let leg = self.new_leg(call, Side::Callee, flow);
        let first = self.legs.get(branch)?;
        Some(Leg {
            tag: first.tag,
            call_id: first.call_id,
            invite: first.invite,
            offerless: first.offerless,
            invite_cseq: first.invite_cseq,
            local_cseq: first.local_cseq,
            ..leg
        })
    }

    /// A 2xx to an INVITE or UPDATE of ours agrees to a session.
    fn agree(&mut self, now: Instant, key: Key, message: &Message<'_>) {
        self.hear(key, message);
        if let Some(leg) = self.legs.get_mut(key) {
            leg.session.agreed(now, message);
            if message.method() == Method::Invite && leg.offerless {
                leg.delayed_cseq = leg.invite_cseq;
            }
        }
    }

    /// A final answer to a request of ours within a dialog.
    fn on_asked<R: Media>(
        &mut self,
        now: Instant,
        key: Key,
        status: u16,
        message: &Message<'_>,
        media: &mut R,
    ) {
        let Some(leg) = self.legs.get_mut(key) else { return };
        let Some((_, asking)) = leg.asking.take() else {
            return;
        };
        let ends = matches!(status, 408 | 481);
        match asking {
            Asking::Bye => return self.remove_leg(key),
            Asking::Refresh if status < 300 => {
                self.agree(now, key, message);
                if self.is_idle(key) {
                    self.rest(now, key);
                }
            }
            Asking::Refresh => self.on_refresh_refused(now, key, status, message, true),
            Asking::Update
                if status == 422
                    && leg.session.raise(message)
                    && self.ask(now, key, Asking::Update, Priority::Reserved) => {}
            Asking::Update => {
                if status < 300 {
                    self.agree(now, key, message);
                }
                self.on_updated(now, key, session::told(status), Some(message), media);
            }
            Asking::Info => self.passed(now, key, status),
            Asking::Prack | Asking::Notify | Asking::Probe => {}
        }
        match asking {
            // RFC 3261 §12.2.1.2: these end the dialog.
            Asking::Probe | Asking::Update | Asking::Info if ends => self.leg_lost(now, key),
            // Of a probe, or of what has taken its place.
            _ if self.is_idle(key) && self.legs.get(key).is_some_and(|leg| leg.timer == Instant::NEVER) => {
                self.rest(now, key);
            }
            _ => {}
        }
        self.on_reported(now, key);
    }

    /// What a 2xx says of the dialog it makes.
    pub(super) fn learn_dialog(&mut self, key: Key, message: &Message<'_>) -> Result<(), Refusal> {
        let tag = message.to().and_then(|to| to.tag()).unwrap_or_default();
        let target = message.remote_target().ok_or(Refusal::Malformed);
        let learnt = target.and_then(|target| self.learn(key, tag, target, message));
        if learnt.is_err() {
            // What fits of it, so that the ACK and BYE to what cannot be kept are as near to right as may be.
            self.learn_one(key, TAG, tag.get(..TAG_MAX).unwrap_or(tag));
        }
        learnt
    }
}
