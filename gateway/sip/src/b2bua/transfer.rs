//! Transfers: a side leaves its call to another one (RFC 3515, RFC 5589). REFER ends here; who may go where is the owner's
//! business.
//!
//! Two calls become one conversation by a link: of each call one leg stays, and these two talk. Each call keeps its own names,
//! its owner's word and its end; only that one ends with the other.
//!
//! ```text
//! Receive::Refer{tx, leg}   the owner takes it: depart(), report() 100. The leg may go now without the end of its call
//! originate(), dial()       a call without a caller, whose INVITEs carry no offer, to who takes the departing side's place
//! join()                    the leg that stays is offered what the new one has said -> Event::Joined or Event::Parted
//! report()                  what became of it, by NOTIFY. After the last one of a leg that was replaced comes its BYE
//! stay()                    nothing came of it: the call is as it was, unless the other side has gone meanwhile
//! ```
//!
//! The offer comes from the new side and the answer from the one that stays (RFC 3725 §4.4), so that both say what they can,
//! and an offer that is refused leaves either session as it was.

use super::call::{CALL_ID, TAG};
use super::report::Report;
use super::*;

/// Which leg of a call talks, or is going to talk, with one of another call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link {
    /// The leg of this call.
    pub leg: Key,
    /// The other call; [`Key::NONE`]: it is not known yet.
    pub with: Key,
    /// Its re-INVITE has met one of the other side, and was sent a second time.
    pub again: bool,
}

