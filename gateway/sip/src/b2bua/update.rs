//! UPDATE (RFC 3311): without a description it refreshes the session of its own leg; with one it goes to the other side, as an
//! UPDATE where that is understood, else as a re-INVITE.

use super::call::TAG;
use super::*;

/// An UPDATE of one of the sides with a description.
#[derive(Debug)]
pub(super) struct Update {
    /// The leg that asks, and the one that is asked.
    pub leg: Key,
    pub to: Key,
    pub tx: TxId,
    /// It has no final answer yet.
    pub open: bool,
    /// The header lines that its answer copies; nothing once the next one is there.
    pub head: Text,
}

impl Update {
    pub const NONE: Self = Self {
        leg: Key::NONE,
        to: Key::NONE,
        tx: TxId::NONE,
        open: false,
        head: Text::EMPTY,
    };
}

impl<M> Calls<'_, M> {
    pub(super) fn on_update<R: Media>(
        &mut self,
        now: Instant,
        tx: TxId,
        key: Key,
        flow: Flow,
        message: &Message<'_>,
        media: &mut R,
    ) {
        self.hear(key, message);
        self.learn_target(key, message);
        if message.body().is_empty() {
            return self.on_update_refresh(now, tx, key, flow, message);
        }
        if let Err(status) = self.pass_update(now, tx, key, flow, message, media) {
            let random = self.tx.unguessable() % 10;
            self.reply(now, tx, flow, message, status, |w| {
                if status == 500 {
                    w.header(Name::RetryAfter, random);
                }
            });
        }
    }

    fn on_update_refresh(&mut self, now: Instant, tx: TxId, key: Key, flow: Flow, message: &Message<'_>) {
        let Some(leg) = self.legs.get_mut(key) else { return };
        leg.session.begin(now);
        let session = leg.session;
        if self.is_idle(key) {
            self.rest(now, key);
        }
        self.reply(now, tx, flow, message, 200, |w| {
            session.refreshed(w, &flow, message)
        });
    }

    /// Asks the other side. `Err`: why not.
    fn pass_update<R: Media>(
        &mut self,
        now: Instant,
        tx: TxId,
        key: Key,
        flow: Flow,
        message: &Message<'_>,
        media: &mut R,
    ) -> Result<(), u16> {
        let leg = self.legs.get(key).ok_or(481u16)?;
        let call_key = leg.call;
        let call = self.calls.get(call_key).ok_or(481u16)?;
        if self.is_moving(key) {
            return Err(491);
        }
        let (body, up) = (
            message.body(),
            leg.state == State::Up && call.stage == Stage::Talking,
        );
        let to = match up {
            true => self.peer(key).ok_or(481u16)?,
            false => self.early_peer(key)?,
        };
        let (quiet, fits) = (
            !self.is_offering(key) && !self.is_offering(to) && !self.is_moving(to),
            fingerprint(body) == leg.sdp,
        );
        let own = call.asked.open && call.asked.leg == key || call.update.open && call.update.leg == key;
        if up && own {
            // One after the other (RFC 3311 §5.2).
            return Err(500);
        }
        if !quiet {
            return Err(491);
        }
        let asked = self.legs.get(to).ok_or(481u16)?;
        let by_update = asked.features.has(Features::UPDATE);
        if by_update && !fits && asked.is_asked() {
            return Err(500);
        }
        self.keep_update(call_key, message, flow)
            .map_err(Refusal::status)?;
        if !fits {
            self.relay_offer(media, key, to, body).map_err(Refusal::status)?;
        }
        if let Some(call) = self.calls.get_mut(call_key) {
            (call.update.leg, call.update.to, call.update.tx, call.update.open) = (key, to, tx, true);
        }
        self.tx.set_user(tx, key.to_bits());
        if fits {
            // What it has said before: nothing changes for the other side, which is not asked.
            self.answer_update(now, call_key, 200);
            return Ok(());
        }
        let asked = match by_update {
            true => self.ask(now, to, Asking::Update, Priority::Reserved),
            false => up && self.reinvite(now, to, false),
        };
        if !asked {
            if let Some((of, _)) = self.place(to) {
                self.put_back(of);
            }
            self.answer_update(now, call_key, 500);
        } else if let Some(leg) = self.legs.get_mut(key) {
            leg.sdp = fingerprint(body);
        }
        Ok(())
    }

    /// Before the call is answered: who an UPDATE goes to, where both sides have agreed on a session by reliable answers.
    fn early_peer(&self, key: Key) -> Result<Key, u16> {
        let leg = self.legs.get(key).ok_or(481u16)?;
        let call = self.calls.get(leg.call).ok_or(481u16)?;
        let to = match leg.side {
            // Its own offer waits for an answer (RFC 3311 §5.2).
            Side::Caller if !call.reliable.agreed => return Err(500),
            Side::Caller => self.only_early(leg.call).ok_or(504u16)?,
            Side::Callee => call.caller,
        };
        let agreed = |leg: &Leg| leg.features.has(Features::UPDATE) && leg.sdp != 0;
        let there = call.reliable.agreed && self.legs.get(to).is_some_and(agreed);
        // The other side cannot be asked before it has answered (§5.2).
        if there { Ok(to) } else { Err(504) }
    }

    fn keep_update(&mut self, call: Key, message: &Message<'_>, flow: Flow) -> Result<(), Refusal> {
        let call = self.calls.get_mut(call).ok_or(Refusal::Gone)?;
        let paper = self.paper.blank().get_mut(..HEAD_MAX).unwrap_or_default();
        let mut w = Writer::new(paper);
        crate::write::write_response_lines(&mut w, message, None, flow.peer);
        w.end().map_err(|_| Refusal::TooLarge)?;
        let kept = self.texts.replace(&mut call.update.head, [w.written()]);
        kept.map_err(|_| Refusal::NoRoom)
    }

    /// The call whose UPDATE waits for what this leg answers.
    pub(super) fn updater(&self, key: Key) -> Option<Key> {
        let own = self.legs.get(key)?.call;
        let other = self
            .peer(key)
            .and_then(|peer| self.legs.get(peer))
            .map(|leg| leg.call);
        let waits = |call: &Key| {
            let call = self.calls.get(*call);
            call.is_some_and(|call| call.update.open && call.update.to == key)
        };
        [Some(own), other].into_iter().flatten().find(waits)
    }

    /// A final answer to an UPDATE that we have passed on, by whatever.
    pub(super) fn on_updated<R: Media>(
        &mut self,
        now: Instant,
        key: Key,
        status: u16,
        message: Option<&Message<'_>>,
        media: &mut R,
    ) {
        let Some(updater) = self.updater(key) else {
            if status < 300 && message.is_some() {
                self.goes_astray(now, key, offer::OFFERS);
            }
            return;
        };
        let asker = self.calls.get(updater).map_or(Key::NONE, |call| call.update.leg);
        let answer = message.filter(|_| status < 300);
        let relayed = answer.is_some_and(|message| {
            let body = message.body();
            let places = self.place(key).zip(self.place(asker));
            places.is_some_and(|(from, to)| self.relay_to(media, from, to, Role::Answer, body).is_ok())
        });
        if let Some((call, _)) = self.place(key) {
            match relayed {
                true => self.taken(call),
                false => self.put_back(call),
            }
        }
        for key in [key, asker] {
            if let Some(leg) = self.legs.get_mut(key).filter(|_| !relayed) {
                // The other side does not have what was offered last: no refresh can be answered from it.
                leg.sdp = 0;
            }
        }
        match (answer, relayed) {
            (Some(message), true) => {
                self.learn_target(key, message);
                if let Some(leg) = self.legs.get_mut(key) {
                    leg.sdp = fingerprint(message.body());
                }
                self.answer_update(now, updater, 200);
            }
            (Some(_), false) => {
                // One side has changed its session, and the other does not follow.
                self.answer_update(now, updater, 488);
                let up = self.legs.get(key).is_some_and(|leg| leg.state == State::Up);
                if up {
                    self.end(now, updater, End::Released, Some(Cause::NOT_ACCEPTABLE));
                }
            }
            // RFC 4320 §4.1: nobody is told of silence.
            (None, _) => self.answer_update(now, updater, if status == 408 { 504 } else { status }),
        }
    }

    pub(super) fn answer_update(&mut self, now: Instant, call: Key, status: u16) {
        let Some(call) = self.calls.get_mut(call) else {
            return;
        };
        if !core::mem::take(&mut call.update.open) {
            return;
        }
        let key = call.update.leg;
        let _ = self.tx.respond(now, call.update.tx, status);
        if status < 300
            && let Some(leg) = self.legs.get_mut(key)
        {
            leg.session.begin(now);
        }
        if self.is_idle(key) {
            self.rest(now, key);
        }
    }

    /// Of this branch a dialog is gone: so is the UPDATE that was under way in it.
    pub(super) fn end_update(&mut self, now: Instant, branch: Key) {
        let Some((key, _)) = self.place(branch) else {
            return;
        };
        let Some(update) = self.calls.get(key).map(|call| &call.update) else {
            return;
        };
        let there = |leg: &Key| {
            let leg = self.legs.get(*leg);
            leg.is_some_and(|leg| !matches!(leg.state, State::Closing | State::Over))
        };
        if update.open && ![update.leg, update.to].iter().all(there) {
            self.put_back(key);
            self.answer_update(now, key, 504);
        }
    }

    /// Has a leg an offer under way, of its own or to it?
    pub(super) fn is_offering(&self, key: Key) -> bool {
        let Some(leg) = self.legs.get(key) else {
            return false;
        };
        let Some(call) = self.calls.get(leg.call) else {
            return false;
        };
        let asks = call.stage == Stage::Talking && call.asked.open && call.asked.leg == key;
        let updates = call.update.open && (call.update.leg == key || call.update.to == key);
        let early = matches!(leg.state, State::Incoming | State::Early);
        asks || updates
            || self.updater(key).is_some()
            || !early && (leg.inviting || leg.is_unacked() || leg.ack != Ack::Idle)
    }

    /// The early dialog of a call's branch that is the only one.
    fn only_early(&self, call: Key) -> Option<Key> {
        let call = self.calls.get(call).filter(|call| call.open == 1)?;
        let mut legs = self.legs.of(&call.legs);
        let early = |key: &Key| {
            self.legs
                .get(*key)
                .is_some_and(|leg| leg.state == State::Early && !leg.names.is_empty_part(TAG))
        };
        let mut all = core::iter::from_fn(|| self.legs.next(&mut legs)).filter(early);
        let first = all.next()?;
        all.next().is_none().then_some(first)
    }
}
