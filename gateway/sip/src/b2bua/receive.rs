//! What a received message is to the calls; requests within dialogs.

use super::call::{CALL_ID, TAG};
use super::*;
use crate::message::StartLine;
use crate::method::Method;
use crate::transaction::Received;
use core::num::NonZeroU32;

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
                if message.method() == Method::Invite || self.keeps_answer(tx, Key::from_bits(user)) {
                    self.again = Some((tx, user, status));
                } else {
                    let tag = self.tx.to_tag(tx);
                    // Its answer was lost, and more has been said since: the side has what it had then.
                    let updated = message.method() == Method::Update && status < 300;
                    let leg = self.dialog(&flow, message).filter(|_| updated);
                    let session = leg.and_then(|leg| self.legs.get(leg)).map(|leg| leg.session);
                    let described = leg.filter(|_| !message.body().is_empty());
                    self.write_reply(flow, message, status, tag, described, |w| {
                        if let Some(session) = session {
                            session.refreshed(w, &flow, message);
                        }
                    });
                }
            }
            Received::Full => {
                self.counters.no_room += 1;
                let tag = transaction::Tag(self.tx.unguessable() as u32);
                self.write_reply(flow, message, 503, Some(tag), None, |w| {
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

    /// Whether a request is part of a call, by whatever address it came: its sender knows the dialog's names.
    pub fn knows(&self, flow: &Flow, message: &Message<'_>) -> bool {
        self.dialog(flow, message).is_some()
    }

    /// The leg that a request within a dialog belongs to: our tag names it, the other side's must fit (RFC 3261 §12.2.2).
    /// A dialog on a connection is not taken over by a datagram, nor by another network.
    fn dialog(&self, flow: &Flow, message: &Message<'_>) -> Option<Key> {
        let (key, nonce) = parse_tag(message.to()?.tag()?)?;
        let (mut key, from) = (Key::from_bits(key), message.from()?.tag()?);
        if self.legs.get(key)?.state == State::Calling {
            key = self.early(key, from)?;
        }
        let leg = self.legs.get(key)?;
        let call = self.calls.get(leg.call)?;
        let id = message.call_id()?;
        let same_call = match leg.side {
            Side::Caller => self.texts.is(&call.names, CALL_ID, id),
            Side::Callee => parse_hex(id) == Some(leg.call_id()),
        };
        let same_way = leg.path.is_like(&Path::new(flow));
        // A branch is no dialog before its answer: it has no tag of the other side that a request could show.
        let is_dialog =
            leg.side == Side::Caller || matches!(leg.state, State::Up | State::Closing | State::Early);
        (leg.tag.1 == nonce && same_way && is_dialog && same_call && self.texts.is(&leg.names, TAG, from))
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
        if matches!(method, Method::Invite | Method::Update) && session::is_too_short(message) {
            self.reply(now, tx, flow, message, 422, |w| {
                w.header(Name::MinSe, session::MIN_SE);
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
            if leg.remote_cseq.is_some_and(|next| seq < next.get()) {
                self.reply(now, tx, flow, message, 500, |_| {});
                return Receive::Done;
            }
            leg.remote_cseq = NonZeroU32::new(seq.wrapping_add(1));
            // This is where the peer is now.
            if !flow.is_reliable() {
                self.legs.move_to(key, &flow);
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
            Method::Update => self.on_update(now, tx, key, flow, message, media),
            Method::Prack => self.on_prack(now, tx, key, flow, message),
            Method::Info => self.on_info(now, tx, key, flow, message),
            Method::Options => self.reply(now, tx, flow, message, 200, |_| {}),
            Method::Refer if self.config.transfers => return Receive::Refer { tx, leg: key },
            _ => self.reply(now, tx, flow, message, 405, |_| {}),
        }
        Receive::Done
    }

    fn on_bye(&mut self, now: Instant, key: Key, cause: Option<Cause>) {
        let Some(leg) = self.legs.get(key) else { return };
        let (call, side, unanswered) = (leg.call, leg.side, leg.state == State::Incoming);
        let Some(stage) = self.calls.get(call).map(|call| call.stage) else {
            return;
        };
        match stage {
            Stage::Talking if !unanswered => {
                // The leg is gone before the end is told, so that only the other side gets a BYE.
                let part = self.is_part(key);
                self.passed(now, key, 487);
                self.remove_leg(key);
                if part {
                    self.end(now, call, End::HungUp(side), cause);
                }
            }
            // RFC 3261 §15: a caller may end an early dialog with BYE.
            Stage::Waiting | Stage::Talking if side == Side::Caller => {
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
        let (call, waiting) = (leg.call, leg.state == State::Incoming);
        self.reply(now, tx, flow, message, 200, |_| {});
        if waiting {
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
        let call_key = leg.call;
        let Some(call) = self.calls.get_mut(call_key) else {
            return;
        };
        if !leg.is_unacked() || message.cseq().is_none_or(|cseq| cseq.seq != call.asked.cseq) {
            return;
        }
        let probe = self.config.probe;
        let bye_wanted = leg.bye_wanted;
        self.legs.time(key, |leg| {
            leg.unacked = Instant::NEVER;
            leg.ok_due = false;
            leg.timer = leg.rest(now, probe);
        });
        self.texts.free(&mut call.asked.head);
        let delayed_offer = call.asked.delayed_offer;
        let peer = self.peer(key);
        let mut answered = true;
        if delayed_offer {
            let body = message.body();
            if let Some(leg) = self.legs.get_mut(key) {
                leg.sdp = fingerprint(body);
            }
            answered = self.relay_leg(media, key, Role::Answer, body).is_ok();
            if !answered
                && let Some((call, side)) = peer.and_then(|peer| self.place(peer))
                && let Some(call) = self.calls.get_mut(call)
            {
                self.texts.free(call.sdp_mut(side));
            }
            if let Some(peer) = peer {
                self.legs.time(peer, |peer| {
                    if peer.ack == Ack::WaitsForPeer {
                        peer.ack = Ack::Due;
                    }
                });
            }
        }
        if bye_wanted {
            return self.bye(now, key, None);
        }
        if !answered {
            return self.end(now, call_key, End::Released, Some(Cause::NOT_ACCEPTABLE));
        }
        self.on_picking(now, key);
    }
}

const SDP: &str = "application/sdp";

/// Whether the body is a session description, or there is none. One that does not say what it is, is taken for one.
fn has_sdp_or_nothing(message: &Message<'_>) -> bool {
    let kind = message.header(Name::ContentType).unwrap_or(SDP.as_bytes());
    let kind = kind.split(|byte| *byte == b';').next().unwrap_or_default();
    message.body().is_empty() || kind.trim_ascii().eq_ignore_ascii_case(SDP.as_bytes())
}

pub(super) fn parse_hex(digits: &[u8]) -> Option<u64> {
    if digits.len() != 16 {
        return None;
    }
    u64::from_str_radix(core::str::from_utf8(digits).ok()?, 16).ok()
}

pub(crate) fn parse_tag(tag: &[u8]) -> Option<(u32, u32)> {
    let value = parse_hex(tag)?;
    Some(((value >> 32) as u32, value as u32))
}
