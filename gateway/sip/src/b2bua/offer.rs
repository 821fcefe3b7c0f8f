//! Re-INVITEs: what one side offers within a call goes to the other one, or is a refresh that is answered here.

use super::call::TARGET;
use super::*;

/// A leg is offered so often what it had: it may be about to change something itself.
pub(super) const OFFERS: u8 = 5;

impl<M> Calls<'_, M> {
    pub(super) fn on_reinvite<R: Media>(
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
        let (call_key, known_sdp) = (leg.call, leg.sdp);
        let Some(call) = self.calls.get(call_key) else {
            return refuse(self, 481);
        };
        // Somebody is about to be put in the other side's place, who may have gone.
        if self.is_moving(key) {
            return refuse(self, 491);
        }
        let peer = self.peer(key).and_then(|key| Some((key, self.legs.get(key)?)));
        let Some((peer_key, peer)) = peer else {
            return refuse(self, 481);
        };
        // RFC 3261 §14.2: one offer at a time.
        let asked = self.calls.get(peer.call).is_some_and(|call| call.asked.open);
        let busy = asked
            || self.is_moving(peer_key)
            || call.asked.leg != key && self.tx.waits_for_ack(call.asked.tx)
            || call.asked.open
            || peer.is_unacked()
            || peer.ack != Ack::Idle
            || peer.inviting
            || leg.inviting
            || self.is_offering(key)
            || self.is_offering(peer_key);
        if call.stage == Stage::Waiting {
            // The first has no answer yet (RFC 3261 §14.2).
            let random = self.tx.unguessable() % 10;
            return self.reply(now, tx, flow, message, 500, |w| {
                w.header(Name::RetryAfter, random);
            });
        }
        if call.stage != Stage::Talking || leg.state != State::Up || busy {
            return refuse(self, 491);
        }
        self.hear(key, message);
        let body = message.body();
        let refresh = !body.is_empty() && fingerprint(body) == known_sdp;
        if let Err(refusal) = self.keep_head(call_key, message, None, flow) {
            return refuse(self, refusal.status());
        }
        if !refresh
            && !body.is_empty()
            && let Err(refusal) = self.relay_offer(media, key, peer_key, body)
        {
            if let Some(call) = self.calls.get_mut(call_key) {
                self.texts.free(&mut call.asked.head);
            }
            return refuse(self, refusal.status());
        }
        let Some(call) = self.calls.get_mut(call_key) else {
            return;
        };
        call.asked.leg = key;
        call.asked.tx = tx;
        call.asked.open = true;
        call.asked.cseq = message.cseq().map_or(0, |cseq| cseq.seq);
        call.asked.delayed_offer = body.is_empty();
        self.tx.set_user(tx, key.to_bits());
        self.learn_target(key, message);
        if refresh {
            // A session refresh: nothing changes for the other side, which is not asked.
            return self.answer_asked(now, call_key);
        }
        if !self.reinvite(now, peer_key, body.is_empty()) {
            return self.fail_asked(now, call_key, 500);
        }
        if let Some(leg) = self.legs.get_mut(key) {
            leg.sdp = fingerprint(body);
        }
    }

    /// 200 to whoever asked, with what the other side's session description became.
    pub(super) fn answer_asked(&mut self, now: Instant, call: Key) {
        if self.holds_answer(call) {
            return;
        }
        let Some(call) = self.calls.get_mut(call) else {
            return;
        };
        let (key, Some(tx)) = (call.asked.leg, call.asked.take()) else {
            return;
        };
        let _ = self.tx.responded(now, tx, 200);
        let t1 = self.config.timers.t1;
        self.legs.time(key, |leg| {
            leg.state = State::Up;
            leg.session.begin(now);
            leg.wait_for_ack(now, t1);
        });
    }

    /// Final failure to a re-INVITE; the session stays as it was (RFC 3261 §14.1).
    pub(super) fn fail_asked(&mut self, now: Instant, call: Key, status: u16) {
        let Some(call) = self.calls.get_mut(call) else {
            return;
        };
        if let Some(tx) = call.asked.take() {
            let _ = self.tx.respond(now, tx, status);
        }
        let asked = call.asked.leg;
        // The other side does not have what was offered last: no refresh can be answered from it.
        if let Some(leg) = self.legs.get_mut(asked) {
            leg.sdp = 0;
        }
        if let Some((of, _)) = self.peer(asked).and_then(|peer| self.place(peer)) {
            self.put_back(of);
        }
    }

    /// An offer of one leg to another. What that one has is kept until it has answered: [`Calls::taken`], [`Calls::put_back`].
    pub(super) fn relay_offer<R: Media>(
        &mut self,
        media: &mut R,
        from: Key,
        to: Key,
        sdp: &[u8],
    ) -> Result<bool, Refusal> {
        let (from, to) = self.place(from).zip(self.place(to)).ok_or(Refusal::Gone)?;
        self.set_aside(to);
        let relayed = self.relay_to(media, from, to, Role::Offer, sdp);
        if relayed.is_err() {
            self.put_back(to.0);
        }
        relayed
    }

    /// Keeps what a side has, which is about to be offered something else.
    pub(super) fn set_aside(&mut self, (call, side): (Key, Side)) {
        if let Some(call) = self.calls.get_mut(call).filter(|call| call.former.is_none()) {
            let text = core::mem::replace(call.sdp_mut(side), Text::EMPTY);
            call.former = Some((side, text));
        }
    }

    /// An offer was taken: what was before does not count any more.
    pub(super) fn taken(&mut self, call: Key) {
        let former = self.calls.get_mut(call).and_then(|call| call.former.take());
        if let Some((_, mut text)) = former {
            self.texts.free(&mut text);
        }
    }

    /// An offer was not taken, or nobody stands by it any more: what was before counts.
    pub(super) fn put_back(&mut self, call: Key) {
        let Some(call) = self.calls.get_mut(call) else {
            return;
        };
        if let Some((side, text)) = call.former.take() {
            let mut offer = core::mem::replace(call.sdp_mut(side), text);
            self.texts.free(&mut offer);
        }
    }

    /// A leg has not what is kept for it: it has taken an offer that nobody stands by any more, or the other side has something new.
    pub(super) fn goes_astray(&mut self, now: Instant, key: Key, offers: u8) {
        self.legs.time(key, |leg| {
            if leg.state == State::Up {
                leg.astray = offers;
                leg.timer = now;
            }
        });
    }

    /// Offers a leg what is kept for it, if it is astray. False: it is not.
    pub(super) fn call_back(&mut self, now: Instant, key: Key) -> bool {
        if self.legs.get(key).is_none_or(|leg| leg.astray == 0) {
            return false;
        }
        if !self.refresh_by_invite(now, key) {
            self.legs.time(key, |leg| leg.timer = now + session::LATER);
        }
        true
    }

    /// A 2xx within a dialog: the answer to a re-INVITE, or a repetition because our ACK was lost.
    pub(super) fn on_peer_answer<R: Media>(
        &mut self,
        now: Instant,
        key: Key,
        message: &Message<'_>,
        media: &mut R,
    ) {
        let Some(leg) = self.legs.get(key) else { return };
        if let Some(with) = self.joining(key).filter(|_| leg.inviting) {
            return self.on_joining(now, key, with, message, media);
        }
        let first = leg.inviting;
        let asker = self.asker(key).filter(|_| first);
        let (asked, delayed_offer, refreshing) = (asker.is_some(), leg.offerless, leg.refreshing);
        let probe = self.config.probe;
        self.legs.time(key, |leg| {
            if core::mem::take(&mut leg.inviting) {
                leg.timer = leg.rest(now, probe);
            }
            leg.ack = match leg.ack {
                _ if asked && delayed_offer => Ack::WaitsForPeer,
                Ack::WaitsForPeer if !asked => Ack::WaitsForPeer,
                _ => Ack::Due,
            };
        });
        if first && self.updater(key).is_some() {
            return self.on_updated(now, key, 200, Some(message), media);
        }
        if first && refreshing {
            return self.on_refreshed(now, key, message, media);
        }
        let Some(asker) = asker else {
            // Whoever offered this has gone, or goes another way.
            if first && !delayed_offer {
                self.goes_astray(now, key, OFFERS);
            }
            return;
        };
        if let Some(leg) = self.legs.get_mut(key) {
            leg.sdp = fingerprint(message.body());
            leg.astray = 0;
        }
        self.learn_target(key, message);
        let role = if delayed_offer { Role::Offer } else { Role::Answer };
        if self.relay_leg(media, key, role, message.body()).is_ok() {
            if let Some((call, _)) = self.place(key) {
                self.taken(call);
            }
            return self.answer_asked(now, asker);
        }
        // One side has changed its session, and the other does not follow.
        self.legs.time(key, |leg| leg.ack = Ack::Due);
        self.fail_asked(now, asker, 488);
        self.end(now, asker, End::Released, Some(Cause::NOT_ACCEPTABLE));
    }

    /// The answer to a re-INVITE that was to refresh the session. Nothing changes for the other side, unless this one changes
    /// something of its own accord: the other one is offered it, and so on, but for two sides that never say the same twice not
    /// for ever.
    fn on_refreshed<R: Media>(&mut self, now: Instant, key: Key, message: &Message<'_>, media: &mut R) {
        self.learn_target(key, message);
        let body = message.body();
        let Some(leg) = self.legs.get_mut(key) else { return };
        let again = match core::mem::take(&mut leg.astray) {
            0 => OFFERS,
            left => left - 1,
        };
        if body.is_empty()
            || core::mem::replace(&mut leg.sdp, fingerprint(body)) == fingerprint(body)
            || self.relay_leg(media, key, Role::Answer, body) != Ok(true)
        {
            return;
        }
        let settled = |key: &Key| again > 0 && self.is_quiet(*key) && !self.is_moving(*key);
        if let Some(peer) = self.peer(key).filter(settled) {
            self.goes_astray(now, peer, again);
        }
    }

    /// Where the other side's requests go from now on (RFC 3261 §12.2).
    pub(super) fn learn_target(&mut self, key: Key, message: &Message<'_>) {
        if let Some(target) = message.remote_target().filter(|target| target.len() <= URI_MAX) {
            self.learn_one(key, TARGET, target);
        }
    }

    /// A re-INVITE of ours rings without end: whoever asked gets its answer, and the INVITE its CANCEL. The session stays as
    /// it was (RFC 3261 §14.1); without a final answer to the CANCEL the other side is not there any more.
    pub(super) fn stop_reinvite(&mut self, now: Instant, key: Key) {
        let Some(leg) = self.legs.get_mut(key) else { return };
        let cancelled = leg.invite.is_some_and(|tx| self.tx.cancel(now, tx).is_ok());
        match self.asker(key) {
            Some(asker) => self.fail_asked(now, asker, 408),
            None if self.joining(key).is_some() => self.on_join_refused(now, key, 408),
            None => {}
        }
        if !cancelled {
            self.counters.no_room += 1;
            self.leg_lost(now, key);
        }
    }
}