impl<M> Calls<'_, M> {
    /// The leg that talks with this one, or would; none for a leg that was replaced and only waits for its BYE.
    pub(super) fn peer(&self, key: Key) -> Option<Key> {
        let leg = self.legs.get(key)?;
        let call = self.calls.get(leg.call)?;
        match call.link {
            Some(link) if link.leg == key => {
                // That one may have another partner by now.
                let back = self.calls.get(link.with)?.link;
                back.filter(|back| back.with == leg.call).map(|back| back.leg)
            }
            Some(_) => None,
            None => call.peer_of(leg.side),
        }
    }

    /// The call whose re-INVITE waits for what this leg answers.
    pub(super) fn asker(&self, key: Key) -> Option<Key> {
        let peer = self.peer(key)?;
        let key = self.legs.get(peer)?.call;
        let call = self.calls.get(key).filter(|call| call.stage == Stage::Talking)?;
        (call.asked.open && call.asked.leg == peer).then_some(key)
    }

    /// Does the call end with this leg?
    pub(super) fn is_part(&self, key: Key) -> bool {
        let leg = self.legs.get(key);
        let call = leg.and_then(|leg| self.calls.get(leg.call));
        let (Some(leg), Some(call)) = (leg, call) else {
            return false;
        };
        match call.moving.or(call.link) {
            Some(link) => link.leg == key,
            None => call.winner == Some(key) || leg.side == Side::Caller,
        }
    }

    /// The leg of a dialog as who is in it names it to others: Call-ID, our tag and its own (RFC 3891 §3).
    pub fn find(&self, call_id: &[u8], ours: &[u8], theirs: &[u8]) -> Option<Key> {
        let (key, nonce) = parse_tag(ours)?;
        let key = Key::from_bits(key);
        let leg = self.legs.get(key)?;
        let call = self.calls.get(leg.call)?;
        let same_call = match leg.side {
            Side::Caller => self.texts.is(&call.names, CALL_ID, call_id),
            Side::Callee => receive::parse_hex(call_id) == Some(leg.call_id()),
        };
        let fits = leg.tag.1 == nonce && same_call && self.texts.is(&leg.names, TAG, theirs);
        fits.then_some(key)
    }

    /// The call of a leg, and its side of it.
    pub fn place(&self, leg: Key) -> Option<(Key, Side)> {
        self.legs.get(leg).map(|leg| (leg.call, leg.side))
    }

    /// The leg that an answered one talks with.
    pub fn opposite(&self, leg: Key) -> Option<Key> {
        let is_up = |key: &Key| self.legs.get(*key).is_some_and(|leg| leg.state == State::Up);
        Some(leg).filter(is_up)?;
        self.peer(leg).filter(is_up)
    }

    /// The leg that stays, of a call whose other side departs.
    pub fn staying(&self, call: Key) -> Option<Key> {
        self.calls.get(call)?.moving.map(|link| link.leg)
    }

    /// The call that this one is one conversation with, and its own side that has part in it.
    pub fn linked(&self, call: Key) -> Option<(Key, Side)> {
        let link = self.calls.get(call)?.link?;
        Some((link.with, self.legs.get(link.leg)?.side))
    }

    /// The leg of a side of an answered call.
    pub fn leg(&self, call: Key, side: Side) -> Option<Key> {
        let call = self.calls.get(call).filter(|call| call.stage == Stage::Talking)?;
        let key = call.peer_of(side.other())?;
        self.legs
            .get(key)
            .filter(|leg| leg.state == State::Up)
            .map(|_| key)
    }

    /// A leg asks to be replaced, which `message` says and its owner has allowed: it may go from now on, and is told what
    /// becomes of it if it wants to be (RFC 4488). What is returned is the call that stays. `Err`: one of the two has no part
    /// in a conversation (481), or one of them is about to change something (491). `other` is a leg of the same side in the call
    /// that it wants to join with.
    pub fn depart(&mut self, leg: Key, other: Option<Key>, wanted: bool) -> Result<Key, u16> {
        let stays = self.opposite(leg).ok_or(481u16)?;
        let (call, _) = self.place(stays).ok_or(481u16)?;
        let is_free = |leg| self.is_quiet(leg) && !self.is_moving(leg);
        if !is_free(stays) || !is_free(leg) {
            return Err(491);
        }
        // Somebody who was replaced before has yet to be told, and hung up.
        let report = self.calls.get(call).and_then(|call| call.report);
        let is_there = |key| self.legs.get(key).is_some_and(|leg| leg.state == State::Up);
        if report.is_some_and(|report| report.leg != leg && is_there(report.leg)) {
            return Err(491);
        }
        let call_mut = self.calls.get_mut(call).ok_or(481u16)?;
        call_mut.moving = Some(Link {
            leg: stays,
            with: Key::NONE,
            again: false,
        });
        call_mut.report = Some(Report::new(leg, other, wanted));
        Ok(call)
    }

    /// Is a side of this leg's call about to be replaced?
    pub(super) fn is_moving(&self, key: Key) -> bool {
        let call = self.legs.get(key).and_then(|leg| self.calls.get(leg.call));
        call.is_some_and(|call| call.moving.is_some())
    }

    /// Has a leg nothing under way, or before it, that a re-INVITE would meet?
    pub(super) fn is_quiet(&self, key: Key) -> bool {
        let Some(leg) = self.legs.get(key).filter(|leg| leg.state == State::Up) else {
            return false;
        };
        let open = self.calls.get(leg.call).is_none_or(|call| call.asked.open);
        let acked = !leg.is_unacked() && leg.ack == Ack::Idle;
        !open && acked && !leg.inviting && !self.is_offering(key) && self.joining(key).is_none()
    }

    /// A call without a caller: [`Calls::present`], [`Calls::dial`]. Its INVITEs carry no offer. [`Calls::join`] gives the
    /// first that answers somebody to talk with.
    pub fn originate(&mut self, session: [u8; 32], meta: M) -> Result<Key, Refusal> {
        if !self.has_room_for_call(Priority::Normal) {
            self.counters.no_room += 1;
            return Err(Refusal::NoRoom);
        }
        let call = self.new_call(session, meta, true);
        self.insert_call(call)
    }

    /// Lets the leg that stays in a call talk with one of another call, whose own other side may go from now on.
    pub fn join(&mut self, now: Instant, call: Key, new: Key) -> Result<(), Refusal> {
        let (with, _) = self.place(new).ok_or(Refusal::Gone)?;
        let stays = self.staying(call).filter(|_| with != call).ok_or(Refusal::Gone)?;
        // In a 2xx that waits for our ACK, or in the INVITE of a caller that waits.
        let is_offered = self.legs.get(new).is_some_and(|leg| match leg.state {
            State::Incoming => self
                .calls
                .get(with)
                .is_some_and(|call| call.asked.open && !call.asked.delayed_offer),
            _ => leg.ack == Ack::WaitsForPeer && leg.offerless,
        });
        let departs = self.calls.get(with).is_some_and(|call| call.moving.is_some());
        if departs || !self.is_quiet(stays) || !(is_offered || self.is_quiet(new)) {
            return Err(Refusal::Media);
        }
        let links = [(call, stays, with), (with, new, call)];
        for (call, leg, with) in links {
            if let Some(call) = self.calls.get_mut(call) {
                call.moving = Some(Link {
                    leg,
                    with,
                    again: false,
                });
            }
        }
        let asked = if is_offered {
            self.pass_on(with, call) && self.reinvite(now, stays, false)
        } else {
            self.reinvite(now, new, true)
        };
        if !asked {
            self.part(now, call);
            return Err(Refusal::NoRoom);
        }
        Ok(())
    }

    /// Copies the offer of a call's new side to the leg that stays in the other one.
    pub(super) fn pass_on(&mut self, from: Key, to: Key) -> bool {
        let legs = (self.staying(from), self.staying(to));
        let (Some((_, of)), Some((_, towards))) = (
            legs.0.and_then(|leg| self.place(leg)),
            legs.1.and_then(|leg| self.place(leg)),
        ) else {
            return false;
        };
        let Some(call) = self.calls.get(from) else {
            return false;
        };
        let Some([sdp]) = self.texts.read(call.sdp(of.other()), self.paper.blank()) else {
            return false;
        };
        let Ok(offer) = self.texts.store([sdp]) else {
            return false;
        };
        self.set_aside((to, towards));
        let Some(call) = self.calls.get_mut(to) else {
            return false;
        };
        let mut before = core::mem::replace(call.sdp_mut(towards), offer);
        self.texts.free(&mut before);
        true
    }

    /// A re-INVITE of ours, with what is kept for the leg or without an offer. False: there is no room.
    pub(super) fn reinvite(&mut self, now: Instant, key: Key, offerless: bool) -> bool {
        let Some(leg) = self.legs.get(key) else {
            return false;
        };
        let started = self.tx.client(
            now,
            ClientKind::Invite,
            leg.path.flow(),
            key.to_bits(),
            Priority::Reserved,
        );
        let Ok(invite) = started else {
            self.counters.no_room += 1;
            return false;
        };
        self.legs.time(key, |leg| {
            leg.local_cseq += 1;
            leg.invite_cseq = leg.local_cseq;
            leg.invite = Some(invite);
            leg.inviting = true;
            leg.offerless = offerless;
            leg.refreshing = false;
            // The INVITE asks more than a probe would; its limit begins with the first 1xx.
            leg.timer = Instant::NEVER;
        });
        true
    }

    /// The call that a leg with a re-INVITE of ours is to be joined with.
    pub(super) fn joining(&self, key: Key) -> Option<Key> {
        let call = self.calls.get(self.legs.get(key)?.call)?;
        let link = call
            .moving
            .filter(|link| link.leg == key && link.with != Key::NONE)?;
        Some(link.with)
    }

    /// A 2xx to a re-INVITE that is to join two calls: the offer of the new side, or the answer of the one that stays.
    pub(super) fn on_joining<R: Media>(
        &mut self,
        now: Instant,
        key: Key,
        with: Key,
        message: &Message<'_>,
        media: &mut R,
    ) {
        let (Some(leg), Some(other)) = (self.legs.get(key), self.staying(with)) else {
            return;
        };
        let (call, side, offers) = (leg.call, leg.side, leg.offerless);
        let probe = self.config.probe;
        self.legs.time(key, |leg| {
            leg.inviting = false;
            leg.timer = leg.rest(now, probe);
            leg.sdp = fingerprint(message.body());
            leg.astray = 0;
            leg.ack = if offers { Ack::WaitsForPeer } else { Ack::Due };
        });
        self.learn_target(key, message);
        let place = self.place(other);
        let taken = place.is_some_and(|to| {
            let body = message.body();
            let relayed = match offers {
                true => self.relay_offer(media, key, other, body),
                false => self.relay_to(media, (call, side), to, Role::Answer, body),
            };
            relayed.is_ok()
        });
        let (stays, new) = if offers { (with, call) } else { (call, with) };
        if !taken || offers && !self.reinvite(now, other, false) {
            self.join_failed(now, stays, 488);
            if !offers {
                self.goes_astray(now, key, offer::OFFERS);
            }
            return;
        }
        if offers {
            return;
        }
        self.taken(call);
        // The new side gets its answer: to its offer in a 2xx, or to its INVITE.
        let waits = |call: &&mut Call<M>| call.stage == Stage::Waiting;
        if let Some(waiting) = self.calls.get_mut(new).filter(waits) {
            waiting.stage = Stage::Talking;
            waiting.announcing = false;
            self.answer_asked(now, new);
            self.cancel_branches(now, new, Some(Cause::COMPLETED_ELSEWHERE));
        } else {
            self.legs.time(other, |leg| leg.ack = Ack::Due);
        }
        for (call, leg, with) in [(stays, key, new), (new, other, stays)] {
            let Some(call) = self.calls.get_mut(call) else {
                continue;
            };
            let link = Link {
                leg,
                with,
                again: false,
            };
            (call.link, call.moving) = (Some(link), None);
        }
        self.event(Event::Joined {
            call: stays,
            with: new,
        });
        let report = self.calls.get(stays).and_then(|call| call.report);
        if let Some(report) = report {
            self.leave(now, report.other);
            if !report.wanted {
                self.leave(now, report.leg);
            }
        }
    }

    /// A re-INVITE that is to join two calls was refused. One that has met another of the same leg is sent once more, after the
    /// time of RFC 3261 §14.1.
    pub(super) fn on_join_refused(&mut self, now: Instant, key: Key, status: u16) {
        let wait = self.glare(key);
        let Some(leg) = self.legs.get(key) else { return };
        let call_key = leg.call;
        let Some(call) = self.calls.get_mut(call_key) else {
            return;
        };
        let Some(link) = call.moving.as_mut() else { return };
        if status == 491 && !core::mem::replace(&mut link.again, true) {
            return self.legs.time(key, |leg| leg.timer = now + wait);
        }
        let with = link.with;
        let stays = self.stays_of(call_key, with);
        self.join_failed(now, stays, status);
    }

    /// Does this leg wait for its re-INVITE to be sent once more?
    pub(super) fn joins_again(&self, key: Key) -> bool {
        let leg = self
            .legs
            .get(key)
            .filter(|leg| !leg.inviting && leg.ack == Ack::Idle);
        let moving = leg.and_then(|leg| self.calls.get(leg.call)?.moving);
        moving.is_some_and(|link| link.leg == key && link.again && link.with != Key::NONE)
    }

    /// Which of two calls that are being joined is the one that its owner hears of: a waiting one is taken over.
    fn stays_of(&self, one: Key, other: Key) -> Key {
        let waits = |call| {
            self.calls
                .get(call)
                .is_some_and(|call| call.stage == Stage::Waiting)
        };
        let reports = self.calls.get(one).is_some_and(|call| call.report.is_some());
        if !waits(one) && (waits(other) || reports) {
            one
        } else {
            other
        }
    }

    /// Time for the re-INVITE once more.
    pub(super) fn join_again(&mut self, now: Instant, key: Key) {
        let Some(offerless) = self.legs.get(key).map(|leg| leg.offerless) else {
            return;
        };
        if !self.reinvite(now, key, offerless) {
            self.on_join_refused(now, key, 500);
        }
    }

    /// Nothing comes of joining: `call` is the one that stays.
    pub(super) fn join_failed(&mut self, now: Instant, call: Key, status: u16) {
        self.part(now, call);
        self.event(Event::Parted { call, status });
    }

    /// Undoes [`Calls::join`]: both calls are as they were. One whose other side has gone meanwhile, or that never had one, is
    /// over.
    fn part(&mut self, now: Instant, call: Key) {
        let Some(link) = self.calls.get_mut(call).and_then(|call| call.moving.as_mut()) else {
            return;
        };
        let with = core::mem::replace(&mut link.with, Key::NONE);
        let stays = link.leg;
        self.put_back(call);
        if let Some(leg) = self.legs.get_mut(stays) {
            leg.sdp = 0;
        }
        let Some(other) = self.calls.get_mut(with).and_then(|call| call.moving.take()) else {
            return;
        };
        self.put_back(with);
        self.legs.time(other.leg, |leg| {
            leg.sdp = 0;
            if leg.ack == Ack::WaitsForPeer {
                // With the description that it had before.
                leg.ack = Ack::Due;
            }
        });
        let waits = self
            .calls
            .get(with)
            .is_some_and(|call| call.stage == Stage::Waiting);
        if !waits && self.opposite(other.leg).is_none() {
            self.end(now, with, End::Released, None);
        }
    }

    /// Nothing comes of a departure. True: the call is as it was. False: its other side has gone, and the one that stays waits.
    pub fn stay(&mut self, call: Key) -> bool {
        let Some(stays) = self.staying(call) else {
            return false;
        };
        let is_there = self.opposite(stays).is_some();
        if is_there && let Some(call) = self.calls.get_mut(call) {
            call.moving = None;
        }
        is_there
    }

    /// BYE to a leg that was replaced. A call of which nothing is left is over.
    pub(super) fn leave(&mut self, now: Instant, leg: Key) {
        match self.place(leg) {
            Some((call, _)) if self.is_part(leg) => self.end(now, call, End::Released, None),
            Some(_) => self.bye(now, leg, None),
            None => {}
        }
    }

    /// A call is over: so is what it was one conversation with, and what it was about to be joined with is as it was.
    pub(super) fn unlink(&mut self, now: Instant, call: Key, cause: Option<Cause>) {
        let Some(of) = self.calls.get_mut(call) else {
            return;
        };
        let (link, moving, report) = (of.link.take(), of.moving, of.report.take());
        if moving.is_some_and(|link| link.with != Key::NONE) {
            let with = moving.map_or(Key::NONE, |link| link.with);
            let stays = self.calls.get(with).is_some_and(|call| call.report.is_some());
            match stays {
                true => self.join_failed(now, with, 480),
                false => self.part(now, call),
            }
        }
        let Some(of) = self.calls.get_mut(call) else {
            return;
        };
        of.moving = None;
        let with = link.map_or(Key::NONE, |link| link.with);
        // It may have another partner by now, or be about to.
        if let Some(other) = self.calls.get_mut(with)
            && other.link.is_some_and(|back| back.with == call)
        {
            other.link = None;
            if other.moving.is_none() {
                self.end(now, with, End::Released, cause);
            }
        }
        // Who was replaced and has not been told yet waits for nothing any more.
        if let Some(report) = report
            && let Some((with, _)) = self.place(report.leg)
            && self.linked(with).is_some_and(|(back, _)| back == call)
        {
            self.leave(now, report.leg);
        }
    }
}
